"""Statistics of patches around a plant's structures, the features that the sounding trees read.

Source: SCIENCE 4.5 and plume paper section 3.5. Of every structure, patch size and channel: mean, standard deviation
and 90th percentile of the pixels; of these the mean, least and largest over the structures; all of it again for the
image less its background. The difference is taken channel by channel, bands and derived bands alike (inferred: an
index of a difference of reflectances means nothing). NaN is never counted: a statistic of no pixel is NaN, and an
aggregate is over the structures that have one. Patches are (image, structure, band, s, s), features (image, feature).
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import ContractError
from carbonray.science.power.band_math import channel_names, channels
from carbonray.science.power.patches import Pixels, cut_patches
from carbonray.vocab.sensors import Imager

Values = NDArray[np.float32]

VIEWS = ("image", "difference")
STATISTICS = ("mean", "sd", "p90")
AGGREGATES = ("mean", "min", "max")
PERCENTILE = 0.9
BLOCK_VALUES = 2**20  # pixels of all channels worked on at a time: bounds the memory, and stays in a core's cache


def feature_names(imager: Imager) -> tuple[str, ...]:
    """Names of the features of an imager, in order, such as `difference.32px.hot.p90.max`."""
    return tuple(
        f"{view}.{size}px.{channel}.{statistic}.{aggregate}"
        for view in VIEWS
        for size in imager.patch_px
        for channel in channel_names(imager)
        for statistic in STATISTICS
        for aggregate in AGGREGATES
    )


def patch_features(imager: Imager, images: Values, background: Values, row: Pixels, col: Pixels) -> Values:
    """Features of whole images of one plant, (image, feature), in the order of `feature_names`.

    Args:
        imager: its bands, derived bands and patch sizes.
        images: (image, band, y, x) of `band_math.values`, not standardised.
        background: (band, y, x) of the same region, NaN where unknown.
        row, col: (structure,) pixel of each structure of one kind.

    Raises:
        ContractError: there is no structure, or a patch is not wholly inside.
    """
    size = max(imager.patch_px)
    return bag_features(imager, cut_patches(images, row, col, size), cut_patches(background[None], row, col, size)[0])


def bag_features(imager: Imager, patches: Values, background: Values) -> Values:
    """Features of patches cut already, which may be larger than the largest that is needed, (image, feature).

    Args:
        imager: its bands, derived bands and patch sizes.
        patches: (image, structure, band, s, s) of `band_math.values`, not standardised, nor padded.
        background: (structure, band, s, s) of the background.

    Raises:
        ContractError: there is no structure, or the patches are too small.
    """
    _check(imager, patches)
    largest = max(imager.patch_px)
    empty = channels(imager, central(background, largest))
    step = max(1, BLOCK_VALUES // empty.size)
    features = np.empty((len(patches), len(feature_names(imager))), np.float32)
    for first in range(0, len(patches), step):
        seen = channels(imager, central(patches[first : first + step], largest))
        features[first : first + step] = _features(seen, seen - empty, imager.patch_px)
    return features


def central(patches: Values, size: int) -> Values:
    """The patch of an even size within larger ones about the same pixel, (..., size, size): a view."""
    edge = (patches.shape[-1] - size) // 2
    return patches[..., edge : edge + size, edge : edge + size]


def pixel_statistics(patches: Values) -> Values:
    """(statistic, ...) of patches (..., s, s): population spread, and percentiles between pixels by a straight line."""
    pixels = patches.reshape(*patches.shape[:-2], -1)
    missing = np.isnan(pixels)
    count = pixels.shape[-1] - missing.sum(axis=-1)
    complete = bool((count == pixels.shape[-1]).all())
    known = np.where(count > 0, count, np.nan).astype(np.float32)
    held = pixels if complete else np.where(missing, np.float32(0.0), pixels)
    mean = (held.sum(axis=-1, dtype=np.float64) / known).astype(np.float32)  # kelvins would lose their small spread
    apart = pixels - mean[..., None]
    apart *= apart
    if not complete:
        apart[missing] = 0.0
    return np.stack([mean, np.sqrt(apart.sum(axis=-1) / known), _percentile(pixels, count)])


def _features(seen: Values, difference: Values, sizes: tuple[int, ...]) -> Values:
    """(image, feature) of one block of (image, structure, channel, s, s)."""
    found = [
        _over_structures(pixel_statistics(central(view, size)))  # (aggregate, statistic, image, channel)
        for view in (seen, difference)
        for size in sizes
    ]
    ordered = np.moveaxis(np.stack(found), 3, 0)  # (image, view and size, aggregate, statistic, channel)
    return ordered.transpose(0, 1, 4, 3, 2).reshape(len(seen), -1)


def _over_structures(statistics: Values) -> Values:
    """(aggregate, statistic, image, channel) of (statistic, image, structure, channel)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"(Mean of empty|All-NaN) slice", RuntimeWarning)
        means = np.nanmean(statistics, axis=2, dtype=np.float64).astype(np.float32)
    least, most = (reduce(statistics, axis=2) for reduce in (np.fmin.reduce, np.fmax.reduce))
    return np.stack([means, least, most])


def _percentile(pixels: Values, count: NDArray[np.int64]) -> Values:
    """(...,) percentile of the `count` pixels of (..., pixel) that are not NaN; NaN where there is none."""
    low = int(PERCENTILE * (pixels.shape[-1] - 1))
    parted = np.partition(pixels, low, axis=-1)
    found = _between(parted[..., low], parted[..., low + 1 :].min(axis=-1), np.array(pixels.shape[-1]))
    gaps = count < pixels.shape[-1]
    if gaps.any():
        ordered, held = np.sort(pixels[gaps], axis=-1), count[gaps]  # NaN goes last
        at = np.floor(PERCENTILE * np.maximum(held - 1, 0)).astype(np.int64)
        after = np.minimum(at + 1, np.maximum(held - 1, 0))
        below, above = (np.take_along_axis(ordered, each[:, None], axis=-1)[:, 0] for each in (at, after))
        found[gaps] = _between(below, above, held)
    return found


def _between(below: Values, above: Values, count: NDArray[np.int64]) -> Values:
    """The percentile of `count` numbers, from the two in order that it lies between."""
    place = PERCENTILE * np.maximum(count - 1, 0)
    share = (place - np.floor(place)).astype(np.float32)
    return below + share * (above - below)


def _check(imager: Imager, patches: Values) -> None:
    structures, size = patches.shape[1], patches.shape[-1]
    if not structures or size < max(imager.patch_px) or size % 2:
        raise ContractError(
            f"patches of {imager.name} are {patches.shape} (image, structure, band, y, x)",
            where="patch_features",
            expected=f"a structure at least, and an even {max(imager.patch_px)} pixels or more",
            remedy="Score only plants that have such structures, with patches of the imager's largest size.",
        )
