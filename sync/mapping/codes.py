"""codes.yaml: the store's codes in the ERP's words."""

from __future__ import annotations

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
