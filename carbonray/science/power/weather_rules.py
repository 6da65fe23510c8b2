"""Weather in which the vapor of a wet stack cannot be seen: hot, or dry, the drier the cooler it may be.

Source: plume paper section 3.4, "weather filters", with the signs of SCIENCE 4.4 (lost in the text, fixed by its
prose). The rules are for stacks (FGD) only, in training and in inference. Arrays are (n,).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from carbonray.science.power.selection import Broken, Verdict, verdict


@dataclass(frozen=True)
class VisibilityRules:
    """Where no plume is expected.

    Attributes:
        limits: (temperature_c, relative_humidity_pct): excluded at least as warm and at most as humid; 100 % stands
            for any humidity [paper].
        strict: whether a value on the limit itself is still kept (inferred: it is excluded).
        keep_unknown: whether images without known weather are kept (inferred: they are not).
    """

    limits: tuple[tuple[float, float], ...] = ((14.0, 26.0), (24.0, 36.0), (32.0, 100.0))
    strict: bool = False
    keep_unknown: bool = False


def weather_verdict(temperature_c: ArrayLike, relative_humidity_pct: ArrayLike, rules: VisibilityRules) -> Verdict:
    """Rejects weather in which the vapor of a stack is not seen; making it warmer or drier never readmits it.

    Args:
        temperature_c: (n,) air temperature, NaN where unknown.
        relative_humidity_pct: (n,) NaN where unknown; a rule that holds at any humidity still applies.
        rules: the limits.
    """
    warm, humid = (np.asarray(a, np.float64) for a in (temperature_c, relative_humidity_pct))
    broken = [
        Broken(
            "weather",
            _beyond(warm, limit_c, strict=rules.strict)
            & ((limit_pct >= 100.0) | _beyond(-humid, -limit_pct, strict=rules.strict)),
            lambda row, c=limit_c, pct=limit_pct: (  # type: ignore[misc]
                f"{warm[row]:.1f} C with {humid[row]:.0f} % humidity (limit {c:g} C{_and_humidity(pct)})"
            ),
        )
        for limit_c, limit_pct in rules.limits
    ]
    if not rules.keep_unknown:
        unknown = np.isnan(warm) | np.isnan(humid)
        broken.append(Broken("weather unknown", unknown, lambda _row: "temperature or humidity is not known"))
    return verdict(len(warm), broken)


def _beyond(value: np.ndarray, limit: float, *, strict: bool) -> np.ndarray:
    return value > limit if strict else value >= limit


def _and_humidity(limit_pct: float) -> str:
    return "" if limit_pct >= 100.0 else f", {limit_pct:g} %"
