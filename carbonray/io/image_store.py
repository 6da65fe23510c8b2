"""The image store: all images of one plant, imager and year as one sharded Zarr group with a table beside it.

Source: HOUSE "Decided", stores (the product's integers, shard = unit, chunk = one image). Arrays are (image, band, y,
x), row 0 north; images are ordered by time, then by id, and the table `images/PLANT/IMAGER/YEAR.parquet` has a row for
each in the same order. A store is written whole by one unit and read whole by another.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.errors import ContractError, DataError
from carbonray.io import objectstore
from carbonray.io.array_group import ArrayNotes, decode_group, encode_group
from carbonray.io.imagery.image import FLAG_BITS, QUALITY_BITS, RegionGrid, RegionImage, Structure
from carbonray.io.imagery.region import structure_pixels
from carbonray.io.table_store import encode_table
from carbonray.vocab.plant_tables import IMAGES
from carbonray.vocab.sensors import IMAGERS, Imager

FOLDER = "images"
NOTES = {
    "dn": ArrayNotes(("image", "band", "y", "x"), "1", "the product's integers, 0 where nothing is measured"),
    "flags": ArrayNotes(("image", "y", "x"), "1", "bits of a pixel: " + ", ".join(FLAG_BITS)),
}
NUMBERS = ("scale", "offset", "k1", "k2")  # attributes of the group, (image, band); null for NaN
_SAFE_NAME = re.compile(r"[\w.+-]*\w[\w.+-]*", re.ASCII)  # a folder's name that leads nowhere else


@dataclass(frozen=True)
class PlantYear:
    """What one store holds: the images that one imager took of one plant in one calendar year, UTC."""

    plant_id: str
    imager: str
    year: int

    @property
    def stem(self) -> str:
        """Key of the store under the run's folder, without its ending."""
        return f"{plant_folder(self.plant_id, self.imager)}/{self.year}"


@dataclass(frozen=True)
class ImageStack:
    """A store as it is read: everything of one plant, imager and year.

    Attributes:
        of: what the store holds.
        image_ids: in the order of the arrays.
        dn: (image, band, y, x) uint16.
        flags: (image, y, x) uint8, bits of `FLAG_BITS`.
        scale, offset: (image, band): value = dn * scale + offset.
        k1, k2: (image, band) thermal constants, NaN for a reflective band.
        time_utc_ns: (image,) int64.
        bands: names, in order.
        grid: where the pixels lie.
        structures: of the plant.
        row, col: (structure,) pixel of each.
        data_tier: of all images.
    """

    of: PlantYear
    image_ids: tuple[str, ...]
    dn: NDArray[np.uint16]
    flags: NDArray[np.uint8]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    k1: NDArray[np.float64]
    k2: NDArray[np.float64]
    time_utc_ns: NDArray[np.int64]
    bands: tuple[str, ...]
    grid: RegionGrid
    structures: tuple[Structure, ...]
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    data_tier: str


def plant_folder(plant_id: str, imager: str) -> str:
    """Key of the folder of one plant and imager.

    Raises:
        ContractError: a name cannot be a folder's.
    """
    for name in (plant_id, imager):
        if not _SAFE_NAME.fullmatch(name):
            raise ContractError(
                f"{name!r} cannot name a folder",
                where="image_store",
                expected="letters, digits, _ . + -",
                remedy="Let the inventory mint plain ids.",
            )
    return f"{FOLDER}/{plant_id}/{imager}"


def encode_images(
    of: PlantYear,
    images: Sequence[RegionImage],
    structures: Sequence[Structure],
    imagers: Mapping[str, Imager] = IMAGERS,
) -> dict[str, bytes]:
    """The objects of one store by key under the run's folder, the table last; the same bytes in any order of images.

    Args:
        of: plant, imager and year.
        images: all of them, on one grid; none gives a table without rows and no arrays.
        structures: of the plant.
        imagers: the declared imagers.

    Raises:
        ContractError: images differ in grid, bands or tier, two have one id, or one is of another imager or year.
    """
    ordered = sorted(images, key=lambda image: (image.time_utc_ns, image.image_id))
    _check(of, ordered, imagers[of.imager])
    objects = {f"{of.stem}.zarr/{key}": data for key, data in _group(of, ordered, structures, imagers).items()}
    objects[f"{of.stem}.parquet"] = encode_table(image_table(of.plant_id, ordered), ("time_utc_ns", "image_id"))
    return objects


