"""codes.yaml: the store's codes in the ERP's words."""

from __future__ import annotations

from collections.abc import Mapping

from sync.domain.channel import Channel
from sync.domain.ids import ChannelId
from sync.domain.mapping import CodeTables, PaymentKind, PaymentMethod
from sync.mapping.findings import Findings, Page
from sync.mapping.models import CodesFile

TABLES = ("ship_methods", "units", "taxes", "countries", "charges", "discounts")


def judge_codes(entries: CodesFile, page: Page, findings: Findings) -> CodeTables:
    """The code tables. A card needs the ERP's code, or its money could not be booked."""
    for code, method in entries.payment_methods.items():
        if method.kind is PaymentKind.CARD and not method.erp_code:
            findings.problems.append(
                page.about(
                    ("payment_methods", code),
                    "is paid by card, but has no erp_code",
                    "write the ERP's code for this payment, like erp_code: VISA",
                    key=True,
                )
            )
    methods = {
        code: PaymentMethod(method.kind, method.erp_code)
        for code, method in entries.payment_methods.items()
    }
    return CodeTables(methods, **{name: getattr(entries, name) for name in TABLES})


def judge_payments(
    channels: Mapping[ChannelId, Channel], page: Page, codes: CodeTables, findings: Findings
) -> None:
    """Channels of which no order could be paid: what is in no table of codes is refused."""
    kinds = {each.kind for each in codes.payment_methods.values()}
    for channel_id, channel in channels.items():
        path = ("channels", channel_id.value)
        if channel.retail_groups and PaymentKind.CARD not in kinds:
            message = (
                "has retail buyers, who pay by card, and codes.yaml has no payment method of kind"
                " card: all their orders would be quarantined"
            )
        elif not kinds & {PaymentKind.CARD, PaymentKind.TERMS}:
            message = (
                "has orders to be paid, and codes.yaml has no payment method that counts: all of"
                " them would be quarantined"
            )
        else:
            continue
        remedy = "list what the store calls its methods under payment_methods in codes.yaml"
        findings.warnings.append(page.about(path, message, remedy, key=True))
