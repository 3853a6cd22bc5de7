"""Any calls in any order, on good data and bad: an answer, or a sentence that names what is wrong.

1,500 examples; as many as the environment variable EXAMPLES says in `make calls`.
"""

import copy
import os
import pickle
import re
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from skorch.callbacks import EpochTimer

from benchmarks.reliability.moments import process_state
from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.backbones import MLP, Members
from sklearn_maxl.labels import KMeans, Learned
from sklearn_maxl.optimizers import SGD

EXAMPLES = os.environ.get("EXAMPLES")
PROFILE = settings(
    max_examples=int(EXAMPLES or 1500),
    derandomize=EXAMPLES is None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

GOOD = {
    "backbone": [MLP((2,)), MLP((2,), dropout=0.5), Members((2,), 2)],
    "auxiliary": ["maxl", "uniform", "random", None, Learned(every=1), "human"],
    "psi": [1, 2, [1, 2, 3], {0: 1, 1: 2}, "auto"],
    "focal_gamma": [0.0, 2],
    "auxiliary_weight": [0, 1.5],
    "optimizer": ["sgd", SGD(momentum=0.9), torch.optim.Adagrad],
    "lr": [1e-3, "auto"],
    "schedule": ["auto", "constant", "halving"],
    "batch_size": [1, 2, "auto"],
    "max_epochs": [1, 2],
    "early_stopping": [True, False],
    "warm_start": [True, False],
    "callbacks": [None, [EpochTimer()]],
    "n_threads": [None, 1],
    "random_state": [0, None, np.random.RandomState(0)],
    "input_shape": [None, (2,), (1, 2)],
}
BAD = {
    "backbone": [
        3,
        "mpl",
        MLP((0,)),
        MLP(("a",)),
        MLP(dropout="a"),
        Members((2,), 10**30),
        torch.nn.Linear(9, 9),
        MLP,
        None,
    ],
    "auxiliary": [
        "gan",
        3,
        Learned,
        Learned(entropy_weight=10**30),
        Learned(every=0),
        Learned(lr=-1.0),
        KMeans,
    ],
    "psi": [0, -1, 1.5, [], ["a"], {9: 1}, np.nan, 10**11, 2**62, [[1], [2]]],
    "focal_gamma": [-1, np.nan, np.inf, "a", 1e300, 10**30, Fraction(1, 2)],
    "auxiliary_weight": [-1, np.inf, 1e300, 10**400],
    "optimizer": ["adagrad", 3, torch.optim.LBFGS, lambda parameters, lr: 3, SGD],
    "lr": [0, -1, np.nan, np.inf, 1e300, 10**400, "fast"],
    "schedule": ["linear", 3, SGD(), lambda progress: np.nan, lambda progress: "a"],
    "batch_size": [0, -1, 1.5, "large"],
    "max_epochs": [0, -1, 1.5, np.inf],
    "early_stopping": ["yes", 2],
    "warm_start": [None, 3],
    "callbacks": [[3], ["print"], [("a", 3)], [(1, EpochTimer())], "print", [EpochTimer(), {}]],
    "n_threads": [0, -1, 1.5, "2", 10**9, True],
    "random_state": [-1, "a", 1.5],
    "input_shape": [(0,), (-1, 2), "a", (5, 7), (1.5,), ()],
    "device": ["gpu", None, "cuda:99", 3],
    "precision": ["float16", None, torch.bfloat16],
    "augment": ["flip", 3, SGD(), lambda x: None, lambda x: x[:0]],
    "validation_fraction": [0, 1, np.nan],
    "n_iter_no_change": [0, -1],
    "tol": [-1, np.nan],
    "verbose": [-1, "a"],
}

# What a sentence may call the thing that is wrong.
CULPRIT = re.compile(
    r"\b(X|y|y_true|classes|class|sample_weight|[Ss]ample|weights?|auxiliary_labels|features?|"
    r"not fitted|targets?|label|parameter of|has no such method|diverged|input variables|"
    r"[Cc]omplex data|" + "|".join({*GOOD, *BAD}) + r")\b"
)
# What torch says of its own insides.
INSIDES = re.compile(r"mat1|size of tensor|enforce fail|did not converge|dtype mismatch|aten::")

ODD = [np.nan, np.inf, -np.inf, 1e300, -1e300, 1e39, 1e-320]
TYPES = [np.float64, np.float32, np.float16, np.int64, np.uint8, object, str, bool, complex]
FORMS = [
    np.asarray, np.asfortranarray, list, pd.DataFrame, sparse.csr_array,
    lambda a: a.astype(str).tolist(), lambda a: a[:, 0], lambda a: a[:, :, None], lambda a: a[:0],
    lambda a: None,
]  # fmt: skip


@st.composite
def samples(draw, n, bad):
    """Samples of two columns, of which something is odd if they are to be bad."""
    values = st.floats(-100, 100, width=32)
    row = st.lists(values, min_size=2, max_size=2)
    X = np.array(draw(st.lists(row, min_size=n, max_size=n)), float)
    if not bad:
        return X
    kind = draw(st.sampled_from(["value", "type", "form", "columns"]))
    if kind == "value":
        X[draw(st.integers(0, n - 1)), draw(st.integers(0, 1))] = draw(st.sampled_from(ODD))
    elif kind == "columns":
        X = np.tile(X, 2)
    elif kind == "form":
        return draw(st.sampled_from(FORMS))(X)
    else:
        with np.errstate(all="ignore"):
            return X.astype(draw(st.sampled_from(TYPES)))
    return X


@st.composite
def targets(draw, n, bad, regression):
    """Classes that all occur, or numbers; if they are to be bad, something else."""
    if not bad:
        y = np.arange(n) % draw(st.sampled_from([2, 3]))
        kinds = [y + 0.5, np.c_[y, -y]] if regression else [y, np.array(["u", "v", "w"])[y]]
        return draw(st.sampled_from(kinds))
    y = (np.arange(n) % 2).astype(float)
    odd = y.copy()
    odd[0] = draw(st.sampled_from(ODD))
    kinds = [
        odd, np.c_[y, odd], y[1:], y[:0], np.zeros(n), None, [None, *y[1:]], ["a", *y[1:]],
        y[:, None, None], y.astype(complex), y.astype("M8[D]"), np.c_[y, y], y + 7, 3,
    ]  # fmt: skip
    return draw(st.sampled_from(kinds))


@st.composite
def weights(draw, n):
    w = np.ones(n)
    odd = np.where(np.arange(n) == 0, draw(st.sampled_from([*ODD, 0, -1])), 1.0)
    return draw(st.sampled_from([None, None, None, w, odd, 0 * w, w[1:], w[:, None], ["a"] * n]))


@st.composite
def parameters(draw):
    """Some parameters, one of which may be bad."""
    names = draw(st.lists(st.sampled_from(sorted(GOOD)), max_size=4, unique=True))
    chosen = {name: draw(st.sampled_from(GOOD[name])) for name in names}
    if draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from(sorted(BAD)))
        chosen[name] = draw(st.sampled_from(BAD[name]))
    return chosen


