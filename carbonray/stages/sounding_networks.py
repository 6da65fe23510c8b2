"""Fits one sounding network: bands scaled, first weights random or published, epochs kept, the best weights rounded.

Sources: SCIENCE 4.5 and 4.7, plume paper section 3.5 and appendix B. Everything measured is measured on the training
folds; the validation fold ends the fit and nothing else.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from carbonray.errors import DataError, SettingsError
from carbonray.io.backbone_weights import read_backbone
from carbonray.io.objectstore import sha256
from carbonray.models.bags import BandScaling
from carbonray.models.fit import Epoch, FitState, Workers
from carbonray.models.fit_tensors import best_weights, stored
from carbonray.models.sounding_cnn import SoundingCnn, SoundingCnnConfig
from carbonray.models.sounding_detector import SoundingDetector
from carbonray.models.sounding_fit import SoundingFitRules, sounding_epochs
from carbonray.models.sounding_registry import (
    PUBLISHED,
    SOUNDING_MODELS,
    published_config,
    published_network,
)
from carbonray.science.stats.metrics import rmse, two_class_map
from carbonray.stages.fit_checkpoints import RunFit
from carbonray.stages.sounding_bundles import FittedNetwork
from carbonray.stages.sounding_streams import BagStream, band_scaling

Weights = Literal["fp16", "fp32"]


@dataclass(frozen=True)
class SoundingFit:
    """The fit of one network.

    Attributes:
        name: for people, such as 'sentinel2_resisc_ndt-2-on'.
        config: of the network, first weights random.
        train: images to learn from.
        validation: images that end the fit.
        rules: of the fit.
        backbone: name and URL of published weights to start from.
    """

    name: str
    config: SoundingCnnConfig
    train: BagStream
    validation: BagStream
    rules: SoundingFitRules
    backbone: tuple[str, str] | None = None

    @cached_property
    def scaling(self) -> BandScaling:
        """Of the bands over the images to learn from: read once, it travels with the fit.

        Raises:
            DataError: a band holds nothing.
        """
        return band_scaling(self.train)

    @cached_property
    def started(self) -> SoundingCnnConfig:
        """The configuration with where the first weights come from."""
        if self.backbone is None:
            return self.config
        published, url = self.backbone
        return published_config(self.config, published, read_backbone(url).sha256)

    def digest(self) -> str:
        """Of everything that can change the weights; the scaling stands for the pixels."""
        splits = [[(file.plant_id, file.off, file.on) for file in stream.files] for stream in self._streams]
        order = [(stream.window_files, stream.batch_size, stream.seed) for stream in self._streams]
        facts = [asdict(self.started), asdict(self.scaling), asdict(self.rules), splits, order]
        return sha256(json.dumps(facts, sort_keys=True).encode())

    def epochs(self, workers: Workers, state: FitState | None = None) -> Iterator[Epoch]:
        """The epochs after a state.

        Raises:
            DataError: a band holds nothing, or the fit diverged.
            ContractError: batches are too small for the workers.
        """
        shared = self.train if workers.world == 1 else replace(self.train, rank=workers.rank, world=workers.world)
        torch.manual_seed(self.rules.seed)
        return sounding_epochs(
            _first_network(self.config, self.backbone),
            shared.shuffled,
            self.validation.in_order,
            self.rules,
            scaling=self.scaling,
            counts=self.train.counts,
            state=state,
            workers=workers,
        )

    @property
    def _streams(self) -> tuple[BagStream, BagStream]:
        return self.train, self.validation


@dataclass(frozen=True)
class NetworkFit:
    """A fitted network, its score on the validation fold as it is stored, and the epochs it took."""

    network: FittedNetwork
    score: float
    epochs: int


def backbone_for(name: str, backbones: tuple[str, ...]) -> tuple[str, str] | None:
    """Name and URL of the published weights that a model starts from, None for random ones.

    Args:
        name: in the registry.
        backbones: `NAME=URL`, NAME a key of `PUBLISHED`; the model's own are taken before others of its trunk.

    Raises:
        SettingsError: one is not written so.
    """
    entry = SOUNDING_MODELS[name]
    given = dict(_named_url(text) for text in backbones)
    fitting = [known for known in given if PUBLISHED[known].trunk == entry.trunk]
    chosen = entry.published if entry.published in given else next(iter(fitting), "")
    return (chosen, given[chosen]) if chosen else None


def fitted_network(fit: SoundingFit, *, run: RunFit, url: str, device: str, weights: Weights) -> NetworkFit:
    """Fits a network, or goes on where an earlier fit of the same was killed.

    Args:
        fit: the fit.
        run: runs it, here or on a cluster.
        url: folder of its states.
        device: on which the fitted network is judged, 'cpu' or 'cuda'.
        weights: 'fp16' or 'fp32', as the tensors are stored.

    Raises:
        DataError: a band holds nothing, or the fit diverged.
    """
    state = run(fit, url)
    tensors = stored(best_weights(state.tensors), weights)
    fitted = FittedNetwork(fit.started, fit.scaling, tensors)
    return NetworkFit(fitted, _score(fitted, fit.validation, device), state.epoch)


def check_classes(task: str, train: BagStream, validation: BagStream) -> None:
    """Checks, before an hour of work, that a fit can be made: both classes to learn from, and something to stop on.

    Raises:
        DataError: a class is absent among the training images or, for on and off, those of the validation fold.
    """
    learnt, judged = train.counts, validation.counts
    if min(learnt) and (min(judged) if task == "on" else sum(judged)):
        return
    raise DataError(
        f"{learnt[0]} images of plants off and {learnt[1]} on to learn from, {judged[0]} and {judged[1]} to stop on",
        where=task,
        expected="both classes among the training images and, for on and off, among those of the validation fold",
        remedy="Train on more plants or years, or leave the model out.",
    )


def _named_url(text: str) -> tuple[str, str]:
    name, _, url = text.partition("=")
    if name not in PUBLISHED or not url:
        raise SettingsError(
            f"{text!r} names no published weights",
            where="backbones",
            expected=f"NAME=URL, NAME one of {sorted(PUBLISHED)}, URL of a .safetensors file",
            remedy="Write RESISC45=s3://bucket/resisc45.safetensors, say.",
        )
    return name, url


def _first_network(config: SoundingCnnConfig, backbone: tuple[str, str] | None) -> SoundingCnn:
    if backbone is None:
        return SoundingCnn(config)
    published, url = backbone
    found = read_backbone(url)
    return published_network(config, published, found.tensors, sha256=found.sha256, where=url)


def stream_answers(detector: SoundingDetector, stream: BagStream) -> NDArray[np.float64]:
    """(2, image) labels of a stream's images and a network's answers: on and on score, or capacity factors."""
    found = [np.zeros((2, 0))]
    for bag in stream.in_order():
        on, factor = detector(bag.patches.numpy(), bag.mask.numpy())
        pair = (bag.on, on) if detector.config.task == "on" else (bag.capacity_factor, factor)
        found.append(np.stack([np.asarray(part, np.float64) for part in pair]))
    return np.concatenate(found, axis=1)


def _score(fitted: FittedNetwork, stream: BagStream, device: str) -> float:
    """Of a stream's images: mAP of on and off, or RMSE of the capacity factor."""
    config, scaling = asdict(fitted.config), asdict(fitted.scaling)
    detector = SoundingDetector(config, scaling, fitted.tensors, where="the fit", device=device)
    truth, answer = stream_answers(detector, stream)
    if fitted.config.task == "on":
        return float(two_class_map(truth > 0.0, answer))
    return float(rmse(np.clip(truth, 0.0, 1.0), answer))
