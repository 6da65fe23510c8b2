"""A finished run of `jobs.ingest` as the source of others: its plants, image stores, labels, reports and weather.

Everything is known from that run's ledger, by checksum; no pixel is read to plan.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from carbonray.contract import Unit
from carbonray.engine.run import FILE
from carbonray.errors import SettingsError
from carbonray.io import ledger, objectstore
from carbonray.io.image_store import FOLDER
from carbonray.io.inventory.store import INVENTORY, read_inventory
from carbonray.io.ledger import Commit, ObjectRecord
from carbonray.pipelines.planning import records_of, require_complete, unit_of

SETTING = "plants.store_url"


@dataclass(frozen=True)
class PlantStore:
    """What an ingest left.

    Attributes:
        url: folder of the run.
        image_url: folder of the run that holds the images: another one where rules alone were changed since.
        plants: schema `PLANTS`.
        units: schema `UNITS`.
        structures: schema `STRUCTURES`.
        images: commits of image stores.
        backgrounds: commits of background images.
        reported: commits of reports.
        weather: commits of weather.
        labelled: commits of labels.
    """

    url: str
    image_url: str
    plants: pa.Table
    units: pa.Table
    structures: pa.Table
    images: tuple[Commit, ...]
    backgrounds: tuple[Commit, ...]
    reported: tuple[Commit, ...]
    weather: tuple[Commit, ...]
    labelled: tuple[Commit, ...]

    def about(self, commits: Sequence[Commit], plant_id: str, folder: str) -> dict[str, ObjectRecord]:
        """URL -> record of the tables under a folder that speak of a plant."""
        told = [commit for commit in commits if plant_id in commit.facts.get("plants", ())]
        return {objectstore.join(self.url, record.key): record for record in records_of(told, f"{folder}/")}


@dataclass(frozen=True)
class Site:
    """The images of one plant, imager and year: `inputs` are the store and the plant's background, URL -> record."""

    plant_id: str
    imager: str
    year: int
    inputs: Mapping[str, ObjectRecord]
    table: ObjectRecord

    @property
    def key(self) -> str:
        """Such as `P0000001-sentinel2-2021`."""
        return f"{self.plant_id}-{self.imager}-{self.year}"


@dataclass(frozen=True)
class TrainingPlant:
    """A plant that models may learn from.

    Attributes:
        fold: 0 to 3.
        years: structure kind -> calendar years in which the rules on plants hold.
    """

    fold: int
    years: Mapping[str, frozenset[int]]


def open_store(url: str, where: str = SETTING) -> PlantStore:
    """The store of a complete ingest.

    Raises:
        SettingsError: there is no such run, or it is not complete.
        DataError: its inventory is bad.
    """
    url = require_complete(objectstore.absolute(url) if url else "", where)
    image_url = _image_url(url)
    plants, units, structures = read_inventory(objectstore.join(url, INVENTORY))
    found = {name: tuple(ledger.read(url, name).values()) for name in ("reported", "weather", "labels")}
    images, backgrounds = (tuple(ledger.read(image_url, name).values()) for name in ("images", "backgrounds"))
    return PlantStore(
        url, image_url, plants, units, structures, images, backgrounds,
        found["reported"], found["weather"], found["labels"],
    )  # fmt: skip


def sites(store: PlantStore) -> Iterator[Site]:
    """Every plant, imager and year with images and a background, in that order."""
    behind = {record.key: record for record in records_of(store.backgrounds, f"{FOLDER}/", "background.zarr/zarr.json")}
    for commit in sorted(store.images, key=lambda commit: commit.key):
        own = records_of([commit], f"{FOLDER}/", ".zarr/zarr.json")
        tables = records_of([commit], f"{FOLDER}/", ".parquet")
        if not own:
            continue
        plant_id, imager, year = commit.key.rsplit("-", 2)
        folder = own[0].key.rsplit("/", 2)[0]
        background = behind.get(f"{folder}/background.zarr/zarr.json")
        if background:
            chosen = (own[0], background)
            inputs = {
                objectstore.join(store.image_url, record.key.removesuffix("/zarr.json")): record for record in chosen
            }
            yield Site(plant_id, imager, int(year), inputs, tables[0])


