"""Memory of the energy job with ten times the regions: the sum over all its processes must not follow its input.

Ten years of days, six answers of each: 100 regions give 2.2 million rows, 1,000 regions 22 million. Files are invented
and hold ten regions each; two bundles have the published size and first weights. The job is a program of its own, page
included.
"""

import shutil
import tempfile
import time
from pathlib import Path

from tests.benchmarks.energy_regions import DAYS, SCENARIOS, write_world
from tests.benchmarks.process_memory import peak_pss_mb, row

REGIONS, TIMES = 100, 10
GOAL, INSTANCES = 1.15, 2
ROWS = REGIONS * DAYS * (1 + len(SCENARIOS))


def rows() -> list[dict[str, object]]:
    """The two peaks, and how fast the longer run answered from files to page."""
    (few, _), (many, seconds) = (measured(regions) for regions in (REGIONS, REGIONS * TIMES))
    rate = ROWS * TIMES / seconds
    against = f"files of {REGIONS * TIMES:,} regions to the page, two cores, Ray's start included"
    return [
        row(f"energy memory: {ROWS * TIMES:,} rows", many, few, f"the same job over {ROWS:,}", GOAL),
        {"name": "energy: end to end", "value": rate, "unit": "rows/s", "against": against, "ratio": None},
    ]


def measured(regions: int) -> tuple[float, float]:
    """Peak in MiB and seconds of the job over so many regions, whose files are made and removed here."""
    folder = Path(tempfile.mkdtemp())
    try:
        sets = write_world(folder, regions, instances=INSTANCES)
        started = time.perf_counter()
        return peak_pss_mb("energy", folder, "run", sets), time.perf_counter() - started
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    import json

    print(json.dumps(rows(), indent=1))
