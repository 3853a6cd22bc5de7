"""scikit-learn's own checks, for every arm and every meta-gradient."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_maxl import MAXLClassifier
from sklearn_maxl._classifier import ARMS

# Repeating a row is not the same as doubling its weight: it changes the batches and the
# shuffles of a learner that goes through float32 mini-batches. What does hold is in
# test_weights.py.
EXPECTED_FAILURE = {
    "check_sample_weight_equivalence_on_dense_data": "repeated rows change the mini-batches"
}


class HumanClassifier(MAXLClassifier):
    """The "human" arm with finer labels made up from `X`, since the checks know of none."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y, sample_weight, auxiliary_labels=self._finer(y))

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        return super().partial_fit(X, y, classes, sample_weight, auxiliary_labels=self._finer(y))

    def _finer(self, y):
        return None if y is None else np.arange(np.asarray(y).size) % 2


ESTIMATORS = [
    *(MAXLClassifier(auxiliary=arm, max_epochs=5) for arm in ARMS if arm != "human"),
    HumanClassifier(auxiliary="human", max_epochs=5),
    MAXLClassifier(meta_gradient="double_backward", max_epochs=5),
    MAXLClassifier(meta_gradient="finite_difference", max_epochs=5),
]


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda estimator: EXPECTED_FAILURE)
def test_passes_the_checks_of_scikit_learn(estimator, check):
    try:
        check(estimator)
    except Exception as error:
        if type(error).__name__ == "SkipTest":
            pytest.fail(f"skipped: {error}")
        raise


def test_every_arm_is_checked():
    assert {estimator.auxiliary for estimator in ESTIMATORS} == set(ARMS)
