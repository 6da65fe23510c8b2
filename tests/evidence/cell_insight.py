"""What a trained network of 1 km cells looks at: pixels and points of three cells, gates, attention by emission.

    python -m tests.evidence.cell_insight --training RUN --grid RUN [--truth FILE] --out docs/evidence/cell-insight

The runs are of `carbonray run train --model opencarbon` and of `carbonray run grid` with its bundles, over the city it
was trained on: every cell is answered by the instance that held it out, and only such cells are looked at. FILE is the
truth of a synthetic city. `carbonray[explain]` has to be installed.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from carbonray.io import ledger
from carbonray.io.model_store import open_bundle
from carbonray.pipelines.cell_pins import cell_pins
from carbonray.science.spatial.cells import positions
from carbonray.science.urban.cell_splits import TEST
from carbonray.settings import load
from carbonray.stages.cell_attribution import AttributionRules
from carbonray.stages.cell_blanks import MovedAnswers, moved_answers
from carbonray.stages.cell_bundles import CellPin, opened_cells
from carbonray.stages.cell_levels import (
    GatedCells,
    LevelRules,
    WeighedCells,
    attention_tables,
    category_table,
    emission_levels,
    gated_cells,
)
from carbonray.stages.cell_regression import ESTIMATED
from carbonray.stages.cell_roles import DividedCells, TrainingCells, divided_cells
from carbonray.stages.cell_streams import CellShard, stream_for
from carbonray.training.cell_passes import stored_shards
from carbonray.vocab.cell_tables import GRID_CELLS
from tests.evidence import cell_insight_page, cell_insight_pictures
from tests.evidence.cell_insight_maps import (
    between_instances,
    parts_table,
    read_side,
    shown_cells,
    taken_apart,
    untaught,
)

BATCH = 64  # cells in a call of the network
ATTENTION = {"own": "poi_attention", "around": "poi_attention_around"}


def main() -> None:
    """Parses the command line and writes the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--training", required=True, help="run of jobs.train with a model of cells")
    parser.add_argument("--grid", type=Path, required=True, help="run of jobs.grid with its bundles")
    parser.add_argument("--truth", type=Path, help="truth of a synthetic city")
    parser.add_argument("--per-level", type=int, default=6, help="cells a level whose answers are taken apart")
    parser.add_argument("--steps", type=int, default=AttributionRules.steps)
    parser.add_argument("--out", type=Path, required=True, help="folder of the evidence")
    flags = parser.parse_args()
    torch.set_num_threads(1)
    write(flags.training, flags.grid, flags.truth, flags.per_level, AttributionRules(flags.steps), flags.out)


def write(training: str, grid: Path, truth: Path | None, per_level: int, rules: AttributionRules, out: Path) -> None:
    """Looks into the networks and writes README.md, tables and pictures."""
    out.mkdir(parents=True, exist_ok=True)
    pins, divided, tier = trained(training)
    cells = held_out(grid, divided)
    moved = blanked(pins, divided, cells)
    levels, trends = attention(cells, ranks(cells, divided, truth), moved.share_of_points, tier)
    gates = gated(pins, divided, cells, tier)
    taken = taken_apart(pins, divided, cells, per_level, rules)
    parts = parts_table(taken, cells, pins, tier)
    shown = shown_cells(pins, divided, cells, rules)
    tables = {"attention_levels": levels, "attention_trends": trends, "category_weights": gates, "attributions": parts}
    for name, table in tables.items():
        pq.write_table(table, out / f"{name}.parquet")
    cell_insight_pictures.draw_cells(shown, pins[0].categories, tier, out / "cells.png")
    cell_insight_pictures.draw_gates(gates, tier, out / "categories.png")
    cell_insight_pictures.draw_attention(levels, tier, out / "attention.png")
    checks = {"fitted": between_instances(pins, divided, shown, rules), "untaught": untaught(shown)}
    seen = read_side(opened_cells(pins[0]).network.config)
    facts = {"tier": tier, "model": pins[0].model, "px": pins[0].image_px, "split": pins[0].split.by, "rules": rules}
    facts |= {"lineages": {pin.instance: open_bundle(pin.url, pin.sha256).lineage for pin in pins}}
    facts |= {"moved": moved, "instance": cells.column("instances").to_numpy(zero_copy_only=False), "read_px": seen}
    text = cell_insight_page.readme(facts, tables, shown, checks, emission_level_of(cells))
    (out / "README.md").write_text(text, encoding="utf-8")


def trained(url: str) -> tuple[tuple[CellPin, ...], DividedCells, str]:
    """The instances of a training run, and its cells as they were dealt."""
    pins = cell_pins(load(overrides=[f"inputs.bundles={url}/bundles"]))
    shards = stored_shards(url, list(ledger.read(url, "samples").values()))
    data = TrainingCells(url, shards, pins[0].categories, pins[0].image_px, 1, pins[0].tier)
    return pins, divided_cells(data, pins[0].split), pins[0].tier


