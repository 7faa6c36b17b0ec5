"""A folder of CSV files as the ports see it.

Reads go to files that the ERP exports; an order is a file that it imports. What
an ERP does not export is named in the option ``without``, and then the adapter has
no such methods: the engine asks ``isinstance`` what it can do.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from erp_adapters.csv_folder import translate
from erp_adapters.csv_folder.checking import rows_finding
from erp_adapters.csv_folder.layout import OPTIONAL, SHEETS
from erp_adapters.csv_folder.order_file import ADDRESS_LINES, key_of, render
from erp_adapters.csv_folder.outbox import Outbox
from erp_adapters.csv_folder.settings import Settings
from erp_adapters.csv_folder.tables import FileMissing, Row, Table, Tables, Unreadable
from sync.domain.account import Account, BillTo, Contact, Item, Location, ShipTo
from sync.domain.ids import CustomerId, IdempotencyKey, Sku
from sync.domain.invoice import Invoice
from sync.domain.money import Rounding
from sync.domain.pricing import Price, PriceScope
from sync.domain.sales_order import (
    ErpOrderState,
    FoundOrder,
    OrderAcknowledgement,
    OrderStatus,
    SalesOrder,
)
from sync.errors import Conflict, Rejected, SyncError, TryLater
from sync.kit.contacts import ContactAnswers
from sync.kit.disk import Disk, FileSystem
from sync.kit.foreseeing import refusal_of
from sync.kit.one_writer import REMEDY
from sync.ports.erp import (
    AccountsFound,
    Erp,
    ErpCapabilities,
    Finding,
    FindingLevel,
    UnreadableRecord,
)

SILENT_AFTER = timedelta(hours=24)
"""An order that the answer file has not named for so long is told by a check."""


_LAYOUT = "correct the ERP's export; erp_adapters/csv_folder/README.md lists files and columns"


class _Base:
    def __init__(self, settings: Settings, files: FileSystem | None = None) -> None:
        disk = files or Disk()
        absent = [name for word in settings.without for name in OPTIONAL[word]]
        self._settings = settings
        self._files = disk
        self._tables = Tables(settings.folder, disk, settings.form, absent)
        self._outbox = Outbox(self._tables, disk)
        self._unreadable = Unreadable()
        self._read_names = [name for name in SHEETS if name not in absent]
        self._capabilities = ErpCapabilities(
            name="csv_folder",
            unit_price_rounding=Rounding(settings.unit_price_places, settings.rounding),
            amount_rounding=Rounding(settings.amount_places, settings.rounding),
            time_zone=settings.time_zone,
            order_hold=True,
            number_follows=True,
            external_key_length=80,
            address_lines=ADDRESS_LINES,
        )

    @property
    def capabilities(self) -> ErpCapabilities:
        possible = self._outbox.one_writer.possible
        return replace(self._capabilities, unique_external_key=possible)

    def close(self) -> None:
        """Nothing is kept open between two reads."""

    def take_unreadable(self) -> Sequence[UnreadableRecord]:
        return self._unreadable.take()

    def check(self) -> Sequence[Finding]:
        gone = self._gone()
        if gone is not None:
            return (gone,)  # nothing else can be said then
        found = [self._look_at(name) for name in self._read_names]
        folders = (self._outbox.orders, self._outbox.sent)
        found += [_folder_finding(folder, self._files) for folder in folders]
        if all(each.level is not FindingLevel.ERROR for each in found):
            found.append(self._silent())
            trouble = self._outbox.one_writer.trouble()
            if trouble is not None:
                found.append(Finding("locks", FindingLevel.WARNING, trouble, REMEDY))
        return tuple(found)

    def _gone(self) -> Finding | None:
        """That the exchange folder itself is not there, or cannot be looked at."""
        folder = self._tables.folder
        remedy = "mount the share, or correct the option folder"
        try:
            if self._files.facts(folder) is not None:
                return None
            said = "the folder is not there"
        except OSError as error:
            said, remedy = error.strerror or type(error).__name__, "let the service read there"
        return Finding("folder", FindingLevel.ERROR, f"{folder}: {said}", remedy)

    def _look_at(self, name: str) -> Finding:
        subject = f"file {SHEETS[name].file_name}"
        try:
            return rows_finding(self._tables, name, subject)
        except FileMissing as error:
            return Finding(subject, FindingLevel.ERROR, error.what, error.remedy)
        except TryLater as error:
            remedy = "let the ERP write it whole under another name, then rename it"
            return Finding(subject, FindingLevel.ERROR, str(error), remedy)
        except SyncError as error:
            return Finding(subject, FindingLevel.ERROR, str(error), _LAYOUT)

    def _silent(self) -> Finding:
        now = datetime.now(UTC)
        answered = self._tables.get("order_status").by("external_key")
        silent = []
        for name in sorted(self._files.names(self._outbox.sent)):
            facts = self._files.facts(self._outbox.sent / name)
            if facts is None or not name.endswith(".csv") or name.startswith("."):
                continue
            sent_at = datetime.fromtimestamp(facts.changed_ns / 1e9, UTC)
            key = key_of(self._files.read(self._outbox.sent / name))
            if now - sent_at > SILENT_AFTER and key not in answered:
                silent.append(name)
        if not silent:
            return Finding("answers", FindingLevel.OK, "no order waits for one too long")
        return Finding(
            "answers",
            FindingLevel.WARNING,
            f"{len(silent)} orders without an answer for a day, first {silent[0]}",
            "look in the ERP whether it took them, and let it name them in order_status.csv",
        )


class _ReadsAccounts(_Base):
    def accounts(self, customer_ids: Collection[CustomerId]) -> Mapping[CustomerId, Account]:
        table, contacts = self._tables.get("customers"), self._tables.get("contacts")

        def make(row: Row) -> Account:
            own = contacts.by("customer_id").get(row["customer_id"] or "", ())
            people: list[Contact] = [translate.contact(each) for each in own]
            return translate.account(row, people)

        every = table.of("customer_id", [each.value for each in customer_ids])
        rows = self._unreadable.single(table.sheet, every)
        made = self._unreadable.build(table.sheet, rows, make)
        return {account.customer_id: account for account in made}

    def customer_ids(self) -> Iterator[CustomerId]:
        table = self._tables.get("customers")
        found = self._unreadable.build(
            table.sheet, table.rows, lambda row: CustomerId(row["customer_id"] or "")
        )
        return iter(dict.fromkeys(found))

    def locations(self, customer_ids: Collection[CustomerId]) -> Sequence[Location]:
        table = self._tables.get("locations")
        every = table.of("customer_id", [each.value for each in customer_ids])
        rows = self._unreadable.single(table.sheet, every)
        return list(self._unreadable.build(table.sheet, rows, translate.location))


class _FindsContacts(_Base):
    def accounts_by_email(self, email: str) -> Sequence[CustomerId]:
        wanted = email.casefold()
        table = self._tables.get("contacts")
        rows = [row for row in table.rows if (row["email"] or "").casefold() == wanted]
        return list(dict.fromkeys(_customer_of_contact(table, row) for row in rows))

    def accounts_by_emails(self, emails: Collection[str]) -> Mapping[str, AccountsFound]:
        answers, table = ContactAnswers(emails), self._tables.get("contacts")
        for row in table.rows:
            email = row["email"] or ""
            if not answers.concern(email):
                continue
            try:
                answers.found(email, _customer_of_contact(table, row))
            except Rejected as refusal:
                answers.refuse(email, refusal)
        return answers.told()


def _customer_of_contact(table: Table, row: Row) -> CustomerId:
    try:
        return CustomerId(row["customer_id"] or "")
    except ValueError as error:
        raise Rejected(
            f"a contact in {table.sheet.file_name} has a customer_id that is none: {error}",
            code="erp_unreadable",
            remedy="correct the contact in the ERP, or what it exports",
        ) from error


class _ReadsShipTos(_Base):
    def ship_tos(self, customer_ids: Collection[CustomerId]) -> Sequence[ShipTo]:
        table = self._tables.get("ship_tos")
        every = table.of("customer_id", [each.value for each in customer_ids])
        rows = self._unreadable.single(table.sheet, every)
        return list(self._unreadable.build(table.sheet, rows, translate.ship_to))

    def bill_tos(self, customer_ids: Collection[CustomerId]) -> Sequence[BillTo]:
        table = self._tables.get("bill_tos")
        every = table.of("customer_id", [each.value for each in customer_ids])
        rows = self._unreadable.single(table.sheet, every)
        return list(self._unreadable.build(table.sheet, rows, translate.bill_to))


class _ReadsItems(_Base):
    def items(self, skus: Collection[Sku]) -> Mapping[Sku, Item]:
        table = self._tables.get("items")
        every = table.of("sku", [each.value for each in skus])
        rows = self._unreadable.single(table.sheet, every)
        made = self._unreadable.build(table.sheet, rows, translate.item)
        return {item.sku: item for item in made}

    def restricted_items(self) -> Iterator[Sku]:
        table = self._tables.get("items")
        rows = [row for row in table.rows if row["allowed_to"] or row["allowed_tags"]]
        found = self._unreadable.build(table.sheet, rows, lambda row: Sku(row["sku"] or ""))
        return iter(dict.fromkeys(found))


class _ReadsPrices(_Base):
    def price_scopes(self) -> Iterator[PriceScope]:
        table = self._tables.get("prices")
        found = self._unreadable.build(table.sheet, table.rows, translate.scope, _price_owner)
        return iter(dict.fromkeys(found))

    def prices(
        self, scopes: Collection[PriceScope], skus: Collection[Sku] | None = None
    ) -> Iterator[Price]:
        table = self._tables.get("prices")
        wanted = frozenset(scopes)
        rows = table.rows if skus is None else table.of("sku", [each.value for each in skus])
        for price in self._unreadable.build(table.sheet, rows, translate.price, _price_owner):
            if price.key.scope in wanted:
                yield price


class _ReadsInvoices(_Base):
    def invoices(self, customer_ids: Collection[CustomerId]) -> Sequence[Invoice]:
        table = self._tables.get("invoices")
        lines = self._tables.get("invoice_lines").by("invoice_number")
        dues = self._tables.get("invoice_dues").by("invoice_number")

        def make(row: Row) -> Invoice:
            number = row["invoice_number"] or ""
            own_lines, own_dues = lines.get(number, ()), dues.get(number, ())
            if own_lines or own_dues:
                translate.refuse_shared(table.by("invoice_number").get(number, ()))
            return translate.invoice(row, own_lines, own_dues)

        every = table.of("customer_id", [each.value for each in customer_ids])
        rows = self._unreadable.single(table.sheet, every)
        return list(self._unreadable.build(table.sheet, rows, make))


class _TakesOrders(_Base):
    def find_order(self, key: IdempotencyKey) -> FoundOrder | None:
        return self._outbox.standing(key).found(key)

    def foreseen_refusal(self, order: SalesOrder, key: IdempotencyKey) -> Rejected | None:
        return refusal_of(self._rendered, order, key)

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        content = self._rendered(order, key)
        self._refuse_unknown(order)
        held = self._outbox.send(order, key, content)
        if held is None:
            return OrderAcknowledgement(None)
        differences = held.differences(order)
        if differences:
            raise Conflict(
                f"order {order.web_number} went out under {key} already,"
                f" and differs: {'; '.join(differences)}"
            )
        return OrderAcknowledgement(held.number)

    def order_statuses(
        self, keys: Collection[IdempotencyKey]
    ) -> Mapping[IdempotencyKey, OrderStatus]:
        table = self._tables.get("order_status")
        shipments = self._tables.get("order_shipments").by("external_key")
        lines = self._tables.get("order_line_status").by("external_key")
        told: dict[IdempotencyKey, OrderStatus] = {}
        for key in keys:
            standing = self._outbox.standing(key)
            if standing.answer is None:
                if standing.shown:
                    told[key] = OrderStatus(ErpOrderState.RECEIVED)
                continue

            def make(row: Row, key: IdempotencyKey = key) -> OrderStatus:
                return translate.order_status(
                    row, shipments.get(key.value, ()), lines.get(key.value, ())
                )

            for status in self._unreadable.build(table.sheet, [standing.answer], make):
                told[key] = status
        return told

    def _rendered(self, order: SalesOrder, key: IdempotencyKey) -> bytes:
        return render(order, key, ZoneInfo(self._settings.time_zone))

    def _refuse_unknown(self, order: SalesOrder) -> None:
        """What the ERP's import would stumble over hours later is told at once."""
        if order.sold_to.value not in self._tables.get("customers").by("customer_id"):
            raise Rejected(
                f"order {order.web_number}: customers.csv has no customer {order.sold_to}",
                code="erp_constraint",
                remedy="create the customer in the ERP, wait for its export, then replay",
            )
        known = self._tables.get("items").by("sku")
        missing = [str(line.sku) for line in order.lines if line.sku.value not in known]
        if missing:
            raise Rejected(
                f"order {order.web_number}: items.csv has no item {', '.join(missing)}",
                code="erp_constraint",
                remedy="create the item in the ERP, wait for its export, then replay",
            )


