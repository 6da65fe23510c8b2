"""Matching judged against links of ids that it does not see: precision, recall, every match that a link disputes."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from carbonray.io.inventory.harmonise import InventoryMergeRules, listed_rows
from carbonray.io.inventory.identity import joined
from carbonray.io.inventory.listing import Listing
from carbonray.io.inventory.matching import name_likeness
from carbonray.science.spatial.geodesy import distance_km

FIT_HALF, JUDGED_HALF = 0, 1  # of the ids of the first inventory, by CRC-32: the weights were fitted on one half
SAME_KM, SAME_WORDS = 1.0, 0.95  # a disputed match so near and so named is one plant to the eye


@dataclass(frozen=True)
class Trial:
    """Two inventories, and who says which of their plants are one."""

    first: str
    second: str
    basis: tuple[str, ...]
    note: str = ""


TRIALS = (
    Trial("jrc", "gppd_2018", ("jrc_linkages",)),
    Trial("powerplantmatching", "gppd_2018", ("powerplantmatching",)),
    Trial("jrc", "powerplantmatching", ("powerplantmatching", "jrc")),
    Trial("eia860", "epa_eia", ("epa_eia",)),
    Trial(
        "eia860", "gppd", ("gppd",), "GPPD took these rows from EIA-860: a check of the plumbing, not of the matching"
    ),
    Trial("gppd", "gppd_2018", (), "two editions of one inventory, linked by equal ids (India)"),
)


@dataclass(frozen=True)
class Judged:
    """What a trial gave: the row of the table, and the matches that a link disputes."""

    row: dict[str, Any]
    disputed: pd.DataFrame


def judged(listings: Sequence[Listing], trial: Trial, rules: InventoryMergeRules) -> Judged:
    """Matches two inventories without any link, and holds them against the links."""
    chosen = [part for part in listings if part.source in (trial.first, trial.second)]
    rows = listed_rows(chosen, rules)
    truth = _truth(rows, _links(listings, trial.basis))
    blind = rows.assign(namespace=rows["source"])  # equal ids of two editions are links too, so they are hidden
    found = joined(blind, [], {}, rules.identity)
    root, rule = found.cluster, np.array(found.rule)
    second = _second(rows, trial)
    other = {int(r): row for row, r in enumerate(root) if rows["source"].iloc[row] != second}
    pairs = [
        (other[int(root[row])], row)
        for row in np.flatnonzero((rows["source"] == second) & (rule != "first"))
        if int(root[row]) in other
    ]
    table = _pair_table(rows, truth, rule, pairs)
    return Judged(_summary(trial, table, rows, truth, root), table[~table["right"] & table["linked"]])


def _second(rows: pd.DataFrame, trial: Trial) -> str:
    """The less trusted of the two: its rows are matched with the other's."""
    return str(rows["source"].iloc[-1])


def _links(listings: Sequence[Listing], basis: Iterable[str]) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    rows = (row for part in listings for row in part.links.to_pylist() if row["basis"] in set(basis))
    return [((row["namespace"], row["id"]), (row["other_namespace"], row["other_id"])) for row in rows]


def _truth(rows: pd.DataFrame, links: list[tuple[tuple[str, str], tuple[str, str]]]) -> np.ndarray:
    """(row,) name of the plant that the links make of it; rows of one name are one plant."""
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(node: tuple[str, str]) -> tuple[str, str]:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    for a, b in links:
        parent[root(a)] = root(b)
    names = ["/".join(root(node)) for node in zip(rows["namespace"], rows["source_id"], strict=True)]
    return np.array(names, dtype=object)


def _pair_table(rows: pd.DataFrame, truth: np.ndarray, rule: np.ndarray, pairs: list[tuple[int, int]]) -> pd.DataFrame:
    """One row a match: who, how far, how alike, and whether a link knows either of them."""
    sources = rows["source"].to_numpy()
    sides = {name: set(truth[sources == name]) for name in set(sources)}
    linked = set.intersection(*sides.values()) if len(sides) > 1 else set()
    a, b = np.array(pairs, np.int64).reshape(-1, 2).T
    lat, lon, name = rows["lat"].to_numpy(), rows["lon"].to_numpy(), rows["name"].to_numpy()
    right = truth[a] == truth[b]
    known_a, known_b = np.array([t in linked for t in truth[a]], bool), np.array([t in linked for t in truth[b]], bool)
    return pd.DataFrame(
        {
            "rule": rule[b],
            "name": name[a],
            "other_name": name[b],
            "source_id": rows["source_id"].to_numpy()[a],
            "other_source_id": rows["source_id"].to_numpy()[b],
            "country": rows["country"].to_numpy()[a],
            "capacity_mw": rows["capacity_mw"].to_numpy()[a],
            "other_capacity_mw": rows["capacity_mw"].to_numpy()[b],
            "km": distance_km(lat[a], lon[a], lat[b], lon[b]).round(2),
            "shared_words": name_likeness(name[a], name[b])[0].round(2),
            "right": right,
            "linked": known_a | known_b,
            "both_linked": known_a & known_b,
            "half": [zlib.crc32(own.encode()) % 2 for own in rows["source_id"].to_numpy()[a]],
        }
    )


def _summary(
    trial: Trial, table: pd.DataFrame, rows: pd.DataFrame, truth: np.ndarray, root: np.ndarray
) -> dict[str, Any]:
    """Precision among linked rows of the half not fitted on, and recall of the linked plants with a place."""
    half = table[table["half"] == JUDGED_HALF]
    told, both = half[half["linked"]], half[half["both_linked"]]
    disputed = told[~told["right"]]
    same = ((disputed["km"] <= SAME_KM) & (disputed["shared_words"] >= SAME_WORDS)).sum()
    frame = rows.assign(truth=truth, root=root, placed=rows["lat"].notna())
    recall = {
        name: _recall(frame[mask], table)
        for name, mask in (("placed", frame["placed"].to_numpy()), ("all", np.ones(len(frame), bool)))
    }
    return {
        "first": trial.first,
        "second": trial.second,
        "links": ", ".join(trial.basis) or "equal ids",
        "matches": len(half),
        "judged": len(told),
        "right": int(told["right"].sum()),
        "precision": _ratio(told["right"].sum(), len(told)),
        "precision_both_linked": _ratio(both["right"].sum(), len(both)),
        "disputed": len(disputed),
        "disputed_same_name_and_place": int(same),
        "linked_plants": recall["placed"][0],
        "recall": recall["placed"][1],
        "linked_plants_all": recall["all"][0],
        "recall_all": recall["all"][1],
        "note": trial.note,
    }


def _recall(frame: pd.DataFrame, table: pd.DataFrame) -> tuple[int, float]:
    """Linked plants of the half, and the share of them that has rows of both inventories in one cluster."""
    first = frame["source"].iloc[0]
    groups = frame.groupby("truth")["source"].nunique()
    both = frame[frame["truth"].isin(groups.index[groups > 1])]
    own = both[both["source"] == first].drop_duplicates("truth")
    kept = set(own["truth"][[zlib.crc32(name.encode()) % 2 == JUDGED_HALF for name in own["source_id"]]])
    both = both[both["truth"].isin(kept)]
    together = both.groupby(["truth", "root"])["source"].nunique().gt(1).groupby("truth").any()
    return len(kept), _ratio(together.sum(), len(kept))


def _ratio(part: Any, whole: int) -> float:
    return round(float(part) / whole, 4) if whole else float("nan")
