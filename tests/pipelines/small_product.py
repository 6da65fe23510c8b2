"""A fleet of a few plants with a store of images, trained and scored in memory: shared by tests of the product."""

from pathlib import Path
from typing import Any

from carbonray import demo
from carbonray.catalogue import run_job
from carbonray.settings import Settings, load

ERAS = (
    '[{imager: planetscope, since: "2022-03-01", every: 24, share: 1.0}, '
    '{imager: sentinel2, since: "2020-12-01", every: 6, share: 1.0}, '
    '{imager: landsat8, since: "2022-03-01", every: 2, share: 1.0}]'
)
# ten plants in regions whose plants may be learned from, five in a region that no model sees; all of them stand still
# now and then, so that folds of few plants hold both classes
FLEET = (
    "engine.backend=memory",
    "fleet.plants=15",
    "fleet.first_year=2021",
    "fleet.last_year=2021",
    "fleet.regions=[europe_central, europe_southeast, turkiye]",
    "fleet.dispatch.availability=[3.0, 2.0]",
    "fleet.tier=T0",
    f"fleet.overpass.eras={ERAS}",
    "plants.images_from=fleet",
    "plants.selection.years=[2021, 2021]",
    "soundings.left_out_countries=[TUR]",
)
MODELS = (
    "soundings.models=[sentinel2_xgb_ndt, sentinel2_resisc_ndt]",
    "soundings.fit.trees.rounds=20",
    "soundings.fit.fit.epochs=2",
    "soundings.fit.fit.batch_size=16",
    "soundings.fit.config={width: 4, attention_width: 8, patch_px: 16}",
)


def make_store(out: Path, *more: str) -> dict[str, Any]:
    """The fleet's reports under `out/world`, and its ingest under `out/store`."""
    run_job("world", load(overrides=["world.parts=[fleet]", *FLEET, *more]), str(out), "world")
    world = out / "world"
    named = [f"inputs.{name}={world}/{path}" for name, path in demo.INPUTS["ingest"].items() if name != "imagery"]
    reported = [f"{folder.name}={folder}/*" for folder in sorted((world / "reported").iterdir())]
    settings = load(overrides=[*FLEET, *named, f"inputs.reported={reported}", *more])
    return run_job("ingest", settings, str(out), "store")


def train_settings(out: Path, *more: str) -> Settings:
    """Settings that train small models on the store."""
    return load(overrides=[*FLEET, *MODELS, "model=plants", f"plants.store_url={out}/store", *more])


def plant_settings(out: Path, *more: str) -> Settings:
    """Settings that score the store with what `out/models` trained."""
    told = (f"plants.store_url={out}/store", f"inputs.bundles={out}/models")
    return load(overrides=[*FLEET, *MODELS, *told, *more])
