"""Training on streamed batches against the same loop over the same batches in memory, and under Ray Train.

A scene network (`unet`, registry's size) and a Sentinel-2 sounding network (`sentinel2_resisc_ndt`, registry's size)
are fitted twice side by side in one process of one thread: one fit reads its shards or files anew every epoch, through
a window that holds part of them, the other has every batch of every epoch ready. Both see the same batches, which their
losses prove. Epochs are fitted in turn, so that a machine that drifts drifts for both; the first is not counted.

Under Ray Train the streamed fit of scenes leaves a checkpoint an epoch; its pace from the end of the first epoch on
stands against the same fit in a bare process, and its start-up apart.
"""

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
import torch

from carbonray.engine import cluster
from carbonray.execution import LocalRules, SampleRules, TrainRules
from carbonray.io.objectstore import sha256
from carbonray.models.detector import network_of
from carbonray.models.fit import Epoch, FitRules, FitState, Workers, fit_epochs
from carbonray.models.registry import MODELS
from carbonray.models.sounding_cnn import SoundingCnn
from carbonray.models.sounding_fit import SoundingFitRules, sounding_epochs
from carbonray.models.sounding_registry import SOUNDING_MODELS, cnn_config
from carbonray.science.no2.scenes import SceneRules
from carbonray.science.spatial.tiling import TileRules
from carbonray.stages.sounding_streams import BagFile, BagStream, bag_files, band_scaling
from carbonray.training.samples import SceneShard, planned_shards, written_shard
from carbonray.training.streaming import SceneStream
from carbonray.training.torch_fit import run_on_train
from tests.benchmarks.worker_process import in_one_process
from tests.stages.small_stores import samples

SCENE_MODEL, SOUNDING_MODEL = "unet", "sentinel2_resisc_ndt"
SCENES = SampleRules(scenes=1024, test_share=0.0, validation_share=0.0, shard_scenes=64, window_shards=4)
COPIES, WINDOW_FILES = 24, 24  # of four rendered plants' files of eight images: a quarter of them in memory
EPOCHS = 6
GOAL = 0.85
Row = dict[str, Any]
Draw = Callable[[int], Iterable[Any]]


@dataclass(frozen=True)
class SceneLoop:
    """The fit of the scene network.

    Attributes:
        shards: that it streams.
        window_shards: of them in memory at once.
        rules: of the fit.
        width: of the network.
        held: whether every batch is drawn before the first epoch, and kept.
        ends: file that gets the time at the end of each epoch, when what was done with the last one is done too.
    """

    shards: tuple[SceneShard, ...]
    window_shards: int
    rules: FitRules
    width: int = 32
    held: bool = False
    ends: str = ""

    @property
    def name(self) -> str:
        """The model's."""
        return SCENE_MODEL

    def digest(self) -> str:
        """Of everything."""
        return sha256(repr(self).encode())

    def epochs(self, workers: Workers, state: FitState | None = None) -> Iterator[Epoch]:
        """Epochs of one worker, judged on one batch."""
        torch.manual_seed(self.rules.seed)
        entry, network = MODELS[SCENE_MODEL], network_of(SCENE_MODEL, {"width": self.width})
        stream = SceneStream(self.shards, self.rules.batch_size, self.window_shards, self.rules.seed)
        few = next(stream.in_order())
        fitted = fit_epochs(
            network,
            lambda tiles: entry.pair(tiles, entry.encoding, network.config),
            kept(stream.shuffled, self.rules.epochs) if self.held else stream.shuffled,
            lambda: [few],
            self.rules,
            state=state,
            workers=workers,
        )
        for epoch in fitted:
            if self.ends:
                with Path(self.ends).open("a") as file:
                    file.write(f"{time.time()}\n")
            yield epoch


@dataclass(frozen=True)
class SoundingLoop:
    """The on/off fit of the sounding network.

    Attributes:
        files: that it streams, of both classes.
        window_files: of them in memory at once.
        rules: of the fit.
        width: of the network.
        held: whether every batch is drawn before the first epoch, and kept.
    """

    files: tuple[BagFile, ...]
    window_files: int
    rules: SoundingFitRules
    width: int = 64
    held: bool = False

    def epochs(self, workers: Workers) -> Iterator[Epoch]:
        """Epochs of one worker, judged on the images of one window."""
        config = replace(cnn_config(SOUNDING_MODEL, "on"), width=self.width)
        kind = SOUNDING_MODELS[SOUNDING_MODEL].kind
        stream = BagStream(
            self.files, kind, config.bands, config.patch_px, self.rules.batch_size, False, self.window_files
        )
        few = list(replace(stream, files=self.files[:2]).in_order())
        torch.manual_seed(self.rules.seed)
        yield from sounding_epochs(
            SoundingCnn(config),
            kept(stream.shuffled, self.rules.epochs) if self.held else stream.shuffled,
            lambda: few,
            self.rules,
            scaling=band_scaling(stream),
            counts=stream.counts,
            workers=workers,
        )


