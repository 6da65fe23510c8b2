"""Fits one network between energy and emissions: scales measured, epochs kept, the best weights as they are stored.

Sources: SCIENCE 2.3 and 2.5. Everything measured is measured on the rows that teach; those that validate choose the
epoch, and their errors become the band of both answers.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import DataError, SettingsError
from carbonray.io.objectstore import sha256
from carbonray.io.read_ahead import ReadWindows, read_by_thread
from carbonray.models.clean import Clean, CleanConfig, MixBatch, mix_batch
from carbonray.models.clean_fit import CleanFitRules, clean_epochs, predicted_totals
from carbonray.models.clean_registry import clean_entry
from carbonray.models.detector import load_tensors
from carbonray.models.energy_readings import Task
from carbonray.models.fit import Epoch, FitState, Workers
from carbonray.models.fit_tensors import best_weights, stored
from carbonray.science.energy.hull import HullRules
from carbonray.science.energy.mix import MixRows, stacked
from carbonray.science.energy.splits import TRAIN, VALIDATE, EnergySplitRules
from carbonray.science.stats.metrics import mape, rmse
from carbonray.stages.energy_bundles import TASKS, Errors, ToldHull
from carbonray.stages.energy_hulls import measured, spread_rows, told_hulls
from carbonray.stages.energy_roles import DividedEnergy, EnergyTurn, TurnRows
from carbonray.stages.energy_seen import Seen, block_names
from carbonray.stages.energy_streams import EnergyShard, EnergyStream
from carbonray.stages.sounding_rules import changed

Floats = NDArray[np.float64]

SETTINGS = "energy.training"
MEASURED = ("energy_center", "energy_spread", "emissions_center", "emissions_spread")
DECIDED = ("sources", "sectors", "cycle", *MEASURED)  # of the network, by the vocabulary, the loss and the data


@dataclass(frozen=True)
class CleanTrainRules:
    """How networks between energy and emissions are fitted.

    Attributes:
        fit: settings of the fit that differ from the registry's, by nested names such as loss: {lambda_cycle: 10.0}.
        config: settings of the network that differ, such as include_total; scales are measured on rows that teach.
        window_rows: rows among which rows are shuffled, as many again read ahead; fewer in all are read once.
        hull_rows: rows of a region, spread over its time, by which directions and threshold of the hull are chosen.
        level: share of the truths of new regions within half a width.
        error_quantiles: numbers that tell the errors of a group held out.
        weights: 'fp16' or 'fp32', as bundles store them.
        device: 'cpu' or 'cuda'.
        threads: of a fit; with another number the last bits differ.
        least_rows: a division with fewer rows to learn from, or to validate on, is refused (inferred).
    """

    fit: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    window_rows: int = 200_000
    hull_rows: int = 365
    level: float = 0.9
    error_quantiles: int = 32
    weights: Literal["fp16", "fp32"] = "fp32"
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1
    least_rows: int = 30

    def network(self, model: str) -> CleanConfig:
        """The network of a name in the registry, without scales.

        Raises:
            ContractError: the name is unknown, or there is no such network.
            SettingsError: something unknown is told, or what is decided elsewhere.
        """
        fixed = sorted(set(DECIDED) & set(self.config))
        if fixed:
            raise SettingsError(
                f"{SETTINGS}.config tells {fixed[0]}",
                where=f"{SETTINGS}.config",
                expected="what does not follow from the vocabulary, the loss or the rows that teach",
                remedy=f"Leave it out; for decoders change {SETTINGS}.fit.loss, for scaled shares .fit.scale_shares.",
            )
        config = changed(clean_entry(model).config, self.config, where=f"{SETTINGS}.config")
        return replace(config, cycle=self.network_fit(model).loss.decodes)

    def network_fit(self, model: str) -> CleanFitRules:
        """How it is fitted.

        Raises:
            ContractError: the name is unknown.
            SettingsError: something unknown is told.
        """
        return changed(clean_entry(model).fit, self.fit, where=f"{SETTINGS}.fit")


@dataclass(frozen=True)
class EnergyFit:
    """The fit of one network.

    Attributes:
        name: for people, such as 'clean_mlp-2'.
        config: of the network, scales measured.
        train: rows that teach.
        validation: rows that choose the epoch.
        some: rows that teach by which the hull is looked at.
        rules: of the fit.
        seen: who is who, and what is held out.
    """

    name: str
    config: CleanConfig
    train: EnergyStream
    validation: EnergyStream
    some: EnergyStream
    rules: CleanFitRules
    seen: Seen

    def digest(self) -> str:
        """Of everything that can change the weights; the tables' digests stand for their amounts."""
        told = [asdict(self.config), asdict(self.rules), self.train.digest(), self.validation.digest()]
        return sha256(json.dumps(told, sort_keys=True).encode())

    def epochs(self, workers: Workers, state: FitState | None = None) -> Iterator[Epoch]:
        """The epochs after a state.

        Raises:
            DataError: a table is bad, or the fit diverged.
            ContractError: batches are too small for the workers, or a table is another than the one listed.
        """
        shared = self.train if workers.world == 1 else replace(self.train, rank=workers.rank, world=workers.world)
        network = Clean(self.config, self.rules.seed)
        return clean_epochs(
            network, shared.shuffled, self.validation.in_order, self.rules, state=state, workers=workers
        )


