"""The scene generator beside a straightforward loop over sources and sub-pixels, and both against particles.

Sixteen sources for accuracy, 256 scenes for time: CPU time of one thread (others may share the cores), best of a few
rounds.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.science.no2.dispersion import column_plume, sigma_y_shape
from carbonray.science.no2.plume_pixels import PlumeSources, pixel_plumes
from carbonray.science.no2.scenes import SceneRules, simulate_g1, simulate_g2
from tests.science.no2.particle_plumes import PIXEL_M, particle_plume

PIXELS = 64
SUB = 8  # sub-pixels a side: what SCIENCE 3.10 proposes for a straightforward generator
SOURCES = 16
SCENES = {"g1": 256, "g2": 32}
BUDGET_MS = 2.0  # of a full scene on one core

F64 = NDArray[np.float64]
Case = dict[str, Any]


def cases() -> list[Case]:
    """Sources of the training generator's ranges: winds of 1 to 15 m/s, classes A to D, with and without widening."""
    rng = np.random.default_rng(0)
    drawn = []
    for i in range(SOURCES):
        speed = float(np.clip(5.64 * np.sqrt(-np.log(rng.random())), 1.0, 15.0))
        heading, row, col = 2 * np.pi * rng.random(), *rng.uniform(8, 56, 2)
        drawn.append(
            {
                "row": row,
                "col": col,
                "u": speed * np.cos(heading),
                "v": speed * np.sin(heading),
                "tau_s": 3600.0 * rng.uniform(2, 8),
                "stability": "ABCD"[i % 4],
                "dx": PIXEL_M * np.cos(np.radians(rng.uniform(0, 60))),
                "k": (0.0, 10.0, 60.0, 400.0)[i // 4],
            }
        )
    return drawn


def batched(drawn: list[Case]) -> F64:
    """All plumes at once, as the generator makes them."""
    columns = {name: np.array([case[name] for case in drawn]) for name in drawn[0] if name != "stability"}
    slope, bend = sigma_y_shape("".join(case["stability"] for case in drawn))
    sources = PlumeSources(
        columns["row"], columns["col"], columns["u"], columns["v"], columns["tau_s"], slope, bend, columns["k"],
        columns["dx"], np.full(len(drawn), PIXEL_M), np.ones(len(drawn), np.int64),
    )  # fmt: skip
    return pixel_plumes(sources, (PIXELS, PIXELS))


def looped(drawn: list[Case]) -> F64:
    """One plume after the other, each the mean of 8 x 8 points a pixel."""
    points = (np.arange(PIXELS * SUB) + 0.5) / SUB
    plumes = []
    for case in drawn:
        x, y = (points - case["col"]) * case["dx"], (case["row"] - points[:, None]) * PIXEL_M
        column = column_plume(
            x, y, 1.0, case["u"], case["v"], case["tau_s"], case["stability"], diffusivity_m2_s=case["k"]
        )
        plumes.append(column.reshape(PIXELS, SUB, PIXELS, SUB).mean(axis=(1, 3)))
    return np.stack(plumes)


def best_ms(work: Callable[[], object], count: int, rounds: int = 5) -> float:
    """Least CPU time of a few rounds, milliseconds a piece."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1e3 * min(times) / count


def errors(plumes: F64, reference: F64) -> tuple[F64, F64]:
    """Relative error of the mass and of the pixels (L1) of every plume."""
    mass = reference.sum(axis=(1, 2))
    return np.abs(plumes.sum(axis=(1, 2)) / mass - 1.0), np.abs(plumes - reference).sum(axis=(1, 2)) / mass


def rows() -> list[dict[str, Any]]:
    """Time a scene and a source, and errors against converged particles, beside the loop's."""
    drawn = cases()
    reference = np.stack([particle_plume(**case, pixels=PIXELS, steps_per_px=120, quantiles=200) for case in drawn])
    fast, slow = errors(batched(drawn), reference), errors(looped(drawn), reference)
    many, rules = drawn * 12, SceneRules()
    source_ms, loop_ms = best_ms(lambda: batched(many), len(many)), best_ms(lambda: looped(drawn), SOURCES, rounds=2)
    g1_ms, g2_ms = (
        best_ms(lambda make=make, n=SCENES[name]: make(rules, np.arange(n), 0), SCENES[name], rounds=6)
        for name, make in (("g1", simulate_g1), ("g2", simulate_g2))
    )
    loop = f"loop, {SUB} x {SUB} sub-pixels"
    measured: list[tuple[str, float, str, str, float]] = [
        ("no2 scene G1, all of it", g1_ms, "ms", f"budget of {BUDGET_MS:g} ms", BUDGET_MS),
        ("no2 scene G2, all of it", g2_ms, "ms", "scene G1", g1_ms),
        ("no2 plume of one source", source_ms, "ms", loop, loop_ms),
        ("no2 plume, worst mass error", float(fast[0].max()), "1", loop, float(slow[0].max())),
        ("no2 plume, median L1 error", float(np.median(fast[1])), "1", loop, float(np.median(slow[1]))),
        ("no2 plume, worst L1 error", float(fast[1].max()), "1", loop, float(slow[1].max())),
    ]
    return [
        {"name": name, "value": value, "unit": unit, "against": against, "ratio": value / peer}
        for name, value, unit, against, peer in measured
    ]
