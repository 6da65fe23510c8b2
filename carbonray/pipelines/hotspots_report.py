"""The page of a hotspots run, made from its committed products alone, so that it can be made again at any time."""

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from carbonray.engine.run import Run
from carbonray.engine.verify import QUARANTINE_FILE
from carbonray.io import grid_store, ledger, objectstore, table_store
from carbonray.io.ledger import Commit
from carbonray.pipelines.commands import again
from carbonray.publish.grid_view import GridView, grid_view
from carbonray.publish.report import ReportFacts
from carbonray.publish.report_sources import Comparison
from carbonray.science.no2.matching import ClassCount, Overlap
from carbonray.settings import Settings
from carbonray.vocab import tables


def hotspots_report(run: Run, settings: Settings, *, grid: str, table: str, matches: str) -> ReportFacts:
    """What the page of a verified run is made of.

    Args:
        run: the run, its passes committed.
        settings: what it ran with.
        grid: name of the annual grid in the run's folder.
        table: name of the hotspot table.
        matches: name of the table of matched sources, read where the run has one.
    """
    detected = list(ledger.read(run.url, "detect").values())
    hotspots = _table(run, table)
    years = sorted(set(hotspots.column("year").to_pylist())) or _years(run, grid)
    return ReportFacts(
        title="NO₂ hotspots",
        run=run.facts,
        hotspots=hotspots,
        grids=_views(run, grid, years),
        comparison=_comparison(run, settings, hotspots, matches),
        daily=daily_table(detected),
        quarantine=_table(run, QUARANTINE_FILE),
        commands=again(run, settings, ("hotspots",)),
    )


def daily_table(detected: Sequence[Commit]) -> pa.Table:
    """Pixels judged and detected a local solar day, orbits added up: columns `day`, `n_judged`, `n_detected`."""
    judged: Counter[int] = Counter()
    found: Counter[int] = Counter()
    for commit in detected:
        for day, n_judged, n_found in commit.facts.get("daily", []):
            judged[day] += n_judged
            found[day] += n_found
    days = sorted(judged)
    columns = {
        "day": pa.array(days, pa.int32()),
        "n_judged": pa.array([judged[day] for day in days], pa.int64()),
        "n_detected": pa.array([found[day] for day in days], pa.int64()),
    }
    return pa.table(columns)


def _table(run: Run, name: str) -> pa.Table:
    return pq.read_table(io.BytesIO(objectstore.read_bytes(objectstore.join(run.url, name))))


def _years(run: Run, grid: str) -> list[int]:
    years = grid_store.open_grid(objectstore.join(run.url, grid))["time"].dt.year.values
    return [int(year) for year in years]


def _views(run: Run, grid: str, years: Sequence[int]) -> tuple[GridView, ...]:
    dataset = grid_store.open_grid(objectstore.join(run.url, grid))
    views = (grid_view(dataset, year) for year in years)
    return tuple(view for view in views if view is not None)


def _comparison(run: Run, settings: Settings, hotspots: pa.Table, matches: str) -> Comparison | None:
    """The matched sources as the page wants them; None where no inventory was given."""
    facts: Mapping[str, Any] = run.facts.get("matching") or {}
    if not settings.inputs.inventory or not facts:
        return None
    sources = table_store.decode_table(objectstore.read_bytes(objectstore.join(run.url, matches)), tables.MATCHES)
    false = set(facts["false_hotspots"])
    counts = [
        ClassCount(**{**entry, "name": f"{entry['name']} {units}"})
        for units, entries in facts["classes"].items()
        for entry in entries
    ]
    overlaps = [Overlap(**overlap) for overlap in facts["overlaps"].values()]
    return Comparison(
        sources=sources.select(tables.SOURCES.names),
        found=np.array([bool(name) for name in sources.column("hotspot_id").to_pylist()], np.bool_),
        distance_km=sources.column("distance_km").to_numpy(),
        hotspot_has_source=np.array(
            [name not in false for name in hotspots.column("hotspot_id").to_pylist()], np.bool_
        ),
        classes=counts,
        radius_km=settings.hotspots.inventory.radius_km,
        overlap=overlaps[0] if overlaps else None,
    )
