"""Pictures of mixes and changes: a share is as long as it is, a change on its side of zero, names are escaped."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from carbonray.publish.energy_charts import (
    COLOURS,
    Bar,
    change_chart,
    change_legend,
    mix_chart,
    mix_legend,
    parts_of,
    worded,
)
from carbonray.publish.svg import Markup
from carbonray.vocab.energy import SECTORS, SOURCES
from tests.publish.example import NASTY
from tests.publish.test_report import Outline

LENGTH = 448.0 - 150.0  # of a whole bar, user units
Rect = dict[str, float]

shares = arrays(np.float64, 8, elements=st.floats(0.0, 1.0)).filter(lambda parts: parts.sum() > 0.1).map(
    lambda parts: parts / parts.sum()
)  # fmt: skip
percent = st.floats(-99.0, 400.0)


def rects(picture: Markup) -> list[Rect]:
    return [
        {name: float(attrs[name] or 0) for name in ("x", "y", "width", "height")}
        for name, attrs in Outline(picture).tags
        if name == "rect"
    ]


@given(shares)
def test_parts_lie_end_to_end_and_are_as_long_as_their_shares(parts: np.ndarray) -> None:  # type: ignore[type-arg]
    drawn = rects(mix_chart("mix", SOURCES, [Bar("somewhere", parts)]))
    there = parts[parts > 0]
    assert len(drawn) == len(there)
    np.testing.assert_allclose([rect["width"] for rect in drawn], there * LENGTH, atol=0.006)
    edges = 150.0 + np.cumsum([0.0, *there[:-1]]) * LENGTH
    np.testing.assert_allclose([rect["x"] for rect in drawn], edges, atol=0.006)
    assert len({rect["y"] for rect in drawn}) == 1


def test_each_bar_has_a_line_of_its_own_and_the_picture_holds_them_all() -> None:
    bars = [Bar(f"region {number}", np.full(6, 1 / 6)) for number in range(5)]
    picture = mix_chart("mix", SECTORS, bars)
    drawn = rects(picture)
    assert len(drawn) == 30 and len({rect["y"] for rect in drawn}) == 5
    _, _, width, height = map(float, next(box for box in Outline(picture).values("viewbox")).split())
    assert max(rect["y"] + rect["height"] for rect in drawn) <= height
    assert max(rect["x"] + rect["width"] for rect in drawn) <= width


def test_an_unknown_mix_is_a_name_without_a_bar() -> None:
    picture = mix_chart("mix", SOURCES, [Bar("unknown", np.full(8, np.nan))])
    assert rects(picture) == [] and "unknown" in Outline(picture).text
    assert "nan" not in picture


def test_a_part_says_what_it_is_and_how_much() -> None:
    picture = mix_chart("mix", SECTORS, [Bar("here", np.array([0.25, 0.0, 0.75, 0.0, 0.0, 0.0]))])
    assert "here: power 25.0%" in picture and "here: ground transport 75.0%" in picture
    assert "industry" not in picture


def test_every_part_has_a_colour_and_no_two_of_a_side_the_same() -> None:
    for side in ("energy", "emissions"):
        names = parts_of(side)
        colours = [COLOURS[name] for name in names]
        assert len(set(colours)) == len(names)
        legend = "".join(mix_legend(names))
        assert all(f'fill="{colour}"' in legend for colour in colours)
        assert all(worded(name) in Outline(legend).text for name in names)
    assert worded("ground_transport") == "ground transport"
    assert (parts_of("energy"), parts_of("emissions")) == (SOURCES, SECTORS)


@given(st.lists(st.tuples(percent, percent), min_size=1, max_size=6))
def test_a_change_stands_on_its_side_of_zero_and_is_as_long_as_it_is(changes: list[tuple[float, float]]) -> None:
    picture = change_chart("change", [Bar(f"region {at}", np.array(pair)) for at, pair in enumerate(changes)])
    outline = Outline(picture)
    zero = float(next(attrs["d"] or "" for name, attrs in outline.tags if name == "path")[1:].split()[0])
    drawn, told = rects(picture), [value for pair in changes for value in pair]
    assert len(drawn) == len(told)
    longest = max(rect["width"] for rect in drawn)
    for rect, value in zip(drawn, told, strict=True):
        end = rect["x"] + rect["width"] if value >= 0 else rect["x"]
        assert abs((end - rect["width"] if value >= 0 else end + rect["width"]) - zero) < 0.11
        if longest > 1 and max(map(abs, told)) > 0.01:
            assert rect["width"] == pytest.approx(longest * abs(value) / max(map(abs, told)), abs=0.05)
        assert rect["x"] >= 150.0 and rect["x"] + rect["width"] <= 448.0
        assert f"{value:+.2f} %" in outline.text


def test_a_change_that_is_unknown_has_no_bar_and_no_number() -> None:
    picture = change_chart("change", [Bar("refused", np.array([np.nan, -3.0])), Bar("none", np.array([0.0, np.nan]))])
    text = Outline(picture).text
    assert len(rects(picture)) == 2 and "-3.00 %" in text and "+0.00 %" in text and "nan" not in picture
    nothing = change_chart("change", [Bar("all unknown", np.full(2, np.nan))])
    assert rects(nothing) == [] and "nan" not in nothing


def test_both_bars_are_in_the_legend() -> None:
    legend = "".join(change_legend())
    assert 'class="bar"' in legend and 'class="bar pale"' in legend
    assert "the networks" in legend and "emission factors" in legend


def test_names_are_shown_and_never_run_and_the_same_numbers_give_the_same_picture() -> None:
    mix = [Bar(NASTY, np.full(8, 0.125))]
    change = [Bar(NASTY, np.array([1.0, 2.0]))]
    for make in (lambda: mix_chart(NASTY, SOURCES, mix), lambda: change_chart(NASTY, change)):
        picture = make()
        assert NASTY not in picture and "<script" not in picture
        assert Outline(picture).open == [] and Outline(picture).text.count(NASTY) >= 2
        assert make() == picture
