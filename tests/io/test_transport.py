"""Failures of a store: told apart from bad data, named with a remedy, tried again so often and no more."""

import errno
import os
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from fsspec.implementations.local import LocalFileSystem
from s3fs import S3FileSystem
from s3fs.core import S3File

from carbonray.errors import ConflictError, TransportError
from carbonray.io import objectstore


class Failing:
    """A transfer that fails so many times, and then does what it replaces."""

    def __init__(self, error: BaseException, times: int, then: Callable[..., Any]) -> None:
        self.calls, self._error, self._times, self._then = 0, error, times, then

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls <= self._times:
            raise self._error
        return self._then(*arguments, **named)


def test_a_put_into_a_place_that_is_not_there_is_no_bad_data(s3_server: str, naps: list[float]) -> None:
    with pytest.raises(TransportError, match="could not be moved"):
        objectstore.put_once("s3://no-such-bucket-anywhere/key", b"x")


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path, naps: list[float]) -> None:
    (tmp_path / "out").write_bytes(b"a file")
    for put in (objectstore.put_once, objectstore.put_bytes):
        with pytest.raises(TransportError, match="NotADirectoryError"):
            put(f"{tmp_path}/out/run.json", b"x")


FAILURES = [
    PermissionError("denied"),
    TimeoutError("too slow"),
    OSError(errno.EIO, "input/output error"),
    EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
    ClientError({"Error": {"Code": "SlowDown", "Message": "slow down"}}, "GetObject"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_a_failed_transfer_is_tried_so_often_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, naps: list[float], failure: Exception
) -> None:
    (tmp_path / "object").write_bytes(b"whole")
    for times in (2, objectstore.ATTEMPTS):
        attempts = Failing(failure, times, lambda path: b"whole")
        monkeypatch.setattr(LocalFileSystem, "cat_file", lambda _fs, path, attempts=attempts: attempts(path))
        if times < objectstore.ATTEMPTS:
            assert objectstore.read_bytes(f"{tmp_path}/object") == b"whole"
            assert attempts.calls == times + 1
        else:
            with pytest.raises(TransportError, match=type(failure).__name__):
                objectstore.read_bytes(f"{tmp_path}/object")
            assert attempts.calls == objectstore.ATTEMPTS
    assert 0 < max(naps) <= objectstore.LONGEST_WAIT_S


class Refuses(BaseHTTPRequestHandler):
    """An S3 that knows the key no longer: what a node sees when its role's credentials have run out."""

    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        body = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
        self.send_response(400)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body * (self.command != "HEAD"))

    do_PUT = do_HEAD = do_GET  # noqa: N815  # names of the standard library's

    def log_message(self, *words: object) -> None:
        """Nothing: the test's output is its own."""


def test_an_expired_credential_is_a_transport_failure(
    s3_server: str, monkeypatch: pytest.MonkeyPatch, naps: list[float]
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
        S3FileSystem.clear_instance_cache()
        for move in (objectstore.read_bytes, lambda url: objectstore.put_once(url, b"x")):
            Refuses.asked = 0
            naps.clear()
            with pytest.raises(TransportError, match=r"(token has expired|Bad Request).*credentials"):
                move("s3://bucket/key")
            assert len(naps) == objectstore.ATTEMPTS - 1
            # botocore asks once more each time, whether the bucket is in another region
            assert Refuses.asked <= 2 * objectstore.ATTEMPTS, "somebody retries behind our back"
        server.shutdown()
    S3FileSystem.clear_instance_cache()


def test_a_full_disk_says_so_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, naps: list[float]
) -> None:
    full = Failing(OSError(errno.ENOSPC, "No space left on device"), 99, os.fsync)
    monkeypatch.setattr(os, "fsync", full)
    for put in (objectstore.put_once, objectstore.put_bytes):
        with pytest.raises(TransportError, match="Free some disk space"):
            put(f"{tmp_path}/big", b"x")
    assert full.calls == 2 * objectstore.ATTEMPTS
    assert list(tmp_path.iterdir()) == []


def test_a_put_whose_answer_was_lost_finds_its_own_bytes(
    root: str, monkeypatch: pytest.MonkeyPatch, naps: list[float]
) -> None:
    """The store did what it was told, and the connection broke before it could say so."""
    pipe, link, lost = S3FileSystem.pipe_file, os.link, []

    def answer_lost(done: Any) -> None:
        if len(lost) < 2:
            lost.append(done)
            raise OSError(errno.ECONNRESET, "connection reset by peer")

    monkeypatch.setattr(S3FileSystem, "pipe_file", lambda *words, **named: answer_lost(pipe(*words, **named)))
    monkeypatch.setattr(os, "link", lambda *words: answer_lost(link(*words)))
    assert objectstore.put_once(f"{root}/phantom", b"mine") is False
    assert len(lost) == 1, "the second attempt must find the first one's object"
    assert objectstore.read_bytes(f"{root}/phantom") == b"mine"
    with pytest.raises(ConflictError):
        objectstore.put_once(f"{root}/phantom", b"other")


def test_a_part_that_fails_is_read_again_and_never_raises_the_stores_own_error(
    s3_server: str, monkeypatch: pytest.MonkeyPatch, naps: list[float]
) -> None:
    url, data = f"{s3_server}/parts", os.urandom(200_000)
    objectstore.put_bytes(url, data)
    fetch = S3File._fetch_range
    for times in (2, objectstore.ATTEMPTS):
        attempts = Failing(PermissionError("expired"), times, fetch)
        monkeypatch.setattr(S3File, "_fetch_range", lambda *words, attempts=attempts: attempts(*words))
        with objectstore.opened(url) as file:
            file.seek(150_000)
            if times < objectstore.ATTEMPTS:
                assert file.read(1000) == data[150_000:151_000]
            else:
                with pytest.raises(TransportError, match="expired"):
                    file.read(1000)
        assert attempts.calls == min(times + 1, objectstore.ATTEMPTS)
