"""Encodes every cell once: its image and its points of interest to vectors, by every instance of the model.

Sources: SCIENCE 1.3 and 1.7 (what is encoded once and kept equals what is encoded anew for each of the nine windows
that show it). Cells go to the networks in batches of one size, the last of a unit as small as its cells fill, in steps:
outputs differ in the last bits between batch sizes, and a unit is always worked on whole.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.contract import Batch, Encoded, Unit, require
from carbonray.io import embedding_store
from carbonray.io.embedding_store import IMAGE, PLANNED, POI, EmbeddingLayout, TileEmbeddings
from carbonray.models.cell_batches import CellBatch
from carbonray.models.opencarbon import OpenCarbon
from carbonray.science.spatial.cells import row_col
from carbonray.stages.cell_bundles import CellPin, opened_cells
from carbonray.vocab.cell_tables import CELL_EMBEDDINGS, CELL_INPUTS

EMBEDDINGS = "embeddings.zarr"
POINT = np.dtype("<u2")  # category, y, x
LAST_STEP = 8  # cells: a tile of a city's rim has few, and blank ones cost as much as any


@dataclass(frozen=True)
class CellPredictRules:
    """How cells are put to the networks.

    Attributes:
        batch_cells: cells in one call of the encoders, the last of a tile padded to a multiple of 8.
        regress_cells: cells in one call of the regression, the last padded.
        device: `cpu` or `cuda`.
    """

    batch_cells: int = 32
    regress_cells: int = 1024
    device: str = "cpu"


class EncodeCells:
    """The encoders of all instances over the cells of one tile: a cell a row in, a cell a row out."""

    needs: ClassVar[tuple[str, ...]] = tuple(CELL_INPUTS.names)
    emits: ClassVar[pa.Schema] = CELL_EMBEDDINGS

    def __init__(self, pins: Sequence[CellPin], rules: CellPredictRules) -> None:
        torch.set_num_threads(1)  # one thread a process: bit-equality, and two processes beat two threads
        self._networks = [opened_cells(pin, rules.device).network for pin in pins]
        self._px, self._width, self._rules = pins[0].image_px, pins[0].width, rules
        self._turn = threading.Lock()  # one unit at a time in the networks, whose process counts as one CPU

    def __call__(self, batch: Batch) -> Batch:
        """Images and points in, vectors out; NaN where a modality is absent or the model reads none of it."""
        require(batch, self.needs, stage=type(self).__name__)
        n, present = len(batch["cell_id"]), {name: batch[f"{name}_present"] for name in ("image", "poi")}
        vectors = {name: np.full((n, len(self._networks), self._width), np.nan, np.float32) for name in present}
        for rows, tiles in self._tiles(batch):
            for number, network in enumerate(self._networks):
                for name, encoded in self._encoded(network, tiles, present, rows):
                    seen = present[name][rows]
                    vectors[name][rows[seen], number] = encoded[: len(rows)][seen]
        packed = {
            f"{name}_vectors": np.array([row.tobytes() for row in values], object) for name, values in vectors.items()
        }
        kept = ("cell_id", "image_present", "poi_present", "n_points")
        return {name: batch[name] for name in kept} | packed

    def _encoded(
        self,
        network: OpenCarbon,
        tiles: CellBatch,
        present: Mapping[str, NDArray[np.bool_]],
        rows: NDArray[np.int64],
    ) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """(cells, d) of each modality that the network reads and that some of these cells have."""
        asked = [name for name in network.config.modalities if present[name][rows].any()]
        with self._turn, torch.inference_mode():
            for name in asked:
                if name == "image":
                    said = network.encode_image(tiles.pixels())
                else:
                    said = network.encode_poi(tiles.raster(network.config.poi_categories, self._px))
                yield name, said.float().cpu().numpy()

    def _tiles(self, batch: Batch) -> Iterator[tuple[NDArray[np.int64], CellBatch]]:
        """Rows of the batch and their tiles, blank behind the last."""
        size, n = self._rules.batch_cells, len(batch["cell_id"])
        for start in range(0, n, size):
            rows: NDArray[np.int64] = np.arange(start, min(start + size, n))
            filled = min(-(-len(rows) // LAST_STEP) * LAST_STEP, size)
            images = np.zeros((filled, 3, self._px, self._px), np.uint8)
            for place, row in enumerate(rows):
                if batch["image_present"][row]:
                    images[place] = np.frombuffer(batch["image"][row], np.uint8).reshape(images.shape[1:])
            points = [np.frombuffer(batch["points"][row], POINT).reshape(-1, 3) for row in rows]
            tile = np.repeat(np.arange(len(rows)), [len(own) for own in points])
            category, y, x = np.concatenate([np.zeros((0, 3), POINT), *points]).T
            yield rows, tiles_of(images, tile, category, y, x).to(torch.device(self._rules.device))


def tiles_of(
    images: NDArray[np.uint8],
    tile: NDArray[np.int64],
    category: NDArray[np.uint16],
    y: NDArray[np.uint16],
    x: NDArray[np.uint16],
) -> CellBatch:
    """Cells without windows, as encoders take them: (t, 3, s, s) images, and (p,) points with their tile's position."""
    t = len(images)
    alone: Tensor = torch.arange(t)
    everywhere = torch.ones(t, dtype=torch.bool)
    return CellBatch(
        images=torch.from_numpy(images),
        image_present=everywhere,
        poi_present=everywhere,
        point_tile=torch.from_numpy(tile.astype(np.int64)),
        point_category=torch.from_numpy(category.astype(np.int16)),
        point_y=torch.from_numpy(y.copy()),
        point_x=torch.from_numpy(x.copy()),
        neighbors=alone.view(t, 1, 1),
        ln_e=torch.full((t,), torch.nan),
        cell_ids=alone,
    )


@dataclass(frozen=True)
class EncodeTile:
    """Encoder of a tile's embeddings.

    Attributes:
        layout: of the store.
    """

    layout: EmbeddingLayout

    def __call__(self, unit: Unit, batch: Batch, facts: Mapping[str, Any]) -> Encoded:
        """`embeddings.zarr/...`, the tile's object of every array."""
        state = PLANNED + IMAGE * batch["image_present"] + POI * batch["poi_present"]
        row, col = row_col(batch["cell_id"])
        shape = (len(row), self.layout.instances, self.layout.width)
        image, poi = (unpacked(batch[f"{name}_vectors"], shape) for name in ("image", "poi"))
        cells = TileEmbeddings(row, col, state.astype(np.uint8), batch["n_points"], image, poi)
        place = (int(unit.partition["tile_row"]), int(unit.partition["tile_col"]))
        objects = embedding_store.encode_tile(self.layout, *place, cells)
        seen = {"cells": len(row), "encoded": len(row) * self.layout.instances}
        counts = {name: int(batch[f"{name}_present"].sum()) for name in ("image", "poi")}
        return Encoded({f"{EMBEDDINGS}/{key}": data for key, data in objects.items()}, {**facts, **seen, **counts})


def unpacked(column: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Packed float32 rows as one array."""
    return np.frombuffer(b"".join(column), np.float32).reshape(shape)
