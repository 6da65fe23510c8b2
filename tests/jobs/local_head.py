"""A local head with token authentication, in a folder of its own, and what submits to it.

Only processes that were started here are ended: nobody else's cluster is touched.
"""

import contextlib
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

BIN = Path(sys.executable).parent
PATIENCE_S = 240.0


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


@contextlib.contextmanager
def started_head(cpus: int = 2) -> Iterator[Head]:
    """A head of its own, in a folder of its own; only processes that were started here are ended."""
    folder = Path(tempfile.mkdtemp(prefix="rh-"))  # short: the sockets' paths have 107 characters at most
    environment = environment_of(folder, secrets.token_hex(32))
    dashboard, agent = free_ports(2)
    words = [
        *("start", "--head", "--block", "--port=0", f"--num-cpus={cpus}", f"--temp-dir={folder}"),
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
