"""Makes training samples of one plant, imager and year: statistics for trees, bags of patches for networks.

Sources: SCIENCE 4.5 and 4.10, HOUSE "Decided" (an image is read once, integers in the store). A unit's rows are its
ready objects; what it counts are images of structure kinds. Patches are (image, structure, band, y, x).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from carbonray.contract import Reading, Unit, object_rows
from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.background_store import Background, read_background
from carbonray.io.bag_store import NUMBERS, Bags, encode_bags
from carbonray.io.image_store import ImageStack, read_images
from carbonray.io.table_store import encode_table, read_rows
from carbonray.science.power.patch_features import bag_features
from carbonray.science.power.patches import cut_patches
from carbonray.science.power.peer_inputs import INDEX_COLUMNS, IndexRules, index_columns
from carbonray.stages.patch_rules import patch_verdict, structure_pixels
from carbonray.stages.sounding_images import physical
from carbonray.vocab.plant_tables import LABELS
from carbonray.vocab.sample_tables import BAGS, SAMPLES
from carbonray.vocab.sensors import IMAGERS, Imager

SAMPLES_FOLDER, BAGS_FOLDER = "samples", "bags"
BLOCK_VALUES = 2**24  # pixels of all bands made reflectances at a time: bounds the memory, whatever the year holds
_LABEL_KEY = ("structure_kind", "time_utc_ns", "image_id")
_LABELLED = tuple(name for name in LABELS.names if name in SAMPLES.names)


@dataclass(frozen=True)
class ReadSamples:
    """Reader of the labelled images of one training plant, imager and year.

    Inputs are the store, the plant's background and its labels; the partition holds `plant_id`, `imager`, `year`,
    `fold` and `kinds`, structure kinds with commas between.

    Attributes:
        bag_px: imager -> side of the largest patch that a network asked for reads; 0, or none, for no bags.
        index: rules of the indices that peers read.
        imagers: the declared imagers.
    """

    bag_px: Mapping[str, int]
    index: IndexRules = field(default_factory=IndexRules)
    imagers: Mapping[str, Imager] = field(default_factory=lambda: IMAGERS)

    def __call__(self, unit: Unit) -> Reading:
        """`samples/IMAGER/PLANT-YEAR.parquet` and `bags/IMAGER/PLANT-YEAR.arrow`, the latter where there is a bag.

        An image counts once a kind; those whose patches are not whole are rejected by the rules of `patch_rules`.

        Raises:
            DataError: a store or a table is bad, or the background is of another region.
            TransportError: it could not be moved.
        """
        store, empty, labels = unit.inputs
        stack, background = read_images(store), read_background(empty)
        imager = self.imagers[stack.of.imager]
        _check_background(stack, background, empty)
        kinds = sorted(str(unit.partition["kinds"]).split(","))
        known = _labels(labels, stack)
        parts: dict[str, tuple[pa.Table, Bags | None]] = {}
        counts = {"read": len(stack.image_ids) * len(kinds), "kept": 0, "quarantined": 0}
        for kind in kinds:
            rows = known.filter(pc.equal(known["structure_kind"], kind))
            _count(counts, "rejected: not labelled", len(stack.image_ids) - rows.num_rows)
            size = max(*imager.patch_px, self.bag_px.get(imager.name, 0))
            fitting = patch_verdict(stack, rows, {kind: size})
            for rule, images in fitting.counts().items():
                _count(counts, f"rejected: {rule}", images)
            rows = rows.filter(pa.array(fitting.kept)).combine_chunks()
            if rows.num_rows:
                parts[kind] = self._samples(stack, imager, background, rows, int(unit.partition["fold"]))
                _count(counts, "kept", rows.num_rows)
        key = f"{imager.name}/{unit.partition['plant_id']}-{unit.partition['year']}"
        table = pa.concat_tables([SAMPLES.empty_table(), *(samples for samples, _ in parts.values())])
        objects = {f"{SAMPLES_FOLDER}/{key}.parquet": encode_table(table, _LABEL_KEY)}
        if bags := {kind: bag for kind, (_, bag) in parts.items() if bag is not None}:
            objects[f"{BAGS_FOLDER}/{key}.arrow"] = encode_bags(bags)
        return Reading(object_rows(objects), counts, facts={"data_tier": stack.data_tier} | _told(table))

    def _samples(
        self, stack: ImageStack, imager: Imager, background: Background, rows: pa.Table, fold: int
    ) -> tuple[pa.Table, Bags | None]:
        """Samples, and bags where networks are asked for, of the labelled images of one kind."""
        at = pc.index_in(rows["image_id"], pa.array(stack.image_ids)).to_numpy()
        row, col = structure_pixels(stack, rows["structure_kind"][0].as_py())
        size, bag_px = max(imager.patch_px), self.bag_px.get(imager.name, 0)
        patches = cut_patches(stack.dn[at], row, col, max(size, bag_px))
        numbers = np.stack([getattr(stack, name)[at] for name in NUMBERS], axis=1)
        empty = cut_patches(background.value[None], row, col, size)[0]
        blocks = [
            (bag_features(imager, seen, empty), index_columns(imager, seen, empty, self.index))
            for seen in _physical(_central(patches, size), numbers)
        ]
        features, index = (np.concatenate(column) for column in zip(*blocks, strict=True))
        keys = {name: rows[name] for name in _LABELLED} | {
            "fold": np.full(len(at), fold, np.int8),
            "data_tier": [stack.data_tier] * len(at),
        }
        told = {name: index[:, number] for number, name in enumerate(INDEX_COLUMNS)} | {"features": _lists(features)}
        table = pa.table({name: (keys | told)[name] for name in SAMPLES.names}, schema=SAMPLES)
        if not bag_px:
            return table, None
        own = pa.table({name: keys[name] for name in BAGS.names if name in keys})
        return table, Bags(own, np.ascontiguousarray(_central(patches, bag_px)), numbers, stack.bands)


def _physical(dn: NDArray[np.uint16], numbers: NDArray[np.float64]) -> Iterator[NDArray[np.float32]]:
    """Some images after the other, in order."""
    step = max(1, BLOCK_VALUES // dn[0].size)
    for first in range(0, len(dn), step):
        yield physical(dn[first : first + step], numbers[first : first + step])


def _central(patches: NDArray[np.uint16], size: int) -> NDArray[np.uint16]:
    edge = (patches.shape[-1] - size) // 2
    return patches[..., edge : edge + size, edge : edge + size]


def _lists(features: NDArray[np.float32]) -> pa.ListArray:
    ends = np.arange(len(features) + 1, dtype=np.int32) * features.shape[1]
    return pa.ListArray.from_arrays(ends, pa.array(features.reshape(-1)))


def _labels(url: str, stack: ImageStack) -> pa.Table:
    """Rows of `LABELS` of the store's images, ordered by kind, time and id."""
    with objectstore.opened(url) as file:
        rows = read_rows(file, "imager", stack.of.imager, LABELS)
    rows = rows.filter(pc.is_in(rows["image_id"], pa.array(stack.image_ids, pa.string())))
    return rows.sort_by([(name, "ascending") for name in _LABEL_KEY]).combine_chunks()


def _count(counts: dict[str, int], name: str, images: int) -> None:
    if images:
        counts[name] = counts.get(name, 0) + images


def _told(samples: pa.Table) -> dict[str, int]:
    on = pc.sum(samples["on"]).as_py() or 0
    return {"samples on": on, "samples off": samples.num_rows - on}


def _check_background(stack: ImageStack, background: Background, url: str) -> None:
    if (background.grid, background.bands) != (stack.grid, stack.bands):
        raise DataError(
            f"the background is of {background.bands} on {background.grid}",
            where=url,
            expected=f"{stack.bands} on {stack.grid}, as the images",
            remedy="Make the plant's background again.",
        )
