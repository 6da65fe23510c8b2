"""The answers of the energy product: the job's own pass on Ray against the bare networks, and what each step costs.

Blocks of 64 invented regions and a year of days, five scenarios, eleven instances of the published size, as leaving
out one of Carbon Monitor's countries gives. Streamed is the job's pass `answers`: tables read, every scenario applied
and answered, tables and sums written. Bare is a process that puts the same mixes, ready in memory, to the same networks
and hulls. A row is a region, day and scenario; rates are of the steady state. What files cost before is told by the run
that makes the blocks, and what the stage costs by itself by a process of its own: these two price a plan.
"""

import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import ray

from carbonray.contract import Unit
from carbonray.engine import cluster, graph
from carbonray.engine.plan import Pass
from carbonray.engine.run import Run, open_run
from carbonray.execution import LocalRules
from carbonray.pipelines.energy import answers_pass
from carbonray.pipelines.energy_pins import chosen_scenarios, energy_pins
from carbonray.pipelines.energy_rows import prepared_rows
from carbonray.science.energy.mix import proportions
from carbonray.science.energy.scenarios import applied
from carbonray.settings import load
from carbonray.stages.energy_answers import EMISSIONS, ENERGY, AnswerEnergy
from carbonray.stages.energy_bundles import TASKS
from tests.benchmarks.energy_regions import INSTANCES, SCENARIOS, write_world
from tests.benchmarks.worker_process import in_one_process

REGIONS, DAYS = 64, 730  # one block, two years
UNITS, REPEATS, WARM_UNITS = 8, 3, 2  # the clock starts when the actor has opened its models and warmed up
ANSWERS = 1 + len(SCENARIOS)
GOAL = 0.85
Row = dict[str, Any]


@dataclass(frozen=True)
class Prepared:
    """The pass, and seconds of reading a region and day: files to records, and these to rows."""

    answers: Pass
    read_s: dict[str, float]


def prepare(folder: Path) -> Prepared:
    """Invents the regions, reads their files, and plans the pass over their rows."""
    settings = load([], [*write_world(folder, REGIONS, DAYS), "engine.backend=memory"])
    run = open_run(str(folder), "run", "energy", "bench", {}, settings.engine)
    store = prepared_rows(run, settings)
    planned = answers_pass(run, settings, store, energy_pins(settings), chosen_scenarios(settings))
    return Prepared(planned, {name: _seconds(run, name) / (REGIONS * DAYS) for name in ("records", "rows")})


def streamed(answers: Pass, out: str) -> tuple[float, dict[str, float]]:
    """Rows a second in the steady state, and microseconds of each step a row."""
    units = repeated(answers.units, UNITS)
    rows = {unit.key: unit.expected_rows for unit in units}
    times, done, seconds = [], [], Counter[str]()
    for outcome in graph.stream(replace(answers, units=units), out, units, read_cpus=0.5):
        assert outcome.status == "committed", outcome
        times.append(time.perf_counter())
        done.append(rows[outcome.key])
        if len(done) > WARM_UNITS:  # before, the actor opened its models
            seconds.update(dict(outcome.seconds))
    count = sum(done[WARM_UNITS:])
    return count / (times[-1] - times[WARM_UNITS - 1]), {name: 1e6 * s / count for name, s in seconds.items()}


def repeated(units: tuple[Unit, ...], count: int) -> tuple[Unit, ...]:
    """So many units over a few blocks."""
    chosen = [units[number % len(units)] for number in range(count)]
    return tuple(replace(unit, unit_id=f"{n:032d}", key=f"{n:03d}~{unit.key}") for n, unit in enumerate(chosen))


def bare(answers: Pass) -> float:
    """Rows a second of a process that does nothing but put mixes that lie ready to the networks and the hulls."""
    stage: Any = answers.pools[0].make()
    assert isinstance(stage, AnswerEnergy)
    unit = answers.units[0]
    batch = answers.read(unit).batch
    columns = {"emissions": ENERGY, "energy": EMISSIONS}
    told = {task: np.column_stack([batch[name] for name in names]) for task, names in columns.items()}
    asked = [(task, *proportions(told[task])) for task in TASKS]
    for scenario in stage._scenarios:
        after = {"emissions": applied(told["emissions"], scenario.energy),
                 "energy": applied(told["energy"], scenario.emissions)}  # fmt: skip
        changed = {task: (after[task] != told[task]).any(axis=1) for task in TASKS}
        asked += [(task, *proportions(after[task][changed[task]])) for task in TASKS if changed[task].any()]
    started = 0.0
    for number in range(4):
        started = time.perf_counter() if number == 1 else started  # the first round warms up
        for task, share, total in asked:
            for model in stage._models:
                model.answers(task, share, total)
                model.told[task].hull.outside(share)
    return 3 * unit.expected_rows / (time.perf_counter() - started)


def alone(answers: Pass) -> float:
    """Seconds of the stage by itself, a row and instance."""
    stage, unit = answers.pools[0].make(), answers.units[0]
    batch, started = answers.read(unit).batch, 0.0
    for number in range(4):
        started = time.perf_counter() if number == 1 else started
        stage(batch)
    return (time.perf_counter() - started) / (3 * unit.expected_rows * INSTANCES)


def rows() -> list[Row]:
    """The rate beside the bare networks, what a row costs by step, and what a region and day costs to read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared = prepare(folder)
        model_s = in_one_process(alone, prepared.answers)
        bares, streams, costs = [], [], []
        cluster.connect(LocalRules(num_cpus=2, object_store_mb=1024))
        cluster.quiet_data()
        try:
            for repeat in range(REPEATS):
                bares.append(in_one_process(bare, prepared.answers))
                rate, cost = streamed(prepared.answers, f"{folder}/out-{repeat}")
                streams.append(rate)
                costs.append(cost)
        finally:
            ray.shutdown()
        found = _found(statistics.median(bares), statistics.median(streams), costs)
        read_s = sum(prepared.read_s.values())
        words = ", ".join(f"{name} {1e3 * seconds:.3f} ms" for name, seconds in prepared.read_s.items())
        return [
            *found,
            row("energy: rates.energy_read_s", read_s, "s", f"a region and day, one core: {words}", None),
            row("energy: rates.energy_model_s", model_s, "s", "a row and instance, one core", None),
        ]


def _found(bare_rate: float, rate: float, costs: list[dict[str, float]]) -> list[Row]:
    against = f"bare networks and hulls, {bare_rate:,.0f} rows/s, one process; goal {GOAL}"
    found = [row("energy stream: answers", rate, "rows/s", against, rate / bare_rate)]
    for step in costs[0]:
        cost_us = float(np.median([cost[step] for cost in costs]))
        found.append(row(f"energy stream: {step}", cost_us, "us/row", "the bare networks", cost_us * bare_rate / 1e6))
    return found


def _seconds(run: Run, name: str) -> float:
    """Seconds of all steps of a pass."""
    entry = next(entry for entry in run.facts["passes"] if entry["pass"] == name)
    return float(sum(entry["seconds_by_step"].values()))


def row(name: str, value: float, unit: str, against: str, ratio: float | None) -> Row:
    return {"name": name, "value": value, "unit": unit, "against": against, "ratio": ratio}


if __name__ == "__main__":
    import json

    print(json.dumps(rows(), indent=1))
