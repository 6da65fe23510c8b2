"""Selects plants and images by the paper's rules: what is kept, and what was rejected by which rule.

Source: SCIENCE 4.4, plume paper section 3.4. Image rules come first, then copies among what they leave, then, for
stacks only, the weather. A candidate is an image of a plant for one of the structure kinds the plant has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from carbonray.io.image_store import ImageStack
from carbonray.io.imagery.image import FLAG_BITS
from carbonray.io.plant_weather import PlantWeatherRules, weather_at
from carbonray.science.power.band_math import derived, values
from carbonray.science.power.duplicates import Acquisitions, DuplicateRules, duplicate_verdict
from carbonray.science.power.image_rules import (
    ImageFacts,
    ImageRules,
    brightness,
    cloudiness,
    image_verdict,
    structures_inside,
)
from carbonray.science.power.selection import Verdict, followed_by
from carbonray.science.power.weather_rules import VisibilityRules, weather_verdict
from carbonray.stages.rejections import rejections
from carbonray.vocab.columns import column
from carbonray.vocab.plant_tables import IMAGES
from carbonray.vocab.plants import FGD
from carbonray.vocab.sensors import IMAGERS, Imager

CANDIDATES = pa.schema(
    [
        *(IMAGES.field(name) for name in ("plant_id", "imager", "image_id")),
        column("structure_kind", pa.string(), "1", "NDT or FGD: a kind of structure that the plant has"),
        column("structures_inside", pa.bool_(), "1", "all structures of the kind lie in the measured image"),
        column("brightness", pa.float32(), "1", "mean reflectance of blue, green and red, NaN where not computed"),
        column("cloudiness", pa.float32(), "1", "share of cloud-like pixels, NaN where not computed"),
    ]
)


@dataclass(frozen=True)
class Selection:
    """`kept` are the rows that no rule rejected; `rejected` has schema `REJECTIONS`: together they are all rows."""

    kept: pa.Table
    rejected: pa.Table


def candidates(stack: ImageStack, rules: ImageRules, imagers: Mapping[str, Imager] = IMAGERS) -> pa.Table:
    """Every image of a store for every structure kind of its plant, schema `CANDIDATES`, with its scores.

    Images are scored one at a time, so that no more than one is held in reflectance.
    """
    imager = imagers[stack.of.imager]
    nodata = (stack.flags & FLAG_BITS["nodata"]) != 0
    scored = imager.name in rules.scored_imagers
    scores = [_scores(stack, image, imager, rules) if scored else (np.nan, np.nan) for image in range(len(stack.dn))]
    kinds = np.array([structure.kind for structure in stack.structures], dtype=object)
    tables = [CANDIDATES.empty_table()]
    for kind in sorted(set(kinds.tolist())):
        inside = structures_inside(stack.row[kinds == kind], stack.col[kinds == kind], ~nodata)
        rows = {
            "plant_id": [stack.of.plant_id] * len(scores),
            "imager": [imager.name] * len(scores),
            "image_id": list(stack.image_ids),
            "structure_kind": [kind] * len(scores),
            "structures_inside": inside,
            "brightness": np.array([bright for bright, _ in scores], np.float32),
            "cloudiness": np.array([cloudy for _, cloudy in scores], np.float32),
        }
        tables.append(pa.table(rows, schema=CANDIDATES))
    return pa.concat_tables(tables)


def _scores(stack: ImageStack, image: int, imager: Imager, rules: ImageRules) -> tuple[float, float]:
    """Brightness and cloudiness of one image."""
    one = slice(image, image + 1)
    physical = values(stack.dn[one], stack.scale[one], stack.offset[one], stack.k1[one], stack.k2[one])
    blue, green, red = (physical[:, imager.band_index(name)] for name in ("blue", "green", "red"))
    hot, whiteness, ndvi = (derived(imager, name, physical) for name in ("hot", "whiteness", "ndvi"))
    return float(brightness(blue, green, red)[0]), float(cloudiness(hot, whiteness, ndvi, rules)[0])


@dataclass(frozen=True)
class SelectImages:
    """Applies the rules on images, copies and weather.

    Attributes:
        images: what an image may be.
        duplicates: what a copy is.
        visibility: weather in which stacks show nothing.
        weather: how weather is carried to an image's time.
    """

    images: ImageRules = field(default_factory=ImageRules)
    duplicates: DuplicateRules = field(default_factory=DuplicateRules)
    visibility: VisibilityRules = field(default_factory=VisibilityRules)
    weather: PlantWeatherRules = field(default_factory=PlantWeatherRules)

    def __call__(self, images: pa.Table, of: pa.Table, weather: pa.Table) -> Selection:
        """Candidates that can be learned from or looked at.

        Args:
            images: schema `IMAGES`.
            of: schema `CANDIDATES`; candidates of images that are not among `images` are not looked at.
            weather: schema `PLANT_WEATHER`.
        """
        rows = images.join(of, ["plant_id", "imager", "image_id"], join_type="inner")
        rows = rows.sort_by(
            [(n, "ascending") for n in ("plant_id", "imager", "structure_kind", "time_utc_ns", "image_id")]
        )
        column_of = {name: rows.column(name).to_numpy(zero_copy_only=False) for name in rows.column_names}
        names = ImageFacts.__dataclass_fields__
        verdict = image_verdict(ImageFacts(**{name: column_of[name] for name in names}), self.images)
        verdict = followed_by(verdict, self._copies(column_of, verdict))
        verdict = followed_by(verdict, self._weather(column_of, weather))
        return Selection(rows.filter(pa.array(verdict.kept)), rejections("image", rows, verdict))

    def _copies(self, of: Mapping[str, np.ndarray], before: Verdict) -> Verdict:
        """Only images that can be used compete with each other."""
        left = np.flatnonzero(before.kept)
        place = [f"{p}|{i}|{k}" for p, i, k in zip(of["plant_id"], of["imager"], of["structure_kind"], strict=True)]
        acquisitions = Acquisitions(
            place=np.array(place, dtype=object)[left],
            image_id=of["image_id"][left],
            time_utc_ns=of["time_utc_ns"][left],
            covered_km2=of["covered_km2"][left],
            cloud_fraction=of["cloud_fraction"][left],
            downloaded_utc_ns=of["downloaded_utc_ns"][left],
        )
        return _spread(duplicate_verdict(acquisitions, self.duplicates), left, len(before.rule))

    def _weather(self, of: Mapping[str, np.ndarray], weather: pa.Table) -> Verdict:
        stacks = np.flatnonzero(of["structure_kind"] == FGD)
        then = weather_at(weather, of["plant_id"][stacks], of["time_utc_ns"][stacks], self.weather)
        seen = weather_verdict(then["temperature_c"], then["relative_humidity_pct"], self.visibility)
        return _spread(seen, stacks, len(of["plant_id"]))


def _spread(some: Verdict, rows: np.ndarray, n_rows: int) -> Verdict:
    """A verdict on some rows as one on all: the others are kept."""
    rule, reason = (np.full(n_rows, "", dtype=object) for _ in range(2))
    rule[rows], reason[rows] = some.rule, some.reason
    return Verdict(rule, reason)
