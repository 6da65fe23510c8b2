"""Everything a run of the 1 km product needs, in a second: the demo's city at 32 pixels and an untrained model."""

from pathlib import Path

import torch

from carbonray.catalogue import run_job
from carbonray.io.model_store import Lineage, save_bundle
from carbonray.io.urban.poi_categories import read_category_map
from carbonray.models.opencarbon import OpenCarbon, OpenCarbonConfig
from carbonray.science.urban.cell_splits import CellSplitRules
from carbonray.science.urban.labels import BackTransform
from carbonray.settings import Settings, load
from carbonray.stages.cell_bundles import cell_bundle

PX = 32
INPUTS = {"mask": "mask/*.geojson", "poi": "poi/*.csv", "basemap": "basemap/*/*.tif"}
TILES = ("grid.rules.tile_cells=10", "grid.rules.shard_cells=360", "grid.predict.batch_cells=8")


def city_world(out: Path) -> None:
    """The files of the demo's city, under `OUT/world`."""
    told = ["engine.backend=memory", "world.parts=[cities]", f"cities.px={PX}"]
    run_job("world", load(overrides=told), str(out), "world")


def random_network(instance: int) -> OpenCarbon:
    """An untrained network, the same for the same instance, whose answers differ from cell to cell."""
    torch.manual_seed(instance)
    config = OpenCarbonConfig(image_px=PX, width=8, d=8, pad="learned_mask", ln_center=9.0, ln_spread=30.0)
    return OpenCarbon(config).eval()


def save_untrained(out: Path, instances: int = 2, folds: dict[str, int] | None = None) -> None:
    """Bundles under `OUT/bundles`."""
    names = read_category_map().names
    for instance in range(instances):
        network = random_network(instance)
        tensors = {name: value.numpy() for name, value in network.state_dict().items()}
        lineage = Lineage("none", "none", 0, 0, 0, 0, "", "", {}, {}, {}, folds or {})
        back = BackTransform(1.0 + instance, 0.5)
        bundle = cell_bundle(
            "opencarbon",
            instance,
            network.config,
            tensors,
            back=back,
            categories=names,
            split=CellSplitRules(),
            lineage=lineage,
        )
        save_bundle(str(out / "bundles" / str(instance)), bundle)


def grid_settings(out: Path, *more: str, world: str = "world") -> Settings:
    """Of a run over the city."""
    named = [f"inputs.{name}={out}/{world}/{path}" for name, path in INPUTS.items()]
    return load(overrides=["engine.backend=memory", f"inputs.bundles={out}/bundles", *named, *TILES, *more])
