"""An ERP that tradesync has never heard of is connected by a profile alone.

Millstone 4 keeps padded keys, cents, days as numbers and a price matrix, and
takes orders through staging tables that another program empties: it gives the
order number later, or refuses. Its profile was written with the page for
profile writers and nothing else. One story is told and looked at by many tests:

1. the first cycle mirrors what the ERP has, and stages three web orders;
2. the ERP takes one, refuses one and has not looked at the third;
3. an operator replays the refused one, and it is staged again;
4. another cycle finds nothing to do.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync.bootstrap import Pipeline, open_installation
from sync.domain.account import AccountStatus
from sync.domain.channel import CommerceMode
from sync.domain.ids import (
    CustomerId,
    OrganisationId,
    ShipToId,
    Sku,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
)
from sync.domain.order import (
    Charge,
    ChargeKind,
    Membership,
    Organisation,
    SelectedShipTo,
    Tax,
    WebOrder,
    WebUser,
)
from sync.flows.context import FlowResult
from sync.flows.cycle import run_cycle
from sync.ports.erp import FindingLevel
from sync.ports.state import LedgerFilter, LedgerState
from sync.settings import load_settings
from sync.stores.embedded.adapter import EmbeddedStore
from sync.stores.embedded.engine import create_store, store_url, writing_engine
from sync.stores.embedded.writing import add_channel, add_organisation, add_user, place_order
from sync.testing import builders as a
from sync.testing.clock import ManualClock

DATA = Path(__file__).parent / "data"
MONDAY = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MILL, DAIRY = OrganisationId("org-mill"), OrganisationId("org-dairy")
NOTE = (
    "Please deliver to the back gate between eight and ten, and ring twice before"
    " anything is unloaded."
)

SITE: Mapping[str, str] = {
    "config/tradesync.toml": """
[systems.erp]
kind = "erp"
adapter = "sql"
[systems.erp.options]
profile = "config/millstone.yaml"
url = "sqlite:///var/millstone.db"

[systems.store]
kind = "store"
adapter = "embedded"
[systems.store.options]
store_id = "mill"
url = "sqlite:///var/shop.db"

[pipelines.main]
erp = "erp"
store = "store"
""",
    "mappings/channels.yaml": """
channels:
  web:
    commerce_mode: hybrid
    guest_checkout: true
    retail_groups: [{customer_id: RETAIL, currencies: [USD]}]
""",
    "mappings/customers.csv": """\
organisation,user,customer_id
org-mill,,M1001
org-dairy,,M1002
org-otto,,M1003
org-zero,,0077
""",
    "mappings/codes.yaml": """
payment_methods:
  card: {kind: card, erp_code: VISA}
  on_account: {kind: terms}
