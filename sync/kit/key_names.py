"""A key as part of a file name, the same on every disk.

The name depends on the key alone. It is lower case, and unlike that of any other
key even where a share does not tell capitals apart.
"""

from __future__ import annotations

import base64
import hashlib
import re

from sync.domain.ids import IdempotencyKey

_PLAIN = re.compile(r"[a-z0-9_-]{1,80}")
_SLUG_LENGTH = 60
_DIGEST_LENGTH = 16


def key_digest(key: IdempotencyKey, length: int = 52) -> str:
    """So many small letters and digits that stand for the key; the longest begins as all do."""
    digest = hashlib.sha256(key.value.encode()).digest()
    # Five octets are eight letters.
    needed = digest[: -(-length // 8) * 5]
    return base64.b32encode(needed).decode().lower().rstrip("=")[:length]


def safe_name(key: IdempotencyKey) -> str:
    """The key as part of a file name: itself where it can be, else with a digest.

    The sign ``@`` stands in no plain key, so that the two kinds never meet.
    """
    if _PLAIN.fullmatch(key.value):
        return key.value
    slug = re.sub(r"[^a-z0-9_-]", "_", key.value.lower())[:_SLUG_LENGTH]
    return f"{slug}@{key_digest(key, _DIGEST_LENGTH)}"
