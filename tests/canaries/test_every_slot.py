"""A secret in every place that can hold one, every error driven, and nothing comes out (OP-7).

The slots are listed in the modules beside this one; each test is one slot, and
listens at all ways out that there are from it.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from sync.errors import Rejected
from tests.canaries import slots_of_a_site, slots_of_http, slots_of_systems
from tests.canaries.birds import Canary, found_below, found_in
from tests.canaries.places import Drive, Places

BUILD = Path(__file__).resolve().parents[2] / "build"

pytestmark = pytest.mark.rule("OP-7")

SLOTS: dict[str, Drive] = {
    **slots_of_a_site.SLOTS,
    **slots_of_systems.SLOTS,
    **slots_of_http.SLOTS,
}
WAYS: dict[str, tuple[str, ...]] = {
    name: module.WAYS
    for module in (slots_of_a_site, slots_of_systems, slots_of_http)
    for name in module.SLOTS
}
NUMBERS = {name: number for number, name in enumerate(SLOTS, start=10)}


@pytest.mark.parametrize("name", SLOTS)
def test_nothing_comes_out(name: str, tmp_path: Path, sample_databases: Path) -> None:
    places = Places(Canary(NUMBERS[name]), tmp_path, sample_databases)
    with places.closing:
        SLOTS[name](places)
    said = {way: sum(map(len, texts)) for way, texts in places.said.items()}
    assert any(said.values()), "nobody said anything, so nothing was tried"
    assert set(said) <= set(WAYS[name])
    leaks = {
        (way, text if isinstance(text, str) else "bytes")
        for way, texts in places.said.items()
        for text in texts
        if found_in(text)
    }
    assert leaks == set()


def test_there_are_slots_enough_and_each_has_a_secret_of_its_own() -> None:
    assert len(SLOTS) == len(WAYS) >= 20
    assert len({Canary(number).spiky for number in NUMBERS.values()}) == len(SLOTS)


def test_the_table_of_slots_and_ways_out_can_be_read() -> None:
    ways = list(dict.fromkeys(way for each in WAYS.values() for way in each))
    lines = [f"| slot | {' | '.join(ways)} |", f"| --- |{' --- |' * len(ways)}"]
    for name, listened in WAYS.items():
        marks = " | ".join("searched" if way in listened else "" for way in ways)
        lines.append(f"| {name} | {marks} |")
    report = BUILD / "secrets.md"
    report.parent.mkdir(exist_ok=True)
    report.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert len(lines) == len(SLOTS) + 2


class TestTheSearchItself:
    """A search that finds nothing proves something only where it would find something."""

    SECRET = Canary(77).spiky

    @pytest.mark.parametrize(
        "told",
        [
            SECRET,
            SECRET[:9],
            SECRET[-9:],
            SECRET[8:20],
            quote(SECRET),
            quote(SECRET, safe=""),
            json.dumps(SECRET),
            repr(SECRET),
            SECRET.upper(),
            f"Basic {base64.b64encode(f'sync:{SECRET}'.encode()).decode()}",
            base64.urlsafe_b64encode(SECRET.encode()).decode(),
            SECRET.encode(),
            b"\xff\0" + SECRET.encode() + b"\0",
        ],
    )
    def test_a_leak_is_found_however_it_is_spelled(self, told: str | bytes) -> None:
        assert found_in(told) == {77}

    def test_what_is_none_is_not(self) -> None:
        assert found_in("order W-10482, PWD=***, a canary, cnry, cnry7a") == set()

    def test_a_leak_is_found_in_files(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "state-wal").write_bytes(b"\0" + self.SECRET.encode())
        (tmp_path / "clean").write_text("nothing")
        assert found_below(tmp_path) == {"a/state-wal": {77}}

    @pytest.mark.parametrize("way", ["log", "state", "store", "report"])
    def test_a_leak_is_heard_at_every_way_out(
        self, way: str, tmp_path: Path, sample_databases: Path
    ) -> None:
        """The same words, with a secret that nobody could know or recognise."""
        places = Places(Canary(78), tmp_path, sample_databases)
        with places.closing:
            world = slots_of_systems.a_world(places)
            erp = slots_of_systems.a_loud_erp(world)
            told = f"the word is {places.canary.plain}"
            erp.error = Rejected(told, code="x", remedy="y")
            places.run(world, "orders")
            if way == "log":
                erp.error = RuntimeError(told)
                world.replay()
                places.run(world, "orders")
        assert any(found_in(text) == {78} for text in places.said[way])
