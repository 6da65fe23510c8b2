"""What sounding models and their peers said of labelled images, side by side for the tables.

Sources: SCIENCE 4.7 (a training plant is judged by the instance that held it out, all others by the mean of four),
4.10, plume paper section 4.1 and appendix D. Rows are labelled images of one imager and structure kind, (row,) columns;
every method of a group is judged on the same rows: those that every model of the group told something of.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.models.baselines import Soundings, SoundingTruth
from carbonray.science.power.lookback import CLS, REG
from carbonray.stages.plant_score_tables import SoundingAnswers
from carbonray.stages.published_plants import CROSS, EXTERNAL

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

TRAIN_MEAN = "train_mean"  # key of `models.baselines.PEERS`
_IMAGE = ["plant_id", "image_id"]
# of the peers; what is not here is a model
ROLES: Mapping[str, str] = {
    "always_on": "trivial",
    TRAIN_MEAN: "trivial",
    "weather_only": "peer",
    "hot_threshold": "peer",
    "white_threshold": "peer",
    "plume_area": "peer",
    "xgb_weather": "peer",
    "oracle": "oracle",
    "oracle_weather": "oracle",
}


@dataclass(frozen=True)
class LabelledImages:
    """Labelled images of one imager and structure kind.

    Attributes:
        imager: key of `vocab.sensors.IMAGERS`.
        structure_kind: NDT or FGD.
        plant: (row,) ids.
        image: (row,) ids.
        time_utc_ns: (row,) of the image.
        fold: (row,) of a plant that models of the kind were trained on, else -1.
        truth: on and capacity factor.
        data_tier: (row,) words.
    """

    imager: str
    structure_kind: str
    plant: NDArray[np.object_]
    image: NDArray[np.object_]
    time_utc_ns: Rows
    fold: Rows
    truth: SoundingTruth
    data_tier: NDArray[np.object_]


def labelled_images(samples: pa.Table, folds: Mapping[str, int]) -> LabelledImages:
    """The rows of a table of samples.

    Args:
        samples: schema `SAMPLES`, with or without its features, of one imager and structure kind, at least one row.
        folds: plant -> fold of every plant that models of the kind were trained on.
    """
    columns = {name: samples.column(name).to_numpy(zero_copy_only=False) for name in samples.column_names[:7]}
    plant = columns["plant_id"].astype(object)
    return LabelledImages(
        str(columns["imager"][0]),
        str(columns["structure_kind"][0]),
        plant,
        columns["image_id"].astype(object),
        columns["time_utc_ns"].astype(np.int64),
        np.array([folds.get(name, -1) for name in plant], np.int64),
        SoundingTruth(columns["on"].astype(np.bool_), columns["capacity_factor"].astype(np.float64)),
        samples.column("data_tier").to_numpy(zero_copy_only=False).astype(object),
    )


def model_answers(soundings: pa.Table, images: LabelledImages) -> dict[str, Soundings]:
    """What each model said of the images, averaged over the instances that answered; NaN where it said nothing.

    Args:
        soundings: schema `SOUNDINGS`; rows of other imagers, kinds and images are left out.
        images: the images.

    Raises:
        DataError: an instance that has seen a training plant answered for it, or an instance answered twice.
    """
    chosen = (pc.field("imager") == images.imager) & (pc.field("structure_kind") == images.structure_kind)
    own = soundings.filter(chosen & pc.field("head").isin([CLS, REG])).to_pandas()
    fold = pd.Series(images.fold, images.plant)
    fold = fold[~fold.index.duplicated()]
    own = own[own["plant_id"].isin(fold.index)]
    _check_held_out(own, fold)
    said = own.astype({"value": np.float64}).groupby([*_IMAGE, "model", "head"])["value"].mean()
    at = pd.MultiIndex.from_arrays([images.plant, images.image])
    wide = said.unstack(["model", "head"]).reindex(at)  # noqa: PD010 - two levels at once
    unsaid = np.full(len(at), np.nan)
    models = sorted(own["model"].unique())
    heads = {of: wide[of].to_numpy(np.float64) if of in wide else unsaid for of in product(models, (CLS, REG))}
    return {str(model): Soundings(heads[model, CLS], heads[model, REG]) for model in models}


def sounding_answers(
    images: LabelledImages,
    models: Mapping[str, Soundings],
    peers: Mapping[str, Soundings],
    initialisation: Mapping[str, str],
) -> list[SoundingAnswers]:
    """Answers by validation, data tier and method, for `plant_score_tables.sounding_scores`.

    Args:
        images: what is judged; images of unknown capacity factor only where a group has no other.
        models: `model_answers`.
        peers: name -> answers about the same rows, the training mean's among them: rows without it are not judged, and
            any other peer is left out of a group in which it has a row without answer.
        initialisation: of the models; peers have none.
    """
    found = []
    for validation, tier, rows in _groups(images, models, peers[TRAIN_MEAN]):
        keys = {
            "validation": validation, "structure_kind": images.structure_kind, "imager": images.imager,
            "data_tier": tier,
        }  # fmt: skip
        for name, said in [*models.items(), *peers.items()]:
            if np.isfinite(said.on_score[rows]).all():
                role, began = (ROLES[name], "") if name in peers else ("model", initialisation.get(name, ""))
                own = {**keys, "model": name, "role": role, "initialisation": began}
                found.append(_answers(own, images, rows, said, peers[TRAIN_MEAN]))
    return found


def _answers(
    keys: Mapping[str, str], images: LabelledImages, rows: Rows, said: Soundings, baseline: Soundings
) -> SoundingAnswers:
    return SoundingAnswers(
        keys=keys,
        plant=images.plant[rows].astype(str),
        observed=images.truth.capacity_factor[rows],
        predicted=said.capacity_factor[rows],
        baseline=baseline.capacity_factor[rows],
        is_on=images.truth.on[rows],
        on_score=said.on_score[rows],
    )


def _groups(
    images: LabelledImages, models: Mapping[str, Soundings], baseline: Soundings
) -> Iterator[tuple[str, str, Rows]]:
    """Validation, data tier and the rows that every model with answers there, and the baseline, told something of."""
    for validation, inside in ((CROSS, images.fold >= 0), (EXTERNAL, images.fold < 0)):
        for tier in sorted(set(images.data_tier[inside])):
            rows = np.flatnonzero(inside & (images.data_tier == tier))
            known = rows[np.isfinite(images.truth.capacity_factor[rows])]
            rows = known if len(known) else rows
            told = [
                np.isfinite(said.on_score[rows]) & np.isfinite(said.capacity_factor[rows]) for said in models.values()
            ]
            told = [of for of in told if of.any()]
            known_by_all = np.logical_and.reduce([np.isfinite(baseline.on_score[rows]), *told])
            rows = rows[known_by_all] if told else rows[:0]
            if len(rows):
                yield validation, str(tier), rows


def _check_held_out(own: pd.DataFrame, fold: "pd.Series[int]") -> None:
    """No instance may answer for a plant it has seen, and none twice."""
    of_plant = own["plant_id"].map(fold)
    seen = own[(of_plant >= 0) & (own["instance"] != of_plant)]
    twice = own[own.duplicated([*_IMAGE, "model", "instance", "head"])]
    for wrong, what in ((seen, "has seen the plant it answers for"), (twice, "answers twice for an image")):
        if len(wrong):
            row = wrong.iloc[0]
            raise DataError(
                f"instance {row['instance']} of {row['model']} {what}",
                where=f"soundings of {row['plant_id']}, image {row['image_id']}",
                expected="training plants scored once by the instance that held them out",
                remedy="Run jobs.plants again with the bundles that the evaluation names.",
            )