METHODS = [
    *["fit", "fit", "fit", "partial_fit", "partial_fit", "set_params", "clone", "pickle"],
    *["predict", "predict_proba", "transform", "predict_auxiliary", "generate_auxiliary_labels"],
    "score",
]
ON_SAMPLES = {"predict", "predict_proba", "transform", "predict_auxiliary"}


@st.composite
def calls(draw):
    """An estimator, and what is called with what: (method, arguments by name)."""
    regression = draw(st.booleans())
    kind = MAXLRegressor if regression else MAXLClassifier
    small = {"backbone": MLP((2,)), "max_epochs": 1, "psi": 2, "random_state": 0}
    estimator = kind(**{**small, **draw(parameters())})
    n, steps = draw(st.integers(2, 9)), []
    for method in draw(st.lists(st.sampled_from(METHODS), min_size=1, max_size=5)):
        bad = draw(st.sampled_from([None, None, None, "X", "y"]))
        X, y = draw(samples(n, bad == "X")), draw(targets(n, bad == "y", regression))
        arguments = {"X": X, "y": y}
        if method in ON_SAMPLES:
            arguments = {"X": X}
        elif method in ("fit", "partial_fit"):
            arguments["sample_weight"] = draw(weights(n))
            finer = [None, np.arange(n) % 2, ["a"] * n, np.arange(n)[1:], [None] * n]
            arguments["auxiliary_labels"] = draw(st.sampled_from(finer))
            if method == "partial_fit" and not regression:
                known = [None, [0, 1, 2], ["u", "v", "w"], [0], 3, [0, np.nan]]
                arguments["classes"] = draw(st.sampled_from(known))
        elif method == "set_params":
            arguments = draw(parameters())
        elif method in ("clone", "pickle"):
            arguments = {}
        steps.append((method, arguments))
    return estimator, steps


