"""Judges years of plants, and counts what was covered: tables 6 to 8, and table 2.

Sources: plume paper sections 4 and 4.3. Reports of every plant of the store are read, one plant at a time: those
without towers and stacks, too, tell what their country's plants of a fuel give.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from carbonray.contract import Reading, Unit, object_rows
from carbonray.io import objectstore
from carbonray.io.inventory.store import INVENTORY, read_inventory
from carbonray.io.table_store import encode_table
from carbonray.stages.annual_answers import annual_answers, judged_years, peer_years
from carbonray.stages.generation_answers import DAY_ANSWERS
from carbonray.stages.generation_targets import reported_by_plant
from carbonray.stages.plant_evaluation import PARTS, JudgeRules, Sources, tables, under, within
from carbonray.stages.plant_score_tables import annual_scores, coverage
from carbonray.stages.published_plants import CROSS, EXTERNAL
from carbonray.stages.reported_years import country_fuel, national_statistics, reported_years
from carbonray.vocab.product_tables import PLANTS_ANNUAL

ANNUAL_KEY = ("quantity", "region", "validation", "data_tier", "model")
ANNUAL = "plants_annual.parquet"
# the paper's words for its sets of plants
CROSS_SET = "Climate TRACE ML, cross-validation"
GENERATION_SET = "Climate TRACE ML, external validation (generation)"
EMISSIONS_SET = "Climate TRACE ML, external validation (CO2)"
EVERYTHING = "Climate TRACE ML, all inference"


@dataclass(frozen=True)
class JudgeYears:
    """Reader of the annual tables of the product, the methods' days and the reports.

    The partition holds `statistics`: URLs of national statistics as JSON.

    Attributes:
        sources: the runs.
        rules: how it is judged.
    """

    sources: Sources
    rules: JudgeRules

    def __call__(self, unit: Unit) -> Reading:
        """`parts/annual.parquet` and `parts/coverage.parquet`; the fact `baseline` says what it is made of.

        Raises:
            DataError: a table is bad.
            TransportError: it could not be moved.
        """
        annual = tables([url for url in unit.inputs if url.endswith(f"/{ANNUAL}")], PLANTS_ANNUAL)
        days = tables((url for url in under(unit, PARTS) if "/days-" in url), DAY_ANSWERS)
        plants, units, _ = read_inventory(objectstore.join(self.sources.store_url, INVENTORY))
        years = sorted(pc.unique(annual.column("year")).to_pylist())
        told = reported_by_plant(
            within(unit, "reported", [self.sources.store_url]), plants.column("plant_id").to_pylist()
        )
        reported = reported_years(told, units, years, self.rules.labels)
        given = [national_statistics(url) for url in json.loads(str(unit.partition["statistics"]))]
        baseline = country_fuel(reported, plants, pd.concat(given, ignore_index=True) if given else None)
        rows = judged_years(annual, reported, baseline)
        scores = annual_scores(annual_answers(rows, baseline.name, peer_years(days)), self.rules.scores)
        covered = coverage(covered_sets(annual, rows))
        objects = {
            f"{PARTS}/annual.parquet": encode_table(scores, ANNUAL_KEY),
            f"{PARTS}/coverage.parquet": encode_table(covered, ()),
        }
        facts = {
            "baseline": baseline.name,
            "judged years": len(rows),
            "reported plants": reported["plant_id"].nunique(),
        }
        return Reading(object_rows(objects), {}, facts=facts)


def covered_sets(annual: pa.Table, judged: pd.DataFrame) -> list[Mapping[str, Any]]:
    """The sets of plants that were validated, and all that were scored, for `plant_score_tables.coverage`.

    Args:
        annual: schema `PLANTS_ANNUAL`.
        judged: `annual_answers.judged_years`.
    """
    outside = judged[judged["validation"] == EXTERNAL]
    sets = {
        CROSS_SET: judged[judged["validation"] == CROSS],
        GENERATION_SET: outside,
        EMISSIONS_SET: outside[np.isfinite(outside["observed_mt"])],
        EVERYTHING: annual.filter(pc.is_null(annual.column("unit_id"))).to_pandas(),
    }
    return [_covered(name, rows) for name, rows in sets.items() if len(rows)]


def _covered(approach: str, rows: pd.DataFrame) -> Mapping[str, Any]:
    return {
        "approach": approach,
        "data_tier": ", ".join(sorted(set(rows["data_tier"]))),
        "n_observations": int(rows["n_soundings"].sum()),
        "n_plants": int(rows["plant_id"].nunique()),
        "n_countries": int(rows["country"].nunique()),
        "first_year": int(rows["year"].min()),
        "last_year": int(rows["year"].max()),
    }
