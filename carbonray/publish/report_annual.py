"""The parts of the report about a year's products: how each stands, and where its own page is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from carbonray.publish.page import fact_list, section, table, tiles
from carbonray.publish.svg import Markup, tag

_DIGITS = 16  # of a digest: enough to compare by eye


@dataclass(frozen=True)
class ProductFacts:
    """What is known of one product of a year.

    Attributes:
        name: of its job, and of the folder of its run below the year's.
        title: of its own page.
        status: of its run, in the run's own word.
        error: what it failed with, empty where it did not.
        units: planned, committed and quarantined.
        summary: its few numbers, by name.
        sha256: digest of its objects, empty where it is not verified.
        has_page: whether it has a page of its own.
    """

    name: str
    title: str
    status: str
    error: str = ""
    units: Mapping[str, int] = field(default_factory=dict)
    summary: Mapping[str, object] = field(default_factory=dict)
    sha256: str = ""
    has_page: bool = False


def products_section(products: Sequence[ProductFacts]) -> Markup | None:
    """A row a product, and why one is absent from the page."""
    if not products:
        return None
    heads = ("product", "status", "data tier", "units committed", "set aside", "digest", "")
    failed = {product.title: product.error for product in products if product.error}
    lead = (
        "Each product is a run of its own below this one: it resumes, is verified and can be made again alone, and the "
        "failure of one leaves the others as they are."
    )
    return section(
        "products",
        "Products",
        lead,
        table(heads, [_row(product) for product in products]),
        tag("div", tag("h3", "What failed"), fact_list(failed)) if failed else "",
    )


def annual_sentence(products: Sequence[ProductFacts]) -> str:
    """How many of the products there are."""
    done = sum(product.has_page for product in products)
    return f"{done} of {len(products)} products of one year, each in a chapter of its own."


def chapter(product: ProductFacts, sentence: str) -> Markup:
    """The heading above the sections of one product, with what it found in a sentence, and its few numbers."""
    numbers = {name: value for name, value in product.summary.items() if name != "data tier"}
    return tag(
        "section",
        tag("p", product.name, class_="eyebrow"),
        tag("h2", product.title, class_="chapter"),
        tag("p", sentence, class_="lead") if sentence else "",
        tiles(numbers) if numbers else "",
        id=anchor(product),
    )


def anchor(product: ProductFacts) -> str:
    """Where the chapter of a product begins."""
    return f"product-{product.name}"


def _row(product: ProductFacts) -> tuple[object, ...]:
    name: object = tag("a", product.title, href=f"#{anchor(product)}") if product.has_page else product.title
    own: object = tag("a", "its own page", href=f"{product.name}/report.html") if product.has_page else ""
    planned = product.units.get("planned")
    done = f"{product.units.get('committed', 0):,} of {planned:,}" if planned else None
    return (
        name,
        product.status,
        product.summary.get("data tier"),
        done,
        product.units.get("quarantined"),
        tag("span", product.sha256[:_DIGITS], class_="mono") if product.sha256 else None,
        own,
    )
