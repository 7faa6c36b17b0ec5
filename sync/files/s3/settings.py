"""What a bucket is told in the settings, checked before the library is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sync.errors import Misconfigured
from sync.kit.file_settings import size_limit, unknown

OPTIONS = frozenset({"bucket", "prefix", "endpoint_url", "region", "timeout_s", "max_file_mb"})
SECRETS = frozenset({"access_key_id", "secret_access_key"})
TIMEOUT_S = 30.0

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")


@dataclass(frozen=True, slots=True)
class S3Settings:
    bucket: str
    prefix: str
    endpoint_url: str | None
    region: str | None
    timeout_s: float
    size_limit: int
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)


def settings_from(options: Mapping[str, object], secrets: Mapping[str, str]) -> S3Settings:
    """The options of a bucket, checked. Raises Misconfigured with every problem at once."""
    problems = unknown(options, OPTIONS, secrets, SECRETS)
    bucket = options.get("bucket")
    if not isinstance(bucket, str) or not _BUCKET.fullmatch(bucket):
        problems.append(f"bucket: not the name of a bucket: {bucket!r}")
    texts = {name: options.get(name) for name in ("prefix", "endpoint_url", "region")}
    for name, value in texts.items():
        if value is not None and (not isinstance(value, str) or not value.isprintable()):
            problems.append(f"{name}: not a text: {value!r}")
            texts[name] = None
    if texts["prefix"] and not str(texts["prefix"]).endswith("/"):
        problems.append(
            f"prefix: must end with a slash, or names beside it are read too: {texts['prefix']!r}"
        )
    problems += _endpoint_problems(texts["endpoint_url"])
    timeout_s = options.get("timeout_s", TIMEOUT_S)
    number = isinstance(timeout_s, int | float) and not isinstance(timeout_s, bool)
    if not number or not 0 < float(str(timeout_s)) <= 600:
        problems.append(f"timeout_s: not a number of seconds up to 600: {timeout_s!r}")
    if len(SECRETS & secrets.keys()) == 1:
        problems.append("secrets: access_key_id and secret_access_key go together")
    limit = size_limit(options, problems)
    if problems:
        raise Misconfigured("the bucket of files cannot be used", tuple(problems))
    return S3Settings(
        bucket=str(bucket),
        prefix=str(texts["prefix"] or ""),
        endpoint_url=str(texts["endpoint_url"]) if texts["endpoint_url"] else None,
        region=str(texts["region"]) if texts["region"] else None,
        timeout_s=float(str(timeout_s)),
        size_limit=limit,
        access_key_id=secrets.get("access_key_id"),
        secret_access_key=secrets.get("secret_access_key"),
    )


def _endpoint_problems(given: object) -> list[str]:
    if not given:
        return []
    try:
        parts = urlsplit(str(given))
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return ["endpoint_url: not an address"]
    if not good:
        return ["endpoint_url: not an http or https address"]
    if parts.username is not None or parts.password is not None or parts.query:
        return ["endpoint_url: holds more than an address; a key goes into the secrets"]
    return []
