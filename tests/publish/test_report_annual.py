"""The parts of the page about a year's products: one row each, chapters in their order, nothing of a product unmade."""

import re

import pytest

from carbonray.publish.report import ReportFacts, render_report
from carbonray.publish.report_annual import ProductFacts, chapter, products_section
from tests.publish.example import NASTY, example_facts, run_facts

DONE = ProductFacts(
    "hotspots",
    "NO₂ hotspots",
    "complete",
    units={"planned": 1300, "committed": 1298, "quarantined": 2},
    summary={"data tier": "SYNTHETIC-T2", "granules": "26 used of 28"},
    sha256="ab12" * 16,
    has_page=True,
)
FAILED = ProductFacts("grid", "grid", "failed", error=f"{NASTY} is away")
UNMADE = ProductFacts("plants", "plants", "not begun")


def page_of(*products: ProductFacts) -> str:
    whole = example_facts()
    facts = ReportFacts("A year", run_facts(), products=products, hotspots=whole.hotspots, daily=whole.daily)
    return render_report(facts).decode()


def rows_of(markup: str) -> list[list[str]]:
    """Text of the cells of every row of a table's body."""
    body = markup.split("<tbody>")[1].split("</tbody>", maxsplit=1)[0]
    cells = (re.findall(r"<td[^>]*>(.*?)</td>", row) for row in body.split("<tr>")[1:])
    return [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in cells]


def test_a_product_is_a_row_with_its_state() -> None:
    done, failed, unmade = rows_of(str(products_section([DONE, FAILED, UNMADE])))
    assert done == [
        "NO₂ hotspots",
        "complete",
        "SYNTHETIC-T2",
        "1,298 of 1,300",
        "2",
        "ab12ab12ab12ab12",
        "its own page",
    ]
    assert failed == ["grid", "failed", "–", "–", "–", "–", ""]
    assert unmade[:2] == ["plants", "not begun"]


def test_links_lead_to_what_there_is_alone() -> None:
    section = str(products_section([DONE, FAILED]))
    assert re.findall(r'href="([^"]+)"', section) == ["#product-hotspots", "hotspots/report.html"]


def test_a_failure_is_told_in_its_own_words_and_escaped() -> None:
    section = str(products_section([DONE, FAILED]))
    assert "What failed" in section
    assert "&lt;script&gt;" in section
    assert "<script>" not in section
    assert "What failed" not in str(products_section([DONE, UNMADE]))


def test_no_products_no_section() -> None:
    assert products_section([]) is None
    assert "product-" not in page_of()


def test_a_chapter_says_the_few_numbers_of_its_product() -> None:
    made = str(chapter(DONE, f"{NASTY} found"))
    assert "26 used of 28" in made
    assert "&lt;script&gt;" in made
    assert "data tier" not in made
    assert "<dl" not in str(chapter(ProductFacts("grid", "Cells", "complete", has_page=True), ""))


@pytest.mark.parametrize("products", [(DONE, FAILED), (FAILED, DONE)])
def test_sections_stand_in_the_chapter_of_their_product(products: tuple[ProductFacts, ...]) -> None:
    page = page_of(*products)
    anchors = re.findall(r'<section[^>]* id="([^"]+)"', page)
    assert anchors[:2] == ["products", "product-hotspots"]
    assert "product-grid" not in anchors
    assert anchors.index("product-hotspots") < anchors.index("days") < anchors.index("run")
    links = re.findall(r'href="#([^"]+)"', page.split("<nav")[1].split("</nav>")[0])
    assert links == ["products", "product-hotspots", "run", "again"]
    assert "1 of 2 products of one year" in page


def test_without_products_every_section_is_linked_to() -> None:
    page = page_of()
    links = re.findall(r'href="#([^"]+)"', page.split("<nav")[1].split("</nav>")[0])
    assert {"days", "run"} <= set(links)


@pytest.mark.parametrize(
    ("tier", "words", "kind"),
    [
        ("REAL", "Made from real data.", "banner real"),
        ("REAL, SYNTHETIC-T1", "Some of the input is simulated", "banner synthetic"),
        ("SYNTHETIC-T1", "nothing on this page was measured", "banner synthetic"),
    ],
)
def test_a_page_of_real_and_simulated_parts_is_no_real_one(tier: str, words: str, kind: str) -> None:
    page = render_report(ReportFacts("A year", run_facts(tier))).decode()
    assert words in page
    assert f'class="{kind}"' in page
