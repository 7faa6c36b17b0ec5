"""Whose contact an address is in Tryton, asked for by itself and with others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from erp_adapters.tryton.adapter import TrytonErpAdapter
from erp_adapters.tryton.settings import Settings
from sync.domain.ids import CustomerId
from sync.errors import Rejected
from sync.testing.clock import ManualClock
from tests.contract.tryton_app import PASSWORD, TrytonApp
from tests.unit.tryton.test_changed_taxes import Rpc

CONTACTS = (
    ("Ada@harbour.example", "C-1001"),
    ("desk@agency.example", "C-1001"),
    ("desk@agency.example", "C-2002"),
    ("odd@harbour.example", " C-3 "),
    ("odd@harbour.example", "C-1001"),
    ("supplier@mill.example", "S-9"),
    ("nobody@mill.example", None),
)
CUSTOMERS = ("C-1001", "C-2002", " C-3 ")


class Contacts(TrytonApp):
    """A Tryton with a few contacts, whose ``ilike`` knows no wildcards."""

    def __init__(self) -> None:
        super().__init__()
        self.searches: list[str] = []

    def answer(self, method: str, params: list[Any]) -> object:
        if method == "model.party.contact_mechanism.search_read":
            self.searches.append("contacts")
            _, clause, after = params[0]
            asked = [each[2].casefold() for each in clause[1:]]
            rows = enumerate(CONTACTS, start=1)
            return [
                {"id": number, "value": mail, "party.": {"id": number, "code": code}}
                for number, (mail, code) in rows
                if mail.casefold() in asked and number > after[2]
            ]
        if method == "model.party.party.search_read":
            self.searches.append("customers")
            [wanted] = [clause[2] for clause in params[0] if list(clause[:2]) == ["code", "in"]]
            found = [each for each in CUSTOMERS if each in wanted]
            return [{"id": 1 + n, "code": each} for n, each in enumerate(found)]
        return super().answer(method, params)


@pytest.fixture
def app() -> Contacts:
    return Contacts()


@pytest.fixture
def erp(app: Contacts) -> TrytonErpAdapter:
    options = {"url": "https://erp.example", "database": "erp", "user": "sync"}
    options["web_shop"] = "webstore"
    settings, _ = Settings.read(options, {"password": PASSWORD}, Path())
    clock = ManualClock(datetime.now(UTC))
    return TrytonErpAdapter(settings, Rpc(settings, app, clock))  # type: ignore[arg-type]


TOLD: Mapping[str, tuple[CustomerId, ...]] = {
    "ADA@harbour.example": (CustomerId("C-1001"),),
    "ada@harbour.example": (CustomerId("C-1001"),),
    "desk@agency.example": (CustomerId("C-1001"), CustomerId("C-2002")),
    "supplier@mill.example": (),
    "nobody@mill.example": (),
    "unknown@mill.example": (),
}


@pytest.mark.rule("WA-2", "WA-2c")
def test_many_addresses_are_found_by_one_search_as_each_by_itself(
    erp: TrytonErpAdapter, app: Contacts
) -> None:
    told = dict(erp.accounts_by_emails([*TOLD, "odd@harbour.example"]))

    assert app.searches == ["contacts", "customers"]
    assert isinstance(told.pop("odd@harbour.example"), Rejected)
    assert told == TOLD
    assert {each: tuple(erp.accounts_by_email(each)) for each in TOLD} == TOLD
    with pytest.raises(Rejected, match="a party whose code is no customer ID"):
        erp.accounts_by_email("odd@harbour.example")


@pytest.mark.rule("WA-2")
def test_addresses_are_cut_into_searches_of_some_hundreds(
    erp: TrytonErpAdapter, app: Contacts
) -> None:
    asked = [f"user-{number}@x.example" for number in range(999)] + ["supplier@mill.example"]
    assert erp.accounts_by_emails(asked).keys() == set(asked)
    assert app.searches == ["contacts", "contacts", "customers"]

    app.searches.clear()
    assert erp.accounts_by_emails([]) == {}
    assert app.searches == []
