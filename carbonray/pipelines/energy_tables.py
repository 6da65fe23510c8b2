"""What the energy product stores: answers of each block with their sums, and the sums of all blocks as one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.contract import Batch, Encoded, Reading, Unit, object_rows, to_table
from carbonray.io import objectstore
from carbonray.io.energy.reading import DAY_NS
from carbonray.io.energy.scenarios import Scenario
from carbonray.io.table_store import decode_table, encode_table
from carbonray.vocab.energy_tables import ENERGY_ANSWERS, ENERGY_SUMMARY

ANSWERS, SUMS, SUMMARY = "energy.parquet", "energy_sums", "energy_summary.parquet"
KEYS = ("region", "scenario", "data_tier")
_BY_TIME = ("region", "scenario", "start")
_COUNTS = ("rows", "answered", "days", "extrapolating", "seen", "cleaner", "raised")
_AMOUNTS = [name for name in ENERGY_SUMMARY.names if name not in (*KEYS, *_COUNTS)]


@dataclass(frozen=True)
class EncodeAnswers:
    """Encoder of the answers of one block: its rows, and its sums by region and scenario.

    Attributes:
        cleaner: names of the scenarios in which sources give way to ones that emit less.
    """

    cleaner: tuple[str, ...]

    def __call__(self, unit: Unit, batch: Batch, facts: Mapping[str, Any]) -> Encoded:
        """`energy.parquet/KEY.parquet` and `energy_sums/KEY.parquet`."""
        table = to_table(batch, ENERGY_ANSWERS, stage=type(self).__name__)
        sums = summed(table, self.cleaner)
        objects = {
            f"{ANSWERS}/{unit.key}.parquet": encode_table(table, _BY_TIME),
            f"{SUMS}/{unit.key}.parquet": encode_table(sums, KEYS),
        }
        told = {name: int(pa.compute.sum(sums[name]).as_py() or 0) for name in ("rows", "answered", "extrapolating")}
        tiers = ", ".join(sorted(set(sums["data_tier"].to_pylist()))) or "none"
        regions = sorted(set(sums["region"].to_pylist()))
        return Encoded(objects, {**facts, **told, "regions": regions, "data_tier": tiers})


@dataclass(frozen=True)
class JoinSums:
    """Reader of the sums of all blocks, whose rows are the table of regions and scenarios."""

    def __call__(self, unit: Unit) -> Reading:
        """`energy_summary.parquet`; where there are no blocks, a table of no answers beside it."""
        found = objectstore.read_many(unit.inputs)
        parts = [decode_table(found[url], ENERGY_SUMMARY) for url in unit.inputs]
        table = joined(pa.concat_tables([ENERGY_SUMMARY.empty_table(), *parts]))
        objects = {SUMMARY: encode_table(table, KEYS)}
        if not parts:
            objects[f"{ANSWERS}/none.parquet"] = encode_table(ENERGY_ANSWERS.empty_table(), _BY_TIME)
        return Reading(object_rows(objects), {}, facts={"rows": table.num_rows})


def cleaner_names(scenarios: Sequence[Scenario], factors_t_per_mwh: Sequence[float]) -> tuple[str, ...]:
    """Scenarios that change sources alone, each time for ones that emit less a MWh: they must not raise emissions.

    Args:
        scenarios: of the run.
        factors_t_per_mwh: of the sources.
    """
    return tuple(
        scenario.name
        for scenario in scenarios
        if scenario.energy
        and not scenario.emissions
        and all(
            change.kind == "replace"
            and max(factors_t_per_mwh[by] for by in change.by) < min(factors_t_per_mwh[of] for of in change.of)
            for change in scenario.energy
        )
    )


def summed(answers: pa.Table, cleaner: Sequence[str]) -> pa.Table:
    """Sums of answers by region and scenario, schema `ENERGY_SUMMARY`: amounts a day times the days of each row.

    Args:
        answers: schema `ENERGY_ANSWERS`.
        cleaner: names of scenarios that must not raise emissions.
    """
    amount = {name: answers[name].to_numpy() for name in _AMOUNTS}
    start, end = (answers[name].cast(pa.int64()).to_numpy() for name in ("start", "end"))
    done = np.isfinite(amount["emissions_t_co2"]) & np.isfinite(amount["energy_gwh"])
    days = np.where(done, (end - start) / DAY_NS, 0.0)
    after, before = amount["emissions_t_co2"], amount["factual_emissions_t_co2"]
    clean = done & (after != before) & np.isin(answers["scenario"].to_numpy(zero_copy_only=False).astype(str), cleaner)
    columns: dict[str, Any] = {name: answers[name] for name in KEYS}
    columns |= {name: np.where(done, values * days, 0.0) for name, values in amount.items()}
    strange = _flag(answers, "emissions_extrapolates") | _flag(answers, "energy_extrapolates")
    counts = (np.ones(len(done)), done, days, strange, _flag(answers, "seen"), clean, clean & (after > before))
    columns |= dict(zip(_COUNTS, counts, strict=True))
    arrays = [pa.array(columns[field.name]).cast(field.type) if field.name not in KEYS else columns[field.name]
              for field in ENERGY_SUMMARY]  # fmt: skip
    return joined(pa.table(arrays, schema=ENERGY_SUMMARY))


def joined(parts: pa.Table) -> pa.Table:
    """Rows of one region, scenario and tier as one, numbers added in the order of the rows."""
    named = [name for name in ENERGY_SUMMARY.names if name not in KEYS]
    whole = parts.group_by(KEYS, use_threads=False).aggregate([(name, "sum") for name in named])
    columns = [whole[name if name in KEYS else f"{name}_sum"] for name in ENERGY_SUMMARY.names]
    return pa.table([column.cast(field.type) for column, field in zip(columns, ENERGY_SUMMARY, strict=True)],
                    schema=ENERGY_SUMMARY)  # fmt: skip


def _flag(answers: pa.Table, name: str) -> NDArray[np.bool_]:
    return np.asarray(answers[name].to_numpy(zero_copy_only=False), np.bool_)
