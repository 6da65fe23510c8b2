"""Facts of invented plants and years, for tests of their page and for looking at it.

`python -m tests.publish.example_generation FILE`.
"""

import sys
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from carbonray.publish.generation_facts import GenerationFacts, chosen_plants
from carbonray.publish.report import ReportFacts, render_report
from carbonray.vocab.product_tables import PLANTS_30DAY, PLANTS_ANNUAL, SOUNDINGS
from tests.publish.example import NASTY, run_facts

YEARS = (2020, 2021)
FIRST_DAY = (date(2020, 1, 1) - date(1970, 1, 1)).days
WIDTH = 0.21
REGIONS = (("USA", 39.0, -88.0), ("POL", 51.5, 19.0), ("IND", 22.0, 80.0), ("CHN", 35.0, 113.0), ("AUS", -32.0, 149.0),
           ("TUR", 38.6, 30.0), ("ZAF", -26.2, 29.0), ("DEU", 51.2, 10.0))  # fmt: skip
KINDS = ("NDT", "FGD", "BOTH")
DAY_NS = 86_400_000_000_000


def truth(plant: int) -> np.ndarray:
    """Daily capacity factors of the years and of the 30 days before."""
    rng = np.random.default_rng(plant)
    days = np.arange(-30, 731)
    wave = 0.25 + 0.5 * rng.random() + 0.15 * np.cos(2 * np.pi * (days - 20) / 365.25)
    outage = (days > 200 + 30 * (plant % 7)) & (days < 245 + 30 * (plant % 7))
    slow = np.convolve(rng.normal(0, 0.3, 761 + 60), np.ones(61) / 61, "valid")
    return np.clip(np.where(outage, 0.0, wave + slow), 0, 1)


def month_means(plant: int) -> np.ndarray:
    """Means of the 30 days that end with each day of the years."""
    return np.convolve(truth(plant), np.ones(30) / 30, "valid")[1:]


def annual_rows(count: int) -> list[dict[str, object]]:
    rows = []
    for k in range(count):
        country, lat, lon = REGIONS[k % len(REGIONS)]
        rng = np.random.default_rng(1000 + k)
        trained = country in ("USA", "POL", "AUS", "DEU")
        capacity = float(np.round(300 + 4200 * rng.random() ** 2, 1))
        for n, year in enumerate(YEARS):
            factor = float(np.clip(truth(k)[30 + 366 * n :][:365].mean() + rng.normal(0, 0.08), 0, 1))
            low, high = max(factor - WIDTH, 0.0), min(factor + WIDTH, 1.0)
            mwh = capacity * 8760
            whole = {
                "plant_id": f"P{k:07d}", "unit_id": None, "year": year, "structure_kind": KINDS[k % 3],
                "lat": float(lat + rng.normal(0, 3.5)), "lon": float(lon + rng.normal(0, 5)), "country": country,
                "fuel": "lignite", "capacity_mw": capacity, "capacity_factor": factor, "capacity_factor_p05": low,
                "capacity_factor_p95": high, "generation_mwh": mwh * factor, "generation_mwh_p05": mwh * low,
                "generation_mwh_p95": mwh * high, "intensity_t_per_mwh": 1.02, "intensity_rule": "",
                "emissions_t_co2": 1.02 * mwh * factor, "emissions_t_co2_p05": 1.02 * mwh * low,
                "emissions_t_co2_p95": 1.02 * mwh * high, "coverage": float(0.6 + 0.4 * rng.random()),
                "n_soundings": int(rng.integers(20, 260)), "imputed_fraction": float(0.4 * rng.random()),
                "fold": k % 4 if trained else -1, "instances": str(k % 4) if trained else "0,1,2,3",
                "model_version": "d00d" * 16, "data_tier": "SYNTHETIC-T1" if trained else "SYNTHETIC-T2",
            }  # fmt: skip
            rows += [whole, whole | {"unit_id": f"U{k}", "intensity_rule": "fuel and mover"}]
    return rows


