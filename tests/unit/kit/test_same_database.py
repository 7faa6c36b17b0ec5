"""A database's file that is moved away or replaced while connections to it are open."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from sync.errors import Misconfigured, TryLater
from sync.kit.engines import EngineOptions, engine_for, parse_url

Open = Callable[..., Engine]


def made(file: Path, word: str, *, journal: str = "DELETE") -> Path:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute("CREATE TABLE t (word TEXT)")
        connection.execute("INSERT INTO t VALUES (?)", (word,))
    return file


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    engines = []

    def open_engine(*, read_only: bool = False) -> Engine:
        url = parse_url("sqlite:///erp.db", tmp_path)
        engines.append(engine_for(url, EngineOptions(read_only=read_only)))
        return engines[-1]

    yield open_engine
    for engine in engines:
        engine.dispose()


def words(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return sorted(connection.scalars(text("SELECT word FROM t")))


def write(engine: Engine, word: str, meanwhile: Callable[[], object] = lambda: None) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO t VALUES (:word)"), {"word": word})
        meanwhile()


def inside(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return sorted(word for (word,) in connection.execute("SELECT word FROM t"))


@pytest.mark.rule("OI-2")
@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_nothing_is_written_into_a_file_that_was_moved_away(
    opened: Open, tmp_path: Path, journal: str
) -> None:
    file = made(tmp_path / "erp.db", "first", journal=journal)
    engine = opened()
    write(engine, "second")
    file.rename(tmp_path / "away.db")

    with pytest.raises(OperationalError, match="unable to open"):
        write(engine, "lost")

    (tmp_path / "away.db").rename(file)
    write(engine, "third")
    assert words(engine) == ["first", "second", "third"]


@pytest.mark.rule("OI-2")
def test_of_a_file_that_nobody_can_look_at_sqlite_says_so_itself(
    opened: Open, tmp_path: Path
) -> None:
    file = made(tmp_path / "erp.db", "first")
    engine, away = opened(), tmp_path / "away.db"
    write(engine, "second")
    file.rename(away)
    # It cannot be looked at, as a share that is away, or a folder without the right to it.
    file.symlink_to(file)

    for each in (engine, opened(read_only=True)):
        with pytest.raises(OperationalError, match="unable to open"):
            words(each)

    away.replace(file)
    assert words(engine) == ["first", "second"]


def test_a_file_that_nobody_can_look_at_for_a_while_takes_no_connection_away(
    opened: Open, tmp_path: Path
) -> None:
    file = made(tmp_path / "erp.db", "first")
    engine, away = opened(), tmp_path / "away.db"

    for _ in range(11):  # one more than there may be at once
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO t VALUES ('more')"))
            connection.commit()
            file.rename(away)
            file.symlink_to(file)
        away.replace(file)

    assert words(engine) == ["first", *["more"] * 11]


@pytest.mark.rule("OI-2")
def test_a_file_in_the_place_of_another_is_the_one_that_is_read_and_written(
    opened: Open, tmp_path: Path
) -> None:
    file = made(tmp_path / "erp.db", "old")
    reader, writer = opened(read_only=True), opened()
    assert words(reader) == words(writer) == ["old"]
    made(tmp_path / "new.db", "new").rename(file)

    assert words(reader) == ["new"]
    write(writer, "order")

    assert inside(file) == ["new", "order"]


@pytest.mark.rule("OI-1", "OI-2")
@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "moved away"])
@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_what_is_being_written_while_the_file_goes_is_not_told_as_written(
    opened: Open, tmp_path: Path, journal: str, replaced: bool
) -> None:
    file = made(tmp_path / "erp.db", "first", journal=journal)
    new, engine = made(tmp_path / "new.db", "new"), opened()

    def go() -> None:
        file.rename(tmp_path / "away.db")
        if replaced:
            for each in tmp_path.glob("erp.db-*"):
                each.rename(tmp_path / each.name.replace("erp", "away"))
            new.rename(file)

    with pytest.raises(TryLater, match=r"erp\.db is another file than before"):
        write(engine, "lost", meanwhile=go)

    if not replaced:
        (tmp_path / "away.db").rename(file)
    write(engine, "order")
    assert inside(file) == ["new" if replaced else "first", "order"]


def test_a_new_file_is_opened_once_nobody_reads_the_one_before_it(
    opened: Open, tmp_path: Path
) -> None:
    file = made(tmp_path / "erp.db", "old")
    reader, writer = opened(read_only=True), opened()
    with reader.connect() as connection:
        answer = connection.execute(text("SELECT word FROM t"))
        made(tmp_path / "new.db", "new").rename(file)
        with pytest.raises(TryLater, match="was replaced by another file while it was in use"):
            write(writer, "order")
        assert answer.scalars().all() == ["old"]

    write(writer, "order")
    assert words(reader) == ["new", "order"]


@pytest.mark.rule("OI-2")
def test_a_new_file_is_not_opened_beside_the_log_of_the_one_before(
    opened: Open, tmp_path: Path
) -> None:
    file = made(tmp_path / "erp.db", "old", journal="WAL")
    engine = opened()
    write(engine, "in the log")
    away = tmp_path / "away.db"
    file.rename(away)
    made(tmp_path / "new.db", "new", journal="WAL").rename(file)

    for _ in range(2):
        with pytest.raises(Misconfigured, match=r"erp\.db-wal beside it belongs to the one before"):
            words(engine)

    for suffix in ("-wal", "-shm"):
        (tmp_path / f"erp.db{suffix}").rename(tmp_path / f"away.db{suffix}")
    assert words(engine) == ["new"]
    assert inside(away) == ["in the log", "old"]


@pytest.mark.rule("OI-2")
def test_the_file_before_comes_back_with_its_log(opened: Open, tmp_path: Path) -> None:
    file = made(tmp_path / "erp.db", "old", journal="WAL")
    engine = opened()
    write(engine, "in the log")
    file.rename(tmp_path / "away.db")
    with pytest.raises(OperationalError, match="unable to open"):
        words(engine)
    made(tmp_path / "new.db", "new").rename(file)
    with pytest.raises(Misconfigured):
        words(engine)

    (tmp_path / "away.db").replace(file)

    assert words(engine) == ["in the log", "old"]


def test_a_log_of_its_own_is_no_hindrance(opened: Open, tmp_path: Path) -> None:
    file = made(tmp_path / "erp.db", "old", journal="WAL")
    engine = opened()
    write(engine, "in the log")
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / f"erp.db{suffix}").rename(tmp_path / f"away.db{suffix}")
    made(file, "new", journal="WAL")
    with closing(sqlite3.connect(file)) as erp, erp:
        erp.execute("INSERT INTO t VALUES ('by the ERP')")
        erp.commit()

        assert words(engine) == ["by the ERP", "new"]
