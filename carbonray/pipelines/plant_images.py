"""Plans of the image store: which acquisitions see which plant, one unit a plant, imager and year, then its background.

Items are matched to plants by their boxes before any pixel is read; whether a structure is truly inside an image is
for the reader to see.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from carbonray.contract import Unit, encode_object_rows
from carbonray.engine.plan import Pass, plan_unit
from carbonray.engine.run import Run
from carbonray.io import ledger, objectstore
from carbonray.io.image_store import FOLDER, plant_folder
from carbonray.io.imagery.image import Structure
from carbonray.io.imagery.items import ItemPlace, item_places
from carbonray.io.ledger import Commit
from carbonray.pipelines.planning import file_key, records_of, require_complete, unit_id_of, unit_over
from carbonray.science.spatial.geodesy import utc_year
from carbonray.settings import Settings
from carbonray.stages.imagery import IngestRegion, MakeBackground, region_partition
from carbonray.synthetic.fleet_files import RenderStore, image_years
from carbonray.synthetic.fleet_words import gppd_id

Site = tuple[str, str, int]  # plant, imager, year


@dataclass(frozen=True)
class Stores:
    """Commits of image stores, and the folder of the run that holds them."""

    url: str
    commits: tuple[Commit, ...]


def earlier_stores(url: str) -> Stores:
    """The stores of an earlier run, as they are: rules change more often than images.

    Raises:
        SettingsError: there is no such run, or it is not complete.
    """
    return Stores(url, tuple(ledger.read(require_complete(url, "plants.earlier_url"), "images").values()))


def structures_by_plant(structures: pa.Table) -> dict[str, tuple[Structure, ...]]:
    """Plant id -> its annotated structures, in the order of their ids, from `vocab.plant_tables.STRUCTURES`."""
    found: dict[str, list[Structure]] = defaultdict(list)
    for row in structures.sort_by([("plant_id", "ascending"), ("structure_id", "ascending")]).to_pylist():
        found[row["plant_id"]].append(Structure(row["structure_id"], row["structure_kind"], row["lat"], row["lon"]))
    return {plant_id: tuple(own) for plant_id, own in found.items()}


def sites_of(places: Iterable[ItemPlace], plants: Mapping[str, Sequence[Structure]]) -> dict[Site, list[ItemPlace]]:
    """The items whose box holds a structure of a plant, by plant, imager and year, ordered by time, id and URL.

    Items of no declared imager are left out.
    """
    owners = np.repeat(list(plants), [len(own) for own in plants.values()])
    lat, lon = (np.array([getattr(each, name) for own in plants.values() for each in own]) for name in ("lat", "lon"))
    found: dict[Site, list[ItemPlace]] = defaultdict(list)
    for place in places:
        if place.imager:
            year = int(utc_year(place.time_utc_ns))
            for plant_id in np.unique(owners[place.holds(lat, lon)]):
                found[str(plant_id), place.imager, year].append(place)
    return {
        site: sorted(found[site], key=lambda each: (each.time_utc_ns, each.item_id, each.url)) for site in sorted(found)
    }


def image_pass(run: Run, settings: Settings, plants: Mapping[str, tuple[Structure, ...]]) -> Pass:
    """Acquisitions into stores, one unit a plant, imager and year; a file that holds no items is a unit set aside."""
    places = list(item_places(settings.inputs.imagery))
    sites = sites_of(places, plants)
    units = [
        plan_unit(
            "images",
            "-".join(map(str, site)),
            [place.url for place in seen],
            settings_digest=run.settings_digest,
            partition=region_partition(*site, plants[site[0]]),
            expected_rows=len(seen),
        )
        for site, seen in sites.items()
    ]
    units += [
        plan_unit("images", _fault_key(place.url), [place.url], settings_digest="", partition={"fault": place.fault})
        for place in places
        if place.fault
    ]
    return Pass("images", tuple(units), IngestRegion(settings.plants.region), encode_object_rows)


def _fault_key(url: str) -> str:
    return f"unreadable-{file_key(url)}-{objectstore.sha256(url.encode())[:8]}"


def fleet_pass(settings: Settings, plants: pa.Table) -> Pass:
    """The synthetic fleet's images straight into the same stores, for those of its plants that the inventory holds.

    Args:
        settings: the fleet is the one that the inventories tell of.
        plants: schema `PLANTS`.
    """
    known = {
        listed: plant_id
        for plant_id, ids in zip(*(plants.column(name).to_pylist() for name in ("plant_id", "source_ids")), strict=True)
        for listed in json.loads(ids).get("gppd", [])
    }
    digest = settings.digest(("plants", "fleet", "render"))
    units = []
    for plant, imager, year in image_years(settings.fleet):
        if plant_id := known.get(gppd_id(plant)):
            key = f"{plant_id}-{imager}-{year}"
            part = {"plant": plant.index, "plant_id": plant_id, "imager": imager, "year": year}
            units.append(Unit("images", unit_id_of("images", [key], digest), key, part, (), ()))
    return Pass("images", tuple(units), RenderStore(settings.fleet, settings.render), encode_object_rows)


def background_pass(run: Run, settings: Settings, stored: Sequence[Commit]) -> Pass:
    """The background image of each plant and imager that has images, from all its years."""
    years: dict[tuple[str, str], list[Commit]] = defaultdict(list)
    for commit in stored:
        if records_of([commit], FOLDER, "zarr.json"):
            plant_id, imager, _ = commit.key.rsplit("-", 2)
            years[plant_id, imager].append(commit)
    units = tuple(_background_unit(run, site, commits) for site, commits in sorted(years.items()))
    return Pass("backgrounds", units, MakeBackground(settings.plants.background), encode_object_rows)


def _background_unit(run: Run, site: tuple[str, str], commits: Sequence[Commit]) -> Unit:
    """Its inputs are stores, known by the checksums of what they hold."""
    folder = plant_folder(*site)
    records = records_of(commits, f"{folder}/")
    unit = unit_over(run, "backgrounds", "-".join(site), records, {"plant_id": site[0], "imager": site[1]})
    stores = [f"{run.url}/{folder}/{commit.key.rsplit('-', 1)[1]}.zarr" for commit in commits]
    return replace(unit, inputs=tuple(stores))
