"""Ingests imagery: the acquisitions of one plant, imager and year into one store, and the plant's background image.

Sources: SCIENCE 4.2 and 4.5, HOUSE "Decided" (work units, stores, backgrounds). A unit's rows are its ready objects;
what it counts are images. An image that is bad is set aside with its key and reason and the others go on; rules on
clouds and duplicates come later, so that nothing is read again when a rule changes.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.contract import Reading, Unit, object_rows
from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.background_store import Background, encode_background
from carbonray.io.image_store import PlantYear, encode_images, read_images
from carbonray.io.imagery.image import RegionGrid, RegionImage, Structure
from carbonray.io.imagery.items import load_item
from carbonray.io.imagery.raster import gdal_options
from carbonray.io.imagery.readers import READERS, ReadImage
from carbonray.io.imagery.region import RegionRules, region_grid
from carbonray.io.table_store import decode_table
from carbonray.science.power.backgrounds import BackgroundRules, drawn_images, pixel_median
from carbonray.science.power.band_math import values
from carbonray.vocab.plant_tables import IMAGES
from carbonray.vocab.sensors import IMAGERS, Imager


def region_partition(plant_id: str, imager: str, year: int, structures: tuple[Structure, ...]) -> dict[str, int | str]:
    """The partition of a unit that `IngestRegion` reads."""
    told = [vars(each) for each in structures]
    return {"plant_id": plant_id, "imager": imager, "year": year, "structures": json.dumps(told, sort_keys=True)}


@dataclass(frozen=True)
class IngestRegion:
    """Reader of the acquisitions of one plant, imager and year: `unit.inputs` are the URLs of their items.

    Attributes:
        region: how large the region around a plant is.
        imagers: the declared imagers.
        readers: the readers that they name.
    """

    region: RegionRules
    imagers: Mapping[str, Imager] = field(default_factory=lambda: IMAGERS)
    readers: Mapping[str, ReadImage] = field(default_factory=lambda: READERS)

    def __call__(self, unit: Unit) -> Reading:
        """The objects of `images/PLANT/IMAGER/YEAR`.

        Raises:
            DataError: the plant's structures are bad, or the unit is a file that holds no items.
            TransportError: bytes could not be moved.
        """
        if "fault" in unit.partition:
            raise DataError(
                str(unit.partition["fault"]),
                where=unit.inputs[0],
                expected="items",
                remedy="Repair it or leave it out.",
            )
        of, structures = _partition(unit)
        imager = self.imagers[of.imager]
        grid = region_grid(structures, imager, self.region)
        kept: dict[str, RegionImage] = {}
        quarantined: Counter[str] = Counter()
        other_year = 0
        with gdal_options():
            for url in unit.inputs:
                try:
                    image = self._image(url, imager, grid, kept)
                except DataError as error:
                    quarantined[f"{url}: {error}"] += 1
                    continue
                if image.year == of.year:
                    kept[image.image_id] = image
                else:
                    other_year += 1
        objects = encode_images(of, list(kept.values()), structures, self.imagers)
        rows = {"read": len(unit.inputs), "kept": len(kept), "quarantined": quarantined.total()}
        rows |= {"rejected: other year": other_year} if other_year else {}
        facts = {"data_tier": ", ".join(sorted({image.data_tier for image in kept.values()})) or "none"}
        return Reading(object_rows(objects), rows, dict(quarantined), facts)

    def _image(self, url: str, imager: Imager, grid: RegionGrid, kept: Mapping[str, RegionImage]) -> RegionImage:
        image = self.readers[imager.reader](load_item(url), imager, grid)
        if image.image_id in kept:
            raise DataError(
                f"{image.image_id} is given twice",
                where=url,
                expected="each acquisition under an id of its own",
                remedy="Leave one of the two out of inputs.imagery.",
            )
        return image


@dataclass(frozen=True)
class MakeBackground:
    """Reader of all stores of one plant and imager: `unit.inputs` are their URLs, read one after another.

    Attributes:
        rules: how many images, and the seed of their draw.
    """

    rules: BackgroundRules

    def __call__(self, unit: Unit) -> Reading:
        """The objects of `images/PLANT/IMAGER/background.zarr`.

        Raises:
            DataError: a store is bad, or none holds an image.
            TransportError: bytes could not be moved.
        """
        plant_id, imager = str(unit.partition["plant_id"]), str(unit.partition["imager"])
        stored = {url: _image_ids(url) for url in unit.inputs}
        known = [name for names in stored.values() for name in names]
        drawn = set(drawn_images(known, f"{plant_id}/{imager}", self.rules))
        found = [_drawn_part(url, drawn) for url, names in stored.items() if drawn.intersection(names)]
        if not found:
            raise DataError(
                "no image is there to make a background of",
                where=f"{plant_id}/{imager}",
                expected="stores that hold at least one image",
                remedy="Plan backgrounds only of plants with images.",
            )
        background = Background(
            value=pixel_median(np.concatenate([part.values for part in found])),
            bands=found[0].bands,
            image_ids=tuple(sorted(drawn)),
            grid=found[0].grid,
            data_tier=", ".join(sorted({part.data_tier for part in found})),
        )
        rows = {"read": len(known), "kept": len(drawn), "quarantined": 0}
        rows |= {"rejected: not drawn": len(known) - len(drawn)} if len(known) > len(drawn) else {}
        objects = encode_background(plant_id, imager, background)
        return Reading(object_rows(objects), rows, facts={"data_tier": background.data_tier})


@dataclass(frozen=True)
class _Part:
    """What is kept of one store, so that the next one finds room."""

    values: NDArray[np.float32]
    bands: tuple[str, ...]
    grid: RegionGrid
    data_tier: str


def _drawn_part(url: str, drawn: set[str]) -> _Part:
    stack = read_images(url)
    chosen = np.array([name in drawn for name in stack.image_ids])
    numbers = (part[chosen] for part in (stack.dn, stack.scale, stack.offset, stack.k1, stack.k2))
    return _Part(values(*numbers), stack.bands, stack.grid, stack.data_tier)


def _image_ids(url: str) -> list[str]:
    """Ids of the images of a store, of the table beside it."""
    table = decode_table(objectstore.read_bytes(url.removesuffix(".zarr") + ".parquet"), IMAGES)
    ids: list[str] = table.column("image_id").to_pylist()
    return ids


def _partition(unit: Unit) -> tuple[PlantYear, tuple[Structure, ...]]:
    told: Mapping[str, Any] = unit.partition
    structures = tuple(Structure(**each) for each in json.loads(told["structures"]))
    return PlantYear(str(told["plant_id"]), str(told["imager"]), int(told["year"])), structures
