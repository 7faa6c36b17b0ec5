"""Whether a message was signed by somebody who knows our secret.

The scheme that our own parts use has a header like ``t=1767225600,v1=5f3a…``:
the second at which it was signed, and the HMAC-SHA256, in hex, of that number, a
dot and the body exactly as it came. Comparing takes the same time however much
of it is right. The secret itself never travels, and a message that is older
than the tolerance is not believed, so that it cannot be kept and sent again for
ever; within it, a repetition must be harmless to whoever takes the message.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import datetime

SIGNATURE_HEADER = "x-tradesync-signature"

TOLERANCE_S = 300.0
"""How far apart the clocks of both sides may be, a slow delivery included."""

SHORTEST_SECRET = 16
"""Characters; a shorter one could be found by trying."""

_HEADER = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", re.ASCII)


def signature(body: bytes, secret: str, signed_at: datetime) -> str:
    """The header's value for this body."""
    second = int(signed_at.timestamp())
    return f"t={second},v1={_digest(body, secret, second)}"


def genuine(
    body: bytes,
    given: str | None,
    secrets: Iterable[str],
    now: datetime,
    tolerance_s: float = TOLERANCE_S,
) -> bool:
    """Whether ``given`` is the signature of the body by one of the secrets, and recent.

    Several secrets let one be replaced without losing a message. A header that
    is missing, has other signs in it or another form is no signature.
    """
    found = _HEADER.fullmatch(given or "")
    if found is None:
        return False
    second, told = int(found[1]), found[2]
    # Every secret is tried, so that the time tells nothing of which one it was.
    matches = [hmac.compare_digest(_digest(body, each, second), told) for each in secrets]
    return any(matches) and abs(now.timestamp() - second) <= tolerance_s


def _digest(body: bytes, secret: str, second: int) -> str:
    signed = f"{second}.".encode() + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
