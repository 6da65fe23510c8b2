"""The toy on a cluster of two local nodes, one of which is killed in the middle of the pass.

python -m tests.engine.two_nodes FOLDER OUT RUN_ID

A program of its own, for a process talks to one cluster only. All work runs on the second node; when some units are
committed its raylet is killed, with every task and actor on it, and a third node comes instead. The driver and the
pass's runner may be anywhere.
"""

import logging
import sys
import threading
import time
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from tests.engine.toy_job import committed, run_toy

KILL_AFTER = 3  # committed units


def replace_node(cluster: Cluster, node: object, run_url: str) -> None:
    """Kills a node once it has committed some units, and adds another."""
    while len(committed(run_url)) < KILL_AFTER:
        time.sleep(0.02)
    cluster.remove_node(node, allow_graceful=False)
    print(f"killed a node after {len(committed(run_url))} commits", flush=True)
    cluster.add_node(num_cpus=2, object_store_memory=100 * 2**20)


def main() -> None:
    folder, out, run_id = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    head = {"num_cpus": 0, "object_store_memory": 100 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    node = cluster.add_node(num_cpus=2, object_store_memory=100 * 2**20)
    try:
        ray.init(address=cluster.address, logging_level=logging.WARNING, log_to_driver=False)
        killer = threading.Thread(target=replace_node, args=(cluster, node, f"{out}/{run_id}"), daemon=True)
        killer.start()
        facts = run_toy(folder, out, run_id, backend="ray", seconds=0.3)
        killer.join(timeout=60)
        print(facts["sha256"], facts["passes"][-1]["attempts_ended"], flush=True)
    finally:
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main()
