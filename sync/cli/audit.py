"""``tradesync audit``: what people decided, newest first (OP-4, OI-2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from sync.cli.output import emit, fail, json_option
from sync.cli.scope import Moment, Named
from sync.cli.site import opened, site_options

if TYPE_CHECKING:
    from datetime import datetime

    from sync.bootstrap import Pipeline
    from sync.ports.audit import AuditEntry, AuditFilter, AuditRecord, RecordKind

RECORDS_TOLD = 3
"""Records of one decision that people are told; programs get more of them."""
RECORDS_IN_JSON = 1000
_RECORDS = ("order", "user", "organisation", "customer", "application")


@click.command(
    epilog="\b\nExamples:\n  tradesync audit\n  tradesync audit --order W-10482\n"
    "  tradesync audit --actor jane --kind order.dismissed --since 2026-11-01 --json"
)
@click.option("--actor", type=Named(), metavar="NAME", help="Only what this person did.")
@click.option(
    "--kind",
    type=Named(),
    metavar="KIND",
    help="Only this kind, such as map, order or order.dismissed.",
)
@click.option(
    "--order", type=Named(), metavar="N", help="Only about this web order: its number or its key."
)
@click.option("--user", type=Named(), metavar="ID", help="Only about this web user.")
@click.option("--organisation", type=Named(), metavar="ID", help="Only about this organisation.")
@click.option("--customer", type=Named(), metavar="ID", help="Only about this ERP customer ID.")
@click.option(
    "--application", type=Named(), metavar="ID", help="Only about this application for an account."
)
@click.option("--since", type=Moment(), help="Only from this day or moment on.")
@click.option("--until", type=Moment(), help="Only up to this moment, or the beginning of a day.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="So many."
)
@click.option("--before", metavar="NUMBER", type=int, help="Go on behind this entry of a page.")
@json_option
@site_options
def audit(
    actor: str | None,
    kind: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    before: int | None,
    as_json: bool,
    site: str | None,
    pipeline: str | None,
    **records: Any,
) -> None:
    """Tell who decided what, when, why, and what it was before and is since.

    Whatever a person does by a command is kept: mapping edits, replays and
    dismissals, registrations, confirmed plans, resyncs, erasures, the state's own
    care. Edits of the mapping files by hand are there as well, without a name.
    """
    named = {name: key for name, key in records.items() if key is not None}
    if len(named) > 1:
        raise click.UsageError(f"Name one of --{', --'.join(named)}.")
    with opened(site, pipeline) as line:
        wanted = _filter(line, actor, kind, since, until, named)
        entries = _page(line, wanted, before, limit, RECORDS_IN_JSON if as_json else RECORDS_TOLD)
        more = entries[limit:]
        if not entries:
            _say_what_is_there(line, wanted)
    entries = entries[:limit]
    if as_json:
        click.echo(json.dumps([_record(each) for each in entries], indent=2, ensure_ascii=False))
        return
    rows = [{**_record(each), "records": _in_words(each), "what": _what(each)} for each in entries]
    columns = {
        "number": "No.",
        "at": "When (UTC)",
        "actor": "Who",
        "kind": "What",
        "what": "About",
        "records": "Before and since",
        "reason": "Why",
    }
    emit(rows, columns, False, "Audit trail")
    if more:
        click.echo(f"There is more: the same command with --before {entries[-1].number}")


def _filter(
    line: Pipeline,
    actor: str | None,
    kind: str | None,
    since: datetime | None,
    until: datetime | None,
    named: dict[str, str],
) -> AuditFilter:
    from sync.flows.orders.discovery import named_order
    from sync.ports.audit import AuditFilter, RecordKind

    record: tuple[RecordKind, str] | None = None
    for name, key in named.items():
        found = named_order(line.state, key).value if name == "order" else key
        record = (RecordKind(name), found)
    return AuditFilter(actor=actor, action=kind, record=record, since=since, until=until)


def _page(
    line: Pipeline, wanted: AuditFilter, before: int | None, limit: int, records: int
) -> list[AuditEntry]:
    """One more than asked for, where there is more."""
    with line.state.transaction() as state:
        try:
            found = state.audit.entries(wanted, before=before, limit=limit + 1, records=records)
        except KeyError:
            fail(f"The audit trail of {line.name} has no entry {before}.")
    return list(found)


def _say_what_is_there(line: Pipeline, wanted: AuditFilter) -> None:
    """A misspelt kind or name must not look as if nobody had decided anything."""
    from sync.mapping.problems import suggestion
    from sync.ports.audit import AuditFilter

    with line.state.transaction() as state:
        kinds, actors = state.audit.actions(), state.audit.actors()
        alone = AuditFilter(action=wanted.action)
        unknown = wanted.action is not None and not state.audit.entries(alone, limit=1)
    if wanted.action is not None and unknown:
        known = {*kinds, *(each.partition(".")[0] for each in kinds)}
        told = suggestion(wanted.action, known) if known else "nothing is noted at all"
        click.echo(f"Nothing of the kind {wanted.action} is noted; {told}", err=True)
    if wanted.actor is not None and wanted.actor not in actors:
        told = suggestion(wanted.actor, actors) if actors else "nothing is noted at all"
        click.echo(f"Nothing by {wanted.actor} is noted; {told}", err=True)


def _record(entry: AuditEntry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "at": entry.at.isoformat(timespec="seconds"),
        "actor": entry.actor,
        "kind": entry.action,
        "what": entry.subject,
        "reason": entry.reason,
        "records": [
            {
                "kind": each.kind.value,
                "key": each.key,
                "before": each.before or None,
                "after": each.after or None,
            }
            for each in entry.records
        ],
        "more_records": entry.more,
        "took_effect": None if entry.begun else True,
    }


def _what(entry: AuditEntry) -> str:
    begun = " (begun; whether it took effect is not known yet)" if entry.begun else ""
    return entry.subject + begun


def _in_words(entry: AuditEntry) -> str:
    from sync.ports.audit import RecordKind

    # The versions of a mapping are in its subject.
    shown = [each for each in entry.records if each.kind is not RecordKind.MAPPING]
    told = [said for each in shown if (said := change_of(each))]
    return "; ".join([*told, *([f"and {entry.more} more"] if entry.more else [])])


def change_of(record: AuditRecord) -> str | None:
    """What a decision made of the record; None where it changed nothing of it by itself."""
    if not record.before and not record.after:
        return None
    return f"{record.kind.value} {record.key}: {record.before or '-'} -> {record.after or '-'}"
