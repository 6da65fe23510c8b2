"""Checkpoints of a fit under a URL: after every epoch the state to go on from, so that a killed fit loses one epoch.

Source: HOUSE, kill and resume. Tensors and JSON are two objects, so epochs take turns in two places and the JSON, put
last, names the tensors it belongs to by their checksum: whenever a fit is killed, one whole state is there.
"""

import json
from dataclasses import dataclass

import safetensors.torch

from carbonray.io import objectstore
from carbonray.models.fit import FitState

FACTS = "state.json"


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

    def read(self) -> FitState | None:
        """The last state kept, None where there is none of this fit."""
        url = objectstore.join(self.url, FACTS)
        if not objectstore.exists(url):
            return None
        told = json.loads(objectstore.read_bytes(url))
        if told["digest"] != self.digest:
            return None
        data = objectstore.read_bytes(objectstore.join(self.url, told["tensors"]))
        if objectstore.sha256(data) != told["sha256"]:
            return None
        return FitState(told["epoch"], safetensors.torch.load(data), told["facts"])
