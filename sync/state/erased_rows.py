"""A ledger row without the person it was about (OP-9).

Each column is named in one of two lists, and a test holds them against the
table: a column that comes in without a word about erasure fails it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sync.domain import codec, erasure
from sync.domain.decision import Closing, Decision, Problem
from sync.domain.problem_codes import QUARANTINE_CODES, WAITING_CODES
from sync.domain.sales_order import OrderStatus, SalesOrder
from sync.domain.views import ImportNotice
from sync.ports.notices import notice_for
from sync.state import versions
from sync.state.rows import Row, entry

KEPT = frozenset(
    {
        "pipeline", "store_id", "order_id", "number", "channel", "key", "state", "modified_at",
        "placed_at", "first_seen_at", "changed_at", "due_at", "lease_token", "lease_until",
        "attempts", "waiting_for", "codes", "customer_id", "imported_at", "erp_order", "closing",
        "told_at", "notice_due_at", "change_due_at", "status_open", "cancel_due_at",
        "cancel_asked_at", "reduced_at", "mapping_version",
    }
)  # fmt: skip
"""Keys, codes, states and times."""

TAKEN_OUT = frozenset(
    {
        "payload", "fingerprint", "newer_payload", "newer_fingerprint", "waiting_sentence",
        "message", "problems", "trail", "differences", "decision", "frozen", "closing_note",
        "shown", "status",
    }
)  # fmt: skip
"""Documents, of which keys and amounts stay, and sentences, of which nothing does."""

# Their details are ours: keys, codes, names of fields. What others say is not.
_PLAIN_EVENTS = frozenset(
    {
        "discovered", "claimed", "changed", "refreshed", "change_settled", "admitted", "thawed",
        "imported", "acknowledged", "shown", "erp_status", "released", "requeued", "erased",
    }
)  # fmt: skip
# What comes after the erasure is made of what was left, or said by people who know of it.
_PLAIN_LATER = _PLAIN_EVENTS | {"review", "dismissed"}

_CODES = frozenset({*QUARANTINE_CODES, *WAITING_CODES, *(each.value for each in Closing)})


def stripped(row: Row) -> Row:
    """The row with nothing of the person in it, marked as erased."""
    order = erasure.without_person(versions.read(row["payload"]))
    changes: Row = {
        "payload": codec.dumps(order),
        "fingerprint": versions.erased_fingerprint(order),
        "waiting_sentence": erasure.sentence(row["waiting_sentence"]),
        "closing_note": erasure.sentence(row["closing_note"]),
        "trail": _sentences(row["trail"]),
        "differences": _sentences(row["differences"]),
        "decision": _document(Decision, erasure.decision_without_person, row["decision"]),
        "frozen": _document(SalesOrder, erasure.instruction_without_person, row["frozen"]),
    }
    if row["newer_payload"] is not None:
        newer = erasure.without_person(versions.read(row["newer_payload"]))
        changes["newer_payload"] = codec.dumps(newer)
        changes["newer_fingerprint"] = versions.erased_fingerprint(newer)
    return _without_words_of_others({**row, **changes})


def heard_later(row: Row, event: str | None, detail: str) -> tuple[Row, str]:
    """What a later step writes into an erased row, without what others may have quoted.

    What the store is shown is compared with what it should show; so the words of
    a notice stay where the row itself, which names nobody any more, asks for them.
    """
    shown = row["shown"]
    row = _without_words_of_others(row)
    wanted = notice_for(entry(row))
    if wanted is not None and shown == codec.dumps(wanted):
        row["shown"] = shown
    return row, detail_without_person(event or "", detail, _PLAIN_LATER)


def detail_without_person(event: str, detail: str, plain: frozenset[str] = _PLAIN_EVENTS) -> str:
    """What a line of the history may still say: all of it, or the codes that stood in it."""
    if event in plain or not detail:
        return detail
    codes = [each for each in re.findall(r"\b([a-z_]+):", detail) if each in _CODES]
    return ", ".join([*dict.fromkeys(codes), erasure.ERASED])


def _without_words_of_others(row: Row) -> Row:
    problems = codec.loads(tuple[Problem, ...], row["problems"])
    bare = tuple(erasure.problem_without_person(each) for each in problems)
    return {
        **row,
        "message": erasure.sentence(row["message"]),
        "problems": codec.dumps(bare),
        "shown": _document(ImportNotice, erasure.notice_without_person, row["shown"]),
        "status": _document(OrderStatus, erasure.status_without_person, row["status"]),
    }


def _document(kind: type[Any], bare: Callable[[Any], Any], text: str | None) -> str | None:
    return None if text is None else codec.dumps(bare(codec.loads(kind, text)))


def _sentences(text: str) -> str:
    return codec.dumps(erasure.sentences(codec.loads(tuple[str, ...], text)))
