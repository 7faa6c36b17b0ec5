"""Price rows a second into a live Medusa: the whole flow, and bare clients.

Compared is, on one machine and in one run, with all price lists and records dropped
before each:

- *flow*: the mirror of prices from an ERP in memory, for accounts that are mirrored
  already: reading, entitlement, what is shown, plan, guard rails, writing, records;
- *bare client, the same requests*: everything that the flow sent through a door that
  noted it, sent again by ``requests`` with a connection kept open: what is left of its
  rate is what our own work costs;
- *bare client, the same batches*: of these only the price lists and their rows, through
  Medusa's own routes: what a script would send that looks at nothing and records nothing;
- *bare client, the same batches by our module*: the same as the flow sends them, through
  the route that our module adds, which tells nothing of the rows.

Then a second run of the flow, with nothing to change, is timed too.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import requests

from sync.domain.channel import Channel, CommerceMode
from sync.domain.ids import ChannelId, CustomerId, Sku, WebUserId
from sync.domain.mapping import Assignment, SyncMapping
from sync.domain.pricing import PriceScope
from sync.flows.context import Context
from sync.flows.cycle import run_flow
from sync.routing import AccountMap
from sync.scheduling.clock import SystemClock
from sync.state import SqlState, open_state
from sync.state.keys import keys_of
from sync.stores.medusa.adapter import MedusaStore
from sync.testing import builders as a
from sync.testing.erp import MemoryErp
from tests.systems.medusa.door import Passed, a_door
from tests.systems.medusa.server import running
from tests.systems.medusa.shop import Shop

FLOW, SAME, BATCHES = "flow", "bare client, the same requests", "bare client, the same batches"
BY_MODULE = "bare client, the same batches by our module"
BARE = (BATCHES, BY_MODULE, SAME)
STEPS = (1, 10, 50, 100)
LISTS = ("GOLD", "SILVER")
ACCOUNT, TRADE = CustomerId("C-1001"), ChannelId("trade")
_LISTS, _ROWS = "/admin/price-lists", "/admin/tradesync/prices/rows"


@dataclass(slots=True)
class MedusaRates:
    rows: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    processor_s: dict[str, list[float]] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    unchanged_s: list[float] = field(default_factory=list)

    def rate(self, side: str) -> float:
        return self.rows / statistics.median(self.seconds[side])

    def processor_ms(self, side: str) -> float:
        """Of our own process, for a row."""
        return 1000 * statistics.median(self.processor_s[side]) / self.rows

    def ratio(self, bare: str) -> float:
        """Median over the rounds of the flow's rate to that of the bare client."""
        return statistics.median(self.ratios(bare))

    def ratios(self, bare: str) -> Sequence[float]:
        """The flow's rate to that of the bare client, round by round."""
        pairs = zip(self.seconds[bare], self.seconds[FLOW], strict=True)
        return [loop / own for loop, own in pairs]


def measure(items: int, rounds: int, folder: Path) -> MedusaRates:
    """Every side, ``rounds`` times in turn. Fails where they leave different rows."""
    with running() as server:
        shop = Shop.opened(server, items)
        person = shop.register("ada", "b2b")
        rates = MedusaRates(len(LISTS) * len(STEPS) * items)
        erp = _an_erp(shop)
        with (
            a_door(server.url) as (url, door),
            _a_site(folder / "0", shop, erp, person.id, url) as context,
        ):
            accounts = run_flow(context, "accounts")
            assert accounts.outcome == "ok", accounts
            door.passed.clear()
            prices = run_flow(context, "prices")
            assert prices.counts.get("added") == rates.rows, prices
            passed = list(door.passed)
        for number in range(1, rounds + 1):
            _empty(shop)
            with _a_site(folder / str(number), shop, erp, person.id, server.url) as context:
                _timed(rates, FLOW, partial(run_flow, context, "prices"))
                assert _rows(shop) == rates.rows
                begun = time.perf_counter()
                assert run_flow(context, "prices").writes == 0
                rates.unchanged_s.append(time.perf_counter() - begun)
            asked = {
                SAME: [_asked(each) for each in passed],
                BATCHES: [part for each in _batches(passed) for part in _by_medusa(each)],
                BY_MODULE: [_asked(each) for each in _batches(passed)],
            }
            for side, wanted in asked.items():
                _empty(shop)
                _timed(rates, side, _replay(shop, wanted))
                rates.requests[side] = len(wanted)
                assert _rows(shop) == rates.rows, "the sides left different rows"
    return rates


def _an_erp(shop: Shop) -> MemoryErp:
    erp = MemoryErp(SystemClock())
    usd: dict[str, Any] = {"currencies": ("USD",)}
    erp.add_account(a.an_account(customer_id=ACCOUNT, price_groups=LISTS, **usd))
    for place, sku in enumerate(sorted(shop.variants)):
        erp.add_item(a.an_item(sku=Sku(sku)))
        for depth, name in enumerate(LISTS):
            for step, quantity in enumerate(STEPS):
                cents = 1000 + place * 7 - step * 25 - depth * 100
                price = a.a_price(
                    f"{Decimal(cents) / 100:.4f}",
                    scope=PriceScope.group(name),
                    sku=Sku(sku),
                    currency="USD",
                    min_quantity=Decimal(quantity),
                )
                erp.set_price(price)
    return erp


