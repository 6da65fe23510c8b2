"""The NO2 product: granules to daily detections, detections to the annual grid, persistent pixels to the table.

Four passes. `detect`: one orbit a unit, through the pool of models. `reduce`: one output shard and year a unit.
`tabulate`: one unit, the hotspot table and the grid's metadata. `match`: one unit, the
table against the inventories given, if any are. Each is planned from what the ledger says of the
pass before, so that a resumed run plans the same units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from carbonray.contract import Batch, Encoded, Unit, to_table
from carbonray.engine.plan import Pass, Pool, plan_unit
from carbonray.engine.run import Run
from carbonray.errors import SettingsError
from carbonray.io import grid_store, objectstore
from carbonray.io.grid_layout import HOTSPOT_VARIABLES, NO2_LATTICE, GridLayout
from carbonray.io.ledger import Commit
from carbonray.io.model_store import bundle_sha256, open_bundle, packaged_bundle_url
from carbonray.io.wind_index import index_wind
from carbonray.pipelines.hotspots_report import hotspots_report
from carbonray.pipelines.planning import expanded, file_key, records_of, unit_id_of, unit_over
from carbonray.publish.geoparquet import encode_geoparquet
from carbonray.publish.report import ReportFacts
from carbonray.settings import Settings
from carbonray.stages.hotspots import EncodeShard, ReduceShard, TabulateHotspots
from carbonray.stages.matching import EncodeMatches, MatchReferences
from carbonray.stages.partials import EncodeDetections
from carbonray.stages.plumes import DetectPlumes
from carbonray.stages.swaths import ReadOrbit
from carbonray.vocab import tables

SUMMARY = "NO2 hotspots from TROPOMI swaths: detections, annual grid and table"
SECTIONS = ("hotspots",)
GRID, TABLE, MATCHES = "hotspots.zarr", "hotspots.parquet", "hotspot_matches.parquet"


@dataclass(frozen=True)
class Pinned:
    """The bundle of a run: where it is, its digest, its model and the relative emission that counts as detected."""

    url: str
    sha256: str
    model: str
    cut: float


def plan(settings: Settings, digest: str) -> tuple[Unit, ...]:
    """One unit a granule; the later passes are planned from what these find.

    Raises:
        SettingsError: no granules are given.
    """
    granules = expanded(settings.inputs.tropomi)
    if not granules:
        raise SettingsError(
            "no granules are given",
            where="inputs.tropomi",
            expected="URLs or globs of TROPOMI L2 NO2 files or swath stores",
            remedy="Add --set inputs.tropomi=GLOB, or make simulated ones: carbonray run world, then its granules.",
        )
    fixed = [tag for url in expanded(settings.inputs.weather) for tag in objectstore.version(url)[:1]] + [
        bundle_of(settings).sha256
    ]
    return tuple(
        plan_unit("detect", file_key(url), [url], settings_digest=digest, extra_hashes=fixed) for url in granules
    )


def run(run: Run, settings: Settings) -> None:
    """Executes the passes."""
    units, bundle = plan(settings, run.settings_digest), bundle_of(settings)
    detected = run.execute(detect_pass(units, settings, bundle))
    layout = grid_layout(detected, settings)
    tier = data_tier(detected)
    reduced = run.execute(reduce_pass(run, detected, layout, settings, bundle))
    tabulated = run.execute(tabulate_pass(run, reduced, layout, tier, bundle))
    matched = match_pass(run, tabulated, settings)
    run.facts["matching"] = dict(run.execute(matched)[0].facts) if matched else {}
    run.facts["data_tier"] = tier
    run.facts["bundles"] = [{"model": bundle.model, "sha256": bundle.sha256, "cut": bundle.cut}]
    run.facts["summary"] = {
        "data tier": tier,
        "granules": f"{sum(commit.status == 'committed' for commit in detected)} used of {len(detected)}",
        "pixels judged": sum(commit.facts.get("judged", 0) for commit in detected),
        "daily detections (pixels)": sum(commit.facts.get("detected", 0) for commit in detected),
        "hotspots": tabulated[0].facts.get("hotspots", 0),
    }


def detect_pass(units: tuple[Unit, ...], settings: Settings, bundle: Pinned) -> Pass:
    """Granules through the pool of models."""
    rules, engine = settings.hotspots, settings.engine
    wind = index_wind(expanded(settings.inputs.weather))
    reader = ReadOrbit(rules.pixels, rules.gridding, wind, rules.wind)
    make = partial(DetectPlumes, bundle.url, bundle.sha256, rules.tiles, rules.detect)
    # two units an actor: while one is in the network, the other is tiled or blended
    pool = Pool(make, engine.model_actors, engine.model_cpus, engine.model_gpus, units_at_once=2)
    encoder = EncodeDetections(rules.store.shard_px, bundle.cut)
    return Pass("detect", units, reader, encoder, (pool,))


def reduce_pass(run: Run, detected: Sequence[Commit], layout: GridLayout, settings: Settings, bundle: Pinned) -> Pass:
    """Partials to shards of the annual grid; a unit's inputs are the partials that touch it, by their first day."""
    touching: dict[tuple[int, int, int], list[Commit]] = {}
    for commit in sorted(detected, key=lambda commit: (min(_days(commit), default=0), commit.key)):
        for year in _years(commit):
            for shard_row, shard_col in commit.facts["shards"]:
                touching.setdefault((year, shard_row, shard_col), []).append(commit)
    units = tuple(_shard_unit(run, key, commits) for key, commits in sorted(touching.items()))
    rules, cut = settings.hotspots, bundle.cut
    encoder = EncodeShard(layout, GRID, rules.persistence)
    return Pass("reduce", units, ReduceShard(rules.store.shard_px, cut), encoder)


