"""The page and the tables of the evidence on energy and emissions, made from the files of the fits alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

import pandas as pd

from carbonray.publish.markdown import number, table
from carbonray.stages.energy_bundles import TASKS
from tests.evidence import energy_claims, energy_sheets
from tests.evidence.energy_claims import PUBLISHED, SIZES, WIDTH
from tests.evidence.energy_fits import LONG, RATIO, TRIVIAL
from tests.evidence.energy_scores import EnergyScoreRules, Tables, tables_of
from tests.evidence.energy_sheets import WORLDS, of

COMMAND = "python -m tests.evidence.energy --data ../shared/data --work W --out docs/evidence/energy --processes 1"


def write(work: Path, out: Path, rules: EnergyScoreRules | None = None) -> None:
    """Writes README.md, the tables and the searches.

    Args:
        work: folder with `fits`, `searches` and `study.json`.
        out: folder of the evidence.
        rules: of intervals.
    """
    study = json.loads((work / "study.json").read_text())
    tables = tables_of(work, {name: facts["tier"] for name, facts in study["worlds"].items()}, rules)
    out.mkdir(parents=True, exist_ok=True)
    for name, each in tables._asdict().items():
        each.to_csv(out / f"{name}.csv", index=False, lineterminator="\n", float_format="%.5g")
    found = searches_of(work)
    (out / "searches.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (out / "README.md").write_text(page(study, fits_of(work), tables, found), encoding="utf-8")


def fits_of(work: Path) -> pd.DataFrame:
    """What every fit took, a row a file."""
    told = [json.loads(path.read_text()) for path in sorted((work / "fits").glob("*.json"))]
    rows = [{**fit["job"], **{key: fit.get(key) for key in ("cpu_s", "epochs", "refused")}} for fit in told]
    return pd.DataFrame(rows)


def searches_of(work: Path) -> list[dict[str, Any]]:
    """Every search, by the name of its file."""
    paths = sorted((work / "searches").glob("*.json"))
    return [{"world": path.name.split("-")[0], **json.loads(path.read_text())["found"]} for path in paths]


def page(study: Mapping[str, Any], fits: pd.DataFrame, tables: Tables, found: list[dict[str, Any]]) -> str:
    """The evidence as Markdown."""
    scores, pairs, recipe = tables.scores, tables.differences, study["recipe"]
    size, sizes = recipe["extra_size"], recipe["sizes"]
    worlds = [name for name in WORLDS if name in set(scores["world"])]
    sections = "\n\n".join(energy_sheets.world_sheet(name, scores, sizes, size) for name in worlds)
    return f"""# Energy and emissions under both protocols: real rows, and synthetic regions

    {COMMAND}

{_rows(study)}

{_recipe(study, fits)}

## What reproduces, and what does not

{energy_claims.sentences(tables, size)}

In how many cells of each table below the published claims hold, by MAPE alone:

{energy_claims.claims_table(scores)}

## Both protocols side by side

MAPE on real rows, {size} synthesised countries; of `{TRIVIAL}` and `{RATIO}` the better one is `trivial`:

{energy_sheets.overview(scores, size)}

## CLEAN minus its own backbone

MAPE, negative where CLEAN is ahead; interval, then mean ± standard deviation over seeds:

{energy_sheets.backbones(pairs, tables.seeds, scores)}

## What each part adds

`clean_mlp` minus itself without a part, MAPE, {size} synthesised countries:

{energy_sheets.ablations(pairs, scores, size)}

## More synthesised countries

MAPE with {max(sizes)} synthesised countries minus without, on the same real rows, over all networks and peers:

{energy_sheets.countries(tables.countries, sizes)}

## Longer fits (SYNTHETIC)

{_long(recipe, fits, scores)}

{energy_sheets.long_fits(scores, sizes)}

## Searched

{_searched(study)}

{energy_sheets.searches(found)}

MAPE on what no trial saw, {size} synthesised countries:

{energy_sheets.tuned(scores, pairs)}

## Negative control (SYNTHETIC)

