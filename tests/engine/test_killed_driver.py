"""The driver is killed, at random moments and at each step; the same command again gives the bytes of a clean run."""

import random
from pathlib import Path

import pytest

from carbonray.engine import verify
from carbonray.io import ledger
from tests.engine.toy import reads
from tests.engine.toy_job import COUNTS, committed, kill_when, run_toy, start


@pytest.fixture(scope="module")
def clean_sha256(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("clean")
    return str(run_toy(folder, f"{folder}/out", "clean")["sha256"])


def read_since(folder: Path, before: list[str]) -> set[str]:
    """Keys read since the marks were `before`."""
    now = reads(folder)
    return {key for key in now if now.count(key) > before.count(key)}


def finish_and_prove(folder: Path, clean_sha256: str) -> None:
    """Runs the killed run again in this process, and holds it against the laws of a resume."""
    done, read_before = committed(f"{folder}/out/killed"), reads(folder)
    facts = run_toy(folder, f"{folder}/out", "killed")
    found = verify.verify(f"{folder}/out/killed")
    assert facts["status"] == "complete"
    assert (found.sha256, found.complete, found.committed) == (clean_sha256, True, len(COUNTS))
    every = {f"unit-{number:02d}" for number in range(len(COUNTS))}
    assert read_since(folder, read_before) == every - done, (
        "what was committed is not read again, and nothing else is left out"
    )


@pytest.mark.parametrize("step", ["plan", "commit", "verify", "publish", "done"])
def test_killed_at_each_step(tmp_path: Path, clean_sha256: str, step: str) -> None:
    driver = start(tmp_path, f"{tmp_path}/out", "killed", "--stop-at", step)
    kill_when(driver, tmp_path, (tmp_path / "stopped").exists)
    assert len(committed(f"{tmp_path}/out/killed")) == {"plan": 0, "commit": 7}.get(step, len(COUNTS))
    finish_and_prove(tmp_path, clean_sha256)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(900)  # three starts of Ray, each of which takes minutes on a crowded machine
def test_killed_at_random_moments_on_ray(tmp_path: Path, clean_sha256: str) -> None:
    """Three drivers die one after another, at a read, inside a commit and between commits; the fourth finishes."""
    rng, out, run_url = random.Random(2021), f"{tmp_path}/out", f"{tmp_path}/out/killed"
    first, third = rng.randrange(1, 5), rng.randrange(1, 4)
    done: set[str] = set()
    moments = (
        ((), lambda: len(reads(tmp_path)) >= first),
        (("--stop-at", "commit"), (tmp_path / "stopped").exists),
        ((), lambda: len(ledger.committed_ids(run_url, "double")) >= len(done) + third),
    )
    for flags, ready in moments:
        before, read_before = done, reads(tmp_path)
        kill_when(start(tmp_path, out, "killed", "--backend", "ray", "--seconds", "0.2", *flags), tmp_path, ready)
        done = committed(run_url)
        assert before <= done
        assert not read_since(tmp_path, read_before) & before, "a committed unit was read again"
    assert 0 < len(done) < len(COUNTS)
    finish_and_prove(tmp_path, clean_sha256)
