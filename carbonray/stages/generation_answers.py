"""What the generation models and their peers said of days whose 30-day mean was reported, for table 5.

Sources: SCIENCE 4.7, 4.10, plume paper section 4.2. Training plants are answered for in four rotations on the training
run's soundings; for all others the peers' four instances read averaged soundings and are averaged, as the product is.
The production model's row is the published product itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from carbonray.models.generation import GenerationModel, PlantDays
from carbonray.models.generation_peers import PRODUCTION
from carbonray.science.power.lookback import LITERAL, LookbackRules, Soundings, lookback_features, outputs_of
from carbonray.science.power.sounding_series import image_series
from carbonray.science.spatial.folds import N_FOLDS
from carbonray.stages.averaged_soundings import averaged_soundings
from carbonray.stages.generation_folds import LITERAL_WEIGHTS, ORACLE, HeldOut, LabelledSoundings
from carbonray.vocab.columns import column
from carbonray.vocab.product_tables import PLANTS_30DAY

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# a long table of all methods' answers, which years are made of
DAY_ANSWERS = pa.schema(
    [
        PLANTS_30DAY.field("plant_id"),
        column("day", pa.int32(), "days since 1970-01-01", "UTC day with which the 30 days end"),
        column("structure_kind", pa.string(), "1", "NDT or FGD"),
        column("model", pa.string(), "1", "method"),
        column("capacity_factor", pa.float64(), "1", "mean over the 30 days, as the method says"),
    ]
)


@dataclass(frozen=True)
class FittedPeers:
    """What four rotations left, for plants that they have not seen.

    Attributes:
        fitted: method -> four instances, as `HeldOut.fitted`.
        lookback: features they read; the literal weights and the oracle read their own.
    """

    fitted: Mapping[str, Sequence[GenerationModel]]
    lookback: LookbackRules


def product_days(days: pa.Table, structure_kind: str) -> "pd.Series[float]":
    """The product's 30-day means by plant and day since 1970-01-01.

    Args:
        days: schema `PLANTS_30DAY`, of any kinds.
        structure_kind: NDT or FGD.
    """
    own = days.filter(pc.equal(days.column("structure_kind"), structure_kind))
    date = own.column("date").cast(pa.int32()).to_numpy()
    index = pd.MultiIndex.from_arrays([own.column("plant_id").to_pylist(), date], names=["plant_id", "day"])
    return pd.Series(own.column("capacity_factor").to_numpy().astype(np.float64), index)


def with_product(held_out: HeldOut, product: "pd.Series[float]") -> tuple[HeldOut, float]:
    """The rows that the product tells of, its answers those of the production model.

    Args:
        held_out: answers in four rotations, or of plants outside.
        product: `product_days`.

    Returns:
        The answers, and the largest difference between the product and the production model fitted again: 0 where the
        product's soundings and models are those of the training run.
    """
    names = np.array(held_out.plants, object)[held_out.plant]
    rows = pd.MultiIndex.from_arrays([names, held_out.day])
    said = np.asarray(product.reindex(rows).to_numpy(), np.float64)
    known = np.isfinite(said)
    kept, own = rows_of(held_out, known), said[known]
    again = kept.predicted.get(PRODUCTION, own)
    apart = float(np.max(np.abs(again - own), initial=0.0))
    return replace(kept, predicted={**kept.predicted, PRODUCTION: own}), apart


def outside_days(data: LabelledSoundings, peers: FittedPeers, oracle: pa.Table | None = None) -> HeldOut:
    """Answers about plants that no fit has seen: soundings averaged over four instances, then the models' answers.

    Args:
        data: soundings and reports of such plants; folds are not read.
        peers: what four rotations left.
        oracle: their soundings as an infallible model would have said them.
    """
    literal = replace(peers.lookback, weighting=LITERAL)
    read = {LITERAL_WEIGHTS: (data.soundings, literal), ORACLE: (oracle, peers.lookback)}
    answers: dict[str, Floats] = {}
    rows: dict[str, PlantDays] = {}
    for name, instances in peers.fitted.items():
        table, how = read.get(name, (data.soundings, peers.lookback))
        if table is None:
            continue
        which = name if name in read else ""
        if which not in rows:
            rows[which] = _plant_days(data, table, how)
        answers[name] = np.asarray(
            np.mean([instance.predict(rows[which]) for instance in instances], axis=0), np.float64
        )
    return HeldOut(data.plants, data.plant, data.day, data.target, answers, {})


def by_tier(held_out: HeldOut, tiers: Mapping[str, str]) -> Iterator[tuple[str, HeldOut]]:
    """The answers of each data tier.

    Args:
        held_out: the answers.
        tiers: plant -> tier.
    """
    of_plant = np.array([tiers[name] for name in held_out.plants], object)
    for tier in sorted(set(of_plant[np.unique(held_out.plant)])):
        yield str(tier), rows_of(held_out, of_plant[held_out.plant] == tier)


def rows_of(held_out: HeldOut, chosen: Bools) -> HeldOut:
    """Some of the rows."""
    predicted = {name: values[chosen] for name, values in held_out.predicted.items()}
    parts = (held_out.plant[chosen], held_out.day[chosen], held_out.observed[chosen])
    return HeldOut(held_out.plants, *parts, predicted, held_out.fitted)


def day_answers(held_out: HeldOut, structure_kind: str) -> pa.Table:
    """All answers as one table, schema `DAY_ANSWERS`, by method, plant and day."""
    plant = np.array(held_out.plants, object)[held_out.plant]
    order = np.lexsort((held_out.day, held_out.plant))
    parts = [DAY_ANSWERS.empty_table()]
    for name in sorted(held_out.predicted):
        columns = {
            "plant_id": plant[order],
            "day": held_out.day[order].astype(np.int32),
            "structure_kind": [structure_kind] * len(order),
            "model": [name] * len(order),
            "capacity_factor": held_out.predicted[name][order],
        }
        parts.append(pa.table({name: columns[name] for name in DAY_ANSWERS.names}, schema=DAY_ANSWERS))
    return pa.concat_tables(parts)


def _plant_days(data: LabelledSoundings, table: pa.Table, rules: LookbackRules) -> PlantDays:
    """What a model may read of the rows' plants, averaged over all instances."""
    outputs, windows = outputs_of(data.pairs, rules.heads), rules.windows_days(data.structure_kind)
    told: Soundings = averaged_soundings(table, outputs, data.plants, range(N_FOLDS))
    features = lookback_features(told, outputs, data.plant, data.day, windows, rules)
    return PlantDays(data.plant, data.day, features, image_series(told, outputs))