def days_of(plant: int, kind: str) -> pa.Table:
    rng = np.random.default_rng(plant)
    real = month_means(plant)
    parts = []
    for name in ("NDT", "FGD", "BOTH") if kind == "BOTH" else (kind,):
        error = np.convolve(rng.normal(0, 0.35, 731 + 44), np.ones(45) / 45, "valid") + (0.06 if name == "FGD" else 0)
        factor = np.clip(real + error, 0, 1)
        factor[300:330] = np.nan
        columns = {
            "plant_id": [f"P{plant:07d}"] * 731, "date": (FIRST_DAY + np.arange(731)).astype("datetime64[D]"),
            "structure_kind": [name] * 731, "lat": [50.0] * 731, "lon": [10.0] * 731, "capacity_factor": factor,
            "capacity_factor_p05": np.clip(factor - 0.17, 0, 1), "capacity_factor_p95": np.clip(factor + 0.17, 0, 1),
            "n_soundings": [3] * 731, "imputed_fraction": [0.1] * 731, "fold": [-1] * 731,
            "instances": ["0,1,2,3"] * 731, "model_version": ["d00d"] * 731, "data_tier": ["SYNTHETIC-T1"] * 731,
        }  # fmt: skip
        parts.append(pa.table([pa.array(columns[f.name], f.type) for f in PLANTS_30DAY], schema=PLANTS_30DAY))
    return pa.concat_tables(parts)


def soundings_of(plant: int, kind: str, images: int = 160) -> pa.Table:
    rng = np.random.default_rng(plant + 5)
    days = np.sort(rng.choice(731, images, replace=False))
    rows = []
    for day in days.tolist():
        real = truth(plant)[30 + day]
        for name in ("NDT", "FGD") if kind == "BOTH" else (kind,):
            told = float(np.clip(real + rng.normal(0, 0.16), 0, 1))
            on = float(np.clip((real > 0.05) + rng.normal(0, 0.3), 0, 1))
            for model, head, value in (
                ("xgb", "cls", on),
                ("xgb", "reg", told),
                ("ben", "reg", told),
                ("ben", "aux", on),
            ):
                rows.append(
                    {"plant_id": f"P{plant:07d}", "imager": "sentinel2", "image_id": f"i{day}",
                     "time_utc_ns": (FIRST_DAY + day) * DAY_NS + DAY_NS // 2, "structure_kind": name, "model": model,
                     "instance": 0, "head": head, "value": value, "model_version": "d00d", "data_tier": "SYNTHETIC-T1"}
                )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=SOUNDINGS)


def reported_annual(annual: pa.Table) -> pa.Table:
    """Every other plant reports; Turkish ones no emissions."""
    rows = []
    for row in annual.filter(pc.is_null(annual.column("unit_id"))).to_pylist():
        k, mwh = int(row["plant_id"][1:]), row["capacity_mw"] * 8760
        if k % 5 == 4:
            continue
        factor = float(truth(k)[30 + 366 * (row["year"] - 2020) :][:365].mean())
        co2 = float("nan") if row["country"] == "TUR" else 0.97 * mwh * factor
        rows.append({"plant_id": row["plant_id"], "year": row["year"], "capacity_factor": factor,
                     "generation_mwh": mwh * factor, "emissions_t_co2": co2})  # fmt: skip
    return pa.Table.from_pylist(rows)


def example_generation(count: int = 60) -> GenerationFacts:
    annual = pa.Table.from_pylist(annual_rows(count), schema=PLANTS_ANNUAL)
    reported = reported_annual(annual)
    chosen = chosen_plants(annual, reported)
    number = {plant: int(plant[1:]) for plant in chosen}
    kinds = {plant: KINDS[k % 3] for plant, k in number.items()}
    silent = next(iter(chosen))
    days = FIRST_DAY + np.arange(731)
    real = {p: (days, month_means(k)) for p, k in number.items() if p != silent}
    models = [
        {"name": name, "instances": "0,1,2,3", "initialisation": first,
         "sha256": ",".join(f"{k}{'ab12' * 15}fff" for k in range(4))}
        for name, first in (("sentinel2_xgb_ndt", ""), ("sentinel2_ben_fgd", "random"), ("landsat8_xgb_fgd", ""))
    ]  # fmt: skip
    return GenerationFacts(
        annual=annual,
        names={f"P{k:07d}": f"Invented station {k}" for k in range(1, count)} | {"P0000000": NASTY},
        chosen=chosen,
        days={p: days_of(k, kinds[p]) for p, k in number.items()},
        soundings={p: soundings_of(k, kinds[p]) for p, k in number.items()},
        reported_days=real,
        reported_annual=reported,
        models=(*models, {"name": "generation NDT", "instances": "", "initialisation": "", "sha256": "beef" * 16}),
        missing=("planetscope_xgb_fgd: no labelled image", "landsat8_ben_ndt: only one class in fold 2"),
    )


def example_page(generation: GenerationFacts, tier: str = "SYNTHETIC-T1, SYNTHETIC-T2") -> bytes:
    run = run_facts(tier) | {"job": "plants", "summary": {"data tier": tier, "soundings": 12_345}}
    return render_report(ReportFacts(title="Power plants: annual CO₂", run=run, generation=generation))


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(example_page(example_generation()))