def tabulate_pass(run: Run, reduced: Sequence[Commit], layout: GridLayout, tier: str, bundle: Pinned) -> Pass:
    """All persistent pixels to the table, in one small unit."""
    unit = unit_over(run, "tabulate", "hotspots", records_of(reduced, "hotspot_pixels/"), {})
    reader = TabulateHotspots(f"{bundle.model} {bundle.sha256}", tier)
    return Pass("tabulate", (unit,), reader, EncodeHotspots(layout, GRID, TABLE), on_driver=True)


def match_pass(run: Run, tabulated: Sequence[Commit], settings: Settings) -> Pass | None:
    """The table against inventories and CO2 grids, in one small unit; None where none are given."""
    inventories, grids = (expanded(patterns) for patterns in (settings.inputs.inventory, settings.inputs.co2_grid))
    if not inventories and not grids:
        return None
    made = [record.sha256 for record in tabulated[0].objects]
    hashes = (*made, *(objectstore.version(url)[0] for url in (*inventories, *grids)))
    unit_id = unit_id_of("match", hashes, run.settings_digest)
    unit = Unit("match", unit_id, "references", {}, (*inventories, *grids), hashes[len(made) :])
    table, grid = (objectstore.join(run.url, name) for name in (TABLE, GRID))
    rules = settings.hotspots
    reader = MatchReferences(table, grid, inventories, grids, rules.inventory, rules.overlap)
    return Pass("match", (unit,), reader, EncodeMatches(MATCHES), on_driver=True)


@dataclass(frozen=True)
class EncodeHotspots:
    """Encoder of the hotspot table, and of the grid's metadata, which is put once.

    Attributes:
        layout: the grid's layout.
        store: name of the Zarr store in the run's folder.
        table: name of the table in the run's folder.
    """

    layout: GridLayout
    store: str
    table: str

    def __call__(self, unit: Unit, batch: Batch, facts: Mapping[str, Any]) -> Encoded:
        """The GeoParquet table and the store's metadata objects."""
        table = to_table(batch, tables.HOTSPOTS, stage=type(self).__name__)
        objects = {f"{self.store}/{key}": data for key, data in grid_store.template(self.layout).items()}
        objects[self.table] = encode_geoparquet(table, ("hotspot_id",))
        return Encoded(objects, {**facts, "hotspots": table.num_rows})


def bundle_of(settings: Settings) -> Pinned:
    """The bundle a run uses, the one given or else the one that ships; its own cut unless a setting overrules it.

    Raises:
        SettingsError: several are given, or it reads the wind and no weather is given.
        ContractError: it is no bundle.
    """
    given = settings.inputs.bundles
    if len(given) > 1:
        raise SettingsError(
            f"{len(given)} bundles are given",
            where="inputs.bundles",
            expected="one",
            remedy="Leave one; run the others under run ids of their own.",
        )
    url = objectstore.absolute(given[0]) if given else packaged_bundle_url(settings.hotspots.model)
    digest = bundle_sha256(url)
    bundle = open_bundle(url, digest)
    if "wind_u" in bundle.encoding["channels"] and not settings.inputs.weather:
        raise SettingsError(
            f"the bundle {bundle.model!r} reads the wind, and no weather is given",
            where="inputs.weather",
            expected="ERA5 files or stores that cover the granules",
            remedy="Add --set inputs.weather=GLOB, or a bundle that reads NO2 alone.",
        )
    cut = bundle.cut if settings.hotspots.cut is None else settings.hotspots.cut
    return Pinned(url, digest, bundle.model, cut)


def data_tier(detected: Sequence[Commit]) -> str:
    """The one data tier of all granules.

    Raises:
        SettingsError: simulated and real granules are mixed.
    """
    tiers = sorted({str(commit.facts["data_tier"]) for commit in detected if commit.status == "committed"})
    if len(tiers) > 1:
        raise SettingsError(
            f"granules of {tiers} are mixed", where="inputs.tropomi", expected="one data tier", remedy="Run them apart."
        )
    return tiers[0] if tiers else "none"


def grid_layout(detected: Sequence[Commit], settings: Settings) -> GridLayout:
    """The annual grid's layout: one time step for each year that was seen."""
    years = sorted({year for commit in detected for year in _years(commit)}) or [1970]
    return GridLayout(tuple(years), HOTSPOT_VARIABLES, NO2_LATTICE, settings.hotspots.store)


def _shard_unit(run: Run, key: tuple[int, int, int], commits: Sequence[Commit]) -> Unit:
    year, shard_row, shard_col = key
    records = [record for commit in commits for record in commit.objects]
    name = f"{year}-shard-{shard_row:02d}-{shard_col:02d}"
    partition = {"year": year, "shard_row": shard_row, "shard_col": shard_col}
    return unit_over(run, "reduce", name, records, partition)


def _days(commit: Commit) -> list[int]:
    """Local solar days of an orbit's pixels, days since 1970-01-01."""
    return [day for day, _, _ in commit.facts.get("daily", [])]


def _years(commit: Commit) -> list[int]:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return sorted({(epoch + timedelta(days=day)).year for day in _days(commit)})


def report(run: Run, settings: Settings) -> ReportFacts:
    """What the page is made of."""
    return hotspots_report(run, settings, grid=GRID, table=TABLE, matches=MATCHES)
