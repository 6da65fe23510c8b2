"""Features of the generation models: what the soundings of the days before a day add up to, by model and by imager.

Source: plume paper, appendix C; SCIENCE 4.6, which restores its operators and enumerates 54 features a window. A window
of w days before day d holds the soundings of days d - w + 1 to d, UTC. Soundings are a long table, (n,) columns; what
is asked for is (row,) pairs of plant and day, answers are (row, feature), NaN where a window holds nothing. Sums are
taken over time in fixed point, so that order changes no bit and a sounding outside a window leaves no trace in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.errors import DataError
from carbonray.vocab.plants import FGD, NDT

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CLS, REG, AUX = "cls", "reg", "aux"  # ON-score, capacity factor, ON-score of a regressor's auxiliary head
MEAN, WEIGHTED, ABOVE = "mean", "weighted", "above"
MISSING = "missing"
ON_SCORE = 0.5  # above it a sounding says "on" (appendix C)
PAPER_COUNT, LITERAL, NORMALISED = "paper_count", "literal", "normalised"
LARGEST_VALUE = 1024.0  # thousands of soundings a window then fit in the fixed point
_SCALE = 2.0**40


@dataclass(frozen=True)
class LookbackRules:
    """Which windows and which reading of appendix C.

    Attributes:
        ndt_windows_days: windows of towers (plume paper, section 3.6).
        fgd_windows_days: windows of stacks (ibid.).
        heads: `paper_count` feeds the regressors' auxiliary ON-scores too, which gives the paper's 162 and 324
            features (inferred); `literal` does not: 132 and 264.
        weighting: denominator of the weighted regression: `normalised` the sum of the weights 2|Y - 0.5| (inferred),
            `literal` the sum of the ON-scores Y, as printed.
        epsilon: least ON-score of a sounding in the literal denominator (inferred).
    """

    ndt_windows_days: tuple[int, ...] = (30, 60, 180)
    fgd_windows_days: tuple[int, ...] = (30, 60, 365)
    heads: str = PAPER_COUNT
    weighting: str = NORMALISED
    epsilon: float = 1e-6

    def windows_days(self, structure_kind: str) -> tuple[int, ...]:
        """Windows of a structure kind; raises KeyError for another one."""
        return {NDT: self.ndt_windows_days, FGD: self.fgd_windows_days}[structure_kind]


@dataclass(frozen=True, order=True)
class ModelPair:
    """A classifier and a regressor of one imager, one line of the registry of sounding models.

    Attributes:
        imager: key of `vocab.sensors.IMAGERS`.
        model: such as `xgb` or `resisc`.
        auxiliary: whether the regressor has an on/off head of its own.
    """

    imager: str
    model: str
    auxiliary: bool


@dataclass(frozen=True, order=True)
class Output:
    """One number that sounding models say of an image."""

    imager: str
    model: str
    head: str


@dataclass(frozen=True)
class Feature:
    """One column: a statistic over a window; `model` is empty where it is of all models of the imager."""

    window_days: int
    imager: str
    model: str
    head: str
    statistic: str

    @property
    def name(self) -> str:
        """Such as `30d/sentinel2/xgb/cls/mean`, or `30d/sentinel2//cls/mean` of all models of the imager."""
        return f"{self.window_days}d/{self.imager}/{self.model}/{self.head}/{self.statistic}"


@dataclass(frozen=True)
class Soundings:
    """A long table, in any order.

    Attributes:
        plant: (n,) int64 number of the plant.
        day: (n,) int64 UTC days since 1970-01-01.
        image: (n,) int64 number of the image.
        output: (n,) int64 position among the outputs.
        value: (n,) ON-score or capacity factor; NaN counts as absent.
    """

    plant: Ints
    day: Ints
    image: Ints
    output: Ints
    value: Floats


def outputs_of(pairs: Sequence[ModelPair], heads: str = PAPER_COUNT) -> tuple[Output, ...]:
    """What the registry's models say of images, sorted; with auxiliary heads unless the reading is `literal`."""
    found = [Output(pair.imager, pair.model, head) for pair in pairs for head in (CLS, REG)]
    if heads == PAPER_COUNT:
        found += [Output(pair.imager, pair.model, AUX) for pair in pairs if pair.auxiliary]
    return tuple(sorted(found))


