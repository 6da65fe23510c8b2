"""Which listed rows are one plant: ids minted earlier, then links of ids, then likeness, inventory by inventory.

Source: appendix A.1 of the plume paper (linkages first, matching where they are missing). Rows stand in one frame, the
most trusted inventory first; a cluster is named by its first row. Plants that were minted apart are never joined: their
ids may not change any more, so what would join them is listed instead.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.io.inventory.matching import (
    FIRED,
    MatchRules,
    capacity_ratio,
    fuel_group,
    fuel_likeness,
    name_fuel,
    one_to_one,
    plain_name,
    scored_pairs,
)
from carbonray.science.spatial.geodesy import distance_km

Ints = NDArray[np.int64]
Node = tuple[str, str]  # namespace, id


@dataclass(frozen=True)
class IdentityRules:
    """When rows are one plant.

    Attributes:
        match: how alike rows without a link must be.
        max_link_km: a link between rows farther apart is an error in one of the inventories, and refused (inferred).
        max_complex_km: two plants of one inventory farther apart stay two, whatever links them (inferred).
        part_km: a row so near a fired or nuclear plant with the same words in its name is a part of it (inferred).
        part_words: least likeness of the words that both names share, for a part (inferred).
        bare_name_capacity: least ratio of capacities of two rows that only a name joins, one without place (inferred).
    """

    match: MatchRules = field(default_factory=MatchRules)
    max_link_km: float = 50.0
    max_complex_km: float = 5.0
    part_km: float = 1.0
    part_words: float = 0.95
    bare_name_capacity: float = 0.8


@dataclass(frozen=True)
class Joins:
    """What was joined and what was not.

    Attributes:
        cluster: (row,) first row of the plant that each row belongs to.
        rule: (row,) how each row came to its cluster: `first`, `minted`, `link`, `match`, `part` or `name`.
        refused: pairs of rows that a rule would have joined, and why they were not.
    """

    cluster: Ints
    rule: list[str]
    refused: list[tuple[int, int, str]]


def joined(
    rows: pd.DataFrame, links: Sequence[Sequence[str]], minted: Mapping[Node, str], rules: IdentityRules
) -> Joins:
    """Clusters of rows that are one plant.

    Args:
        rows: source, namespace, source_id, name, country, lat, lon, capacity_mw, fuel; the most trusted source first.
        links: (namespace, id, other namespace, other id, ...).
        minted: (namespace, id) -> plant id of earlier runs.
        rules: when rows are one plant.
    """
    nodes = list(zip(rows["namespace"], rows["source_id"], strict=True))
    clusters = _Clusters(rows, [minted.get(node, "") for node in nodes], rules.max_complex_km)
    first_of: dict[str, int] = {}
    for row, node in enumerate(nodes):
        if node in minted:
            clusters.join(first_of.setdefault(minted[node], row), row, "minted")
    _join_links(rows, nodes, links, rules, clusters)
    for source in dict.fromkeys(rows["source"]):
        _join_alike(rows, clusters, source, rules)
    return Joins(clusters.roots(), clusters.rule, clusters.refused)


class _Clusters:
    """Union-find whose roots are the first rows; ids minted apart and one inventory's distant plants stay apart."""

    def __init__(self, rows: pd.DataFrame, minted: list[str], max_complex_km: float) -> None:
        self._parent = list(range(len(minted)))
        self._members = [[row] for row in self._parent]
        self._minted = list(minted)
        self._source = rows["source"].tolist()
        self._lat, self._lon = rows["lat"].to_numpy(), rows["lon"].to_numpy()
        self._max_complex_km = max_complex_km
        self.rule = ["first"] * len(minted)
        self.refused: list[tuple[int, int, str]] = []
        self._told: set[tuple[int, int]] = set()

    def root(self, row: int) -> int:
        while self._parent[row] != row:
            self._parent[row] = self._parent[self._parent[row]]
            row = self._parent[row]
        return row

    def roots(self) -> Ints:
        return np.array([self.root(row) for row in range(len(self._parent))], np.int64)

    def join(self, a: int, b: int, rule: str) -> None:
        low, high = sorted((self.root(a), self.root(b)))
        if low == high:
            return
        ids = {self._minted[low], self._minted[high]} - {""}
        why = "minted apart earlier" if len(ids) > 1 else "" if rule == "minted" else self._too_wide(low, high)
        if why:
            self.refuse(a, b, f"{rule}: {why}")
            return
        self._parent[high] = low
        self._members[low] += self._members[high]
        self._minted[low] = ids.pop() if ids else ""
        self.rule[high] = rule

    def refuse(self, a: int, b: int, why: str) -> None:
        """Lists a join that was not made, once for two clusters."""
        pair = (min(self.root(a), self.root(b)), max(self.root(a), self.root(b)))
        if pair not in self._told:
            self._told.add(pair)
            self.refused.append((a, b, why))

    def _too_wide(self, low: int, high: int) -> str:
        """Why two clusters cannot be one station: plants of one inventory in both, too far apart."""
        pairs = [(a, b) for a in self._members[low] for b in self._members[high] if self._source[a] == self._source[b]]
        if not pairs:
            return ""
        a, b = np.array(pairs).T
        apart = distance_km(self._lat[a], self._lon[a], self._lat[b], self._lon[b])
        widest = float(np.nanmax(apart, initial=0.0))
        limit = self._max_complex_km
        return f"would hold plants of {self._source[a[0]]} {widest:.0f} km apart ({limit:g})" if widest > limit else ""


