"""`plan orders` and `explain order` tell what the profile of the ERP has no place for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Operator

PROFILES = Path(__file__).resolve().parents[3] / "erp_adapters/sql/profiles"


@pytest.fixture
def without_po(fresh: Operator) -> Operator:
    """The sample's profile, which somebody has let forget PO numbers."""
    text = (PROFILES / "sample.yaml").read_text()
    for kept, gone in ((":bill_to, :po, ", ":bill_to, NULL, "), ("po: order.po_number\n", "\n")):
        assert text.count(kept) == 1
        text = text.replace(kept, gone)
    (fresh.site.root / "ours.yaml").write_text(text)
    settings = fresh.site.root / "config/tradesync.toml"
    settings.write_text(settings.read_text().replace('profile = "sample"', 'profile = "ours.yaml"'))
    return fresh


@pytest.mark.rule("OP-2", "OP-3", "OI-2")
def test_the_plan_the_explanation_and_the_quarantine_say_the_same(without_po: Operator) -> None:
    reason = "has no place for order.po_number. Way out: bind it in the profile"

    [planned] = without_po("plan", "orders", "--json").json
    told = [each for each in planned["samples"] if reason in each]
    assert told
    assert planned["counts"]["would_be_quarantined"] >= len(told)
    number = told[0].partition(":")[0]
    assert told[0].startswith(f"{number}: quarantine: OI-2 erp_refused: The ERP would refuse it: ")
    assert told[0] in without_po("plan", "orders").out

    done = without_po("resync", "orders", "--json").json
    assert done
    explained = without_po("explain", "order", number)
    assert told[0].partition("quarantine: ")[2] in explained.out
    assert "outlook" not in explained.out, "it stands there in words"
    outlook = without_po("explain", "order", number, "--json").json["outlook"]
    assert outlook["outcome"] == "quarantined"
    [problem] = outlook["problems"]
    assert (problem["code"], problem["rule"]) == ("erp_refused", "OI-2")
    assert problem["remedy"].startswith("bind it in the profile")
    listed = without_po("quarantine", "list", "--code", "erp_refused", "--json").json
    assert {each["order"] for each in listed} == {each.partition(":")[0] for each in told}
