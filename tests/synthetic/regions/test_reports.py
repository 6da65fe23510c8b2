"""Reports err as they say, and late days are put right by the next release."""

import dataclasses

import numpy as np

from carbonray.synthetic.regions.reports import ReportRules, release_day, reported
from carbonray.synthetic.regions.world import regions_of
from tests.synthetic.regions.drawn import REPORTS, RULES, series

REGION = regions_of(RULES)[0]
LAST = int(RULES.span[-1])


def told(rules=REPORTS, released=LAST):
    return reported(rules, RULES.seed, REGION, series(), released)


def ln_error(report, name):
    truth = getattr(series(), name)[: report.days.size]
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.log(getattr(report, name) / truth)
    return error[:, np.isfinite(error).all(axis=0)]


def test_without_errors_the_truth_is_told():
    honest = ReportRules(energy_noise=0.0, emission_noise=0.0, emission_bias=0.0, provisional=0.0)
    np.testing.assert_array_equal(told(honest).energy, series().energy)
    np.testing.assert_array_equal(told(honest).emissions, series().emissions)


def test_errors_are_as_large_as_they_say():
    energy, emissions = (ln_error(told(), name)[:500] for name in ("energy", "emissions"))
    assert np.abs(energy.std(axis=0) / REPORTS.energy_noise - 1).max() < 0.15
    assert np.abs(emissions.std(axis=0) / REPORTS.emission_noise - 1).max() < 0.15
    assert np.abs(energy.mean()) < 1e-3
    assert 0.003 < emissions.mean(axis=0).std() < 0.06  # a sector's bias is there for ever


def test_late_days_are_worse():
    late, old = ln_error(told(), "energy")[-20:], ln_error(told(), "energy")[:-120]
    assert late.std() > 3 * old.std()


def test_a_revision_puts_late_days_right_and_leaves_old_ones():
    before, after = told(released=release_day(REPORTS, RULES.span, earlier=True)), told()
    known = before.days.size
    assert known == 731 - REPORTS.earlier_d
    errors = [ln_error(each, "energy")[known - 15 : known] for each in (before, after)]
    assert errors[1].std() < 0.3 * errors[0].std()
    np.testing.assert_allclose(before.emissions[:300], after.emissions[:300], rtol=1e-3)


def test_what_is_not_there_is_not_reported():
    nothing = series().energy == 0
    assert nothing.any()
    np.testing.assert_array_equal(told().energy == 0, nothing)


def test_a_short_span_has_an_earlier_release_too():
    short = dataclasses.replace(RULES, days=10).span
    assert release_day(REPORTS, short, earlier=True) == short[0]
