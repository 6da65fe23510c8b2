"""The samples of networks of 1 km cells: masks to cells, files to points, tiles of both to a training store.

Source: SCIENCE 1.2. The first two passes are those of the product; a sample's unit is a tile of cells, over the tables
that touch it or the cells around it, and its id holds the versions of every image and grid that it reads.
"""

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from carbonray.contract import Unit, encode_object_rows
from carbonray.engine.plan import Pass
from carbonray.engine.run import Run
from carbonray.errors import SettingsError
from carbonray.io import objectstore
from carbonray.io.ledger import Commit
from carbonray.io.urban.basemap_index import index_basemap
from carbonray.io.urban.co2_labels import monthly_files
from carbonray.models.cell_registry import cell_entry
from carbonray.pipelines.grid import category_map, cell_units, cells_pass, image_versions, point_units, points_pass
from carbonray.pipelines.planning import expanded, records_of, tiers_of, unit_of
from carbonray.settings import Settings
from carbonray.stages.cell_places import CELLS_FOLDER, POINTS_FOLDER
from carbonray.stages.cell_readers import REJECTED
from carbonray.stages.cell_roles import TrainingCells
from carbonray.stages.cell_samples import FOLDER, CellSources, ReadCellSamples, grid_tier, tiles_beside
from carbonray.stages.cell_streams import CellShard
from carbonray.synthetic.city.frozen import city_generator_sha256

Tile = tuple[int, int]
ROOT = "zarr.json"


def planned_inputs(settings: Settings, digest: str) -> tuple[Unit, ...]:
    """A unit a mask and a file of points; tiles are known once masks are read.

    Raises:
        SettingsError: a mask, a label, or both images and points are not given.
    """
    _require_labels(settings)
    return (*cell_units(settings, digest), *point_units(settings, digest, ()))


def prepared_cells(run: Run, settings: Settings) -> TrainingCells:
    """Executes the passes `cells`, `points` and `samples`, and answers what they left.

    Raises:
        SettingsError: an input is not given.
        DataError: the label's grids lack a month.
    """
    _require_labels(settings)
    celled = run.execute(cells_pass(run, settings))
    pointed = run.execute(points_pass(run, settings, celled)) if settings.inputs.poi else []
    sampled = run.execute(sample_pass(run, settings, celled, pointed))
    tier = ", ".join(tiers_of(sampled))
    run.facts["data_tier"], run.facts["year"] = tier, settings.grid.rules.year
    return TrainingCells(
        url=run.url,
        shards=stored_shards(run.url, sampled),
        categories=category_map(settings).names,
        image_px=settings.grid.basemap.image_px,
        ring=ring_of(settings),
        tier=tier,
        generator_sha256=city_generator_sha256() if "SYNTHETIC" in tier else "",
    )


def sample_pass(run: Run, settings: Settings, celled: Sequence[Commit], pointed: Sequence[Commit]) -> Pass:
    """Tiles of cells to samples."""
    sources = cell_sources(settings, pointed)
    reader = ReadCellSamples(sources, settings.grid.rules.tile_cells, ring_of(settings))
    return Pass("samples", sample_units(run, settings, celled, pointed, sources), reader, encode_object_rows)


def sample_units(
    run: Run, settings: Settings, celled: Sequence[Commit], pointed: Sequence[Commit], sources: CellSources
) -> tuple[Unit, ...]:
    """A unit a tile with cells, over the tables with rows there or in a tile beside it."""
    side, version = settings.grid.rules.tile_cells, functools.cache(lambda url: objectstore.version(url)[0])
    touching: dict[Tile, dict[str, Commit]] = defaultdict(dict)
    for commit in (*celled, *pointed):
        for row, col, _ in commit.facts.get("tiles", []):
            touching[row, col][f"{commit.pass_name}/{commit.key}"] = commit
    tiles = {(row, col) for commit in celled for row, col, _ in commit.facts.get("tiles", [])}
    grids = [url for urls in sources.co2.values() for url in urls]
    known = objectstore.sha256("\n".join(sorted(sources.told_cities)).encode())
    fixed = [known, sources.tier, *map(version, (*grids, *sources.lights))]
    units = []
    for tile in sorted(tiles):
        near = [beside for beside in tiles_beside(tile, side) if beside in touching]
        commits = {name: commit for beside in near for name, commit in touching[beside].items()}
        ordered = [commits[name] for name in sorted(commits)]
        records = [r for folder in (CELLS_FOLDER, POINTS_FOLDER) for r in records_of(ordered, folder, ".parquet")]
        inputs = {objectstore.join(run.url, r.key): r for r in records if not r.key.endswith(REJECTED)}
        images = image_versions(sources.basemap, near, side, version)
        place: dict[str, int | str] = {"tile_row": tile[0], "tile_col": tile[1]}
        key = f"tile-{tile[0]:04d}-{tile[1]:04d}"
        units.append(unit_of(run.settings_digest, "samples", key, inputs, place, [*fixed, *images]))
    return tuple(units)


def cell_sources(settings: Settings, pointed: Sequence[Commit]) -> CellSources:
    """What samples are made of, beside the tables.

    Raises:
        DataError: the label's grids lack a month, or one is broken.
    """
    rules = settings.grid
    months = monthly_files(expanded(settings.inputs.co2_grid), rules.rules.year, rules.training.labels)
    return CellSources(
        basemap=index_basemap(expanded(settings.inputs.basemap)) if settings.inputs.basemap else None,
        images=rules.basemap,
        co2=months,
        labels=rules.training.labels,
        year=rules.rules.year,
        tier=grid_tier(next(iter(months.values()))),
        lights=tuple(sorted(expanded(settings.inputs.night_lights))),
        told_cities=frozenset(city for commit in pointed for city in commit.facts.get("cities", {})),
        categories=len(category_map(settings).names),
    )


def ring_of(settings: Settings) -> int:
    """Rings of neighbours that samples hold: those that the model's network may read."""
    told: Mapping[str, Any] = settings.grid.training.config
    return max(1, int(told.get("neighbor_size", cell_entry(settings.model).config.neighbor_size)))


def stored_shards(run_url: str, sampled: Sequence[Commit]) -> tuple[CellShard, ...]:
    """The tiles that hold a labelled cell, by name."""
    shards = []
    for commit in sorted(sampled, key=lambda commit: commit.key):
        folder = f"{FOLDER}/{commit.key}.zarr/"
        records = {record.key.removeprefix(folder): record for record in records_of([commit], folder)}
        if records:
            url, table = (objectstore.join(run_url, f"{FOLDER}/{commit.key}.{end}") for end in ("zarr", "parquet"))
            shards.append(CellShard(url, table, tuple(sorted(records)), records[ROOT].sha256))
    return tuple(shards)


def _require_labels(settings: Settings) -> None:
    if not settings.inputs.co2_grid:
        raise SettingsError(
            "no label is given",
            where="inputs.co2_grid",
            expected="monthly CO2 grids of 30 arc seconds, ODIAC's or alike, of the year in grid.rules.year",
            remedy="Add --set inputs.co2_grid=URL, or make cities: carbonray run world --set world.parts=[cities].",
        )
