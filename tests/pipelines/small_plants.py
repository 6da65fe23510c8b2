"""A fleet of a few plants as files, and settings that ingest it: what tests of the plant store share."""

from pathlib import Path

from carbonray import demo
from carbonray.catalogue import run_job
from carbonray.settings import Settings, load

ERAS = (
    '[{imager: planetscope, since: "2021-11-01", every: 40, share: 1.0}, '
    '{imager: sentinel2, since: "2021-11-01", every: 5, share: 1.0}, '
    '{imager: landsat8, since: "2021-11-01", every: 2, share: 1.0}]'
)
FLEET = (
    "fleet.plants=2",
    "fleet.first_year=2021",
    "fleet.last_year=2021",
    "fleet.regions=[us_east, turkiye]",
    "fleet.tier=T0",
    f"fleet.overpass.eras={ERAS}",
)


def make_fleet(out: Path, *more: str) -> None:
    """The fleet's files, under `out/world`."""
    settings = load(overrides=["engine.backend=memory", "world.parts=[fleet, images]", *FLEET, *more])
    run_job("world", settings, str(out), "world")


def plant_settings(out: Path, *more: str, without: tuple[str, ...] = ()) -> Settings:
    """Settings that ingest it."""
    world = out / "world"
    named = [f"inputs.{name}={world}/{path}" for name, path in demo.INPUTS["ingest"].items() if name not in without]
    reported = [f"{folder.name}={folder}/*" for folder in sorted((world / "reported").iterdir())]
    return load(overrides=["engine.backend=memory", *FLEET, *named, f"inputs.reported={reported}", *more])
