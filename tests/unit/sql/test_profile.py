"""A profile is read whole or refused with every problem, each with its line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from erp_adapters.sql.losses import unbound
from erp_adapters.sql.profile import SHIPPED, find_profile, load_profile
from erp_adapters.sql.profile_model import Profile
from sync.errors import Misconfigured

SMALLEST = """\
name: acme
description: Acme Books 7
dialects: [sqlite, postgresql]
facts:
  unit_price_rounding: {places: 4, mode: half_up}
  amount_rounding: {places: 2, mode: half_even}
constants:
  currency: USD
reads:
  customer_ids: SELECT cust_no AS customer_id FROM customers
  accounts: |
    SELECT cust_no AS customer_id, cust_name AS name
      FROM customers
     WHERE cust_no IN :customer_ids
"""

CAPTURED = "capture: {order_number: no}"

FIND_ORDER = """\
  find_order: SELECT no AS order_number FROM orders WHERE web_key = :external_key
"""

ORDERS = f"""\
{FIND_ORDER}\
writes:
  submit_order:
    steps:
      - name: header
        sql: INSERT INTO orders (web_key, cust) VALUES (:key, :cust) RETURNING no
        bind: {{key: order.key, cust: order.sold_to}}
        {CAPTURED}
      - name: lines
        for_each: lines
        sql: INSERT INTO lines (no, item, qty) VALUES (:order_number, :item, :qty)
        bind: {{item: line.sku, qty: line.quantity}}
"""


CANCEL = """\
  order_status: SELECT web_key AS external_key, state FROM orders WHERE web_key IN :external_keys
writes:
  cancel_order:
    steps:
      - name: header
        sql: UPDATE orders SET state = 'cancelled' WHERE web_key = :key AND state = 'open'
        bind: {key: order.key}
        expect_rows: 1
"""
BOTH = SMALLEST + ORDERS.replace("writes:\n", CANCEL)


CUSTOMER = """\
  find_customer: SELECT cust_no AS customer_id FROM customers WHERE web_key = :external_key
writes:
  create_customer:
    steps:
      - name: customer
        sql: INSERT INTO customers (cust_name, vat, web_key) VALUES (:name, :tax_id, :key)
        bind: {key: customer.key, name: customer.name, tax_id: customer.tax_id}
