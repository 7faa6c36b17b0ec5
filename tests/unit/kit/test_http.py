"""What the session sends, what it takes for an answer, and what its errors say."""

from __future__ import annotations

import contextlib
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import (
    AccessDenied,
    Conflict,
    Misconfigured,
    OutcomeUnknown,
    Rejected,
    RightMissing,
    SyncError,
    TryLater,
)
from sync.kit.http import HttpSession
from sync.kit.http_body import BadBody, strict_json
from sync.kit.http_words import http_date, retry_after_s, said_by
from sync.testing import faulty_http as fault
from sync.testing.clock import A_MONDAY
from sync.testing.faulty_http import FaultyHttp, Reply
from tests.unit.kit.http_kit import ORDER, TOKEN, Shop, a_session, read, tells_nothing, write

SHOP = "https://shop.example/api"


@pytest.fixture
def net() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as net:
        yield net


@pytest.fixture
def session() -> Iterator[HttpSession]:
    session = a_session(SHOP)
    yield session
    session.close()


@pytest.fixture
def server() -> Iterator[FaultyHttp]:
    with FaultyHttp(Shop()) as server:
        yield server


# Where it goes.


@pytest.mark.parametrize(
    "address, said",
    [
        ("http://shop.example", "plain http"),
        ("ftp://shop.example", "no https address"),
        ("shop.example", "no https address"),
        ("https://", "no https address"),
        ("https://ann:hunter2@shop.example", "no credentials"),
        ("https://shop.example/?key=hunter2", "no credentials"),
        ("https://shop.example/#top", "no credentials"),
    ],
)
@pytest.mark.rule("OP-7")
def test_address_that_is_unsafe_is_refused(address: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said) as caught:
        a_session(address)
    assert "hunter2" not in str(caught.value)


def test_plain_http_must_be_allowed_aloud_but_for_this_machine() -> None:
    a_session("http://shop.internal:9000", allow_plain=True).close()
    a_session("http://localhost:9000").close()


@pytest.mark.parametrize("path", ["https://evil.example/", "//evil.example/", "/orders?a=b"])
def test_path_that_leads_elsewhere_is_our_own_mistake(session: HttpSession, path: str) -> None:
    with pytest.raises(ValueError, match="below the base address"):
        session.read(path)


@pytest.mark.rule("OP-7")
def test_environment_decides_nothing(
    server: FaultyHttp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Proxies, certificate bundles and .netrc would send credentials where nobody said."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login mallory password hunter2\n")
    netrc.chmod(0o600)
    for name, value in {
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
        "REQUESTS_CA_BUNDLE": str(tmp_path / "missing.pem"),
        "NETRC": str(netrc),
    }.items():
        monkeypatch.setenv(name, value)
    session = a_session(server.url, headers={})
    read(session)
    assert "authorization" not in server.received[0].headers
    session.close()


def test_read_follows_within_its_host_and_keeps_its_credentials(server: FaultyHttp) -> None:
    session = a_session(server.url)
    server.on(fault.moved("/orders?from=0", 302), path="/old")
    assert session.read("/old").json()["orders"] == []
    assert server.received[1].path == "/orders"
    assert server.received[1].headers["authorization"] == f"Bearer {TOKEN}"
    session.close()


def test_endless_redirects_end(server: FaultyHttp) -> None:
    session = a_session(server.url)
    server.on(fault.moved("/orders", 302), times=9)
    with pytest.raises(Misconfigured, match="again and again"):
        read(session)
    session.close()


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize(
    "code, error",
    [
        (301, Misconfigured),
        (308, Misconfigured),
        (307, Misconfigured),
        (302, OutcomeUnknown),
        (303, OutcomeUnknown),
    ],
)
def test_write_is_never_sent_on(server: FaultyHttp, code: int, error: type[SyncError]) -> None:
    session = a_session(server.url)
    server.on(fault.moved("/elsewhere", code))
    with pytest.raises(error):
        write(session)
    assert len(server.received) == 1
    session.close()


