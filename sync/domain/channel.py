"""Sales channels and their policies, as the mapping files state them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sync.domain.ids import ChannelId, CustomerId
from sync.domain.money import currency_code
from sync.domain.order import OrderState


class CommerceMode(Enum):
    """Who may buy on a channel (VE-1)."""

    B2B = "b2b"
    B2C = "b2c"
    HYBRID = "hybrid"


class LoginWall(Enum):
    """What an anonymous visitor sees (VE-7)."""

    OPEN = "open"
    LOGIN_REQUIRED = "login_required"
    LOGIN_TO_PRICE = "login_to_price"


class Registration(Enum):
    """What a new registration creates (TL-5)."""

    PERSONAL = "personal"
    BUSINESS = "business"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class RetailGroup:
    """One account for all retail buyers of a channel.

    ``currencies`` are those it sells in, the first its own; ``countries``
    (ISO 3166 alpha-2) empty means everywhere.
    """

    customer_id: CustomerId
    currencies: tuple[str, ...]
    countries: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not self.currencies:
            raise ValueError(f"retail group {self.customer_id} has no currency")
        for currency in self.currencies:
            currency_code(currency)


DEFAULT_IMPORTABLE = frozenset(
    {OrderState.AWAITING_FULFILMENT, OrderState.PARTLY_FULFILLED, OrderState.FULFILLED}
)


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel's policies.

    ``importable`` are the store's order states that may be imported;
    ``import_unpaid_terms`` adds awaiting payment for orders on account terms
    (VE-11). ``zero_price_means_call``: whether a price of zero is none for the
    channel's shoppers (WA-10); None: as the mapping says for all. A ``b2b`` channel
    has neither guests nor retail groups nor shoppers.
    """

    channel_id: ChannelId
    mode: CommerceMode
    login_wall: LoginWall = LoginWall.OPEN
    guest_checkout: bool = False
    registration: Registration = Registration.BOTH
    retail_groups: tuple[RetailGroup, ...] = ()
    importable: frozenset[OrderState] = DEFAULT_IMPORTABLE
    import_unpaid_terms: bool = True
    warehouse: str | None = None
    zero_price_means_call: bool | None = None

    def __post_init__(self) -> None:
        if self.mode is CommerceMode.B2B and self.guest_checkout:
            raise ValueError(f"channel {self.channel_id}: a b2b channel has no guest checkout")
        if self.mode is CommerceMode.B2B and self.retail_groups:
            raise ValueError(f"channel {self.channel_id}: a b2b channel has no retail group")
        if self.mode is CommerceMode.B2B and self.zero_price_means_call is not None:
            raise ValueError(f"channel {self.channel_id}: a b2b channel has no shoppers")
        if self.mode is not CommerceMode.B2B and not self.retail_groups:
            raise ValueError(f"channel {self.channel_id}: a retail group is needed")

    def retail_group(self, customer_id: CustomerId) -> RetailGroup | None:
        for group in self.retail_groups:
            if group.customer_id == customer_id:
                return group
        return None
