"""Random numbers follow from their key alone, and noise remembers as long as it says."""

import numpy as np

from carbonray.synthetic.regions.draws import PARTS, generator, memory_noise, yearly_wave


def test_every_key_has_numbers_of_its_own():
    keys = [(1, 2, part, turn) for part in PARTS for turn in (0, 1)] + [(1, 3, "place", 0), (2, 2, "place", 0)]
    assert len({generator(*key).random() for key in keys}) == len(keys)
    assert generator(1, 2, "place").random() == generator(1, 2, "place", 0).random()


def test_noise_has_unit_variance_and_its_memory():
    noise = memory_noise(200_000, 20.0, np.random.default_rng(1))
    assert abs(noise.std() - 1.0) < 0.03
    assert abs(np.corrcoef(noise[:-20], noise[20:])[0, 1] - np.exp(-1.0)) < 0.03


def test_more_days_do_not_change_those_before():
    long, short = (memory_noise(steps, 20.0, np.random.default_rng(1)) for steps in (500, 100))
    np.testing.assert_array_equal(long[:100], short)


def test_the_wave_peaks_where_it_says():
    days = np.arange(366)
    assert yearly_wave(days, 197.0).argmax() == 197
    assert yearly_wave(days, 197.0).argmin() in (14, 15)
