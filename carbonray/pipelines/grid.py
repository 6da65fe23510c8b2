"""The 1 km product: masks to cells, files to points, cells to embeddings, embeddings to tonnes of CO2.

Passes: `cells` (a mask a unit), `points` (a file a unit), `encode` (a tile of cells a unit, every cell once), `regress`
(an output shard a unit, its tiles and a ring around them), `tabulate` (one unit). Each is planned from what the ledger
says of the pass before, so that a resumed run plans the same units.
"""

import functools
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from carbonray.contract import Unit, encode_object_rows
from carbonray.engine.plan import Pass, Pool, plan_unit
from carbonray.engine.run import Run
from carbonray.errors import SettingsError
from carbonray.io import objectstore
from carbonray.io.embedding_store import EmbeddingLayout
from carbonray.io.grid_layout import CELL_LATTICE, CELL_VARIABLES, GridLayout
from carbonray.io.grid_layout import GridRules as StoreRules
from carbonray.io.ledger import Commit, ObjectRecord
from carbonray.io.urban.basemap_index import BasemapIndex, index_basemap
from carbonray.io.urban.poi_categories import CategoryMap, read_category_map
from carbonray.pipelines.cell_pins import cell_pins, model_version, require_categories, shared_split
from carbonray.pipelines.grid_report import grid_report
from carbonray.pipelines.grid_tables import CELLS, EncodeGridShard, JoinShards
from carbonray.pipelines.planning import expanded, file_key, records_of, tiers_of, unit_of, unit_over
from carbonray.publish.report import ReportFacts
from carbonray.settings import Settings
from carbonray.stages.cell_bundles import CellPin
from carbonray.stages.cell_encoding import EMBEDDINGS, EncodeCells, EncodeTile
from carbonray.stages.cell_halo import ReadHalo, tiles_around
from carbonray.stages.cell_places import CELLS_FOLDER, POINTS_FOLDER, tile_bounds, tiles_in
from carbonray.stages.cell_readers import (
    CELLS_ENCODING,
    POINTS_ENCODING,
    REJECTED,
    EncodePlaced,
    ReadMask,
    ReadPoints,
    ReadTile,
)
from carbonray.stages.cell_regression import RegressCells, Told

SUMMARY = "CO2 of urban 1 km cells from satellite images and points of interest: grid, table, GeoTIFF"
SECTIONS = ("grid.rules", "grid.mask", "grid.points", "grid.basemap", "grid.predict")
Tile = tuple[int, int]


def plan(settings: Settings, digest: str) -> tuple[Unit, ...]:
    """One unit a mask and a file of points, and the tiles of the masks' cells, with how many cells each has.

    Raises:
        SettingsError: no mask is given, or neither images nor points are.
    """
    masks = cell_units(settings, digest)
    tiles: Counter[Tile] = Counter()
    reader, side = ReadMask(settings.grid.mask), settings.grid.rules.tile_cells
    for unit in masks:
        for row, col, count in tiles_in(reader(unit).batch["cell_id"], side):
            tiles[row, col] += count
    encoded = (
        replace(unit_of(digest, "encode", _tile_key(tile), {}, {}), expected_rows=count)
        for tile, count in sorted(tiles.items())
    )
    return (*masks, *point_units(settings, digest, ()), *encoded)


def run(run: Run, settings: Settings) -> None:
    """Executes the passes."""
    pins = cell_pins(settings)
    require_categories(pins, category_map(settings))
    celled = run.execute(cells_pass(run, settings))
    pointed = run.execute(points_pass(run, settings, celled)) if settings.inputs.poi else []
    encoded = run.execute(encode_pass(run, settings, celled, pointed, pins))
    regressed = run.execute(regress_pass(run, settings, celled, encoded, pins))
    run.facts["data_tier"], run.facts["year"] = ", ".join(tiers_of(regressed)), settings.grid.rules.year
    run.facts["bundles"] = [{"model": pin.model, "instance": pin.instance, "sha256": pin.sha256} for pin in pins]
    run.facts["split"] = pins[0].split.by
    run.execute(tabulate_pass(run, settings, regressed))
    run.facts["absent_images"] = _absent(encoded)
    run.facts["summary"] = _summary(run, pointed, encoded, regressed)


def report(run: Run, settings: Settings) -> ReportFacts:
    """What the page is made of."""
    return grid_report(run, settings)


def cell_units(settings: Settings, digest: str) -> tuple[Unit, ...]:
    """A unit a mask.

    Raises:
        SettingsError: no mask is given, or neither images nor points are.
    """
    masks = expanded(settings.inputs.mask)
    if not masks or not (settings.inputs.basemap or settings.inputs.poi):
        raise SettingsError(
            "no mask is given" if not masks else "neither images nor points of interest are given",
            where="inputs.mask" if not masks else "inputs.basemap, inputs.poi",
            expected="polygons of cities (GeoJSON, GeoPackage) or a raster of what is urban, beside a basemap, files "
            "of points of interest, or both",
            remedy="Add --set inputs.mask=URL, or make cities: carbonray run world --set world.parts=[cities].",
        )
    return tuple(plan_unit("cells", file_key(url), [url], settings_digest=digest) for url in masks)


