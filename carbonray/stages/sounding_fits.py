"""Fits both tasks of one sounding model in one rotation of the folds, and leaves its bundle.

Sources: SCIENCE 4.5 and 4.7. Instance k learns from the folds `rotation(k).train` and stops on `rotation(k).val`;
files of other folds are not read beyond their keys. The same rows give the same bytes on a CPU, and a fit taken up
again after it was killed too.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import torch

from carbonray.contract import OBJECT_ROWS, Batch, Reading, Unit, object_rows, require
from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.model_store import Bundle, Lineage, bundle_objects
from carbonray.io.read_ahead import ReadWindows, read_by_thread
from carbonray.models.sounding_cnn import TASKS
from carbonray.models.sounding_fit import SCORES
from carbonray.models.sounding_registry import SOUNDING_MODELS
from carbonray.science.power.patch_features import feature_names
from carbonray.science.spatial.folds import Rotation, rotation
from carbonray.stages.fit_checkpoints import RunFit, run_here
from carbonray.stages.sounding_bundles import network_bundle, tree_bundle
from carbonray.stages.sounding_networks import SoundingFit, backbone_for, check_classes, fitted_network
from carbonray.stages.sounding_rules import SoundingRules
from carbonray.stages.sounding_streams import BagStream, bag_files
from carbonray.stages.sounding_tree_fits import GrowTrees, grown_trees
from carbonray.vocab.sensors import IMAGERS

FOLDER = "bundles"
_VERSIONED = ("carbonray", "numpy", "safetensors", "torch", "xgboost-cpu")


@dataclass(frozen=True)
class NameFit:
    """Reader of a fit: a row an input, each with the model and instance of the partition; it opens nothing."""

    def __call__(self, unit: Unit) -> Reading:
        """Columns `model`, `instance` and `url`.

        Raises:
            DataError: there is no input.
        """
        n, model, instance = len(unit.inputs), str(unit.partition["model"]), int(unit.partition["instance"])
        if not n:
            raise DataError(
                "no plant has a sample",
                where=f"{model}, instance {instance}",
                expected="samples of plants in the folds it learns from",
                remedy="Look at the rejections of the samples, or leave the model out.",
            )
        batch = {
            "model": np.full(n, model, object),
            "instance": np.full(n, instance, np.int64),
            "url": np.array(unit.inputs, object),
        }
        return Reading(batch, {"read": n, "kept": n, "quarantined": 0})


class FitSoundings:
    """Fits the on/off and the capacity-factor model of one name and instance: its bundle's objects out."""

    needs: ClassVar[tuple[str, ...]] = ("model", "instance", "url")
    emits: ClassVar[pa.Schema] = OBJECT_ROWS

    def __init__(
        self,
        rules: SoundingRules,
        checkpoints_url: str,
        command: str,
        *,
        run: RunFit = run_here,
        grow: GrowTrees = grown_trees,
        windows: ReadWindows = read_by_thread,
        run_id: str = "",
        settings_digest: str = "",
        generator_sha256: str = "",
        folder: str = FOLDER,
    ) -> None:
        """Takes how fits run, and what the lineage tells.

        Args:
            rules: of trees and networks.
            checkpoints_url: folder of the fits' states, `MODEL-K-TASK/` each.
            command: that trains it again.
            run: runs the fit of a network, going on from the states in a folder.
            grow: grows trees, here or on a cluster.
            windows: reads windows of patches ahead.
            run_id: of the run.
            settings_digest: of the settings that can change the weights.
            generator_sha256: digest of the image generator's sources, empty for real images.
            folder: of the bundles.
        """
        torch.set_num_threads(rules.threads)
        self._rules, self._checkpoints_url, self._folder = rules, checkpoints_url, folder
        self._run, self._grow, self._windows = run, grow, windows
        self._command, self._run_id = command, run_id
        self._settings_digest, self._generator_sha256 = settings_digest, generator_sha256

    def __call__(self, batch: Batch) -> Batch:
        """Names and URLs of samples in, the objects of `FOLDER/MODEL/K/` out.

        Raises:
            DataError: a fold has no image, or one class only.
        """
        require(batch, self.needs, stage=type(self).__name__)
        name, k, urls = str(batch["model"][0]), int(batch["instance"][0]), batch["url"].tolist()
        fit = self._networks if SOUNDING_MODELS[name].trunk else self._trees
        try:
            bundle = fit(name, k, urls)
        except DataError as error:
            raise _named(error, name, k) from error
        objects = {f"{self._folder}/{name}/{k}/{key}": data for key, data in bundle_objects(bundle).items()}
        return object_rows(objects)

    def _networks(self, name: str, k: int, urls: Sequence[str]) -> Bundle:
        entry, rules, turn = SOUNDING_MODELS[name], self._rules, rotation(k)
        fits = {task: network_fit(rules, name, task, urls, turn, self._windows) for task in TASKS}
        for task, fit in fits.items():
            check_classes(task, fit.train, fit.validation)
        fitted = {
            task: fitted_network(
                fit,
                run=self._run,
                url=objectstore.join(self._checkpoints_url, fit.name),
                device=rules.device,
                weights=rules.weights,
            )
            for task, fit in fits.items()
        }
        files = [file for split in (fits["on"].train, fits["on"].validation) for file in split.files]
        seen = _seen(((file.plant_id, file.fold, file.data_tier, file.off + file.on) for file in files), turn)
        scores = {SCORES[task]: one.score for task, one in fitted.items()}
        epochs = max(one.epochs for one in fitted.values())
        told = {"rules": asdict(rules.fit), "config": dict(rules.config), "weights": rules.weights}
        told |= {"tuned": rules.tuned[name]} if name in rules.tuned else {}
        lineage = self._lineage(seen, scores, told, rules.fit.seed, epochs)
        return network_bundle(name, entry, k, {task: one.network for task, one in fitted.items()}, lineage)

    def _trees(self, name: str, k: int, urls: Sequence[str]) -> Bundle:
        entry, rules, turn = SOUNDING_MODELS[name], self._rules, rotation(k)
        told = {task: rules.tree_rules(name, task) for task in TASKS}
        grown = self._grow(urls, entry.kind, turn, feature_names(IMAGERS[entry.imager]), told)
        rounds = max(trees.rounds for trees in grown.trees.values())
        plants = zip(*(grown.keys[name].to_pylist() for name in ("plant_id", "fold", "data_tier")), strict=True)
        seen = _seen(((*plant, 1) for plant in plants), turn)
        fit = {"rules": asdict(rules.trees)} | ({"tuned": rules.tuned[name]} if name in rules.tuned else {})
        lineage = self._lineage(seen, grown.scores, fit, rules.trees.seed, rounds)
        return tree_bundle(name, entry, k, grown.trees, lineage)

    def _lineage(
        self, seen: "_Seen", scores: Mapping[str, float], fit: dict[str, Any], seed: int, epochs: int
    ) -> Lineage:
        return Lineage(
            command=self._command,
            run_id=self._run_id,
            seed=seed,
            scenes=seen.trained,
            validation_scenes=seen.stopped,
            epochs=epochs,
            generator_sha256=self._generator_sha256,
            settings_digest=self._settings_digest,
            versions={name: metadata.version(name) for name in _VERSIONED},
            fit=fit,
            validation=dict(scores),
            fold_table=seen.fold_table,
            data_tier=seen.data_tier,
        )


