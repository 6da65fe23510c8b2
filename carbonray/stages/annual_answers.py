"""What the product, its peers and the plain baseline said of years whose generation or CO2 was reported: tables 6 to 8.

Sources: plume paper section 4.3 (capacity factor, TWh and Mt CO2 of plants, by region and validation; the baseline is
the country's mean of the fuel), SCIENCE 4.7 and 4.10. A method that tells a capacity factor alone gets the plant's own
capacity and intensity.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from carbonray.models.generation_peers import PRODUCTION
from carbonray.science.power.annual import plant_baseline
from carbonray.science.power.capacity_factor import annual_capacity_factor, blended_capacity_factor, hours_in_year
from carbonray.stages.generation_folds import LEAST_YEAR, role_of
from carbonray.stages.plant_score_tables import Answers
from carbonray.stages.published_plants import CROSS, EXTERNAL
from carbonray.stages.reported_years import CountryFuel, families
from carbonray.vocab.plants import FGD, NDT

Floats = NDArray[np.float64]

ALL, BOTH_SETS, OTHER = "all", "cross and external", "other"
_KEY = ["plant_id", "year"]
_EUROPE = """
ALB AUT BEL BGR BIH CHE CYP CZE DEU DNK ESP EST FIN FRA GBR GRC HRV HUN IRL ISL ITA LTU LUX LVA MDA MKD MLT MNE NLD NOR
POL PRT ROU SRB SVK SVN SWE UKR XKX
"""
# country -> the paper's words; countries of ENTSO-E's transparency platform are Europe
REGIONS: Mapping[str, str] = {
    **dict.fromkeys(_EUROPE.split(), "Europe"), "USA": "US", "AUS": "Australia", "IND": "India", "TUR": "Türkiye",
}  # fmt: skip
# table 8 is of plants in the EU's emissions trading system
EMISSION_WORDS: Mapping[str, str] = {"Europe": "EU"}


@dataclass(frozen=True)
class Quantity:
    """One of the three tables.

    Attributes:
        name: in the tables.
        told: column of what the product says.
        observed: column of what was reported.
        baseline: column of what the baseline says.
        most: column of what a capacity factor of 1 gives.
    """

    name: str
    told: str
    observed: str
    baseline: str
    most: str


QUANTITIES = (
    Quantity("capacity_factor", "capacity_factor", "observed_factor", "baseline_factor", "most_factor"),
    Quantity("generation_twh", "twh", "observed_twh", "baseline_twh", "most_twh"),
    Quantity("emissions_mt_co2", "mt", "observed_mt", "baseline_mt", "most_mt"),
)


def judged_years(annual: pa.Table, reported: pd.DataFrame, baseline: CountryFuel) -> pd.DataFrame:
    """The plants' years that were reported, the product's answers and the baseline's beside.

    Args:
        annual: schema `PLANTS_ANNUAL`.
        reported: `reported_years`.
        baseline: the countries' means.
    """
    whole = annual.filter(pc.is_null(annual.column("unit_id"))).to_pandas()
    units = annual.filter(pc.is_valid(annual.column("unit_id"))).to_pandas()
    rows: pd.DataFrame = whole.astype({"year": np.int64}).merge(reported, on=_KEY, suffixes=("", "_reported"))
    rows = rows.merge(_baseline(units.astype({"year": np.int64}), baseline), on=_KEY).sort_values(_KEY)
    rows["twh"], rows["mt"] = rows["generation_mwh"] / 1e6, rows["emissions_t_co2"] / 1e6
    rows["observed_factor"] = rows["generation_mwh_reported"] / rows["capacity_mwh"]
    rows["observed_twh"] = rows["generation_mwh_reported"] / 1e6
    rows["observed_mt"] = rows["emissions_t_co2_reported"] / 1e6
    rows["validation"] = np.where(rows["fold"] >= 0, CROSS, EXTERNAL)
    rows["region"] = rows["country"].map(dict(REGIONS)).fillna(OTHER)
    return rows.assign(most_factor=1.0).reset_index(drop=True)


def annual_answers(rows: pd.DataFrame, baseline_name: str, peers: pd.DataFrame) -> list[Answers]:
    """Answers by quantity, region, validation, tier and method, for `plant_score_tables.annual_scores`.

    Args:
        rows: `judged_years`.
        baseline_name: what the baseline is made of; it is a row of its own, too.
        peers: `peer_years`; a method is judged on the years that it tells of.
    """
    found = []
    for quantity in QUANTITIES:
        methods = _methods(rows, baseline_name, peers, quantity)
        for keys, chosen in _groups(rows, quantity):
            for name, said in methods.items():
                columns = [rows[quantity.observed].to_numpy(np.float64), said, methods[baseline_name]]
                own = chosen & np.all(np.isfinite(columns), axis=0)
                if own.any():
                    role = "trivial" if name == baseline_name else role_of(name)
                    plant = rows["plant_id"].to_numpy(str)[own]
                    words = {**keys, "model": name, "role": role}
                    found.append(Answers(words, plant, *(column[own] for column in columns)))
    return found


def peer_years(days: pa.Table) -> pd.DataFrame:
    """Capacity factors of years as methods' days tell them: `plant_id`, `year`, `model`, `capacity_factor`.

    Args:
        days: schema `DAY_ANSWERS`; towers and stacks of a plant are blended day by day, and years of which less than
            `LEAST_YEAR` is told are left out.
    """
    wide = days.to_pandas().pivot_table(
        index=["plant_id", "model", "day"], columns="structure_kind", values="capacity_factor"
    )
    unknown = np.full(len(wide), np.nan)
    kinds = [wide[kind].to_numpy() if kind in wide else unknown for kind in (NDT, FGD)]
    blended = pd.Series(blended_capacity_factor(*kinds), wide.index)
    rows = []
    for _, own in blended.groupby(level=["plant_id", "model"], sort=True):
        plant, model, _day = own.index[0]
        day = own.index.get_level_values("day").to_numpy(np.int64)
        for year in np.unique(day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970).tolist():
            factor, share = annual_capacity_factor(day, own.to_numpy(), year)
            if share >= LEAST_YEAR:
                rows.append((plant, year, model, factor))
    return pd.DataFrame(rows, columns=[*_KEY, "model", "capacity_factor"]).astype({"capacity_factor": np.float64})


def _methods(rows: pd.DataFrame, baseline_name: str, peers: pd.DataFrame, quantity: Quantity) -> dict[str, Floats]:
    """What each method says of every row; NaN where it says nothing."""
    factors = peers.pivot_table(index=_KEY, columns="model", values="capacity_factor")
    by_method = factors.reindex(pd.MultiIndex.from_frame(rows[_KEY]))
    most = rows[quantity.most].to_numpy(np.float64)
    told = {PRODUCTION: rows[quantity.told], baseline_name: rows[quantity.baseline]}
    methods = {name: column.to_numpy(np.float64) for name, column in told.items()}
    others = [str(name) for name in by_method if name != PRODUCTION]
    return methods | {name: by_method[name].to_numpy(np.float64) * most for name in others}


def _baseline(units: pd.DataFrame, baseline: CountryFuel) -> pd.DataFrame:
    """By plant and year: the mean of its units' fuels, and what a capacity factor of 1 and the baseline would give."""
    units = units.assign(family=families(units["fuel"]))
    factor = baseline(units)
    group = units.groupby(_KEY, sort=True)
    number, keys = group.ngroup().to_numpy(), group.size().index
    capacity = units["capacity_mw"].to_numpy(np.float64)
    twh = capacity * hours_in_year(units["year"].to_numpy()) / 1e6
    mt = np.where(capacity == 0.0, 0.0, twh * units["intensity_t_per_mwh"].to_numpy(np.float64))
    used = np.where(capacity == 0.0, 0.0, factor)
    columns = {"most_twh": twh, "most_mt": mt, "baseline_twh": twh * used, "baseline_mt": mt * used}
    sums = {name: np.bincount(number, column, minlength=len(keys)) for name, column in columns.items()}
    mean = plant_baseline(number, len(keys), factor, capacity)
    return pd.DataFrame({"baseline_factor": mean, **sums}, index=keys).reset_index()


def _groups(rows: pd.DataFrame, quantity: Quantity) -> Iterator[tuple[dict[str, str], NDArray[np.bool_]]]:
    """Keys and rows of each line of a table: a region and validation, then all regions, of each tier."""
    words = rows["region"].map(dict(EMISSION_WORDS)).fillna(rows["region"])
    region = words if quantity.told == "mt" else rows["region"]
    for tier in sorted(set(rows["data_tier"])):
        for place in [*sorted(set(region)), ALL]:
            inside = (rows["data_tier"] == tier) & ((region == place) | (place == ALL))
            sets = {name: inside & (rows["validation"] == name) for name in (CROSS, EXTERNAL)}
            if place == ALL and all(chosen.any() for chosen in sets.values()):
                sets[BOTH_SETS] = inside
            for validation, chosen in sets.items():
                if chosen.any():
                    keys = {"quantity": quantity.name, "region": place, "validation": validation, "data_tier": tier}
                    yield keys, chosen.to_numpy(np.bool_)
