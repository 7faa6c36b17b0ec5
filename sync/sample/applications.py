"""Who has applied for an account in the sample's store, each at another point of the way.

Staff have decided nothing yet: that is for whoever tries the sample.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from sync.domain.ids import ApplicationId
from sync.domain.registration import AccountKind, Application, Document
from sync.sample.customers import Customers, trade
from sync.sample.directory import APPLICANT, OUTLET, SHOP, TRADE
from sync.sample.names import mailbox

NEW_COMPANY = ApplicationId("app-1001")
"""Nothing is missing: to be approved as a new customer."""
KNOWN_COMPANY = ApplicationId("app-1002")
"""A company that the ERP has as a customer already: the candidates say so."""
NO_PAPERS = ApplicationId("app-1003")
"""In California, where another document is required."""
NO_TAX_ID = ApplicationId("app-1004")
A_PERSON = ApplicationId("app-1005")
ON_THE_OUTLET = ApplicationId("app-1006")
"""Asks for a business account where there are personal ones only."""
SIGNED_IN = ApplicationId("app-1007")
"""Handed in by a user whom the store knows; a screenshot is no document."""


def build_applications(customers: Customers, today: date) -> tuple[Application, ...]:
    """The same for the same day, longest ago handed in first."""
    known = customers.account(trade(31))
    noon = datetime.combine(today, time(12), UTC)

    def handed_in(days_ago: int, application_id: ApplicationId, **given: object) -> Application:
        at = noon - timedelta(days=days_ago)
        channel = given.pop("channel", TRADE)
        return Application(application_id, channel, at, **given)  # type: ignore[arg-type]

    return (
        handed_in(
            9,
            KNOWN_COMPANY,
            kind=AccountKind.BUSINESS,
            contact_name="Rosa Klein",
            email=mailbox("Rosa Klein", "people"),
            company=f"{known.name} GmbH",
            tax_id=f"DE {(known.tax_id or '')[2:5]} {(known.tax_id or '')[5:]}",
            country="DE",
            documents=(_scan("business_licence", KNOWN_COMPANY),),
        ),
        handed_in(
            6,
            NO_PAPERS,
            kind=AccountKind.BUSINESS,
            contact_name="Noah Brand",
            email=mailbox("Noah Brand", "people"),
            company="Golden Gate Glazing",
            tax_id="94-3010277",
            country="US",
            region="CA",
            documents=(_scan("resale_certificate", NO_PAPERS),),
        ),
        handed_in(
            5,
            SIGNED_IN,
            channel=SHOP,
            kind=AccountKind.BUSINESS,
            web_user=APPLICANT,
            contact_name="Ines Faro",
            email=mailbox("Ines Faro", "people"),
            company="Faro Lighting",
            tax_id="36-5550142",
            country="US",
            region="IL",
            documents=(
                Document(
                    "resale_certificate", "s3://registrations/app-1007/page.html", "text/html"
                ),
            ),
        ),
        handed_in(
            4,
            NEW_COMPANY,
            kind=AccountKind.BUSINESS,
            contact_name="Mara Quill",
            email=mailbox("Mara Quill", "people"),
            phone="+1 312 555 0144",
            company="Bluebell Brewing",
            tax_id="36-5550199",
            country="US",
            region="IL",
            documents=(_scan("resale_certificate", NEW_COMPANY),),
        ),
        handed_in(
            3,
            NO_TAX_ID,
            kind=AccountKind.BUSINESS,
            contact_name="Otto Lind",
            email=mailbox("Otto Lind", "people"),
            company="Lind & Co",
            country="SE",
        ),
        handed_in(
            2,
            A_PERSON,
            channel=SHOP,
            kind=AccountKind.PERSONAL,
            contact_name="Vera Moss",
            email=mailbox("Vera Moss", "people"),
        ),
        handed_in(
            1,
            ON_THE_OUTLET,
            channel=OUTLET,
            kind=AccountKind.BUSINESS,
            contact_name="Pim Vos",
            email=mailbox("Pim Vos", "people"),
            company="Vos Klussen",
        ),
    )


def _scan(kind: str, application_id: ApplicationId) -> Document:
    reference = f"s3://registrations/{application_id}/{kind}.pdf"
    return Document(kind, reference, "application/pdf")
