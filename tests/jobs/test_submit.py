"""Jobs on a local head with token authentication: logs streamed, exit codes kept, strangers refused, resumed."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from carbonray.engine import verify
from carbonray.io import ledger

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]
BIN = Path(sys.executable).parent
PATIENCE_S = 240.0
WORLD = (
    "world.days=6",
    "world.region=[110,30,113,33]",
    "world.sources=2",
    "world.weak_sources=1",
    "engine.read_cpus=1",
)
SETS = tuple(word for text in WORLD for word in ("--set", text))


@dataclass(frozen=True)
class Head:
    """A running head: its dashboard's address and the environment that may speak to it."""

    address: str
    environment: dict[str, str]

    def call(self, *words: str, environment: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """Runs a program of the virtual environment against the head."""
        env = environment or self.environment
        command = [str(BIN / words[0]), *words[1:]]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    def submit(
        self, out: Path, *flags: str, environment: dict[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """`carbonray submit world`."""
        words = ("submit", "world", "--out", str(out), "--run-id", "w", "--address", self.address, *flags)
        return self.call("carbonray", *words, environment=environment)


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def environment_of(folder: Path, token: str) -> dict[str, str]:
    """A token's file, named in an environment that knows no other cluster."""
    path = folder / f"token-{token[:4]}"
    path.write_text(token)
    path.chmod(0o600)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    # RAY_TMPDIR: the file that names the machine's current cluster is then this head's own
    named = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path), "RAY_TMPDIR": str(folder)}
    return {**kept, **named, "PATH": f"{BIN}:{os.environ['PATH']}", "RAY_USAGE_STATS_ENABLED": "0"}


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    """A head of its own, in a folder of its own; only processes that were started here are ended."""
    folder = Path(tempfile.mkdtemp(prefix="rh-"))  # short: the sockets' paths have 107 characters at most
    environment = environment_of(folder, secrets.token_hex(32))
    dashboard, agent = free_ports(2)
    words = [
        *("start", "--head", "--block", "--port=0", "--num-cpus=2", f"--temp-dir={folder}"),
        *("--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"),
        *(f"--dashboard-agent-listen-port={agent}", f"--object-store-memory={100 * 2**20}"),
    ]
    with (folder / "head.log").open("wb") as log:
        process = subprocess.Popen(
            [BIN / "ray", *words], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for(f"http://127.0.0.1:{dashboard}", process, folder / "head.log")
        yield Head(f"http://127.0.0.1:{dashboard}", environment)
    finally:
        end(process, folder)


def wait_for(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            urllib.request.urlopen(f"{address}/api/version", timeout=5)
        except urllib.error.HTTPError:
            return  # it answers: without a token, it refuses
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        else:
            return


def end(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    started = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(2)
    for each in [*started, *(found for found in psutil.process_iter() if str(folder) in words_of(found))]:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    process.kill()
    process.wait(20)
    shutil.rmtree(folder, ignore_errors=True)


def words_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_settings_that_are_wrong_end_a_submitted_job_with_2(head: Head, tmp_path: Path) -> None:
    done = head.submit(tmp_path, "--set", "world.dys=1")
    assert done.returncode == 2, done.stderr
    assert "unknown setting 'world.dys'" in done.stderr, "the job's log is not streamed"


def test_another_token_is_refused(head: Head, tmp_path: Path) -> None:
    stranger = environment_of(tmp_path, secrets.token_hex(32))
    done = head.submit(tmp_path / "out", *SETS, environment=stranger)
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

    done = head.submit(out, *SETS)
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
