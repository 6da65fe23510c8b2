"""Labelled images of a few plants by hand: samples whose features tell the truth, and soundings that say it."""

import numpy as np
import pyarrow as pa

from carbonray.science.power.patch_features import feature_names
from carbonray.science.spatial.geodesy import DAY_NS
from carbonray.vocab.product_tables import SOUNDINGS
from carbonray.vocab.sample_tables import SAMPLES
from carbonray.vocab.sensors import IMAGERS

TIER = "SYNTHETIC-T1"
N_FEATURES = len(feature_names(IMAGERS["sentinel2"]))


def samples(plants=8, images=12, seed=0, tiers=None, kind="FGD", imager="sentinel2"):
    """A table of `SAMPLES`: plant p has fold p % 4; the index columns rise with the capacity factor."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(plants):
        for image in range(images):
            factor = 0.0 if image % 3 == 0 else float(np.float32(rng.uniform(0.2, 1.0)))
            features = np.zeros(N_FEATURES, np.float32)
            features[0] = factor
            rows.append(
                {
                    "plant_id": f"plant {number:02}", "structure_kind": kind, "imager": imager,
                    "image_id": f"image {image}", "time_utc_ns": (18_000 + 7 * image) * DAY_NS,
                    "capacity_factor": factor, "on": factor > 0.05, "fold": number % 4, "features": features.tolist(),
                    "hot": factor + 0.1, "white_brightness": factor / 2, "plume_area_m2": 1e4 * factor,
                    "data_tier": (tiers or {}).get(number, TIER),
                }
            )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=SAMPLES)


def folds(plants):
    """Plants that were trained on, by fold."""
    return {f"plant {number:02}": number % 4 for number in range(plants)}


def soundings(table, training, models=("ben", "xgb"), say=lambda factor, instance: factor):
    """What instances that may answer say of samples: of training plants the held-out one, of others all four."""
    rows = []
    for row in table.to_pylist():
        fold = training.get(row["plant_id"])
        for instance in range(4) if fold is None else (fold,):
            for model in models:
                factor = say(row["capacity_factor"], instance)
                for head, value in (("cls", min(1.0, 0.4 + factor)), ("reg", factor), ("aux", 0.5)):
                    keys = {name: row[name] for name in ("plant_id", "imager", "image_id", "time_utc_ns")}
                    keys |= {"structure_kind": row["structure_kind"], "data_tier": row["data_tier"]}
                    rows.append(
                        keys
                        | {"model": model, "instance": instance, "head": head, "value": value, "model_version": "s"}
                    )
    return pa.Table.from_pylist(rows, schema=SOUNDINGS)
