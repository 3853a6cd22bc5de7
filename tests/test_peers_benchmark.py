"""The peers' machinery: which runs there are, scores, grids, ranks, tests. The rows are its own."""

from argparse import ArgumentTypeError
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare, rankdata, ttest_rel
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.common import rows as common_rows
from benchmarks.common.readme import README, renewed
from benchmarks.evidence.sets import TUNED_ON
from benchmarks.peers import compared, facts, readme, runs, summary, tables
from benchmarks.peers.__main__ import key
from benchmarks.peers.grid import grid
from benchmarks.peers.scores import area, scores
from benchmarks.peers.subjects import OURS, PEERS, Peer, title

OF_SKLEARN = [name for name, peer in PEERS.items() if peer.package == "scikit-learn"]

# Runs


@given(st.integers(1, 10**5), st.integers(1, 10**5))
def test_a_third_of_the_training_rows_is_left_to_score_on(n_rows, n):
    assert runs.enough(n_rows, n) == (n_rows - n >= n / 3)


def test_small_tables_are_skipped_with_a_sentence(capsys):
    assert runs.large_enough([("wine", 200), ("wine", 133)]) == [("wine", 133)]
    said = capsys.readouterr().out
    assert said == "wine is skipped with 200 training rows: it has 178 in all.\n"


def test_a_peer_that_is_not_installed_is_skipped_with_a_sentence(capsys, monkeypatch):
    monkeypatch.setitem(PEERS, "RealMLP", Peer(lambda seed: 1 / 0, "no_such_package"))
    assert runs.installed(["RealMLP", OURS]) == [OURS]
    assert capsys.readouterr().out == "RealMLP is skipped: no_such_package is not installed.\n"


@pytest.mark.parametrize("text", ["wine", "no-such-table:200", "wine:few", "digits-images:200"])
def test_sets_are_tables_with_a_number_of_rows(text):
    assert key("splice:1000") == ("splice", 1000)
    with pytest.raises(ArgumentTypeError, match="for example wine:200"):
        key(text)


@pytest.mark.parametrize("peer", OF_SKLEARN)
def test_a_run_has_a_value_for_each_column_and_learns(peer):
    row = dict(zip(runs.VALUES, runs.peer_run("breast-cancer", 60, peer, 0), strict=True))
    assert row["training_rows"] == 60
    assert row["accuracy"] > 0.8
    assert row["roc_auc"] > 0.8
    assert 0 < row["seconds"] < 60
    assert row["package"].startswith("scikit-learn ")
    again = dict(zip(runs.VALUES, runs.peer_run("breast-cancer", 60, peer, 0), strict=True))
    assert [row[c] for c in runs.VALUES[1:5]] == [again[c] for c in runs.VALUES[1:5]]


def test_ours_are_the_defaults_but_for_the_labels():
    own = {name: peer.make(3) for name, peer in PEERS.items() if peer.package == "sklearn_maxl"}
    changed = {name: clf.get_params() for name, clf in own.items()}
    default = type(own[OURS])(random_state=3, device="cpu").get_params()
    for name, auxiliary in [(OURS, "maxl"), ("maxl-none", None), ("maxl-uniform", "uniform")]:
        assert changed[name] == {**default, "auxiliary": auxiliary}


# Scores


def test_a_class_that_was_not_seen_has_no_probability():
    X, y = load_iris(return_X_y=True)
    clf = DummyClassifier().fit(X[y != 1], y[y != 1])
    accuracy, loss, auc, gap = scores(clf, X, y)
    assert (accuracy, auc) == (pytest.approx(1 / 3, abs=1e-6), 0.5)
    p = np.tile([0.5, 0, 0.5], (150, 1))
    assert loss == pytest.approx(log_loss(y, p), abs=1e-6)
    assert gap == pytest.approx(0.5 - 1 / 3, abs=1e-6)


def test_the_area_is_scikit_learns_where_it_is_one():
    rng = np.random.RandomState(0)
    for n_classes in (2, 4):
        y, p = np.arange(40) % n_classes, rng.dirichlet(np.ones(n_classes), 40)
        expected = np.mean([roc_auc_score(y == k, p[:, k]) for k in range(n_classes)])
        assert area(y, p) == pytest.approx(expected, abs=1e-6)
        assert np.isnan(area(np.minimum(y, n_classes - 2), p))


