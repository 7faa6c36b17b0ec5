"""A good edit that takes most assignments away, or moves them, is taken up but not in silence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sync.domain.ids import StoreId
from sync.mapping import MappingSource
from sync.mapping.keeper import MappingKeeper
from sync.state import SqlState, open_state
from sync.state.keys import keys_of
from sync.testing.clock import ManualClock

Rows = Sequence[tuple[str, str]]

TWENTY: Rows = [(f"{number:06}", f"org-{number}") for number in range(1, 21)]
ONE_COLUMN_SORTED: Rows = [
    (customer, organisation)
    for (customer, _), (_, organisation) in zip(TWENTY, reversed(TWENTY), strict=True)
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mappings").mkdir()
    channels = "channels:\n  trade: {commerce_mode: b2b}\n"
    (tmp_path / "mappings" / "channels.yaml").write_text(channels, encoding="utf-8")
    codes = "payment_methods: {on-account: {kind: terms}}\n"
    (tmp_path / "mappings" / "codes.yaml").write_text(codes, encoding="utf-8")
    return tmp_path / "mappings"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqlState]:
    engine = open_state(f"sqlite:///{tmp_path / 'state.sqlite'}")
    shop = StoreId("shop")
    yield SqlState(engine, "main", shop, keys_of(shop, 64), ManualClock())
    engine.dispose()


def keeper(folder: Path, state: SqlState) -> MappingKeeper:
    return MappingKeeper(MappingSource(folder), state, ManualClock())


def write(folder: Path, rows: Rows) -> None:
    lines = [f"{customer},{organisation}\n" for customer, organisation in rows]
    text = "customer_id,organisation\n" + "".join(lines)
    (folder / "customers.csv").write_text(text, encoding="utf-8")


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize(
    "before, after, message",
    [
        (TWENTY, TWENTY[:9], "20 assignments before the last edit 11 are gone and 0 name another"),
        (TWENTY, [], "20 assignments before the last edit 20 are gone and 0 name another"),
        (TWENTY, ONE_COLUMN_SORTED, "20 assignments before the last edit 0 are gone and 20 name"),
        (TWENTY[:4], TWENTY[:1], "4 assignments before the last edit 3 are gone and 0 name"),
        (TWENTY, [*ONE_COLUMN_SORTED[:6], *TWENTY[9:14]], "9 are gone and 6 name another"),
    ],
    ids=["filtered", "emptied", "one column sorted", "a small table", "both"],
)
def test_most_assignments_gone_or_moved_is_taken_up_and_told(
    before: Rows, after: Rows, message: str, folder: Path, state: SqlState
) -> None:
    write(folder, before)
    daemon = keeper(folder, state)
    daemon.current()
    write(folder, after)
    with capture_logs() as logged:
        assert daemon.reload_if_edited()
    loaded, _ = daemon.current()
    assert len(loaded.mapping.assignments) == len(after)
    (warning,) = loaded.warnings
    assert message in warning.message
    assert warning.file == "customers.csv"
    (line,) = [line for line in logged if line["event"] == "mapping.doubted"]
    assert line["log_level"] == "warning"
    assert line["warnings"] == (str(warning),)


@pytest.mark.parametrize(
    "before, after",
    [
        (TWENTY, TWENTY[:10]),
        (TWENTY, [("000099", "org-new"), *TWENTY]),
        (TWENTY, TWENTY[::-1]),
        (TWENTY[:2], []),
        (TWENTY[:6], TWENTY[:3]),
    ],
    ids=["half", "one more", "another order", "few", "half of a small table"],
)
def test_ordinary_edits_are_not_doubted(
    before: Rows, after: Rows, folder: Path, state: SqlState
) -> None:
    write(folder, before)
    daemon = keeper(folder, state)
    daemon.current()
    write(folder, after)
    assert daemon.reload().warnings == ()


def test_the_doubt_stands_for_whoever_asks_until_the_next_edit(
    folder: Path, state: SqlState
) -> None:
    write(folder, TWENTY)
    daemon = keeper(folder, state)
    daemon.current()
    write(folder, [])
    daemon.reload()
    restarted, _ = keeper(folder, state).current()
    assert restarted.warnings
    write(folder, TWENTY[:1])
    daemon.reload()
    assert not keeper(folder, state).current()[0].warnings


def test_lines_moved_from_the_table_to_the_yaml_file_are_not_gone(
    folder: Path, state: SqlState
) -> None:
    write(folder, TWENTY)
    daemon = keeper(folder, state)
    daemon.current()
    write(folder, [])
    moved = [f'  - {{customer_id: "{one}", organisation: {other}}}\n' for one, other in TWENTY]
    text = "assignments:\n" + "".join(moved)
    (folder / "customers.yaml").write_text(text, encoding="utf-8")
    assert daemon.reload().warnings == ()


def test_a_version_before_that_no_longer_passes_raises_no_doubt(
    folder: Path, state: SqlState
) -> None:
    old = {"channels.yaml": "channels: {x: {mode: b2b}}\n"}
    with state.transaction() as on:
        on.mappings.save_good("old", old, ManualClock().now())
    write(folder, TWENTY[:1])
    assert keeper(folder, state).current()[0].warnings == ()
