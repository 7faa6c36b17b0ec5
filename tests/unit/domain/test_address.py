"""An address is complete, or says what it lacks; nothing is made up."""

from __future__ import annotations

import pytest
from hypothesis import given

from sync.domain.address import Address, TypedAddress
from sync.testing.builders import a_typed_address, an_address
from tests.unit.domain.strategies import of


@pytest.mark.parametrize(
    "changes",
    [
        {"name": " "},
        {"city": ""},
        {"lines": ()},
        {"lines": ("Dock Road 7", " ")},
        {"country": "Netherlands"},
        {"country": "nl"},
        {"country": "N1"},
        {"country": "ÄÖ"},
        {"country": ""},
    ],
)
def test_an_incomplete_address_cannot_be_written_down(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"address needs|not an ISO 3166"):
        an_address(**changes)


@pytest.mark.rule("WA-4", "WA-3a")
@pytest.mark.parametrize(
    "changes, lacking",
    [
        ({"name": None}, "name"),
        ({"name": " "}, "name"),
        ({"lines": ()}, "street"),
        ({"lines": ("", " ")}, "street"),
        ({"city": None}, "city"),
        ({"country": " "}, "country"),
    ],
)
def test_a_typed_address_says_what_it_lacks(changes: dict[str, object], lacking: str) -> None:
    typed = a_typed_address(**changes)

    assert typed.missing() == (lacking,)
    with pytest.raises(ValueError, match=f"without {lacking}"):
        typed.completed()


def test_an_empty_form_lacks_every_part() -> None:
    assert TypedAddress().missing() == ("name", "street", "city", "country")


def test_what_was_typed_is_tidied_and_nothing_added() -> None:
    typed = TypedAddress(
        name=" Ada Visser ",
        lines=(" Canal Street 12", "", " "),
        city="Delft ",
        country=" NL ",
        postal_code=" ",
        region=None,
        phone=" +31 ",
    )

    assert typed.completed() == Address(
        name="Ada Visser", lines=("Canal Street 12",), city="Delft", country="NL", phone="+31"
    )


def test_the_country_of_the_code_table_replaces_the_typed_one() -> None:
    typed = a_typed_address(country="Holland")

    assert typed.completed("NL").country == "NL"
    with pytest.raises(ValueError, match="not an ISO 3166"):
        typed.completed()


@given(of(TypedAddress))
def test_every_form_is_either_lacking_or_an_address(typed: TypedAddress) -> None:
    if typed.missing():
        with pytest.raises(ValueError, match="without"):
            typed.completed("NL")
    else:
        address = typed.completed("NL")
        assert all(line == line.strip() for line in address.lines)
        assert address.residential is typed.residential
