"""What the store shows of an order's way into the ERP: metadata of the order.

All of it is under names that begin with ours. The module takes such names out of
whatever a shopper sends, because a cart's metadata becomes the order's. Nothing
that is read here decides anything: the ledger does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.domain import codec
from sync.domain.ids import ErpOrderNumber
from sync.domain.sales_order import OrderStatus
from sync.domain.views import ImportNotice, ImportState

STATE, NUMBER, MESSAGE = "tradesync_state", "tradesync_erp_order", "tradesync_message"
ERP_STATE, STATUS = "tradesync_erp_state", "tradesync_erp_status"


def of_notice(notice: ImportNotice) -> dict[str, str]:
    """The keys to set; an empty text removes one."""
    return {
        STATE: notice.state.value,
        NUMBER: notice.erp_order.value if notice.erp_order else "",
        MESSAGE: notice.message or "",
    }


def of_status(status: OrderStatus) -> dict[str, str]:
    """One word for people, and everything for whoever builds a page of it."""
    return {ERP_STATE: status.state.value, STATUS: codec.dumps(status)}


def notice_in(metadata: Mapping[str, Any] | None) -> ImportNotice | None:
    """The notice that was shown; None where there is none, or none of ours."""
    held = metadata or {}
    number, message = held.get(NUMBER) or None, held.get(MESSAGE) or None
    try:
        state = ImportState(held.get(STATE))
        return ImportNotice(state, ErpOrderNumber(number) if number else None, message)
    except (TypeError, ValueError):
        return None


def status_in(metadata: Mapping[str, Any] | None) -> OrderStatus | None:
    """The status that was shown; None where there is none, or none of ours."""
    text = (metadata or {}).get(STATUS)
    if not isinstance(text, str):
        return None
    try:
        status: OrderStatus = codec.loads(OrderStatus, text)
    except ValueError:
        return None
    return status


def holds(metadata: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    """Whether the order's metadata took what was set."""
    return all((metadata.get(name) or "") == value for name, value in wanted.items())
