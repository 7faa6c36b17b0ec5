"""``tradesync demo``: the whole main job on a made-up distributor."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sync.cli.demo_day import Day
from sync.cli.output import Exit, json_option
from sync.cli.scope import FOLDER
from sync.cli.shown import as_record, counts_line
from sync.cli.site import guarded, settings_of

if TYPE_CHECKING:
    from sync.bootstrap import Pipeline
    from sync.settings import Settings

# Fixed, so that the sample is the same everywhere and on every day.
SAMPLE_DAY = date(2026, 11, 1)


@click.command(epilog="\b\nExamples:\n  tradesync demo\n  tradesync demo --keep-running")
@click.option("--keep-running", is_flag=True, help="Afterwards run the daemon on the sample.")
@click.option(
    "--site",
    type=FOLDER,
    default=None,
    metavar="DIR",
    help="The sample's own site. Default: var/demo of the source tree, else tradesync-demo here.",
)
@json_option
@guarded
def demo(keep_running: bool, site: str | None, as_json: bool) -> None:
    """Build the sample once, run one cycle of all flows, and tell what came of it.

    The sample is a site of its own, with an ERP database, its papers and a store in
    SQLite files under var/sample of it. After the cycle people act on both sides: goods
    leave, money is given back, applications are decided, accounts move; and the flows
    that it concerns run again. A second run finds nothing to do, and says so.
    """
    from sync.cli.demo_site import make_site

    home = Path(site) if site else _default_site()
    make_site(home)
    settings = settings_of(str(home))
    started = time.monotonic()
    urls = _urls(settings)
    _build(settings, urls, quiet=as_json)
    from sync.bootstrap import open_installation, state_address
    from sync.cli.progress import terminal_progress
    from sync.cli.resync import resume
    from sync.scheduling.clock import SystemClock
    from sync.state.lock import hold_writer_lock

    with (
        _log_aside(settings.site.var) as log_file,
        hold_writer_lock(state_address(settings)),
        open_installation(settings, SystemClock()) as installation,
        terminal_progress(enabled=not as_json) as progress,
    ):
        line = installation.pipeline(None)
        resume(line)
        day = Day(line, urls["erp"], urls["store"], SAMPLE_DAY, progress, quiet=as_json)
        day.play()
        told = _story(line, day)
    seconds = time.monotonic() - started
    if as_json:
        body = {
            "flows": [as_record(each) for each in day.morning],
            "later": {"deeds": day.deeds, "flows": [as_record(each) for each in day.later]},
            **told,
            "seconds": round(seconds, 2),
        }
        click.echo(json.dumps(body, indent=2, ensure_ascii=False))
    else:
        _tell(told, day, seconds, keep_running=keep_running, site=str(home))
        click.echo(f"Log lines of each step are in {_relative(log_file)}.")
    unwell = [result for result in day.results if result.outcome != "ok"]
    for result in unwell:
        # The way out stands a hundred lines further up.
        click.echo(f"{result.flow} did not end well ({result.outcome}): {result.message}", err=True)
    if keep_running:
        # The daemon tries such a flow again, and serves the others meanwhile.
        _keep_running(str(home))
    elif unwell:
        raise click.exceptions.Exit(Exit.FAILED)


@contextmanager
def _log_aside(var: Path) -> Iterator[Path]:
    """Log lines go into a file meanwhile: among them nobody would find the summary."""
    from sync.logs import configure

    var.mkdir(parents=True, exist_ok=True)
    file = var / "demo.log"
    with file.open("w", encoding="utf-8") as out:
        configure("info", "text", out)
        try:
            yield file
        finally:
            configure("warning", "text")


def _relative(path: Path) -> str:
    return os.path.relpath(path)


def _default_site() -> Path:
    """Below the source tree where there is one; else in the folder that one stands in."""
    tree = Path(__file__).resolve().parents[2]
    return tree / "var" / "demo" if (tree / "pyproject.toml").is_file() else Path("tradesync-demo")


def _urls(settings: Settings) -> dict[str, str]:
    """Of the ERP and the store, their files below the site.

    Raises Misconfigured where one of them is anything else, or where the state or the
    mapping files are not the site's own: the sample writes into all of these, and the
    environment may name those of a company.
    """
    from sync.errors import Misconfigured

    root = settings.site.root
    systems = [each for each in settings.systems.values() if each.kind != "files"]
    named = {each.name: _in_site(each.options.get("url"), root) for each in systems}
    named["the state"] = _in_site(settings.state_url, root)
    foreign = [f"{name} is no SQLite file" for name, url in named.items() if url is None]
    foreign += [
        f"{each.mappings} is no folder"
        for each in settings.pipelines.values()
        if not _is_below(each.mappings, root)
    ]
    if foreign:
        raise Misconfigured(
            f"{foreign[0]} below {root}, and the sample writes into it: correct"
            f" {settings.site.config / 'tradesync.toml'} or the environment, or make a site for"
            " your own systems with tradesync init"
        )
    return {each.kind: str(named[each.name]) for each in systems}


def _build(settings: Settings, urls: dict[str, str], *, quiet: bool) -> None:
    from sync.errors import Misconfigured
    from sync.sample.build import build_sample, sample_is_built, sample_lacks

    if sample_is_built(urls["erp"], urls["store"]):
        lacks = sample_lacks(urls["erp"], urls["store"])
        if lacks:
            var = settings.site.root / "var"
            raise Misconfigured(
                f"the sample under {var} was built by an earlier release (it lacks {lacks[0]}); "
                f"nothing but the sample's own files is there: remove {var}, then start again"
            )
        return
    if not quiet:
        click.echo("Building the sample distributor (ERP and store databases) ...")
    counts = build_sample(urls["erp"], urls["store"], today=SAMPLE_DAY)
    if not quiet:
        click.echo(f"Built: {counts}.")


def _in_site(url: object, root: Path) -> str | None:
    """A SQLite URL with its file below the site; None for any other."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(str(url))
    except ArgumentError:
        return None
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    file = root / parsed.database
    if not _is_below(file, root):
        return None
    return parsed.set(database=str(file)).render_as_string(hide_password=False)


