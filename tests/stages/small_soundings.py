"""A small fleet whose capacity factors are known every day, and the soundings that four model instances tell of it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from carbonray.science.power.capacity_factor import first_day
from carbonray.science.power.lookback import ModelPair
from carbonray.science.spatial.geodesy import DAY_NS
from carbonray.stages.generation_folds import LabelledSoundings
from carbonray.vocab.plant_tables import UNITS
from carbonray.vocab.product_tables import SOUNDINGS

PAIRS = (
    ModelPair("landsat8", "xgb", False),
    ModelPair("sentinel2", "resisc", True),
    ModelPair("sentinel2", "xgb", False),
)
HEADS = {pair: ("cls", "reg", *(("aux",) if pair.auxiliary else ())) for pair in PAIRS}
TIER = "SYNTHETIC-T1"


@dataclass(frozen=True)
class Fleet:
    """Plants, their daily truth from 1 January of the first year, and their soundings."""

    plants: tuple[str, ...]
    first_day: int
    daily: np.ndarray
    soundings: pa.Table
    truth: pa.Table

    def mean_30_days(self, day):
        """(plant, day) means of the 30 days that end with each day; the fleet ran before its first day as on it."""
        padded = np.concatenate([np.repeat(self.daily[:, :1], 29, axis=1), self.daily], axis=1)
        total = np.cumsum(np.pad(padded, ((0, 0), (1, 0))), axis=1)
        return ((total[:, 30:] - total[:, :-30]) / 30)[:, np.asarray(day) - self.first_day]

    def labelled(self, kind="NDT", step=7):
        """Soundings and targets of every seventh day, folds in turn."""
        day = np.arange(self.first_day + 60, self.first_day + self.daily.shape[1], step)
        plant = np.repeat(np.arange(len(self.plants)), len(day))
        return LabelledSoundings(
            kind, PAIRS, self.soundings, {name: number % 4 for number, name in enumerate(self.plants)}, self.plants,
            plant, np.tile(day, len(self.plants)), self.mean_30_days(day).ravel(),
        )  # fmt: skip


def fleet(seed=0, plants=12, years=(2019, 2020), kinds=("NDT",), every=6, noise=0.15):
    """A plant has a level and outages of weeks; an image every few days, each instance with errors of its own."""
    rng = np.random.default_rng(seed)
    start, end = int(first_day(years[0])), int(first_day(years[-1] + 1)) + 29
    level = rng.uniform(0.2, 0.9, (plants, 1))
    on = np.repeat(rng.random((plants, (end - start) // 20 + 1)) < 0.8, 20, axis=1)[:, : end - start]
    daily = np.clip(level + 0.15 * np.sin(np.arange(end - start) / 58.0), 0, 1) * on
    names = tuple(f"plant {number:02}" for number in range(plants))
    rows, truth = [], []
    for number, name in enumerate(names):
        for day in np.flatnonzero(rng.random(end - start) < 1 / every):
            imager = "landsat8" if rng.random() < 0.3 else "sentinel2"
            factor, image = daily[number, day], f"{imager} {start + day}"
            at = (name, imager, image, (start + int(day)) * DAY_NS + 10 * DAY_NS // 24)
            truth.append((*at[:3], factor))
            for kind in kinds:
                for pair in (pair for pair in PAIRS if pair.imager == imager):
                    for instance in range(4):
                        told = np.clip(factor + noise * rng.normal(size=3), 0, 1)
                        score = np.clip(0.5 + 2.0 * (told - 0.1), 0.02, 0.98)
                        of_head = {"cls": score[0], "reg": told[1], "aux": score[2]}
                        rows += [
                            (*at, kind, pair.model, instance, head, of_head[head], "sha", TIER) for head in HEADS[pair]
                        ]
    columns = list(zip(*rows, strict=True))
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SOUNDINGS, strict=True)]
    keys = ("plant_id", "imager", "image_id", "capacity_factor")
    known = pa.table(dict(zip(keys, map(list, zip(*truth, strict=True)), strict=True)))
    return Fleet(names, start, daily, pa.table(arrays, schema=SOUNDINGS), known)


def plant_row(name="plant 00", country="USA"):
    return {
        "plant_id": name,
        "lat": 40.0,
        "lon": -80.0,
        "country": country,
        "primary_fuel": "bituminous",
        "data_tier": TIER,
    }


def unit_rows(*units, plant="plant 00"):
    """Units as (id, fuel, mover, MW) or with start and end in ns."""
    rows = []
    for unit_id, fuel, mover, mw, *dates in units:
        begin, end = dates or (None, None)
        rows.append(
            {
                "plant_id": plant, "unit_id": unit_id, "name": unit_id, "fuel": fuel, "prime_mover": mover,
                "capacity_mw": mw, "start_utc_ns": begin, "end_utc_ns": end, "cooling_type": "", "wet_fgd": None,
                "source": "test", "source_id": unit_id,
            }
        )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=UNITS)
