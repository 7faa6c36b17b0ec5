"""What reaches a log line or an error holds no secret and names no person."""

from __future__ import annotations

import errno
import io
import json
import logging
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
import structlog

import sync.secrecy
from sync.logs import configure
from sync.secrecy import MASK, conceal, scrubbed

pytestmark = pytest.mark.rule("OP-7")

CANARY = "canary"


@pytest.fixture(autouse=True)
def logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test starts with no known secret and leaves logging as it was."""
    monkeypatch.setattr(sync.secrecy, "_known", ())
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    apscheduler = logging.getLogger("apscheduler").level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("apscheduler").setLevel(apscheduler)
    structlog.reset_defaults()


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(
    "text",
    [
        "postgresql+psycopg://reader:canary@erp.example/erp",
        "could not connect to mysql://u:ca@nary@canary@h:3306/d?charset=utf8",
        "PWD=canary;SERVER=erp",
        "DRIVER={ODBC Driver 18};UID=reader;Pwd = canary ;Encrypt=yes",
        "PWD={my;canary pass}}word};SERVER=erp",
        "mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BUID%3Dr%3BPWD%3Dcanary%3BSERVER%3Dh",
        "mssql+pyodbc:///?odbc_connect=PWD%3D%7Bmy%3Bcanary%7D%3BSERVER%3Dh",
        "GET https://store.example/orders?page=2&access_token=canary&limit=50 gave 401",
        "https://store.example/hook?signature=canary",
        "Authorization: Bearer canary",
        "{'Authorization': 'Basic canary0000', 'Accept': '*/*'}",
        "sent with Bearer canary.canary-canary",
        "X-Api-Key: canary",
        '{"user": "reader", "password": "can\\"canary"}',
        "{'client_secret': 'my canary'}",
        "api-key=canary, retry",
        "AccountKey=canary;EndpointSuffix=core.example",
        "passphrase: canary",
        '{"access_token": ["canary", "x"]}',
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    told = scrubbed(text)
    assert CANARY not in told
    assert MASK in told


@pytest.mark.parametrize(
    "text",
    [
        "Order W-10482 not imported: web user 7719 has no sold-to.",
        "config/tradesync.toml:14:7: systems.erp.secrets.password names a credential",
        "https://store.example:8443/orders?page=2",
        "postgresql://reader@erp.example/erp",
        "a token of thanks",
        "12 prices moved; limit 20%",
        "mail to sales@store.example",
    ],
)
def test_what_people_need_to_read_stays(text: str) -> None:
    assert scrubbed(text) == text


def test_the_rest_of_an_address_can_still_be_read() -> None:
    text = "postgresql://reader:canary@erp.example/erp and PWD=canary;SERVER=h"
    assert scrubbed(text) == f"postgresql://reader:{MASK}@erp.example/erp and PWD={MASK};SERVER=h"


def test_a_known_secret_is_masked_wherever_and_however_it_is_spelled() -> None:
    secret = 'p/w@canary "7"}%'
    conceal([secret])
    for spelled in (secret, quote(secret, safe=""), json.dumps(secret), repr(secret)):
        assert CANARY not in scrubbed(f"the driver said {spelled} is wrong")
    assert CANARY not in scrubbed(f"{{{secret.replace('}', '}}')}}}")


def test_of_two_known_secrets_the_longer_one_leaves_no_rest() -> None:
    conceal(["canary"])
    conceal(["canary-and-more"])
    assert scrubbed("x canary-and-more y canary") == f"x {MASK} y {MASK}"


def test_a_secret_of_a_letter_or_two_does_not_hide_the_log() -> None:
    conceal(["a", ""])
    assert scrubbed("a banana") == "a banana"


def test_a_long_text_without_spaces_takes_no_time() -> None:
    for text in ("http://:" * 2000, "pwd=" + "{" * 20000, "a.b-c" * 20000, 'pwd="a' * 5000):
        assert scrubbed(text)


def test_secrets_and_people_are_masked_in_every_fact_of_an_event(out: io.StringIO) -> None:
    configure("info", "json", out)
    structlog.get_logger().info(
        "order.imported",
        web_order="W-1",
        email="canary@buyer.example",
        phone="canary",
        client_secret="canary",
        total=Decimal("10.50"),
        attempts=2,
        problems=("PWD=canary", {"password": "canary", "file": "a.yaml"}),
        error=ValueError("postgresql://u:canary@h/d"),
    )
    (line,) = lines(out)
    assert CANARY not in out.getvalue()
    assert line["web_order"] == "W-1"
    assert line["total"] == "10.50"
    assert line["attempts"] == 2
    assert line["problems"] == [f"PWD={MASK}", {"password": MASK, "file": "a.yaml"}]


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_traceback_with_all_its_causes_is_masked(out: io.StringIO, style: str) -> None:
    configure("info", style, out)
    try:
        try:
            raise ConnectionError("postgresql://reader:canary@erp.example refused")
        except ConnectionError as cause:
            raise RuntimeError("odbc_connect=UID%3Dr%3BPWD%3Dcanary") from cause
    except RuntimeError:
        structlog.get_logger().exception("run.crashed", flow="prices")
    said = out.getvalue()
    assert "ConnectionError" in said
    assert "RuntimeError" in said
    assert "prices" in said
    assert CANARY not in said


@pytest.mark.parametrize("style", ["json", "text"])
def test_what_a_library_logs_is_masked_and_in_the_same_style(out: io.StringIO, style: str) -> None:
    configure("info", style, out)
    logging.getLogger("urllib3").warning("retrying https://u:canary@store.example")
    try:
        raise OSError("PWD=canary;")
    except OSError:
        logging.getLogger("apscheduler.executors").exception("job raised")
    logging.getLogger("urllib3").info("not worth a line")
    said = out.getvalue()
    assert CANARY not in said
    assert "store.example" in said
    assert "Traceback" in said
    assert "not worth" not in said
    if style == "json":
        assert [line["event"] for line in lines(out)] == ["library.said"] * 2


def test_only_what_is_asked_for_is_logged(out: io.StringIO) -> None:
    configure("warning", "json", out)
    log = structlog.get_logger()
    log.info("order.imported")
    log.warning("order.quarantined")
    assert [line["event"] for line in lines(out)] == ["order.quarantined"]


def test_events_go_to_stderr_and_leave_stdout_to_the_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("info", "json")
    structlog.get_logger().info("order.imported")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "order.imported" in captured.err
    assert sys.stderr is not None


class FullDisk(io.StringIO):
    """Takes lines only while there is room."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error: Exception | None = error

    def write(self, text: str) -> int:
        if self.error is not None:
            raise self.error
        return super().write(text)


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize("style", ["json", "text"])
@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        BrokenPipeError(),
        ValueError("I/O operation on closed file"),
    ],
)
def test_work_goes_on_where_no_log_line_can_be_written(error: Exception, style: str) -> None:
    out = FullDisk(error)
    configure("info", style, out)

    structlog.get_logger().info("order.imported", web_order="W-1")
    logging.getLogger("library").warning("something")
    out.error = None
    structlog.get_logger().info("order.imported", web_order="W-2")
    structlog.get_logger().info("order.imported", web_order="W-3")

    told = out.getvalue().splitlines()
    assert len(told) == 3
    assert "log.lines_lost" in told[0]
    assert "2" in told[0].partition("lines_lost")[2]
    assert "W-2" in told[1]
    assert "W-3" in told[2]


@pytest.mark.rule("OP-1")
def test_a_closed_stderr_takes_no_line_to_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    configure("info", "json")

    structlog.get_logger().info("order.imported", web_order="W-1")
    logging.getLogger("library").warning("something")

    assert capsys.readouterr().out == ""
