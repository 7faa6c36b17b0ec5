"""Orders a second into a live Tryton: the whole flow, and a bare loop of its very calls.

Compared is, on one machine and in one run, with Tryton's database set back before each:

- *flow*: what the service does about orders that lie in the embedded store: finding
  them, ledger, look-ups, judging, freezing, reading again, writing, records, and the
  notice at each order in the store;
- *bare loop, the same calls*: the JSON-RPC calls that this flow made, with the same
  values in the same sequence, by ``requests`` and nothing else: encoded before the clock
  starts, each answer only decoded. So what is left of its rate is what our own work
  costs;
- *bare loop, three calls an order*: create, quote, read the number, all ids known
  beforehand. It looks nothing up, checks nothing and would write an order twice: a
  measure for Tryton itself, and for what the calls of the flow cost.

The flow and its loop are measured one order at a time and in groups. Each round checks
that Tryton holds the same sales after all of them.
"""

from __future__ import annotations

import base64
import json
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from erp_adapters.tryton.adapter import TrytonErpAdapter
from erp_adapters.tryton.wire import encode
from tests.benchmarks.tryton_site import (
    Call,
    OneByOne,
    Prices,
    a_live_tryton,
    a_site,
    fill_store,
)
from tests.systems.tryton.conftest import Live
from tests.systems.tryton.kit import SqliteFile

FLOWS: dict[str, type[TrytonErpAdapter]] = {
    "one at a time": OneByOne,
    "in groups": TrytonErpAdapter,
}
Sales = list[tuple[Any, ...]]


