"""The page and the pictures of the ingested scenes."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from carbonray.io.image_store import ImageStack
from carbonray.io.imagery.image import FLAG_BITS
from carbonray.science.power.band_math import derived
from carbonray.vocab.sensors import Imager


def draw(
    name: str, stack: ImageStack, physical: np.ndarray, imager: Imager, rows: list[dict[str, Any]], path: Path
) -> None:
    """What was ingested: true colour, near infrared, HOT or temperature, and the flags, with the declared point."""
    warm = next((place for place, band in enumerate(imager.bands) if band.thermal), None)
    last = physical[0, warm] if warm is not None else derived(imager, "hot", physical[0])
    shown = [
        ("true colour", _true_colour(physical[0], imager), None),
        ("near infrared", physical[0, imager.band_index("nir")], "viridis"),
        ("temperature, K" if warm is not None else "HOT", last, "magma"),
        ("flags", _flag_picture(stack.flags[0]), None),
    ]
    with mpl.rc_context({"font.size": 7}):
        figure = Figure(figsize=(9.0, 2.6), layout="constrained")
        for axes, (title, picture, colours) in zip(figure.subplots(1, 4), shown, strict=True):
            drawn = axes.imshow(picture, cmap=colours, interpolation="nearest")
            if colours:
                figure.colorbar(drawn, ax=axes, shrink=0.8)
            axes.plot(stack.col, stack.row, "+", color="red", markersize=7)
            axes.set_title(title)
            axes.set_xticks([])
            axes.set_yticks([])
        figure.suptitle(f"{name}: {rows[0]['image_id']} (flags: cloud white, shadow blue, snow cyan, nodata black)")
        figure.savefig(path, dpi=80)


def readme(results: dict[str, Any]) -> str:
    """The page."""
    return (
        "\n\n".join(
            [_HEAD, _ingested(results), _formula(results), _bands(results), _pictures(results), _inputs(results)]
        )
        + "\n"
    )


_HEAD = """# Real scenes through the imagery ingest

Written by `python -m tests.evidence.imagery --data ../shared/data --out docs/evidence/imagery`.

Each scene goes through the stage that ingests a plant's year: item, reader, region grid, sharded Zarr store and table;
what is shown was read back from the store. **No inventory plant lies in these clips: the points are declared, and this
shows the plumbing, nothing of vapor.** The Landsat scene is a clip of a level-1 scene from before the collections
(2015), so its quality band is read by the bits of that time. The Sentinel-2 chips are level 1C of the years before
baseline 04.00, cut by their provider to 24 x 42 pixels, so the margin around the point is 10 pixels instead of 48;
their cloud mask is the scene classification of the level-2A product of the same tile.

Two things of the files were told by their values, not by their documentation (inferred). The Sentinel-2 chips have
twelve bands and **lack B8A, not B10**: the tenth is all but black (DN 10 to 77), as only the cirrus band is. The HLS
chip is of surface reflectance, not of the top of the atmosphere, and its ten bands look like those of HLS L30: the
eighth is all but black (cirrus), the last two look like temperatures in hundredths of a degree Celsius and are left
out, and its date is not stated. It stands for an imager that nobody foresaw: one declaration, no reader of its own."""


def _ingested(results: dict[str, Any]) -> str:
    lines = [
        "## What was ingested",
        "",
        "| case | image | point | grid | quality bits | valid | cloud | clear | whole image, km2 | sun, degrees |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for case in results["cases"]:
        grid, sun = case["grid"], " / ".join(_text(value) for value in case["sun"])
        lines.append(
            f"| {case['name']} | {case['image_id']} | {case['point'][0]} N, {case['point'][1]} E "
            f"| EPSG:{grid['epsg']} {grid['rows']} x {grid['cols']} at {grid['pixel_m']:g} m "
            f"| {', '.join(case['quality']) or 'none'} | {_text(case['valid'])} | {_text(case['cloud'])} "
            f"| {_text(case['clear'])} | {case['covered_km2']} | {sun} |"
        )
    return "\n".join(lines)


def _formula(results: dict[str, Any]) -> str:
    lines = [
        "## Every pixel against the metadata's formula",
        "",
        "Reflectance (M Q + A) / sin(sun elevation), temperature K2 / ln(K1 / L + 1), for the chips DN / 10,000;",
        "reckoned in 64 bits by a script that shares no code with the readers, pixel by pixel. The panchromatic band",
        "is compared after rounding its mean to the store's integers. What is left is the rounding of 32-bit floats.",
        "",
        "| case | pixels compared | largest difference | relative |",
        "|---|---|---|---|",
    ]
    for case in results["cases"]:
        found = case["formula"]
        lines.append(f"| {case['name']} | {found['pixels']} | {found['max_abs']:.2e} | {found['max_relative']:.1e} |")
    return "\n".join(lines)


def _bands(results: dict[str, Any]) -> str:
    lines = ["## Values: 1st, 50th and 99th percentile", "", "Reflectance; kelvin for Landsat's B10 and B11.", ""]
    for case in results["cases"]:
        told = "; ".join(
            f"{band} {' '.join(_text(value) for value in values)}" if values[0] is not None else f"{band} not there"
            for band, values in case["bands"].items()
        )
        lines.append(f"- {case['name']}: {told}")
    return "\n".join(lines)


def _pictures(results: dict[str, Any]) -> str:
    return "\n\n".join(["## Pictures", *(f"![{case['name']}]({case['name']}.png)" for case in results["cases"])])


def _inputs(results: dict[str, Any]) -> str:
    lines = ["## Inputs", "", "| file | sha256 |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | `{digest}` |" for name, digest in results["inputs_sha256"].items())])


def _true_colour(physical: np.ndarray, imager: Imager) -> np.ndarray:
    """(y, x, 3) stretched between the 1st and 99th percentile of all three bands together."""
    bands = np.stack([physical[imager.band_index(name)] for name in ("red", "green", "blue")], axis=-1)
    low, high = np.nanpercentile(bands, [1, 99])
    return np.nan_to_num(np.clip((bands - low) / max(high - low, 1e-6), 0.0, 1.0))


def _flag_picture(flags: np.ndarray) -> np.ndarray:
    picture = np.full((*flags.shape, 3), 0.35)
    for name, colour in {
        "shadow": (0.2, 0.3, 0.9),
        "snow": (0.3, 0.9, 0.9),
        "cloud": (1, 1, 1),
        "nodata": (0, 0, 0),
    }.items():
        picture[(flags & FLAG_BITS[name]) != 0] = colour
    return picture


def _text(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
