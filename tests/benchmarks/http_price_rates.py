"""The mirror of prices into a shop on HTTP that is the bottleneck, and how exact a rate is kept.

The shop (``prices/http_shop.py``, a process of its own) takes a hundred rows a request and does
``SLOTS`` at a time, each in ``SERVICE_MS``, so that its limit is known and does not depend on the
machine. Its own clock is what counts: from the first request to the last answer.

- *bare client*: the same session and threads, bodies made beforehand: what the kit reaches;
- *the mirror*: a first load from an ERP on SQLite; then the shop is compared with the ERP;
- *a rate*: so many requests a second as agreed, at a shop that could do far more.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests
from sqlalchemy import URL

from tests.benchmarks.prices.data import Catalogue, Size
from tests.benchmarks.prices.erp import Books
from tests.benchmarks.prices.http_store import ROWS
from tests.benchmarks.prices.rounds import ROOT, Rounds
from tests.benchmarks.prices.site import PriceSite

SLOTS, SERVICE_MS, THREADS = 8, 20, 16
LIMIT = SLOTS * 1000 / SERVICE_MS
RATE = 100.0
BARE, MIRROR, AGREED = "bare client", "the mirror", "at an agreed rate"


@dataclass(slots=True)
class HttpRates:
    """Requests a second of each round, by the shop's clock."""

    rows: int
    rounds: Rounds
    rates: dict[str, list[float]] = field(default_factory=dict)

    def rate(self, label: str) -> float:
        return statistics.median(self.rates[label])

    @property
    def farthest(self) -> float:
        """How far the agreed rate was missed at most, as a share."""
        return max(abs(each / RATE - 1) for each in self.rates[AGREED])


def measure(size: Size, rounds: int, folder: Path, log: Path) -> HttpRates:
    """Every side, ``rounds`` times in turn. Fails where the shop does not equal the ERP."""
    rates = HttpRates(size.rows, Rounds(log))
    catalogue = Catalogue(size)
    books = Books(URL.create("sqlite", database=str(folder / "erp.db")), catalogue)
    books.fill_flat()
    count, agreed_count = size.rows // ROWS, round(RATE * 8)
    for number in range(rounds):
        rates.rounds.number = number
        with a_shop(SLOTS, SERVICE_MS) as url:
            rates.rounds.step(BARE, "post", url, str(count), str(THREADS), "0")
            _add(rates, BARE, url, count)
        with a_shop(SLOTS, SERVICE_MS) as url:
            place = PriceSite.on_http(folder / str(number), books.url, url, THREADS, catalogue)
            told = rates.rounds.step(MIRROR, "flow-http", str(place.folder))
            assert told["rows"] == size.rows
            _assert_equal(url, catalogue)
            _add(rates, MIRROR, url, size.rows // ROWS)
        with a_shop(64, 1) as url:
            rates.rounds.step(AGREED, "post", url, str(agreed_count), str(THREADS), str(RATE))
            _add(rates, AGREED, url, agreed_count, burst=THREADS)
    return rates


def _add(rates: HttpRates, label: str, url: str, least: int, burst: int = 0) -> None:
    """What is let through at once, before any rate is kept, is no part of it."""
    told = requests.get(f"{url}/told", timeout=60).json()
    assert told["requests"] >= least
    rates.rates.setdefault(label, []).append((told["requests"] - burst) / told["secs"])


def _assert_equal(url: str, catalogue: Catalogue) -> None:
    shown = requests.get(f"{url}/prices", timeout=600).json()
    count = 0
    for rows in catalogue.flat():
        for row in rows.to_pylist():
            name = f"{row['owner']}|{row['item_no']}|{row['min_quantity']}"
            wanted = f"{row['unit_price'].normalize():f}"
            assert shown.get(name) == wanted, f"{name}: {wanted} in the ERP, {shown.get(name)}"
            count += 1
    assert len(shown) == count


@contextmanager
def a_shop(slots: int, service_ms: int) -> Iterator[str]:
    """The URL of a shop that serves nothing else."""
    module = "tests.benchmarks.prices.http_shop"
    with subprocess.Popen(
        [sys.executable, "-m", module, str(slots), str(service_ms)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{json.loads(process.stdout.readline())}"
