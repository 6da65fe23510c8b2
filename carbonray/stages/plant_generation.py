"""Reported generation of units as the generation and capacity of plants, interval by interval.

Source: SCIENCE 4.3 and 4.11, plume paper appendix A.4. A plant's generation in an interval is the sum over the units
that its source reports; it is unknown while one of them is silent between its first and its last report. Capacity is
that of the inventory's units on the date.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from carbonray.science.power.capacity import ALWAYS_NS, NEVER_NS, capacity_mw_on
from carbonray.science.power.label_rules import Records

_INTERVAL = ["plant_id", "start_utc_ns", "end_utc_ns"]


@dataclass(frozen=True)
class PlantRecords:
    """Generation of plants.

    Attributes:
        plant_id: (p,) sorted ids; `records.plant` counts in them.
        source: (p,) who reported; of several sources of a plant the one that tells most intervals.
        records: ordered by plant, then start.
    """

    plant_id: NDArray[np.object_]
    source: NDArray[np.object_]
    records: Records

    def number_of(self, plant_id: NDArray[np.object_]) -> NDArray[np.int64]:
        """(n,) position of plants among `plant_id`, -1 for a plant without records."""
        return np.asarray(pd.Index(self.plant_id).get_indexer(pd.Index(plant_id)), np.int64)


def plant_records(reported: pa.Table, units: pa.Table) -> PlantRecords:
    """Sums of units' generation and the capacity on the date.

    Args:
        reported: schema `REPORTED`, linked to plants.
        units: schema `UNITS`.
    """
    rows = _of_one_source(reported.to_pandas())
    sums = rows.groupby(_INTERVAL, sort=True)["generation_mwh"].agg(["sum", "size", "count"]).reset_index()
    expected = _expected_units(rows, sums)
    complete = (sums["count"] == sums["size"]) & (sums["size"] >= expected)
    plant, number = np.unique(sums["plant_id"].to_numpy(object).astype(str), return_inverse=True)
    start = sums["start_utc_ns"].to_numpy(np.int64)
    source = rows.drop_duplicates("plant_id").set_index("plant_id")["source"].reindex(plant)
    return PlantRecords(
        plant.astype(object),
        source.to_numpy(object),
        Records(
            plant=number.astype(np.int64),
            start_utc_ns=start,
            end_utc_ns=sums["end_utc_ns"].to_numpy(np.int64),
            generation_mwh=sums["sum"].where(complete).to_numpy(np.float64),
            capacity_mw=_capacity(plant, number, start, units),
        ),
    )


def unit_frame(units: pa.Table) -> pd.DataFrame:
    """A table of schema `UNITS` as a frame whose dates are whole numbers: always and never where they are unknown."""
    for name, value in (("start_utc_ns", ALWAYS_NS), ("end_utc_ns", NEVER_NS)):
        filled = pc.fill_null(units.column(name), value)
        units = units.set_column(units.schema.get_field_index(name), name, filled)
    return pd.DataFrame(units.to_pandas())


def _of_one_source(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of each plant's source that tells most; the first by name where several tell as much."""
    told = rows.groupby(["plant_id", "source"], sort=True)["generation_mwh"].count().reset_index()
    best = told.sort_values(["plant_id", "generation_mwh"], ascending=[True, False], kind="stable")
    return rows.merge(best.drop_duplicates("plant_id")[["plant_id", "source"]], on=["plant_id", "source"])


def _expected_units(rows: pd.DataFrame, sums: pd.DataFrame) -> NDArray[np.int64]:
    """How many of a plant's units are between their first and their last report, at every interval of it."""
    spans = rows.groupby(["plant_id", "source_id"]).agg(first=("start_utc_ns", "min"), last=("end_utc_ns", "max"))
    expected = np.zeros(len(sums), np.int64)
    at = sums.groupby("plant_id", sort=False).indices
    for plant, span in spans.groupby(level="plant_id", sort=False):
        here = at[plant]
        begun = np.searchsorted(np.sort(span["first"].to_numpy()), sums["start_utc_ns"].to_numpy()[here], "right")
        gone = np.searchsorted(np.sort(span["last"].to_numpy()), sums["end_utc_ns"].to_numpy()[here], "left")
        expected[here] = begun - gone
    return expected


def _capacity(
    plant: NDArray[np.str_], number: NDArray[np.int64], start: NDArray[np.int64], units: pa.Table
) -> NDArray[np.float64]:
    """Capacity of each record's plant at its start; NaN where the inventory has no unit of it."""
    known = unit_frame(units)
    of = known.groupby("plant_id", sort=False).indices
    capacity = np.full(len(start), np.nan)
    for index, name in enumerate(plant.tolist()):
        if name in of:
            here, mine = np.flatnonzero(number == index), known.iloc[of[name]]
            capacity[here] = capacity_mw_on(mine["start_utc_ns"], mine["end_utc_ns"], mine["capacity_mw"], start[here])
    return capacity