def _is_below(path: Path, root: Path) -> bool:
    return path.resolve().is_relative_to(root.resolve())


def _story(line: Pipeline, day: Day) -> dict[str, Any]:
    from sync.ports.state import LedgerFilter, LedgerState
    from sync.sample.figures import figures_of

    with line.state.transaction() as state:
        counts = state.ledger.counts()
        held = state.ledger.entries(LedgerFilter(states=frozenset({LedgerState.QUARANTINED})))
    return {
        "orders": {each.value: number for each, number in counts.items() if number},
        "shows": {each.name: each.counts for each in figures_of(day.erp_url, day.store_url)},
        "writes": sum(result.writes for result in day.results),
        "quarantined": [
            {
                "order": entry.number,
                "code": problem.code,
                "rule": problem.rule,
                "why": problem.sentence,
                "fix": problem.remedy,
            }
            for entry in held
            for problem in entry.problems
        ],
    }


def _tell(told: dict[str, Any], day: Day, all_s: float, *, keep_running: bool, site: str) -> None:
    from sync.cli.output import emit

    if told["writes"] == 0 and all(result.outcome == "ok" for result in day.results):
        click.echo("\nNothing to do: both sides agree, and nothing was written.")
    if told["quarantined"]:
        click.echo("")
        emit(
            sorted(told["quarantined"], key=lambda row: (row["code"], row["order"])),
            {"order": "Order", "code": "Code", "rule": "Rule", "why": "Why"},
            False,
            "In quarantine",
        )
    click.echo("")
    shows = [{"what": name, "shown": counts_line(each)} for name, each in told["shows"].items()]
    emit(shows, {"what": "What", "shown": "How many"}, False, "What the shop shows now")
    orders = ", ".join(f"{number} {name}" for name, number in told["orders"].items())
    click.echo(f"\nOrders: {orders}.")
    took = f"The cycle and what followed it took {day.cycle_s:.1f} s"
    click.echo(f"{took}, all of tradesync demo {all_s:.1f} s.")
    held = told["quarantined"][0]["order"] if told["quarantined"] else "ORDER"
    _name_next_steps(held, site, keep_running=keep_running)


def _name_next_steps(held: str, site: str, *, keep_running: bool) -> None:
    from sync.sample.afternoon import BECOMES_WHOLESALE, SHIPPED_IN_PART

    command, where = _command(), f" --site {shlex.quote(_relative(Path(site)))}"
    click.echo(
        "\nTry next:\n"
        f"  {command} --help\n"
        f"  {command} explain order {held}{where}\n"
        f"  {command} quarantine show {held}{where}    (with the way out of each order)\n"
        f"  {command} explain order {SHIPPED_IN_PART}{where}    (with what was captured)\n"
        f"  {command} explain user {BECOMES_WHOLESALE}{where}    (was retail this morning)\n"
        f"  {command} registrations list{where}\n"
        f"  {command} plan all{where}"
    )
    if not keep_running:
        keep = "make up" if _runs_from_the_tree(site) else f"{command} demo --keep-running{where}"
        click.echo(f"  {keep}    (keeps the daemon running on the sample)")


def _runs_from_the_tree(site: str) -> bool:
    """Whether `make up`, here, means this sample."""
    return Path(site).resolve() == Path.cwd() / "var" / "demo" and Path("Makefile").is_file()


def _command() -> str:
    """The command as it can be typed here: by its name, or by its place below this folder."""
    script = Path(sys.argv[0])
    if shutil.which("tradesync") is None and script.name == "tradesync" and script.exists():
        return os.path.relpath(script)
    return "tradesync"


def _keep_running(site: str) -> None:
    from sync.logs import configure
    from sync.scheduling.daemon import Daemon
    from sync.settings import load_settings, resolve_site

    settings = load_settings(resolve_site(site, os.environ), os.environ)
    configure(settings.service.log_level, "text")
    click.echo("\nThe daemon runs on the sample. Ctrl-C stops it.")
    daemon = Daemon(settings, os.environ)
    daemon.listen_to_signals()
    daemon.run()
