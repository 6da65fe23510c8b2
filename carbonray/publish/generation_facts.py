"""What the page of the annual plant product is made of, and which plants it draws day by day.

Source: SCIENCE 4.6 to 4.8. Tables are those of `vocab.product_tables`; days count from 1970-01-01.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Row = Mapping[str, Any]

KINDS = {"NDT": "cooling towers", "FGD": "stacks", "BOTH": "towers and stacks"}


@dataclass(frozen=True)
class GenerationFacts:
    """What is known of plants' years.

    Attributes:
        annual: `vocab.product_tables.PLANTS_ANNUAL`, of any years.
        names: plant -> its name.
        chosen: plant -> why its days are drawn, in this order.
        days: plant -> `PLANTS_30DAY`.
        soundings: plant -> `SOUNDINGS`.
        reported_days: plant -> days and 30-day capacity factors; plants without reports are not in it.
        reported_annual: columns `plant_id`, `year`, `capacity_factor`, `generation_mwh`, `emissions_t_co2`; NaN where
            not reported, None where no plant is.
        models: `name`, `instances`, `initialisation` and `sha256` of each model; a sounding model has instances, others
            have none; digests stand in the order of instances, with commas between.
        missing: models of the paper's 16 that could not be fitted, and why.
    """

    annual: pa.Table
    names: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, str] = field(default_factory=dict)
    days: Mapping[str, pa.Table] = field(default_factory=dict)
    soundings: Mapping[str, pa.Table] = field(default_factory=dict)
    reported_days: Mapping[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = field(default_factory=dict)
    reported_annual: pa.Table | None = None
    models: tuple[Mapping[str, str], ...] = ()
    missing: tuple[str, ...] = ()

    def plants(self) -> list[Row]:
        """The rows of whole plants, of all years."""
        return list(self.annual.filter(pc.is_null(self.annual.column("unit_id"))).to_pylist())

    def year(self) -> int | None:
        """The year of the map and the tables: the last one of which some CO2 is known, else the last one."""
        rows = self.plants()
        told = [row["year"] for row in rows if np.isfinite(row["emissions_t_co2"])]
        return max(told or [row["year"] for row in rows], default=None)

    def of_year(self) -> list[Row]:
        """The plants' rows of that year."""
        year = self.year()
        return [row for row in self.plants() if row["year"] == year]

    def name(self, row: Row) -> str:
        """Of the plant of a row, its id where it has none."""
        return self.names.get(row["plant_id"], str(row["plant_id"]))

    def pairs(self) -> list[tuple[Row, Row]]:
        """The plants' years of which something is reported, modelled and reported."""
        told = _reported(self.reported_annual)
        return [(row, told[key]) for row in self.plants() if (key := _key(row)) in told]


def chosen_plants(annual: pa.Table, reported: pa.Table | None = None) -> dict[str, str]:
    """A handful of plants whose days tell most, and why: plant -> words.

    The one seen through most of its year, the one farthest off what was reported, one of every structure kind, and one
    that no model was trained on; a plant is taken once.
    """
    rows = annual.filter(pc.is_null(annual.column("unit_id"))).to_pylist()
    rows = sorted(rows, key=lambda row: (-row["coverage"], -row["n_soundings"], row["plant_id"], row["year"]))
    told = _reported(reported)
    off = [
        (abs(row["capacity_factor"] - told[key]["capacity_factor"]), row) for row in rows if (key := _key(row)) in told
    ]
    off = [pair for pair in off if np.isfinite(pair[0])]
    wanted = [("most of the year seen", rows)]
    wanted += [("farthest off what was reported", [row for _, row in sorted(off, key=lambda pair: -pair[0])])]
    wanted += [("an example of its kind", [row for row in rows if row["structure_kind"] == kind]) for kind in KINDS]
    wanted += [("no model was trained on it", [row for row in rows if row["fold"] < 0])]
    chosen: dict[str, str] = {}
    for words, candidates in wanted:
        first = next((row["plant_id"] for row in candidates if row["plant_id"] not in chosen), None)
        if first is not None:
            chosen[first] = words
    return chosen


def _reported(reported: pa.Table | None) -> dict[tuple[str, int], Row]:
    return {} if reported is None else {_key(row): row for row in reported.to_pylist()}


def _key(row: Row) -> tuple[str, int]:
    return str(row["plant_id"]), int(row["year"])
