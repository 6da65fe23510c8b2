"""What the numbers say of each claim about energy and emissions: sentences computed from the tables, with verdicts.

Published figures (SCIENCE 2.1) are kept here and shown in a table of their own. A verdict holds a share of cells to the
published share: `reproduces` where it is reached and no interval contradicts, `in part` above a half with more than
twice as many intervals for it as against.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill

import pandas as pd

from carbonray.publish.markdown import table
from carbonray.stages.energy_bundles import TASKS
from tests.evidence.energy_fits import EVERY, LONG, RATIO, RATIO_NETWORK, REAL, TRIVIAL, TUNED
from tests.evidence.energy_rows import NETWORKS
from tests.evidence.energy_scores import BACKBONES, GAIN, Tables
from tests.evidence.energy_sheets import CLASSICAL, PROTOCOLS, ROWS, WORLDS, of, views

WIDTH = 120
SIZES = (0, 10, 100)
# model -> MAPE by number of countries, emissions then energy, as printed (SCIENCE 2.1)
PUBLISHED: Mapping[str, tuple[float, ...]] = {
    "lr": (0.423, 0.347, 0.243, 0.128, 0.104, 0.101),
    "knn": (0.309, 0.461, 0.349, 0.316, 0.070, 0.102),
    "dt": (0.768, 1.256, 0.402, 0.450, 0.094, 0.128),
    "xgb": (0.359, 1.166, 0.374, 0.370, 0.070, 0.112),
    "mlp": (0.136, 0.157, 0.183, 0.112, 0.056, 0.049),
    "cnn": (0.206, 0.273, 0.259, 0.201, 0.062, 0.050),
    "clean_mlp": (0.118, 0.111, 0.125, 0.110, 0.051, 0.057),
    "clean_cnn": (0.133, 0.196, 0.178, 0.191, 0.048, 0.054),
}
GROUPS: Mapping[str, tuple[str, ...]] = {"P-paper": ("paper",), "P-honest": ("region", "time")}
Columns = list[Mapping[str, float]]  # of a table in the published form: model -> MAPE


@dataclass(frozen=True)
class Claim:
    """A published claim that a table in the published form answers.

    Attributes:
        says: it.
        holds: columns -> in how many cells it holds, of how many.
    """

    says: str
    holds: Callable[[Columns], tuple[int, int]]


def ahead_of_backbone(columns: Columns) -> tuple[int, int]:
    """Cells where CLEAN's MAPE is the lower one."""
    found = [column[first] < column[second] for column in columns for first, second in BACKBONES.items()]
    return sum(found), len(found)


def clean_is_best(columns: Columns) -> tuple[int, int]:
    """Columns where the best of the eight is one of CLEAN."""
    found = [min(ROWS, key=column.__getitem__) in BACKBONES for column in columns]
    return sum(found), len(found)


def networks_are_best(columns: Columns) -> tuple[int, int]:
    """Columns where the best network is ahead of the best classical peer."""
    found = [min(column[name] for name in NETWORKS) < min(column[name] for name in CLASSICAL) for column in columns]
    return sum(found), len(found)


def countries_help(columns: Columns) -> tuple[int, int]:
    """Models and tasks whose MAPE is lower with most synthesised countries than without."""
    pairs = zip(columns[: len(TASKS)], columns[-len(TASKS) :], strict=True)
    found = [last[name] < first[name] for first, last in pairs for name in ROWS]
    return sum(found), len(found)


CLAIMS = (
    Claim("CLEAN is ahead of its own backbone", ahead_of_backbone),
    Claim("one of CLEAN is the best of the eight models", clean_is_best),
    Claim("networks are ahead of LR, KNN, DT and XGB", networks_are_best),
    Claim("synthesised countries lower the error, none against most", countries_help),
)


def published_columns() -> Columns:
    """The printed table by column."""
    return [{name: values[at] for name, values in PUBLISHED.items()} for at in range(len(SIZES) * len(TASKS))]


def measured_columns(
    scores: pd.DataFrame, world: str, protocol: str, subset: str, told: str, part: str = "main"
) -> Columns:
    """One measured table by column; empty where a model is missing."""
    own = of(scores, world=world, part=part, protocol=protocol, subset=subset, told=told, metric="mape")
    own = own[own["model"].isin(ROWS)]
    columns: Columns = [
        dict(zip(mine["model"], mine["value"], strict=True))
        for n in sorted(set(own["n"]))
        for task in TASKS
        for mine in [of(own, n=n, task=task)]
    ]
    return columns if all(set(column) == set(ROWS) for column in columns) else []


