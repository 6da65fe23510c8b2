"""A year of CO2: the products one after the other under one run id, each a run of its own below it, and one report.

A product runs, resumes, is verified and has its page exactly as it would alone; this job keeps no ledger beside theirs.
One that fails lets the others go on, and the same command again takes up what is not complete.
"""

import json
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

from carbonray.contract import Unit
from carbonray.engine import plan as plans
from carbonray.engine.run import FILE, Run
from carbonray.engine.status import NOT_BEGUN
from carbonray.engine.verify import write_quarantine
from carbonray.errors import CarbonrayError, IncompleteError, SettingsError
from carbonray.io import objectstore
from carbonray.pipelines import energy, grid, hotspots, plants
from carbonray.pipelines.annual_report import annual_report
from carbonray.pipelines.estimate import estimate
from carbonray.pipelines.job import Job, run_to_end, write_page
from carbonray.publish.report import ReportFacts
from carbonray.sections import Inputs
from carbonray.settings import Settings

_log = logging.getLogger(__name__)

PRODUCTS: Mapping[str, Job] = {
    "plants": Job(plants.SUMMARY, plants.SECTIONS, plants.plan, plants.run, plants.report),
    "hotspots": Job(hotspots.SUMMARY, hotspots.SECTIONS, hotspots.plan, hotspots.run, hotspots.report),
    "grid": Job(grid.SUMMARY, grid.SECTIONS, grid.plan, grid.run, grid.report),
    "energy": Job(energy.SUMMARY, energy.SECTIONS, energy.plan, energy.run, energy.report),
}
SUMMARY = "a year of CO2: plants, hotspots, grid and energy under one run id, each resumable alone, and one report"
SECTIONS = ("annual.products", *(path for job in PRODUCTS.values() for path in job.sections))


def plan(settings: Settings, _digest: str) -> tuple[Unit, ...]:
    """What each product can plan before anything is read, with the unit ids it has when it runs alone.

    Raises:
        CarbonrayError: a product cannot be planned; its message says which of its inputs is wrong.
        SettingsError: no product is asked for, or one twice, or what one reads is not an input.
    """
    chosen = _chosen(settings)
    return tuple(unit for name in chosen for unit in _planned(name, settings_of(name, settings)))


def estimated(settings: Settings) -> dict[str, Any]:
    """What the plan would take: the estimates of the products, added up, since one runs after the other."""
    total: Counter[str] = Counter()
    for name in _chosen(settings):
        own = settings_of(name, settings)
        total.update(estimate(_planned(name, own), own))
    return {name: round(value, 4) for name, value in total.items()}


def run(run: Run, settings: Settings) -> None:
    """Runs every product that is not complete; one that fails lets the others go on.

    Raises:
        CarbonrayError: the failure of the one product that failed, or that several did.
    """
    chosen = _chosen(settings)
    plans.write_parts(run.url, chosen)
    of = {name: settings_of(name, settings) for name in chosen}
    for name in chosen:  # what is wrong with the inputs of the last is said before the first has run for hours
        if product_facts(run.url, name).get("status") != "complete":
            _planned(name, of[name])
    failed: dict[str, Exception] = {}
    for name in chosen:
        try:
            run_to_end(name, PRODUCTS[name], of[name], run.url, name)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other products go on; it is raised below
            ours = not isinstance(error, CarbonrayError)  # a fault of ours is told with its place
            _log.error("product %s failed, the others go on: %s", name, error, exc_info=ours)
            failed[name] = error
    run.facts.update(_facts(run, chosen))
    if failed:
        run.facts["status"] = "failed"
        write_quarantine(run.url)
        write_page(run, report(run, settings))
        raise _failure(run, failed)


def report(run: Run, settings: Settings) -> ReportFacts:
    """What the one page is made of: the parts of the complete products, and how each product stands."""
    told = {name: product_facts(run.url, name) for name in _chosen(settings)}
    pages = {}
    for name, facts in told.items():
        job, own = PRODUCTS[name], settings_of(name, settings)
        if facts.get("status") == "complete" and job.report:
            below = Run(objectstore.join(run.url, name), name, facts["settings_digest"], run.rules, facts)
            pages[name] = job.report(below, own)
    return annual_report(run, settings, told, {name: page for name, page in pages.items() if page}, SECTIONS)


def settings_of(name: str, settings: Settings) -> Settings:
    """The settings of a product: those of the year, with what it reads in place of `inputs`.

    Raises:
        SettingsError: an input or a product of `annual.inputs` does not exist.
    """
    given = settings.annual.inputs
    strange = [product for product in given if product not in PRODUCTS]
    strange += [f"{product}.{key}" for product in given for key in given[product] if key not in Inputs.model_fields]
    if strange:
        raise SettingsError(
            f"{strange[0]!r} is no product, or no input of one",
            where=f"annual.inputs.{strange[0]}",
            expected=f"a product of {', '.join(PRODUCTS)}, and an input of {', '.join(Inputs.model_fields)}",
            remedy="Correct the name, as in annual.inputs.grid.bundles.",
        )
    inputs = settings.inputs.model_copy(update=given.get(name, {}))
    return settings.model_copy(update={"inputs": inputs})


def product_facts(run_url: str, name: str) -> dict[str, Any]:
    """`run.json` of a product below a run; empty where it has not begun."""
    url = objectstore.join(run_url, name, FILE)
    return dict(json.loads(objectstore.read_bytes(url))) if objectstore.exists(url) else {}


def _chosen(settings: Settings) -> tuple[str, ...]:
    chosen = settings.annual.products
    if not chosen or len(set(chosen)) < len(chosen):
        raise SettingsError(
            f"the products are {list(chosen)}",
            where="annual.products",
            expected=f"some of {', '.join(PRODUCTS)}, each once",
            remedy="Name those that the year is made of.",
        )
    return chosen


def _planned(name: str, settings: Settings) -> tuple[Unit, ...]:
    return PRODUCTS[name].plan(settings, PRODUCTS[name].digest(settings))


def _facts(run: Run, chosen: tuple[str, ...]) -> dict[str, Any]:
    """What the products tell of themselves, for the run's own file."""
    told = {name: product_facts(run.url, name) for name in chosen}
    done = [name for name, facts in told.items() if facts.get("status") == "complete"]
    tiers = {tier for facts in told.values() for tier in str(facts.get("data_tier", "")).split(", ") if tier}
    tier = ", ".join(sorted(tiers))
    return {
        "data_tier": tier,
        "products": {
            name: {key: facts.get(key) for key in ("status", "error", "settings_digest", "sha256", "units", "summary")}
            for name, facts in ((name, {"status": NOT_BEGUN} | facts) for name, facts in told.items())
        },
        "passes": [
            {**entry, "pass": f"{name}/{entry['pass']}"}
            for name, facts in told.items()
            for entry in facts.get("passes", [])
        ],
        "bundles": [bundle for facts in told.values() for bundle in facts.get("bundles", [])],
        "summary": {"data tier": tier, "products": f"{len(done)} of {len(chosen)} complete"},
    }


def _failure(run: Run, failed: Mapping[str, Exception]) -> Exception:
    """What the run ends with: the one failure there is, or one that names them all."""
    strange = [error for error in failed.values() if not isinstance(error, CarbonrayError)]
    if strange or len(failed) == 1:
        return (strange or list(failed.values()))[0]
    return IncompleteError(
        f"{len(failed)} products failed: " + "; ".join(f"{name}: {error}" for name, error in failed.items()),
        where=run.url,
        expected="every product complete",
        remedy="Mend what each names and run again under the same --run-id: what is committed is kept.",
    )
