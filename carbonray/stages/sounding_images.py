"""Reads the images of one plant, imager and year once, and lays out what the sounding models want of each.

Sources: SCIENCE 4.4 and 4.5. A row is an image of a plant for one of its structure kinds, that the rules on images,
copies and weather leave: its patches as the product's integers, and the statistics of patches that trees read.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from carbonray.contract import Batch, Reading, Unit
from carbonray.io import objectstore
from carbonray.io.background_store import read_background
from carbonray.io.bag_store import NUMBERS
from carbonray.io.image_store import ImageStack, read_images
from carbonray.io.plant_product import SoundingPin
from carbonray.io.table_store import decode_table, read_rows
from carbonray.science.power.band_math import values
from carbonray.science.power.patch_features import bag_features
from carbonray.science.power.patches import cut_patches
from carbonray.stages.patch_rules import patch_verdict, structure_pixels
from carbonray.stages.rejections import rejections
from carbonray.stages.selection import SelectImages, candidates
from carbonray.vocab.plant_tables import IMAGES, PLANT_WEATHER
from carbonray.vocab.product_tables import SOUNDING_INPUTS
from carbonray.vocab.sensors import IMAGERS, Imager


@dataclass(frozen=True)
class ReadPlantYear:
    """Reader of the images of one plant, imager and year that rules on images, copies and weather leave.

    Inputs are the store, the plant's background and the tables of its weather. The partition holds the instances that
    may answer, by structure kind as JSON.

    Attributes:
        select: the rules on images.
        pins: the sounding models there are.
        imagers: the declared imagers.
    """

    select: SelectImages
    pins: tuple[SoundingPin, ...]
    imagers: Mapping[str, Imager] = field(default_factory=lambda: IMAGERS)

    def __call__(self, unit: Unit) -> Reading:
        """Rows of `SOUNDING_INPUTS`; what was rejected travels in the facts, to be written beside the soundings.

        Raises:
            DataError: a store or a table is bad.
            TransportError: it could not be moved.
        """
        stack, background = read_images(unit.inputs[0]), read_background(unit.inputs[1])
        asked = json.loads(str(unit.partition["instances"]))
        plant_id = str(unit.partition["plant_id"])
        images = decode_table(objectstore.read_bytes(unit.inputs[0].removesuffix(".zarr") + ".parquet"), IMAGES)
        scored = candidates(stack, self.select.images, self.imagers)
        scored = scored.filter(pc.is_in(scored.column("structure_kind"), pa.array(sorted(asked), pa.string())))
        chosen = self.select(images, scored, _weather(unit.inputs[2:], plant_id))
        fitting = patch_verdict(stack, chosen.kept, self._sizes(stack, asked))
        kept = chosen.kept.filter(pa.array(fitting.kept))
        lost = pa.concat_tables([chosen.rejected, rejections("image", chosen.kept, fitting)])
        told = {kind: ",".join(map(str, numbers)) for kind, numbers in asked.items()}
        batch = self._rows(stack, background.value, kept, told)
        counts = {f"rejected: {row['values']}": row["counts"] for row in lost.column("rule").value_counts().to_pylist()}
        account = {"read": scored.num_rows, "kept": kept.num_rows, "quarantined": 0} | counts
        facts = {"data_tier": stack.data_tier, "rejected": lost.drop_columns("plant_id").to_pydict()}
        return Reading(batch, account, facts=facts)

    def _patch_px(self, imager: str, kind: str) -> int:
        """Side of the patches that the networks of a kind need, 0 where there is none."""
        return max((pin.patch_px for pin in self.pins if (pin.imager, pin.kind) == (imager, kind)), default=0)

    def _sizes(self, stack: ImageStack, kinds: Iterable[str]) -> dict[str, int]:
        """Side of the largest patch that is read of each kind."""
        imager = self.imagers[stack.of.imager]
        return {kind: max(*imager.patch_px, self._patch_px(imager.name, kind)) for kind in kinds}

    def _rows(
        self, stack: ImageStack, background: NDArray[np.float32], kept: pa.Table, told: Mapping[str, str]
    ) -> Batch:
        """Every image of every kind, its patches and their statistics as bytes."""
        place = {name: number for number, name in enumerate(stack.image_ids)}
        parts: list[pa.Table] = [SOUNDING_INPUTS.empty_table()]
        imager = self.imagers[stack.of.imager]
        for kind in told:
            rows = kept.filter(pc.equal(kept.column("structure_kind"), kind))
            at = np.array([place[name] for name in rows.column("image_id").to_pylist()], np.int64)
            if len(at):
                parts.append(self._of_kind(stack, imager, background, kind, at, told[kind]))
        table = pa.concat_tables(parts)
        return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}

    def _of_kind(
        self, stack: ImageStack, imager: Imager, background: NDArray[np.float32], kind: str, at: NDArray[np.int64],
        instances: str,
    ) -> pa.Table:  # fmt: skip
        row, col = structure_pixels(stack, kind)
        numbers = np.stack([getattr(stack, name)[at] for name in NUMBERS], axis=1)
        size = self._patch_px(imager.name, kind)
        n, most = len(at), max(imager.patch_px)
        dn = cut_patches(stack.dn[at], row, col, size) if size else np.zeros((n, 0), np.uint16)
        trees = any((pin.imager, pin.kind, pin.patch_px) == (imager.name, kind, 0) for pin in self.pins)
        features = np.zeros((n, 0), np.float32)
        if trees:
            seen = physical(cut_patches(stack.dn[at], row, col, most), numbers)
            features = bag_features(imager, seen, cut_patches(background[None], row, col, most)[0])
        columns = {
            "plant_id": [stack.of.plant_id] * n,
            "imager": [imager.name] * n,
            "image_id": [stack.image_ids[number] for number in at.tolist()],
            "time_utc_ns": stack.time_utc_ns[at],
            "structure_kind": [kind] * n,
            "instances": [instances] * n,
            "n_structures": np.full(n, len(row), np.int16),
            **{name: [part.tobytes() for part in of] for name, of in (
                ("dn", dn), ("numbers", numbers), ("features", features)
            )},
            "data_tier": [stack.data_tier] * n,
        }  # fmt: skip
        return pa.table(columns, schema=SOUNDING_INPUTS)


def physical(dn: NDArray[np.uint16], numbers: NDArray[np.float64]) -> NDArray[np.float32]:
    """Patches (image, structure, band, s, s) of integers as reflectance or brightness temperature.

    Args:
        dn: the product's integers.
        numbers: (image, 4, band) scale, offset and thermal constants of each image.
    """
    told = (np.broadcast_to(numbers[:, None, at], dn.shape[:3]) for at in range(len(NUMBERS)))
    return values(dn, *told)


def _weather(urls: Sequence[str], plant_id: str) -> pa.Table:
    parts = [PLANT_WEATHER.empty_table()]
    for url in urls:
        with objectstore.opened(url) as file:
            parts.append(read_rows(file, "plant_id", plant_id, PLANT_WEATHER))
    return pa.concat_tables(parts)
