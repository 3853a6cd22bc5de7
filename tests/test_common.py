"""scikit-learn's own checks, for every arm, both meta-gradients and the parameter holders."""

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.backbones import MLP
from sklearn_maxl.labels import NAMED, Learned
from sklearn_maxl.optimizers import SGD

# In the one batch of this check, a repeated row is the same as a doubled weight without dropout,
# but up to float32's rounding, not to 1e-7; see test_weights.py.
EXPECTED_FAILURE = {
    f"check_sample_weight_equivalence_on_{kind}_data": "dropout; and float32 does not hold its 1e-7"
    for kind in ("dense", "sparse")
}


# psi="auto" needs all of the data at once: partial_fit refuses it in words.
NEEDS_PARTIAL_FIT = dict.fromkeys(
    (
        "check_estimators_partial_fit_n_features",
        "check_fit_score_takes_y",
        "check_n_features_in_after_fitting",
    ),
    "partial_fit does not support this setting",
)


# A matrix product may round a row by its place among the others: by up to 4e-7 of its value, seen
# with the kernels for AVX2, where this check allows 1e-7. With AVX-512 it has to pass.
HAS_AVX512 = torch.backends.cpu.get_cpu_capability() == "AVX512"
BY_PLACE = {"check_methods_sample_order_invariance": "float32 does not hold its 1e-7 everywhere"}


def expected_failures(estimator):
    no_partial_fit = NEEDS_PARTIAL_FIT if estimator.psi == "auto" else {}
    return {**EXPECTED_FAILURE, **no_partial_fit, **({} if HAS_AVX512 else BY_PLACE)}


class HumanClassifier(MAXLClassifier):
    """The "human" arm with finer labels made up from `X`, since the checks know of none."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y, sample_weight, auxiliary_labels=self._finer(y))

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        return super().partial_fit(X, y, classes, sample_weight, auxiliary_labels=self._finer(y))

    def _finer(self, y):
        return None if y is None else np.arange(np.asarray(y).size) % 2


ARMS = [*NAMED, None]

# Two with the network of tables, for classes and for numbers; small ones elsewhere, that all may be
# checked in minutes. One has no epochs of its own: its trials are fits as well.
SMALL = {"backbone": MLP((16,)), "lr": 0.03, "max_epochs": 5}
NUMBERS = {"lr": 0.03, "max_epochs": 10}
ESTIMATORS = [
    MAXLClassifier(max_epochs=5),
    MAXLClassifier(MLP((8,)), auxiliary=None),
    *(MAXLClassifier(auxiliary=arm, **SMALL) for arm in ARMS[1:] if arm != "human"),
    HumanClassifier(auxiliary="human", **SMALL),
    *(MAXLRegressor(auxiliary=arm, **NUMBERS) for arm in ("maxl", "kmeans", None)),
    MAXLClassifier(auxiliary=Learned(alternation="epoch"), psi="auto", **SMALL | {"max_epochs": 8}),
    MAXLClassifier(auxiliary=Learned(weight_range=3.0, information_weight=0.1), **SMALL),
    MAXLClassifier(auxiliary=Learned(meta_gradient="double_backward"), **SMALL),
    MAXLClassifier(auxiliary=Learned(optimizer=SGD(momentum=0.9)), **SMALL),
]


@parametrize_with_checks(
    ESTIMATORS, expected_failed_checks=expected_failures, xfail_strict=HAS_AVX512
)
def test_passes_the_checks_of_scikit_learn(estimator, check):
    try:
        check(estimator)
    except Exception as error:
        if type(error).__name__ == "SkipTest":
            pytest.fail(f"skipped: {error}")
        raise


# On some processors, a row that is predicted alone differs from the same row in a batch by more
# than the 1e-7 that this check allows; on others it passes.
ROUNDED = {"check_methods_subset_invariance": "float32 does not hold its 1e-7 everywhere"}


@parametrize_with_checks(
    [MAXLRegressor(loss="huber", n_bins=3, auxiliary="uniform", **NUMBERS)],
    expected_failed_checks=lambda estimator: {**expected_failures(estimator), **ROUNDED},
    xfail_strict=False,
)
def test_a_regressor_passes_the_checks_but_for_rounding(estimator, check):
    test_passes_the_checks_of_scikit_learn(estimator, check)


def test_every_arm_is_checked():
    given = {estimator.auxiliary for estimator in ESTIMATORS}
    assert {arm for arm in given if arm is None or isinstance(arm, str)} == set(ARMS)