"""
REGISTERS = SMALLEST + ORDERS.replace("writes:\n", CUSTOMER)


def load(tmp_path: Path, text: str) -> Profile:
    path = tmp_path / "acme.yaml"
    path.write_text(text, encoding="utf-8")
    return load_profile(path)


def complaints(tmp_path: Path, text: str) -> list[str]:
    """The problems, without the path: ``line: message``."""
    with pytest.raises(Misconfigured) as caught:
        load(tmp_path, text)
    return [problem.partition("acme.yaml:")[2] for problem in caught.value.problems]


def test_the_smallest_profile_is_read(tmp_path: Path) -> None:
    profile = load(tmp_path, SMALLEST)

    assert (profile.name, profile.dialects) == ("acme", ("sqlite", "postgresql"))
    assert profile.capabilities.amount_rounding(Decimal("0.125")) == Decimal("0.12")
    assert profile.reads["accounts"].constants == {"currency": "USD"}
    assert profile.reads["customer_ids"].constants == {}
    assert profile.steps == ()


def test_a_profile_may_be_described_in_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "acme.yaml"
    words = "description: |\n  Acme Books 7\n\n  as it is run in Leeds\n"
    path.write_text(SMALLEST.replace("description: Acme Books 7\n", words), encoding="utf-8")
    assert load_profile(path).description == "Acme Books 7\n\nas it is run in Leeds"


def test_a_profile_with_orders_is_read(tmp_path: Path) -> None:
    header, lines = load(tmp_path, SMALLEST + ORDERS).steps

    assert header.captured("postgresql") == {"order_number": "no"}
    assert lines.for_each == "lines"
    assert lines.bind["qty"].field == "line.quantity"


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize(
    "change, line, complaint",
    [
        (("name: acme", "nmae: acme"), 1, "did you mean 'name'?"),
        (("description: Acme Books 7\n", ""), 1, "description is missing"),
        (("mode: half_up", "mode: upwards"), 5, "no rounding 'upwards'"),
        (("places: 4", "places: many"), 5, "must be a whole number"),
        (("facts:", "facts:\n  time_zone: Chicago"), 5, "no time zone 'Chicago'"),
        (("facts:", "facts:\n  text_encoding: utf-9"), 5, "no text encoding"),
        (("facts:", "facts:\n  order_hold: maybe"), 5, "must be true or false"),
        (("facts:", "facts:\n  name_lenght: 30"), 5, "did you mean 'name_length'?"),
        (("facts:", "facts:\n  name_length: 0"), 5, "cannot be 0"),
        (("currency: USD", "curency: USD"), 8, "did you mean 'currency'?"),
        (("customer_ids: SEL", "customer_id: SEL"), 10, "did you mean 'customer_ids'?"),
        (("cust_name AS name", "cust_name"), 11, "a column name: write `… AS name`, or"),
        (("IN :customer_ids", "IN (:customer_ids)"), 14, "without parentheses"),
        (("IN :customer_ids", "= :customer"), 11, "no parameter :customer"),
        ((" WHERE cust_no IN :customer_ids", ""), 11, "must use :customer_ids"),
        (("cust_no IN :cust", "[[ cust_no IN :cust"), 14, "[[ without its ]]"),
        (("currency: USD", "currency: USD\n  currency: EUR"), 9, "again"),
        (("currency: USD", "currency: &c USD"), 8, "anchors"),
        (("currency: USD", "currency: *c"), 8, "aliases"),
        (("currency: USD", "currency: !!str USD"), 8, "tags"),
        (("currency: USD", "currency: [USD]"), 8, "must be text"),
        (("name: acme", "name: acme\n\t- bad"), 2, "not YAML: a tab"),
        (("name: acme", "name: @acme"), 1, "not YAML: found character"),
    ],
)
def test_a_slip_is_told_with_its_line_and_what_was_meant(
    tmp_path: Path, change: tuple[str, str], line: int, complaint: str
) -> None:
    text = SMALLEST.replace(*change, 1)
    assert text != SMALLEST

    found = complaints(tmp_path, text)

    assert any(each.startswith(f"{line}: ") and complaint in each for each in found), found


@pytest.mark.rule("OP-4")
def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = SMALLEST.replace("nmae", "name").replace("half_up", "up_half").replace("AS name", "")

    assert len(complaints(tmp_path, text)) == 2


@pytest.mark.parametrize(
    "added, complaint",
    [
        (
            "  ship_tos: SELECT x FROM y WHERE z IN :customer_ids\n",
            "must answer a column ship_to_id",
        ),
        (
            "  item_units: SELECT sku, unit, factor FROM u WHERE sku IN :skus\n",
            "needs the statement items",
        ),
        (
            "  changed_accounts: SELECT customer_id FROM c WHERE at >= :since\n",
            "needs the statement clock",
        ),
        ("  price_scopes: SELECT 'default' AS level\n", "needs a statement prices_"),
        ("  clock: {}\n", "has no sql"),
        ("  clock: {sql: {mssql: SELECT 1 AS now}}\n", "'mssql' is not among the dialects"),
        ("  clock: {sql: {sqlite: SELECT 1 AS now}}\n", "no text for postgresql"),
        (
            "  clock: {sql: SELECT 1 AS now, types: {now: decimal(2)}}\n",
            "can be stored as datetime",
        ),
        ("  clock: {sql: SELECT 1 AS now, types: {now: datetime(Mars)}}\n", "no time zone 'Mars'"),
        ("  clock: {sql: SELECT 1 AS now, types: {now: moment}}\n", "'moment' is no type"),
        ("  clock: {sql: SELECT 1 AS now, types: {new: datetime}}\n", "did you mean 'now'?"),
        ("  clock: {sql: SELECT 1 AS now, constants: {now: noon}}\n", "not a time"),
    ],
)
def test_a_statement_that_could_not_serve_is_refused(
    tmp_path: Path, added: str, complaint: str
) -> None:
    found = complaints(tmp_path, SMALLEST + added)

    assert any(complaint in each for each in found), found


def test_values_lead_to_words_that_exist(tmp_path: Path) -> None:
    text = SMALLEST.replace("constants:", "values:\n  credit: {H: held}\nconstants:")

    assert any("'held' is none of ok, hold" in each for each in complaints(tmp_path, text))


def test_what_yaml_would_turn_into_something_else_stays_as_typed(tmp_path: Path) -> None:
    tables = "values:\n  name: {NO: NO, 007: 010, yes: on, ~: none}\nconstants:"
    profile = load(tmp_path, SMALLEST.replace("constants:", tables))

    assert profile.reads["accounts"].values["name"] == {
        "NO": "NO",
        "007": "010",
        "yes": "on",
        None: "none",
    }


@pytest.mark.parametrize(
    "change, complaint",
    [
        (("bind: {key: order.key,", "bind: {key: order.kye,"), "did you mean 'order.key'?"),
        (("key: order.key, ", ""), "nothing is bound to :key; name a field of the order for it"),
        (("key: order.key, ", "kye: order.key, "), "earlier step; did you mean 'kye'?"),
        (("key: order.key,", "key: order.key, more: order.total,"), "does not use"),
        (("for_each: lines", "for_each: rows"), "no for_each 'rows'"),
        (("cust: order.sold_to", "cust: line.sku"), "only there in a step for_each"),
        (("name: lines", "name: header"), "is there twice"),
        ((CAPTURED, "capture: {number: no}"), "nothing is bound to :order_number"),
        ((CAPTURED, "capture: {order_number: nr}"), "captures 'nr', which RETURNING does not"),
        ((CAPTURED, "capture: {order_number: last_insert_id}"), "postgresql has no last_insert_id"),
        (("item: line.sku, ", "item: line.note, "), "no step binds line.sku"),
        (("steps:", "not_kept: [line.colour]\n    steps:"), "no field 'line.colour'"),
        (("steps:", "not_kept: [line.sku]\n    steps:"), "is bound, and listed"),
        (("for_each: lines", "for_each: lines\n        wrap: 5"), "wrap goes with"),
        (("for_each: lines", "for_each: lines\n        capture: {x: y}"), "cannot capture"),
        (
            ("for_each: lines", "for_each: lines\n        types: {qty: date}"),
            "cannot be stored as date",
        ),
        (
            ("for_each: lines", "for_each: lines\n        when_present: line.gone"),
            "no field 'line.gone'",
        ),
        ((FIND_ORDER, ""), "needs the statement find_order"),
    ],
)
def test_a_step_that_could_not_run_is_refused(
    tmp_path: Path, change: tuple[str, str], complaint: str
) -> None:
    text = (SMALLEST + ORDERS).replace(*change, 1)
    assert text != SMALLEST + ORDERS

    found = complaints(tmp_path, text)

    assert any(complaint in each for each in found), found


def test_a_parameter_that_is_bound_is_not_proposed_for_another(tmp_path: Path) -> None:
    found = complaints(tmp_path, (SMALLEST + ORDERS).replace("key: order.key, ", "", 1))

    [told] = [each for each in found if "nothing is bound to :key" in each]
    assert told.endswith("or capture it in an earlier step")


@pytest.mark.rule("OI-4")
def test_a_profile_may_say_how_an_order_is_cancelled(tmp_path: Path) -> None:
    profile = load(tmp_path, BOTH)
    assert [step.name for step in profile.steps] == ["header", "lines"]
    assert [step.name for step in profile.cancel_steps] == ["header"]
    assert load(tmp_path, SMALLEST + ORDERS).cancel_steps == ()


@pytest.mark.rule("OI-4")
@pytest.mark.parametrize(
    "change, complaint",
    [
        (("        expect_rows: 1\n", ""), "would be taken for cancelled"),
        (
            ("bind: {key: order.key}\n", "bind: {key: order.po_number}\n"),
            "to cancel only order.key",
        ),
        (
            ("        expect_rows: 1\n", "        expect_rows: 1\n        for_each: lines\n"),
            "to cancel only order.key",
        ),
        (("WHERE web_key = :key AND", "WHERE"), "does not use"),
        (("  order_status: SELECT", "  order_statu: SELECT"), "needs the statement order_status"),
        (("cancel_order:\n    steps:", "cancel_order:\n    stepps:"), "did you mean 'steps'?"),
    ],
)
def test_steps_that_could_cancel_the_wrong_order_or_none_are_refused(
    tmp_path: Path, change: tuple[str, str], complaint: str
) -> None:
    text = BOTH.replace(*change, 1)
    assert text != BOTH
    found = complaints(tmp_path, text)
    assert any(complaint in each for each in found), found


@pytest.mark.rule("VE-9")
def test_a_profile_may_say_how_a_customer_is_made(tmp_path: Path) -> None:
    profile = load(tmp_path, REGISTERS)
    assert [step.name for step in profile.customer_steps] == ["customer"]
    assert load(tmp_path, SMALLEST + ORDERS).customer_steps == ()


@pytest.mark.rule("VE-9")
@pytest.mark.parametrize(
    "change, complaint",
    [
        (("find_customer:", "find_customers:"), "needs the statement find_customer"),
        (("key: customer.key, ", "key: customer.short_key, "), "binds customer.key"),
        (("tax_id: customer.tax_id", "tax_id: customer.email"), "binds customer.tax_id"),
        (("name: customer.name", "name: order.notes"), "a customer has no field 'order.notes'"),
        (("customer.name,", "customer.nam,"), "did you mean 'customer.name'?"),
        (
            ("      - name: customer\n", "      - name: customer\n        for_each: lines\n"),
            "repeat",
        ),
        (
            ("create_customer:\n    steps:", "create_customer:\n    stepps:"),
            "did you mean 'steps'?",
        ),
        (("sold_to}", "sold_to, name: customer.name}"), "an order has no field 'customer.name'"),
    ],
)
def test_steps_that_could_make_a_customer_twice_or_nameless_are_refused(
    tmp_path: Path, change: tuple[str, str], complaint: str
) -> None:
    text = REGISTERS.replace(*change, 1)
    assert text != REGISTERS
    found = complaints(tmp_path, text)
    assert any(complaint in each for each in found), found


def test_a_number_that_follows_is_not_captured_too(tmp_path: Path) -> None:
    text = (SMALLEST + ORDERS).replace("facts:", "facts:\n  number_follows: true")
    assert any("number_follows" in each for each in complaints(tmp_path, text))

    staged = text.replace(f"        {CAPTURED}\n", "").replace(
        "(no, item, qty) VALUES (:order_number, ", "(item, qty) VALUES ("
    )
    assert load(tmp_path, staged).capabilities.number_follows


def test_giving_up_a_whole_group_of_fields(tmp_path: Path) -> None:
    text = (SMALLEST + ORDERS).replace(
        "    steps:", "    not_kept: [bill_to.*, order.hold]\n    steps:"
    )
    profile = load(tmp_path, text)

    assert {"bill_to.id", "bill_to.phone", "order.hold"} <= profile.not_kept
    assert not [
        path for path in unbound(profile.steps, profile.not_kept) if path.startswith("bill_to.")
    ]


def test_a_file_that_is_not_there_or_not_text_is_misconfigured(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        load_profile(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(Misconfigured, match="not UTF-8"):
        load_profile(tmp_path / "latin.yaml")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    with pytest.raises(Misconfigured, match="empty"):
        load_profile(tmp_path / "empty.yaml")


def test_profiles_are_named_by_path_or_by_shipped_name(tmp_path: Path) -> None:
    assert find_profile("config/acme.yaml", tmp_path) == tmp_path / "config/acme.yaml"
    with pytest.raises(Misconfigured, match="no profile 'acme' comes with"):
        find_profile("acme", tmp_path)


def test_a_dialect_that_nobody_wrote_for_is_refused(tmp_path: Path) -> None:
    profile = load(tmp_path, SMALLEST)

    profile.require_dialect("sqlite")
    with pytest.raises(Misconfigured, match="written for sqlite, postgresql"):
        profile.require_dialect("mssql")


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_profile_is_sound(path: Path) -> None:
    assert load_profile(find_profile(path.stem, Path("/"))).reads
