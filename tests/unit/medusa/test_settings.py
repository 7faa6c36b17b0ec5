"""What an administrator may say about a Medusa store, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.domain.ids import ChannelId
from sync.errors import Misconfigured
from sync.stores.medusa.settings import settings_from
from tests.unit.medusa.answers import KEY, a_store, options


def refused(stated: dict[str, object], secrets: dict[str, str] | None = None) -> str:
    with pytest.raises(Misconfigured) as error:
        settings_from(stated, {"api_key": KEY} if secrets is None else secrets, Path())
    return str(error.value)


def test_every_problem_is_named_at_once() -> None:
    said = refused(
        {"store_id": " ", "page_size": 0, "colour": "red", "rounding": "up", "time_zone": "Mars"},
        {"token": "x"},
    )

    for word in ("url", "store_id", "page_size", "colour", "rounding", "time_zone", "api_key"):
        assert word in said


@pytest.mark.rule("OP-7")
def test_plain_http_is_refused_but_for_this_machine_or_by_word() -> None:
    assert "plain http" in refused(options(url="http://shop.example"))
    for url, word in (("http://127.0.0.1:9000", False), ("http://shop.example", True)):
        stated = options(url=url, allow_plain_http=word)
        assert settings_from(stated, {"api_key": KEY}, Path()).url == url


@pytest.mark.rule("OP-7")
def test_the_key_is_a_secret_one_and_is_never_shown() -> None:
    assert "publishable" in refused(options(), {"api_key": "pk_1234567890"})
    assert KEY not in repr(settings_from(options(), {"api_key": KEY}, Path()))


def test_a_region_of_its_own_goes_before_the_sales_channel() -> None:
    stated = options(
        public_channel="web",
        channels={
            "web": {"sales_channel": "sc_1"},
            "web-ca": {"sales_channel": "sc_1", "region": "reg_ca"},
        },
    )

    settings = settings_from(stated, {"api_key": KEY}, Path())

    assert settings.channel_of("sc_1", "reg_us") == ChannelId("web")
    assert settings.channel_of("sc_1", "reg_ca") == ChannelId("web-ca")
    assert settings.channel_of("sc_new", "reg_us") == ChannelId("sc_new")
    assert settings.channel_of(None, "reg_us") is None


def test_two_channels_for_the_same_orders_are_refused() -> None:
    stated = options(
        channels={"a": {"sales_channel": "sc_1"}, "b": {"sales_channel": "sc_1"}},
        public_channel="c",
    )

    said = refused(stated)

    assert "the same orders as channels.a" in said
    assert "public_channel" in said


@pytest.mark.rule("VE-12")
def test_the_zone_in_which_prices_begin_and_end_is_told() -> None:
    store = a_store(time_zone="America/Chicago")
    assert store.capabilities.price_time_zone == "America/Chicago"
    store.close()
