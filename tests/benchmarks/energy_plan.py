"""What planning ten thousand regions, ten years of days and five scenarios takes, and what the plan says they cost.

A plan knows files by name and size alone, and so rows by the size of the files of emissions: here files are empty space
of the size that Carbon Monitor's lines of so many regions and days have. The bundles are of first weights.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from carbonray.catalogue import digest, find_job
from carbonray.pipelines.estimate import ROW_BYTES, estimate
from carbonray.settings import load
from tests.benchmarks.energy_regions import DAYS, FILE_REGIONS, INSTANCES, SCENARIOS, save_first
from tests.benchmarks.energy_stream import row

REGIONS, ENERGY_BYTES = 10_000, 325  # bytes of a region and day by source: eight lines
Row = dict[str, Any]


def rows() -> list[Row]:
    """Seconds to plan, and the plan's own figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sparse(folder / "energy", ENERGY_BYTES)
        sparse(folder / "emissions", ROW_BYTES)
        save_first(folder)
        settings = load(
            [],
            [f"inputs.energy={folder}/energy/*.csv", f"inputs.emissions={folder}/emissions/*.csv",
             f"inputs.bundles={folder}/bundles", f"energy.predict.scenarios=[{', '.join(SCENARIOS)}]",
             "engine.model_actors=16", "engine.local.num_cpus=32"],
        )  # fmt: skip
        started = time.perf_counter()
        units = find_job("energy").plan(settings, digest("energy", settings))
        told = estimate(units, settings)
        seconds = time.perf_counter() - started
    days, answers = told["estimated_region_days"], told["estimated_answers"]
    planet = f"{days:,} regions and days, {answers:,} answers of {INSTANCES} instances, {told['units']:,} files"
    pools = f"{told['estimated_wall_s'] / 60:.0f} min on 16 of 32 CPUs, {told['estimated_usd']:.2f} USD"
    return [
        row("energy plan: ten thousand regions", seconds, "s", planet, None),
        row("energy plan: estimated", told["estimated_cpu_h"], "CPU h", pools, None),
    ]


def sparse(folder: Path, row_bytes: int) -> None:
    """Files of the right size that take no room."""
    folder.mkdir()
    for number in range(REGIONS // FILE_REGIONS):
        with (folder / f"{number:04d}.csv").open("wb") as file:
            file.truncate(FILE_REGIONS * DAYS * row_bytes)


if __name__ == "__main__":
    print(json.dumps(rows(), indent=1))
