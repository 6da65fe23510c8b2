"""Tables of rows for the tests: seven regions of which one is a sum, two blocks of regions, two calendar years."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from carbonray.io import objectstore
from carbonray.io.energy.records import MixReading
from carbonray.io.energy.row_tables import row_table
from carbonray.io.table_store import encode_table
from carbonray.science.energy.hull import HullRules
from carbonray.science.energy.mix import MixRows, stacked
from carbonray.science.energy.splits import EnergySplitRules
from carbonray.science.energy.synthesis import SynthesisRules
from carbonray.stages.energy_networks import CleanTrainRules
from carbonray.stages.energy_roles import DividedEnergy, TrainingEnergy, divided_energy
from carbonray.stages.energy_streams import RowTable
from tests.models.small_mixes import DAY_NS, regions

TIER = "SYNTHETIC-T1"
UNION = "Benelux"  # by name among its members, as EU27 & UK is
COMPOSITES = {UNION: ("Aland", "Carpania")}
NAMES = ("Aland", UNION, "Borduria", "Carpania", "Drakonia", "Elbonia", "Florin")
DAYS, START_NS = 90, int(np.datetime64("2019-11-20", "ns").astype(np.int64))  # four months, of two years
SPLIT = EnergySplitRules(folds=3)
SYNTHESIS = SynthesisRules(n=2)
HULL = HullRules(viewpoints=4, corner_directions=16, steps=20)
RULES = CleanTrainRules(
    fit={"epochs": 2, "batch_size": 64, "learning_rate": 0.01},
    config={"width": 8, "d": 4, "include_total": True},
    hull_rows=10,
    error_quantiles=8,
    least_rows=20,
)


def land(days: int = DAYS, seed: int = 3) -> MixRows:
    """Rows of all regions, region by region; the sum's are sums."""
    rows = regions(6, days, seed)
    rows = replace(rows, start_ns=rows.start_ns + START_NS, end_ns=rows.end_ns + START_NS)
    one, other = (rows.rows(rows.region == name) for name in COMPOSITES[UNION])
    named = np.full(days, UNION, object)
    both = replace(one, region=named, energy=one.energy + other.energy, emissions=one.emissions + other.emissions)
    return stacked([rows, both])


def stored(rows: MixRows, root: str, blocks: Sequence[Sequence[str]] = (NAMES[:4], NAMES[4:])) -> TrainingEnergy:
    """Tables of blocks and years under a folder."""
    tables = []
    year = (rows.start_ns + DAY_NS // 2).astype("datetime64[ns]").astype("datetime64[Y]").astype(np.int64) + 1970
    for number, block in enumerate(blocks):
        for one in np.unique(year).tolist():
            own = rows.rows(np.isin(rows.region.astype(str), block) & (year == one))
            n = len(own)
            reading = MixReading(own, np.zeros(n, np.bool_), np.full(n, TIER, object), None, {})
            data = encode_table(row_table(reading), ("region", "start", "end"))
            url = f"{root}/rows/{number:04d}-{one}.parquet"
            objectstore.put_bytes(url, data)
            tables.append(RowTable(url, objectstore.sha256(data)))
    return TrainingEnergy(root, tuple(tables), COMPOSITES, (), TIER)


def divided(data: TrainingEnergy, synthesis: SynthesisRules = SYNTHESIS, **split: object) -> DividedEnergy:
    """As the tests divide them, but for what is told."""
    return divided_energy(data, replace(SPLIT, **split), synthesis)  # type: ignore[arg-type]
