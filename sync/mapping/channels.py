"""channels.yaml: sales channels, their policies and their retail groups."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from sync.domain.channel import (
    DEFAULT_IMPORTABLE,
    Channel,
    CommerceMode,
    LoginWall,
    Registration,
    RetailGroup,
)
from sync.domain.ids import ChannelId, CustomerId
from sync.domain.order import OrderState
from sync.domain.registration import RequiredDocuments
from sync.mapping.checking import Path
from sync.mapping.findings import Findings, Page
from sync.mapping.models import ChannelEntry, ChannelsFile, RetailGroupEntry

# What a registration creates follows from the mode; only a hybrid channel has a choice (TL-5).
_REGISTRATION = {
    CommerceMode.B2B: Registration.BUSINESS,
    CommerceMode.B2C: Registration.PERSONAL,
}
_ZERO = "zero_price_means_call"
_NEVER_IMPORTED = frozenset({OrderState.CANCELLED, OrderState.REFUNDED})


@dataclass(frozen=True, slots=True)
class DeclaredGroup:
    """A retail group where it was first declared."""

    customer_id: str
    channel: str
    place: str


@dataclass(slots=True)
class Groups:
    """Every retail group by its ID, those of refused channels included."""

    declared: dict[str, DeclaredGroup] = field(default_factory=dict)
    _folded: dict[str, DeclaredGroup] = field(default_factory=dict)

    def declare(self, group: DeclaredGroup) -> None:
        self.declared.setdefault(group.customer_id, group)
        self._folded.setdefault(_folded(group.customer_id), group)

    def meant_by(self, customer_id: str) -> DeclaredGroup | None:
        """The group with this ID, or with one that a database may take for the same.

        Many ERP databases ignore case: there "retail-us" opens RETAIL-US.
        """
        return self.declared.get(customer_id) or self._folded.get(_folded(customer_id))


def judge_documents(
    entries: ChannelsFile, page: Page, channels: Iterable[Channel], findings: Findings
) -> RequiredDocuments:
    """The documents that a business hands in when it registers, by jurisdiction (VE-9)."""
    for jurisdiction, kinds in entries.required_documents.items():
        for index, kind in enumerate(kinds):
            if kind in kinds[:index]:
                path: Path = ("required_documents", jurisdiction, index)
                findings.add([page.about(path, "stands there twice", "keep one")])
    nobody = all(each.registration is Registration.PERSONAL for each in channels)
    # Of a file with a mistake in it nobody knows yet which channels it will have.
    if any(entries.required_documents.values()) and nobody and findings.sound(page.file):
        findings.warnings.append(
            page.about(
                ("required_documents",),
                "are asked of nobody: on no channel does a business register",
                "take them out, or let a channel register businesses",
                key=True,
            )
        )
    return RequiredDocuments(
        {where: tuple(kinds) for where, kinds in entries.required_documents.items()}
    )


def judge_channels(
    entries: ChannelsFile, page: Page, findings: Findings
) -> tuple[dict[ChannelId, Channel], Groups]:
    """The channels that fit, and every retail group that was declared."""
    groups = Groups()
    _declare(entries, page, groups, findings)
    channels = {}
    for name, entry in entries.channels.items():
        path: Path = ("channels", name)
        problems = [
            page.about((*path, *where), message, remedy)
            for where, message, remedy in _contradictions(entry)
        ]
        findings.add(problems)
        if problems:
            continue
        channel_id = ChannelId(name)
        channels[channel_id] = _channel(channel_id, entry)
        _warn(entry, path, page, findings)
    return channels, groups


def _channel(channel_id: ChannelId, entry: ChannelEntry) -> Channel:
    written = entry.model_fields_set
    mode = entry.commerce_mode
    wall = LoginWall.LOGIN_REQUIRED if mode is CommerceMode.B2B else LoginWall.OPEN
    registration = _REGISTRATION.get(mode, Registration.BOTH)
    return Channel(
        channel_id=channel_id,
        mode=mode,
        login_wall=entry.login_wall if "login_wall" in written else wall,
        guest_checkout=entry.guest_checkout,
        registration=entry.registration if "registration" in written else registration,
        retail_groups=tuple(_group(group) for group in entry.retail_groups),
        importable=frozenset(entry.importable) or DEFAULT_IMPORTABLE,
        import_unpaid_terms=entry.import_unpaid_terms,
        warehouse=entry.warehouse or None,
        zero_price_means_call=entry.zero_price_means_call if _ZERO in written else None,
    )


def _group(entry: RetailGroupEntry) -> RetailGroup:
    return RetailGroup(
        CustomerId(entry.customer_id), tuple(entry.currencies), frozenset(entry.countries)
    )


def _contradictions(entry: ChannelEntry) -> Iterable[tuple[Path, str, str]]:
    """What a channel says against itself: path below the channel, message, remedy."""
    mode = entry.commerce_mode
    if mode is CommerceMode.B2B:
        if entry.guest_checkout:
            yield (
                ("guest_checkout",),
                "is on, but a b2b channel has no guests",
                "write false, or commerce_mode: hybrid",
            )
        if entry.retail_groups:
            yield (
                ("retail_groups",),
                "are given, but a b2b channel has no retail buyers",
                "take them out, or write commerce_mode: hybrid",
            )
        if _ZERO in entry.model_fields_set:
            yield (
                (_ZERO,),
                "is for shoppers, and a b2b channel has accounts only",
                "take the line out; what accounts see is said in accounts.yaml",
            )
    elif not entry.retail_groups:
        yield (
            ("retail_groups",),
            f"are missing: a {mode.value} channel has retail buyers",
            "declare the group's customer_id and currencies, or write commerce_mode: b2b",
        )
    fixed = _REGISTRATION.get(mode)
    if fixed and "registration" in entry.model_fields_set and entry.registration is not fixed:
        yield (
            ("registration",),
            f"does not go with commerce_mode {mode.value}",
            f"write {fixed.value}, or take the line out",
        )
    for index, state in enumerate(entry.importable):
        if state in _NEVER_IMPORTED:
            yield (
                ("importable", index),
                "is a state in which an order is closed, never imported",
                "take it out",
            )
        if state in entry.importable[:index]:
            yield ("importable", index), "stands there twice", "keep one"
    yield from _group_contradictions(entry)


def _group_contradictions(entry: ChannelEntry) -> Iterable[tuple[Path, str, str]]:
    seen: dict[str, int] = {}
    for index, group in enumerate(entry.retail_groups):
        first = seen.setdefault(group.customer_id, index)
        if first != index:
            yield (
                ("retail_groups", index, "customer_id"),
                "is declared twice in this channel",
                "declare it once, with all its currencies and countries",
            )
        for name, codes in (("currencies", group.currencies), ("countries", group.countries)):
            for at, code in enumerate(codes):
                if code in codes[:at]:
                    yield ("retail_groups", index, name, at), "stands there twice", "keep one"


def _declare(entries: ChannelsFile, page: Page, groups: Groups, findings: Findings) -> None:
    currencies: dict[str, tuple[list[str], Path]] = {}
    for name, entry in entries.channels.items():
        for index, group in enumerate(entry.retail_groups):
            path: Path = ("channels", name, "retail_groups", index)
            place = f"{page.file}:{page.line((*path, 'customer_id'))}"
            groups.declare(DeclaredGroup(group.customer_id, name, place))
            first, where = currencies.setdefault(group.customer_id, (group.currencies, path))
            if sorted(first) != sorted(group.currencies):
                findings.problems.append(
                    page.about(
                        (*path, "currencies"),
                        f"differ from those of {group.customer_id} in line"
                        f" {page.line((*where, 'currencies'))}: one account, one set of currencies",
                        f"write [{', '.join(first)}] in both, or correct the customer_id",
                    )
                )


def _warn(entry: ChannelEntry, path: Path, page: Page, findings: Findings) -> None:
    written = "login_wall" in entry.model_fields_set
    if written and entry.commerce_mode is CommerceMode.B2B and entry.login_wall is LoginWall.OPEN:
        findings.warnings.append(
            page.about(
                (*path, "login_wall"),
                "is open, but prices of a b2b channel are never shown to anybody unknown",
                "write login_required",
            )
        )
    if entry.guest_checkout and entry.login_wall is LoginWall.LOGIN_REQUIRED:
        findings.warnings.append(
            page.about(
                (*path, "guest_checkout"),
                "is on, but guests see nothing of this channel (login_wall)",
                "write false, or login_wall: open",
            )
        )
    for index, group in enumerate(entry.retail_groups):
        for other in entry.retail_groups[:index]:
            if _overlap(group, other):
                findings.warnings.append(
                    page.about(
                        (*path, "retail_groups", index),
                        f"serves buyers that {other.customer_id} serves too: their orders go"
                        " through only where the store says which of the two priced the cart",
                        "give each of them its own currencies or countries",
                    )
                )


def _overlap(one: RetailGroupEntry, other: RetailGroupEntry) -> bool:
    currency = set(one.currencies) & set(other.currencies)
    everywhere = not one.countries or not other.countries
    return bool(currency) and (everywhere or bool(set(one.countries) & set(other.countries)))


def _folded(customer_id: str) -> str:
    return unicodedata.normalize("NFKC", customer_id).casefold()