def test_the_machine_with_calibrated_probabilities_predicts_as_without():
    X, y = load_iris(return_X_y=True)
    clf = PEERS["SVC"].make(0).fit(X, y)
    alone = make_pipeline(StandardScaler(), SVC(C=10)).fit(X, y)
    np.testing.assert_array_equal(clf.predict(X), alone.predict(X))
    assert clf.predict_proba(X).shape == (150, 3)


# Summary


NAMES = [OURS, "maxl-none", "LogisticRegression", "RandomForest", "MLPClassifier"]
TABLES = ["wine", "vehicle", "digits"]


def made(values, names=NAMES):
    """Rows with these accuracies (peers, tables, seeds) and what follows from them."""
    found = []
    for i, j, s in np.ndindex(values.shape):
        value = float(values[i, j, s])
        numbers = {"accuracy": value, "log_loss": 1 - value, "roc_auc": value, "seed": s, "n": 200,
                   "calibration_error": 0.1, "seconds": i + 1, "wall_seconds": 2,
                   "training_rows": 80 if TABLES[j] == "wine" else 200}  # fmt: skip
        texts = {"peer": names[i], "data_set": TABLES[j]}
        found.append({**{name: str(number) for name, number in numbers.items()}, **texts})
    return found


def drawn(seed=0, seeds=6, step=0.01):
    rng = np.random.RandomState(seed)
    steps = rng.randint(0, 12, size=(len(NAMES), len(TABLES), seeds))
    return (0.8 + step * steps).round(6)


@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 3)), max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_grid_is_what_all_peers_share(lost):
    values = drawn(seeds=4)
    every = made(values)
    there = [
        row for row, place in zip(every, np.ndindex(values.shape), strict=True) if place not in lost
    ]
    found = grid(there, 200)
    seeds = [s for s in range(4) if not any(place[2] == s for place in lost)]
    if len(seeds) > 1 and all((i, j, s) not in lost for i, j in product(range(5), range(3))
                              for s in seeds):  # fmt: skip
        assert found is not None
        assert (found.peers, set(found.tables)) == ([p for p in PEERS if p in NAMES], set(TABLES))
        assert set(seeds) <= set(found.seeds)
    if found is not None:
        for peer, (j, table) in product(found.peers, enumerate(TABLES)):
            if table in found.tables:
                expected = values[NAMES.index(peer), j][found.seeds]
                got = found.of(peer, "accuracy")[found.tables.index(table)]
                np.testing.assert_array_equal(got, expected)


def test_a_grid_needs_ours_another_and_two_seeds():
    every = made(drawn())
    assert grid(every, 1000) is None
    assert grid(every, 200, peers=[OURS]) is None
    assert grid(every, 200, peers=["maxl-none", "RandomForest"]) is None
    assert grid([r for r in every if r["seed"] == "0"], 200) is None
    # A table that one peer lacks is left out, and one peer's lack of it is no matter without it.
    few = [r for r in every if (r["peer"], r["data_set"]) != ("RandomForest", "wine")]
    assert grid(few, 200).tables == ["vehicle", "digits"]
    assert grid(few, 200, peers=NAMES[:3]).tables == TABLES
    assert grid(every, 200, tables=["digits"]).tables == ["digits"]
    assert set(TABLES) - set(grid(every, 200).untuned().tables) == {"vehicle"} <= set(TUNED_ON)


def test_the_errors_of_means_are_over_seeds():
    values = drawn()
    of = grid(made(values), 200)
    np.testing.assert_allclose(
        compared.over_tables(of, "RandomForest", "accuracy"), values[3].mean(0)
    )
    np.testing.assert_allclose(
        compared.minus_ours(of, "RandomForest", "log_loss"), values[0].mean(0) - values[3].mean(0)
    )