def point_units(settings: Settings, digest: str, celled: Sequence[str]) -> tuple[Unit, ...]:
    """A unit a file of points of interest; `celled` are the digests of the tables of cells."""
    hashes = [*celled, *_map_hashes(settings)]
    return tuple(
        plan_unit("points", file_key(url), [url], settings_digest=digest, extra_hashes=hashes)
        for url in expanded(settings.inputs.poi)
    )


def cells_pass(run: Run, settings: Settings) -> Pass:
    """Masks to cells."""
    units = cell_units(settings, run.settings_digest)
    return Pass("cells", units, ReadMask(settings.grid.mask), _cells_encoder(settings))


def points_pass(run: Run, settings: Settings, celled: Sequence[Commit]) -> Pass:
    """Files to points of interest in the cells."""
    tables = _tables(celled, CELLS_FOLDER)
    units = point_units(settings, run.settings_digest, [record.sha256 for record in tables])
    urls = tuple(objectstore.join(run.url, record.key) for record in tables)
    reader = ReadPoints(category_map(settings), settings.grid.points, urls)
    return Pass("points", units, reader, EncodePlaced(*POINTS_ENCODING, settings.grid.rules.tile_cells))


def encode_pass(
    run: Run, settings: Settings, celled: Sequence[Commit], pointed: Sequence[Commit], pins: tuple[CellPin, ...]
) -> Pass:
    """Tiles of cells through the pool of encoders."""
    rules, engine = settings.grid, settings.engine
    index = index_basemap(expanded(settings.inputs.basemap)) if settings.inputs.basemap else None
    told = frozenset(city for commit in pointed for city in commit.facts.get("cities", {}))
    basemap = replace(rules.basemap, image_px=pins[0].image_px)
    reader = ReadTile(index, basemap, rules.rules.tile_cells, told)
    known = objectstore.sha256("\n".join(sorted(told)).encode())
    fixed = [*(pin.sha256 for pin in pins), known]
    units = _tile_units(run, settings, [*celled, *pointed], index, fixed)
    make = partial(EncodeCells, pins, rules.predict)
    # two units an actor: while one is in the encoders, the other is unpacked or packed
    pool = Pool(make, engine.model_actors, engine.model_cpus, engine.model_gpus, units_at_once=2)
    return Pass("encode", units, reader, EncodeTile(embedding_layout(settings, pins)), (pool,))


