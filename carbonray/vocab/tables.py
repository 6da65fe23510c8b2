"""Every table carbonray writes, as an Arrow schema: units and meaning travel in the field metadata.

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

# evaluation: what a method's map of one simulated scene was worth; counts add up over scenes
_GENERATOR = _field("generator", pa.string(), "1", "g1, the training generator, or g2, the shift tier")
_METHOD = _field("method", pa.string(), "1", "method that was asked")
_THETA = _field("theta", pa.float64(), "1", "relative emission above which a pixel of the truth is a target")
_FOUND_AT = _field("found_at", pa.string(), "1", "detections above `theta`, or at the method's own `cut`")

SCENE_SCORES = pa.schema(
    [
        _GENERATOR,
        _METHOD,
        _THETA,
        _FOUND_AT,
        _field("scene", pa.int64(), "1", "index of the scene in its generator"),
        _field("wind_speed_m_s", pa.float32(), "m s-1", "true transport wind"),
        _field("cloud_fraction", pa.float32(), "1", "part of the tile that is not seen"),
        _field("n_sources", pa.int16(), "1", "labelled sources"),
        _field("tp", pa.int32(), "1", "target pixels that were found"),
        _field("fp", pa.int32(), "1", "found pixels that are no target"),
        _field("fn", pa.int32(), "1", "target pixels that were missed"),
        _field("n_pixels", pa.int32(), "1", "pixels compared"),
        _field("fp_km2", pa.float64(), "km2", "area of the false pixels"),
        _field("n_pixels_km2", pa.float64(), "km2", "area compared"),
        *(
            _field(f"{count}_{name}", pa.int32(), "1", f"target pixels of relative emission {strength}{of_which}")
            for name, strength in (("weak", "below .33"), ("middle", ".33 to .66"), ("strong", "above .66"))
            for count, of_which in (("tp", ", found"), ("n", ""))
        ),
        _field("n_blobs", pa.int32(), "1", "connected regions found"),
        _field("n_false_blobs", pa.int32(), "1", "of them, regions near no source"),
    ]
)

SOURCE_SCORES = pa.schema(
    [
        _GENERATOR,
        _METHOD,
        _THETA,
        _FOUND_AT,
        _field("scene", pa.int64(), "1", "index of the scene in its generator"),
        _field("source", pa.int8(), "1", "number of the source in its scene"),
        _field("q_kg_s", pa.float64(), "kg s-1", "true emission as NO2"),
        _field("detected", pa.bool_(), "1", "a detection lies near it"),
        _field("error_km", pa.float64(), "km", "distance to the nearest region's centre, NaN if undetected"),
        _field("q_found_kg_s", pa.float64(), "kg s-1", "estimated emission, NaN where the method gives none"),
    ]
)

CUT_COUNTS = pa.schema(
    [
        _GENERATOR,
        _METHOD,
        _THETA,
        _field("cut", pa.float64(), "1", "detections at or above it; umol m-2 for the VCD threshold"),
        _field("tp", pa.int64(), "1", "target pixels that were found"),
        _field("fp", pa.int64(), "1", "found pixels that are no target"),
        _field("fn", pa.int64(), "1", "target pixels that were missed"),
    ]
)

# published figures stand in columns of their own: they were measured on other data
SCORES = pa.schema(
    [
        _GENERATOR,
        _TIER,
        _METHOD,
        _THETA,
        _FOUND_AT,
        _field("stratum_of", pa.string(), "1", "all, wind, cloud, sources or strength"),
        _field("stratum", pa.string(), "1", "the class within it"),
        _field("bundle_sha256", pa.string(), "1", "the network's bundle, empty for other methods"),
        _field("flag", pa.string(), "1", "what a reader must know of the row, empty where nothing"),
        *(
            _field(name, pa.float64(), "1", meaning)
            for name, meaning in (
                ("ra", "recognition accuracy, which is recall, over all pixels"),
                ("ra_p05", "lower end of its 90 % interval over resampled scenes"),
                ("ra_p95", "upper end of it"),
                ("ra_q1", "first quartile of the scenes' recognition accuracy"),
                ("ra_median", "median of it"),
                ("ra_q3", "third quartile of it"),
                ("precision", "share of the found pixels that are targets"),
                ("iou", "intersection over union"),
                ("f1", "harmonic mean of precision and recall"),
                ("f1_p05", "lower end of its 90 % interval over resampled scenes"),
                ("f1_p95", "upper end of it"),
                ("false_area", "false area over area compared"),
                ("false_blobs", "regions near no source, a scene"),
            )
        ),
        *(
            _field(name, pa.float64(), units, meaning)
            for name, units, meaning in (
                ("error_km_median", "km", "median distance from a detected source to its region's centre"),
                ("error_km_p90", "km", "90th percentile of it"),
                ("bias_kg_s", "kg s-1", "mean of estimated minus true emission over target sources"),
                ("rmse_kg_s", "kg s-1", "root mean square of it"),
            )
        ),
        _field("n_scenes", pa.int64(), "1", "scenes"),
        _field("n_sources", pa.int64(), "1", "sources whose relative emission exceeds theta"),
        _field("n_detected", pa.int64(), "1", "of them, detected"),
        _field("published_ra_q1", pa.float64(), "1", "published (other data): first quartile", nullable=True),
        _field("published_ra_median", pa.float64(), "1", "published (other data): median", nullable=True),
    ]
)

DETECTION_CURVES = pa.schema(
    [
        _GENERATOR,
        _TIER,
        _METHOD,
        _THETA,
        _FOUND_AT,
        _field("q_low_kg_s", pa.float64(), "kg s-1", "lower edge of the bin of emission"),
        _field("q_high_kg_s", pa.float64(), "kg s-1", "its upper edge"),
        _field("n_sources", pa.int64(), "1", "sources in the bin"),
        _field("n_detected", pa.int64(), "1", "of them, detected"),
        _field("hit_rate", pa.float64(), "1", "share detected, NaN without sources"),
        _field("hit_rate_p05", pa.float64(), "1", "lower end of its 90 % Wilson interval"),
        _field("hit_rate_p95", pa.float64(), "1", "upper end of it"),
        _field("intercept", pa.float64(), "1", "of the logistic curve over all bins, at 1 kg s-1"),
        _field("slope", pa.float64(), "1", "of it, per unit of ln Q"),
        _field("q50_kg_s", pa.float64(), "kg s-1", "emission found in half of the cases, NaN where none is"),
        _field("q90_kg_s", pa.float64(), "kg s-1", "emission found in 90 % of the cases"),
    ]
)

PRECISION_RECALL = pa.schema(
    [
        _GENERATOR,
        _TIER,
        _METHOD,
        _THETA,
        _field("cut", pa.float64(), "1", "detections at or above it; umol m-2 for the VCD threshold"),
        _field("precision", pa.float64(), "1", "share of the found pixels that are targets, NaN where none is found"),
        _field("recall", pa.float64(), "1", "share of the target pixels that are found"),
        _field("f1", pa.float64(), "1", "their harmonic mean"),
    ]
)
