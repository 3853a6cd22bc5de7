"""Images as rows of a table."""

import numpy as np
import pandas as pd
import pytest

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.backbones import MLP, ConvNet

SHAPE = (1, 8, 8)


def quick(**params):
    defaults = {"max_epochs": 2, "psi": 2, "backbone": ConvNet((4,)), "random_state": 0}
    return MAXLClassifier(**{**defaults, **params})


@pytest.mark.parametrize("shape", [SHAPE, list(SHAPE), tuple(np.array(SHAPE))])
def test_rows_are_the_same_as_images(images, shape):
    X, y = images
    rows = X.reshape(200, 64)
    expected = quick().fit(X, y)
    clf = quick(input_shape=shape).fit(rows, y)
    assert clf.input_shape_ == SHAPE
    assert all(type(n) is int for n in clf.input_shape_)
    assert clf.n_features_in_ == 64
    for method in ("predict", "predict_proba", "transform", "predict_auxiliary"):
        values = getattr(expected, method)(X)
        np.testing.assert_array_equal(getattr(clf, method)(rows), values)
        np.testing.assert_array_equal(getattr(clf, method)(X), values)
    generated = expected.generate_auxiliary_labels(X, y)
    np.testing.assert_array_equal(clf.generate_auxiliary_labels(rows, y), generated)


def test_partial_fit_warm_start_and_regression_take_rows(images):
    X, y = images
    rows = X.reshape(200, 64)
    clf = quick(input_shape=SHAPE).partial_fit(rows, y, classes=range(10)).partial_fit(rows, y)
    assert clf.n_iter_ == 2
    clf = quick(input_shape=SHAPE, warm_start=True).fit(rows, y).fit(rows, y)
    assert clf.n_iter_ == 4
    reg = MAXLRegressor(ConvNet((4,)), input_shape=SHAPE, max_epochs=1).fit(rows, y.astype(float))
    assert reg.predict(rows).shape == (200,)
    assert reg.input_shape_ == SHAPE


def test_auto_takes_the_network_for_the_shape(images):
    X, y = images
    signals = quick(backbone="auto", input_shape=(2, 32), max_epochs=1).fit(X.reshape(200, 64), y)
    assert signals.input_shape_ == (2, 32)
    table = quick(backbone=MLP((4,)), input_shape=(64,)).fit(X.reshape(200, 64), y)
    assert table.input_shape_ == (64,)


def test_names_of_columns_are_kept(images):
    X, y = images
    names = [f"pixel{i}" for i in range(64)]
    frame = pd.DataFrame(X.reshape(200, 64), columns=names)
    clf = quick(input_shape=SHAPE).fit(frame, y)
    assert clf.feature_names_in_.tolist() == names
    with pytest.raises(ValueError, match="feature names"):
        clf.predict(frame[names[::-1]])


def test_the_shape_that_was_fitted_counts(images):
    X, y = images
    rows = X.reshape(200, 64)
    clf = quick(input_shape=SHAPE).fit(rows, y)
    expected = clf.predict_proba(rows)
    np.testing.assert_array_equal(
        clf.set_params(input_shape=(4, 4, 4)).predict_proba(rows), expected
    )


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 8, 9), r"input_shape=\(1, 8, 9\) .*rows of 72 values, but X has .* 64 columns"),
        ((), r"input_shape must be the shape of one sample.*got \(\)"),
        ((1, -8, -8), r"input_shape must be .*positive integers"),
        ((1, 8.0, 8), r"input_shape must be .*positive integers"),
        ((True, 8, 8), r"input_shape must be .*positive integers"),
        (64, r"'input_shape' parameter of MAXLClassifier must be"),
    ],
)
def test_a_wrong_shape_is_named(images, shape, message):
    X, y = images
    with pytest.raises(ValueError, match=message):
        quick(input_shape=shape).fit(X.reshape(200, 64), y)


def test_samples_of_another_shape_are_refused(images):
    X, y = images
    with pytest.raises(ValueError, match=r"input_shape=\(4, 4, 4\) .*X has .*shape \(1, 8, 8\)"):
        quick(input_shape=(4, 4, 4)).fit(X, y)
    clf = quick(input_shape=SHAPE).fit(X, y)
    with pytest.raises(ValueError, match=r"63 features, but MAXLClassifier is expecting 64"):
        clf.predict(X.reshape(200, 64)[:, 1:])
    with pytest.raises(ValueError, match=r"X has samples of shape \(8, 8\)"):
        clf.predict(X[:, 0])
    with pytest.raises(ValueError, match=r"samples of shape \(64,\), but .* \(1, 8, 8\)"):
        quick().fit(X, y).predict(X.reshape(200, 64))


def test_rows_of_channels_last_images_are_noticed():
    X = np.random.RandomState(0).rand(40, 8 * 8 * 3)
    with pytest.warns(UserWarning, match=r"looks like \(height, width, channels\)"):
        quick(backbone=MLP((4,)), input_shape=(8, 8, 3)).fit(X, np.arange(40) % 2)
