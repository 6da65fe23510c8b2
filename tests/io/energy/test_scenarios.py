"""What-ifs in words and in YAML: one grammar, two forms, and a refusal that says what, where and what would do."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import DataError, SettingsError
from carbonray.io.energy.scenarios import FORMS, GRAMMAR, Scenario, scenarios_of
from carbonray.science.energy.scenarios import Change
from carbonray.vocab.energy import SECTORS, SOURCES
from tests.io.energy.energy_files import written

COAL, GAS, WIND = (SOURCES.index(name) for name in ("coal", "gas", "wind"))
INDUSTRY, HOMES, ROADS = (SECTORS.index(name) for name in ("industry", "residential", "ground_transport"))

share = st.integers(0, 100).map(lambda percent: percent / 100)
factor = st.integers(0, 500).map(lambda percent: percent / 100)
side = st.sampled_from([SOURCES, SECTORS])


@st.composite
def change_forms(draw: st.DrawFn) -> tuple[str, dict[str, object]]:
    """One change in words, and as a mapping."""
    names = draw(st.lists(st.sampled_from(draw(side)), min_size=2, max_size=4, unique=True))
    kind = draw(st.sampled_from(["replace", "cut", "scale"]))
    if kind == "scale":
        times = draw(factor)
        return f"scale {' + '.join(names)} by {times}", {"scale": names, "factor": times}
    part = draw(share)
    if kind == "cut":
        return f"cut {' + '.join(names)} by {100 * part:g} %", {"cut": names, "share": part}
    cut = draw(st.integers(1, len(names) - 1))
    of, by = names[:cut], names[cut:]
    words = f"replace {100 * part:g} % of {' + '.join(of)} by {' + '.join(by)}"
    return words, {"replace": of, "by": by, "share": part}


def of_text(text: str) -> Scenario:
    return scenarios_of([text], [])[0]


def refusal(text: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        scenarios_of([text], [])
    return caught.value


def test_words_are_changes_of_places() -> None:
    assert of_text("replace 10 % of coal by gas").energy == (Change("replace", (COAL,), 0.1, (GAS,)),)
    assert of_text("cut industry by 15 %").emissions == (Change("cut", (INDUSTRY,), 0.15),)
    assert of_text("scale wind by 2").energy == (Change("scale", (WIND,), 2.0),)
    assert of_text("cut industry by 15 %").energy == ()


@given(forms=st.lists(change_forms(), min_size=1, max_size=3), name=st.text("abcdef", min_size=1, max_size=8))
def test_words_and_mappings_say_the_same(forms: list[tuple[str, dict[str, object]]], name: str) -> None:
    """Every change keeps its side and its order, however it is told."""
    from_words = of_text("; ".join(words for words, _ in forms))
    told = yaml.safe_dump([{"name": name, "changes": [mapping for _, mapping in forms]}])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("carbonray.io.objectstore.read_bytes", lambda _url: told.encode())
        (from_file,) = scenarios_of([], ["what.yaml"])
    assert from_file.name == name
    for mine, theirs in (
        (from_words.energy, from_file.energy),
        (from_words.emissions, from_file.emissions),
    ):
        assert [(one.kind, one.of, one.by) for one in mine] == [(one.kind, one.of, one.by) for one in theirs]
        assert [one.amount for one in mine] == pytest.approx([one.amount for one in theirs], abs=1e-12)
    assert len(from_words.energy) + len(from_words.emissions) == len(forms)


def test_a_text_is_named_by_itself_and_read_alike_every_time() -> None:
    text = "replace 10 % of coal + oil by wind + solar; cut residential by 5 %"
    assert of_text(text).name == text
    assert of_text(text) == of_text(text)


@pytest.mark.parametrize(
    "text",
    ["CUT Ground-Transport + RESIDENTIAL by 15%", "cut ground transport+residential  by 15.0 %"],
)
def test_case_blanks_and_hyphens_do_not_matter(text: str) -> None:
    assert of_text(text).emissions == (Change("cut", (ROADS, HOMES), 0.15),)


def test_order_of_changes_is_kept() -> None:
    energy = of_text("scale coal by 2; replace 50 % of coal by gas").energy
    assert [change.kind for change in energy] == ["scale", "replace"]
    assert [change.kind for change in of_text("replace 50 % of coal by gas; scale coal by 2").energy] == [
        "replace",
        "scale",
    ]


def test_texts_come_first_and_then_files_in_their_order(tmp_path: Path) -> None:
    one = written(tmp_path, "one.yaml", "- cut power by 10 %\n- {name: fewer, changes: {cut: coal, share: 1}}\n")
    two = written(tmp_path, "two.yaml", "- {name: more, changes: ['scale wind by 2; scale solar by 2', {scale: hydro, factor: 3}]}\n")  # fmt: skip  # noqa: E501
    found = scenarios_of(["scale wind by 2"], [two, one])
    assert [scenario.name for scenario in found] == ["scale wind by 2", "more", "cut power by 10 %", "fewer"]
    assert len(found[1].energy) == 3
    assert scenarios_of([], []) == ()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("make coal great", "'make coal great'"),
        ("replace 10 % of coal", "'replace 10 % of coal'"),
        ("cut coal by 15", "'cut coal by 15'"),
        ("", "''"),
        ("cut coal by 5 %;", "''"),
        ("cut coal by -5 %", "'cut coal by -5 %'"),
        ("cut hope + dreams by 5 %", "unknown: dreams, hope"),
        ("replace 10 % of coal by industry", "coal, industry: sources and sectors in one change"),
        ("cut coal by 101 %", "cut by 1.01"),
        ("replace 10 % of coal by coal", "each once"),
        ("cut coal + coal by 10 %", "each once"),
    ],
)
def test_a_text_that_cannot_be_is_refused_with_what_and_where_and_how(text: str, what: str) -> None:
    error = refusal(text)
    assert what in str(error) and "scenarios: " in str(error)
    assert error.where == "energy.predict.scenarios"
    assert error.expected and error.remedy == "Correct the scenario."


def test_a_refusal_shows_the_grammar() -> None:
    assert refusal("make coal great").expected == GRAMMAR
    assert refusal("cut coal by 101 %").expected == FORMS
    assert all(name in refusal("cut hope by 5 %").expected for name in (*SOURCES, *SECTORS))


@pytest.mark.parametrize(
    ("text", "what", "place"),
    [
        ("{unclosed", "no YAML", ""),
        ("", "NoneType", ""),
        ("[]", "list '[]'", ""),
        ("{name: a, changes: []}", "dict", ""),
        ("- {name: a}\n", "{'name': 'a'}", ", scenario 1"),
        ("- cut power by 1 %\n- {name: a, changes: [], why: not}\n", "'why': 'not'", ", scenario 2"),
        ("- {name: 7, changes: [cut power by 1 %]}\n", "'name': 7", ", scenario 1"),
        ("- {name: '', changes: [cut power by 1 %]}\n", "'name': ''", ", scenario 1"),
        ("- {name: a, changes: []}\n", "no change in 'a'", ", scenario 1"),
        ("- {name: a, changes: [{cut: coal}]}\n", "{'cut': 'coal'}", ", scenario 1"),
        ("- {name: a, changes: [{cut: coal, share: lots}]}\n", "'lots' in", ", scenario 1"),
        ("- {name: a, changes: [{cut: coal, share: true}]}\n", "True in", ", scenario 1"),
        ("- {name: a, changes: [{cut: coal, share: .nan}]}\n", "nan", ", scenario 1"),
        ("- {name: a, changes: [{scale: coal, factor: .inf}]}\n", "inf", ", scenario 1"),
        ("- {name: a, changes: [{scale: [], factor: 2}]}\n", "expected parts", ", scenario 1"),
        ("- {name: a, changes: [{replace: coal, by: [], share: 0.5}]}\n", "expected parts", ", scenario 1"),
        ("- {name: a, changes: [3]}\n", "3", ", scenario 1"),
        ("- 3\n", "3", ", scenario 1"),
    ],
)
def test_a_file_that_cannot_be_is_refused_by_the_number_of_its_scenario(
    tmp_path: Path, text: str, what: str, place: str
) -> None:
    url = written(tmp_path, "what.yaml", text)
    with pytest.raises(SettingsError) as caught:
        scenarios_of([], [url])
    assert what in str(caught.value) and caught.value.where == f"{url}{place}"
    assert caught.value.expected and caught.value.remedy


def test_a_file_that_is_no_text_or_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "what.yaml").write_bytes(b"\xff\xfe\x00\xd8\x00")
    with pytest.raises(SettingsError, match="no YAML"):
        scenarios_of([], [str(tmp_path / "what.yaml")])
    with pytest.raises(DataError, match="no such object"):
        scenarios_of([], [str(tmp_path / "absent.yaml")])


@pytest.mark.parametrize("name", ["factual", "cut power by 1 %"])
def test_two_of_one_name_are_refused_and_none_is_the_factual_one(tmp_path: Path, name: str) -> None:
    url = written(tmp_path, "what.yaml", f"- {{name: {name}, changes: [scale wind by 2]}}\n")
    with pytest.raises(SettingsError, match="2 scenarios named") as caught:
        scenarios_of(["cut power by 1 %"], [url])
    assert repr(name) in str(caught.value) and caught.value.where == "inputs.scenarios"
