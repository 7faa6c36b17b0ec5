"""What a store that tells of news must do, as tests that its author inherits.

    class TestAcmeHints(HintsContract):
        signature_header = "x-acme-hmac"

        @pytest.fixture
        def hinting(self): return AcmeStore(..., hints_secret="…")

        @pytest.fixture
        def deliver(self): return lambda orders: signed_as_acme_does(orders)

``deliver`` makes a genuine delivery about these orders, as the store itself sends it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from sync.domain.ids import WebOrderId
from sync.errors import NotGenuine
from sync.ports.store import Delivery, TakesHints

Deliver = Callable[[Sequence[WebOrderId]], Delivery]

ORDERS = (WebOrderId("order-001"), WebOrderId("order-002"))


class HintsContract:
    """Inherit, name ``signature_header``, give the fixtures, and pass."""

    signature_header = ""

    def test_hints_are_expected_once_the_secret_is_known(self, hinting: TakesHints) -> None:
        assert isinstance(hinting, TakesHints)
        assert hinting.hints_expected

    def test_genuine_delivery_names_its_orders(self, hinting: TakesHints, deliver: Deliver) -> None:
        assert set(hinting.hinted_orders(deliver(ORDERS[:1]))) == set(ORDERS[:1])

    def test_delivery_that_comes_twice_says_the_same_twice(
        self, hinting: TakesHints, deliver: Deliver
    ) -> None:
        delivery = deliver(ORDERS[:1])
        first = hinting.hinted_orders(delivery)
        assert set(hinting.hinted_orders(delivery)) == set(first)

    def test_body_that_was_changed_on_its_way_is_refused(
        self, hinting: TakesHints, deliver: Deliver
    ) -> None:
        genuine = deliver(ORDERS[:1])
        others = [genuine.body + b" ", genuine.body[:-1], b"", deliver(ORDERS[1:]).body]
        others += [
            bytes((*genuine.body[:place], genuine.body[place] ^ 1, *genuine.body[place + 1 :]))
            for place in range(0, len(genuine.body), 7)
        ]
        for body in others:
            with pytest.raises(NotGenuine):
                hinting.hinted_orders(replace(genuine, body=body))

    def test_signature_that_is_missing_or_wrong_is_refused(
        self, hinting: TakesHints, deliver: Deliver
    ) -> None:
        genuine = deliver(ORDERS[:1])
        right = genuine.headers[self.signature_header]
        without = {k: v for k, v in genuine.headers.items() if k != self.signature_header}
        with pytest.raises(NotGenuine):
            hinting.hinted_orders(replace(genuine, headers=without))
        last = "0" if right[-1] != "0" else "1"
        wrong = ["", " ", right[:-1], right[:-1] + last, right + right, right + ",", f" {right}"]
        wrong += [
            "é" * len(right),
            "\udcff" * 64,
            right[:-1] + "é",
            right.replace("=", ":"),
            "=" * 64,
        ]
        for given in wrong:
            with pytest.raises(NotGenuine):
                hinting.hinted_orders(
                    replace(genuine, headers={**without, self.signature_header: given})
                )