@pytest.mark.parametrize(
    "to", ["http://shop.example/api/orders", "https://shop.example:8443/", "https://a.example/"]
)
@pytest.mark.rule("OP-7")
def test_other_scheme_port_or_host_is_another_host(
    session: HttpSession, net: responses.RequestsMock, to: str
) -> None:
    net.get(f"{SHOP}/orders", status=302, headers={"Location": f"{to}?token=hunter2"})
    with pytest.raises(Misconfigured, match="another host") as caught:
        read(session)
    tells_nothing(caught.value)


def test_cookies_are_not_kept(server: FaultyHttp) -> None:
    session = a_session(server.url)
    server.on(lambda exchange: exchange.send(exchange.answered_by_app(), set_cookie="sid=1"))
    read(session)
    read(session)
    assert "cookie" not in server.received[1].headers
    session.close()


def test_cookies_are_kept_where_a_login_lives_in_them(server: FaultyHttp) -> None:
    session = a_session(server.url, cookies=True)
    server.on(lambda exchange: exchange.send(exchange.answered_by_app(), set_cookie="sid=1"))
    read(session)
    read(session)
    assert server.received[1].headers["cookie"] == "sid=1"
    session.close()


# What is sent.


def test_request_carries_exactly_what_it_was_given(
    session: HttpSession, net: responses.RequestsMock
) -> None:
    body = {"total": "9.90", "name": "Müller & Söhne", "lines": [1, None, True]}
    net.post(
        f"{SHOP}/orders",
        json={"id": 1},
        match=[
            responses.matchers.json_params_matcher(body),
            responses.matchers.query_param_matcher({"notify": "no"}),
            responses.matchers.header_matcher(
                {
                    "Authorization": f"Bearer {TOKEN}",
                    "Accept": "application/json",
                    "Content-Type": "application/json",
                    "X-Store": "web",
                }
            ),
        ],
    )
    given: dict[str, Any] = {
        "params": {"notify": "no"},
        "json": body,
        "headers": {"X-Store": "web"},
    }
    assert session.write("POST", "orders", **given).json() == {"id": 1}


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("bad", [Decimal("9.90"), float("nan"), float("inf"), object()])
def test_value_that_json_cannot_say_is_not_sent(session: HttpSession, bad: object) -> None:
    """No mock answers here: it is noticed before anything leaves."""
    with pytest.raises((TypeError, ValueError)):
        session.write("POST", "/orders", json={"total": bad})


# What is answered.


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_success_is_an_answer(
    session: HttpSession, net: responses.RequestsMock, status: int
) -> None:
    net.get(f"{SHOP}/orders", status=status, headers={"X-Total": "3"})
    answer = session.read("/orders")
    assert (answer.status, answer.headers["x-total"]) == (status, "3")


def test_status_that_is_expected_is_an_answer(
    session: HttpSession, net: responses.RequestsMock
) -> None:
    net.get(f"{SHOP}/orders/7", status=404)
    assert session.read("/orders/7", accept={404}).status == 404


STATUSES = {
    400: (Rejected, Rejected),
    401: (AccessDenied, AccessDenied),
    403: (RightMissing, RightMissing),
    404: (Rejected, Rejected),
    408: (TryLater, OutcomeUnknown),
    409: (Conflict, Conflict),
    410: (Rejected, Rejected),
    412: (Conflict, Conflict),
    422: (Rejected, Rejected),
    425: (TryLater, OutcomeUnknown),
    429: (TryLater, TryLater),
    500: (TryLater, OutcomeUnknown),
    502: (TryLater, OutcomeUnknown),
    503: (TryLater, OutcomeUnknown),
    504: (TryLater, OutcomeUnknown),
    599: (TryLater, OutcomeUnknown),
    304: (TryLater, OutcomeUnknown),
}


@pytest.mark.rule("OI-1", "OP-1")
@pytest.mark.parametrize("status", STATUSES)
def test_each_status_means_what_may_be_done_next(
    session: HttpSession, net: responses.RequestsMock, status: int
) -> None:
    reading, writing = STATUSES[status]
    net.get(f"{SHOP}/orders", status=status)
    net.post(f"{SHOP}/orders", status=status)
    with pytest.raises(SyncError) as caught:
        read(session)
    assert type(caught.value) is reading
    with pytest.raises(SyncError) as caught:
        write(session)
    assert type(caught.value) is writing


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize("status", [401, 403, 429])
def test_refused_login_is_not_tried_again(
    session: HttpSession, net: responses.RequestsMock, status: int
) -> None:
    net.post(f"{SHOP}/auth", status=status)
    with pytest.raises(AccessDenied) as caught:
        session.login("/auth", json={"user": "sync", "password": "hunter2"})
    tells_nothing(caught.value)


