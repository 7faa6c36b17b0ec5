"""Tests against real outside systems. Where one is missing they skip and say which.

On a machine that is meant to have everything (``CI=true``) a skipped test is a
failed one: it would look like a proof for ever. What an adapter does not claim at
all is missing on no machine: those skips are listed here, word for word.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")


NOT_CLAIMED = frozenset(
    {
        "harbour does not claim AnswersPriceQuestions",
        "harbour does not claim CancelsOrders",
        "harbour does not claim FindsOrdersTogether",
        "harbour does not claim ReadsAccountFiles",
        "harbour does not claim ReadsDocumentFiles",
        "harbour does not claim RequestsCredits",
        "medusa does not claim CapturesPayments",
        "medusa does not claim FindsShownAccountOrders",
        "medusa does not claim FindsShownDocuments",
        "medusa does not claim FindsShownInvoices",
        "medusa does not claim FindsWebOrders",
        "medusa does not claim ListsChannels",
        "medusa does not claim ListsVerifiedUsers",
        "medusa does not claim MirrorsAccountOrders",
        "medusa does not claim MirrorsAvailability",
        "medusa does not claim MirrorsBalances",
        "medusa does not claim MirrorsCustomerParts",
        "medusa does not claim MirrorsEntitlements",
        "medusa does not claim ReadsRegistrations",
        "medusa does not claim TakesPriceBatches",
        "medusa does not claim WritesRegistrations",
        "medusa has no organisations",
        "medusa shows nothing over a price list",
        "tryton does not claim CancelsOrders",
        "tryton does not claim CreatesCustomers",
        "tryton does not claim FindsCustomers",
        "tryton does not claim HoldsPriceMoments",
        "tryton does not claim ListsRestrictedItems",
        "tryton does not claim ReadsAccountOrders",
        "tryton does not claim ReadsAvailability",
        "tryton does not claim SupportsPriceBatches",
        "tryton does not claim TellsPriceStates",
        "tryton does not claim ReadsBalances",
        "tryton does not claim ReadsCustomerParts",
        "tryton does not claim RequestsCredits",
        "tryton does not claim SparesInvoices",
        "tryton does not claim SparesShipTos",
        "tryton does not claim changes of account_orders",
    }
)
"""Capabilities that these adapters do without, in the words of the contract suites."""


LIVE = frozenset({"live", "medusa", "tryton"})
"""Folders whose tests use one installation of the live systems."""


def _together(item: pytest.Item) -> str:
    """What a test must not be parted from where several processes share the tests."""
    folder = item.path.relative_to(HERE).parts[0]
    if folder in LIVE:
        return "live systems"
    return folder if item.path.parent != HERE else item.nodeid


# xdist puts the groups into the names of the tests in the same step.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.xdist_group(_together(item)))


def _no_excuse(report: Any) -> None:
    if not IN_CI or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    if str(reason).removeprefix("Skipped: ") in NOT_CLAIMED:
        return
    report.outcome = "failed"
    report.longrepr = f"{reason} (with CI=true a skipped test of tests/systems is a failure)"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _no_excuse(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _no_excuse(report)
    return report
