"""GraphSAGE on the graph of adjacent cells: each takes in the mean of its eight neighbours, layer upon layer.

Source: Hamilton, Ying and Leskovec 2017 (arXiv 1706.02216), mean aggregator: h' = ReLU(W1 h + W2 mean(h of
neighbours)). OpenCarbon's paper names only the family; layers and fit are inferred (SCIENCE 1.5). The whole graph is
one batch: features (n, f) of all cells, neighbours (n, 8) as positions among them, -1 for none. Features of every cell
are read, labels of training and validation cells only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from carbonray.errors import DataError
from carbonray.models.fit_tensors import plain_copy
from carbonray.science.stats.metrics import r2

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GraphSageRules:
    """Shape and fit of the peer; all inferred.

    Attributes:
        hidden: length of a cell's vector between layers.
        layers: as many rings of neighbours have a say.
        dropout: before every layer.
        epochs: most steps, each over the whole graph.
        learning_rate: Adam's step size.
        weight_decay: of Adam.
        patience: steps without a better validation R2 that end the fit.
        seed: of first weights and dropout.
    """

    hidden: int = 64
    layers: int = 2
    dropout: float = 0.2
    epochs: int = 500
    learning_rate: float = 1e-2
    weight_decay: float = 5e-4
    patience: int = 50
    seed: int = 42


class SageLayer(nn.Module):
    """W1 h + W2 (mean of the neighbours' h) + b; a cell without neighbours takes in zeros."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.own = nn.Linear(before, after)
        self.around = nn.Linear(before, after, bias=False)

    def forward(self, h: Tensor, neighbors: Tensor) -> Tensor:
        """(n, before) and (n, k) positions, -1 for none -> (n, after)."""
        out: Tensor = self.own(h) + self.around(neighbor_mean(h, neighbors))
        return out


class GraphSage(nn.Module):
    """Layers of SAGE, ReLU and dropout between them; the last answers with one number a cell."""

    def __init__(self, features: int, rules: GraphSageRules) -> None:
        super().__init__()
        widths = (features, *([rules.hidden] * (rules.layers - 1)), 1)
        self.layers = nn.ModuleList(SageLayer(a, b) for a, b in pairwise(widths))
        self.dropout = rules.dropout

    def forward(self, features: Tensor, neighbors: Tensor) -> Tensor:
        """(n, f) and (n, k) -> (n,)."""
        h = features
        for number, layer in enumerate(self.layers):
            h = functional.dropout(torch.relu(h) if number else h, self.dropout, self.training)
            h = layer(h, neighbors)
        return h[:, 0]


def neighbor_mean(h: Tensor, neighbors: Tensor) -> Tensor:
    """(n, f) and (n, k) positions, -1 for none -> (n, f) means over the neighbours there are; zeros where none is."""
    total = torch.zeros_like(h)
    for place in neighbors.T:  # one column at a time: (n, k, f) at once is large on a large graph
        total = total + torch.where((place >= 0)[:, None], h[place.clamp(min=0)], 0.0)
    return total / (neighbors >= 0).sum(1, keepdim=True).clamp(min=1)


@dataclass(frozen=True)
class GraphPeer:
    """A fitted GraphSAGE, with the scaling of its training cells.

    Attributes:
        network: at its best validation.
        mean: (f,) of the features over the training cells.
        sd: (f,) likewise; 1 where a feature does not vary.
        ln_mean: of ln E over the training cells.
        history: validation R2 after each step.
    """

    network: GraphSage
    mean: Floats
    sd: Floats
    ln_mean: float
    history: tuple[float, ...] = ()

    def answer(self, features: Floats, neighbors: NDArray[np.int64]) -> Floats:
        """(n, f) and (n, k) of any city -> (n,) ln E."""
        self.network.eval()
        with torch.inference_mode():
            found = self.network(self.scaled(features), torch.from_numpy(neighbors))
        return np.asarray(found.double().numpy() + self.ln_mean, np.float64)

    def scaled(self, features: Floats) -> Tensor:
        """(n, f) float32 at mean 0 and standard deviation 1 of the training cells."""
        return torch.from_numpy(((features - self.mean) / self.sd).astype(np.float32))


def eight_neighbors(windows: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n, 3, 3) positions of the cells around each, itself in the middle -> (n, 8) without it."""
    return np.delete(windows.reshape(len(windows), 9), 4, axis=1)


def fitted_graph_sage(
    features: Floats,
    neighbors: NDArray[np.int64],
    ln_e: Floats,
    roles: Mapping[str, NDArray[np.bool_]],
    rules: GraphSageRules,
) -> GraphPeer:
    """Fits the peer to the absolute error of ln E over the training cells, keeping its best validation.

    Args:
        features: (n, f) of all cells.
        neighbors: (n, k) positions of each one's neighbours, -1 for none.
        ln_e: (n,) labels; read of training and validation cells only.
        roles: (n,) masks 'train' and 'validation'.
        rules: the settings.

    Raises:
        DataError: a feature or a label that is read is not finite, or a role has no cell.
    """
    train, validation = roles["train"], roles["validation"]
    _check(features, ln_e, train, validation)
    sd = features[train].std(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rules.seed)
        network = GraphSage(features.shape[1], rules)
        peer = GraphPeer(network, features[train].mean(0), np.where(sd > 0.0, sd, 1.0), float(ln_e[train].mean()))
        history = _fit(peer, (features, neighbors, ln_e), train, validation, rules)
    return GraphPeer(network, peer.mean, peer.sd, peer.ln_mean, tuple(history))


def _fit(
    peer: GraphPeer,
    graph: tuple[Floats, NDArray[np.int64], Floats],
    train: NDArray[np.bool_],
    validation: NDArray[np.bool_],
    rules: GraphSageRules,
) -> list[float]:
    """Steps until patience ends them; the network is left at its best."""
    features, neighbors, ln_e = graph
    network, scaled, places = peer.network, peer.scaled(features), torch.from_numpy(neighbors)
    chosen = torch.from_numpy(np.flatnonzero(train))
    target = torch.from_numpy((ln_e[train] - peer.ln_mean).astype(np.float32))
    optimiser = torch.optim.Adam(network.parameters(), lr=rules.learning_rate, weight_decay=rules.weight_decay)
    history: list[float] = []
    best: dict[str, Tensor] = {}
    while len(history) < rules.epochs and len(history) - _best(history) <= rules.patience:
        network.train()
        optimiser.zero_grad(set_to_none=True)
        (network(scaled, places)[chosen] - target).abs().mean().backward()
        optimiser.step()
        history.append(r2(ln_e[validation], peer.answer(features, neighbors)[validation]))
        if _best(history) == len(history) - 1:
            best = {name: plain_copy(value) for name, value in network.state_dict().items()}
    network.load_state_dict(best)
    return history


def _best(history: list[float]) -> int:
    return history.index(max(history)) if history else 0


def _check(features: Floats, ln_e: Floats, train: NDArray[np.bool_], validation: NDArray[np.bool_]) -> None:
    holes = int((~np.isfinite(features)).any(1).sum())
    unknown = int((~np.isfinite(ln_e[train | validation])).sum())
    if holes or unknown or not train.any() or len(np.unique(ln_e[validation])) < 2:
        raise DataError(
            f"{holes} cells lack a feature, {unknown} a label; {int(train.sum())} to train, {int(validation.sum())} to "
            "validate",
            where="fitted_graph_sage",
            expected="finite features of every cell, and training and validation cells whose labels differ",
            remedy="Leave out cells without image or points, or choose another split.",
        )
