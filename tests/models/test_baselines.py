"""Peers of the sounding models: what each says, by hand, and what none may do: look at the tested rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.models.baselines import PEERS, Boosted, Constant, Regression, SoundingTruth, SplitRows, Threshold
from carbonray.models.sounding_trees import TreeRules
from carbonray.science.power.peer_inputs import INDEX_COLUMNS, LATENT_COLUMNS, WEATHER_COLUMNS
from carbonray.science.stats.metrics import mbe, rmse, two_class_map

WIDTH = {
    "index": len(INDEX_COLUMNS),
    "weather": len(WEATHER_COLUMNS),
    "latent": len(LATENT_COLUMNS),
    "latent_weather": len(LATENT_COLUMNS) + len(WEATHER_COLUMNS),
}
RULES = TreeRules(rounds=30, learning_rate=0.2, max_depth=3, stop_rounds=5)
ROWS = SplitRows(np.arange(0, 120), np.arange(120, 180))
TEST = np.arange(180, 240)


def truth(seed=0, unknown=0):
    rng = np.random.default_rng(seed)
    on = rng.random(240) < 0.7
    factor = np.where(on, rng.uniform(0.3, 1.0, 240), 0.0)
    factor[:unknown] = np.nan
    return SoundingTruth(on, factor)


def inputs(block, y, seed=0):
    """Columns that all follow the capacity factor, with noise."""
    rng = np.random.default_rng((seed, 1))
    x = np.nan_to_num(y.capacity_factor, nan=0.6)[:, None] + rng.normal(0.0, 0.15, (240, WIDTH[block]))
    return x * 1000.0 if block == "latent" else x


def said(name, y, seed=0, spoil=None):
    peer = PEERS[name](RULES)
    x = inputs(peer.reads, y, seed)
    if spoil is not None:
        x, y = spoil(x, y)
    return peer.fit(x, y, ROWS).predict(x)


@pytest.mark.parametrize("name", sorted(PEERS))
def test_every_peer_says_both_things_of_every_row(name):
    soundings = said(name, truth())
    assert soundings.on_score.shape == soundings.capacity_factor.shape == (240,)
    for values in (soundings.on_score, soundings.capacity_factor):
        assert np.isfinite(values).all() and values.min() >= 0.0 and values.max() <= 1.0


@pytest.mark.parametrize("name", sorted(PEERS))
def test_no_peer_looks_at_the_tested_rows(name):
    def spoilt(x, y):
        on, factor, moved = y.on.copy(), y.capacity_factor.copy(), x.copy()
        on[TEST], factor[TEST] = ~on[TEST], np.nan
        moved[TEST[30:]] = 99.0
        return moved, SoundingTruth(on, factor)

    plain, again = said(name, truth()), said(name, truth(), spoil=spoilt)
    unmoved = np.delete(np.arange(240), TEST[30:])
    assert np.array_equal(plain.on_score[unmoved], again.on_score[unmoved])
    assert np.array_equal(plain.capacity_factor[unmoved], again.capacity_factor[unmoved])


@pytest.mark.parametrize("name", sorted(set(PEERS) - {"always_on", "train_mean"}))
def test_a_peer_that_is_told_something_beats_the_trivial_ones(name):
    y, soundings, mean = truth(), said(name, truth()), said("train_mean", truth())
    assert two_class_map(y.on[TEST], soundings.on_score[TEST]) > 0.7
    assert rmse(y.capacity_factor[TEST], soundings.capacity_factor[TEST]) < 0.8 * rmse(
        y.capacity_factor[TEST], mean.capacity_factor[TEST]
    )


@given(st.integers(0, 1000))
def test_constants_have_a_map_of_one_half_and_the_mean_has_no_bias_where_it_was_taken(seed):
    y = truth(seed)
    mean, always = (
        Constant(says).fit(inputs("weather", y), y, ROWS).predict(inputs("weather", y))
        for says in ("mean", "always_on")
    )
    assert two_class_map(y.on, mean.on_score) == two_class_map(y.on, always.on_score) == pytest.approx(0.5)
    assert mbe(y.capacity_factor[ROWS.train], mean.capacity_factor[ROWS.train]) == pytest.approx(0.0, abs=1e-12)
    on = ROWS.train[y.on[ROWS.train]]
    assert mbe(y.capacity_factor[on], always.capacity_factor[on]) == pytest.approx(0.0, abs=1e-12)
    assert (always.on_score == 1.0).all()


def test_a_threshold_is_the_best_of_the_validation_rows():
    y = truth()
    x = inputs("index", y)
    fitted = Threshold("hot").fit(x, y, ROWS)
    value, on = x[ROWS.validation, 0], y.on[ROWS.validation]
    best = max(
        two_class_map(on, (value > at).astype(float)) for at in np.quantile(x[ROWS.train, 0], np.arange(1, 100) / 100)
    )
    chosen = two_class_map(on, (value > fitted.threshold).astype(float))
    assert chosen == pytest.approx(best) and chosen > 0.9
    above = ROWS.train[x[ROWS.train, 0] > fitted.threshold]
    assert fitted.above == (1.0, pytest.approx(y.capacity_factor[above].mean()))


def test_a_threshold_is_judged_on_training_rows_where_validation_has_one_class():
    y = truth()
    on = y.on.copy()
    on[ROWS.validation] = True
    fitted = Threshold("hot").fit(inputs("index", y), SoundingTruth(on, y.capacity_factor), ROWS)
    assert 0.0 < fitted.threshold < 0.6


def test_a_line_is_that_of_least_squares_and_its_score_keeps_the_order():
    y = truth()
    x = inputs("index", y)
    line = Regression("plume_area_m2").fit(x, y, ROWS)
    value = x[:, INDEX_COLUMNS.index("plume_area_m2")]
    slope, offset = np.linalg.lstsq(
        np.stack([value[ROWS.train], np.ones(120)], axis=1), y.capacity_factor[ROWS.train], rcond=None
    )[0]
    assert (line.slope, line.offset) == (pytest.approx(slope), pytest.approx(offset))
    soundings = line.predict(x)
    assert np.array_equal(np.argsort(soundings.on_score), np.argsort(value))
    falling = Regression("plume_area_m2").fit(-x, y, ROWS).predict(-x)
    assert two_class_map(y.on, falling.on_score) == pytest.approx(two_class_map(y.on, soundings.on_score))


@pytest.mark.parametrize("name", ["hot_threshold", "white_threshold", "plume_area"])
def test_a_row_without_an_index_gets_what_is_right_on_average(name):
    def gaps(x, y):
        holed = x.copy()
        holed[::3] = np.nan
        return holed, y

    y = truth()
    soundings = said(name, y, spoil=gaps)
    assert soundings.on_score[::3] == pytest.approx(y.on[ROWS.train].mean())
    assert soundings.capacity_factor[::3] == pytest.approx(y.capacity_factor[ROWS.train].mean())
    blind = said(name, y, spoil=lambda x, y: (np.full_like(x, np.nan), y))
    assert two_class_map(y.on, blind.on_score) == pytest.approx(0.5)


@pytest.mark.parametrize("name", sorted(PEERS))
def test_rows_of_unknown_capacity_factor_teach_on_and_off_only(name):
    some = said(name, truth(unknown=60))
    assert np.isfinite(some.capacity_factor).all()
    none = said(name, truth(unknown=240))
    assert np.isnan(none.capacity_factor).all() and np.isfinite(none.on_score).all()


def test_an_index_that_never_varies_tells_nothing():
    y = truth()
    flat = np.ones((240, len(INDEX_COLUMNS)))
    soundings = Regression("plume_area_m2").fit(flat, y, ROWS).predict(flat)
    assert soundings.capacity_factor == pytest.approx(y.capacity_factor[ROWS.train].mean())
    assert two_class_map(y.on, soundings.on_score) == pytest.approx(0.5)


def test_columns_of_a_small_block_are_all_shown_to_every_tree():
    shown = {
        name: peer.rules.features_share
        for name, peer in ((n, PEERS[n](RULES)) for n in PEERS)
        if isinstance(peer, Boosted)
    }
    assert set(shown) == {"weather_only", "oracle", "oracle_weather"} and set(shown.values()) == {1.0}
