"""Turns the soundings of a plant into its 30-day capacity factors and its year: generation and CO2 of every unit.

Source: SCIENCE 4.6 to 4.8, plume paper sections 3.6 to 3.9. A unit of work is a plant and a year; its soundings reach
back by the longest window and forward to 29 January of the next year, as far as there are any. Plants that models were
trained on are scored by the instance that held them out, all others by the mean of four.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from carbonray.contract import to_table
from carbonray.models.generation import PlantDays
from carbonray.models.generation_ensemble import GenerationEnsemble, ensemble_sha256
from carbonray.science.power.annual import bounded_capacity_factor
from carbonray.science.power.capacity_factor import annual_window_days, blended_capacity_factor, days_in_year, first_day
from carbonray.science.power.emissions import Calibration
from carbonray.science.power.lookback import Soundings, lookback_features, sounding_counts
from carbonray.science.power.sounding_series import image_series
from carbonray.stages.annual_rows import YearOfPlant, annual_rows
from carbonray.stages.averaged_soundings import averaged_soundings
from carbonray.vocab.plants import FGD, NDT
from carbonray.vocab.product_tables import BOTH, PLANTS_30DAY, PLANTS_ANNUAL

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class KindDays:
    """What one structure kind, or both together, tell of a plant's days.

    Attributes:
        structure_kind: NDT, FGD or BOTH.
        capacity_factor: (day,) 30-day means.
        imputed: (day,) share of imputed features.
        soundings: what was told, averaged over instances; of all kinds one after the other.
        width_30d: half width of a day's interval.
        width_annual: of a year's.
        fold: of the plant where models were trained on it, else -1.
        instances: those that answered.
        version: sha256 of the generation models.
    """

    structure_kind: str
    capacity_factor: Floats
    imputed: Floats
    soundings: tuple[Soundings, ...]
    width_30d: float
    width_annual: float
    fold: int
    instances: str
    version: str

    def counts(self, day: Ints, window_days: int) -> Ints:
        """(day,) images of the windows; an image that tells of towers and of stacks counts once a kind."""
        plant = np.zeros(len(day), np.int64)
        return sum((sounding_counts(told, plant, day, window_days) for told in self.soundings), start=plant)


@dataclass(frozen=True)
class PlantGeneration:
    """A plant's year.

    Attributes:
        days: schema `PLANTS_30DAY`, a row a day of the year and structure kind.
        annual: schema `PLANTS_ANNUAL`, a row of the plant and one a unit.
    """

    days: pa.Table
    annual: pa.Table


class SoundingsToGeneration:
    """Features, generation models, blend, year, units: one plant at a time."""

    def __init__(self, ensembles: Sequence[GenerationEnsemble], calibration: Sequence[Calibration] = ()) -> None:
        self._ensembles = {ensemble.structure_kind: ensemble for ensemble in ensembles}
        self._versions = {kind: ensemble_sha256(ensemble) for kind, ensemble in self._ensembles.items()}
        self._calibration = tuple(calibration)

    def __call__(
        self, soundings: pa.Table, plant: Mapping[str, Any], units: pa.Table, kinds: Sequence[str], year: int
    ) -> PlantGeneration:
        """The plant's days and its year.

        Args:
            soundings: schema `SOUNDINGS`; rows of other plants and of instances that may not answer are not read.
            plant: a row of schema `PLANTS`.
            units: schema `UNITS`, the plant's.
            kinds: structure kinds of the plant; those without a model tell nothing.
            year: of the table.

        Raises:
            DataError: an image has two values of one output and instance, or a value is out of range.
        """
        day, _ = annual_window_days(year)
        asked = [kind for kind in (NDT, FGD) if kind in kinds and kind in self._ensembles]
        told = [self._of_kind(soundings, str(plant["plant_id"]), kind, day) for kind in asked]
        if len(told) > 1:
            told.append(_both(*told))
        tier = pc.unique(soundings.column("data_tier")).to_pylist() or [plant["data_tier"]]
        known = dict(plant) | {"data_tier": ",".join(sorted(tier))}
        of_year = (day >= first_day(year)) & (day < first_day(year) + days_in_year(year))
        days = [_day_rows(known, days_of, day, of_year) for days_of in told]
        annual = [annual_rows(known, units, _year(told[-1], day, year), self._calibration)] if told else []
        return PlantGeneration(
            pa.concat_tables([PLANTS_30DAY.empty_table(), *days]),
            pa.concat_tables([PLANTS_ANNUAL.empty_table(), *annual]),
        )

    def _of_kind(self, soundings: pa.Table, plant_id: str, kind: str, day: Ints) -> KindDays:
        ensemble = self._ensembles[kind]
        instances = ensemble.instances_for(plant_id)
        rows = soundings.filter(pc.equal(soundings.column("structure_kind"), kind))
        told = averaged_soundings(rows, ensemble.outputs, [plant_id], instances.tolist())
        plant = np.zeros(len(day), np.int64)
        features = lookback_features(told, ensemble.outputs, plant, day, ensemble.windows_days, ensemble.lookback)
        days = PlantDays(plant, day, features, image_series(told, ensemble.outputs))
        return KindDays(
            kind,
            ensemble.predict(days, instances),
            np.isnan(features).mean(axis=1),
            (told,),
            ensemble.width_30d,
            ensemble.width_annual,
            ensemble.training_folds.get(plant_id, -1),
            ",".join(map(str, instances.tolist())),
            self._versions[kind],
        )


def _both(ndt: KindDays, fgd: KindDays) -> KindDays:
    """The blend; its error is at most the same blend of the errors, and so is its width (inferred)."""
    width_30d, width_annual = (
        float(blended_capacity_factor(getattr(ndt, name), getattr(fgd, name))) for name in ("width_30d", "width_annual")
    )
    return KindDays(
        BOTH,
        blended_capacity_factor(ndt.capacity_factor, fgd.capacity_factor),
        (ndt.imputed + fgd.imputed) / 2.0,
        (*ndt.soundings, *fgd.soundings),
        width_30d,
        width_annual,
        max(ndt.fold, fgd.fold),
        ndt.instances if ndt.instances == fgd.instances else f"{ndt.instances};{fgd.instances}",
        f"{ndt.version};{fgd.version}",
    )


def _year(told: KindDays, day: Ints, year: int) -> YearOfPlant:
    last = first_day(year) + days_in_year(year) - 1
    return YearOfPlant(
        year=year,
        structure_kind=told.structure_kind,
        day=day,
        capacity_factor=told.capacity_factor,
        imputed=told.imputed,
        seen=told.counts(day, 30) > 0,
        n_soundings=int(told.counts(np.array([last]), int(days_in_year(year)))[0]),
        width=told.width_annual,
        lineage={"fold": told.fold, "instances": told.instances, "model_version": told.version},
    )


def _day_rows(plant: Mapping[str, Any], told: KindDays, day: Ints, of_year: NDArray[np.bool_]) -> pa.Table:
    n = int(of_year.sum())
    bounded = bounded_capacity_factor(told.capacity_factor[of_year], told.width_30d)
    constant = {name: plant[name] for name in ("plant_id", "lat", "lon", "data_tier")} | {
        "structure_kind": told.structure_kind,
        "fold": told.fold,
        "instances": told.instances,
        "model_version": told.version,
    }
    columns = {
        "date": day[of_year].astype("datetime64[D]"),
        "capacity_factor": bounded.value,
        "capacity_factor_p05": bounded.low,
        "capacity_factor_p95": bounded.high,
        "n_soundings": told.counts(day[of_year], 30),
        "imputed_fraction": told.imputed[of_year],
    }
    columns |= {name: np.full(n, value) for name, value in constant.items()}
    return to_table(columns, PLANTS_30DAY, stage="generation")
