"""A bucket as the place of files: the prefix and the name are the key.

The ETag is the version, and a read asks for exactly that one, so what comes is one
state of the object. The library tries nothing again by itself: how patient to be
is the engine's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from sync.errors import AccessDenied, Misconfigured, Rejected, RightMissing, SyncError, TryLater
from sync.files.s3.settings import S3Settings, settings_from
from sync.kit.file_names import parts_of
from sync.ports.erp import Finding, FindingLevel
from sync.ports.files import Stamp

PIECE = 256 * 1024
LONGEST_KEY = 1024
"""Bytes of a key, with its prefix."""

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchVersion"})
_CHANGED = frozenset({"412", "PreconditionFailed"})
_REFUSED_LOGIN = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"})
_WRONG = frozenset(
    {
        "NoSuchBucket",
        "InvalidBucketName",
        "PermanentRedirect",
        "301",
        "AuthorizationHeaderMalformed",
    }
)
_OTHER = "changed while it was read"
_BUSY = frozenset({"SlowDown", "RequestTimeout", "Throttling", "429"})


class S3Files:
    """Objects below one prefix of one bucket."""

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        self._client: Any = _client(settings)

    @classmethod
    def from_settings(
        cls, options: Mapping[str, object], secrets: Mapping[str, str], base: Path
    ) -> S3Files:
        """As config/README.md says. Raises Misconfigured with every problem found."""
        return cls(settings_from(options, secrets))

    @property
    def size_limit(self) -> int:
        return self._settings.size_limit

    def check(self) -> Sequence[Finding]:
        """Whether the bucket answers, lists what is there, and this key may read it."""
        where = f"bucket {self._settings.bucket}"
        try:
            with _translated(self._settings):
                self._client.list_objects_v2(
                    Bucket=self._settings.bucket, Prefix=self._settings.prefix, MaxKeys=1
                )
        except SyncError as error:
            remedy = "see that the storage is up, and that the key may list and read the bucket"
            return [Finding("bucket", FindingLevel.ERROR, f"{where}: {error}", remedy)]
        return [Finding("bucket", FindingLevel.OK, f"{where} answers")]

    def close(self) -> None:
        self._client.close()

    def stamp(self, place: str) -> Stamp | None:
        key = self._key(place)
        with _translated(self._settings):
            try:
                told = self._client.head_object(Bucket=self._settings.bucket, Key=key)
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise
        if "ETag" not in told or "ContentLength" not in told:
            raise self._no_object()
        return Stamp(f"etag:{told['ETag']}", int(told["ContentLength"]))

    def read_file(self, place: str, version: str) -> Iterator[bytes]:
        asked: dict[str, str] = {"Bucket": self._settings.bucket, "Key": self._key(place)}
        if not version.startswith("sha256:"):
            asked["IfMatch"] = version.removeprefix("etag:")
        with _translated(self._settings):
            answer = self._client.get_object(**asked)
            with closing(answer["Body"]) as body:
                if "IfMatch" in asked and answer.get("ETag") != asked["IfMatch"]:
                    # Not every storage knows the condition, and a proxy knows no versions.
                    raise _no(_OTHER) if "ETag" in answer else self._no_object()
                # It raises where fewer bytes come than were announced.
                yield from body.iter_chunks(PIECE)

    def _no_object(self) -> TryLater:
        told = "answered with what is no object of its own; a proxy may stand between"
        return TryLater(f"the storage of bucket {self._settings.bucket} {told}")

    def _key(self, place: str) -> str:
        try:
            parts_of(place)
        except ValueError as error:
            raise _no(str(error)) from error
        key = self._settings.prefix + place
        if len(key.encode()) > LONGEST_KEY:
            # The storage would call it a bad request, as much else that is no file's doing.
            raise _no(f"has a name of which the storage takes no key ({LONGEST_KEY} bytes)")
        return key


class _translated:  # noqa: N801 - it reads as a word
    """The library's errors in ours."""

    def __init__(self, settings: S3Settings) -> None:
        self._where = f"the storage of bucket {settings.bucket}"

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ClientError):
            self._answered(error)
        elif isinstance(error, NoCredentialsError | PartialCredentialsError):
            told = "has no key: write the secrets access_key_id and secret_access_key"
            raise Misconfigured(f"{self._where} {told}") from error
        elif isinstance(error, ParamValidationError):
            raise Misconfigured(f"{self._where} cannot be asked: {error}") from error
        elif isinstance(error, HTTPClientError | IncompleteReadError | BotoCoreError):
            raise TryLater(f"{self._where} does not answer: {error}") from error

    def _answered(self, error: ClientError) -> NoReturn:
        code = _code(error)
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _ABSENT:
            raise _no("is not there") from error
        if code in _CHANGED:
            raise _no(_OTHER) from error
        if code in _REFUSED_LOGIN:
            raise AccessDenied(f"{self._where} refuses the key: {code}") from error
        if code in _WRONG or 300 <= status < 400:
            raise Misconfigured(f"{self._where} is not as the settings say: {code}") from error
        if code in _BUSY or status in (408, 429) or status >= 500:
            raise TryLater(f"{self._where} is busy: {code}") from error
        if status in (401, 403):
            raise RightMissing(f"{self._where} does not let this key do it: {code}") from error
        raise error


def _client(settings: S3Settings) -> Any:
    config = Config(
        connect_timeout=settings.timeout_s,
        read_timeout=settings.timeout_s,
        retries={"total_max_attempts": 1},
        # Other storages than AWS know neither host names for buckets nor these checksums.
        s3={"addressing_style": "path" if settings.endpoint_url else "auto"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        return boto3.session.Session().client(
            "s3",
            config=config,
            endpoint_url=settings.endpoint_url,
            region_name=settings.region,
            aws_access_key_id=settings.access_key_id,
            aws_secret_access_key=settings.secret_access_key,
        )
    except (BotoCoreError, ValueError) as error:
        raise Misconfigured(f"the storage of files cannot be used: {error}") from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _no(why: str) -> Rejected:
    return Rejected(why, code="document_file", remedy="")
