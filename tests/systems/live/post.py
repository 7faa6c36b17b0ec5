"""Between the shop's module and the daemon's receiver: takes hints in, and passes them on.

What the daemon does not take is lost here, as it is with a proxy that does not try
again: the module was told that all is well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import requests

from sync.kit.signatures import SIGNATURE_HEADER
from tests.systems.medusa.hints import Hint, Hints

PATH = "/hints/shop"


@dataclass
class Post(Hints):
    """``to`` is the port of the daemon; without one the hints are only kept."""

    to: int | None = None
    lost: int = 0

    @contextmanager
    def passed_on(self, port: int) -> Iterator[None]:
        self.to = port
        try:
            yield
        finally:
            self.to = None

    def _keep(self, hint: Hint) -> None:
        super()._keep(hint)
        if self.to is not None and self.deliver(hint) != 204:
            self.lost += 1

    def deliver(self, hint: Hint) -> int:
        """What the daemon answered; 0 where it did not."""
        try:
            answer = requests.post(
                f"http://127.0.0.1:{self.to}{PATH}",
                data=hint.body,
                headers={SIGNATURE_HEADER: hint.signature, "Content-Type": "application/json"},
                timeout=10,
            )
        except requests.RequestException:
            return 0
        return answer.status_code
