"""The page of a sweep: what won, how it does on the fold that no trial saw, how the search went, every trial.

Everything is in the one file; it fetches nothing and runs no script. Whether data are simulated is said before anything
else (SCIENCE 0.3).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from carbonray.publish.page import banner, code_block, document, fact_list, fold, section, shown, table, tiles
from carbonray.publish.report_run import again_section, run_section
from carbonray.publish.svg import Markup, escaped, tag
from tune.distributions import Choice, Distribution
from tune.plots import Plot, study_plots
from tune.record import Searched
from tune.spaces import Space

Rows = Sequence[Mapping[str, Any]]


def render_page(
    run: Mapping[str, Any], found: Sequence[Searched], trials: Rows, scores: Rows, overlay: str, command: str
) -> bytes:
    """The page as UTF-8 bytes.

    Args:
        run: the content of `run.json`, with the facts of the sweep under `sweep`.
        found: targets with their studies.
        trials: rows of `tune.tables.TRIALS`.
        scores: rows of `tune.tables.SCORES`.
        overlay: `best.yaml`.
        command: that runs the sweep again.
    """
    facts: Mapping[str, Mapping[str, Any]] = run["sweep"]["targets"]
    model = str(run["settings"]["model"])
    parts = {
        "scores": _scores(scores),
        "winner": _winner(facts, overlay),
        **{one.target.name: _search(one, facts[one.target.name], trials) for one in found},
        "run": run_section(run),
        "again": again_section(run, (command,)),
    }
    links = (tag("a", name.replace("_", " "), href=f"#{name}") for name in parts)
    header = tag(
        "header",
        tag("p", f"carbonray sweep · run {run['run_id']}", class_="eyebrow"),
        tag("h1", f"Hyperparameters of {model}"),
        tag("p", _lead(scores), class_="lead"),
        tag("nav", *links, aria_label="Sections"),
        tiles({f"{row['target']}: {row['model']}": f"{row['value']:.3f}" for row in scores}),
    )
    footer = escaped("Pictures by Optuna. This page fetches nothing and runs no script.")
    return document(f"Sweep of {model}", banner(run), header, parts.values(), footer).encode("utf-8")


def _lead(scores: Rows) -> str:
    words = []
    for row in scores:
        if row["model"] == "tuned - default":
            verdict = "better than" if row["better"] else "not shown to be better than"
            words.append(
                f"{row['target']}: tuned is {verdict} the default on fold {row['fold']} "
                f"(difference of {row['metric']} {row['value']:+.4f}, {row['low']:+.4f} to {row['high']:+.4f})."
            )
    return " ".join(words)


def _scores(scores: Rows) -> Markup:
    names = ("target", "model", "metric", "value", "low", "high", "rows", "groups", "fold", "data_tier")
    lead = (
        "No trial of the search saw this fold. Tuned and default are the instance that held it out; whole groups are "
        "drawn anew for the intervals, and the difference is taken on the same draws."
    )
    heads = (*names[:3], "score", "from", "to", *names[6:9], "data tier")
    return section("scores", "Tuned against default", lead, table(heads, [[row[n] for n in names] for row in scores]))


def _winner(facts: Mapping[str, Mapping[str, Any]], overlay: str) -> Markup:
    lead = (
        "The winners as settings, for any job's --settings; values are means over the validation folds of the search."
    )
    names = (
        "study",
        "winner",
        "metric",
        "value",
        "value of the default",
        "trials",
        "scored",
        "stopped early",
        "failed",
    )
    rows = [[target, *(told[name] for name in names)] for target, told in facts.items()]
    return section("winner", "What won", lead, table(("target", *names), rows), code_block(overlay.splitlines()))


def _search(one: Searched, facts: Mapping[str, Any], trials: Rows) -> Markup:
    own = [row for row in trials if row["target"] == one.target.name]
    told = {name: facts[name] for name in ("storage", "seed", "invalid draws", "taken up again", "warm start")}
    return section(
        one.target.name,
        f"The search for {one.target.name}",
        f"{facts['trials']} trials of {one.target.metric}, the mean over the validation folds of the search.",
        fact_list(told),
        *(_picture(plot) for plot in study_plots(one.study, one.target)),
        table(("parameter", "searched", "note"), _space_rows(one.space), "The space"),
        fold(f"All {len(own)} trials", _trials(own)),
    )


def _picture(plot: Plot) -> Markup:
    content = tag("p", plot.instead) if plot.instead else tag("img", src=plot.uri, alt=plot.title, class_="figure")
    return tag("div", tag("h3", plot.title), tag("figure", content, tag("figcaption", plot.caption)))


def _space_rows(space: Space) -> list[list[object]]:
    return [[space.path(name), _range(one), space.notes.get(name, "")] for name, one in space.parameters.items()]


def _range(one: Distribution) -> str:
    if isinstance(one, Choice):
        return ", ".join(str(value) for value in one.values)
    return f"{one.low:g} to {one.high:g}{', logarithmic' if one.log else ''}"


def _trials(rows: Rows) -> Markup:
    names = sorted({name for row in rows for name in json.loads(row["parameters"])})
    heads = ("trial", "state", "score", "epochs", "seconds", *names, "why")
    cells = []
    for row in rows:
        chosen = json.loads(row["parameters"])
        numbers = [_figures(chosen.get(name)) for name in names]
        reason = " ".join(filter(None, (row["origin"], row["why"])))
        cells.append([row["number"], row["state"], row["value"], row["epochs"], row["seconds"], *numbers, reason])
    return table(heads, cells)


def _figures(value: object) -> Markup:
    return escaped(f"{value:.3g}") if isinstance(value, float) else shown(value)