def site_unit(
    digest: str,
    pass_name: str,
    site: Site,
    more: Mapping[str, ObjectRecord],
    partition: Mapping[str, int | str],
    extra_hashes: Sequence[str] = (),
) -> Unit:
    """A unit over the images of one plant, imager and year: store, background, then what else it reads."""
    told = {"plant_id": site.plant_id, "imager": site.imager, "year": site.year, **partition}
    inputs = {**site.inputs, **more}
    return unit_of(digest, pass_name, site.key, inputs, told, (site.table.sha256, *extra_hashes))


def training_plants(store: PlantStore, left_out_countries: Iterable[str] = ()) -> dict[str, TrainingPlant]:
    """Plants with labels in a year in which the rules on training plants hold, that have a fold.

    Args:
        store: the ingest.
        left_out_countries: ISO3 codes of countries that no model is to see.
    """
    left_out = set(left_out_countries)
    known = {row["plant_id"]: row for row in store.plants.select(["plant_id", "country", "fold"]).to_pylist()}
    found = {}
    for commit in sorted(store.labelled, key=lambda commit: commit.key):
        plant, years = known.get(commit.key), defaultdict(set)
        for kind, year in commit.facts.get("learnable", []):
            years[kind].add(int(year))
        if plant and years and plant["fold"] >= 0 and plant["country"] not in left_out:
            found[commit.key] = TrainingPlant(
                int(plant["fold"]), {kind: frozenset(each) for kind, each in sorted(years.items())}
            )
    return found


def require_same_plants(store: pa.Table, taught: pa.Table, plant_ids: Iterable[str], where: str = SETTING) -> None:
    """Checks that an id means the same plant in the store that is scored as in the one that models learned from.

    Minted ids are those of one line of ingests: in a store of its own they count from the beginning again, and a
    strange plant would be taken for one that taught, or one that taught for a strange one.

    Args:
        store: schema `PLANTS`, to be scored.
        taught: schema `PLANTS`, of the store that models learned from.
        plant_ids: those that models saw.
        where: the setting that names the store.

    Raises:
        SettingsError: a plant that models saw is another one here, or stands here under another id.
    """
    here, there = _listed(store), _listed(taught)
    owner = {listed: plant_id for plant_id, ids in here.items() for listed in ids}
    for plant_id in sorted(set(plant_ids) & there.keys()):
        strange = plant_id in here and not here[plant_id] & there[plant_id]
        moved = {owner[listed] for listed in there[plant_id] if listed in owner} - {plant_id}
        if strange or moved:
            raise SettingsError(
                f"{plant_id} of the store is not the plant of that id that the models saw",
                where=where,
                expected=f"{', '.join(sorted(there[plant_id])[:3])} under {plant_id}, found "
                f"{', '.join(sorted(moved)) or ', '.join(sorted(here[plant_id])[:3])}",
                remedy="Ingest the store again with plants.earlier_url, the store that the models learned from.",
            )


def _listed(plants: pa.Table) -> dict[str, set[str]]:
    """Plant -> its ids in the inventories."""
    rows = plants.select(["plant_id", "source_ids"]).to_pylist()
    return {
        row["plant_id"]: {f"{name} {one}" for name, ids in json.loads(row["source_ids"]).items() for one in ids}
        for row in rows
    }


def rows_of(table: pa.Table, plant_id: str) -> list[dict[str, Any]]:
    """A plant's rows of a table with `plant_id`."""
    rows: list[dict[str, Any]] = table.filter(pa.compute.equal(table.column("plant_id"), plant_id)).to_pylist()
    return rows


def _image_url(url: str) -> str:
    """Where the images are: an ingest may read those of an earlier one."""
    facts = json.loads(objectstore.read_bytes(objectstore.join(url, FILE)))
    told = facts["settings"]["plants"]
    if told["images_from"] != "earlier":
        return url
    return _image_url(require_complete(objectstore.absolute(told["earlier_url"]), f"{url}: plants.earlier_url"))
