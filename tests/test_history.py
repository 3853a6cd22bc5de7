"""What a fit records."""

import copy
import math
import pickle
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_maxl._tasks.auxiliary import Hierarchy
from sklearn_maxl._tasks.views import Views
from sklearn_maxl._training import history_html
from sklearn_maxl._training.history import (
    EpochSums,
    History,
    copy_of_rows,
    format_cell,
    label_columns,
    summary,
)

ROWS = [
    {"epoch": 1, "loss": 0.5, "in_use": np.array([1.0, 0.5])},
    {"epoch": 2, "loss": 0.25, "in_use": np.array([1.0, 1.0])},
]


TRIAL = {
    "setting": "max_epochs",
    "value": 34,
    "accuracy": 0.9,
    "loss": 0.25,
    "temperature": 1.5,
    "chosen": True,
}
NUMBERS = {**TRIAL, "setting": "psi", "value": 5, "accuracy": None, "chosen": False}


def test_rows_are_items_and_columns_are_arrays():
    history = History(ROWS)
    assert history[-1] is ROWS[1]
    assert [row["epoch"] for row in history] == [1, 2]
    assert history[:1] == ROWS[:1]
    assert history["loss"].tolist() == [0.5, 0.25]
    assert history["in_use"].shape == (2, 2)
    assert history.columns() == ["epoch", "loss", "in_use"]
    with pytest.raises(KeyError):
        history["nothing"]
    assert (History().columns(), str(History())) == ([], "")


def test_what_some_rows_lack_is_nan_there():
    history = History([*ROWS, {"epoch": 3, "loss": 0.1, "validation_score": 0.9}])
    np.testing.assert_array_equal(history["validation_score"], [np.nan, np.nan, 0.9])
    np.testing.assert_array_equal(history["in_use"], [[1.0, 0.5], [1.0, 1.0], [np.nan, np.nan]])
    assert history["epoch"].dtype == int
    assert history.columns() == ["epoch", "loss", "in_use", "validation_score"]
    assert str(history).splitlines()[-1].split() == ["3", "0.1000", "-", "0.9000"]
    with pytest.raises(KeyError, match="nothing"):
        history["nothing"]
    with pytest.raises(KeyError):
        History()["loss"]


def test_a_cheap_copy_shares_all_rows_but_the_last():
    history = History(ROWS)
    history.trials = [TRIAL]
    copied = copy_of_rows(history)
    assert type(copied) is History
    assert copied[0] is history[0]
    assert copied[1] is not history[1]
    np.testing.assert_equal(list(copied), ROWS)
    copied[1]["loss"] = 7
    copied.append({"epoch": 3})
    assert (len(history), history[1]["loss"], copied.trials) == (2, 0.25, [TRIAL])
    assert copy_of_rows(History()) == []


def test_epochs_are_counted_without_their_rows():
    assert History().n_epochs == 0
    assert History(ROWS).n_epochs == 2
    assert History([{"epoch": 1200}]).n_epochs == 1200


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda h: pickle.loads(pickle.dumps(h))]
)
def test_a_copy_is_a_history(copied):
    history = copied(History(ROWS))
    assert type(history) is History
    assert history["loss"].tolist() == [0.5, 0.25]
    assert history["in_use"].tolist() == [[1.0, 0.5], [1.0, 1.0]]


def test_a_history_becomes_a_data_frame():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(History(ROWS))
    assert frame["loss"].tolist() == [0.5, 0.25]


def test_the_table_is_aligned():
    rows = [{"epoch": 1, "primary_loss": 0.5}, {"epoch": 10, "primary_loss": 12345.678}]
    assert str(History(rows)).splitlines() == [
        "epoch  primary_loss",
        "    1        0.5000",
        "   10    12345.6780",
    ]
    short = str(History([{"epoch": 1, "loss": 123456.0}, {"epoch": 2, "loss": 1.0}])).splitlines()
    assert len({len(line) for line in short}) == 1


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, "-"),
        (3, "3"),
        (np.int64(3), "3"),
        (0.12345, "0.1235"),
        (np.float32(0.5), "0.5000"),
        (np.array([1.0, 0.5]), "0.7500"),
        (math.nan, "nan"),
        (math.inf, "inf"),
    ],
)
def test_cells_are_short(value, cell):
    assert format_cell(value) == cell


def test_an_epochs_means_weigh_batches_by_their_samples():
    sums = EpochSums()
    sums.add({"loss": torch.tensor(1.0), "mass": torch.tensor([1.0, 2.0])}, 3)
    sums.add({"loss": torch.tensor(5.0), "mass": torch.tensor([2.0, 2.0])}, 1)
    sums.add({"now_and_then": torch.tensor(7.0)}, 2)
    assert sums.means() == {"loss": 2.0, "now_and_then": 7.0}
    assert sums.sums["mass"].tolist() == [3.0, 4.0]
    assert EpochSums().means() == {}


