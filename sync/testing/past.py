"""How a system was some calls ago, and in which order it may answer.

A read from a replica, a cache or a page kept by a proxy answers what held a
while ago. How old such an answer may be without harm, by what is read:

- ``store.changed_orders``: any age. The watermark goes by what was shown, and a
  version older than the one in the ledger changes nothing. Where single orders
  lag behind the others, at most the store's ``overlap_s``.
- ``store.order``: any age where it shows an older version of an order or none.
  The ERP may then get what the store showed before; the feed tells the newer
  version, and the order comes to a person as one that was edited after its
  import. An older version never replaces a newer one in the ledger.
- ``erp.find_order``: less than the time for which an unknown outcome rests
  (``ambiguity_wait_s``, and half as long again as ``statement_timeout_s``),
  **and** the ERP must refuse a second order under one key. Without that refusal
  a look-up that comes too late is a second order; with it, an order that was
  cancelled meanwhile would be closed although the ERP has it.
- ``erp.order_statuses``, and what the store shows (``shown_*``): any age; the
  next run compares again. ``changed_customers`` with its watermark likewise.
- The mirrors' sources (accounts, addresses, invoices), where a change feed is
  not as stale as they are: less than the ten minutes by which the feed is read
  again. Older ones are repaired by the daily look at everything. Prices are
  compared as a whole every time: any age.
- ``store.buyer``, the ERP's account and items while an order is judged: any age,
  and the decision is then the one of that time: a right that was taken away a
  moment ago, or a block that was set, may still be missed.
- ``erp.purchase_order_used``: a PO number used a moment ago may go unnoticed.
- A notice (``show_import``) or a status that the store carries out after a later
  one, when nobody hears of it any more, carries no version: the store shows the
  older one until the second look at the order, and one that came later than an
  unknown outcome rests, until the daily look at all of the last days.
- The state: none. A state that is put back to an older copy is another matter,
  and is what ``tradesync state restore`` is for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sync.ports.clock import Clock


def as_it_stands(port: Any) -> Any:
    """A copy that later changes do not reach, of a fake that keeps frozen values in containers."""
    twin = object.__new__(type(port))
    twin.__dict__.update(
        {
            name: value.copy() if isinstance(value, (dict, list, set)) else value
            for name, value in vars(port).items()
        }
    )
    return twin


@dataclass(frozen=True, slots=True)
class Past:
    """How far back a stale read goes: so many calls, but no longer than ``seconds``.

    ``keep`` makes the copy that is read later; the author of an adapter whose
    system is no fake gives one that snapshots that system.
    """

    clock: Clock
    calls: int = 4
    seconds: float = 30.0
    keep: Callable[[Any], Any] = as_it_stands

    def of(self, port: Any) -> Memory:
        return Memory(self, port)


class Memory:
    """One port as it stood before each of its last calls."""

    def __init__(self, past: Past, port: Any) -> None:
        self._past, self._port = past, port
        self._kept: deque[tuple[datetime, Any]] = deque(maxlen=past.calls)

    def then(self) -> Any:
        """The port as it was as long ago as is allowed; how it stands now is kept for later."""
        now = self._past.clock.now()
        self._kept.append((now, self._past.keep(self._port)))
        oldest = now - timedelta(seconds=self._past.seconds)
        return next(held for at, held in self._kept if at >= oldest)


def other_order(answer: Any) -> Any:
    """The same answer the other way round; what has no order stays as it is.

    An answer beside a watermark is turned, too.
    """
    if isinstance(answer, Mapping):
        return dict(reversed(list(answer.items())))
    if isinstance(answer, Iterator):
        return iter(list(answer)[::-1])
    if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], (list, tuple)):
        return (other_order(answer[0]), answer[1])
    if isinstance(answer, Sequence) and not isinstance(answer, (str, bytes)):
        return answer[::-1]
    return answer
