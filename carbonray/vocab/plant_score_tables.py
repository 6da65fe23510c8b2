"""The tables that validate the power plants' models, in the form of the plume paper's tables 2 to 8, as Arrow schemas.

Sources: plume paper section 4 and appendix D; SCIENCE 0.2, 0.3. Ends of 90 % intervals over resampled plants are `_p05`
and `_p95`. What the paper printed stands in columns that begin with `published_`: it was measured on other data.
"""

import pyarrow as pa

from carbonray.vocab.columns import DATA_TIER, column

_VALIDATION = column("validation", pa.string(), "1", "cross: plants held out in turn; external: others; or a test tier")
_KIND = column("structure_kind", pa.string(), "1", "NDT or FGD")
_MODEL = column("model", pa.string(), "1", "model, peer, baseline or oracle")
_ROLE = column("role", pa.string(), "1", "model, variant, trivial, peer or oracle")
_PLANTS = column("n_plants", pa.int64(), "1", "plants")


def _score(name: str, units: str, meaning: str, *, prefix: str = "") -> list[pa.Field]:
    published = "as the paper printed it (other data): " if prefix else ""
    return [
        column(f"{prefix}{name}{end}", pa.float64(), units, f"{published}{of}{meaning}")
        for end, of in (("", ""), ("_p05", "lower end of the 90 % interval: "), ("_p95", "upper end of it: "))
    ]


def _errors(units: str, *, prefix: str = "") -> list[pa.Field]:
    rmse, mbe = "root mean square error", "mean of predicted less observed"
    of = "as the paper printed it (other data): " if prefix else ""
    return [
        *_score("rmse", units, rmse, prefix=prefix),
        column(f"{prefix}baseline_rmse", pa.float64(), units, f"{of}the baseline's {rmse}"),
        *_score("mbe", units, mbe, prefix=prefix),
        column(f"{prefix}baseline_mbe", pa.float64(), units, f"{of}the baseline's {mbe}"),
    ]


_RMSE_DIFFERS = column("rmse_significant", pa.bool_(), "1", "the interval of RMSE excludes the baseline's")
_PUBLISHED_PLANTS = column("published_n_plants", pa.int64(), "1", "plants in the paper, 0 where it has no such row")

# tables 3, 4, A2, A3; the baselines: always on, and the training mean
SOUNDING_SCORES = pa.schema(
    [
        _VALIDATION,
        _KIND,
        column("imager", pa.string(), "1", "key of `vocab.sensors.IMAGERS`"),
        _MODEL,
        _ROLE,
        column("initialisation", pa.string(), "1", "where a trunk's weights began: random, self-supervised or a file"),
        DATA_TIER,
        _PLANTS,
        column("n_images", pa.int64(), "1", "images"),
        *_score("map", "1", "mean of the average precisions of on and of off"),
        column("baseline_map", pa.float64(), "1", "of always on"),
        column("map_significant", pa.bool_(), "1", "the interval of mAP excludes the baseline's"),
        *_errors("1"),
        _RMSE_DIFFERS,
        *_score("map", "1", "mAP", prefix="published_"),
        *_score("rmse", "1", "RMSE", prefix="published_"),
        *_score("mbe", "1", "MBE", prefix="published_"),
    ]
)

# table 5; the baseline is the training mean
GENERATION_SCORES = pa.schema(
    [
        _VALIDATION,
        _KIND,
        _MODEL,
        _ROLE,
        DATA_TIER,
        _PLANTS,
        column("n_days", pa.int64(), "1", "plants' days, of 30-day means"),
        *_errors("1"),
        _RMSE_DIFFERS,
        _PUBLISHED_PLANTS,
        *_errors("1", prefix="published_"),
    ]
)

# tables 6 to 8; the baseline is the country's mean of the fuel
ANNUAL_SCORES = pa.schema(
    [
        column("quantity", pa.string(), "1", "capacity_factor (1), generation_twh (TWh) or emissions_mt_co2 (Mt)"),
        column("region", pa.string(), "1", "region"),
        _VALIDATION,
        _MODEL,
        _ROLE,
        DATA_TIER,
        _PLANTS,
        column("n_years", pa.int64(), "1", "plants' years"),
        *_errors("1 or TWh or Mt"),
        _RMSE_DIFFERS,
        _PUBLISHED_PLANTS,
        *_errors("1 or TWh or Mt", prefix="published_"),
    ]
)

_COUNTS = (
    ("power_emissions_pct", pa.float64(), "percent", "share of the power sector's emissions, NaN where unknown"),
    ("n_observations", pa.int64(), "1", "images"),
    ("n_plants", pa.int64(), "1", "plants"),
    ("n_countries", pa.int64(), "1", "countries"),
    ("first_year", pa.int64(), "a", "first calendar year"),
    ("last_year", pa.int64(), "a", "last calendar year"),
)

# table 2; counts of 0 where a side has no such row
COVERAGE = pa.schema(
    [
        column("approach", pa.string(), "1", "set of plants, or a published work"),
        DATA_TIER,
        *(column(name, kind, units, meaning) for name, kind, units, meaning in _COUNTS),
        *(
            column(f"published_{name}", kind, units, f"as the paper printed it (other data): {meaning}")
            for name, kind, units, meaning in _COUNTS
        ),
    ]
)
