"""Papers of the customers: what Tryton has printed of each document, as PDF.

A posted invoice is kept as it was printed first, and is read from there: to read it
makes no other, and a payment changes nothing of it. Orders and shipments are printed
anew each time, with other bytes; so the version of such a paper is a digest of what
stands on it, and it is printed only when that is another.

A report that makes no PDF makes no papers: its extension is set in Tryton, and that is
how people there say which papers are for customers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from erp_adapters.tryton import queries
from erp_adapters.tryton.base import TrytonBase
from erp_adapters.tryton.queries import Domain, Row
from erp_adapters.tryton.session import Rpc
from erp_adapters.tryton.translate import day
from sync.domain.document import DocumentKind, DocumentRecord
from sync.domain.ids import CustomerId, DocumentNumber, ErpOrderNumber
from sync.errors import Rejected

SIZE_LIMIT = 20 * 1024 * 1024
PIECE = 256 * 1024
PDF = "pdf"

INVOICES, SALES, SHIPMENTS = "account.invoice", "sale.sale", "stock.shipment.out"
REPORTS = {
    INVOICES: "account.invoice",
    SALES: "sale.sale",
    SHIPMENTS: "stock.shipment.out.delivery_note",
}
"""The report of each model that has papers."""

_CONFIRMED = ["confirmed", "processing", "done"]
_GONE = ["shipped", "done"]

_ON_A_CONFIRMATION = (
    *("number", "sale_date", "reference", "description", "comment", "payment_term"),
    *("shipment_address", "invoice_address", "currency", "total_amount", "tax_amount"),
)
_ON_ITS_LINES = (
    *("type", "sequence", "product", "description", "quantity", "unit"),
    *("unit_price", "amount", "taxes"),
)
_ON_A_NOTE = ("number", "effective_date", "reference", "delivery_address")
_ON_ITS_MOVES = ("product", "quantity", "unit")

_FIELDS = {
    INVOICES: (
        *("number", "party.code", "invoice_date", "sales.number", "sales.web_shop"),
        *("sales.web_id", "invoice_report_revisions", "invoice_report_cache_id"),
    ),
    SALES: (
        *("party.code", "web_shop", "web_id", *_ON_A_CONFIRMATION),
        *(f"lines.{name}" for name in _ON_ITS_LINES),
    ),
    SHIPMENTS: (
        *("customer.code", *_ON_A_NOTE, "outgoing_moves.state"),
        *(f"outgoing_moves.{name}" for name in _ON_ITS_MOVES),
    ),
}
_OWNER = {INVOICES: "party.", SALES: "party.", SHIPMENTS: "customer."}
_ISSUED_ON = {INVOICES: "invoice_date", SALES: "sale_date", SHIPMENTS: "effective_date"}
_KINDS = {
    INVOICES: DocumentKind.INVOICE,
    SALES: DocumentKind.ORDER_CONFIRMATION,
    SHIPMENTS: DocumentKind.DELIVERY_NOTE,
}


def printed_reports(rpc: Rpc) -> Mapping[str, int]:
    """By model, the action of the report that makes its papers as PDF, where there is one."""
    models = {name: model for model, name in REPORTS.items()}
    domain = [("extension", "=", PDF)]
    found: dict[str, int] = {}
    for row in queries.rows_in(
        rpc, "ir.action.report", "report_name", models, domain, ("report_name",)
    ):
        # Of several the first: so does Tryton where nobody says which.
        found.setdefault(models[row["report_name"]], int(row["id"]))
    return found


def papers_there(model: str, company: int) -> Domain:
    """The records of the model that have a paper."""
    if model == INVOICES:
        states = ("state", "in", ["posted", "paid"])
        kept = ("invoice_report_format", "=", PDF)
        return [("company", "=", company), ("type", "=", "out"), states, kept]
    if model == SALES:
        return [("company", "=", company), ("state", "in", _CONFIRMED)]
    gone = ("state", "in", _GONE)
    return [("company", "=", company), gone, ("effective_date", "!=", None)]


class GivesOutPapers(TrytonBase):
    @property
    def document_size_limit(self) -> int:
        return SIZE_LIMIT

    def documents(self, customer_ids: Collection[CustomerId]) -> Sequence[DocumentRecord]:
        codes = {each.value for each in customer_ids}
        if not codes:
            return []
        # What is kept of invoices is there, whatever their report makes today.
        models = {INVOICES, *printed_reports(self._rpc)}
        return [paper for model in sorted(models) for paper in self._papers(model, codes)]

    def read_document(self, place: str, version: str) -> Iterator[bytes]:
        model, number = _parts(place)
        row = next(self._rows(model, "id", [number]), None)
        if row is None:
            raise _no("is not there")
        if _version(model, row) != version:
            raise _no("changed meanwhile")
        content = self._held(number) if model == INVOICES else self._printed(model, number)
        return (content[at : at + PIECE] for at in range(0, len(content), PIECE))

    def _papers(self, model: str, codes: Collection[str]) -> Iterator[DocumentRecord]:
        def code(row: Row) -> str:
            return str(row[owner]["code"])

        def make(row: Row) -> DocumentRecord:
            erp_order, web_reference = self._order(sales_of(row))
            return DocumentRecord(
                kind=_KINDS[model],
                number=DocumentNumber(row["number"]),
                sold_to=CustomerId(code(row)),
                issued_on=day(row[_ISSUED_ON[model]]),
                place=f"{model}/{row['id']}",
                erp_order=erp_order,
                web_reference=web_reference,
                version=_version(model, row),
            )

        owner = _OWNER[model]
        rows = self._rows(model, f"{owner}code", codes)
        own = [row for row in rows if row[owner]["code"] in codes]
        sales_of = self._sales_of(model, own)
        return self._built(model, own, make, lambda row: str(row["number"]), code)

    def _sales_of(self, model: str, rows: Sequence[Row]) -> Callable[[Row], Sequence[Row]]:
        """The sales that each of these papers is about."""
        if model == INVOICES:
            return lambda row: row["sales."]
        if model == SALES:
            return lambda row: [row]
        found: dict[int, list[Row]] = {}
        numbers, fields = [row["id"] for row in rows], ("number", "web_shop", "web_id", "shipments")
        for sale in queries.rows_in(self._rpc, SALES, "shipments", numbers, [], fields):
            for shipment in sale["shipments"]:
                found.setdefault(int(shipment), []).append(sale)
        return lambda row: found.get(int(row["id"]), [])

    def _order(self, sales: Sequence[Row]) -> tuple[ErpOrderNumber | None, str | None]:
        """Number and store's key of the one sale that a paper is about; of several, neither."""
        if len(sales) != 1 or not sales[0]["number"]:
            return None, None
        [sale] = sales
        ours = sale["web_shop"] == self._places.site.web_shop
        return ErpOrderNumber(sale["number"]), (sale["web_id"] or None) if ours else None

    def _rows(self, model: str, name: str, values: Collection[object]) -> Iterator[Row]:
        domain = papers_there(model, self._places.site.company)
        return queries.rows_in(self._rpc, model, name, values, domain, _FIELDS[model])

    def _held(self, number: int) -> bytes:
        rows = self._rpc.read(f"model.{INVOICES}.read", [number], ["invoice_report_cache"])
        content = rows[0]["invoice_report_cache"] if rows else None
        if not isinstance(content, bytes):
            raise _no("is not kept any more")
        return content

    def _printed(self, model: str, number: int) -> bytes:
        action = printed_reports(self._rpc).get(model)
        if action is None:
            raise _no("is not made as PDF any more")
        about = {"action_id": action, "model": model, "id": number, "ids": [number]}
        made: Any = self._rpc.read(f"report.{REPORTS[model]}.execute", [number], about)
        extension, content = made[0], made[1]
        if extension != PDF or not isinstance(content, bytes):
            # Where the conversion fails, Tryton answers with what it was to be made of.
            raise _no(
                f"was made as {extension}, not as PDF",
                "install LibreOffice on the server of Tryton, or correct convert_command in the"
                " section [report] of its configuration",
            )
        return content


