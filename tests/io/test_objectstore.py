"""The laws of a store, the same on a file system and on S3: atomic, put once, told apart failures, stubborn retries."""

import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import ConflictError, DataError, SettingsError
from carbonray.io import objectstore


def test_an_object_is_put_once_and_its_bytes_may_come_again(root: str) -> None:
    url = f"{root}/a/unit.parquet"
    assert objectstore.put_once(url, b"one")
    assert not objectstore.put_once(url, b"one")
    with pytest.raises(ConflictError, match="other bytes"):
        objectstore.put_once(url, b"two")
    assert objectstore.read_bytes(url) == b"one"


def test_of_many_threads_with_the_same_bytes_exactly_one_creates(root: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda _: objectstore.put_once(f"{root}/race/same", b"x" * 100_000), range(16)))
    assert sorted(created) == [False] * 15 + [True]


def test_of_many_threads_with_other_bytes_exactly_one_wins(root: str) -> None:
    def put(number: int) -> bytes | None:
        data = b"%d" % number * 1000
        try:
            return data if objectstore.put_once(f"{root}/race/other", data) else None
        except ConflictError:
            return None

    with ThreadPoolExecutor(8) as pool:
        winners = [data for data in pool.map(put, range(16)) if data is not None]
    assert winners == [objectstore.read_bytes(f"{root}/race/other")]


def python(code: str, *arguments: str) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


PUT_AT_THE_SIGNAL = """
import sys
from carbonray.io import objectstore
print("ready", flush=True)
sys.stdin.readline()
print(objectstore.put_once(sys.argv[1], b"same" * 50_000))
"""


def test_of_many_processes_exactly_one_creates(root: str) -> None:
    writers = [python(PUT_AT_THE_SIGNAL, f"{root}/race/processes") for _ in range(3)]
    assert all(writer.stdout and writer.stdout.readline() for writer in writers)
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    answers = [writer.communicate(timeout=60)[0].strip() for writer in writers]
    assert sorted(answers) == ["False", "False", "True"]


STOP_BEFORE_THE_LAST_STEP = """
import os, sys, time
from s3fs import S3FileSystem
from s3fs.core import S3File
from carbonray.io import objectstore

def stop(*_):
    print("all bytes are out", flush=True)
    time.sleep(600)

calls = S3FileSystem._call_s3
async def call(self, method, *arguments, **named):
    return stop() if method == "complete_multipart_upload" else await calls(self, method, *arguments, **named)

S3FileSystem._call_s3 = call
S3FileSystem._pipe_file.__defaults__ = (5 * 2**20, None, "overwrite")  # parts so small that there are several
os.link = os.replace = stop
objectstore.put_once(sys.argv[1], bytes(11 * 2**20))
"""


def test_a_writer_killed_before_its_last_step_leaves_nothing_to_see(root: str) -> None:
    url = f"{root}/killed/unit.parquet"
    writer = python(STOP_BEFORE_THE_LAST_STEP, url)
    assert writer.stdout
    assert writer.stdout.readline().strip() == "all bytes are out"
    writer.send_signal(signal.SIGKILL)
    assert writer.wait(30) == -signal.SIGKILL
    assert not objectstore.exists(url)
    assert objectstore.put_once(url, b"the next writer's"), "what the dead writer left is in the way"
    assert objectstore.read_bytes(url) == b"the next writer's"


def test_what_is_absent_is_bad_data_and_never_retried(root: str, naps: list[float]) -> None:
    for absent in (objectstore.read_bytes, objectstore.version, lambda url: objectstore.read_many([url])):
        with pytest.raises(DataError, match="no such object"):
            absent(f"{root}/nothing")
    with pytest.raises(DataError, match="no such object"), objectstore.opened(f"{root}/nothing"):
        pass
    assert not objectstore.exists(f"{root}/nothing")
    assert objectstore.listing(f"{root}/nothing") == {}
    assert naps == []


def test_listing_is_relative_sorted_and_never_stale(root: str) -> None:
    for name in ("b/2", "a", "b/1"):
        objectstore.put_bytes(f"{root}/deep/{name}", name.encode())
    assert objectstore.listing(f"{root}/deep") == {"a": 1, "b/1": 3, "b/2": 3}
    assert list(objectstore.listing(f"{root}/deep")) == ["a", "b/1", "b/2"]
    code = "import sys; from carbonray.io import objectstore; objectstore.put_bytes(sys.argv[1], b'!')"
    assert python(code, f"{root}/deep/b/other").wait(60) == 0
    assert objectstore.exists(f"{root}/deep/b/other"), "another process's object is not seen"
    assert "b/other" in objectstore.listing(f"{root}/deep")


def test_globs_expand_sorted_to_whole_urls(root: str) -> None:
    names = ("g/2.nc", "g/1.nc", "g/1.csv", "h[1]/3.nc")
    for name in names:
        objectstore.put_bytes(f"{root}/{name}", b"x")
    assert objectstore.expand(f"{root}/g/*.nc") == [f"{root}/g/1.nc", f"{root}/g/2.nc"]
    assert objectstore.expand(f"{root}/g/1.csv") == [f"{root}/g/1.csv"]
    assert objectstore.expand(f"{root}/h[1]/3.nc") == [f"{root}/h[1]/3.nc"], "a bracket in a name is no glob"
    assert objectstore.read_many([f"{root}/h[1]/3.nc"]) == {f"{root}/h[1]/3.nc": b"x"}
    with pytest.raises(SettingsError, match="no input matches"):
        objectstore.expand(f"{root}/g/*.tif")


def test_a_version_changes_with_the_object_and_with_a_stores_marker(root: str) -> None:
    url = f"{root}/granule.nc"
    objectstore.put_bytes(url, b"one")
    first = objectstore.version(url)
    assert first == objectstore.version(url)
    assert first[1] == 3
    objectstore.put_bytes(url, b"other")
    assert objectstore.version(url) != first
    objectstore.put_bytes(f"{root}/swath.zarr/no2/c/0", b"12345")
    with pytest.raises(DataError, match=r"swath\.zarr"):
        objectstore.version(f"{root}/swath.zarr")
    objectstore.put_bytes(f"{root}/swath.zarr/zarr.json", b"{}")
    tag, size = objectstore.version(f"{root}/swath.zarr")
    assert (tag, size) == (objectstore.version(f"{root}/swath.zarr/zarr.json")[0], 7)


def test_a_product_that_is_a_folder_changes_with_any_of_its_objects_and_an_item_with_its_file(root: str) -> None:
    objectstore.put_bytes(f"{root}/scene.SAFE/B02.jp2", b"12345")
    objectstore.put_bytes(f"{root}/scene.SAFE/MTD.xml", b"12")
    first = objectstore.version(f"{root}/scene.SAFE")
    assert first == objectstore.version(f"{root}/scene.SAFE")
    assert first[1] == 7
    objectstore.put_bytes(f"{root}/scene.SAFE/B02.jp2", b"123456")
    assert objectstore.version(f"{root}/scene.SAFE")[0] != first[0]
    objectstore.put_bytes(f"{root}/items.json", b"{}")
    assert objectstore.version(f"{root}/items.json#one") == objectstore.version(f"{root}/items.json")


@given(st.binary(max_size=3000), st.integers(0, 3000), st.integers(1, 700))
def test_parts_of_an_opened_object_are_its_bytes(data: bytes, start: int, length: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        objectstore.put_bytes(f"{folder}/object", data)
        with objectstore.opened(f"{folder}/object") as file:
            file.seek(start)
            assert file.read(length) == data[start : start + length]
