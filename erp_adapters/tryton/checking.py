"""``tradesync check`` for Tryton: access, rights and set-up, all read, nothing written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from json import loads

from erp_adapters.tryton.papers import (
    INVOICES,
    SALES,
    SHIPMENTS,
    papers_there,
    printed_reports,
)
from erp_adapters.tryton.session import Rpc
from erp_adapters.tryton.settings import Reach, Settings
from erp_adapters.tryton.site import Places
from sync.errors import AccessDenied, Misconfigured, Rejected, SyncError, TryLater
from sync.ports.erp import Finding, FindingLevel

READS = (
    "account.configuration",
    "account.invoice",
    "account.invoice.line",
    "account.invoice.payment_term",
    "account.invoice.report.revision",
    "account.move",
    "account.move.line",
    "account.tax",
    "account.tax.rule",
    "company.company",
    "country.country",
    "country.subdivision",
    "currency.currency",
    "currency.currency.rate",
    "ir.action.report",
    "ir.module",
    "party.category",
    "party.contact_mechanism",
    "party.identifier",
    "party.party",
    "product.category",
    "product.price_list",
    "product.price_list.line",
    "product.product",
    "product.template",
    "product.uom",
    "sale.configuration",
    "stock.location",
    "stock.move",
    "stock.shipment.out",
    "web.shop",
)
WRITES = {
    "party.address": ("read", "write", "create"),
    "sale.line": ("read", "write", "create", "delete"),
    "sale.sale": ("read", "write", "create", "delete"),
}
_PAPERS = {
    INVOICES: "new ones",
    SALES: "order confirmations",
    SHIPMENTS: "delivery notes",
}
CARRIER = "carrier"
"""Read too, where the module is active."""


def check(settings: Settings, rpc: Rpc, places: Places) -> Sequence[Finding]:
    """All findings, the connection first; nothing after it where that fails."""
    findings: list[Finding] = []
    for subject, remedy, look in (
        ("connection", "Correct url, or start Tryton.", lambda: _connection(rpc)),
        ("sign-in", "Correct user and password.", lambda: _sign_in(rpc)),
        (
            "set-up",
            "Correct the options, or the names in Tryton.",
            lambda: _setup(settings, places),
        ),
    ):
        findings.append(_tried(subject, remedy, look))
        if findings[-1].level is FindingLevel.ERROR:
            return tuple(findings)
    for more in (
        _rights(rpc, places),
        _zone(settings, places),
        _shop(settings, rpc, places),
        _price_lists(places),
        _decimals(settings, rpc),
        _papers(rpc, places),
    ):
        findings.extend(_as_far_as_allowed(more))
    findings.append(
        _tried("customers", "Name the right category.", lambda: _customers(rpc, places))
    )
    return tuple(findings)


def _tried(subject: str, remedy: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, FindingLevel.OK, look())
    except (AccessDenied, Misconfigured, Rejected, TryLater) as error:
        return Finding(subject, FindingLevel.ERROR, str(error), remedy)


def _as_far_as_allowed(findings: Iterator[Finding]) -> Iterator[Finding]:
    try:
        yield from findings
    except SyncError as error:
        remedy = "Add the user to the groups that the adapter's README names."
        yield Finding("rights", FindingLevel.ERROR, str(error), remedy)


def _connection(rpc: Rpc) -> str:
    version = rpc.server_version()
    if not version.startswith("8."):
        raise Misconfigured(f"this adapter was written for Tryton 8, the server is {version}")
    return f"Tryton {version} answers"


def _sign_in(rpc: Rpc) -> str:
    _ = rpc.context
    return f"{rpc.settings.user} may sign in"


def _setup(settings: Settings, places: Places) -> str:
    site = places.site
    return f"{site.company_name}, {site.currency}, web shop {settings.web_shop}"


def _rights(rpc: Rpc, places: Places) -> Iterator[Finding]:
    needed: dict[str, tuple[str, ...]] = dict.fromkeys(READS, ("read",)) | WRITES
    if places.site.carriers:
        needed[CARRIER] = ("read",)
    remedy = "Add the user to the groups that the adapter's README names."
    told = rpc.read("model.ir.model.access.get_access", sorted(needed))
    missing = [
        f"{right} {model}"
        for model, rights in needed.items()
        for right in rights
        if not told.get(model, {}).get(right)
    ]
    if missing:
        yield Finding("rights", FindingLevel.ERROR, f"not allowed: {', '.join(missing)}", remedy)
    else:
        yield Finding("rights", FindingLevel.OK, f"all rights on {len(needed)} models")
    for model in ("res.user", "account.move", "account.account"):
        try:
            able = rpc.read("model.ir.model.access.get_access", [model]).get(model, {})
        except SyncError:
            continue
        more = [right for right in ("write", "create", "delete") if able.get(right)]
        if more:
            yield Finding(
                "rights",
                FindingLevel.WARNING,
                f"{rpc.settings.user} may {', '.join(more)} {model}, which is never needed",
                "Give the user its own group with the rights that the README lists.",
            )


def _zone(settings: Settings, places: Places) -> Iterator[Finding]:
    theirs = places.site.time_zone
    if theirs is not None and theirs != settings.time_zone:
        yield Finding(
            "time zone",
            FindingLevel.WARNING,
            f"the company's days are those of {theirs}, the settings say {settings.time_zone}",
            f'Set time_zone = "{theirs}" in the options.',
        )


def _shop(settings: Settings, rpc: Rpc, places: Places) -> Iterator[Finding]:
    fields = ["sale_draft_abandon_delay", "guest_party.code", "guest_party.rec_name"]
    [row] = rpc.read("model.web.shop.read", [places.site.web_shop], fields)
    if row["sale_draft_abandon_delay"] is not None and settings.reach is Reach.DRAFT:
        yield Finding(
            "web shop",
            FindingLevel.ERROR,
            "Tryton cancels drafts of this web shop after a while, and orders are left as drafts",
            'Empty "Sale Draft Abandon Delay" of the web shop, or set reach = "quotation".',
        )
    guest = row.get("guest_party.")
    if guest is not None:
        who = guest.get("code") or guest.get("rec_name")
        yield Finding(
            "web shop",
            FindingLevel.WARNING,
            f"{who} is its guest party, and an order of that party is never made a quotation",
            'Empty "Guest Party" of the web shop, or name another customer as the retail group.',
        )


def _price_lists(places: Places) -> Iterator[Finding]:
    with_tax = [row["name"] for row in places.price_list_rows().values() if row["tax_included"]]
    if with_tax:
        yield Finding(
            "price lists",
            FindingLevel.WARNING,
            f"prices with tax are not mirrored: {', '.join(sorted(with_tax))}",
            "Give their customers a list without tax.",
        )


def _decimals(settings: Settings, rpc: Rpc) -> Iterator[Finding]:
    told = rpc.read("model.sale.line.fields_get", ["unit_price"])["unit_price"].get("digits")
    # An expression for Tryton's clients, in JSON within the JSON: "[null, 4]".
    digits = loads(told) if isinstance(told, str) else told
    places = digits[1] if isinstance(digits, list) and len(digits) == 2 else None
    if isinstance(places, int) and places != settings.price_decimals:
        yield Finding(
            "prices",
            FindingLevel.ERROR,
            f"Tryton keeps unit prices to {places} places, the settings say"
            f" {settings.price_decimals}",
            f"Set price_decimals = {places} in the options.",
        )


def _papers(rpc: Rpc, places: Places) -> Iterator[Finding]:
    """Which papers are mirrored. A site may want none, so this is no warning."""
    printed = printed_reports(rpc)
    kept = rpc.read(
        "model.account.invoice.search_count", list(papers_there(INVOICES, places.site.company))
    )
    told = [f"{kept} invoices are kept as PDF"]
    for model, name in _PAPERS.items():
        told.append(f"{name} are {'made as PDF' if model in printed else 'not made as PDF'}")
    yield Finding("documents", FindingLevel.OK, ", ".join(told))


def _customers(rpc: Rpc, places: Places) -> str:
    count = rpc.read("model.party.party.search_count", list(places.site.customers))
    if not count:
        raise Misconfigured("Tryton has no customer, or this user sees none")
    return f"{count} customers"
