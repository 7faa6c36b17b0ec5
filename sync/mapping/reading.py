"""The mapping files as one checked mapping, or everything that is wrong with them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from sync.domain.channel import Channel
from sync.domain.ids import ChannelId
from sync.domain.mapping import CodeTables, Source, SyncMapping
from sync.domain.registration import RequiredDocuments
from sync.mapping.accounts import Policies, judge_accounts
from sync.mapping.channels import Groups, judge_channels, judge_documents
from sync.mapping.checking import checked
from sync.mapping.codes import judge_codes, judge_payments
from sync.mapping.customers import assigned_in, judge_assignments, judge_precedence
from sync.mapping.findings import Findings, Page
from sync.mapping.models import AccountsFile, ChannelsFile, CodesFile, CustomersFile
from sync.mapping.problems import FileProblem, FilesRefused, suggestion
from sync.mapping.tables import Assigned, read_table
from sync.mapping.tree import parse

CHANNELS = "channels.yaml"
CUSTOMERS = "customers.yaml"
CUSTOMERS_TABLE = "customers.csv"
ACCOUNTS = "accounts.yaml"
CODES = "codes.yaml"
FILES = (CHANNELS, CUSTOMERS, CUSTOMERS_TABLE, ACCOUNTS, CODES)

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class CheckedFiles:
    """``mapping`` is None where there is a problem. Both lists are in file order.

    ``readable`` is then what could be made of the rest, to tell more about it and for
    nothing else; None where nothing could.
    """

    version: str
    mapping: SyncMapping | None
    problems: tuple[FileProblem, ...]
    warnings: tuple[FileProblem, ...]
    readable: SyncMapping | None = None


def version_of(files: Mapping[str, str]) -> str:
    """A short hash over names and contents; any edit gives another one."""
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name].encode("utf-8", "surrogatepass")
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def check_texts(files: Mapping[str, str]) -> CheckedFiles:
    """Judge the files by name; nothing is raised for what is in them."""
    findings = Findings()
    for name in sorted(files.keys() - set(FILES)):
        message = "no mapping file has this name"
        findings.add([FileProblem(name, 0, 0, "", message, suggestion(name, FILES))])
    reader = _Reader(files, findings)
    mapping = reader.mapping()
    problems = tuple(sorted(findings.problems))
    return CheckedFiles(
        reader.version,
        None if problems else mapping,
        problems,
        tuple(sorted(findings.warnings)),
        mapping,
    )


def mapping_from_texts(files: Mapping[str, str]) -> SyncMapping:
    """The mapping that these files are. Raises FilesRefused with every problem."""
    judged = check_texts(files)
    if judged.mapping is None:
        raise FilesRefused("the mapping files are refused", judged.problems)
    return judged.mapping


def groups_in(files: Mapping[str, str]) -> Groups:
    """The retail groups that these files declare, with their places."""
    return _Reader(files, Findings()).channels()[1]


def rows_in(files: Mapping[str, str]) -> list[Assigned]:
    """The assignments as they are written, notes included, of files that are sound."""
    return _Reader(files, Findings()).assigned()[1]


class _Reader:
    def __init__(self, files: Mapping[str, str], findings: Findings) -> None:
        self.version = version_of(files)
        self._files = files
        self._findings = findings
        self._channels_page: Page | None = None

    def mapping(self) -> SyncMapping | None:
        channels, groups, documents = self.channels()
        customers, rows = self.assigned()
        assignments = judge_assignments(rows, groups, self._findings)
        only_files = customers.precedence == [Source.MAPPING_FILE]
        # Of files with a mistake in them nobody knows yet whom they assign, or what counts.
        told = only_files and self._findings.sound(CUSTOMERS, CUSTOMERS_TABLE)
        assigned = {row.customer_id for row in rows} if told else None
        policies = self._policies(groups, assigned)
        codes = self._codes()
        if self._channels_page is not None and self._findings.sound(CODES):
            judge_payments(channels, self._channels_page, codes, self._findings)
        if not channels:
            return None
        return SyncMapping(
            version=self.version,
            channels=channels,
            assignments=assignments,
            precedence=tuple(customers.precedence),
            account_policies=policies.accounts,
            default_policy=policies.default,
            retail_policy=policies.retail,
            codes=codes,
            zero_price_means_call=policies.zero_price_means_call,
            required_documents=documents,
        )

    def channels(self) -> tuple[dict[ChannelId, Channel], Groups, RequiredDocuments]:
        entries, page = self._entries(ChannelsFile, CHANNELS)
        if CHANNELS not in self._files:
            message = "the file is missing"
            remedy = "write it: without channels no order has a place to go"
            self._findings.add([FileProblem(CHANNELS, 0, 0, "", message, remedy)])
        if entries is None or page is None:
            return {}, Groups(), RequiredDocuments()
        self._channels_page = page
        channels, groups = judge_channels(entries, page, self._findings)
        documents = judge_documents(entries, page, channels.values(), self._findings)
        return channels, groups, documents

    def assigned(self) -> tuple[CustomersFile, list[Assigned]]:
        rows: list[Assigned] = []
        table = self._files.get(CUSTOMERS_TABLE)
        if table is not None:
            rows, problems = read_table(CUSTOMERS_TABLE, _without_mark(table))
            self._findings.add(problems)
        entries, page = self._entries(CustomersFile, CUSTOMERS)
        if entries is None or page is None:
            return CustomersFile(), rows
        rows = assigned_in(entries, page) + rows
        judge_precedence(entries, page, rows, self._findings)
        return entries, rows

    def _policies(self, groups: Groups, assigned: set[str] | None) -> Policies:
        entries, page = self._entries(AccountsFile, ACCOUNTS)
        if entries is None or page is None:
            return Policies()
        return judge_accounts(entries, page, groups, assigned, self._findings)

    def _codes(self) -> CodeTables:
        entries, page = self._entries(CodesFile, CODES)
        if entries is None or page is None:
            return CodeTables()
        return judge_codes(entries, page, self._findings)

    def _entries(self, model: type[M], file: str) -> tuple[M | None, Page | None]:
        """What of the file fits its model; None where there is no file or no sense in it."""
        text = self._files.get(file)
        if text is None:
            return None, None
        tree, problems = parse(file, _without_mark(text))
        self._findings.add(problems)
        if tree is None:
            return None, None
        entries, tree, problems = checked(model, file, tree)
        self._findings.add(problems)
        return entries, Page(file, tree)


def _without_mark(text: str) -> str:
    return text.removeprefix("\ufeff")
