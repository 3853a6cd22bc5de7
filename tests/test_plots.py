"""Displays: what they keep, what they draw, and what they say when there is nothing to draw."""

import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import SubFigure
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._training import runs
from sklearn_maxl.backbones import MLP, ConvNet
from sklearn_maxl.callbacks import GradientSimilarity
from sklearn_maxl.labels import Learned
from sklearn_maxl.plots import (
    AuxiliaryUseDisplay,
    EmbeddingDisplay,
    GradientSimilarityDisplay,
    LabelEntropyDisplay,
    LabelMosaicDisplay,
    OverviewDisplay,
    TrainingCurveDisplay,
)
from sklearn_maxl.plots._style import PALETTE, colours, spread

matplotlib.use("Agg")  # works without a screen

import matplotlib.pyplot as plt

X, y = load_iris(return_X_y=True)
DIGITS, DIGIT = load_digits(return_X_y=True)
IMAGES, DIGIT = DIGITS[:200].reshape(-1, 1, 8, 8), DIGIT[:200]

OF_A_FIT = (TrainingCurveDisplay, LabelEntropyDisplay, GradientSimilarityDisplay)
OF_SAMPLES = (AuxiliaryUseDisplay, LabelMosaicDisplay, EmbeddingDisplay)
OF_LABELS = (LabelEntropyDisplay, GradientSimilarityDisplay, *OF_SAMPLES[:2])


def quick(**params):
    return MAXLClassifier(**{"max_epochs": 3, "psi": 2, "random_state": 0, **params})


@pytest.fixture(scope="module")
def clf():
    return quick(early_stopping=True, callbacks=[GradientSimilarity(2)]).fit(X, y)


@pytest.fixture(scope="module")
def of_images():
    return quick(backbone=ConvNet((8,)), psi=3).fit(IMAGES, DIGIT)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def show(display, estimator, **kwargs):
    data = (X, y) if display in OF_SAMPLES else ()
    return display.from_estimator(estimator, *data, **kwargs)


def texts(ax):
    return [text.get_text() for text in ax.texts]


# What all have in common


@pytest.mark.parametrize("display", OF_A_FIT + OF_SAMPLES)
def test_a_display_draws_itself_into_a_figure_of_its_own_and_into_axes(clf, display):
    shown = show(display, clf)
    assert shown.ax_.figure is shown.figure_
    shown.figure_.canvas.draw()
    figure, axes = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    assert shown.plot(ax=axes[1]) is shown
    assert shown.figure_ is figure
    assert not axes[0].has_data()
    figure.canvas.draw()


@pytest.mark.parametrize("display", OF_A_FIT + OF_SAMPLES)
def test_no_text_is_cut_off(clf, display):
    figure = show(display, clf).figure_
    figure.canvas.draw()
    box, page = figure.get_tightbbox(), figure.get_size_inches()
    assert min(box.min) > -0.01
    assert (box.max < page + 0.01).all()


@pytest.mark.parametrize("display", OF_A_FIT + OF_SAMPLES)
def test_what_is_not_fitted_is_refused(display):
    with pytest.raises(NotFittedError):
        show(display, quick())


@pytest.mark.parametrize("display", OF_A_FIT + OF_SAMPLES)
def test_other_estimators_are_refused(clf, display):
    with pytest.raises(TypeError, match=r"got Pipeline; .*last step"):
        show(display, make_pipeline(StandardScaler(), clf))


@pytest.mark.parametrize("display", OF_LABELS)
def test_a_single_task_has_no_labels_to_show(display):
    with pytest.raises(ValueError, match=rf"{display.__name__}.*auxiliary=None.*fit one with"):
        show(display, quick(auxiliary=None).fit(X, y))


@pytest.mark.parametrize("display", OF_SAMPLES)
def test_an_unknown_source_of_labels_is_refused(clf, display):
    with pytest.raises(ValueError, match=r"response_method must be one of .*got 'labels'"):
        show(display, clf, response_method="labels")


