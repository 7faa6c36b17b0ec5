"""A bucket keeps the contract of all places of files, against a storage of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

pytest.importorskip("boto3", reason="the extra s3 is not installed")
pytest.importorskip("moto", reason="moto is not installed")

import boto3
from moto.server import ThreadedMotoServer

from sync.errors import Misconfigured, Rejected, RightMissing, TryLater
from sync.files.s3.adapter import S3Files
from sync.files.s3.settings import settings_from
from sync.kit.http import HttpLimits
from sync.ports.erp import FindingLevel
from sync.testing.faulty_http import App, FaultyHttp, Received, Reply
from sync.testing.files_contract import FilesContract
from sync.testing.http_contract import HttpReadingContract, Point

KEYS = {"access_key_id": "test-key-id", "secret_access_key": "test-key"}


@pytest.fixture(scope="module", autouse=True)
def descriptions() -> Iterator[None]:
    """What S3 is like is read once: that takes longer than any test here."""
    session = boto3.session.Session()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boto3.session, "Session", lambda: session)
        yield


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

    @pytest.mark.rule("VE-9")
    @pytest.mark.parametrize("place", ["x" * 1024, "ü" * 600])
    def test_name_that_is_too_long_for_a_key_is_refused_unasked(
        self, files: S3Files, place: str
    ) -> None:
        """Applicants write names, and one that ends the run would hold up all the others."""
        with pytest.raises(Rejected, match="1024 bytes"):
            files.stamp(place)
        with pytest.raises(Rejected, match="1024 bytes"):
            list(files.read_file(place, "etag:1"))

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


PAPER = b"%PDF-1.4 one paper of several kilobytes " + b"x" * 4000
OBJECT = "/papers/out/paper.pdf"


def bucket(received: Received) -> Reply:
    """A storage of one object, as far as a look at it and its reading go."""
    if received.path != OBJECT:
        return Reply(404)
    return Reply(200, PAPER, {"ETag": '"one"', "Content-Type": "application/pdf"})


class TestS3OverHttp(HttpReadingContract):
    """The library speaks HTTP; what it makes of a bad server must be ours all the same."""

    read_at = Point("GET", OBJECT)
    canaries = (KEYS["access_key_id"], KEYS["secret_access_key"])
    # Whatever is not the version asked for is not handed on, however large it is.
    reading_told = MappingProxyType(
        dict.fromkeys(("a login page", "gzip bomb", "too large", "too large, untold"), TryLater)
    )
    # The flow looks at the end of each file.
    unseen = ("half a document", "more bytes than promised")
    untried = MappingProxyType(
        {"a drip": "the library waits for a whole piece; a flow that hangs is the watchdog's"}
    )

    @pytest.fixture
    def app(self) -> App:
        return bucket

    @pytest.fixture
    def files(self, server: FaultyHttp, limits: HttpLimits) -> Iterator[S3Files]:
        files = opened(server.url, timeout_s=limits.read_s)
        yield files
        files.close()

    @pytest.fixture
    def reading(self, files: S3Files) -> Callable[[], object]:
        def read() -> object:
            told = files.stamp("paper.pdf")
            assert told is not None
            return told, b"".join(files.read_file("paper.pdf", told.version))

        return read

    @pytest.mark.rule("MI-3", "TL-7")
    @pytest.mark.parametrize(
        "reply, kind",
        [
            (Reply(200), TryLater),
            (Reply(408), TryLater),
            (Reply(429), TryLater),
            (Reply(502), TryLater),
            (Reply(302, b"", {"Location": "https://evil.example/"}), Misconfigured),
            (Reply(403), RightMissing),
        ],
    )
    def test_look_that_goes_wrong_is_no_file_that_is_gone(
        self, server: FaultyHttp, files: S3Files, reply: Reply, kind: type[Exception]
    ) -> None:
        server.on(lambda exchange: exchange.send(reply), method="HEAD")
        with pytest.raises(kind):
            files.stamp("paper.pdf")

    @pytest.mark.rule("TL-7", "WA-8")
    def test_another_version_is_not_handed_on_where_the_storage_ignores_the_condition(
        self, server: FaultyHttp, files: S3Files
    ) -> None:
        with pytest.raises(Rejected, match="changed while it was read"):
            list(files.read_file("paper.pdf", 'etag:"two"'))
