"""Selects the plants to learn from and those to apply the models to, from the inventory and what was reported.

Source: SCIENCE 4.4, plume paper section 3.4 (plant selection). Facts are of a plant in a calendar year; its units are
those in service on 1 July (inferred: the paper does not say when in a year). The share of generation behind wet FGD is
that of capacity where units do not report one by one (inferred).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from carbonray.science.power.capacity import NEVER_NS
from carbonray.science.power.capacity_factor import days_in_year
from carbonray.science.power.plant_rules import PlantFacts, PlantRules, every_year_verdict, plant_verdict
from carbonray.science.power.selection import Verdict
from carbonray.science.spatial.geodesy import DAY_NS, utc_year
from carbonray.stages.plant_generation import PlantRecords, unit_frame
from carbonray.stages.rejections import rejections
from carbonray.vocab.columns import column
from carbonray.vocab.plants import FUELS, STRUCTURE_KINDS

LONGEST_RECORD_NS = DAY_NS // 24  # generation counts as reported where it is told hour by hour or more often

FGD_USE = pa.schema(
    [
        column("plant_id", pa.string(), "1", "minted id of the power station"),
        column("share", pa.float64(), "1", "of the images of the running plant in favourable weather, with vapor"),
        column("images", pa.int64(), "1", "how many images that is of"),
    ]
)

_COAL = [name for name, fuel in FUELS.items() if fuel.family == "coal"]
_COOLED = ("ST", "CC", "")  # movers that condense steam, and those that are not stated
_BURNT = [name for name, fuel in FUELS.items() if fuel.family != "none"] + ["nuclear"]


@dataclass(frozen=True)
class PlantYears:
    """What is known of plants in years: a frame with `plant_id`, `year` and the fields of `PlantFacts`."""

    frame: pd.DataFrame

    def facts(self, kind: str) -> PlantFacts:
        """The facts that the rules on a structure kind ask for."""
        of = self.frame.assign(structures=self.frame[f"structures_{kind}"])
        return PlantFacts(**{name: of[name].to_numpy() for name in PlantFacts.__dataclass_fields__})


def plant_years(
    units: pa.Table,
    structures: pa.Table,
    years: Iterable[int],
    generation: PlantRecords | None = None,
    fgd_use: pa.Table | None = None,
) -> PlantYears:
    """Facts of every plant of the inventory in every year.

    Args:
        units: schema `UNITS`.
        structures: schema `STRUCTURES`.
        years: calendar years.
        generation: what was reported; without it nothing is.
        fgd_use: schema `FGD_USE`.
    """
    every = unit_frame(units)
    frame = pd.concat([_of_year(every, year).assign(year=year) for year in years], ignore_index=True)
    marked = structures.select(["plant_id", "structure_kind"]).to_pandas()
    for kind in STRUCTURE_KINDS:
        counts = marked["plant_id"][marked["structure_kind"] == kind].value_counts()
        frame[f"structures_{kind}"] = frame["plant_id"].map(counts).fillna(0).astype(int)
    use = (FGD_USE.empty_table() if fgd_use is None else fgd_use).to_pandas().set_index("plant_id")
    frame["fgd_use"] = frame["plant_id"].map(use["share"]).astype(float)
    frame["fgd_use_images"] = frame["plant_id"].map(use["images"]).fillna(0).astype(int)
    frame = frame.merge(_reported(generation), on=["plant_id", "year"], how="left").fillna({"reported_share": 0.0})
    return PlantYears(frame.merge(_past_retirement(every, generation), on="plant_id", how="left"))


@dataclass(frozen=True)
class SelectedPlants:
    """`kept` are plant ids (in training: plant and year), `rejected` has schema `REJECTIONS`."""

    kept: pd.DataFrame
    rejected: pa.Table


@dataclass(frozen=True)
class SelectPlants:
    """Applies the rules on plants.

    Attributes:
        rules: criteria by purpose and kind.
    """

    rules: PlantRules = field(default_factory=PlantRules)

    def for_training(self, known: PlantYears, kind: str) -> SelectedPlants:
        """Plants and years that meet the strict criteria; a rejected plant is named once for each year."""
        verdict = plant_verdict(known.facts(kind), kind, self.rules.criteria(kind, train=True))
        return self._selected(known.frame[["plant_id", "year"]], kind, verdict)

    def for_inference(self, known: PlantYears, kind: str) -> SelectedPlants:
        """Plants that meet the relaxed criteria in every year of the rules' range."""
        yearly = plant_verdict(known.facts(kind), kind, self.rules.criteria(kind, train=False))
        plants, verdict = every_year_verdict(
            known.frame["plant_id"].to_numpy(), known.frame["year"].to_numpy(), yearly, self.rules.years
        )
        return self._selected(pd.DataFrame({"plant_id": plants}), kind, verdict)

    def _selected(self, rows: pd.DataFrame, kind: str, verdict: Verdict) -> SelectedPlants:
        table = pa.table({"plant_id": pa.array(rows["plant_id"].tolist(), pa.string())})
        told = Verdict(verdict.rule, verdict.reason)
        if "year" in rows:
            years = rows["year"].to_numpy()
            words = [f"in {year}: {why}" if why else "" for year, why in zip(years, verdict.reason, strict=True)]
            told = Verdict(verdict.rule, np.array(words, dtype=object))
        named = table.append_column("structure_kind", pa.array([kind] * len(rows), pa.string()))
        return SelectedPlants(rows[verdict.kept].reset_index(drop=True), rejections("plant", named, told))


