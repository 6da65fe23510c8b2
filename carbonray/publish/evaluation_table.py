"""The scores of an evaluation as Markdown: what was frozen, which bundles, and one table a question.

Source: SCIENCE 0.3: synthetic results carry their tier, and published figures stand in columns of their own. Tables are
`vocab.evaluation_tables.SCORES` and `DETECTION_CURVES`; a dash is an undefined score.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from carbonray.publish.markdown import number, table

Row = Mapping[str, Any]
TITLES = {"g1": "G1, the training generator, scenes no fit has seen", "g2": "G2, the shift tier: wandering puffs"}
WAYS = {"cut": "at each method's own cut, chosen on validation scenes", "theta": "above theta, the paper's definition"}
_SCORES = (
    "method", "RA [90 %]", "RA Q1 / median / Q3", "precision", "IoU", "F1 [90 %]", "false area", "false blobs / scene",
    "error km, median / p90", "bias kg/s", "RMSE kg/s", "Q50 kg/s", "Q90 kg/s",
)  # fmt: skip


def evaluation_markdown(
    scores: pa.Table, curves: pa.Table, differences: Sequence[Row], frozen: Mapping[str, Any], bundles: Sequence[Row]
) -> str:
    """The whole page.

    Args:
        scores: every method, stratum, theta and way of detecting.
        curves: the detection curves.
        differences: of F1 between two methods on the same scenes.
        frozen: what was fixed before any bundle was opened, by name.
        bundles: name, sha256, command, cut and flag of each bundle.
    """
    rows = scores.to_pylist()
    parts = [_head(frozen, bundles)]
    for generator in _values(rows, "generator", TITLES):
        for theta, found_at in _ways(rows, generator):
            parts.append(_main_table(rows, curves.to_pylist(), generator, theta, found_at))
    parts += [_difference_table(differences), _strength_table(rows)]
    parts += [_strata_table(rows, generator) for generator in _values(rows, "generator", TITLES)]
    return "\n\n".join(parts) + "\n"


def summary_text(scores: pa.Table, theta: float) -> str:
    """The scores at each method's own cut in lines narrow enough for a terminal."""
    rows = [row for row in scores.to_pylist() if row["stratum"] == "all" and row["found_at"] == "cut"]
    lines = []
    for generator in _values(rows, "generator", TITLES):
        own = [row for row in rows if row["generator"] == generator and row["theta"] == theta]
        lines.append(
            f"{generator.upper()}, {own[0]['data_tier']}, {own[0]['n_scenes']} scenes, theta {theta:g}, own cuts"
        )
        lines.append(f"{'':26}{'RA':>7}{'prec.':>7}{'IoU':>7}{'F1':>7}{'km':>7}{'bias':>8}")
        for row in own:
            figures = (row["ra"], row["precision"], row["iou"], row["f1"])
            cells = "".join(f"{number(value):>7}" for value in figures)
            km, bias = number(row["error_km_median"], 1), number(row["bias_kg_s"])
            lines.append(f"{row['method'][:26]:26}{cells}{km:>7}{bias:>8}{' *' if row['flag'] else ''}")
    return "\n".join(lines)


def _head(frozen: Mapping[str, Any], bundles: Sequence[Row]) -> str:
    facts = "\n".join(f"| {name} | `{value}` |" for name, value in frozen.items())
    names = ("name", "sha256", "cut", "trained by", "flag")
    listed = table(names, ([row.get(name, "") for name in names] for row in bundles))
    return (
        "# Evaluation of NO2 hotspot detection\n\n"
        "Every figure is SYNTHETIC, of the tier its heading names, but those in columns headed "
        "`published (other data)`, which cannot be compared with them.\n\n"
        f"Frozen before any bundle was opened:\n\n| what | value |\n|---|---|\n{facts}\n\n"
        f"Bundles, flagged (and marked * below) where they were trained on another generator:\n\n{listed}"
    )


def _main_table(rows: Iterable[Row], curves: Iterable[Row], generator: str, theta: float, found_at: str) -> str:
    key = (generator, theta, found_at)
    chosen = [row for row in rows if _key(row) == key and row["stratum_of"] == "all"]
    limits = {row["method"]: row for row in curves if _key(row) == key}
    most_kg_s = max(row["q_high_kg_s"] for row in limits.values())
    first = chosen[0]
    title = f"## {first['data_tier']}: {TITLES[generator]}; targets above {theta:g}, detections {WAYS[found_at]}"
    counts = f"{first['n_scenes']} scenes, {first['n_sources']} sources above theta."
    cells = (_score_cells(row, limits[row["method"]], most_kg_s) for row in chosen)
    return f"{title}\n\n{counts}\n\n{table(_SCORES, cells)}"


