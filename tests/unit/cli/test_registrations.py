"""Staff decide about applications from the command line, on the sample."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from sync.cli.output import Exit
from sync.sample.applications import KNOWN_COMPANY, NEW_COMPANY, NO_PAPERS
from tests.system.site import SampleSite
from tests.unit.cli.conftest import Operator

pytestmark = pytest.mark.rule("VE-9")

NEW, KNOWN, BARE = NEW_COMPANY.value, KNOWN_COMPANY.value, NO_PAPERS.value
WHY = ("--reason", "checked")
SLEEPING = "000112"
"""A customer that the sample's ERP has inactive."""
SUSPENDED = "000127"


@pytest.fixture
def site(tmp_path: Path, day_done: SampleSite) -> Operator:
    return Operator(SampleSite(Path(shutil.copytree(day_done.root, tmp_path / "site"))))


def standing(operator: Operator, application: str) -> str:
    said = operator("registrations", "show", application, "--json")
    return str(said.json["standing"])


def test_the_queue_shows_what_is_missing_and_all_shows_what_is_over(operator: Operator) -> None:
    queue = operator("registrations", "list", "--json").json
    assert {row["application"]: row["missing"] for row in queue} == {
        "app-1001": [],
        "app-1002": [],
        "app-1003": ["sellers_permit"],
        "app-1004": ["tax_id", "business_licence"],
        "app-1007": ["resale_certificate"],
    }
    everything = operator("registrations", "list", "--all", "--json").json
    over = {row["application"]: row["standing"] for row in everything if row not in queue}
    assert over == {"app-1005": "personal account", "app-1006": "personal account"}
    hint = "2 others are over: --all lists what is over, too."
    assert operator("registrations", "list").out.splitlines()[-1] == hint
    assert hint not in operator("registrations", "list", "--all").out


def test_those_that_are_over_are_counted_without_being_read(site: Operator) -> None:
    """There may be years of them."""
    site.site.change(
        site.site.state, "UPDATE registrations SET entry = '' WHERE stage = 'personal'"
    )
    told = site("registrations", "list")
    assert told.code == Exit.DONE, told
    assert told.out.splitlines()[-1].startswith("2 others are over")


def test_a_known_company_is_proposed_with_reasons(operator: Operator) -> None:
    (candidate,) = operator("registrations", "show", KNOWN, "--json").json["candidates"]
    assert candidate["customer"] == "000131"
    assert candidate["reasons"] == ["same tax ID", "same name"]
    told = operator("registrations", "show", KNOWN).out
    assert "may be customer 000131 Düsselhof Werkzeuge (85: same tax ID, same name)" in told


@pytest.mark.rule("VE-3")
def test_an_approval_is_carried_out_up_to_an_active_account(site: Operator) -> None:
    said = site("registrations", "approve", NEW, "--create", *WHY)
    assert said.code == Exit.DONE, said
    assert standing(site, NEW) == "approved (status 8)"
    ran = site("resync", "registrations")
    assert ran.code == Exit.DONE
    counted = "1 customer created, 1 mapping written, 1 notice shown, 1 account made active"
    assert counted in ran.out
    assert f"{NEW}: customer W00001 made in the ERP\n" in ran.out
    assert f"{NEW}: organisation org-{NEW} -> W00001: mapping " in ran.out
    assert f"{NEW}: approved -> active\n" in ran.out
    table = (site.site.root / "mappings" / "customers.csv").read_text()
    assert table.endswith(f"W00001,org-{NEW},,,application {NEW}: checked\n")
    assert standing(site, NEW) == "active (status 9)"
    assert site("mappings", "list", "--json").json[0]["reason"] == f"application {NEW}: checked"
    query = f"SELECT status FROM organisations WHERE organisation = 'org-{NEW}'"
    rows = site.site.rows(site.site.database("store"), query)
    assert [tuple(row) for row in rows] == [(9,)]
    checked = site("check", "mappings")
    assert f"org-{NEW}" not in checked.out


