"""The same seed, the same bits; and no random state but the fit's own."""

import random
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.datasets import load_diabetes, load_digits, load_iris
from threadpoolctl import threadpool_limits

from sklearn_maxl import MAXLClassifier, MAXLRegressor
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
    among = clf.predict_proba(X)
    for i in range(0, len(X), 10):
        alone = clf.predict_proba(X[i : i + 1])
        np.testing.assert_allclose(alone, among[i : i + 1], rtol=0, atol=1e-6)


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


@pytest.mark.parametrize("data", ["table", "images"])
def test_a_file_gives_the_predictions_of_the_fit(data, tmp_path):
    table = data == "table"
    clf = MAXLClassifier(max_epochs=2, psi=3, random_state=0)
    samples, labels = (X, Y) if table else (IMAGES, DIGIT)
    clf.set_params(backbone="auto" if table else ConvNet((4, 4))).fit(samples, labels)
    clf.save(tmp_path / "file")
    loaded = MAXLClassifier.load(tmp_path / "file")
    methods = ("predict_proba", "transform", "predict_auxiliary")
    assert_same_bits(*([getattr(c, m)(samples) for m in methods] for c in (clf, loaded)))


@pytest.mark.parametrize("auxiliary", ["maxl", "kmeans"])
def test_the_threads_of_blas_change_no_bit(auxiliary):
    """Means, directions of targets and clusters are computed with NumPy."""
    data, _ = load_diabetes(return_X_y=True)
    data = np.tile(data, (8, 4))
    numbers = data[:, :3] + data[:, 3:6]
    found = []
    for cores in (1, 2):
        with threadpool_limits(cores, user_api="blas"):
            reg = MAXLRegressor(MLP((4,)), auxiliary=auxiliary, max_epochs=1, random_state=0)
            reg.fit(data, numbers, sample_weight=np.arange(1.0, len(data) + 1))
            state = reg.net_.module_.state_dict().values()
            found.append([reg.predict(data), *(t.numpy() for t in state)])
    assert_same_bits(*found)


FORMS = {
    "list": lambda X: X.tolist(),
    "data frame": pd.DataFrame,
    "Fortran order": np.asfortranarray,
    "not contiguous": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "backwards": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "read only": lambda X: np.frombuffer(X.tobytes()).reshape(X.shape),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_form_of_the_samples_changes_no_bit(form):
    found = []
    for data in (X, form(X)):
        clf = MAXLClassifier(MLP((4,)), psi=3, max_epochs=2, random_state=0).fit(data, Y)
        found.append([clf.predict_proba(data), clf.generate_auxiliary_labels(data, Y)])
    assert_same_bits(*found)


def test_another_number_of_threads_rounds_a_step_differently():
    """One step of 9,600 rows through 64 units, where torch splits sums."""
    data, labels = np.tile(X, (64, 8)), np.tile(Y, 64)
    settings = {"batch_size": len(data), "max_epochs": 1, "optimizer": "sgd", "lr": 0.1}
    found = []
    for n in (1, 2):
        clf = MAXLClassifier(MLP((64,)), n_threads=n, random_state=0, temperature=1, **settings)
        found.append(clf.fit(data, labels).predict_proba(data))
    np.testing.assert_allclose(*found, rtol=0, atol=1e-6)


def test_every_row_of_the_table_of_the_docs_has_its_test():
    page = (Path(__file__).parents[1] / "docs" / "reproducibility.rst").read_text()
    named = re.findall(r"``(test_\w+)::(test_\w+)``", page)
    assert len(named) == page.count("   * - ") - page.count("     - none\n") - 1
    for module, test in named:
        assert hasattr(import_module(module), test), (module, test)
