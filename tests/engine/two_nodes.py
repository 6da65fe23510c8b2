"""The toy on a cluster of two local nodes, one of which is killed in the middle of the pass.

python -m tests.engine.two_nodes FOLDER OUT RUN_ID

A program of its own, for a process talks to one cluster only. All work runs on the second node; when some units are
committed its raylet is killed, with every task and actor on it, and a third node comes instead. The driver and the
pass's runner may be anywhere.
"""

import logging
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from carbonray.io import ledger
from tests.engine.toy_job import run_toy

KILL_AFTER = 3  # committed units
NODE = {"num_cpus": 2, "object_store_memory": 100 * 2**20}


def wait_for_commits(run_url: str, running: "Future[dict[str, Any]]") -> int:
    while (count := len(ledger.committed_ids(run_url, "double"))) < KILL_AFTER and not running.done():
        time.sleep(0.02)
    return count


def main() -> None:
    folder, out, run_id = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    head = {"num_cpus": 0, "object_store_memory": 100 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    node = cluster.add_node(**NODE)
    ray.init(address=cluster.address, logging_level=logging.WARNING, log_to_driver=False)
    try:
        # the job in a thread: Ray starts nodes from the main one only, for they set signal handlers
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(run_toy, folder, out, run_id, backend="ray", seconds=0.3)
            count = wait_for_commits(f"{out}/{run_id}", running)
            cluster.remove_node(node, allow_graceful=False)
            cluster.add_node(**NODE)
            facts = running.result()
        print(f"killed a node after {count} commits", facts["sha256"], flush=True)
    finally:
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main()
