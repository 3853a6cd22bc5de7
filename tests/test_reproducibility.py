"""The same seed, the same bits; and no random state but the fit's own."""

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.datasets import load_digits, load_iris

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import MLP, ConvNet
from sklearn_maxl.labels import Learned

X, Y = load_iris(return_X_y=True)
IMAGES = load_digits().images[:120, None]
DIGIT = load_digits().target[:120]
DROPOUT = MLP((16, 8), dropout=0.3)

SETTINGS = {
    "maxl": {},
    "uniform": {"auxiliary": "uniform"},
    "random": {"auxiliary": "random"},
    "kmeans": {"auxiliary": "kmeans"},
    "human": {"auxiliary": "human"},
    "None": {"auxiliary": None},
    "dropout": {"backbone": DROPOUT},
    "dropout, double backward": {
        "backbone": DROPOUT, "auxiliary": Learned(meta_gradient="double_backward"),
    },
    "double backward": {"auxiliary": Learned(meta_gradient="double_backward")},
    "holdout, early stopping": {
        "auxiliary": Learned(meta_batch="holdout"), "early_stopping": True,
    },
    "images": {"backbone": ConvNet((4, 4), dropout=0.2), "max_epochs": 2},
}  # fmt: skip
every_setting = pytest.mark.parametrize("params", SETTINGS.values(), ids=SETTINGS)


def fit_and_predict(params, seed=0):
    torch.set_num_threads(1)
    clf = MAXLClassifier(**{"max_epochs": 4, "psi": 3, "random_state": seed, **params})
    data, labels = (IMAGES, DIGIT) if isinstance(clf.backbone, ConvNet) else (X, Y)
    finer = np.arange(len(labels)) % 2 if clf.auxiliary == "human" else None
    clf.fit(data, labels, auxiliary_labels=finer)
    state = [p.detach().numpy() for p in clf.net_.module_.parameters()]
    if clf.auxiliary == "maxl" or isinstance(clf.auxiliary, Learned):
        state.append(clf.generate_auxiliary_labels(data, labels))
    return [clf.predict_proba(data), clf.transform(data), *state]


def assert_same_bits(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@every_setting
def test_the_same_seed_gives_the_same_bits(params):
    assert_same_bits(fit_and_predict(params), fit_and_predict(params))


@every_setting
def test_other_seeds_give_other_results(params):
    assert (fit_and_predict(params, 0)[0] != fit_and_predict(params, 1)[0]).any()


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_fits_at_once_give_the_bits_of_fits_in_turn(backend):
    jobs = [(params, seed) for params in SETTINGS.values() for seed in (0, 1)]
    in_turn = [fit_and_predict(*job) for job in jobs]
    at_once = Parallel(n_jobs=2, backend=backend)(delayed(fit_and_predict)(*job) for job in jobs)
    for one, other in zip(in_turn, at_once, strict=True):
        assert_same_bits(one, other)


def global_states():
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return random.getstate(), (name, keys.tolist(), rest), torch.get_rng_state().tolist()


@every_setting
@pytest.mark.parametrize("seed", [0, None, "RandomState"])
def test_global_random_states_are_left_alone(params, seed):
    before = global_states()
    fit_and_predict(params, np.random.RandomState(0) if seed == "RandomState" else seed)
    assert global_states() == before


@pytest.mark.parametrize("params", [{}, {"backbone": DROPOUT}], ids=["plain", "dropout"])
def test_global_random_states_have_no_influence(params):
    expected = fit_and_predict(params)
    random.seed(1)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        np.random.seed(1)  # noqa: NPY002
        assert_same_bits(fit_and_predict(params), expected)


@pytest.mark.parametrize("auxiliary", ["maxl", "random", None])
def test_no_seed_means_another_result_every_time(auxiliary):
    np.random.seed(0)  # noqa: NPY002
    one = fit_and_predict({"auxiliary": auxiliary}, None)
    np.random.seed(0)  # noqa: NPY002
    other = fit_and_predict({"auxiliary": auxiliary}, None)
    assert (one[0] != other[0]).any()


def test_a_random_state_instance_moves_on_and_can_be_repeated():
    rng = np.random.RandomState(3)
    first, second = (fit_and_predict({}, rng) for _ in range(2))
    assert (first[0] != second[0]).any()
    rng = np.random.RandomState(3)
    assert_same_bits(fit_and_predict({}, rng), first)
    assert_same_bits(fit_and_predict({}, rng), second)


def test_a_refit_starts_afresh():
    clf = MAXLClassifier(max_epochs=3, random_state=0)
    assert_same_bits([clf.fit(X, Y).predict_proba(X)], [clf.fit(X, Y).predict_proba(X)])


def test_prediction_does_not_depend_on_who_else_is_asked():
    clf = MAXLClassifier(max_epochs=3, random_state=0, backbone=DROPOUT).fit(X, Y)
    np.testing.assert_allclose(clf.predict_proba(X[:1]), clf.predict_proba(X)[:1], rtol=1e-5)


def test_logging_changes_no_bit():
    expected = fit_and_predict({})
    assert_same_bits(fit_and_predict({"verbose": 1, "callbacks": []}), expected)


def test_a_fresh_process_that_turns_warnings_into_errors_can_fit():
    script = (
        "from sklearn_maxl import MAXLClassifier\n"
        "from sklearn.datasets import load_iris\n"
        "MAXLClassifier(max_epochs=1).fit(*load_iris(return_X_y=True))\n"
    )
    command = [sys.executable, "-W", "error::DeprecationWarning", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
