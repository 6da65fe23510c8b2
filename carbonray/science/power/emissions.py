"""How much CO2 a MWh costs: factors by fuel and prime mover, a fallback chain and country calibration.

Sources: SCIENCE 4.8 and appendix A.6 of the plume paper (the rule); IPCC 2006 Guidelines vol. 2, table 2.2 (kg CO2 per
GJ, in `vocab.plants.FUELS`). Factors are t CO2 per MWh, arrays over units are (unit,), missing is NaN.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.vocab.plants import FUELS

Floats = NDArray[np.float64]

GJ_PER_MWH = 3.6
KG_PER_T = 1000.0

# electrical efficiency, net, on net calorific value (inferred throughout: SCIENCE 4.8; CEMS and eGRID are not at hand)
EFFICIENCIES: Mapping[tuple[str, str], float] = MappingProxyType(
    {
        ("bituminous", "ST"): 0.36,
        ("subbituminous", "ST"): 0.35,
        ("lignite", "ST"): 0.34,
        ("anthracite", "ST"): 0.35,
        ("gas", "CC"): 0.53,
        ("gas", "ST"): 0.36,
        ("gas", "GT"): 0.34,
        ("gas", "IC"): 0.40,
        ("residual_oil", "ST"): 0.35,
        ("diesel", "GT"): 0.31,
        ("diesel", "IC"): 0.38,
        ("petcoke", "ST"): 0.35,  # burnt in the same boilers as residual oil and coal (inferred)
    }
)


@dataclass(frozen=True)
class Calibration:
    """One row of a table of countries' calibration.

    Attributes:
        country: ISO3 code.
        fuel: a fuel, a family of fuels, or empty for all.
        factor: by which the uncalibrated factor is multiplied.
        source: where it comes from.
    """

    country: str
    fuel: str
    factor: float
    source: str


def intensity_t_per_mwh(kg_co2_per_gj: ArrayLike, efficiency: ArrayLike) -> Floats:
    """T CO2 per MWh of electricity from a fuel's factor and a plant's efficiency."""
    factor, eta = np.asarray(kg_co2_per_gj, np.float64), np.asarray(efficiency, np.float64)
    return factor * GJ_PER_MWH / eta / KG_PER_T


def pair_factors(efficiencies: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """(fuel, prime mover) -> t CO2 per MWh, of every pair that has an efficiency."""
    return {
        pair: float(intensity_t_per_mwh(FUELS[pair[0]].kg_co2_per_gj, eta))
        for pair, eta in sorted(efficiencies.items())
    }


def uncalibrated_factor(
    fuel: str, prime_mover: str, efficiencies: Mapping[tuple[str, str], float] = EFFICIENCIES
) -> tuple[float, str]:
    """T CO2 per MWh of a fuel and mover before calibration, and the rule that gave it.

    The pair itself; else the mean over the fuel's pairs; else the mean over its family's; else NaN, with the rule
    `none`. A fuel whose factor is 0 emits nothing with any mover.

    Raises:
        KeyError: the fuel is not one of `FUELS`.
    """
    if FUELS[fuel].kg_co2_per_gj == 0.0:
        return 0.0, "no fossil carbon"
    pairs = pair_factors(efficiencies)
    if (fuel, prime_mover) in pairs:
        return pairs[fuel, prime_mover], "pair"
    of_fuel = [factor for (name, _), factor in pairs.items() if name == fuel]
    if of_fuel:
        return float(np.mean(of_fuel)), "mean of the fuel"
    of_family = [factor for (name, _), factor in pairs.items() if FUELS[name].family == FUELS[fuel].family]
    if of_family:
        return float(np.mean(of_family)), "mean of the family"
    return float("nan"), "none"


def country_calibration(country: str, fuel: str, rows: Sequence[Calibration]) -> float:
    """The factor of a country and fuel: its row of the fuel, else of the family, else of all fuels, else 1.

    Raises:
        KeyError: the fuel is not one of `FUELS`.
    """
    own = {row.fuel: row.factor for row in rows if row.country == country}
    for name in (fuel, FUELS[fuel].family, ""):
        if name in own:
            return own[name]
    return 1.0


def unit_factors(
    fuel: Sequence[str],
    prime_mover: Sequence[str],
    country: Sequence[str],
    calibration: Sequence[Calibration] = (),
    efficiencies: Mapping[tuple[str, str], float] = EFFICIENCIES,
) -> tuple[Floats, list[str]]:
    """(unit,) calibrated t CO2 per MWh, and the rule that gave each.

    Args:
        fuel: (unit,) keys of `FUELS`.
        prime_mover: (unit,) keys of `PRIME_MOVERS`.
        country: (unit,) ISO3 codes.
        calibration: countries' rows.
        efficiencies: (fuel, prime mover) -> net electrical efficiency.

    Raises:
        KeyError: a fuel is not one of `FUELS`.
    """
    known: dict[tuple[str, str, str], tuple[float, str]] = {}
    units = list(zip(fuel, prime_mover, country, strict=True))
    for unit in set(units):
        factor, rule = uncalibrated_factor(unit[0], unit[1], efficiencies)
        known[unit] = factor * country_calibration(unit[2], unit[0], calibration), rule
    return np.array([known[unit][0] for unit in units], np.float64), [known[unit][1] for unit in units]
