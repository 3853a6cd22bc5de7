"""Paired comparison: what is paired, what it concludes, how it is shown."""

import builtins
import logging
import re
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl._training.steps import Step
from sklearn_maxl.backbones import MLP, ConvNet
from sklearn_maxl.comparison import Comparison, _progress, compare
from sklearn_maxl.labels import Uniform

X, Y = load_iris(return_X_y=True)
QUICK = MAXLClassifier(max_epochs=1)
LINEAR = make_pipeline(StandardScaler(), LogisticRegression())


def quick(estimator=QUICK, X=X, y=Y, **settings):
    return compare(estimator, X, y, **{"cv": 2, "arms": ("uniform", None), **settings})


def made(differences, *, arms=("maxl", None), seconds=(2.0, 1.0), scoring="accuracy", base=0.8):
    """A comparison whose arms differ from the single task by given amounts, fold by fold."""
    differences = np.atleast_2d(differences)
    single = base + 0.01 * np.arange(differences.shape[1])
    scores = np.vstack([single + differences, single])[:, None]
    n = np.full((1, differences.shape[1]), 20)
    return Comparison(
        arms_=list(arms),
        params_=[{"auxiliary": arm} for arm in arms],
        reference_=None,
        scoring_=scoring,
        scores_=scores,
        seconds_=np.array(seconds)[:, None, None] + 0 * scores,
        n_train_=4 * n,
        n_test_=n,
        training_seeds_=n,
    )


GAIN = [0.02, 0.021, 0.019, 0.022, 0.018, 0.02, 0.021, 0.019]
NOISE = [0.02, -0.02, 0.01, -0.01, 0.02, -0.02, 0.01, -0.005]


# Baselines


def test_baselines_are_scored_on_the_folds_of_the_arms():
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, Y))
    found = quick(cv=folds, n_seeds=1, baselines={"linear": LINEAR})
    own = [clone(LINEAR).fit(X[a], Y[a]).score(X[b], Y[b]) for a, b in folds]
    np.testing.assert_array_equal(found.baseline_scores_, [[own]])
    assert found.baseline_seconds_.shape == (1, 1, 3)
    alone = quick(cv=folds, n_seeds=1)
    np.testing.assert_array_equal(found.scores_, alone.scores_)
    assert (alone.baselines_, found.baselines_) == ([], ["linear"])
    table = found.table()
    assert table["arm"].tolist() == ["single task", "uniform", "linear"]
    assert np.isclose(table["score"][2], np.mean(own))
    assert np.isclose(table["difference"][2], np.mean(own) - found.scores_[1].mean())
    assert table[["p", "p_holm"]].iloc[2].isna().all()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (0.05, r" linear scores higher than all arms: \+3\.00 points ± 0\.\d+ against maxl\.$"),
        (0.021, r" linear .*: \+0\.10 points ± 0\.\d+ against maxl, no more than chance may do\.$"),
        (-0.01, None),
    ],
)
def test_the_verdict_tells_of_a_baseline_that_is_higher_than_all_arms(more, sentence):
    found = made([GAIN, NOISE], arms=("maxl", "uniform", None), seconds=(3, 2, 1))
    wiggle = 0.001 * np.array([1, -1, 2, -2, 1, -1, 2, -2])
    scores = (found.scores_[2] + more + wiggle)[None]
    other = replace(
        found, baselines_=["linear"], baseline_scores_=scores, baseline_seconds_=0 * scores
    )
    assert other.verdict.startswith(found.verdict)
    said = other.verdict.removeprefix(found.verdict)
    assert said == "" if sentence is None else re.fullmatch(sentence, said)
    for name in ("p_holm", "score"):
        pd.testing.assert_series_equal(other.table()[name][:3], found.table()[name])
    assert re.search(r"^linear .* – +\d/0/\d +0\.00$", str(other), re.MULTILINE)
    assert "linear: other estimators on the same folds" in str(other)
    assert max(map(len, str(other).split("\n\nVerdict")[0].splitlines())) <= 100
    assert '<th scope="row">linear</th>' in other.to_html()


# What is paired


