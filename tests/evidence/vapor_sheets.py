"""Contact sheets of rendered images: structure kinds under weather, confusers, and all bands of an image.

Every picture is made by hand-made weather over one plant of the synthetic fleet, so that a sheet shows one thing at a
time. Colours are red, green and blue reflectance at the top of the atmosphere, 0.02 to 0.75, gamma 1.6.
"""

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

from carbonray.io.imagery.image import FLAG_BITS, RegionImage
from carbonray.synthetic.backgrounds import Season
from carbonray.synthetic.confusers import ConfuserRules
from carbonray.synthetic.fleet import FleetRules, plant_of
from carbonray.synthetic.plant_views import PlantView, RenderRules, view_of
from carbonray.synthetic.vapor import Moment, rendered
from carbonray.synthetic.vapor_plumes import Air
from carbonray.vocab.sensors import IMAGERS

FLEET = FleetRules()
MORNING_NS = 1_609_459_200 * 10**9 + 79 * 86_400 * 10**9 + 9 * 3600 * 10**9  # 2021-03-21, nine hours UTC
SPRING, WINTER = Season(110.0, 0.0, 1.0), Season(20.0, 2.5, 1.0)
WEATHERS = {
    "-8 C, 80 %": {"temperature_c": -8.0, "humidity": 80.0},
    "5 C, 75 %": {"temperature_c": 5.0, "humidity": 75.0},
    "15 C, 60 %": {"temperature_c": 15.0, "humidity": 60.0},
    "24 C, 36 %": {"temperature_c": 24.0, "humidity": 36.0},
    "5 C, calm": {"temperature_c": 5.0, "humidity": 75.0, "wind": (0.9, 0.3)},
    "5 C, load 0.3": {"temperature_c": 5.0, "humidity": 75.0, "load": 0.3},
    "off": {"temperature_c": 5.0, "humidity": 75.0, "load": 0.0},
}
NONE = ConfuserRules(cirrus_share=0.0, smoke_share=0.0, fog_share=0.0, haze_spread=0.0, vent_share=0.0)
CONFUSERS = {
    "clear": (NONE, {}),
    "cumulus": (NONE, {"cloud": 0.35}),
    "cirrus": (replace(NONE, cirrus_share=1.0, cirrus_depth=(0.6, 0.8)), {}),
    "fog": (replace(NONE, fog_share=1.0, fog_depth=(3.0, 3.0)), {"humidity": 96.0, "wind": (1.2, 0.6)}),
    "haze": (replace(NONE, haze_depth=0.5), {}),
    "smoke": (replace(NONE, smoke_share=1.0, smoke_depth=(6.0, 6.0)), {}),
    "other steam": (replace(NONE, vent_share=1.0), {}),
    "snow": (NONE, {"season": WINTER, "temperature_c": -3.0}),
}


mpl.use("Agg")  # no display


def plant_with(kinds: tuple[str, ...], *, shift: bool = False) -> int:
    """Index of the first plant with these structure kinds, of the shift tier or not, whose labels are right."""
    for index in range(200):
        plant = plant_of(FLEET, index)
        honest = all(structure.emits_vapor for structure in plant.structures)
        if plant.kinds == kinds and honest and plant.data_tier.endswith("T2") == shift:
            return index
    raise LookupError(f"no plant has {kinds}")


def picture(
    view: PlantView, rules: RenderRules, temperature_c: float = 5.0, humidity: float = 75.0,
    wind: tuple[float, float] = (3.0, 1.5), load: float = 1.0, cloud: float = 0.0, season: Season = SPRING,
    shot: int = 0,
) -> RegionImage:  # fmt: skip
    """One image of a view, in the morning of its place."""
    count = len(view.structures.kind)
    time_ns = MORNING_NS - round(view.plant.lon / 15.0 * 3600) * 10**9 + 3600 * 10**9 + shot * 10**9
    moment = Moment(time_ns, Air(temperature_c, humidity, *wind), cloud, np.full(count, load), season)
    return rendered(rules, FLEET.seed, view, moment, f"sheet-{shot}", np.full(count, load)).image


def colours(image: RegionImage, side_m: float) -> np.ndarray:
    """(y, x, 3) picture of the middle of an image."""
    imager = IMAGERS[image.imager]
    bands = [imager.band_index(name) for name in ("red", "green", "blue")]
    value = image.dn[bands] * image.scale[bands, None, None] + image.offset[bands, None, None]
    rows, cols = (min(size, round(side_m / imager.pixel_m)) for size in image.flags.shape)
    top, left = (image.flags.shape[0] - rows) // 2, (image.flags.shape[1] - cols) // 2
    stretched = np.clip((value - 0.02) / 0.73, 0.0, 1.0) ** (1 / 1.6)
    return stretched[:, top : top + rows, left : left + cols].transpose(1, 2, 0)


