"""Jobs on a local head with token authentication: logs streamed, exit codes kept, strangers refused, resumed."""

import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from carbonray.engine import verify
from carbonray.io import ledger
from tests.jobs.local_head import PATIENCE_S, Head, environment_of, started_head

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]
WORLD = (
    "world.days=6",
    "world.region=[110,30,113,33]",
    "world.sources=2",
    "world.weak_sources=1",
    "engine.read_cpus=1",
)
SETS = tuple(word for text in WORLD for word in ("--set", text))


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    with started_head() as head:
        yield head


def submitted(
    head: Head, out: Path, *flags: str, environment: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """`carbonray submit world`."""
    words = ("submit", "world", "--out", str(out), "--run-id", "w", "--address", head.address, *flags)
    return head.call("carbonray", *words, environment=environment)


def test_settings_that_are_wrong_end_a_submitted_job_with_2(head: Head, tmp_path: Path) -> None:
    done = submitted(head, tmp_path, "--set", "world.dys=1")
    assert done.returncode == 2, done.stderr
    assert "unknown setting 'world.dys'" in done.stderr, "the job's log is not streamed"


def test_another_token_is_refused(head: Head, tmp_path: Path) -> None:
    stranger = environment_of(tmp_path, secrets.token_hex(32))
    done = submitted(head, tmp_path / "out", *SETS, environment=stranger)
    assert done.returncode == 1, done.stderr
    assert "TransportError" in done.stderr
    assert "RAY_AUTH_TOKEN_PATH" in done.stderr
    assert not (tmp_path / "out").exists()
    assert not any(word in done.stderr for word in (secret_of(head.environment), secret_of(stranger))), (
        "a secret is told"
    )


def secret_of(environment: dict[str, str]) -> str:
    return Path(environment["RAY_AUTH_TOKEN_PATH"]).read_text()


def test_a_stopped_job_submitted_again_resumes(head: Head, tmp_path: Path) -> None:
    """Submitted with Ray's own command and stopped with it; `carbonray submit` of the same run finishes it."""
    out, run_url = tmp_path / "out", f"{tmp_path}/out/w"
    job = ("python", "-m", "jobs.world", "--out", str(out), "--run-id", "w", *SETS)
    done = head.call(
        "ray", "job", "submit", "--address", head.address, "--no-wait", "--submission-id", "one", "--", *job
    )
    assert done.returncode == 0, done.stderr
    wait_for_commits(run_url, 2)
    done = head.call("ray", "job", "stop", "--address", head.address, "one")
    assert done.returncode == 0, done.stderr
    assert "stopped" in (done.stdout + done.stderr).lower()
    committed = len(ledger.committed_ids(run_url, "world"))

    done = submitted(head, out, *SETS)
    assert done.returncode == 0, done.stderr
    assert '"event": "pass finished"' in done.stderr
    facts = json.loads((out / "w" / "run.json").read_text())
    assert facts["status"] == "complete"
    assert facts["passes"][-1]["committed_before"] >= committed >= 2
    assert verify.verify(run_url).complete

    done = head.call("ray", "job", "submit", "--address", head.address, "--", *job)
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stdout + done.stderr, "Ray's own command streams the log too"


def wait_for_commits(run_url: str, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while len(ledger.committed_ids(run_url, "world")) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)
