"""Which images hold the patches that models read: inside the image, measured to their last pixel, in every band.

Source: SCIENCE 4.2 and 4.4 (a patch that is not fully inside the image drops the image; models read all bands of their
imager). Rows are images of a plant for one of its structure kinds.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.io.image_store import ImageStack
from carbonray.io.imagery.image import FLAG_BITS
from carbonray.science.power.band_math import NODATA_DN
from carbonray.science.power.patches import cut_patches, patches_inside
from carbonray.science.power.selection import Broken, Verdict, verdict

Pixels = tuple[NDArray[np.int64], NDArray[np.int64]]


def patch_verdict(stack: ImageStack, rows: pa.Table, sizes: Mapping[str, int]) -> Verdict:
    """Rejects rows whose patches are not there, not whole, or lack a band.

    Args:
        stack: the images of one plant, imager and year.
        rows: `image_id` and `structure_kind`.
        sizes: structure kind -> side of the largest patch that is read, pixels.
    """
    kinds = np.array(rows.column("structure_kind").to_pylist(), object)
    place = {name: number for number, name in enumerate(stack.image_ids)}
    at = np.array([place[name] for name in rows.column("image_id").to_pylist()], np.int64)
    outside, torn = (np.zeros(len(kinds), np.bool_) for _ in range(2))
    absent = np.zeros((len(kinds), len(stack.bands)), np.bool_)
    for kind, size in sizes.items():
        here, where = np.flatnonzero(kinds == kind), structure_pixels(stack, kind)
        if not patches_inside(*where, (stack.dn.shape[-2], stack.dn.shape[-1]), size).all():
            outside[here] = True
        elif len(here):
            unmeasured = cut_patches(stack.flags[at[here]], *where, size) & FLAG_BITS["nodata"]
            torn[here] = (unmeasured != 0).any(axis=(1, 2, 3))
            absent[here] = (cut_patches(stack.dn[at[here]], *where, size) == NODATA_DN).all(axis=(-2, -1)).any(axis=1)
    bands, lacking = np.array(stack.bands, object), np.asarray(absent.any(axis=1))
    return verdict(
        len(kinds),
        [
            Broken("patch inside", outside, lambda row: f"a patch of {sizes[kinds[row]]} pixels leaves the region"),
            Broken("band missing", lacking, lambda row: f"nothing is in {', '.join(bands[absent[row]])}"),
            Broken("patch measured", torn, lambda row: f"the image ends inside a patch of {sizes[kinds[row]]} pixels"),
        ],
    )


def structure_pixels(stack: ImageStack, kind: str) -> Pixels:
    """Row and column, (structure,) each, of the structures of a kind."""
    here = np.array([structure.kind == kind for structure in stack.structures], np.bool_)
    return stack.row[here], stack.col[here]
