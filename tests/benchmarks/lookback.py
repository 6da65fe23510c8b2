"""Features of the generation models: plant-days a second beside a plain loop over windows, images and features.

Soundings are as dense as the paper's (SCIENCE 4.13: 730 PlanetScope, 204 Sentinel-2 and 97 Landsat 8 images of a plant
in eight years), of all eight pairs of models; every plant is asked for every day of five years.
"""

import time

import numpy as np

from carbonray.science.power.capacity_factor import first_day
from carbonray.science.power.lookback import LookbackRules, ModelPair, Output, Soundings, lookback_features, outputs_of
from tests.science.power.lookback_loop import plain_loop

IMAGES = {"planetscope": 730, "sentinel2": 204, "landsat8": 97}
PAIRS = tuple(
    ModelPair(imager, model, model != "xgb")
    for imager in IMAGES
    for model in ("xgb", "resisc", *(() if imager == "planetscope" else ("ben",)))
)
WINDOWS = LookbackRules().windows_days("NDT")
YEARS = (2015, 2022)
FIRST_ASKED = 2018
PLANTS = 20
LOOP_DAYS = 40
ROUNDS = 3


def rows() -> list[dict[str, object]]:
    """Plant-days a second of twenty plants at once, of one at a time, and of the loop."""
    outputs = outputs_of(PAIRS)
    soundings = some_soundings(outputs, PLANTS)
    days = np.arange(first_day(FIRST_ASKED), first_day(YEARS[1] + 1))
    one = _seconds(_of_plant(soundings, 0), outputs, 1, days)
    many = _seconds(soundings, outputs, PLANTS, days)
    mine, sample = _of_plant(soundings, 0), days[:: len(days) // LOOP_DAYS][:LOOP_DAYS]
    start = time.perf_counter()
    looped = np.array([plain_loop(mine, outputs, 0, day, WINDOWS, LookbackRules()) for day in sample])
    loop = len(sample) / (time.perf_counter() - start)
    found = lookback_features(mine, outputs, np.zeros(len(sample), np.int64), sample, WINDOWS)
    assert np.allclose(found, looped, equal_nan=True)
    against = "a plain loop, one feature of one day after the other"
    return [
        _row("lookback features, one plant", len(days) / one, "plant-day s-1", against, len(days) / one / loop),
        _row(
            f"lookback features, {PLANTS} plants at once",
            PLANTS * len(days) / many,
            "plant-day s-1",
            against,
            PLANTS * len(days) / many / loop,
        ),
        _row("lookback features, plain loop", loop, "plant-day s-1", None, None),
    ]


def some_soundings(outputs: tuple[Output, ...], plants: int) -> Soundings:
    """Every output of every image, images on random days of the years."""
    rng = np.random.default_rng(0)
    per_image = {imager: [n for n, o in enumerate(outputs) if o.imager == imager] for imager in IMAGES}
    plant, image, output = [], [], []
    for number in range(plants):
        for imager, count in IMAGES.items():
            plant.append(np.full(count * len(per_image[imager]), number))
            output.append(np.tile(per_image[imager], count))
            image.append(np.repeat(np.arange(count), len(per_image[imager])))
    shift = np.cumsum([0, *(part[-1] + 1 for part in image[:-1])])
    images = np.concatenate([part + by for part, by in zip(image, shift, strict=True)])
    day = rng.integers(first_day(YEARS[0]), first_day(YEARS[1] + 1), images[-1] + 1)[images]
    return Soundings(np.concatenate(plant), day, images, np.concatenate(output), rng.random(len(images)))


def _of_plant(soundings: Soundings, plant: int) -> Soundings:
    mine = soundings.plant == plant
    return Soundings(**{name: column[mine] for name, column in vars(soundings).items()})


def _seconds(soundings: Soundings, outputs: tuple[Output, ...], plants: int, days: np.ndarray) -> float:
    asked = np.repeat(np.arange(plants), len(days)), np.tile(days, plants)
    best = np.inf
    for _ in range(ROUNDS):
        start = time.perf_counter()
        lookback_features(soundings, outputs, *asked, WINDOWS)
        best = min(best, time.perf_counter() - start)
    return float(best)


def _row(name: str, value: float, unit: str, against: str | None, ratio: float | None) -> dict[str, object]:
    return {"name": name, "value": float(value), "unit": unit, "against": against, "ratio": ratio}
