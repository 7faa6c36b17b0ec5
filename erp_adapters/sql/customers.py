"""Customers made in steps, for those who registered in the store and were approved."""

from __future__ import annotations

from erp_adapters.sql.base import Reading, SqlErpBase
from erp_adapters.sql.database import Database
from erp_adapters.sql.errors import DuplicateKey, Moment, translated
from erp_adapters.sql.profile_model import Profile
from erp_adapters.sql.writing import OrderWriter
from sync.domain.ids import CustomerId, IdempotencyKey
from sync.domain.registration import NewCustomer
from sync.errors import Rejected


class CreatesCustomersInSteps(SqlErpBase):
    """All steps in one transaction, between two looks by the key: what is found is the answer."""

    def __init__(self, profile: Profile, database: Database) -> None:
        super().__init__(profile, database)
        self._making = OrderWriter(profile, database.dialect)

    def find_customer(self, key: IdempotencyKey) -> CustomerId | None:
        with self._read("find_customer") as reading:
            return self._customer(reading, key)

    def create_customer(self, customer: NewCustomer, key: IdempotencyKey) -> CustomerId:
        planned = self._making.plan_customer(customer, key)
        doing = f"making customer {customer.name} in {self.profile.name}"
        try:
            attempt = self.database.attempt(doing)
            with (
                translated(attempt, self.database.dialect),
                self.database.writer.begin() as connection,
            ):
                reading = Reading(self, connection)
                held = self._customer(reading, key)
                if held is not None:
                    return held
                attempt.moment = Moment.WRITING
                self._making.run(connection, planned, attempt)
                made = self._customer(reading, key)
                if made is None:
                    raise Rejected(
                        f"{doing}: find_customer does not find what the steps wrote",
                        code="erp_customer_lost",
                        remedy="let a step write customer.key where find_customer looks for it",
                    )
        except DuplicateKey as stopped:
            held = self.find_customer(key)
            if held is None:
                raise Rejected(
                    f"{doing}: a unique index of the ERP refuses it ({stopped.told.code})",
                    code="erp_duplicate",
                    remedy="look in the ERP for the customer that is there already, and link it",
                ) from stopped.error
            return held
        return made

    def _customer(self, reading: Reading, key: IdempotencyKey) -> CustomerId | None:
        row = self._one(reading, "find_customer", external_key=key.value)
        return None if row is None else CustomerId(row["customer_id"])
