"""A bucket keeps the contract of all places of files, against a storage of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("boto3", reason="the extra s3 is not installed")
pytest.importorskip("moto", reason="moto is not installed")

import boto3
from moto.server import ThreadedMotoServer

from sync.errors import Misconfigured, Rejected, RightMissing, TryLater
from sync.files.s3.adapter import S3Files
from sync.files.s3.settings import settings_from
from sync.ports.erp import FindingLevel
from sync.testing.files_contract import FilesContract

KEYS = {"access_key_id": "test-key-id", "secret_access_key": "test-key"}


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    """The address of a storage."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()


@pytest.fixture(scope="module")
def connected(storage: str) -> Iterator[Any]:
    """A client of its own, made once: making one takes longer than any test here."""
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=storage,
        region_name="eu-central-1",
        aws_access_key_id=KEYS["access_key_id"],
        aws_secret_access_key=KEYS["secret_access_key"],
    )
    client.create_bucket(
        Bucket="papers", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    yield client
    client.close()


@pytest.fixture
def client(connected: Any) -> Any:
    """A client to the bucket, which is empty."""
    for each in connected.list_objects_v2(Bucket="papers").get("Contents", []):
        connected.delete_object(Bucket="papers", Key=each["Key"])
    return connected


def opened(storage: str, **options: object) -> S3Files:
    base = {
        "bucket": "papers",
        "prefix": "out/",
        "endpoint_url": storage,
        "region": "eu-central-1",
        "timeout_s": 5,
        "max_file_mb": 1,
    }
    return S3Files.from_settings({**base, **options}, KEYS, Path())


@pytest.fixture(scope="module")
def opened_once(storage: str) -> S3Files:
    return opened(storage)


class BucketWorld:
    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, place: str, content: bytes) -> None:
        self._client.put_object(Bucket="papers", Key=f"out/{place}", Body=content)

    def drop(self, place: str) -> None:
        self._client.delete_object(Bucket="papers", Key=f"out/{place}")


class TestS3Files(FilesContract):
    @pytest.fixture
    def files(self, opened_once: S3Files, client: Any) -> S3Files:
        return opened_once

    @pytest.fixture
    def files_world(self, client: Any) -> BucketWorld:
        return BucketWorld(client)

    @pytest.mark.rule("TL-7", "WA-8")
    def test_nothing_beside_the_prefix_is_read(self, files: S3Files, client: Any) -> None:
        client.put_object(Bucket="papers", Key="secret.pdf", Body=b"one")
        client.put_object(Bucket="papers", Key="out/../secret.pdf", Body=b"one")
        for place in ("../secret.pdf", "/secret.pdf"):
            with pytest.raises(Rejected):
                files.stamp(place)
        assert files.stamp("secret.pdf") is None

    @pytest.mark.rule("MI-3")
    def test_storage_that_is_away_is_no_empty_one(self, client: Any) -> None:
        away = opened("http://127.0.0.1:9", timeout_s=0.5)
        with pytest.raises(TryLater):
            away.stamp("paper.pdf")
        with pytest.raises(TryLater):
            list(away.read_file("paper.pdf", "etag:1"))
        assert [each.level for each in away.check()] == [FindingLevel.ERROR]
        away.close()

    @pytest.mark.rule("MI-3")
    def test_bucket_that_is_not_there_is_a_mistake_in_the_settings(
        self, storage: str, client: Any
    ) -> None:
        wrong = opened(storage, bucket="other")
        with pytest.raises(Misconfigured, match="NoSuchBucket"):
            list(wrong.read_file("paper.pdf", "etag:1"))
        [finding] = wrong.check()
        assert finding.level is FindingLevel.ERROR
        wrong.close()


@pytest.mark.parametrize(
    "code, status, kind",
    [
        ("403", 403, RightMissing),
        ("SlowDown", 503, TryLater),
        ("InternalError", 500, TryLater),
        ("PreconditionFailed", 412, Rejected),
        ("PermanentRedirect", 301, Misconfigured),
    ],
)
def test_what_the_storage_answers_is_told_apart(
    storage: str, client: Any, code: str, status: int, kind: type[Exception]
) -> None:
    from botocore.stub import Stubber

    files = opened(storage)
    with Stubber(files._client) as stub:
        stub.add_client_error("head_object", code, http_status_code=status)
        with pytest.raises(kind):
            files.stamp("paper.pdf")


def test_settings_are_told_with_every_problem() -> None:
    with pytest.raises(Misconfigured) as refused:
        settings_from(
            {
                "bucket": "no bucket",
                "prefix": 3,
                "endpoint_url": "https://user:word@storage.example",
                "timeout_s": 0,
                "max_file_mb": 0,
                "key": "x",
            },
            {"access_key_id": "one", "other": "two"},
        )
    assert len(refused.value.problems) == 8
    assert "word" not in str(refused.value)


@pytest.mark.rule("TL-7", "WA-8")
def test_prefix_that_is_no_whole_folder_is_refused() -> None:
    with pytest.raises(Misconfigured) as refused:
        settings_from({"bucket": "papers", "prefix": "erp/papers"}, {})
    [problem] = refused.value.problems
    assert problem.startswith("prefix: must end with a slash")
    assert settings_from({"bucket": "papers", "prefix": "erp/papers/"}, {}).prefix == "erp/papers/"
    assert settings_from({"bucket": "papers"}, {}).prefix == ""
