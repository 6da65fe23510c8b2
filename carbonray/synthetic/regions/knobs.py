"""The knobs of the synthetic regions that a run may turn, for sweeps and for negative controls.

Source: SCIENCE 0.3, 2.8.
"""

import datetime as dt
from dataclasses import dataclass, replace

from carbonray.errors import SettingsError
from carbonray.synthetic.regions.world import MAX_REGIONS, UNION_SIZE, RegionRules


@dataclass(frozen=True)
class RegionKnobs:
    """Which regions are made, and how; numbers are inferred.

    Attributes:
        count: regions of the usual population, 6 to 999; the union of the first five is a further one.
        seed: of everything.
        first_day: ISO date; two years from 2019 hold the lockdown.
        days: number of days.
        shift: whether the two regions of the shift tier are made.
        mix_tells: False is the negative control, in which emissions are independent of the mix given size. Sectors with
            their total still tell of the size, and so of the energy: there the control is the mix of sectors alone.
        size_spread: standard deviation of the ln size of regions; at 0 a mix alone tells as much as with its total.
        own: factor on what sectors emit by chance of their own; at 0 only weather and prices hide what a known region
            emits.
    """

    count: int = 24
    seed: int = 2019
    first_day: str = "2019-01-01"
    days: int = 731
    shift: bool = True
    mix_tells: bool = True
    size_spread: float = 1.1
    own: float = 1.0


def chosen_regions(knobs: RegionKnobs) -> RegionRules:
    """The rules of the regions asked for.

    Raises:
        SettingsError: a knob out of its range.
    """
    if not _is_date(knobs.first_day):
        raise _wrong(f"the first day {knobs.first_day!r}", "a date as YYYY-MM-DD")
    if not UNION_SIZE < knobs.count <= MAX_REGIONS or knobs.days < 1:
        raise _wrong(
            f"{knobs.count} regions of {knobs.days} days", f"{UNION_SIZE + 1} to {MAX_REGIONS} regions of a day or more"
        )
    if min(knobs.size_spread, knobs.own) < 0.0:
        raise _wrong(f"a spread of {knobs.size_spread} or a chance of {knobs.own}", "0 or more")
    rules = RegionRules(knobs.seed, knobs.count, knobs.shift, knobs.first_day, knobs.days, knobs.mix_tells)
    sectors = replace(rules.sectors, own=tuple(knobs.own * each for each in rules.sectors.own))
    return replace(rules, place=replace(rules.place, size_spread=knobs.size_spread), sectors=sectors)


def _is_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _wrong(what: str, expected: str) -> SettingsError:
    return SettingsError(what, where="regions", expected=expected, remedy="Correct the setting.")
