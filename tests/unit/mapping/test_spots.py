"""Where a finding of the live systems stands in the files, to the column."""

from __future__ import annotations

import pytest

from sync.mapping.spots import Spot, Spots

GROUPS = ("channels", "web", "retail_groups")

FILES = {
    "customers.csv": "\ufeff# ours\nnote;user;customer_id;organisation\n"
    '"a;b";u-1; 000101 ;\r\n;;7;o-7',
    "customers.yaml": """\
precedence:
  - mapping_file
  - store_attribute
assignments:
  - user: u-2
    customer_id: "000102"
    contact: C-1
  - [odd]
  - {user: u-3, customer_id: x, contact: C-1}
  - {customer_id: "000104"}
""",
    "channels.yaml": """\
channels:
  "web":
    commerce_mode: b2c
    retail_groups:
      - {customer_id: R-1, currencies: [EUR]}
      - {customer_id: R-2, currencies: [USD]}
""",
}


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize(
    "place, path, text, spot",
    [
        ("customers.csv:3", ("user",), "u-1", (3, 7, "u-1")),
        ("customers.csv:3", ("customer_id",), "000101", (3, 11, "000101")),
        ("customers.csv:4", ("organisation",), "o-7", (4, 5, "o-7")),
        ("customers.csv:3", ("contact",), "", (3, 1, "")),
        ("customers.csv:99", ("user",), "", (99, 1, "")),
        ("customers.yaml:6", ("user",), "u-2", (5, 11, "u-2")),
        ("customers.yaml:6", ("contact",), "C-1", (7, 14, "C-1")),
        ("customers.yaml:9", ("contact",), "C-1", (9, 42, "C-1")),
        ("customers.yaml:10", ("user",), "", (10, 1, "")),
        ("customers.yaml", ("precedence", 1), "store_attribute", (3, 5, "store_attribute")),
        ("customers.yaml", ("precedence", 7), "", (1, 1, "precedence")),
        ("channels.yaml", (*GROUPS, 1, "customer_id"), "", (6, 23, "R-2")),
        ("channels.yaml", ("channels", "web"), "", (2, 3, "web")),
        ("channels.yaml", ("channels", "gone"), "", (1, 1, "channels")),
        ("channels.yaml", ("gone", "web"), "", (1, 1, "")),
    ],
)  # fmt: skip
def test_each_field_is_found_where_it_stands(
    place: str, path: tuple[int | str, ...], text: str, spot: tuple[int, int, str]
) -> None:
    assert Spots(FILES).of(place, path, text) == Spot(place.partition(":")[0], *spot)


def test_of_several_in_one_line_it_is_the_one_that_is_meant() -> None:
    line = "assignments: [{user: a, customer_id: x}, {user: b, customer_id: x}]\n"
    spots = Spots({"customers.yaml": line})
    assert spots.of("customers.yaml:1", ("user",), "b") == Spot("customers.yaml", 1, 49, "b")
    assert spots.of("customers.yaml:1", ("user",), "a") == Spot("customers.yaml", 1, 22, "a")


@pytest.mark.parametrize("broken", ["channels: [", ""])
def test_what_cannot_be_found_any_more_is_told_at_a_file_that_is_there(broken: str) -> None:
    spots = Spots({"channels.yaml": broken})
    assert spots.of("channels.yaml", ("channels",)) == Spot("channels.yaml")
    assert spots.of("customers.yaml", ("precedence", 0)) == Spot("channels.yaml")
    assert spots.of("", ()) == Spot("channels.yaml")
