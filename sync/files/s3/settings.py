"""What a bucket is told in the settings, checked before the library is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sync.kit.file_settings import size_limit
from sync.kit.options import Options

OPTIONS = frozenset({"bucket", "prefix", "endpoint_url", "region", "timeout_s", "max_file_mb"})
SECRETS = frozenset({"access_key_id", "secret_access_key"})
TIMEOUT_S = 30.0

_HOST = re.compile(r"(?:(?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)*(?!-)[A-Za-z0-9-]{1,63}(?<!-)\.?")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_REGION = re.compile(r"(?!-)(?![0-9]+\Z)[A-Za-z0-9-]{1,63}(?<!-)")


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
    given = Options(options, OPTIONS, secrets, SECRETS)
    bucket = given.needed("bucket", "papers")
    if bucket and not _BUCKET.fullmatch(bucket):
        given.complain("bucket", "not the name of a bucket")
    # Nothing is what they are without a line, and may be written so.
    prefix, endpoint_url, region = (
        given.text(name) if given.stated(name) != "" else None
        for name in ("prefix", "endpoint_url", "region")
    )
    if prefix and not prefix.endswith("/"):
        given.complain("prefix", "must end with a slash, or names beside it are read too")
    if region and not _REGION.fullmatch(region):
        given.complain("region", "not the name of a region, such as eu-central-1")
    if endpoint_url:
        _judge_endpoint(given, endpoint_url)
    timeout = given.number("timeout_s", 600)
    if len(SECRETS & secrets.keys()) == 1:
        given.problems.append("secrets.access_key_id and secret_access_key go together")
    limit = size_limit(given)
    given.raise_if_any("the bucket of files cannot be used")
    return S3Settings(
        bucket=bucket,
        prefix=prefix or "",
        endpoint_url=endpoint_url,
        region=region,
        timeout_s=TIMEOUT_S if timeout is None else timeout,
        size_limit=limit,
        access_key_id=secrets.get("access_key_id"),
        secret_access_key=secrets.get("secret_access_key"),
    )


def _judge_endpoint(given: Options, url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        given.complain("endpoint_url", "not an address")
        return
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        given.complain("endpoint_url", "not an http or https address")
    elif ":" not in parts.hostname and not _HOST.fullmatch(parts.hostname):
        given.complain("endpoint_url", "its host may have letters, digits and hyphens alone")
    elif parts.username is not None or parts.password is not None or parts.query:
        given.complain("endpoint_url", "holds more than an address; a key goes into the secrets")
