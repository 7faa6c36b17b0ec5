"""What every ERP adapter must do, as tests that its author inherits.

    class TestAcme(ErpAdapterContract):
        @pytest.fixture
        def erp(self, database): return AcmeAdapter(database)

        @pytest.fixture
        def erp_world(self, database): return AcmeWorld(database)

Both fixtures look at one and the same system, which is empty when a test
begins. A capability that the adapter does not claim skips its tests by name;
one that it claims must pass.
"""

# mypy: disable-error-code="type-abstract"
# Protocols are handed to isinstance only, never called.

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from sync.columnar.vectors import fingerprint, prices_of, vector_of
from sync.domain.account import Account, Contact, CreditStatus, Item
from sync.domain.account_order import OrderSource
from sync.domain.address import Address
from sync.domain.candidates import CustomerSearch
from sync.domain.document import DocumentKind
from sync.domain.ids import (
    BillToId,
    ContactId,
    CustomerId,
    DocumentNumber,
    ErpOrderNumber,
    IdempotencyKey,
    InvoiceNumber,
    LocationId,
    PartNumber,
    RefundId,
    ShipToId,
    Sku,
    WebOrderId,
    WebOrderNumber,
)
from sync.domain.invoice import DueDate, InvoiceKind, InvoiceLine
from sync.domain.money import Money, total
from sync.domain.pricing import (
    DEFAULT_LIST,
    ITEM_OVERRIDES,
    Price,
    PriceQuestion,
    PriceScope,
    effective_price,
)
from sync.domain.sales_order import (
    ErpOrderState,
    OneOffShipTo,
    OnFileShipTo,
    OrderAcknowledgement,
    SalesOrder,
    SalesOrderLine,
)
from sync.domain.settlement import settlement_key
from sync.domain.times import Watermark
from sync.errors import Conflict, GroupRejected, Rejected, SyncError
from sync.ports.erp import (
    AccountFile,
    AccountsFound,
    AnswersPriceQuestions,
    CancelsOrders,
    ChecksPurchaseOrders,
    ChecksPurchaseOrdersTogether,
    CreatesCustomers,
    Erp,
    Feed,
    FindingLevel,
    FindsContacts,
    FindsContactsTogether,
    FindsCustomers,
    FindsOrders,
    FindsOrdersTogether,
    ForeseesRefusals,
    HoldsPriceMoments,
    ListsRestrictedItems,
    PurchaseOrder,
    ReadsAccountFiles,
    ReadsAccountOrders,
    ReadsAccounts,
    ReadsAvailability,
    ReadsBalances,
    ReadsCustomerParts,
    ReadsDocumentFiles,
    ReadsDocuments,
    ReadsInvoices,
    ReadsItems,
    ReadsOrderStatus,
    ReadsPrices,
    ReadsShipTos,
    RequestsCredits,
    SparesInvoices,
    SparesShipTos,
    SubmitsOrders,
    SupportsOrderGroups,
    SupportsPriceBatches,
    TellsChanges,
    TellsPriceStates,
    TellsUnreadable,
)
from sync.testing import builders as a
from sync.testing.erp_world import ErpWorld, OrderRows
from sync.testing.odd_orders import PLAIN, odd_orders

P = TypeVar("P")

LONG_AGO = datetime(2024, 1, 10, 12, 0, tzinfo=UTC)
OTHER = CustomerId("C-2002")
OTHER_KEY = IdempotencyKey("shop/order-2")
NUT = Sku("NUT-M8")
TRICKY = 'Größe "M" & 50 % of :name\\path, O\'Brien; -- 東京 \U0001f529'


def _paper(number: DocumentNumber, words: str = "") -> bytes:
    """A file that tells which document it is of."""
    return f"%PDF-1.4 {number} {words}\n%%EOF\n".encode()


def having(erp: Erp, capability: type[P]) -> P:
    """The adapter as that capability; skips by name where it is not claimed."""
    if not isinstance(erp, capability):
        pytest.skip(f"{erp.capabilities.name} does not claim {capability.__name__}")
    return erp


def arrange_customer(world: ErpWorld, account: Account | None = None) -> Account:
    """An account, with a ship-to where the ERP has any."""
    account = account or a.an_account()
    world.add_account(account)
    # Who begins with customers alone must not have every test of them skipped.
    with suppress(pytest.skip.Exception):
        world.add_ship_to(a.a_ship_to(sold_to=account.customer_id))
    return account


def arrange_items(world: ErpWorld) -> None:
    world.add_item(a.an_item())
    world.add_item(a.an_item(sku=NUT, description="Nut M8"))


