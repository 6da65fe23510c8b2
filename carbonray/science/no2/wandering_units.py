"""The true plumes of the shift tier's sources one by one, for the ceiling that its estimates are held against.

Source: SCIENCE 3.10, ceiling: a linear estimate with known wind and source positions. Only the load of the hours before
the overpass stays unknown: the plumes are those of stacks that ran evenly. Arrays are (scene, source, y, x).
"""

import numpy as np
from numpy.typing import NDArray

from carbonray.science.no2.scene_sources import SCENE_PX
from carbonray.science.no2.scenes import SceneRules, simulate_g2
from carbonray.science.no2.variates import F32


def wandering_unit_plumes(rules: SceneRules, indices: NDArray[np.int64], seed: int, slots: int) -> F32:
    """(n, slot, 64, 64) columns, umol m-2, of 1 kg s-1 from each source of the scenes; 0 where there is none.

    Args:
        rules: of the generator.
        indices: (n,) keys of the scenes.
        seed: of the whole set.
        slots: sources a scene has room for.
    """
    hours = int(np.ceil(rules.puffs.max_age_h))
    plumes = np.zeros((len(indices), slots, SCENE_PX, SCENE_PX), np.float32)
    for slot in range(slots):
        alone = np.zeros((len(indices), slots, hours))
        alone[:, slot] = 1.0
        scenes = simulate_g2(rules, indices, seed, alone)
        q_kg_s = scenes.source_q_kg_s[:, slot]
        there = np.isfinite(q_kg_s)
        plumes[there, slot] = scenes.plume_umol_m2[there] / q_kg_s[there, None, None]
    return plumes
