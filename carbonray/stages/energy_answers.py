"""Rows of regions to answers: total emissions from the mix of energy and total energy from that of sectors, what if.

Sources: SCIENCE 2.1 (both tasks, what-if), 2.6 (how far a mix lies outside those that taught) and 2.7 (no change gives
the factual answer, to the bit). Instances are combined in ln; a region is answered by those that never saw it. Arrays
are (row,), energy (row, 8) GWh a day, emissions (row, 6) t CO2 a day.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from carbonray.contract import Batch, Reading, Unit, require, to_batch
from carbonray.io.energy.scenarios import FACTUAL, Scenario
from carbonray.models.energy_factors import source_factors
from carbonray.models.energy_readings import Task
from carbonray.science.energy.factors import MWH_PER_GWH
from carbonray.science.energy.mix import proportions
from carbonray.science.energy.scenarios import applied
from carbonray.stages.energy_blocks import read_rows
from carbonray.stages.energy_bundles import TASKS, EnergyPin, answering, opened_energy, pooled_half_width
from carbonray.vocab.energy import SECTORS, SOURCES
from carbonray.vocab.energy_tables import ENERGY_ANSWERS, ENERGY_ROWS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Parts = Mapping[Task, Floats]  # what each task is told: (row, part) amounts a day

ENERGY = tuple(f"{name}_gwh" for name in SOURCES)
EMISSIONS = tuple(f"{name}_t_co2" for name in SECTORS)
ANSWER: Mapping[Task, str] = {"emissions": "emissions_t_co2", "energy": "energy_gwh"}  # column of what is asked
TIMES = ("start", "end")
SUM_OF_OTHERS = "sum of others"  # begins the reason of a region that nobody declared to be one


@dataclass(frozen=True)
class EnergyPredictRules:
    """What is asked, and what is claimed.

    Attributes:
        scenarios: what-ifs in words, beside those of inputs.scenarios.
        strange: whether an answer to a mix that lies farther out than a new region's would is flagged or refused.
        level: share of new regions' truths that lie within the interval.
        factors_t_per_mwh: of the sources, for what emission factors say.
        device: torch device.
    """

    scenarios: tuple[str, ...] = ("replace 10 % of coal by gas", "cut industry by 15 %")
    strange: Literal["flag", "refuse"] = "flag"
    level: float = 0.9
    factors_t_per_mwh: tuple[float, ...] = field(default_factory=source_factors)
    device: str = "cpu"


@dataclass(frozen=True)
class Told:
    """What all rows of a run say of the model."""

    model_version: str
    model_tier: str


@dataclass(frozen=True, eq=False)
class TaskAnswer:
    """What the instances say of one task, combined; NaN where nothing is told.

    Attributes:
        ln: (row,) mean of ln over the instances that answer.
        spread: (row,) standard deviation of ln over them.
        outside: (row,) mean distance from the mixes that taught them.
        extrapolates: (row,) whether that is beyond their mean threshold.
    """

    ln: Floats
    spread: Floats
    outside: Floats
    extrapolates: Flags

    def replaced(self, at: NDArray[np.int64], other: "TaskAnswer") -> "TaskAnswer":
        """With other answers in some rows."""
        columns = {name: values.copy() for name, values in vars(self).items()}
        for name, values in vars(other).items():
            columns[name][at] = values
        return TaskAnswer(**columns)


@dataclass(frozen=True)
class ReadAnswered:
    """Reader of the rows that are answered for: inputs are one table of them.

    Attributes:
        sums: regions that are sums of others without being declared, with the reason: they are left out.
    """

    sums: Mapping[str, str]

    def __call__(self, unit: Unit) -> Reading:
        """Columns of `ENERGY_ROWS`, times as int64 ns.

        Raises:
            DataError: the table is broken.
            TransportError: it could not be moved.
        """
        found = read_rows(unit.inputs[0])
        lost = pa.compute.is_in(found["region"], pa.array(sorted(self.sums), pa.string()))
        rows = found.filter(pa.compute.invert(lost))
        counts = Counter(found.filter(lost)["region"].to_pylist())
        faults = {f"{SUM_OF_OTHERS}: {name} is a {self.sums[name]}": count for name, count in sorted(counts.items())}
        account = {"read": found.num_rows, "kept": rows.num_rows, "quarantined": sum(faults.values())}
        batch = to_batch(rows) | {name: rows[name].cast(pa.int64()).to_numpy() for name in TIMES}
        return Reading(batch, account, faults)


class AnswerEnergy:
    """All scenarios of some rows: rows in, rows times scenarios out, one scenario after the other, factual first."""

    needs: ClassVar[tuple[str, ...]] = tuple(ENERGY_ROWS.names)
    emits: ClassVar[pa.Schema] = ENERGY_ANSWERS

    def __init__(
        self, pins: Sequence[EnergyPin], predict: EnergyPredictRules, scenarios: Sequence[Scenario], told: Told
    ) -> None:
        torch.set_num_threads(1)  # one thread a process: bit-equality, and two processes beat two threads
        self._models = [opened_energy(pin, predict.device) for pin in pins]
        self._pins, self._predict, self._scenarios, self._told = tuple(pins), predict, tuple(scenarios), told
        self._width: Mapping[Task, float] = {task: pooled_half_width(pins, task, predict.level) for task in TASKS}

    def __call__(self, batch: Batch) -> Batch:
        """Rows in any order in; out in that order, once a scenario."""
        require(batch, self.needs, stage=type(self).__name__)
        told: Parts = {"emissions": _table(batch, ENERGY), "energy": _table(batch, EMISSIONS)}
        used, seen = answering(self._pins, batch["region"], batch["start"], batch["end"])
        factual = {task: self._answer(task, told[task], used) for task in TASKS}
        peer = FactorAccount(told["emissions"], told["energy"], self._predict.factors_t_per_mwh)
        kept = {name: batch[name] for name in ("region", *TIMES, "constant_mix", "data_tier")}
        kept |= {"seen": seen, "instances": self._names(used)}
        blocks = [
            kept | self._columns(scenario, told, factual, peer, used)
            for scenario in (Scenario(FACTUAL), *self._scenarios)
        ]
        return {name: np.concatenate([block[name] for block in blocks]) for name in ENERGY_ANSWERS.names}

    def _columns(
        self,
        scenario: Scenario,
        told: Parts,
        factual: Mapping[Task, TaskAnswer],
        peer: "FactorAccount",
        used: Flags,
    ) -> Batch:
        """What a scenario changes, and the answers to that."""
        after: Parts = {
            "emissions": applied(told["emissions"], scenario.energy),
            "energy": applied(told["energy"], scenario.emissions),
        }
        n = len(after["energy"])
        columns: Batch = {name: np.full(n, word, object) for name, word in vars(self._told).items()}
        columns["scenario"] = np.full(n, scenario.name, object)
        columns |= dict(zip((*ENERGY, *EMISSIONS), [*after["emissions"].T, *after["energy"].T], strict=True))
        columns["told_energy_gwh"] = after["emissions"].sum(axis=1)
        columns["told_emissions_t_co2"] = after["energy"].sum(axis=1)
        columns["factor_emissions_t_co2"] = peer.emissions_t(after["emissions"])
        columns["factor_energy_gwh"] = peer.energy_gwh(after["energy"])
        for task in TASKS:
            changed = np.flatnonzero((after[task] != told[task]).any(axis=1))
            answer = factual[task]
            if len(changed):  # what is told as before is answered as before
                answer = answer.replaced(changed, self._answer(task, after[task][changed], used[:, changed]))
            columns |= self._claimed(task, answer, factual[task])
        return columns

    def _answer(self, task: Task, values: Floats, used: Flags) -> TaskAnswer:
        share, total = proportions(values)
        ln, far = np.zeros(used.shape), np.zeros(used.shape)
        for number, model in enumerate(self._models):
            mine = np.flatnonzero(used[number])
            ln[number, mine] = model.answers(task, share[mine], total[mine])
            far[number, mine] = model.told[task].hull.outside(share[mine])
        limit = np.array([[model.told[task].threshold] for model in self._models])
        weight = used / used.sum(axis=0)
        mean, outside = (weight * ln).sum(axis=0), (weight * far).sum(axis=0)
        spread = np.sqrt((weight * (ln - mean) ** 2).sum(axis=0))
        return TaskAnswer(mean, spread, outside, outside > (weight * limit).sum(axis=0))

    def _claimed(self, task: Task, answer: TaskAnswer, factual: TaskAnswer) -> Batch:
        """Columns of one task; NaN where the product claims nothing."""
        name, width = ANSWER[task], self._width[task]
        ln, before = self._believed(answer), self._believed(factual)
        low, high = (np.exp(ln + side * width) if np.isfinite(width) else np.full(len(ln), np.nan) for side in (-1, 1))
        return {
            name: np.exp(ln),
            f"{name}_p05": low,
            f"{name}_p95": high,
            f"factual_{name}": np.exp(before),
            f"{task}_change_percent": 100.0 * np.expm1(ln - before),
            f"{task}_ln_spread": answer.spread,
            f"{task}_outside": answer.outside,
            f"{task}_extrapolates": answer.extrapolates,
        }

    def _believed(self, answer: TaskAnswer) -> Floats:
        refused = answer.extrapolates & (self._predict.strange == "refuse")
        return np.where(refused, np.nan, answer.ln)

    def _names(self, used: Flags) -> NDArray[np.object_]:
        patterns, which = np.unique(used.T, axis=0, return_inverse=True)
        numbers = [
            ",".join(str(pin.instance) for pin, asked in zip(self._pins, pattern, strict=True) if asked)
            for pattern in patterns
        ]
        return np.array(numbers, object)[which.ravel()]


class FactorAccount:
    """What emission factors say beside the networks: the account of each row by itself, with nothing learned.

    Emissions are what the factors give of the told mix and, as reported, those of all sectors but power; energy is
    the told emissions of power over what a GWh of the reported mix costs (SCIENCE 2.5 and 4.8; inferred).

    Args:
        energy: (row, 8) as reported.
        emissions: (row, 6) as reported.
        factors_t_per_mwh: of the sources.
    """

    def __init__(self, energy: Floats, emissions: Floats, factors_t_per_mwh: Sequence[float]) -> None:
        self._factors = np.asarray(factors_t_per_mwh, np.float64) * MWH_PER_GWH
        self._power = SECTORS.index("power")
        self._rest = np.delete(emissions, self._power, axis=1).sum(axis=1)
        self._cost = proportions(energy)[0] @ self._factors

    def emissions_t(self, energy: Floats) -> Floats:
        """(row,) t CO2 a day of told energy."""
        return np.asarray(energy @ self._factors + self._rest, np.float64)

    def energy_gwh(self, emissions: Floats) -> Floats:
        """(row,) GWh a day of told emissions; NaN where the reported mix burns nothing."""
        cost = np.where(self._cost > 0.0, self._cost, np.nan)
        return np.asarray(emissions[:, self._power] / cost, np.float64)


def _table(batch: Batch, names: Sequence[str]) -> Floats:
    return np.column_stack([batch[name] for name in names]).astype(np.float64)
