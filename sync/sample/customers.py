"""The ERP's customers: forty trade accounts, two retail groups, and counter customers.

Most accounts are unremarkable. The constants name those that are not, because
orders, mapping files and tests tell stories about them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from sync.domain.account import Account, BillTo, Contact, CreditStatus, Location, ShipTo
from sync.domain.ids import BillToId, ContactId, CustomerId, LocationId, ShipToId
from sync.sample.names import COMPANIES, company_address, mailbox, person

RETAIL_US = CustomerId("RETAIL-US")
RETAIL_EU = CustomerId("RETAIL-EU")

CONTRACTOR, DEALER, INDUSTRY = "CONTRACTOR", "DEALER", "INDUSTRY"
PRICE_CLASSES = (CONTRACTOR, DEALER, INDUSTRY)

TERMS = {"NET30": ("30 days net", 30), "NET60": ("60 days net", 60), "INST3": ("3 instalments", 90)}


def trade(number: int) -> CustomerId:
    """The customer ID of a trade account: 1 is "000101", 40 is "000140"."""
    return CustomerId(f"{100 + number:06d}")


SUBSIDIARY, PARENT = trade(4), trade(3)
OWN_PRICE_BRANCH = trade(5)
PREPAID = (trade(7), trade(14), trade(21))
TAX_EXEMPT = trade(8)
PO_REQUIRED = trade(9)
NO_CARDS = trade(10)
ON_CREDIT_HOLD = trade(11)
INACTIVE = trade(12)
PROSPECT = trade(13)
STRICT_PRICES = trade(15)
CARD_LIFTS_HOLD = trade(16)
IN_EUROS = tuple(trade(number) for number in range(31, 37))
IN_BOTH_CURRENCIES = (trade(37), trade(38))
TRUSTED = (trade(1), trade(6), trade(39))
"""They alone may buy the restricted items."""
LICENSED = "LICENSED"
LICENSEES = TRUSTED[:2]
"""Members of the group that some restricted items are for."""
SHARE_A_MAILBOX = (trade(23), trade(24))
SHARED_EMAIL = "purchasing@shared-services.example"
"""One purchasing office works for two accounts, so its address proves neither."""
NO_SUCH_CUSTOMER = CustomerId("000199")

_ON_HOLD = frozenset({ON_CREDIT_HOLD, CARD_LIFTS_HOLD})
_WITH_BRANCHES = frozenset(trade(number) for number in (1, 2, 5, 6, 17, 18, 31, 39))


@dataclass(frozen=True, slots=True)
class ErpCustomer:
    """A customer with what the ERP knows beyond an account.

    ``customer_class`` is TRADE, SHARED or CONSUMER; the profile leaves the last out.
    """

    account: Account
    customer_class: str
    parent: CustomerId | None = None
    contact_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Customers:
    """All customers with their addresses and branches, in the order of their numbers."""

    customers: tuple[ErpCustomer, ...]
    ship_tos: tuple[ShipTo, ...]
    bill_tos: tuple[BillTo, ...]
    locations: tuple[Location, ...]

    def account(self, customer_id: CustomerId) -> Account:
        """Raises KeyError for a customer that the sample does not have."""
        for customer in self.customers:
            if customer.account.customer_id == customer_id:
                return customer.account
        raise KeyError(customer_id)

    def accounts(self) -> tuple[Account, ...]:
        """What the profile selects as accounts: trade customers and retail groups."""
        return tuple(
            customer.account
            for customer in self.customers
            if customer.customer_class in ("TRADE", "SHARED")
        )

    def ship_tos_of(self, customer_id: CustomerId) -> tuple[ShipTo, ...]:
        return tuple(each for each in self.ship_tos if each.sold_to == customer_id)

    def bill_tos_of(self, customer_id: CustomerId) -> tuple[BillTo, ...]:
        return tuple(each for each in self.bill_tos if each.sold_to == customer_id)

    def locations_of(self, customer_id: CustomerId) -> tuple[Location, ...]:
        return tuple(each for each in self.locations if each.sold_to == customer_id)


def contact_id(customer_id: CustomerId, number: int) -> ContactId:
    return ContactId(f"{customer_id}-C{number}")


def branch_id(customer_id: CustomerId, number: int) -> LocationId:
    return LocationId(f"{customer_id}-B{number}")


def build_customers(chance: Random) -> Customers:
    """The same customers for the same ``chance``."""
    customers: list[ErpCustomer] = []
    ship_tos: list[ShipTo] = []
    bill_tos: list[BillTo] = []
    locations: list[Location] = []
    for number, company in enumerate(COMPANIES, start=1):
        customer = _trade_customer(chance, number, company)
        account = customer.account
        customers.append(customer)
        sites = list(_branches(account))
        locations.extend(sites)
        ship_tos.extend(_ship_tos(chance, account, sites))
        bill_tos.extend(_bill_tos(chance, account))
    customers.extend(_shared())
    customers.extend(_consumers(chance))
    return Customers(tuple(customers), tuple(ship_tos), tuple(bill_tos), tuple(locations))


def _trade_customer(chance: Random, number: int, company: str) -> ErpCustomer:
    customer_id = trade(number)
    names = tuple(person(chance) for _ in range(1 + number % 3))
    host = "".join(letter for letter in company.lower() if letter.isascii() and letter.isalpha())
    account = Account(
        customer_id=customer_id,
        name=company,
        currencies=_currencies(customer_id),
        active=customer_id != INACTIVE,
        prospect=customer_id == PROSPECT,
        terms=None if customer_id in PREPAID else list(TERMS)[number % len(TERMS)],
        tax_exempt=customer_id == TAX_EXEMPT,
        credit=CreditStatus.HOLD if customer_id in _ON_HOLD else CreditStatus.OK,
        price_groups=_price_groups(number),
        contacts=tuple(
            Contact(
                contact_id(customer_id, index),
                SHARED_EMAIL
                if customer_id in SHARE_A_MAILBOX and index == 1
                else mailbox(name, host),
            )
            for index, name in enumerate(names, start=1)
        ),
        default_ship_to=ShipToId("0001"),
        po_required=customer_id == PO_REQUIRED,
        tax_id=f"DE{200_000_000 + number * 7919}" if customer_id in IN_EUROS else None,
        tags=_tags(number),
    )
    parent = PARENT if customer_id == SUBSIDIARY else None
    return ErpCustomer(account, "TRADE", parent, names)


def _currencies(customer_id: CustomerId) -> tuple[str, ...]:
    if customer_id in IN_EUROS:
        return ("EUR",)
    return ("USD", "EUR") if customer_id in IN_BOTH_CURRENCIES else ("USD",)


def _price_groups(number: int) -> tuple[str, ...]:
    """Mostly one, sometimes none, sometimes two: then the best price counts (VE-5)."""
    if number % 8 == 0:
        return ()
    own = PRICE_CLASSES[number % len(PRICE_CLASSES)]
    if number % 5 == 0:
        return tuple(sorted({own, CONTRACTOR, INDUSTRY}))
    return (own,)


def _tags(number: int) -> tuple[str, ...]:
    """The licensed ones may buy what others may not see; the others are for promotions."""
    found = {LICENSED} if trade(number) in LICENSEES else set()
    if number % 6 == 1:
        found.add("NEWSLETTER")
    return tuple(sorted(found))


def _branches(account: Account) -> Iterable[Location]:
    if account.customer_id not in _WITH_BRANCHES:
        return
    for number in (1, 2):
        yield Location(
            branch_id(account.customer_id, number),
            account.customer_id,
            f"{account.name}, branch {number}",
            # One branch is exempt although its account is not.
            tax_exempt=True if (account.customer_id, number) == (OWN_PRICE_BRANCH, 1) else None,
            default_ship_to=ShipToId(f"{number:04d}"),
            bill_to=BillToId("1"),
            warehouse=("CHI", "RTM")[number % 2],
        )


def _ship_tos(chance: Random, account: Account, sites: list[Location]) -> Iterable[ShipTo]:
    count = max(chance.randint(1, 4), len(sites))
    european = account.currencies[0] == "EUR"
    for number in range(1, count + 1):
        site = sites[number - 1] if number <= len(sites) else None
        exempt = True if site is not None and site.tax_exempt else None
        # The same house twice is two ship-tos: two docks, two numbers.
        yield ShipTo(
            ShipToId(f"{number:04d}"),
            account.customer_id,
            company_address(chance, account.name, european=european),
            default=number == 1,
            tax_exempt=exempt,
            warehouse=site.warehouse if site is not None else None,
            location=site.location_id if site is not None else None,
        )


def _bill_tos(chance: Random, account: Account) -> Iterable[BillTo]:
    european = account.currencies[0] == "EUR"
    for number in range(1, chance.randint(1, 2) + 1):
        yield BillTo(
            BillToId(str(number)),
            account.customer_id,
            company_address(chance, account.name, european=european),
            default=number == 1,
        )


def _shared() -> Iterable[ErpCustomer]:
    """The retail groups: no terms, no contacts, no addresses of their own."""
    for customer_id, name, currency in (
        (RETAIL_US, "Web shop, retail buyers America", "USD"),
        (RETAIL_EU, "Web shop, retail buyers Europe", "EUR"),
    ):
        yield ErpCustomer(Account(customer_id, name, (currency,)), "SHARED")


def _consumers(chance: Random) -> Iterable[ErpCustomer]:
    """People from the counter. Having a row in the ERP does not make them wholesale (WA-1)."""
    for number in range(1, 13):
        account = Account(CustomerId(f"C{number:05d}"), person(chance), ("USD",))
        yield ErpCustomer(account, "CONSUMER")
