from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses

from tests.unit.tryton.tryton_kit import FakeTryton


@pytest.fixture
def fake() -> Iterator[FakeTryton]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as net:
        yield FakeTryton(net)