def test_each_step_of_an_approval_names_the_next_one(site: Operator) -> None:
    def listed(application: str) -> str:
        lines = site("registrations", "list").out.splitlines()
        return next(each for each in lines if each.startswith(application))

    run = "the next run of registrations, or now: tradesync resync registrations"
    assert "  waits for the applicant  they hand in what is missing; " in listed(BARE)
    assert "  waits for staff " in listed(NEW)
    pending = site("registrations", "show", BARE, "--json").json
    assert (pending["why"], pending["fix"], pending["waits_for"]) == (None, None, "the applicant")

    words = ("--link", SLEEPING, "--despite-missing", *WHY)
    said = site("registrations", "approve", BARE, *words).out
    assert "writes the mapping and makes the account active by it" in said
    assert said.rstrip().endswith(": tradesync resync registrations, then tradesync resync all.")
    assert listed(BARE).endswith(run)
    told = site("resync", "registrations").out
    assert f"{BARE}: waits: customer {SLEEPING} is inactive in the ERP" in told
    assert f"its line in the mapping to be in force, and customer {SLEEPING} to be" in listed(BARE)
    assert listed(BARE).endswith(run)
    shown = site("registrations", "show", BARE).out
    assert f"    way on: {run}" in shown
    erp = site.site.database("erp")
    awake = "SELECT status FROM customer WHERE customer_no = '000101'"
    site.site.change(
        erp, f"UPDATE customer SET status = ({awake}) WHERE customer_no = '{SLEEPING}'"
    )
    site("resync", "registrations")

    assert standing(site, BARE) == "active (status 9)"
    shown = site("registrations", "show", BARE).out
    assert f"  customer: {SLEEPING}\n" in shown
    assert "may be customer" not in shown, "it is known which one it is"
    assert "without sellers_permit: checked" in shown
    assert "way on" not in shown


@pytest.mark.parametrize(
    "words, told",
    [
        (("approve", NEW), "--link CUSTOMER_ID or --create"),
        (("approve", NEW, "--create", "--link", "000102"), "--link CUSTOMER_ID or --create"),
        (("approve", NEW, "--link", " 1"), "can be no ID"),
    ],
)
def test_nobody_is_linked_by_a_guess(operator: Operator, words: tuple[str, ...], told: str) -> None:
    said = operator("registrations", *words, *WHY)
    assert (said.code, told in said.err) == (Exit.USAGE, True), said


@pytest.mark.parametrize(
    "words, told",
    [
        (("approve", NEW, "--link", "RETAIL-US"), "retail group"),
        (("approve", NEW, "--link", "000999"), "customer 000999: the ERP has no such customer."),
        (("approve", NEW, "--link", "131"), "it lost its leading zeros: 000131 is known."),
        (("approve", NEW, "--link", "000999"), "say --anyway if they are still to come"),
        (("approve", BARE, "--create"), "lacks sellers_permit"),
        (("reject", "app-9"), "no application app-9"),
        (("reject", "app-9"), "way out: see which there are: tradesync registrations list"),
        (("review", NEW, "verification-1", "--dry-run"), ""),
        (("request-documents", NEW, "resale_certificate"), "handed in already"),
        (("request-documents", NEW, "resale_certificate"), f"tradesync registrations show {NEW}"),
    ],
)
def test_what_cannot_be_decided_says_why(site: Operator, words: tuple[str, ...], told: str) -> None:
    said = site("registrations", *words, *WHY)
    assert said.code == (Exit.FAILED if told else Exit.DONE), said
    assert told in said.err


def test_a_dry_run_decides_nothing(site: Operator) -> None:
    for words in (
        ("approve", KNOWN, "--link", "000131"),
        ("reject", KNOWN),
        ("review", KNOWN, "under-review"),
        ("request-documents", KNOWN, "bank_statement"),
    ):
        said = site("registrations", *words, *WHY, "--dry-run")
        assert said.code == Exit.DONE, said
        assert "would be" in said.out
        assert site("registrations", *words, *WHY, "--dry-run", "--json").json["dry_run"] is True
    assert standing(site, KNOWN) == "applied (status 1)"