{_control()}

{energy_sheets.controls(tables.controls) if len(tables.controls) else "Not fitted."}

## Shift tier (SYNTHETIC)

A region of 90 % hydro and one that turns from coal to gas, from which nobody learned; MAPE, {size} synthesised
countries, of the fits that left a usual region out, beside these:

{energy_sheets.shifted(scores, size)}

{sections}

## Published

{_published()}

{_reading()}
"""


def _rows(study: Mapping[str, Any]) -> str:
    """Which rows there are."""
    names = {**WORLDS, "control": "The same generator, emissions independent of the mix given size"}
    lines = []
    for world, facts in study["worlds"].items():
        digest = facts["generator_sha256"][:16]
        generator = f", generator `{digest}`" if digest else ""
        files = ", ".join(f"`{name}` {sha[:12]}" for name, sha in facts["files"].items())
        turns = ", ".join(f"{name} {count}" for name, count in facts["turns"].items())
        told = f"- `{world}`: {names[world]}. Tier {facts['tier']}{generator}; {facts['rows']} rows; turns: {turns}."
        lines.append(_filled(f"{told} {files}", "  "))
    return "\n".join(lines)


def _recipe(study: Mapping[str, Any], fits: pd.DataFrame) -> str:
    """What was scaled, and what it took."""
    recipe = study["recipe"]
    training = recipe["settings"]["energy"]["training"]
    config, fit = training["config"], training["fit"]
    networks, rest = fits[fits["model"] != "peers"], fits[fits["model"] == "peers"]
    jobs, planned = len(fits), study["planned"]
    order = "first one turn of a protocol in every seed, then the further regions and Australian months at random"
    done = f"All {jobs} jobs were done." if jobs >= planned else f"{jobs} of {planned} jobs were done, {order}."
    text = f"""Scaled to one core, what SCIENCE 2.3 infers in brackets: every {recipe["every"]}th day or month;
        {recipe["settings"]["regions"]["count"]} usual synthetic regions (24); networks {config["width"]} wide (128),
        embeddings of {config["d"]} (64), batches of {fit["batch_size"]} (256), AdamW at {fit["learning_rate"]:g}
        (0.001), at most {recipe["steps"]} steps (300 epochs), ended {recipe["patience"]} steps after the best
        validation MAPE (30 epochs), both in whole epochs. So short fits undersell what learns slowly, convolutions
        and many synthesised countries above all. {len(networks)} fits of networks took
        {networks["cpu_s"].sum() / 60:.0f} core-minutes, {networks["cpu_s"].median():.1f} s in the median, all that
        needs no network {rest["cpu_s"].sum() / 60:.0f}; {recipe["seeds"]} seeds. {done} Not done at all: every day and
        month, every region in every seed, time-blocked synthetic regions, a search for every turn."""
    changes = " ".join(f"`{change}`" for change in study["changes"])
    more = f" Changed from `tests/evidence/energy.yaml`: {changes}." if changes else ""
    return _filled(text + more)


def _long(recipe: Mapping[str, Any], fits: pd.DataFrame, scores: pd.DataFrame) -> str:
    """What the long fits are, and what of the claims holds for them."""
    jobs, claims = len(of(fits, part=LONG)), energy_claims.long_claims(scores, recipe["sizes"])
    times = recipe["longer"]
    return _filled(f"P-paper, one seed, {times} times as many steps and as much patience; {jobs} jobs. {claims}")


def _searched(study: Mapping[str, Any]) -> str:
    recipe, told = study["recipe"], []
    for world, facts in study["worlds"].items():
        turns = ", ".join(dict.fromkeys(turn for turn, _ in facts["untouched"]))
        told += [f"`{world}`: {turns}"] if turns else []
    text = f"""The repository's own spaces and trial, {recipe["trials"]} trials each drawn by Optuna's sampler, the
        first the defaults; judged by {recipe["splits"]} turns of a search on rows that validate. No trial saw a row
        of what stayed untouched: {"; ".join(told)}. There, and only there, tuned settings are compared; widths were
        narrowed to {recipe["space"]["config"]["width"]}."""
    return _filled(text)


def _control() -> str:
    text = f"""Gain of a network over what is trivial. With a region left out trivial is the mean that taught
        (`{TRIVIAL}`), or the told total times the mean ratio (`{RATIO}`); with rows at random, where a mix gives away
        its region, the mean of the region. Energy from sectors with their total is no control: the total tells of the
        size. `alone` reads a line's own 90 % interval. The lines are judged together, at 5 % for all of them: a line
        fails where its gain is above 0 at the level that is left to one (`at least`)."""
    return _filled(text)


def _published() -> str:
    """The printed table, for itself."""
    heads = ("model", *(f"CMEE {n}, {task}" for n in SIZES for task in TASKS))
    lines = [(model, *(number(value) for value in values)) for model, values in PUBLISHED.items()]
    columns = energy_claims.published_columns()
    held = "; ".join("{} in {} of {}".format(claim.says, *claim.holds(columns)) for claim in energy_claims.CLAIMS)
    text = f"""MAPE as printed, of data, divisions and settings that were not published. The printed table's own counts:
        {held}. Nothing above confirms or refutes these figures: the rows are others."""
    return f"{table(heads, lines)}\n\n{_filled(text)}"


def _reading() -> str:
    notes = (
        """A task is named by what it answers: `emissions`, told the mix of energy, `energy`, told that of sectors.
        `mix` is the published sentence read literally: shares alone. `mix and total` adds ln of the total that is
        told, never of the other.""",
        """A mix alone cannot know a country's size: with `mix` and a region left out nobody can be good, not even the
        oracle.""",
        """P-paper, the division that published figures of .05 suggest, tests on near copies: neighbouring days, and
        countries synthesised from rows that test. Its tables hold synthesised rows; the side by side holds real ones
        alone.""",
        """A value is the mean over blocks, each of the same weight: regions, or calendar years where time is divided.
        Its interval is the 90 % of resampled blocks: of a few regions it is rough. Many differences are read here:
        one in ten of those that are nothing looks like something.""",
        """A claim `reproduces` where it holds in the published share of cells and no interval says the contrary,
        `in part` in more than half of them with more than twice as many intervals for it as against; so do others.""",
        """`oracle` is a conditional mean of ln, estimated from the generator's own draws by one who knows the region
        (rows at random) or how regions are drawn (a region left out). It is best in ln-RMSE over many regions, not in
        the MAPE of a few.""",
        f"""`{TRIVIAL}` answers the mean ln total of what taught, `{RATIO}` the told total times the mean ratio. For a
        region that did not teach `region_mean` is the mean of the means. `emission_factors` knows the region's other
        emissions only where the region taught.""",
        """MAPE explodes where a total is small: months in which Tasmania burned next to nothing rule the Australian
        MAPE of emissions wherever they test. ln-RMSE, in every section and in the tables beside, says more there.""",
        """Carbon Monitor's mixes are of one year, the same on every day: within a country there is nothing to learn
        from them.""",
        """Australian emissions are of power alone, so that the mix of sectors is always the same: energy told `mix` is
        a guess. They were computed by the publisher from energy, unit by unit.""",
        "A dash: not fitted, or not there. Paths of files are below the folder of real data, with their sha256.",
    )
    bullets = "\n".join(f"- {_filled(note, '  ')}" for note in notes)
    files = "[scores.csv](scores.csv), [differences.csv](differences.csv): every model and score, pairs of them; "
    more = "[seeds.csv](seeds.csv): pairs seed by seed; [countries.csv](countries.csv), [controls.csv](controls.csv), "
    return f"## How to read this\n\n{bullets}\n\n{_filled(files + more + '[searches.json](searches.json).')}"


def _filled(text: str, indent: str = "") -> str:
    """A paragraph of whole words, as wide as a page; links and names are not broken."""
    words, width = " ".join(text.split()), WIDTH - len(indent)
    return fill(words, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
