"""The year of a plant as rows: the plant's capacity factor, and generation and CO2 of each unit and of all together.

Source: SCIENCE 4.7 and 4.8, plume paper section 3.7. Every unit runs at the plant's capacity factor while it is in
service (commissioned and not retired: SCIENCE 4.11, capacity changes in time); the plant's row is the sum of its units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.contract import to_table
from carbonray.science.power.annual import (
    Bounded,
    bounded_capacity_factor,
    emissions_t_co2,
    service_share,
    unit_generation_mwh,
)
from carbonray.science.power.capacity_factor import annual_capacity_factor, first_day
from carbonray.science.power.emissions import Calibration, unit_factors
from carbonray.science.spatial.geodesy import DAY_NS
from carbonray.stages.plant_generation import unit_frame
from carbonray.vocab.product_tables import PLANTS_ANNUAL

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class YearOfPlant:
    """What the generation models say of a plant's year.

    Attributes:
        year: calendar year.
        structure_kind: NDT, FGD or BOTH.
        day: (day,) of all windows that touch the year.
        capacity_factor: (day,) 30-day means.
        imputed: (day,) share of imputed features.
        seen: (day,) whether the 30 days hold a sounding.
        n_soundings: images of the year.
        width: half width of the year's interval.
        lineage: fold, instances, model_version.
    """

    year: int
    structure_kind: str
    day: NDArray[np.int64]
    capacity_factor: Floats
    imputed: Floats
    seen: NDArray[np.bool_]
    n_soundings: int
    width: float
    lineage: Mapping[str, Any]


def annual_rows(
    plant: Mapping[str, Any], units: pa.Table, told: YearOfPlant, calibration: Sequence[Calibration] = ()
) -> pa.Table:
    """The plant's row, then its units', schema `PLANTS_ANNUAL`.

    Args:
        plant: a row of schema `PLANTS`.
        units: schema `UNITS`, the plant's; a unit out of service in the whole year has no row.
        told: the year.
        calibration: countries' rows of emission factors.
    """
    frame = unit_frame(units)
    begin, after = (int(first_day(year)) * DAY_NS for year in (told.year, told.year + 1))
    share = service_share(frame["start_utc_ns"].to_numpy(), frame["end_utc_ns"].to_numpy(), begin, after)
    frame, share = frame[share > 0.0], share[share > 0.0]
    factor, _ = annual_capacity_factor(told.day, told.capacity_factor, told.year)
    capacity = frame["capacity_mw"].to_numpy(np.float64)
    of_year = bounded_capacity_factor(np.full(len(frame), factor), told.width)
    generation = unit_generation_mwh(of_year, capacity, told.year, share)
    fuels, movers = frame["fuel"].tolist(), frame["prime_mover"].tolist()
    intensity, rule = unit_factors(fuels, movers, [plant["country"]] * len(frame), calibration)
    emitted = emissions_t_co2(generation, intensity)
    whole = _with_total(generation), _with_total(emitted)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_intensity = whole[1].value[:1] / whole[0].value[:1]
    columns: dict[str, Any] = {
        "unit_id": np.array([None, *frame["unit_id"]], object),
        "fuel": np.array([plant["primary_fuel"], *fuels], object),
        "capacity_mw": _summed(capacity * share),
        **_named("capacity_factor", bounded_capacity_factor(np.full(len(frame) + 1, factor), told.width)),
        **_named("generation_mwh", whole[0]),
        "intensity_t_per_mwh": np.concatenate([mean_intensity, intensity]),
        "intensity_rule": np.array(["", *rule], object),
        **_named("emissions_t_co2", whole[1]),
    }
    constant = _constant(plant, told)
    columns |= {name: np.full(len(frame) + 1, value) for name, value in constant.items()}
    return to_table(columns, PLANTS_ANNUAL, stage="annual rows")


def _constant(plant: Mapping[str, Any], told: YearOfPlant) -> dict[str, Any]:
    known = np.where(told.seen, 1.0, np.nan)
    return {
        **{name: plant[name] for name in ("plant_id", "lat", "lon", "country", "data_tier")},
        "year": told.year,
        "structure_kind": told.structure_kind,
        "coverage": annual_capacity_factor(told.day, known, told.year)[1],
        "n_soundings": told.n_soundings,
        "imputed_fraction": annual_capacity_factor(told.day, told.imputed, told.year)[0],
        **told.lineage,
    }


def _with_total(units: Bounded) -> Bounded:
    """The sum, then the units; units share their error, so the ends of the interval add up too."""
    return Bounded(_summed(units.value), _summed(units.low), _summed(units.high))


def _summed(units: Floats) -> Floats:
    """A plant of which no unit is known is not one that generates nothing."""
    return np.concatenate([[units.sum() if len(units) else np.nan], units])


def _named(name: str, bounded: Bounded) -> dict[str, Floats]:
    return {name: bounded.value, f"{name}_p05": bounded.low, f"{name}_p95": bounded.high}
