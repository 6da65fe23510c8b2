"""The 1 km product as a whole: equal to the network itself, to any cut of the planet, and to a run that was killed."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pystac
import pytest
import rasterio
import torch

from carbonray.catalogue import digest, find_job, rewrite_report, run_job
from carbonray.engine import graph
from carbonray.errors import ContractError, DataError, SettingsError, TransportError
from carbonray.io import grid_store
from carbonray.io.urban.basemap import BasemapRules, read_cell_images
from carbonray.io.urban.basemap_index import index_basemap
from carbonray.io.urban.poi_categories import read_category_map
from carbonray.io.urban.poi_files import read_poi_file
from carbonray.models.cell_batches import CellBatch
from carbonray.science.spatial.cells import neighbor_ids, positions, row_col
from carbonray.vocab.cell_tables import GRID_CELLS, GRID_CITIES
from tests.pipelines.small_city import PX, city_world, grid_settings, random_network, save_untrained

OTHER_MAP = "{names: [eating, everything], keys: [amenity], classes: {eating: [cafe]}, dropped: [], tags: {}}"


@pytest.fixture(scope="module")
def earth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The city's files, and two untrained instances."""
    out = tmp_path_factory.mktemp("earth")
    city_world(out)
    save_untrained(out)
    return out


@pytest.fixture(scope="module")
def done(earth: Path) -> dict[str, Any]:
    """One finished run, `plain`, that tests may look at but not change."""
    return run_job("grid", grid_settings(earth), str(earth), "plain")


def cells_of(run: Path) -> pa.Table:
    """All cells of a run, by number."""
    return pq.read_table(run / "grid_cells.parquet").cast(GRID_CELLS).sort_by("cell_id")


def column(table: pa.Table, name: str) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(table.column(name).to_numpy())


def test_the_products_agree_with_each_other(earth: Path, done: dict[str, Any]) -> None:
    run, cells = earth / "plain", cells_of(earth / "plain")
    verification = json.loads((run / "verification.json").read_text())
    assert verification["complete"] and verification["planned"] == verification["committed"]
    assert cells.num_rows == 100 and set(cells.column("status").to_pylist()) == {"estimated"}
    tonnes, row, col = column(cells, "emissions_t_co2"), *row_col(column(cells, "cell_id"))
    grid = grid_store.open_grid(str(run / "grid.zarr"))
    around = {"lat": slice(row.min() - 5, row.max() + 5), "lon": slice(col.min() - 5, col.max() + 5)}
    window = grid["emissions_t_co2"].isel(time=0, **around).values
    assert np.allclose(window[row - row.min() + 5, col - col.min() + 5], tonnes, rtol=1e-6)
    assert int(np.isfinite(window).sum()) == 100
    with rasterio.open(run / "grid.tif") as raster:
        found = [value[0] for value in raster.sample(zip(column(cells, "lon"), column(cells, "lat"), strict=True))]
        assert np.allclose(found, tonnes, rtol=1e-6)
        assert raster.tags()["data_tier"] == "SYNTHETIC-T1"
    city = pq.read_table(run / "grid_cities.parquet").cast(GRID_CITIES).to_pylist()[0]
    assert city["cells"] == city["estimated"] == 100
    assert city["emissions_t_co2"] == pytest.approx(tonnes.sum())
    assert city["emissions_t_c"] == pytest.approx(tonnes.sum() * 12 / 44)
    item = pystac.Item.from_dict(json.loads((run / "stac" / "item.json").read_text()))
    assert item.properties["carbonray:data_tier"] == "SYNTHETIC-T1"
    assert (run / "stac" / item.assets["cog"].href).resolve() == (run / "grid.tif").resolve()
    assert "Urban CO₂" in (run / "report.html").read_text(encoding="utf-8")
    assert done["summary"]["looks at a cell, encoded once"] > 7


def test_a_cell_is_what_the_network_says_of_its_window(earth: Path, done: dict[str, Any]) -> None:
    """The two passes against one forward pass over the window: encoding once changes nothing."""
    cells = cells_of(earth / "plain")
    numbers = column(cells, "cell_id")
    windows = positions(numbers, neighbor_ids(numbers))
    for at in (0, 37, 99):
        shown = np.unique(windows[at][windows[at] >= 0])
        batch = window_batch(earth, numbers, shown, windows[at])
        with torch.inference_mode():
            answers = [random_network(instance)(batch).ln_e.item() for instance in range(2)]
        assert column(cells, "ln_t_co2")[at] == pytest.approx(np.mean(answers), abs=2e-4)
        tonnes = np.mean([(1.0 + instance) * np.exp(ln) for instance, ln in enumerate(answers)])
        assert column(cells, "emissions_t_co2")[at] == pytest.approx(tonnes, rel=1e-3)
        high = np.exp(np.mean(answers) + 0.5)
        assert column(cells, "emissions_t_co2_p95")[at] == pytest.approx(high, rel=1e-3)
    assert np.ptp(column(cells, "ln_t_co2")) > 0.1, "answers that are all alike would prove nothing"


