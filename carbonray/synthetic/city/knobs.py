"""The knobs of the synthetic cities that a run may turn, for sweeps and for negative controls.

Source: SCIENCE 0.3, 1.8. A knob that is left alone keeps what each city has of its own.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

from carbonray.errors import SettingsError
from carbonray.synthetic.city.cities import CityRules, Shuffle, city_rules

Value = TypeVar("Value")
PX_STEP = 16  # tiles of a GeoTIFF are whole multiples of it


@dataclass(frozen=True)
class CityKnobs:
    """Which cities are made, and how; None keeps each city's own value.

    Attributes:
        names: keys of `cities.CITIES`.
        seed: of everything.
        px: pixels along a cell's side in the basemap, a multiple of 16.
        coupling: rho, 0 to 0.6; 0 is the control in which neighbours say nothing of a cell's emissions.
        image_visible: kappa_img, 0 to 1; 0 is the control in which pictures say nothing.
        points_visible: kappa_poi, 0 to 1; 0 is the control in which points of interest say nothing.
        completeness: least and most share of points that the open data has.
        mislabel: share of points under a wrong class.
        shuffled: further controls: `points` deals points out anew among a city's cells, `layout` whole cells.
    """

    names: tuple[str, ...] = ("demo",)
    seed: int = 2018
    px: int = 256
    coupling: float | None = None
    image_visible: float | None = None
    points_visible: float | None = None
    completeness: tuple[float, float] | None = None
    mislabel: float | None = None
    shuffled: tuple[Shuffle, ...] = ()


def chosen_cities(knobs: CityKnobs) -> tuple[CityRules, ...]:
    """The rules of the cities asked for, in order.

    Raises:
        SettingsError: an unknown city, or a knob out of its range.
    """
    shares = (knobs.image_visible, knobs.points_visible, knobs.mislabel, *(knobs.completeness or ()))
    wrong = [share for share in shares if share is not None and not 0.0 <= share <= 1.0]
    if wrong or knobs.px <= 0 or knobs.px % PX_STEP or set(knobs.shuffled) - {"points", "layout"}:
        raise SettingsError(
            f"shares {wrong} outside 0 to 1, {knobs.px} pixels a cell, or a shuffle out of {knobs.shuffled}",
            where="city",
            expected=f"shares from 0 to 1, pixels a multiple of {PX_STEP}, shuffles `points` or `layout`",
            remedy="Correct the setting.",
        )
    return tuple(_turned(city_rules(name), knobs) for name in knobs.names)


def _turned(rules: CityRules, knobs: CityKnobs) -> CityRules:
    points, photograph, emission = rules.points, rules.photograph, rules.emission
    return replace(
        rules,
        seed=knobs.seed,
        shuffled=knobs.shuffled,
        points=replace(
            points,
            visible=_either(knobs.points_visible, points.visible),
            completeness=_either(knobs.completeness, points.completeness),
            mislabel=_either(knobs.mislabel, points.mislabel),
        ),
        photograph=replace(photograph, visible=_either(knobs.image_visible, photograph.visible)),
        emission=replace(emission, coupling=_either(knobs.coupling, emission.coupling)),
    )


def _either(turned: Value | None, own: Value) -> Value:
    return own if turned is None else turned