def _join_links(
    rows: pd.DataFrame, nodes: list[Node], links: Sequence[Sequence[str]], rules: IdentityRules, clusters: _Clusters
) -> None:
    """Joins rows of one id (editions), and rows that a link names, unless they lie too far apart."""
    members: dict[Node, list[int]] = {}
    for row, node in enumerate(nodes):
        members.setdefault(node, []).append(row)
    for namespace, own, other_namespace, other, *_ in links:
        linked = members.get((namespace, own), [])
        if linked and (namespace, own) != (other_namespace, other):
            members.setdefault((other_namespace, other), []).extend(linked)
    pairs = sorted({(min(group), row) for group in members.values() for row in group if row != min(group)})
    if not pairs:
        return
    a, b = np.array(pairs).T
    lat, lon = rows["lat"].to_numpy(), rows["lon"].to_numpy()
    apart = distance_km(lat[a], lon[a], lat[b], lon[b])
    nearest = np.argsort(apart, kind="stable")  # NaN, a row without a place, comes last
    for one, two, km in zip(a[nearest].tolist(), b[nearest].tolist(), apart[nearest].tolist(), strict=True):
        if km > rules.max_link_km:
            clusters.refuse(one, two, f"link: {km:.0f} km apart (limit {rules.max_link_km:g})")
        else:
            clusters.join(one, two, "link")


def _join_alike(rows: pd.DataFrame, clusters: _Clusters, source: str, rules: IdentityRules) -> None:
    """Joins one inventory's rows that no link has placed with the plants of the inventories before it."""
    root = clusters.roots()
    mine = (rows["source"] == source).to_numpy()
    start = int(np.flatnonzero(mine)[0])
    before = np.arange(len(rows)) < start
    placed = np.isin(root, root[before])
    new = np.flatnonzero(mine & ~placed)
    old = np.flatnonzero(before)
    if not len(new) or not len(old):
        return
    known = _as_known(rows, root)
    left, right = known.iloc[new], known.iloc[old]
    pairs = scored_pairs(left, right, rules.match)
    pairs = pairs.assign(new=new[pairs["left"]], old=old[pairs["right"]])
    pairs = pairs.assign(new_root=root[pairs["new"]], old_root=root[pairs["old"]])
    taken = set(root[mine].tolist())
    likely = pairs[(pairs["log_odds"] >= rules.match.min_log_odds) & ~pairs["old_root"].isin(taken)]
    best = likely.sort_values("log_odds", ascending=False, kind="stable").drop_duplicates(["new_root", "old_root"])
    keep = one_to_one(best["new_root"].to_numpy(), best["old_root"].to_numpy(), best["log_odds"].to_numpy())
    _join_all(clusters, best.iloc[keep], "match")
    _join_all(clusters, _parts(pairs, known, clusters, rules), "part")
    _join_all(clusters, _bare_names(known, clusters.roots(), new, old, rules), "name")


