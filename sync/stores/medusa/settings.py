"""What an administrator says about a Medusa store, checked all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP
from pathlib import Path

from sync.domain.ids import ChannelId, StoreId, well_formed
from sync.kit.http import stated_address
from sync.kit.options import Options
from sync.kit.signatures import SHORTEST_SECRET

SECRETS = frozenset({"api_key", "hints"})
ROUNDING_MODES = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN}
# Medusa spends about 5 ms on an order; a larger page is no faster for each.
PAGE_SIZE = 100
# A payment is authorised seconds after its order shows up, and moves no time of change.
OVERLAP_S = 600.0
THREADS = 4
ACCOUNT_KEY = "erp_customer_id"
UNIT = "EA"


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """Orders of this sales channel (and region, if named) belong to this channel of ours."""

    channel: ChannelId
    sales_channel: str
    region: str | None = None


@dataclass(frozen=True, slots=True)
class MedusaSettings:
    """A store's options. ``api_key`` and ``hints_secret`` are secrets and never shown.

    ``account_key`` names the metadata of customer groups in which staff write an
    ERP customer ID. ``unit`` is the ERP unit that variants are sold in where
    their metadata says nothing. ``public_channel`` is the channel whose public
    prices everybody sees. ``rounding`` is a mode of ``decimal``. ``threads`` is how many
    price lists are written at once, ``requests_per_s`` how often the server may be asked.
    ``price_lists``: accounts with the same prices may share a price list.
    """

    url: str
    store_id: StoreId
    api_key: str
    channels: tuple[ChannelRule, ...] = ()
    public_channel: ChannelId | None = None
    account_key: str = ACCOUNT_KEY
    unit: str = UNIT
    rounding: str = ROUND_HALF_UP
    time_zone: str = "UTC"
    page_size: int = PAGE_SIZE
    overlap_s: float = OVERLAP_S
    allow_plain_http: bool = False
    ca_bundle: Path | None = None
    hints_secret: str | None = None
    threads: int = THREADS
    requests_per_s: float | None = None
    price_lists: bool = False

    def __repr__(self) -> str:
        return f"MedusaSettings({self.url!r}, {self.store_id!r})"

    def channel_of(self, sales_channel: str | None, region: str | None) -> ChannelId | None:
        """Ours for an order's sales channel; a rule that names the region goes first.

        Without a rule it is the sales channel's own ID, which the mapping files
        may declare as well.
        """
        if sales_channel is None:
            return None
        for wanted in (region, None):
            for rule in self.channels:
                if rule.sales_channel == sales_channel and rule.region == wanted:
                    return rule.channel
        return ChannelId(sales_channel) if well_formed(sales_channel) else None


OPTIONS = (
    *("url", "store_id", "channels", "public_channel", "account_key", "unit", "rounding"),
    *("time_zone", "page_size", "overlap_s", "allow_plain_http", "ca_bundle", "threads"),
    *("requests_per_s", "price_lists"),
)


def settings_from(
    options: Mapping[str, object], secrets: Mapping[str, str], base: Path
) -> MedusaSettings:
    """The options, checked. Raises Misconfigured with every problem at once."""
    given = Options(options, OPTIONS, secrets, SECRETS)
    allow_plain = given.flag("allow_plain_http")
    url = stated_address(given, "https://shop.example", allow_plain=allow_plain)
    store_id = given.key("store_id", "shop")
    _judge_secrets(given, secrets)
    account_key = given.text("account_key") or ACCOUNT_KEY
    unit = given.text("unit") or UNIT
    rounding = ROUNDING_MODES[given.chosen("rounding", tuple(ROUNDING_MODES), "half_up")]
    time_zone = given.time_zone("time_zone")
    page_size = given.whole("page_size", PAGE_SIZE, 1, 1000)
    overlap_s = given.seconds("overlap_s", OVERLAP_S, zero=True)
    threads = given.whole("threads", THREADS, 1, 32)
    requests_per_s = given.number("requests_per_s", 10_000)
    price_lists = given.flag("price_lists")
    ca_bundle = given.file("ca_bundle", base)
    channels = _channels(given)
    public = _public(given, channels)
    given.raise_if_any("the Medusa store cannot be opened")
    return MedusaSettings(
        url=url,
        store_id=StoreId(store_id),
        api_key=secrets["api_key"],
        hints_secret=secrets.get("hints"),
        channels=channels,
        public_channel=public,
        account_key=account_key,
        unit=unit,
        rounding=rounding,
        time_zone=time_zone,
        page_size=page_size,
        overlap_s=overlap_s,
        allow_plain_http=allow_plain,
        ca_bundle=ca_bundle,
        threads=threads,
        requests_per_s=requests_per_s,
        price_lists=price_lists,
    )


def _judge_secrets(given: Options, secrets: Mapping[str, str]) -> None:
    if len(secrets.get("hints", "x" * SHORTEST_SECRET)) < SHORTEST_SECRET:
        given.complain("secrets.hints", f"shorter than {SHORTEST_SECRET} characters")
    key = secrets.get("api_key", "")
    if not key:
        given.problems.append(
            "secrets.api_key is missing; make a secret API key in Medusa's settings"
        )
    elif key.startswith("pk_"):
        given.problems.append("secrets.api_key is a publishable key; a secret one is needed")


def _channels(given: Options) -> tuple[ChannelRule, ...]:
    stated = given.stated("channels")
    if stated is None:
        return ()
    if not isinstance(stated, Mapping):
        given.complain("channels", "not a table")
        return ()
    rules: list[ChannelRule] = []
    for name, rule in stated.items():
        where = f"channels.{name}"
        if not isinstance(name, str) or not well_formed(name) or not isinstance(rule, Mapping):
            given.complain(where, "a table with a sales_channel")
            continue
        for key in sorted(rule.keys() - {"sales_channel", "region"}):
            given.complain(f"{where}.{key}", "no such option")
        sales_channel, region = rule.get("sales_channel"), rule.get("region")
        if not isinstance(sales_channel, str) or not well_formed(sales_channel):
            given.complain(f"{where}.sales_channel", "missing, or no ID as Medusa shows it")
        elif region is not None and not (isinstance(region, str) and well_formed(region)):
            given.complain(f"{where}.region", "no ID as Medusa shows it")
        else:
            rules.append(ChannelRule(ChannelId(name), sales_channel, region))
    taken: dict[tuple[str, str | None], ChannelId] = {}
    for each in rules:
        other = taken.setdefault((each.sales_channel, each.region), each.channel)
        if other != each.channel:
            given.complain(f"channels.{each.channel}", f"the same orders as channels.{other}")
    return tuple(rules)


def _public(given: Options, channels: tuple[ChannelRule, ...]) -> ChannelId | None:
    stated = given.text("public_channel")
    names = {rule.channel.value for rule in channels}
    if given.stated("public_channel") is None:
        return next(iter({rule.channel for rule in channels})) if len(names) == 1 else None
    if stated is None:
        return None
    if stated not in names:
        given.complain("public_channel", "none of the channels above")
        return None
    return ChannelId(stated)
