"""Answers about 1 km cells taken apart, for the evidence: which cells, by which instance, and how maps compare."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from carbonray.models.cell_batches import CellBatch
from carbonray.models.opencarbon import OpenCarbon, OpenCarbonConfig
from carbonray.models.opencarbon_layers import PoiEncoder
from carbonray.science.spatial.cells import positions
from carbonray.stages.cell_attribution import AttributionRules, CellAttribution, agreement, attributions, randomised
from carbonray.stages.cell_bundles import CellPin, opened_cells
from carbonray.stages.cell_levels import LevelRules
from carbonray.stages.cell_roles import DividedCells
from carbonray.stages.cell_streams import stream_for
from carbonray.vocab.cell_insight_tables import CELL_ATTRIBUTIONS

SHARES = {"high": 0.95, "middle": 0.5, "low": 0.05}  # of the cells that emit less than the one shown


@dataclass(frozen=True)
class Shown:
    """One cell of the picture.

    Attributes:
        name: high, middle or low.
        label: t CO2 a year.
        instance: that held it out.
        image: (s, s, 3) uint8.
        fitted: what the answer owes to its inputs.
        untaught: the same of a network that learned nothing.
    """

    name: str
    label: float
    instance: int
    image: NDArray[np.uint8]
    fitted: CellAttribution
    untaught: CellAttribution


def shown_cells(
    pins: tuple[CellPin, ...], divided: DividedCells, cells: pa.Table, rules: AttributionRules
) -> list[Shown]:
    """A cell of high, of middle and of low emission."""
    label = cells.column("label").to_numpy()
    order, found = np.argsort(label, kind="stable"), []
    for name, share in SHARES.items():
        row = int(order[int(share * (len(order) - 1))])
        network, batch = _asked(pins, divided, cells, row)
        centre = batch.size
        image = batch.images[batch.neighbors[0, centre, centre]].permute(1, 2, 0).numpy()
        fitted, blank = (next(attributions(one, batch, rules)) for one in (network, randomised(network)))
        found.append(Shown(name, float(np.exp(label[row])), int(cells["fold"][row].as_py()), image, fitted, blank))
    return found


def taken_apart(
    pins: tuple[CellPin, ...], divided: DividedCells, cells: pa.Table, per_level: int, rules: AttributionRules
) -> Iterator[CellAttribution]:
    """Cells of every level, evenly from the least to the most, each by the instance that held it out."""
    order = np.argsort(cells.column("label").to_numpy(), kind="stable")
    count = min(per_level * LevelRules.levels, len(order))
    chosen = order[((np.arange(count) + 0.5) * len(order) / count).astype(int)]
    for row in chosen.tolist():
        yield from attributions(*_asked(pins, divided, cells, row), rules)


def parts_table(taken: Iterator[CellAttribution], cells: pa.Table, pins: tuple[CellPin, ...], tier: str) -> pa.Table:
    """Schema `CELL_ATTRIBUTIONS`."""
    known = dict(zip(cells.column("cell_id").to_pylist(), cells.select(["city", "instances"]).to_pylist(), strict=True))
    rows = []
    for found in taken:
        told = known[found.cell_id]
        same = {
            "cell_id": found.cell_id,
            "city": told["city"],
            "instance": told["instances"],
            "answer_ln_t_co2": found.answer,
            "blank_ln_t_co2": found.blank,
            "missed_ln_t_co2": found.missed,
            "data_tier": tier,
        }
        for place, modality, category, part in found.parts(pins[0].categories):
            rows.append({**same, "place": place, "modality": modality, "category": category, "ln_t_co2": part})
    return pa.Table.from_pylist(rows, CELL_ATTRIBUTIONS)


def between_instances(
    pins: tuple[CellPin, ...], divided: DividedCells, shown: list[Shown], rules: AttributionRules
) -> list[dict[str, float]]:
    """Agreement of the maps of the instance that held a cell out with those of every other instance."""
    found = []
    for one in shown:
        at = positions(divided.rows.cell_id, np.array([one.fitted.cell_id]))
        others = (pin for pin in pins if pin.instance != one.instance)
        maps = (next(attributions(*_opened(pin, divided, at), rules)) for pin in others)
        found += [agreement(one.fitted, other) for other in maps]
    return found


def untaught(shown: list[Shown]) -> list[dict[str, float]]:
    """Agreement of the maps with those of networks that learned nothing."""
    return [agreement(one.fitted, one.untaught) for one in shown]


def read_side(config: OpenCarbonConfig) -> int:
    """Rows of a raster of points, from the north, that its convolutions reach; columns alike."""
    with torch.random.fork_rng(devices=[]):
        encoder = PoiEncoder(1, config.image_px, 1, config.poi_form, se=False).eval()
    for weight in encoder.parameters():
        weight.data.abs_().add_(0.1)  # nothing cancels
    raster = torch.ones(1, 1, config.image_px, config.image_px, requires_grad=True)
    (reached,) = torch.autograd.grad(encoder(raster).sum(), raster)
    return int(torch.nonzero(reached[0, 0].any(1)).max()) + 1


def _asked(pins: tuple[CellPin, ...], divided: DividedCells, cells: pa.Table, row: int) -> tuple[OpenCarbon, CellBatch]:
    """The instance that held a cell out, and the cell."""
    pin = next(pin for pin in pins if pin.instance == cells["fold"][row].as_py())
    return _opened(pin, divided, positions(divided.rows.cell_id, np.array([cells["cell_id"][row].as_py()])))


def _opened(pin: CellPin, divided: DividedCells, at: NDArray[np.int64]) -> tuple[OpenCarbon, CellBatch]:
    network = opened_cells(pin).network
    return network, next(stream_for(network.config, divided.shards_with(at), 1).in_order())
