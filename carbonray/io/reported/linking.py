"""Reported rows and the plants of the inventory: a crosswalk from a source's ids to plant ids.

Source: SCIENCE 4.3, plume paper appendix A.4 (each asset's series is matched to the inventory). The crosswalk has
columns `source`, `source_id`, `plant_id`. What has no link is listed, not lost.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from carbonray.errors import DataError
from carbonray.vocab.columns import column

LINKS = pa.schema(
    [
        column("source", pa.string(), "1", "who reports"),
        column("source_id", pa.string(), "1", "the plant's or unit's id there"),
        column("plant_id", pa.string(), "1", "minted id of the power station"),
    ]
)
UNLINKED = pa.schema(
    [
        column("source", pa.string(), "1", "who reports"),
        column("source_id", pa.string(), "1", "id that no plant is known for"),
        column("rows", pa.int64(), "1", "rows of reported generation that stay out"),
        column("generation_mwh", pa.float64(), "MWh", "generation that stays out"),
    ]
)

_KEY = ["source", "source_id"]


@dataclass(frozen=True)
class Linked:
    """`reported` has schema `REPORTED` with every `plant_id` filled; `unlinked` lists the ids that stay out."""

    reported: pa.Table
    unlinked: pa.Table


def link(reported: pa.Table, crosswalk: pa.Table) -> Linked:
    """Rows with their plants.

    Raises:
        DataError: the crosswalk links one id to two plants.
    """
    links = pa.table({name: crosswalk.column(name).cast(pa.string()) for name in LINKS.names})
    links = links.group_by(LINKS.names).aggregate([])
    plants = links.group_by(_KEY).aggregate([("plant_id", "count"), ("plant_id", "min")])
    twice = plants.filter(pc.greater(plants.column("plant_id_count"), 1))
    if twice.num_rows:
        raise DataError(
            f"{twice.num_rows} ids are linked to more than one plant",
            where=f"crosswalk: {twice.select(_KEY).slice(0, 5).to_pylist()}",
            expected="one plant for an id of a source",
            remedy="Repair the crosswalk.",
        )
    rows = reported.append_column("row", pa.array(range(reported.num_rows), pa.int64()))
    joined = rows.join(plants.select([*_KEY, "plant_id_min"]), _KEY, join_type="left outer").sort_by("row")
    found = joined.column("plant_id_min")
    named = reported.set_column(0, reported.schema.field("plant_id"), found.fill_null(""))
    known = pc.is_valid(found)
    return Linked(named.filter(known), _listed(reported.filter(pc.invert(known))))


def _listed(rows: pa.Table) -> pa.Table:
    sums = (
        rows.group_by(_KEY)
        .aggregate([("start_utc_ns", "count"), ("generation_mwh", "sum")])
        .sort_by([(key, "ascending") for key in _KEY])
    )
    return pa.Table.from_arrays(
        [sums.column(name) for name in (*_KEY, "start_utc_ns_count", "generation_mwh_sum")], schema=UNLINKED
    )
