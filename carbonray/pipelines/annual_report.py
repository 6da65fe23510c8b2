"""The one page of a year: the parts of its products' pages, behind how each product stands."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from carbonray.engine.run import Run
from carbonray.engine.status import NOT_BEGUN
from carbonray.engine.verify import QUARANTINE_FILE
from carbonray.io import objectstore
from carbonray.io.table_store import decode_table
from carbonray.pipelines.commands import again
from carbonray.publish.report import ReportFacts
from carbonray.publish.report_annual import ProductFacts
from carbonray.settings import Settings
from carbonray.vocab.tables import QUARANTINE

TITLE = "A year of CO₂"
# what each product's page brings to the one page
PARTS = {
    "plants": ("generation",),
    "hotspots": ("hotspots", "grids", "comparison", "daily"),
    "grid": ("grid",),
    "energy": ("energy",),
}


def annual_report(
    run: Run,
    settings: Settings,
    told: Mapping[str, Mapping[str, Any]],
    pages: Mapping[str, ReportFacts],
    sections: tuple[str, ...],
) -> ReportFacts:
    """What the page is made of.

    Args:
        run: the run of the year.
        settings: of it.
        told: product -> its `run.json`, empty where it has not begun.
        pages: product that is complete -> what its own page is made of.
        sections: settings that can change a product.
    """
    joined = ReportFacts(
        title=TITLE,
        run=run.facts,
        products=tuple(_product(name, facts, pages.get(name)) for name, facts in told.items()),
        quarantine=_quarantine(run),
        commands=again(run, settings, ("annual", *sections), _stores(settings)),
    )
    for name, page in pages.items():
        joined = replace(joined, **{part: getattr(page, part) for part in PARTS[name]})
    return joined


def _product(name: str, facts: Mapping[str, Any], page: ReportFacts | None) -> ProductFacts:
    return ProductFacts(
        name=name,
        title=page.title if page else name,
        status=str(facts.get("status", NOT_BEGUN)),
        error=str(facts.get("error", "")),
        units=facts.get("units") or {},
        summary=facts.get("summary") or {},
        sha256=str(facts.get("sha256", "")),
        has_page=page is not None,
    )


def _stores(settings: Settings) -> list[str]:
    """Where the plants' store is, which no digest holds."""
    url = settings.plants.store_url
    return [f"plants.store_url={url}"] if url else []


def _quarantine(run: Run) -> Any:
    url = objectstore.join(run.url, QUARANTINE_FILE)
    return decode_table(objectstore.read_bytes(url), QUARANTINE) if objectstore.exists(url) else None