def _as_known(rows: pd.DataFrame, root: Ints) -> pd.DataFrame:
    """Rows with what their cluster knows where they themselves know no fuel or capacity."""
    fuel = rows["fuel"].where(~rows["fuel"].isin(("", "other")))
    named = rows["name"].map(name_fuel)
    return rows.assign(
        fuel=fuel.fillna(fuel.groupby(root).transform("first")).fillna(named).fillna(""),
        capacity_mw=rows["capacity_mw"].fillna(rows["capacity_mw"].groupby(root).transform("first")),
    )


def _join_all(clusters: _Clusters, pairs: pd.DataFrame, rule: str) -> None:
    for old, new in sorted(zip(pairs["old"].tolist(), pairs["new"].tolist(), strict=True)):
        clusters.join(old, new, rule)


def _parts(pairs: pd.DataFrame, known: pd.DataFrame, clusters: _Clusters, rules: IdentityRules) -> pd.DataFrame:
    """The best plant of each row still alone that is a part of one: inventories cut large stations differently."""
    root = clusters.roots()
    group = known["fuel"].map(fuel_group).to_numpy()
    alone = root[pairs["new"]] == pairs["new_root"]
    near = (pairs["km"] <= rules.part_km) & (pairs["shared_words"] >= rules.part_words)
    same = (group[pairs["new"]] == group[pairs["old"]]) & np.isin(group[pairs["new"]], (FIRED, "nuclear"))
    likely: pd.DataFrame = pairs[alone & near & same & (pairs["log_odds"] >= rules.match.min_log_odds)]
    return likely.sort_values("log_odds", ascending=False, kind="stable").drop_duplicates("new_root")


def _bare_names(known: pd.DataFrame, root: Ints, new: Ints, old: Ints, rules: IdentityRules) -> pd.DataFrame:
    """Pairs that share a name which is theirs alone in a country, where one of the two has no place."""
    placed = set(root[old].tolist())
    free = np.array([row for row in new if root[row] not in placed], np.int64)
    sides = [_lone_names(known, root, side) for side in (free, old)]
    both = sides[0].merge(sides[1], on=["country", "plain"], suffixes=("_new", "_old"))
    taken = set(root[known["source"].to_numpy() == known["source"].iloc[new[0]]].tolist())
    one, two = both["row_new"].to_numpy(), both["row_old"].to_numpy()
    placeless = known["lat"].isna().to_numpy()
    like = fuel_likeness(known["fuel"].to_numpy()[one], known["fuel"].to_numpy()[two])
    mw = known["capacity_mw"].to_numpy()
    fits = capacity_ratio(mw[one], mw[two]) >= rules.bare_name_capacity
    keep = (placeless[one] | placeless[two]) & (like >= 0.3) & fits & ~np.isin(root[two], list(taken))
    return pd.DataFrame({"new": one[keep], "old": two[keep]})


def _lone_names(known: pd.DataFrame, root: Ints, side: Iterable[int]) -> pd.DataFrame:
    """country, plain name and row of the names that only one cluster of these rows has in its country."""
    at = np.asarray(list(side), np.int64)
    names = [plain_name(name) for name in known["name"].to_numpy()[at]]
    long = [len(name) > 2 for name in names]
    columns = {"country": known["country"].to_numpy()[at], "plain": names, "row": at, "root": root[at], "long": long}
    frame = pd.DataFrame(columns).drop_duplicates(["country", "plain", "root"])
    return frame[~frame.duplicated(["country", "plain"], keep=False) & frame["long"].to_numpy(bool)]
