"""Mirror of documents with their files to the buyers of their own account (TL-7, WA-8).

What is there is compared by what the ERP and the place of files tell of each file,
so that a run without changes opens none. Some ERPs give files out themselves: these
need no place, and are told with the version that they have. Only the file of a document
that is new or changed is read, one after the other, and each is written by itself: a
file that cannot be published costs its own document only, and the file that was shown
of that document stays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sync.domain.document import Document, DocumentKey, DocumentKind, DocumentRecord
from sync.domain.ids import CustomerId, DocumentNumber
from sync.domain.views import DocumentView
from sync.errors import Rejected, TryLater
from sync.flows.account_records import no_place
from sync.flows.apart import Apart, tell_accounts
from sync.flows.contents import fetched, source_of
from sync.flows.context import Context, FlowResult
from sync.flows.mirroring import (
    carry_out,
    compare,
    in_erp,
    individual,
    members_of_accounts,
    shown_ids,
    take_unreadable,
    tell_if_none,
    withdraw_retail_groups,
)
from sync.flows.moved import Moved, Numbered, account_of
from sync.flows.pacing import paced
from sync.flows.retrying import Retrying
from sync.planning.documents import (
    PlacedOrders,
    kept_document,
    told_version,
    wanted_document,
)
from sync.planning.plan import Change
from sync.planning.spool import Spool
from sync.ports.erp import Erp, Finding, FindingLevel, ReadsDocumentFiles, ReadsDocuments
from sync.ports.files import HoldsFiles
from sync.ports.state import ResyncScope
from sync.ports.store import FindsShownDocuments, MirrorsDocuments

SpelledKey = tuple[str, ...]

TOLD = 20
"""Files with something wrong about them that one run names; the others are counted."""


def mirror_documents(
    context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool = False
) -> None:
    """Make the store show each mapped account exactly its own documents.

    Does nothing, and says so, for a store that has no place for them, and where
    the settings name no place of files and the ERP gives none out. Raises SuspiciousPlan.
    """
    store, files = context.store, context.files
    withdraw_retail_groups(context, result, dry_run=dry_run)
    if not isinstance(store, MirrorsDocuments):
        no_place(result, "documents")
        return
    if files is None and not isinstance(context.erp, ReadsDocumentFiles):
        result.remarks.append("The settings name no place of files: no documents are mirrored.")
        return
    retrying = context.retrying()
    mapped = members_of_accounts(context, scope)
    tell_if_none(result, mapped, scope)
    ids = sorted(mapped.keys() | set(shown_ids(context, scope)))
    wanting = _Wanting(context, result, files, retrying)
    apart = Apart(retrying, sorted(mapped))
    moved = Moved(context, result, _numbered(context, store, retrying), whole=not scope.narrow)
    with Spool[SpelledKey, Document](tuple[str, ...], Document) as spool:
        seen, batches = 0, paced(ids, context.limits.accounts_per_read)
        for batch in batches:
            held = retrying(store.shown_documents, batch)
            shown = {_spelled(key): each for key, each in held.items()}
            records = apart.read([each for each in batch if each in mapped], wanting.told)
            wanted = wanting.of([record for some in records for record in some], shown)
            unreadable = take_unreadable(context, result).and_of(apart.unread)
            kept = unreadable.keeping(mapped, account_of)
            compare(spool, wanted, shown, lambda key: key, kept)
            moved.see(batch, wanted, shown, kept)
            batches.held(len(wanted) + len(shown))
            seen += len(batch)
            if context.progress("documents: comparing", seen, len(ids)):
                result.outcome = "cancelled"
                return
        wanting.tell()
        tell_accounts(result, apart.unread)
        moved.withdraw(spool)

        def write(batch: Sequence[Change[SpelledKey, Document]]) -> None:
            for change in batch:
                _write(context, store, change)

        # One by one: what a batch would refuse together had to be read again for each half.
        carry_out(context, result, spool, write, scope, dry_run=dry_run, batch=1)
    wanting.see_that_any_was_there()


def place_findings(erp: Erp, files: HoldsFiles | None) -> list[Finding]:
    """Documents need the ERP's word on them and a place of their files; one alone does nothing.

    An ERP that gives its files out itself needs no place.
    """
    tells = isinstance(erp, ReadsDocuments)
    if tells and files is None and not isinstance(erp, ReadsDocumentFiles):
        told = "the ERP tells of documents, and the settings name no place of files"
        remedy = "Write a system of kind files and name it in files."
    elif files is not None and not tells:
        told = "there is a place of files, and the ERP's adapter or profile tells of no documents"
        remedy = "Write documents into the profile, or take files out."
    else:
        return []
    return [Finding("files", FindingLevel.WARNING, told, remedy)]


def _numbered(
    context: Context, store: MirrorsDocuments, retrying: Retrying
) -> Numbered[Document] | None:
    """How to find documents that moved; None where the store cannot tell whose one is."""
    erp = context.erp
    if not isinstance(store, FindsShownDocuments) or not isinstance(erp, ReadsDocuments):
        return None
    finder: FindsShownDocuments = store
    source: ReadsDocuments = erp

    def told(customer_ids: Collection[CustomerId]) -> Collection[SpelledKey]:
        records = retrying(source.documents, customer_ids) if customer_ids else ()
        return [_spelled(each.key) for each in records]

    def shown(customer_ids: Collection[CustomerId]) -> dict[SpelledKey, Document]:
        held = retrying(store.shown_documents, customer_ids)
        return {_spelled(key): each for key, each in held.items()}

    def elsewhere(keys: Collection[SpelledKey]) -> Collection[SpelledKey]:
        papers = {_key(key)[1:] for key in keys}
        return [_spelled(key) for key in retrying(finder.shown_document_keys, papers)]

    return Numbered(told, shown, elsewhere, lambda one, other: one.issued_on == other.issued_on)


def _write(
    context: Context,
    store: MirrorsDocuments,
    change: Change[SpelledKey, Document],
) -> None:
    document = change.after
    if document is None:
        store.apply_documents([], [_key(change.key)])
        return
    account = individual(context, document.sold_to)
    if document.content is not None:
        store.apply_documents([DocumentView(account, document)], [])
        return
    try:
        source = source_of(document, context.erp, context.files)
        with fetched(source, document) as file:
            view = DocumentView(account, document.with_content(file.content))
            store.publish_document(view, file)
    except Rejected:
        if change.before is not None:
            kept = kept_document(change.before, document)
            if kept != change.before:
                store.apply_documents([DocumentView(account, kept)], [])
        raise


class _Wanting:
    """What the ERP tells, held against the place of files, without reading one."""

    def __init__(
        self, context: Context, result: FlowResult, files: HoldsFiles | None, retrying: Retrying
    ) -> None:
        self._context, self._result = context, result
        self._files, self._retrying = files, retrying
        self._untold = self._absent = 0
        self._any_there = False

    def told(self, customer_ids: Collection[CustomerId]) -> Sequence[DocumentRecord]:
        """What the ERP tells of the documents of these accounts."""
        erp = self._context.erp
        asked = in_erp(self._context, self._retrying, customer_ids)
        if not asked or not isinstance(erp, ReadsDocuments):
            return ()
        return self._retrying(erp.documents, asked)

    def of(
        self, records: Sequence[DocumentRecord], shown: Mapping[SpelledKey, Document]
    ) -> dict[SpelledKey, Document]:
        """The documents to show; one whose file is not to be had keeps the one it has."""
        placed = self._placed(records)
        found: dict[SpelledKey, Document] = {}
        for record in _once(records):
            key = _spelled(record.key)
            held = shown.get(key)
            version = self._version(record, shown=held is not None)
            if version is not None:
                found[key] = wanted_document(record, version, placed.of(record), held)
            elif held is not None:
                unread = wanted_document(record, "", placed.of(record), None)
                found[key] = kept_document(held, unread)
        return found

    def _placed(self, records: Sequence[DocumentRecord]) -> PlacedOrders:
        owners = {each.sold_to for each in records if each.erp_order or each.web_reference}
        if not owners:
            return PlacedOrders(())
        with self._context.state.transaction() as state:
            return PlacedOrders(state.ledger.placed_under(owners))

    def _version(self, record: DocumentRecord, *, shown: bool) -> str | None:
        """Which state of the file to show; None, and told, where it is not to be had."""
        version = told_version(record)
        if version is not None:
            return version
        files = self._files
        if files is None:
            why = "lies in a place of files, and the settings name none"
            self._note("documents_refused", record, why, _NAME_PLACE, shown=shown)
            return None
        try:
            stamp = self._retrying(files.stamp, record.place)
        except Rejected as error:
            remedy = error.remedy or _PUT_THERE
            self._note("documents_refused", record, str(error), remedy, shown=shown)
            return None
        if stamp is None:
            self._absent += 1
            self._note("documents_missing", record, "is not there", _PUT_THERE, shown=shown)
            return None
        self._any_there = True
        if record.size is not None and record.size != stamp.size:
            why = f"has {stamp.size} bytes, and the ERP tells {record.size}"
            self._note("documents_refused", record, why, _PUT_WHOLE, shown=shown)
            return None
        if not 0 < stamp.size <= files.size_limit:
            limit = files.size_limit
            why = "is empty" if not stamp.size else f"is larger than the limit of {limit} bytes"
            remedy = _PUT_SMALLER if stamp.size else _PUT_WHOLE
            self._note("documents_refused", record, why, remedy, shown=shown)
            return None
        return stamp.version

    def _note(
        self, count: str, record: DocumentRecord, why: str, remedy: str, *, shown: bool
    ) -> None:
        """What is wrong about the file of a document, what comes of it, and the way out."""
        self._result.count(count)
        told = sum(self._result.counts.get(each, 0) for each in _WRONG)
        if told > TOLD:
            self._untold += 1
            return
        kept = "the file that is shown of it stays" if shown else "so the document is not shown"
        self._result.remarks.append(
            f"{record.kind.value.replace('_', ' ')} {record.number} of {record.sold_to}: the file"
            f" {record.place!r} {why}; {kept}. {remedy[:1].upper()}{remedy[1:].rstrip('.')}."
        )

    def tell(self) -> None:
        """How many there were beyond those that are named."""
        if self._untold:
            self._result.remarks.append(f"{self._untold} more files are not there or refused.")

    def see_that_any_was_there(self) -> None:
        """Raises TryLater where every file that was looked for is absent.

        So does a share look that is not mounted; one absent file alone is one file.
        """
        if self._absent > 1 and not self._any_there:
            raise TryLater(
                f"not one of {self._absent} files is there: is the place of files the right one?"
            )


_WRONG = ("documents_missing", "documents_refused")

_PUT_THERE = "Put it there, or correct in the ERP where it lies: the next run publishes it"
_PUT_WHOLE = "Put it there whole: the next run publishes it"
_PUT_SMALLER = "Put a smaller one there: the next run publishes it"
_NAME_PLACE = "Write a system of kind files and name it in files of the settings"


def _once(records: Sequence[DocumentRecord]) -> Sequence[DocumentRecord]:
    """Each document once: a page may come twice, and the ERP's order is not ours."""
    found = {each.key: each for each in sorted(records, key=lambda each: (each.place, each.number))}
    return list(found.values())


def _spelled(key: DocumentKey) -> SpelledKey:
    return tuple(part.value for part in key)


def _key(spelled: SpelledKey) -> DocumentKey:
    owner, kind, number = spelled
    return CustomerId(owner), DocumentKind(kind), DocumentNumber(number)
