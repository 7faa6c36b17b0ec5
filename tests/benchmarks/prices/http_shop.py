"""A shop on HTTP that does so many requests at a time, each in so many milliseconds.

``python -m tests.benchmarks.prices.http_shop SLOTS SERVICE_MS`` prints its port and serves until
its standard input ends. Its own limit is therefore SLOTS a service time, whatever the machine
does beside it, as long as a request's work fits into the service time. ``POST /prices`` puts and
removes rows, ``GET /prices`` tells all of them, ``GET /told`` how many requests came and when.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Shop:
    def __init__(self, slots: int, service_s: float) -> None:
        self._free = threading.Semaphore(slots)
        self._service_s = service_s
        self._guard = threading.Lock()
        self.rows: dict[str, str] = {}
        self.requests, self.written = 0, 0
        self.first = self.last = 0.0

    def write(self, body: Any) -> None:
        came = time.monotonic()
        with self._free:
            until = time.monotonic() + self._service_s
            with self._guard:
                self.rows.update(body["put"])
                for key in body["remove"]:
                    self.rows.pop(key, None)
                self.requests += 1
                self.written += len(body["put"]) + len(body["remove"])
                self.first = self.first or came
            time.sleep(max(0.0, until - time.monotonic()))
        with self._guard:
            self.last = time.monotonic()

    def told(self) -> dict[str, float]:
        """``secs``: from the first request to the last answer."""
        secs = self.last - self.first
        return {"requests": self.requests, "written": self.written, "secs": secs}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    shop: Shop

    def do_GET(self) -> None:
        self._answer(self.shop.told() if self.path == "/told" else self.shop.rows)

    def do_POST(self) -> None:
        self.shop.write(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer({})

    def _answer(self, said: object) -> None:
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def main(slots: str, service_ms: str) -> None:
    Handler.shop = Shop(int(slots), int(service_ms) / 1000)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
