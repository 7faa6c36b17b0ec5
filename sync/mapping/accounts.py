"""accounts.yaml: what an account's buyers may do, and what the ERP needs for it.

A policy is written from the general to the particular: ``default`` for every
individual account, ``retail`` for every retail group, and one per customer ID
that changes only the fields it names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from sync.domain.ids import ContactId, CustomerId, ShipToId
from sync.domain.mapping import AccountPolicy
from sync.mapping.channels import Groups
from sync.mapping.checking import Path
from sync.mapping.findings import Findings, Page
from sync.mapping.models import AccountsFile, PolicyEntry
from sync.mapping.problems import FileProblem

DEFAULT = AccountPolicy()
RETAIL = AccountPolicy(custom_ship_to=True)


@dataclass(frozen=True, slots=True)
class Policies:
    default: AccountPolicy = DEFAULT
    retail: AccountPolicy = RETAIL
    accounts: dict[CustomerId, AccountPolicy] = field(default_factory=dict)
    zero_price_means_call: bool = True


def judge_accounts(
    entries: AccountsFile,
    page: Page,
    groups: Groups,
    assigned: Collection[str] | None,
    findings: Findings,
) -> Policies:
    """The policies; ``assigned`` are the customer IDs that assignments name.

    None where assignments may also come from elsewhere than the files.
    """
    _contacts_of_many(entries, page, groups, findings)
    default = _changed(DEFAULT, entries.default)
    retail = _changed(RETAIL, entries.retail)
    findings.add(_against_retail(entries.retail, ("retail",), page))
    accounts = {}
    for name, entry in entries.accounts.items():
        path: Path = ("accounts", name)
        group = groups.meant_by(name)
        if group is not None and group.customer_id != name:
            findings.problems.append(
                page.about(
                    path,
                    f"may be taken by the ERP for the retail group {group.customer_id}",
                    f"write {group.customer_id}, exactly as in {group.place}",
                    key=True,
                )
            )
            continue
        if group is not None:
            findings.add(_against_retail(entry, path, page))
        elif assigned is not None and name not in assigned:
            findings.warnings.append(
                page.about(
                    path,
                    "has a policy, but no file assigns anybody to it",
                    "correct the ID, or take the policy out",
                    key=True,
                )
            )
        accounts[CustomerId(name)] = _changed(retail if group else default, entry)
    return Policies(default, retail, accounts, entries.zero_price_means_call)


def _changed(base: AccountPolicy, entry: PolicyEntry) -> AccountPolicy:
    written: dict[str, Any] = {name: getattr(entry, name) for name in entry.model_fields_set}
    for name, key in (("ship_to_override", ShipToId), ("default_contact", ContactId)):
        if name in written:
            written[name] = key(written[name])
    return dataclasses.replace(base, **written)


def _against_retail(entry: PolicyEntry, path: Path, page: Page) -> Iterable[FileProblem]:
    if not entry.custom_ship_to and "custom_ship_to" in entry.model_fields_set:
        yield page.about(
            (*path, "custom_ship_to"),
            "is off, but retail orders always ship to the address typed at checkout",
            "take the line out",
        )
    if not entry.card_payment:
        yield page.about(
            (*path, "card_payment"),
            "is off, but retail orders are paid by card only",
            "take the line out",
        )


def _contacts_of_many(
    entries: AccountsFile, page: Page, groups: Groups, findings: Findings
) -> None:
    """A contact belongs to one account; as everybody's default it would stop every order."""
    remedy = "write it below accounts, under the customer ID that the contact belongs to"
    if entries.default.default_contact:
        message = "is for every account, but a contact belongs to one"
        findings.problems.append(page.about(("default", "default_contact"), message, remedy))
    if entries.retail.default_contact and len(groups.declared) > 1:
        message = f"is for {len(groups.declared)} retail groups, but a contact belongs to one"
        findings.problems.append(page.about(("retail", "default_contact"), message, remedy))
