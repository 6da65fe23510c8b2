"""Cells of text mean the numbers and times that their country writes, or nothing; no cell is guessed at."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.io.text_tables import NEVER_NS, instants_ns, numbers, plain


def test_numbers_of_several_countries() -> None:
    text = ["1,248,315.20", " 12,34,567 ", "-140", "1e3", "", "-", "N/A", "1,2", "abc", "inf", "1.234,5", "0x10"]
    values, bad = numbers(pd.Series(text, dtype=str))
    assert values == pytest.approx([1248315.2, 1234567.0, -140.0, 1000.0, *[np.nan] * 8], nan_ok=True)
    assert bad.tolist() == [False] * 7 + [True] * 5


def test_numbers_with_a_decimal_comma() -> None:
    values, bad = numbers(pd.Series(["1.234,50", "987,25", "12", "1.5", ""], dtype=str), decimal=",")
    assert values == pytest.approx([1234.5, 987.25, 12.0, np.nan, np.nan], nan_ok=True)
    assert bad.tolist() == [False, False, False, True, False]


@given(st.lists(st.floats(-1e12, 1e12), max_size=5))
def test_a_number_survives_its_own_words(given_values: list[float]) -> None:
    values, bad = numbers(pd.Series([repr(value) for value in given_values], dtype=str))
    assert values.tolist() == given_values
    assert not bad.any()
    words = pd.Series([repr(value).replace(".", ",") for value in given_values], dtype=str)
    assert numbers(words, decimal=",")[0].tolist() == given_values


def test_times_in_the_formats_given_and_no_others() -> None:
    text = pd.Series(["2021-02-01 00:00:00", "01.02.2021", "2021-13-01", "9999-01-01", "", "1000-01-01"], dtype=str)
    found = instants_ns(text, ("ISO8601", "%d.%m.%Y"))
    day = np.datetime64("2021-02-01", "ns").astype(np.int64)
    assert found.tolist() == [day, day, *[NEVER_NS] * 4]
    offset = instants_ns(pd.Series(["2021-02-01T03:00:00.5+03:00"], dtype=str), ("ISO8601",))
    assert offset.tolist() == [day + 500_000_000]


def test_names_of_columns_lose_case_accents_and_punctuation() -> None:
    assert plain(" Gross Load (MW-h)") == "grossloadmwh"
    assert plain("Doğal Gaz İthal ı") == "dogalgazithali"
    assert plain("TODAY'S\nACTUAL\n") == "todaysactual"
