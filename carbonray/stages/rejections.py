"""What rules excluded, as the rows of one table, and the images before and after in the form of the paper's Table 1.

Source: rule 8 of the house, plume paper table 1 (training images by imager and structure kind, before and after
filtering; for PlanetScope the paper filtered clouds before it downloaded, so that its "before" holds no cloudy image).
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from carbonray.science.power.selection import Verdict
from carbonray.vocab.plant_tables import REJECTIONS

# the paper's table 1, 2015-2022: ndt_before, ndt_after, fgd_before, fgd_after
PAPER_TABLE_1: Mapping[str, tuple[int, int, int, int]] = MappingProxyType(
    {
        "planetscope": (69_533, 54_136, 108_038, 69_462),
        "sentinel2": (18_964, 15_064, 30_541, 18_390),
        "landsat8": (9_040, 7_176, 12_885, 8_235),
    }
)


def rejections(entity: str, rows: pa.Table, verdict: Verdict) -> pa.Table:
    """The rejected rows, schema `REJECTIONS`.

    Args:
        entity: plant, image or label.
        rows: with `plant_id`, and `structure_kind`, `imager`, `image_id` where the entity has them.
        verdict: on each row.
    """
    lost = pa.array(np.flatnonzero(~verdict.kept))
    empty = pa.array([""] * len(lost), pa.string())
    columns = {
        name: rows.column(name).take(lost).cast(pa.string()) if name in rows.column_names else empty
        for name in ("plant_id", "structure_kind", "imager", "image_id")
    }
    columns |= {"entity": pa.array([entity] * len(lost), pa.string())}
    columns |= {
        name: pa.array(words[~verdict.kept].tolist(), pa.string())
        for name, words in (("rule", verdict.rule), ("reason", verdict.reason))
    }
    return pa.table({name: columns[name] for name in REJECTIONS.names}, schema=REJECTIONS)


def rejection_counts(rejected: pa.Table) -> pa.Table:
    """Rows by entity, structure kind, imager and rule, the most frequent first."""
    key = ["entity", "structure_kind", "imager", "rule"]
    counted = rejected.group_by(key).aggregate([([], "count_all")]).rename_columns([*key, "rows"])
    return counted.sort_by([("rows", "descending"), *((name, "ascending") for name in key)])
