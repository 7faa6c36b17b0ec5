"""What the ERP's contacts said last of users whom their addresses may assign."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, bindparam, delete, insert, select

from sync.domain.ids import CustomerId, WebUserId
from sync.ports.state import ContactAnswer
from sync.state.schema import contact_answers


class SqlContactAnswers:
    def __init__(self, connection: Connection, pipeline: str) -> None:
        self._connection = connection
        self._pipeline = pipeline

    def known(self) -> Mapping[WebUserId, ContactAnswer]:
        query = select(contact_answers).where(contact_answers.c.pipeline == self._pipeline)
        return {
            WebUserId(row.web_user): ContactAnswer(
                CustomerId(row.customer_id) if row.customer_id is not None else None, row.address
            )
            for row in self._connection.execute(query)
        }

    def replace(self, answers: Mapping[WebUserId, ContactAnswer]) -> None:
        known = self.known()
        self._forget(each for each, held in known.items() if answers.get(each) != held)
        fresh = [
            {
                "pipeline": self._pipeline,
                "web_user": user.value,
                "customer_id": answer.customer_id.value if answer.customer_id else None,
                "address": answer.address,
            }
            for user, answer in answers.items()
            if known.get(user) != answer
        ]
        if fresh:
            self._connection.execute(insert(contact_answers), fresh)

    def _forget(self, users: Iterable[WebUserId]) -> None:
        gone = [{"gone": each.value} for each in users]
        if gone:
            one = delete(contact_answers).where(
                contact_answers.c.pipeline == self._pipeline,
                contact_answers.c.web_user == bindparam("gone"),
            )
            self._connection.execute(one, gone)