class Recording(MAXLClassifier):
    """Keeps what it was fitted on."""

    seen: list = []  # noqa: RUF012

    def fit(self, X, y):
        self.seen.append((self.auxiliary, self.random_state, X.tobytes(), y.tobytes()))
        return super().fit(X, y)


def test_all_arms_see_the_same_folds_and_seeds():
    Recording.seen.clear()
    found = compare(Recording(max_epochs=1), X, Y, cv=3, n_seeds=2)
    arms = {}
    for auxiliary, *split in Recording.seen:
        arms.setdefault(auxiliary, []).append(tuple(split))
    assert list(arms) == found.arms_
    assert len({tuple(splits) for splits in arms.values()}) == 1
    splits = arms[None]
    assert len({seed for seed, *_ in splits}) == 6  # every fit its own
    assert len({samples for _, samples, _ in splits}) == 6  # other seeds, other folds
    assert [seed for seed, *_ in splits] == found.training_seeds_.ravel().tolist()


def test_a_score_is_that_of_one_fit_by_hand():
    even, odd = np.arange(0, 150, 2), np.arange(1, 150, 2)
    cv = [(even, odd), (odd, even)]
    found = quick(cv=cv, n_seeds=2)
    for seed in range(2):
        for fold, (train, test) in enumerate(cv):
            state = int(found.training_seeds_[seed, fold])
            clf = MAXLClassifier(max_epochs=1, auxiliary="uniform", random_state=state)
            score = clf.fit(X[train], Y[train]).score(X[test], Y[test])
            assert found.scores_[0, seed, fold] == score


def test_the_same_random_state_gives_the_same_scores_in_other_processes_too():
    first, second = quick(random_state=3), quick(random_state=3, n_jobs=2)
    np.testing.assert_array_equal(first.scores_, second.scores_)
    other = quick(random_state=4)
    assert (first.training_seeds_ != other.training_seeds_).all()


def test_the_estimator_is_left_alone():
    clf = MAXLClassifier(max_epochs=1, random_state=7)
    quick(clf)
    assert clf.get_params() == MAXLClassifier(max_epochs=1, random_state=7).get_params()
    assert not hasattr(clf, "net_")


def test_every_random_state_of_a_pipeline_is_set():
    pipe = make_pipeline(PCA(2, svd_solver="randomized"), QUICK)
    np.testing.assert_array_equal(quick(pipe).scores_, quick(pipe).scores_)


# Identical arms, and arms that differ


def test_identical_arms_do_not_differ():
    arms = {"one": {"auxiliary": None}, "two": {"auxiliary": None, "psi": 3}}
    found = quick(arms=arms, reference="one", n_seeds=2)
    np.testing.assert_array_equal(found.scores_[0], found.scores_[1])
    assert found.verdict.startswith("two scores as one does in every split; use the single")
    row = found.table().iloc[1]
    assert (row["p"], row["wins"], row["ties"], row["losses"]) == (1, 0, 4, 0)