def _of_year(units: pd.DataFrame, year: int) -> pd.DataFrame:
    """Shares of capacity of each plant, of the units in service on 1 July; 0 MW where none is."""
    july = int(np.datetime64(f"{year}-07-01", "ns").astype(np.int64))
    serving = (units["start_utc_ns"] <= july) & (july < units["end_utc_ns"])
    mw = units["capacity_mw"].where(serving, 0.0)
    coal = units["fuel"].isin(_COAL)
    cooled = units["prime_mover"].isin(_COOLED) & units["fuel"].isin(_BURNT)
    wet = units["wet_fgd"] == 1  # where it is not known it cannot be relied on
    parts = {
        "capacity_mw": mw,
        "coal": mw.where(coal, 0.0),
        "cooled": mw.where(cooled, 0.0),
        "ndt": mw.where(cooled & (units["cooling_type"] == "natural_draft"), 0.0),
        "wet": mw.where(wet, 0.0),
        "wet_coal": mw.where(wet & coal, 0.0),
    }
    # an unknown capacity makes the plant's sums unknown, which a bare sum would skip
    sums = pd.DataFrame(parts).groupby(units["plant_id"]).sum(min_count=1, skipna=False)
    share = {
        "coal_share": sums["coal"] / sums["capacity_mw"],
        "ndt_share": sums["ndt"] / sums["cooled"],
        "fgd_generation_share": sums["wet"] / sums["capacity_mw"],
        "fgd_coal_share": sums["wet_coal"] / sums["coal"],
    }
    return sums[["capacity_mw"]].assign(**share).replace([np.inf, -np.inf], np.nan).reset_index()


def _reported(generation: PlantRecords | None) -> pd.DataFrame:
    """Share of the hours of each year for which generation is known, by plant; years without any are not listed."""
    if generation is None:
        return pd.DataFrame({"plant_id": pd.Series(dtype=str), "year": pd.Series(dtype=int), "reported_share": []})
    records = generation.records
    length = records.end_utc_ns - records.start_utc_ns
    told = np.isfinite(records.generation_mwh) & (length <= LONGEST_RECORD_NS)
    year = utc_year(records.start_utc_ns[told])
    rows = pd.DataFrame({"plant_id": generation.plant_id[records.plant[told]], "year": year, "ns": length[told]})
    sums = rows.groupby(["plant_id", "year"])["ns"].sum().reset_index()
    share = sums["ns"].to_numpy() / (days_in_year(sums["year"].to_numpy()) * DAY_NS)
    return sums[["plant_id", "year"]].assign(reported_share=share)


def _past_retirement(units: pd.DataFrame, generation: PlantRecords | None) -> pd.DataFrame:
    """Days for which each plant reported generation after its last unit had retired."""
    gone = units["end_utc_ns"].groupby(units["plant_id"]).max()
    days = pd.DataFrame({"plant_id": gone.index, "gone": gone.to_numpy(np.int64), "reported_past_retirement_days": 0.0})
    if generation is None:
        return days.drop(columns="gone")
    records = generation.records
    running = records.generation_mwh > 0
    last = pd.Series(records.end_utc_ns[running]).groupby(generation.plant_id[records.plant[running]]).max()
    past = (days["plant_id"].map(last) - days["gone"].where(days["gone"] != NEVER_NS)) / DAY_NS
    return days.assign(reported_past_retirement_days=past.clip(lower=0.0).fillna(0.0)).drop(columns="gone")
