"""The paired test against independent derivations."""

import math

import numpy as np
import pytest
from scipy import integrate, special, stats

from sklearn_maxl.comparison._statistics import (
    corrected_t_test,
    holm,
    standard_error,
    variance_factor,
)

RNG = np.random.default_rng(0)
DIFFERENCES = RNG.normal(0.3, 1, 10)
TRAIN, TEST = np.full(10, 80), np.full(10, 20)


def tail_by_integration(t, freedom):
    """Two-sided p from Student's density itself."""
    scale = special.gamma((freedom + 1) / 2) / special.gamma(freedom / 2)
    scale /= math.sqrt(freedom * math.pi)
    area, _ = integrate.quad(lambda x: (1 + x * x / freedom) ** (-(freedom + 1) / 2), 0, abs(t))
    return 1 - 2 * scale * area


def test_the_corrected_test_is_nadeau_and_bengios():
    found = corrected_t_test(DIFFERENCES, TRAIN, TEST)
    n, mean = len(DIFFERENCES), sum(DIFFERENCES) / len(DIFFERENCES)
    variance = sum((d - mean) ** 2 for d in DIFFERENCES) / (n - 1)
    error = math.sqrt((1 / n + 20 / 80) * variance)
    assert found.mean == pytest.approx(mean)
    assert found.standard_error == pytest.approx(error)
    assert found.p == pytest.approx(tail_by_integration(mean / error, n - 1))


def test_without_test_samples_it_is_the_ordinary_t_test():
    found, plain = corrected_t_test(DIFFERENCES, TRAIN, 0 * TEST), stats.ttest_1samp(DIFFERENCES, 0)
    assert found.p == pytest.approx(plain.pvalue)
    interval = plain.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_the_correction_makes_the_error_larger_by_the_known_factor():
    ordinary = standard_error(DIFFERENCES, TRAIN, 0 * TEST)
    corrected = standard_error(DIFFERENCES, TRAIN, TEST)
    assert corrected / ordinary == pytest.approx(math.sqrt(1 + 10 / 4))  # five folds, twice


def test_folds_of_different_sizes_count_with_their_mean_ratio():
    assert variance_factor([7, 6], [3, 4]) == pytest.approx(1 / 2 + (3 / 7 + 4 / 6) / 2)


def test_the_interval_holds_zero_exactly_when_p_is_above_its_level():
    for shift in np.linspace(-1, 1, 21):
        found = corrected_t_test(DIFFERENCES - DIFFERENCES.mean() + shift, TRAIN, TEST)
        assert (found.low < 0 < found.high) == (found.p > 0.05)


def test_all_differences_zero_is_no_difference():
    found = corrected_t_test(np.zeros(10), TRAIN, TEST)
    assert (found.mean, found.standard_error, found.low, found.high, found.p) == (0, 0, 0, 0, 1)
    assert (found.wins, found.ties, found.losses) == (0, 10, 0)


@pytest.mark.parametrize("equal", [np.full(10, 0.25), np.tile([0.3 - 0.2, 0.4 - 0.3], 5)])
def test_without_spread_nothing_is_proved(equal):
    found = corrected_t_test(equal, TRAIN, TEST)  # the second set differs in the last bit
    assert math.isnan(found.p)
    assert found.standard_error == 0
    assert (found.wins, found.ties, found.losses) == (10, 0, 0)


def test_wins_ties_and_losses_are_counted():
    found = corrected_t_test([0.1, 0.0, -0.2, 0.3, 1e-17], TRAIN[:5], TEST[:5])
    assert (found.wins, found.ties, found.losses) == (2, 2, 1)


def test_the_corrected_test_keeps_its_level_where_the_ordinary_one_does_not():
    # Two settings that are equally good, with the overlap's correlation rho = n_test / n:
    # the case for which the factor is exact.
    rng, rho, n = np.random.default_rng(1), 0.2, 10
    shared = rng.normal(size=(2000, 1)) * math.sqrt(rho)
    scores = shared + rng.normal(size=(2000, n)) * math.sqrt(1 - rho)
    corrected = np.mean([corrected_t_test(s, TRAIN, TEST).p < 0.05 for s in scores])
    ordinary = np.mean(stats.ttest_1samp(scores, 0, axis=1).pvalue < 0.05)
    assert 0.035 < corrected < 0.065
    assert ordinary > 0.15


def holm_by_rejection(p, level):
    """Holm's procedure as published: reject one by one, stop at the first that is not."""
    rejected = np.zeros(len(p), bool)
    for k, i in enumerate(np.argsort(p)):
        if p[i] > level / (len(p) - k):
            break
        rejected[i] = True
    return rejected


def test_holm_rejects_what_the_step_down_procedure_rejects():
    for p in np.random.default_rng(2).uniform(0, 0.1, (200, 4)):
        for level in (0.01, 0.05, 0.1):
            np.testing.assert_array_equal(holm(p) <= level, holm_by_rejection(p, level))


def test_holm_of_an_example_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.9]), [0.04, 0.09, 0.09, 0.9])
    np.testing.assert_allclose(holm([0.6, 0.7]), [1, 1])
    np.testing.assert_allclose(holm([0.03]), [0.03])
    np.testing.assert_allclose(holm([np.nan, 0.02]), [np.nan, 0.04])
    assert holm([]).shape == (0,)