@contextmanager
def _a_site(folder: Path, shop: Shop, erp: MemoryErp, user: str, url: str) -> Iterator[Context]:
    """A state that knows nothing yet, before that shop under this address."""
    folder.mkdir()
    store = MedusaStore.from_settings(
        {**shop.options(page_size=200), "url": url}, {"api_key": shop.secret}, folder
    )
    engine = open_state(f"sqlite:///{folder / 'state.db'}")
    clock, key_for = SystemClock(), keys_of(store.store_id, erp.capabilities.external_key_length)
    mapping = SyncMapping(
        version="v1",
        channels={TRADE: Channel(TRADE, CommerceMode.B2B)},
        assignments=(Assignment(ACCOUNT, user=WebUserId(user)),),
    )
    try:
        yield Context(
            pipeline="main",
            erp=erp,
            store=store,
            state=SqlState(engine, "main", store.store_id, key_for, clock),
            clock=clock,
            mapping=mapping,
            accounts=AccountMap.of(mapping),
        )
    finally:
        engine.dispose()
        store.close()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, and the ID that the price list had that it made then."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    body: str
    made: str | None = None


def _batches(passed: Sequence[Passed]) -> Sequence[Passed]:
    return [each for each in passed if each.received.path == _ROWS]


def _asked(passed: Passed) -> _Asked:
    received, reply = passed
    made = None
    if received.path == _ROWS and "head" in json.loads(received.body):
        made = json.loads(reply.body)["list"]["id"]
    body = received.body.decode()
    return _Asked(received.method, received.path, received.query, body, made)


def _by_medusa(passed: Passed) -> Iterator[_Asked]:
    """The list and the rows of one request to our module, as Medusa's own routes take them."""
    asked = _asked(passed)
    body = json.loads(asked.body)
    if asked.made is not None:
        yield _Asked("POST", _LISTS, {}, json.dumps(body["head"]), asked.made)
    path = f"{_LISTS}/{asked.made or body['list']}/prices/batch"
    yield _Asked("POST", path, {}, json.dumps({"create": body["create"]}))


def _replay(shop: Shop, wanted: Sequence[_Asked]) -> Callable[[], None]:
    """The same requests with the same bodies; a list that is made now has an ID of now."""
    http = requests.Session()
    http.trust_env = False
    http.auth = (shop.secret, "")
    url, made = shop.server.url, dict[str, str]()

    def work() -> None:
        for asked in wanted:
            path, body = asked.path, asked.body
            for old, new in made.items():
                path, body = path.replace(old, new), body.replace(old, new)
            answer = http.request(
                asked.method,
                url + path,
                params=asked.query,
                data=body.encode() or None,
                headers={"Content-Type": "application/json"},
                timeout=120,
            )
            said = answer.json()
            assert answer.ok, said
            if asked.made is not None:
                made[asked.made] = (said.get("list") or said["price_list"])["id"]
        http.close()

    return work


def _empty(shop: Shop) -> None:
    """No price list and no record of a price; accounts and groups stay."""
    with shop.server.sql() as on:
        ours = "price_list_id IS NOT NULL"
        on.execute(f"DELETE FROM price_rule WHERE price_id IN (SELECT id FROM price WHERE {ours})")
        on.execute(f"DELETE FROM price WHERE {ours}")
        on.execute("DELETE FROM price_list_rule")
        on.execute("DELETE FROM price_list")
        on.execute("DELETE FROM tradesync_record WHERE kind = 'price'")


def _rows(shop: Shop) -> int:
    with shop.server.sql() as on:
        found = on.execute(
            "SELECT count(*) FROM price WHERE price_list_id IS NOT NULL AND deleted_at IS NULL"
        ).fetchone()
    assert found is not None
    return int(found[0])


def _timed(rates: MedusaRates, side: str, work: Callable[[], object]) -> None:
    begun, processor = time.perf_counter(), time.process_time()
    work()
    rates.seconds.setdefault(side, []).append(time.perf_counter() - begun)
    rates.processor_s.setdefault(side, []).append(time.process_time() - processor)


def table(rates: MedusaRates) -> str:
    """The figures as Markdown."""
    lines = ["| | rows/s | requests | own processor time a row |", "| --- | --- | --- | --- |"]
    for side in (*BARE, FLOW):
        count = rates.requests.get(side, rates.requests[SAME])
        lines.append(
            f"| {side} | {rates.rate(side):,.0f} | {count} | {rates.processor_ms(side):.2f} ms |"
        )
    lines += [f"| flow / {bare} | {rates.ratio(bare):.0%} | | |" for bare in BARE]
    unchanged = statistics.median(rates.unchanged_s)
    lines.append(f"| flow, nothing to change | {rates.rows / unchanged:,.0f} | no write | |")
    return "\n".join(lines)
