"""Emission factors of the sources of electricity, from those of the fuels that stand for them.

Source: SCIENCE 4.8. What peers of CLEAN and the product's own account of emissions read by default.
"""

from collections.abc import Mapping
from types import MappingProxyType

from carbonray.science.power.emissions import uncalibrated_factor
from carbonray.vocab.energy import SOURCES

# source -> the fuel that stands for it (inferred); the others burn nothing, or what grew again
FUELS_OF_SOURCES: Mapping[str, str] = MappingProxyType({"coal": "bituminous", "gas": "gas", "oil": "residual_oil"})


def source_factors() -> tuple[float, ...]:
    """T CO2 per MWh of each source: the mean over the movers that have an efficiency in SCIENCE 4.8."""
    return tuple(
        uncalibrated_factor(FUELS_OF_SOURCES[source], "")[0] if source in FUELS_OF_SOURCES else 0.0
        for source in SOURCES
    )
