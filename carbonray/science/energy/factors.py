"""Two peers without a network: emission factors of power plus a region's other emissions, and a region's mean total.

Sources: SCIENCE 2.5 (both peers) and 4.8 (factors; they come as an argument). What they answer for a region that did
not teach is inferred: the mean over those that did, each of the same weight, of other emissions per GWh, of power's t
per GWh, of logarithms of totals. Energy is (row, source) GWh a day, emissions are (row, sector) t CO2 a day, mixes
their shares; rows must be known throughout.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.energy.mix import MixRows, proportions

Floats = NDArray[np.float64]

MWH_PER_GWH = 1000.0


@dataclass(frozen=True, eq=False)
class RegionMeans:
    """A mean by region.

    Attributes:
        regions: (region,) names, ascending.
        mean: (region,) mean over the rows of each.
        of_all: mean over the regions, each of the same weight: what is said of any other.
    """

    regions: NDArray[np.object_]
    mean: Floats
    of_all: float

    def seen(self, region: ArrayLike) -> NDArray[np.bool_]:
        """(row,) whether the region is one of them."""
        asked = np.asarray(region, object)
        return np.asarray(self.regions[self._at(asked)] == asked, np.bool_)

    def of(self, region: ArrayLike) -> Floats:
        """(row,) mean of the region of each row, or that of all."""
        asked = np.asarray(region, object)
        return np.where(self.seen(asked), self.mean[self._at(asked)], self.of_all)

    def _at(self, region: NDArray[np.object_]) -> NDArray[np.int64]:
        return np.minimum(np.searchsorted(self.regions, region), len(self.regions) - 1).astype(np.int64)


def region_means(region: ArrayLike, value: ArrayLike) -> RegionMeans:
    """Means by region; of logarithms of totals, this is the peer that memorises (SCIENCE 2.5).

    Args:
        region: (row,) names.
        value: (row,) what is averaged; all must be finite.

    Raises:
        ValueError: no row, or a value that is not finite.
    """
    values = np.asarray(value, np.float64)
    if not len(values) or not np.all(np.isfinite(values)):
        raise ValueError("means by region: expected at least one row and finite values, such as totals above 0")
    names, number, count = np.unique(np.asarray(region, object), return_inverse=True, return_counts=True)
    mean = np.bincount(number, values) / count
    return RegionMeans(names, mean, float(mean.mean()))


def ln_total_means(region: ArrayLike, total: ArrayLike) -> RegionMeans:
    """Mean logarithm of the total of each region; a total that is not above 0 raises ValueError."""
    totals = np.asarray(total, np.float64)
    return region_means(region, np.log(totals, out=np.full(totals.shape, np.nan), where=totals > 0.0))


@dataclass(frozen=True, eq=False)
class FactorModel:
    """What training rows say beside the factors.

    Attributes:
        factors_t_per_gwh: (source,) emission factors.
        other_t: by region, emissions of all sectors but power, t a day.
        other_t_per_gwh: the same per GWh generated.
        power_t_per_gwh: by region, what the factors give per GWh of its mix.
        ln_gwh: by region, logarithm of the energy total, for where a total is not told.
        ln_t: by region, logarithm of the emission total, likewise.
        power: place of the power sector.
    """

    factors_t_per_gwh: Floats
    other_t: RegionMeans
    other_t_per_gwh: RegionMeans
    power_t_per_gwh: RegionMeans
    ln_gwh: RegionMeans
    ln_t: RegionMeans
    power: int


def factor_model(rows: MixRows, factors_t_per_mwh: Sequence[float] | Floats, power: int = 0) -> FactorModel:
    """The model of emission factors, fitted on training rows.

    Args:
        rows: complete rows with totals above 0.
        factors_t_per_mwh: (source,) t CO2 per MWh, 0 for what burns no fossil carbon.
        power: place of the power sector.

    Raises:
        ValueError: a factor for each source is not given, a row is incomplete or its total not above 0.
    """
    factors = np.asarray(factors_t_per_mwh, np.float64) * MWH_PER_GWH
    if factors.shape != rows.energy.shape[1:] or not np.all(factors >= 0.0):
        raise ValueError(f"factors {factors_t_per_mwh}: expected {rows.energy.shape[1]}, none negative")
    mix, energy_gwh = proportions(rows.energy)
    _, emissions_t = proportions(rows.emissions)
    other = np.delete(rows.emissions, power, axis=1).sum(axis=1)
    return FactorModel(
        factors,
        other_t=region_means(rows.region, other),
        other_t_per_gwh=region_means(rows.region, other / energy_gwh),
        power_t_per_gwh=region_means(rows.region, mix @ factors),
        ln_gwh=ln_total_means(rows.region, energy_gwh),
        ln_t=ln_total_means(rows.region, emissions_t),
        power=power,
    )


def factor_emissions(model: FactorModel, mix: ArrayLike, region: ArrayLike, total_gwh: ArrayLike | None) -> Floats:
    """(row,) t CO2 a day: what the factors give of each source, and the region's mean of the rest.

    The rest of a region that did not teach grows with its total, by the mean t per GWh.

    Args:
        model: fitted.
        mix: (row, source) shares of energy.
        region: (row,) names.
        total_gwh: (row,) energy total; None where a model may see proportions only: the region's mean stands for it.
    """
    shares = np.asarray(mix, np.float64)
    total = np.exp(model.ln_gwh.of(region)) if total_gwh is None else np.asarray(total_gwh, np.float64)
    rest = np.where(model.other_t.seen(region), model.other_t.of(region), total * model.other_t_per_gwh.of(region))
    return np.asarray(total * (shares @ model.factors_t_per_gwh) + rest, np.float64)


def factor_energy(model: FactorModel, mix: ArrayLike, region: ArrayLike, total_t: ArrayLike | None) -> Floats:
    """(row,) GWh a day: emissions of the power sector over what a GWh of the region's mean mix costs.

    A region whose own mix burns nothing is answered with the mean over regions; no power emissions give 0 GWh.

    Args:
        model: fitted.
        mix: (row, sector) shares of emissions.
        region: (row,) names.
        total_t: (row,) emission total; None: the region's mean stands for it.

    Raises:
        ValueError: no training region burns anything.
    """
    if not model.power_t_per_gwh.of_all > 0.0:
        raise ValueError("no region that taught burns fossil fuel: power's emissions say nothing of its energy")
    total = np.exp(model.ln_t.of(region)) if total_t is None else np.asarray(total_t, np.float64)
    power_t = total * np.asarray(mix, np.float64)[:, model.power]
    cost = model.power_t_per_gwh.of(region)
    return np.asarray(power_t / np.where(cost > 0.0, cost, model.power_t_per_gwh.of_all), np.float64)