def features(outputs: Sequence[Output], windows_days: Sequence[int]) -> tuple[Feature, ...]:
    """All columns in order: by window, then by imager; nothing is padded that no model says."""
    return tuple(
        Feature(window, imager, *which)
        for window in windows_days
        for imager in _imagers(outputs)
        for which in _statistics([output for output in outputs if output.imager == imager])
    )


def feature_names(outputs: Sequence[Output], windows_days: Sequence[int], *, indicators: bool) -> tuple[str, ...]:
    """Names of all columns; with indicators, those of the flags of imputed features follow (FGD only)."""
    names = [feature.name for feature in features(outputs, windows_days)]
    return tuple(names + [f"{name}/{MISSING}" for name in names]) if indicators else tuple(names)


def lookback_features(
    soundings: Soundings,
    outputs: Sequence[Output],
    plant: ArrayLike,
    day: ArrayLike,
    windows_days: Sequence[int],
    rules: LookbackRules | None = None,
) -> Floats:
    """(row, feature) in the order of `features`, NaN where no sounding of the window says anything.

    Args:
        soundings: of any plants.
        outputs: what `soundings.output` counts in.
        plant: (row,) plants asked for.
        day: (row,) days at whose end the windows end.
        windows_days: lengths of the windows.
        rules: the reading of appendix C.

    Raises:
        DataError: an image has two values of one output, or a value is not a number of this table.
    """
    rules = rules or LookbackRules()
    _check(soundings, len(outputs))
    rows, days = np.asarray(plant, np.int64), np.asarray(day, np.int64)
    columns = []
    for imager in _imagers(outputs):
        mine = [number for number, output in enumerate(outputs) if output.imager == imager]
        at, values = _by_image(soundings, mine)
        totals = [_running_total(term) for term in _terms(values, [outputs[number].head for number in mine], rules)]
        columns.append([_windowed(at, totals, _key(rows, days), window) for window in windows_days])
    by_window = [part for parts in zip(*columns, strict=True) for part in parts]
    return np.concatenate(by_window, axis=1) if by_window else np.zeros((len(rows), 0))


def sounding_counts(soundings: Soundings, plant: ArrayLike, day: ArrayLike, window_days: int) -> Ints:
    """(row,) images of the window of which anything is said."""
    said = np.isfinite(soundings.value)
    image = np.unique(np.column_stack([soundings.image, _key(soundings.plant, soundings.day)])[said], axis=0)
    at = np.sort(image[:, 1])
    low, high = _window(at, _key(np.asarray(plant, np.int64), np.asarray(day, np.int64)), window_days)
    return np.asarray(high - low, np.int64)


def _imagers(outputs: Sequence[Output]) -> list[str]:
    return list(dict.fromkeys(output.imager for output in outputs))


def _statistics(outputs: Sequence[Output]) -> list[tuple[str, str, str]]:
    """(model, head, statistic) of one imager's columns, in the order of `_terms`."""
    heads = [output.head for output in outputs]
    regressors = [output for output in outputs if output.head == REG]
    scores = [output for output in outputs if output.head != REG]
    both = CLS in heads and REG in heads
    return [
        *((output.model, output.head, MEAN) for output in outputs),
        *(("", head, MEAN) for head in (CLS, REG) if head in heads),
        *((output.model, REG, WEIGHTED) for output in regressors if both),
        *([("", REG, WEIGHTED)] if both else []),
        *((output.model, output.head, ABOVE) for output in scores),
        *([("", CLS, ABOVE)] if CLS in heads else []),
    ]


