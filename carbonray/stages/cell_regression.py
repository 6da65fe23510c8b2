"""From embeddings to tonnes: the window of every cell of an output shard, all instances, the interval beside the mean.

Sources: SCIENCE 1.3, pitfall 5 (the mean of a lognormal is exp(y + s2 / 2)) and 4.7 (a cell that models were trained on
is answered by the instance that held it out). Nothing is encoded here: a shard reads the tiles that touch it and a
ring of cells around it.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from carbonray.contract import Batch, require
from carbonray.io.co2_grids import T_CO2_PER_T_C
from carbonray.science.spatial.cells import area_km2, cell_centre, neighbor_ids, positions, row_col
from carbonray.stages.cell_bundles import CellModel, CellPin, opened_cells
from carbonray.stages.cell_encoding import CellPredictRules, unpacked
from carbonray.vocab.cell_tables import CELL_WINDOWS, GRID_CELLS

Floats = NDArray[np.float64]
ESTIMATED = "estimated"
# by whether there is an image, and points
MISSING: Mapping[tuple[bool, bool], str] = {
    (True, True): "",
    (False, True): "no image",
    (True, False): "no points",
    (False, False): "neither image nor points",
}
KEPT = ("cell_id", "city", "image_present", "poi_present", "n_points")


@dataclass(frozen=True)
class GridRules:
    """What the product claims.

    Attributes:
        year: calendar year that imagery, points and the model's labels stand for.
        require: modalities without which a cell gets no estimate; the model answers without one of them too, but was
            hardly taught to (inferred).
        tile_cells: side of a tile, the work unit of the encoders, cells.
        shard_cells: side of an output shard, cells.
    """

    year: int = 2018
    require: tuple[str, ...] = ("image", "poi")
    tile_cells: int = 20
    shard_cells: int = 360


@dataclass(frozen=True)
class Told:
    """What all rows of a run say of the model."""

    model_version: str
    model_tier: str


class RegressCells:
    """The regression of all instances over one output shard: its cells and those around them in, its cells out."""

    needs: ClassVar[tuple[str, ...]] = tuple(CELL_WINDOWS.names)
    emits: ClassVar[pa.Schema] = GRID_CELLS

    def __init__(self, pins: Sequence[CellPin], predict: CellPredictRules, rules: GridRules, told: Told) -> None:
        torch.set_num_threads(1)  # one thread a process: bit-equality, and two processes beat two threads
        self._models = [opened_cells(pin, predict.device) for pin in pins]
        self._pins, self._predict, self._rules, self._told = tuple(pins), predict, rules, told
        self._turn = threading.Lock()

    def __call__(self, batch: Batch) -> Batch:
        """Rows in any order in; the shard's own cells by number out."""
        require(batch, self.needs, stage=type(self).__name__)
        order = np.argsort(batch["cell_id"], kind="stable")
        batch = {name: column[order] for name, column in batch.items()}
        own = np.flatnonzero(batch["own"])
        windows = positions(batch["cell_id"], neighbor_ids(batch["cell_id"][own]))
        present = np.stack([batch["image_present"], batch["poi_present"]], axis=1)
        answers = [self._answers(model, k, batch, present, windows) for k, model in enumerate(self._models)]
        used = self._used(batch["fold"][own])
        rows = {name: batch[name][own] for name in KEPT}
        return rows | self._told_of(own, batch, windows, present) | self._combined(answers, used, present[own])

    def _answers(
        self,
        model: CellModel,
        instance: int,
        batch: Batch,
        present: NDArray[np.bool_],
        windows: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """(own, 3) ln t CO2, and the weight of points in the cell and around it, of one instance."""
        config, size = model.network.config, self._predict.regress_cells
        shape = (len(batch["cell_id"]), len(self._models), config.d)
        vectors = [unpacked(batch[f"{name}_vectors"], shape)[:, instance] for name in ("image", "poi")]
        reach = windows.shape[1] // 2 - config.reach
        windows = windows[:, reach : windows.shape[1] - reach, reach : windows.shape[2] - reach]
        out = np.empty((len(windows), 3), np.float32)
        for start in range(0, len(windows), size):
            some = windows[start : start + size]
            padded = np.concatenate([some, np.full((size - len(some), *some.shape[1:]), -1)])
            there = present[padded] & (padded >= 0)[..., None]
            # NaN of what is absent must not reach the network, not even times zero
            cubes = [np.where(there[..., k, None], values[padded], 0.0) for k, values in enumerate(vectors)]
            tensors = [torch.from_numpy(np.ascontiguousarray(a)).to(self._predict.device) for a in (*cubes, there)]
            with self._turn, torch.inference_mode():
                said = model.network.regress(*tensors)
            columns = (said.ln_e, said.grid_attention[:, 1], said.neighbor_attention[:, 1])
            out[start : start + size] = torch.stack(columns, 1)[: len(some)].float().cpu().numpy()
        return out

    def _used(self, fold: NDArray[np.int8]) -> NDArray[np.bool_]:
        """(instance, own) who answers: the instance that held a cell out, all of them for a cell that none has seen."""
        numbers = np.array([pin.instance for pin in self._pins])
        held_out: NDArray[np.bool_] = (numbers[:, None] == fold[None]) & (fold >= 0)[None]
        used: NDArray[np.bool_] = held_out | ~np.logical_or.reduce(held_out, axis=0)[None]
        return used

    def _combined(
        self, answers: Sequence[NDArray[np.float32]], used: NDArray[np.bool_], present: NDArray[np.bool_]
    ) -> Batch:
        """Tonnes and their interval over the instances that answer; NaN where the product claims nothing."""
        needed = [present[:, ("image", "poi").index(name)] for name in self._rules.require]
        claimed = np.all([*needed, present.any(axis=1)], axis=0)
        said = np.where(claimed[None, :, None], np.stack(answers).astype(np.float64), np.nan)
        ln, weight = said[..., 0], used / used.sum(axis=0)
        mean = (weight * ln).sum(axis=0)
        variance = (weight * (ln - mean) ** 2).sum(axis=0)
        # an instance that does not answer has no say, even where its own width is unknown
        widths = np.where(used, np.array([[model.back.half_width] for model in self._models]), 0.0)
        half_width = np.where(np.isfinite(widths), weight * np.nan_to_num(widths, posinf=0.0), np.inf).sum(axis=0)
        factor = np.array([[model.back.factor] for model in self._models])
        tonnes = (weight * np.exp(ln) * factor).sum(axis=0)
        bounded = np.isfinite(half_width)
        return {
            "status": np.array([_status(bool(c), *p) for c, p in zip(claimed, present.tolist(), strict=True)], object),
            "emissions_t_co2": tonnes,
            "emissions_t_co2_p05": np.where(bounded, np.exp(mean - np.where(bounded, half_width, 0.0)), np.nan),
            "emissions_t_co2_p95": np.where(bounded, np.exp(mean + np.where(bounded, half_width, 0.0)), np.nan),
            "emissions_t_c": tonnes / T_CO2_PER_T_C,
            "ln_t_co2": mean,
            "ln_spread": np.sqrt(variance),
            "poi_attention": (weight * said[..., 1]).sum(axis=0).astype(np.float32),
            "poi_attention_around": (weight * said[..., 2]).sum(axis=0).astype(np.float32),
            "instances": np.array([self._names(column) for column in used.T], object),
        }

    def _told_of(
        self, own: NDArray[np.int64], batch: Batch, windows: NDArray[np.int64], present: NDArray[np.bool_]
    ) -> Batch:
        """What is known of the cells without any network."""
        n = len(own)
        row, col = row_col(batch["cell_id"][own])
        lat, lon = cell_centre(row, col)
        seen = np.logical_and(windows >= 0, np.logical_or.reduce(present, axis=1)[windows])
        seen[:, windows.shape[1] // 2, windows.shape[2] // 2] = False
        words: dict[str, Any] = vars(self._told)
        return {
            "lat": lat,
            "lon": lon,
            "area_km2": area_km2(row),
            "year": np.full(n, self._rules.year, np.int16),
            "neighbors": seen.sum(axis=(1, 2)).astype(np.int8),
            "fold": batch["fold"][own],
            "data_tier": np.array(
                [_tier(*told) for told in zip(batch["data_tier"][own], *present[own].T, strict=True)], object
            ),
            **{name: np.array([word] * n, object) for name, word in words.items()},
        }

    def _names(self, used: NDArray[np.bool_]) -> str:
        return ",".join(str(pin.instance) for pin, asked in zip(self._pins, used, strict=True) if asked)


def _status(claimed: bool, image: bool, poi: bool) -> str:  # noqa: FBT001  # three facts of one cell
    return ESTIMATED if claimed else MISSING[image, poi]


def _tier(tier: str, image: bool, poi: bool) -> str:  # noqa: FBT001  # three facts of one cell
    """The data tier of the inputs, and which of them are absent."""
    return tier if image and poi else f"{tier} ({MISSING[image, poi]})"
