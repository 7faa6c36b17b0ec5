"""What the service is told at its start: one installation, several stores and ERPs."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.errors import Misconfigured
from sync.mapping import FileProblem, FilesRefused
from sync.settings import Cron5, Every, load_settings, resolve_site
from sync.settings.models import DEFAULT_EVERY_S, GuardSettings, ScheduleSettings
from tests.unit.mapping.samples import changed
from tests.unit.settings.samples import SAMPLE, site_with, written

ROOT = Path(__file__).resolve().parents[3]

TWO_PAIRS = """\
[systems.erp_a]
kind = "erp"
adapter = "sql"
[systems.erp_b]
kind = "erp"
adapter = "files"
[systems.shop_a]
kind = "store"
adapter = "embedded"
options = { store_id = "a" }
[systems.shop_b]
kind = "store"
adapter = "embedded"
options = { store_id = "b" }

[pipelines.first]
erp = "erp_a"
store = "shop_a"
mappings = "mappings"
[pipelines.first.orders]
lease_s = 60

[pipelines.second]
erp = "erp_b"
store = "shop_b"
mappings = "mappings/second"
[pipelines.second.schedule]
orders_every_s = 5
[pipelines.second.guards.invoices]
removal_share = 0.01
"""


def told(site: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(FilesRefused) as raised:
        load_settings(site_with(site, text), environ)
    assert isinstance(raised.value, Misconfigured)
    return list(raised.value.problems)


class TestPipelines:
    @pytest.mark.rule("OP-8")
    def test_each_pair_has_its_own_mapping_schedule_and_limits(self, tmp_path: Path) -> None:
        (tmp_path / "mappings" / "second").mkdir(parents=True)
        loaded = load_settings(site_with(tmp_path, TWO_PAIRS), {})
        first, second = loaded.pipelines["first"], loaded.pipelines["second"]
        assert (first.erp.name, first.store.name) == ("erp_a", "shop_a")
        assert (second.erp.adapter, second.store.options["store_id"]) == ("files", "b")
        assert first.mappings == tmp_path / "mappings"
        assert second.mappings == tmp_path / "mappings" / "second"
        assert (first.orders.lease_s, second.orders.lease_s) == (60.0, 300.0)
        assert first.schedule.trigger("orders") == Every(60)
        assert second.schedule.trigger("orders") == Every(5.0)
        assert first.guards["invoices"].removal_share == Decimal("0.2")
        assert second.guards["invoices"].removal_share == Decimal("0.01")
        assert second.guards["invoices"].removal_floor == GuardSettings().removal_floor
        assert second.guards["prices"] == GuardSettings()

    @pytest.mark.rule("OP-8")
    def test_one_store_in_two_pipelines_is_refused(self, tmp_path: Path) -> None:
        text = TWO_PAIRS.replace('"shop_b"', '"shop_a"').replace("mappings/second", "mappings")
        (problem,) = told(tmp_path, text)
        assert problem.startswith("config/tradesync.toml:25:9: pipelines.second.store is the store")

    @pytest.mark.rule("OP-8")
    def test_one_store_under_two_names_is_refused(self, tmp_path: Path) -> None:
        text = TWO_PAIRS.replace('store_id = "b"', 'store_id = "a"')
        (problem,) = told(tmp_path, text.replace("mappings/second", "mappings"))
        assert (
            ":14:24: systems.shop_b.options.store_id has the store_id of systems.shop_a" in problem
        )

    def test_stores_without_an_id_are_told_apart_by_their_options(self, tmp_path: Path) -> None:
        text = TWO_PAIRS.replace("store_id =", "url =").replace("mappings/second", "mappings")
        load_settings(site_with(tmp_path, text), {})
        (problem,) = told(tmp_path, text.replace('url = "b"', 'url = "a"'))
        assert "systems.shop_b.options are those of systems.shop_a" in problem

    @pytest.mark.parametrize(
        "line, message, remedy",
        [
            ('erp = "erb_a"', "names no system", "did you mean erp_a?"),
            ('erp = "shop_b"', "names a system that is no erp", "known here: erp_a, erp_b"),
        ],
    )
    def test_a_pipeline_to_nowhere_is_refused(
        self, line: str, message: str, remedy: str, tmp_path: Path
    ) -> None:
        text = TWO_PAIRS.replace('erp = "erp_a"', line).replace("mappings/second", "mappings")
        (problem,) = told(tmp_path, text)
        assert problem == f"config/tradesync.toml:17:7: pipelines.first.erp {message}; {remedy}"

    def test_a_pipeline_to_a_system_that_is_wrong_itself_is_not_told_twice(
        self, tmp_path: Path
    ) -> None:
        text = TWO_PAIRS.replace('adapter = "sql"', "").replace("mappings/second", "mappings")
        (problem,) = told(tmp_path, text)
        assert "systems.erp_a.adapter is missing" in problem

    def test_a_missing_mapping_folder_is_told(self, tmp_path: Path) -> None:
        (problem,) = told(tmp_path, TWO_PAIRS)
        assert ":26:12: pipelines.second.mappings is no folder" in problem

    def test_waits_that_contradict_each_other_are_refused(self, tmp_path: Path) -> None:
        text = TWO_PAIRS.replace("lease_s = 60", "retry_first_s = 9\nretry_longest_s = 8")
        text += "[pipelines.second.patience]\nfirst_s = 2\nlongest_s = 1\n"
        problems = told(tmp_path, text.replace("mappings/second", "mappings"))
        assert len(problems) == 2
        assert "retry_first_s is longer than retry_longest_s" in problems[0]

    def test_the_place_of_what_applicants_hand_in_is_one_of_files(self, tmp_path: Path) -> None:
        text = TWO_PAIRS.replace("mappings/second", "mappings")
        places = 'uploads = "{0}"\nuploads_begin_with = "s3://forms/"\nmappings = "mappings"\n'
        (problem,) = told(
            tmp_path, text.replace('mappings = "mappings"\n', places.format("erp_a"), 1)
        )
        assert "pipelines.first.uploads names a system that is no files" in problem
        alone = places.split("\n", 1)[1]
        (problem,) = told(tmp_path, text.replace('mappings = "mappings"\n', alone, 1))
        assert "pipelines.first.uploads_begin_with stands without uploads" in problem
        system = '[systems.forms]\nkind = "files"\nadapter = "folder"\n'
        good = system + text.replace('mappings = "mappings"\n', places.format("forms"), 1)
        first = load_settings(site_with(tmp_path, good), {}).pipelines["first"]
        assert [each.name for each in first.systems] == ["erp_a", "shop_a", "forms"]
        assert first.uploads_begin_with == "s3://forms/"
        assert first.uploads_folder == "{application}/"

    @pytest.mark.rule("TL-5")
    @pytest.mark.parametrize(
        "folder, wrong",
        [
            ("forms/", "does not say once which application it is of"),
            ("{application}/{application}/", "does not say once which application it is of"),
            ("{user}/{application}/", "does not say once which application it is of"),
            ("forms/{application}", "is no folder"),
            ("forms/{application}-", "is no folder"),
            ("/{application}/", "leads out of the place of the files"),
            ("forms//{application}/", "leads out of the place of the files"),
            ("forms/../{application}/", "leads out of the place of the files"),
            ("forms\\\\{application}/", "leads out of the place of the files"),
        ],
    )
    def test_a_folder_of_applicants_that_several_share_is_refused(
        self, tmp_path: Path, folder: str, wrong: str
    ) -> None:
        text = TWO_PAIRS.replace("mappings/second", "mappings")
        named = f'uploads = "forms"\nuploads_folder = "{folder}"\nmappings = "mappings"\n'
        system = '[systems.forms]\nkind = "files"\nadapter = "folder"\n'
        (problem,) = told(tmp_path, system + text.replace('mappings = "mappings"\n', named, 1))
        assert f"pipelines.first.uploads_folder {wrong}" in problem

    def test_options_reach_the_adapter_in_plain_types(self, tmp_path: Path) -> None:
        text = TWO_PAIRS.replace('store_id = "a"', 'store_id = "a", overlap_s = 1.5, deep = [0.5]')
        text = text.replace("mappings/second", "mappings")
        options = load_settings(site_with(tmp_path, text), {}).systems["shop_a"].options
        assert options == {"store_id": "a", "overlap_s": 1.5, "deep": [0.5]}
        assert isinstance(options["overlap_s"], float)


class TestSchedule:
    def test_a_flow_runs_by_the_clock_in_the_time_zone_or_in_seconds_or_not(self) -> None:
        schedule = ScheduleSettings(
            time_zone="Europe/Berlin",
            off=["prices"],
            orders_every_s=7,
            invoices_cron="0 6 * * mon-fri",
        )
        assert schedule.trigger("orders") == Every(7.0)
        assert schedule.trigger("invoices") == Cron5("0 6 * * mon-fri", "Europe/Berlin")
        assert schedule.trigger("prices") is None
        assert schedule.trigger("accounts") == Every(DEFAULT_EVERY_S["accounts"])

    def test_two_schedules_for_one_flow_are_refused(self, tmp_path: Path) -> None:
        both = 'orders_every_s = 5\norders_cron = "* * * * *"'
        (problem,) = told(
            tmp_path, TWO_PAIRS.replace("orders_every_s = 5", both).replace("/second", "")
        )
        assert "orders_cron stands beside orders_every_s: only one of them can count" in problem

    def test_off_wins_over_a_line_that_is_left_standing(self) -> None:
        assert ScheduleSettings(off=["orders"], orders_every_s=5).trigger("orders") is None


class TestSite:
    def test_the_option_wins_over_the_environment(self, tmp_path: Path) -> None:
        one, other = tmp_path / "one", tmp_path / "other"
        for site in (one, other):
            (site / "config").mkdir(parents=True)
        environ = {"TRADESYNC_SITE": str(other)}
        assert resolve_site(one, environ).root == one
        assert resolve_site(None, environ).root == other
        assert resolve_site("", environ).mappings == other / "mappings"

    def test_state_goes_where_systemd_says(self, tmp_path: Path) -> None:
        (tmp_path / "config").mkdir()
        assert resolve_site(tmp_path, {}).var == tmp_path / "var"
        environ = {"STATE_DIRECTORY": "/var/lib/tradesync:/var/lib/more"}
        assert resolve_site(tmp_path, environ).var == Path("/var/lib/tradesync")

    @pytest.mark.parametrize("named", ["nowhere", "a\0b"])
    def test_no_site_is_told_with_the_way_out(self, named: str, tmp_path: Path) -> None:
        with pytest.raises(Misconfigured):
            resolve_site(str(tmp_path / named), {})

    def test_the_way_out_names_the_command(self, tmp_path: Path) -> None:
        with pytest.raises(Misconfigured, match="tradesync init"):
            resolve_site(tmp_path, {})

    def test_the_sample_site_is_the_repository(self) -> None:
        loaded = load_settings(ROOT, {})
        pipeline = loaded.pipelines["main"]
        assert (pipeline.erp.adapter, pipeline.store.adapter) == ("sql", "embedded")
        assert pipeline.store.options["store_id"] == "sample"
        assert pipeline.mappings == ROOT / "mappings"
        assert loaded.state_url == f"sqlite:///{ROOT / 'var' / 'state.sqlite'}"

    def test_a_commented_out_line_of_the_template_is_right_when_taken_in(
        self, tmp_path: Path
    ) -> None:
        text = (ROOT / "config" / "tradesync.toml").read_text(encoding="utf-8")
        lines = [
            line.removeprefix("# ") if "=" in line or line.startswith("# [") else line
            for line in text.splitlines()
        ]
        wanted = "\n".join(lines)
        assert tomllib.loads(wanted) != tomllib.loads(text)
        load_settings(site_with(tmp_path, wanted), {})

    def test_relative_state_files_start_at_the_site(self, tmp_path: Path) -> None:
        text = '[service]\nstate_url = "sqlite:///var/here.sqlite"\n' + TWO_PAIRS
        text = text.replace("mappings/second", "mappings")
        loaded = load_settings(site_with(tmp_path, text), {})
        assert loaded.state_url == f"sqlite:///{tmp_path / 'var' / 'here.sqlite'}"


class TestEnvironment:
    def test_it_overrides_the_file_in_the_files_own_types(self, tmp_path: Path) -> None:
        environ = {
            "TRADESYNC_SERVICE__LOG_LEVEL": "warning",
            "TRADESYNC_SERVICE__WORKER_THREADS": "9",
            "TRADESYNC_PIPELINES__MAIN__SCHEDULE__ORDERS_EVERY_S": "2.5",
            "TRADESYNC_SYSTEMS__ERP__OPTIONS__URL": "sqlite:///other.sqlite",
            "TRADESYNC_SITE": "/nowhere",
            "HOME": "/nowhere",
        }
        loaded = load_settings(site_with(tmp_path, written(SAMPLE).text), environ)
        assert (loaded.service.log_level, loaded.service.worker_threads) == ("warning", 9)
        assert loaded.pipelines["main"].schedule.trigger("orders") == Every(2.5)
        assert loaded.systems["erp"].options["url"] == "sqlite:///other.sqlite"
        assert loaded.service.log_format == "text"

    def test_a_table_is_laid_over_the_files_field_by_field(self, tmp_path: Path) -> None:
        environ = {
            "TRADESYNC_SYSTEMS__ERP__OPTIONS": '{url = "sqlite:///other.sqlite", deep = [1]}'
        }
        loaded = load_settings(site_with(tmp_path, written(SAMPLE).text), environ)
        wanted = {"url": "sqlite:///other.sqlite", "page_size": 50, "deep": [1]}
        assert loaded.systems["erp"].options == wanted

    def test_a_mistake_beside_what_a_variable_says_is_the_files_own(self, tmp_path: Path) -> None:
        page = written(changed(SAMPLE, ("pipelines", "main", "guards", "price_floor"), "many"))
        environ = {"TRADESYNC_PIPELINES__MAIN__GUARDS": "{removal_floor = -1}"}
        in_file, in_environment = told(tmp_path, page.text, **environ)
        assert in_file.startswith("config/tradesync.toml:")
        assert "guards.price_floor is not a whole number" in in_file
        assert in_environment.startswith("environment: TRADESYNC_PIPELINES__MAIN__GUARDS: ")
        assert "guards.removal_floor is too small" in in_environment

    def test_only_the_environment_that_was_given_counts(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TRADESYNC_SERVICE__LOG_LEVEL", "error")
        monkeypatch.setenv("TRADESYNC_WRITTEN", "{}")
        loaded = load_settings(site_with(tmp_path, written(SAMPLE).text), {})
        assert loaded.service.log_level == "debug"

    @pytest.mark.parametrize(
        "name, value, message",
        [
            ("TRADESYNC_WRITTEN__SERVICE__LOG_LEVEL", "x", "written is not known here"),
            ("TRADESYNC_CREDENTIALS__ERP", "x", "credentials is not known here"),
            ("TRADESYNC_SERVICE__LOG_LEVL", "x", "service.log_levl is not known here"),
            ("TRADESYNC_SERVCE__LOG_LEVEL", "x", "servce is not known here"),
            ("TRADESYNC_SERVICE", "x", "is no setting"),
            ("TRADESYNC_DEBUG", "1", "is no setting"),
            ("TRADESYNC_SERVICE____X", "1", "is no setting"),
            ("TRADESYNC_SERVICE__LOG_LEVEL__X", "1", "goes below a setting"),
            ("TRADESYNC_SERVICE__WORKER_THREADS", "many", "is not a whole number"),
            ("TRADESYNC_SERVICE__WORKER_THREADS", '"4"', "is not a whole number"),
            ("TRADESYNC_SERVICE__WORKER_THREADS", "4\nx = 1", "is not a whole number"),
            ("TRADESYNC_SERVICE__LOG_LEVEL", "[" * 9999, "is not known"),
        ],
    )
    def test_a_wrong_variable_is_named(
        self, name: str, value: str, message: str, tmp_path: Path
    ) -> None:
        problems = told(tmp_path, written(SAMPLE).text, **{name: value})
        assert any(
            problem.startswith(f"environment: {name}") and message in problem
            for problem in problems
        ), problems


class TestBrokenFiles:
    @pytest.mark.parametrize(
        "content, line, message",
        [
            (b"", 1, "systems is missing"),
            (b"[service\n", 1, "not TOML"),
            (b"[service]\nlog_level = info\n", 2, "not TOML"),
            (b"[service]\nwatchdog = true\nwatchdog = true\n", 3, "not TOML"),
            (b"[service]\nx = 'a\n", 3, "not TOML"),
            (b'[service]\nx = """a\n', 3, "not TOML"),
            (b"x = \x00\n", 1, "not TOML"),
            (b"# gr\xf6\xdfe\n", 1, "the file is not UTF-8"),
            (b"a = 1\n# \xff\n", 2, "the file is not UTF-8"),
            (b"\x89PNG\r\n\x1a\n", 1, "the file is not UTF-8"),
            (b"x = " + b"[" * 50_000, 1, "nested too deeply"),
            (b"x = " + b"1" * 5000, 1, "cannot be read"),
            (b"service: {}\n", 1, "not TOML"),
        ],
    )
    def test_what_cannot_be_read_is_told_with_its_line(
        self, content: bytes, line: int, message: str, tmp_path: Path
    ) -> None:
        site_with(tmp_path, "")
        (tmp_path / "config" / "tradesync.toml").write_bytes(content)
        with pytest.raises(FilesRefused) as raised:
            load_settings(tmp_path, {})
        first = raised.value.found[0]
        assert (first.file, first.line) == ("config/tradesync.toml", line)
        assert any(message in problem.message for problem in raised.value.found)

    def test_a_missing_file_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "config").mkdir()
        with pytest.raises(FilesRefused, match="the file is missing"):
            load_settings(tmp_path, {})

    def test_a_byte_order_mark_and_windows_line_ends_are_no_problem(self, tmp_path: Path) -> None:
        site_with(tmp_path, "")
        content = b"\xef\xbb\xbf" + written(SAMPLE).text.replace("\n", "\r\n").encode()
        (tmp_path / "config" / "tradesync.toml").write_bytes(content)
        load_settings(tmp_path, {})

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
    @given(data=st.data())
    def test_no_slip_of_the_editor_crashes_the_start(
        self, data: st.DataObject, tmp_path: Path
    ) -> None:
        text = written(SAMPLE).text
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 20))
        typed = data.draw(st.text("\t\n =[]{}.,#'\"\\0123456789aetrufls_-\u200b", max_size=4))
        found: tuple[FileProblem, ...] = ()
        try:
            load_settings(site_with(tmp_path, text[:at] + typed + text[at + cut :]), {})
        except FilesRefused as error:
            found = error.found
        assert all(problem.message and problem.remedy for problem in found)
