"""Orders as the ports see them: looked up, written in steps, followed by status."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from erp_adapters.sql import translate
from erp_adapters.sql.base import Parts, Reading, SqlErpBase, single, unreadable
from erp_adapters.sql.database import Database
from erp_adapters.sql.errors import Attempt, DuplicateKey, Moment, translated
from erp_adapters.sql.profile_model import CREDIT_NUMBER, ORDER_NUMBER, Profile
from erp_adapters.sql.queries import Row
from erp_adapters.sql.values import as_text
from erp_adapters.sql.writing import Execution, OrderWriter
from sync.domain.ids import ErpOrderNumber, IdempotencyKey
from sync.domain.money import Money
from sync.domain.sales_order import (
    ErpOrderState,
    FoundOrder,
    OrderAcknowledgement,
    OrderStatus,
    SalesOrder,
)
from sync.domain.settlement import Credit, CreditRequest
from sync.errors import Conflict, GroupRejected, Rejected
from sync.kit.foreseeing import refusal_of
from sync.kit.order_groups import refuse_what_is_no_group

log = structlog.get_logger()


class FindsOrdersByKey(SqlErpBase):
    def find_order(self, key: IdempotencyKey) -> FoundOrder | None:
        with self._read("find_order") as reading:
            return self._found(reading, key)

    def _found(self, reading: Reading, key: IdempotencyKey) -> FoundOrder | None:
        row = self._one(reading, "find_order", external_key=key.value)
        if row is None:
            return None
        try:
            return translate.found_order(row)
        except ValueError as error:
            raise unreadable("find_order", key.value, str(error)) from error


class SubmitsOrdersInSteps(FindsOrdersByKey):
    def __init__(self, profile: Profile, database: Database) -> None:
        super().__init__(profile, database)
        self._orders = OrderWriter(profile, database.dialect)

    def find_orders(self, keys: Collection[IdempotencyKey]) -> Mapping[IdempotencyKey, FoundOrder]:
        """One read transaction; one statement where the profile has ``find_orders``."""
        with self._read("find_orders") as reading:
            if "find_orders" in self.queries:
                return self._found_together(reading, keys)
            found = {key: self._found(reading, key) for key in keys}
        return {key: order for key, order in found.items() if order is not None}

    def _found_together(
        self, reading: Reading, keys: Collection[IdempotencyKey]
    ) -> dict[IdempotencyKey, FoundOrder]:
        wanted = {key.value: key for key in keys}
        answer = reading.rows("find_orders", external_keys=wanted.keys())
        if answer.bad:
            bad = answer.bad[0]
            reading.bad.clear()
            raise unreadable("find_orders", bad.key, bad.told)
        found: dict[IdempotencyKey, FoundOrder] = {}
        for row in answer.rows:
            key = wanted.get(row["external_key"])
            if key is None:
                continue
            if key in found:
                raise Rejected(
                    f"find_orders answers several rows under the key {key}",
                    code="erp_ambiguous",
                    remedy="look in the ERP which of them is right",
                )
            try:
                found[key] = translate.found_order(row)
            except ValueError as error:
                raise unreadable("find_orders", key.value, str(error)) from error
        return found

    def foreseen_refusal(self, order: SalesOrder, key: IdempotencyKey) -> Rejected | None:
        return refusal_of(self._orders.plan, order, key)

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        planned = self._orders.plan(order, key)
        for last in (False, True):
            try:
                return self._submit(order, key, planned)
            except DuplicateKey as stopped:
                held = self.find_order(key)
                if held is not None:
                    return same_order(held, order, key)
                # Not our key: perhaps two orders reached for the same number.
                if last:
                    raise Rejected(
                        f"order {order.web_number}: a unique index of the ERP refuses it"
                        f" ({stopped.told.code})",
                        code="erp_duplicate",
                        remedy="look in the ERP for the record that is there already, then replay",
                    ) from stopped.error
        raise AssertionError("unreachable")

    def _submit(
        self, order: SalesOrder, key: IdempotencyKey, planned: Sequence[Execution]
    ) -> OrderAcknowledgement:
        doing = f"writing order {order.web_number} into {self.profile.name}"
        attempt = self.database.attempt(doing)
        with translated(attempt, self.database.dialect):
            try:
                return self._in_one_transaction(order, key, planned, attempt)
            except DBAPIError as error:
                if attempt.moment is not Moment.READING or not error.connection_invalidated:
                    raise
                # A connection from before the server's restart, with nothing written yet.
                self.database.writer.dispose()
                return self._in_one_transaction(order, key, planned, attempt)

    def _in_one_transaction(
        self,
        order: SalesOrder,
        key: IdempotencyKey,
        planned: Sequence[Execution],
        attempt: Attempt,
    ) -> OrderAcknowledgement:
        with self.database.writer.begin() as connection:
            held = self._found(Reading(self, connection), key)
            # A refused one may be sent again; the steps say what becomes of it.
            if held is not None and held.refusal is None:
                return same_order(held, order, key)
            attempt.moment = Moment.WRITING
            captured = self._orders.run(connection, planned, attempt)
        return _acknowledged(captured)


class SubmitsOrdersInGroups(SubmitsOrdersInSteps):
    """All steps of all orders in one transaction, order by order.

    What the ERP refuses takes the whole transaction with it, and the order that it
    was about is named. Whether one of the keys is there already is left to the
    ERP's own unique index: the caller has looked, and goes on one by one if so.
    """

    def submit_orders(
        self, orders: Sequence[tuple[SalesOrder, IdempotencyKey]]
    ) -> Sequence[OrderAcknowledgement]:
        refuse_what_is_no_group(orders, self.capabilities.order_group)
        doing = f"writing a group of {len(orders)} orders into {self.profile.name}"
        attempt = self.database.attempt(doing)
        try:
            planned = []
            for attempt.order, (order, key) in enumerate(orders):
                writing = f"writing order {order.web_number} into {self.profile.name}"
                planned.append((writing, self._orders.plan(order, key)))
            with (
                translated(attempt, self.database.dialect),
                self.database.writer.begin() as connection,
            ):
                attempt.moment = Moment.WRITING
                captured = self._orders.run_all(connection, planned, attempt)
                answers = [_acknowledged(each) for each in captured]
                # What is refused from here on is refused at the end, whichever it was.
                attempt.doing = f"{doing}, at the end"
        except Rejected as refusal:
            raise GroupRejected(
                str(refusal), code=refusal.code, remedy=refusal.remedy, position=attempt.order
            ) from refusal
        except DuplicateKey as stopped:
            raise Conflict(
                f"{doing}: a unique index of the ERP stopped it ({stopped.told.code})"
            ) from stopped.error
        return answers


def _acknowledged(captured: Mapping[str, Any]) -> OrderAcknowledgement:
    number = captured.get(ORDER_NUMBER)
    return OrderAcknowledgement(None if number is None else ErpOrderNumber(as_text(number)))


class ReadsOrderStatusByKey(SqlErpBase):
    def __init__(self, profile: Profile, database: Database) -> None:
        super().__init__(profile, database)
        self._overdue: set[str] = set()

    def order_statuses(
        self, keys: Collection[IdempotencyKey]
    ) -> Mapping[IdempotencyKey, OrderStatus]:
        return self._statuses(keys)[0]

    def _statuses(
        self, keys: Collection[IdempotencyKey]
    ) -> tuple[dict[IdempotencyKey, OrderStatus], Collection[IdempotencyKey]]:
        """What the ERP says of these orders, and of which it says what nobody can read."""
        wanted = {each.value for each in keys}
        with self._read("order_status") as reading:
            asked = {"external_keys": wanted}
            answer = reading.rows("order_status", **asked)
            rows = [row for row in answer.rows if row["external_key"] in wanted]
            shipments = Parts(reading.rows("order_shipments", **asked), "external_key")
            lines = Parts(reading.rows("order_line_status", **asked), "external_key")
            broken = shipments.broken | lines.broken

            def make(row: Row) -> tuple[IdempotencyKey, OrderStatus]:
                key = row["external_key"]
                if translate.is_overdue(row):
                    self._tell_overdue(key)
                status = translate.order_status(row, shipments.of(key), lines.of(key))
                return IdempotencyKey(key), status

            query = self.queries["order_status"]
            whole = [row for row in rows if row["external_key"] not in broken]
            told = dict(reading.build(query, single(reading, query, whole), make))
            unread = {bad.known.get("external_key") for bad in reading.bad}
        return told, [key for key in keys if key not in told and key.value in unread]

    def _tell_overdue(self, key: str) -> None:
        """Once for each order as long as the process lives."""
        if key not in self._overdue:
            self._overdue.add(key)
            log.warning("order.answer_overdue", erp=self.profile.name, key=key)


class CancelsOrdersInSteps(ReadsOrderStatusByKey):
    def __init__(self, profile: Profile, database: Database) -> None:
        super().__init__(profile, database)
        self._cancelling = OrderWriter(profile, database.dialect)

    def cancel_order(self, key: IdempotencyKey) -> None:
        planned = self._cancelling.plan_cancellation(key)
        attempt = self.database.attempt(f"cancelling the order {key} in {self.profile.name}")
        if self._is_cancelled(key):
            return
        with (
            translated(attempt, self.database.dialect),
            self.database.writer.begin() as connection,
        ):
            attempt.moment = Moment.WRITING
            self._cancelling.run(connection, planned, attempt)

    def _is_cancelled(self, key: IdempotencyKey) -> bool:
        status = self.order_statuses([key]).get(key)
        return status is not None and status.state is ErpOrderState.CANCELLED


class RequestsCreditsInSteps(SqlErpBase):
    def __init__(self, profile: Profile, database: Database) -> None:
        super().__init__(profile, database)
        self._crediting = OrderWriter(profile, database.dialect)

    def find_credit(self, key: IdempotencyKey) -> Credit | None:
        with self._read("find_credit") as reading:
            return self._filed(reading, key)

    def request_credit(self, request: CreditRequest, key: IdempotencyKey) -> Credit:
        planned = self._crediting.plan_credit(request, key)
        try:
            return self._file(request, key, planned)
        except DuplicateKey as stopped:
            held = self.find_credit(key)
            if held is not None:
                return _same_credit(held, request, key)
            raise Rejected(
                f"refund {request.refund} of order {request.web_number}: a unique index of the "
                f"ERP refuses it ({stopped.told.code})",
                code="erp_duplicate",
                remedy="look in the ERP for the record that is there already",
            ) from stopped.error

    def _file(
        self, request: CreditRequest, key: IdempotencyKey, planned: Sequence[Execution]
    ) -> Credit:
        doing = f"filing refund {request.refund} of order {request.web_number}"
        attempt = self.database.attempt(f"{doing} in {self.profile.name}")
        with (
            translated(attempt, self.database.dialect),
            self.database.writer.begin() as connection,
        ):
            held = self._filed(Reading(self, connection), key)
            if held is not None:
                return _same_credit(held, request, key)
            attempt.moment = Moment.WRITING
            captured = self._crediting.run(connection, planned, attempt)
        number = captured.get(CREDIT_NUMBER)
        return Credit(None if number is None else as_text(number), request.amount)

    def _filed(self, reading: Reading, key: IdempotencyKey) -> Credit | None:
        row = self._one(reading, "find_credit", external_key=key.value)
        if row is None:
            return None
        amount = row["amount"]
        if amount is not None and row["currency"] is None:
            raise unreadable("find_credit", key.value, "an amount without a currency")
        told = None if amount is None else Money(amount, row["currency"])
        return Credit(row["credit_number"], told)


def _same_credit(held: Credit, request: CreditRequest, key: IdempotencyKey) -> Credit:
    if held.amount is not None and held.amount != request.amount:
        raise Conflict(
            f"the ERP has a credit of {held.amount} under {key} already, not of {request.amount}"
        )
    return held


def same_order(held: FoundOrder, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
    """The answer for an order that the ERP holds already, if it is this one.

    Raises Rejected where the ERP has refused it, Conflict where it differs.
    """
    if held.refusal is not None:
        raise Rejected(
            f"order {order.web_number}: the ERP refused it: {held.refusal}",
            code="erp_refused",
            remedy="put right in the ERP what it names, then replay",
        )
    differences = held.differences(order)
    if differences:
        raise Conflict(
            f"order {order.web_number} is in the ERP under {key} already,"
            f" and differs: {'; '.join(differences)}"
        )
    return OrderAcknowledgement(held.number)
