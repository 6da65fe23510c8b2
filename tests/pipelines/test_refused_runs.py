"""What ends a hotspots run, and how: bundles that are none, inputs listed twice, a full disk, an expired credential.

Source: LESSONS 5. Each is a message that says what to do and an exit code, and what was committed is kept.
"""

import errno
import json
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
import s3fs
import tenacity.nap
from botocore.exceptions import ClientError
from s3fs.errors import translate_boto_error

from carbonray import cli
from carbonray.catalogue import digest
from carbonray.engine import graph
from carbonray.engine.run import open_run
from carbonray.errors import ContractError, IncompleteError, TransportError
from carbonray.io import ledger, objectstore
from carbonray.pipelines import hotspots
from tests.io.test_model_store import rewrite, sign
from tests.pipelines.small_inputs import Inputs, granule, local, partial, prepare, save_untrained


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between attempts, none of them waited for."""
    waits: list[float] = []
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=waits.append))
    return waits


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    made = prepare(tmp_path_factory.mktemp("refused"))
    made.put("granules/one.nc", granule())
    return made


def command(inputs: Inputs, monkeypatch: pytest.MonkeyPatch, run_id: str, *more: str) -> int:
    """The exit code of `carbonray run hotspots` with some settings changed."""
    flags = [part for text in (*inputs.overrides(), *more) for part in ("--set", text)]
    out = ["--out", str(inputs.folder / "out"), "--run-id", run_id]
    monkeypatch.setattr(sys, "argv", ["carbonray", "run", "hotspots", *out, *flags])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def pickled(folder: Path) -> None:
    weights = pickle.dumps({"weights": [1.0]})
    (folder / "model.safetensors").write_bytes(weights)
    rewrite(str(folder), lambda document: document["weights"].update(sha256=objectstore.sha256(weights)))


def outside(folder: Path) -> None:
    rewrite(str(folder), lambda document: document["weights"].update(file="../../etc/passwd"))


def bomb(folder: Path) -> None:
    sign(str(folder), b"[" * 100_000 + b"]" * 100_000)


def bloated(folder: Path) -> None:
    sign(str(folder), json.dumps({"model": "x" * (1 << 21)}).encode())


def tampered(folder: Path) -> None:
    path = folder / "bundle.json"
    path.write_text(path.read_text().replace("none", "some", 1))


def of_another_shape(folder: Path) -> None:
    rewrite(str(folder), lambda document: document.update(config={"width": 16}))


REFUSED = {
    "a pickle named safetensors": (pickled, "not safetensors"),
    "a path out of the folder": (outside, "points at '../../etc/passwd'"),
    "a JSON bomb": (bomb, "JSON nested 100000 deep"),
    "a bloated manifest": (bloated, "bytes of JSON"),
    "a changed manifest": (tampered, "digest is wrong"),
    "weights of another network": (of_another_shape, "tensors are not the network's"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_bundle_ends_the_command_with_code_2(inputs, tmp_path, monkeypatch, capsys, case):
    spoil, reason = REFUSED[case]
    save_untrained(tmp_path / "bundle")
    spoil(tmp_path / "bundle")
    run_id = f"refused-{list(REFUSED).index(case)}"
    assert command(inputs, monkeypatch, run_id, f"inputs.bundles={tmp_path}/bundle") == 2
    said = capsys.readouterr().err
    assert reason in said and "ContractError" in said and "Traceback" not in said
    assert not (inputs.folder / "out" / run_id / "partials").exists()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("inputs.weather=[]", "reads the wind, and no weather is given"),
        ("inputs.tropomi=[]", "no granules are given"),
        ("inputs.tropomi=nowhere/*.nc", "no input matches"),
        ("hotspots.tiles.tile=64", "unknown setting 'hotspots.tiles.tile'"),
        ("hotspots.cut=high", "hotspots.cut = 'high'"),
    ],
)
def test_settings_that_cannot_work_end_the_command_with_code_2(inputs, monkeypatch, capsys, setting, said):
    assert command(inputs, monkeypatch, "settings", setting) == 2
    assert said in capsys.readouterr().err


def test_a_granule_listed_twice_ends_the_command_with_code_2(inputs, monkeypatch, capsys):
    inputs.put("again/one.nc", granule())
    listed = f"inputs.tropomi=[{inputs.folder}/granules/one.nc, {inputs.folder}/again/one.nc]"
    assert command(inputs, monkeypatch, "twice", listed) == 2
    said = capsys.readouterr().err
    assert "two work units share the key 'one'" in said and "Leave one of the two inputs out" in said


def test_the_very_same_url_twice_is_refused_too(inputs):
    with pytest.raises(ContractError, match="share the key"):
        inputs.run(
            "same", "granules/*.nc", f"inputs.tropomi=[{inputs.folder}/granules/one.nc, {inputs.folder}/granules/*.nc]"
        )


def test_an_orbit_dispatched_twice_commits_once(inputs):
    settings = inputs.settings()
    found = digest("hotspots", settings)
    run = open_run(str(inputs.folder / "out"), "dispatched", "hotspots", found, {}, settings.engine)
    units = hotspots.plan(settings, found)
    pass_ = hotspots.detect_pass(units, settings, hotspots.bundle_of(settings))
    first, second = (next(iter(graph.run_in_memory(pass_, run.url, units))) for _ in range(2))
    assert (first.status, first.new) == ("committed", True)
    assert (second.status, second.new) == ("committed", False)
    assert len(ledger.read(run.url, "detect")) == 1


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No room for partials; small files still fit."""
    beside = objectstore._written_beside

    def written(path: Path, data: bytes) -> Path:
        if path.parent.name == "partials":
            raise OSError(errno.ENOSPC, "No space left on device")
        return beside(path, data)

    monkeypatch.setattr(objectstore, "_written_beside", written)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_the_run_incomplete_with_code_4(inputs, monkeypatch, capsys, naps, caplog):
    assert command(inputs, monkeypatch, "full") == 4
    said = capsys.readouterr().err
    assert "1 of 1 units of pass 'detect' are not committed" in said and "what is committed is kept" in said
    assert "No space left on device" in caplog.text and "Free some disk space" in caplog.text
    assert len(naps) == objectstore.ATTEMPTS - 1
    assert json.loads((inputs.folder / "out/full/run.json").read_text())["status"] == "failed"
    monkeypatch.undo()
    healed, clean = inputs.run("full"), inputs.run("never-full")
    assert healed.facts["sha256"] == clean.facts["sha256"]
    assert healed.facts["units"]["quarantined"] == 0


@pytest.mark.s3
def test_an_expired_credential_is_no_bad_data(inputs, s3_server, monkeypatch, naps):
    url = objectstore.join(s3_server, "granules/one.nc")
    objectstore.put_bytes(url, granule())
    call = s3fs.S3FileSystem._call_s3

    async def expired(self, method, *args, **kwargs):
        if method == "get_object":
            refused = {"Error": {"Code": "ExpiredToken", "Message": "The provided token has expired."}}
            raise translate_boto_error(ClientError(refused, "GetObject"))
        return await call(self, method, *args, **kwargs)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", expired)
    with pytest.raises(IncompleteError, match="'detect' are not committed"):
        inputs.run("expired", "granules/*.nc", f"inputs.tropomi={url}")
    assert len(naps) == objectstore.ATTEMPTS - 1
    with pytest.raises(TransportError, match="Check network, endpoint and credentials"):
        objectstore.read_bytes(url)
    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", call)
    healed = inputs.run("expired", "granules/*.nc", f"inputs.tropomi={url}")
    assert len(pq.read_table(local(healed) / "quarantine.parquet")) == 0
    assert partial(healed, "one").equals(partial(inputs.run("from-disk"), "one"))
