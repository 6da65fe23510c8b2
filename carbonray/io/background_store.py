"""The background image of one plant and imager: a Zarr group beside the plant's image stores, frozen once made.

Source: HOUSE "Decided", stores (ingest writes the plant's background image, frozen and hashed, as an input of its
units). Values are reflectance or brightness temperature, (band, y, x), row 0 north, NaN where nothing was measured.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.io.array_group import ArrayNotes, decode_group, encode_group
from carbonray.io.image_store import plant_folder, store_objects
from carbonray.io.imagery.image import RegionGrid

_NOTES = {"value": ArrayNotes(("band", "y", "x"), "1 or K", "median reflectance, or brightness temperature")}


@dataclass(frozen=True)
class Background:
    """What a plant looks like without its vapor.

    Attributes:
        value: (band, y, x) float32, NaN where nothing was measured.
        bands: names, in order.
        image_ids: the images it is the median of.
        grid: where the pixels lie.
        data_tier: of those images.
    """

    value: NDArray[np.float32]
    bands: tuple[str, ...]
    image_ids: tuple[str, ...]
    grid: RegionGrid
    data_tier: str


def encode_background(plant_id: str, imager: str, background: Background) -> dict[str, bytes]:
    """Its objects by key under the run's folder, `images/PLANT/IMAGER/background.zarr/...`."""
    facts = {
        "bands": list(background.bands),
        "image_ids": list(background.image_ids),
        "grid": dataclasses.asdict(background.grid),
        "data_tier": background.data_tier,
    }
    group = encode_group({"value": background.value}, _NOTES, facts, chunk_rows=1)
    folder = f"{plant_folder(plant_id, imager)}/background.zarr"
    return {f"{folder}/{key}": data for key, data in group.items()}


def read_background(url: str) -> Background:
    """A stored background, by the URL of its group.

    Raises:
        DataError: it is absent or not whole.
        TransportError: it could not be moved.
    """
    arrays, facts = decode_group(store_objects(url), url)
    try:
        bands, image_ids = (tuple(facts[name]) for name in ("bands", "image_ids"))
        return Background(
            value=arrays["value"],
            bands=bands,
            image_ids=image_ids,
            grid=RegionGrid(**facts["grid"]),
            data_tier=facts["data_tier"],
        )
    except (KeyError, TypeError) as error:
        raise DataError(
            f"the group is no background ({type(error).__name__}: {error})",
            where=url,
            expected="a background that carbonray made",
            remedy="Make the plant's background again.",
        ) from error
