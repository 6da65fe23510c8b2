"""The tables between the passes of the 1 km product and the ones that it publishes, as Arrow schemas.

Source: SCIENCE, output schemas (end of chapter 5), with the house's names. Keys come first; `_p05` and `_p95` are the
ends of a 90 % interval. What is unknown is NaN, and `status` says why.
"""

import pyarrow as pa

from carbonray.vocab.columns import DATA_TIER, column
from carbonray.vocab.grid_tables import CELL_ID, CELLS, CITY

IMAGE_PRESENT = column("image_present", pa.bool_(), "1", "whether there is an image of the whole cell")
POI_PRESENT = column("poi_present", pa.bool_(), "1", "whether points of interest are known there; none is a fact too")
N_POINTS = column("n_points", pa.int32(), "1", "points of interest in the cell, -1 where none are known")

# what a reader hands to the encoders: a cell a row
CELL_INPUTS = pa.schema(
    [
        CELL_ID,
        IMAGE_PRESENT,
        POI_PRESENT,
        column("image", pa.large_binary(), "1", "uint8 (3, y, x) red, green, blue; empty where absent"),
        column("points", pa.large_binary(), "1", "uint16 (point, 3): category, y, x in parts of 65536"),
        N_POINTS,
    ]
)

# what the encoders say: a cell a row, all instances
CELL_EMBEDDINGS = pa.schema(
    [
        CELL_ID,
        IMAGE_PRESENT,
        POI_PRESENT,
        N_POINTS,
        column("image_vectors", pa.large_binary(), "1", "float32 (instance, d), NaN where absent"),
        column("poi_vectors", pa.large_binary(), "1", "float32 (instance, d), NaN where absent"),
    ]
)

# what the regression reads: the cells of a shard and those around it
CELL_WINDOWS = pa.schema(
    [
        *CELL_EMBEDDINGS,
        column("own", pa.bool_(), "1", "whether the shard answers for the cell, or only looks at it"),
        CITY,
        column("fold", pa.int8(), "1", "fold of a cell that models were trained on, -1 for a cell they never saw"),
        DATA_TIER,
    ]
)


def _tonnes(name: str, meaning: str) -> pa.Field:
    return column(name, pa.float64(), "t", meaning)


# the product: a cell and year a row
GRID_CELLS = pa.schema(
    [
        CELL_ID,
        CITY,
        *(CELLS.field(name) for name in ("lat", "lon", "area_km2")),
        column("year", pa.int16(), "a", "calendar year"),
        column(
            "status", pa.string(), "1", "estimated, or what is missing: no image, no points, neither image nor points"
        ),
        _tonnes("emissions_t_co2", "CO2 of the year in the cell, with the smearing correction"),
        _tonnes("emissions_t_co2_p05", "lower end of its 90 % interval"),
        _tonnes("emissions_t_co2_p95", "upper end of its 90 % interval"),
        _tonnes("emissions_t_c", "the same as carbon: 12/44 of the CO2"),
        column("ln_t_co2", pa.float64(), "1", "mean over instances of the natural logarithm of the tonnes of CO2"),
        column("ln_spread", pa.float64(), "1", "standard deviation of it over instances, 0 for one instance"),
        column("poi_attention", pa.float32(), "1", "weight of points of interest beside the image, of the cell"),
        column("poi_attention_around", pa.float32(), "1", "the same of the cells around it"),
        IMAGE_PRESENT,
        POI_PRESENT,
        N_POINTS,
        column("neighbors", pa.int8(), "1", "cells around it that were looked at"),
        column("fold", pa.int8(), "1", "fold of a cell that models were trained on, -1 for a cell they never saw"),
        column("instances", pa.string(), "1", "model instances that were averaged, such as 2 or 0,1,2,3"),
        column("model_version", pa.string(), "1", "sha256 over the bundles of the instances"),
        column("model_tier", pa.string(), "1", "data tier of what the model was trained on"),
        column(
            "data_tier", pa.string(), "1", "tier of the inputs, REAL or SYNTHETIC-..., and in brackets what is absent"
        ),
    ]
)

# sums over the estimated cells of an urban area
GRID_CITIES = pa.schema(
    [
        CITY,
        column("year", pa.int16(), "a", "calendar year"),
        column("cells", pa.int64(), "1", "cells of the area"),
        column("estimated", pa.int64(), "1", "cells with an estimate"),
        column("area_km2", pa.float64(), "km2", "area of all its cells"),
        _tonnes("emissions_t_co2", "sum over the estimated cells"),
        _tonnes("emissions_t_c", "the same as carbon"),
        DATA_TIER,
    ]
)
