"""The tables that judge the models of 1 km cells and compare them in pairs, as Arrow schemas.

Sources: SCIENCE 1.5 and 0.2. A score a row; ends of 90 % intervals over resampled blocks and seeds are `_p05` and
`_p95`. What anyone has published stands in no such table: it was measured on other data.
"""

import pyarrow as pa

from carbonray.vocab.columns import DATA_TIER, column
from carbonray.vocab.grid_tables import CITY

_KEYS = (
    CITY,
    column(
        "split", pa.string(), "1", "who was held out: random cells, blocks, cities, or a tier no model learned from"
    ),
    column("judged_by", pa.string(), "1", "label: what models learned to say; truth: what the label stands for"),
)
_METRIC = (
    column("metric", pa.string(), "1", "key of `stages.cell_scores.METRICS`"),
    column("units", pa.string(), "1", "of the score: 1, or t of CO2 a year and cell"),
)
_COUNTS = (
    column("undefined", pa.int64(), "1", "resamples in which there is no such score"),
    column("seeds", pa.int64(), "1", "fits that differ by their seed alone; 1 for what has no seed"),
    column("cells", pa.int64(), "1", "cells that were judged"),
    column("blocks", pa.int64(), "1", "blocks of cells that were drawn together"),
    DATA_TIER,
)

# a score of a model; mean over seeds
CELL_SCORES = pa.schema(
    [
        *_KEYS,
        column("model", pa.string(), "1", "network, ablation, peer or oracle"),
        column("role", pa.string(), "1", "model, ablation, peer, trivial or oracle"),
        *_METRIC,
        column("value", pa.float64(), "as in units", "mean of the score over seeds"),
        column("seed_sd", pa.float64(), "as in units", "standard deviation over seeds; NaN for fewer than two"),
        column("p05", pa.float64(), "as in units", "lower end of the 90 % interval of the value"),
        column("p95", pa.float64(), "as in units", "upper end of it"),
        *_COUNTS,
    ]
)

# what two models say of the same cells, seed by seed: first minus second
CELL_DIFFERENCES = pa.schema(
    [
        *_KEYS,
        column("first", pa.string(), "1", "model"),
        column("second", pa.string(), "1", "model it is compared with"),
        *_METRIC,
        column(
            "difference", pa.float64(), "as in units", "score of the first minus that of the second, mean over seeds"
        ),
        column("seed_sd", pa.float64(), "as in units", "standard deviation over seeds of it; NaN for fewer than two"),
        column("p05", pa.float64(), "as in units", "lower end of the 90 % interval of the difference"),
        column("p95", pa.float64(), "as in units", "upper end of it"),
        column("significant", pa.bool_(), "1", "the interval excludes 0"),
        column("better", pa.string(), "1", "model that is significantly better; empty where none is, or none can be"),
        *_COUNTS,
    ]
)