def claims_table(scores: pd.DataFrame) -> str:
    """In how many cells of each measured table every claim holds."""
    lines = []
    for world in WORLDS:
        for protocol, subset in views(scores, world):
            for told in sorted(set(scores["told"])):
                if columns := measured_columns(scores, world, protocol, subset, told):
                    cells = ["{} of {}".format(*claim.holds(columns)) for claim in CLAIMS]
                    lines.append((world, protocol, told, *cells))
    return table(("world", "protocol", "told", *(claim.says for claim in CLAIMS)), lines)


def long_claims(scores: pd.DataFrame, sizes: Sequence[int]) -> str:
    """In how many cells of the long fits the published claims hold."""
    both = [measured_columns(scores, "synthetic", "paper", EVERY, told, LONG) for told in sorted(set(scores["told"]))]
    if any(len(columns) < len(sizes) * len(TASKS) for columns in both):
        return "Not all of them were done, and no claim is counted."
    counts = {claim.says: [claim.holds(columns) for columns in both] for claim in CLAIMS}
    named = (f"{says} in {sum(h for h, _ in of_all)} of {sum(n for _, n in of_all)}" for says, of_all in counts.items())
    return f"The published claims: {'; '.join(named)}."


def sentences(tables: Tables, size: int) -> str:
    """A line a claim, with its verdict under each protocol; then what is no published claim."""
    lines = [_claim(claim, tables) for claim in CLAIMS]
    lines.insert(1, _by_rmse(tables.differences))
    lines += [_part(tables, name, other, size) for name, other in _parts()]
    lines += [_behind_trivial(tables), _gap(tables, size), _tuned(tables), _control(tables.controls)]
    return "\n".join(fill(f"- {line}", WIDTH, subsequent_indent="  ") for line in lines)


def verdict(held: int, of_all: int, needed: float, ahead: int = 1, behind: int = 0) -> str:
    """In words.

    Args:
        held: cells in which a claim holds.
        of_all: cells.
        needed: published share.
        ahead: cells whose interval says so.
        behind: cells whose interval says the contrary.
    """
    if not of_all:
        return "was not fitted"
    if held >= needed * of_all and not behind and ahead:
        return "reproduces"
    return "reproduces in part" if held > 0.5 * of_all and ahead > 2 * behind else "does not reproduce"


def _claim(claim: Claim, tables: Tables) -> str:
    printed = claim.holds(published_columns())
    told = []
    for group, protocols in GROUPS.items():
        held = total = 0
        for world in WORLDS:
            for protocol, subset in views(tables.scores, world):
                for told_what in sorted(set(tables.scores["told"])) if protocol in protocols else ():
                    columns = measured_columns(tables.scores, world, protocol, subset, told_what)
                    found = claim.holds(columns) if columns else (0, 0)
                    held, total = held + found[0], total + found[1]
        ends: tuple[int, int] = (1, 0)
        more = ""
        if claim.holds is ahead_of_backbone:
            ends = _ends(_main(tables.differences, protocols), BACKBONES.items())
            more = f" (interval below 0 in {ends[0]}, above 0 in {ends[1]})"
        if claim.holds is countries_help and (changes := _changes(tables.countries, protocols)):
            ends = changes
            more = f" (interval below 0 in {ends[0]}, above 0 in {ends[1]})"
        found_so = verdict(held, total, printed[0] / printed[1], *ends)
        told.append(f"under {group} in {held} of {total} cells{more}: {found_so}")
    return f"**{claim.says}**: {'; '.join(told)}."


def _changes(countries: pd.DataFrame, protocols: Sequence[str]) -> tuple[int, int] | None:
    """Models and tasks that most countries help and harm, by their intervals; none where rows are dealt anew."""
    if countries.empty:
        return None
    own = of(countries, part="main", subset=REAL, n=countries["n"].max())
    own = own[own["protocol"].isin(list(protocols)) & own["world"].isin(list(WORLDS)) & own["model"].isin(ROWS)]
    return (int((own["p95"] < 0.0).sum()), int((own["p05"] > 0.0).sum())) if len(own) else None


def _by_rmse(differences: pd.DataFrame) -> str:
    """CLEAN and its backbones by the score that no small total rules."""
    told = []
    for group, protocols in GROUPS.items():
        own = _main(differences, protocols, "ln_rmse")
        rows = pd.concat([of(own, first=first, second=second) for first, second in BACKBONES.items()])
        ahead, behind = _ends(rows, BACKBONES.items())
        lower = int((rows["difference"] < 0).sum())
        told.append(f"{group} lower in {lower} of {len(rows)}, interval below 0 in {ahead}, above 0 in {behind}")
    return f"The same by ln-RMSE, which no small total rules: {'; '.join(told)}."


def _parts() -> tuple[tuple[str, str], ...]:
    return (
        ("the cycle term helps", "clean_mlp_no_cycle"),
        ("the latent term helps", "clean_mlp_no_latent"),
        ("answers of totals are better than answers of ratios, no part of SCIENCE 2.3", RATIO_NETWORK),
    )


