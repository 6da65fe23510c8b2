"""Facts of an invented run, for tests of the report and for looking at it: `python -m tests.publish.example FILE`."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from carbonray.publish.charts import Curve, CurveChart
from carbonray.publish.grid_view import GridView
from carbonray.publish.report import ReportFacts, ScoreTable, render_report
from carbonray.publish.report_sources import Comparison
from carbonray.science.no2.matching import Overlap, count_by_class, match_sources
from carbonray.vocab import tables

NASTY = '<script>alert("x")</script> & <b>bold</b>'


def run_facts(tier: str = "SYNTHETIC-T2") -> dict[str, object]:
    passes = [
        {"pass": "detect", "planned": 28, "committed": 26, "quarantined": 2, "failed": 1, "wall_seconds": 61.3,
         "efficiency": 0.874, "bytes": 32_541_200, "rows": {"read": 918_204, "kept": 611_874},
         "seconds_by_step": {"read": 31.2, "DetectPlumes": 53.1, "commit": 4.4}},
        {"pass": "reduce", "planned": 4, "committed": 4, "quarantined": 0, "failed": 0, "wall_seconds": 6.1,
         "efficiency": None, "bytes": 2_541_200, "rows": {"read": 480_212, "kept": 480_212},
         "seconds_by_step": {"read": 4.9, "commit": 1.1}},
        {"pass": "tabulate", "planned": 1, "committed": 1, "quarantined": 0, "failed": 0, "wall_seconds": 0.3,
         "efficiency": None, "bytes": 18_200, "rows": {"read": 212, "kept": 212}, "seconds_by_step": {"read": 0.1}},
    ]  # fmt: skip
    return {
        "run_id": "demo-2019", "job": "hotspots", "status": "complete", "data_tier": tier, "started_unix_s": 1.5663e9,
        "settings_digest": "7c1f" * 16, "sha256": "b2a4" * 16, "git_revision": "1f0c" * 10,
        "settings": {"hotspots": {"cut": 0.2, "note": NASTY}},
        "versions": {"python": "3.11.7", "ray": "2.60.0", "torch": "2.13.0", "zarr": "3.1.6"},
        "units": {"planned": 33, "committed": 31, "quarantined": 2, "retried": 1},
        "rows": {"read": 918_204, "kept": 611_874, "quarantined": 24_001},
        "bundles": [{"model": "unet", "sha256": "d00d" * 16, "cut": 0.31}],
        "summary": {"data tier": tier, "granules": "26 used of 28", "pixels judged": 480_212, "hotspots": 9},
        "passes": passes,
    }  # fmt: skip


def view(west: float = 109.5, north: float = 38.5, size: int = 180, seed: int = 0) -> GridView:
    rng = np.random.default_rng(seed)
    lat, lon = north - (np.arange(size) + 0.5) * 0.05, west + (np.arange(size) + 0.5) * 0.05
    rel = 0.01 + 0.01 * rng.random((size, size))
    for y, x, q in zip(lat[places(size)[0]], lon[places(size)[1]], strengths(), strict=True):
        distance = np.hypot(lat[:, None] - y, (lon[None] - x) * np.cos(np.radians(y)))
        rel += 0.3 * q**0.6 * np.exp(-((distance / 0.09) ** 2))
    seen = (np.abs(lat[:, None] - lat.mean()) < 3.9) & (
        np.abs(lon[None] - lon.mean() - 0.1 * (lat[:, None] - lat.mean())) < 3.9
    )
    rel = np.where(seen, rel, np.nan)
    freq = np.clip(1.6 * rel + 0.05 * rng.random(rel.shape) - 0.05, 0, 1)
    return GridView(2019, lat, lon, rel, freq, np.where(seen, 20.0, np.nan), 30 + 400 * rel)


def places(size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    return rng.integers(30, size - 30, 10), rng.integers(30, size - 30, 10)


def strengths() -> np.ndarray:
    return np.geomspace(3.0, 0.05, 10)


def hotspot_table(where: GridView) -> pa.Table:
    rows, cols = places(where.lat.size)
    rows, cols = np.append(rows[:8], 100), np.append(cols[:8], 20)
    q, n = np.append(strengths()[:8], 0.2), 9
    days, hits = np.full(n, 21), np.maximum((20 * q**0.4 / 1.6).astype(int), 3)
    rel = 0.25 * q**0.5
    columns = {
        "hotspot_id": [f"2019-r{r:04d}-c{c:04d}" for r, c in zip(rows, cols, strict=True)],
        "year": np.full(n, 2019), "lat": where.lat[rows], "lon": where.lon[cols], "peak_lat": where.lat[rows],
        "peak_lon": where.lon[cols], "n_pixels": np.arange(n) + 3, "area_km2": (np.arange(n) + 3) * 25.1,
        "rel_emission": rel, "rel_emission_p05": 0.8 * rel, "rel_emission_p95": np.append(1.25 * rel[:-1], np.nan),
        "rel_emission_detected": 1.5 * rel, "detect_freq": hits / days, "detect_freq_p05": 0.75 * hits / days,
        "detect_freq_p95": np.minimum(1.2 * hits / days, 1.0), "n_valid_days": days, "n_detections": hits,
        "no2_umol_m2": 30 + 300 * rel, "bundle": ["unet"] * n, "data_tier": ["SYNTHETIC-T2"] * n,
    }  # fmt: skip
    arrays = [pa.array(columns[field.name], type=field.type) for field in tables.HOTSPOTS]
    return pa.Table.from_arrays(arrays, schema=tables.HOTSPOTS)


def comparison(where: GridView, hotspots: pa.Table) -> Comparison:
    rows, cols = places(where.lat.size)
    names = [f"S{k + 1:02d}" for k in range(9)] + [NASTY]
    columns = [names, where.lat[rows], where.lon[cols], strengths(), ["kg s-1"] * 10]
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, tables.SOURCES, strict=True)]
    sources = pa.Table.from_arrays(arrays, schema=tables.SOURCES)
    lat, lon = hotspots.column("lat").to_numpy(), hotspots.column("lon").to_numpy()
    matches = match_sources(lat, lon, where.lat[rows], where.lon[cols], 16.7)
    counts = count_by_class(strengths(), matches.hit(), (0.1, 0.3, 1.0))
    classes = [dataclasses.replace(count, name=f"{count.name} kg s-1") for count in counts]
    return Comparison(sources, matches.hit(), matches.distance_km, matches.has_source, classes, 16.7, Overlap(12, 9))


def skill() -> tuple[tuple[ScoreTable, ...], tuple[CurveChart, ...]]:
    rows = (
        ("U-Net, wind", 0.56, 0.69, 0.45, 0.61, 210.0, None),
        ("paper's network", 0.42, 0.29, 0.21, 0.34, 640.0, "0.80 / 0.94"),
        ("VCD threshold", 0.55, 0.12, 0.11, 0.19, 2210.0, None),
        ("all positive (trivial)", 1.0, 0.004, 0.004, 0.008, 126_720.0, None),
        ("oracle", 0.93, 0.9, 0.84, 0.91, float("nan"), None),
    )
    heads = ("model", "recall (RA)", "precision", "IoU", "F1", "false area, km²", "RA: first quartile / median")
    scores = ScoreTable(
        "Simulated scenes of another transport (G2), cut 0.2", "Medians over 2,000 scenes.", heads, rows, heads[-1:]
    )
    q = np.geomspace(0.01, 3, 60)
    p = 1 / (1 + (0.11 / q) ** 2)
    lines = (
        Curve("U-Net, G2 scenes", q, p, np.maximum(p - 0.06, 0), np.minimum(p + 0.06, 1)),
        Curve("paper's network, G2 scenes", q, 1 / (1 + (0.3 / q) ** 1.6)),
        Curve("divergence method, Beirle et al. 2019", np.array([0.11, 0.11]), np.array([0.0, 1.0]), published=True),
    )
    caption = "Probability that a source is found, by its emission; shaded: 90 % interval."
    chart = CurveChart(
        "Detection curve", caption, "emission, kg s⁻¹ as NO₂", "probability", lines, log_x=True, y_limits=(0.0, 1.0)
    )
    return (scores,), (chart,)


def example_facts(tier: str = "SYNTHETIC-T2") -> ReportFacts:
    where = view()
    hotspots = hotspot_table(where)
    rng = np.random.default_rng(1)
    judged = rng.integers(0, 26_000, 28)
    daily = pa.table(
        {"day": np.arange(18101, 18129), "n_judged": judged, "n_detected": (judged * 0.01 * rng.random(28)).astype(int)}
    )
    reasons = [
        {"pass_name": "detect", "unit_id": "0a", "key": "S5P_SYNT_L2__NO2____20190801T050512_20190801T050912",
         "reason": f"the file cannot be read (truncated) {NASTY}", "rows": -1},
        {"pass_name": "detect", "unit_id": "0b", "key": "20190803", "reason": "corners missing", "rows": 24_001},
    ]  # fmt: skip
    scores, curves = skill()
    return ReportFacts(
        title="NO₂ hotspots of a small Earth",
        run=run_facts(tier),
        hotspots=hotspots,
        grids=(where,),
        comparison=comparison(where, hotspots),
        daily=daily,
        quarantine=pa.Table.from_pylist(reasons, schema=tables.QUARANTINE),
        scores=scores,
        curves=curves,
        commands=(
            "carbonray run world --out out --run-id world-2019",
            "carbonray run hotspots --settings jobs/demo.yaml --out out --run-id demo-2019",
        ),
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(render_report(example_facts()))