def kept(draw: Draw, epochs: int) -> Draw:
    """The same batches, drawn before they are asked for."""
    ready = [list(draw(epoch)) for epoch in range(epochs)]
    return lambda epoch: ready[epoch]


def scene_loop(folder: Path, rules: SampleRules = SCENES, epochs: int = EPOCHS, width: int = 32) -> SceneLoop:
    """The fit over shards that are written here."""
    scenes, tiling = SceneRules(), TileRules()
    planned = planned_shards(rules, scenes, tiling, str(folder / "scenes"))["train"]
    shards = tuple(written_shard(shard, rules, scenes, tiling) for shard in planned)
    return SceneLoop(shards, rules.window_shards, FitRules(epochs=epochs, augment=True, learning_rate=1e-4), width)


def sounding_loop(folder: Path, copies: int = COPIES, epochs: int = EPOCHS, width: int = 64) -> SoundingLoop:
    """The fit over files of four rendered plants, each read as so many."""
    _, urls = samples(str(folder), "sentinel2", cnn_config(SOUNDING_MODEL, "on").patch_px)
    files = bag_files(urls, SOUNDING_MODELS[SOUNDING_MODEL].kind, with_loads=False)
    every = tuple(replace(file, plant_id=f"{file.plant_id}-{copy}") for copy in range(copies) for file in files)
    return SoundingLoop(every, WINDOW_FILES, SoundingFitRules(epochs=epochs, patience=0), width)


def side_by_side(loop: SceneLoop | SoundingLoop) -> tuple[float, float]:
    """Samples a second of the streamed and of the held fit, whose epochs are fitted in turn.

    Raises:
        AssertionError: they did not see the same batches.
    """
    torch.set_num_threads(1)
    fits = [replace(loop, held=held).epochs(Workers()) for held in (False, True)]
    rates: list[list[float]] = [[], []]
    for pair in zip(*fits, strict=True):
        losses = {epoch.metrics["train_loss"] for epoch in pair}
        assert len(losses) == 1, f"other batches: losses of an epoch are {sorted(losses)}"
        for rate, epoch in zip(rates, pair, strict=True):
            rate.append(epoch.metrics["train_samples"] / epoch.metrics["seconds"])
    streamed, held = (statistics.median(rate[1:]) for rate in rates)
    return streamed, held


def bare(loop: SceneLoop) -> None:
    """The streamed fit and nothing else."""
    torch.set_num_threads(1)
    for _ in loop.epochs(Workers()):
        pass


def paced(loop: SceneLoop, run: Callable[[SceneLoop], Any], ends: Path) -> tuple[float, float]:
    """Seconds an epoch from the end of the first on, the median; and seconds before that epoch began.

    An epoch is from the end of the one before to its own: with all that is done of the one before, such as its
    checkpoint.
    """
    started = time.time()
    run(replace(loop, ends=str(ends)))
    times = [float(line) for line in ends.read_text().splitlines()]
    each = statistics.median(after - before for before, after in itertools.pairwise(times))
    return each, times[0] - started - each


def under_train(folder: Path, loop: SceneLoop) -> list[Row]:
    """The fit under Ray Train against the bare one; Ray runs."""
    bare_s, _ = paced(loop, lambda one: in_one_process(bare, one), folder / "bare")
    rules = TrainRules(ray_train=True)
    train_s, before_s = paced(loop, lambda one: run_on_train(one, str(folder / "states"), rules), folder / "train")
    scenes = sum(shard.complete for shard in loop.shards) // loop.rules.batch_size * loop.rules.batch_size
    against = f"the same fit in a bare process, {scenes / bare_s:.0f} scenes/s; goal {GOAL}"
    title = f"Ray Train: {SCENE_MODEL} on scenes"
    return [
        row(f"{title}, an epoch and its checkpoint", scenes / train_s, "scenes/s", against, bare_s / train_s),
        row(f"{title}, before the first epoch", before_s, "s", "", None),
    ]


def measure(scenes: SceneLoop, soundings: SoundingLoop) -> list[Row]:
    """Both networks, each in a process of its own."""
    found = []
    for title, loop, unit in (
        (f"{SCENE_MODEL} on scenes", scenes, "scenes/s"),
        (f"{SOUNDING_MODEL} on images", soundings, "images/s"),
    ):
        streamed, held = in_one_process(side_by_side, loop)
        against = f"the same batches held in memory, {held:.1f} {unit}, one thread; goal {GOAL}"
        found.append(row(f"training stream: {title}", streamed, unit, against, streamed / held))
    return found


def rows() -> list[Row]:
    """All figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenes = scene_loop(folder)
        found = measure(scenes, sounding_loop(folder))
        cluster.connect(LocalRules(num_cpus=2, object_store_mb=256))
        try:
            return found + under_train(folder, scenes)
        finally:
            ray.shutdown()


def row(name: str, value: float, unit: str, against: str, ratio: float | None) -> Row:
    return {"name": name, "value": value, "unit": unit, "against": against, "ratio": ratio}


if __name__ == "__main__":
    import json

    print(json.dumps(rows(), indent=1))