@pytest.mark.rule("VE-9", "WA-2c", "WA-8")
@pytest.mark.parametrize(
    "customer, told",
    [
        (
            "000102",
            f"organisation org-{KNOWN} has the account 000102, which organisation org-102 has too",
        ),
        (SLEEPING, f"customer {SLEEPING} is inactive in the ERP. Reactivate it"),
        (SUSPENDED, f"customer {SUSPENDED} is inactive in the ERP. Reactivate it"),
    ],
)
def test_an_approval_tells_what_an_assignment_by_hand_would(
    site: Operator, customer: str, told: str
) -> None:
    suspended = f"UPDATE customer SET status = 'S' WHERE customer_no = '{SUSPENDED}'"
    site.site.change(site.site.database("erp"), suspended)
    words = ("registrations", "approve", KNOWN, "--link", customer, *WHY)
    by_hand = ("map", "--organisation", f"org-{KNOWN}", customer, *WHY, "--json")
    foreseen = site(*words, "--dry-run")
    assert (foreseen.code, told in foreseen.out) == (Exit.DONE, True), foreseen
    assert f"Application {KNOWN} would be approved" in foreseen.out
    as_json = site(*words, "--dry-run", "--json").json
    assert as_json["doubts"]
    said = site(*words)
    assert said.code == Exit.DONE, said
    assert [each for each in said.out.splitlines() if each.startswith("Look at this: ")] == [
        f"Look at this: {each}" for each in as_json["doubts"]
    ]
    assert site(*by_hand).json["doubts"] == as_json["doubts"]


@pytest.mark.rule("VE-9", "OP-4")
def test_an_approval_knows_of_lines_that_do_not_count_yet(site: Operator) -> None:
    assert site("map", "--organisation", "org-102", "000131", *WHY).code == Exit.DONE
    words = ("registrations", "approve", KNOWN, "--link", "000131", *WHY, "--dry-run")
    assert "has the account 000131, which organisation org-102 has too" in site(*words).out


@pytest.mark.rule("VE-9", "WA-2c")
def test_whom_the_erp_does_not_have_is_approved_only_where_that_is_said(site: Operator) -> None:
    words = ("registrations", "approve", KNOWN, "--link", "000999", *WHY)
    for how, ended in (((), "nothing was written"), (("--dry-run",), "this would be refused")):
        said = site(*words, *how)
        assert (said.code, ended in said.err) == (Exit.FAILED, True), said
    assert "the ERP has no such customer" in site(*words, "--json").json["error"]
    assert standing(site, KNOWN) == "applied (status 1)"
    said = site(*words, "--anyway")
    assert said.code == Exit.DONE, said
    assert "Look at this: customer 000999: the ERP has no such customer." in said.out
    assert standing(site, KNOWN) == "approved (status 8)"


def test_staff_ask_for_a_document_and_reject_with_a_word_to_the_applicant(site: Operator) -> None:
    site("registrations", "review", KNOWN, "under-review", *WHY)
    asked = ("request-documents", KNOWN, "bank_statement", "--message", "Please send it.")
    assert site("registrations", *asked, *WHY).code == Exit.DONE
    told = site("registrations", "show", KNOWN, "--json").json
    assert (told["standing"], told["missing"], told["message"]) == (
        "documents pending (status 2)",
        ["bank_statement"],
        "Please send it.",
    )
    assert site("registrations", "reject", KNOWN, *WHY).code == Exit.DONE
    assert standing(site, KNOWN) == "rejected"
    again = site("registrations", "reject", KNOWN, *WHY)
    assert f"way out: see what became of it: tradesync registrations show {KNOWN}" in again.err
    actions = site.site.rows(site.site.state, "SELECT action FROM audit ORDER BY id")
    assert [each for (each,) in actions if each.startswith("registration.")] == [
        "registration.reviewed",
        "registration.documents_requested",
        "registration.rejected",
    ]


