"""What a search for generation models judges by, and what its winner says of the fold that nobody saw.

Source: SCIENCE 4.7. Instance k is fitted to the soundings of sounding instance k on fold k+1 alone. A search that must
not see fold k has therefore that one fold: its plants are divided by blocks of one degree, and each part is answered
for by a fit to the others. Sounding models were fitted to other folds and stopped on this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from carbonray.errors import DataError
from carbonray.io.inventory.store import read_inventory
from carbonray.io.ledger import ObjectRecord
from carbonray.models.generation import GenerationModel
from carbonray.models.generation_ensemble import GenerationEnsemble
from carbonray.models.generation_peers import GENERATION_MODELS, PRODUCTION, TRAIN_MEAN
from carbonray.science.power.lookback import ModelPair, feature_names
from carbonray.science.spatial.folds import assigned_folds, rotation
from carbonray.science.stats.metrics import rmse
from carbonray.stages.generation_folds import (
    Floats,
    GenerationFoldRules,
    Ints,
    LabelledSoundings,
    feature_layout,
    plant_days,
    target_rows,
)
from carbonray.stages.generation_targets import TargetRules, labelled_soundings, reported_by_plant, reported_days
from carbonray.stages.generation_training import read_soundings


@dataclass(frozen=True)
class GenerationSources:
    """What generation models of one structure kind are fitted with, in plain values.

    Attributes:
        kind: NDT or FGD.
        inventory_url: of the plants.
        pairs: the sounding models.
        bundles: sha256 of their bundles.
        folds: plant -> fold.
        inputs: URL -> record of tables of soundings, each of one plant, imager and year, and of reports.
    """

    kind: str
    inventory_url: str
    pairs: tuple[ModelPair, ...]
    bundles: tuple[str, ...]
    folds: Mapping[str, int]
    inputs: Mapping[str, ObjectRecord]

    def of_fold(self, fold: int, instance: int, targets: TargetRules) -> LabelledSoundings:
        """Soundings of one instance and reports of the plants of one fold; no row of another plant is kept.

        Raises:
            DataError: a table is bad, or reports overlap.
        """
        own = {name: its for name, its in self.folds.items() if its == fold}
        heard = [url for url in self.inputs if "/soundings.parquet/" in url and _plant(url) in own]
        soundings = read_soundings(heard, self.kind)
        soundings = soundings.filter(pc.equal(soundings.column("instance"), instance))
        _, units, _ = read_inventory(self.inventory_url)
        units = units.filter(pc.is_in(units.column("plant_id"), pa.array(sorted(own), pa.string())))
        urls = [url for url in self.inputs if "/reported/" in url]
        reported = reported_days(reported_by_plant(urls, own), units, rules=targets)
        return labelled_soundings(self.kind, self.pairs, soundings, own, reported)


@dataclass(frozen=True)
class FoldAnswers:
    """What a generation model says of the fold it held out, (row,) columns; `trivial` is its training rows' mean."""

    plant: tuple[str, ...]
    observed: Floats
    predicted: Floats
    trivial: Floats


def search_rmse(sources: GenerationSources, test: int, rules: GenerationFoldRules, targets: TargetRules) -> float:
    """RMSE of 30-day capacity factors of plants in the fold that instance `test` learns from, each held out once.

    Args:
        sources: of the structure kind.
        test: the fold of which nothing is read but keys.
        rules: features, models.
        targets: which reports make a mean of 30 days.

    Raises:
        DataError: plants with soundings and reports lie in fewer than two groups of blocks.
    """
    fold = rotation(test).generation_train
    data = sources.of_fold(fold, test, targets)
    rows = target_rows(data, fold, rules.generation)
    group = _groups(sources, data, rows)
    if len(np.unique(group)) < 2:
        raise DataError(
            f"{len(np.unique(data.plant[rows]))} plants of fold {fold} lie in {len(np.unique(group))} groups of blocks",
            where=f"search of generation models of {sources.kind}",
            expected="plants with soundings and reported generation in two or more blocks of one degree",
            remedy="Choose another tune.test_fold, or train the product on more plants.",
        )
    said = np.full(len(rows), np.nan)
    for number in np.unique(group).tolist():
        others, own = rows[group != number], rows[group == number]
        said[group == number] = _fitted(data, PRODUCTION, test, others, rules).predict(
            plant_days(data, data.soundings, test, own, rules)
        )
    return rmse(data.target[rows], said)


def held_out_fold(
    sources: GenerationSources,
    ensemble: GenerationEnsemble,
    instance: int,
    rules: GenerationFoldRules,
    targets: TargetRules,
) -> FoldAnswers:
    """Answers of one instance about the plants that neither it nor its soundings' models saw.

    Raises:
        DataError: a fold has no plant with soundings and reports.
    """
    turn, rules = rotation(instance), replace(rules, lookback=ensemble.lookback)
    data, taught = (sources.of_fold(fold, instance, targets) for fold in (turn.test, turn.generation_train))
    rows, learnt = target_rows(data, turn.test, rules.generation), target_rows(taught, turn.val, rules.generation)
    if not len(rows):
        raise DataError(
            f"fold {turn.test} holds no plant with soundings and reported generation",
            where=f"generation models of {sources.kind}",
            expected="such plants in the fold that is held out",
            remedy="Train on more plants, or look at the rejections: which rule took theirs.",
        )
    days = plant_days(data, data.soundings, instance, rows, rules)
    trivial = _fitted(taught, TRAIN_MEAN, instance, learnt, rules).predict(days)
    plants = tuple(data.plants[number] for number in data.plant[rows].tolist())
    return FoldAnswers(plants, data.target[rows], ensemble.instances[instance].predict(days), trivial)


def _groups(sources: GenerationSources, data: LabelledSoundings, rows: Ints) -> Ints:
    """(row,) group of each row's plant, by blocks of one degree; rows weigh the same."""
    plants, _, _ = read_inventory(sources.inventory_url)
    place = {row["plant_id"]: row for row in plants.select(["plant_id", "lat", "lon"]).to_pylist()}
    own, at, count = np.unique(data.plant[rows], return_inverse=True, return_counts=True)
    lat, lon = ([place[data.plants[number]][name] for number in own.tolist()] for name in ("lat", "lon"))
    return np.asarray(assigned_folds(lat, lon, count, np.zeros(len(own))).fold, np.int64)[at]


def _fitted(
    data: LabelledSoundings, name: str, instance: int, rows: Ints, rules: GenerationFoldRules
) -> GenerationModel:
    names = feature_names(*feature_layout(data, rules), indicators=False)
    days = plant_days(data, data.soundings, instance, rows, rules)
    return GENERATION_MODELS[name].fit(days, data.target[rows], names, data.structure_kind, rules.generation)


def _plant(url: str) -> str:
    """Of a table of soundings, `PLANT-IMAGER-YEAR.parquet`."""
    return url.rsplit("/", 1)[-1].rsplit("-", 2)[0]
