"""Hundreds of bad inputs: none is accepted, and each is told with its place and the way out."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from sync.errors import Misconfigured, Refusal, SyncError
from tests.bad_inputs import catalogue as c
from tests.bad_inputs.catalogue import Bad, all_of_them
from tests.unit.mapping import test_every_field as mapping_fields
from tests.unit.settings import test_every_option as option_fields
from tests.unit.settings import test_every_setting as settings_fields

pytestmark = pytest.mark.rule("OP-4", "OP-7")

BUILD = Path(__file__).resolve().parents[2] / "build"
CASES = all_of_them()

# Where it stands: a file, perhaps with its line, or the system that answered.
_PLACE = re.compile(r"\.(?:toml|yaml|csv)\b|\bthe shop\b")
# What to do: a verb in the imperative, or whom it must be corrected with.
_WAY_OUT = re.compile(
    r"\b(?:write|put|use|look|save|correct|close|delete|give|keep|name|run|add|quote|begin|try|"
    r"indent|shorten|did you mean|known here|it knows|must be|needs?|not YAML|not allowed|"
    r"again|has no|leave|in full|belong|is missing|nothing may stand|no parameter|binds|ask|see|"
    r"the file is empty)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("bad", CASES, ids=lambda bad: ascii(str(bad))[1:-1])
def test_it_is_refused_with_its_place_and_the_way_out(bad: Bad, tmp_path: Path) -> None:
    with pytest.raises(SyncError) as refused:
        bad.give(tmp_path)
    told = str(refused.value)
    assert _PLACE.search(told), told
    # For the others the engine knows the way out: it waits, or looks what became of it.
    if isinstance(refused.value, Misconfigured | Refusal):
        assert _WAY_OUT.search(told + getattr(refused.value, "remedy", "")), told
    assert len(told) < 20_000


def test_there_are_hundreds_and_the_report_counts_them() -> None:
    counted = Counter(bad.kind for bad in CASES)
    counted["fields of mapping files, made from the models"] = (
        len(mapping_fields.field_cases())
        + len(mapping_fields.required_cases())
        + len(mapping_fields.group_cases())
    )
    counted["settings, made from the models"] = (
        len(settings_fields.value_cases())
        + len(settings_fields.table_paths())
        + len(settings_fields.required_paths())
    )
    counted["options of adapters, each by its kind"] = len(option_fields.value_cases())
    assert len({str(bad) for bad in CASES}) == len(CASES), "one of them stands here twice"
    assert len(CASES) >= 300
    assert min(counted.values()) >= 20
    lines = ["| kind | bad inputs, none accepted |", "| --- | --- |"]
    lines += [f"| {kind} | {number} |" for kind, number in sorted(counted.items())]
    lines.append(f"| all | {counted.total()} |")
    report = BUILD / "bad-inputs.md"
    report.parent.mkdir(exist_ok=True)
    report.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_a_good_input_of_every_kind_passes(tmp_path: Path) -> None:
    """Otherwise everything might be refused for a reason of its own."""
    for name in ("settings", "profile"):
        (tmp_path / name).mkdir()
    c._setting('adapter = "sql"', 'adapter = "sql"', tmp_path / "settings")
    c._profile("name: acme", "name: acme", tmp_path / "profile")
    (tmp_path / "mapping").mkdir()
    tmp_path /= "mapping"
    c._yaml_mapping('units:\n  "007": "EA"\n', tmp_path)
    c._table("user;customer_id\nu-1;000101\nu+2;-7\n", tmp_path)
    for url in ("https://shop.example:8443/api", "https://10.0.0.7", "https://[fd00::7]"):
        c._address(url, tmp_path)
    assert c._json(b'{"a": 1.5}', tmp_path) == "the shop"
