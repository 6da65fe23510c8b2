"""Batches of bags from files, shuffled within a moving window of files: memory is the window, not the data set.

Source: HOUSE "Decided", stores; the scaling of bands is measured over training folds only (SCIENCE 0.4). An epoch's
order follows from (seed, epoch) alone, and every image is seen once: by one of the workers, who share every batch. In
the window patches of all images stand one after the other, (patch, band, y, x) integers of the network's bands and
size; a batch makes reflectances of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from carbonray.errors import ContractError, DataError
from carbonray.io import objectstore
from carbonray.io.bag_store import read_bag_keys, read_bags
from carbonray.io.read_ahead import ReadWindows, dealt, even_sizes, read_by_thread, windows_of
from carbonray.models.bags import BagBatch, BandScaling
from carbonray.science.power.band_math import values

READERS = 8  # files that are read at once
LEAST_SPREAD = 1e-6  # of a band over its mean: less is what rounding leaves of a constant
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class BagFile:
    """One file, and what it has of a structure kind for a task.

    Attributes:
        url: of the file.
        plant_id: whose images it holds.
        fold: of the plant.
        off: images of the plant off.
        on: images of the plant on.
        data_tier: of the images.
    """

    url: str
    plant_id: str
    fold: int
    off: int
    on: int
    data_tier: str


@dataclass(frozen=True)
class PackedBags:
    """Images whose patches stand one after the other.

    Attributes:
        dn: (patch, band, y, x) uint16.
        numbers: (image, 4, band) scale, offset and thermal constants.
        structures: (image,) patches of each.
        capacity_factor: (image,) labels.
        on: (image,) labels.
    """

    dn: NDArray[np.uint16]
    numbers: NDArray[np.float64]
    structures: Rows
    capacity_factor: NDArray[np.float32]
    on: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.on)

    def rows(self, chosen: Rows) -> "PackedBags":
        """Some images, in an order."""
        patch, _ = self._patches(chosen)
        return PackedBags(
            self.dn[patch], self.numbers[chosen], self.structures[chosen], self.capacity_factor[chosen], self.on[chosen]
        )

    def batch(self, chosen: Rows) -> BagBatch:
        """Some images as reflectances, padded to the most structures among them."""
        patch, mask = self._patches(chosen)
        of_patch = self.numbers[chosen][np.nonzero(mask)[0]]
        bag = np.zeros((*mask.shape, *self.dn.shape[1:]), np.float32)
        bag[mask] = values(self.dn[patch], *np.moveaxis(of_patch, 1, 0))
        labels = (self.capacity_factor[chosen], self.on[chosen])
        return BagBatch(*(torch.from_numpy(array) for array in (bag, mask, *labels)))

    def _patches(self, chosen: Rows) -> tuple[Rows, NDArray[np.bool_]]:
        """Places of the images' patches in order, and the mask (image, structure)."""
        count = self.structures[chosen]
        number = np.arange(count.max(initial=0))
        mask = number < count[:, None]
        first = (np.cumsum(self.structures) - self.structures)[chosen]
        return (first[:, None] + number)[mask], mask


