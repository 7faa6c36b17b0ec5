"""``tradesync registrations``: who has applied for an account, and what staff decide.

Each decision changes one entry in one transaction; the daemon's next run of
``registrations`` carries it out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from sync.cli.doubts import ANYWAY, tell_doubts, tell_unread
from sync.cli.output import Exit, emit, json_option
from sync.cli.scope import REASON, Named, NamedChoice
from sync.cli.site import actor, opened, site_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.domain.registration import LookedAt
    from sync.ports.registrations import RegistrationEntry
    from sync.registration import Approved, Detail, RegistrationDesk

REVIEWS = ("under-review", "verification-1", "verification-2", "verification-3", "verification-4")

_MESSAGE = click.option("--message", default=None, help="A word to the applicant; may be left out.")
_TOLD = "the next run of registrations carries it out (tradesync resync registrations)"
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only tell whether it can be done.")


@click.group(epilog="\b\nExample:\n  tradesync registrations list")
def registrations() -> None:
    """List and show who has applied for an account; request documents, approve, reject."""


@registrations.command(
    "list",
    epilog="\b\nExamples:\n  tradesync registrations list\n"
    "  tradesync registrations list --all --json",
)
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@json_option
@site_options
def list_(everything: bool, as_json: bool, site: str | None, pipeline: str | None) -> None:
    """List applications, the last changed first."""
    from sync.ports.registrations import ENDED, Stage

    stages = () if everything else [each for each in Stage if each not in ENDED]
    with opened(site, pipeline) as line:
        from sync.registration import RegistrationDesk

        desk = RegistrationDesk(line.context(), actor())
        entries = desk.entries(stages)
        over = 0 if everything or as_json else desk.count(ENDED)
    columns = {
        "application": "Application",
        "company": "Company",
        "standing": "Standing",
        "missing": "Missing",
        "customer": "Customer",
        "why": "Why it waits",
        "fix": "Way out",
    }
    rows = [_row(entry) for entry in entries]
    if as_json:
        more = ("channel", "status", "stage", "changed", "waits_for", "next")
        columns |= dict.fromkeys(more, "")
    else:
        rows = [_with_next_step(row) for row in rows]
    emit(rows, columns, as_json, "Registrations")
    if over:
        them = "other is" if over == 1 else "others are"
        click.echo(f"{over} {them} over: --all lists what is over, too.")


@registrations.command(epilog="\b\nExample:\n  tradesync registrations show app-1042")
@click.argument("application", type=Named())
@json_option
@site_options
def show(application: str, as_json: bool, site: str | None, pipeline: str | None) -> None:
    """Show APPLICATION with its documents, its history, and whom the ERP may know it as.

    A candidate is a customer with something in common; nobody is ever linked by it.
    """
    with opened(site, pipeline) as line:
        from sync.domain.ids import ApplicationId
        from sync.registration import RegistrationDesk

        detail = RegistrationDesk(line.context(), actor()).show(ApplicationId(application))
    told = _told(detail)
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    _print(detail, told)


@registrations.command(
    "request-documents",
    epilog="\b\nExample:\n  tradesync registrations request-documents app-1042 bank_statement"
    " --reason 'new company' --message 'Please send a bank statement.'",
)
@click.argument("application", type=Named())
@click.argument("kinds", nargs=-1, required=True)
@_MESSAGE
@REASON
@_DRY_RUN
@json_option
@site_options
def request_documents(
    application: str, kinds: tuple[str, ...], message: str | None, **given: Any
) -> None:
    """Ask the applicant of APPLICATION for documents of these KINDS."""

    def decide(desk: RegistrationDesk, application_id: Any, reason: str) -> RegistrationEntry:
        return desk.request_documents(application_id, kinds, reason, message)

    _decide(application, decide, f"asked for {', '.join(kinds)}", **given)


@registrations.command(
    epilog="\b\nExample:\n  tradesync registrations review app-1042 under-review"
    " --reason 'papers are complete'",
)
@click.argument("application", type=Named())
@click.argument("status", type=NamedChoice(REVIEWS), metavar="STATUS")
@REASON
@_DRY_RUN
@json_option
@site_options
def review(application: str, status: str, **given: Any) -> None:
    """Take APPLICATION in hand, or a step further.

    STATUS is under-review, verification-1, verification-2, verification-3 or
    verification-4.
    """
    from sync.domain.account import AccountStatus

    wanted = AccountStatus[status.replace("-", "_").upper()]

    def decide(desk: RegistrationDesk, application_id: Any, reason: str) -> RegistrationEntry:
        return desk.review(application_id, wanted, reason)

    _decide(application, decide, f"at status {wanted.value} ({status})", **given)


@registrations.command(
    epilog="\b\nExamples:\n  tradesync registrations approve app-1042 --link 000102"
    " --reason 'known since 2019'\n"
    "  tradesync registrations approve app-1043 --create --reason 'references checked' --dry-run",
)
@click.argument("application", type=Named())
@click.option("--link", type=Named(), metavar="CUSTOMER_ID", help="It is this ERP customer.")
@click.option("--create", is_flag=True, help="The ERP is to make a customer of it.")
@click.option("--despite-missing", is_flag=True, help="Although documents are missing.")
@ANYWAY
@REASON
@_DRY_RUN
@json_option
@site_options
def approve(
    application: str,
    link: str | None,
    create: bool,
    despite_missing: bool,
    anyway: bool,
    **given: Any,
) -> None:
    """Approve APPLICATION, as a customer that the ERP has or as a new one.

    The daemon links or creates the customer, writes the mapping, and lets the
    company order as soon as the ERP calls the account usable. Who has the account of
    --link already, and what else is doubtful about it, is told as tradesync map tells
    it; a customer that the ERP does not have is refused. --dry-run tells the same.
    """
    from sync.domain.ids import CustomerId
    from sync.domain.registration import ApprovedAs, CreateCustomer, LinkCustomer

    if (link is None) == (not create):
        raise click.UsageError("Say --link CUSTOMER_ID or --create: nobody is linked by a guess.")
    approval: ApprovedAs = CreateCustomer() if link is None else LinkCustomer(CustomerId(link))

    def decide(desk: RegistrationDesk, application_id: Any, reason: str) -> Approved:
        return desk.approve(
            application_id, approval, reason, despite_missing=despite_missing, anyway=anyway
        )

    what = "a new customer" if link is None else f"customer {link}"
    first = "makes the customer and writes" if link is None else "writes"
    then = (
        f"the next run of registrations {first} the mapping and makes the account active by it, a"
        " later one where somebody else is editing the mapping files, or the ERP does not call the"
        " account usable yet. Where no daemon runs: tradesync resync registrations, then tradesync"
        " resync all"
    )
    _decide(application, decide, f"approved as {what}", then, **given)


@registrations.command(
    epilog="\b\nExample:\n  tradesync registrations reject app-1042 --reason 'bankrupt'"
    " --message 'We cannot offer you an account.'",
)
@click.argument("application", type=Named())
@_MESSAGE
@REASON
@_DRY_RUN
@json_option
@site_options
def reject(application: str, message: str | None, **given: Any) -> None:
    """Reject APPLICATION; it may be handed in again."""

    def decide(desk: RegistrationDesk, application_id: Any, reason: str) -> RegistrationEntry:
        return desk.reject(application_id, reason, message)

    _decide(application, decide, "rejected", **given)


def _decide(
    application: str,
    decide: Callable[[RegistrationDesk, Any, str], RegistrationEntry | Approved],
    what: str,
    then: str = _TOLD,
    *,
    reason: str,
    dry_run: bool,
    as_json: bool,
    site: str | None,
    pipeline: str | None,
) -> None:
    from sync.domain.ids import ApplicationId

    with opened(site, pipeline, writes=not dry_run) as line:
        from sync.registration import Approved, RegistrationDesk

        desk = RegistrationDesk(line.context(), actor(), dry_run=dry_run)
        decided = decide(desk, ApplicationId(application), reason)
    if isinstance(decided, Approved):
        entry, doubts = decided.entry, decided.doubts
        tell_unread(doubts)
    else:
        entry, doubts = decided, None
    if as_json:
        told = _row(entry) | {"dry_run": dry_run}
        told |= {"doubts": doubts.told} if doubts is not None else {}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        raise click.exceptions.Exit(Exit.DONE)
    if doubts is not None:
        tell_doubts(doubts)
    if dry_run:
        click.echo(f"Application {application} would be {what}.")
    else:
        click.echo(f"Application {application} is {what}; {then}.")
    raise click.exceptions.Exit(Exit.DONE)


def _standing(entry: RegistrationEntry) -> str:
    """Status and stage in words, as far as they say different things."""
    from sync.planning.registrations import words
    from sync.ports.registrations import Stage

    match entry.stage:
        case Stage.PERSONAL:
            return "personal account"
        case Stage.REJECTED:
            return "rejected"
        case Stage.OPEN | Stage.APPROVED | Stage.ACTIVE:
            return _status(entry)
    return f"{_status(entry)}, {words(entry.stage)}"


def _status(entry: RegistrationEntry) -> str:
    """Its number stands behind it: "2 documents pending" reads as a count of documents."""
    from sync.planning.registrations import words

    return f"{words(entry.status)} (status {entry.status.value})"


def _row(entry: RegistrationEntry) -> dict[str, object]:
    from sync.planning.registrations import next_step
    from sync.registration import customer_of

    customer = customer_of(entry)
    problem = entry.problem
    step = next_step(entry) if problem is None else None
    return {
        "application": entry.application_id.value,
        "company": entry.application.company or entry.application.contact_name,
        "channel": entry.application.channel.value,
        "standing": _standing(entry),
        "status": entry.status.value,
        "stage": entry.stage.value,
        "missing": list(entry.missing),
        "customer": customer.value if customer else None,
        "changed": entry.changed_at.isoformat(timespec="minutes"),
        "why": problem.sentence if problem else None,
        "fix": problem.remedy if problem else None,
        "waits_for": step.waits_for if step else None,
        "next": step.way_on if step else None,
    }


def _with_next_step(row: dict[str, object]) -> dict[str, object]:
    """What a person reads of it: why it waits and how it goes on, with or without a problem."""
    if row["next"] is None:
        return row
    return {**row, "why": f"waits for {row['waits_for']}", "fix": row["next"]}


def _told(detail: Detail) -> dict[str, Any]:
    from sync.domain.codec import encode

    entry = detail.entry
    made = entry.registrant
    return {
        **_row(entry),
        "web_user": made.web_user.value if made else None,
        "organisation": made.organisation.value if made and made.organisation else None,
        "requested": list(entry.requested),
        "message": entry.message,
        "documents": _documents(entry),
        "key": entry.key.value if entry.key else None,
        "version": entry.version,
        "candidates": None
        if detail.candidates is None
        else [
            {
                "customer": each.customer_id.value,
                "name": each.name,
                "score": each.score,
                "reasons": list(each.reasons),
            }
            for each in detail.candidates
        ],
        "history": [
            {
                "at": each.at.isoformat(timespec="seconds"),
                "event": each.event,
                "by": each.actor,
                "detail": each.detail,
            }
            for each in detail.history
        ],
        "application_as_handed_in": encode(entry.application),
    }


def _documents(entry: RegistrationEntry) -> list[dict[str, Any]]:
    """Each one handed in, what it is said to be, and what its content says."""
    looked = {each.document: each for each in entry.looked}
    found: list[dict[str, Any]] = []
    for document in entry.application.documents:
        seen = looked.get(document)
        said = document.claimed or "no type"
        if seen is None:
            its = f"said to be {said}, its content was not looked at"
            its = its if document.counts else f"neither a PDF nor an image: {its}"
        else:
            its = f"refused: {seen.refusal}" if seen.refusal else f"{_found(seen)} by its content"
        found.append(
            {
                "kind": document.kind,
                "reference": document.reference,
                "file_name": document.file_name,
                "claimed": document.claimed,
                "found": _found(seen),
                "counts": document.counts if seen is None else seen.counts,
                "refusal": seen.refusal if seen else None,
                "is": its,
            }
        )
    return found


def _found(seen: LookedAt | None) -> str | None:
    return seen.found.value if seen is not None and seen.found is not None else None


def _printable(text: str) -> str:
    """What a stranger has typed, without what would move the cursor of whoever reads it."""
    return "".join(mark if mark.isprintable() else "?" for mark in text)


def _print(detail: Detail, told: dict[str, Any]) -> None:
    entry = detail.entry
    application = entry.application
    click.echo(f"Application {entry.application_id}: {told['standing']}")
    for name in ("company", "tax_id", "contact_name", "email", "phone", "country", "region"):
        click.echo(f"  {name.replace('_', ' ')}: {_printable(getattr(application, name) or '')}")
    for document in told["documents"]:
        said = f"{document['kind']}: {document['reference']} ({document['is']})"
        click.echo(f"  document {_printable(said)}")
    if entry.missing:
        click.echo(f"  missing: {', '.join(entry.missing)}")
    if told["organisation"]:
        click.echo(f"  organisation {told['organisation']}, managed by {told['web_user']}")
    if told["customer"]:
        click.echo(f"  customer: {told['customer']}")
    if entry.problem is not None:
        click.echo(f"  waits: {entry.problem.sentence}")
        click.echo(f"    way out: {entry.problem.remedy}")
    elif told["next"]:
        click.echo(f"  waits for {told['waits_for']}")
        click.echo(f"    way on: {told['next']}")
    if detail.candidates is None:
        click.echo("  The ERP cannot be searched for customers like it.")
    for each in detail.candidates or ():
        reasons = ", ".join(each.reasons)
        click.echo(f"  may be customer {each.customer_id} {each.name} ({each.score}: {reasons})")
    for event in detail.history:
        click.echo(f"  {event.at:%Y-%m-%d %H:%M:%S}  {event.event}  {event.actor}  {event.detail}")