def _part(tables: Tables, says: str, other: str, size: int) -> str:
    told = []
    for group, protocols in GROUPS.items():
        rows = of(_main(tables.differences, protocols), n=size, first="clean_mlp", second=other)
        ahead, behind = _ends(rows, (("clean_mlp", other),))
        found = verdict(int((rows["difference"] < 0).sum()), len(rows), 1.0, ahead, behind)
        holds = {"reproduces": "holds", "reproduces in part": "holds in part", "does not reproduce": "does not hold"}
        lower = int((rows["difference"] < 0).sum())
        told.append(f"{group}: lower MAPE in {lower} of {len(rows)}, interval below 0 in {ahead}, above 0 in {behind}: "
                    f"{holds.get(found, found)}")  # fmt: skip
    return f"**{says}** (`clean_mlp` minus `{other}`). {'; '.join(told)}."


def _behind_trivial(tables: Tables) -> str:
    told = []
    for second in (TRIVIAL, RATIO, "region_mean", "emission_factors"):
        rows = of(_main(tables.differences, GROUPS["P-honest"]), first="clean_mlp", second=second)
        ahead, behind = _ends(rows, (("clean_mlp", second),))
        told.append(f"`{second}` {ahead}, {len(rows) - ahead - behind}, {behind} of {len(rows)}")
    return f"**`clean_mlp` against what needs no learning**, P-honest, better, undecided, worse: {'; '.join(told)}."


def _gap(tables: Tables, size: int) -> str:
    own = of(tables.scores, part="main", subset=REAL, model="clean_mlp", metric="mape", n=size)
    keys = ["world", "told", "task"]
    values = {
        (*row[:-2], row[-2]): row[-1] for row in own[[*keys, "protocol", "value"]].itertuples(index=False, name=None)
    }
    both = {key[:-1]: values[(*key[:-1], "region")] / value for key, value in values.items() if key[-1] == "paper"
            and key[0] in WORLDS and (*key[:-1], "region") in values}  # fmt: skip
    if not both:
        return "**What the protocol is worth**: not fitted."
    named = ", ".join(f"{' '.join(key)} {ratio:.1f}" for key, ratio in both.items())
    larger = sum(ratio > 1.0 for ratio in both.values())
    return (
        f"**What the protocol is worth**: MAPE of `clean_mlp` on real rows with a region left out, over that with rows "
        f"at random ({named}). It is larger in {larger} of {len(both)}."
    )


def _tuned(tables: Tables) -> str:
    rows = of(tables.differences, part="tuned", subset=REAL, metric="mape")
    told = []
    pairs = ((f"clean_mlp{TUNED}", f"mlp{TUNED}"), (f"clean_mlp{TUNED}", "clean_mlp"), (f"mlp{TUNED}", "mlp"))
    for first, second in pairs:
        own = of(rows, first=first, second=second)
        ahead, behind = _ends(own, ((first, second),))
        told.append(f"`{first}` against `{second}` {ahead}, {len(own) - ahead - behind}, {behind} of {len(own)}")
    return f"**Tuned, on turns that no trial saw**, better, undecided, worse: {'; '.join(told)}."


def _control(controls: pd.DataFrame) -> str:
    if controls.empty:
        return "**Negative control**: not fitted."
    failed = controls[controls["passes"] == "FAIL"]
    named = ", ".join(f"{row.model} {row.protocol} {row.told} {row.task} {row.metric}" for row in failed.itertuples())
    lines = len(controls)
    found = f"FAILS in {len(failed)} of {lines} lines ({named})" if named else f"passes, {lines} lines judged together"
    alone = int((controls["found"] == GAIN).sum())
    return (
        f"**Negative control** (emissions independent of the mix given size): {found}. Taken alone at 5 %, {alone} "
        f"look like a gain, where chance gives about {0.05 * lines:.1f}."
    )


def _main(differences: pd.DataFrame, protocols: Sequence[str], metric: str = "mape") -> pd.DataFrame:
    """The published tables' rows under some protocols."""
    own = of(differences, part="main", metric=metric)
    shown = own["subset"] == own["protocol"].map({name: EVERY if name == "paper" else REAL for name in PROTOCOLS})
    return own[shown & own["protocol"].isin(list(protocols)) & own["world"].isin(list(WORLDS))]


def _ends(rows: pd.DataFrame, pairs: Iterable[tuple[str, str]]) -> tuple[int, int]:
    """Cells whose interval says that the first is better, and that the second is."""
    ahead = behind = 0
    for first, second in pairs:
        own = of(rows, first=first, second=second)
        ahead, behind = ahead + int((own["better"] == first).sum()), behind + int((own["better"] == second).sum())
    return ahead, behind