def columns(mass, psi, entropy=0.0, views=None):
    sums = EpochSums()
    sums.add({"label_mass": torch.tensor(mass), "label_entropy": torch.tensor(entropy)}, 1)
    return label_columns(sums, Hierarchy(np.array(psi), views))


def test_auxiliary_classes_with_a_tenth_of_their_share_are_in_use():
    # Class 0: even. Class 1: 4 % is below a tenth of a half. Class 2: 5 % is not.
    got = columns([5.0, 5.0, 9.6, 0.4, 9.0, 0.6], [2, 2, 2])
    assert got["auxiliary_in_use"].tolist() == [1.0, 0.5, 1.0]


def test_the_entropy_of_the_mean_label_is_averaged_over_samples():
    assert columns([5.0, 5.0], [2])["mean_label_entropy"] == pytest.approx(math.log(2))
    assert columns([10.0, 0.0], [2])["mean_label_entropy"] == 0
    both = columns([15.0, 15.0, 10.0, 0.0], [2, 2], entropy=0.25)
    assert both["mean_label_entropy"] == pytest.approx(0.75 * math.log(2))
    assert both["label_entropy"] == 0.25


def test_a_class_without_samples_uses_nothing():
    got = columns([2.0, 2.0, 0.0, 0.0, 0.0], [2, 3])
    assert got["auxiliary_in_use"].tolist() == [1.0, 0.0]
    assert got["mean_label_entropy"] == pytest.approx(math.log(2))


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(1, 4), st.integers(0, 10**6)
)
def test_the_views_of_a_class_are_taken_together(psi, n_views, seed):
    rng = np.random.RandomState(seed)
    mass = [rng.rand(n_views, n) for n in psi]
    flat = np.concatenate([m.ravel() for m in mass]).tolist()
    got = columns(flat, psi, views=Views(lambda x, v: x, n_views))
    together = columns(np.concatenate([m.sum(0) for m in mass]).tolist(), psi)
    np.testing.assert_array_equal(got["auxiliary_in_use"], together["auxiliary_in_use"])
    assert got["mean_label_entropy"] == pytest.approx(together["mean_label_entropy"], abs=1e-5)


def filled(*names):
    sums = EpochSums()
    sums.add({name: torch.tensor(float(i + 1)) for i, name in enumerate(names)}, 2)
    sums.add({"label_mass": torch.tensor([1.0, 1.0])}, 2)
    return sums


LABELS = ["auxiliary_in_use", "mean_label_entropy", "label_entropy"]


def test_the_row_of_an_epoch_has_what_the_labels_need():
    sums = filled("primary_loss", "auxiliary_loss", "label_entropy", "meta_loss")
    sums.add(
        {"meta_gradient_norm": torch.tensor(3.0), "regulariser_gradient_norm": torch.tensor(2.0)}, 2
    )
    two = Hierarchy(np.array([1, 1]))
    row = summary(7, sums.means(), sums, two, learned=True, validation_score=0.5)
    losses = ["primary_loss", "auxiliary_loss", "meta_loss"]
    assert list(row) == ["epoch", *losses, "validation_score", *LABELS, "gradient_norm_ratio"]
    assert (row["epoch"], row["validation_score"], row["gradient_norm_ratio"]) == (7, 0.5, 1.5)
    assert [row[name] for name in losses] == [1.0, 2.0, 4.0]
    row = summary(1, sums.means(), sums, two, learned=False, validation_score=None)
    assert list(row) == ["epoch", *losses[:2], *LABELS]
    row = summary(1, sums.means(), sums, None, learned=False, validation_score=None)
    assert list(row) == ["epoch", "primary_loss"]


def test_an_epoch_without_a_turn_of_the_generator_has_no_numbers_of_it():
    sums = filled("primary_loss", "auxiliary_loss", "label_entropy")
    row = summary(
        1, sums.means(), sums, Hierarchy(np.array([1, 1])), learned=True, validation_score=None
    )
    assert math.isnan(row["meta_loss"])
    assert math.isnan(row["gradient_norm_ratio"])
    sums.add({"meta_gradient_norm": torch.tensor(3.0)}, 2)
    sums.add({"regulariser_gradient_norm": torch.tensor(0.0)}, 2)
    row = summary(
        1, sums.means(), sums, Hierarchy(np.array([1, 1])), learned=True, validation_score=None
    )
    assert row["gradient_norm_ratio"] == math.inf


def test_a_history_is_made_again_from_its_state():
    history = History(ROWS)
    of_temperature = {**TRIAL, "setting": "temperature", "value": 1.5}
    of_source = {**TRIAL, "setting": "auxiliary", "value": None}
    history.trials = [TRIAL, NUMBERS, of_temperature, of_source]
    again = History.from_state(history.state())
    assert type(again) is History
    assert again == ROWS
    assert again.trials == history.trials
    assert str(again) == str(history)


def test_trials_are_told_below_the_table():
    history = History(ROWS)
    assert history.trials == []
    history.trials = [TRIAL, NUMBERS]
    assert str(history).splitlines()[3:] == [
        "trial of max_epochs=34: accuracy 0.9000, loss 0.2500, chosen",
        "trial of psi=5: loss 0.2500",
    ]


