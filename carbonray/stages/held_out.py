"""Scenes that no fit has seen: which they are, and how they are drawn with what only the oracle may know of them.

Sources: SCIENCE 3.10 (G1 trains, G2, the shift tier, only tests), 3.6 (the 75 % rule), 0.4 (no scene in two roles).
A scene is known by generator, seed and index alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.science.no2.scene_weather import Weather, draw_weather
from carbonray.science.no2.scenes import SceneRules, Scenes, simulate_g1, simulate_g2
from carbonray.science.no2.variates import SceneVariates
from carbonray.science.no2.wandering_units import wandering_unit_plumes

DATA_TIERS: Mapping[str, str] = {"g1": "SYNTHETIC-T1", "g2": "SYNTHETIC-T2"}


@dataclass(frozen=True)
class HeldOutRules:
    """Which scenes are kept from every fit.

    Attributes:
        g1_scenes: test scenes of the training generator.
        g2_scenes: test scenes of the shift tier, which nothing is ever trained or tuned on.
        validation_scenes: scenes of the training generator on which the peers' cuts are chosen.
        unit_scenes: scenes of a work unit.
        seed: of the generators.
        first_scene: index of the first test scene, far above those of training (inferred).
        first_validation_scene: index of the first validation scene, far above the test scenes (inferred).
    """

    g1_scenes: int = 1000
    g2_scenes: int = 500
    validation_scenes: int = 400
    unit_scenes: int = 100
    seed: int = 0
    first_scene: int = 10_000_000
    first_validation_scene: int = 20_000_000


@dataclass(frozen=True)
class HeldOut:
    """Scenes that no fit has seen, and what only the oracle may know of them.

    Attributes:
        index: (n,) key of each.
        scenes: the scenes.
        weather: their true weather.
        unit_plumes: (n, s, y, x) umol m-2 of 1 kg s-1 from each source; None where plumes are steady.
    """

    index: NDArray[np.int64]
    scenes: Scenes
    weather: Weather
    unit_plumes: NDArray[np.float32] | None


@dataclass(frozen=True)
class SceneSource:
    """Where held-out scenes come from.

    Attributes:
        scenes: the generators' rules.
        held_out: which scenes.
        min_covered: share of a tile above which it is a complete observation.
    """

    scenes: SceneRules
    held_out: HeldOutRules
    min_covered: float

    def draw(self, generator: str, start: int, stop: int) -> HeldOut:
        """The complete observations among a range of scenes, with what the oracle may know."""
        index, seed = np.arange(start, stop, dtype=np.int64), self.held_out.seed
        simulate = {"g1": simulate_g1, "g2": simulate_g2}[generator]
        scenes = simulate(self.scenes, index, seed)
        weather = draw_weather(self.scenes.weather, SceneVariates.of(seed, generator, index))
        kept = np.isfinite(scenes.no2_umol_m2).mean(axis=(1, 2)) > self.min_covered
        some, slots = index[kept], scenes.source_row.shape[1]
        plumes = wandering_unit_plumes(self.scenes, some, seed, slots) if generator == "g2" else None
        return HeldOut(some, _rows(scenes, kept), _rows(weather, kept), plumes)


def _rows(record: Any, kept: NDArray[np.bool_]) -> Any:
    """A frozen dataclass of arrays with some of its rows."""
    return type(record)(**{f.name: getattr(record, f.name)[kept] for f in fields(record)})
