"""The tables of what networks of 1 km cells look at, as Arrow schemas: attention, gates and attributions.

Sources: SCIENCE 1.3 (weights of modalities, squeeze and excitation) and 1.6, pitfall 8. Keys come first; ends of 90 %
intervals over resampled blocks of cells are `_p05` and `_p95`. What a network weighs is no measurement of what causes
emissions.
"""

import pyarrow as pa

from carbonray.vocab.columns import DATA_TIER, column
from carbonray.vocab.grid_tables import CELL_ID, CITY

_INSTANCE = column("instance", pa.string(), "1", "instance of the model that was looked into, or `all`")
_JUDGED_BY = column("judged_by", pa.string(), "1", "what ranks the cells: label, answer or truth")
_PLACE = column("place", pa.string(), "1", "own: the cell itself; around: the cells about it")
_TOLD_BY = column(
    "told_by",
    pa.string(),
    "1",
    "own: attention of the cell; around: of its window; blanked: how far the answer moves without points, over that "
    "and how far without images",
)
_ENDS = (
    column("p05", pa.float64(), "as in units", "lower end of the 90 % interval"),
    column("p95", pa.float64(), "as in units", "upper end of it"),
)
_COUNTS = (
    column("cells", pa.int64(), "1", "cells that were looked at"),
    column("blocks", pa.int64(), "1", "blocks of cells that were drawn together"),
    DATA_TIER,
)

# weight of points of interest beside images, by emission: equally many cells a level
CELL_ATTENTION_LEVELS = pa.schema(
    [
        CITY,
        _JUDGED_BY,
        _INSTANCE,
        _TOLD_BY,
        column("level", pa.int8(), "1", "1 for the cells that emit least"),
        column("ln_t_co2", pa.float64(), "1", "mean natural logarithm of the tonnes of CO2 a year in the level"),
        column("poi_weight", pa.float64(), "1", "mean weight of points of interest beside images"),
        *_ENDS,
        *_COUNTS,
    ]
)

# whether that weight grows with emission
CELL_ATTENTION_TRENDS = pa.schema(
    [
        CITY,
        _JUDGED_BY,
        _INSTANCE,
        _TOLD_BY,
        column("measure", pa.string(), "1", "top_minus_bottom: of the levels' means; spearman: of weight and emission"),
        column("value", pa.float64(), "1", "of the measure"),
        *_ENDS,
        column("trend", pa.string(), "1", "rises or falls where the interval excludes 0, else none"),
        *_COUNTS,
    ]
)

# what the first gates let through of each category of points of interest
CELL_CATEGORY_WEIGHTS = pa.schema(
    [
        CITY,
        _JUDGED_BY,
        _INSTANCE,
        column("level", pa.int8(), "1", "of emission, 1 for the cells that emit least; 0 for all cells"),
        column("category", pa.string(), "1", "of points of interest"),
        column("weight", pa.float64(), "1", "mean share in what the first gates let through; shares sum to 1"),
        *_ENDS,
        column("points", pa.float64(), "1", "mean number of points of the category in a cell"),
        *_COUNTS,
    ]
)

# what an answer owes to its inputs: sums of a map of attribution
CELL_ATTRIBUTIONS = pa.schema(
    [
        CELL_ID,
        CITY,
        _INSTANCE,
        _PLACE,
        column("modality", pa.string(), "1", "image or poi"),
        column("category", pa.string(), "1", "of points of interest; empty for images"),
        column("ln_t_co2", pa.float64(), "1", "part of the answer that is owed to this input"),
        column("answer_ln_t_co2", pa.float64(), "1", "natural logarithm of the tonnes of CO2 a year, as answered"),
        column("blank_ln_t_co2", pa.float64(), "1", "answer to blank images and no points"),
        column("missed_ln_t_co2", pa.float64(), "1", "answer less blank answer less all attributions: numeric error"),
        DATA_TIER,
    ]
)
