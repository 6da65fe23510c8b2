"""Runs every sounding model and instance over the images of one plant, imager and year: long rows out.

Sources: SCIENCE 4.5 and 4.7, HOUSE "Decided" (folds on one read). Integers travel from reader to actor; the actor makes
them reflectances. A plant that models were trained on is scored by the instances its plan names, those that held it
out.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from carbonray.contract import Batch, Encoded, Unit, require, to_table
from carbonray.io import objectstore
from carbonray.io.bag_store import NUMBERS
from carbonray.io.model_store import open_bundle
from carbonray.io.plant_product import SoundingPin
from carbonray.io.table_store import encode_table
from carbonray.models.sounding_runtime import RuntimeRules
from carbonray.stages.sounding_bundles import SoundingModel, opened_model
from carbonray.stages.sounding_images import physical
from carbonray.vocab.plant_tables import REJECTIONS
from carbonray.vocab.product_tables import SOUNDING_INPUTS, SOUNDINGS
from carbonray.vocab.sensors import IMAGERS, Imager

FOLDER = "soundings.parquet"
REJECTED = "rejections"


@dataclass(frozen=True)
class PredictRules:
    """How images are put to the models.

    Attributes:
        batch_images: images in one call at most, the last of a unit as few as there are: answers differ in the last
            bits between batch sizes, but a unit is always worked on whole, so its bytes follow from its inputs.
        runtime: how networks are computed.
        device: `cpu` or `cuda`.
    """

    batch_images: int = 16
    runtime: RuntimeRules = field(default_factory=RuntimeRules)
    device: str = "cpu"


class PredictSoundings:
    """Runs every sounding model of an imager, the instances that may answer, over each image: long rows out."""

    needs: ClassVar[tuple[str, ...]] = tuple(SOUNDING_INPUTS.names)
    emits: ClassVar[pa.Schema] = SOUNDINGS

    def __init__(
        self,
        url: str,
        pins: Sequence[SoundingPin],
        rules: PredictRules,
        imagers: Mapping[str, Imager] | None = None,
    ) -> None:
        torch.set_num_threads(1)  # one thread a process: bit-equality, and two processes beat two threads
        self._url, self._rules, self._imagers = url, rules, imagers or IMAGERS
        self._pins = tuple(pins)
        self._opened: dict[SoundingPin, SoundingModel] = {}
        self._turn = threading.Lock()  # one unit at a time in the models, whose process counts as one CPU

    def __call__(self, batch: Batch) -> Batch:
        """A row an image and structure kind in, a row an image, model, instance and head out."""
        require(batch, self.needs, stage=type(self).__name__)
        parts = [SOUNDINGS.empty_table()]
        for rows in _groups(batch):
            parts += self._soundings({name: column[rows] for name, column in batch.items()})
        table = pa.concat_tables(parts)
        return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}

    def _soundings(self, rows: Batch) -> Iterator[pa.Table]:
        """Answers about rows of one imager, structure kind and number of structures."""
        first = {name: rows[name][0] for name in ("imager", "structure_kind", "instances", "n_structures")}
        numbers = {int(word) for word in first["instances"].split(",")}
        pins = [
            pin
            for pin in self._pins
            if (pin.imager, pin.kind) == (first["imager"], first["structure_kind"]) and pin.instance in numbers
        ]
        size = max((pin.patch_px for pin in pins), default=0)
        for start in range(0, len(rows["image_id"]), self._rules.batch_images):
            some = {name: column[start : start + self._rules.batch_images] for name, column in rows.items()}
            seen, features = self._prepared(some, int(first["n_structures"]), size, self._imagers[first["imager"]])
            mask = np.ones(seen.shape[:2], np.bool_)
            for pin in pins:
                with self._turn:
                    said = self._model(pin)(seen, mask, features)
                for head, value in said.items():
                    yield _said(some, pin, head, value)

    def _prepared(
        self, rows: Batch, structures: int, size: int, imager: Imager
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Reflectances (image, structure, band, s, s) and statistics (image, feature)."""
        n = len(rows["image_id"])
        numbers = np.stack([np.frombuffer(data, np.float64) for data in rows["numbers"]])
        features = np.stack([np.frombuffer(data, np.float32) for data in rows["features"]])
        bands = len(imager.bands)
        if not size:
            return np.zeros((n, structures, bands, 0, 0), np.float32), features
        dn = np.stack([np.frombuffer(data, np.uint16) for data in rows["dn"]])
        side = round((dn.shape[1] / structures / bands) ** 0.5)
        dn = dn.reshape(n, structures, bands, side, side)
        return physical(dn, numbers.reshape(n, len(NUMBERS), bands)), features

    def _model(self, pin: SoundingPin) -> SoundingModel:
        if pin not in self._opened:
            url = objectstore.join(self._url, pin.key)
            bundle = open_bundle(url, pin.sha256)
            self._opened[pin] = opened_model(bundle, url, device=self._rules.device, runtime=self._rules.runtime)
        return self._opened[pin]


@dataclass(frozen=True)
class EncodeSoundings:
    """Encoder of a unit's soundings, and of what the rules rejected."""

    def __call__(self, unit: Unit, batch: Batch, facts: Mapping[str, Any]) -> Encoded:
        """`soundings.parquet/PLANT-IMAGER-YEAR.parquet` and `rejections/PLANT-IMAGER-YEAR.parquet`."""
        table = to_table(batch, SOUNDINGS, stage=type(self).__name__)
        lost = dict(facts["rejected"])
        n = len(next(iter(lost.values())))
        rejected = pa.table({"plant_id": [str(unit.partition["plant_id"])] * n, **lost})
        key = ("structure_kind", "time_utc_ns", "image_id", "model", "instance", "head")
        objects = {
            f"{FOLDER}/{unit.key}.parquet": encode_table(table, key),
            f"{REJECTED}/{unit.key}.parquet": encode_table(
                rejected.select(REJECTIONS.names).cast(REJECTIONS), ("structure_kind", "image_id", "rule")
            ),
        }
        told = {name: value for name, value in facts.items() if name != "rejected"}
        return Encoded(objects, told | {"soundings": table.num_rows})


def _groups(batch: Batch) -> Iterator[NDArray[np.int64]]:
    """Rows of each structure kind, in the order in which kinds appear."""
    kinds = batch["structure_kind"]
    for kind in dict.fromkeys(kinds.tolist()):
        yield np.flatnonzero(kinds == kind)


def _said(rows: Batch, pin: SoundingPin, head: str, value: NDArray[np.float32]) -> pa.Table:
    n = len(value)
    copied = {name: rows[name] for name in ("plant_id", "imager", "image_id", "time_utc_ns", "structure_kind")}
    columns = copied | {
        "model": [pin.model] * n,
        "instance": np.full(n, pin.instance, np.int8),
        "head": [head] * n,
        "value": value,
        "model_version": [pin.sha256] * n,
        "data_tier": rows["data_tier"],
    }
    return pa.table(columns, schema=SOUNDINGS)