@dataclass(slots=True)
class TrytonRates:
    """Seconds for each side and round, and how many calls the flow made."""

    count: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    processor_s: dict[str, list[float]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    def rate(self, side: str) -> float:
        return self.count / statistics.median(self.seconds[side])

    def processor_ms(self, side: str) -> float:
        """Of our own process, for an order."""
        return 1000 * statistics.median(self.processor_s[side]) / self.count

    def ratio(self, kind: str) -> float:
        """Median over the rounds of the flow's rate to that of its bare loop."""
        pairs = zip(self.seconds[f"bare, {kind}"], self.seconds[f"flow, {kind}"], strict=True)
        return statistics.median(bare / own for bare, own in pairs)


class BareClient:
    """What a script would have: a session, a token, JSON."""

    def __init__(self, live: Live) -> None:
        self._url = f"{live.server.url}/{live.name}/rpc/"
        self._http = requests.Session()
        self._http.trust_env = False
        user = live.manifest["sync_user"]
        number, key, *_ = self.call("common.db.login", ["sync", {"password": user["password"]}])
        token = base64.b64encode(f"sync:{number}:{key}".encode()).decode()
        self._http.headers["Authorization"] = f"Session {token}"
        self.context = self.call("model.res.user.get_preferences", [True, {}])

    def call(self, method: str, params: object) -> Any:
        answer = self._http.post(self._url, json={"id": 1, "method": method, "params": params})
        said = json.loads(answer.text)
        assert "error" not in said, said
        return said["result"]

    def close(self) -> None:
        self._http.close()


def measure(count: int, rounds: int, folder: Path) -> TrytonRates:
    """Every side, ``rounds`` times in turn. Fails where they leave different sales."""
    rates = TrytonRates(count)
    with a_live_tryton(folder) as (live, seeded):
        adapter = live.adapter()
        shop = fill_store(folder, live, Prices.told_by(adapter, live), count)
        adapter.close()
        for number in range(rounds):
            for kind, flow in FLOWS.items():
                here = folder / f"round-{number}-{flow.__name__}"
                here.mkdir()
                shutil.copy(shop, here / "shop.db")
                _set_back(live, seeded)
                calls = _flow(rates, kind, here, live, flow)
                written = _sales(live)
                assert len(written) == count, f"{len(written)} of {count} orders came through"
                _set_back(live, seeded)
                _bare(rates, f"bare, {kind}", live, calls)
                assert _sales(live) == written, "the sides left different sales"
                if flow is OneByOne:
                    _set_back(live, seeded)
                    _three_calls(rates, live, calls)
                    assert len(_sales(live)) == count
    return rates


def _flow(
    rates: TrytonRates, kind: str, folder: Path, live: Live, flow: type[TrytonErpAdapter]
) -> Sequence[Call]:
    with a_site(folder, live, flow) as site:
        site.acquaint()
        _timed(rates, f"flow, {kind}", site.run)
        rates.calls[kind] = len(site.rpc.calls)
        return list(site.rpc.calls)


def _bare(rates: TrytonRates, side: str, live: Live, calls: Sequence[Call]) -> None:
    client = BareClient(live)
    ready = []
    for method, given, context in calls:
        # The stamp is of a record as it was then.
        more = {name: value for name, value in context.items() if name != "_timestamp"}
        ready.append((method, encode((*given, {**_kept(client.context), **more}))))

    def work() -> None:
        for method, params in ready:
            client.call(method, params)

    _timed(rates, side, work)
    client.close()


def _three_calls(rates: TrytonRates, live: Live, calls: Sequence[Call]) -> None:
    client = BareClient(live)
    context = _kept(client.context)
    values = []
    for method, given, _ in calls:
        if method == "model.party.address.create":
            [made] = client.call(method, encode((*given, context)))
            client.call("model.party.address.write", [[made], {"active": False}, context])
        if method == "model.sale.sale.create":
            values.append(encode((*given, context)))

    def work() -> None:
        for params in values:
            [made] = client.call("model.sale.sale.create", params)
            client.call("model.sale.sale.quote", [[made], context])
            client.call("model.sale.sale.read", [[made], ["number"], context])

    _timed(rates, "bare, three calls an order", work)
    client.close()


def _kept(preferences: dict[str, Any]) -> dict[str, Any]:
    names = ("company", "companies", "company_filter", "language", "employee")
    return {name: preferences[name] for name in names if preferences.get(name) is not None}


def _timed(rates: TrytonRates, side: str, work: Callable[[], object]) -> None:
    begun, processor = time.perf_counter(), time.process_time()
    work()
    rates.seconds.setdefault(side, []).append(time.perf_counter() - begun)
    rates.processor_s.setdefault(side, []).append(time.process_time() - processor)


def _set_back(live: Live, seeded: Path) -> None:
    assert isinstance(live.database, SqliteFile)
    SqliteFile(seeded).copy_to(live.database.file)


def _sales(live: Live) -> Sales:
    assert isinstance(live.database, SqliteFile)
    return live.database.execute(
        "SELECT s.web_id, s.number, s.state, s.reference, s.party, s.shipment_address,"
        " count(l.id), sum(l.quantity)"
        " FROM sale_sale s JOIN sale_line l ON l.sale = s.id WHERE s.web_id IS NOT NULL"
        " GROUP BY s.id ORDER BY s.web_id"
    )


def table(rates: TrytonRates) -> str:
    """The figures as Markdown."""
    lines = ["| | one at a time | in groups |", "| --- | --- | --- |"]
    for name, side in (("bare loop, the same calls", "bare"), ("flow", "flow")):
        cells = " | ".join(f"{rates.rate(f'{side}, {kind}'):.2f} orders/s" for kind in FLOWS)
        lines.append(f"| {name} | {cells} |")
    calls = " | ".join(f"{rates.calls[kind] / rates.count:.1f}" for kind in FLOWS)
    lines.append(f"| calls an order | {calls} |")
    own = " | ".join(f"{rates.processor_ms(f'flow, {kind}'):.0f} ms" for kind in FLOWS)
    lines.append(f"| own processor time of the flow, an order | {own} |")
    ratios = " | ".join(f"{rates.ratio(kind):.0%}" for kind in FLOWS)
    lines.append(f"| flow / bare loop | {ratios} |")
    three = rates.rate("bare, three calls an order")
    lines.append(f"| bare loop, three calls an order | {three:.2f} orders/s | |")
    return "\n".join(lines)