units: {piece: EA, box: BX}
charges: {ground: FRT}
taxes: {sales: OH, state: NY}
""",
}


def dealers_order() -> WebOrder:
    """On terms, to the second ship-to; by the clock of New York it is still Sunday."""
    return a.a_web_order(
        order_id=WebOrderId("1"),
        number=WebOrderNumber("W-1"),
        placed_at=datetime(2026, 3, 2, 4, 30, tzinfo=UTC),
        modified_at=datetime(2026, 3, 2, 4, 30, tzinfo=UTC),
        buyer=a.a_wholesale_buyer(web_user=WebUserId("u-mill"), organisation=MILL),
        currency="USD",
        lines=(
            a.a_line(
                line_id="1",
                sku=Sku("DRILL-18"),
                quantity=Decimal(2),
                unit="piece",
                unit_price=a.money("99.00", "USD"),
            ),
            a.a_line(
                line_id="2", quantity=Decimal(5), unit="box", unit_price=a.money("33.00", "USD")
            ),
        ),
        charges=(Charge(ChargeKind.FREIGHT, "ground", a.money("15.00", "USD")),),
        taxes=(Tax("sales", a.money("30.20", "USD")),),
        total=a.money("408.20", "USD"),
        ship_to=SelectedShipTo(ShipToId("0002")),
        po_number="PO 77",
        notes=NOTE,
    )


def guests_order() -> WebOrder:
    typed = a.a_typed_address(
        name="Jane Roe",
        lines=("12 Elm St", "Apt 4"),
        city="Albany",
        region="NY",
        postal_code="12207",
        country="US",
    )
    return a.a_retail_order(
        order_id=WebOrderId("2"),
        number=WebOrderNumber("W-2"),
        placed_at=MONDAY,
        modified_at=MONDAY,
        currency="USD",
        lines=(
            a.a_line(
                sku=Sku("DRILL-18"),
                quantity=Decimal(1),
                unit="piece",
                unit_price=a.money("129.99", "USD"),
            ),
        ),
        taxes=(Tax("state", a.money("10.40", "USD")),),
        total=a.money("140.39", "USD"),
        payments=(a.a_card_payment(amount=a.money("140.39", "USD"), reference="ch_1"),),
        priced_for=CustomerId("RETAIL"),
        ship_to=typed,
        bill_to=typed,
    )


def order_on_credit_hold() -> WebOrder:
    return a.a_web_order(
        order_id=WebOrderId("3"),
        number=WebOrderNumber("W-3"),
        placed_at=MONDAY,
        modified_at=MONDAY,
        buyer=a.a_wholesale_buyer(web_user=WebUserId("u-dairy"), organisation=DAIRY),
        currency="USD",
        lines=(a.a_line(unit="piece", unit_price=a.money("0.36", "USD")),),
        total=a.money("3.60", "USD"),
        ship_to=SelectedShipTo(ShipToId("0001")),
    )


Rows = list[tuple[Any, ...]]


@dataclass(slots=True)
class Story:
    """How it went: what each cycle did, and what stood where after it."""

    site: Path
    findings: Mapping[str, tuple[FindingLevel, str]] = field(default_factory=dict)
    cycles: dict[str, Mapping[str, FlowResult]] = field(default_factory=dict)
    staged: dict[str, Rows] = field(default_factory=dict)
    shown: dict[str, Mapping[str, tuple[Any, ...]]] = field(default_factory=dict)
    writes: dict[str, int] = field(default_factory=dict)

    def erp(self, sql: str) -> Rows:
        return rows(self.site / "var" / "millstone.db", sql)

    def shop(self, sql: str) -> Rows:
        return rows(self.site / "var" / "shop.db", sql)


def rows(file: Path, sql: str) -> Rows:
    with closing(sqlite3.connect(file)) as connection, connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    story = Story(tmp_path_factory.mktemp("millstone"))
    set_up(story.site)
    clock = ManualClock(MONDAY)
    with open_installation(load_settings(story.site, {}), clock) as installation:
        pipeline = installation.pipeline(None)
        story.findings = {each.subject: (each.level, each.message) for each in pipeline.erp.check()}
        play(story, pipeline, "first")
        clock.advance(3600)
        the_erp_decides(story)
        play(story, pipeline, "decided")
        clock.advance(3600)
        replay_all(pipeline)
        play(story, pipeline, "replayed")
        clock.advance(3600)
        play(story, pipeline, "idle")
    return story


def set_up(site: Path) -> None:
    for name, text in SITE.items():
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text(text, encoding="utf-8")
    shutil.copy(DATA / "millstone.yaml", site / "config")
    (site / "var").mkdir()
    with closing(sqlite3.connect(site / "var" / "millstone.db")) as connection:
        connection.executescript((DATA / "millstone.sql").read_text(encoding="utf-8"))
    url = store_url("sqlite:///var/shop.db", {}, site)
    create_store(url)
    engine = writing_engine(url)
    with engine.begin() as connection:
        add_channel(connection, a.CHANNEL, CommerceMode.HYBRID, guest_checkout=True)
        for organisation, user in ((MILL, "u-mill"), (DAIRY, "u-dairy")):
            add_organisation(
                connection, Organisation(organisation, organisation.value, AccountStatus.ACTIVE)
            )
            add_user(connection, WebUser(WebUserId(user), (Membership(organisation),)))
        for order in (dealers_order(), guests_order(), order_on_credit_hold()):
            place_order(connection, order)
    engine.dispose()


def play(story: Story, pipeline: Pipeline, name: str) -> None:
    """One cycle of all flows, and what stands in the ERP and the shop afterwards."""
    assert isinstance(pipeline.store, EmbeddedStore)
    before = pipeline.store.mirror_writes
    story.cycles[name] = {each.flow: each for each in run_cycle(pipeline.context())}
    story.writes[name] = pipeline.store.mirror_writes - before
    story.staged[name] = story.erp("SELECT rtrim(WHKEYX), WHACPT FROM WEBORDH ORDER BY 1")
    imports = "SELECT order_id, state, erp_order, message FROM order_imports"
    story.shown[name] = {order: tuple(rest) for order, *rest in story.shop(imports)}


def the_erp_decides(story: Story) -> None:
    """Its own program looks at two of the staged orders, as it does every hour."""
    story.erp(
        "UPDATE WEBORDH SET WHACPT = 'N', WHRESN = printf('%-60s', 'ITEM ON STOP SALE: SAW')"
        " WHERE rtrim(WHKEYX) = 'mill-1'"
    )
    story.erp("UPDATE WEBORDH SET WHACPT = 'Y', WHORDN = '500010 ' WHERE rtrim(WHKEYX) = 'mill-2'")
    story.erp("INSERT INTO ORDHEAD VALUES ('500010 ', 'B')")
    story.erp("INSERT INTO ORDLINE VALUES ('500010 ', 1, 'DRILL-18       ', 1, 0)")
    story.erp("INSERT INTO SHPHEAD VALUES ('S1      ', '500010 ', 20260303, 'UPS ', '1Z999')")


def replay_all(pipeline: Pipeline) -> None:
    with pipeline.state.transaction() as state:
        wanted = LedgerFilter(states=frozenset({LedgerState.QUARANTINED}))
        for entry in state.ledger.entries(wanted):
            now = pipeline.clock.now()
            assert state.ledger.replay(entry.order_id, "operator", "the item was released", now)


# The check.


def test_the_check_finds_nothing_to_say_about_the_profile(story: Story) -> None:
    wrong = {
        subject: message
        for subject, (level, message) in story.findings.items()
        if level is not FindingLevel.OK
    }
    assert wrong == {}


def test_the_check_has_read_real_rows_wherever_keys_could_be_had(story: Story) -> None:
    by_key_of_an_order = {
        f"statement {name}"
        for name in (
            "contacts_by_email",
            "changed_accounts",
            "find_order",
            "order_status",
            "order_shipments",
            "order_line_status",
        )
    }
    untried = {
        subject
        for subject, (_, message) in story.findings.items()
        if subject.startswith("statement ") and "tried" not in message
    }
    assert untried - {"statement clock"} == by_key_of_an_order


# The mirrors.


@pytest.mark.rule("MI-1", "WA-7")
def test_letters_and_padded_keys_become_accounts(story: Story) -> None:
    shown = story.shop("SELECT customer_id, name, status, credit, terms FROM accounts ORDER BY 1")

    assert shown == [
        ("0077", "ZERO SEVEN", 9, "ok", None),
        ("M1001", "HARGROVE MILL SUPPLY", 9, "ok", "N30"),
        ("M1002", "PINE CREEK DAIRY", 9, "hold", "N10"),
        ("M1003", "OTTO & SONS", 11, "ok", "N30"),
    ]


@pytest.mark.rule("MI-1")
def test_ship_tos_come_without_padding_and_without_the_deleted_one(story: Story) -> None:
    shown = story.shop(
        "SELECT customer_id, ship_to_id, lines, country, is_default FROM ship_tos ORDER BY 1, 2"
    )
    assert shown == [
        ("M1001", "0001", '["1 MILL RD"]', "US", 1),
        ("M1001", "0002", '["77 RIVER ST", "BLDG C"]', "CA", 0),
        ("M1002", "0001", '["8 COW LANE"]', "US", 1),
    ]


@pytest.mark.rule("WA-6", "WA-7")
def test_a_matrix_of_percentages_becomes_prices_to_the_cent(story: Story) -> None:
    shown = story.shop(
        "SELECT owner, price_list, sku, min_quantity, unit_price, valid_from, valid_until"
        " FROM prices WHERE audience IN ('account', 'group') ORDER BY 1, 2, 3, 4"
    )
    always = ("", None)
    assert shown == [
        ("M1001", "CONTRACT", "DRILL-18", "1", "99.00", "2026-01-01", "2026-12-31"),
        ("W1", "W1/B1", "BOLT-M8", "1", "0.36", "2025-01-01", None),
        ("W1", "W1/B1", "BOLT-M8", "500", "0.33", "2025-01-01", None),  # 32.625 cents
        ("W1", "W1/T1", "DRILL-18", "1", "113.74", *always),
        ("W1", "W1/T1", "OLD-1", "1", "0.88", *always),
        ("W1", "W1/T1", "SAW-7", "1", "78.31", *always),
    ], "what ended in 2024 is history"


@pytest.mark.rule("MI-1", "WA-8")
def test_invoices_in_cents_come_in_dollars_and_those_of_the_pool_do_not_come(story: Story) -> None:
    shown = story.shop(
        "SELECT number, kind, invoiced_on, total, tax, open_amount, erp_order FROM invoices"
        " ORDER BY number"
    )
    assert shown == [
        ("I90001", "invoice", "2026-01-15", "108.75", "8.75", "108.75", "500001"),
        ("I90002", "credit", "2026-01-20", "50.00", "0.00", "50.00", None),
    ]
    assert story.shop("SELECT due_on, amount FROM invoice_dues") == [("2026-02-14", "108.75")]


# Orders.


@pytest.mark.rule("OI-1", "WA-3", "WA-4", "OI-9")
def test_a_dealers_order_is_staged_whole_in_the_erps_own_spelling(story: Story) -> None:
    [header] = story.erp(
        "SELECT WHCUST, WHSHIP, WHPONR, WHDATE, WHTIME, WHREQD, WHTERM, WHHOLD, WHTOTL, WHNAME"
        " FROM WEBORDH WHERE rtrim(WHKEYX) = 'mill-1'"
    )
    assert header == (*("M1001   ", "0002", "PO 77", 20260301, 233000, 0, "N30", "N", 40820, None),)
    assert order_rows(story, "mill-1", "WEBORDL", "WLSEQN") == [
        (1, "DRILL-18       ", 2, "EA", 9900, 19800),
        (2, "BOLT-M8        ", 5, "BX", 3300, 16500),
    ]
    assert order_rows(story, "mill-1", "WEBAMNT", "WASEQN") == [
        ("F", 1, "FRT", 1500, None),
        ("T", 1, "OH", 3020, None),
    ]


@pytest.mark.rule("OI-9")
def test_a_long_note_is_broken_into_lines_and_nothing_of_it_is_cut(story: Story) -> None:
    noted = order_rows(story, "mill-1", "WEBNOTE", "WNSEQN")

    assert [number for kind, number, _ in noted if kind == "B"] == [1, 2]
    assert " ".join(text for kind, _, text in noted if kind == "B") == NOTE


@pytest.mark.rule("WA-3", "WA-3a", "WA-5")
def test_a_guests_order_goes_into_the_pool_with_address_and_card(story: Story) -> None:
    [header] = story.erp(
        "SELECT WHCUST, WHSHIP, WHNAME, WHADR1, WHADR2, WHCITY, WHSTAT, WHZIPC, WHCTRY, WHTERM"
        " FROM WEBORDH WHERE rtrim(WHKEYX) = 'mill-2'"
    )
    assert header == (
        *("RETAIL  ", "    ", "Jane Roe", "12 Elm St", "Apt 4", "Albany", "NY", "12207"),
        *("USA", None),
    )
    cards = [row for row in order_rows(story, "mill-2", "WEBAMNT", "WASEQN") if row[0] == "P"]
    assert cards == [("P", 1, "VISA", 14039, "ch_1")]


@pytest.mark.rule("WA-15")
def test_an_account_on_hold_has_its_order_staged_on_hold(story: Story) -> None:
    held = story.erp("SELECT rtrim(WHKEYX) FROM WEBORDH WHERE WHHOLD = 'Y'")
    [(_, _, remark)] = order_rows(story, "mill-3", "WEBNOTE", "WNSEQN")

    assert held == [("mill-3",)]
    assert "credit hold" in remark


@pytest.mark.rule("WA-13", "OI-3")
def test_the_number_follows_when_the_erp_has_taken_the_order(story: Story) -> None:
    assert story.shown["first"]["2"] == ("processing", None, None)
    assert story.shown["decided"]["2"] == ("processed", "500010", None)

    status = "SELECT state, erp_order FROM order_statuses WHERE order_id = '2'"
    assert story.shop(status) == [("partly_shipped", "500010")]
    parcels = "SELECT number, shipped_on, carrier, tracking FROM order_shipments"
    assert story.shop(parcels) == [("S1", "2026-03-03", "UPS", "1Z999")]
    lines = "SELECT sku, ordered, shipped, back_ordered FROM order_line_statuses"
    assert story.shop(lines) == [("DRILL-18", "1", "0", "1")]


@pytest.mark.rule("WA-13", "OI-2")
def test_a_staged_order_that_the_erp_refuses_is_quarantined_in_its_words(story: Story) -> None:
    state, number, message = story.shown["decided"]["1"]

    assert (state, number) == ("aborted", None)
    assert message.endswith("ITEM ON STOP SALE: SAW")
    assert story.cycles["decided"]["order_status"].counts["quarantined"] == 1


@pytest.mark.rule("WA-13", "OI-1")
def test_a_refused_order_is_staged_again_after_a_replay_and_only_once(story: Story) -> None:
    assert story.staged["decided"] == [("mill-1", "N"), ("mill-2", "Y"), ("mill-3", " ")]
    assert story.staged["replayed"] == [("mill-1", " "), ("mill-2", "Y"), ("mill-3", " ")]
    assert story.shown["replayed"]["1"] == ("processing", None, None)

    for table, column in (("WEBORDL", "WLSEQN"), ("WEBAMNT", "WASEQN"), ("WEBNOTE", "WNSEQN")):
        orphans = f"SELECT * FROM {table} WHERE {column} NOT IN (SELECT WHSEQN FROM WEBORDH)"
        assert story.erp(orphans) == [], table


@pytest.mark.rule("OI-1")
def test_a_cycle_without_news_writes_nothing(story: Story) -> None:
    assert story.writes["first"] > 0
    assert story.writes["idle"] == 0
    assert story.staged["idle"] == story.staged["replayed"]
    assert {result.outcome for result in story.cycles["idle"].values()} == {"ok"}


def order_rows(story: Story, key: str, table: str, column: str) -> Rows:
    """The rows of a table that hang on the staged order, without its number."""
    found = story.erp(
        f"SELECT t.* FROM {table} t JOIN WEBORDH ON WHSEQN = t.{column}"
        f" WHERE rtrim(WHKEYX) = '{key}' ORDER BY 2, 3"
    )
    return [row[1:] for row in found]
