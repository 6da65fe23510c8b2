"""Rows of linked ids get their plant; ids without a link are listed with what stays out."""

import numpy as np
import pyarrow as pa
import pytest

from carbonray.errors import DataError
from carbonray.io.reported.checks import checked
from carbonray.io.reported.linking import LINKS, UNLINKED, link
from carbonray.io.reported.reading import ReportedRules, SourceFacts, frame_of
from carbonray.science.spatial.geodesy import HOUR_NS
from carbonray.vocab.plant_tables import REPORTED


def reported() -> pa.Table:
    start = np.arange(6) * HOUR_NS
    rows = frame_of(
        line=np.arange(6),
        source_id=["a", "b", "a", "c", "b", "a"],
        start_utc_ns=start,
        end_utc_ns=start + HOUR_NS,
        generation_mwh=[1.0, 2.0, 3.0, 4.0, np.nan, 6.0],
    )
    return checked("S", [rows], ReportedRules(), SourceFacts()).reported


def links(*rows: tuple[str, str, str]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(LINKS.names, row, strict=True)) for row in rows], schema=LINKS)


def test_linked_rows_keep_their_order_and_the_rest_is_listed() -> None:
    linked = link(reported(), links(("S", "a", "P1"), ("S", "b", "P1"), ("other", "c", "P2"), ("S", "a", "P1")))
    assert linked.reported.schema.equals(REPORTED)
    assert linked.reported.column("source_id").to_pylist() == ["a", "a", "a", "b", "b"]
    assert set(linked.reported.column("plant_id").to_pylist()) == {"P1"}
    assert linked.unlinked.schema.equals(UNLINKED)
    assert linked.unlinked.to_pylist() == [{"source": "S", "source_id": "c", "rows": 1, "generation_mwh": 4.0}]


def test_an_id_with_two_plants_is_refused() -> None:
    with pytest.raises(DataError, match="more than one plant"):
        link(reported(), links(("S", "a", "P1"), ("S", "a", "P2")))


def test_without_links_everything_is_listed() -> None:
    linked = link(reported(), LINKS.empty_table())
    assert linked.reported.num_rows == 0
    assert linked.unlinked.column("rows").to_pylist() == [3, 2, 1]
