"""Registrations: taken up from the store, carried on once staff have approved them (VE-9).

Between three systems and no common transaction, each step is one write to one
of them, and the state says before or after it what may have been done:

- the people and the organisation are made in the store, which gives the same
  ones again however often it is asked;
- before the ERP is asked for a customer the state says so, with the key that it
  is asked under; whoever finds that later looks the key up before asking again;
- the mapping file is written when the ERP is seen to have the customer, after the
  state says so, from when on nobody is rejected; written again it says the same;
- the organisation becomes active when the mapping in force says so too, and the
  ERP calls the account usable. Where the files were those in force before the line was
  written, they are taken up with it in the same run; where somebody else has edited
  them, they come into force when that is at rest, and a later run goes on.

So after a crash anywhere the next run does what is left, and nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sync.domain.ids import ApplicationId
from sync.domain.registration import Application, RegistrationNotice
from sync.errors import AccessDenied, SyncError
from sync.flows.context import Context, FlowResult
from sync.flows.mirroring import chunks
from sync.flows.registrations.desk import Desk, Moved
from sync.flows.registrations.uploads import with_files
from sync.planning.registrations import judged, taken_up, words
from sync.ports.registrations import ENDED, RegistrationEntry, Stage
from sync.ports.state import ResyncScope
from sync.ports.store import ReadsRegistrations, WritesRegistrations


def handle_registrations(
    context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool = False
) -> None:
    """Take up what was handed in, and carry on what is not over.

    One that cannot go on does not hold up the others; the first error is raised
    when all were tried. Does nothing, and says so, for a store without registrations.
    """
    store = context.store
    if not isinstance(store, ReadsRegistrations) or not isinstance(store, WritesRegistrations):
        result.remarks.append("The store tells of no registrations: none are decided here.")
        return
    listed = _listed(context, result, store, scope)
    if dry_run:
        _rehearse(context, result, listed)
        return
    desk = Desk(context, result, store)
    for application in listed.values():
        desk.take_up(application)
    _work(context, result, desk, _to_work_on(context, listed, scope))


def _listed(
    context: Context, result: FlowResult, store: ReadsRegistrations, scope: ResyncScope
) -> dict[ApplicationId, Application]:
    """What the store shows and nobody has decided, longest ago handed in first."""
    found = {}
    for each in context.retrying()(lambda: list(store.open_applications())):
        if not isinstance(each, Application):
            result.count("unreadable")
            result.remarks.append(
                f"The store's application {each.reference} cannot be read: {each.problem}."
            )
        elif scope.channel is None or each.channel.value == scope.channel:
            found[each.application_id] = each
    return found


def _to_work_on(
    context: Context, listed: Mapping[ApplicationId, Application], scope: ResyncScope
) -> list[ApplicationId]:
    """Those that are not over, and those that the store takes for open, be they over or not."""
    if scope.channel is not None:
        return list(listed)
    with context.state.transaction() as state:
        unsettled = state.registrations.unsettled()
    return list(dict.fromkeys((*unsettled, *listed)))


@dataclass(slots=True)
class _Errors:
    first: SyncError | None = None
    told: set[str] = field(default_factory=set)

    def note(self, result: FlowResult, who: ApplicationId, error: SyncError) -> None:
        self.first = self.first or error
        if str(error) not in self.told:
            self.told.add(str(error))
            result.remarks.append(f"Application {who}: {error}")


def _work(
    context: Context, result: FlowResult, desk: Desk, application_ids: list[ApplicationId]
) -> None:
    errors = _Errors()
    done = 0
    for batch in chunks(application_ids, context.store.capabilities.batch):
        shown = desk.shown(batch)
        for application_id in batch:
            _carry_on(result, desk, errors, application_id, shown.get(application_id))
            done += 1
            if context.progress("registrations: working", done, len(application_ids)):
                result.outcome = "cancelled"
                return
    if errors.first is not None:
        raise errors.first


def _carry_on(
    result: FlowResult,
    desk: Desk,
    errors: _Errors,
    application_id: ApplicationId,
    shown: RegistrationNotice | None,
) -> None:
    """As far as it goes today, and tell the store; also where the ERP is away."""
    for act in (desk.go_on, lambda which: desk.tell_store(which, shown)):
        try:
            act(application_id)
        except AccessDenied:
            raise
        except Moved:
            # A person decided something about it meanwhile: the next run goes by that.
            result.count("moved")
            return
        except SyncError as error:
            errors.note(result, application_id, error)


def _rehearse(
    context: Context, result: FlowResult, listed: Mapping[ApplicationId, Application]
) -> None:
    now, retrying = context.clock.now(), context.retrying()
    with context.state.transaction() as state:
        held = {each: state.registrations.entry(each) for each in listed}
        under_way = [
            entry
            for each in state.registrations.unsettled()
            if (entry := state.registrations.entry(each)) is not None
        ]
    for application_id, application in listed.items():
        before = held[application_id]
        fresh = with_files(context.uploads, retrying, taken_up(before, application, now))
        after = judged(fresh, context.mapping)
        if before is None or after != before:
            result.count("would_change")
            result.samples.append(_outlook(after))
    for entry in under_way:
        if entry.stage is not Stage.OPEN and entry.stage not in ENDED:
            result.count("would_change")
            result.samples.append(_outlook(entry))


def _outlook(entry: RegistrationEntry) -> str:
    missing = f", lacks {', '.join(entry.missing)}" if entry.missing else ""
    what = words(entry.status if entry.stage is Stage.OPEN else entry.stage)
    return f"{entry.application_id}: {what}{missing}"
