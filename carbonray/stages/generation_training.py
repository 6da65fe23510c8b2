"""Fits the generation models of one structure kind from the soundings of all training plants: one unit of a run.

Source: SCIENCE 4.6 and 4.7, plume paper sections 3.6 and 3.8. The production model alone is fitted here, in four
rotations; its peers stand beside it in the evaluation.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from carbonray.contract import Reading, Unit, object_rows
from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.inventory.store import read_inventory
from carbonray.io.table_store import decode_table
from carbonray.models.generation_ensemble import encode_ensemble
from carbonray.models.generation_peers import PRODUCTION, TRAIN_MEAN
from carbonray.science.power.lookback import ModelPair
from carbonray.science.stats.metrics import mbe, rmse
from carbonray.stages.generation_folds import GenerationFoldRules, ensemble_of, fit_rotations
from carbonray.stages.generation_targets import TargetRules, labelled_soundings, reported_by_plant, reported_days
from carbonray.vocab.product_tables import SOUNDINGS

FOLDER = "bundles/generation"


@dataclass(frozen=True)
class FitGeneration:
    """Reader of the soundings and reports of training plants; its rows are the ensemble's one object.

    Inputs are tables of soundings and of reports. The partition holds `kind`, and `folds`: plant -> fold as JSON.

    Attributes:
        inventory_url: of the plants.
        pairs: the sounding models of each structure kind.
        bundles: sha256 of their bundles, by structure kind.
        rules: features, models, intervals.
        targets: which reports make a mean of 30 days.
        folder: of the models in the run.
    """

    inventory_url: str
    pairs: dict[str, tuple[ModelPair, ...]]
    bundles: dict[str, tuple[str, ...]]
    rules: GenerationFoldRules
    targets: TargetRules
    folder: str = FOLDER

    def __call__(self, unit: Unit) -> Reading:
        """`FOLDER/KIND.json`; facts hold its errors on plants held out.

        Raises:
            DataError: a fold has no plant with soundings and reports.
            TransportError: a table could not be moved.
        """
        kind = str(unit.partition["kind"])
        folds: dict[str, int] = json.loads(str(unit.partition["folds"]))
        soundings = read_soundings([url for url in unit.inputs if "/soundings.parquet/" in url], kind)
        _, units, _ = read_inventory(self.inventory_url)
        units = units.filter(pc.is_in(units.column("plant_id"), pa.array(sorted(folds), pa.string())))
        urls = [url for url in unit.inputs if "/reported/" in url]
        reported = reported_days(reported_by_plant(urls, folds), units, rules=self.targets)
        data = labelled_soundings(kind, self.pairs[kind], soundings, folds, reported)
        _require_folds(kind, [folds[plant] for plant in data.plants])
        held_out = fit_rotations(data, (PRODUCTION, TRAIN_MEAN), self.rules)
        tiers = ", ".join(sorted(pc.unique(soundings.column("data_tier")).to_pylist()))
        ensemble = ensemble_of(
            data, held_out, self.rules, training_folds=folds, sounding_bundles=self.bundles[kind], data_tier=tiers
        )
        facts = {
            "data_tier": tiers,
            "plants": len(np.unique(held_out.plant)),
            "days": len(held_out.observed),
            "rmse": rmse(held_out.observed, held_out.predicted[PRODUCTION]),
            "mbe": mbe(held_out.observed, held_out.predicted[PRODUCTION]),
            "rmse of the training mean": rmse(held_out.observed, held_out.predicted[TRAIN_MEAN]),
            "half width of a year": ensemble.width_annual,
        }
        objects = {f"{self.folder}/{kind}.json": encode_ensemble(ensemble)}
        return Reading(object_rows(objects), {"read": 1, "kept": 1, "quarantined": 0}, facts=facts)


def read_soundings(urls: Sequence[str], kind: str) -> pa.Table:
    """The rows of a structure kind in some tables, schema `SOUNDINGS`.

    Raises:
        DataError: a table is bad.
        TransportError: it could not be moved.
    """
    parts = [SOUNDINGS.empty_table()]
    for url in urls:
        table = decode_table(objectstore.read_bytes(url), SOUNDINGS)
        parts.append(table.filter(pc.equal(table.column("structure_kind"), kind)))
    return pa.concat_tables(parts)


def _require_folds(kind: str, folds: Sequence[int]) -> None:
    lacking = sorted(set(range(4)) - set(folds))
    if lacking:
        raise DataError(
            f"folds {lacking} hold no plant with soundings and reported generation",
            where=f"generation models of {kind}",
            expected="such plants in each of the four folds",
            remedy="Train on more plants, or look at the rejections: which rule took theirs.",
        )
