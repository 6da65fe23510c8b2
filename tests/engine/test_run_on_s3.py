"""The toy with its inputs and its folder on S3: run, resume, verify, quarantine, and the bytes of a file system."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from carbonray.engine import verify
from carbonray.engine.run import Run, open_run
from carbonray.engine.status import run_status
from carbonray.errors import IncompleteError
from carbonray.execution import EngineRules, WatchRules
from carbonray.io import ledger, objectstore
from tests.engine.toy import reads, toy_pass
from tests.engine.toy_job import committed, kill_when, run_toy, start
from tests.s3_servers import missing_binaries

SERVERS = [
    pytest.param("s3_server", marks=pytest.mark.s3),
    pytest.param("radosgw_server", marks=pytest.mark.radosgw),
]
MEMORY = EngineRules(backend="memory", max_quarantine_rate=0.5, watch=WatchRules(max_passes=1))


@pytest.fixture(params=SERVERS)
def bucket(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def open_toy(out: str, run_id: str = "one") -> Run:
    return open_run(out, run_id, "toy", "d", {}, MEMORY)


def test_the_bytes_on_s3_are_those_on_a_file_system(bucket: str, tmp_path: Path) -> None:
    digests = []
    for out, inputs in ((f"{tmp_path}/out", ""), (bucket, f"{bucket}/inputs")):
        digests.append(run_toy(tmp_path, out, "one", inputs=inputs)["sha256"])
    assert digests[0] == digests[1]
    found = verify.verify(f"{bucket}/one")
    assert (found.complete, found.orphans, found.bad_objects) == (True, (), ())
    assert json.loads(objectstore.read_bytes(f"{bucket}/one/verification.json"))["sha256"] == digests[0]
    before = (len(reads(tmp_path)), objectstore.listing(f"{bucket}/one"))
    run_toy(tmp_path, bucket, "one", inputs=f"{bucket}/inputs")
    assert (len(reads(tmp_path)), objectstore.listing(f"{bucket}/one")) == before


def test_a_run_on_s3_is_resumed_where_it_stopped(bucket: str, tmp_path: Path) -> None:
    whole = toy_pass(tmp_path, [3, 4, 5, 6])
    with pytest.raises(IncompleteError, match="1 of 4 units"):
        open_toy(bucket).execute(replace(whole, read=replace(whole.read, unmoved_on="unit-02")))
    assert [entry["pending"] for entry in run_status(f"{bucket}/one")["passes"]] == [1]
    before = reads(tmp_path)
    resumed = open_toy(bucket)
    resumed.execute(whole)
    assert reads(tmp_path).count("unit-02") == 2
    assert len(reads(tmp_path)) == len(before) + 1
    clean = open_run(str(tmp_path), "clean", "toy", "d", {}, MEMORY)
    clean.execute(whole)
    assert resumed.finish().sha256 == clean.finish().sha256


def test_bad_data_and_damage_are_told_on_s3_as_elsewhere(bucket: str, tmp_path: Path) -> None:
    run = open_toy(bucket)
    run.execute(toy_pass(tmp_path, [3, -1, 5]))
    found = run.finish()
    assert (found.committed, found.quarantined, found.complete) == (2, 1, True)
    with objectstore.opened(f"{bucket}/one/quarantine.parquet") as file:
        rows = pq.read_table(file).to_pylist()
    assert [(row["key"], "negative" in row["reason"]) for row in rows] == [("unit-01", True)]
    objectstore.put_bytes(f"{bucket}/one/numbers/unit-02.f32", b"damage")
    objectstore.put_bytes(f"{bucket}/one/numbers/stray.f32", b"stray")
    found = verify.verify(f"{bucket}/one")
    assert (found.bad_objects, found.orphans) == (("numbers/unit-02.f32",), ("numbers/stray.f32",))


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("bucket", SERVERS[:1] if missing_binaries() else SERVERS[1:], indirect=True)  # the real one
def test_ray_on_s3_is_killed_and_resumed(bucket: str, tmp_path: Path) -> None:
    """Ray's processes find the store by their environment; the driver dies in the middle and another one finishes."""
    ray_on_s3 = ("--backend", "ray", "--seconds", "0.2", "--inputs", f"{bucket}/inputs")
    driver = start(tmp_path, bucket, "one", *ray_on_s3)
    kill_when(driver, tmp_path, lambda: len(ledger.committed_ids(f"{bucket}/one", "double")) >= 4)
    done, before = committed(f"{bucket}/one"), reads(tmp_path)
    facts = run_toy(tmp_path, bucket, "one", inputs=f"{bucket}/inputs")
    assert {key for key in reads(tmp_path) if reads(tmp_path).count(key) > before.count(key)}.isdisjoint(done)
    assert facts["sha256"] == run_toy(tmp_path, f"{tmp_path}/out", "clean")["sha256"]