def window_batch(earth: Path, numbers: np.ndarray, shown: np.ndarray, window: np.ndarray) -> CellBatch:  # type: ignore[type-arg]
    """The window of one cell straight from the files."""
    index = index_basemap([str(path) for path in (earth / "world" / "basemap").rglob("*.tif")])
    images = read_cell_images(index, numbers[shown], BasemapRules(image_px=PX)).images
    points = pa.concat_tables(
        chunk.points for chunk in read_poi_file(str(earth / "world/poi/demo.csv"), read_category_map())
    )
    tile = positions(numbers[shown], points.column("cell_id").to_numpy())
    told = {name: points.column(name).to_numpy()[tile >= 0] for name in ("category", "y", "x")}
    there = torch.ones(len(shown), dtype=torch.bool)
    return CellBatch(
        torch.from_numpy(images),
        there,
        there,
        torch.from_numpy(tile[tile >= 0]),
        *(torch.from_numpy(told[name]) for name in ("category", "y", "x")),
        torch.from_numpy(positions(shown, window))[None],
        torch.full((1,), torch.nan),
        torch.zeros(1, dtype=torch.int64),
    )


@pytest.mark.parametrize("cut", ["grid.rules.tile_cells=12", "grid.rules.shard_cells=120"])
def test_where_the_planet_is_cut_decides_nothing(earth: Path, done: dict[str, Any], cut: str) -> None:
    """Tiles and shards are work units: a halo that was wrong would show at their borders."""
    run_job("grid", grid_settings(earth, cut), str(earth), cut[-9:])
    one, other = cells_of(earth / "plain"), cells_of(earth / cut[-9:])
    for name in ("emissions_t_co2", "ln_t_co2", "poi_attention", "poi_attention_around"):
        assert np.allclose(column(one, name), column(other, name), rtol=1e-4, atol=1e-5), name
    assert one.column("neighbors").equals(other.column("neighbors"))