def _version(model: str, row: Row) -> str:
    """Another, whenever the paper is another."""
    if model == INVOICES:
        # Who has an invoice printed anew leaves the former print among its revisions.
        last = max((int(each) for each in row["invoice_report_revisions"]), default=0)
        return f"{last}-{row['invoice_report_cache_id'] or ''}"
    if model == SALES:
        return _digest(row, _ON_A_CONFIRMATION, row["lines."], _ON_ITS_LINES)
    moves = [each for each in row["outgoing_moves."] if each["state"] != "cancelled"]
    return _digest(row, _ON_A_NOTE, moves, _ON_ITS_MOVES)


def _digest(
    row: Row, names: Sequence[str], parts: Sequence[Row], names_of_parts: Sequence[str]
) -> str:
    """Of what stands on the paper: addresses and terms by their ids, as they were agreed."""
    said = [
        [row[name] for name in names],
        [
            [each["id"], *(each[name] for name in names_of_parts)]
            for each in sorted(parts, key=lambda each: int(each["id"]))
        ],
    ]
    return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()


def _parts(place: str) -> tuple[str, int]:
    model, _, number = place.partition("/")
    # An id of the database; anything longer is none, and no database has to say so.
    if model not in REPORTS or not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise _no("is not there")
    return model, int(number)


def _no(why: str, remedy: str = "") -> Rejected:
    return Rejected(why, code="document_file", remedy=remedy)
