"""Draws a synthetic fleet and writes its moments beside the published ones of real plants, with pictures.

`python -m tests.evidence.fleet --out docs/evidence/fleet` needs no data. The fleet's numbers are SYNTHETIC: that they
are near the published ones shows that the generator is credible, and nothing about any model.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from carbonray.synthetic.fleet import FleetRules
from carbonray.synthetic.fleet_regions import REGIONS
from carbonray.vocab.plants import FGD, NDT
from tests.evidence import fleet_page, fleet_pictures
from tests.evidence.fleet_moments import PUBLISHED_SOUNDINGS, Seen, moments, seen, soundings

TRAINING = tuple(name for name, region in REGIONS.items() if not region.shift)
SHIFT = tuple(name for name, region in REGIONS.items() if region.shift)


def main() -> None:
    """Parses the command line and writes the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the evidence")
    parser.add_argument("--plants", type=int, default=700, help="plants drawn over all regions")
    flags = parser.parse_args()
    write(flags.out, flags.plants)


def write(out: Path, plants: int) -> dict[str, Any]:
    """Draws the fleet, writes results.json, README.md and the pictures, and answers the results."""
    rules = FleetRules(plants=plants)
    fleet = [seen(rules, index) for index in range(plants)]
    results = {
        "rules": dataclasses.asdict(rules),
        "plants": plants,
        "groups": {name: _group(chosen) for name, chosen in groups(fleet).items()},
        "regions": {name: _region([one for one in fleet if one.plant.region == name]) for name in REGIONS},
        "published_soundings": PUBLISHED_SOUNDINGS,
        "fleet": _whole(fleet),
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (out / "README.md").write_text(fleet_page.readme(results), encoding="utf-8")
    fleet_pictures.draw_map(fleet, out / "map.png")
    fleet_pictures.draw_series(rules, out / "series.png")
    return results


def groups(fleet: list[Seen]) -> dict[str, list[Seen]]:
    """Plants by tier and structure kind; a plant with both kinds is in two groups."""
    return {
        f"{tier} {kind}": [one for one in fleet if one.plant.region in regions and kind in one.plant.kinds]
        for tier, regions in (("T1", TRAINING), ("T2", SHIFT))
        for kind in (NDT, FGD)
    }


def _group(plants: list[Seen]) -> dict[str, Any]:
    return {"plants": len(plants), "moments": moments(plants, seed=1), "soundings": soundings(plants)}


def _region(plants: list[Seen]) -> dict[str, float]:
    found = {name: float(np.nanmean([one.place[name] for one in plants])) for name in plants[0].place}
    clear = sum(one.sums["sentinel2 clear"] for one in plants)
    found["on"] = sum(one.sums["on"] for one in plants) / sum(one.sums["hours"] for one in plants)
    found["clear"] = clear / sum(one.sums["sentinel2 images"] for one in plants)
    found["unseen"] = 1.0 - sum(one.sums["sentinel2 left"] for one in plants) / clear
    return found | {"plants": len(plants)}


def _whole(fleet: list[Seen]) -> dict[str, Any]:
    """What is counted over all plants."""
    capacity = np.array([sum(unit.capacity_mw for unit in one.plant.units) for one in fleet])
    structures = [structure for one in fleet for structure in one.plant.structures]
    return {
        "capacity_gw": [float(value) for value in np.percentile(capacity / 1e3, (5, 50, 95))],
        "structures": {kind: sum(s.kind == kind for s in structures) for kind in (NDT, FGD)},
        "wrong_labels": {
            kind: float(np.mean([not s.emits_vapor for s in structures if s.kind == kind])) for kind in (NDT, FGD)
        },
        "wrong_plants": float(np.mean([any(not s.emits_vapor for s in one.plant.structures) for one in fleet])),
        "conservation": max(one.conservation for one in fleet),
    }


if __name__ == "__main__":
    main()