@dataclass(frozen=True)
class BagStream:
    """The batches of one network and split.

    Attributes:
        files: of one split, of `bag_files`.
        kind: structure kind.
        bands: of the network, in its order.
        patch_px: side of its patches.
        batch_size: most images in a batch.
        with_loads: whether images of unknown capacity factor are left out.
        window_files: files among which images are shuffled, as many again are read ahead; if there are no more files,
            they are read once and kept.
        seed: of the order.
        rank: this worker, of `world` workers, who each take their share of every shuffled batch.
        world: workers.
        windows: how windows are read.
    """

    files: tuple[BagFile, ...]
    kind: str
    bands: tuple[str, ...]
    patch_px: int
    batch_size: int
    with_loads: bool
    window_files: int = 64
    seed: int = 0
    rank: int = 0
    world: int = 1
    windows: ReadWindows = read_by_thread

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels without the files that it keeps."""
        return type(self), tuple(getattr(self, f.name) for f in fields(self))

    @property
    def counts(self) -> tuple[int, int]:
        """Images of plants off and on."""
        return sum(file.off for file in self.files), sum(file.on for file in self.files)

    def shuffled(self, epoch: int) -> Iterator[BagBatch]:
        """Every image once, in as few batches as there can be, all but equally large; of each this worker's share.

        Raises:
            ContractError: a batch holds fewer images than there are workers.
        """
        rng = np.random.default_rng((self.seed, epoch))
        order = rng.permutation(len(self.files))
        sizes = even_sizes(sum(self.counts), self.batch_size)
        self._check(sizes)
        windows = self._windows([self.files[at] for at in order])

        def drawn(bags: PackedBags) -> Rows:
            return rng.permutation(len(bags))

        for bags, chosen in dealt(windows, sizes, join=joined, order=drawn, rest=PackedBags.rows):
            yield bags.batch(chosen[self.rank :: self.world])

    def in_order(self) -> Iterator[BagBatch]:
        """All images in order, the last batch of a window as small as it is."""
        for bags in self._windows(self.files):
            for first in range(0, len(bags), self.batch_size):
                yield bags.batch(np.arange(first, min(first + self.batch_size, len(bags))))

    @cached_property
    def _kept(self) -> PackedBags:
        return self._read(self.files)

    def _windows(self, files: Sequence[BagFile]) -> Iterator[PackedBags]:
        return windows_of(files, self.window_files, self.windows, self._read, lambda: self._kept)

    def _check(self, sizes: Iterable[int]) -> None:
        if self.world > min(sizes, default=self.world):
            raise ContractError(
                f"batches of {min(sizes)} images for {self.world} workers",
                where="soundings.fit.batch_size",
                expected="an image a worker in every batch at least",
                remedy="Fit with fewer workers, with larger batches, or on more images.",
            )

    def _read(self, files: Sequence[BagFile]) -> PackedBags:
        with ThreadPoolExecutor(READERS) as readers:
            return joined(list(readers.map(self._packed, files)))

    def _packed(self, file: BagFile) -> PackedBags:
        bags = read_bags(objectstore.read_bytes(file.url), self.kind, where=file.url)
        edge = (bags.dn.shape[-1] - self.patch_px) // 2 if bags else -1
        if bags is None or edge < 0 or not set(self.bands) <= set(bags.bands):
            raise DataError(
                f"no bags of {self.kind} that hold {self.bands} in {self.patch_px} pixels",
                where=file.url,
                expected="the file that was listed, with the network's bands and at least its patches",
                remedy="Make the samples again with the models that are trained.",
            )
        inner, places = slice(edge, edge + self.patch_px), [bags.bands.index(band) for band in self.bands]
        dn = bags.dn[:, :, places, inner, inner]
        factor, on = (bags.keys[name].to_numpy(zero_copy_only=False) for name in ("capacity_factor", "on"))
        structures = np.full(len(dn), dn.shape[1], np.int64)
        packed = PackedBags(dn.reshape(-1, *dn.shape[2:]), bags.numbers[:, :, places], structures, factor, on)
        known = np.isfinite(factor)
        return packed.rows(np.flatnonzero(known)) if self.with_loads and not known.all() else packed


def bag_files(urls: Iterable[str], kind: str, *, with_loads: bool) -> tuple[BagFile, ...]:
    """The files that hold images of a structure kind, in the order of their names; only keys are read.

    Args:
        urls: of `.arrow` files, in any order.
        kind: NDT or FGD.
        with_loads: whether images of unknown capacity factor are left out.

    Raises:
        DataError: a file is bad.
    """
    ordered = sorted(urls, key=lambda url: url.rsplit("/", 2)[1:])

    def listed(url: str) -> BagFile | None:
        with objectstore.opened(url, block_bytes=2**16) as source:
            keys = read_bag_keys(source, kind, where=url)
        if with_loads:
            keys = keys.filter(pc.is_finite(keys["capacity_factor"]))
        if not keys.num_rows:
            return None
        first = keys.slice(0, 1).to_pylist()[0]
        on = int(pc.sum(keys["on"]).as_py())
        return BagFile(url, first["plant_id"], first["fold"], keys.num_rows - on, on, first["data_tier"])

    with ThreadPoolExecutor(READERS) as readers:
        return tuple(file for file in readers.map(listed, ordered) if file)


def band_scaling(stream: BagStream) -> BandScaling:
    """Mean and standard deviation of each band over all measured pixels of a stream's patches, in one pass.

    Raises:
        DataError: a band is constant or was never measured.
    """
    sums = np.zeros((3, len(stream.bands)))
    for batch in stream.in_order():
        seen = batch.patches[batch.mask].numpy().reshape(-1, len(stream.bands), stream.patch_px**2)
        gaps = np.isnan(seen)
        known = len(seen) * stream.patch_px**2 - gaps.sum((0, 2))
        filled = np.where(gaps, np.float32(0.0), seen) if gaps.any() else seen
        squares = np.einsum("pbi,pbi->b", filled, filled, dtype=np.float64)
        sums += np.stack([known, filled.sum((0, 2), dtype=np.float64), squares])
    count, total, squares = sums
    with np.errstate(invalid="ignore"):  # of a band that was never measured
        mean = total / count
        sd = np.sqrt(np.maximum(squares / count - mean * mean, 0.0))
    varies = (sd > LEAST_SPREAD * np.abs(mean)).tolist()
    if not all(varies):
        bad = [band for band, good in zip(stream.bands, varies, strict=True) if not good]
        raise DataError(
            f"bands {bad} hold nothing, or one value only, in {sum(stream.counts)} images",
            where="band_scaling",
            expected="pixels that differ, in every band that the network reads",
            remedy="Train on more images, or on bands that are measured.",
        )
    return BandScaling(tuple(mean.tolist()), tuple(sd.tolist()))


def joined(parts: Sequence[PackedBags]) -> PackedBags:
    """Images of several files or windows, one after the other."""
    if len(parts) == 1:
        return parts[0]
    names = ("dn", "numbers", "structures", "capacity_factor", "on")
    return PackedBags(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
