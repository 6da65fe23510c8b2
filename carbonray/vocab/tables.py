"""Every table of the engine and of the NO2 product, as an Arrow schema: units and meaning travel in the field metadata.

Stages, stores, tests and docs derive from these. Keys come first. `row` counts pixels of the global 0.05 degree
lattice southward from 90 N, `col` eastward from 180 W.
"""

import pyarrow as pa

from carbonray.vocab.columns import DATA_TIER as _TIER
from carbonray.vocab.columns import column as _field

_ROW = _field("row", pa.int16(), "1", "lattice row, 0 at 90 N, southward")
_COL = _field("col", pa.int16(), "1", "lattice column, 0 at 180 W, eastward")
_DAY = _field("day", pa.int32(), "days since 1970-01-01", "local solar date of the pixel")

# the plan of a pass: one row a work unit, made before any pixel is read
PLAN = pa.schema(
    [
        _field("pass_name", pa.string(), "1", "which pass of the job the unit belongs to"),
        _field("unit_id", pa.string(), "1", "hash of product, partition, inputs, bundles and settings"),
        _field("key", pa.string(), "1", "the partition in words, such as a granule's name"),
        _field("partition", pa.string(), "1", 'the partition as JSON, such as {"year": 2021}'),
        _field("inputs", pa.list_(pa.string()), "1", "URLs the unit reads"),
        _field("input_sha256", pa.list_(pa.string()), "1", "content hash or version tag of each input"),
        _field("expected_rows", pa.int64(), "1", "rows expected to be read, -1 where unknown before reading"),
        _field("bytes", pa.int64(), "byte", "size of the inputs"),
    ]
)

QUARANTINE = pa.schema(
    [
        _field("pass_name", pa.string(), "1", "which pass of the job"),
        _field("unit_id", pa.string(), "1", "work unit"),
        _field("key", pa.string(), "1", "what was set aside"),
        _field("reason", pa.string(), "1", "why, in words that name the rule or the fault"),
        _field("rows", pa.int64(), "1", "rows set aside, -1 for the whole unit"),
    ]
)

# one orbit on the lattice: what the network reads
FIELD_PIXELS = pa.schema(
    [
        _ROW,
        _COL,
        _DAY,
        _field("no2_umol_m2", pa.float32(), "umol m-2", "tropospheric NO2 column, area-weighted"),
        _field("coverage", pa.float32(), "1", "fraction of the lattice pixel covered by valid swath pixels"),
        _field("wind_u_m_s", pa.float32(), "m s-1", "eastward wind, NaN where unknown"),
        _field("wind_v_m_s", pa.float32(), "m s-1", "northward wind, NaN where unknown"),
    ]
)

# the sparse partial of one orbit: every pixel that the network judged, detected or not
DETECTIONS = pa.schema(
    [
        _ROW,
        _COL,
        _DAY,
        _field("rel_emission", pa.float32(), "1", "relative emission, 0 to 1 of the bundle's largest"),
        _field("coverage", pa.float32(), "1", "fraction of the pixel covered by valid swath pixels"),
        _field("no2_umol_m2", pa.float32(), "umol m-2", "tropospheric NO2 column, area-weighted"),
    ]
)

# pixels of the annual grid that are persistent hotspots, the table's raw material
HOTSPOT_PIXELS = pa.schema(
    [
        _field("year", pa.int16(), "1", "calendar year of the local solar dates"),
        _ROW,
        _COL,
        _field("n_valid_days", pa.int32(), "day", "days the pixel was judged"),
        _field("n_detections", pa.int32(), "day", "days with relative emission at or above the cut"),
        _field("rel_emission", pa.float32(), "1", "mean relative emission over valid days"),
        _field("rel_emission_sd", pa.float32(), "1", "standard deviation over valid days, NaN for one day"),
        _field("rel_emission_detected", pa.float32(), "1", "mean relative emission over detections"),
        _field("no2_umol_m2", pa.float32(), "umol m-2", "mean NO2 column over valid days"),
    ]
)

HOTSPOTS = pa.schema(
    [
        _field("hotspot_id", pa.string(), "1", "year and peak pixel, such as 2021-r2273-c4152"),
        _field("year", pa.int16(), "1", "calendar year of the local solar dates"),
        _field("lat", pa.float64(), "degree_north", "intensity-weighted centre"),
        _field("lon", pa.float64(), "degree_east", "intensity-weighted centre"),
        _field("peak_lat", pa.float64(), "degree_north", "centre of the strongest pixel"),
        _field("peak_lon", pa.float64(), "degree_east", "centre of the strongest pixel"),
        _field("n_pixels", pa.int32(), "1", "connected persistent pixels"),
        _field("area_km2", pa.float64(), "km2", "their area"),
        _field("rel_emission", pa.float64(), "1", "mean relative emission of the peak pixel over valid days"),
        _field("rel_emission_p05", pa.float64(), "1", "lower end of its 90 % interval, NaN below two days"),
        _field("rel_emission_p95", pa.float64(), "1", "upper end of its 90 % interval, NaN below two days"),
        _field("rel_emission_detected", pa.float64(), "1", "mean over the peak pixel's detections"),
        _field("detect_freq", pa.float64(), "1", "detections over valid days at the peak pixel"),
        _field("detect_freq_p05", pa.float64(), "1", "lower end of the 90 % Wilson interval"),
        _field("detect_freq_p95", pa.float64(), "1", "upper end of the 90 % Wilson interval"),
        _field("n_valid_days", pa.int32(), "day", "days the peak pixel was judged"),
        _field("n_detections", pa.int32(), "day", "days it was detected"),
        _field("no2_umol_m2", pa.float64(), "umol m-2", "mean NO2 column at the peak pixel"),
        _field("bundle", pa.string(), "1", "name and sha256 of the model bundle"),
        _TIER,
    ]
)

# point sources a run is compared with: a plant inventory reduced to what NO2 can see, or simulated truth
SOURCES = pa.schema(
    [
        _field("source_id", pa.string(), "1", "id in its inventory"),
        _field("lat", pa.float64(), "degree_north", "position"),
        _field("lon", pa.float64(), "degree_east", "position"),
        _field("strength", pa.float64(), "1", "emission or capacity, in `strength_units`", nullable=True),
        _field("strength_units", pa.string(), "1", "such as kg s-1, MW or t a-1"),
    ]
)

# every judged source of an inventory and the hotspot that answers for it
MATCHES = pa.schema(
    [
        *SOURCES,
        _field("n_valid_days", pa.int32(), "day", "days on which the source's pixel was judged"),
        _field("hotspot_id", pa.string(), "1", "nearest hotspot within the radius, empty for a miss"),
        _field("distance_km", pa.float64(), "km", "distance to the nearest hotspot's peak, infinite without any"),
    ]
)