VERDICTS = {
    "helps": (made(GAIN), r"maxl helps: \+2\.00 points ± 0\.\d\d, p < 0\.001\."),
    "hurts": (
        made(-np.array(GAIN)),
        r"maxl hurts: −2\.00 points ± 0\.\d\d, p < 0\.001; use the single task "
        r"\(auxiliary=None\), which is 2\.0x faster\.",
    ),
    "neither": (
        made(NOISE),
        r"No measurable difference: maxl \+0\.06 points ± \d\.\d\d, p = 0\.9\d \(95 % interval "
        r"−\d\.\d\d to \+\d\.\d\d\); use the single task \(auxiliary=None\), which is 2\.0x "
        r"faster\.",
    ),
    "not faster": (
        made(NOISE, seconds=(1.0, 1.0)), r".*; use the single task \(auxiliary=None\)\.",
    ),
    "no better than uniform": (
        made([GAIN, np.add(GAIN, NOISE) / 2 + 0.009], arms=("maxl", "uniform", None),
             seconds=(2, 1, 1)),
        r"maxl helps: .*; so does uniform \(.*, p = 0\.00\d\)\. But maxl is not measurably "
        r"better than uniform labels, which teach nothing: .* points ± .*\.",
    ),
    "better than uniform": (
        made([GAIN, NOISE], arms=("maxl", "uniform", None), seconds=(2, 1, 1)),
        r"maxl helps: [^;]*\.",
    ),
    "one hurts": (
        made([NOISE, NOISE, -np.array(GAIN)], arms=("maxl", "uniform", "random", None),
             seconds=(2, 1, 1, 1)),
        r"No measurable difference: maxl .*, and none for uniform; use the single task "
        r"\(auxiliary=None\), which is 2\.0x faster than maxl\. random hurts: −2\.00 points .*\.",
    ),
    "two hurt": (
        made([-np.array(GAIN), -np.array(GAIN)], arms=("kmeans", "random", None),
             seconds=(1, 1, 1)),
        r"kmeans and random hurt: −2\.00 .*, −2\.00 .*; use the single task "
        r"\(auxiliary=None\)\.",
    ),
    "no spread": (
        made(np.full(8, 0.25)),
        r"maxl differs from single task by \+25\.00 points in each of the 8 splits; equal "
        r"differences can't be tested, more seeds or folds may tell\.",
    ),
    "no difference at all": (
        made(np.zeros(8)),
        r"maxl scores as single task does in every split; use the single task \(auxiliary=None\), "
        r"which is 2\.0x faster\.",
    ),
    "of each kind": (
        made([NOISE, np.zeros(8), np.full(8, -0.1), -np.array(GAIN), np.zeros(8)],
             arms=("a", "b", "c", "d", "e", None), seconds=[1] * 6),
        r"No measurable difference: a [^.]*\..* b and e score as single task does in every split\. "
        r"c differs from single task by −10\.00 points in each .* may tell\. d hurts: −2\.00 .*\.",
    ),
    "one helps, others do not": (
        made([GAIN, np.zeros(8), -np.array(GAIN)], arms=("a", "b", "c", None), seconds=[1] * 4),
        r"a helps: [^;]*\. b scores as single task does in every split\. c hurts: [^;]*\.",
    ),
    "R2": (made(NOISE, scoring="r2"), r"No measurable difference: maxl \+0\.001 ± 0\.\d\d\d, .*"),
}  # fmt: skip


@pytest.mark.parametrize(("found", "sentence"), VERDICTS.values(), ids=VERDICTS)
def test_the_verdict(found, sentence):
    assert re.fullmatch(sentence, found.verdict), found.verdict


def test_many_arms_need_a_smaller_p():
    weak = np.array([0.02, 0.01, 0.025, 0.005, 0.015, 0.02, 0.0, 0.025])
    alone = made(weak)
    assert 0.01 < alone.table()["p_holm"][1] < 0.05
    assert "maxl helps" in alone.verdict
    among = made([weak, NOISE, NOISE, NOISE], arms=("maxl", "a", "b", "c", None), seconds=[1] * 5)
    assert among.table()["p_holm"][1] == pytest.approx(4 * among.table()["p"][1])
    assert "No measurable difference" in among.verdict


def test_the_table_agrees_with_the_scores():
    found = made([GAIN, NOISE], arms=("maxl", "uniform", None), seconds=(3, 2, 1))
    table = found.table().set_index("arm")
    assert list(table.index) == ["single task", "maxl", "uniform"]
    assert table["score"].to_list() == pytest.approx(found.scores_[[2, 0, 1]].mean(axis=(1, 2)))
    assert table["difference"].to_list() == pytest.approx([0, 0.02, np.mean(NOISE)])
    assert table.loc["maxl", "difference_error"] == pytest.approx(
        np.sqrt((1 / 8 + 1 / 4) * np.var(GAIN, ddof=1))
    )
    assert table.loc["uniform", ["wins", "ties", "losses"]].to_list() == [4, 0, 4]
    assert table["seconds"].to_list() == [1, 3, 2]