_WITHOUT: Mapping[str, type[_Base]] = {
    "contacts": _FindsContacts,
    "prices": _ReadsPrices,
    "invoices": _ReadsInvoices,
}


class CsvFolderAdapter:
    """Makes the adapter that the options describe. It is never one itself."""

    @classmethod
    def from_settings(
        cls, options: Mapping[str, object], secrets: Mapping[str, str], base: Path
    ) -> Erp:
        """Reads nothing yet. Raises Misconfigured for options that will not do."""
        return cls.build(Settings.read(options, secrets, base))

    @classmethod
    def build(cls, settings: Settings, files: FileSystem | None = None) -> Erp:
        parts: list[type[_Base]] = [_ReadsAccounts, _ReadsShipTos, _ReadsItems, _TakesOrders]
        parts += [part for word, part in _WITHOUT.items() if word not in settings.without]
        made: type[_Base] = types.new_class("CsvFolderErp", tuple(parts))
        return made(settings, files)


def _price_owner(row: Row) -> str | None:
    return row["owner"] if (row["level"] or "").lower() == "account" else None


def _folder_finding(folder: Path, files: FileSystem) -> Finding:
    subject = f"folder {folder.name}"
    try:
        if files.facts(folder) is None:
            return Finding(
                subject,
                FindingLevel.ERROR,
                f"{folder} is not there",
                "mount the share, or make the folder; it is never made by itself",
            )
        probe = folder / ".tradesync-check.part"
        if files.facts(probe) is not None:
            files.remove(probe)
        files.write(probe, b"")
        files.remove(probe)
    except OSError as error:
        return Finding(
            subject,
            FindingLevel.ERROR,
            f"{folder}: {error.strerror}",
            "let the service write there",
        )
    return Finding(subject, FindingLevel.OK, "takes a file")
