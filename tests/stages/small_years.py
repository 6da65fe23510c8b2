"""A few plants that run at one load for a year, their reports, and what a product says of them."""

import numpy as np
import pyarrow as pa

from carbonray.science.power.capacity_factor import first_day, hours_in_year
from carbonray.science.spatial.geodesy import DAY_NS, HOUR_NS
from carbonray.vocab.plant_tables import PLANTS, REPORTED
from carbonray.vocab.product_tables import PLANTS_ANNUAL
from tests.stages.small_soundings import TIER, unit_rows

YEAR = 2021
INTENSITY = 0.9


def plants(**countries):
    """Rows of `PLANTS`: name -> country; all burn lignite."""
    rows = [
        {
            "plant_id": name, "name": name, "country": country, "lat": 40.0, "lon": -80.0, "capacity_mw": 100.0,
            "primary_fuel": "lignite", "source": "test", "source_ids": "{}", "fold": 0, "data_tier": TIER,
        }
        for name, country in countries.items()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=PLANTS)


def units(*names, mw=100.0):
    """One unit a plant."""
    return pa.concat_tables([unit_rows((f"{name} unit", "lignite", "ST", mw), plant=name) for name in names])


def reports(name, factor, year=YEAR, mw=100.0, tons=None, days=None, first=0):
    """Daily reports of a plant at one load; tons a MWh where CO2 is reported."""
    n = int(hours_in_year(year)) // 24 if days is None else days
    start = (int(first_day(year)) + first + np.arange(n)) * DAY_NS
    rows = {
        "plant_id": [name] * n,
        "source": ["CAMPD"] * n,
        "source_id": ["u"] * n,
        "start_utc_ns": start,
        "end_utc_ns": start + 24 * HOUR_NS,
        "generation_mwh": np.full(n, factor * mw * 24),
        "emissions_t_co2": np.full(n, np.nan if tons is None else tons * factor * mw * 24),
        "gross": [False] * n,
    }
    return pa.table(rows, schema=REPORTED)


def annual(name, country, factor, fold=0, year=YEAR, mw=100.0, intensity=INTENSITY, tier=TIER):
    """The product's rows of a plant and its one unit."""
    mwh = factor * mw * int(hours_in_year(year))
    shared = dict.fromkeys(PLANTS_ANNUAL.names, 0.0) | {
        "plant_id": name, "year": year, "structure_kind": "NDT", "country": country, "fuel": "lignite",
        "capacity_mw": mw, "capacity_factor": factor, "generation_mwh": mwh, "intensity_t_per_mwh": intensity,
        "intensity_rule": "", "emissions_t_co2": mwh * intensity, "n_soundings": 1, "fold": fold, "instances": "0",
        "model_version": "", "data_tier": tier,
    }  # fmt: skip
    return pa.Table.from_pylist([shared | {"unit_id": None}, shared | {"unit_id": "u"}], schema=PLANTS_ANNUAL)
