"""A few rendered plants as image stores with backgrounds and labels, and the samples made of them."""

import functools

import numpy as np
import pyarrow as pa

from carbonray.contract import Unit, encode_object_rows
from carbonray.io import objectstore
from carbonray.io.background_store import Background, encode_background
from carbonray.io.image_store import PlantYear, encode_images
from carbonray.io.imagery.region import RegionRules
from carbonray.io.table_store import encode_table
from carbonray.science.power.backgrounds import pixel_median
from carbonray.science.power.band_math import values
from carbonray.stages.sounding_samples import ReadSamples
from carbonray.synthetic.backgrounds import season_at
from carbonray.synthetic.fleet import FleetRules, plant_of
from carbonray.synthetic.plant_views import RenderRules, structures_seen, view_of
from carbonray.synthetic.vapor import Moment, rendered
from carbonray.synthetic.vapor_plumes import Air
from carbonray.vocab.plant_tables import LABELS
from carbonray.vocab.sensors import IMAGERS
from tests.synthetic.small_fleet import NOON_NS

FLEET, RULES = FleetRules(), RenderRules(region=RegionRules(margin_px=17))
IMAGES, EVERY_NS = 8, 18 * 86_400 * 10**9
TIER = "SYNTHETIC-T1"


@functools.cache
def plants(kinds=("NDT",), count=4):
    """The first plants of the fleet that have these kinds of structures and show vapor."""
    every = (plant_of(FLEET, index) for index in range(600))
    found = (p for p in every if p.kinds == kinds and p.country == "USA" and all(s.emits_vapor for s in p.structures))
    return [plant for plant, _ in zip(found, range(count), strict=False)]


@functools.cache
def images_of(plant, imager):
    """Images of a plant that runs in every second one, and its loads."""
    rng = np.random.default_rng(plant.index)
    view, count = view_of(RULES, FLEET.seed, plant, IMAGERS[imager]), len(plant.structures)
    load = np.where(np.arange(IMAGES) % 2 == 0, rng.uniform(0.5, 1.0, IMAGES), 0.0)
    made = []
    for number in range(IMAGES):
        time = NOON_NS + number * EVERY_NS
        moment = Moment(time, Air(3.0, 75.0, *rng.normal(0.0, 3.0, 2)), 0.0, np.full(count, load[number]),
                        season_at(time, plant.lat, 0.0, 1.0))  # fmt: skip
        made.append(rendered(RULES, FLEET.seed, view, moment, f"image {number}", np.full(count, load[number])).image)
    return made, load


def store(root, plant, imager="landsat8", unlabelled=1):
    """Writes a plant's store, background and labels of all images but the last ones; answers their URLs."""
    images, load = images_of(plant, imager)
    of = PlantYear(plant.plant_id, imager, 2021)
    structures = structures_seen(plant)
    numbers = [np.stack([getattr(image, name) for image in images]) for name in ("dn", "scale", "offset", "k1", "k2")]
    bands = tuple(band.name for band in IMAGERS[imager].bands)
    background = Background(pixel_median(values(*numbers)), bands, ("image 0",), images[0].grid, TIER)
    rows = [
        {"plant_id": plant.plant_id, "structure_kind": kind, "imager": imager, "image_id": image.image_id,
         "time_utc_ns": image.time_utc_ns, "capacity_factor": load[number], "on": load[number] > 0.05,
         "record_age_s": 0.0, "source": "test"}
        for kind in plant.kinds for number, image in enumerate(images[: IMAGES - unlabelled])
    ]  # fmt: skip
    rows.append(rows[0] | {"image_id": "image of another year", "time_utc_ns": NOON_NS - 400 * EVERY_NS})
    objects = encode_images(of, images, structures) | encode_background(plant.plant_id, imager, background)
    labels = pa.Table.from_pylist(rows, schema=LABELS)
    key = ("structure_kind", "imager", "time_utc_ns")
    objects[f"labels/{plant.plant_id}.parquet"] = encode_table(labels, key)
    written(root, objects)
    return (
        f"{root}/{of.stem}.zarr",
        f"{root}/images/{plant.plant_id}/{imager}/background.zarr",
        (f"{root}/labels/{plant.plant_id}.parquet"),
    )


def unit_of(urls, plant, fold=0, kinds=None):
    imager = urls[0].split("/")[-2]
    part = {"plant_id": plant.plant_id, "imager": imager, "year": 2021, "fold": fold}
    part["kinds"] = ",".join(kinds or plant.kinds)
    return Unit("samples", "id", f"{plant.plant_id}-{imager}-2021", part, urls, ("", "", ""))


def samples(root, imager="landsat8", bag_px=32):
    """Samples of four plants with towers, one a fold; answers the URLs of tables and of bags."""
    reader, told = ReadSamples({imager: bag_px}), {}
    for fold, plant in enumerate(plants()):
        unit = unit_of(store(root, plant, imager), plant, fold)
        told |= dict(encode_object_rows(unit, reader(unit).batch, {}).objects)
    written(root, told)
    return [[f"{root}/{key}" for key in told if key.startswith(part)] for part in ("samples/", "bags/")]


def written(root, objects):
    for key, data in objects.items():
        objectstore.put_bytes(f"{root}/{key}", data)
