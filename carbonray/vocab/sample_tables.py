"""The tables that sounding models are trained on, as Arrow schemas: statistics for trees, patches for networks.

Source: SCIENCE 4.5, with the house's names. A row is a labelled image of a training plant for one of its structure
kinds; keys come first, times are UTC, what is unknown is NaN.
"""

import pyarrow as pa

from carbonray.vocab.columns import DATA_TIER, column

_KEYS = [
    column("plant_id", pa.string(), "1", "minted id of the power station"),
    column("structure_kind", pa.string(), "1", "NDT, natural-draft tower, or FGD, stack behind wet FGD"),
    column("imager", pa.string(), "1", "key of `vocab.sensors.IMAGERS`"),
    column("image_id", pa.string(), "1", "the acquisition as its provider names it"),
    column("time_utc_ns", pa.int64(), "ns since 1970-01-01", "UTC time of the image"),
    column("capacity_factor", pa.float32(), "1", "label: 0 to 1, NaN where only on or off is known"),
    column("on", pa.bool_(), "1", "label: capacity factor above the limit"),
    column("fold", pa.int8(), "1", "fold of the plant, 0 to 3"),
]

SAMPLES = pa.schema(
    [
        *_KEYS,
        column("features", pa.list_(pa.float32()), "1", "`patch_features`, in the order of the imager's feature names"),
        # the columns of `science.power.peer_inputs.INDEX_COLUMNS`
        column("hot", pa.float32(), "1", "haze-optimised transform about the structure where it is largest"),
        column("white_brightness", pa.float32(), "1", "white and bright about the structure where it is most so"),
        column("plume_area_m2", pa.float32(), "m2", "pixels brighter than the background, of all structures"),
        DATA_TIER,
    ]
)


def _of_bands(name: str, meaning: str) -> pa.Field:
    return column(name, pa.list_(pa.float64()), "1", f"{meaning}, one number a band")


BAGS = pa.schema(
    [
        *_KEYS,
        column("n_structures", pa.int16(), "1", "structures of the kind: patches in the bag"),
        column("dn", pa.large_binary(), "1", "uint16 (structure, band, y, x): the product's integers, 0 where none"),
        _of_bands("scale", "value = dn * scale + offset"),
        _of_bands("offset", "value = dn * scale + offset"),
        _of_bands("k1", "thermal constant, NaN for a reflective band"),
        _of_bands("k2", "thermal constant, NaN for a reflective band"),
        DATA_TIER,
    ]
)
