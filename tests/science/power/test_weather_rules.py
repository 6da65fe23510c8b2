"""Hot or dry weather hides a stack's vapor: the published limits, and the law that heat and drought never help."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.science.power.weather_rules import VisibilityRules, weather_verdict

TEMPERATURE, HUMIDITY = st.floats(-50, 50), st.floats(0, 100)


@pytest.mark.parametrize(
    ("temperature_c", "humidity_pct", "kept"),
    [
        (13.9, 5.0, True),
        (14.0, 26.0, False),
        (14.0, 26.1, True),
        (23.9, 30.0, True),
        (24.0, 36.0, False),
        (24.0, 36.5, True),
        (31.9, 40.0, True),
        (32.0, 95.0, False),
        (-20.0, 1.0, True),
    ],
)
def test_the_published_limits(temperature_c: float, humidity_pct: float, kept: bool) -> None:
    assert weather_verdict([temperature_c], [humidity_pct], VisibilityRules()).kept.tolist() == [kept]


def test_on_a_limit_strictness_decides() -> None:
    strict = VisibilityRules(strict=True)
    assert weather_verdict([14.0, 24.0, 32.0], [26.0, 36.0, 50.0], strict).kept.all()
    assert not weather_verdict([14.1, 24.1, 32.1], [25.9, 35.9, 100.0], strict).kept.any()


@given(TEMPERATURE, HUMIDITY, st.floats(0, 30), st.floats(0, 100), st.booleans())
def test_warmer_or_drier_never_readmits(t: float, rh: float, warmer: float, drier: float, strict: bool) -> None:
    rules = VisibilityRules(strict=strict)
    before, after = weather_verdict([t, t + warmer], [rh, max(rh - drier, 0.0)], rules).kept
    assert before or not after


def test_the_reason_names_what_was_found_and_the_limit() -> None:
    verdict = weather_verdict([15.0, 35.0], [20.0, 90.0], VisibilityRules())
    assert verdict.rule.tolist() == ["weather", "weather"]
    assert verdict.reason[0] == "15.0 C with 20 % humidity (limit 14 C, 26 %)"
    assert verdict.reason[1] == "35.0 C with 90 % humidity (limit 32 C)"


def test_unknown_weather_is_named_and_kept_only_on_demand() -> None:
    warm, humid = [np.nan, 5.0, 33.0], [50.0, np.nan, np.nan]
    verdict = weather_verdict(warm, humid, VisibilityRules())
    assert verdict.rule.tolist() == ["weather unknown", "weather unknown", "weather"]
    assert weather_verdict(warm, humid, VisibilityRules(keep_unknown=True)).kept.tolist() == [True, True, False]