def test_a_killed_run_ends_in_the_same_bytes(
    earth: Path, done: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off after any commit, taken up again, nothing written twice."""
    plain, commit = done["sha256"], graph.commit
    for budget in (1, 4, 7):
        left = [budget]

        def dying(*arguments: Any, left: list[int] = left) -> Any:
            if not left[0]:
                raise TransportError("killed", where="here", expected="life", remedy="Run it again.")
            left[0] -= 1
            return commit(*arguments)

        settings = grid_settings(earth, "engine.watch.max_passes=1")
        monkeypatch.setattr(graph, "commit", dying)
        with pytest.raises(Exception, match="not committed"):
            run_job("grid", settings, str(earth), f"killed-{budget}")
        monkeypatch.setattr(graph, "commit", commit)
        assert run_job("grid", settings, str(earth), f"killed-{budget}")["sha256"] == plain


def test_a_tile_beyond_the_window_changes_nothing(earth: Path, done: dict[str, Any]) -> None:
    """Other points in one corner of the city: only cells that look there answer otherwise."""
    before = cells_of(earth / "plain")
    numbers = column(before, "cell_id")
    lat, lon = column(before, "lat")[0], column(before, "lon")[0]
    shutil.copytree(earth / "world", earth / "other")
    with (earth / "other/poi/demo.csv").open("a") as file:
        file.writelines(f"{10**12 + k},,restaurant,{lon:.7f},{lat:.7f}\n" for k in range(200))
    run_job("grid", grid_settings(earth, world="other"), str(earth), "changed")
    after = cells_of(earth / "changed")
    moved = column(before, "ln_t_co2") != column(after, "ln_t_co2")
    near = np.isin(numbers, neighbor_ids(numbers[:1]).ravel())
    assert moved[0] and moved[near].any()
    assert not moved[~near].any()


def test_without_images_nothing_is_claimed(earth: Path) -> None:
    """Points alone: every row says what is missing, and no figure is made up."""
    facts = run_job("grid", grid_settings(earth, "inputs.basemap=[]"), str(earth), "blind")
    cells = cells_of(earth / "blind")
    assert set(cells.column("status").to_pylist()) == {"no image"}
    for name in ("emissions_t_co2", "emissions_t_co2_p05", "emissions_t_c", "ln_t_co2"):
        assert np.isnan(column(cells, name)).all(), name
    assert column(cells, "n_points").sum() == 3952
    assert facts["absent_images"] == {"no basemap is given": 100}
    assert facts["summary"]["estimated"] == 0
    assert "no emission is claimed" in (earth / "blind/report.html").read_text(encoding="utf-8")


def test_a_city_without_points_is_not_a_city_of_none(earth: Path) -> None:
    """Files that tell of other places say nothing of this one: its points are unknown, not zero."""
    (earth / "elsewhere.csv").write_text("osm_id,fclass,lon,lat\n1,restaurant,10.0,10.0\n")
    told = f"inputs.poi={earth}/elsewhere.csv"
    run_job("grid", grid_settings(earth, told), str(earth), "pointless")
    cells = cells_of(earth / "pointless")
    assert set(cells.column("status").to_pylist()) == {"no points"}
    assert set(column(cells, "n_points")) == {-1}
    assert not cells.column("poi_present").to_numpy(zero_copy_only=False).any()


def test_a_cell_that_was_learned_from_is_answered_by_who_held_it_out(earth: Path, done: dict[str, Any]) -> None:
    """With a fold table, one instance answers a cell, and no other."""
    from carbonray.science.urban.cell_splits import CellSplitRules, group_names

    numbers = column(cells_of(earth / "plain"), "cell_id")
    groups = group_names(numbers, ["demo"] * 100, CellSplitRules())
    folds = {name: k % 2 for k, name in enumerate(sorted(set(groups))[1:])}
    (earth / "taught").mkdir()
    save_untrained(earth / "taught", folds=folds)
    run_job("grid", grid_settings(earth, f"inputs.bundles={earth}/taught/bundles"), str(earth), "heldout")
    cells = cells_of(earth / "heldout")
    expected = [str(folds[name]) if name in folds else "0,1" for name in groups]
    assert cells.column("instances").to_pylist() == expected
    assert set(expected) == {"0", "1", "0,1"}
    for instance in (0, 1):
        own = np.array(expected) == str(instance)
        factor = column(cells, "emissions_t_co2")[own] / np.exp(column(cells, "ln_t_co2")[own])
        assert np.allclose(factor, 1.0 + instance)


def test_the_plan_knows_cells_before_anything_is_read(earth: Path) -> None:
    settings = grid_settings(earth)
    units = find_job("grid").plan(settings, digest("grid", settings))
    assert [unit.pass_name for unit in units[:2]] == ["cells", "points"]
    assert sum(unit.expected_rows for unit in units[2:]) == 100


def test_the_page_can_be_made_again(earth: Path, done: dict[str, Any]) -> None:
    page = earth / "plain" / "report.html"
    before = page.read_bytes()
    page.unlink()
    rewrite_report(f"file://{earth}/plain")
    assert page.read_bytes() == before


@pytest.mark.parametrize(
    ("told", "kind", "words"),
    [
        ("inputs.mask=[]", SettingsError, "no mask is given"),
        ("inputs.bundles=[]", SettingsError, "no bundle is given"),
        ("grid.rules.tile_cells=7", ContractError, "tiles of 7 cells"),
        ("grid.categories_url={earth}/other.yaml", SettingsError, "points are counted as eating, everything"),
    ],
)
def test_bad_settings_are_refused_by_name(earth: Path, told: str, kind: type[Exception], words: str) -> None:
    (earth / "other.yaml").write_text(OTHER_MAP)
    with pytest.raises(kind, match=words):
        run_job("grid", grid_settings(earth, told.format(earth=earth)), str(earth), f"bad-{hash(told)}")


def test_a_broken_mask_is_set_aside_with_its_reason(earth: Path) -> None:
    (earth / "empty.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    settings = grid_settings(earth, f"inputs.mask=[{earth}/world/mask/demo.geojson, {earth}/empty.geojson]",
                             "engine.max_quarantine_rate=0.5")  # fmt: skip
    run_job("grid", settings, str(earth), "half")
    lost = pq.read_table(earth / "half" / "quarantine.parquet").to_pylist()
    assert [row["key"] for row in lost] == ["empty"]
    assert cells_of(earth / "half").num_rows == 100


def test_bundles_of_two_models_are_not_mixed(earth: Path) -> None:
    (earth / "mixed").mkdir()
    save_untrained(earth / "mixed", instances=1)
    both = f"inputs.bundles=[{earth}/bundles, {earth}/mixed/bundles]"
    with pytest.raises(SettingsError, match="do not belong together"):
        run_job("grid", grid_settings(earth, both), str(earth), "mixed-run")


def test_a_tile_that_was_damaged_is_told(earth: Path, done: dict[str, Any]) -> None:
    from carbonray.io.embedding_store import EmbeddingLayout, decode_tile

    with pytest.raises(DataError, match="are absent"):
        decode_tile(EmbeddingLayout(2, 8, 10), 0, 0, {}, "here")