def regress_pass(
    run: Run, settings: Settings, celled: Sequence[Commit], encoded: Sequence[Commit], pins: tuple[CellPin, ...]
) -> Pass:
    """Output shards, each with the tiles that touch it or its ring."""
    rules, engine = settings.grid, settings.engine
    side, tile_cells = rules.rules.shard_cells, rules.rules.tile_cells
    stored = {_tile_of(commit.key): commit for commit in encoded if commit.status == "committed"}
    tables, units = _tables(celled, CELLS_FOLDER), []
    for shard in sorted({(row * tile_cells // side, col * tile_cells // side) for row, col in stored}):
        near = [stored[tile] for tile in tiles_around(shard, side, tile_cells) if tile in stored]
        records = [*tables, *records_of(near, f"{EMBEDDINGS}/")]
        partition = {"shard_row": shard[0], "shard_col": shard[1]}
        inputs = {objectstore.join(run.url, record.key): record for record in records}
        hashes = [pin.sha256 for pin in pins]
        key = f"shard-{shard[0]:02d}-{shard[1]:03d}"
        units.append(unit_of(run.settings_digest, "regress", key, inputs, partition, hashes))
    split, table = shared_split(pins)
    reader = ReadHalo(embedding_layout(settings, pins), side, split, table)
    told = Told(model_version(pins), ", ".join(sorted({pin.tier for pin in pins})))
    make = partial(RegressCells, pins, rules.predict, rules.rules, told)
    pool = Pool(make, engine.model_actors, engine.model_cpus, engine.model_gpus, units_at_once=2)
    return Pass("regress", tuple(units), reader, EncodeGridShard(grid_layout(settings)), (pool,))


def tabulate_pass(run: Run, settings: Settings, regressed: Sequence[Commit]) -> Pass:
    """All shards to the cities' table, the GeoTIFF and the catalogue's entry, in one unit."""
    unit = unit_over(run, "tabulate", "grid", records_of(regressed, f"{CELLS}/"), {})
    bundles = json.dumps([entry["sha256"] for entry in run.facts["bundles"]])
    reader = JoinShards(grid_layout(settings), {"data_tier": run.facts["data_tier"], "bundles_sha256": bundles})
    return Pass("tabulate", (unit,), reader, encode_object_rows, on_driver=True)


def category_map(settings: Settings) -> CategoryMap:
    """What a class of points counts as."""
    return read_category_map(settings.grid.categories_url)


def embedding_layout(settings: Settings, pins: tuple[CellPin, ...]) -> EmbeddingLayout:
    """Of the store of embeddings."""
    return EmbeddingLayout(len(pins), pins[0].width, settings.grid.rules.tile_cells)


def grid_layout(settings: Settings) -> GridLayout:
    """Of the product: one time step."""
    rules = settings.grid.rules
    store = replace(StoreRules(), shard_px=rules.shard_cells)
    return GridLayout((rules.year,), CELL_VARIABLES, CELL_LATTICE, store)


def _cells_encoder(settings: Settings) -> EncodePlaced:
    return EncodePlaced(*CELLS_ENCODING, settings.grid.rules.tile_cells)


def _tables(commits: Sequence[Commit], folder: str) -> list[ObjectRecord]:
    """The committed tables under a folder, without those of what was rejected."""
    return [record for record in records_of(commits, folder, ".parquet") if not record.key.endswith(REJECTED)]


def _tile_units(
    run: Run, settings: Settings, placed: Sequence[Commit], index: BasemapIndex | None, fixed: Sequence[str]
) -> tuple[Unit, ...]:
    """A unit a tile with cells, over the tables that have rows there; the images' versions are in its id."""
    cells: Counter[Tile] = Counter()
    touching: dict[Tile, list[Commit]] = defaultdict(list)
    for commit in placed:
        for row, col, count in commit.facts.get("tiles", []):
            touching[row, col].append(commit)
            cells[row, col] += count if commit.pass_name == "cells" else 0
    version = functools.cache(lambda url: objectstore.version(url)[0])
    units = []
    for tile in sorted(cells):
        if not cells[tile]:
            continue
        records = [record for folder in (CELLS_FOLDER, POINTS_FOLDER) for record in _tables(touching[tile], folder)]
        inputs = {objectstore.join(run.url, record.key): record for record in records}
        images = image_versions(index, [tile], settings.grid.rules.tile_cells, version)
        place: dict[str, int | str] = {"tile_row": tile[0], "tile_col": tile[1]}
        unit = unit_of(run.settings_digest, "encode", _tile_key(tile), inputs, place, [*fixed, *images])
        units.append(replace(unit, expected_rows=cells[tile]))
    return tuple(units)


def image_versions(
    index: BasemapIndex | None, tiles: Sequence[Tile], tile_cells: int, version: Callable[[str], str]
) -> list[str]:
    """Versions of the rasters that some tiles show, and what is known of trees of map tiles without reading them."""
    if index is None:
        return []
    urls = sorted({url for tile in tiles for url in index.files_of(tile_bounds(tile, tile_cells))})
    listed = ((tree.template, b"" if tree.present is None else tree.present.tobytes()) for tree in index.trees)
    return [*map(version, urls), *(objectstore.sha256(template.encode() + there) for template, there in listed)]


def _tile_key(tile: Tile) -> str:
    return f"tile-{tile[0]:04d}-{tile[1]:04d}"


def _tile_of(key: str) -> Tile:
    row, col = key.rsplit("-", 2)[-2:]
    return int(row), int(col)


def _map_hashes(settings: Settings) -> list[str]:
    known = category_map(settings)
    return [objectstore.sha256(json.dumps([known.names, known.keys, dict(known.known)], sort_keys=True).encode())]


def _absent(encoded: Sequence[Commit]) -> dict[str, int]:
    """Cells without an image, by reason."""
    absent: Counter[str] = Counter()
    for commit in encoded:
        absent.update(commit.facts.get("absent", {}))
    return dict(sorted(absent.items()))


def _summary(
    run: Run, pointed: Sequence[Commit], encoded: Sequence[Commit], regressed: Sequence[Commit]
) -> Mapping[str, object]:
    def total(commits: Sequence[Commit], name: str) -> float:
        return sum(float(commit.facts.get(name, 0)) for commit in commits)

    cells, estimated, looked_at = (int(total(regressed, name)) for name in ("cells", "estimated", "looked_at"))
    return {
        "data tier": run.facts["data_tier"],
        "cells": cells,
        "with an image": int(total(encoded, "image")),
        "points of interest": int(total(pointed, "rows")),
        "estimated": estimated,
        "emissions": f"{total(regressed, 't_co2') / 1e6:.3f} Mt CO2 in {run.facts['year']}",
        "looks at a cell, encoded once": round(looked_at / max(cells, 1), 2),
    }
