"""Which rows of two inventories are one plant, by location, name, capacity and fuel, where no id says so.

Sources: names by rapidfuzz (token ratios), neighbours by a k-d tree of points on the sphere, one-to-one pairs by linear
assignment. The weights are a logistic regression on half of the id linkages of JRC-PPDB-OPEN, powerplantmatching and
the EPA-EIA crosswalk (inferred; docs/evidence/inventory judges them on the other half). Frames hold one row a plant:
name, country, lat, lon, capacity_mw, fuel.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from rapidfuzz import fuzz, process
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from carbonray.science.spatial.geodesy import EARTH_RADIUS_KM
from carbonray.vocab.plants import FUELS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class MatchRules:
    """How alike two rows must be; weights are log odds (inferred, see the module).

    Attributes:
        radius_km: farther apart two rows are never one plant (inferred).
        near_km: distance at which nearness has fallen to 1/e (inferred).
        bias: log odds of two rows within the radius that have nothing in common.
        shared_words: weight of the words that both names share (0 to 1).
        same_words: weight of the names as a whole (0 to 1).
        near: weight of nearness (0 to 1).
        capacity: weight of the ratio of the capacities (0 to 1).
        fuel: weight of the fuels' likeness (0 to 1).
        unknown_capacity: what stands for the ratio where a capacity is unknown (inferred).
        min_log_odds: from here on two rows are one plant.
    """

    radius_km: float = 20.0
    near_km: float = 3.0
    bias: float = -11.1
    shared_words: float = 4.2
    same_words: float = 3.8
    near: float = 4.1
    capacity: float = 2.2
    fuel: float = 2.75
    unknown_capacity: float = 0.6
    min_log_odds: float = 0.0


# words that say what a thing is and not which one
_COMMON_WORDS = frozenset(
    [
        "power",
        "plant",
        "station",
        "powerstation",
        "powerplant",
        "generating",
        "generation",
        "generator",
        "facility",
        "project",
        "unit",
        "block",
        "energy",
        "center",
        "centre",
        "thermal",
        "electric",
        "electrica",
        "hydroelectric",
        "hydroelectrique",
        "hydropower",
        "hydro",
        "wind",
        "windfarm",
        "farm",
        "park",
        "windpark",
        "parque",
        "eolico",
        "solar",
        "solaire",
        "pv",
        "photovoltaic",
        "photovoltaik",
        "fotovoltaica",
        "anlage",
        "nuclear",
        "chp",
        "ccgt",
        "complex",
        "kraftwerk",
        "heizkraftwerk",
        "hkw",
        "kw",
        "central",
        "centrale",
        "usina",
        "uhe",
        "ute",
        "eol",
        "pch",
        "cgh",
        "elektrownia",
        "llc",
        "inc",
        "ltd",
        "the",
        "of",
        "de",
        "la",
        "le",
        "el",
        "del",
        "d",
        "da",
        "do",
        "and",
        "und",
        "y",
        "et",
    ]
)
# fuels that a station can change between without becoming another; the rest stand for themselves
_FIRED_FAMILIES = ("coal", "gas", "oil", "biogenic")
FIRED = "fired"

# a word of a name that tells the fuel where the inventory does not
NAME_FUELS: Mapping[str, str] = MappingProxyType(
    {
        "solar": "solar",
        "pv": "solar",
        "photovoltaic": "solar",
        "wind": "wind",
        "windfarm": "wind",
        "windpark": "wind",
        "hydro": "hydro",
        "hydroelectric": "hydro",
        "dam": "hydro",
        "storage": "storage",
        "battery": "storage",
        "bess": "storage",
        "nuclear": "nuclear",
    }
)


def plain_name(name: str) -> str:
    """A name without accents, case, signs and common words; all its words where it has no others."""
    letters = unicodedata.normalize("NFKD", name)
    words = re.findall(r"[^\W_]+", "".join(sign for sign in letters if not unicodedata.combining(sign)).lower())
    return " ".join([word for word in words if word not in _COMMON_WORDS] or words)


def fuel_group(fuel: str) -> str:
    """`fired`, a fuel that is burnt for itself alone (`wind`, `hydro`, ...), or empty where unknown."""
    if fuel in ("", "other"):
        return ""
    return FIRED if FUELS[fuel].family in _FIRED_FAMILIES else fuel


def name_fuel(name: str) -> str:
    """The fuel that a name tells of, empty where it tells of none or of several."""
    told = {NAME_FUELS[word] for word in re.findall(r"[a-z]+", name.lower()) if word in NAME_FUELS}
    return told.pop() if len(told) == 1 else ""


def unit_vectors(lat_deg: ArrayLike, lon_deg: ArrayLike) -> Floats:
    """(point, 3) on the unit sphere, so that neither the date line nor a pole is an edge."""
    phi, turn = np.radians(np.asarray(lat_deg, np.float64)), np.radians(np.asarray(lon_deg, np.float64))
    return np.column_stack([np.cos(phi) * np.cos(turn), np.cos(phi) * np.sin(turn), np.sin(phi)])


def neighbours(left: pd.DataFrame, right: pd.DataFrame, radius_km: float) -> tuple[Ints, Ints, Floats]:
    """Positions in `left` and `right`, and km, of all located rows within a distance of each other."""
    here, there = (np.flatnonzero(side["lat"].notna() & side["lon"].notna()) for side in (left, right))
    if not len(here) or not len(there):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    trees = [
        KDTree(unit_vectors(side["lat"].to_numpy()[at], side["lon"].to_numpy()[at]))
        for side, at in ((left, here), (right, there))
    ]
    chord = 2.0 * np.sin(radius_km / EARTH_RADIUS_KM / 2.0)
    near = trees[0].sparse_distance_matrix(trees[1], chord, output_type="coo_matrix")
    km = 2.0 * EARTH_RADIUS_KM * np.arcsin(np.clip(near.data / 2.0, 0.0, 1.0))
    return here[near.row], there[near.col], km


def scored_pairs(left: pd.DataFrame, right: pd.DataFrame, rules: MatchRules) -> pd.DataFrame:
    """Pairs of one country within the radius: left, right (positions), km, shared_words, log_odds.

    Fuels that exclude each other, such as wind and coal, make no pair.
    """
    i, j, km = neighbours(left, right, rules.radius_km)
    same = left["country"].to_numpy()[i] == right["country"].to_numpy()[j]
    fuel = fuel_likeness(left["fuel"].to_numpy()[i], right["fuel"].to_numpy()[j])
    keep = same & (fuel >= 0.0)
    i, j, km, fuel = i[keep], j[keep], km[keep], fuel[keep]
    shared, whole = name_likeness(left["name"].to_numpy()[i], right["name"].to_numpy()[j])
    ratio = capacity_ratio(left["capacity_mw"].to_numpy()[i], right["capacity_mw"].to_numpy()[j])
    log_odds = (
        rules.bias
        + rules.shared_words * shared
        + rules.same_words * whole
        + rules.near * np.exp(-km / rules.near_km)
        + rules.capacity * np.where(np.isnan(ratio), rules.unknown_capacity, ratio)
        + rules.fuel * fuel
    )
    columns = {"left": i, "right": j, "km": km, "shared_words": shared, "capacity_ratio": ratio, "log_odds": log_odds}
    return pd.DataFrame(columns)


def name_likeness(left: Iterable[str], right: Iterable[str]) -> tuple[Floats, Floats]:
    """(pair,) likeness 0 to 1 of the words that two names share, and of the names as a whole."""
    plain: dict[str, str] = {}
    sides = [[plain.setdefault(name, plain_name(name)) for name in side] for side in (left, right)]
    if not sides[0]:
        return np.zeros(0), np.zeros(0)
    shared = process.cpdist(*sides, scorer=fuzz.token_set_ratio)
    whole = process.cpdist(*sides, scorer=fuzz.token_sort_ratio)
    return np.asarray(shared, np.float64) / 100.0, np.asarray(whole, np.float64) / 100.0


def capacity_ratio(left_mw: ArrayLike, right_mw: ArrayLike) -> Floats:
    """(pair,) the smaller over the larger, NaN where one is unknown or 0."""
    left, right = np.asarray(left_mw, np.float64), np.asarray(right_mw, np.float64)
    known = (left > 0) & (right > 0)
    return np.where(known, np.minimum(left, right) / np.where(known, np.maximum(left, right), 1.0), np.nan)


def fuel_likeness(left: Iterable[str], right: Iterable[str]) -> Floats:
    """(pair,) 1 of one family, 0.3 both fired, 0.5 where one is unknown, -1 where they exclude each other."""
    known: dict[tuple[str, str], float] = {}
    pairs = list(zip(left, right, strict=True))
    for pair in set(pairs):
        groups = [fuel_group(fuel) for fuel in pair]
        families = [FUELS[fuel].family for fuel in pair if fuel]
        if "" in groups:
            known[pair] = 0.5
        elif groups[0] != groups[1]:
            known[pair] = -1.0
        else:
            known[pair] = 1.0 if families[0] == families[1] else 0.3
    return np.array([known[pair] for pair in pairs], np.float64)


def one_to_one(left: Ints, right: Ints, score: Floats) -> Ints:
    """Positions of the pairs to keep: each side at most once, their scores as large as can be together.

    Args:
        left: (pair,) names of the left sides, any integers.
        right: (pair,) names of the right sides.
        score: (pair,) larger is better; pairs are distinct.
    """
    if not len(left):
        return np.zeros(0, np.int64)
    row, col = (np.unique(side, return_inverse=True)[1] for side in (left, right))
    n = int(row.max()) + 1
    size = n + int(col.max()) + 1
    graph = coo_array((np.ones(len(row)), (row, n + col)), shape=(size, size))
    group = connected_components(graph, directed=False)[1][row]
    order = np.argsort(group, kind="stable")
    cuts = np.flatnonzero(np.diff(group[order])) + 1
    kept = [_assigned(row[pairs], col[pairs], score[pairs], pairs) for pairs in np.split(order, cuts)]
    return np.sort(np.concatenate(kept))


def _assigned(row: Ints, col: Ints, score: Floats, pairs: Ints) -> Ints:
    """The pairs to keep of one connected group."""
    if len(pairs) == 1:
        return pairs
    rows, r = np.unique(row, return_inverse=True)
    cols, c = np.unique(col, return_inverse=True)
    gain, place = np.zeros((len(rows), len(cols))), np.full((len(rows), len(cols)), -1, np.int64)
    gain[r, c], place[r, c] = np.maximum(score, 0.0) + np.finfo(np.float64).eps, pairs  # better than no pair
    chosen: Ints = place[linear_sum_assignment(gain, maximize=True)]
    return chosen[chosen >= 0]
