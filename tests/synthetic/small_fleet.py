"""A small fleet and hand-made moments that the renderer's tests share."""

import functools

import numpy as np

from carbonray.synthetic.backgrounds import Season
from carbonray.synthetic.fleet import FleetRules, plant_of
from carbonray.synthetic.plant_views import RenderRules, view_of
from carbonray.synthetic.vapor import Moment, rendered
from carbonray.synthetic.vapor_plumes import Air
from carbonray.vocab.sensors import IMAGERS

FLEET = FleetRules(plants=8, first_year=2021, last_year=2021)
RULES = RenderRules()
NOON_NS = 1_611_000_000 * 10**9 - 19 * 3600 * 10**9  # 2021-01-18, sixteen hours UTC
SUMMER = Season(170.0, 0.0, 1.0)


@functools.cache
def plant_with(kind):
    """The first plant of the fleet that has this kind of structure alone, emits vapor and stands in the USA."""
    plants = (plant_of(FLEET, index) for index in range(200))
    return next(
        p for p in plants if p.kinds == (kind,) and p.country == "USA" and all(s.emits_vapor for s in p.structures)
    )


@functools.cache
def view(kind, imager="sentinel2", rules=RULES, seed=FLEET.seed):
    return fresh_view(kind, imager, rules, seed)


def fresh_view(kind, imager, rules=RULES, seed=FLEET.seed):
    declared = IMAGERS[imager] if isinstance(imager, str) else imager
    return view_of(rules, seed, plant_with(kind), declared)


def moment(load=1.0, temperature_c=0.0, humidity=75.0, wind=(4.0, 0.0), cloud=0.0, count=1, season=SUMMER):
    return Moment(NOON_NS, Air(temperature_c, humidity, *wind), cloud, np.full(count, load), season)


def one_image(kind, imager="sentinel2", rules=RULES, seed=FLEET.seed, name="one", fresh=False, **weather):
    """One image of the first plant of a kind under hand-made weather; `fresh` draws the plant's view anew."""
    seen = (fresh_view if fresh else view)(kind, imager, rules, seed)
    count = len(seen.structures.kind)
    return rendered(rules, seed, seen, moment(count=count, **weather), name, np.full(count, 1.0))


def values(image):
    """Reflectance or radiance, (band, y, x)."""
    return image.dn * image.scale[:, None, None] + image.offset[:, None, None]
