"""The hotspots job on a cluster of two local nodes, one of which is killed in the middle: see `tests.evidence.resume`.

python -m tests.evidence.two_nodes FOLDER RUN_ID
"""

import logging
import sys
import threading
import time

import ray
from ray.cluster_utils import Cluster

from carbonray import demo
from carbonray.catalogue import run_job
from carbonray.io import ledger
from carbonray.settings import DEMO, load

KILL_AFTER = 2  # committed orbits
NODE = {"num_cpus": 2, "object_store_memory": 200 * 2**20}


def main() -> None:
    folder, run_id = sys.argv[1:]
    head = {"num_cpus": 0, "object_store_memory": 100 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    node = cluster.add_node(**NODE)

    ray.init(address=cluster.address, logging_level=logging.WARNING, log_to_driver=False)
    named = [f"inputs.{name}={folder}/world/{path}" for name, path in demo.INPUTS["hotspots"].items()]
    job = threading.Thread(target=run_job, args=("hotspots", load([str(DEMO)], named), folder, run_id))
    try:
        job.start()
        while len(ledger.committed_ids(f"{folder}/{run_id}", "detect")) < KILL_AFTER:
            time.sleep(0.05)
        cluster.remove_node(node, allow_graceful=False)
        cluster.add_node(**NODE)  # sets a signal handler, which only the main thread may
        job.join()
    finally:
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main()