def held_out(grid: Path, divided: DividedCells) -> pa.Table:
    """The labelled cells with image and points that one instance answered, with their labels, by number."""
    cells = pq.read_table(grid / "grid_cells.parquet").cast(GRID_CELLS).sort_by("cell_id")
    at = positions(divided.rows.cell_id, cells.column("cell_id").to_numpy())
    seen = pc.and_(cells.column("image_present"), cells.column("poi_present"))
    alone = pc.equal(cells.column("instances"), pc.cast(cells.column("fold"), pa.string()))
    chosen = pc.and_(pc.and_(seen, alone), pc.equal(cells.column("status"), ESTIMATED))
    kept = np.asarray(chosen) & (at >= 0)
    label = divided.rows.ln_t_co2[at[kept]]
    return cells.filter(pa.array(kept)).append_column("label", pa.array(label))


def ranks(cells: pa.Table, divided: DividedCells, truth: Path | None) -> dict[str, NDArray[np.float64]]:
    """What cells are ranked by -> (cell,) ln t CO2."""
    told = {"label": cells.column("label").to_numpy(), "answer": cells.column("ln_t_co2").to_numpy()}
    if truth is not None:
        known = pq.read_table(truth).sort_by("cell_id")
        at = positions(known.column("cell_id").to_numpy(), cells.column("cell_id").to_numpy())
        told["truth"] = np.log(known.column("emissions_t_co2").to_numpy()[at])
    return told


def blanked(pins: tuple[CellPin, ...], divided: DividedCells, cells: pa.Table) -> MovedAnswers:
    """How far the answer about every cell moves without images, and without points, in the order of the cells."""
    parts = []
    for pin in pins:
        model = opened_cells(pin).network
        parts.append(moved_answers(model, stream_for(model.config, _held_out_by(pin, divided), BATCH).in_order()))
    names = ("cell_id", "answer", "by_image", "by_points")
    whole = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    at = _places(whole["cell_id"], cells)
    return MovedAnswers(*(whole[name][at] for name in names))


def attention(
    cells: pa.Table, by: Mapping[str, NDArray[np.float64]], moved: NDArray[np.float64], tier: str
) -> tuple[pa.Table, pa.Table]:
    """Weights of points of interest by level, and their trends, by city."""
    found, told = [], {key: cells.column(name).to_numpy().astype(float) for key, name in ATTENTION.items()}
    for city, rows in _cities(cells):
        for judged_by, ln_e in by.items():
            keys = {"city": city, "judged_by": judged_by, "data_tier": tier}
            own = _weighed(cells.take(pa.array(rows)), ln_e[rows], keys)
            weights = {key: weight[rows] for key, weight in (told | {"blanked": moved}).items()}
            found.append(attention_tables(own, weights))
    return pa.concat_tables([pair[0] for pair in found]), pa.concat_tables([pair[1] for pair in found])


def gated(pins: tuple[CellPin, ...], divided: DividedCells, cells: pa.Table, tier: str) -> pa.Table:
    """What the gates let through of each category, every cell by the instance that held it out, by city."""
    parts = []
    for pin in pins:
        network = opened_cells(pin).network
        parts.append(gated_cells(network, stream_for(network.config, _held_out_by(pin, divided), BATCH)))
    at = _places(np.concatenate([part.cell_id for part in parts]), cells)
    weight, points = (np.concatenate([getattr(part, name) for part in parts])[at] for name in ("weight", "points"))
    found = []
    for city, rows in _cities(cells):
        keys = {"city": city, "judged_by": "label", "data_tier": tier}
        own = _weighed(cells.take(pa.array(rows)), cells.column("label").to_numpy()[rows], keys)
        told = GatedCells(own.cell_id, weight[rows], points[rows])
        found.append(category_table(own, told, pins[0].categories))
    return pa.concat_tables(found)


def emission_level_of(cells: pa.Table) -> dict[int, int]:
    """Number of a cell -> its level of emission by label, among all cells."""
    level = emission_levels(cells.column("label").to_numpy(), LevelRules.levels)
    return dict(zip(cells.column("cell_id").to_pylist(), level.tolist(), strict=True))


def _held_out_by(pin: CellPin, divided: DividedCells) -> tuple[CellShard, ...]:
    """The cells of an instance's own fold."""
    return divided.shards_with(divided.of_role(divided.turn(pin.instance), TEST, pin.reads))


def _places(number: NDArray[np.int64], cells: pa.Table) -> NDArray[np.int64]:
    """(cell,) positions of the cells among numbers in any order."""
    order = np.argsort(number)
    return order[positions(number[order], cells.column("cell_id").to_numpy())]


def _weighed(cells: pa.Table, ln_e: NDArray[np.float64], keys: Mapping[str, str]) -> WeighedCells:
    instance = cells.column("instances").to_numpy(zero_copy_only=False)
    return WeighedCells(keys, cells.column("cell_id").to_numpy(), ln_e, instance.astype(np.str_))


def _cities(cells: pa.Table) -> Iterator[tuple[str, NDArray[np.int64]]]:
    city = cells.column("city").to_numpy(zero_copy_only=False).astype(np.str_)
    for name in np.unique(city).tolist():
        yield name, np.flatnonzero(city == name)


if __name__ == "__main__":
    main()