class ErpAdapterContract:
    """Inherit, give the fixtures ``erp`` and ``erp_world``, and pass.

    ``own_scope`` and ``other_scope`` are two scopes of which the suite arranges
    prices; an ERP that has no prices of single accounts names groups instead.
    ``foresees`` names the ``odd_orders`` that the adapter refuses by itself.
    """

    own_scope = PriceScope.account(a.ACCOUNT)
    other_scope = PriceScope.account(OTHER)
    foresees: Collection[str] = ()

    # Customers of registrations.

    @pytest.mark.rule("VE-9")
    def test_a_created_customer_is_there_once_with_what_it_was_made_of(self, erp: Erp) -> None:
        creates, reads = having(erp, CreatesCustomers), having(erp, ReadsAccounts)
        customer = a.a_new_customer(name=f"Lantern {TRICKY[:26]}")
        assert creates.find_customer(a.KEY) is None

        made = creates.create_customer(customer, a.KEY)

        assert creates.create_customer(customer, a.KEY) == made
        assert creates.find_customer(a.KEY) == made
        account = reads.accounts([made])[made]
        assert account.name == customer.name
        assert account.tax_id in (customer.tax_id, None)
        assert {each.email for each in account.contacts} <= {customer.email}
        assert list(reads.customer_ids()).count(made) == 1

    @pytest.mark.rule("VE-9")
    def test_each_key_makes_a_customer_of_its_own(self, erp: Erp, erp_world: ErpWorld) -> None:
        creates, reads = having(erp, CreatesCustomers), having(erp, ReadsAccounts)
        first = creates.create_customer(a.a_new_customer(), a.KEY)
        second = creates.create_customer(a.a_new_customer(), OTHER_KEY)
        assert first != second
        assert creates.find_customer(OTHER_KEY) == second
        assert set(reads.customer_ids()) == {first, second}

    @pytest.mark.rule("VE-9")
    def test_customers_alike_are_found_by_tax_id_name_or_address(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        finds = having(erp, FindsCustomers)
        account = a.an_account(
            name="Harbour Hardware",
            tax_id="NL 8123.45.678",
            contacts=(Contact(ContactId("K-1"), "Ada@harbour.example"),),
        )
        erp_world.add_account(account)
        told = erp_world.told(account)
        asked = [CustomerSearch(name="harbour tools"), CustomerSearch(email="ada@HARBOUR.example")]
        if told.tax_id is not None:
            asked.append(CustomerSearch(tax_id="NL812345678"))
        for sought in asked:
            (match,) = finds.customers_like(sought)
            assert match.customer_id == account.customer_id
            assert match.name == account.name
            assert match.tax_id == told.tax_id
        assert not finds.customers_like(CustomerSearch("Mill", "X9", "nobody@mill.example"))
        assert not finds.customers_like(CustomerSearch())

    # Orders.

    def _order_world(self, erp: Erp, world: ErpWorld) -> SubmitsOrders:
        submits = having(erp, SubmitsOrders)
        having(erp, ReadsShipTos)  # the suite's orders ship to an address on file
        arrange_customer(world)
        arrange_items(world)
        return submits

    def _off_file(self, erp: Erp, order: SalesOrder, address: Address) -> SalesOrder:
        """The order shipping to an address that is not on file."""
        if not erp.capabilities.ship_to_override:
            pytest.skip(f"{erp.capabilities.name} takes no one-off ship-to")
        under = a.SHIP_TO if erp.capabilities.needs_ship_to_id else None
        return dataclasses.replace(order, ship_to=OneOffShipTo(address, under=under))

    @pytest.mark.rule("OI-1")
    def test_a_submitted_order_is_in_the_erp_whole(self, erp: Erp, erp_world: ErpWorld) -> None:
        submits = self._order_world(erp, erp_world)
        order = a.a_sales_order(lines=_two_lines(), total=a.money("121.90"))

        submits.submit_order(order, a.KEY)

        assert erp_world.order_rows(a.KEY) == OrderRows(headers=1, lines=2)
        written = erp_world.written(a.KEY)
        assert written is not None
        assert written.sold_to == a.ACCOUNT
        assert written.ship_to_id == a.SHIP_TO
        assert [
            (line.sku, line.quantity, line.unit, line.unit_price) for line in written.lines
        ] == [(line.sku, line.quantity, line.unit, line.unit_price.amount) for line in order.lines]

    @pytest.mark.rule("OI-1")
    def test_the_same_key_twice_is_one_order(self, erp: Erp, erp_world: ErpWorld) -> None:
        submits = self._order_world(erp, erp_world)
        if not erp.capabilities.unique_external_key:
            pytest.skip(f"{erp.capabilities.name} does not claim unique_external_key")
        first = submits.submit_order(a.a_sales_order(), a.KEY)

        assert _again(submits, a.a_sales_order()) in (first, None)

        assert erp_world.order_rows() == OrderRows(headers=1, lines=1)

    @pytest.mark.rule("OI-1")
    def test_another_order_under_a_used_key_changes_nothing(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        submits = self._order_world(erp, erp_world)
        if not erp.capabilities.unique_external_key:
            pytest.skip(f"{erp.capabilities.name} does not claim unique_external_key")
        first = submits.submit_order(a.a_sales_order(), a.KEY)
        before = erp_world.written(a.KEY)

        other = a.a_sales_order(lines=_two_lines(), total=a.money("121.90"))
        assert _again(submits, other) in (first, None)

        assert erp_world.written(a.KEY) == before
        assert erp_world.order_rows() == OrderRows(headers=1, lines=1)

    def test_two_keys_are_two_orders(self, erp: Erp, erp_world: ErpWorld) -> None:
        submits = self._order_world(erp, erp_world)
        first = submits.submit_order(a.a_sales_order(), a.KEY)
        second = submits.submit_order(a.a_sales_order(), OTHER_KEY)

        assert erp_world.order_rows() == OrderRows(headers=2, lines=2)
        if not erp.capabilities.number_follows:
            assert first.number is not None
            assert first.number != second.number

    @pytest.mark.rule("OI-1")
    def test_a_written_order_is_found_by_its_key(self, erp: Erp, erp_world: ErpWorld) -> None:
        finds = having(erp, FindsOrders)
        submits = self._order_world(erp, erp_world)
        order = a.a_sales_order(lines=_two_lines(), total=a.money("121.90"))
        acknowledged = submits.submit_order(order, a.KEY)

        found = finds.find_order(a.KEY)

        assert found is not None
        assert found.number == acknowledged.number
        assert found.refusal is None
        assert found.differences(order) == ()
        # What the adapter can tell must really have been compared.
        assert found.sold_to in (a.ACCOUNT, None)
        assert found.line_count in (2, None)

    @pytest.mark.rule("OI-1")
    def test_an_order_never_submitted_is_not_found(self, erp: Erp, erp_world: ErpWorld) -> None:
        finds = having(erp, FindsOrders)
        submits = self._order_world(erp, erp_world)
        submits.submit_order(a.a_sales_order(), a.KEY)

        assert finds.find_order(OTHER_KEY) is None

    @pytest.mark.rule("OI-1")
    def test_a_key_that_begins_like_another_is_another_order(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        finds = having(erp, FindsOrders)
        submits = self._order_world(erp, erp_world)
        submits.submit_order(a.a_sales_order(), a.KEY)

        assert finds.find_order(IdempotencyKey(f"{a.KEY}0")) is None
        assert finds.find_order(IdempotencyKey(a.KEY.value[:-1] + "%")) is None

    @pytest.mark.rule("OI-1")
    def test_a_refused_line_leaves_no_header_behind(self, erp: Erp, erp_world: ErpWorld) -> None:
        submits = self._order_world(erp, erp_world)
        erp_world.refuse_item(NUT)

        with pytest.raises(Rejected):
            submits.submit_order(
                a.a_sales_order(lines=_two_lines(), total=a.money("121.90")), a.KEY
            )

        assert erp_world.order_rows() == OrderRows(headers=0, lines=0)
        if isinstance(erp, FindsOrders):
            assert erp.find_order(a.KEY) is None

    @pytest.mark.rule("OI-1")
    def test_an_order_after_a_refused_one_is_written(self, erp: Erp, erp_world: ErpWorld) -> None:
        submits = self._order_world(erp, erp_world)
        erp_world.refuse_item(NUT)
        with pytest.raises(Rejected):
            submits.submit_order(
                a.a_sales_order(lines=_two_lines(), total=a.money("121.90")), a.KEY
            )

        submits.submit_order(a.a_sales_order(), a.KEY)

        assert erp_world.order_rows() == OrderRows(headers=1, lines=1)

    @pytest.mark.rule("OI-2", "OP-2")
    @pytest.mark.parametrize("name", odd_orders())
    def test_what_is_foreseen_of_an_order_is_what_submitting_it_says(
        self, erp: Erp, erp_world: ErpWorld, name: str
    ) -> None:
        foresees = having(erp, ForeseesRefusals)
        submits = self._order_world(erp, erp_world)
        needs_id = erp.capabilities.needs_ship_to_id
        order = odd_orders(a.SHIP_TO if needs_id else None)[name]

        foreseen = foresees.foreseen_refusal(order, a.KEY)

        assert (foreseen is not None) == (name in self.foresees)
        assert erp_world.order_rows() == OrderRows(headers=0, lines=0)
        if foreseen is not None:
            # Of a customer that the ERP lacks too: it is not even asked.
            for each in (order, dataclasses.replace(order, sold_to=OTHER)):
                with pytest.raises(Rejected) as caught:
                    submits.submit_order(each, a.KEY)
                said = caught.value
                assert (str(said), said.code, said.remedy) == (
                    *(str(foreseen), foreseen.code, foreseen.remedy),
                )
            assert foreseen.remedy
            assert erp_world.order_rows() == OrderRows(headers=0, lines=0)
        elif name == PLAIN:
            submits.submit_order(order, a.KEY)

    def test_an_order_of_a_customer_that_the_erp_lacks_is_refused(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        submits = self._order_world(erp, erp_world)

        with pytest.raises(SyncError):
            submits.submit_order(a.a_sales_order(sold_to=OTHER), a.KEY)

        assert erp_world.order_rows() == OrderRows(headers=0, lines=0)

    @pytest.mark.rule("WA-3a")
    def test_a_one_off_ship_to_is_on_the_order_and_never_on_file(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        submits = self._order_world(erp, erp_world)
        filed = set(erp_world.filed_ship_tos(a.ACCOUNT))
        address = a.an_address(name="Ada Visser", lines=("Canal Street 12",), city="Delft")

        submits.submit_order(self._off_file(erp, a.a_sales_order(), address), a.KEY)

        written = erp_world.written(a.KEY)
        assert written is not None
        assert written.one_off is not None
        assert (written.one_off.name, written.one_off.lines, written.one_off.city) == (
            address.name,
            address.lines,
            address.city,
        )
        assert set(erp_world.filed_ship_tos(a.ACCOUNT)) == filed
        if isinstance(erp, ReadsShipTos):
            assert {ship_to.ship_to_id for ship_to in erp.ship_tos([a.ACCOUNT])} == filed

    @pytest.mark.rule("WA-3a")
    def test_a_retail_group_collects_no_ship_tos(self, erp: Erp, erp_world: ErpWorld) -> None:
        submits = having(erp, SubmitsOrders)
        if not erp.capabilities.ship_to_override or erp.capabilities.needs_ship_to_id:
            pytest.skip(f"{erp.capabilities.name} takes no one-off ship-to without an ID")
        erp_world.add_account(a.a_retail_account())
        arrange_items(erp_world)

        for number in range(3):
            key = IdempotencyKey(f"shop/retail-{number}")
            submits.submit_order(a.a_retail_sales_order(), key)

        assert list(erp_world.filed_ship_tos(a.RETAIL_ACCOUNT)) == []
        if isinstance(erp, ReadsShipTos):
            assert list(erp.ship_tos([a.RETAIL_ACCOUNT])) == []

    @pytest.mark.rule("OI-9")
    def test_any_text_survives_the_way_into_the_erp(self, erp: Erp, erp_world: ErpWorld) -> None:
        submits = self._order_world(erp, erp_world)
        text = _encodable(TRICKY, erp.capabilities.text_encoding)
        order = a.a_sales_order(
            notes=_cut(f"{text}\nsecond line", erp.capabilities.notes_length),
            po_number=_cut(text, erp.capabilities.po_number_length),
        )
        submits.submit_order(order, a.KEY)

        written = erp_world.written(a.KEY)

        assert written is not None
        assert written.po_number in (order.po_number, None)
        assert written.notes is None or order.notes in written.notes

    @pytest.mark.rule("OI-9")
    def test_any_text_survives_in_a_one_off_address(self, erp: Erp, erp_world: ErpWorld) -> None:
        submits = self._order_world(erp, erp_world)
        text = _encodable(TRICKY, erp.capabilities.text_encoding)
        address = a.an_address(
            name=_cut(text, erp.capabilities.name_length),
            lines=(_cut(text, erp.capabilities.address_line_length),),
        )
        submits.submit_order(self._off_file(erp, a.a_sales_order(), address), a.KEY)

        written = erp_world.written(a.KEY)

        assert written is not None
        assert written.one_off is not None
        assert (written.one_off.name, written.one_off.lines) == (address.name, address.lines)

    @pytest.mark.rule("OI-1")
    def test_payment_references_and_odd_quantities_travel_exactly(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        submits = self._order_world(erp, erp_world)
        line = a.a_sales_line(
            quantity=Decimal("2.125"),
            stock_quantity=Decimal("2.125"),
            unit_price=a.money("0.0001"),
            net=a.money("0.00"),
        )
        order = a.a_sales_order(
            lines=(line,),
            total=a.money("0.00"),
            payments=a.a_retail_sales_order().payments,
        )
        submits.submit_order(order, a.KEY)

        written = erp_world.written(a.KEY)

        assert written is not None
        assert written.lines[0].quantity == Decimal("2.125")
        assert written.lines[0].unit_price == Decimal("0.0001")
        assert written.payment_references in (("pay_123",), None)

    @pytest.mark.rule("OI-1", "OI-6", "OI-7")
    def test_an_order_with_everything_is_written_with_everything(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        submits = self._order_world(erp, erp_world)
        erp_world.add_bill_to(a.a_bill_to())
        full = a.a_full_sales_order(hold=erp.capabilities.order_hold, location=None)
        if not erp.capabilities.tax_override:
            # It charges its own tax; none on the items of the suite.
            taxed = total((tax.amount for tax in full.taxes), full.currency)
            full = dataclasses.replace(full, taxes=(), total=full.total - taxed)
        order = self._off_file(erp, full, a.an_address(lines=("Pier 3",)))
        submits.submit_order(order, a.KEY)

        written = erp_world.written(a.KEY)

        assert written is not None
        amounts = (*order.charges, *order.discounts, *order.taxes, *order.adjustments)
        assert written.amounts in (
            tuple(sorted((each.code, each.amount.amount) for each in amounts)),
            None,
        )
        references = tuple(payment.reference for payment in order.payments)
        assert written.payment_references in (references, None)
        assert written.po_number in (order.po_number, None)
        assert len(written.lines) == len(order.lines)
        if isinstance(erp, FindsOrders):
            found = erp.find_order(a.KEY)
            assert found is not None
            assert found.differences(order) == ()

    @pytest.mark.rule("OI-1")
    def test_many_lines_are_written_in_their_order(self, erp: Erp, erp_world: ErpWorld) -> None:
        submits = self._order_world(erp, erp_world)
        count = min(120, erp.capabilities.max_order_lines or 120)
        lines = tuple(
            a.a_sales_line(
                number=number,
                quantity=Decimal(number),
                stock_quantity=Decimal(number),
                unit_price=a.money("1.0000"),
                net=Money(Decimal(number), "EUR"),
            )
            for number in range(1, count + 1)
        )
        value = total((line.net for line in lines), "EUR")
        submits.submit_order(a.a_sales_order(lines=lines, total=value), a.KEY)

        written = erp_world.written(a.KEY)

        assert written is not None
        assert [line.quantity for line in written.lines] == [line.quantity for line in lines]

    @pytest.mark.rule("WA-15")
    def test_a_purchase_order_number_is_known_to_be_used(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        checks = having(erp, ChecksPurchaseOrders)
        submits = self._order_world(erp, erp_world)
        arrange_customer(erp_world, a.an_account(customer_id=OTHER, contacts=()))
        first = submits.submit_order(a.a_sales_order(po_number="PO 4711/A"), a.KEY)

        used = checks.purchase_order_used(a.ACCOUNT, "PO 4711/A", OTHER_KEY)
        assert used is not None
        assert first.number in (used, None)
        # The order itself is no earlier use of its own number.
        assert checks.purchase_order_used(a.ACCOUNT, "PO 4711/A", a.KEY) is None
        assert checks.purchase_order_used(a.ACCOUNT, "PO 4711/B", OTHER_KEY) is None
        assert checks.purchase_order_used(OTHER, "PO 4711/A", OTHER_KEY) is None

    # What became of an order.

    @pytest.mark.rule("OI-3")
    def test_status_tells_shipments_and_back_orders(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsOrderStatus)
        submits = self._order_world(erp, erp_world)
        acknowledged = submits.submit_order(a.a_sales_order(), a.KEY)
        status = a.an_order_status(number=acknowledged.number)
        erp_world.set_order_status(a.KEY, status)

        assert reads.order_statuses([a.KEY]) == {a.KEY: erp_world.told(status)}

    @pytest.mark.rule("OI-3")
    @pytest.mark.parametrize(
        "state",
        [
            ErpOrderState.OPEN,
            ErpOrderState.PICKED,
            ErpOrderState.SHIPPED,
            ErpOrderState.INVOICED,
            ErpOrderState.CANCELLED,
        ],
    )
    def test_every_step_of_an_order_is_told(
        self, erp: Erp, erp_world: ErpWorld, state: ErpOrderState
    ) -> None:
        reads = having(erp, ReadsOrderStatus)
        submits = self._order_world(erp, erp_world)
        acknowledged = submits.submit_order(a.a_sales_order(), a.KEY)
        status = a.an_order_status(state=state, number=acknowledged.number, shipments=(), lines=())
        erp_world.set_order_status(a.KEY, status)

        told = reads.order_statuses([a.KEY])[a.KEY]

        assert told.state is erp_world.told(status).state
        # One whose number follows has given it meanwhile.
        assert told.number == acknowledged.number or erp.capabilities.number_follows

    def test_a_fresh_order_has_a_status(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsOrderStatus)
        submits = self._order_world(erp, erp_world)
        acknowledged = submits.submit_order(a.a_sales_order(), a.KEY)

        told = reads.order_statuses([a.KEY, OTHER_KEY])

        assert set(told) == {a.KEY}
        assert told[a.KEY].number == acknowledged.number
        assert told[a.KEY].state in (
            ErpOrderState.RECEIVED,
            ErpOrderState.ON_HOLD,
            ErpOrderState.OPEN,
        )

    @pytest.mark.rule("OI-3")
    def test_statuses_are_those_of_the_orders_asked(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsOrderStatus)
        submits = self._order_world(erp, erp_world)
        submits.submit_order(a.a_sales_order(), a.KEY)
        submits.submit_order(a.a_sales_order(), OTHER_KEY)
        unknown = [IdempotencyKey(f"shop/none-{number}") for number in range(1200)]

        assert set(reads.order_statuses([OTHER_KEY])) == {OTHER_KEY}
        assert set(reads.order_statuses([*unknown, a.KEY])) == {a.KEY}
        assert dict(reads.order_statuses([])) == {}

    # Cancellations.

    def _to_cancel(self, erp: Erp, world: ErpWorld) -> tuple[CancelsOrders, ReadsOrderStatus]:
        """An order under KEY that nobody has worked on, and one beside it."""
        cancels, reads = having(erp, CancelsOrders), having(erp, ReadsOrderStatus)
        submits = self._order_world(erp, world)
        submits.submit_order(a.a_sales_order(), a.KEY)
        submits.submit_order(a.a_sales_order(web_order=WebOrderId("order-2")), OTHER_KEY)
        return cancels, reads

    @pytest.mark.rule("OI-4")
    def test_a_cancelled_order_says_so_and_no_other_does(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        cancels, reads = self._to_cancel(erp, erp_world)
        rows = erp_world.order_rows()
        cancels.cancel_order(a.KEY)
        told = reads.order_statuses([a.KEY, OTHER_KEY])
        assert told[a.KEY].state is ErpOrderState.CANCELLED
        assert told[OTHER_KEY].state is not ErpOrderState.CANCELLED
        assert erp_world.order_rows() == rows, "it is cancelled, not deleted"
        cancels.cancel_order(a.KEY)
        assert reads.order_statuses([a.KEY])[a.KEY].state is ErpOrderState.CANCELLED

    @pytest.mark.rule("OI-4")
    @pytest.mark.parametrize("state", [ErpOrderState.SHIPPED, ErpOrderState.INVOICED])
    def test_an_order_that_left_the_warehouse_is_not_cancelled(
        self, erp: Erp, erp_world: ErpWorld, state: ErpOrderState
    ) -> None:
        cancels, reads = self._to_cancel(erp, erp_world)
        before = reads.order_statuses([a.KEY])[a.KEY]
        erp_world.set_order_status(
            a.KEY, a.an_order_status(state=state, number=before.number, shipments=(), lines=())
        )
        with pytest.raises(Rejected) as refusal:
            cancels.cancel_order(a.KEY)
        assert str(refusal.value)
        assert reads.order_statuses([a.KEY])[a.KEY].state is state

    @pytest.mark.rule("OI-4")
    def test_an_order_that_the_erp_lacks_is_not_taken_for_cancelled(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        cancels, _ = self._to_cancel(erp, erp_world)
        with pytest.raises(Rejected):
            cancels.cancel_order(IdempotencyKey("shop/never-submitted"))

    # Credits.

    def _to_credit(self, erp: Erp, world: ErpWorld) -> RequestsCredits:
        """An ERP with an order under KEY."""
        requests = having(erp, RequestsCredits)
        self._order_world(erp, world).submit_order(a.a_sales_order(), a.KEY)
        return requests

    @pytest.mark.rule("OI-10")
    def test_a_credit_is_filed_once_and_found_under_its_key(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        requests = self._to_credit(erp, erp_world)
        assert requests.find_credit(a.CREDIT_KEY) is None

        first = requests.request_credit(a.a_credit_request(), a.CREDIT_KEY)

        found = requests.find_credit(a.CREDIT_KEY)
        assert found == first
        assert first.amount in (None, a.money("12.10"))
        if erp.capabilities.unique_external_key:
            assert requests.request_credit(a.a_credit_request(), a.CREDIT_KEY) == first
        assert requests.find_credit(IdempotencyKey("never-filed-0000")) is None

    @pytest.mark.rule("OI-10")
    def test_two_refunds_of_one_order_are_two_credits(self, erp: Erp, erp_world: ErpWorld) -> None:
        requests = self._to_credit(erp, erp_world)
        other = settlement_key(a.KEY, "refund", "R-2", erp.capabilities.external_key_length)
        second = a.a_credit_request(refund=RefundId("R-2"), amount=a.money("0.01"))
        one = requests.request_credit(a.a_credit_request(), a.CREDIT_KEY)
        two = requests.request_credit(second, other)
        assert one != two or one.number is None
        assert requests.find_credit(a.CREDIT_KEY) == one
        assert requests.find_credit(other) == two

    @pytest.mark.rule("OI-10")
    def test_another_credit_under_the_same_key_is_a_conflict(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        requests = self._to_credit(erp, erp_world)
        first = requests.request_credit(a.a_credit_request(), a.CREDIT_KEY)
        if first.amount is None or not erp.capabilities.unique_external_key:
            pytest.skip(f"{erp.capabilities.name} tells no amount of a credit")
        with pytest.raises(Conflict):
            requests.request_credit(a.a_credit_request(amount=a.money("99.99")), a.CREDIT_KEY)
        assert requests.find_credit(a.CREDIT_KEY) == first

    @pytest.mark.rule("OI-10")
    def test_a_credit_of_an_order_that_the_erp_lacks_is_refused(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        requests = self._to_credit(erp, erp_world)
        stray = a.a_credit_request(order=IdempotencyKey("shop/never-submitted"))
        with pytest.raises(Rejected):
            requests.request_credit(stray, a.CREDIT_KEY)
        assert requests.find_credit(a.CREDIT_KEY) is None

    # Accounts.

    @pytest.mark.rule("MI-1")
    def test_an_account_is_told_as_the_erp_has_it(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsAccounts)
        account = a.an_account()
        arrange_customer(erp_world, account)

        assert reads.accounts([account.customer_id]) == {
            account.customer_id: erp_world.told(account)
        }

    @pytest.mark.rule("MI-1", "WA-2c", "WA-12")
    @pytest.mark.parametrize(
        "account",
        [
            a.an_account(active=False),
            a.an_account(prospect=True),
            a.an_account(terms=None),
            a.an_account(tax_exempt=True),
            a.an_account(credit=CreditStatus.HOLD),
            a.an_account(currencies=("EUR", "USD")),
            a.an_account(price_groups=("GOLD", "TRADE")),
            a.an_account(tags=("LICENSED", "OEM")),
            a.an_account(po_required=True),
            a.an_account(tax_id="NL001234567B01"),
            a.an_account(contacts=()),
        ],
        ids=[
            "inactive",
            "prospect",
            "prepaid",
            "tax_exempt",
            "credit_hold",
            "two_currencies",
            "price_groups",
            "tags",
            "po_required",
            "tax_id",
            "no_contacts",
        ],
    )
    def test_what_sets_an_account_apart_is_told(
        self, erp: Erp, erp_world: ErpWorld, account: Account
    ) -> None:
        reads = having(erp, ReadsAccounts)
        arrange_customer(erp_world, account)

        assert reads.accounts([a.ACCOUNT]) == {a.ACCOUNT: erp_world.told(account)}

    @pytest.mark.rule("WA-2c")
    def test_an_account_that_the_erp_lacks_is_absent_and_no_error(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        reads = having(erp, ReadsAccounts)
        arrange_customer(erp_world)

        assert set(reads.accounts([a.ACCOUNT, OTHER])) == {a.ACCOUNT}
        assert dict(reads.accounts([OTHER])) == {}
        assert dict(reads.accounts([])) == {}

    @pytest.mark.rule("WA-2c")
    def test_a_dropped_account_is_gone(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsAccounts)
        arrange_customer(erp_world)
        arrange_customer(erp_world, a.an_account(customer_id=OTHER, contacts=()))
        erp_world.drop_account(a.ACCOUNT)

        assert set(reads.accounts([a.ACCOUNT, OTHER])) == {OTHER}
        assert set(reads.customer_ids()) == {OTHER}

    @pytest.mark.rule("WA-2c")
    def test_keys_are_spelled_as_the_erp_spells_them(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsAccounts)
        padded, bare = CustomerId("000123"), CustomerId("123")
        arrange_customer(
            erp_world, a.an_account(customer_id=padded, name="With zeros", contacts=())
        )
        arrange_customer(erp_world, a.an_account(customer_id=bare, name="Without", contacts=()))

        told = reads.accounts([padded, bare])

        assert {key: account.name for key, account in told.items()} == {
            padded: "With zeros",
            bare: "Without",
        }
        assert set(reads.accounts([bare])) == {bare}
        if isinstance(erp, ReadsShipTos):
            assert [ship_to.sold_to for ship_to in erp.ship_tos([bare])] == [bare]

    def test_keys_out_of_padded_columns_arrive_stripped(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        reads = having(erp, ReadsAccounts)
        arrange_customer(erp_world)
        erp_world.pad_keys(a.ACCOUNT)

        assert set(reads.customer_ids()) == {a.ACCOUNT}
        assert [account.customer_id for account in reads.accounts([a.ACCOUNT]).values()] == [
            a.ACCOUNT
        ]
        if isinstance(erp, ReadsShipTos):
            assert [ship_to.sold_to for ship_to in erp.ship_tos([a.ACCOUNT])] == [a.ACCOUNT]

    def test_a_key_full_of_quotes_is_only_a_key(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsAccounts)
        odd = CustomerId("O'Br\"%_:x;--")
        arrange_customer(erp_world, a.an_account(customer_id=odd, contacts=()))
        arrange_customer(erp_world)

        assert set(reads.accounts([odd])) == {odd}
        assert dict(reads.accounts([CustomerId("C-%")])) == {}

    @pytest.mark.rule("OP-5")
    def test_a_thousand_accounts_are_read_in_one_call(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsAccounts)
        present = [CustomerId(f"B-{number:04}") for number in range(1000)]
        for customer_id in present:
            erp_world.add_account(a.an_account(customer_id=customer_id, contacts=()))
        absent = [CustomerId(f"X-{number:04}") for number in range(1500)]

        assert set(reads.accounts([*present, *absent])) == set(present)
        assert set(reads.customer_ids()) == set(present)

    def test_every_account_is_listed_once(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsAccounts)
        arrange_customer(erp_world, a.an_account(price_groups=()))
        arrange_customer(erp_world, a.an_account(customer_id=OTHER, contacts=()))

        assert sorted(reads.customer_ids()) == [a.ACCOUNT, OTHER]

    def test_text_of_accounts_survives(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsAccounts)
        name = _cut(_encodable(TRICKY, erp.capabilities.text_encoding), 30)
        arrange_customer(erp_world, a.an_account(name=name))

        assert reads.accounts([a.ACCOUNT])[a.ACCOUNT].name == name

    @pytest.mark.rule("VE-6")
    def test_locations_are_told_for_the_accounts_asked(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsAccounts)
        arrange_customer(erp_world)
        arrange_customer(erp_world, a.an_account(customer_id=OTHER, contacts=()))
        mine = a.a_location(tax_exempt=True)
        erp_world.add_location(mine)
        erp_world.add_location(a.a_location(location_id=LocationId("SITE-2"), sold_to=OTHER))

        assert list(reads.locations([a.ACCOUNT])) == [erp_world.told(mine)]
        assert list(reads.locations([])) == []

    @pytest.mark.rule("WA-2")
    def test_a_contact_is_found_by_mail_whatever_the_case(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        finds = having(erp, FindsContacts)
        arrange_customer(
            erp_world, a.an_account(contacts=(Contact(ContactId("P-1"), "Ada@Harbour.example"),))
        )

        assert list(finds.accounts_by_email("aDA@harbour.EXAMPLE")) == [a.ACCOUNT]

    @pytest.mark.rule("WA-2", "WA-2e")
    def test_mail_matches_exactly_or_not_at_all(self, erp: Erp, erp_world: ErpWorld) -> None:
        finds = having(erp, FindsContacts)
        arrange_customer(
            erp_world, a.an_account(contacts=(Contact(ContactId("P-1"), "ada@harbour.example"),))
        )

        for near_miss in ("ada", "da@harbour.example", "%@harbour.example", "ad_@harbour.example"):
            assert list(finds.accounts_by_email(near_miss)) == [], near_miss

    @pytest.mark.rule("WA-2")
    def test_an_address_shared_by_two_accounts_names_both(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        finds = having(erp, FindsContacts)
        shared = "desk@agency.example"
        arrange_customer(erp_world, a.an_account(contacts=(Contact(ContactId("P-1"), shared),)))
        arrange_customer(
            erp_world,
            a.an_account(customer_id=OTHER, contacts=(Contact(ContactId("P-2"), shared),)),
        )

        assert sorted(finds.accounts_by_email(shared)) == [a.ACCOUNT, OTHER]

    @pytest.mark.rule("WA-2", "WA-2e")
    def test_many_addresses_are_asked_for_as_one_is(self, erp: Erp, erp_world: ErpWorld) -> None:
        together, finds = having(erp, FindsContactsTogether), having(erp, FindsContacts)
        shared = "desk@agency.example"
        for account, *emails in (
            (a.an_account(), "Ada@Harbour.example", shared),
            (a.an_account(customer_id=OTHER), shared, "Strasse@harbour.example"),
            (a.an_account(customer_id=CustomerId("C-3003"), active=False), "old@harbour.example"),
        ):
            own = (Contact(ContactId(f"P-{n}"), email) for n, email in enumerate(emails))
            arrange_customer(erp_world, dataclasses.replace(account, contacts=tuple(own)))

        asked = ["aDA@harbour.EXAMPLE", "ada@harbour.example", shared, "old@harbour.example"]
        asked += ["nobody@harbour.example", "", " ada@harbour.example", "ada@harbour.example "]
        asked += ["da@harbour.example", "%@harbour.example", "ad_@harbour.example"]
        # Some take them for one address, and others for two.
        sharp, folded = (f"stra{s}e@harbour.example" for s in ("\u00df", "ss"))
        told = together.accounts_by_emails([*asked, sharp, folded, *asked])

        assert told.keys() - {sharp} == {*asked, folded}
        for email, accounts in told.items():
            assert sorted(_accounts(accounts)) == sorted(finds.accounts_by_email(email)), email
        assert sorted(_accounts(told[shared])) == [a.ACCOUNT, OTHER]
        assert [*_accounts(told["aDA@harbour.EXAMPLE"])] == [a.ACCOUNT]
        assert together.accounts_by_emails([]) == {}

    @pytest.mark.rule("WA-2")
    def test_addresses_are_asked_for_together_however_many_there_are(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        together = having(erp, FindsContactsTogether)
        asked = [f"user-{number:04d}@harbour.example" for number in range(1100)]
        contacts = (Contact(ContactId("P-1"), asked[0]), Contact(ContactId("P-2"), asked[-1]))
        arrange_customer(erp_world, a.an_account(contacts=contacts))

        told = together.accounts_by_emails(asked)

        assert told.keys() == set(asked)
        assert [each for each in asked if told[each]] == [asked[0], asked[-1]]

    @pytest.mark.rule("WA-2", "WA-2c")
    def test_a_contact_that_cannot_be_read_refuses_its_own_address_alone(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        together, finds = having(erp, FindsContactsTogether), having(erp, FindsContacts)
        whole, odd = "ada@harbour.example", "odd@harbour.example"
        contacts = (Contact(ContactId("P-1"), whole), Contact(ContactId("P-2"), odd.upper()))
        arrange_customer(erp_world, a.an_account(contacts=contacts))
        erp_world.add_unreadable_contact(odd)

        told = together.accounts_by_emails([whole, odd, odd.title()])

        assert told.keys() == {whole, odd, odd.title()}
        assert [*_accounts(told[whole])] == [a.ACCOUNT]
        for email in (odd, odd.title()):
            with pytest.raises(Rejected) as refused:
                finds.accounts_by_email(email)
            answer = told[email]
            assert isinstance(answer, Rejected)
            assert (answer.code, answer.remedy) == (refused.value.code, refused.value.remedy)

    # Addresses on file.

    @pytest.mark.rule("MI-1")
    def test_ship_tos_are_those_of_the_accounts_asked(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsShipTos)
        arrange_customer(erp_world)
        arrange_customer(erp_world, a.an_account(customer_id=OTHER, contacts=()))
        yard = a.a_ship_to(
            ship_to_id=ShipToId("YARD"),
            default=False,
            address=a.an_address(
                lines=("Pier 3", "Gate B"), region="ZH", attention="Gate 3", phone="+31 10 555"
            ),
        )
        erp_world.add_ship_to(yard)

        told = sorted(reads.ship_tos([a.ACCOUNT]), key=lambda ship_to: ship_to.ship_to_id)

        assert told == [erp_world.told(a.a_ship_to()), erp_world.told(yard)]
        assert list(reads.ship_tos([])) == []
        assert list(reads.ship_tos([CustomerId("NOBODY")])) == []

    @pytest.mark.rule("MI-1")
    def test_a_dropped_ship_to_is_gone(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsShipTos)
        arrange_customer(erp_world)
        erp_world.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("YARD"), default=False))
        erp_world.drop_ship_to(a.ACCOUNT, ShipToId("YARD"))

        assert [ship_to.ship_to_id for ship_to in reads.ship_tos([a.ACCOUNT])] == [a.SHIP_TO]

    @pytest.mark.rule("MI-1")
    def test_two_accounts_may_use_one_ship_to_id(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsShipTos)
        arrange_customer(erp_world)
        arrange_customer(erp_world, a.an_account(customer_id=OTHER, contacts=()))

        told = {(each.sold_to, each.ship_to_id) for each in reads.ship_tos([a.ACCOUNT, OTHER])}

        assert told == {(a.ACCOUNT, a.SHIP_TO), (OTHER, a.SHIP_TO)}

    @pytest.mark.rule("MI-1")
    def test_bill_tos_are_those_of_the_accounts_asked(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsShipTos)
        arrange_customer(erp_world)
        arrange_customer(erp_world, a.an_account(customer_id=OTHER, contacts=()))
        erp_world.add_bill_to(a.a_bill_to())
        erp_world.add_bill_to(a.a_bill_to(sold_to=OTHER, bill_to_id=BillToId("OTHER")))

        assert list(reads.bill_tos([a.ACCOUNT])) == [erp_world.told(a.a_bill_to())]
        assert list(reads.bill_tos([])) == []

    @pytest.mark.rule("MI-1")
    def test_an_account_file_says_what_its_parts_say(self, erp: Erp, erp_world: ErpWorld) -> None:
        files = having(erp, ReadsAccountFiles)
        reads, addresses = having(erp, ReadsAccounts), having(erp, ReadsShipTos)
        arrange_customer(erp_world)
        erp_world.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("0002")))
        erp_world.add_bill_to(a.a_bill_to())
        arrange_customer(erp_world, a.an_account(customer_id=OTHER, contacts=()))
        asked = [a.ACCOUNT, OTHER, CustomerId("UNKNOWN")]

        told = files.account_files(asked)

        assert told == {
            each: AccountFile(
                account,
                tuple(addresses.ship_tos([each])),
                tuple(addresses.bill_tos([each])),
                tuple(reads.locations([each])),
            )
            for each, account in reads.accounts(asked).items()
        }
        assert (len(told), len(told[a.ACCOUNT].ship_tos)) == (2, 2)
        assert files.account_files([]) == {}

    # Items.

    @pytest.mark.rule("OI-8")
    def test_an_item_is_told_with_its_units(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsItems)
        item = a.an_item(
            units=(("BOX", Decimal("12")), ("PAL", Decimal("960.5"))), whole_units_only=False
        )
        erp_world.add_item(item)

        told = reads.items([item.sku, NUT])

        assert set(told) == {item.sku}
        kept = erp_world.told(item)
        assert dict(told[item.sku].units) == dict(kept.units)
        assert dataclasses.replace(told[item.sku], units=()) == dataclasses.replace(kept, units=())
        assert told[item.sku].factor("EA") == 1
        assert told[item.sku].factor("DRUM") is None

    @pytest.mark.rule("OI-8")
    def test_what_keeps_an_item_from_being_sold_is_told(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        reads = having(erp, ReadsItems)
        items = {
            item.sku: item
            for item in (
                a.an_item(sku=Sku("OLD"), units=(), discontinued=True),
                a.an_item(sku=Sku("OFF"), units=(), active=False),
                a.an_item(sku=Sku("KIT"), units=(), kit=True),
            )
        }
        for item in items.values():
            erp_world.add_item(item)

        assert reads.items(items) == {sku: erp_world.told(item) for sku, item in items.items()}

    @pytest.mark.rule("VE-5", "OI-8")
    def test_whom_a_restricted_item_is_for_is_told(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsItems)
        arrange_customer(erp_world)
        items = {item.sku: item for item in _restricted_items()}
        for item in items.values():
            erp_world.add_item(item)

        assert reads.items(items) == {sku: erp_world.told(item) for sku, item in items.items()}

    @pytest.mark.rule("VE-5")
    def test_exactly_the_restricted_items_are_listed(self, erp: Erp, erp_world: ErpWorld) -> None:
        lists = having(erp, ListsRestrictedItems)
        arrange_customer(erp_world)
        arrange_items(erp_world)
        assert list(lists.restricted_items()) == []
        items = _restricted_items()
        for item in items:
            erp_world.add_item(item)

        told = [item.sku for item in items if erp_world.told(item).allowed_to is not None]
        assert sorted(lists.restricted_items()) == sorted(told)

    def test_no_items_are_asked_for_and_none_come(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsItems)
        erp_world.add_item(a.an_item())

        assert dict(reads.items([])) == {}

    # Prices.

    def _price(self, amount: str = "9.9900", **given: Any) -> Price:
        """An entry of the suite's own scope."""
        return a.a_price(amount, scope=self.own_scope, **given)

    @pytest.mark.rule("WA-6", "WA-7")
    @pytest.mark.parametrize(
        "amount", ["0.0001", "9.9900", "10.0050", "123456789012.3456", "0.0000", "1234.5000"]
    )
    def test_a_price_is_exact_to_the_last_place(
        self, erp: Erp, erp_world: ErpWorld, amount: str
    ) -> None:
        reads = having(erp, ReadsPrices)
        _arrange_priced(erp_world)
        price = self._price(amount)
        erp_world.add_price(price)

        [told] = reads.prices([price.key.scope])

        # Equal Decimals may differ in scale; both the value and the places count here.
        assert str(told.value.unit_price) == str(erp_world.told(price).value.unit_price)
        assert told.value.unit_price == Decimal(amount)

    @pytest.mark.rule("WA-6", "VE-12")
    @pytest.mark.parametrize(
        "scope",
        [
            ITEM_OVERRIDES,
            PriceScope.location(LocationId("SITE-1")),
            PriceScope.account(a.ACCOUNT),
            PriceScope.group("GOLD"),
            DEFAULT_LIST,
        ],
        ids=["item", "location", "account", "group", "default"],
    )
    def test_every_level_of_price_is_told_under_its_own_scope(
        self, erp: Erp, erp_world: ErpWorld, scope: PriceScope
    ) -> None:
        reads = having(erp, ReadsPrices)
        _arrange_priced(erp_world)
        if scope == PriceScope.location(LocationId("SITE-1")):
            erp_world.add_location(a.a_location())
        price = a.a_price(scope=scope)
        erp_world.add_price(price)
        told = erp_world.told(price)

        assert list(reads.prices([scope])) == [told]
        assert scope in set(reads.price_scopes())
        elsewhere = PriceScope.account(OTHER)
        assert list(reads.prices([elsewhere])) == []

    @pytest.mark.rule("WA-6")
    def test_past_present_and_future_prices_are_all_told(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        reads = having(erp, ReadsPrices)
        _arrange_priced(erp_world)
        entries = [
            self._price("8.0000", valid_from=date(2020, 1, 1), valid_until=date(2020, 12, 31)),
            self._price("9.0000", valid_from=date(2021, 1, 1), valid_until=date(2089, 12, 31)),
            self._price("12.0000", valid_from=date(2090, 1, 1), valid_until=None),
        ]
        for entry in entries:
            erp_world.add_price(entry)

        assert _by_order(reads.prices([self.own_scope])) == _by_order(
            [erp_world.told(entry) for entry in entries]
        )

    @pytest.mark.rule("WA-6")
    def test_a_price_without_dates_stays_without(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsPrices)
        _arrange_priced(erp_world)
        erp_world.add_price(self._price(valid_from=None, valid_until=None))

        [told] = reads.prices([self.own_scope])

        assert (told.key.valid_from, told.value.valid_until) == (None, None)

    @pytest.mark.rule("WA-6", "VE-12")
    def test_every_quantity_break_unit_and_currency_is_an_entry(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        reads = having(erp, ReadsPrices)
        _arrange_priced(erp_world)
        entries = [
            self._price("9.9900"),
            self._price("9.4900", min_quantity=Decimal("100")),
            self._price("8.9900", min_quantity=Decimal("1000.5")),
            self._price("110.0000", unit="BOX"),
            self._price("10.9900", currency="USD"),
            self._price("4.2500", sku=NUT),
        ]
        for entry in entries:
            erp_world.add_price(entry)

        assert _by_order(reads.prices([self.own_scope])) == _by_order(
            [erp_world.told(entry) for entry in entries]
        )

    def test_prices_of_named_items_only(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsPrices)
        _arrange_priced(erp_world)
        erp_world.add_price(self._price())
        erp_world.add_price(self._price("4.2500", sku=NUT))
        scope = self.own_scope

        assert {price.key.sku for price in reads.prices([scope], [NUT])} == {NUT}
        assert {price.key.sku for price in reads.prices([scope], None)} == {a.SKU, NUT}
        # No item named is no price wanted; only None means all of them.
        assert list(reads.prices([scope], [])) == []
        assert list(reads.prices([scope], [Sku("UNKNOWN")])) == []

    @pytest.mark.rule("WA-6")
    def test_prices_of_two_accounts_are_kept_apart(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsPrices)
        _arrange_priced(erp_world)
        arrange_customer(erp_world, a.an_account(customer_id=OTHER, contacts=()))
        mine = self._price("9.9900")
        theirs = a.a_price("7.7700", scope=self.other_scope)
        erp_world.add_price(mine)
        erp_world.add_price(theirs)

        assert list(reads.prices([theirs.key.scope])) == [erp_world.told(theirs)]
        assert {mine.key.scope, theirs.key.scope} <= set(reads.price_scopes())
        both = reads.prices([mine.key.scope, theirs.key.scope])
        assert _by_order(both) == _by_order([erp_world.told(mine), erp_world.told(theirs)])

    def test_no_scope_asked_gives_no_price(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsPrices)
        _arrange_priced(erp_world)
        erp_world.add_price(self._price())

        assert list(reads.prices([])) == []

    @pytest.mark.rule("WA-6")
    def test_prices_of_a_thousand_scopes_are_read_in_one_call(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        reads = having(erp, ReadsPrices)
        _arrange_priced(erp_world)
        erp_world.add_price(self._price())
        scopes = [PriceScope.account(CustomerId(f"B-{number:04}")) for number in range(1200)]

        told = list(reads.prices([*scopes, self.own_scope]))

        assert told == [erp_world.told(self._price())]

    # Prices by the question.

    @pytest.mark.rule("WA-6", "WA-7", "VE-12")
    def test_a_question_is_answered_as_all_entries_would(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        reads, answers = having(erp, ReadsPrices), having(erp, AnswersPriceQuestions)
        _arrange_priced(erp_world)
        arrange_customer(erp_world, a.an_account(customer_id=OTHER, contacts=()))
        for entry in (
            self._price("9.9900"),
            self._price("9.4900", min_quantity=Decimal(100)),
            self._price("4.2500", sku=NUT, valid_until=date(2024, 12, 31)),
            self._price("4.7500", sku=NUT, valid_from=date(2025, 1, 1)),
            a.a_price("7.7700", scope=self.other_scope),
        ):
            erp_world.add_price(entry)
        [own, *_] = reads.prices([self.own_scope], [a.SKU])
        asked = [
            (
                scope,
                PriceQuestion(sku, unit, currency, Decimal(quantity), day),
            )
            for scope in (self.own_scope, self.other_scope, PriceScope.group("UNKNOWN"))
            for sku in (a.SKU, NUT, Sku("UNKNOWN"))
            for unit, currency in ((own.key.unit, own.key.currency), ("PALLET", "XTS"))
            # The last one has more digits than a double keeps, as after a conversion.
            for quantity in ("1", "99", "100", "5000", "28356.61050578125")
            for day in (date(2024, 12, 31), date(2025, 1, 1))
        ]

        # A few are not answered by the same way as many, perhaps.
        told = {**answers.asked_prices(asked)}
        alone = {each: answers.asked_prices([each]).get(each) for each in asked}

        for scope, question in asked:
            by_entries = effective_price(reads.prices([scope], [question.sku]), question)
            expected = by_entries.price.value.unit_price if by_entries else None
            for found in (told.get((scope, question)), alone[scope, question]):
                assert (found.value.unit_price if found else None) == expected, question
                assert found is None or effective_price([found], question) is not None
        assert {price.value.unit_price for price in told.values()} >= {
            Decimal("9.99"),
            Decimal("9.49"),
            Decimal("4.25"),
            Decimal("4.75"),
            Decimal("7.77"),
        }
        assert dict(answers.asked_prices([])) == {}

    # Prices by whole lists.

    @pytest.mark.rule("WA-6", "WA-7", "VE-12")
    def test_price_vectors_say_what_prices_say(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads, batches = having(erp, ReadsPrices), having(erp, SupportsPriceBatches)
        for entry in _arrange_lists(erp_world):
            erp_world.add_price(entry)
        scopes = set(reads.price_scopes())

        for level in batches.batched_levels:
            told = list(batches.price_vectors(level))
            assert sorted(scope for scope, _ in told) == sorted(
                scope for scope in scopes if scope.level is level
            )
            for scope, vector in told:
                alike = vector_of(reads.prices([scope]))
                assert vector.equals(alike), scope
                assert fingerprint(vector) == fingerprint(alike)

    def test_no_price_is_no_vector(self, erp: Erp, erp_world: ErpWorld) -> None:
        batches = having(erp, SupportsPriceBatches)
        _arrange_priced(erp_world)

        assert [list(batches.price_vectors(level)) for level in batches.batched_levels] == [
            [] for _ in batches.batched_levels
        ]

    @pytest.mark.rule("WA-7", "MI-3")
    def test_a_damaged_price_is_left_out_of_its_vector_and_told(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        batches, tells = having(erp, SupportsPriceBatches), having(erp, TellsUnreadable)
        level = self.own_scope.level
        if level not in batches.batched_levels:
            pytest.skip(f"{erp.capabilities.name} tells no vectors of that level")
        _arrange_priced(erp_world)
        whole, damaged = self._price(), self._price("4.2500", sku=NUT)
        for entry in (whole, damaged, a.a_price("7.7700", scope=self.other_scope)):
            erp_world.add_price(entry)
        erp_world.damage_price(damaged)
        tells.take_unreadable()

        told = {}
        known_of = {}
        for scope, vector in batches.price_vectors(level):
            told[scope] = prices_of(vector, scope)
            known_of[scope] = list(tells.take_unreadable())

        assert [price.key.sku for price in told[self.own_scope]] == [whole.key.sku]
        [record] = known_of[self.own_scope]
        assert NUT.value in record.key
        assert record.customer in (None, CustomerId(self.own_scope.owner))
        assert len(told) == 2
        assert tells.take_unreadable() == ()

    # What has changed of prices.

    @pytest.mark.rule("MI-2", "WA-7")
    def test_states_are_told_of_all_that_has_entries_and_stay_while_nothing_changes(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        reads, states = having(erp, ReadsPrices), having(erp, TellsPriceStates)
        for entry in _arrange_lists(erp_world):
            erp_world.add_price(entry)

        for level in states.stated_levels:
            assert level in states.batched_levels
            told = states.price_states(level)
            scopes = {scope for scope in reads.price_scopes() if scope.level is level}
            assert told.keys() == scopes
            for scope in scopes:
                assert told[scope].entries == len(list(reads.prices([scope])))
                assert len(told[scope].fingerprint) == 16
            assert states.price_states(level) == told

    @pytest.mark.rule("MI-2", "WA-7")
    def test_state_is_another_one_where_an_entry_comes_or_changes(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        states = having(erp, TellsPriceStates)
        if self.own_scope.level not in states.stated_levels:
            pytest.skip(f"{erp.capabilities.name} tells no states of that level")
        _arrange_priced(erp_world)
        for entry in (self._price(), a.a_price("7.7700", scope=self.other_scope)):
            erp_world.add_price(entry)
        told = [states.price_states(self.own_scope.level)]
        nut = self._price("4.2500", sku=NUT)
        erp_world.add_price(nut)
        told.append(states.price_states(self.own_scope.level))
        erp_world.damage_price(nut)
        told.append(states.price_states(self.own_scope.level))

        assert len({each[self.own_scope].fingerprint for each in told}) == 3
        assert [each[self.own_scope].entries for each in told] == [1, 2, 2]
        assert len({each[self.other_scope] for each in told}) == 1

    @pytest.mark.rule("MI-2", "WA-7")
    def test_states_of_some_scopes_are_those_among_all(self, erp: Erp, erp_world: ErpWorld) -> None:
        states = having(erp, TellsPriceStates)
        for entry in _arrange_lists(erp_world):
            erp_world.add_price(entry)
        every = {
            scope: state
            for level in states.stated_levels
            for scope, state in states.price_states(level).items()
        }
        nobody = PriceScope.account(CustomerId("B-NOBODY"))

        for scope, state in every.items():
            asked = [scope, nobody] if nobody.level in states.stated_levels else [scope]
            assert states.price_states_of(asked) == {scope: state}
        assert states.price_states_of(every.keys()) == every
        assert states.price_states_of([]) == {}

    @pytest.mark.rule("MI-2", "WA-6")
    def test_prices_are_told_as_of_the_moment_of_their_states_or_it_does_not_last(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        states = having(erp, HoldsPriceMoments)
        level, scope = self.own_scope.level, self.own_scope
        if level not in states.stated_levels:
            pytest.skip(f"{erp.capabilities.name} tells no states of that level")
        _arrange_priced(erp_world)
        erp_world.add_price(self._price())

        with states.price_moment() as moment:
            before = states.price_states(level)
            erp_world.add_price(self._price("4.2500", sku=NUT))
            told = dict(states.price_vectors(level))
            assert len(told[scope]) == (before[scope].entries if moment.lasts else 2)
            after = states.price_states_of([scope])
            assert after[scope].entries == (before[scope].entries if moment.lasts else 2)
            moment.end()
            assert states.price_states_of([scope])[scope].entries == 2
        assert not moment.lasts
        assert {len(rows) for each, rows in states.price_vectors_of([scope])} == {2}

    def test_no_price_is_no_state(self, erp: Erp, erp_world: ErpWorld) -> None:
        states = having(erp, TellsPriceStates)
        _arrange_priced(erp_world)

        assert [dict(states.price_states(level)) for level in states.stated_levels] == [
            {} for _ in states.stated_levels
        ]

    @pytest.mark.rule("WA-6", "WA-7")
    def test_vectors_of_some_scopes_are_those_among_all(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        states = having(erp, TellsPriceStates)
        for entry in _arrange_lists(erp_world):
            erp_world.add_price(entry)
        every = {
            scope: vector
            for level in states.batched_levels
            for scope, vector in states.price_vectors(level)
        }
        nobody = PriceScope.account(CustomerId("B-NOBODY"))

        counted = states.price_states_of(every.keys())
        for scope, vector in every.items():
            [(told, alone)] = list(states.price_vectors_of([scope, nobody]))
            # Another number is taken for a table that is being loaded.
            assert scope not in counted or counted[scope].entries == len(vector)
            assert told == scope
            assert alone.equals(vector)
        together = list(states.price_vectors_of(every.keys()))
        assert dict(together).keys() == every.keys()
        assert len(together) == len(every)
        assert list(states.price_vectors_of([])) == []

    # Invoices.

    @pytest.mark.rule("WA-8", "MI-6")
    def test_an_invoice_is_told_with_lines_and_dues(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsInvoices)
        arrange_customer(erp_world)
        arrange_items(erp_world)
        invoice = a.an_invoice(
            dues=(
                DueDate(date(2025, 3, 16), a.money("60.50")),
                DueDate(date(2025, 4, 16), a.money("60.50")),
            ),
            lines=(
                *a.an_invoice().lines,
                InvoiceLine(
                    number=2,
                    quantity=Decimal("0.125"),
                    net=a.money("0.00"),
                    sku=NUT,
                    description="Nut M8",
                    unit="EA",
                    unit_price=a.money("0.0001"),
                ),
            ),
            po_number="PO 4711/A",
        )
        erp_world.add_invoice(invoice)

        assert list(reads.invoices([a.ACCOUNT])) == [erp_world.told(invoice)]

    @pytest.mark.rule("MI-6")
    def test_a_credit_is_positive_and_says_so(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsInvoices)
        arrange_customer(erp_world)
        arrange_items(erp_world)
        credit = a.an_invoice(
            number=InvoiceNumber("CR-77"), kind=InvoiceKind.CREDIT, dues=(), open_amount=None
        )
        erp_world.add_invoice(credit)

        [told] = reads.invoices([a.ACCOUNT])

        assert told == erp_world.told(credit)
        assert told.kind is InvoiceKind.CREDIT
        assert told.total.amount > 0

    @pytest.mark.rule("WA-8")
    def test_invoices_are_those_of_the_accounts_asked(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsInvoices)
        arrange_customer(erp_world)
        arrange_customer(erp_world, a.an_account(customer_id=OTHER, contacts=()))
        arrange_items(erp_world)
        erp_world.add_invoice(a.an_invoice())
        erp_world.add_invoice(a.an_invoice(number=InvoiceNumber("INV-9"), sold_to=OTHER))

        assert [each.number for each in reads.invoices([OTHER])] == [InvoiceNumber("INV-9")]
        assert list(reads.invoices([])) == []
        assert list(reads.invoices([CustomerId("NOBODY")])) == []
        everybody = [CustomerId(f"B-{number:04}") for number in range(1200)]
        assert len(list(reads.invoices([*everybody, a.ACCOUNT, OTHER]))) == 2

    @pytest.mark.rule("MI-2", "MI-1")
    def test_invoices_are_told_of_accounts_that_are_not_as_they_were_known(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        spares, reads = having(erp, SparesInvoices), having(erp, ReadsInvoices)
        arrange_customer(erp_world)
        arrange_customer(erp_world, a.an_account(customer_id=OTHER, contacts=()))
        arrange_items(erp_world)
        erp_world.add_invoice(a.an_invoice())
        both = [a.ACCOUNT, OTHER]

        first = spares.invoices_unless(both, {})
        assert list(first.invoices) == list(reads.invoices(both))
        assert set(first.states) == set(both)
        assert {len(each) for each in first.states.values()} == {16}

        again = spares.invoices_unless(both[::-1], first.states)
        assert (list(again.invoices), again.states) == ([], first.states)

        erp_world.add_invoice(a.an_invoice(number=InvoiceNumber("INV-9"), sold_to=OTHER))
        changed = spares.invoices_unless(both, first.states)
        assert list(changed.invoices) == list(reads.invoices([OTHER]))
        assert changed.states[a.ACCOUNT] == first.states[a.ACCOUNT]
        assert changed.states[OTHER] != first.states[OTHER]
        assert spares.invoices_unless([OTHER], changed.states).invoices == []

    @pytest.mark.rule("MI-2", "MI-1")
    def test_addresses_are_told_of_accounts_that_are_not_as_they_were_known(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        spares, reads = having(erp, SparesShipTos), having(erp, ReadsShipTos)
        arrange_customer(erp_world)
        arrange_customer(erp_world, a.an_account(customer_id=OTHER, contacts=()))
        both = [a.ACCOUNT, OTHER]

        first = spares.ship_tos_unless(both, {})
        assert list(first.ship_tos) == list(reads.ship_tos(both))
        assert list(first.bill_tos) == list(reads.bill_tos(both))

        again = spares.ship_tos_unless(both[::-1], first.states)
        assert (list(again.ship_tos), list(again.bill_tos)) == ([], [])
        assert again.states == first.states

        erp_world.add_ship_to(a.a_ship_to(sold_to=OTHER, ship_to_id=ShipToId("YARD")))
        changed = spares.ship_tos_unless(both, first.states)
        assert list(changed.ship_tos) == list(reads.ship_tos([OTHER]))
        assert list(changed.bill_tos) == list(reads.bill_tos([OTHER]))
        assert changed.states[a.ACCOUNT] == first.states[a.ACCOUNT]

    # Balances.

    @pytest.mark.rule("MI-6")
    def test_balances_are_told_by_currency_with_the_erp_s_own_ageing(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        reads = having(erp, ReadsBalances)
        arrange_customer(erp_world)
        euros = a.a_balance("120.99")
        dollars = a.a_balance(balance=a.money("-0.50", "USD"), credit_limit=None, ageing=None)
        erp_world.add_balance(euros)
        erp_world.add_balance(dollars)

        told = sorted(reads.balances([a.ACCOUNT]), key=lambda each: each.currency)

        assert told == [erp_world.told(euros), erp_world.told(dollars)]

    @pytest.mark.rule("MI-6", "WA-8")
    def test_balances_are_those_of_the_accounts_asked(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsBalances)
        arrange_customer(erp_world)
        arrange_customer(erp_world, a.an_account(customer_id=OTHER, contacts=()))
        erp_world.add_balance(a.a_balance())
        erp_world.add_balance(a.a_balance("7.00", sold_to=OTHER))

        assert [each.balance for each in reads.balances([OTHER])] == [a.money("7.00")]
        assert list(reads.balances([])) == []
        everybody = [CustomerId(f"B-{number:04}") for number in range(1200)]
        assert len(list(reads.balances([*everybody, a.ACCOUNT, OTHER]))) == 2

    @pytest.mark.rule("MI-6")
    def test_an_account_without_a_balance_does_not_owe_nothing(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        reads = having(erp, ReadsBalances)
        arrange_customer(erp_world)

        assert list(reads.balances([a.ACCOUNT])) == []

    # Orders from every source.

    @pytest.mark.rule("MI-5")
    def test_an_order_of_the_desk_is_told_with_its_lines(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        reads = having(erp, ReadsAccountOrders)
        arrange_customer(erp_world)
        arrange_items(erp_world)
        order = a.an_account_order()
        line = order.lines[0]
        more = dataclasses.replace(line, number=2, sku=NUT, description=TRICKY, shipped=None)
        order = dataclasses.replace(order, source=OrderSource.EDI, lines=(line, more))
        bare = a.an_account_order("9002", po_number=None, requested_on=None, lines=())
        erp_world.add_account_order(order)
        erp_world.add_account_order(bare)

        told = {each.number: each for each in reads.account_orders([a.ACCOUNT])}

        assert told == {each.number: erp_world.told(each) for each in (order, bare)}

    @pytest.mark.rule("MI-5", "WA-8")
    def test_orders_are_those_of_the_accounts_asked(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsAccountOrders)
        arrange_customer(erp_world)
        arrange_customer(erp_world, a.an_account(customer_id=OTHER, contacts=()))
        arrange_items(erp_world)
        erp_world.add_account_order(a.an_account_order())
        erp_world.add_account_order(a.an_account_order("9002", sold_to=OTHER))

        assert [each.sold_to for each in reads.account_orders([OTHER])] == [OTHER]
        assert list(reads.account_orders([])) == []
        everybody = [CustomerId(f"B-{number:04}") for number in range(1200)]
        assert len(list(reads.account_orders([*everybody, a.ACCOUNT, OTHER]))) == 2

    @pytest.mark.rule("MI-5")
    def test_an_order_of_ours_is_among_them_with_its_key(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        reads, submits = having(erp, ReadsAccountOrders), having(erp, SubmitsOrders)
        arrange_customer(erp_world)
        arrange_items(erp_world)
        erp_world.add_account_order(a.an_account_order())
        order = a.a_sales_order()
        number = submits.submit_order(order, a.KEY).number
        assert erp_world.order_rows(a.KEY).headers == 1

        found = {each.key: each for each in reads.account_orders([order.sold_to])}

        assert found.keys() == {None, a.KEY}
        ours = found[a.KEY]
        assert (ours.source, ours.web_order) == (OrderSource.WEB, None)
        assert (ours.total, len(ours.lines)) == (order.total, len(order.lines))
        assert number in (None, ours.number)

    # Customers' own part numbers.

    @pytest.mark.rule("TL-6")
    def test_part_numbers_are_told_with_their_items(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsCustomerParts)
        arrange_customer(erp_world)
        arrange_items(erp_world)
        parts = [
            a.a_customer_part(),
            # One number for two items, and one item under two numbers.
            a.a_customer_part(sku=NUT, unit=None, description=None),
            a.a_customer_part(part_number=PartNumber("0042"), unit="BOX", description=TRICKY),
        ]
        for each in parts:
            erp_world.add_customer_part(each)

        told = {each.key: each for each in reads.customer_parts([a.ACCOUNT])}

        assert told == {each.key: erp_world.told(each) for each in parts}

    @pytest.mark.rule("TL-6")
    def test_part_numbers_are_those_of_the_accounts_asked(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        reads = having(erp, ReadsCustomerParts)
        arrange_customer(erp_world)
        arrange_customer(erp_world, a.an_account(customer_id=OTHER, contacts=()))
        arrange_items(erp_world)
        erp_world.add_customer_part(a.a_customer_part())
        erp_world.add_customer_part(a.a_customer_part(sold_to=OTHER))

        assert [each.sold_to for each in reads.customer_parts([OTHER])] == [OTHER]
        assert list(reads.customer_parts([])) == []
        everybody = [CustomerId(f"B-{number:04}") for number in range(1200)]
        assert len(list(reads.customer_parts([*everybody, a.ACCOUNT, OTHER]))) == 2

    # Documents.

    @pytest.mark.rule("TL-7")
    def test_documents_are_told_with_their_references_and_files(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        reads = having(erp, ReadsDocuments)
        arrange_customer(erp_world)
        records = [
            a.a_document_record(
                erp_order=ErpOrderNumber("SO-77"), web_reference="W-1", size=80, sha256="0a" * 32
            ),
            # One number in each kind, as where each counts from one.
            a.a_document_record(kind=DocumentKind.DELIVERY_NOTE, place=f"notes/{TRICKY}.pdf"),
            a.a_document_record(kind=DocumentKind.ORDER_CONFIRMATION, place="../up.pdf"),
            a.a_document_record(number=DocumentNumber("0001"), issued_on=date(2024, 2, 29)),
        ]
        for each in records:
            erp_world.add_document(each)

        told = {each.key: each for each in reads.documents([a.ACCOUNT])}

        assert told == {each.key: erp_world.told(each) for each in records}

    @pytest.mark.rule("TL-7", "WA-8")
    def test_documents_are_those_of_the_accounts_asked(self, erp: Erp, erp_world: ErpWorld) -> None:
        reads = having(erp, ReadsDocuments)
        arrange_customer(erp_world)
        arrange_customer(erp_world, a.an_account(customer_id=OTHER, contacts=()))
        erp_world.add_document(a.a_document_record())
        erp_world.add_document(a.a_document_record(sold_to=OTHER, number=DocumentNumber("2")))

        assert [each.sold_to for each in reads.documents([OTHER])] == [OTHER]
        assert list(reads.documents([])) == []
        everybody = [CustomerId(f"B-{number:04}") for number in range(1200)]
        assert len(list(reads.documents([*everybody, a.ACCOUNT, OTHER]))) == 2

    @pytest.mark.rule("TL-7")
    @pytest.mark.parametrize("kind", DocumentKind)
    def test_a_file_that_the_erp_gives_out_is_read_in_the_version_told(
        self, erp: Erp, erp_world: ErpWorld, kind: DocumentKind
    ) -> None:
        reads, gives = having(erp, ReadsDocuments), having(erp, ReadsDocumentFiles)
        arrange_customer(erp_world)
        numbers = [DocumentNumber("INV-5001"), DocumentNumber("INV-5002")]
        for number in numbers:
            record = a.a_document_record(kind=kind, number=number, place=f"{number}.pdf")
            erp_world.add_document(record, _paper(number))

        told = {each.number: each for each in reads.documents([a.ACCOUNT])}

        assert sorted(told) == numbers
        for number, record in told.items():
            assert record.version is not None
            pieces = list(gives.read_document(record.place, record.version))
            file = b"".join(pieces)
            assert file.startswith(b"%PDF-")
            assert b"%%EOF" in file[-1024:]
            assert [each for each in numbers if each.value.encode() in file] == [number]
            assert len(file) <= gives.document_size_limit
            assert all(len(each) <= 1024 * 1024 for each in pieces)

    @pytest.mark.rule("TL-7", "MI-2")
    @pytest.mark.parametrize("kind", DocumentKind)
    def test_a_version_stays_until_the_file_is_another(
        self, erp: Erp, erp_world: ErpWorld, kind: DocumentKind
    ) -> None:
        reads, gives = having(erp, ReadsDocuments), having(erp, ReadsDocumentFiles)
        arrange_customer(erp_world)
        record = a.a_document_record(kind=kind)
        erp_world.add_document(record, _paper(record.number))
        [first] = reads.documents([a.ACCOUNT])
        assert first.version is not None
        # Also to have read it, which may mean that it was made, makes no other of it.
        list(gives.read_document(first.place, first.version))
        assert list(reads.documents([a.ACCOUNT])) == [first]

        erp_world.add_document(record, _paper(record.number, "corrected"))

        [second] = reads.documents([a.ACCOUNT])
        assert second.version is not None
        assert second.version != first.version
        with pytest.raises(Rejected):
            list(gives.read_document(first.place, first.version))
        file = b"".join(gives.read_document(second.place, second.version))
        assert record.number.value.encode() in file

    @pytest.mark.rule("TL-7", "WA-8")
    @pytest.mark.parametrize("place", ["", "no such place", "../up.pdf", "account.invoice/999999"])
    def test_a_file_that_no_document_has_is_not_read(
        self, erp: Erp, erp_world: ErpWorld, place: str
    ) -> None:
        gives = having(erp, ReadsDocumentFiles)
        arrange_customer(erp_world)

        with pytest.raises(Rejected):
            list(gives.read_document(place, "1"))

    # Availability.

    @pytest.mark.rule("MI-4")
    def test_availability_is_told_by_item_and_warehouse(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        reads = having(erp, ReadsAvailability)
        arrange_items(erp_world)
        figures = [
            a.an_availability("12.125"),
            a.an_availability("-3.000", warehouse="W2", next_due=date(2025, 4, 1)),
            a.an_availability("0.000", sku=NUT, discontinued=True),
        ]
        for each in figures:
            erp_world.add_availability(each)

        told = {each.key: each for each in reads.availability()}

        assert told == {each.key: erp_world.told(each) for each in figures}
        assert [each.sku for each in reads.availability([NUT])] == [NUT]
        many = [Sku(f"NO-{number:04}") for number in range(1200)]
        assert len(list(reads.availability([*many, NUT, a.SKU]))) == 3

    @pytest.mark.rule("MI-4")
    def test_figures_come_in_the_order_of_their_items_however_the_erp_sorts(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        reads = having(erp, ReadsAvailability)
        # No two languages agree about these; code points do not care.
        skus = [Sku(each) for each in ("b", "A-10", "\u00e4", "a", "A-9", "A9", "Z", "\u00c4", "z")]
        for sku in skus:
            erp_world.add_item(a.an_item(sku=sku, units=()))
            for warehouse in ("W1", "W2"):
                erp_world.add_availability(a.an_availability(sku=sku, warehouse=warehouse))

        told = [each.sku for each in reads.availability()]

        assert told == sorted(told)
        assert sorted(told) == sorted([*skus, *skus])

    @pytest.mark.rule("MI-4")
    def test_an_item_without_a_figure_is_absent_and_not_zero(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        reads = having(erp, ReadsAvailability)
        arrange_items(erp_world)
        erp_world.add_availability(a.an_availability())

        assert list(reads.availability([])) == []
        assert list(reads.availability([NUT])) == []

    # Changes.

    @pytest.mark.parametrize("feed", [Feed.ACCOUNTS, Feed.SHIP_TOS, Feed.INVOICES])
    def test_changes_are_told_inclusively(self, erp: Erp, erp_world: ErpWorld, feed: Feed) -> None:
        tells = _telling(erp, feed)
        _arrange_changing(erp_world, feed)
        before, after = LONG_AGO, LONG_AGO + timedelta(days=2)
        erp_world.mark_changed(a.ACCOUNT, feed, before)
        erp_world.mark_changed(OTHER, feed, after)

        both, _ = tells.changed_customers(feed, Watermark(before))
        later, _ = tells.changed_customers(feed, Watermark(after))
        none, _ = tells.changed_customers(feed, Watermark(after + timedelta(days=1)))

        assert {a.ACCOUNT, OTHER} <= set(both)
        assert set(later) & {a.ACCOUNT, OTHER} == {OTHER}
        assert set(none) & {a.ACCOUNT, OTHER} == set()

    @pytest.mark.parametrize("feed", list(Feed))
    def test_a_feed_never_reaches_further_than_its_own_clock(
        self, erp: Erp, erp_world: ErpWorld, feed: Feed
    ) -> None:
        tells = _telling(erp, feed)
        arrange_customer(erp_world)

        before = tells.feed_now(feed)
        _, reached = tells.changed_customers(feed, Watermark(LONG_AGO))
        after = tells.feed_now(feed)

        assert before <= reached <= after

    # Checking.

    def test_a_check_reports_and_writes_nothing(self, erp: Erp, erp_world: ErpWorld) -> None:
        arrange_customer(erp_world)

        findings = erp.check()

        assert findings
        assert [each for each in findings if each.level is FindingLevel.ERROR] == []
        assert all(each.subject and each.message for each in findings)
        assert erp_world.order_rows() == OrderRows(headers=0, lines=0)

    def test_closing_twice_is_harmless(self, erp: Erp, erp_world: ErpWorld) -> None:
        erp.close()
        erp.close()

    def test_an_order_on_file_ship_to_is_named_not_copied(
        self, erp: Erp, erp_world: ErpWorld
    ) -> None:
        submits = self._order_world(erp, erp_world)
        submits.submit_order(a.a_sales_order(ship_to=OnFileShipTo(a.SHIP_TO)), a.KEY)

        written = erp_world.written(a.KEY)

        assert written is not None
        assert written.ship_to_id == a.SHIP_TO
        assert written.one_off is None

    # Groups of orders.

    def _group_world(self, erp: Erp, world: ErpWorld) -> SupportsOrderGroups:
        groups = having(erp, SupportsOrderGroups)
        if erp.capabilities.order_group < 2:
            pytest.skip(f"{erp.capabilities.name} takes no groups of orders")
        self._order_world(erp, world)
        return groups

    @pytest.mark.rule("OI-1")
    def test_a_group_of_orders_is_in_the_erp_whole(self, erp: Erp, erp_world: ErpWorld) -> None:
        groups = self._group_world(erp, erp_world)
        orders = a_group(3)
        answers = groups.submit_orders(orders)

        told = OrderAcknowledgement(None)
        assert len(answers) == 3
        for answer, (order, key) in zip(answers, orders, strict=True):
            assert erp_world.order_rows(key) == OrderRows(1, 1)
            written = erp_world.written(key)
            assert written is not None
            assert written.po_number == erp_world.told(order.po_number)
            found = having(erp, FindsOrders).find_order(key)
            assert found is not None
            assert found.differences(order) == ()
            assert answer in (told, OrderAcknowledgement(found.number))
        assert erp_world.order_rows() == OrderRows(3, 3)

    @pytest.mark.rule("OI-1")
    def test_the_largest_group_is_written(self, erp: Erp, erp_world: ErpWorld) -> None:
        groups = self._group_world(erp, erp_world)
        most = erp.capabilities.order_group
        with pytest.raises(ValueError, match=str(most)):
            groups.submit_orders(a_group(most + 1))
        assert erp_world.order_rows() == OrderRows(0, 0)
        groups.submit_orders(a_group(most))
        assert erp_world.order_rows() == OrderRows(most, most)

    @pytest.mark.rule("OI-1", "OI-2")
    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_one_refused_order_refuses_its_group_and_is_named(
        self, erp: Erp, erp_world: ErpWorld, place: int
    ) -> None:
        groups = self._group_world(erp, erp_world)
        erp_world.refuse_item(NUT)
        orders = a_group(3)
        refused, key = orders[place]
        lines = (*refused.lines, a.a_sales_line(number=2, sku=NUT))
        orders[place] = (dataclasses.replace(refused, lines=lines, total=a.money("199.80")), key)
        with pytest.raises(GroupRejected) as caught:
            groups.submit_orders(orders)

        assert caught.value.position == place
        assert caught.value.code
        assert caught.value.remedy
        assert erp_world.order_rows() == OrderRows(0, 0)
        groups.submit_orders([each for each in orders if each[1] != key])
        assert erp_world.order_rows() == OrderRows(2, 2)

    @pytest.mark.rule("OI-1")
    def test_a_key_twice_in_a_group_is_refused(self, erp: Erp, erp_world: ErpWorld) -> None:
        groups = self._group_world(erp, erp_world)
        orders = a_group(3)
        with pytest.raises(GroupRejected) as caught:
            groups.submit_orders([*orders, orders[1]])
        assert caught.value.position == 3
        assert erp_world.order_rows() == OrderRows(0, 0)

    @pytest.mark.rule("OI-1")
    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_a_key_that_the_erp_holds_stops_its_group(
        self, erp: Erp, erp_world: ErpWorld, place: int
    ) -> None:
        groups = self._group_world(erp, erp_world)
        orders = a_group(3)
        having(erp, SubmitsOrders).submit_order(*orders[place])
        with pytest.raises(Conflict):
            groups.submit_orders(orders)
        assert erp_world.order_rows() == OrderRows(1, 1)

    @pytest.mark.rule("OI-1")
    def test_many_orders_are_looked_up_as_one_is(self, erp: Erp, erp_world: ErpWorld) -> None:
        together = having(erp, FindsOrdersTogether)
        submits = self._order_world(erp, erp_world)
        orders = a_group(3)
        for order, key in orders[:2]:
            submits.submit_order(order, key)
        keys = [key for _, key in orders]

        found = together.find_orders(keys)
        assert found.keys() == set(keys[:2])
        for key in keys[:2]:
            assert found[key] == having(erp, FindsOrders).find_order(key)
        assert together.find_orders([]) == {}

    @pytest.mark.rule("WA-15")
    def test_many_po_numbers_are_asked_about_as_one_is(self, erp: Erp, erp_world: ErpWorld) -> None:
        together = having(erp, ChecksPurchaseOrdersTogether)
        submits = self._order_world(erp, erp_world)
        [(order, key), *_] = a_group(1)
        submits.submit_order(order, key)
        assert order.po_number is not None

        again = PurchaseOrder(order.sold_to, order.po_number, OTHER_KEY)
        itself = PurchaseOrder(order.sold_to, order.po_number, key)
        new = PurchaseOrder(order.sold_to, "PO never used", OTHER_KEY)
        used = together.purchase_orders_used([again, itself, new])
        one_by_one = having(erp, ChecksPurchaseOrders)
        number = one_by_one.purchase_order_used(again.customer_id, again.po_number, again.key)
        # An order that the ERP has not taken up yet has no number to tell.
        assert number is not None or erp.capabilities.number_follows
        assert used == ({} if number is None else {again: number})


def _accounts(found: AccountsFound) -> Sequence[CustomerId]:
    assert not isinstance(found, Rejected)
    return found


def _two_lines() -> tuple[SalesOrderLine, ...]:
    nuts = a.a_sales_line(
        number=2,
        sku=NUT,
        quantity=Decimal(4),
        stock_quantity=Decimal(4),
        unit_price=a.money("5.5000"),
        net=a.money("22.00"),
    )
    return (a.a_sales_line(), nuts)


def _again(submits: SubmitsOrders, order: SalesOrder) -> OrderAcknowledgement | None:
    """The answer to a second submit under the used key; None for Conflict."""
    try:
        return submits.submit_order(order, a.KEY)
    except Conflict:
        return None


def _restricted_items() -> list[Item]:
    """For one customer, for two groups, for both kinds, and for nobody."""
    own = frozenset({a.ACCOUNT})
    return [
        a.an_item(sku=Sku("OWN"), units=(), allowed_to=own),
        a.an_item(
            sku=Sku("CLUB"),
            units=(),
            allowed_to=frozenset(),
            allowed_tags=frozenset({"LICENSED", "OEM"}),
        ),
        a.an_item(sku=Sku("MIX"), units=(), allowed_to=own, allowed_tags=frozenset({"LICENSED"})),
        a.an_item(sku=Sku("NONE"), units=(), allowed_to=frozenset()),
    ]


def _arrange_priced(world: ErpWorld) -> None:
    arrange_customer(world, a.an_account(price_groups=("GOLD",)))
    arrange_items(world)


def _arrange_lists(world: ErpWorld) -> list[Price]:
    """Entries of every level, with all that an entry can have; none is arranged yet."""
    _arrange_priced(world)
    world.add_location(a.a_location())
    scopes = [
        ITEM_OVERRIDES,
        PriceScope.location(LocationId("SITE-1")),
        PriceScope.account(a.ACCOUNT),
        PriceScope.account(OTHER),
        PriceScope.group("GOLD"),
        PriceScope.group("SILVER"),
        DEFAULT_LIST,
    ]
    entries = []
    for number, scope in enumerate(scopes):
        entries += [
            a.a_price("123456789012.3456", scope=scope, price_list=f"L{number}"),
            a.a_price("0.0001", scope=scope, min_quantity=Decimal("1000.5")),
            a.a_price("9.4900", scope=scope, sku=NUT, priority=number, warehouse="W1"),
            a.a_price("8.0000", scope=scope, valid_from=date(2020, 1, 1)),
            a.a_price("8.5000", scope=scope, unit="BOX", valid_until=date(2089, 12, 31)),
            a.a_price("0.0000", scope=scope, sku=NUT, currency="USD"),
            a.a_price(None, scope=scope, sku=NUT, unit="BOX"),
        ]
    # As they lie in a table: those of one owner are not together, nor in any order.
    return entries[::3] + entries[1::3] + entries[2::3]


def _arrange_changing(world: ErpWorld, feed: Feed) -> None:
    """Two accounts, each with a record of this feed."""
    arrange_items(world)
    for customer_id in (a.ACCOUNT, OTHER):
        arrange_customer(world, a.an_account(customer_id=customer_id, contacts=()))
        if feed is Feed.INVOICES:
            number = InvoiceNumber(f"INV-{customer_id}")
            world.add_invoice(a.an_invoice(number=number, sold_to=customer_id))


def _telling(erp: Erp, feed: Feed) -> TellsChanges:
    tells = having(erp, TellsChanges)
    if feed not in erp.capabilities.change_feeds:
        pytest.skip(f"{erp.capabilities.name} does not claim changes of {feed.value}")
    return tells


def _by_order(prices: Iterable[Price]) -> list[Price]:
    return sorted(prices, key=lambda price: price.key.order)


def _cut(text: str, length: int | None) -> str:
    return text if length is None else text[:length].strip()


def _encodable(text: str, encoding: str | None) -> str:
    """The text without what the ERP's encoding lacks; admission keeps that away."""
    if encoding is None:
        return text
    return text.encode(encoding, errors="ignore").decode(encoding)


def a_group(size: int) -> list[tuple[SalesOrder, IdempotencyKey]]:
    """So many orders of one line, each under its own key."""
    return [
        (
            a.a_sales_order(
                web_order=WebOrderId(f"order-{number}"),
                web_number=WebOrderNumber(f"W-{number}"),
                po_number=f"PO {number}",
            ),
            IdempotencyKey(f"shop-group-{number:03}"),
        )
        for number in range(1, size + 1)
    ]
