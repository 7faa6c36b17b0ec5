"""Two stores on one ERP: two pipelines in one installation, kept apart."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

from sync.flows import cycle
from tests.system.daemon import Daemon
from tests.system.site import FLOWS, GOOD_ORDERS, SampleSite

pytestmark = [pytest.mark.system, pytest.mark.rule("OP-8")]

SECOND = """
[systems.outpost]
kind = "store"
adapter = "embedded"

[systems.outpost.options]
store_id = "outpost"
url = "sqlite:///var/sample/outpost.sqlite"

[pipelines.outpost]
erp = "erp"
store = "outpost"
mappings = "mappings-outpost"

[pipelines.outpost.schedule]
orders_every_s = 1
off = ["accounts", "ship_tos", "prices", "invoices", "balances", "customer_parts",
       "entitlements", "availability", "documents", "registrations", "order_status",
       "account_orders"]
"""


@pytest.fixture
def twins(site: SampleSite) -> SampleSite:
    """The sample, and beside it a store with the same order keys and a mapping of its own."""
    site.schedule(orders=1)
    site.service(mapping_poll_s=0.1)
    shutil.copytree(site.root / "mappings", site.root / "mappings-outpost")
    shutil.copy(site.database("store"), site.database("outpost"))
    with site.settings.open("a", encoding="utf-8") as settings:
        settings.write(SECOND)
    return site


def states(site: SampleSite, pipeline: str) -> Counter[str]:
    query = f"SELECT state, count(*) FROM ledger WHERE pipeline = '{pipeline}' GROUP BY state"
    return Counter(dict(site.rows(site.state, query)))


def test_each_pipeline_imports_its_own_orders_by_its_own_mapping(twins: SampleSite) -> None:
    ((organisation, orders),) = twins.rows(
        twins.database("store"),
        "SELECT organisation, count(*) FROM orders WHERE number <= 'W-50040'"
        " AND organisation BETWEEN 'org-101' AND 'org-111' GROUP BY organisation LIMIT 1",
    )
    file = twins.root / "mappings-outpost" / "customers.csv"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if f",{organisation}," not in line))

    with Daemon(twins) as daemon:
        for pipeline in ("main", "outpost"):
            daemon.wait_for("run.finished", pipeline=pipeline, flow="orders", outcome="ok")
        daemon.wait_for_notice("READY=1")
        assert daemon.end() == 0
    main, outpost = states(twins, "main"), states(twins, "outpost")
    assert main["acknowledged"] == GOOD_ORDERS
    assert outpost["acknowledged"] == GOOD_ORDERS - orders
    assert outpost["quarantined"] == main["quarantined"] + orders
    times = Counter(Counter(twins.erp_orders()).values())
    assert times == {2: GOOD_ORDERS - orders, 1: orders}, "the same number is two orders"


def test_a_bad_mapping_of_one_leaves_the_other_alone(twins: SampleSite) -> None:
    with Daemon(twins) as daemon:
        daemon.wait_for_notice("READY=1")
        broken = twins.root / "mappings-outpost" / "channels.yaml"
        broken.write_text("channels: {")
        daemon.wait_for("mapping.in_force", pipeline="outpost", newer_refused=True)
        twins.mapping("customers.csv", "000104,org-104,,,\n", "000104,org-104,,,changed\n")
        daemon.wait_for("mapping.in_force", pipeline="main", newer_refused=False)
        told = twins.tradesync("status", "--json").json["pipelines"]
        assert [each["pipeline"] for each in told] == ["main", "outpost"]
        assert [bool(each["mapping_refused"]) for each in told] == [False, True]
        assert told[0]["mapping"] != told[1]["mapping"]
        assert daemon.end() == 0


def test_a_command_asks_which_pipeline_is_meant(twins: SampleSite) -> None:
    unclear = twins.tradesync("plan", "accounts")
    assert unclear.code == 78
    assert "main, outpost" in unclear.err
    named = twins.tradesync("plan", "accounts", "--pipeline", "outpost", "--json")
    assert named.code == 0
    assert named.json[0]["counts"]["would_add"] > 30
    assert (
        "there is no pipeline 'outpots'"
        in twins.tradesync("plan", "accounts", "--pipeline", "outpots").err
    )
    assert set(FLOWS) == set(cycle.FLOWS)
