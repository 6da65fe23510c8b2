"""The words of the evidence: what was merged from what, how sure the matching is, and what the factors miss."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tests.evidence.inventory_labels import JOINED_KM

COMMAND = "python -m tests.evidence.inventory --data ../shared/data --out docs/evidence/inventory"


def readme(facts: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> str:
    """The page."""
    rows, emission = facts["rows"], facts["emissions"]
    labels = tables["labelled_plants"]
    possible = {"all": _possible(tables["possible_duplicates"])}
    joined = int((labels["coal_km"] <= JOINED_KM).sum())
    return f"""# The merged inventory of the real files

{rows["plants"]} plants and {rows["units"]} units from every file under `plants/`; {rows["conflicts"]} contradictions
and {rows["quarantined"]} findings (rows left out, values unset, doubts kept) are listed in the run's own tables and
counted here. Data tier: REAL. Made by

    {COMMAND}

## By country

The thirty largest in GPPD; all of them are in `countries.csv`. The files at hand are components of GPPD 1.3 for nine
countries, its national file of 2018 for others, and newer inventories of the USA, Europe and Australia: China, for one,
is not among them. Rows that no inventory places are set aside, not counted as plants.

{_table(tables["countries"].head(30))}

## By fuel

Over the countries that have plants here. A plant here has one fuel, that of most of its capacity; GPPD's summary counts
a plant under each of its fuels, so its rows overlap (they add to 6.7 TW of a total of 5.7 TW), most of all under oil.
GPPD's cogeneration is counted with `other`, petcoke with oil.

{_table(tables["fuels"])}

## By source

{_table(tables["sources"])}

Not read, because they list no plants:

{_table(pd.DataFrame(facts["refused"], columns=["file", "reason"]))}

## Duplicates, contradictions, findings

{_table(_by_attribute(tables["conflicts"]))}

By pair of inventories in `conflicts.csv`; those of the largest plants in `largest_conflicts.csv`.
`one plant of two rows` are duplicates inside one inventory, `two plants though` are joins that were refused: links
between rows more than 50 km apart, or that would make one station of one inventory's distant plants.

{_table(possible["all"])}

Left in the inventory, and perhaps one plant each: pairs of plants that different inventories lead, at most 1 km apart,
with one family of fuel and capacities within a tenth; of both sizes the smaller counts. The codes that stand for names
in the British and Spanish parts of JRC-PPDB-OPEN keep them apart. The largest are in `possible_duplicates.csv`.

{_table(tables["findings"].groupby(["entity", "kind", "attribute"])["count"].sum().reset_index())}

## Matching, against links that it did not see

Each row matches two inventories by place, name, capacity and fuel alone; the links are then looked up. The weights were
fitted on one half of the ids of the first three and the EPA crosswalk, all counts are of the other half.

{_table(tables["matching"])}

- `precision`: a match is wrong wherever a link says anything else of either side. Most of those are gaps in the
  links: of two rows of one name at one place a link often knows only the other inventory's twin.
  `disputed_same_name_and_place` counts those within 1 km and with the same words; every disputed match, of both halves,
  is in `disputed_matches.csv`.
- `precision_both_linked`: only matches whose two sides are both linked, so that a link contradicts outright.
- `recall`: of plants linked and placed in both inventories; `recall_all` counts those without coordinates too.

## On/off labels

{joined} of {len(labels)} labelled sites have a plant with at least 100 MW of coal units within {JOINED_KM:g} km; the
median distance from the plant's coordinates to the nearest labelled tower or stack is
{labels["coal_km"].median():.2f} km, the largest {labels["coal_km"].max():.2f} km. `coal_mw` is what serves on the
inventory's day, 0 where all has retired since; of two stations side by side the nearer is named.

{_table(labels[["lat", "lon", "points", "labels", "share_on", "coal_name", "coal_country", "coal_mw", "coal_km"]])}

The same points judge the coordinates of each inventory, which set the order in which they are trusted for places:

{_table(tables["label_distances"])}

## CO2 of US plants, 2014

Net generation as reported (WRI's file, by EIA code) times the inventory's factors by fuel and prime mover, beside
eGRID 2014 (CO2 equivalent, short tons made metric). eGRID's sheet has no codes: {emission["egrid_matched"]} of its
{emission["egrid_plants"]} plants, {emission["egrid_matched_mt"]:.1f} of {emission["egrid_mt"]:.1f} Mt, were matched to
the inventory's US rows by name, place and fuel. {emission["reported_generation_without_plant"]} of
{emission["reported_generation_rows"]} rows of generation have no plant in it. {emission["plants_without_factor"]} of
{emission["plants"]} plants burn what has no factor (waste, gases of works, other),
{emission["mt_without_factor"]:.1f} Mt, and are left out of the sums.

{_table(tables["us_co2_by_fuel"])}

`calibrated` multiplies coal by 1.06, the one calibration that SCIENCE 4.8 gives. Fuels are eGRID's categories; errors
are estimate less eGRID. Inventory and eGRID are of different years: plants that changed fuel between 2014 and 2019,
heat of cogeneration, and the fossil part of biomass and waste plants are not in a factor. The largest errors are in
`us_co2_largest_errors.csv`:

{_table(tables["us_co2_largest_errors"].head(12))}

## Folds

{facts["folds"]["blocks"]} blocks of one degree; plants by fold {facts["folds"]["plants"]}, of them
such as burn something and have 50 MW or more, which alone are balanced and tied, {facts["folds"]["scored"]};
{facts["folds"]["split_pairs"]} pairs of those under 10 km in different folds.

## Bytes

{_table(pd.DataFrame(facts["objects"].items(), columns=["object", "sha256"]))}

## Inputs

{_table(pd.DataFrame(facts["inputs"].items(), columns=["file", "sha256"]))}

WRI GPPD and reported generation, JRC-PPDB-OPEN and powerplantmatching are CC BY 4.0; EIA-860, eGRID and the EPA-EIA
crosswalk are works of the US Government or MIT; OpenNEM is MIT; the labels are Climate TRACE's, Apache-2.0.
"""


def _possible(table: pd.DataFrame) -> pd.DataFrame:
    gw = table.groupby("country")["smaller_mw"].agg(["size", "sum"]).sort_values("sum", ascending=False)
    every = pd.DataFrame({"size": [len(table)], "sum": [table["smaller_mw"].sum()]}, index=["all"])
    shown = pd.concat([every, gw.head(8)]).reset_index(names="country")
    shown["sum"] = (shown["sum"] / 1e3).round(2)
    return shown.rename(columns={"size": "pairs", "sum": "gw"})


def _by_attribute(conflicts: pd.DataFrame) -> pd.DataFrame:
    return conflicts.groupby(["attribute", "kind"])["count"].sum().reset_index()


def _table(frame: pd.DataFrame) -> str:
    lines = [list(map(str, frame.columns)), ["---"] * len(frame.columns)]
    lines += [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    if pd.isna(value):
        return "–"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value).replace("|", "/")