def test_folds_that_do_not_change_count_once():
    order = np.random.RandomState(0).permutation(150)
    found = quick(X=X[order], y=Y[order], cv=KFold(3), n_seeds=2)
    assert not found.folds_change_
    assert "averaged over the seeds" in str(found)
    scores = np.random.default_rng(0).uniform(size=(2, 2, 3))
    averaged = replace(found, scores_=scores).table()["difference_error"][1]
    differences = (scores[0] - scores[1]).mean(axis=0)
    assert averaged == pytest.approx(np.sqrt((1 / 3 + 1 / 2) * differences.var(ddof=1)))
    all_count = replace(found, scores_=scores, folds_change_=True).table()["difference_error"][1]
    differences = scores[0] - scores[1]
    assert all_count == pytest.approx(np.sqrt((1 / 6 + 1 / 2) * differences.var(ddof=1)))


@pytest.mark.parametrize("cv", [StratifiedKFold(3, shuffle=True), ShuffleSplit(3, test_size=0.3)])
def test_splitters_with_a_random_state_get_another_one_for_every_seed(cv):
    found = quick(cv=cv, n_seeds=2)
    assert found.folds_change_
    assert found.scores_.shape == (2, 2, 3)
    assert cv.random_state is None


def test_without_pandas_the_table_is_a_dictionary(monkeypatch):
    without(monkeypatch, "pandas")
    table = made(GAIN).table()
    assert table["arm"] == ["single task", "maxl"]
    assert table["wins"] == [None, 8]


# Data of all kinds


def test_images(images):
    found = quick(MAXLClassifier(ConvNet(channels=(4,)), max_epochs=1), *images)
    assert found.scores_.shape == (2, 2, 2)


def test_data_frames_in_a_pipeline_with_named_classes():
    frame = pd.DataFrame(X, columns=list("abcd"))
    found = quick(make_pipeline(StandardScaler(), QUICK), frame, pd.Series(Y).map(str))
    assert found.params_[0] == {"maxlclassifier__auxiliary": "uniform"}


def test_regression():
    found = quick(MAXLRegressor(max_epochs=1), *load_diabetes(return_X_y=True), arms=("maxl", None))
    assert found.scoring_ == "R2"
    assert "R2" in str(found)
    assert "%" not in str(found).split("±")[0]


def test_a_network_as_a_transformer_in_a_pipeline():
    assert quick(make_pipeline(QUICK, LogisticRegression())).scores_.shape == (2, 2, 2)


def test_arms_can_set_anything():
    arms = {"small": {"psi": 2}, "none": {"auxiliary": None}, "raw": {"standardscaler": None}}
    found = quick(make_pipeline(StandardScaler(), QUICK), arms=arms)
    assert found.reference_ == "none"
    assert found.params_[0] == {"maxlclassifier__psi": 2}
    assert list(found.table()["arm"]) == ["none", "small", "raw"]


def test_groups_stay_together():
    groups = np.arange(150) % 10
    assert quick(groups=groups).scores_.shape == (2, 2, 2)
    assert not quick(cv=GroupKFold(2), groups=groups).folds_change_


def test_another_score():
    found = quick(scoring="neg_log_loss")
    assert (found.scores_ < 0).all()
    assert "neg_log_loss" in str(found)


class Warns(MAXLClassifier):
    def fit(self, X, y):
        import warnings

        warnings.warn("strange data", UserWarning, stacklevel=1)
        return super().fit(X, y)


def test_warnings_of_fits_are_told_once_for_each_arm():
    with pytest.warns(UserWarning, match="strange data") as caught:
        quick(Warns(max_epochs=1))
    assert len(caught) == 2
    assert "4 of 4 fits of arm 'uniform'" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_verbose_logs_how_far_it_is(caplog, monkeypatch):
    monkeypatch.setattr(_progress, "FIRST", np.inf)
    with caplog.at_level(logging.INFO, "sklearn_maxl"):
        quick(n_seeds=1, verbose=1)
    (line,) = [r.getMessage() for r in caplog.records]
    assert line == "0 of 2 searches, 0 of 4 fits"


