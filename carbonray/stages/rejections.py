"""What rules excluded, as the rows of one table, and the images before and after in the form of the paper's Table 1.

Source: rule 8 of the house, plume paper table 1 (training images by imager and structure kind, before and after
filtering; for PlanetScope the paper filtered clouds before it downloaded, so that its "before" holds no cloudy image).
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from carbonray.science.power.selection import Verdict
from carbonray.vocab.columns import column
from carbonray.vocab.plant_tables import REJECTIONS
from carbonray.vocab.plants import FGD, NDT

TABLE_1 = pa.schema(
    [
        column("imager", pa.string(), "1", "key of `vocab.sensors.IMAGERS`"),
        column("ndt_before", pa.int64(), "1", "images of plants with natural-draft towers, before filtering"),
        column("ndt_after", pa.int64(), "1", "after filtering"),
        column("fgd_before", pa.int64(), "1", "images of plants with wet FGD stacks, before filtering"),
        column("fgd_after", pa.int64(), "1", "after filtering"),
    ]
)

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


def table1(rejected: pa.Table, images: pa.Table) -> pa.Table:
    """Images by imager and structure kind, before and after filtering, schema `TABLE_1`.

    Args:
        rejected: schema `REJECTIONS`; rows of images and labels count, each image and kind once.
        images: every image before filtering, with `plant_id`, `structure_kind`, `imager`, `image_id`.
    """
    key = ["plant_id", "structure_kind", "imager", "image_id"]
    whole = images.select(key).group_by(key).aggregate([])
    out = rejected.filter(pc.not_equal(rejected.column("entity"), "plant")).select(key).group_by(key).aggregate([])
    kept = whole.join(out, key, join_type="left anti")
    before, after = _counts(whole), _counts(kept)
    rows = [
        {
            "imager": imager,
            **{
                f"{kind.lower()}_{when}": counts.get((imager, kind), 0)
                for kind in (NDT, FGD)
                for when, counts in (("before", before), ("after", after))
            },
        }
        for imager in sorted({imager for imager, _ in before})
    ]
    return pa.Table.from_pylist(rows, schema=TABLE_1)


def rejection_counts(rejected: pa.Table) -> pa.Table:
    """Rows by entity, structure kind, imager and rule, the most frequent first."""
    key = ["entity", "structure_kind", "imager", "rule"]
    counted = rejected.group_by(key).aggregate([([], "count_all")]).rename_columns([*key, "rows"])
    return counted.sort_by([("rows", "descending"), *((name, "ascending") for name in key)])


def _counts(images: pa.Table) -> dict[tuple[str, str], int]:
    counted = images.group_by(["imager", "structure_kind"]).aggregate([([], "count_all")])
    names = zip(counted.column("imager").to_pylist(), counted.column("structure_kind").to_pylist(), strict=True)
    return dict(zip(names, counted.column("count_all").to_pylist(), strict=True))
