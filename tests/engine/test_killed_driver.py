"""The driver is killed, at random moments and at each step; the same command again gives the bytes of a clean run."""

import random
from pathlib import Path

import pytest

from carbonray.engine import verify
from tests.engine import toy_job
from tests.engine.toy import reads
from tests.engine.toy_job import COUNTS, committed, kill_when, run_toy, start


@pytest.fixture(scope="module")
def clean_sha256(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("clean")
    return str(run_toy(folder, f"{folder}/out", "clean")["sha256"])


def finish_and_prove(folder: Path, clean_sha256: str, before: set[str], read_before: list[str]) -> None:
    """Runs the killed run again in this process, and holds it against the laws of a resume."""
    facts = run_toy(folder, f"{folder}/out", "killed")
    found = verify.verify(f"{folder}/out/killed")
    assert facts["status"] == "complete"
    assert (found.sha256, found.complete, found.committed) == (clean_sha256, True, len(COUNTS))
    read_again = set(reads(folder)[:]) if not read_before else _new(reads(folder), read_before)
    assert not read_again & before, "a committed unit was read again"


def _new(now: list[str], before: list[str]) -> set[str]:
    return {key for key in set(now) if now.count(key) > before.count(key)}


@pytest.mark.parametrize("step", ["plan", "commit", "verify", "publish", "done"])
def test_killed_at_each_step(tmp_path: Path, clean_sha256: str, step: str) -> None:
    driver = start(tmp_path, f"{tmp_path}/out", "killed", "--stop-at", step)
    kill_when(driver, tmp_path, (tmp_path / "stopped").exists)
    done = committed(f"{tmp_path}/out/killed")
    assert len(done) == {"plan": 0, "commit": 7}.get(step, len(COUNTS))
    finish_and_prove(tmp_path, clean_sha256, done, reads(tmp_path))


@pytest.mark.ray
@pytest.mark.slow
def test_killed_at_random_moments_on_ray(tmp_path: Path, clean_sha256: str) -> None:
    """Three drivers die one after another, at a read, inside a commit and at a commit; the fourth finishes."""
    rng, out = random.Random(2021), f"{tmp_path}/out"
    run_url = f"{out}/killed"
    first, third = rng.randrange(1, 5), rng.randrange(3, 6)
    done: set[str] = set()
    for flags, ready in (
        ((), lambda: len(reads(tmp_path)) >= first),
        (("--stop-at", "commit"), (tmp_path / "stopped").exists),
        ((), lambda: len(committed(run_url)) >= min(len(done) + third, len(COUNTS) - 1)),
    ):
        before, read_before = done, reads(tmp_path)
        kill_when(start(tmp_path, out, "killed", "--backend", "ray", "--seconds", "0.3", *flags), tmp_path, ready)
        done = committed(run_url)
        assert not _new(reads(tmp_path), read_before) & before, "a committed unit was read again"
        assert before <= done
    assert 0 < len(done) < len(COUNTS)
    read_before = reads(tmp_path)
    driver = start(tmp_path, out, "killed", "--backend", "ray")
    assert driver.wait(toy_job.PATIENCE_S) == 0, (tmp_path / "driver.log").read_text()[-3000:]
    assert (tmp_path / "driver.log").read_text().split()[-1] == clean_sha256
    assert not _new(reads(tmp_path), read_before) & done, "a committed unit was read again"
    finish_and_prove(tmp_path, clean_sha256, set(committed(run_url)), reads(tmp_path))
