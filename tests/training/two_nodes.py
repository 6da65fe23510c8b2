"""Fits on two nodes of a local cluster, one worker on each; then again, one node killed in the middle of an epoch.

python -m tests.training.two_nodes FOLDER

A program of its own, for a process talks to one cluster only. Prints what it measured as JSON: how far two workers are
from one with the same global batch, and what a killed node cost.
"""

import json
import logging
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import torch
from ray.cluster_utils import Cluster

from carbonray.execution import TrainRules
from carbonray.models.fit import Epoch, EpochFit, FitState, Workers, weights_of
from carbonray.models.lockstep import Lockstep, part
from carbonray.training.torch_fit import run_on_train
from tests.training.small_fits import plain, usual

NODE = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
RULES = TrainRules(workers=2, max_failures=3)
EPOCHS, KILLED_IN, LONG_S = 4, 3, 4.0


@dataclass(frozen=True)
class Marked:
    """A fit whose workers say where each of its epochs is fitted; one epoch takes long."""

    fit: EpochFit
    folder: str
    long_epoch: int = 0

    @property
    def name(self) -> str:
        return self.fit.name

    def digest(self) -> str:
        return self.fit.digest()

    def epochs(self, workers: Workers, state: FitState | None = None) -> Iterator[Epoch]:
        running, number = self.fit.epochs(workers, state), state.epoch if state else 0
        while True:
            number += 1
            node = ray.get_runtime_context().get_node_id()
            with (Path(self.folder) / f"marks-{workers.rank}").open("a") as marks:
                marks.write(f"{number} {node}\n")
            if number == self.long_epoch:
                time.sleep(LONG_S)
            epoch = next(running, None)
            if epoch is None:
                return
            yield epoch


def deviation(one: FitState, two: FitState, fits: int) -> dict[str, Any]:
    """Largest difference of a learnt weight and of a score, by fit."""
    told: dict[str, Any] = {}
    for number in range(fits):
        a, b = (weights_of(part(state, number)) for state in (one, two))
        last = [part(state, number).facts["history"][-1] for state in (one, two)]
        learnt = [name for name in a if "running" not in name and a[name].is_floating_point()]
        told[str(number)] = {
            "weights": max((a[name] - b[name]).abs().max().item() for name in learnt),
            "scores": {name: (value, last[1][name]) for name, value in last[0].items() if name != "seconds"},
        }
    return told


def same(one: FitState, two: FitState) -> bool:
    return one.tensors.keys() == two.tensors.keys() and all(
        torch.equal(value, two.tensors[name]) for name, value in one.tensors.items()
    )


def marks(folder: Path, rank: int = 0) -> list[tuple[int, str]]:
    path = folder / f"marks-{rank}"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(int(line.split()[0]), line.split()[1]) for line in lines]


def both(fit: EpochFit, folder: Path, long_epoch: int = 0) -> FitState:
    """The fit on two nodes."""
    folder.mkdir()
    return run_on_train(Marked(fit, str(folder), long_epoch), f"{folder}/states", RULES)


def compared(fit: Lockstep, found: FitState, folder: Path) -> dict[str, Any]:
    """With one worker in this process."""
    *_, alone = fit.epochs(Workers())
    nodes = {node for rank in range(2) for _, node in marks(folder, rank)}
    return deviation(alone.state, found, len(fit.fits)) | {"nodes": len(nodes)}


def kill(cluster: Cluster, node: Any, folder: Path, running: "Future[FitState]") -> None:
    """Kills a node while its worker is in the middle of an epoch, and starts another one."""
    while not running.done() and KILLED_IN not in [number for number, _ in marks(folder)]:
        time.sleep(0.05)
    time.sleep(LONG_S / 4)
    cluster.remove_node(node, allow_graceful=False)
    cluster.add_node(**NODE)


def killed(cluster: Cluster, node: Any, fit: Lockstep, expected: FitState, folder: Path) -> dict[str, Any]:
    # the fit in a thread: Ray starts nodes from the main one only, for they set signal handlers
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(both, fit, folder, KILLED_IN)
        kill(cluster, node, folder, running)
        found = running.result()
    nodes = {where for rank in range(2) for _, where in marks(folder, rank)}
    return {"same": same(found, expected), "epochs": [number for number, _ in marks(folder)], "nodes": len(nodes)}


def main() -> None:
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    head = {"num_cpus": 0, "object_store_memory": 100 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(**NODE) for _ in range(2)]
    ray.init(address=cluster.address, logging_level=logging.WARNING, log_to_driver=False)
    try:
        fits = plain(folder, EPOCHS), usual(folder)
        states = [both(fit, folder / fit.name) for fit in fits]
        told = {fit.name: compared(fit, state, folder / fit.name) for fit, state in zip(fits, states, strict=True)}
        told["killed"] = killed(cluster, nodes[1], fits[0], states[0], folder / "dying")
        print(json.dumps(told), flush=True)
    finally:
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main()