def upload(site: Operator, content: bytes | None) -> None:
    """The shop keeps what applicants hand in, and the settings say where."""
    root = site.site.root
    folder = root / "uploads" / NEW
    folder.mkdir(parents=True, exist_ok=True)
    if content is not None:
        (folder / "resale_certificate.pdf").write_bytes(content)
    settings = root / "config" / "tradesync.toml"
    text = settings.read_text(encoding="utf-8")
    named = 'uploads = "forms"\nuploads_begin_with = "s3://registrations/"\nfiles = "papers"\n'
    text = text.replace('files = "papers"\n', named)
    text += (
        '\n[systems.forms]\nkind = "files"\nadapter = "folder"\noptions = { folder = "uploads" }\n'
    )
    settings.write_text(text, encoding="utf-8")


def test_staff_see_what_a_file_claims_to_be_and_what_it_is(site: Operator) -> None:
    [before] = site("registrations", "show", NEW, "--json").json["documents"]
    assert (before["found"], before["counts"], before["refusal"]) == (None, True, None)
    assert "its content was not looked at" in site("registrations", "show", NEW).out
    assert "a file counts as what it is said to be" in site("check").out

    upload(site, b"\x89PNG\r\n\x1a\n pixels IEND\xaeB`\x82")
    assert "refused" not in site("check").err
    ran = site("resync", "registrations", "--json")
    assert ran.code == Exit.DONE, ran
    [told] = site("registrations", "show", NEW, "--json").json["documents"]
    assert told["claimed"] == "application/pdf"
    assert (told["found"], told["counts"]) == ("image/png", False)
    assert told["refusal"] == (
        "the file resale_certificate.pdf, said to be application/pdf, is image/png by its content"
    )
    assert told["refusal"] in site("registrations", "show", NEW).out
    refused = site("registrations", "approve", NEW, "--create", *WHY)
    assert (refused.code, "lacks resale_certificate" in refused.err) == (Exit.FAILED, True)
    status = {each["system"] for each in site("status", "--json").json["systems"]}
    assert "forms" in status


@pytest.mark.rule("TL-5", "OP-8")
@pytest.mark.parametrize("folder", [None, "second/{application}/"])
def test_two_stores_whose_applicants_share_a_folder_are_told(
    site: Operator, folder: str | None
) -> None:
    """Each may have an application 1042, and what lies in its folder is of one of them."""
    upload(site, b"")
    settings = site.site.settings
    text = settings.read_text(encoding="utf-8")
    text += '\n[systems.second]\nkind = "store"\nadapter = "embedded"\n'
    text += 'options = { store_id = "second", url = "sqlite:///var/second.sqlite" }\n'
    text += '[pipelines.second]\nerp = "erp"\nstore = "second"\nuploads = "forms"\n'
    text += f'uploads_folder = "{folder}"\n' if folder else ""
    settings.write_text(text, encoding="utf-8")
    said = site("check", "--json")
    told = {each["where"]: each for each in said.json if each["subject"] == "uploads_folder"}
    if folder:
        assert told == {}
        return
    assert set(told) == {"main: files", "second: files"}
    assert "is that of pipeline second too" in told["main: files"]["message"]
    assert told["second: files"]["level"] == "warning"
    assert 'uploads_folder = "second/{application}/"' in told["second: files"]["remedy"]


def test_what_a_stranger_typed_moves_no_cursor(site: Operator) -> None:
    store = site.site.database("store")
    typed = "Bluebell\x1b[2J\u202eBrewing"
    with sqlite3.connect(store) as on:
        on.execute("UPDATE applications SET company = ? WHERE application = ?", (typed, NEW))
    on.close()
    site("resync", "registrations")
    shown = site("registrations", "show", NEW).out
    assert "company: Bluebell?[2J?Brewing" in shown
