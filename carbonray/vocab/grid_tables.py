"""The tables of the 1 km product's inputs, as Arrow schemas: cells, points of interest, labels, lights, and rejections.

Source: SCIENCE 1.2, HOUSE section 3. A cell is 30 arc seconds wide and high, numbered row * 43200 + column from 90 N,
180 W (`science.spatial.cells`). Keys come first; tonnes of CO2 are `_t_co2`, tonnes of carbon `_t_c`.
"""

import pyarrow as pa

from carbonray.vocab.columns import DATA_TIER, column

CELL_ID = column("cell_id", pa.int64(), "1", "row * 43200 + column of the 30 arc second lattice from 90 N, 180 W")
CITY = column("city", pa.string(), "1", "urban area the cell belongs to, as its mask names it")

# sorted by cell_id, a cell once
CELLS = pa.schema(
    [
        CELL_ID,
        CITY,
        column("lat", pa.float64(), "degree_north", "centre of the cell"),
        column("lon", pa.float64(), "degree_east", "centre of the cell, -180 to 180"),
        column("area_km2", pa.float64(), "km2", "area of the cell on the WGS84 ellipsoid"),
        column("urban_share", pa.float32(), "1", "share of the cell inside the mask, 0 to 1"),
        DATA_TIER,
    ]
)

# an urban area of a mask without a cell, or a feature that is no area
CITY_REJECTIONS = pa.schema(
    [
        column("source_url", pa.string(), "1", "file the feature stands in: its URL, or the name of a local file"),
        CITY,
        column("reason", pa.string(), "1", "rule that rejected it, and what it found"),
    ]
)

# sorted by cell_id, then category, y, x, point_key
POINTS = pa.schema(
    [
        CELL_ID,
        column("category", pa.int16(), "1", "place in the category map's list of names"),
        column("y", pa.uint16(), "cell/65536", "southward from the cell's northern edge"),
        column("x", pa.uint16(), "cell/65536", "eastward from the cell's western edge"),
        column("point_key", pa.int64(), "1", "hash of the point's id in its source, or of its line where it has none"),
    ]
)

POINT_REJECTIONS = pa.schema(
    [
        column("source_url", pa.string(), "1", "file the point stands in: its URL, or the name of a local file"),
        column("row", pa.int64(), "1", "line of data from 1, feature or node in the file's order"),
        column("point_id", pa.string(), "1", "id in the source, empty where it has none"),
        column("reason", pa.string(), "1", "rule that rejected it, and what it found"),
    ]
)

# sorted by cell_id
CELL_LABELS = pa.schema(
    [
        CELL_ID,
        column("year", pa.int16(), "a", "calendar year"),
        column("emissions_t_co2", pa.float64(), "t", "CO2 a year in the cell"),
        column("ln_t_co2", pa.float64(), "1", "natural logarithm of the tonnes of CO2; NaN where there are none"),
        column("months", pa.int8(), "1", "months of the year that were summed"),
        DATA_TIER,
    ]
)

# sorted by cell_id
CELL_LIGHTS = pa.schema(
    [
        CELL_ID,
        column("radiance", pa.float32(), "as in the file", "mean night light of the cell; NaN where it has none"),
    ]
)