def _score_cells(row: Row, limit: Row, most_kg_s: float) -> list[str]:
    return [
        row["method"] + (" *" if row["flag"] else ""),
        f"{number(row['ra'])} [{number(row['ra_p05'])}, {number(row['ra_p95'])}]",
        " / ".join(number(row[name]) for name in ("ra_q1", "ra_median", "ra_q3")),
        number(row["precision"]),
        number(row["iou"]),
        f"{number(row['f1'])} [{number(row['f1_p05'])}, {number(row['f1_p95'])}]",
        number(row["false_area"], 4),
        number(row["false_blobs"], 2),
        f"{number(row['error_km_median'], 1)} / {number(row['error_km_p90'], 1)}",
        number(row["bias_kg_s"]),
        number(row["rmse_kg_s"]),
        _limit(limit["q50_kg_s"], most_kg_s),
        _limit(limit["q90_kg_s"], most_kg_s),
    ]


def _difference_table(differences: Sequence[Row]) -> str:
    """Pairs of methods on the same scenes."""
    lines = [
        [row["data_tier"], f"{row['first']} minus {row['second']}", number(row["difference"]), number(row["p05"]),
         number(row["p95"]), "yes" if row["significant"] else "no"]
        for row in differences
    ]  # fmt: skip
    heads = ("tier", "F1", "difference, SYNTHETIC", "5 %", "95 %", "interval excludes 0")
    title = "## SYNTHETIC: differences of F1 on the same scenes, at own cuts, targets above the least theta"
    return f"{title}\n\n{table(heads, lines)}"


def _strength_table(rows: Sequence[Row]) -> str:
    """Recognition accuracy by strength as the paper gives it, its own figures in columns of their own."""
    theta = min(row["theta"] for row in rows)
    chosen = [
        r for r in rows if (r["theta"], r["found_at"]) == (theta, "theta") and r["stratum_of"] in ("all", "strength")
    ]
    strata = list(dict.fromkeys(row["stratum"] for row in chosen))
    lines = []
    for generator, method in dict.fromkeys((row["generator"], row["method"]) for row in chosen):
        own = {row["stratum"]: row for row in chosen if (row["generator"], row["method"]) == (generator, method)}
        tier = next(iter(own.values()))["data_tier"]
        ours = [_pair(own.get(stratum), "ra_q1", "ra_median") for stratum in strata]
        theirs = [_pair(own.get(stratum), "published_ra_q1", "published_ra_median") for stratum in strata]
        lines.append([method, tier, *ours, *theirs])
    heads = [f"{stratum}, SYNTHETIC" for stratum in strata] + [
        f"{stratum}, published (other data)" for stratum in strata
    ]
    title = f"## Recognition accuracy by strength: first quartile / median over scenes, both maps above {theta:g}"
    return f"{title}\n\n{table(('method', 'tier', *heads), lines)}"


def _strata_table(rows: Sequence[Row], generator: str) -> str:
    theta = min(row["theta"] for row in rows)
    split = ("all", "wind", "cloud", "sources")
    chosen = [row for row in rows if _key(row) == (generator, theta, "cut") and row["stratum_of"] in split]
    strata = list(dict.fromkeys((row["stratum_of"], row["stratum"], row["n_scenes"]) for row in chosen))
    by_method: dict[str, list[str]] = {}
    for row in chosen:
        by_method.setdefault(row["method"], []).append(number(row["f1"]))
    heads = [f"{of} {name} ({n})" if of != "all" else f"all ({n})" for of, name, n in strata]
    title = f"## {chosen[0]['data_tier']}: F1 at the own cut, targets above {theta:g}, by stratum (scenes)"
    return f"{title}\n\n{table(('method', *heads), ([name, *cells] for name, cells in by_method.items()))}"


def _ways(rows: Iterable[Row], generator: str) -> list[tuple[float, str]]:
    found = {(row["theta"], row["found_at"]) for row in rows if row["generator"] == generator}
    return sorted(found, key=lambda way: (way[1], way[0]))


def _key(row: Row) -> tuple[str, float, str]:
    return row["generator"], row["theta"], row["found_at"]


def _values(rows: Iterable[Row], name: str, known: Mapping[str, str]) -> list[str]:
    return sorted({row[name] for row in rows} & set(known))


def _pair(row: Row | None, low: str, middle: str) -> str:
    """Two figures, or nothing where neither is known."""
    found = ("–", "–") if row is None else (number(row[low]), number(row[middle]))
    return "" if found == ("–", "–") else " / ".join(found)


def _limit(value: float, most: float) -> str:
    """An emission of the fitted curve, cut off where no source is."""
    return f"> {most:g}" if value > most else number(value)
