"""Bad inputs by kind, each with the way in which it reaches the product.

A case hands its input over and must be refused: with an error of ours that says
where it stands and what to do about it. What is generated from the models stands
beside the models' own tests and is counted with these.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from erp_adapters.sql.profile import load_profile
from sync.errors import OutcomeUnknown, SyncError
from sync.kit.http import HttpLimits, HttpSession
from sync.mapping.source import read_mapping
from sync.settings import load_settings
from sync.testing import faulty_http as fault
from sync.testing.faulty_http import Exchange, FaultyHttp, Reply
from tests.unit.mapping.samples import sample_texts
from tests.unit.settings.samples import SAMPLE, site_with, written
from tests.unit.sql.test_profile import ORDERS, SMALLEST

Give = Callable[[Path], str]
"""Hands the input over, in a folder of its own. The words that must be in the refusal: its
place. Raises SyncError, or it was accepted."""


@dataclass(frozen=True, slots=True)
class Bad:
    kind: str
    name: str
    give: Give

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


# --- whole files -----------------------------------------------------------------------


def _settings_file(put: Callable[[Path], None], folder: Path) -> str:
    site_with(folder, written(SAMPLE).text)
    file = folder / "config" / "tradesync.toml"
    file.unlink()
    put(file)
    load_settings(folder, {})
    return "tradesync.toml"


def _mapping_file(name: str, put: Callable[[Path], None], folder: Path) -> str:
    for each, text in sample_texts().items():
        (folder / each).write_text(text, encoding="utf-8")
    (folder / name).unlink()
    put(folder / name)
    read_mapping(folder)
    return name


def _profile_file(put: Callable[[Path], None], folder: Path) -> str:
    put(folder / "acme.yaml")
    load_profile(folder / "acme.yaml")
    return "acme.yaml"


def _credential_file(put: Callable[[Path], None], folder: Path) -> str:
    site_with(folder, written(SAMPLE).text)
    file = folder / "credentials" / "erp-password"
    file.unlink()
    put(file)
    if file.is_file() and not file.is_symlink():
        file.chmod(0o600)
    load_settings(folder, {})
    return "systems.erp.secrets.password"


def _bytes(content: bytes) -> Callable[[Path], None]:
    def put(file: Path) -> None:
        file.write_bytes(content)

    return put


def _sparse(file: Path) -> None:
    with file.open("wb") as out:
        out.truncate(100 * 1024 * 1024)


def _link(to: str) -> Callable[[Path], None]:
    return lambda file: file.symlink_to(to)


PUT: dict[str, Callable[[Path], None]] = {
    "empty": lambda file: file.touch(),
    "a picture": _bytes(b"\x89PNG\r\n\x1a\n\x00\x00"),
    "UTF-16": _bytes("channels: {}\n".encode("utf-16")),
    "Latin-1": _bytes("größe: a\n".encode("latin-1")),
    "NULs": _bytes(b"\0" * 4096),
    "a cut character": _bytes(b"a: \xc3"),
    "an archive": _bytes(gzip.compress(b"channels: {}")),
    "100 MB of nothing": _sparse,
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "an endless device": _link("/dev/zero"),
    "a link to nowhere": _link("nowhere"),
    "a link to itself": lambda file: file.symlink_to(file.name),
    "lone surrogates": _bytes(b"a: \xed\xa0\x80\n"),
}
_FINE = {
    # A table of customers may be missing, and then no one has an account of their own.
    ("customers.csv", "a pipe"), ("customers.csv", "a folder"),
    ("customers.csv", "an endless device"),
}  # fmt: skip


def whole_files() -> Iterator[Bad]:
    for name, put in PUT.items():
        yield Bad("whole files", f"settings are {name}", partial(_settings_file, put))
        yield Bad("whole files", f"a profile is {name}", partial(_profile_file, put))
        yield Bad("whole files", f"a credential is {name}", partial(_credential_file, put))
        for file in ("channels.yaml", "customers.csv"):
            if (file, name) not in _FINE:
                give = partial(_mapping_file, file, put)
                yield Bad("whole files", f"{file} is {name}", give)


# --- YAML ------------------------------------------------------------------------------

LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(f'*{chr(97 + n)}' for _ in range(9))}]\n"
    for n in range(8)
)
YAML: dict[str, str] = {
    "a billion laughs": LAUGHS,
    "an anchor": "a: &x b\n",
    "an alias": "a: *x\n",
    "a merge key": "<<: {a: b}\n",
    "a Python object": "a: !!python/object/apply:os.system [true]\n",
    "a tag of its own": "a: !own b\n",
    "a set": "a: !!set {b}\n",
    "binary": "a: !!binary aGk=\n",
    "lists in lists": "[" * 50_000,
    "groups in groups": "{a: " * 20_000,
    "dashes in dashes": "- " * 20_000,
    "a key twice": "a: b\na: c\n",
    "two documents": "a: b\n---\nc: d\n",
    "a key that is a list": "? [a]\n: b\n",
    "no key at all": "a:\n  : x\n",
    "a list": "- a\n- b\n",
    "plain text": "hello\n",
    "a comment": "# nothing\n",
    "a tab as indentation": "a:\n\tb: c\n",
    "an open bracket": "a: [b\n",
    "an open quotation mark": "a: 'b\n",
    "a colon too many": "a: b: c\n",
    "a directive": "%YAML 9.9\n---\na: b\n",
    "a NUL": "a: b\0c\n",
    "an escape": "a: \x1b[31m\n",
    "a name that is none": "a name: b\n",
}
UNQUOTED = (
    "00123456", "0123", "NO", "yes", "on", "~", "null", "12:30:00", "1.5E+5", "0x1F", "017",
    "1_000", "2024-01-01", ".inf", "-.inf", ".nan", "true", "-0", "=",
)  # fmt: skip


def _yaml_mapping(text: str, folder: Path) -> str:
    for each, told in sample_texts().items():
        (folder / each).write_text(told, encoding="utf-8")
    (folder / "codes.yaml").write_text(text, encoding="utf-8")
    read_mapping(folder)
    return "codes.yaml"


def _yaml_profile(text: str, folder: Path) -> str:
    return _profile_file(_bytes(text.encode()), folder)


def yaml_texts() -> Iterator[Bad]:
    for name, text in YAML.items():
        yield Bad("YAML", f"a mapping is {name}", partial(_yaml_mapping, text))
        yield Bad("YAML", f"a profile is {name}", partial(_yaml_profile, text))
    for raw in UNQUOTED:
        text = f"units:\n  piece: {raw}\n"
        yield Bad("YAML", f"an unquoted code {raw}", partial(_yaml_mapping, text))
        text = f"units:\n  {raw}: EA\n"
        if raw != "=":
            yield Bad("YAML", f"an unquoted key {raw}", partial(_yaml_mapping, text))


# --- CSV -------------------------------------------------------------------------------

CELLS = (
    "=1+1", "=HYPERLINK(\"x\")", "@SUM(A1)", "+1+cmd|'/c calc'!A0", "-2+3+cmd|'/c calc'!A0",
    "\uff1d1+1", "\uff20SUM(A1)", "\uff0b1", "\uff0d1", "1.23E+11", "1,23E+11", "00\x0001", "\x07",
    "a\u200bb", "a\u202eb", "a\u00a0\u2028b", "1" * 256, "\ufeff000101", "\x1b[31m", '"open',
    'shut"', '"a"b', "",
)  # fmt: skip
TABLES: dict[str, str] = {
    "no header": "000101,u-1\n",
    "another separator": "user|customer_id\nu-1|000101\n",
    "separators that change": "user,customer_id\nu-1;000101\n",
    "an unknown column": "user,customer_id,colour\nu-1,000101,red\n",
    "a column twice": "user,user,customer_id\nu-1,u-1,000101\n",
    "no customer_id": "user,contact\nu-1,c\n",
    "a cell too many": "user,customer_id\nu-1,000101,x\n",
    "a cell too few": "user,customer_id\n000101\n",
    "one user twice": "user,customer_id\nu-1,000101\nu-1,000102\n",
    "a retail group": "user,customer_id\nu-1,RETAIL-US\n",
    "an SQL dump": "INSERT INTO customers VALUES ('u-1', '000101');\n",
    "a web page": "<html><body>login</body></html>\n",
    "JSON": '[{"user": "u-1", "customer_id": "000101"}]\n',
    "only separators in the header": ",,,\nu-1,000101,,\n",
}


def _table(text: str, folder: Path) -> str:
    for each, told in sample_texts().items():
        (folder / each).write_text(told, encoding="utf-8")
    (folder / "customers.csv").write_text(text, encoding="utf-8")
    read_mapping(folder)
    return "customers.csv"


def csv_tables() -> Iterator[Bad]:
    for cell in CELLS:
        text = f"user;customer_id\nu-1;{cell}\n"
        yield Bad("CSV", f"a customer ID {cell[:20]!r}", partial(_table, text))
        if cell:
            text = f"user;customer_id\n{cell};000101\n"
            yield Bad("CSV", f"a user {cell[:20]!r}", partial(_table, text))
    for name, text in TABLES.items():
        yield Bad("CSV", f"a table with {name}", partial(_table, text))


# --- names of SQL ----------------------------------------------------------------------

IDENTIFIERS = (
    "a b", "a;drop table x", "a'--", "a b--", "1a", "\u00e4", "a.b", "a-b", "x" * 64, "select*",
    "/**/", "\uff41", "[a]", "`a`", ":a", "a)", "%s", "{a}", "a\\n", "a\\0", "\\u200b", "a\\t",
)  # fmt: skip


def _profile(old: str, new: str, folder: Path) -> str:
    text = SMALLEST + ORDERS
    assert old in text
    return _profile_file(_bytes(text.replace(old, new, 1).encode()), folder)


def identifiers() -> Iterator[Bad]:
    places = {
        "a captured name": ("{order_number: no}", '{order_number: no, "NAME": no}'),
        "a bound name": ("{key: order.key,", '{"NAME": order.key, key: order.key,'),
        "a bound field": ("cust: order.sold_to", 'cust: "NAME"'),
        "a constant": ("  currency: USD", '  "NAME": USD'),
        "a dialect": ("[sqlite, postgresql]", '[sqlite, "NAME"]'),
        "a statement": ("  customer_ids:", '  "NAME": SELECT 1 AS x\n  customer_ids:'),
    }
    for place, (old, new) in places.items():
        for name in IDENTIFIERS:
            give = partial(_profile, old, new.replace("NAME", name))
            yield Bad("SQL identifiers", f"{place}: {name[:20]}", give)


# --- paths and names in settings -------------------------------------------------------

PATHS = (
    "../other", "/etc/passwd", "a/b", "..", ".", ".hidden", "a/../../b", "..\\\\other", "a\\u0000b",
    "~root/x", "$HOME", "two words", "file:///etc/passwd", "a\\nb", "-rf", "\uff0e\uff0e/x",
    "credentials/../x", "%2e%2e%2fx", "", "x*",
)  # fmt: skip


def _setting(old: str, new: str, folder: Path) -> str:
    text = written(SAMPLE).text
    assert old in text
    load_settings(site_with(folder, text.replace(old, new, 1)), {})
    return "tradesync.toml"


def _with_link(to: str, folder: Path) -> str:
    site_with(folder, written(SAMPLE).text)
    file = folder / "credentials" / "erp-password"
    file.unlink()
    file.symlink_to(to)
    load_settings(folder, {})
    return "systems.erp.secrets.password"


def paths() -> Iterator[Bad]:
    places = {
        "a credential": ('password = "erp-password"', 'password = "{}"'),
        "an adapter": ('adapter = "sql"', 'adapter = "{}"'),
        "a time zone": ('time_zone = "Europe/Berlin"', 'time_zone = "{}"'),
    }
    for place, (old, new) in places.items():
        for path in PATHS:
            give = partial(_setting, old, new.format(path))
            yield Bad("paths", f"{place}: {path or 'nothing'}", give)
    for to in ("/dev/zero", "/dev/tty", "..", "nowhere", "erp-password", "/proc/self/mem"):
        yield Bad("paths", f"a credential that is a link to {to}", partial(_with_link, to))
    for path in ("../../nowhere", "/nowhere", "config/tradesync.toml", "a\\u0000b", "/dev/zero"):
        give = partial(_setting, 'mappings = "mappings"', f'mappings = "{path}"')
        yield Bad("paths", f"a folder of mappings: {path}", give)


# --- addresses -------------------------------------------------------------------------

URLS = (
    "http://shop.example", "ftp://shop.example", "file:///etc/passwd", "gopher://shop.example",
    "javascript:alert(1)", "//shop.example", "shop.example", "", "https://", "https:///x",
    "https://user:pw@shop.example", "https://user@shop.example", "https://@shop.example:x",
    "https://shop.example?x=1", "https://shop.example/#x", "https://shop.example:0",
    "https://shop.example:99999", "https://shop.example:port", "https://[::1", "https://[x]/",
    "https://good.example\\@evil.example", "https://good.example%00.evil.example",
    "https://good.example\t.evil.example", "https://good.example\n.evil.example",
    "https://good.example evil.example", "https://-x.example", "https://a..b",
    "https://sh\u00f6p.example", "https://shop\u3002example", "https://\uff53hop.example",
    "https://2130706433", "https://0x7f000001", "https://0177.0.0.1", "https://127.1",
    "https://0x7f.1", "https://169.254.169.254", "https://0.0.0.0", "https://224.0.0.1",
    "https://[::]", "https://[ff02::1]", "https://[fe80::1]", "https://[64:ff9b::7f00:1]",
    "https://[64:ff9b::a9fe:a9fe]", "https://[2002:7f00:1::]", "https://[2002:a9fe:a9fe::]",
    "https://[2001::7f00:1]", "https://[::ffff:127.0.0.1]", "https://[::ffff:169.254.169.254]",
    "http://10.0.0.1", "http://[64:ff9b::7f00:1]", "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
)  # fmt: skip


def _address(url: str, _folder: Path) -> str:
    now = datetime.now(UTC)
    HttpSession(url, system="the shop", now=lambda: now, monotonic=lambda: 0.0).close()
    return "the shop"


REDIRECTS = (
    "https://other.example/", "http://other.example/", "//other.example/x", "file:///etc/passwd",
    "ftp://HOST/x", "https://HOST/x", "http://user:pw@HOST/x", "http://[::1", "http://HOST:1/",
    "http://HOST:port/", "javascript:alert(1)", "http://169.254.169.254/latest", "http://[x]/",
    "\\\\other.example\\x",
)  # fmt: skip


def _redirect(to: str, folder: Path) -> str:
    return _answered(lambda url: fault.moved(to.replace("HOST", url.split("://")[1]), 302), folder)


def addresses() -> Iterator[Bad]:
    for url in URLS:
        yield Bad("addresses", f"of a system: {url or 'nothing'}", partial(_address, url))
    for to in REDIRECTS:
        if "\\" not in to:
            yield Bad("addresses", f"redirected to {to}", partial(_redirect, to))


# --- answers of servers ----------------------------------------------------------------

BODIES: dict[str, bytes] = {
    "nothing": b"", "spaces": b"   ", "NaN": b'{"a": NaN}', "Infinity": b'{"a": Infinity}',
    "minus Infinity": b"[-Infinity]", "a key twice": b'{"a": 1, "a": 2}',
    "a key twice, deeper": b'[{"x": {"a": 1, "a": 2}}]', "lists in lists": b"[" * 100_000,
    "groups in groups": b'{"a":' * 50_000, "a number beyond all": b'{"a": 1e999999999}',
    "a tiny number": b'{"a": 1e-999999999}', "a number of 5,000 digits": b"9" * 5000,
    "a comma too many": b'{"a": 1,}', "single quotes": b"{'a': 1}", "a comment": b"{/*x*/}",
    "a name without quotes": b"{a: 1}", "half": b'{"orders": [{"number": "W-1"', "two": b"{}{}",
    "a mark of byte order": b"\xef\xbb\xbf{}", "UTF-16": '{"a": 1}'.encode("utf-16"),
    "Latin-1": b'{"a": "\xe9"}', "a raw line break": b'{"a": "x\ny"}', "a NUL": b'{"a": "\0"}',
    "a plus": b"[+1]", "a leading zero": b"[01]", "a hex number": b"[0x1F]",
    "a bare word": b"yes",
    "True": b"[True]", "a web page": b"<!doctype html><p>back soon",
    "XML": b"<?xml version='1.0'?>",
    "YAML": b"a: b\n", "a picture": b"\x89PNG\r\n\x1a\n",
}  # fmt: skip


def _json(body: bytes, folder: Path) -> str:
    return _answered(lambda _: _sends(Reply(200, body, _JSON)), folder)


_JSON = {"Content-Type": "application/json"}
_BOMB = gzip.compress(b"[" + b"0," * 3_000_000 + b"0]")


def _sends(reply: Reply) -> fault.Fault:
    return lambda exchange: exchange.send(reply)


def _raw(data: bytes) -> fault.Fault:
    def answer(exchange: Exchange) -> None:
        exchange.send_bytes(data)
        exchange.close()

    return answer


def _packed(body: bytes, how: str = "gzip") -> fault.Fault:
    return _sends(Reply(200, body, {**_JSON, "Content-Encoding": how}))


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ANSWERS: dict[str, fault.Fault] = {
    "a bomb": _packed(_BOMB),
    "cut while packed": _packed(gzip.compress(b"[]")[:-9]),
    "not packed as it says": _packed(b"[]"),
    "packed as nobody asked": _packed(b"[]", "br"),
    "packed twice": _packed(gzip.compress(gzip.compress(b"[]")), "gzip, gzip"),
    "larger than anybody wants": _sends(Reply(200, b'["' + b"x" * 300_000 + b'"]', _JSON)),
    "shorter than it says": fault.wrong_length(+5),
    "cut within the body": fault.reset_mid_body(),
    "cut behind the headers": fault.reset_after_headers(),
    "no answer": fault.lost_reply(),
    "no status line": _raw(b"hello\r\n\r\n"),
    "another protocol": _raw(b"SSH-2.0-OpenSSH_9.0\r\n"),
    "a status that is none": _raw(b"HTTP/1.1 abc OK\r\n\r\n"),
    "a header without end": _raw(_HEAD + b"X: " + b"x" * 70_000 + b"\r\n\r\n[]"),
    "a thousand headers": _raw(_HEAD + b"X: y\r\n" * 1000 + b"\r\n[]"),
    "chunks that are none": _raw(_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n[]\r\n"),
    "chunks that end too soon": _raw(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[1"),
    "a server error": fault.status(500),
    "a bad gateway": fault.status(502),
    "not found": fault.status(404),
    "a conflict": fault.status(409),
    "gone": fault.status(410),
    "not for us": fault.status(403),
    "who are you": fault.status(401),
    "a proxy that asks": fault.status(407),
    "too much at once": fault.too_many_requests("5"),
    "closed for now": fault.unavailable("5"),
    "a status of its own": fault.status(599),
    "a picture with status 200": _sends(Reply(200, b"\x89PNG", {"Content-Type": "image/png"})),
    "a login page": fault.login_page(),
}


def _answered(make: Callable[[str], fault.Fault], _folder: Path) -> str:
    """Both a read and a write get the answer; the write must never be taken for not done."""
    now = datetime.now(UTC)
    limits = HttpLimits(1.0, 0.5, 5.0, body_bytes=200_000, unpacked_bytes=1_000_000)
    with FaultyHttp() as server:
        answer = make(server.url)
        session = HttpSession(
            server.url, system="the shop", now=lambda: now, monotonic=lambda: 0.0, limits=limits
        )
        try:
            server.on(answer)
            refused = _error_of(lambda: session.write("POST", "/orders", json={"a": "b"}).json())
            if refused is None:
                return "the shop"
            # Taken for surely not done only where the server says so in so many words.
            sure = ("answered 4", "answered 503", "redirected", "too many requests")
            told = str(refused)
            assert isinstance(refused, OutcomeUnknown) or any(each in told for each in sure), told
            server.on(answer)
            session.read("/orders").json()
        finally:
            session.close()
            server.release()
    return "the shop"


def _answer(answer: fault.Fault, folder: Path) -> str:
    return _answered(lambda _: answer, folder)


def _error_of(ask: Callable[[], object]) -> SyncError | None:
    try:
        ask()
    except SyncError as error:
        return error
    return None


def answers() -> Iterator[Bad]:
    for name, body in BODIES.items():
        yield Bad("JSON", f"an answer that is {name}", partial(_json, body))
    for name, answer in ANSWERS.items():
        yield Bad("HTTP answers", name, partial(_answer, answer))


# --- all -------------------------------------------------------------------------------


def all_of_them() -> list[Bad]:
    return [
        *whole_files(), *yaml_texts(), *csv_tables(), *identifiers(), *paths(), *addresses(),
        *answers(),
    ]  # fmt: skip
