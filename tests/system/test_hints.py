"""A shop tells the running daemon of its orders; the schedule alone would look once a year."""

from __future__ import annotations

import http.client
import json
import random
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

import pytest

from sync.cli.output import Exit
from sync.kit.signatures import SIGNATURE_HEADER, signature
from tests.ports import free_port
from tests.system.daemon import Daemon
from tests.system.site import GOOD_ORDERS, SampleSite

pytestmark = pytest.mark.system

SECRET = "the shop's and the daemon's secret"
ONCE_A_YEAR = "0 0 1 1 *"


def taking_hints(site: SampleSite, secret: str = SECRET) -> int:
    """The port at which a daemon on this site listens."""
    port = free_port()
    site.service(hints_listen=f"127.0.0.1:{port}")
    site.schedule(orders=ONCE_A_YEAR)
    text = site.settings.read_text(encoding="utf-8")
    text += '\n[systems.store.secrets]\nhints = "store-hints"\n'
    site.settings.write_text(text, encoding="utf-8")
    folder = site.root / "credentials"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / "store-hints"
    file.touch(mode=0o600)
    file.write_text(secret, encoding="utf-8")
    return port


def tell(port: int, orders: Sequence[str], secret: str = SECRET) -> int:
    body = json.dumps({"orders": list(orders)}).encode()
    headers = {SIGNATURE_HEADER: signature(body, secret, datetime.now(UTC))}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as caller:
        caller.request("POST", "/hints/store", body, headers)
        return caller.getresponse().status


def good_orders(site: SampleSite) -> list[str]:
    """The keys of the sample's importable orders, oldest first."""
    query = "SELECT order_id FROM orders WHERE number IS NOT NULL ORDER BY number LIMIT ?"
    found = site.rows(site.database("store"), query.replace("?", str(GOOD_ORDERS)))
    return [str(row[0]) for row in found]


@pytest.mark.rule("OI-1", "OI-3", "OP-1")
def test_hints_bring_each_order_in_once_whatever_is_repeated_lost_or_forged(
    site: SampleSite,
) -> None:
    port = taking_hints(site)
    orders = good_orders(site)
    assert len(orders) == GOOD_ORDERS
    told, forged = orders[: GOOD_ORDERS // 2], orders[GOOD_ORDERS // 2 :]
    deliveries = [[order] for order in told for _ in range(3)]
    random.Random(7).shuffle(deliveries)
    store = site.database("store")
    site.change(store, "CREATE TABLE later AS SELECT * FROM orders", "DELETE FROM orders")
    with Daemon(site) as daemon:
        daemon.wait_for_notice("READY=1")
        daemon.wait_for("hints.listening", at=f"127.0.0.1:{port}")
        # A start begins with a look of its own; what is placed after it only hints tell of.
        daemon.wait_for("run.finished", flow="orders")
        site.change(store, "INSERT INTO orders SELECT * FROM later", "DROP TABLE later")
        for number, delivery in enumerate(deliveries):
            assert tell(port, [forged[number % len(forged)]], "a stranger's guess") == 401
            assert tell(port, delivery) == 204
        daemon.wait_until("every order told of", lambda: len(site.imported()) >= len(told))
        assert daemon.end() == 0
    assert site.erp_orders() == sorted(told), "each once, and none that only a forgery named"
    assert not daemon.found("order.needs_review")
    # What no hint told of is found by the next look, as if there were no hints.
    site.tradesync("resync", "orders")
    assert set(orders) <= set(site.erp_orders())
    assert len(site.erp_orders()) == len(set(site.erp_orders()))


def test_listening_without_a_store_that_signs_is_a_mistake_in_the_settings(
    site: SampleSite,
) -> None:
    site.service(hints_listen=f"127.0.0.1:{free_port()}")
    ended = site.tradesync("run")
    assert ended.code == Exit.MISCONFIGURED
    assert "service.hints_listen: no store takes hints" in ended.err


@pytest.mark.rule("OP-7")
def test_a_secret_that_is_too_short_is_refused_without_being_shown(site: SampleSite) -> None:
    taking_hints(site, "hunter2")
    for words in (("run",), ("check",)):
        ended = site.tradesync(*words)
        assert ended.code == Exit.MISCONFIGURED
        assert "secrets.hints" in ended.err + ended.out
        assert "hunter2" not in ended.err + ended.out
