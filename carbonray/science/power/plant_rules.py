"""Which power stations the models may learn from, and to which they may be applied.

Source: plume paper section 3.4 (plant selection), SCIENCE 4.4; where the paper gives no number it is inferred and says
so. Arrays are (n,), one row for a plant in a year; shares are 0 to 1, NaN where unknown, and unknown is rejected.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.power.selection import Broken, Verdict, verdict
from carbonray.vocab.plants import FGD, NDT

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Criteria:
    """What a plant must be.

    Attributes:
        min_coal_share: coal in operating capacity.
        min_capacity_mw: operating capacity.
        min_ndt_share: natural draft in cooled capacity; 0 asks for any at all.
        min_fgd_generation_share: generation behind wet FGD.
        min_fgd_coal_share: coal capacity behind wet FGD.
        min_structures: annotated towers or stacks.
        min_reported_share: hours of the year with reported generation; 0 asks for none.
        max_reported_past_retirement_days: generation reported after the last unit retired.
        min_fgd_use: favourable images of a running plant that show vapor; 0 does not ask.
        min_fgd_use_images: favourable images of the running plant without which that share says nothing.
    """

    min_coal_share: float = 0.5
    min_capacity_mw: float = 500.0
    min_ndt_share: float = 0.0
    min_fgd_generation_share: float = 0.0
    min_fgd_coal_share: float = 0.0
    min_structures: int = 1
    min_reported_share: float = 0.0
    max_reported_past_retirement_days: float = float("inf")
    min_fgd_use: float = 0.0
    min_fgd_use_images: int = 10


@dataclass(frozen=True)
class PlantRules:
    """Criteria by purpose and structure kind.

    Attributes:
        ndt_train: coal at least half, 500 MW, 70 % of the cooling by natural draft [paper]; reported for 90 % of the
            hours, nothing reported 60 days after retirement (inferred: the paper says "complete" and "several months").
        fgd_train: coal at least half, 500 MW, 90 % of the generation and all coal behind wet FGD [paper]; vapor in
            half of 10 or more favourable images of the running plant (inferred: the paper says "sporadic").
        ndt_infer: any natural draft and 50 MW [paper]; coal at least half still (inferred: the paper relaxes two).
        fgd_infer: as for training, without what only reported generation can tell [paper].
        years: first and last year; in inference the criteria must hold in each of them [paper].
    """

    ndt_train: Criteria = field(
        default_factory=lambda: Criteria(
            min_ndt_share=0.7, min_reported_share=0.9, max_reported_past_retirement_days=60.0
        )
    )
    fgd_train: Criteria = field(
        default_factory=lambda: Criteria(
            min_fgd_generation_share=0.9,
            min_fgd_coal_share=1.0,
            min_reported_share=0.9,
            max_reported_past_retirement_days=60.0,
            min_fgd_use=0.5,
        )
    )
    ndt_infer: Criteria = field(default_factory=lambda: Criteria(min_capacity_mw=50.0))
    fgd_infer: Criteria = field(default_factory=lambda: Criteria(min_fgd_generation_share=0.9, min_fgd_coal_share=1.0))
    years: tuple[int, int] = (2015, 2022)

    def criteria(self, kind: str, *, train: bool) -> Criteria:
        """The criteria of a structure kind, for training or for inference."""
        return {
            (NDT, True): self.ndt_train,
            (FGD, True): self.fgd_train,
            (NDT, False): self.ndt_infer,
            (FGD, False): self.fgd_infer,
        }[kind, train]


@dataclass(frozen=True)
class PlantFacts:
    """What is known of n plants in a year each.

    Attributes:
        capacity_mw: (n,) operating capacity.
        coal_share: (n,) of operating capacity.
        ndt_share: (n,) of cooled capacity, by natural draft.
        fgd_generation_share: (n,) of generation, behind wet FGD.
        fgd_coal_share: (n,) of coal capacity, behind wet FGD.
        structures: (n,) annotated structures of the kind in question.
        reported_share: (n,) of the year's hours, with reported generation.
        reported_past_retirement_days: (n,) 0 where none is.
        fgd_use: (n,) share of favourable images of the running plant that show vapor, NaN where not looked at.
        fgd_use_images: (n,) how many images that share is of.
    """

    capacity_mw: ArrayLike
    coal_share: ArrayLike
    ndt_share: ArrayLike
    fgd_generation_share: ArrayLike
    fgd_coal_share: ArrayLike
    structures: ArrayLike
    reported_share: ArrayLike
    reported_past_retirement_days: ArrayLike
    fgd_use: ArrayLike
    fgd_use_images: ArrayLike


def plant_verdict(facts: PlantFacts, kind: str, criteria: Criteria) -> Verdict:
    """Rejects plant-years that do not meet the criteria of a structure kind, in the order of the paper's list."""
    rules = [
        _at_least("coal share", facts.coal_share, criteria.min_coal_share),
        *(_cooling_rules(facts, criteria) if kind == NDT else _scrubber_rules(facts, criteria)),
        _at_least("structures", facts.structures, criteria.min_structures),
        _at_least("capacity", facts.capacity_mw, criteria.min_capacity_mw),
        _at_least("reported generation", facts.reported_share, criteria.min_reported_share),
        _past_retirement(facts, criteria),
    ]
    return verdict(len(np.asarray(facts.capacity_mw)), rules)


