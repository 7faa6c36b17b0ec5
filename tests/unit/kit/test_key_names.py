"""A key as part of a file name or as a short key: what stands in an ERP already must not change."""

from __future__ import annotations

import base64
import hashlib

import pytest

from sync.domain.ids import IdempotencyKey
from sync.kit.key_names import key_digest


@pytest.mark.parametrize("length", [1, 7, 8, 9, 16, 51, 52])
def test_a_shorter_digest_is_how_the_longest_begins(length: int) -> None:
    key = IdempotencyKey("shop:order-000123")
    whole = base64.b32encode(hashlib.sha256(key.value.encode()).digest()).decode().lower()
    assert key_digest(key) == whole.rstrip("=")
    assert key_digest(key, length) == whole[:length]
