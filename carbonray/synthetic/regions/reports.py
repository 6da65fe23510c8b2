"""What statisticians make of the days of a synthetic region: a lasting bias, noise, and late days that are revised.

Source: SCIENCE 2.8 (reporting noise and late revisions); numbers are inferred. Arrays are (day, part). An amount is off
by a factor, so that what is not there is not reported either.
"""

from dataclasses import dataclass, replace

import numpy as np

from carbonray.synthetic.regions.draws import Days, Floats, generator
from carbonray.synthetic.regions.world import Region, RegionSeries


@dataclass(frozen=True)
class ReportRules:
    """How reports differ from the truth; numbers are inferred.

    Attributes:
        energy_noise: standard deviation of the ln amount of a source, day by day.
        emission_noise: likewise of a sector.
        emission_bias: standard deviation of the ln emission of a sector, for ever.
        provisional: standard deviation that the ln amount of the day of the release has besides.
        revised_d: days in which that is put right.
        earlier_d: how many days before the last release the one before it came.
    """

    energy_noise: float = 0.005
    emission_noise: float = 0.01
    emission_bias: float = 0.02
    provisional: float = 0.06
    revised_d: float = 20.0
    earlier_d: int = 60


def reported(rules: ReportRules, seed: int, region: Region, series: RegionSeries, released: int) -> RegionSeries:
    """The days of a region up to a release, as it tells them; errors of a day change only as they are put right.

    Args:
        rules: how reports differ.
        seed: of the world.
        region: whose statisticians.
        series: the truth.
        released: last day that the release tells of, since 1970-01-01.
    """
    told = int(np.searchsorted(series.days, released, side="right"))
    lasting, *streams = generator(seed, region.key, "reports").spawn(5)
    bias = rules.emission_bias * lasting.standard_normal(series.emissions.shape[1])
    late = rules.provisional * np.exp(-(released - series.days[:told]) / rules.revised_d)[:, None]

    def off(amounts: Floats, noise: float, daily: np.random.Generator, first: np.random.Generator) -> Floats:
        shape = told, amounts.shape[1]
        errors = noise * daily.standard_normal(shape) + late * first.standard_normal(shape)
        return np.asarray(amounts[:told] * np.exp(errors))

    energy = off(series.energy, rules.energy_noise, streams[0], streams[1])
    emissions = off(series.emissions, rules.emission_noise, streams[2], streams[3]) * np.exp(bias)
    return replace(series, days=series.days[:told], energy=energy, emissions=emissions)


def release_day(rules: ReportRules, span: Days, *, earlier: bool) -> int:
    """Last day of the last release, or of the one before it; the first day of the span at the least."""
    return int(max(span[-1] - (rules.earlier_d if earlier else 0), span[0]))
