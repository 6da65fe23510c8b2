"""Crops of the images around a plant's structures, as bags that a model pools over.

Source: SCIENCE 4.2, patch geometry: an even size s covers rows r - s/2 to r + s/2 - 1 of the structure's pixel r, and
columns alike; an image whose patch is not wholly inside is dropped by a rule. Arrays are (..., band, y, x), row 0
north; a bag is (image, structure, band, s, s), its mask (image, structure).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import ContractError

Pixels = NDArray[np.int64]


def patches_inside(row: Pixels, col: Pixels, shape: tuple[int, int], size: int) -> NDArray[np.bool_]:
    """(structure,): whether the patch of each lies wholly inside an image.

    Args:
        row, col: (structure,) pixel of each structure.
        shape: rows and columns of the image.
        size: side of a patch, pixels, even.

    Raises:
        ContractError: the size is odd or not above zero.
    """
    half = _half(size)
    rows, cols = shape
    return (row >= half) & (row + half <= rows) & (col >= half) & (col + half <= cols)


def cut_patches(images: NDArray[Any], row: Pixels, col: Pixels, size: int) -> NDArray[Any]:
    """The patch of every structure in every image, (image, structure, band, s, s).

    Args:
        images: (image, band, y, x), or (image, y, x) such as flags, which gives (image, structure, s, s).
        row, col: (structure,) pixel of each structure.
        size: side of a patch, pixels, even.

    Raises:
        ContractError: a patch is not wholly inside, or the size is odd.
    """
    inside = patches_inside(row, col, (images.shape[-2], images.shape[-1]), size)
    if not inside.all():
        raise ContractError(
            f"{(~inside).sum()} of {len(inside)} patches of {size} pixels reach beyond the image",
            where=f"structures {np.flatnonzero(~inside).tolist()}",
            expected=f"patches inside {images.shape[-2]} x {images.shape[-1]} pixels",
            remedy="Drop what `patches_inside` reports, or ingest with a wider margin.",
        )
    around = np.arange(-_half(size), _half(size))
    rows = (row[:, None] + around)[:, :, None]
    cols = (col[:, None] + around)[:, None, :]
    found = images[..., rows, cols]  # (image, band, structure, s, s)
    return found if images.ndim == 3 else np.moveaxis(found, -3, 1)


def padded_bag(patches: NDArray[Any], most: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Patches padded with zeros to a fixed number of structures, and the mask of those that are real.

    Args:
        patches: (image, structure, ...).
        most: structures after padding.

    Returns:
        (image, most, ...) patches and (image, most) mask, True where there is a structure.

    Raises:
        ContractError: there are more structures than that.
    """
    images, found = patches.shape[:2]
    if found > most:
        raise ContractError(
            f"a plant has {found} structures",
            where="padded_bag",
            expected=f"{most} at most",
            remedy="Raise the number that bags are padded to.",
        )
    bag = np.zeros((images, most, *patches.shape[2:]), patches.dtype)
    bag[:, :found] = patches
    return bag, np.broadcast_to(np.arange(most) < found, (images, most)).copy()


def _half(size: int) -> int:
    if size <= 0 or size % 2:
        raise ContractError(
            f"a patch of {size} pixels", where="patches", expected="an even size above zero", remedy="Choose another."
        )
    return size // 2
