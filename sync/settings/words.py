"""What may stand in one place of the settings. No message repeats a value.

A secret may have been written where it does not belong, so the values of
settings are never shown: the file, the line and the name of the field are.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from sync.mapping.problems import suggestion
from sync.mapping.words import refuse

DAY_S = 86400
LONGEST_TEXT = 2000
MOST = 1_000_000
MOST_PORT = 65535
APPLICATION = "{application}"
OWN_FOLDER = f"{APPLICATION}/"
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_ADAPTER = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]*")
_CREDENTIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_STATE_URL = re.compile(
    r"sqlite(?:\+pysqlite)?:///.+"
    r"|postgres(?:ql)?(?:\+psycopg)?://(?:[^/?@]*@)?(?:\[[^]/?]+]|[^]/?:@[]*)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?:/[^?]*)?(?:\?.*)?",
    re.ASCII,
)
_DAY_NUMBER = re.compile(r"[0-9]")


def text(value: object) -> str:
    if not isinstance(value, str):
        refuse("is not a text", "put it in quotes")
    if not value.strip() or value != value.strip() or not value.isprintable():
        refuse("is empty, padded or not printable", "write one line of text")
    if len(value) > LONGEST_TEXT:
        refuse(f"is longer than {LONGEST_TEXT} characters", "shorten it")
    return value


def name(value: str) -> str:
    if not _NAME.fullmatch(value) or len(value) > 40:
        refuse("is not a name", "use small letters, digits and single underscores, at most 40")
    return value


def adapter(value: str) -> str:
    if not _ADAPTER.fullmatch(value):
        refuse("is not the name of an adapter", "write the name it is registered under, like sql")
    return value


def is_credential(name: str) -> bool:
    """Whether it names a file in a folder, and nothing beside or above that folder."""
    return bool(_CREDENTIAL.fullmatch(name))


def credential(value: str) -> str:
    if not is_credential(value):
        refuse(
            "is not the name of a credential file",
            "write the file's name here and the secret into that file",
        )
    return value


def own_folder(value: str) -> str:
    """A folder for each application: a shared one would hold other people's files too."""
    before, found, after = value.partition(APPLICATION)
    if not found or set("{}") & {*before, *after}:
        refuse(
            f"does not say once which application it is of, as {APPLICATION}",
            f"write the folder that each application has there, such as {OWN_FOLDER}",
        )
    if not after.endswith("/"):
        refuse("is no folder", f"end it with a slash: {OWN_FOLDER}")
    if "\\" in value or any(set(part) <= {"."} for part in value[:-1].split("/")):
        refuse(
            "leads out of the place of the files",
            f"write it from there on, without a slash before it, such as {OWN_FOLDER}",
        )
    return value


def time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        refuse("is not a time zone", "write a name like Europe/Berlin or UTC")
    return value


def cron(value: str) -> str:
    """Five fields. Days of the week only by name: numbers mean other days elsewhere."""
    from apscheduler.triggers.cron import CronTrigger  # half the start-up time of a command

    fields = value.split()
    if len(fields) != 5:
        refuse(
            "is not a cron text", "write five fields: minute hour day month weekday, 15 3 * * mon"
        )
    if _DAY_NUMBER.search(fields[4].partition("/")[0]):
        refuse("has a weekday as a number", "write it by name: mon, tue, ... sun, or mon-fri")
    try:
        CronTrigger.from_crontab(value, timezone="UTC")
    except (ValueError, TypeError):
        refuse("is not a cron text", "write minute hour day month weekday, like 15 3 * * mon")
    return value


def moment(value: object) -> datetime:
    """A day, which begins in UTC, or a time with its offset."""
    written = text(value)
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        refuse("is not a day or time", "write 2026-03-01, or 2026-03-01T06:00:00+01:00, in quotes")
    if found.tzinfo is None and len(written) > len("2026-03-01"):
        refuse("is a time without an offset", "write its offset from UTC, such as +01:00 or Z")
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def listen(value: str) -> str:
    """An address of this machine with a port; names are not looked up."""
    host, colon, port = value.rpartition(":")
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        refuse("is not an address to listen at", "write an address and a port: 127.0.0.1:8780")
    bracketed = host.startswith("[") and host.endswith("]")
    if (
        bracketed != (":" in host)
        or not colon
        or not _PORT.fullmatch(port)
        or int(port) > MOST_PORT
    ):
        refuse("is not an address to listen at", "write an address and a port: 127.0.0.1:8780")
    return value


def state_url(value: str) -> str:
    """An address that the state can be opened at; whether something is there is not looked at."""
    found = _STATE_URL.fullmatch(value)
    if found is None or int(found["port"] or 1) > MOST_PORT:
        refuse(
            "is no address of a SQLite or PostgreSQL database",
            "write sqlite:///var/state.sqlite, or postgresql://USER@HOST/NAME",
        )
    return value


def whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        refuse("is not a whole number", "write digits only, without quotes")
    return value


def exact(value: object) -> Decimal:
    finite = isinstance(value, Decimal) and value.is_finite()
    if (
        not isinstance(value, int | Decimal)
        or isinstance(value, bool)
        or not (finite or isinstance(value, int))
    ):
        refuse("is not a number", "write digits, with a decimal point where needed, no quotes")
    return Decimal(value)


def number(value: object) -> float:
    return float(exact(value))


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        refuse("is neither true nor false", "write true or false, without quotes")
    return value


def one_of(*known: str) -> BeforeValidator:
    def chosen(value: object) -> str:
        if not isinstance(value, str) or value not in known:
            refuse("is not known", suggestion(value if isinstance(value, str) else "", known))
        return value

    return BeforeValidator(chosen, json_schema_input_type=Literal[known])


Text = Annotated[str, BeforeValidator(text)]
Name = Annotated[Text, AfterValidator(name)]
Adapter = Annotated[Text, AfterValidator(adapter)]
Credential = Annotated[Text, AfterValidator(credential)]
OwnFolder = Annotated[Text, AfterValidator(own_folder)]
TimeZone = Annotated[Text, AfterValidator(time_zone)]
Cron = Annotated[Text, AfterValidator(cron)]
Listen = Annotated[Text, AfterValidator(listen)]
StateUrl = Annotated[Text, AfterValidator(state_url)]
Moment = Annotated[datetime, BeforeValidator(moment), WithJsonSchema({"type": "string"})]
Flag = Annotated[bool, BeforeValidator(flag)]
# pydantic's own words for the limits of a judged number are none of JSON Schema.
Count = Annotated[
    int,
    BeforeValidator(whole),
    Field(ge=0, le=MOST),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MOST}),
]
Positive = Annotated[
    int,
    BeforeValidator(whole),
    Field(ge=1, le=MOST),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MOST}),
]
Threads = Annotated[
    int,
    BeforeValidator(whole),
    Field(ge=1, le=64),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 64}),
]
Seconds = Annotated[
    float,
    BeforeValidator(number),
    Field(gt=0, le=366 * DAY_S),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 366 * DAY_S}),
]
Share = Annotated[
    Decimal,
    BeforeValidator(exact),
    Field(ge=0, le=1),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1}),
]
Factor = Annotated[
    Decimal,
    BeforeValidator(exact),
    Field(gt=0, le=100),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 100}),
]
Level = Annotated[str, one_of("debug", "info", "warning", "error")]
Format = Annotated[str, one_of("json", "text")]
Kind = Annotated[str, one_of("erp", "store", "files")]
