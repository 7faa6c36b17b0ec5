"""How the mapping files must fit together before they may act."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sync.domain.channel import CommerceMode, LoginWall, Registration
from sync.domain.ids import ChannelId, ContactId, CustomerId, OrganisationId, WebUserId
from sync.domain.mapping import OnDifference, PaymentKind, Source
from sync.mapping import FileProblem, FilesRefused, check_texts, mapping_from_texts

SHOP = """\
channels:
  shop:
    commerce_mode: hybrid
    guest_checkout: true
    retail_groups:
      - customer_id: RETAIL-US
        currencies: [USD]
      - customer_id: RETAIL-EU
        currencies: [EUR]
"""
CARD = "payment_methods: {card: {kind: card, erp_code: CARD}}\n"


def problems(**files: str) -> list[str]:
    """Every problem, with the shop as channels where none are given."""
    texts = {"channels.yaml": SHOP}
    texts |= {name.replace("_", "."): text for name, text in files.items()}
    return [str(problem) for problem in check_texts(texts).problems]


def warnings(**files: str) -> list[FileProblem]:
    """The same of what is doubted, with a card as payment where nothing is said of it."""
    texts = {"channels.yaml": SHOP, "codes.yaml": CARD}
    texts |= {name.replace("_", "."): text for name, text in files.items()}
    checked = check_texts(texts)
    assert checked.problems == ()
    return list(checked.warnings)


def channel(body: str) -> str:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"channels:\n  web:\n{lines}"


class TestRetailGroupsBelongToNobody:
    @pytest.mark.rule("WA-2b", "OP-4")
    @pytest.mark.parametrize("old, new", [("channels:", "channels: ["), ("retail_g", "retailg")])
    def test_an_assignment_to_one_comes_to_light_once_it_is_known(self, old: str, new: str) -> None:
        """As mappings/README.md says; nothing of such an edit counts, all the same."""
        text = "customer_id,user\nRETAIL-US,u-1\n"
        broken = problems(customers_csv=text, channels_yaml=SHOP.replace(old, new))
        assert {each.partition(":")[0] for each in broken} == {"channels.yaml"}
        (told,) = problems(customers_csv=text)
        assert told.startswith("customers.csv:2:1: customer_id is a retail group")

    @pytest.mark.rule("WA-2b")
    @pytest.mark.parametrize("who", ["user: u-1", "organisation: org-1"])
    def test_yaml_assignment_to_a_retail_group_is_refused_with_file_line_and_reason(
        self, who: str
    ) -> None:
        text = f"assignments:\n  - {who}\n    customer_id: RETAIL-US\n"
        (told,) = problems(customers_yaml=text)
        assert told.startswith("customers.yaml:3:18: customer_id is a retail group")
        assert "channels.yaml:6" in told
        assert "would see the invoices" in told

    @pytest.mark.rule("WA-2b")
    @pytest.mark.parametrize("row", ["RETAIL-EU,u-1,", "RETAIL-EU,,org-1", "RETAIL-EU,u-1,org-1"])
    def test_csv_assignment_to_a_retail_group_is_refused(self, row: str) -> None:
        (told,) = problems(customers_csv=f"customer_id,user,organisation\n000101,u-0,\n{row}\n")
        assert told.startswith("customers.csv:3:1: customer_id is a retail group (channels.yaml:8)")

    @pytest.mark.rule("WA-2b")
    @pytest.mark.parametrize("spelling", ["retail-us", "Retail-US", "\uff32ETAIL-US"])
    def test_a_spelling_that_a_database_takes_for_the_group_is_refused_too(
        self, spelling: str
    ) -> None:
        (told,) = problems(customers_csv=f"customer_id,user\n{spelling},u-1\n")
        assert "may be taken by the ERP for RETAIL-US" in told

    @pytest.mark.rule("WA-2b")
    def test_the_group_of_a_channel_that_is_wrong_itself_still_counts(self) -> None:
        text = SHOP.replace("guest_checkout: true", "commerce_mod: b2b")
        text += "  more:\n    commerce_mode: b2b\n    guest_checkout: true\n"
        text += "    retail_groups: [{customer_id: MORE, currencies: [USD]}]\n"
        told = problems(channels_yaml=text, customers_csv="customer_id,user\nMORE,u-1\n")
        assert any(
            one.startswith("customers.csv:2:1: customer_id is a retail group") for one in told
        )
        assert any("commerce_mod is not known here" in one for one in told)

    def test_no_mapping_comes_out_of_it(self) -> None:
        text = "customer_id,user\nRETAIL-US,u-1\n000101,u-2\n"
        with pytest.raises(FilesRefused) as refusal:
            mapping_from_texts({"channels.yaml": SHOP, "customers.csv": text})
        assert len(refusal.value.found) == 1
        assert refusal.value.problems == tuple(map(str, refusal.value.found))


class TestChannels:
    @pytest.mark.rule("VE-1", "TL-4")
    def test_each_channel_has_a_mode_and_policies_of_its_own(self) -> None:
        text = SHOP + (
            "  trade:\n    commerce_mode: b2b\n"
            "  outlet:\n    commerce_mode: b2c\n    login_wall: login_to_price\n"
            "    retail_groups: [{customer_id: RETAIL-US, currencies: [USD]}]\n"
        )
        channels = mapping_from_texts({"channels.yaml": text}).channels
        assert {one.value: channels[one].mode for one in channels} == {
            "shop": CommerceMode.HYBRID,
            "trade": CommerceMode.B2B,
            "outlet": CommerceMode.B2C,
        }
        assert {one.value: channels[one].registration for one in channels} == {
            "shop": Registration.BOTH,
            "trade": Registration.BUSINESS,
            "outlet": Registration.PERSONAL,
        }
        assert channels[ChannelId("trade")].login_wall is LoginWall.LOGIN_REQUIRED
        assert channels[ChannelId("shop")].login_wall is LoginWall.OPEN
        assert channels[ChannelId("outlet")].login_wall is LoginWall.LOGIN_TO_PRICE

    @pytest.mark.rule("VE-2")
    def test_guest_checkout_on_a_b2b_channel_is_a_mapping_error(self) -> None:
        (told,) = problems(channels_yaml=channel("commerce_mode: b2b\nguest_checkout: true"))
        assert told.startswith("channels.yaml:4:21: channels.web.guest_checkout is on, but a b2b")

    @pytest.mark.rule("WA-10")
    def test_zero_is_no_price_where_the_channel_or_else_the_accounts_file_says_so(self) -> None:
        text = (
            SHOP
            + "    zero_price_means_call: true\n"
            + SHOP.replace("channels:\n", "").replace("shop", "other")
        )
        for told, everywhere in (("true", True), ("false", False)):
            mapping = mapping_from_texts(
                {"channels.yaml": text, "accounts.yaml": f"zero_price_means_call: {told}\n"}
            )
            assert mapping.zero_means_call(ChannelId("shop"))
            assert mapping.zero_means_call(ChannelId("other")) is everywhere
            assert mapping.zero_means_call(ChannelId("gone")) is everywhere
            assert mapping.zero_means_call(None) is everywhere

    @pytest.mark.rule("WA-10")
    @pytest.mark.parametrize("value", ["true", "false"])
    def test_no_zero_price_is_said_of_a_channel_without_shoppers(self, value: str) -> None:
        text = channel(f"commerce_mode: b2b\nzero_price_means_call: {value}")
        (told,) = problems(channels_yaml=text)
        assert told.startswith("channels.yaml:4:28: channels.web.zero_price_means_call is for")
        assert "accounts.yaml" in told

    @pytest.mark.rule("VE-2")
    def test_guest_checkout_is_set_per_channel(self) -> None:
        text = SHOP + "  trade: {commerce_mode: b2b, guest_checkout: false}\n"
        channels = mapping_from_texts({"channels.yaml": text}).channels
        assert channels[ChannelId("shop")].guest_checkout
        assert not channels[ChannelId("trade")].guest_checkout

    @pytest.mark.rule("VE-1")
    def test_a_retail_group_on_a_b2b_channel_is_refused(self) -> None:
        body = "commerce_mode: b2b\nretail_groups: [{customer_id: R, currencies: [USD]}]"
        (told,) = problems(channels_yaml=channel(body))
        assert told.startswith("channels.yaml:4:20: channels.web.retail_groups are given")

    @pytest.mark.parametrize("mode", ["b2c", "hybrid"])
    def test_a_channel_with_retail_buyers_needs_a_group(self, mode: str) -> None:
        (told,) = problems(channels_yaml=channel(f"commerce_mode: {mode}"))
        assert f"retail_groups are missing: a {mode} channel has retail buyers" in told

    @pytest.mark.rule("TL-4")
    @pytest.mark.parametrize(
        "mode, registration, right",
        [("b2b", "personal", "business"), ("b2c", "business", "personal"), ("b2c", "both", "pers")],
    )
    def test_a_registration_that_contradicts_the_mode_is_refused(
        self, mode: str, registration: str, right: str
    ) -> None:
        body = f"commerce_mode: {mode}\nregistration: {registration}"
        if mode != "b2b":
            body += "\nretail_groups: [{customer_id: R, currencies: [USD]}]"
        (told,) = problems(channels_yaml=channel(body))
        assert told.startswith("channels.yaml:4:19: channels.web.registration does not go with")
        assert f"write {right}" in told

    @pytest.mark.rule("VE-9")
    def test_required_documents_are_those_of_the_most_particular_jurisdiction(self) -> None:
        text = SHOP + (
            "required_documents:\n  default: [licence]\n  US: [licence, resale]\n  US-OR: []\n"
        )
        required = mapping_from_texts({"channels.yaml": text}).required_documents
        assert required.of("DE", None) == required.of(None, None) == ("licence",)
        assert required.of("US", "CA") == required.of("us", None) == ("licence", "resale")
        assert required.of("US", "OR") == required.of("US", "US-OR") == ()

    @pytest.mark.rule("VE-9", "OP-4")
    @pytest.mark.parametrize(
        "line, told",
        [
            ("California: [licence]", "the key in required_documents is no jurisdiction"),
            ("us: [licence]", "the key in required_documents is no jurisdiction"),
            ("US: [licence, licence]", "required_documents.US[2] stands there twice"),
            ("US: licence", "required_documents.US is not a list"),
        ],
    )
    def test_required_documents_that_make_no_sense_are_told_with_their_line(
        self, line: str, told: str
    ) -> None:
        text = f"{SHOP}required_documents:\n  {line}\n"
        (problem,) = problems(channels_yaml=text)
        number = len(SHOP.splitlines()) + 2
        assert problem.startswith(f"channels.yaml:{number}:")
        assert told in problem

    @pytest.mark.rule("VE-9")
    def test_documents_that_nobody_can_be_asked_for_are_doubted(self) -> None:
        text = (
            "channels:\n  outlet:\n    commerce_mode: b2c\n"
            "    retail_groups: [{customer_id: RETAIL-US, currencies: [USD]}]\n"
            "required_documents: {default: [licence]}\n"
        )
        (warning,) = warnings(channels_yaml=text)
        assert str(warning).startswith("channels.yaml:5:1: required_documents are asked of nobody")

    @pytest.mark.rule("VE-9")
    @pytest.mark.parametrize(
        "business",
        ["{commerce_mode: b2b, guest_checkout: true}", "{commerce_mode: b2b, gest_checkout: no}"],
        ids=["against itself", "misspelt"],
    )
    def test_while_a_channel_is_wrong_nobody_knows_who_is_asked_for_documents(
        self, business: str
    ) -> None:
        text = (
            "channels:\n  outlet:\n    commerce_mode: b2c\n"
            "    retail_groups: [{customer_id: RETAIL-US, currencies: [USD]}]\n"
            f"  trade: {business}\n"
            "required_documents: {default: [licence]}\n"
        )
        checked = check_texts({"channels.yaml": text, "codes.yaml": CARD})
        assert [each.line for each in checked.problems] == [5]
        assert checked.warnings == ()

    @pytest.mark.parametrize("state", ["cancelled", "refunded"])
    def test_states_of_closed_orders_are_never_importable(self, state: str) -> None:
        body = f"commerce_mode: b2b\nimportable: [fulfilled, {state}]"
        (told,) = problems(channels_yaml=channel(body))
        assert "importable[2] is a state in which an order is closed" in told

    def test_one_group_with_different_currencies_is_refused_with_both_lines(self) -> None:
        text = SHOP + (
            "  outlet:\n    commerce_mode: b2c\n    retail_groups:\n"
            "      - customer_id: RETAIL-US\n        currencies: [CAD]\n"
        )
        (told,) = problems(channels_yaml=text)
        assert told.startswith("channels.yaml:14:21:")
        assert "differ from those of RETAIL-US in line 7" in told

    def test_one_group_twice_in_a_channel_is_refused(self) -> None:
        text = SHOP + "      - {customer_id: RETAIL-US, currencies: [USD]}\n"
        (told,) = problems(channels_yaml=text)
        assert "retail_groups[3].customer_id is declared twice" in told

    @pytest.mark.parametrize(
        "line", ["currencies: [USD, USD]", "currencies: [USD]\n        countries: [US, US]"]
    )
    def test_a_code_that_stands_twice_is_refused(self, line: str) -> None:
        told = problems(channels_yaml=SHOP.replace("currencies: [USD]", line))
        assert len(told) == 1
        assert "stands there twice" in told[0]

    @pytest.mark.parametrize(
        "written, way_out", [("UK", "did you mean GB?"), ("ZZ", "write the ISO 3166 code, like US")]
    )
    def test_a_country_that_the_standard_does_not_have_is_refused(
        self, written: str, way_out: str
    ) -> None:
        where = f"currencies: [USD]\n        countries: [{written}]"
        (told,) = problems(channels_yaml=SHOP.replace("currencies: [USD]", where))
        assert "is not a country code of ISO 3166" in told
        assert way_out in told
        (told,) = problems(codes_yaml=f"countries: {{Britain: {written}}}\n")
        assert way_out in told
        assert problems(codes_yaml="countries: {Kosovo: XK}\n") == []

    def test_groups_for_the_same_buyers_are_allowed_but_doubted(self) -> None:
        text = SHOP + "      - {customer_id: MORE, currencies: [USD], countries: [US]}\n"
        (doubt,) = warnings(channels_yaml=text)
        assert "serves buyers that RETAIL-US serves too" in doubt.message
        apart = text.replace("[USD]\n", "[USD]\n        countries: [CA]\n", 1)
        assert warnings(channels_yaml=apart) == []

    def test_guests_behind_a_login_wall_are_doubted(self) -> None:
        text = SHOP.replace("guest_checkout", "login_wall: login_required\n    guest_checkout")
        (doubt,) = warnings(channels_yaml=text)
        assert doubt.line == 5

    def test_an_open_b2b_channel_is_doubted(self) -> None:
        (doubt,) = warnings(channels_yaml=channel("commerce_mode: b2b\nlogin_wall: open"))
        assert (doubt.line, doubt.remedy) == (4, "write login_required")

    def test_a_file_without_channels_cannot_be_used(self) -> None:
        assert check_texts({}).problems[0].file == "channels.yaml"
        assert check_texts({}).mapping is None


class TestAssignments:
    def test_yaml_and_table_are_one_list_with_their_origins(self) -> None:
        mapping = mapping_from_texts(
            {
                "channels.yaml": SHOP,
                "customers.yaml": (
                    "precedence: [store_attribute, mapping_file]\n"
                    "assignments:\n  - user: u-1\n    organisation: org-1\n"
                    '    customer_id: "000103"\n    contact: C-3\n'
                ),
                "customers.csv": "organisation;customer_id\norg-1;000101\n",
            }
        )
        exception, usual = mapping.assignments
        assert exception.user == WebUserId("u-1")
        assert exception.organisation == OrganisationId("org-1")
        assert exception.customer_id == CustomerId("000103")
        assert exception.contact == ContactId("C-3")
        assert exception.origin == "customers.yaml:5"
        assert (usual.user, usual.organisation) == (None, OrganisationId("org-1"))
        assert (usual.customer_id, usual.origin) == (CustomerId("000101"), "customers.csv:2")
        assert mapping.precedence == (Source.STORE_ATTRIBUTE, Source.MAPPING_FILE)

    @pytest.mark.parametrize("column", ["user", "organisation"])
    def test_two_ids_for_one_buyer_are_refused_with_both_lines(self, column: str) -> None:
        text = f"customer_id,{column}\n000101,x\n000102,y\n000103,x\n"
        (told,) = problems(customers_csv=text)
        assert told.startswith(f"customers.csv:4:1: {column} x is assigned to 000101 in line 2")

    def test_two_ids_for_one_buyer_in_two_files_are_refused(self) -> None:
        (told,) = problems(
            customers_csv="customer_id,user\n000101,u-1\n",
            customers_yaml='assignments:\n  - {user: u-1, customer_id: "000102"}\n',
        )
        assert "assigned to 000102 in customers.yaml:2" in told

    def test_the_same_assignment_twice_is_refused_with_both_lines(self) -> None:
        (told,) = problems(customers_csv="customer_id,user\n000101,u-1\n000101,u-1\n")
        assert told.startswith("customers.csv:3:1: user u-1 is assigned in line 2 already")

    def test_an_exception_within_an_organisation_is_no_second_assignment(self) -> None:
        text = "customer_id,user,organisation\n000101,u-1,\n000102,u-1,org-1\n000103,,org-1\n"
        assert problems(customers_csv=text) == []

    def test_an_assignment_needs_somebody(self) -> None:
        (told,) = problems(customers_yaml='assignments:\n  - {customer_id: "000101"}\n')
        assert "names neither a user nor an organisation" in told

    def test_assignments_that_would_never_count_are_refused(self) -> None:
        (told,) = problems(
            customers_yaml="precedence: [store_attribute]\n",
            customers_csv="customer_id,user\n000101,u-1\n",
        )
        assert told.startswith("customers.yaml:1:13: precedence leaves out mapping_file")

    def test_a_source_counts_once(self) -> None:
        (told,) = problems(customers_yaml="precedence: [mapping_file, mapping_file]\n")
        assert "precedence[2] stands there twice" in told


class TestPolicies:
    def test_an_account_changes_only_what_it_names(self) -> None:
        text = (
            "default: {custom_ship_to: true, price_tolerance: 0.01}\n"
            'accounts:\n  "000101": {price_tolerance: 0.5, on_price_difference: hold}\n'
        )
        mapping = mapping_from_texts({"channels.yaml": SHOP, "accounts.yaml": text})
        policy = mapping.policy(CustomerId("000101"))
        assert (policy.custom_ship_to, policy.price_tolerance) == (True, Decimal("0.5"))
        assert policy.on_price_difference is OnDifference.HOLD
        assert mapping.policy(CustomerId("000102")).price_tolerance == Decimal("0.01")

    @pytest.mark.rule("WA-12")
    def test_a_default_contact_is_set_per_account_and_per_retail_group(self) -> None:
        text = (
            'accounts:\n  "000101": {default_contact: C-1}\n  RETAIL-EU: {default_contact: C-EU}\n'
        )
        mapping = mapping_from_texts({"channels.yaml": SHOP, "accounts.yaml": text})
        assert mapping.policy(CustomerId("000101")).default_contact == ContactId("C-1")
        group = mapping.policy(CustomerId("RETAIL-EU"))
        assert (group.default_contact, group.custom_ship_to) == (ContactId("C-EU"), True)
        assert mapping.policy(CustomerId("RETAIL-US")).default_contact is None

    @pytest.mark.rule("WA-12")
    @pytest.mark.parametrize("part", ["default", "retail"])
    def test_one_contact_cannot_be_the_default_of_many_accounts(self, part: str) -> None:
        (told,) = problems(accounts_yaml=f"{part}:\n  default_contact: C-1\n")
        assert told.startswith(f"accounts.yaml:2:20: {part}.default_contact is for")

    @pytest.mark.rule("WA-12")
    def test_the_only_retail_group_takes_its_contact_from_the_retail_policy(self) -> None:
        text = SHOP[: SHOP.index("      - customer_id: RETAIL-EU")]
        mapping = mapping_from_texts(
            {"channels.yaml": text, "accounts.yaml": "retail: {default_contact: C-1}\n"}
        )
        assert mapping.policy(CustomerId("RETAIL-US")).default_contact == ContactId("C-1")

    @pytest.mark.parametrize("place", ["retail", "RETAIL-US"])
    @pytest.mark.parametrize("field", ["custom_ship_to", "card_payment"])
    def test_retail_cannot_lose_what_retail_orders_need(self, place: str, field: str) -> None:
        text = f"{place}: {{{field}: false}}\n"
        if place != "retail":
            text = f"accounts:\n  {text}"
        told = problems(accounts_yaml=text)
        assert len(told) == 1
        assert f"{field} is off, but retail orders" in told[0]

    def test_a_policy_for_nobody_is_doubted_where_only_files_assign(self) -> None:
        files = {
            "accounts_yaml": 'accounts:\n  "000109": {po_required: true}\n',
            "customers_yaml": "precedence: [mapping_file]\n",
        }
        (doubt,) = warnings(**files)
        assert (doubt.file, doubt.line) == ("accounts.yaml", 2)
        assert warnings(accounts_yaml=files["accounts_yaml"]) == []

    def test_a_misspelt_group_is_refused_as_an_account(self) -> None:
        (told,) = problems(accounts_yaml="accounts:\n  retail-us: {tax_tolerance: 1}\n")
        assert told.startswith("accounts.yaml:2:3:")
        assert "write RETAIL-US" in told


class TestCodes:
    def test_every_table_is_read(self) -> None:
        text = (
            "payment_methods:\n  visa: {kind: card, erp_code: V}\n  cash: {kind: refused}\n"
            "units: {piece: EA}\ncountries: {UK: GB}\n"
        )
        codes = mapping_from_texts({"channels.yaml": SHOP, "codes.yaml": text}).codes
        assert codes.payment_methods["visa"].kind is PaymentKind.CARD
        assert codes.payment_methods["visa"].erp_code == "V"
        assert codes.payment_methods["cash"].kind is PaymentKind.REFUSED
        assert (codes.units["piece"], codes.countries["UK"]) == ("EA", "GB")
        assert not codes.taxes

    def test_a_card_without_an_erp_code_is_refused(self) -> None:
        (told,) = problems(codes_yaml="payment_methods:\n  visa: {kind: card}\n")
        assert told.startswith("codes.yaml:2:3: payment_methods.visa is paid by card")

    @pytest.mark.rule("WA-5", "OP-4")
    def test_channels_of_which_no_order_could_be_paid_are_doubted(self) -> None:
        both = SHOP + "  trade:\n    commerce_mode: b2b\n"
        terms = "payment_methods: {on-account: {kind: terms}, cash: {kind: refused}}\n"
        assert warnings(channels_yaml=both) == []

        (shop,) = warnings(channels_yaml=both, codes_yaml=terms)
        assert (shop.file, shop.line, shop.text) == ("channels.yaml", 2, "shop")
        assert "no payment method of kind card" in shop.message

        refused = "payment_methods: {cash: {kind: refused}}\n"
        for codes in (refused, "payment_methods:\n"):
            shop, trade = warnings(channels_yaml=both, codes_yaml=codes)
            assert (trade.line, trade.text) == (10, "trade")
            assert "no payment method that counts" in trade.message

    def test_a_table_whose_lines_are_all_commented_out_is_empty(self) -> None:
        assert problems(codes_yaml="units:\n#  piece: EA\n") == []


def test_all_problems_of_all_files_are_told_at_once() -> None:
    told = problems(
        channels_yaml=SHOP.replace("hybrid", "hybird").replace("EUR", "eur"),
        customers_csv="customer_id,user\n000101,u-1\n,u-2\n",
        accounts_yaml="default: {tax_tolerance: -1}\n",
        codes_yaml="unit: {}\n",
        channel_yaml="",
    )
    assert [one.split(":")[0] for one in told] == [
        "accounts.yaml",
        "channel.yaml",
        "channels.yaml",
        "channels.yaml",
        "codes.yaml",
        "customers.csv",
    ]
    assert "did you mean channels.yaml?" in told[1]


def test_a_long_list_of_problems_is_cut_with_its_number() -> None:
    rows = "".join(f"RETAIL-US,u-{number}\n" for number in range(500))
    with pytest.raises(FilesRefused) as refusal:
        mapping_from_texts({"channels.yaml": SHOP, "customers.csv": "customer_id,user\n" + rows})
    assert len(refusal.value.found) == 500
    assert refusal.value.problems[-1] == "... and 300 more"


def test_the_version_follows_every_edit_and_nothing_else() -> None:
    version = mapping_from_texts({"channels.yaml": SHOP}).version
    assert mapping_from_texts({"channels.yaml": SHOP}).version == version
    assert mapping_from_texts({"channels.yaml": SHOP + "#"}).version != version
    renamed = check_texts({"channels.yaml": SHOP, "codes.yaml": "units: {}\n"}).version
    assert renamed != version


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize(
    "name, text",
    [
        ("codes.yaml", "payment_methods: {card: {kind: crad, erp_code: CARD}}\n"),
        ("codes.yaml", "payment_methods: {card: {kind: card\n"),
        ("customers.csv", 'customer_id,user\n"000101,u-1\n'),
        ("customers.csv", 'customer_id,"user\n000101,u-1\n'),
        ("customers.yaml", "assignments: [{customer_id: '000101', usr: u-1}]\n"),
    ],
)
def test_a_mistake_in_one_file_is_not_told_as_doubts_about_others(name: str, text: str) -> None:
    files = {
        "channels.yaml": SHOP,
        "codes.yaml": CARD,
        "customers.csv": "customer_id,user\n000101,u-1\n",
        "customers.yaml": "precedence: [mapping_file]\n",
        "accounts.yaml": "accounts: {'000101': {po_required: true}}\n",
    }
    assert (check_texts(files).problems, check_texts(files).warnings) == ((), ())
    if name == "customers.yaml":
        del files["customers.csv"]
        text = "precedence: [mapping_file]\n" + text
    checked = check_texts({**files, name: text})
    assert {each.file for each in checked.problems} == {name}
    assert checked.warnings == ()