@given(st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_ranks_are_of_the_means_and_equal_ones_share_theirs(seed):
    values = drawn(seed, seeds=3, step=0.05)
    of = grid(made(values), 200)
    steps = np.rint((values - 0.8) / 0.05).sum(2)  # whole numbers, so ties are ties
    expected = dict(zip(NAMES, rankdata(-steps, axis=0).mean(1), strict=True))
    for column in compared.BETTER:
        found = compared.ranks(of, column)
        assert found.mean == pytest.approx(expected)
        if np.ptp(steps, axis=0).any():
            assert found.p == pytest.approx(friedmanchisquare(*steps).pvalue)
    assert sum(found.mean.values()) == pytest.approx(15)


def test_verdicts_are_corrected_over_tables_and_say_who_is_better():
    rng = np.random.RandomState(1)
    values = 0.8 + 0.01 * rng.rand(len(NAMES), 3, 8).round(3)
    values[2, 0] -= 0.05  # the logistic regression on wine
    values[2, 1] += 0.004 * rng.rand(8).round(3) + 0.02
    of = grid(made(values), 200)
    p = np.array([ttest_rel(values[0, j], values[2, j]).pvalue for j in range(3)])
    assert p[0] < p[1] < p[2]
    for column in compared.BETTER:
        found = compared.verdicts(of, "LogisticRegression", column)
        assert [v.sign for v in found] == [1, -1, 0]
        np.testing.assert_allclose([v.p for v in found], np.minimum(p * [3, 2, 1], 1), rtol=1e-6)


def test_times_are_taken_split_by_split():
    every = made(drawn())
    for row in every:
        factor = 1 + int(row["seed"])
        row["seconds"] = str(factor * (3.0 if row["peer"] == OURS else 2.0))
    assert compared.times(grid(every, 200), OURS) == 1.5


def test_the_summary_says_all_parts(capsys):
    every = made(drawn())
    summary.show(every, None, None, None)
    said = capsys.readouterr().out
    for name in summary.PARTS:
        assert name in said
    assert "6 seeds, tables: wine, vehicle, digits. Fewer training rows: wine 80." in said
    assert "Mean ranks over the tables that no default was chosen on" in said
    summary.show([r for r in every if (r["peer"], r["data_set"]) != (OURS, "digits")],
                 None, ["maxl", "RandomForest"], None)  # fmt: skip
    assert "Left out, as some peer lacks them: digits." in capsys.readouterr().out
    summary.show(every, [("wine", 1000)], None, None)
    assert capsys.readouterr().out == ""
    summary.show([], None, None, None)
    assert "run" in capsys.readouterr().out


def test_the_outcome_names_tables(capsys):
    values = drawn()
    values[3] = values[0] - 0.1 - 0.001 * np.arange(6)
    body = list(tables.outcomes(grid(made(values), 200)).body)
    (forest,) = [row for row in body if row[:2] == ("accuracy", "RandomForest")]
    assert forest[2].startswith("3 of 3: wine (")
    assert forest[3] == "0 of 3"


def test_pages_have_what_is_measured(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    from benchmarks.common.figures import draw
    from benchmarks.peers import pages

    monkeypatch.setattr(common_rows, "RESULTS", tmp_path)
    assert pages.TABLES["scores_200"]() == "Not measured yet."
    every = made(drawn())
    common_rows.write(tmp_path / "peers.csv", ["a machine"], every[0], (r.values() for r in every))
    said = pages.FACTS()
    assert (said["machine"], said["tables_200"], said["seeds"]) == ("a machine", "3", "6")
    assert said["learned_1000"] == said["place_accuracy_1000"] == "(not measured)"
    for name, table in pages.TABLES.items():
        found = table()
        assert ("list-table" in found.rst()) if name.endswith("_200") else found
    assert pages.FIGURES["ranks_1000"]() == []
    for name in ("ranks_200", "beside_others", "time_and_accuracy"):
        panels = pages.FIGURES[name]()
        assert panels
        for i, panel in enumerate(panels):
            draw(panel, tmp_path / f"{name}_{i}.svg")
            drawing = (tmp_path / f"{name}_{i}.svg").read_text()
            shown = [n for n in NAMES if not (name == "beside_others" and n == "maxl-none")]
            assert all(title(peer) in drawing for peer in shown)
            draw(panel, tmp_path / "dark.svg", "dark")
            assert (tmp_path / "dark.svg").read_text() != drawing


def test_a_text_says_who_is_better_and_which_place_ours_has(tmp_path, monkeypatch):
    monkeypatch.setattr(common_rows, "RESULTS", tmp_path)
    values = drawn()
    values[0], values[2] = 0.5, 0.9  # ours, and the logistic regression
    values[3:] = 0.1
    every = made(values)
    common_rows.write(tmp_path / "peers.csv", ["a machine"], every[0], (r.values() for r in every))
    said = facts.facts()
    assert said["ahead_accuracy_200"] == "LogisticRegression"
    assert said["place_accuracy_200"] == "second of 4"
    assert said["learned_200"].startswith(f"{100 * (0.5 - values[1].mean()):+.2f} ± ")


def test_the_readme_says_what_the_rows_say():
    text = README.read_text()
    assert renewed(text, "peers", readme.block()) == text
