"""The tables that the power plants' pipeline publishes, as Arrow schemas: soundings, 30 days, years.

Source: SCIENCE, output schemas (end of chapter 5), with the house's names. Keys come first, times are UTC; `_p05` and
`_p95` are the ends of a 90 % interval. What is unknown is NaN.
"""

import pyarrow as pa

from carbonray.vocab.columns import DATA_TIER, column

BOTH = "BOTH"  # structure kind of a plant that is told by its towers and its stacks together

_PLANT = column("plant_id", pa.string(), "1", "minted id of the power station")
_LAT = column("lat", pa.float64(), "degrees_north", "latitude, WGS84")
_LON = column("lon", pa.float64(), "degrees_east", "longitude, WGS84, -180 to 180")
_KIND = column("structure_kind", pa.string(), "1", "NDT, FGD, or BOTH: (2 NDT + FGD) / 3 of a plant that has both")
_IMPUTED = column("imputed_fraction", pa.float32(), "1", "share of the generation model's features that were imputed")
_FOLD = column("fold", pa.int8(), "1", "fold of a plant that models were trained on, -1 for a plant they never saw")
_INSTANCES = column("instances", pa.string(), "1", "model instances that were averaged, such as 2 or 0,1,2,3")
_VERSION = column("model_version", pa.string(), "1", "sha256 of the generation models, NDT and FGD in this order")


def _bounded(name: str, units: str, meaning: str) -> list[pa.Field]:
    return [
        column(name, pa.float64(), units, meaning),
        column(f"{name}_p05", pa.float64(), units, "lower end of its 90 % interval"),
        column(f"{name}_p95", pa.float64(), units, "upper end of its 90 % interval"),
    ]


# a long table: averages over instances and models come later, since appendix C needs them apart
SOUNDINGS = pa.schema(
    [
        _PLANT,
        column("imager", pa.string(), "1", "key of `vocab.sensors.IMAGERS`"),
        column("image_id", pa.string(), "1", "the acquisition as its provider names it"),
        column("time_utc_ns", pa.int64(), "ns since 1970-01-01", "UTC time of the image"),
        column("structure_kind", pa.string(), "1", "NDT or FGD"),
        column("model", pa.string(), "1", "sounding model, such as xgb, resisc or ben"),
        column(
            "instance", pa.int8(), "1", "0 to 3: the rotation it was trained in; it tested on the fold of its number"
        ),
        column("head", pa.string(), "1", "cls, ON-score; reg, capacity factor; aux, ON-score beside a capacity factor"),
        column("value", pa.float32(), "1", "what the head says, 0 to 1"),
        column("model_version", pa.string(), "1", "sha256 of the sounding model's bundle"),
        DATA_TIER,
    ]
)

# what a reader hands to the models: an image and structure kind a row, its patches still the product's integers
SOUNDING_INPUTS = pa.schema(
    [
        *(SOUNDINGS.field(name) for name in ("plant_id", "imager", "image_id", "time_utc_ns", "structure_kind")),
        column("instances", pa.string(), "1", "model instances that may answer, such as 2 or 0,1,2,3"),
        column("n_structures", pa.int16(), "1", "structures of the kind"),
        column("dn", pa.large_binary(), "1", "uint16 (structure, band, y, x) integers; empty where no network asks"),
        column("numbers", pa.large_binary(), "1", "float64 (4, band): scale, offset and thermal constants"),
        column("features", pa.large_binary(), "1", "float32 statistics of patches; empty where no trees ask"),
        DATA_TIER,
    ]
)

PLANTS_30DAY = pa.schema(
    [
        _PLANT,
        column("date", pa.date32(), "d", "UTC day with which the 30 days end"),
        _KIND,
        _LAT,
        _LON,
        *_bounded("capacity_factor", "1", "mean over the 30 days"),
        column("n_soundings", pa.int32(), "1", "images of the 30 days that a model told something of, once a kind"),
        _IMPUTED,
        _FOLD,
        _INSTANCES,
        _VERSION,
        DATA_TIER,
    ]
)

PLANTS_ANNUAL = pa.schema(
    [
        _PLANT,
        column("unit_id", pa.string(), "1", "generating unit; null in the row of the whole plant", nullable=True),
        column("year", pa.int16(), "a", "calendar year"),
        _KIND,
        _LAT,
        _LON,
        column("country", pa.string(), "1", "ISO 3166-1 alpha-3 code"),
        column("fuel", pa.string(), "1", "key of `FUELS`: the unit's, or that of most of the plant's capacity"),
        column("capacity_mw", pa.float64(), "MW", "in service, mean over the year"),
        *_bounded("capacity_factor", "1", "of the plant over the year"),
        *_bounded("generation_mwh", "MWh", "generated in the year"),
        column("intensity_t_per_mwh", pa.float64(), "t MWh-1", "CO2 of a MWh; of a plant, by generation"),
        column("intensity_rule", pa.string(), "1", "which rule gave the unit's intensity, empty for a plant"),
        *_bounded("emissions_t_co2", "t", "CO2 emitted in the year; its interval is that of the activity alone"),
        column("coverage", pa.float64(), "1", "share of the year's weight whose 30 days hold a sounding"),
        column("n_soundings", pa.int32(), "1", "images of the year that a model told something of, once a kind"),
        _IMPUTED,
        _FOLD,
        _INSTANCES,
        _VERSION,
        DATA_TIER,
    ]
)