def called(estimator, method, arguments):
    """The answer, and the estimator to go on with."""
    if method == "clone":
        return None, clone(estimator)
    if method == "pickle":
        return None, pickle.loads(pickle.dumps(estimator))
    return getattr(estimator, method)(**arguments), estimator


def looked_at(value):
    """Something that shows whether a value was changed."""
    if isinstance(value, sparse.csr_array):
        value = value.toarray()
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.dtype, value.shape, value.tobytes()
    return repr(value)


def check_answer(answer, method, estimator, arguments):
    """It is finite, of one row for each sample, and sums to 1 where it is made of shares."""
    if isinstance(answer, BaseEstimator):
        assert answer is estimator
        return
    if method == "score":
        assert np.isfinite(answer)
    elif answer is not None:
        X = arguments["X"]
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        assert len(answer) == n
        if answer.dtype.kind == "f":
            assert np.isfinite(answer).all()
        if method in ("predict_proba", "predict_auxiliary", "generate_auxiliary_labels"):
            np.testing.assert_allclose(answer.sum(1), 1, rtol=1e-4)


def check_error(error, estimator, method):
    """A sentence about what was passed, not about what is inside."""
    said = str(error)
    lacks = isinstance(error, AttributeError) and "has no" in said  # as of another kind
    of_memory = isinstance(error, torch.OutOfMemoryError) and "lower batch_size or psi" in said
    # pickle says itself what it can't take, such as a function without a name
    of_pickle = method == "pickle" and "pickle" in said.lower()
    assert isinstance(error, ValueError | TypeError) or lacks or of_memory or of_pickle, repr(error)
    assert CULPRIT.search(said) or lacks or of_pickle, repr(error)
    of_network = said.startswith("backbone can't")  # a user's own, and what torch says of it
    assert of_memory or of_network or not INSIDES.search(said), repr(error)


@PROFILE
@given(calls())
@pytest.mark.filterwarnings("ignore")
def test_every_call_answers_or_says_what_is_wrong(made):
    estimator, steps = made
    state = process_state()
    for method, arguments in steps:
        before = {name: looked_at(value) for name, value in arguments.items()}
        attributes = copy.copy(vars(estimator))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                answer, after = called(estimator, method, arguments)
                check_answer(answer, method, estimator, arguments)
                estimator = after
            except (Exception, KeyboardInterrupt) as error:
                if isinstance(error, AssertionError):
                    raise
                check_error(error, estimator, method)
                if method != "set_params":
                    now = vars(estimator)
                    assert now.keys() == attributes.keys()
                    assert all(now[name] is attributes[name] for name in now)
        assert {name: looked_at(value) for name, value in arguments.items()} == before
    assert [name for name, value in process_state().items() if value != state[name]] == []