def test_login_gives_its_token(session: HttpSession, net: responses.RequestsMock) -> None:
    net.post(f"{SHOP}/auth", json={"token": "abc"})
    assert session.login("/auth", json={"user": "sync"}).json() == {"token": "abc"}


@pytest.mark.rule("OI-2")
def test_refusal_says_what_the_server_said_and_what_to_do(
    session: HttpSession, net: responses.RequestsMock
) -> None:
    net.post(f"{SHOP}/orders", status=422, json={"message": "SKU BOLT-10 is discontinued"})
    with pytest.raises(Rejected) as caught:
        write(session)
    assert str(caught.value) == (
        "POST /orders in the shop answered 422: SKU BOLT-10 is discontinued"
    )
    assert caught.value.code == "http_422"
    assert caught.value.remedy


def test_answer_shows_neither_body_nor_headers_when_it_is_printed(
    session: HttpSession, net: responses.RequestsMock
) -> None:
    net.get(f"{SHOP}/orders", json=ORDER)
    assert "Canal Street" not in repr(session.read("/orders"))


# What the server said.


JSON = {"content-type": "application/json"}
SAID = {
    b'{"message": "too late"}': "too late",
    b'{"error": {"message": "too late"}}': "too late",
    b'{"errors": [{"message": "one"}, {"message": "two"}]}': "one; two",
    b'{"error": "invalid_grant", "error_description": "expired"}': "expired",
    b'{"title": "Bad", "detail": "worse"}': "worse",
    b'"just text"': "just text",
    b'{"code": 7}': "",
    b"[]": "",
    b"{": "",
    b'{"message": "see https://x.example/help?token=abc&u=1 now"}': "see https://x.example now",
    b'{"message": "see https://ann:pw@x.example/a"}': "see https://x.example",
    b'{"message": "at /orders?email=bo"}': "at /orders",
    b'{"message": "no user bo@mill.example here"}': "no user *** here",
    b'{"message": "bad key sk_live_0123456789abcdef0123456789abcdef"}': "bad key ***",
    b'{"message": "two\\nlines\\u0007 \\u202e"}': "two lines",
    b'{"message": "token secret%2Fone or secret/one"}': "token *** or ***",
}


@pytest.mark.rule("OP-7")
@pytest.mark.parametrize("body", SAID)
def test_servers_sentence_is_made_fit_to_show(body: bytes) -> None:
    assert said_by(JSON, body, ["secret/one"]) == SAID[body]


def test_long_sentence_is_cut_and_pages_are_not_quoted() -> None:
    told = said_by(JSON, b'{"message": "' + b"word " * 500 + b'"}', [])
    assert len(told) <= 200
    assert told.endswith("...")
    assert said_by({"content-type": "text/html"}, b'"<h1>No</h1>"', []) == ""
    assert said_by(JSON, b'{"message": "' + b"x " * 100_000 + b'"}', []) == ""
    nested = b'{"error":' * 50 + b'"deep"' + b"}" * 50
    assert said_by(JSON, nested, []) == ""


@pytest.mark.rule("OP-7")
@pytest.mark.parametrize("status", [400, 401, 409, 422, 500])
def test_server_that_repeats_our_credentials_is_not_repeated(
    server: FaultyHttp, status: int
) -> None:
    session = a_session(server.url, secrets=["pin7"])
    echo = {"message": f"header Bearer {TOKEN}, per-call-key and pin7 for Canal?q=hunter2"}
    server.on(fault.status(status, echo))
    with pytest.raises(SyncError) as caught:
        session.write("POST", "/orders", json=ORDER, headers={"X-Api-Key": "per-call-key"})
    tells_nothing(caught.value)
    for secret in (TOKEN, "per-call-key", "pin7"):
        assert secret not in str(caught.value)
    session.close()


# JSON.


