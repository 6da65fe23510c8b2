"""Rendered images beside the real ones at hand: histograms, power spectra, and a classifier that tells them apart.

The real images hold no plant with vapor: what is compared is ground, air, sensor and clouds. Patches are 32 x 32 pixels
(10 x 10 of the small Sentinel-2 chips); a patch's numbers are per band mean, standard deviation, 5th and 95th
percentile, roughness of neighbours and spectral slope, and correlations between bands. Cross-validation keeps real
blocks and synthetic plants whole. An accuracy of 0.5 would mean that nobody can tell; 1 that anybody can.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from carbonray.io.imagery.image import RegionImage
from carbonray.io.imagery.landsat8 import toa_scaling
from carbonray.io.imagery.metadata import mtl_groups
from carbonray.synthetic.fleet import FleetRules, plants_of
from carbonray.synthetic.plant_views import RenderRules
from carbonray.synthetic.vapor import render_plant_year
from carbonray.vocab.sensors import IMAGERS

LANDSAT, CHIPS, HLS = "imagery/landsat8_scene", "imagery/sentinel2_barbellino", "imagery/hls_chip"
FLEET = FleetRules(plants=40, first_year=2021, last_year=2021)
PLANTS, IMAGES = 8, 5
SUMMER = (6, 7, 8)  # the months of the real images; plants south of the equator and of the shift tier are left out
# what the two have in common: the bands that both real products hold
BANDS = {
    "landsat8": ("B2", "B3", "B4", "B5", "B6", "B7", "B10"),
    "sentinel2": ("B2", "B3", "B4", "B8", "B11", "B12"),
}
CHIP_BANDS = {"B2": 1, "B3": 2, "B4": 3, "B8": 7, "B11": 10, "B12": 11}  # place in the chips of 12 bands, from 0


@dataclass(frozen=True)
class Patches:
    """(patch, band, y, x) reflectance, thermal in kelvin; (patch,) group that folds keep whole."""

    values: NDArray[np.float32]
    group: NDArray[np.int64]


def compared(data: Path) -> dict[str, Any]:
    """Everything that is told, by imager."""
    sides = {"landsat8": (_landsat_scene(data), 32), "sentinel2": (_chips(data), 10)}
    found = {}
    for name, (scenes, side) in sides.items():
        real = _cut(scenes, side)
        synthetic = _cut(_rendered(name), side)
        found[name] = {
            "bands": list(BANDS[name]),
            "patches": {"real": len(real.group), "synthetic": len(synthetic.group)},
            "percentiles": {"real": _percentiles(real), "synthetic": _percentiles(synthetic)},
            "histogram_overlap": _overlap(real, synthetic),
            "spectral_slope": {"real": _slopes(real), "synthetic": _slopes(synthetic)},
            "classifier": _told_apart(real, synthetic),
            "_patches": (real, synthetic),
        }
    found["hls_chip"] = {"spectral_slope": _hls_slopes(data), "note": "surface reflectance, band order not stated"}
    return found


def _landsat_scene(data: Path) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Blocks of the scene of 2015-08-04 as top-of-atmosphere reflectance or kelvin, and the block's number."""
    folder, imager = data / LANDSAT, IMAGERS["landsat8"]
    groups = mtl_groups(str(folder / "l8_MTL.txt"))
    scaling = toa_scaling(groups, imager, float(groups["IMAGE_ATTRIBUTES"]["SUN_ELEVATION"]), "scene")
    layers = []
    for name in BANDS["landsat8"]:
        place = [band.name for band in imager.bands].index(name)
        with rasterio.open(folder / f"l8_{name}.tif") as file:
            value = file.read(1) * scaling.scale[place] + scaling.offset[place]
        thermal = imager.bands[place].thermal
        layers.append(scaling.k2[place] / np.log1p(scaling.k1[place] / value) if thermal else value)
    scene = np.stack(layers).astype(np.float32)
    for number, (top, left) in enumerate(itertools.product(range(0, 576, 96), range(0, 576, 96))):
        yield scene[:, top : top + 96, left : left + 96], number


def _chips(data: Path) -> Iterator[tuple[NDArray[np.float32], int]]:
    """The two level-1C chips of an alpine valley."""
    for number, path in enumerate(sorted((data / CHIPS).glob("S2A1C_*_TOA_10.tif"))):
        with rasterio.open(path) as file:
            chip = file.read([place + 1 for place in CHIP_BANDS.values()])
        for half, top in enumerate((0, 21)):
            yield (chip[:, top : top + 20] / 1e4).astype(np.float32), 2 * number + half


