"""Whether the shop can be worked with: the key, the module, the channels, the clock.

Nothing is written. A secret API key of Medusa has every right that there is, so
one that may read the admin's lists may write them, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from sync.domain.times import CLOCK_ALARM_S
from sync.errors import SyncError
from sync.kit.http import HttpSession
from sync.ports.erp import Finding, FindingLevel
from sync.stores.medusa.queries import Queries
from sync.stores.medusa.settings import MedusaSettings

MODULE_VERSION, OLDEST_MODULE = 3, 2
_LISTS = {
    "orders": "orders",
    "customers": "customers",
    "customer-groups": "customer groups",
    "price-lists": "price lists",
    "product-variants": "variants",
    "regions": "regions",
}


def findings(queries: Queries, http: HttpSession, settings: MedusaSettings) -> Iterator[Finding]:
    try:
        counts = {name: queries.probe(what) for what, name in _LISTS.items()}
    except SyncError as error:
        yield Finding(
            "access",
            FindingLevel.ERROR,
            str(error),
            "check the address; make a secret API key in Medusa (Settings, Secret API Keys) and"
            " give it as the secret api_key",
        )
        return
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    yield Finding("access", FindingLevel.OK, f"the key may read and write: {told}")
    yield _module(queries)
    yield from _channels(queries, settings)
    skew_s = http.clock_skew_s
    if skew_s is not None and abs(skew_s) > CLOCK_ALARM_S:
        yield Finding(
            "clock",
            FindingLevel.WARNING,
            f"the shop's clock is {skew_s:.0f} s ahead of ours",
            "let both machines keep time by NTP",
        )


def _module(queries: Queries) -> Finding:
    try:
        version = queries.module_version()
    except SyncError as error:
        return Finding(
            "module",
            FindingLevel.ERROR,
            str(error),
            "without it no order proves who placed it, and no invoice can be shown",
        )
    if OLDEST_MODULE <= version < MODULE_VERSION:
        return Finding(
            "module",
            FindingLevel.WARNING,
            f"the shop has version {version} of the tradesync module: prices take more requests,"
            " and a price list with thousands of rows takes minutes to go",
            f"install version {MODULE_VERSION}, which comes with this release",
        )
    if version != MODULE_VERSION:
        return Finding(
            "module",
            FindingLevel.ERROR,
            f"the shop has version {version} of the tradesync module",
            f"install version {MODULE_VERSION}, which comes with this release",
        )
    return Finding("module", FindingLevel.OK, f"the tradesync module answers, version {version}")


def _channels(queries: Queries, settings: MedusaSettings) -> Iterator[Finding]:
    there = queries.sales_channels()
    regions = {each["id"] for each in queries.regions()}
    for rule in settings.channels:
        if rule.sales_channel not in there:
            yield Finding(
                f"channel {rule.channel}",
                FindingLevel.ERROR,
                f"the shop has no sales channel {rule.sales_channel}",
                "the shop has: " + ", ".join(f"{key} ({there[key]})" for key in sorted(there)),
            )
        elif rule.region is not None and rule.region not in regions:
            yield Finding(
                f"channel {rule.channel}",
                FindingLevel.ERROR,
                f"the shop has no region {rule.region}",
                f"the shop has: {', '.join(sorted(regions))}",
            )
    if settings.channels and settings.public_channel is None:
        yield Finding(
            "public prices",
            FindingLevel.WARNING,
            "no public_channel is named, so the shop shows no ERP prices to visitors",
            "name the channel whose retail prices everybody may see as public_channel",
        )