@pytest.mark.parametrize(
    "body",
    [
        b"NaN",
        b'{"a": Infinity}',
        b"[-Infinity]",
        b'{"a": 1, "a": 2}',
        b'{"o": {"a": 1, "a": 1}}',
        b'{"a": 1e999}',
        b'{"a": 0.' + b"1" * 70 + b"}",
        b"9" * 5000,
        b"[" * 100_000,
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        '"é"'.encode("utf-16"),
        b"",
        b"{} {}",
        b"{'a': 1}",
    ],
)
def test_json_that_can_be_read_in_two_ways_is_not_read(body: bytes) -> None:
    with pytest.raises(BadBody) as caught:
        strict_json(body)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_amounts_arrive_with_every_digit() -> None:
    read_ = strict_json(b'{"a": 123456789012345.6789, "b": 9.90, "c": 7, "d": 1E2, "e": null}')
    assert read_ == {
        "a": Decimal("123456789012345.6789"),
        "b": Decimal("9.90"),
        "c": 7,
        "d": Decimal("1E+2"),
        "e": None,
    }
    assert str(read_["b"]) == "9.90"
    assert isinstance(read_["c"], int)


@given(st.binary(max_size=200))
def test_no_bytes_bring_the_reader_down(body: bytes) -> None:
    with contextlib.suppress(BadBody):
        strict_json(body)


@given(st.text(max_size=60))
def test_no_header_brings_the_session_down(text: str) -> None:
    wait_s = retry_after_s(text, A_MONDAY)
    assert wait_s is None or 0 <= wait_s <= 3600
    moment = http_date(text)
    assert moment is None or moment.tzinfo is not None


@pytest.mark.parametrize(
    "headers", [{"Content-Encoding": "br"}, {"Content-Encoding": "gzip, gzip"}]
)
def test_packing_that_nobody_asked_for_is_not_unpacked(
    server: FaultyHttp, headers: dict[str, str]
) -> None:
    session = a_session(server.url)
    server.on(lambda exchange: exchange.send(Reply(200, b"{}", headers)))
    with pytest.raises(TryLater, match="not asked for"):
        read(session)
    session.close()


@pytest.mark.parametrize("body", [b"not gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03"])
def test_packed_answer_that_breaks_off_is_none(server: FaultyHttp, body: bytes) -> None:
    session = a_session(server.url)
    packed = Reply(200, body, {"Content-Encoding": "gzip"})
    server.on(lambda exchange: exchange.send(packed))
    with pytest.raises(TryLater, match=r"unpacked|breaks off"):
        read(session)
    session.close()


def test_packed_answer_is_unpacked(server: FaultyHttp) -> None:
    session = a_session(server.url)
    server.on(fault.gzip_bomb(900_000))
    assert len(read(session)) == 900_000 - 2
    assert server.received[0].headers["accept-encoding"] == "gzip"
    session.close()


# TLS.


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"total": "9.90"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - their name
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, so no certificate can be made")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture
def tls_port(certificate: Path) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    server = HTTPServer(("127.0.0.1", 0), _Hello)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.rule("OP-7")
def test_certificate_that_nobody_vouches_for_is_refused(tls_port: int) -> None:
    session = a_session(f"https://localhost:{tls_port}")
    with pytest.raises(Misconfigured, match="is not trusted") as caught:
        write(session)
    tells_nothing(caught.value)
    session.close()


def test_certificate_of_the_named_authority_is_trusted(tls_port: int, certificate: Path) -> None:
    session = a_session(f"https://localhost:{tls_port}", ca_bundle=certificate / "cert.pem")
    assert read(session)["total"] == "9.90"
    session.close()


@pytest.mark.rule("OP-7")
def test_certificate_of_another_name_is_refused(tls_port: int, certificate: Path) -> None:
    session = a_session(f"https://127.0.0.1:{tls_port}", ca_bundle=certificate / "cert.pem")
    with pytest.raises(Misconfigured, match="is not trusted"):
        read(session)
    session.close()


def test_server_that_speaks_no_tls_is_told_nothing(server: FaultyHttp) -> None:
    session = a_session(server.url.replace("http://", "https://"))
    with pytest.raises(TryLater):
        read(session)
    # A greeting of random bytes may look like a request to the server; ours never left.
    assert TOKEN not in repr(server.received)
    assert all("/orders" not in each.path for each in server.received)
    session.close()
