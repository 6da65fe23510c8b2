"""Fits the peers of the sounding models in the same four rotations, and lets them answer for the same images.

Source: SCIENCE 4.7 and 4.10. A peer learns from the folds that the sounding models learned from and chooses on the fold
they stopped on; it answers for plants of the fold held out, and for plants that no fit has seen by the mean of four.
Blocks are (row, column), NaN where unknown.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.io.plant_weather import PlantWeatherRules, weather_at
from carbonray.models.baselines import PEERS, Boosted, Peer, Soundings, SoundingTruth, SplitRows
from carbonray.models.sounding_trees import TreeRules
from carbonray.science.power.patch_features import feature_names
from carbonray.science.power.peer_inputs import INDEX_COLUMNS, WEATHER_COLUMNS, weather_columns
from carbonray.science.spatial.folds import N_FOLDS, rotation
from carbonray.stages.sounding_answers import LabelledImages
from carbonray.vocab.sensors import IMAGERS

Values = NDArray[np.float32]
Blocks = Mapping[str, Values]

XGB_WEATHER = "xgb_weather"
LATENT, PATCHES_WEATHER = "latent", "patches_weather"


@dataclass(frozen=True)
class PeerAnswers:
    """What peers said.

    Attributes:
        said: name -> answers about the images of training plants, then those of the others.
        absent: name -> why a peer says nothing, of some images or of all.
    """

    said: Mapping[str, Soundings]
    absent: Mapping[str, str]


def peer_blocks(samples: pa.Table, weather: Values, latent: Values | None) -> dict[str, Values]:
    """What peers read of each image, by the name of the block.

    Args:
        samples: schema `SAMPLES`.
        weather: (row, 6) `image_weather`.
        latent: (row, 2) `image_latent`, None where nobody knows the truth.
    """
    features = samples.column("features").combine_chunks()
    patches = features.flatten().to_numpy(zero_copy_only=False).reshape(samples.num_rows, -1).astype(np.float32)
    index = np.stack([samples.column(name).to_numpy() for name in INDEX_COLUMNS], axis=1).astype(np.float32)
    blocks = {"index": index, "weather": weather, PATCHES_WEATHER: np.concatenate([patches, weather], axis=1)}
    if latent is not None:
        blocks |= {LATENT: latent, "latent_weather": np.concatenate([latent, weather], axis=1)}
    return blocks


def image_weather(
    images: LabelledImages, weather: Iterable[pa.Table], lat: Mapping[str, float], rules: PlantWeatherRules
) -> Values:
    """(row, 6) `WEATHER_COLUMNS` at each image; the season is known even where the weather is not.

    Args:
        images: the images.
        weather: tables of schema `PLANT_WEATHER`, each with all rows of its plants.
        lat: plant -> degrees.
        rules: the longest gap that is bridged.
    """
    n = len(images.plant)
    names = ("temperature_c", "relative_humidity_pct", "wind_u_m_s", "wind_v_m_s", "cloud_cover")
    told = {name: np.full(n, np.nan) for name in names}
    for table in weather:
        rows = np.flatnonzero(np.isin(images.plant.astype(str), np.unique(table.column("plant_id").to_pylist())))
        found = weather_at(table, images.plant[rows], images.time_utc_ns[rows], rules)
        for name in names:
            told[name][rows] = found[name]
    degrees = np.array([lat.get(name, np.nan) for name in images.plant])
    return weather_columns(**told, time_utc_ns=images.time_utc_ns, lat=degrees)


def image_latent(images: LabelledImages, truth: pa.Table) -> Values | None:
    """(row, 2) `LATENT_COLUMNS`: vapor of all structures of the kind, and its largest optical depth.

    Args:
        images: the images.
        truth: `imager`, `image_id`, `structure_kind`, `vapor_m2` and `vapor_depth_max` of each structure; images of a
            synthetic Earth have names of their own everywhere.

    Returns:
        NaN for an image that is not there; None where none is.
    """
    rows = truth.to_pandas()
    rows = rows[(rows["imager"] == images.imager) & (rows["structure_kind"] == images.structure_kind)]
    rows = rows.drop_duplicates(["image_id", "structure_id"])
    both = rows.groupby("image_id", sort=True).agg(area=("vapor_m2", "sum"), depth=("vapor_depth_max", "max"))
    found = both.reindex(pd.Index(images.image)).to_numpy(np.float32)
    return found if np.isfinite(found).any() else None


def peer_answers(
    images: LabelledImages,
    blocks: Blocks,
    rules: TreeRules,
    names: Iterable[str] = (*PEERS, XGB_WEATHER),
) -> PeerAnswers:
    """Every peer's answers about every image; peers whose block is not there are absent.

    Args:
        images: those of training plants teach and are judged held out, the others are judged alone.
        blocks: `peer_blocks` of the same rows.
        rules: hyperparameters of trees.
        names: of the peers.
    """
    said: dict[str, Soundings] = {}
    absent: dict[str, str] = {}
    for name in names:
        peer, block = _peer(name, images.imager, rules)
        if block not in blocks:
            absent[name] = "nobody knows the truth of these images"
            continue
        said[name], failed = _rotated(peer, blocks[block], images)
        if failed:
            absent[name] = "; ".join(f"rotation {k}: {reason}" for k, reason in failed.items())
    return PeerAnswers(said, absent)


def _peer(name: str, imager: str, rules: TreeRules) -> tuple[Peer, str]:
    """A peer and the name of its block."""
    if name == XGB_WEATHER:
        columns = (*feature_names(IMAGERS[imager]), *WEATHER_COLUMNS)
        return Boosted("patches", columns, rules), PATCHES_WEATHER
    make: Callable[[TreeRules], Peer] = PEERS[name]
    peer = make(rules)
    return peer, peer.reads


def _rotated(peer: Peer, x: Values, images: LabelledImages) -> tuple[Soundings, dict[int, str]]:
    """Held-out answers for images of training plants, the mean of all fits for the others; why rotations failed.

    Images of a fold whose rotation has too little to learn from have no answer, NaN.
    """
    n, other = len(images.fold), np.flatnonzero(images.fold < 0)
    score, factor = np.full(n, np.nan), np.full(n, np.nan)
    outside: list[Soundings] = []
    failed: dict[int, str] = {}
    for k in range(N_FOLDS):
        turn = rotation(k)
        rows = SplitRows(np.flatnonzero(np.isin(images.fold, turn.train)), np.flatnonzero(images.fold == turn.val))
        held_out = np.flatnonzero(images.fold == turn.test)
        try:
            fitted = peer.fit(x, _hidden(images.truth, rows), rows)
        except DataError as error:
            failed[k] = error.what
            continue
        said = fitted.predict(x[held_out])
        score[held_out], factor[held_out] = said.on_score, said.capacity_factor
        outside.append(fitted.predict(x[other]))
    if outside:
        score[other] = np.mean([said.on_score for said in outside], axis=0)
        factor[other] = np.mean([said.capacity_factor for said in outside], axis=0)
    return Soundings(score, factor), failed


def _hidden(truth: SoundingTruth, rows: SplitRows) -> SoundingTruth:
    """The truth with everything wiped that a fit may not look at."""
    if not len(rows.train):
        raise DataError(
            "a rotation has no image to learn from",
            where="peers of the sounding models",
            expected="labelled images of plants in at least two folds",
            remedy="Train on more plants.",
        )
    factor = np.full(len(truth.on), np.nan)
    on = np.zeros(len(truth.on), np.bool_)
    for part in (rows.train, rows.validation):
        factor[part], on[part] = truth.capacity_factor[part], truth.on[part]
    return SoundingTruth(on, factor)
