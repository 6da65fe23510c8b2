"""Objects by URL, local (`file://` or a plain path) or on S3 (`s3://`): the only module that knows credentials.

Puts are atomic: a reader sees the whole object or none. Transport errors are retried with back-off here and nowhere
else. Credentials and the endpoint come from the environment, the way botocore reads them (AWS_ACCESS_KEY_ID,
AWS_ENDPOINT_URL, instance roles); they are never part of a setting, a plan or a log line.
"""

import errno
import hashlib
import io
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import fsspec
from botocore.exceptions import BotoCoreError, ClientError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from carbonray.errors import ConflictError, DataError, SettingsError, TransportError

T = TypeVar("T")

ATTEMPTS = 5  # a put or get is tried so often ...
FIRST_WAIT_S = 0.5  # ... with random waits between, of at most so many seconds, twice as many, four times ...
LONGEST_WAIT_S = 8.0  # ... up to these

_again = retry(
    retry=retry_if_exception_type(TransportError),
    stop=stop_after_attempt(ATTEMPTS),
    wait=wait_random_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S),
    reraise=True,
)


def join(url: str, *parts: str) -> str:
    """The URL of something under a folder."""
    return "/".join([url.rstrip("/"), *(part.strip("/") for part in parts)])


def sha256(data: bytes) -> str:
    """Hex digest of some bytes."""
    return hashlib.sha256(data).hexdigest()


def local_path(url: str) -> Path | None:
    """The local path of a URL, or None where it is not local."""
    if url.startswith("file://"):
        return Path(url.removeprefix("file://"))
    return None if "://" in url else Path(url)


def lasting(url: str) -> str:
    """Where a file lies, as tables tell it: one of this machine by its name, so that they are the same elsewhere."""
    path = local_path(url)
    return url if path is None else path.name


def absolute(url: str) -> str:
    """The URL with a local path made absolute, so that it means the same in every process of a run."""
    path = local_path(url)
    return url if path is None else f"file://{path.absolute()}"


@_again
def read_bytes(url: str) -> bytes:
    """The whole object.

    Raises:
        DataError: there is no such object.
        TransportError: it could not be moved, after all attempts.
    """
    return _moved(url, lambda fs, path: bytes(fs.cat_file(path)))


@contextmanager
def opened(url: str, block_bytes: int = 5 * 2**20) -> Iterator[BinaryIO]:
    """A seekable file for reading parts of a large object, such as some row groups of a Parquet table.

    Args:
        url: of the object.
        block_bytes: least that is fetched at once over a network; small where scattered small parts are read.

    Raises:
        DataError: there is no such object.
        TransportError: it could not be opened, or a part of it not read, after all attempts.
    """
    file = _again(lambda: _moved(url, lambda fs, path: fs.open(path, "rb", block_size=block_bytes)))()
    with file, io.BufferedReader(_Parts(url, file)) as parts:
        yield parts


@_again
def read_many(urls: Iterable[str]) -> dict[str, bytes]:
    """Many small objects at once (concurrently on S3), by the URL asked for."""
    wanted = list(urls)
    if not wanted:
        return {}

    def fetch(fs: Any, _path: str) -> dict[str, bytes]:
        paths = [fsspec.core.url_to_fs(url)[1] for url in wanted]
        # by ranges, for `cat` takes a bracket in a folder's name for a glob
        found = fs.cat_ranges(paths, [None] * len(paths), [None] * len(paths), on_error="raise")
        return {url: bytes(data) for url, data in zip(wanted, found, strict=True)}

    return _moved(wanted[0], fetch)


@_again
def put_bytes(url: str, data: bytes) -> None:
    """Puts an object, atomically, over whatever is there."""
    path = local_path(url)
    if path is None:
        _moved(url, lambda fs, key: fs.pipe_file(key, data), writing=True)
    else:
        _moved(url, lambda _fs, _key: _written_beside(path, data).replace(path), writing=True)


def put_once(url: str, data: bytes) -> bool:
    """Puts an immutable object: True where it was created, False where the same bytes are there already.

    A conflict is checked, never believed: the answer to a conditional put that did succeed may have been lost.

    Raises:
        ConflictError: other bytes are there under this key.
    """
    if _created(url, data):
        return True
    present = read_bytes(url)
    if present == data:
        return False
    raise ConflictError(
        "an immutable object exists with other bytes",
        where=url,
        expected=f"sha256 {sha256(data)}, found {sha256(present)}",
        remedy="Two versions of code or inputs share a run id: start a new --run-id.",
    )


def exists(url: str) -> bool:
    """Whether the object is there."""
    return bool(_again(lambda: _moved(url, lambda fs, path: fs.exists(path)))())


