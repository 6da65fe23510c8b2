"""The rows of the evidence on energy and emissions: real files or synthetic ones, every so many-th interval of them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from carbonray.catalogue import run_job
from carbonray.engine.run import open_run
from carbonray.io import objectstore
from carbonray.io.energy.row_tables import rows_of
from carbonray.io.table_store import decode_table, encode_table
from carbonray.overlays import from_override, merged
from carbonray.settings import Settings, load
from carbonray.stages.energy_roles import TrainingEnergy
from carbonray.stages.energy_streams import RowTable
from carbonray.synthetic.regions.ceiling import KNOWERS, TOLD
from carbonray.synthetic.regions.files import TIERS
from carbonray.synthetic.regions.knobs import chosen_regions
from carbonray.synthetic.regions.world import composites_of
from carbonray.training.energy_learner import SECTIONS, EnergyLearner
from carbonray.vocab.energy_tables import ENERGY_ROWS
from tests.evidence.energy_fits import Ceilings, Material, Pace
from tune.overlay import overlaid

NETWORKS = ("clean_mlp", "clean_cnn", "mlp", "cnn")


@dataclass(frozen=True)
class World:
    """Rows of one kind.

    Attributes:
        protocols: by which they are divided.
        sets: settings that differ, as `a.b=VALUE`.
        energy: glob of files below the folder of real data; empty for the synthetic regions.
        emissions: likewise.
        models: networks that are fitted.
        searches: the protocol of the search; empty for none.
        later: protocols that wait until every seed has a turn of each of the others.
    """

    protocols: tuple[str, ...]
    sets: tuple[str, ...] = ()
    energy: str = ""
    emissions: str = ""
    models: tuple[str, ...] = NETWORKS
    searches: str = ""
    later: tuple[str, ...] = ()

    def files(self, data: Path) -> dict[str, str]:
        """Name -> sha256 of the real files."""
        globs = {glob for glob in (self.energy, self.emissions) if glob}
        paths = sorted({path for glob in globs for path in data.glob(glob)})
        return {str(path.relative_to(data)): objectstore.sha256(path.read_bytes()) for path in paths}


@dataclass(frozen=True)
class Recipe:
    """Sizes of the study; `energy.yaml` says what each is.

    Attributes:
        settings: over the defaults of a run.
        every, seeds, steps, patience, longer, sizes, extra_size, trials, splits, space: see there.
    """

    settings: Mapping[str, Any]
    every: int
    seeds: int
    steps: int
    patience: int
    longer: int
    sizes: list[int]
    extra_size: int
    trials: int
    splits: int
    space: Mapping[str, Any]

    def settings_of(self, *sets: str) -> Settings:
        """Of a run, with what differs from the recipe."""
        tree = dict(self.settings)
        for text in sets:
            tree = merged(tree, from_override(text))
        return overlaid(load(), tree)

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def material_of(recipe: Recipe, world: World, name: str, data: Path, work: Path) -> Material:
    """What the jobs of a world read.

    Args:
        recipe: sizes.
        world: which rows.
        name: of the world.
        data: folder of the real files.
        work: folder of runs.
    """
    sets = list(world.sets)
    root = data if world.energy else made_world(recipe, world, name, work)
    globs = {"energy": world.energy or "energy/*.csv", "emissions": world.emissions or "emissions/*.csv"}
    if not world.energy:
        sums = composites_of(chosen_regions(recipe.settings_of(*sets).regions))
        sets.append(f"energy.blocks.composites={ {one: list(parts) for one, parts in sums.items()} }")
    sets += [f"inputs.{side}=[{root}/{glob}]" for side, glob in globs.items()]
    settings = recipe.settings_of("model=clean_mlp", *sets)
    told = settings.model_dump(mode="json")
    run = open_run(str(work), f"rows-{name}", "train", settings.digest(("model", *SECTIONS)), told, settings.engine)
    prepared = EnergyLearner().prepare(run, settings)
    table = thinned(prepared, recipe.every)
    shift = table.filter(pa.compute.equal(table["data_tier"], TIERS[1]))
    url = str(work / "rows" / f"{name}.parquet")
    stored = encode_table(table, ("region", "start"))
    objectstore.put_bytes(url, stored)
    beside = tuple(sorted(set(shift["region"].to_pylist())))
    left_out = tuple(sorted({*prepared.left_out, *beside}))
    rows = replace(prepared, tables=(RowTable(url, objectstore.sha256(stored)),), left_out=left_out)
    return Material(
        rows,
        settings.energy.training,
        settings.energy.splits,
        Pace(recipe.steps, recipe.patience),
        rows_of(shift) if beside else None,
        {} if world.energy else ceilings_of(root / "truth", table),
        longer=recipe.longer,
    )


def thinned(prepared: TrainingEnergy, every: int) -> pa.Table:
    """Every so many-th interval of all regions, by region and time."""
    tables = [decode_table(objectstore.read_bytes(one.url), ENERGY_ROWS) for one in prepared.tables]
    table = pa.concat_tables(tables).sort_by([("region", "ascending"), ("start", "ascending")])
    start = table["start"].cast(pa.int64()).to_numpy()
    return table.filter(np.unique(start, return_inverse=True)[1] % every == 0)


def made_world(recipe: Recipe, world: World, name: str, work: Path) -> Path:
    """The files of the synthetic regions."""
    run_job("world", recipe.settings_of(*world.sets), str(work), f"world-{name}")
    return work / f"world-{name}"


def ceilings_of(truth: Path, table: pa.Table) -> Ceilings:
    """Who knows what -> (region, start) of the rows -> ln t CO2 and ln GWh a day that could be known at best."""
    rows = set(zip(table["region"].to_pylist(), table["start"].cast(pa.int64()).to_pylist(), strict=True))
    found: dict[str, dict[tuple[str, int], tuple[float, float]]] = {}
    for path in sorted(truth.glob("*.parquet")):
        told = pq.read_table(path)
        keys = list(zip(told["region"].to_pylist(), told["start"].cast(pa.int64()).to_pylist(), strict=True))
        for name in (f"{who}_{what}" for who in KNOWERS for what in TOLD):
            values = zip(told[f"{name}_ln_t_co2"].to_pylist(), told[f"{name}_ln_gwh"].to_pylist(), strict=True)
            mine = {key: pair for key, pair in zip(keys, values, strict=True) if key in rows}
            found.setdefault(name, {}).update(mine)
    return found
