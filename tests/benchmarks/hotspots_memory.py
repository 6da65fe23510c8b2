"""Memory of the hotspots job with ten times the granules: the sum over all its processes must not follow its input."""

import tempfile
from pathlib import Path

from carbonray.catalogue import run_job
from carbonray.settings import load
from tests.benchmarks.process_memory import peak_pss_mb, row

GRANULES, TIMES = 8, 10  # enough that the shorter run, too, has started every process it will have
REGION = "[110.0, 30.0, 117.0, 37.0]"
GOAL = 1.15


def rows() -> list[dict[str, object]]:
    """The two peaks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = ["engine.backend=memory", f"world.region={REGION}", f"world.days={GRANULES * TIMES}"]
        run_job("world", load([], world), str(folder), "world")
        few, many = (peak_mb(folder, count) for count in (GRANULES, GRANULES * TIMES))
    return [row(f"hotspots memory: {GRANULES * TIMES} granules", many, few, f"the same job over {GRANULES}", GOAL)]


def peak_mb(folder: Path, granules: int) -> float:
    """The job over so many granules."""
    chosen = sorted((folder / "world" / "granules").glob("*.nc"))[:granules]
    sets = [f"inputs.tropomi=[{','.join(map(str, chosen))}]", f"inputs.weather={folder}/world/weather/*.nc"]
    return peak_pss_mb("hotspots", folder, f"run-{granules}", sets)
