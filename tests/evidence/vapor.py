"""Draws the renderer's contact sheets and compares its images with the real ones at hand.

`python -m tests.evidence.vapor --out docs/evidence/vapor [--data ../shared/data]` writes PNGs labelled SYNTHETIC, and,
where the real images are, results.json with histograms, spectra and what classifiers tell apart; README.md says what is
what. No number of the renderer is fitted to the real images; shares of land and the ground's grain were set by eye.
"""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tests.evidence import vapor_comparison, vapor_sheets

SIDES_M = {"planetscope": 480.0, "sentinel2": 1000.0, "landsat8": 2400.0}
CONFUSER_SIDES_M = {"planetscope": 400.0, "sentinel2": 970.0, "landsat8": 2400.0}


def main() -> None:
    """Parses the command line and writes the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the evidence")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of real data")
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    for name, side_m in SIDES_M.items():
        vapor_sheets.weather_sheet(name, side_m, flags.out / f"weather_{name}.png")
    vapor_sheets.confuser_sheet(CONFUSER_SIDES_M, flags.out / "confusers.png")
    vapor_sheets.band_sheet(flags.out / "bands.png")
    results: dict[str, Any] = {"inputs_sha256": {}, "comparison": {}}
    if flags.data.is_dir():
        found = vapor_comparison.compared(flags.data)
        histograms(found, flags.out / "histograms.png")
        plain = {name: {key: part for key, part in told.items() if key != "_patches"} for name, told in found.items()}
        results = {"inputs_sha256": hashes(flags.data), "comparison": plain}
    (flags.out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (flags.out / "README.md").write_text(readme(results), encoding="utf-8")


def hashes(data: Path) -> dict[str, str]:
    """SHA-256 of every real image that was read."""
    folders = (vapor_comparison.LANDSAT, vapor_comparison.CHIPS, vapor_comparison.HLS)
    files = sorted(path for folder in folders for path in (data / folder).iterdir())
    return {str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def histograms(found: dict[str, Any], path: Path) -> None:
    """Band histograms of real and synthetic patches side by side."""
    names = [name for name, told in found.items() if "_patches" in told]
    width = max(len(found[name]["bands"]) for name in names)
    figure = Figure(figsize=(1.7 * width, 1.7 * len(names)), layout="constrained")
    axes = figure.subplots(len(names), width)
    for row, name in zip(axes, names, strict=True):
        real, synthetic = found[name]["_patches"]
        for axis in row[len(found[name]["bands"]) :]:
            axis.axis("off")
        for band, axis in zip(found[name]["bands"], row, strict=False):
            place = found[name]["bands"].index(band)
            parts = {"real": real.values[:, place].ravel(), "SYNTHETIC": synthetic.values[:, place].ravel()}
            edges = np.linspace(*np.percentile(np.concatenate(list(parts.values())), (0.5, 99.5)), 50)
            for label, values in parts.items():
                axis.hist(values, edges, density=True, histtype="step", label=label)
            axis.set_title(f"{name} {band}", fontsize=6)
            axis.tick_params(labelsize=5)
            axis.set_yticks([])
    axes[0][0].legend(fontsize=5)
    figure.savefig(path, dpi=90, metadata={"Software": None})


def readme(results: dict[str, Any]) -> str:
    """The page of the folder."""
    lines = [
        "# Rendered images: pictures, and how they differ from real ones",
        "",
        "Written by `python -m tests.evidence.vapor --out docs/evidence/vapor --data ../shared/data`.",
        "All pictures are SYNTHETIC: every one is made by `carbonray/synthetic/vapor.py` from hand-made weather.",
        "",
        "| file | what |",
        "|---|---|",
        *(
            f"| weather_{name}.png | towers and stacks under weather, {side:g} m wide |"
            for name, side in SIDES_M.items()
        ),
        "| confusers.png | clouds, fog, haze, smoke, other steam, snow and the shift tier, by imager |",
        "| bands_*.png | all bands of a Sentinel-2 and a Landsat image, and the imperfect cloud mask |",
        "| histograms.png | band histograms, real and SYNTHETIC |",
        "",
    ]
    for name, told in results["comparison"].items():
        if "classifier" in told:
            lines += _section(name, told)
    slopes = results["comparison"].get("hls_chip", {}).get("spectral_slope")
    if slopes:
        lines += [f"HLS chip (real, surface reflectance, band order not stated): spectral slopes {slopes}.", ""]
    lines += [
        "The real images hold no plant with visible vapor; they are one scene on the coast of the Gulf of Mexico, two",
        "chips of one alpine valley and one chip of unknown place. A classifier that tells them from the fleet's",
        "regions tells places apart as well as the renderer from the world. SYNTHETIC patches here are of June to",
        "August, of plants north of the equator outside the shift tier, under at most 30 % of flagged cloud. Shares of",
        "land and the grain of the ground were set by eye after a first comparison; nothing was fitted.",
        "",
    ]
    return "\n".join(lines)


def _section(name: str, told: dict[str, Any]) -> list[str]:
    """One imager's tables."""
    real, made = told["percentiles"]["real"], told["percentiles"]["synthetic"]
    rows = zip(told["bands"], real, made, told["histogram_overlap"], told["spectral_slope"]["real"],
               told["spectral_slope"]["synthetic"], strict=True)  # fmt: skip
    table = [f"| {band} | {r} | {m} | {overlap} | {a} | {b} |" for band, r, m, overlap, a, b in rows]
    scores = [
        f"| {model} | {numbers} | {score['balanced_accuracy']} | {score['auc']} |"
        for model, sets in told["classifier"].items()
        for numbers, score in sets.items()
    ]
    return [
        f"## {name}: {told['patches']['real']} real patches, {told['patches']['synthetic']} SYNTHETIC",
        "",
        "| band | 5, 50, 95 % real | 5, 50, 95 % SYNTHETIC | histogram overlap | slope real | slope SYNTHETIC |",
        "|---|---|---|---|---|---|",
        *table,
        "",
        "| classifier | patch statistics | balanced accuracy (0.5: cannot tell) | AUC |",
        "|---|---|---|---|",
        *scores,
        "",
    ]


if __name__ == "__main__":
    main()
