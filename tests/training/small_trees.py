"""Tables of samples made of numbers alone, for the trees of large tables: four folds, some files a fold."""

import numpy as np
import pyarrow as pa

from carbonray.io import objectstore
from carbonray.io.table_store import encode_table
from carbonray.vocab.sample_tables import SAMPLES

NAMES = tuple(f"feature {number}" for number in range(12))
FILES, ROWS = 3, 120  # of a fold, of a file


def table(fold, number, rows=ROWS, kind="NDT", steps=0, unknown=0.1):
    """Rows of one plant, whose first features tell the capacity factor; with `steps` a feature has so few values."""
    rng = np.random.default_rng((fold, number))
    features = rng.uniform(0.0, 1.0, (rows, len(NAMES)))
    features = np.round(features * steps) / steps if steps else features
    factor = np.clip(features[:, 0] + 0.3 * features[:, 1] - 0.3 + rng.normal(0.0, 0.05, rows), 0.0, 1.0)
    features[rng.random(features.shape) < 0.05] = np.nan
    columns = {
        "plant_id": [f"P{fold}{number}"] * rows,
        "structure_kind": [kind] * rows,
        "imager": ["landsat8"] * rows,
        "image_id": [f"image {row}" for row in range(rows)],
        "time_utc_ns": np.arange(rows),
        "capacity_factor": np.where(rng.random(rows) < unknown, np.nan, factor).astype(np.float32),
        "on": factor > 0.3,
        "fold": np.full(rows, fold, np.int8),
        "features": list(features.astype(np.float32)),
        **{name: np.zeros(rows, np.float32) for name in ("hot", "white_brightness", "plume_area_m2")},
        "data_tier": ["SYNTHETIC-T0"] * rows,
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in SAMPLES], schema=SAMPLES)


def tables(root, steps=0, files=FILES, rows=ROWS):
    """URLs of the tables of four folds; the files of a fold hold ever fewer rows."""
    urls = []
    for fold in range(4):
        for number in range(files):
            urls.append(f"{root}/samples/landsat8/P{fold}{number}-2021.parquet")
            objectstore.put_bytes(urls[-1], encode_table(table(fold, number, rows - 20 * number, steps=steps), ()))
    return urls
