"""One orbit's partial: the same bytes in any order of rows, and facts that later passes can plan with."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from carbonray.contract import Batch, Unit
from carbonray.io import table_store
from carbonray.stages.partials import EncodeDetections
from carbonray.vocab import tables

SHARD_PX = 360
UNIT = Unit("detect", "id", "orbit", {}, (), ())


def detections(rows: int, cols: int, *, top: int = 2280, left: int = 4120) -> Batch:
    """Judged pixels of a rectangle, what was judged drawn."""
    row, col = (axis.ravel() for axis in np.indices((rows, cols)))
    rng = np.random.default_rng(3)
    return {
        "row": (top + row).astype(np.int16),
        "col": (left + col).astype(np.int16),
        "day": np.full(row.size, 18_833, np.int32),
        "rel_emission": rng.random(row.size).astype(np.float32),
        "coverage": rng.random(row.size).astype(np.float32),
        "no2_umol_m2": rng.normal(30.0, 20.0, row.size).astype(np.float32),
    }


@given(seed=st.integers(0, 10))
def test_a_partial_is_the_same_bytes_whatever_the_order_of_its_rows(seed):
    batch = detections(40, 50, top=350, left=340)
    order = np.random.default_rng(seed).permutation(len(batch["row"]))
    shuffled = {name: values[order] for name, values in batch.items()}
    encode = EncodeDetections(SHARD_PX, 0.5)
    plain, other = encode(UNIT, batch, {}), encode(UNIT, shuffled, {})
    assert plain == other
    assert plain.facts["shards"] == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_a_partial_tells_its_days_and_its_detections():
    batch = detections(40, 50)
    batch["day"][:700] -= 1
    encoded = EncodeDetections(SHARD_PX, 0.5)(UNIT, batch, {"orbit": 7})
    hits = batch["rel_emission"] >= 0.5
    expected = [[18_832, 700, int(hits[:700].sum())], [18_833, 1300, int(hits[700:].sum())]]
    assert encoded.facts["daily"] == expected
    assert (encoded.facts["judged"], encoded.facts["detected"], encoded.facts["orbit"]) == (2000, int(hits.sum()), 7)
    [(key, data)] = encoded.objects.items()
    assert key == "partials/orbit.parquet"
    assert table_store.decode_table(data, tables.DETECTIONS).num_rows == 2000
