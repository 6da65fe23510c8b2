"""Checkpoints of a fit under a URL: after every epoch the state to go on from, so that a killed fit loses one epoch.

Source: HOUSE, kill and resume. Tensors and JSON are two objects, so epochs take turns in two places and the JSON, put
last, names the tensors it belongs to by their checksum: whenever a fit is killed, one whole state is there.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import safetensors.torch

from carbonray.io import objectstore
from carbonray.models.fit import EpochFit, FitState, Workers

FACTS = "state.json"
RunFit = Callable[[EpochFit, str], FitState]


@dataclass(frozen=True)
class FitCheckpoints:
    """The checkpoints of one fit.

    Attributes:
        url: folder.
        digest: of everything that can change the fit; a state of another digest is not gone on from.
    """

    url: str
    digest: str

    def put(self, state: FitState) -> None:
        """Keeps a state."""
        name, data = f"state-{state.epoch % 2}.safetensors", safetensors.torch.save(state.tensors)
        facts = {"digest": self.digest, "epoch": state.epoch, "facts": state.facts, "tensors": name}
        objectstore.put_bytes(objectstore.join(self.url, name), data)
        told = json.dumps(facts | {"sha256": objectstore.sha256(data)}, sort_keys=True)
        objectstore.put_bytes(objectstore.join(self.url, FACTS), told.encode())

    def history(self) -> list[dict[str, float]]:
        """Metrics of every epoch kept so far, without the tensors; whoever waits for a fit elsewhere looks here."""
        told = self._told()
        return list(told["facts"].get("history", [])) if told else []

    def read(self) -> FitState | None:
        """The last state kept, None where there is none of this fit."""
        told = self._told()
        if told is None:
            return None
        data = objectstore.read_bytes(objectstore.join(self.url, told["tensors"]))
        if objectstore.sha256(data) != told["sha256"]:
            return None
        return FitState(told["epoch"], safetensors.torch.load(data), told["facts"])

    def _told(self) -> dict[str, Any] | None:
        """What the last state says of itself, None where there is none of this fit."""
        url = objectstore.join(self.url, FACTS)
        told = json.loads(objectstore.read_bytes(url)) if objectstore.exists(url) else {}
        return told if told.get("digest") == self.digest else None


def run_here(
    fit: EpochFit, url: str, *, device: str = "cpu", on_epoch: Callable[[dict[str, float]], None] | None = None
) -> FitState:
    """Runs a fit in this process, going on from its last checkpoint, and keeps one an epoch.

    Args:
        fit: the fit.
        url: folder of its checkpoints.
        device: 'cpu' or 'cuda'.
        on_epoch: called with the metrics of every epoch in order, first with those that were fitted before.

    Returns:
        The state after the last epoch.
    """
    kept, tell = FitCheckpoints(url, fit.digest()), on_epoch or _silent
    state = kept.read() or FitState()
    for metrics in state.facts.get("history", []):
        tell(metrics)
    for epoch in fit.epochs(Workers(device=device), state if state.epoch else None):
        state = epoch.state
        kept.put(state)
        tell(epoch.metrics)
    return state


def _silent(_metrics: dict[str, float]) -> None:
    """Nobody is told."""