def network_fit(
    rules: SoundingRules,
    name: str,
    task: str,
    urls: Sequence[str],
    turn: Rotation,
    windows: ReadWindows = read_by_thread,
) -> SoundingFit:
    """The fit of one network, from the images of the training folds, stopped on those of the validation fold.

    Args:
        rules: of all fits.
        name: of the model.
        task: 'on' or 'capacity_factor'.
        urls: files of patches; those of other folds are not read beyond their keys.
        turn: which folds train and stop.
        windows: reads windows of them ahead.
    """
    kind, loads = SOUNDING_MODELS[name].kind, task != "on"
    config, how = rules.network(name, task), rules.network_fit(name, task)
    files = bag_files(urls, kind, with_loads=loads)

    def stream(*folds: int) -> BagStream:
        own = tuple(file for file in files if file.fold in folds)
        sizes = (config.patch_px, how.batch_size)
        return BagStream(own, kind, config.bands, *sizes, loads, rules.window_files, how.seed, windows=windows)

    of_turn = str(turn.test) if turn == rotation(turn.test) else f"{turn.test}-stopped-on-{turn.val}"
    backbone = backbone_for(name, rules.backbones)
    return SoundingFit(f"{name}-{of_turn}-{task}", config, stream(*turn.train), stream(turn.val), how, backbone)


@dataclass(frozen=True)
class _Seen:
    """What a fit has seen: images trained and stopped on, plant -> fold, and the tiers of the images."""

    trained: int
    stopped: int
    fold_table: dict[str, int]
    data_tier: str


def _seen(images: Iterable[tuple[str, int, str, int]], turn: Rotation) -> _Seen:
    """Of plant, fold, tier and number of images: those of the rotation's training and validation folds."""
    of_fold: Counter[int] = Counter()
    folds: dict[str, int] = {}
    tiers: set[str] = set()
    for plant, fold, tier, count in images:
        if fold in (*turn.train, turn.val):
            of_fold[fold] += count
            folds[plant] = fold
            tiers.add(tier)
    trained = sum(of_fold[fold] for fold in turn.train)
    return _Seen(trained, of_fold[turn.val], dict(sorted(folds.items())), ", ".join(sorted(tiers)))


def _named(error: DataError, name: str, k: int) -> DataError:
    turn = rotation(k)
    trained = " and ".join(map(str, turn.train))
    where = f"{name}, instance {k}, trained on folds {trained} and stopped on fold {turn.val}: {error.where}"
    return DataError(error.what, where=where, expected=error.expected, remedy=error.remedy)
