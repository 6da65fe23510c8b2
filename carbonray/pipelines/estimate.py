"""What a plan would take: time and cost from measured rates, before anything is read."""

from collections.abc import Sequence
from typing import Any

from carbonray.contract import Unit
from carbonray.pipelines.cell_pins import cell_pins
from carbonray.pipelines.energy_pins import chosen_scenarios, energy_pins
from carbonray.pipelines.energy_rows import named_files
from carbonray.settings import Settings

PRICED_PX = 256  # of the images that rates of cells are measured with; time goes with their area
ROW_BYTES = 245  # of a file of emissions a region and day: six lines of Carbon Monitor


def estimate(units: Sequence[Unit], settings: Settings) -> dict[str, Any]:
    """Bytes, cells or rows, seconds on the pools as set, and dollars of a plan."""
    engine, rates = settings.engine, settings.rates
    megabytes = sum(unit.bytes for unit in units) / 1e6
    cells = sum(unit.expected_rows for unit in units if unit.pass_name == "encode")
    days = _region_days(units, settings)
    told: dict[str, int] = {}
    if cells:
        told, (read_s, model_s) = {"cells": cells}, _cell_seconds(cells, settings)
    elif days:
        told, (read_s, model_s) = _energy_seconds(days, settings)
    else:
        read_s, model_s = megabytes * rates.read_s_per_mb, megabytes * rates.model_s_per_mb
    readers = max(1.0, (engine.local.num_cpus or engine.model_actors + 1) - engine.model_actors * engine.model_cpus)
    waits = read_s / readers, model_s / engine.model_actors
    wall_s = sum(waits) if days else max(waits)  # networks answer once all files are rows
    cpu_h = (read_s * engine.read_cpus + model_s * engine.model_cpus) / 3600
    dollars = cpu_h * rates.cpu_usd_per_h + model_s / 3600 * engine.model_gpus * rates.gpu_usd_per_h
    return {
        "units": len(units),
        **told,
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


def _region_days(units: Sequence[Unit], settings: Settings) -> int:
    """About how many rows files of daily emissions make, by their size; none where a plan is not of the energy job."""
    if {unit.pass_name for unit in units} != {"records"}:
        return 0
    emitting = named_files(settings.inputs.emissions)
    return round(sum(unit.bytes for unit in units if unit.inputs[0] in emitting) / ROW_BYTES)


def _energy_seconds(days: int, settings: Settings) -> tuple[dict[str, int], tuple[float, float]]:
    """Regions and days, answers to them, and seconds of reading and of the networks of the instances given."""
    answers = days * (1 + len(chosen_scenarios(settings)))
    model_s = answers * len(energy_pins(settings)) * settings.rates.energy_model_s
    told = {"estimated_region_days": days, "estimated_answers": answers}
    return told, (days * settings.rates.energy_read_s, model_s)
