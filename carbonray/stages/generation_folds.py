"""Fits generation models in four rotations and judges each on plants that neither it nor its soundings' models saw.

Source: SCIENCE 4.7, plume paper section 3.8. Rotation k reads the soundings of sounding instance k alone: those of its
validation fold to fit, those of its test fold to judge. Every plant is judged once; scores pool the four folds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from carbonray.models.generation import GenerationModel, GenerationRules, PlantDays
from carbonray.models.generation_ensemble import GenerationEnsemble
from carbonray.models.generation_peers import GENERATION_MODELS, PRODUCTION
from carbonray.science.power.annual import IntervalRules, half_width
from carbonray.science.power.capacity_factor import annual_capacity_factor, first_day
from carbonray.science.power.lookback import (
    LITERAL,
    REG,
    LookbackRules,
    ModelPair,
    Output,
    Soundings,
    feature_names,
    lookback_features,
    outputs_of,
)
from carbonray.science.power.sounding_series import image_series
from carbonray.science.spatial.folds import N_FOLDS, rotation
from carbonray.stages.averaged_soundings import averaged_soundings, joined

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ORACLE = "oracle soundings"
LITERAL_WEIGHTS = f"{PRODUCTION}, literal weights"
LEAST_YEAR = 0.9  # share of a year's weight that reported generation must cover for the year to be judged (inferred)


@dataclass(frozen=True)
class GenerationFoldRules:
    """How generation models are fitted and judged.

    Attributes:
        lookback: features.
        generation: models.
        interval: how wide a plant's interval is.
    """

    lookback: LookbackRules = field(default_factory=LookbackRules)
    generation: GenerationRules = field(default_factory=GenerationRules)
    interval: IntervalRules = field(default_factory=IntervalRules)


@dataclass(frozen=True)
class LabelledSoundings:
    """Everything that generation models of one structure kind are fitted with.

    Attributes:
        structure_kind: NDT or FGD.
        pairs: the sounding models.
        soundings: schema `SOUNDINGS`, of that kind, all instances.
        folds: plant -> fold.
        plants: ids, which `plant` counts in.
        plant: (row,) whose target.
        day: (row,) days since 1970-01-01; every day a target is known of, or no year can be judged.
        target: (row,) mean capacity factor of the 30 days that end with the day; NaN rows are left out.
    """

    structure_kind: str
    pairs: tuple[ModelPair, ...]
    soundings: pa.Table
    folds: Mapping[str, int]
    plants: tuple[str, ...]
    plant: Ints
    day: Ints
    target: Floats


@dataclass(frozen=True)
class HeldOut:
    """Answers on plants that were held out, all models about the same rows.

    Attributes:
        plants: ids.
        plant: (row,) position in them.
        day: (row,) days since 1970-01-01.
        observed: (row,) 30-day means.
        predicted: model -> (row,).
        fitted: model -> four instances.
    """

    plants: tuple[str, ...]
    plant: Ints
    day: Ints
    observed: Floats
    predicted: Mapping[str, Floats]
    fitted: Mapping[str, tuple[GenerationModel, ...]]


@dataclass(frozen=True)
class HeldOutYears:
    """Years of held-out plants, (n,) columns."""

    plant: Ints
    year: Ints
    observed: Floats
    predicted: Floats


def fit_rotations(
    data: LabelledSoundings,
    models: Sequence[str] = tuple(GENERATION_MODELS),
    rules: GenerationFoldRules | None = None,
    oracle: pa.Table | None = None,
) -> HeldOut:
    """All models in all rotations; beside the production model, it stands with the weights of appendix C as printed.

    Args:
        data: soundings, folds and targets.
        models: keys of `GENERATION_MODELS`.
        rules: features, models.
        oracle: soundings as an infallible model would have said them (`oracle_table`); its row is the production
            model fitted and judged on them.

    Raises:
        DataError: a fold has no target to fit on, or the soundings are bad.
    """
    rules = rules or GenerationFoldRules()
    parts = [_rotated(data, k, models, rules, oracle) for k in range(N_FOLDS)]
    rows = np.concatenate([part[0] for part in parts])
    names = list(parts[0][1])
    return HeldOut(
        data.plants,
        data.plant[rows],
        data.day[rows],
        data.target[rows],
        {name: np.concatenate([part[1][name][1] for part in parts]) for name in names},
        {name: tuple(part[1][name][0] for part in parts) for name in names},
    )


def role_of(name: str) -> str:
    """Role of a row of `HeldOut.predicted`: model, variant, trivial, peer or oracle."""
    return {ORACLE: "oracle", LITERAL_WEIGHTS: "variant"}.get(name) or GENERATION_MODELS[name].role


def _rotated(
    data: LabelledSoundings, k: int, models: Sequence[str], rules: GenerationFoldRules, oracle: pa.Table | None
) -> tuple[Ints, dict[str, tuple[GenerationModel, Floats]]]:
    """Rows of rotation k's test fold, and of each model its instance and its answers there."""
    turn, names = rotation(k), feature_names(*feature_layout(data, rules), indicators=False)
    train, test = (target_rows(data, fold, rules.generation) for fold in (turn.generation_train, turn.test))
    as_printed = replace(rules, lookback=replace(rules.lookback, weighting=LITERAL))
    read = [({name: name for name in models}, data.soundings, rules)]
    read += [({LITERAL_WEIGHTS: PRODUCTION}, data.soundings, as_printed)] if PRODUCTION in models else []
    read += [] if oracle is None else [({ORACLE: PRODUCTION}, oracle, rules)]
    answers: dict[str, tuple[GenerationModel, Floats]] = {}
    for asked, table, how in read:
        fit_on, judge_on = (plant_days(data, table, k, rows, how) for rows in (train, test))
        for label, name in asked.items():
            fit = GENERATION_MODELS[name].fit
            fitted = fit(fit_on, data.target[train], names, data.structure_kind, rules.generation)
            answers[label] = fitted, fitted.predict(judge_on)
    return test, answers


