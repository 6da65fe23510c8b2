"""Detection probability against emission, and precision against recall over all cuts, of every method.

Source: SCIENCE 3.5 (detection curve with Q50 and Q90). Tables are long, one row a bin or a cut.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from carbonray.science.no2.detection_limit import CurveRules, detection_counts, detection_curve
from carbonray.science.stats.reduction import wilson_interval
from carbonray.stages.held_out import DATA_TIERS
from carbonray.stages.score_tables import ScoreSheet
from carbonray.vocab import evaluation_tables as tables


def detection_rows(
    sheet: ScoreSheet, generator: str, edges_kg_s: tuple[float, ...], rules: CurveRules
) -> list[dict[str, Any]]:
    """Rows of `vocab.evaluation_tables.DETECTION_CURVES`: all sources of the generator, whatever their strength."""
    rows = []
    for number, (method, theta, found_at) in enumerate(sheet.keys):
        own = sheet.sources["key"] == number
        q_kg_s, detected = sheet.sources["q_kg_s"][own], sheet.sources["detected"][own]
        curve = detection_curve(q_kg_s, detected, rules)
        tried, hit = detection_counts(q_kg_s, detected, np.asarray(edges_kg_s))
        low, high = wilson_interval(hit, tried)
        same = {"generator": generator, "data_tier": DATA_TIERS[generator], "method": method, "theta": theta}
        same |= {"found_at": found_at, "intercept": curve.intercept, "slope": curve.slope}
        same |= {"q50_kg_s": curve.q50_kg_s, "q90_kg_s": curve.q90_kg_s}
        rows += [
            same
            | {
                "q_low_kg_s": edges_kg_s[i],
                "q_high_kg_s": edges_kg_s[i + 1],
                "n_sources": int(tried[i]),
                "n_detected": int(hit[i]),
                "hit_rate": hit[i] / tried[i] if tried[i] else float("nan"),
                "hit_rate_p05": float(low[i]),
                "hit_rate_p95": float(high[i]),
            }
            for i in range(len(tried))
        ]
    return rows


def precision_recall(counts: pa.Table) -> pa.Table:
    """Counts of all units added up, as `vocab.evaluation_tables.PRECISION_RECALL`."""
    keys = ["generator", "method", "theta", "cut"]
    summed = counts.group_by(keys).aggregate([(name, "sum") for name in ("tp", "fp", "fn")])
    tp, fp, fn = (summed.column(f"{name}_sum").to_numpy().astype(np.float64) for name in ("tp", "fp", "fn"))
    with np.errstate(invalid="ignore"):
        scores = {"precision": tp / (tp + fp), "recall": tp / (tp + fn), "f1": 2.0 * tp / (2.0 * tp + fp + fn)}
    tiers = [DATA_TIERS[generator] for generator in summed.column("generator").to_pylist()]
    columns = {name: summed.column(name) for name in keys} | {"data_tier": pa.array(tiers)}
    columns |= {name: pa.array(values) for name, values in scores.items()}
    table = pa.table([columns[f.name] for f in tables.PRECISION_RECALL], schema=tables.PRECISION_RECALL)
    return table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in keys]))