@dataclass(frozen=True, eq=False)
class FittedEnergy:
    """A fitted network as bundles store it, and what the rows say of it.

    Attributes:
        tensors: by name.
        told: task -> hull of the mixes that taught.
        errors: of the rows that validated.
        scores: MAPE and RMSE of ln of both totals on these rows, of the weights as stored.
    """

    tensors: dict[str, NDArray[Any]]
    told: Mapping[Task, ToldHull]
    errors: Errors
    scores: dict[str, float]


@dataclass(frozen=True, eq=False)
class EnergyAnswers:
    """What a network says of the rows of a stream.

    Attributes:
        rows: (row,) regions and times, without amounts.
        truth: (row, task) ln of the totals, in the order of `TASKS`.
        answer: (row, task) of the network.
    """

    rows: MixRows
    truth: Floats
    answer: Floats

    def scores(self) -> dict[str, float]:
        """MAPE and RMSE of ln, by task, and the mean MAPE of both."""
        pairs = {task: (self.truth[:, at], self.answer[:, at]) for at, task in enumerate(TASKS)}
        found = {f"mape_{task}": mape(np.exp(truth), np.exp(answer)) for task, (truth, answer) in pairs.items()}
        found["mape"] = sum(found.values()) / len(TASKS)
        return found | {f"ln_rmse_{task}": rmse(truth, answer) for task, (truth, answer) in pairs.items()}


def energy_fit(
    rules: CleanTrainRules,
    model: str,
    divided: DividedEnergy,
    turn: EnergyTurn,
    windows: ReadWindows = read_by_thread,
) -> EnergyFit:
    """The fit of one network in one turn.

    Args:
        rules: of all fits.
        model: name in the registry.
        divided: rows by region and time.
        turn: who teaches and validates.
        windows: reads windows of rows ahead.

    Raises:
        DataError: too few rows are left in a role, or a table is bad.
        SettingsError: something unknown is told.
    """
    config, how, found = rules.network(model), rules.network_fit(model), divided.rows_of(turn)
    _check_roles(found, rules.least_rows)

    def stream(shards: tuple[EnergyShard, ...]) -> EnergyStream:
        return EnergyStream(shards, how.batch_size, rules.window_rows, how.seed, windows=windows)

    train, validation = (stream(divided.shards(found, role)) for role in (TRAIN, VALIDATE))
    teaches = np.flatnonzero(found.role == TRAIN)
    some = teaches[spread_rows(divided.index.region[teaches], rules.hull_rows)]
    scaled = measured(config, train.parts(), shares=how.scale_shares)
    name = f"{model}-{divided.turns.index(turn.test)}"
    return EnergyFit(name, scaled, train, validation, stream(divided.shards_at(some)), how, divided.seen(found))


def fitted_energy(fit: EnergyFit, state: FitState, rules: CleanTrainRules, hulls: HullRules) -> FittedEnergy:
    """The network of a fit at its best epoch, judged as it is stored.

    Args:
        fit: the fit.
        state: after its last epoch.
        rules: weights, errors and device.
        hulls: from where the mixes that taught are looked at.

    Raises:
        DataError: fewer than two regions teach.
    """
    tensors = stored(best_weights(state.tensors), rules.weights)
    network = Clean(fit.config)
    load_tensors(network, tensors, where=fit.name)
    told = stream_answers(network, fit.validation, rules.device)
    hull_of = told_hulls(fit.some.parts(), fit.train.parts(), hulls, fit.seen.composites)
    errors = held_out_errors(told, fit.seen.split, rules.error_quantiles)
    return FittedEnergy(tensors, hull_of, errors, told.scores())


def stream_answers(network: Clean, stream: EnergyStream, device: str) -> EnergyAnswers:
    """What a network says of all rows of a stream, in their order; it is left judging, on the device."""
    rows: list[MixRows] = []
    truth = [np.empty((0, len(TASKS)))]

    def told() -> Iterator[MixBatch]:
        for part in stream.parts():
            none = np.empty((len(part), 0))
            rows.append(replace(part, energy=none, emissions=none))
            truth.append(np.log(np.column_stack([part.emissions.sum(axis=1), part.energy.sum(axis=1)])))
            yield mix_batch(part.energy, part.emissions)

    answer = np.column_stack(predicted_totals(network.to(device), told(), device=device))
    return EnergyAnswers(stacked(rows), np.concatenate(truth), answer)


def held_out_errors(told: EnergyAnswers, split: EnergySplitRules, quantiles: int) -> Errors:
    """Task -> group -> quantiles of the distances in ln: of a region, or of a block where time is divided."""
    by_time = split.protocol == "time"
    names = block_names(told.rows.start_ns, told.rows.end_ns, split) if by_time else told.rows.region
    group = np.array(names, np.str_)
    at = (np.arange(quantiles) + 0.5) / quantiles
    off = np.abs(told.answer - told.truth)
    return {
        task: {str(name): tuple(np.quantile(off[group == name, n], at).tolist()) for name in np.unique(group)}
        for n, task in enumerate(TASKS)
    }


def _check_roles(found: TurnRows, least: int) -> None:
    teach, validate = found.count(TRAIN), found.count(VALIDATE)
    if min(teach, validate) < max(least, 1):
        raise DataError(
            f"{teach} rows to learn from and {validate} to validate on",
            where=f"tested on {found.turn.test}",
            expected=f"{least} of either at least ({SETTINGS}.least_rows)",
            remedy="Train on more regions or a longer time, or divide rows otherwise (energy.splits).",
        )
