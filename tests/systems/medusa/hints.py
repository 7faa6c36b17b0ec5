"""A listener for the module's hints, which keeps what it was sent."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Hint:
    """One delivery as it came over the wire."""

    body: bytes
    signature: str


@dataclass
class Hints:
    """``refuse`` answers so many of the next deliveries with an error."""

    url: str = ""
    secret: str = "a-secret-of-the-tests"
    refuse: int = 0
    seen: list[Hint] = field(default_factory=list)
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    @classmethod
    @contextmanager
    def listening(cls) -> Iterator[Hints]:
        hints = cls()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                body = self.rfile.read(length)
                hints._keep(Hint(body, self.headers.get("x-tradesync-signature", "")))
                refused = hints.refuse > 0
                hints.refuse -= refused
                self.send_response(503 if refused else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing: its lines would be lost among the tests'."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        hints.url = f"http://127.0.0.1:{server.server_port}/hints"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield hints
        finally:
            server.shutdown()
            server.server_close()

    def wait_for(self, fits: Callable[[Hint], bool], limit_s: float = 60.0) -> Hint:
        """The first hint that fits. Raises AssertionError where none comes in time."""
        until = time.monotonic() + limit_s
        with self._arrived:
            while True:
                for hint in self.seen:
                    if fits(hint):
                        return hint
                left = until - time.monotonic()
                assert left > 0, f"none of {len(self.seen)} hints was it"
                self._arrived.wait(left)

    def _keep(self, hint: Hint) -> None:
        with self._arrived:
            self.seen.append(hint)
            self._arrived.notify_all()
