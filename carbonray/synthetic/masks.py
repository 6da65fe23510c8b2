"""The masks that come with images, as imperfect as real ones: clouds missed or invented, big plumes taken for clouds.

Source: SCIENCE 4.13, confusers (imperfect cloud mask that flags big plumes as cloud: a selection effect); numbers are
inferred. Flags are (y, x) uint8, bits of `io.imagery.image.FLAG_BITS`.
"""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from carbonray.io.imagery.image import FLAG_BITS, QUALITY_BITS
from carbonray.synthetic.canvas import Field
from carbonray.synthetic.confusers import Sky
from carbonray.synthetic.light import Clouding
from carbonray.synthetic.textures import sampled

Flags = NDArray[np.uint8]


@dataclass(frozen=True)
class MaskRules:
    """How well masks tell clouds; numbers are inferred.

    Attributes:
        cloud_depth: optical depth that is called cloud.
        cirrus_depth: optical depth of ice that is called cloud.
        error: standard deviation of the logarithm of what the mask takes the depth for.
        plume_m2: half of the plumes of this area are taken for clouds, most of the larger ones.
        heavy_haze, light_haze: aerosol or thin-cloud optical depth that is called so.
        shadow: direct light below which a pixel is called shadow.
        snow_reflectance: green reflectance above which cold ground is called snow.
    """

    cloud_depth: float = 2.0
    cirrus_depth: float = 0.25
    error: float = 0.6
    plume_m2: float = 60_000.0
    heavy_haze: float = 0.45
    light_haze: float = 0.25
    shadow: float = 0.55
    snow_reflectance: float = 0.45


@dataclass(frozen=True)
class MaskKind:
    """What a product's mask tells.

    Attributes:
        names: keys of `FLAG_BITS`.
        cells: pixels along a cell of the mask.
        since: first day on which the product carries it.
    """

    names: tuple[str, ...] = ("cloud",)
    cells: int = 1
    since: str = "1970-01-01"


MASKS: MappingProxyType[str, MaskKind] = MappingProxyType(
    {
        "planetscope": MaskKind(("cloud", "haze", "light_haze", "shadow", "snow"), 1, "2018-08-01"),
        "sentinel2": MaskKind(("cloud",), 6),
        "landsat8": MaskKind(("cloud", "shadow", "snow"), 1),
    }
)


def mask_of(imager: str) -> MaskKind:
    """The mask of an imager's product; one that is not listed has clouds only."""
    return MASKS.get(imager, MaskKind())


def mask_flags(
    water: Clouding, sky: Sky, green: Field, kind: MaskKind, frost: float, clouds: Field, rules: MaskRules,
    pixel_m: float, rng: np.random.Generator,
) -> Flags:  # fmt: skip
    """What the product's mask says of an image.

    Args:
        water: vapor and clouds, as pixels see them.
        sky: the rest.
        green: (y, x) reflectance of the ground in green light.
        kind: what the mask tells.
        frost: share of bare ground that snow hides.
        clouds: texture of the mask's errors.
        rules: how well it tells.
        pixel_m: pixel of the store.
        rng: the image's generator for its mask.
    """
    place, chance = rng.uniform(0.0, 512.0, 2), rng.random()
    rows, cols = (np.arange(size, dtype=np.float32) for size in green.shape)
    doubt = np.exp(rules.error * sampled(clouds, place[0] + rows[:, None], place[1] + cols[None, :]))
    vapor = water.share * water.depth
    area = float((vapor > rules.cloud_depth).sum()) * pixel_m**2
    taken = chance < area / (area + rules.plume_m2)
    deep = water.depth if taken else water.depth - vapor
    haze = sky.haze + 0.3 * np.minimum(deep, 1.5) + sky.smoke
    found = {
        "cloud": (_smoothed(deep) * doubt > rules.cloud_depth) | (sky.cirrus * doubt > rules.cirrus_depth),
        "haze": haze * doubt**0.5 > rules.heavy_haze,
        "shadow": _smoothed(water.direct) * doubt**0.2 < rules.shadow,
        "snow": (green * doubt**0.2 > rules.snow_reflectance) & (frost > 0.3),
    }
    found["light_haze"] = (haze * doubt**0.5 > rules.light_haze) & ~found["haze"]
    flags = np.zeros(green.shape, np.uint8)
    for name in kind.names:
        seen = found[name] if name == "cloud" else found[name] & ~found["cloud"]
        flags |= (blocks(seen, kind.cells) * FLAG_BITS[name]).astype(np.uint8)
    return flags


def mask_quality(kind: MaskKind, day: str) -> int:
    """Bits of `QUALITY_BITS` for the masks that a product of a day does not have."""
    absent = day < kind.since
    clouds = QUALITY_BITS["no_cloud_mask"] if absent or "cloud" not in kind.names else 0
    return clouds | (QUALITY_BITS["no_haze_mask"] if absent or "haze" not in kind.names else 0)


def blocks(seen: NDArray[np.bool_], cells: int) -> NDArray[np.bool_]:
    """A mask of coarser cells: one is raised where half of it is."""
    if cells == 1:
        return seen
    rows, cols = seen.shape
    wide = np.pad(seen, ((0, -rows % cells), (0, -cols % cells)), mode="edge")
    means = wide.reshape(wide.shape[0] // cells, cells, -1, cells).mean(axis=(1, 3)) >= 0.5
    return np.asarray(np.repeat(np.repeat(means, cells, axis=0), cells, axis=1)[:rows, :cols])


def _smoothed(field: Field) -> Field:
    return np.asarray(uniform_filter(field, 3, mode="nearest"), np.float32)
