"""What an administrator says about a Medusa store, checked all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sync.domain.ids import ChannelId, StoreId, well_formed
from sync.errors import Misconfigured
from sync.kit.signatures import SHORTEST_SECRET

SECRETS = frozenset({"api_key", "hints"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
ROUNDING_MODES = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN}
# Medusa spends about 5 ms on an order; a larger page is no faster for each.
PAGE_SIZE = 100
# A payment is authorised seconds after its order shows up, and moves no time of change.
OVERLAP_S = 600.0
THREADS = 4


PLAIN_HTTP = (
    "url: plain http lets anybody on the way read the API key; use https, or say"
    " allow_plain_http = true for a network that is yours alone"
)


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
    """

    url: str
    store_id: StoreId
    api_key: str
    channels: tuple[ChannelRule, ...] = ()
    public_channel: ChannelId | None = None
    account_key: str = "erp_customer_id"
    unit: str = "EA"
    rounding: str = ROUND_HALF_UP
    time_zone: str = "UTC"
    page_size: int = PAGE_SIZE
    overlap_s: float = OVERLAP_S
    allow_plain_http: bool = False
    ca_bundle: Path | None = None
    hints_secret: str | None = None
    threads: int = THREADS
    requests_per_s: float | None = None

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


_TEXTS = ("account_key", "unit", "time_zone", "rounding")
_KNOWN = frozenset(
    {
        "url",
        "store_id",
        "channels",
        "public_channel",
        "page_size",
        "overlap_s",
        "allow_plain_http",
        "ca_bundle",
        "threads",
        "requests_per_s",
        *_TEXTS,
    }
)


def settings_from(
    options: Mapping[str, object], secrets: Mapping[str, str], base: Path
) -> MedusaSettings:
    """The options, checked. Raises Misconfigured with every problem at once."""
    problems = [f"{name}: no such option" for name in sorted(options.keys() - _KNOWN)]
    found: dict[str, Any] = {}
    url, store_id = options.get("url"), options.get("store_id")
    allow_plain = options.get("allow_plain_http", False)
    if not isinstance(allow_plain, bool):
        problems.append(f"allow_plain_http: true or false, not {allow_plain!r}")
    problems += _url_problems(url, allow_plain=allow_plain is True)
    if not isinstance(store_id, str) or not well_formed(store_id):
        problems.append(f"store_id: not a key: {store_id!r}")
    problems += _key_problems(secrets)
    for name in _TEXTS:
        value = options.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or not value.strip():
            problems.append(f"{name}: not a text: {value!r}")
        elif name == "rounding" and value not in ROUNDING_MODES:
            problems.append(f"rounding: one of {', '.join(ROUNDING_MODES)}, not {value!r}")
        elif name == "time_zone" and not _is_zone(value):
            problems.append(f"time_zone: no time zone: {value!r}")
        else:
            found[name] = ROUNDING_MODES[value] if name == "rounding" else value
    size, overlap_s = options.get("page_size"), options.get("overlap_s")
    if size is not None:
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= 1000:
            problems.append(f"page_size: not a whole number from 1 to 1000: {size!r}")
        found["page_size"] = size
    if overlap_s is not None:
        number = isinstance(overlap_s, int | float) and not isinstance(overlap_s, bool)
        if not number or float(str(overlap_s)) < 0:
            problems.append(f"overlap_s: not a number of seconds: {overlap_s!r}")
        else:
            found["overlap_s"] = float(str(overlap_s))
    found |= _pace(options, problems)
    bundle = options.get("ca_bundle")
    if bundle is not None:
        if isinstance(bundle, str) and (base / bundle).is_file():
            found["ca_bundle"] = base / bundle
        else:
            problems.append(f"ca_bundle: no such file: {bundle!r}")
    channels = _channels(options.get("channels", {}), problems)
    public = _public(options.get("public_channel"), channels, problems)
    if problems:
        raise Misconfigured("the Medusa store cannot be opened", tuple(problems))
    return MedusaSettings(
        url=str(url).rstrip("/"),
        store_id=StoreId(str(store_id)),
        api_key=secrets["api_key"],
        hints_secret=secrets.get("hints"),
        channels=channels,
        public_channel=public,
        allow_plain_http=allow_plain is True,
        **found,
    )


def _pace(options: Mapping[str, object], problems: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    threads, per_s = options.get("threads"), options.get("requests_per_s")
    if threads is not None:
        if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= 32:
            problems.append(f"threads: not a whole number from 1 to 32: {threads!r}")
        found["threads"] = threads
    if per_s is not None:
        number = isinstance(per_s, int | float) and not isinstance(per_s, bool)
        if not number or not 0 < float(str(per_s)) <= 10_000:
            problems.append(f"requests_per_s: not a number above 0, up to 10000: {per_s!r}")
        else:
            found["requests_per_s"] = float(str(per_s))
    return found


def _url_problems(url: object, *, allow_plain: bool) -> list[str]:
    if not isinstance(url, str) or not url:
        return ["url: missing"]
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ["url: no https address"]
    if parts.scheme == "http" and parts.hostname not in LOOPBACK and not allow_plain:
        return [PLAIN_HTTP]
    return []


def _key_problems(secrets: Mapping[str, str]) -> list[str]:
    problems = [f"secrets.{name}: no such secret" for name in sorted(secrets.keys() - SECRETS)]
    if len(secrets.get("hints", "x" * SHORTEST_SECRET)) < SHORTEST_SECRET:
        problems.append(f"secrets.hints: shorter than {SHORTEST_SECRET} characters")
    key = secrets.get("api_key", "")
    if not key:
        problems.append("secrets.api_key: missing; make a secret API key in Medusa's settings")
    elif key.startswith("pk_"):
        problems.append("secrets.api_key: this is a publishable key; a secret one is needed")
    return problems


def _channels(stated: object, problems: list[str]) -> tuple[ChannelRule, ...]:
    if not isinstance(stated, Mapping):
        problems.append("channels: not a table")
        return ()
    rules: list[ChannelRule] = []
    for name, rule in stated.items():
        where = f"channels.{name}"
        if not isinstance(name, str) or not well_formed(name) or not isinstance(rule, Mapping):
            problems.append(f"{where}: a table with a sales_channel")
            continue
        problems += [
            f"{where}.{key}: no such option"
            for key in sorted(rule.keys() - {"sales_channel", "region"})
        ]
        sales_channel, region = rule.get("sales_channel"), rule.get("region")
        if not isinstance(sales_channel, str) or not sales_channel:
            problems.append(f"{where}.sales_channel: missing")
        elif region is not None and not isinstance(region, str):
            problems.append(f"{where}.region: not an ID: {region!r}")
        else:
            rules.append(ChannelRule(ChannelId(name), sales_channel, region))
    taken: dict[tuple[str, str | None], ChannelId] = {}
    for each in rules:
        other = taken.setdefault((each.sales_channel, each.region), each.channel)
        if other != each.channel:
            problems.append(f"channels.{each.channel}: the same orders as channels.{other}")
    return tuple(rules)


def _public(
    stated: object, channels: tuple[ChannelRule, ...], problems: list[str]
) -> ChannelId | None:
    names = {rule.channel.value for rule in channels}
    if stated is None:
        return next(iter({rule.channel for rule in channels})) if len(names) == 1 else None
    if not isinstance(stated, str) or stated not in names:
        problems.append(f"public_channel: none of the channels: {stated!r}")
        return None
    return ChannelId(stated)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
