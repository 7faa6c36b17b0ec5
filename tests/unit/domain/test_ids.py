"""Keys are spelled as their owner spells them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.ids import CustomerId, Key, ShipToId, Sku, well_formed
from tests.unit.domain.strategies import KEYS


@pytest.mark.parametrize("text", ["000123", "123", "ACME/7", "Müller", "東京-1", "a b", "x" * 255])
def test_a_key_keeps_its_spelling(text: str) -> None:
    assert str(CustomerId(text)) == CustomerId(text).value == text


@pytest.mark.parametrize("text", ["", " ", "C-1 ", " C-1", "C\n1", "C\x001", "C\t1", "x" * 256])
@pytest.mark.parametrize("kind", KEYS)
def test_what_is_no_key_is_refused(kind: type[Key], text: str) -> None:
    with pytest.raises(ValueError, match=f"not a {kind.__name__}"):
        kind(text)


@pytest.mark.parametrize("value", [None, 123, 1.5, b"C-1", ["C-1"]])
def test_only_text_is_a_key(value: object) -> None:
    assert not well_formed(value)
    with pytest.raises(ValueError, match="not a CustomerId"):
        CustomerId(value)  # type: ignore[arg-type]


@pytest.mark.rule("WA-2c")
def test_leading_zeros_and_case_tell_customers_apart() -> None:
    assert len({CustomerId("000123"), CustomerId("123"), CustomerId("Abc"), CustomerId("ABC")}) == 4


def test_keys_of_different_kinds_are_never_equal() -> None:
    keys: set[Key] = {CustomerId("7"), ShipToId("7"), Sku("7")}
    assert len(keys) == 3
    assert {CustomerId("7"): "customer"}.get(ShipToId("7")) is None  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        sorted([CustomerId("7"), Sku("7")])


@given(st.text())
def test_every_text_is_either_a_key_or_refused(text: str) -> None:
    if well_formed(text):
        assert CustomerId(text).value == text
    else:
        with pytest.raises(ValueError, match="not a CustomerId"):
            CustomerId(text)