@pytest.mark.parametrize("display", OF_SAMPLES)
def test_labels_without_a_generator_are_the_predicted_ones(display):
    clf = quick(auxiliary="random").fit(X, y)
    shown = show(display, clf)
    if display is AuxiliaryUseDisplay:
        predicted = clf.predict_auxiliary(X)[y == 1, 2:4].astype(float)
        expected = (predicted / predicted.sum(axis=1, keepdims=True)).mean(axis=0)
        np.testing.assert_allclose(shown.shares[1], expected)


@pytest.mark.parametrize("display", [TrainingCurveDisplay, LabelEntropyDisplay, *OF_SAMPLES])
def test_the_bins_of_a_regression_play_the_classes(display):
    X, y = load_diabetes(return_X_y=True)
    reg = MAXLRegressor(max_epochs=2, n_bins=3, psi=2, early_stopping=True).fit(X, y)
    shown = display.from_estimator(reg, *((X, y) if display in OF_SAMPLES else ()))
    if display is TrainingCurveDisplay:
        assert shown.axes_[1].get_ylabel() == "validation R2"
    if display is AuxiliaryUseDisplay:
        assert shown.class_names == ["bin 0", "bin 1", "bin 2"]


def test_matplotlib_is_imported_only_to_draw_and_its_lack_is_named():
    code = """
import sys
sys.modules["matplotlib.pyplot"] = None  # as if it were not installed
import numpy as np
from sklearn_maxl.plots import GradientSimilarityDisplay
assert not any(name.startswith("matplotlib.") for name in set(sys.modules) - {"matplotlib.pyplot"})
display = GradientSimilarityDisplay(np.zeros(3))
try:
    display.plot()
except ImportError as error:
    assert "pip install 'sklearn_maxl[plot]'" in str(error), error
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_colours_are_all_different():
    assert colours(3) == list(PALETTE[:3])
    assert len({tuple(np.round(c, 6)) for c in colours(25)}) == 25


def test_labels_are_moved_apart_no_more_than_needed():
    assert spread([0.0, 50.0], 12) == [0, 50]
    assert spread([10.0, 10.0, 40.0], 12) == [4, 16, 40]
    assert spread([0.0, 1.0, 13.0], 12) == pytest.approx([-22 / 3, 14 / 3, 50 / 3])


def test_a_wrong_number_of_axes_is_refused(clf):
    _, axes = plt.subplots(1, 3)
    with pytest.raises(ValueError, match="sequence of 2 axes, got 3"):
        TrainingCurveDisplay.from_estimator(clf, ax=axes)
    with pytest.raises(ValueError, match="pass a sequence of 2 axes"):
        TrainingCurveDisplay.from_estimator(clf, ax=plt.figure().add_axes((0, 0, 1, 1)))


# TrainingCurveDisplay


def test_curves_are_the_columns_of_the_history(clf):
    shown = TrainingCurveDisplay.from_estimator(clf)
    names = ["primary_loss", "auxiliary_loss", "meta_loss", "validation_score"]
    assert list(shown.lines_) == names
    for name in names:
        np.testing.assert_allclose(shown.lines_[name].get_ydata(), clf.history_[name])
        assert shown.lines_[name].get_xdata().tolist() == [1, 2, 3]
    assert texts(shown.axes_[0]) != []
    assert set(texts(shown.axes_[0])) == {"primary", "auxiliary", "meta"}
    assert [ax.get_ylabel() for ax in shown.axes_] == ["loss", "validation accuracy"]
    assert not shown.axes_[0].collections  # no band for one fit


def test_several_fits_are_a_mean_with_a_band():
    fits = [quick(max_epochs=n, random_state=n).fit(X, y) for n in (2, 4)]
    shown = TrainingCurveDisplay.from_estimator(fits)
    assert len(shown.axes_) == 1  # no validation score
    first, second = (fit.history_["primary_loss"] for fit in fits)
    assert shown.losses["primary_loss"].shape == (2, 4)
    assert np.isnan(shown.losses["primary_loss"][0, 2:]).all()
    expected = [*(first + second[:2]) / 2, *second[2:]]
    np.testing.assert_allclose(shown.lines_["primary_loss"].get_ydata(), expected)
    assert len(shown.ax_.collections) == 3
    assert shown.ax_.get_title(loc="left").startswith("2 fits")


def test_epochs_without_a_meta_step_leave_a_gap():
    fit = quick(auxiliary=Learned(every=8), batch_size=150).fit(X, y)
    shown = TrainingCurveDisplay.from_estimator([fit, fit])
    assert np.isfinite(shown.lines_["meta_loss"].get_ydata()).tolist() == [True, False, False]
    # A line of lone points would not be seen.
    assert shown.lines_["meta_loss"].get_marker() == "o"
    assert shown.lines_["primary_loss"].get_marker() == "None"


def test_a_single_task_and_a_single_epoch_can_be_shown():
    shown = TrainingCurveDisplay.from_estimator(quick(auxiliary=None, max_epochs=1).fit(X, y))
    assert list(shown.lines_) == ["primary_loss"]
    assert shown.lines_["primary_loss"].get_marker() == "o"


def test_epochs_keep_their_numbers_where_the_first_rows_are_gone(monkeypatch):
    monkeypatch.setattr(runs, "ROWS_OF_STREAM", 3)
    long = quick(callbacks=[GradientSimilarity(every=1)]).fit(X, y)
    for _ in range(4):
        long.partial_fit(X, y)
    short = quick(max_epochs=6).fit(X, y)
    for display in (TrainingCurveDisplay, LabelEntropyDisplay, GradientSimilarityDisplay):
        assert display.from_estimator(long).epochs.tolist() == [5, 6, 7]
    both = TrainingCurveDisplay.from_estimator([long, short])
    assert both.epochs.tolist() == [1, 2, 3, 4, 5, 6, 7]
    known = np.isfinite(both.losses["primary_loss"])
    assert known.tolist() == [[False] * 4 + [True] * 3, [True] * 6 + [False]]


def test_no_fit_at_all_is_refused():
    with pytest.raises(ValueError, match="at least one fitted estimator"):
        TrainingCurveDisplay.from_estimator([])


def test_axes_that_are_given_have_a_legend(clf):
    _, axes = plt.subplots(2)
    shown = TrainingCurveDisplay.from_estimator(clf, ax=axes)
    assert shown.axes_.tolist() == axes.tolist()
    labels = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert labels == ["primary", "auxiliary", "meta"]


# AuxiliaryUseDisplay


def test_bars_are_the_mean_labels(clf):
    shown = AuxiliaryUseDisplay.from_estimator(clf, X, y)
    labels = clf.generate_auxiliary_labels(X, y)
    widths = np.array([[bar.get_width() for bar in bars] for bars in shown.bars_]).T
    for i in range(3):
        expected = labels[y == i].mean(axis=0)[2 * i : 2 * i + 2]
        np.testing.assert_allclose(shown.shares[i], expected, rtol=1e-5)
        np.testing.assert_allclose(widths[i], shown.shares[i])
        assert 0 <= shown.label_entropy[i] <= shown.mean_label_entropy[i] <= np.log(2) + 1e-9
    assert [label.get_text() for label in shown.ax_.get_yticklabels()] == ["0", "1", "2"]


def test_collapse_is_seen():
    one, even = np.array([0.99, *[0.0025] * 4]), np.full(5, 0.2)
    shown = AuxiliaryUseDisplay([one, even], np.zeros(2), ["a", "b"]).plot()
    assert shown.in_use.tolist() == [1, 5]
    assert shown.mean_label_entropy == pytest.approx([0.0699, np.log(5)], abs=1e-3)
    notes = {text.get_text(): text for text in shown.ax_.texts}
    assert notes["1 of 5"].get_weight() == "bold"
    assert notes["5 of 5"].get_weight() == "normal"


def test_classes_of_unequal_psi_and_without_samples_can_be_shown():
    clf = quick(psi=[1, 2, 12]).fit(X, y)
    seen = y != 1
    shown = AuxiliaryUseDisplay.from_estimator(clf, X[seen], y[seen])
    assert [len(share) for share in shown.shares] == [1, 2, 12]
    assert np.isnan(shown.shares[1]).all()
    assert shown.in_use[:2].tolist() == [1, 0]
    assert shown.mean_label_entropy[0] == 0
    assert len(shown.bars_) == 12
    shown.figure_.canvas.draw()


# LabelEntropyDisplay


def test_entropies_are_the_columns_and_the_line_is_at_log_psi(clf):
    shown = LabelEntropyDisplay.from_estimator(clf)
    for name in ("mean_label_entropy", "label_entropy"):
        np.testing.assert_allclose(shown.lines_[name].get_ydata(), clf.history_[name])
    reference = shown.ax_.get_lines()[-1]
    np.testing.assert_allclose(reference.get_ydata(), np.log(2))
    assert "log(2): used evenly" in texts(shown.ax_)
    assert shown.ax_.get_ylim()[0] == 0


def test_unequal_psi_have_a_band():
    shown = LabelEntropyDisplay(np.ones(3), np.ones(3), np.array([2, 4])).plot()
    assert "log(2) to log(4)" in texts(shown.ax_)
    low, high = (
        shown.ax_.patches[0].get_extents().transformed(shown.ax_.transData.inverted()).intervaly
    )
    assert (low, high) == pytest.approx(np.log([2, 4]))


def test_a_psi_of_one_can_be_shown():
    LabelEntropyDisplay.from_estimator(quick(psi=1).fit(X, y)).figure_.canvas.draw()


# LabelMosaicDisplay


def test_a_row_has_the_most_typical_images(of_images):
    shown = LabelMosaicDisplay.from_estimator(of_images, IMAGES, DIGIT, classes=[7], n_samples=4)
    assert shown.rows == [("7", 0), ("7", 1), ("7", 2)]
    p = of_images.generate_auxiliary_labels(IMAGES, DIGIT)[:, 21:24]
    for k in range(3):
        assert (DIGIT[shown.indices[k]] == 7).all()
        best = np.sort(p[DIGIT == 7, k])[::-1][:4]
        np.testing.assert_allclose(shown.probabilities[k], best)
        chosen = IMAGES[shown.indices[k], 0]
        np.testing.assert_allclose(shown.images[k], chosen / 16, atol=1e-9)
    canvas = shown.image_.get_array()
    assert canvas.shape == (3 * 9, 4 * 9)
    np.testing.assert_allclose(canvas[9:17, :8], shown.images[1, 0])


def test_colour_images_and_classes_with_few_samples_can_be_shown():
    X = np.concatenate([IMAGES, 16 - IMAGES, IMAGES], axis=1)
    clf = quick(backbone=ConvNet((4,)), max_epochs=1).fit(X, DIGIT)
    few = np.r_[np.flatnonzero(DIGIT == 0)[:3], np.flatnonzero(DIGIT == 1)]
    shown = LabelMosaicDisplay.from_estimator(clf, X[few], DIGIT[few], n_samples=5)
    assert shown.images.shape == (6, 5, 8, 8, 3)
    assert (shown.indices[0] >= 0).tolist() == [True] * 3 + [False] * 2
    assert np.isnan(shown.images[0, 3:]).all()
    assert np.isnan(shown.images[4:]).all()  # no sample of class 2
    assert shown.image_.get_array().shape == (6 * 9, 5 * 9, 3)
    shown.figure_.canvas.draw()


def test_a_table_has_mean_profiles():
    table = pd.DataFrame(X, columns=["length", "width", "petal length", "petal width"])
    clf = quick().fit(table, np.array(["x", "y", "z"])[y])
    names = np.array(["x", "y", "z"])[y]
    shown = LabelMosaicDisplay.from_estimator(clf, table, names)
    z = (X - X.mean(0)) / X.std(0)
    p = clf.generate_auxiliary_labels(table, names)
    np.testing.assert_allclose(shown.profiles[3], np.average(z, axis=0, weights=p[:, 3]), atol=1e-6)
    np.testing.assert_array_equal(shown.image_.get_array(), shown.profiles)
    assert [tick.get_text() for tick in shown.ax_.get_xticklabels()] == list(table.columns)
    rows = [tick.get_text() for tick in shown.ax_.get_yticklabels()]
    assert rows == ["x   0", "1", "y   0", "1", "z   0", "1"]


def test_signals_and_wide_tables_have_profiles_of_all_values():
    clf = quick(backbone=MLP((4,)), max_epochs=1).fit(DIGITS[:200].reshape(-1, 2, 32), DIGIT)
    shown = LabelMosaicDisplay.from_estimator(clf, DIGITS[:200].reshape(-1, 2, 32), DIGIT)
    assert shown.profiles.shape == (6, 64)
    assert len(shown.ax_.get_xticks()) <= 20


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"classes": [0, 7]}, r"classes must name some of \[0, 1, 2\], got \[0, 7\]"),
        ({"classes": []}, "classes must name some"),
        ({"n_samples": 0}, "n_samples must be at least 1, got 0"),
    ],
)
def test_wrong_rows_and_columns_are_refused(clf, wrong, message):
    with pytest.raises(ValueError, match=message):
        LabelMosaicDisplay.from_estimator(clf, X, y, **wrong)


# GradientSimilarityDisplay


def test_similarity_is_the_column_with_a_line_at_zero(clf):
    shown = GradientSimilarityDisplay.from_estimator(clf)
    np.testing.assert_allclose(shown.line_.get_ydata(), clf.history_["gradient_similarity"])
    zero = shown.ax_.get_lines()[1]
    assert list(zero.get_ydata()) == [0, 0]
    low, high = shown.ax_.get_ylim()
    assert low < 0 < high


def test_epochs_without_a_value_are_left_out():
    shown = GradientSimilarityDisplay(np.array([0.1, np.nan, -0.2])).plot()
    assert shown.line_.get_xdata().tolist() == [1, 3]


def test_a_similarity_that_was_not_recorded_is_named():
    with pytest.raises(ValueError, match=r"not recorded.*GradientSimilarity\(every=10\)"):
        GradientSimilarityDisplay.from_estimator(quick().fit(X, y))


# EmbeddingDisplay


def test_points_are_the_principal_components_by_class_and_auxiliary_class(clf):
    shown = EmbeddingDisplay.from_estimator(clf, X, y)
    features = clf.transform(X).astype(float)
    centred = features - features.mean(0)
    variances = np.sort(np.linalg.eigvalsh(centred.T @ centred / 149))[::-1]
    np.testing.assert_allclose(shown.coordinates.var(axis=0, ddof=1), variances[:2], rtol=1e-4)
    assert shown.explained_variance_ratio == pytest.approx(variances[:2] / variances.sum(), 1e-3)
    found = clf.generate_auxiliary_labels(X, y).argmax(axis=1)
    np.testing.assert_array_equal(2 * y + shown.auxiliary, found)
    for (i, k), points in shown.points_.items():
        own = (y == i) & (shown.auxiliary == k)
        np.testing.assert_allclose(points.get_offsets(), shown.coordinates[own])
    assert sum(isinstance(c, PathCollection) for c in shown.ax_.collections) == len(shown.points_)
    assert texts(shown.ax_) == ["0", "1", "2"]


def test_a_single_task_is_embedded_without_markers():
    shown = EmbeddingDisplay.from_estimator(quick(auxiliary=None).fit(X, y), X, y)
    assert shown.auxiliary is None
    assert shown.ax_.get_legend() is None
    assert set(shown.points_) == {(0, 0), (1, 0), (2, 0)}


def test_one_feature_cannot_be_embedded():
    clf = quick(backbone=MLP((1,))).fit(X, y)
    with pytest.raises(ValueError, match="at least 2 features, got 150 and 1"):
        EmbeddingDisplay.from_estimator(clf, X, y)


# OverviewDisplay

OF_EVERY_FIT = ["Losses", "Entropy of the labels"]
OF_ITS_SAMPLES = ["Use of the auxiliary classes", "Typical samples of the auxiliary classes"]
FEATURES, SIMILARITY = "Features of the trunk", "Cosine of the gradients"


def test_an_overview_has_all_that_there_is(clf, of_images):
    shown = OverviewDisplay.from_estimator(clf, X, y)
    assert list(shown.displays) == [*OF_EVERY_FIT, *OF_ITS_SAMPLES, FEATURES, SIMILARITY]
    assert {type(part) for part in shown.displays.values()} == {*OF_A_FIT, *OF_SAMPLES}
    assert list(OverviewDisplay.from_estimator(clf).displays) == [*OF_EVERY_FIT, SIMILARITY]
    shown = OverviewDisplay.from_estimator(of_images, IMAGES, DIGIT)
    assert list(shown.displays) == [*OF_EVERY_FIT, *OF_ITS_SAMPLES, FEATURES]
    assert shown.displays[OF_ITS_SAMPLES[1]].images is not None
    single = quick(auxiliary=None).fit(X, y)
    assert list(OverviewDisplay.from_estimator(single).displays) == ["Losses"]
    assert list(OverviewDisplay.from_estimator(single, X, y).displays) == ["Losses", FEATURES]


def test_an_overview_of_a_regression_and_of_labels_without_a_generator():
    X, y = load_diabetes(return_X_y=True)
    for auxiliary in ("random", "uniform"):
        reg = MAXLRegressor(max_epochs=2, n_bins=3, psi=2, auxiliary=auxiliary).fit(X, y)
        shown = OverviewDisplay.from_estimator(reg, X, y)
        assert list(shown.displays) == [*OF_EVERY_FIT, *OF_ITS_SAMPLES, FEATURES]


def test_an_overview_is_one_figure_with_a_name_above_each_part(clf):
    shown = OverviewDisplay.from_estimator(clf, X, y)
    assert plt.get_fignums() == [shown.figure_.number]
    names = [part.get_suptitle() for part in shown.figure_.findobj(SubFigure)]
    assert [name for name in names if name] == list(shown.displays)
    shown.figure_.canvas.draw()
    box, page = shown.figure_.get_tightbbox(), shown.figure_.get_size_inches()
    assert min(box.min) > -0.01
    assert (box.max < page + 0.01).all()


def test_an_overview_draws_itself_again_elsewhere(clf):
    shown = OverviewDisplay.from_estimator(clf)
    figure, axes = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    assert shown.plot(ax=axes[1]) is shown
    assert shown.figure_ is figure
    assert all(part.ax_.get_figure(root=True) is figure for part in shown.displays.values())
    figure.canvas.draw()
    left = axes[0].get_window_extent().x1
    assert all(ax.get_window_extent().x0 > left for ax in figure.axes if ax is not axes[0])
    several, axes = plt.subplots(3, 1, figsize=(6, 12), layout="constrained")
    assert OverviewDisplay.from_estimator(clf, ax=axes).figure_ is several
    assert shown.plot().figure_ not in (figure, several)


def test_wrong_uses_of_an_overview_are_refused(clf):
    with pytest.raises(NotFittedError):
        OverviewDisplay.from_estimator(quick())
    with pytest.raises(TypeError, match=r"got Pipeline; .*last step"):
        OverviewDisplay.from_estimator(make_pipeline(StandardScaler(), clf))
    with pytest.raises(ValueError, match="X and y together, or neither"):
        OverviewDisplay.from_estimator(clf, X)
    with pytest.raises(ValueError, match="sequence of 3 axes, got 2"):
        OverviewDisplay.from_estimator(clf, ax=plt.subplots(1, 2)[1])
    with pytest.raises(ValueError, match="no place in a grid"):
        OverviewDisplay.from_estimator(clf, ax=plt.figure().add_axes((0, 0, 1, 1)))


def test_names_in_the_embedding_are_read_on_a_dark_page_as_well(clf):
    with plt.style.context("dark_background"):
        shown = EmbeddingDisplay.from_estimator(clf, X, y)
    (stroke,) = shown.ax_.texts[0].get_path_effects()
    assert stroke._gc["foreground"] == shown.ax_.get_facecolor() == (0, 0, 0, 1)
    assert shown.ax_.texts[0].get_color() == "white"
