"""``tradesync check``: is everything there that the service will need?"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync.cli.output import Exit, counted, emit, json_option
from sync.cli.progress import terminal_progress
from sync.cli.scope import NamedChoice
from sync.cli.site import settings_of, site_options
from sync.cli.ways_out import way_out
from sync.errors import SyncError

if TYPE_CHECKING:
    from collections.abc import Collection

    from sync.bootstrap import Installation, Pipeline
    from sync.domain.ids import ChannelId
    from sync.flows.context import Progress
    from sync.mapping.spots import Spots
    from sync.ports.erp import Erp, Finding
    from sync.ports.files import HoldsFiles
    from sync.ports.store import Store
    from sync.settings import Settings


EVERYTHING, MAPPINGS = "all", "mappings"


@click.command(
    epilog="\b\nExamples:\n  tradesync check\n  tradesync check --json --pipeline main\n"
    "  tradesync check mappings --draft ~/mappings-new --lines"
)
@click.argument("what", type=NamedChoice([EVERYTHING, MAPPINGS]), default=EVERYTHING)
@click.option(
    "--draft",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With mappings: the folder with the edited files. Default: the site's own.",
)
@click.option(
    "--lines", is_flag=True, help="With mappings: file:line:column, as editors and CI read it."
)
@json_option
@site_options
def check(
    what: str,
    draft: Path | None,
    lines: bool,
    as_json: bool,
    site: str | None,
    pipeline: str | None,
) -> None:
    """Check settings, mapping files, state, ERP and store, without writing.

    Every statement that the ERP profile holds is tried against the live
    database; what is missing is named: table, column, type, privilege.

    `check mappings` looks at the mapping files only, held against the live ERP
    and store.
    """
    if what == MAPPINGS:
        from sync.cli.check_mappings import check_mappings

        check_mappings(site, pipeline, draft, lines=lines, as_json=as_json)
        return
    if lines or draft is not None:
        raise click.UsageError("--draft and --lines go with check mappings only")
    from sync.bootstrap import open_installation
    from sync.scheduling.clock import SystemClock

    settings = settings_of(site)
    file = settings.site.settings_file
    records = [_record("settings", _ok(file.name, f"{file} is good"))]
    with open_installation(settings, SystemClock(), looks_on=True) as installation:
        deaf = _hints(installation)
        records += [_record("settings", each) for each in deaf]
        wanted = [installation.pipeline(pipeline)] if pipeline else installation.pipelines.values()
        with terminal_progress(enabled=not as_json) as progress:
            for line in wanted:
                for where, finding in _findings(line, settings, progress):
                    records.append(_record(f"{line.name}: {where}", finding))
        starts = not deaf and all(map(_has_mapping, installation.pipelines.values()))
    # What is to be done stands last, where it is seen.
    records.sort(key=lambda record: _SEVERITY.index(str(record["level"])))
    emit(
        records,
        {
            "where": "Where",
            "subject": "What",
            "level": "Result",
            "message": "Found",
            "remedy": "Way out",
        },
        as_json,
        "Check",
    )
    levels = Counter(str(record["level"]) for record in records)
    if not as_json:
        errors, warnings = counted(levels["error"], "error"), counted(levels["warning"], "warning")
        verdict = _verdict(levels["error"], starts=starts)
        click.echo(f"{verdict}: {errors}, {warnings}, {levels['ok']} good.")
    if not starts:
        raise click.exceptions.Exit(Exit.MISCONFIGURED)
    raise click.exceptions.Exit(Exit.FAILED if levels["error"] else Exit.DONE)


_SEVERITY = ("ok", "warning", "error")


def _verdict(errors: int, *, starts: bool) -> str:
    """What the errors come to. A system that is away, or a refused edit, stops no start."""
    if not starts:
        return f"The service cannot start so (it ends with {Exit.MISCONFIGURED.value})"
    if not errors:
        return "The service can run"
    return "The service can run, but what the errors name stands still or does not count"


def _has_mapping(line: Pipeline) -> bool:
    """Whether there is a mapping to run on, be it the last good one."""
    try:
        line.mapping.current()
    except SyncError:
        return False
    return True


def _hints(installation: Installation) -> list[Finding]:
    """Nothing, or why the service does not start: it would listen for what nobody can sign."""
    from sync.scheduling.receiver import require_hints

    try:
        require_hints(installation)
    except SyncError as error:
        return [_error("hints_listen", str(error), way_out(error))]
    return []


def _findings(line: Pipeline, settings: Settings, progress: Progress) -> list[tuple[str, Finding]]:
    from sync.flows.calendars import calendar_findings
    from sync.flows.serving import serving_findings

    found = [("mapping", each) for each in _mapping_findings(line)]
    systems: list[tuple[str, Erp | Store | HoldsFiles]] = [("erp", line.erp), ("store", line.store)]
    places = (line.files, None if line.uploads is line.files else line.uploads)
    systems += [("files", each) for each in places if each is not None]
    for where, system in systems:
        try:
            found.extend((where, each) for each in system.check())
        except SyncError as error:
            found.append((where, _error("its check", str(error), way_out(error))))
    off = line.settings.schedule.off
    found.extend(("flows", each) for each in serving_findings(line.erp, line.store, off))
    calendars = calendar_findings(line.erp, line.store, line.clock.now())
    found.extend(("store", each) for each in calendars)
    found.extend(("erp", each) for each in _feeds(line, found))
    found.extend(("files", each) for each in _papers(line))
    found.extend(("files", each) for each in _uploads(line, settings))
    if line.settings.orders.pass_on_cancellations:
        found.append(("erp", _cancels(line)))
    found.extend(_settling(line))
    found.extend(("store", each) for each in _moving(line))
    found.extend(("mapping", each) for each in _live_findings(line, progress, found))
    return found


Told = list[tuple[str, "Finding"]]
"""What was found so far, each with where."""


def _uncompared(subject: str, what: str, error: SyncError, told: Told) -> Finding:
    """A comparison that a system kept from being made.

    Where the system's own check told the cause already, this only follows from it.
    """
    from sync.ports.erp import FindingLevel

    for where, cause in told:
        if cause.level is FindingLevel.ERROR and cause.message in str(error):
            said = f"not compared with {what} yet, for the reason told of {where}: {cause.subject}"
            return _warning(subject, said, "Follow the way out told there, then check again.")
    return _error(subject, f"not compared with {what}: {error}", way_out(error))


def _papers(line: Pipeline) -> list[Finding]:
    from sync.flows.documents import place_findings

    return place_findings(line.erp, line.files)


def _uploads(line: Pipeline, settings: Settings) -> list[Finding]:
    """Whether anybody looks at what applicants hand in, where the store has any.

    Two stores may have an application of one key: in one folder each could name what the
    other has.
    """
    from sync.ports.store import ReadsRegistrations

    if not isinstance(line.store, ReadsRegistrations):
        return []
    mine = line.settings
    if mine.uploads is None:
        told = "what applicants hand in is not looked at: a file counts as what it is said to be"
        return [_ok("uploads", f"{told} (uploads in the settings names where the files lie)")]
    same = (mine.uploads.name, mine.uploads_folder)
    return [
        _warning(
            "uploads_folder",
            f"is that of pipeline {name} too: an application that has the key of one there could"
            " name its files",
            f"Give each a folder of its own: uploads_folder = "
            f'"{mine.name}/{mine.uploads_folder}", where the shop writes them so.',
        )
        for name, other in sorted(settings.pipelines.items())
        if name != mine.name
        and other.uploads is not None
        and (other.uploads.name, other.uploads_folder) == same
    ]


def _feeds(line: Pipeline, told: Told) -> list[Finding]:
    from sync.flows.feed_findings import feed_findings

    try:
        return feed_findings(line.erp)
    except SyncError as error:
        return [_uncompared("price feeds", "the statements for single owners", error, told)]


def _moving(line: Pipeline) -> list[Finding]:
    from sync.flows.moved import not_found_finding

    finding = not_found_finding(line.erp, line.store)
    return [] if finding is None else [finding]


def _settling(line: Pipeline) -> list[tuple[str, Finding]]:
    """Whether captures and credits can be had, where the settings ask for them."""
    from sync.domain.ids import ChannelId
    from sync.ports.erp import ReadsOrderStatus, RequestsCredits
    from sync.ports.store import CapturesPayments

    orders = line.settings.orders
    asked = (
        (
            *("store", "capture_channels", orders.capture_channels),
            isinstance(line.store, CapturesPayments) and isinstance(line.erp, ReadsOrderStatus),
            "this store captures nothing when it is asked, or the ERP tells no order status",
            "Capture by hand and take the setting out.",
        ),
        (
            *("erp", "credit_channels", orders.credit_channels),
            isinstance(line.erp, RequestsCredits),
            "the ERP's adapter or profile takes no credit requests: each refund is for a person",
            "Write find_credit and credit_request into the profile, or take the setting out.",
        ),
    )
    found = []
    for where, name, channels, able, told, remedy in asked:
        if not channels:
            continue
        found.append((where, _ok(name, "can be had") if able else _warning(name, told, remedy)))
        channels_there = _channels(line)
        for channel in channels:
            if channels_there and ChannelId(channel) not in channels_there:
                strange = f"channels.yaml has no channel {channel}"
                found.append((where, _warning(name, strange, "Correct its name in the settings.")))
    return found


def _channels(line: Pipeline) -> Collection[ChannelId]:
    """Those of the mapping; none where it cannot be read: that is told elsewhere."""
    try:
        loaded, _ = line.mapping.current()
    except SyncError:
        return ()
    return loaded.mapping.channels


def _cancels(line: Pipeline) -> Finding:
    from sync.ports.erp import CancelsOrders, ReadsOrderStatus

    if isinstance(line.erp, CancelsOrders) and isinstance(line.erp, ReadsOrderStatus):
        return _ok("pass_on_cancellations", "the ERP cancels orders")
    told = "the ERP's adapter or profile cancels no orders: each cancellation is for a person"
    remedy = "Write cancel_order and order_status into the profile, or take the setting out."
    return _warning("pass_on_cancellations", told, remedy)


def _mapping_findings(line: Pipeline) -> list[Finding]:
    try:
        loaded, _ = line.mapping.current()
    except SyncError as error:
        return [_error("the files", str(error), "Correct the files named here.")]
    count = len(loaded.mapping.assignments)
    said = f"{count} assignments" if count else "nothing is assigned yet"
    told = f"version {loaded.version}, {said}"
    if loaded.from_last_good:
        told += "; it stays in force, and the files as they are now do not count"
    found = [_ok("the files", told)]
    found.extend(_error("the files", each.said, each.remedy) for each in loaded.refused_problems)
    found.extend(_warning("the files", each.said, each.remedy) for each in loaded.warnings)
    return found


def _live_findings(line: Pipeline, progress: Progress, told: Told) -> list[Finding]:
    """What the mapping says and the live ERP does not have (WA-2c)."""
    from sync.mapping.spots import Spots
    from sync.mapping_check import mapping_findings

    try:
        found = mapping_findings(line.context(progress))
        spots = Spots(line.mapping.current()[0].files)
        return [_with_line(each, spots) for each in found]
    except SyncError as error:
        return [_uncompared("assignments", "the systems", error, told)]


def _with_line(finding: Finding, spots: Spots) -> Finding:
    """Of what a file says at several places each is a finding of its own."""
    if not finding.place.endswith(".yaml"):
        return finding  # it names its line, or no line can cure it
    spot = spots.of(finding.place, finding.path, finding.text)
    return replace(finding, place=f"{spot.file}:{spot.line}")


def _record(where: str, finding: Finding) -> dict[str, object]:
    return {
        "where": where,
        "subject": finding.subject,
        "level": finding.level.value,
        "message": f"{finding.message} ({finding.place})" if finding.place else finding.message,
        "remedy": finding.remedy,
    }


def _ok(subject: str, message: str) -> Finding:
    from sync.ports.erp import Finding, FindingLevel

    return Finding(subject, FindingLevel.OK, message)


def _warning(subject: str, message: str, remedy: str) -> Finding:
    from sync.ports.erp import Finding, FindingLevel

    return Finding(subject, FindingLevel.WARNING, message, remedy)


def _error(subject: str, message: str, remedy: str) -> Finding:
    from sync.ports.erp import Finding, FindingLevel

    return Finding(subject, FindingLevel.ERROR, message, remedy)
