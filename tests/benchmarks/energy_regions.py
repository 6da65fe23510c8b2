"""Daily tables of any number of invented regions, laid out as Carbon Monitor and its power data are, and bundles.

Every region has a size, a mix and noise of its own; none is a sum of others. Files hold some regions each, so that more
regions are more files. The bundles are of the size that is published, with first weights.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from carbonray.io.energy.carbon_monitor import LAYOUT as MONITOR
from carbonray.io.model_store import Lineage, save_bundle
from carbonray.models.clean import Clean, CleanConfig
from carbonray.science.energy.hull import HullRules, hull
from carbonray.science.energy.splits import EnergySplitRules
from carbonray.science.energy.synthesis import SynthesisRules
from carbonray.stages.energy_bundles import TASKS, ToldHull, energy_bundle
from carbonray.stages.energy_seen import Seen
from carbonray.vocab.energy import SECTORS, SOURCES

FILE_REGIONS, DAYS = 10, 3650  # of a file; from 2015 on
INSTANCES = 11  # as many as leaving out one of the countries of Carbon Monitor gives
SCENARIOS = (
    "replace 10 % of coal by gas",
    "replace 50 % of coal + gas + oil by wind + solar",
    "cut industry by 15 %",
    "cut ground_transport + residential by 20 %",
    "replace 20 % of coal by nuclear; cut power by 20 %",
)
_MT = 1e-6
_SECTOR_NAMES = {ours: theirs for theirs, ours in reversed(list(MONITOR.names.items()))}
Floats = NDArray[np.float64]


def write_world(folder: Path, regions: int, days: int = DAYS, instances: int = INSTANCES) -> list[str]:
    """The files and bundles; what `--set` then tells the job."""
    for first in range(0, regions, FILE_REGIONS):
        names = [f"Region {number:05d}" for number in range(first, min(first + FILE_REGIONS, regions))]
        energy, emissions = amounts(first, len(names), days)
        key = f"{first // FILE_REGIONS:04d}.csv"
        _write(folder / "energy" / key, names, SOURCES, np.round(energy, 4))
        _write(folder / "emissions" / key, names, [_SECTOR_NAMES[name] for name in SECTORS],
               np.round(emissions * _MT, 7))  # fmt: skip
    save_first(folder, instances)
    return [f"inputs.energy={folder}/energy/*.csv", f"inputs.emissions={folder}/emissions/*.csv",
            f"inputs.bundles={folder}/bundles", f"energy.predict.scenarios=[{', '.join(SCENARIOS)}]"]  # fmt: skip


def amounts(seed: int, regions: int, days: int) -> tuple[Floats, Floats]:
    """(region, day, 8) GWh a day and (region, day, 6) t CO2 a day."""
    rng = np.random.default_rng(seed)
    size = rng.lognormal(4.5, 1.0, (regions, 1, 1))
    energy = size * rng.dirichlet(np.full(8, 0.7), regions)[:, None] * rng.lognormal(0.0, 0.1, (regions, days, 8))
    size = size * 1e3 * rng.uniform(0.5, 4.0, (regions, 1, 1))
    sectors = rng.dirichlet(np.full(6, 2.0), regions)[:, None]
    return energy, size * sectors * rng.lognormal(0.0, 0.05, (regions, days, 6))


def save_first(folder: Path, instances: int = INSTANCES) -> None:
    """Bundles of the published size with weights as they are first drawn, fitted on no region that there is."""
    energy, emissions = amounts(2**20, 12, 60)
    told = {"emissions": energy.reshape(-1, 8), "energy": emissions.reshape(-1, 6)}
    hulls = {task: ToldHull(hull(mix / mix.sum(axis=1, keepdims=True), HullRules()), 0.2) for task, mix in told.items()}
    names = tuple(f"Teacher {number:02d}" for number in range(12))
    config = CleanConfig(include_total=True, energy_center=(0.0,) * 8 + (4.5,), energy_spread=(1.0,) * 9,
                         emissions_center=(0.0,) * 6 + (12.0,), emissions_spread=(1.0,) * 7)  # fmt: skip
    for instance in range(instances):
        tensors = {name: value.numpy() for name, value in Clean(config, seed=instance).state_dict().items()}
        seen = Seen(names[instance], EnergySplitRules(), SynthesisRules(), {}, names, {})
        errors = {task: dict.fromkeys(names, (0.3,) * 5) for task in TASKS}
        lineage = Lineage("", "", 0, 0, 0, 0, "", "", {}, {}, {})
        bundle = energy_bundle("clean_mlp", instance, config, tensors, told={task: hulls[task] for task in TASKS},
                               seen=seen, errors=errors, level=0.9, lineage=lineage)  # fmt: skip
        save_bundle(f"{folder}/bundles/{instance}", bundle)


def _write(path: Path, regions: Sequence[str], parts: Sequence[str], values: Floats) -> None:
    """Lines by region, day and part, as the publishers order them; the last line says what this is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    days = np.datetime64("2015-01-01") + np.arange(values.shape[1])
    texts = [f"{str(day)[8:]}/{str(day)[5:7]}/{str(day)[:4]}" for day in days]
    plain = arrow_csv.WriteOptions(include_header=False, quoting_style="none")
    with path.open("wb") as file:
        file.write(b"country,date,sector,value\n")
        for table in _tables(regions, texts, parts, values):
            arrow_csv.write_csv(table, file, plain)
        file.write(b"invented for a benchmark: tier SYNTHETIC-T0\n")


def _tables(regions: Sequence[str], days: Sequence[str], parts: Sequence[str], values: Floats) -> Iterator[pa.Table]:
    """One region each."""
    lines = len(days) * len(parts)
    day = pa.array(np.repeat(np.array(days, object), len(parts)))
    part = pa.array(np.tile(np.array(parts, object), len(days)))
    for name, own in zip(regions, values, strict=True):
        yield pa.table({"country": pa.repeat(name, lines), "date": day, "sector": part, "value": own.ravel()})
