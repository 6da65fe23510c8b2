"""Runs a plume network over one orbit: tiles with overlap, gaps filled, answers blended.

Sources: SCIENCE 3.6 (50 % overlap, 75 % rule, normalised convolution, Hann blend). Rows are lattice pixels.
"""

import threading
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from carbonray.contract import Batch, require
from carbonray.io.model_store import open_bundle
from carbonray.models.detector import PlumeDetector
from carbonray.science.spatial import tiling
from carbonray.science.spatial.tiling import TileRules
from carbonray.vocab import tables

_CHANNELS = ("no2_umol_m2", "wind_u_m_s", "wind_v_m_s")


@dataclass(frozen=True)
class DetectRules:
    """How tiles are put to the network.

    Attributes:
        batch_tiles: tiles in one call, the last padded to it: outputs differ in the last bits between batch sizes.
        wind_factor: the wind is multiplied by it; 1 but for the controls, 0 for none and -1 for reversed.
    """

    batch_tiles: int = 32
    wind_factor: float = 1.0


class DetectPlumes:
    """One bundle's network over the field of one orbit: relative emission of every measured pixel inside a tile."""

    needs: ClassVar[tuple[str, ...]] = tuple(tables.FIELD_PIXELS.names)
    emits: ClassVar[pa.Schema] = tables.DETECTIONS

    def __init__(self, bundle_url: str, bundle_sha256: str, tiles: TileRules, detect: DetectRules) -> None:
        torch.set_num_threads(1)  # one thread a process: bit-equality, and two processes beat two threads
        bundle = open_bundle(bundle_url, bundle_sha256)
        self._detector = PlumeDetector(bundle.model, bundle.config, bundle.encoding, bundle.tensors)
        self._tiles, self._detect = tiles, detect
        self._turn = threading.Lock()  # one unit at a time in the network, whose process counts as one CPU

    def __call__(self, batch: Batch) -> Batch:
        """Field pixels of one orbit in, judged pixels out; those that no complete tile sees are left out."""
        require(batch, self.needs, stage=type(self).__name__)
        origins = tiling.tile_origins(batch["row"], batch["col"], batch["coverage"], self._tiles)
        index = tiling.tile_index(batch["row"], batch["col"], origins, self._tiles.tile_px)
        channels = tiling.planes([batch[name] for name in _CHANNELS])
        size = self._detect.batch_tiles
        answers = np.empty(index.shape, np.float32)
        for at in range(0, len(index), size):
            answers[at : at + size] = self._relative_emission(channels, index[at : at + size])
        rel = tiling.blend(answers, index, len(batch["row"]))
        seen = np.isfinite(rel)
        kept = ("row", "col", "day", "coverage", "no2_umol_m2")
        return {name: batch[name][seen] for name in kept} | {"rel_emission": rel[seen].astype(np.float32)}

    def _relative_emission(self, channels: NDArray[np.float32], index: NDArray[np.int32]) -> NDArray[np.float32]:
        """(t, y, x) answers to at most one full batch of tiles; its padding is cut off again."""
        cut = tiling.cut_tiles(channels, index)
        observed = np.isfinite(cut)
        no2, u, v = self._filled(cut, observed)
        factor = np.float32(self._detect.wind_factor)
        fields = (no2, observed[0].astype(np.float32), factor * u, factor * v)
        padding = [(0, self._detect.batch_tiles - len(index)), (0, 0), (0, 0)]
        padded = [np.pad(field, padding) for field in fields]
        with self._turn:
            return self._detector(*padded)[: len(index)]

    def _filled(self, cut: NDArray[np.float32], observed: NDArray[np.bool_]) -> NDArray[np.float32]:
        """(k, t, y, x) channels without gaps; those of one mask, the rule inside the weather's extent, in one go."""
        if (observed == observed[0]).all():
            return tiling.fill_gaps(cut, observed[0], self._tiles)
        return np.stack([tiling.fill_gaps(*channel, self._tiles) for channel in zip(cut, observed, strict=True)])
