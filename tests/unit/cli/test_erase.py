"""``tradesync erase`` at the terminal (OP-9)."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from sync.cli.main import main
from sync.cli.output import Exit
from tests.system.site import SampleSite
from tests.unit.cli.conftest import Operator
from tests.unit.cli.test_asking import Terminal

pytestmark = pytest.mark.rule("OP-9")

WHY = ("--reason", "request 12")


@dataclass(frozen=True, slots=True)
class Buyer:
    """Somebody of the sample with one order, which is finished."""

    number: str
    key: str
    erp_order: str
    email: str


@pytest.fixture
def site(day_done: SampleSite, tmp_path: Path) -> Operator:
    """The site on which a day is done, to be changed."""
    shutil.copytree(day_done.root, tmp_path / "site")
    return Operator(SampleSite(tmp_path / "site"))


@pytest.fixture
def buyer(site: Operator) -> Buyer:
    query = """
        SELECT number, order_id, erp_order, json_extract(payload, '$.buyer.email') AS email
          FROM ledger GROUP BY email
        HAVING count(*) = 1 AND state = 'acknowledged' AND email IS NOT NULL
         ORDER BY number LIMIT 1"""
    return Buyer(*site.site.rows(site.site.state, query)[0])


def held(site: Operator) -> bytes:
    files = site.site.state.parent.glob("state.sqlite*")
    return b"".join(each.read_bytes() for each in files)


def test_first_it_tells_then_it_asks_then_it_erases(site: Operator, buyer: Buyer) -> None:
    before = held(site)
    assert buyer.email.encode() in before
    would = site("erase", "--order", buyer.number, *WHY, "--dry-run")
    assert would.code == Exit.DONE
    assert f"1 order would be erased: {buyer.number}." in would.out
    assert "Backups hold what they held" in would.out
    assert held(site) == before

    words = ["erase", "--order", buyer.number, *WHY, "--site", str(site.site.root)]
    refused = CliRunner().invoke(main, words, input=Terminal(b"n\n"))
    assert refused.exit_code == Exit.FAILED
    assert "Erase? The person's data are gone then; it cannot be undone" in refused.output
    assert held(site) == before
    agreed = CliRunner().invoke(main, words, input=Terminal(b"y\n"))
    assert agreed.exit_code == Exit.DONE, agreed.output
    assert f"1 order erased: {buyer.number}." in agreed.output
    assert f"({buyer.erp_order})" in agreed.output
    assert buyer.email.encode() not in held(site)

    shown = site("quarantine", "show", buyer.number)
    assert shown.code == Exit.DONE
    assert buyer.email not in shown.out
    assert "  erased  " in shown.out
    why = site("explain", "order", buyer.number)
    assert buyer.email not in why.out
    assert site("state", "verify").code == Exit.DONE


def test_programs_get_all_of_it_and_a_second_time_nothing_is_left_to_do(
    site: Operator, buyer: Buyer
) -> None:
    told = site("erase", "--email", buyer.email.upper(), *WHY, "--yes", "--json")
    assert told.code == Exit.DONE, told.err
    answer = told.json
    assert answer["erased"]
    assert answer["counts"]["orders"] == len(answer["orders"]) >= 1
    assert buyer.key in answer["still_held"]["store"]["orders"]
    assert buyer.erp_order in answer["still_held"]["erp"]["orders"]
    assert answer["still_held"]["mapping_files"] == []
    assert buyer.email not in told.out
    assert buyer.email.encode() not in held(site)
    again = site("erase", "--email", buyer.email, *WHY, "--yes", "--json")
    assert again.code == Exit.DONE
    assert again.json["orders"] == []
    by_order = site("erase", "--order", buyer.number, *WHY, "--yes", "--json").json
    assert set(by_order["counts"].values()) == {0}
    assert [each["erased_before"] for each in by_order["orders"]] == [True]
    nobody = site("erase", "--email", buyer.email, *WHY, "--yes")
    assert nobody.out.startswith("The ledger holds no order of that person.")


def test_the_next_run_of_everything_brings_nothing_back(site: Operator, buyer: Buyer) -> None:
    orders = site.site.erp_orders()
    assert site("erase", "--order", buyer.number, *WHY, "--yes").code == Exit.DONE
    site("resync", "orders", "--json")
    site("resync", "order_status", "--json")
    query = f"SELECT state, payload FROM ledger WHERE number = '{buyer.number}'"
    ((state, payload),) = site.site.rows(site.site.state, query)
    assert state == "acknowledged"
    assert buyer.email not in payload
    assert site.site.erp_orders() == orders


def test_an_order_in_quarantine_is_named_with_the_way_out(site: Operator) -> None:
    before = held(site)
    for more in (("--dry-run",), ("--yes",)):
        said = site("erase", "--order", "W-50273", *WHY, *more)
        assert said.code == Exit.FAILED
        assert "tradesync quarantine dismiss W-50273" in said.out
        assert "Nothing was erased." in said.out
    assert held(site) == before


def test_an_erp_that_never_saw_the_order_is_not_said_to_have_it(
    site: Operator, buyer: Buyer
) -> None:
    assert site("quarantine", "dismiss", "W-50273", *WHY, "--yes").code == Exit.DONE
    would = site("erase", "--order", "W-50273", *WHY, "--dry-run")
    assert would.code == Exit.DONE, would
    assert "The ERP" not in would.out
    assert "The store still has its own data, under: " in would.out
    program = site("erase", "--order", "W-50273", *WHY, "--dry-run", "--json").json
    assert program["still_held"]["erp"]["keys"] == []

    # Its answer never came, so nobody knows.
    silence = f"UPDATE ledger SET erp_order = NULL WHERE number = '{buyer.number}'"
    site.site.change(site.site.state, silence)
    would = site("erase", "--order", buyer.number, *WHY, "--dry-run")
    assert "The ERP may have its own data (no number), under: " in would.out


def test_copies_beside_the_state_are_named(site: Operator, buyer: Buyer) -> None:
    copy = site.site.state.with_name("state.sqlite.replaced-20260301T000000Z")
    copy.write_bytes(site.site.state.read_bytes())
    said = site("erase", "--order", buyer.number, *WHY, "--yes")
    assert f"delete them: {copy}" in said.out


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--web-user", "1", "--email", "a@b.example"),
        ("--email", ""),
        ("--web-user", " 1"),
        ("--email", "a@b.example", "--json"),
    ],
    ids=" ".join,
)
def test_who_must_be_said_once_and_well(site: Operator, words: tuple[str, ...]) -> None:
    assert site("erase", *WHY, *words).code == Exit.USAGE


def test_a_reason_is_asked_for(site: Operator) -> None:
    assert site("erase", "--email", "a@b.example").code == Exit.USAGE


def test_an_order_that_nobody_knows(site: Operator) -> None:
    said = site("erase", "--order", "W-9", *WHY, "--yes")
    assert said.code == Exit.FAILED
    assert "knows no order W-9" in said.err


def test_an_applicant_is_erased_when_the_application_is_decided(site: Operator) -> None:
    email = "maraquill@people.example"
    hindered = site("erase", "--email", email, *WHY, "--yes")
    assert hindered.code == Exit.FAILED
    assert "application app-1001 cannot be erased yet: decide it first" in hindered.out
    assert email.encode() in held(site)
    site("registrations", "reject", "app-1001", *WHY)
    site("resync", "registrations")
    would = site("erase", "--email", email, *WHY, "--dry-run")
    assert "1 applications would be erased: app-1001." in would.out
    done = site("erase", "--email", email, *WHY, "--yes", "--json")
    assert done.code == Exit.DONE, done.err
    assert done.json["counts"]["applications"] == 1
    assert done.json["still_held"]["store"]["applications"] == ["app-1001"]
    for each in (email, "Mara Quill", "+1 312 555 0144"):
        assert each.encode() not in held(site)
