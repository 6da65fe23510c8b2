"""The page of energy and emissions: sums as they are, who is drawn, what was left out, empty and whole."""

import dataclasses
import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest

from carbonray.publish.report import ReportFacts, render_report
from carbonray.publish.report_energy import (
    MOST_POINTS,
    MOST_REGIONS,
    MOST_ROWS,
    EnergyFacts,
    RegionDays,
    _means,
    energy_sections,
    energy_sentence,
    most_emitting,
)
from carbonray.vocab.energy import SECTORS, SOURCES
from carbonray.vocab.energy_tables import ENERGY_SUMMARY
from tests.publish.example import NASTY, run_facts
from tests.publish.test_report import Outline

COAL, CUT = "replace 10 % of coal by gas", "cut industry by 15 %"
DAYS = 10


def summary_row(region: str, scenario: str = "factual", size: float = 1.0, **changed: object) -> dict[str, object]:
    """Ten days of a region, every interval answered, all parts alike."""
    energy, emissions = 800.0 * size, 6e5 * size
    row: dict[str, object] = {"region": region, "scenario": scenario, "rows": DAYS, "answered": DAYS, "days": 10.0}
    row |= {f"{name}_gwh": energy / 8 for name in SOURCES} | {f"{name}_t_co2": emissions / 6 for name in SECTORS}
    row |= {"told_energy_gwh": energy, "told_emissions_t_co2": emissions}
    for before in ("", "factual_", "factor_"):
        row |= {f"{before}emissions_t_co2": 1.1 * emissions, f"{before}energy_gwh": 0.9 * energy}
    row |= {"extrapolating": 0, "seen": 0, "cleaner": 0, "raised": 0, "data_tier": "SYNTHETIC-T1"}
    return row | changed