def test_what_the_fit_was_is_told_last():
    history = History(ROWS)
    history.trials, history.about = [NUMBERS], {"network": "MLP()", "epochs": "2"}
    assert str(history).splitlines()[-2:] == ["network: MLP()", "epochs: 2"]
    for copied in (copy.copy(history), pickle.loads(pickle.dumps(history)), copy_of_rows(history)):
        assert copied.about == history.about


def curves(html):
    """Points of each curve, by its colour; those of the axes have another one."""
    lines = re.findall(r'points="([^"]*)" fill="none" stroke="(#\w+)"', html)
    return {
        colour: [tuple(map(float, point.split(","))) for point in points.split()]
        for points, colour in lines
    }


def losses(*values, name="primary_loss"):
    return History([{"epoch": i + 1, name: value} for i, value in enumerate(values)])


def test_a_notebook_shows_curves_what_was_chosen_and_trials():
    history = History([{**row, "primary_loss": row["loss"]} for row in ROWS])
    history.trials, history.about = [TRIAL, NUMBERS], {"network": "<MLP>"}
    html = history._repr_html_()
    ElementTree.fromstring(html)  # all that is opened is closed, all text escaped
    assert len(curves(html)) == 1
    assert "&lt;MLP&gt;" in html
    assert html.count("max_epochs") == 1
    assert "0.2500" in html
    assert "all epochs" in html


def test_a_curve_goes_from_the_highest_value_to_the_lowest():
    ((points,),) = [curves(losses(4.0, 3.0, 2.0)._repr_html_()).values()]
    (left, top), middle, (right, bottom) = points
    assert middle == (pytest.approx((left + right) / 2), pytest.approx((top + bottom) / 2))
    assert 0 < left < right < history_html.WIDTH
    assert 0 < top < bottom < history_html.HEIGHT


def test_epochs_without_a_value_are_left_out_and_one_alone_is_a_dot():
    with_gap = losses(4.0, math.nan, math.inf, 2.0)
    ((points,),) = [curves(with_gap._repr_html_()).values()]
    assert len(points) == 2
    for html in (losses(1.0)._repr_html_(), losses(math.nan, 1.0)._repr_html_()):
        assert "<circle" in html
        assert curves(html) == {}
    assert "<svg" not in losses(math.nan)._repr_html_()


def test_a_validation_score_has_a_panel_of_its_own():
    rows = [{"epoch": 1, "primary_loss": 9.0, "validation_score": 0.5}]
    assert History(rows)._repr_html_().count("<svg") == 2


@pytest.mark.parametrize("values", [(1.0, 1.0), (1e308, -1e308), (5e-324, 0.0)])
def test_values_that_are_the_same_or_far_apart_have_a_place(values):
    ((points,),) = [curves(losses(*values)._repr_html_()).values()]
    assert np.isfinite(points).all()
    assert all(0 <= y <= history_html.HEIGHT for _, y in points)


def test_long_histories_stay_short_pages():
    html = losses(*np.linspace(9, 1, 1000))._repr_html_()
    assert "the last 20 epochs" in html
    assert html.count("<tr") == 21
    assert len(html) < 40_000
    assert History()._repr_html_() == "no epochs yet"


def test_trials_become_a_data_frame():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([TRIAL, NUMBERS])
    assert frame.columns.to_list() == list(TRIAL)
    assert frame["chosen"].to_list() == [True, False]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": []}, "has no rows"),
        ({"rows": None}, "has no rows"),
        ({"rows": 3}, "has no rows"),
        ({"guard": {}}, "not made of rows and trials"),
        ({"rows": [3]}, "no number"),
        ({"rows": [{"epoch": "1"}]}, "no number"),
        ({"rows": [{"epoch": np.array(["a"])}]}, "no number"),
        ({"rows": [{"loss": 1.0}]}, "without the number of its epoch"),
        ({"rows": [{"epoch": 0}]}, "without the number of its epoch"),
        ({"rows": [{"epoch": 1.5}]}, "without the number of its epoch"),
        ({"trials": None}, "a trial that is not made of"),
        ({"trials": {}}, "a trial that is not made of setting, value, accuracy, loss"),
        ({"trials": [3]}, "a trial that is not made of"),
        ({"trials": [{}]}, "a trial that is not made of"),
        ({"trials": [{**TRIAL, "guard": 1}]}, "a trial that is not made of"),
        *(
            ({"trials": [{**TRIAL, name: wrong}]}, "a trial that is not made of")
            for name, wrong in {
                "setting": 3,
                "value": [1],
                "accuracy": "0.9",
                "loss": None,
                "temperature": "warm",
                "chosen": 1,
            }.items()
        ),
    ],
)
def test_a_state_that_is_no_history_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        History.from_state({**History(ROWS).state(), **change})


def test_an_arm_without_labels_has_no_columns():
    assert label_columns(EpochSums(), Hierarchy(np.array([2, 2]))) == {}
