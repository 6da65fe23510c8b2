"""The page of a run of the 1 km product, made from committed objects alone, so that it can be made again."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from carbonray.engine.run import Run
from carbonray.engine.verify import QUARANTINE_FILE
from carbonray.io import ledger, objectstore
from carbonray.io.urban.co2_labels import monthly_files, read_cell_labels
from carbonray.pipelines.commands import again
from carbonray.pipelines.grid_tables import CELLS, CITIES, read_cells
from carbonray.pipelines.planning import expanded, records_of
from carbonray.publish.report import ReportFacts
from carbonray.publish.report_grid import GridFacts, most_telling
from carbonray.settings import Settings

HELD_OUT = {
    "random": "one by one at random, which flatters: their neighbours were learned from",
    "blocks": "by blocks, with a buffer of cells around them",
    "cities": "with their whole city",
}


def grid_report(run: Run, settings: Settings) -> ReportFacts:
    """What the page of a verified run is made of; cities are drawn one at a time."""
    regressed = list(ledger.read(run.url, "regress").values())
    cities = _table(run, CITIES)
    urls = [objectstore.join(run.url, record.key) for record in records_of(regressed, f"{CELLS}/")]
    drawn = most_telling(cities)
    shown = pa.concat_tables(read_cells(url).filter(pa.compute.is_in(pa.compute.field("city"), drawn)) for url in urls)
    return ReportFacts(
        title="Urban CO₂, 1 km",
        run=run.facts,
        grid=GridFacts(
            cities,
            shown,
            run.facts.get("absent_images", {}),
            _labels(settings, shown),
            HELD_OUT.get(run.facts.get("split", ""), ""),
        ),
        quarantine=_table(run, QUARANTINE_FILE),
        commands=again(run, settings, ("grid",)),
    )


def _labels(settings: Settings, cells: pa.Table) -> dict[int, float]:
    """Tonnes of CO2 of the cells that are drawn, where labels are given."""
    if not settings.inputs.co2_grid:
        return {}
    rules, year = settings.grid.training.labels, settings.grid.rules.year
    numbers = np.sort(cells.column("cell_id").to_numpy())
    months = monthly_files(expanded(settings.inputs.co2_grid), year, rules)
    tier = ", ".join(sorted(set(cells.column("data_tier").to_pylist())))
    found = read_cell_labels(months, numbers, year, tier, rules).table
    return dict(zip(found.column("cell_id").to_pylist(), found.column("emissions_t_co2").to_pylist(), strict=True))


def _table(run: Run, name: str) -> pa.Table:
    return pq.read_table(io.BytesIO(objectstore.read_bytes(objectstore.join(run.url, name))))
