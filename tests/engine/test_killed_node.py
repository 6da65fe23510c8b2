"""A node dies with everything on it, and the pass's own runner dies: nothing is lost, and the bytes are the same."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from carbonray.engine import verify
from carbonray.io import ledger
from tests.engine.toy import reads
from tests.engine.toy_job import COUNTS, PATIENCE_S, run_toy

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def clean_sha256(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("clean")
    return str(run_toy(folder, f"{folder}/out", "clean")["sha256"])


def test_a_killed_node_loses_nothing(tmp_path: Path, clean_sha256: str) -> None:
    words = [sys.executable, "-m", "tests.engine.two_nodes", str(tmp_path), f"{tmp_path}/out", "node"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=5 * PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "killed a node after" in done.stdout
    found = verify.verify(f"{tmp_path}/out/node")
    assert (found.complete, found.committed, found.sha256) == (True, len(COUNTS), clean_sha256)
    assert clean_sha256 in done.stdout.split()  # the two threads print in either order


def test_a_killed_runner_is_replaced_and_reads_no_committed_unit_again(
    ray_local: None, tmp_path: Path, clean_sha256: str
) -> None:
    """The actor that owns the graph takes its tasks and pools with it; what is uncommitted is planned again."""
    at_death: list[tuple[set[str], list[str]]] = []

    def kill() -> None:
        while len(ledger.committed_ids(f"{tmp_path}/out/runner", "double")) < 3:
            time.sleep(0.02)
        [runner] = [found for found in psutil.Process().children(recursive=True) if "_Runner" in found.name()]
        runner.kill()
        at_death.append((ledger.committed_ids(f"{tmp_path}/out/runner", "double"), reads(tmp_path)))

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    facts = run_toy(tmp_path, f"{tmp_path}/out", "runner", backend="ray", seconds=0.3)
    killer.join(PATIENCE_S)
    assert at_death, "no runner was found to kill"
    assert facts["sha256"] == clean_sha256
    assert facts["passes"][-1]["attempts_ended"] == 1
    done, before = at_death[0]
    keys = {commit.unit_id: commit.key for commit in ledger.read(f"{tmp_path}/out/runner", "double").values()}
    again = {key for key in reads(tmp_path) if reads(tmp_path).count(key) > before.count(key)}
    assert again.isdisjoint(keys[unit_id] for unit_id in done)
