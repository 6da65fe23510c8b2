"""Regions that several tests look at, drawn once."""

import dataclasses
from functools import cache

from carbonray.synthetic.regions.ceiling import CeilingRules
from carbonray.synthetic.regions.knobs import RegionKnobs, chosen_regions
from carbonray.synthetic.regions.reports import ReportRules
from carbonray.synthetic.regions.world import Region, RegionRules, RegionSeries, drawn_series, regions_of

RULES = chosen_regions(RegionKnobs(count=8))
CONTROL = dataclasses.replace(RULES, mix_tells=False)
REPORTS = ReportRules()
FEW = CeilingRules(fates=2, others=100, near=150)


@cache
def series(rules: RegionRules = RULES, number: int = 0, turn: int = 0) -> RegionSeries:
    """The days of a region, by its place in `regions_of`."""
    return drawn_series(rules, regions_of(rules)[number], rules.span, turn)


@cache
def others(rules: RegionRules = RULES, count: int = 150, days: int = 10) -> list[RegionSeries]:
    """Some days of regions of the usual population that are in no file."""
    return [drawn_series(rules, Region(f"other {key}", 5000 + key), rules.span[:days]) for key in range(count)]
