"""Rendering of the synthetic fleet's images: images and megabytes a second on one core, beside what is asked for.

CPU time of one thread (others may share the cores), best of a few rounds, over a dozen images of hand-made weather with
broken cloud. `of 64 x 64 pixels` counts pixels: the fleet's Sentinel-2 regions are larger. The peer of a megabyte is
NumPy's own noise of the same shape: a renderer that only drew sensor noise would be as fast.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from carbonray.synthetic.backgrounds import Season
from carbonray.synthetic.fleet import FleetRules, plant_of
from carbonray.synthetic.native_files import native_files
from carbonray.synthetic.plant_views import RenderRules, view_of
from carbonray.synthetic.vapor import Moment, rendered
from carbonray.synthetic.vapor_plumes import Air
from carbonray.vocab.sensors import IMAGERS

ASKED_PER_S = 20.0  # of a Sentinel-2 region of 64 x 64 pixels
IMAGES = 12
FLEET, RULES = FleetRules(), RenderRules()


def best_s(work: Callable[[], object], rounds: int = 3) -> float:
    """Least CPU time of a few rounds, seconds."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def shots(name: str, index: int = 7) -> Callable[[], list[Any]]:
    """What renders a dozen images of one plant."""
    view = view_of(RULES, FLEET.seed, plant_of(FLEET, index), IMAGERS[name])
    load = np.full(len(view.structures.kind), 0.8)
    start_ns = 1_616_248_800 * 10**9
    season = Season(80.0, 0.0, 1.0)
    moments = [
        Moment(start_ns + k * 10**9, Air(5.0 + k, 70.0, 3.0, 0.3 * k), 0.1 * (k % 4), load, season)
        for k in range(IMAGES)
    ]
    return lambda: [rendered(RULES, FLEET.seed, view, each, f"bench-{k}", load).image for k, each in enumerate(moments)]


def rows() -> list[dict[str, Any]]:
    """Images and megabytes a second of each imager, the background's set-up, and the providers' files."""
    found = []
    for name in IMAGERS:
        work = shots(name)
        made = work()
        seconds, size = best_s(work) / IMAGES, made[0].dn.nbytes
        bare = best_s(lambda shape=made[0].dn.shape: np.random.default_rng(0).standard_normal(shape, np.float32))
        rows_px, cols_px = made[0].flags.shape
        asked = (f"asked for: {ASKED_PER_S:g}", ASKED_PER_S) if name == "sentinel2" else ("", None)
        files_s = best_s(lambda image=made[0]: native_files(image))
        view_s = best_s(lambda name=name: view_of(RULES, FLEET.seed, plant_of(FLEET, 7), IMAGERS[name]), 1)
        found += [
            _row(f"render {name}, {rows_px} x {cols_px} pixels", 1 / seconds, "images/s", "", None),
            _row(f"render {name}, of 64 x 64 pixels", rows_px * cols_px / 4096 / seconds, "images/s", *asked),
            _row(f"render {name}, size", size / seconds / 1e6, "MB/s", "noise of that shape", size / bare / 1e6),
            _row(f"files of {name}", 1 / files_s, "images/s", "rendering", 1 / seconds),
            _row(f"background of {name}", view_s, "s", "an image", seconds),
        ]
    return found


def _row(name: str, value: float, unit: str, against: str, peer: float | None) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "against": against or None,
        "ratio": value / peer if peer else None,
    }
