"""The tables of the power plants, from inventory to label, as Arrow schemas; keys come first, times are UTC.

Intervals are [start, end). What a table does not know is null or NaN, never a filler value.
"""

import pyarrow as pa

from carbonray.vocab.columns import DATA_TIER, column

_PLANT = column("plant_id", pa.string(), "1", "minted id of the power station: it never changes and is never reused")
_COUNTRY = column("country", pa.string(), "1", "ISO 3166-1 alpha-3 code")
_LAT = column("lat", pa.float64(), "degrees_north", "latitude, WGS84")
_LON = column("lon", pa.float64(), "degrees_east", "longitude, WGS84, -180 to 180")
_KIND = column("structure_kind", pa.string(), "1", "NDT, natural-draft tower, or FGD, stack behind wet FGD")
_START = column("start_utc_ns", pa.int64(), "ns since 1970-01-01", "start of the interval, UTC, included")
_END = column("end_utc_ns", pa.int64(), "ns since 1970-01-01", "end of the interval, UTC, excluded")
_TIME = column("time_utc_ns", pa.int64(), "ns since 1970-01-01", "UTC time")
_IMAGE = column("image_id", pa.string(), "1", "the acquisition as its provider names it")
_IMAGER = column("imager", pa.string(), "1", "key of `vocab.sensors.IMAGERS`")

PLANTS = pa.schema(
    [
        _PLANT,
        column("name", pa.string(), "1", "name of the power station"),
        _COUNTRY,
        _LAT,
        _LON,
        column("capacity_mw", pa.float64(), "MW", "capacity of all units that are not retired"),
        column("primary_fuel", pa.string(), "1", "fuel of the largest share of capacity, key of `FUELS`"),
        column("source", pa.string(), "1", "inventory that the row was taken from"),
        column("source_ids", pa.string(), "1", "JSON: inventory -> its ids of this plant"),
        column("fold", pa.int8(), "1", "0 to 3; -1 where none is assigned yet"),
        DATA_TIER,
    ]
)

UNITS = pa.schema(
    [
        _PLANT,
        column("unit_id", pa.string(), "1", "minted id of the generating unit"),
        column("name", pa.string(), "1", "name of the unit"),
        column("fuel", pa.string(), "1", "key of `FUELS`"),
        column("prime_mover", pa.string(), "1", "key of `PRIME_MOVERS`, empty where not stated"),
        column("capacity_mw", pa.float64(), "MW", "net where the inventory has it, else gross"),
        column("start_utc_ns", pa.int64(), "ns since 1970-01-01", "commissioning; null where unknown", nullable=True),
        column("end_utc_ns", pa.int64(), "ns since 1970-01-01", "retirement; null where none", nullable=True),
        column("cooling_type", pa.string(), "1", "one of `COOLING_TYPES`, empty where not stated"),
        column("wet_fgd", pa.bool_(), "1", "behind wet flue-gas desulphurisation; null where unknown", nullable=True),
        column("source", pa.string(), "1", "inventory that the row was taken from"),
        column("source_id", pa.string(), "1", "the unit's id there"),
    ]
)

STRUCTURES = pa.schema(
    [
        _PLANT,
        column("structure_id", pa.string(), "1", "id of the annotated tower or stack"),
        _KIND,
        _LAT,
        _LON,
        column("source", pa.string(), "1", "where the annotation comes from"),
    ]
)

INVENTORY_CONFLICTS = pa.schema(
    [
        _PLANT,
        column("attribute", pa.string(), "1", "what the inventories disagree on"),
        column("kept_source", pa.string(), "1", "inventory whose value stands"),
        column("kept_value", pa.string(), "1", "its value"),
        column("other_source", pa.string(), "1", "inventory that says otherwise"),
        column("other_value", pa.string(), "1", "its value"),
        column("rule", pa.string(), "1", "why the kept value stands"),
    ]
)

# the ids that were minted, for ever: rows are only ever added
CROSSWALK = pa.schema(
    [
        column("entity", pa.string(), "1", "plant or unit"),
        column("source", pa.string(), "1", "namespace of the id: editions of one inventory share it"),
        column("source_id", pa.string(), "1", "the plant's or unit's id there"),
        column("minted_id", pa.string(), "1", "`plant_id` or `unit_id`: never changed, never reused"),
    ]
)

