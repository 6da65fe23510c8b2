"""GraphSAGE: the mean of the neighbours there are, as far as the layers reach, nothing of tested labels."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from carbonray.errors import DataError
from carbonray.models.cell_graph import (
    GraphPeer,
    GraphSage,
    GraphSageRules,
    eight_neighbors,
    fitted_graph_sage,
    neighbor_mean,
)
from carbonray.science.stats.metrics import r2
from tests.models.cell_shards import windows_of

SIDE = 14
NEIGHBORS = eight_neighbors(windows_of(SIDE, SIDE).numpy())
RULES = GraphSageRules(hidden=16, epochs=80, dropout=0.0)
SHORT = 15  # steps, where how well it learns does not matter


def country(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features, and ln E that is half a cell's own and half its neighbours'."""
    features = np.random.default_rng(seed).normal(size=(SIDE * SIDE, 3))
    around = neighbor_mean(torch.from_numpy(features), torch.from_numpy(NEIGHBORS)).numpy()
    return features, 8.0 + features[:, 0] + 3.0 * around[:, 1]


def roles(seed: int = 0) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed).random(SIDE * SIDE)
    return {"train": draw < 0.6, "validation": (draw >= 0.6) & (draw < 0.8), "test": draw >= 0.8}


def fitted(labels: np.ndarray | None = None, neighbors: np.ndarray = NEIGHBORS, **changes: Any) -> GraphPeer:
    features, ln_e = country()
    return fitted_graph_sage(
        features, neighbors, ln_e if labels is None else labels, roles(), replace(RULES, **changes)
    )


def test_eight_neighbors_are_the_window_without_its_middle() -> None:
    assert NEIGHBORS[0].tolist() == [-1, -1, -1, -1, 1, -1, 14, 15]
    assert NEIGHBORS[15].tolist() == [0, 1, 2, 14, 16, 28, 29, 30]


def test_mean_is_over_the_neighbors_there_are() -> None:
    h, places = torch.tensor([[1.0], [3.0], [8.0]]), torch.tensor([[1, 2], [0, -1], [-1, -1]])
    assert neighbor_mean(h, places).tolist() == [[5.5], [1.0], [0.0]]


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_layers_reach_as_many_rings(layers: int) -> None:
    torch.manual_seed(0)
    network = GraphSage(3, replace(RULES, layers=layers)).eval()
    features = torch.randn(SIDE * SIDE, 3, requires_grad=True)
    middle = SIDE // 2
    network(features, torch.from_numpy(NEIGHBORS))[middle * SIDE + middle].backward()
    reached = (features.grad.abs().sum(1) > 0.0).view(SIDE, SIDE).nonzero()
    assert (reached - middle).abs().max() <= layers and len(reached) > (2 * layers - 1) ** 2


def test_learns_what_neighbors_tell_and_nothing_of_it_without_them() -> None:
    features, ln_e = country()
    test = roles()["test"]
    peer, alone = fitted(), fitted(neighbors=np.full_like(NEIGHBORS, -1))
    assert r2(ln_e[test], peer.answer(features, NEIGHBORS)[test]) > 0.8
    assert r2(ln_e[test], alone.answer(features, np.full_like(NEIGHBORS, -1))[test]) < 0.6


def test_best_validation_is_kept_and_repeats_itself() -> None:
    features, ln_e = country()
    peer, again, other = (fitted(seed=seed, epochs=SHORT) for seed in (0, 0, 1))
    answer = peer.answer(features, NEIGHBORS)
    chosen = roles()["validation"]
    assert r2(ln_e[chosen], answer[chosen]) == pytest.approx(max(peer.history))
    assert (answer == again.answer(features, NEIGHBORS)).all()
    assert not (answer == other.answer(features, NEIGHBORS)).all()
    assert len(fitted(epochs=500, patience=3, learning_rate=0.2).history) < 500


def test_tested_labels_are_never_read() -> None:
    features, ln_e = country()
    hidden = np.where(roles()["test"], np.nan, ln_e)
    peer = fitted(epochs=SHORT)
    assert (fitted(hidden, epochs=SHORT).answer(features, NEIGHBORS) == peer.answer(features, NEIGHBORS)).all()
    assert np.allclose(peer.mean, features[roles()["train"]].mean(0)) and peer.ln_mean == ln_e[roles()["train"]].mean()


def test_holes_and_empty_roles_are_refused() -> None:
    features, ln_e = country()
    holes = np.where(np.arange(len(features))[:, None] == 5, np.nan, features)
    with pytest.raises(DataError, match="1 cells lack a feature"):
        fitted_graph_sage(holes, NEIGHBORS, ln_e, roles(), RULES)
    with pytest.raises(DataError, match="0 to validate"):
        fitted_graph_sage(features, NEIGHBORS, ln_e, {**roles(), "validation": np.zeros(196, bool)}, RULES)
    with pytest.raises(DataError, match="a label;"):
        fitted(np.full_like(ln_e, np.nan))
