"""The sparse partial of one orbit: its detections as one table, sorted by output shard.

It stands apart from the network's stage so that the processes that commit need not load torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from carbonray.contract import Batch, Encoded, Unit, to_table
from carbonray.io import table_store
from carbonray.vocab import tables


@dataclass(frozen=True)
class EncodeDetections:
    """Encoder of one orbit's partial: a table sorted by output shard.

    Attributes:
        shard_px: side of an output shard, pixels.
        cut: relative emission from which a pixel counts as detected, for the day's count in the facts.
    """

    shard_px: int
    cut: float

    def __call__(self, unit: Unit, batch: Batch, facts: Mapping[str, Any]) -> Encoded:
        """The partial, and in its facts which shards and days it touches."""
        table = to_table(batch, tables.DETECTIONS, stage=type(self).__name__)
        data = table_store.encode_pixels(table, self.shard_px)
        shards = table_store.shards_in(data, self.shard_px)
        detected = batch["rel_emission"] >= self.cut
        days, place = np.unique(batch["day"], return_inverse=True)
        counts = zip(np.bincount(place), np.bincount(place, weights=detected), strict=True)
        found = {
            "shards": [list(shard) for shard in shards],
            "daily": [[int(day), int(judged), int(hits)] for day, (judged, hits) in zip(days, counts, strict=True)],
            "judged": len(table),
            "detected": int(detected.sum()),
        }
        return Encoded({f"partials/{unit.key}.parquet": data}, {**facts, **found})