def test_more_verbose_logs_every_search_and_fit(caplog):
    with caplog.at_level(logging.INFO, "sklearn_maxl"):
        quick(MAXLClassifier(MLP((8,))), n_seeds=1, verbose=2)
    lines = "\n".join(r.getMessage() for r in caplog.records[1:])
    names = r"(?=.* max_epochs=\d+, )(?=.* temperature=\d+\.\d+, )"
    search = rf"{names}seed 0, fold 0: \S+, \S+, \d+\.\d s; 1 of 2 searches, 0 of 4 fits"
    fit = r"single task, seed 0, fold 1: score 0\.\d{4}, .* s; 2 of 2 searches, 4 of 4 fits"
    assert re.match(search, lines)
    assert re.search(fit + "$", lines)
    assert len(caplog.records) == 1 + 2 + 4


def test_what_is_logged_is_seen_where_no_logging_is_set_up():
    code = (
        "from sklearn.datasets import load_iris\n"
        "from sklearn_maxl import MAXLClassifier\n"
        "from sklearn_maxl.comparison import compare\n"
        "clf = MAXLClassifier(max_epochs=1, lr=0.1, temperature=1)\n"
        "compare(clf, *load_iris(return_X_y=True), cv=2, "
        "n_seeds=1, arms=('uniform', None), verbose=1)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # A line more for every few seconds, of which a busy machine needs some.
    assert done.stderr.splitlines()[0] == "0 of 4 fits"


# Interruptions


class Interrupted(Step):
    """Ctrl-C in the second epoch of what is trained with a rate of 0.05."""

    epochs = 0

    def __init__(self, module, generator, optimizer, *rest):
        super().__init__(module, generator, optimizer, *rest)
        if optimizer.defaults["lr"] == 0.05:
            type(self).epochs += 1
            if self.epochs == 2:
                raise KeyboardInterrupt


class OfImpatience(MAXLClassifier):
    step_class = Interrupted


@pytest.mark.parametrize("wrapper", [lambda clf: clf, CalibratedClassifierCV])
def test_a_training_that_was_interrupted_is_never_scored(wrapper, monkeypatch):
    monkeypatch.setattr(Interrupted, "epochs", 0)
    scored = []
    clf = wrapper(OfImpatience(max_epochs=5, lr=0.05, temperature=1))
    with pytest.raises(KeyboardInterrupt):
        quick(clf, scoring=lambda *_: scored.append(1))
    assert (Interrupted.epochs, scored) == (2, [])


# Wrong uses


class NoNet(ClassifierMixin, BaseEstimator):
    pass


TWO = make_pipeline(MAXLClassifier(), MAXLClassifier())
WRONG = {
    "no estimator": ({"estimator": 3}, r"estimator must be a MAXLClassifier"),
    "class": ({"estimator": MAXLClassifier}, r"estimator must be a MAXLClassifier"),
    "no net": ({"estimator": NoNet()}, r"estimator must hold one .*NoNet holds none"),
    "no net in a pipeline": (
        {"estimator": make_pipeline(StandardScaler(), LogisticRegression())},
        r"estimator must hold one .*Pipeline holds none",
    ),
    "two nets": ({"estimator": TWO}, r"holds 2: maxlclassifier-1, maxlclassifier-2"),
    "unknown arm": ({"arms": ("gan", None)}, r"arms holds 'gan', which is none of"),
    "human": ({"arms": ("human", None)}, r"arms can't hold \"human\""),
    "a string": ({"arms": "maxl"}, r"arms must be a sequence"),
    "one arm": ({"arms": (None,)}, r"arms must hold at least two"),
    "twice": ({"arms": (None, "maxl", None)}, r"arms must differ"),
    "no dictionary": ({"arms": {"a": "maxl", "b": None}}, r"arms as a dict maps a name"),
    "unknown parameter": (
        {"arms": {"a": {"psy": 3}, "b": {}}}, r"arms: 'a' can't be set: Invalid parameter 'psy'",
    ),
    "no reference": ({"arms": ("maxl", "uniform")}, r"reference=None .*add None to arms"),
    "unknown reference": ({"reference": "x"}, r"reference='x' is not among arms"),
    "one fold": ({"cv": 1}, r"cv must be at least 2 folds, got 1"),
    "one split": ({"cv": [(range(100), range(100, 150))]}, r"cv must give at least 2 folds, got 1"),
    "no cv": ({"cv": None}, r"cv must be a number of folds"),
    "no seeds": ({"n_seeds": 0}, r"n_seeds must be an int of at least 1"),
    "half a seed": ({"n_seeds": 1.5}, r"n_seeds must be an int of at least 1"),
    "small class": (
        {"y": np.r_[Y[:-1], 9], "cv": 5},
        r"y has 1 sample of class 9, fewer than the 5 folds of cv",
    ),
    "no y": ({"y": None}, r"requires y to be passed"),
    "numbers": ({"y": Y + 0.5}, r"y must hold classes .*compare a MAXLRegressor"),
    "lengths": ({"y": Y[1:]}, r"inconsistent numbers of samples"),
    "own random_state": (
        {"arms": {"a": {"random_state": 1}, "b": {}}, "reference": "b"},
        r"arms: 'a' sets random_state, but compare sets it itself",
    ),
    "objects as arms": ({"arms": (Uniform(), None)}, r"arms holds Uniform\(\), .*give a dict"),
    "masks that overlap": (
        {"cv": [(np.arange(150) < 100, np.arange(150) >= 90)] * 2},
        r"tested on 10 of its own training samples",
    ),
    "rows that are not there": (
        {"cv": [(range(100), range(100, 151))] * 2}, r"cv gives rows that are not from 0 to 149",
    ),
    "no pairs": ({"cv": [range(3), range(3)]}, r"cv must give pairs \(train, test\), got range"),
    "an empty fold": ({"cv": [(range(100), [])] * 2}, r"without test samples"),
    "no jobs": ({"n_jobs": 0}, r"n_jobs must be a number of processes, or -1"),
    "half a job": ({"n_jobs": 0.5}, r"n_jobs must be an int or None"),
    "fewer groups than folds": ({"groups": np.arange(150) % 2, "cv": 3}, r"folds?|splits"),
    "unknown score": (
        {"scoring": "balanced_acuracy"},
        r"^scoring='balanced_acuracy' .*Did you mean 'balanced_accuracy'",
    ),
    "a score like no other": ({"scoring": "zzzz"}, r"no score of scikit-learn.*get_scorer_names"),
    "scores": ({"scoring": ["accuracy", "f1"]}, r"compare takes one score, such as .*for several"),
    "scores by name": ({"scoring": {"a": "accuracy"}}, r"compare takes one score"),
    "scores in a set": ({"scoring": {"accuracy"}}, r"compare takes one score"),
    "scoring gives a dict": (
        {"scoring": lambda *_: {"a": 1.0, "b": 2.0}}, r"compare takes one score, .*of 'a', 'b'",
    ),
    "scoring gives an array": ({"scoring": lambda *_: np.ones(3)}, r"gave no number, but array"),
    "scoring gives a text": ({"scoring": lambda *_: "0.9"}, r"gave no number, but '0\.9'"),
    "scoring gives None": ({"scoring": lambda *_: None}, r"gave no number, but None"),
    "scoring gives NaN": (
        {"scoring": lambda *_: np.nan},
        r"scoring gave a value that is not finite: .* is nan \(arm 'uniform', seed 0, fold 0\)",
    ),
    "a score for two classes": (
        {"scoring": "f1"}, r"scoring=f1 failed \(arm 'uniform', .*There are also .*f1_macro",
    ),
    "a score that fails": (
        {"scoring": lambda *_: 1 / 0}, r"failed \(arm 'uniform', seed 0, fold 0\): division",
    ),
    "baselines as a list": ({"baselines": [LINEAR]}, r"baselines must be a dict of names to est"),
    "a baseline called as an arm": ({"baselines": {"uniform": LINEAR}}, r"'uniform' is the name"),
    "a baseline called as the rest": ({"baselines": {"single task": LINEAR}}, r"is the name of an"),
    "a class as baseline": ({"baselines": {"a": PCA}}, r"'a' must be an estimator, got <class"),
    "a baseline that fails": (
        {"baselines": {"a": LogisticRegression(C=-1)}}, r"'C' parameter of LogisticRegression",
    ),
    "a fit that fails": ({"X": X.astype(str).astype(object) + "m"}, r"X holds text"),
}  # fmt: skip


@pytest.mark.parametrize(("settings", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_use_says_what_is_wrong(settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        quick(**settings)


def test_scores_of_any_type_of_number():
    for value in (1, True * 1, np.float32(0.5), np.array(0.5), np.int64(3)):
        assert (quick(n_seeds=1, scoring=lambda *_, v=value: v).scores_ == float(value)).all()


def test_folds_as_masks_count_their_samples():
    mask = np.arange(150) % 3 == 0
    found = quick(cv=[(mask, ~mask), (~mask, mask)], n_seeds=1)
    assert found.n_train_.tolist() == [[50, 100]]
    assert found.n_test_.tolist() == [[100, 50]]


def test_classes_that_are_tested_but_not_trained_are_told():
    with pytest.warns(
        UserWarning, match=r"In 3 of 3 splits there are test samples of a class"
    ) as w:
        quick(cv=KFold(3), n_seeds=1)
    assert w[0].filename == __file__


# Views


def without(monkeypatch, name):
    """Make a package look as if it were not installed."""
    find = builtins.__import__

    def missing(module, *args, **kwargs):
        if module.split(".")[0] == name:
            raise ImportError(module)
        return find(module, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)


def test_text_has_a_line_for_each_arm_and_the_verdict():
    found = made([GAIN, NOISE], arms=("maxl", "uniform", None), seconds=(3, 2, 1))
    text = str(found)
    assert repr(found) == text
    assert re.search(r"^single task +83\.50 ± \d\.\d\d +1\.0$", text, re.MULTILINE)
    assert re.search(r"^maxl .* \+2\.00 ± 0\.\d\d +< 0\.001 +8/0/0 +3\.0$", text, re.MULTILINE)
    assert text.endswith(f"Verdict: {found.verdict}")
    assert max(map(len, text.split("\n\nVerdict")[0].splitlines())) <= 100


EVIL = {"<script>alert('$x$')</script>": {"psi": 2}, "none & nothing": {"auxiliary": None}}


def test_html_is_escaped():
    found = quick(arms=EVIL)
    for html in (found._repr_html_(), found.to_html(title="<b>&")):
        assert "<script" not in html
        assert "&lt;script&gt;" in html
        assert "none &amp; nothing" in html
    assert "<title>&lt;b&gt;&amp;</title>" in html


def test_the_page_needs_nothing_else(tmp_path):
    found = made([GAIN, NOISE], arms=("maxl", "uniform", None), seconds=(3, 2, 1))
    path = tmp_path / "page.html"
    page = found.to_html(path)
    assert path.read_text(encoding="utf-8") == page == found.to_html()
    assert not re.search(r"(?:src|href)=\"(?!data:)|@import|url\(|<script", page)
    assert page.count("data:image/svg+xml;base64,") == 2
    ElementTree.fromstring(re.sub(r"<!DOCTYPE html>|<meta[^>]*>|<img[^>]*>", "", page))


def test_drawing_leaves_matplotlib_as_it_was():
    before = dict(matplotlib.rcParams)
    made(GAIN).to_html()
    assert dict(matplotlib.rcParams) == before


def test_plot_draws_every_split_on_the_axes_that_it_gets():
    ax = Figure().subplots()
    assert made([GAIN, NOISE], arms=("maxl", "uniform", None), seconds=(3, 2, 1)).plot(ax) is ax
    assert [t.get_text() for t in ax.get_yticklabels()] == ["uniform", "maxl"]
    dots = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 8]
    np.testing.assert_allclose(dots, 100 * np.array([NOISE, GAIN]))


def test_plot_makes_a_figure(monkeypatch):
    monkeypatch.setattr(matplotlib, "get_backend", lambda: "agg")
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    ax = made(GAIN).plot()
    assert ax.get_xlabel().startswith("accuracy minus single task")
    plt.close(ax.figure)


def test_without_matplotlib_only_figures_are_missing(monkeypatch):
    without(monkeypatch, "matplotlib")
    found = made(GAIN)
    for draw in (found.plot, found.to_html):
        with pytest.raises(ImportError, match=r"pip install \"sklearn_maxl\[examples\]\""):
            draw()
    assert "maxl helps" in str(found) + found._repr_html_()