def target_rows(data: LabelledSoundings, fold: int, rules: GenerationRules) -> Ints:
    """(row,) rows with a target, of the plants of a fold, in the years of training."""
    of_plant = np.array([data.folds.get(plant, -1) for plant in data.plants], np.int64)
    early, late = int(first_day(rules.first_year)), int(first_day(rules.last_year + 1))
    inside = (data.day >= early) & (data.day < late) & np.isfinite(data.target)
    return np.flatnonzero(inside & (of_plant[data.plant] == fold))


def plant_days(data: LabelledSoundings, table: pa.Table, k: int, rows: Ints, rules: GenerationFoldRules) -> PlantDays:
    """What a model may read: soundings of instance k in a table, of the rows' own plants."""
    outputs, windows = feature_layout(data, rules)
    plants = np.unique(data.plant[rows])
    told = averaged_soundings(table, outputs, [data.plants[number] for number in plants.tolist()], [k])
    told = Soundings(plants[told.plant], told.day, told.image, told.output, told.value)
    plant, day = data.plant[rows], data.day[rows]
    features = lookback_features(told, outputs, plant, day, windows, rules.lookback)
    return PlantDays(plant, day, features, image_series(told, outputs))


def feature_layout(data: LabelledSoundings, rules: GenerationFoldRules) -> tuple[tuple[Output, ...], tuple[int, ...]]:
    """Outputs of sounding models, and windows: what `science.power.lookback` makes features of."""
    return outputs_of(data.pairs, rules.lookback.heads), rules.lookback.windows_days(data.structure_kind)


def held_out_years(held_out: HeldOut, model: str) -> HeldOutYears:
    """Annual capacity factors of held-out plants, from the same days of both sides.

    Years that reported generation covers by less than `LEAST_YEAR` are left out.
    """
    found: list[tuple[int, int, float, float]] = []
    for plant, rows in _by_plant(held_out.plant):
        day = held_out.day[rows]
        years = np.unique(day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970)
        for year in years.tolist():
            sides = [
                annual_capacity_factor(day, of[rows], year) for of in (held_out.observed, held_out.predicted[model])
            ]
            if sides[0][1] >= LEAST_YEAR:
                found.append((plant, year, sides[0][0], sides[1][0]))
    columns = np.array(found, np.float64).reshape(-1, 4).T
    return HeldOutYears(columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2], columns[3])


def ensemble_of(
    data: LabelledSoundings,
    held_out: HeldOut,
    rules: GenerationFoldRules | None = None,
    *,
    training_folds: Mapping[str, int] | None = None,
    sounding_bundles: Sequence[str] = (),
    data_tier: str,
) -> GenerationEnsemble:
    """The production model's four instances, with intervals from their errors on held-out plants.

    Args:
        data: what they were fitted with.
        held_out: their answers.
        rules: features, models, level.
        training_folds: plant -> fold of every plant that a sounding or generation model was fitted or stopped on; the
            plants of the data where none is given.
        sounding_bundles: sha256 of the sounding models' bundles.
        data_tier: what they were trained on.
    """
    rules = rules or GenerationFoldRules()
    years = held_out_years(held_out, PRODUCTION)
    error = held_out.predicted[PRODUCTION] - held_out.observed
    folds = training_folds or {plant: data.folds[plant] for plant in data.plants if plant in data.folds}
    return GenerationEnsemble(
        structure_kind=data.structure_kind,
        model=PRODUCTION,
        instances=held_out.fitted[PRODUCTION],
        pairs=data.pairs,
        lookback=rules.lookback,
        training_folds=dict(folds),
        width_30d=half_width(error, held_out.plant, rules.interval),
        width_annual=half_width(years.predicted - years.observed, years.plant, rules.interval),
        sounding_bundles=tuple(sounding_bundles),
        data_tier=data_tier,
    )


def oracle_table(soundings: pa.Table, truth: pa.Table, on_limit: float) -> pa.Table:
    """Soundings as an infallible model would have said them: the floor that sampling alone leaves (SCIENCE 4.10).

    Args:
        soundings: schema `SOUNDINGS`.
        truth: `plant_id`, `imager`, `image_id`, and `capacity_factor` at the overpass, each image once; images that
            are not there, or whose truth is NaN, stay unsaid.
        on_limit: capacity factor above which a plant is on.
    """
    key = ("plant_id", "imager", "image_id")
    at = pc.index_in(joined(soundings, key), joined(truth, key).combine_chunks())
    factor = np.append(np.clip(truth.column("capacity_factor").to_numpy().astype(np.float64), 0.0, 1.0), np.nan)
    of_row = factor[np.asarray(pc.fill_null(at, -1).to_numpy(), np.int64)]
    regressor = np.asarray(pc.equal(soundings.column("head"), REG).to_numpy(), np.bool_)
    on = np.where(np.isnan(of_row), np.nan, np.where(of_row > on_limit, 1.0, 0.0))
    field_at = soundings.schema.get_field_index("value")
    value = pa.array(np.where(regressor, of_row, on).astype(np.float32))
    return soundings.set_column(field_at, soundings.schema.field(field_at), value)


def _by_plant(plant: Ints) -> Iterator[tuple[int, Ints]]:
    for number in np.unique(plant).tolist():
        yield number, np.flatnonzero(plant == number)