def _terms(values: Floats, heads: Sequence[str], rules: LookbackRules) -> tuple[Floats, Floats]:
    """(image, column) numerators and denominators, zero where an image says nothing to the column.

    Args:
        values: (image, output) of one imager, NaN where absent.
        heads: of the outputs.
        rules: the reading of the weighted regression.
    """
    is_cls, is_reg = (np.array([head == which for head in heads], np.bool_) for which in (CLS, REG))
    score, factor = _mean(values[:, is_cls]), _mean(values[:, is_reg])  # Y and the mean z of each image
    averaged = [values, *(mean[:, None] for mean, some in ((score, is_cls), (factor, is_reg)) if some.any())]
    above = [values[:, ~is_reg], *([score[:, None]] if is_cls.any() else [])]
    plain = np.concatenate(averaged, axis=1)
    judged = np.concatenate(above, axis=1)
    numerators, denominators = [_known(plain)], [_seen(plain)]
    if is_cls.any() and is_reg.any():
        weight = 2.0 * np.abs(score - ON_SCORE)[:, None]
        over = weight if rules.weighting == NORMALISED else np.maximum(score, rules.epsilon)[:, None]
        weighed = np.column_stack([values[:, is_reg], factor])
        numerators.append(_known(weight * weighed))
        denominators.append(_known(np.where(np.isfinite(weighed), over, np.nan)))
    numerators.append(np.where(judged > ON_SCORE, 1.0, 0.0))
    denominators.append(_seen(judged))
    return np.concatenate(numerators, axis=1), np.concatenate(denominators, axis=1)


def _running_total(term: Floats) -> Ints:
    """(image + 1, column) sums over all images before each, in fixed point: differences of them are exact."""
    total = np.zeros((len(term) + 1, term.shape[1]), np.int64)
    np.cumsum(np.rint(term * _SCALE).astype(np.int64), axis=0, out=total[1:])
    return total


def _windowed(at: Ints, totals: Sequence[Ints], asked: Ints, window_days: int) -> Floats:
    """(row, column) ratios of windowed sums; `at` is ascending."""
    low, high = _window(at, asked, window_days)
    above, below = (total[high] - total[low] for total in totals)
    ratio: Floats = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return ratio


def _window(at: Ints, asked: Ints, window_days: int) -> tuple[Ints, Ints]:
    return np.searchsorted(at, asked - window_days, "right"), np.searchsorted(at, asked, "right")


def _by_image(soundings: Soundings, mine: Sequence[int]) -> tuple[Ints, Floats]:
    """Images of one imager in time: (image,) keys, ascending, and (image, output) values, NaN where absent."""
    here = np.flatnonzero(np.isin(soundings.output, mine) & np.isfinite(soundings.value))
    names, first, image = np.unique(soundings.image[here], return_index=True, return_inverse=True)
    cell = image * len(mine) + np.searchsorted(mine, soundings.output[here])
    if len(np.unique(cell)) < len(cell):
        raise _unfit("an image has two values of one output", "one value for each image and output")
    values = np.full(len(names) * len(mine), np.nan)
    values[cell] = soundings.value[here]
    key = _key(soundings.plant[here[first]], soundings.day[here[first]])
    order = np.argsort(key, kind="stable")
    return key[order], values.reshape(len(names), len(mine))[order]


def _key(plant: Ints, day: Ints) -> Ints:
    """Plant and day on one axis, plants far apart."""
    return (plant << 32) + day


def _mean(values: Floats) -> Floats:
    """(image,) mean over the outputs that are known, NaN where none is."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    mean: Floats = np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
    return mean


def _seen(values: Floats) -> Floats:
    return np.where(np.isfinite(values), 1.0, 0.0)


def _known(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, 0.0)


def _check(soundings: Soundings, n_outputs: int) -> None:
    if np.any(np.abs(soundings.value) > LARGEST_VALUE):
        raise _unfit("a value is too large", f"ON-scores and capacity factors, at most {LARGEST_VALUE:g}")
    if np.any((soundings.output < 0) | (soundings.output >= n_outputs)):
        raise _unfit("a value belongs to no output", f"0 to {n_outputs - 1}")


def _unfit(what: str, expected: str) -> DataError:
    return DataError(
        what,
        where="soundings",
        expected=expected,
        remedy="Average the instances first, and leave out what no declared model says.",
    )