def _rendered(name: str) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Summer images of a few plants of the fleet with at most three tenths of cloud."""
    imager = IMAGERS[name]
    places = [[band.name for band in imager.bands].index(band) for band in BANDS[name]]
    chosen = (plant for plant in plants_of(FLEET) if plant.lat > 0 and not plant.data_tier.endswith("T2"))
    for plant in itertools.islice(chosen, PLANTS):
        shown = (each.image for each in render_plant_year(RenderRules(), FLEET, plant, imager, 2021))
        for image in itertools.islice((each for each in shown if _like_the_real(each)), IMAGES):
            value = image.dn[places] * image.scale[places, None, None] + image.offset[places, None, None]
            for layer, place in zip(value, places, strict=True):
                if imager.bands[place].thermal:
                    layer[...] = image.k2[place] / np.log1p(image.k1[place] / layer)
            yield value.astype(np.float32), 1000 + plant.index


def _like_the_real(image: RegionImage) -> bool:
    month = int(np.datetime64(image.time_utc_ns, "ns").astype("datetime64[M]").astype(np.int64)) % 12 + 1
    return month in SUMMER and image.fraction("cloud") < 0.3


def _cut(scenes: Iterator[tuple[NDArray[np.float32], int]], side: int) -> Patches:
    found, group = [], []
    for scene, number in scenes:
        for top, left in itertools.product(*(range(0, size - side + 1, side) for size in scene.shape[1:])):
            found.append(scene[:, top : top + side, left : left + side])
            group.append(number)
    return Patches(np.stack(found), np.array(group))


def _percentiles(patches: Patches) -> list[list[float]]:
    bands = np.moveaxis(patches.values, 1, 0).reshape(patches.values.shape[1], -1)
    return np.round(np.percentile(bands, (5, 50, 95), axis=1).T, 4).tolist()


def _overlap(real: Patches, synthetic: Patches) -> list[float]:
    """Common area of the two histograms of each band: 1 where they are the same."""
    found = []
    for band in range(real.values.shape[1]):
        parts = [patches.values[:, band].ravel() for patches in (real, synthetic)]
        edges = np.linspace(*np.percentile(np.concatenate(parts), (0.5, 99.5)), 61)
        one, other = (np.histogram(np.clip(part, edges[0], edges[-1]), edges)[0] / part.size for part in parts)
        found.append(round(float(np.minimum(one, other).sum()), 3))
    return found


def spectral_slopes(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """(patch, band) slope of the logarithm of the radial power spectrum over that of the wavenumber."""
    side = values.shape[-1]
    window = np.hanning(side)[:, None] * np.hanning(side)
    centred = (values - values.mean(axis=(-2, -1), keepdims=True)) * window
    power = np.abs(np.fft.rfft2(centred)) ** 2
    wave = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    rings = [
        (wave >= low) & (wave < high)
        for low, high in itertools.pairwise(np.geomspace(1.5 / side, 0.5, 7 if side >= 32 else 4))
    ]
    level = np.stack([np.log(power[..., ring].mean(axis=-1) + 1e-12) for ring in rings], axis=-1)
    centre = np.log([wave[ring].mean() for ring in rings])
    centre = centre - centre.mean()
    return level @ centre / (centre @ centre)


def _slopes(patches: Patches) -> list[float]:
    return np.round(np.median(spectral_slopes(patches.values), axis=0), 2).tolist()


def _hls_slopes(data: Path) -> list[float]:
    with rasterio.open(next((data / HLS).glob("*.tif"))) as file:
        chip = file.read() / 1e4
    return _slopes(_cut(iter([(chip.astype(np.float32), 0)]), 32))


def _features(values: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """Numbers of a patch in two sets: how bright it is, and how it is built once brightness is taken away."""
    flat = values.reshape(*values.shape[:2], -1)
    mean, spread = flat.mean(axis=-1), flat.std(axis=-1) + 1e-6
    rough = np.abs(np.diff(values, axis=-1)).mean(axis=(-2, -1)) / spread
    normal = (flat - mean[..., None]) / spread[..., None]
    pairs = np.einsum("pbx,pcx->pbc", normal, normal) / flat.shape[-1]
    upper = np.triu_indices(values.shape[1], 1)
    low, high = np.percentile(normal, (5, 95), axis=-1)
    texture = np.concatenate([rough, low, high, spectral_slopes(values), pairs[:, *upper]], axis=1)
    return {"brightness": np.concatenate([mean, np.log(spread)], axis=1), "texture": texture}


def _told_apart(real: Patches, synthetic: Patches) -> dict[str, dict[str, dict[str, float]]]:
    """Balanced accuracy and area under the curve of two classifiers on each set of numbers and on both."""
    values = np.concatenate([real.values, synthetic.values])
    truth = np.r_[np.zeros(len(real.group)), np.ones(len(synthetic.group))]
    group = np.r_[real.group, synthetic.group]
    sets = _features(values)
    sets["both"] = np.concatenate(list(sets.values()), axis=1)
    folds = StratifiedGroupKFold(min(5, len(np.unique(real.group))), shuffle=True, random_state=0)
    models = {
        "logistic regression": make_pipeline(
            StandardScaler(), LogisticRegression(max_iter=2000, class_weight="balanced")
        ),
        "gradient boosting": HistGradientBoostingClassifier(max_iter=80, random_state=0, class_weight="balanced"),
    }
    return {
        model: {name: _score(made, numbers, truth, group, folds) for name, numbers in sets.items()}
        for model, made in models.items()
    }


def _score(model: Any, numbers: Any, truth: Any, group: Any, folds: StratifiedGroupKFold) -> dict[str, float]:
    score = cross_val_predict(model, numbers, truth, groups=group, cv=folds, method="predict_proba")[:, 1]
    right = [((score >= 0.5) == truth)[truth == side].mean() for side in (0, 1)]
    return {"balanced_accuracy": round(float(np.mean(right)), 3), "auc": round(float(roc_auc_score(truth, score)), 3)}
