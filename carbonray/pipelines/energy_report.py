"""The page of a run of the energy product, made from committed objects alone, so that it can be made again."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from carbonray.engine.run import Run
from carbonray.engine.verify import QUARANTINE_FILE
from carbonray.io import ledger, objectstore
from carbonray.io.energy.reading import DAY_NS
from carbonray.io.energy.scenarios import FACTUAL
from carbonray.pipelines.commands import again
from carbonray.pipelines.energy_tables import ANSWERS, SUMMARY
from carbonray.pipelines.planning import records_of
from carbonray.publish.report import ReportFacts
from carbonray.publish.report_energy import EnergyFacts, RegionDays, most_emitting
from carbonray.settings import Settings

_TOTALS = {"emissions": "emissions_t_co2", "energy": "energy_gwh"}
_DRAWN = ["start", "end", *(f"{before}{name}{after}" for name in _TOTALS.values()
                            for before, after in (("told_", ""), ("", ""), ("", "_p05"), ("", "_p95")))]  # fmt: skip


def energy_report(run: Run, settings: Settings) -> ReportFacts:
    """What the page of a verified run is made of; of the days, those of one region are read."""
    summary = _table(run, SUMMARY)
    return ReportFacts(
        title="Energy and emissions of regions",
        run=run.facts,
        energy=EnergyFacts(
            summary,
            _days(run, most_emitting(summary, 1)),
            run.facts.get("left_out", {}),
            run.facts.get("refused", {}),
            run.facts.get("notes", {}),
            run.facts.get("cleaner", ()),
        ),
        quarantine=_table(run, QUARANTINE_FILE),
        commands=again(run, settings, ("energy",)),
    )


def _days(run: Run, regions: list[str]) -> RegionDays | None:
    """What was told and answered of the first region, from the blocks that hold it."""
    if not regions:
        return None
    parts = []
    for commit in ledger.read(run.url, "answers").values():
        for record in records_of([commit], f"{ANSWERS}/"):
            if regions[0] in commit.facts["regions"]:
                with objectstore.opened(objectstore.join(run.url, record.key)) as file:
                    chosen = (pc.field("region") == regions[0]) & (pc.field("scenario") == FACTUAL)
                    parts.append(pq.read_table(file, columns=_DRAWN, filters=chosen))
    rows = pa.concat_tables(parts).sort_by("start")
    start, end = (rows[name].cast(pa.int64()).to_numpy() for name in ("start", "end"))
    column = {name: np.asarray(rows[name].to_numpy(), np.float64) for name in _DRAWN[2:]}
    return RegionDays(
        regions[0],
        (start + (end - start) / 2) / DAY_NS,
        {task: column[f"told_{name}"] for task, name in _TOTALS.items()},
        {task: (column[name], column[f"{name}_p05"], column[f"{name}_p95"]) for task, name in _TOTALS.items()},
    )


def _table(run: Run, name: str) -> pa.Table:
    return pq.read_table(io.BytesIO(objectstore.read_bytes(objectstore.join(run.url, name))))
