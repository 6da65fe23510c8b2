"""From tonnes to the logarithm that is learned and back: zeros, the correction for the mean, and the band.

Sources: SCIENCE 1.2 and 1.6 (ln of tonnes a cell, zeros dropped, smearing); Duan, J. Am. Stat. Assoc. 78, 605, 1983.
Arrays are (cell,). Residuals are observed less predicted, in the logarithm. That a factor is one for all cells, and
that the band is conformal, is inferred: the paper reports errors of the logarithm only.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.errors import DataError
from carbonray.science.stats.conformal import conformal_half_width

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BandRules:
    """How logarithms become tonnes with a band (inferred).

    Attributes:
        smearing: `normal`, exp(s2 / 2) of the residuals' variance s2; `duan`, the mean of exp(residual), which needs
            no normal residuals but hangs on the largest few; `none`, the median.
        level: share of cells whose truth lies in the band.
    """

    smearing: Literal["normal", "duan", "none"] = "normal"
    level: float = 0.9


@dataclass(frozen=True)
class BackTransform:
    """What the held-out residuals of a model say of its answers; kept in its bundle.

    Attributes:
        factor: tonnes of the mean over tonnes of the median.
        half_width: how far, in the logarithm, the truth lies from the answer at most; infinite where unknown.
    """

    factor: float
    half_width: float


@dataclass(frozen=True)
class Tonnes:
    """Annual tonnes of CO2 of cells: the mean, and the ends of the band; NaN where there is no answer."""

    mean_t_co2: Floats
    low_t_co2: Floats
    high_t_co2: Floats


def ln_label(t_co2: ArrayLike) -> Floats:
    """Natural logarithm of annual tonnes of CO2; NaN where a cell has none or is unknown: neither can be learned.

    Raises:
        DataError: negative or unbounded emissions.
    """
    tonnes = np.asarray(t_co2, np.float64)
    wrong = (tonnes < 0.0) | np.isinf(tonnes)
    if np.any(wrong):
        raise DataError(
            f"label of {tonnes[wrong].flat[0]:g} t CO2",
            where=f"{np.count_nonzero(wrong)} of {tonnes.size} cells",
            expected="emissions of zero and more, NaN where unknown",
            remedy="Mark nodata as such in the label's files, or leave them out of inputs.co2_grid.",
        )
    return np.log(tonnes, out=np.full(tonnes.shape, np.nan), where=tonnes > 0.0)


def smeared(ln_e: ArrayLike, s2: ArrayLike) -> Floats:
    """Mean of a log-normal quantity, exp(y + s2 / 2), from the mean y and the variance s2 of its logarithm."""
    return np.asarray(np.exp(np.asarray(ln_e, np.float64) + np.asarray(s2, np.float64) / 2.0), np.float64)


def duan_factor(residual: ArrayLike) -> float:
    """Duan's smearing: the mean of exp(residual), whatever the residuals' distribution; NaN where there are none."""
    known = _known(residual)
    return float(np.mean(np.exp(known))) if known.size else float("nan")


def normal_factor(residual: ArrayLike) -> float:
    """exp(s2 / 2) of the residuals' variance about their mean; NaN where there are none."""
    known = _known(residual)
    return float(smeared(0.0, np.var(known))) if known.size else float("nan")


def back_transform(residual: ArrayLike, block: ArrayLike, rules: BandRules | None = None) -> BackTransform:
    """The factor and the band that held-out residuals call for.

    Args:
        residual: (cell,) observed less predicted logarithm of held-out cells; NaN is left out.
        block: (cell,) the spatial block of each: neighbours err together, so blocks count and not cells.
        rules: kind of smearing and level.
    """
    rule = rules or BandRules()
    factors = {"normal": normal_factor, "duan": duan_factor}
    factor = 1.0 if rule.smearing == "none" else factors[rule.smearing](residual)
    return BackTransform(factor, conformal_half_width(residual, block, rule.level))


def tonnes(ln_e: ArrayLike, back: BackTransform) -> Tonnes:
    """Annual tonnes of CO2 from logarithms; a band of unknown width is 0 to infinity.

    The mean may lie near the upper end: tonnes are skewed, and their mean is above their median.
    """
    answer = np.asarray(ln_e, np.float64)
    low, high = (np.where(np.isnan(answer), np.nan, np.exp(answer + side * back.half_width)) for side in (-1.0, 1.0))
    return Tonnes(np.exp(answer) * back.factor, low, high)


def _known(residual: ArrayLike) -> Floats:
    values = np.asarray(residual, np.float64)
    return values[np.isfinite(values)]