# what an inventory says that could not be taken as it is: the row or the value was set aside, or kept and listed
INVENTORY_FINDINGS = pa.schema(
    [
        column("entity", pa.string(), "1", "plant, unit, structure or link"),
        column("source", pa.string(), "1", "inventory"),
        column("source_id", pa.string(), "1", "the id there"),
        column("kind", pa.string(), "1", "quarantined: the row is left out; unset: the value is; kept: neither is"),
        column("attribute", pa.string(), "1", "what is wrong with it"),
        column("reason", pa.string(), "1", "what was found and what was expected"),
    ]
)

# which fold a block of one degree belongs to: rows are only ever added
FOLD_BLOCKS = pa.schema(
    [
        column("block_lat", pa.int16(), "degrees_north", "southern edge of the block"),
        column("block_lon", pa.int16(), "degrees_east", "western edge of the block"),
        column("fold", pa.int8(), "1", "0 to 3"),
    ]
)

# one row a plant: its units and structures nested, each without the plant's id
INVENTORY = pa.schema(
    [
        *PLANTS,
        pa.field(
            "units",
            pa.list_(pa.struct([field for field in UNITS if field.name != "plant_id"])),
            nullable=False,
            metadata={"units": "1", "long_name": "its generating units, by id"},
        ),
        pa.field(
            "structures",
            pa.list_(pa.struct([field for field in STRUCTURES if field.name != "plant_id"])),
            nullable=False,
            metadata={"units": "1", "long_name": "its annotated towers and stacks, by id"},
        ),
    ]
)

PLANT_WEATHER = pa.schema(
    [
        _PLANT,
        _TIME,
        column("temperature_c", pa.float32(), "degC", "air temperature at 2 m"),
        column("relative_humidity_pct", pa.float32(), "percent", "relative humidity at 2 m"),
        column("wind_u_m_s", pa.float32(), "m s-1", "wind toward east at 10 m"),
        column("wind_v_m_s", pa.float32(), "m s-1", "wind toward north at 10 m"),
        column("cloud_cover", pa.float32(), "1", "fraction of the sky, NaN where not given"),
    ]
)

REPORTED = pa.schema(
    [
        _PLANT,
        column("source", pa.string(), "1", "who reports, such as CAMPD"),
        column("source_id", pa.string(), "1", "the plant's or unit's id there"),
        _START,
        _END,
        column("generation_mwh", pa.float64(), "MWh", "generated in the interval, NaN where not reported"),
        column("emissions_t_co2", pa.float64(), "t", "CO2 emitted in the interval, NaN where not reported"),
        column("gross", pa.bool_(), "1", "gross generation; net otherwise"),
    ]
)

IMAGES = pa.schema(
    [
        _PLANT,
        _IMAGER,
        _IMAGE,
        _TIME,
        column("cloud_fraction", pa.float32(), "1", "of the region of interest, NaN where the product has no mask"),
        column("haze_fraction", pa.float32(), "1", "heavy haze in the region, NaN where the product has no such mask"),
        column("clear_fraction", pa.float32(), "1", "measured and free of cloud and haze"),
        column("valid_fraction", pa.float32(), "1", "measured pixels of the region"),
        column("covered_km2", pa.float64(), "km2", "area of the whole image before cropping"),
        column("sun_elevation_deg", pa.float32(), "degree", "NaN where not given"),
        column("sun_azimuth_deg", pa.float32(), "degree", "clockwise from north, NaN where not given"),
        column("downloaded_utc_ns", pa.int64(), "ns since 1970-01-01", "when the file was made or fetched"),
        column("quality", pa.int32(), "1", "bits of `io.imagery.image.QUALITY_BITS`"),
        column("source_url", pa.string(), "1", "item it was cut from: its URL, or the name of a local file"),
        DATA_TIER,
    ]
)

LABELS = pa.schema(
    [
        _PLANT,
        _KIND,
        _IMAGER,
        _IMAGE,
        _TIME,
        column(
            "capacity_factor",
            pa.float32(),
            "1",
            "generation over capacity, 0..1; NaN if only on or off is known",
        ),
        column("on", pa.bool_(), "1", "capacity factor above the limit"),
        column("record_age_s", pa.float32(), "s", "from the end of the record's interval to the image"),
        column("source", pa.string(), "1", "who reported"),
    ]
)

# what a selection rule excluded, and which rule
REJECTIONS = pa.schema(
    [
        column("entity", pa.string(), "1", "plant, image or label"),
        _PLANT,
        _KIND,
        column("imager", pa.string(), "1", "empty for a plant"),
        column("image_id", pa.string(), "1", "empty for a plant"),
        column("rule", pa.string(), "1", "name of the rule"),
        column("reason", pa.string(), "1", "what was found and what the limit is"),
    ]
)
