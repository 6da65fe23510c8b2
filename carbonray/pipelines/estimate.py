"""What a plan would take: time and cost from measured rates, before anything is read."""

from collections.abc import Sequence
from typing import Any

from carbonray.contract import Unit
from carbonray.pipelines.cell_pins import cell_pins
from carbonray.settings import Settings

PRICED_PX = 256  # of the images that rates of cells are measured with; time goes with their area


def estimate(units: Sequence[Unit], settings: Settings) -> dict[str, Any]:
    """Bytes or cells, seconds on the pools as set, and dollars of a plan."""
    engine, rates = settings.engine, settings.rates
    megabytes = sum(unit.bytes for unit in units) / 1e6
    cells = sum(unit.expected_rows for unit in units if unit.pass_name == "encode")
    read_s, model_s = (
        _cell_seconds(cells, settings) if cells else (megabytes * rates.read_s_per_mb, megabytes * rates.model_s_per_mb)
    )
    readers = max(1.0, (engine.local.num_cpus or engine.model_actors + 1) - engine.model_actors * engine.model_cpus)
    wall_s = max(read_s / readers, model_s / engine.model_actors)
    cpu_h = (read_s * engine.read_cpus + model_s * engine.model_cpus) / 3600
    dollars = cpu_h * rates.cpu_usd_per_h + model_s / 3600 * engine.model_gpus * rates.gpu_usd_per_h
    return {
        "units": len(units),
        **({"cells": cells} if cells else {}),
        "input_mb": round(megabytes, 3),
        "estimated_wall_s": round(wall_s, 1),
        "estimated_cpu_h": round(cpu_h, 4),
        "estimated_usd": round(dollars, 4),
    }


def _cell_seconds(cells: int, settings: Settings) -> tuple[float, float]:
    """Seconds of reading and of the encoders, of the instances that are given."""
    pins = cell_pins(settings)
    area = (pins[0].image_px / PRICED_PX) ** 2
    return cells * settings.rates.cell_read_s * area, cells * len(pins) * settings.rates.cell_model_s * area
