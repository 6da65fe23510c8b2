"""Copies of one acquisition: of images of a plant by one imager at one time, which is kept, and by which tie-break.

Source: plume paper section 3.4 (image selection): largest area, then least cloudy, then latest download, then at
random. Chance is drawn for each image by its own key, so that neither order nor worker matters. Arrays are (n,).
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.power.selection import Broken, Verdict, verdict

SECOND_NS = 1_000_000_000

_TIE_BREAKS = ("smaller area", "cloudier", "earlier download", "random draw")


@dataclass(frozen=True)
class DuplicateRules:
    """When two images are copies.

    Attributes:
        tolerance_s: images of one plant and imager whose times follow each other this closely are one acquisition;
            inferred: neighbouring scenes of a pass are half a minute apart, other satellites minutes.
        seed: of the random draw between images that nothing else tells apart.
    """

    tolerance_s: float = 60.0
    seed: int = 0


@dataclass(frozen=True)
class Acquisitions:
    """What is known of n images.

    Attributes:
        place: (n,) what must be equal for copies: plant and imager, as one word.
        image_id: (n,) ids, unique within a place.
        time_utc_ns: (n,) int64.
        covered_km2: (n,) area of the image; NaN ranks last.
        cloud_fraction: (n,) NaN ranks last.
        downloaded_utc_ns: (n,) int64.
    """

    place: ArrayLike
    image_id: ArrayLike
    time_utc_ns: ArrayLike
    covered_km2: ArrayLike
    cloud_fraction: ArrayLike
    downloaded_utc_ns: ArrayLike


def duplicate_verdict(images: Acquisitions, rules: DuplicateRules) -> Verdict:
    """Rejects all copies of an acquisition but one, and says which one stands and what decided.

    The order of the rows does not matter; exactly one image of every acquisition is kept.
    """
    ids = np.asarray(images.image_id, object)
    group = _groups(images, rules)
    ranks = _ranks(images, ids, group, rules)
    order = np.lexsort((ids.astype(str), *reversed(ranks), group))
    first = np.zeros(len(ids), np.bool_)
    first[order] = np.concatenate([[True], np.diff(group[order]) != 0]) if len(ids) else False
    best = np.zeros(int(group.max(initial=-1)) + 1, np.int64)
    best[group[first]] = np.flatnonzero(first)

    def reason(row: int) -> str:
        other = int(best[group[row]])
        decided = next(
            (word for word, r in zip(_TIE_BREAKS, ranks, strict=True) if r[row] != r[other]), _TIE_BREAKS[-1]
        )
        return f"copy of {ids[other]} ({decided})"

    return verdict(len(ids), [Broken("duplicate", ~first, reason)])


def _groups(images: Acquisitions, rules: DuplicateRules) -> NDArray[np.int64]:
    """(n,) number of the acquisition: a new one begins where the place changes or the time has moved on."""
    _, place = np.unique(np.asarray(images.place).astype(str), return_inverse=True)
    time = np.asarray(images.time_utc_ns, np.int64)
    order = np.lexsort((time, place))
    later = np.diff(time[order]) > rules.tolerance_s * SECOND_NS
    number = np.zeros(len(time), np.int64)
    number[order[1:]] = np.cumsum(later | (np.diff(place[order]) != 0))
    return number


def _ranks(
    images: Acquisitions, ids: NDArray[np.object_], group: NDArray[np.int64], rules: DuplicateRules
) -> list[NDArray[np.float64] | NDArray[np.int64] | NDArray[np.uint64]]:
    """The four tie-breaks, each (n,), the smaller the better; chance is drawn only where there is a choice."""
    area = -np.nan_to_num(np.asarray(images.covered_km2, np.float64), nan=-np.inf)
    cloud = np.nan_to_num(np.asarray(images.cloud_fraction, np.float64), nan=np.inf)
    chance = np.zeros(len(ids), np.uint64)
    for row in np.flatnonzero(np.bincount(group, minlength=1)[group] > 1 if len(group) else group):
        chance[row] = _draw(str(ids[row]), rules.seed)
    return [area, cloud, -np.asarray(images.downloaded_utc_ns, np.int64), chance]


def _draw(image_id: str, seed: int) -> int:
    """A number that belongs to an image and a seed."""
    key = int.from_bytes(hashlib.sha256(image_id.encode()).digest()[:8], "big")
    return int(np.random.SeedSequence((seed, key)).generate_state(1, np.uint64)[0])
