"""The tables of an evaluation on simulated scenes, as Arrow schemas: counts that add up over scenes, then scores.

Sources: SCIENCE 3.5 (scores), 3.7 (emissions). Keys come first; `scene` is the index of a scene in its generator.
Published figures stand in columns of their own: they were measured on other data.
"""

import pyarrow as pa

from carbonray.vocab.columns import DATA_TIER as _TIER
from carbonray.vocab.columns import column as _field

_GENERATOR = _field("generator", pa.string(), "1", "g1, the training generator, or g2, the shift tier")
_METHOD = _field("method", pa.string(), "1", "method that was asked")
_THETA = _field("theta", pa.float64(), "1", "relative emission above which a pixel of the truth is a target")
_FOUND_AT = _field("found_at", pa.string(), "1", "detections above `theta`, or at the method's own `cut`")
_SCENE = _field("scene", pa.int64(), "1", "index of the scene in its generator")
_SOURCE = _field("source", pa.int8(), "1", "number of the source in its scene")
_Q = _field("q_kg_s", pa.float64(), "kg s-1", "true emission as NO2")
_TOLD = _field("told_place", pa.bool_(), "1", "the method was told where the source is, and did not find it")

SCENE_SCORES = pa.schema(
    [
        _GENERATOR,
        _METHOD,
        _THETA,
        _FOUND_AT,
        _SCENE,
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
        _SCENE,
        _SOURCE,
        _Q,
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

# emissions of target sources; methods that are told where a source is never share a row with those that find it
EMISSION_ESTIMATES = pa.schema(
    [
        _GENERATOR,
        _METHOD,
        _TOLD,
        _SCENE,
        _SOURCE,
        _Q,
        _field("q_found_kg_s", pa.float64(), "kg s-1", "estimated emission, NaN where `refused` says why"),
        _field("refused", pa.string(), "1", "the rule that kept the method from an estimate, empty where it gave one"),
    ]
)

EMISSION_SCORES = pa.schema(
    [
        _GENERATOR,
        _TIER,
        _METHOD,
        _TOLD,
        _THETA,
        _field("stratum_of", pa.string(), "1", "all, common, sources or strength"),
        _field("stratum", pa.string(), "1", "the class within it"),
        _field("n_sources", pa.int64(), "1", "sources whose relative emission exceeds theta"),
        _field("n_estimated", pa.int64(), "1", "of them, those with an estimate; the scores below are over these"),
        *(
            _field(f"{name}{end}", pa.float64(), units, f"{of}{meaning}")
            for name, units, meaning in (
                ("bias_kg_s", "kg s-1", "mean of estimated minus true emission"),
                ("rmse_kg_s", "kg s-1", "root mean square of estimated minus true emission"),
                ("relative_error", "1", "median of the error without its sign over the true emission"),
            )
            for end, of in (
                ("", ""), ("_p05", "lower end of the 90 % interval over scenes: "), ("_p95", "upper end of it: ")
            )
        ),
    ]
)  # fmt: skip