def sheet(pictures: list[list[np.ndarray]], rows: list[str], columns: list[str], title: str, path: Path) -> None:
    """Writes a labelled grid of pictures."""
    figure, axes = plt.subplots(len(rows), len(columns), figsize=(1.55 * len(columns), 1.62 * len(rows) + 0.35))
    for line, name, row in zip(pictures, rows, np.atleast_2d(axes), strict=True):
        for shown, column, axis in zip(line, columns, row, strict=True):
            axis.imshow(shown, interpolation="nearest", cmap="gray")
            axis.set(xticks=[], yticks=[])
            if line is pictures[0]:
                axis.set_title(column, fontsize=7, pad=2)
            if shown is line[0]:
                axis.set_ylabel(name, fontsize=7)
    figure.suptitle(f"SYNTHETIC: {title}", fontsize=8, y=0.995)
    figure.subplots_adjust(left=0.03, right=0.998, bottom=0.004, top=1 - 0.42 / figure.get_figheight(), wspace=0.02,
                           hspace=0.03)  # fmt: skip
    figure.savefig(path, dpi=100, pil_kwargs={"optimize": True})
    plt.close(figure)
    _paletted(path)


def weather_sheet(name: str, side_m: float, path: Path) -> None:
    """Towers and stacks of one imager under several kinds of weather."""
    rules = RenderRules(confuser=NONE)
    kinds = {"NDT": ("NDT",), "FGD": ("FGD",), "both": ("FGD", "NDT")}
    lines = []
    for wanted in kinds.values():
        view = view_of(rules, FLEET.seed, plant_of(FLEET, plant_with(wanted)), IMAGERS[name])
        shots = [picture(view, rules, shot=k, **each) for k, each in enumerate(WEATHERS.values())]
        lines.append([colours(shot, side_m) for shot in shots])
    sheet(lines, list(kinds), list(WEATHERS), f"{name}, {side_m:g} m, structures under weather", path)


def confuser_sheet(side_m: dict[str, float], path: Path) -> None:
    """What can be mistaken for vapor, as each imager sees it, and a plant of the shift tier."""
    lines, rows = [], list(side_m)
    for name in rows:
        line = []
        for k, (confuser, weather) in enumerate(CONFUSERS.values()):
            rules = RenderRules(confuser=confuser)
            view = view_of(rules, FLEET.seed, plant_of(FLEET, plant_with(("FGD",))), IMAGERS[name])
            line.append(colours(picture(view, rules, shot=20 + k, **weather), side_m[name]))
        shifted = view_of(RenderRules(confuser=NONE), FLEET.seed, plant_of(FLEET, plant_with(("FGD",), shift=True)),
                          IMAGERS[name])  # fmt: skip
        line.append(colours(picture(shifted, RenderRules(confuser=NONE), temperature_c=12.0, shot=40), side_m[name]))
        lines.append(line)
    sheet(lines, rows, [*CONFUSERS, "shift tier T2"], "confusers by imager", path)


def band_sheet(path: Path) -> None:
    """Every band of a Sentinel-2 and a Landsat image of one plant with broken cloud and cirrus, and the masks."""
    rules = RenderRules(confuser=replace(NONE, cirrus_share=1.0, cirrus_depth=(0.2, 0.3)))
    for name, file in (("sentinel2", "sentinel2"), ("landsat8", "landsat8")):
        imager = IMAGERS[name]
        view = view_of(rules, FLEET.seed, plant_of(FLEET, plant_with(("FGD", "NDT"))), imager)
        image = picture(view, rules, cloud=0.15, shot=60)
        panes = [_stretched(band) for band in image.dn] + [(image.flags & FLAG_BITS["cloud"]) != 0]
        names = [band.name for band in imager.bands] + ["cloud mask"]
        half = (len(panes) + 1) // 2
        panes += [np.ones_like(panes[0])] * (2 * half - len(panes))
        names += [""] * (2 * half - len(names))
        sheet(
            [panes[:half]], [name], names[:half], "bands, each stretched", path.with_name(f"{path.stem}_{file}_1.png")
        )
        sheet(
            [panes[half:]], [name], names[half:], "bands, each stretched", path.with_name(f"{path.stem}_{file}_2.png")
        )


def _stretched(band: np.ndarray) -> np.ndarray:
    low, high = np.percentile(band, (1, 99))
    return np.clip((band - low) / max(high - low, 1e-6), 0.0, 1.0)


def _paletted(path: Path) -> None:
    """The same picture in 128 colours: a third of the bytes."""
    from PIL import Image

    with Image.open(path) as opened:
        small = opened.convert("RGB").quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