@_again
def listing(url: str) -> dict[str, int]:
    """Every object under a folder: key relative to it -> size in bytes, sorted; empty where there is no folder."""

    def walk(fs: Any, path: str) -> dict[str, int]:
        root = path.rstrip("/") + "/"
        found = fs.find(path, detail=True)
        return {name.removeprefix(root): int(info["size"]) for name, info in sorted(found.items()) if name != path}

    return _moved(url, walk)


@_again
def expand(pattern: str) -> list[str]:
    """URLs that a URL or glob stands for, sorted.

    Raises:
        SettingsError: nothing matches.
    """

    def match(fs: Any, path: str) -> list[str]:
        names = [path] if fs.exists(path) else sorted(fs.glob(path))
        return [absolute(name) if local_path(pattern) else fs.unstrip_protocol(name) for name in names]

    urls = _moved(pattern, match)
    if not urls:
        raise SettingsError(
            "no input matches",
            where=pattern,
            expected="a file, a Zarr store or a glob that matches at least one",
            remedy="Check the path, and the credentials where it is on S3.",
        )
    return urls


@_again
def version(url: str) -> tuple[str, int]:
    """(tag, bytes) of an object without reading it: the ETag on S3, size and time of change on a file system.

    A Zarr store is tagged by its own `zarr.json`, which the writer puts last; another folder, such as a SAFE product,
    by all its objects. A fragment (`#ITEM`) names a part of the object.
    """

    def tag(fs: Any, path: str) -> tuple[str, int]:
        info = fs.info(path)
        if info["type"] != "directory":
            return _tag(info), int(info["size"])
        found = fs.find(path, detail=True)
        size = sum(int(each["size"]) for each in found.values())
        if path.endswith(".zarr"):
            return _tag(fs.info(f"{path}/zarr.json")), size
        tags = "\n".join(f"{name.removeprefix(path)} {_tag(each)}" for name, each in sorted(found.items()))
        return sha256(tags.encode())[:32], size

    return _moved(url.partition("#")[0], tag)


def _tag(info: Mapping[str, Any]) -> str:
    changed = info.get("ETag") or info.get("mtime")
    return f"{info['size']}-{str(changed).strip(chr(34))}"


@_again
def _created(url: str, data: bytes) -> bool:
    path = local_path(url)
    try:
        if path is None:
            _moved(url, lambda fs, key: fs.pipe_file(key, data, mode="create"), writing=True)
        else:
            _moved(url, lambda _fs, _key: _link(_written_beside(path, data), path), writing=True)
    except FileExistsError:
        return False
    return True


def _link(written: Path, path: Path) -> None:
    """Gives a written file its name, unless the name is taken: the file system's own conditional put."""
    try:
        os.link(written, path)
    finally:
        written.unlink()


def _written_beside(path: Path, data: bytes) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # a file where the folder should be; nothing to do with this object's name
        raise NotADirectoryError(str(path.parent)) from error
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    return beside


class _Parts(io.RawIOBase):
    """An object that is read piece by piece, each piece a transfer of its own, tried again where it fails."""

    def __init__(self, url: str, file: BinaryIO) -> None:
        self._url, self._file = url, file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any, /) -> int:
        data = _again(lambda: _moved(self._url, lambda _fs, _path: self._file.read(len(buffer))))()
        buffer[: len(data)] = data
        return len(data)


def _moved(url: str, move: Callable[[Any, str], T], *, writing: bool = False) -> T:
    """Runs one transfer, its failures told apart: absent, existing, or not moved."""
    try:
        # a cached listing would hide what other processes have put since
        cache = {} if local_path(url) else {"use_listings_cache": False}
        fs, path = fsspec.core.url_to_fs(url, **cache)
        return move(fs, path)
    except FileExistsError:
        raise
    except (OSError, TimeoutError, BotoCoreError, ClientError) as error:
        if isinstance(error, FileNotFoundError) and not writing:
            raise DataError(
                "there is no such object", where=url, expected="an object", remedy="Check the path or put it back."
            ) from error
        if _code(error) in ("PreconditionFailed", "412"):
            raise FileExistsError(url) from error
        full = getattr(error, "errno", None) == errno.ENOSPC
        raise TransportError(
            f"bytes could not be moved ({type(error).__name__}: {error})",
            where=url,
            expected="a store that answers",
            remedy="Free some disk space." if full else "Check network, endpoint and credentials, then run again.",
        ) from error


def _code(error: BaseException) -> str:
    """S3's own word for a failure; ConditionalRequestConflict, a race without a winner, is to be tried again."""
    for cause in (error, error.__cause__):
        if isinstance(cause, ClientError):
            return str(cause.response.get("Error", {}).get("Code", ""))
    return ""