def summary(*rows: Mapping[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=ENERGY_SUMMARY)


def coal_row(region: str, size: float, share: float = 0.1) -> dict[str, object]:
    """A tenth of the coal is gas."""
    moved = 100.0 * size * share
    return summary_row(
        region, COAL, size, coal_gwh=100.0 * size - moved, gas_gwh=100.0 * size + moved,
        emissions_t_co2=1.1 * 6e5 * size * 0.98, factor_emissions_t_co2=1.1 * 6e5 * size * 0.95, cleaner=10, raised=3,
    )  # fmt: skip


def region_days(region: str, count: int, refused: bool = False) -> RegionDays:
    day = 18_000.5 + np.arange(count)
    told = {"emissions": np.linspace(5e4, 7e4, count), "energy": np.linspace(70.0, 90.0, count)}
    nan = np.nan if refused else 1.0
    answer = {task: (values * nan, values * 0.8 * nan, values * 1.2 * nan) for task, values in told.items()}
    return RegionDays(region, day, told, answer)


@pytest.fixture
def facts() -> EnergyFacts:
    sizes = {"Aland": 1.0, "Beland": 3.0, NASTY: 2.0}
    rows = [row for name, size in sizes.items() for row in (summary_row(name, "factual", size), coal_row(name, size))]
    rows += [summary_row(name, CUT, size) for name, size in sizes.items()]
    return EnergyFacts(
        summary(*rows),
        region_days("Beland", 30),
        {"Union": f"sum: equals Aland + {NASTY}"},
        {"missing": 4},
        {f"a note of {NASTY}": 7},
        (COAL,),
    )


def page_of(facts: EnergyFacts) -> str:
    return render_report(ReportFacts("Energy and emissions", run_facts(), energy=facts)).decode()


def cells(page: str, first: str) -> list[str]:
    """The cells of the first line of a table that begins with a word."""
    found = next(row for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL) if f"<td>{first}</td>" in row)
    return [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", found, re.DOTALL)]


def test_the_page_is_whole_escaped_and_holds_every_section(facts: EnergyFacts) -> None:
    page = page_of(facts)
    outline = Outline(page)
    assert outline.open == [] and {"mix", "totals", "what-if", "left-out"} <= set(outline.values("id"))
    assert NASTY not in page and outline.text.count(NASTY) >= 5
    assert not re.search(r"[\"> ]nan[\"< ]", page)


def test_the_same_facts_give_the_same_page(facts: EnergyFacts) -> None:
    mixed = facts.summary.take(pa.array(np.random.default_rng(0).permutation(facts.summary.num_rows)))
    assert page_of(facts) == page_of(facts) == page_of(dataclasses.replace(facts, summary=mixed))


def test_totals_are_those_of_the_sums_and_how_far_off_they_are(facts: EnergyFacts) -> None:
    assert cells(page_of(facts), "Beland")[:8] == ["Beland", "10.0", "1.80", "1.98", "10.0", "2.40", "2.16", "-10.00"]


def test_who_emits_most_comes_first_and_some_are_drawn() -> None:
    rows = [summary_row(f"Region {at:02d}", "factual", 1.0 + at) for at in range(MOST_REGIONS + 3)]
    rows.append(summary_row("Equal", "factual", 1.0))
    names = most_emitting(summary(*rows))
    assert names == [f"Region {at:02d}" for at in range(MOST_REGIONS + 2, 2, -1)]
    assert most_emitting(summary(*rows), 99)[-2:] == ["Equal", "Region 00"], "equal ones by name"
    assert most_emitting(ENERGY_SUMMARY.empty_table()) == []


def test_a_region_of_two_tiers_is_named_once_and_listed_by_tier() -> None:
    both = summary(summary_row("Aland"), summary_row("Aland", data_tier="REAL"), summary_row("Beland", "factual", 0.5))
    assert most_emitting(both) == ["Aland", "Beland"]
    assert page_of(EnergyFacts(both)).count("<td>Aland</td>") == 2


def test_a_page_lists_no_more_regions_than_it_can_hold() -> None:
    rows = [summary_row(f"Region {at:04d}", "factual", 1.0 + at / 100) for at in range(MOST_ROWS + 40)]
    page = page_of(EnergyFacts(summary(*rows)))
    assert page.count("<td>Region ") == MOST_ROWS
    assert f"<td>Region {MOST_ROWS + 39:04d}</td>" in page and "<td>Region 0039</td>" not in page


def test_a_scenario_shows_the_mix_before_and_after_and_both_changes(facts: EnergyFacts) -> None:
    text = Outline(str(energy_sections(facts)["What if"])).text
    assert f"{COAL}: the mix of energy before and after." in text
    assert "-2.00 %" in text and "-5.00 %" in text, "of the networks, of the factors"
    assert "electricity, percent" not in text, "nothing is asked of sectors that stay as they are"


def test_a_scenario_that_moves_no_share_says_so(facts: EnergyFacts) -> None:
    text = Outline(str(energy_sections(facts)["What if"])).text
    part = text[text.index(CUT) :] if text.index(CUT) > text.index(COAL) else text[text.index(CUT) : text.index(COAL)]
    assert "No region that is drawn has anything to change." in part


def test_emissions_that_rose_are_counted_over_all_regions(facts: EnergyFacts) -> None:
    assert cells(page_of(facts), COAL) == [COAL, "30", "9", "30.0"]
    none = dataclasses.replace(facts, cleaner=())
    assert "emissions must not rise" not in page_of(none)


def test_what_is_left_out_stands_with_its_reason(facts: EnergyFacts) -> None:
    text = Outline(page_of(facts)).text
    assert "sum: equals Aland" in text and "missing" in text and "a note of" in text
    bare = EnergyFacts(facts.summary)
    assert energy_sections(bare)["Left out"] is None


def test_the_sentence_counts_regions_scenarios_and_strange_intervals() -> None:
    rows = [summary_row("Aland", answered=7, extrapolating=4), summary_row("Beland", extrapolating=1)]
    one = energy_sentence(EnergyFacts(summary(*rows, summary_row("Aland", COAL))))
    assert one.startswith("2 regions and 1 scenario: 17 of 20 intervals have both answers; in 5 ")
    assert energy_sentence(EnergyFacts(summary(*rows))).startswith("2 regions and 0 scenarios: ")


def test_without_a_row_the_page_says_nothing_and_is_whole() -> None:
    empty = EnergyFacts(ENERGY_SUMMARY.empty_table(), refused={"missing: all energy": 3})
    page = page_of(empty)
    assert Outline(page).open == [] and 'id="mix"' not in page and 'id="left-out"' in page
    assert "0 regions and 0 scenarios: 0 of 0 intervals" in page


@pytest.mark.parametrize("count", [1, 2, 400])
@pytest.mark.parametrize("refused", [False, True])
def test_days_are_drawn_however_few_and_whatever_is_refused(facts: EnergyFacts, count: int, refused: bool) -> None:
    """Of one interval there is no line to draw; refused answers leave the reported line."""
    page = page_of(dataclasses.replace(facts, days=region_days("Beland", count, refused)))
    assert ("Beland: GWh a day" in page) == (count > 1)
    assert ("days since 2019-04-14" in page) == (count > 1)
    assert not re.search(r"[\"> ]nan[\"< ]", page)


def test_a_long_line_is_drawn_as_means_and_keeps_its_mean(facts: EnergyFacts) -> None:
    """Ten years of days: the page does not grow with them, and says what is drawn."""
    few, many = (region_days("Beland", MOST_POINTS * times) for times in (1, 10))
    short, long = (page_of(dataclasses.replace(facts, days=days)) for days in (few, many))
    assert "Means of 10 intervals are drawn." in long and "intervals are drawn" not in short
    assert len(long) < 1.1 * len(short)
    mean = _means(np.arange(10.0), 4)
    assert mean.tolist() == [1.5, 5.5, 8.5]
    assert np.isnan(_means(np.array([1.0, np.nan, 2.0]), 2)[0]), "what is refused in part is not claimed"


def test_a_region_without_an_answer_has_no_total_to_be_off_from(facts: EnergyFacts) -> None:
    parts: dict[str, object] = {f"{name}_gwh": 0.0 for name in SOURCES} | {f"{name}_t_co2": 0.0 for name in SECTORS}
    amounts: dict[str, object] = {
        name: 0.0 for name in ENERGY_SUMMARY.names if name.endswith(("emissions_t_co2", "energy_gwh"))
    }
    silent = [summary_row("Silent", name, answered=0, days=0.0, **(parts | amounts)) for name in ("factual", COAL)]
    page = page_of(EnergyFacts(summary(*silent, *facts.summary.to_pylist())))
    assert cells(page, "Silent")[2:8] == ["0.000", "0.000", "–", "0.000", "0.000", "–"] or "–" in cells(page, "Silent")
    assert not re.search(r"[\"> ](nan|inf)[\"< ]", page)