def every_year_verdict(
    plant: ArrayLike, year: ArrayLike, yearly: Verdict, years: tuple[int, int]
) -> tuple[NDArray[np.object_], Verdict]:
    """Plants that meet the criteria in every year of a range (inference, SCIENCE 4.4).

    Args:
        plant: (n,) ids.
        year: (n,) calendar years.
        yearly: (n,) the verdict on each plant in each year.
        years: first and last year, both included.

    Returns:
        (p,) plants, sorted, and the verdict on each: its first bad year's rule, or the first year that is missing.
    """
    ids, index = np.unique(np.asarray(plant).astype(str), return_inverse=True)
    first, last = years
    column = np.asarray(year, np.int64) - first
    inside = (column >= 0) & (column <= last - first)
    row_of = np.full((len(ids), last - first + 1), -1, np.int64)
    row_of[index[inside], column[inside]] = np.flatnonzero(inside)
    bad = (row_of < 0) | ~np.append(yearly.kept, False)[row_of]
    worst = np.argmax(bad, axis=1)  # the first bad year, or 0 where none is
    at = row_of[np.arange(len(ids)), worst]
    rule, reason = (np.full(len(ids), "", dtype=object) for _ in range(2))
    for plant_row in np.flatnonzero(bad.any(axis=1)):
        missing = at[plant_row] < 0
        rule[plant_row] = "every year" if missing else yearly.rule[at[plant_row]]
        words = "nothing is known of the plant" if missing else yearly.reason[at[plant_row]]
        reason[plant_row] = f"in {first + int(worst[plant_row])}: {words}"
    return ids.astype(object), Verdict(rule, reason)


def _cooling_rules(facts: PlantFacts, criteria: Criteria) -> list[Broken]:
    share = np.asarray(facts.ndt_share, np.float64)
    none = Broken("natural draft", ~(share > 0), lambda row: f"share {share[row]:.2f} (limit: any)")
    return [_at_least("natural draft", share, criteria.min_ndt_share), none]


def _scrubber_rules(facts: PlantFacts, criteria: Criteria) -> list[Broken]:
    use, images = np.asarray(facts.fgd_use, np.float64), np.asarray(facts.fgd_use_images)
    sporadic = (use < criteria.min_fgd_use) & (images >= criteria.min_fgd_use_images)  # not looked at is not sporadic
    return [
        _at_least("wet FGD of generation", facts.fgd_generation_share, criteria.min_fgd_generation_share),
        _at_least("wet FGD of coal", facts.fgd_coal_share, criteria.min_fgd_coal_share),
        Broken(
            "sporadic FGD",
            sporadic,
            lambda row: f"vapor in {use[row]:.2f} of {images[row]} favourable images (limit {criteria.min_fgd_use:g})",
        ),
    ]


def _past_retirement(facts: PlantFacts, criteria: Criteria) -> Broken:
    days, limit = (
        np.asarray(facts.reported_past_retirement_days, np.float64),
        criteria.max_reported_past_retirement_days,
    )
    return Broken(
        "reported past retirement", days > limit, lambda row: f"for {days[row]:.0f} days (limit {limit:g} days)"
    )


def _at_least(name: str, value: ArrayLike, limit: float) -> Broken:
    values: Floats = np.asarray(value, np.float64)
    short = ~(values >= limit) if limit > 0 else np.zeros(len(values), np.bool_)
    return Broken(name, short, lambda row: f"{values[row]:.4g} (limit {limit:g})")