def read_images(url: str) -> ImageStack:
    """A whole store.

    Args:
        url: of the Zarr group, `.../images/PLANT/IMAGER/YEAR.zarr`.

    Raises:
        DataError: it is absent or not whole.
        TransportError: it could not be moved.
    """
    arrays, facts = decode_group(store_objects(url), url)
    try:
        structures = tuple(Structure(**each) for each in facts["structures"])
        grid = RegionGrid(**facts["grid"])
        row, col = (np.array(facts[name], np.int64) for name in ("row", "col"))
        told: dict[str, Any] = {name: tuple(facts[name]) for name in ("image_ids", "bands")} | arrays
        told |= {name: np.array(facts[name], np.float64) for name in NUMBERS}  # null becomes NaN
        return ImageStack(
            of=PlantYear(**facts["of"]),
            grid=grid,
            structures=structures,
            time_utc_ns=np.array(facts["time_utc_ns"], np.int64),
            row=row,
            col=col,
            data_tier=facts["data_tier"],
            **told,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"the group is no image store ({type(error).__name__}: {error})",
            where=url,
            expected="a store that carbonray ingested",
            remedy="Ingest the plant's year again.",
        ) from error


def store_objects(url: str) -> dict[str, bytes]:
    """Every object of a Zarr group by its key, read at once.

    Raises:
        DataError: an object went away while they were read.
        TransportError: one could not be moved.
    """
    keys = objectstore.listing(url)
    found = objectstore.read_many(objectstore.join(url, key) for key in keys)
    return {key: found[objectstore.join(url, key)] for key in keys}


def image_table(plant_id: str, images: Sequence[RegionImage]) -> pa.Table:
    """A row of `plant_tables.IMAGES` for each image."""
    return pa.Table.from_pylist([_row(plant_id, image) for image in images], schema=IMAGES)


def _row(plant_id: str, image: RegionImage) -> dict[str, Any]:
    nodata, cloud, haze = (FLAG_BITS[name] for name in ("nodata", "cloud", "haze"))
    clear = float(((image.flags & (nodata | cloud | haze)) == 0).mean())
    clouds, hazes = ((image.quality & QUALITY_BITS[bit]) == 0 for bit in ("no_cloud_mask", "no_haze_mask"))
    nan = float("nan")
    copied = (field.name for field in dataclasses.fields(image) if field.name in IMAGES.names)
    return {name: getattr(image, name) for name in copied} | {
        "plant_id": plant_id,
        "source_url": objectstore.lasting(image.source_url),
        "cloud_fraction": image.fraction("cloud") if clouds else nan,
        "haze_fraction": image.fraction("haze") if hazes else nan,
        "clear_fraction": clear if clouds else nan,
        "valid_fraction": float(((image.flags & nodata) == 0).mean()),
    }


def _group(
    of: PlantYear, images: Sequence[RegionImage], structures: Sequence[Structure], imagers: Mapping[str, Imager]
) -> dict[str, bytes]:
    if not images:
        return {}
    grid = images[0].grid
    row, col = structure_pixels(structures, grid)
    facts = {
        "of": dataclasses.asdict(of),
        "image_ids": [image.image_id for image in images],
        "bands": [band.name for band in imagers[of.imager].bands],
        "grid": dataclasses.asdict(grid),
        "structures": [dataclasses.asdict(each) for each in structures],
        "row": row.tolist(),
        "col": col.tolist(),
        "data_tier": images[0].data_tier,
        "time_utc_ns": [image.time_utc_ns for image in images],
        **{name: [_nulls(getattr(image, name)) for image in images] for name in NUMBERS},
    }
    arrays = {name: np.stack([getattr(image, name) for image in images]) for name in NOTES}
    return encode_group(arrays, NOTES, facts, chunk_rows=1)


def _nulls(numbers: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(number) else number for number in numbers.tolist()]


def _check(of: PlantYear, images: Sequence[RegionImage], imager: Imager) -> None:
    shape = (len(imager.bands), *((images[0].grid.rows, images[0].grid.cols) if images else ()))
    ids = [image.image_id for image in images]
    faults = [f"{name} is there twice" for name in sorted({name for name in ids if ids.count(name) > 1})]
    for image in images:
        first = images[0]
        same = (image.grid, image.data_tier) == (first.grid, first.data_tier)
        same &= (image.imager, image.year) == (of.imager, of.year)
        if not same or image.dn.shape != shape or image.flags.shape != shape[1:]:
            faults.append(
                f"{image.image_id} is {image.imager} {image.year} {image.data_tier} {image.dn.shape} {image.grid}"
            )
    if faults:
        raise ContractError(
            f"images do not make one store: {'; '.join(faults[:3])}",
            where=of.stem,
            expected=f"distinct ids, one grid and tier, dn {shape} of {of.imager} in {of.year}",
            remedy="Group images by plant, imager and year, and cut them to one grid.",
        )
