"""What a plant looks like without its vapor: the pixel median of some of its images, drawn once for all.

Source: SCIENCE 4.5 and plume paper section 3.5 (median of 32 random images of the plant). Images are drawn with
`SeedSequence((seed, key of the plant and imager))`, so never by worker or order. Values are those of `band_math`,
(..., band, y, x), for integers of different scaling cannot be compared.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class BackgroundRules:
    """How a background is made.

    Attributes:
        images: most images that it is the median of (plume paper section 3.5).
        seed: of the draw.
    """

    images: int = 32
    seed: int = 0


def drawn_images(image_ids: Sequence[str], key: str, rules: BackgroundRules | None = None) -> tuple[str, ...]:
    """The images that make the background of one plant and imager, sorted; all where there are no more.

    Args:
        image_ids: of every image, in any order.
        key: of the plant and imager.
        rules: how many, and the seed.
    """
    rules = rules or BackgroundRules()
    known = sorted(set(image_ids))
    words = np.frombuffer(hashlib.sha256(key.encode()).digest(), np.uint32).tolist()
    rng = np.random.default_rng(np.random.SeedSequence((rules.seed, *words)))
    count = min(rules.images, len(known))
    return tuple(known[place] for place in sorted(rng.choice(len(known), count, replace=False)))


def pixel_median(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median over the images, (band, y, x), of what was measured; NaN where nothing ever was.

    Args:
        values: (image, band, y, x), NaN where nothing is measured.
    """
    ordered = np.sort(values, axis=0)  # NaN goes last
    count = np.isfinite(values).sum(axis=0)
    low, high = ((np.maximum(count - 1, 0)) // 2)[None], (count // 2)[None]
    high = np.minimum(high, len(values) - 1)
    middle = [np.take_along_axis(ordered, place, axis=0)[0] for place in (low, high)]
    return np.where(count > 0, (middle[0] + middle[1]) / np.float32(2.0), np.float32(np.nan))
