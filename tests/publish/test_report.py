"""The page: self-contained, escaped, honest about its data, whole with every part absent."""

import re
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from carbonray.publish.grid_view import grid_view
from carbonray.publish.maps import Shading, Window, region_map, world_map
from carbonray.publish.page import shown
from carbonray.publish.report import ReportFacts, render_report
from carbonray.publish.svg import Axis, escaped, path, tag
from carbonray.vocab import tables
from tests.publish.example import NASTY, example_facts, run_facts

VOID = {"meta"}


class Outline(HTMLParser):
    """What a browser sees: balanced tags, attributes, text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.tags if name in attrs]


@pytest.fixture(scope="module")
def page() -> str:
    return render_report(example_facts()).decode()


def test_every_tag_closes_and_every_link_lands(page):
    outline = Outline(page)
    assert outline.open == []
    anchors = [href for tag_, attrs in outline.tags if tag_ == "a" for href in [attrs["href"]]]
    assert anchors
    assert {href.removeprefix("#") for href in anchors} <= set(outline.values("id"))
    assert len(outline.values("id")) == len(set(outline.values("id")))


def test_it_fetches_nothing_and_runs_nothing(page):
    outline = Outline(page)
    assert {name for name, _ in outline.tags} & {"script", "iframe", "link", "object", "embed", "base", "form"} == set()
    assert not [attrs for _, attrs in outline.tags if any(key.startswith("on") or key == "src" for key in attrs)]
    assert all(value.startswith(("#", "data:image/png;base64,")) for value in outline.values("href"))
    policy = next(attrs["content"] for name, attrs in outline.tags if attrs.get("http-equiv"))
    assert "default-src 'none'" in (policy or "")
    assert not re.search(r"https?://|@import|url\((?!#clip)", page)


def test_text_from_data_is_shown_and_never_run(page):
    assert NASTY not in page
    assert page.count("&lt;script&gt;alert") >= 3  # a source's name, a reason, a setting
    assert NASTY in Outline(page).text


@pytest.mark.parametrize(
    ("tier", "kind", "words"),
    [
        ("SYNTHETIC-T2", "banner synthetic", "nothing on this page was measured"),
        ("REAL", "banner real", "real data"),
        ("", "banner synthetic", "does not say where its input came from"),
    ],
)
def test_the_data_tier_stands_first(tier, kind, words):
    outline = Outline(render_report(ReportFacts("t", run_facts(tier))).decode())
    body = [name for name, _ in outline.tags].index("body")
    assert outline.tags[body + 1] == ("div", {"class": kind} | ({} if kind.endswith("real") else {"role": "note"}))
    assert words in outline.text


def test_published_figures_have_columns_of_their_own(page):
    table = page[page.index("published, on other data") :]
    assert re.search(r'<td class="published[^"]*">0\.80 / 0\.94</td>', table)
    assert not re.search(r'<td class="published[^"]*">0\.42', table)


def test_counts_say_found_missed_and_false(page):
    text = Outline(page).text
    assert "8 of 10 sources of the inventory were found; 1 hotspot has no source within 16.7 km" in text
    assert "Sources missed: 2 of 10" in text
    assert text.count("no source") >= 1
    assert "9 of 12 (75%)" in text


def test_the_same_facts_give_the_same_bytes(page):
    assert render_report(example_facts()).decode() == page


def test_parts_may_be_absent_or_empty():
    bare = Outline(render_report(ReportFacts("bare", {})).decode())
    assert bare.open == []
    assert {"run", "again"} <= set(bare.values("id"))
    nothing = ReportFacts(
        "empty",
        run_facts(),
        hotspots=tables.HOTSPOTS.empty_table(),
        daily=pa.table({"day": [], "n_judged": [], "n_detected": []}),
        quarantine=tables.QUARANTINE.empty_table(),
    )
    text = Outline(render_report(nothing).decode()).text
    assert "0 persistent NO₂ hotspots." in text
    assert "Nothing was set aside" in text
    assert "No pixel was detected often enough" in text


def test_a_failed_run_says_so():
    text = Outline(render_report(ReportFacts("t", run_facts() | {"status": "failed"})).decode()).text
    assert "This run is failed: its numbers are not final." in text


def grid(seen: list[tuple[int, int]]) -> xr.Dataset:
    days = np.full((2, 360, 720), np.nan, np.float32)
    for row, col in seen:
        days[1, row, col] = 3
    coords = {
        "time": np.array(["2018-01-01", "2019-01-01"], "datetime64[ns]"),
        "lat": 90 - (np.arange(360) + 0.5) * 0.5,
        "lon": -180 + (np.arange(720) + 0.5) * 0.5,
    }
    names = ("n_valid_days", "rel_emission", "detect_freq", "no2_umol_m2")
    return xr.Dataset({name: (("time", "lat", "lon"), days * k) for k, name in enumerate(names, 1)}, coords)


def test_a_view_is_cropped_around_what_was_judged():
    view = grid_view(grid([(100, 300), (120, 310)]), 2019, margin_px=2)
    assert view is not None
    assert view.rel_emission.shape == (25, 15)
    assert (view.lat[2], view.lon[2]) == (90 - 100.5 * 0.5, -180 + 300.5 * 0.5)
    assert (view.n_valid_days[2, 2], view.detect_freq[22, 12]) == (3, 9)
    assert np.isfinite(view.rel_emission).sum() == 2
    assert grid_view(grid([(1, 1)]), 2018) is None


def test_a_view_runs_across_180_without_a_break():
    view = grid_view(grid([(100, 718), (100, 1)]), 2019, margin_px=1)
    assert view is not None
    assert view.lon == pytest.approx([178.75, 179.25, 179.75, 180.25, 180.75, 181.25])
    assert np.flatnonzero(np.isfinite(view.rel_emission[1])).tolist() == [1, 4]
    window = Window(view.lat, view.lon, str(view.year))
    drawn = region_map(window, view.rel_emission, Shading("Relative emission", "YlOrRd", 1.0))
    assert "180°" in drawn
    assert "NaN" not in drawn
    assert "nan" not in world_map((), (178.0, 30.0, 182.0, 40.0))


def test_a_large_view_is_thinned_and_keeps_its_hotspots():
    view = grid_view(grid([(0, 0), (359, 400), (200, 201)]), 2019, most_px=100)
    assert view is not None
    assert max(view.rel_emission.shape) <= 100
    assert np.isfinite(view.rel_emission).sum() == 3
    assert view.lat.size == view.rel_emission.shape[0]
    assert np.all(np.diff(view.lat) < 0)


@given(st.text())
def test_escaping_is_complete_and_happens_once(text):
    outline = Outline(tag("p", tag("b", text), title=text))
    assert outline.open == []
    assert (
        outline.tags[0][1]["title"] == text.replace("\r\n", "\n").replace("\r", "\n") or "\r" in text or "\x00" in text
    )
    assert escaped(escaped(text)) == escaped(text)


@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-3, 1e6))
def test_ticks_are_round_few_and_inside(low, span):
    axis = Axis(low, low + span, 0.0, 100.0)
    ticks = axis.ticks(5)
    assert 1 <= len(ticks) <= 11
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)
    assert axis.at([low, low + span]) == pytest.approx([0.0, 100.0])


def test_logarithmic_ticks_are_powers_and_thirds():
    assert Axis(0.01, 3.0, 0.0, 1.0, log=True).ticks() == pytest.approx([0.01, 0.03, 0.1, 0.3, 1.0, 3.0])


def test_lines_break_where_points_are_missing():
    assert path(np.array([[0, 0], [1, 1], [np.nan, 2], [3, 3]])) == "M0.0 0.0L1.0 1.0M3.0 3.0"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (True, "yes"),
        (1234567, "1,234,567"),
        (0.04321, "0.043"),
        (61.34, "61.3"),
        ("<", "&lt;"),
    ],
)
def test_values_read_as_people_write_them(value, words):
    assert shown(value) == words
