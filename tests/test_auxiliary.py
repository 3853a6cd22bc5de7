"""The hierarchy, and the labels that no network of their own makes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_maxl._data.arrays import Arrays
from sklearn_maxl._networks.trunk import Frame
from sklearn_maxl._tasks.auxiliary import Hierarchy, resolve_psi
from sklearn_maxl._tasks.views import Views
from sklearn_maxl.labels import (
    NAMED,
    Human,
    LabelInput,
    Labels,
    Learned,
    Random,
    Uniform,
    fitted_copy,
    restored_copy,
)
from sklearn_maxl.labels._fixed import check_auxiliary_labels

LETTERS = np.array(["a", "b", "c"])
INTEGERS = np.array([-1, 0, 7])
BOOLEANS = np.array([False, True])
psis = st.lists(st.integers(1, 6), min_size=1, max_size=6).map(np.array)


@pytest.mark.parametrize(
    ("psi", "classes", "expected"),
    [
        (3, LETTERS, [3, 3, 3]),
        (np.int32(3), LETTERS, [3, 3, 3]),
        ([1, 2, 3], LETTERS, [1, 2, 3]),
        ((1, 2, 3), LETTERS, [1, 2, 3]),
        (np.array([1, 2, 3], dtype=np.uint8), LETTERS, [1, 2, 3]),
        ({"c": 3, "a": 1, "b": 2}, LETTERS, [1, 2, 3]),
        ({np.str_("c"): 3, "a": 1, "b": 2}, LETTERS, [1, 2, 3]),
        ({7: 3, 0: 2, -1: 1}, INTEGERS, [1, 2, 3]),
        ({np.int64(7): 3, 0: 2, -1: 1}, INTEGERS, [1, 2, 3]),
        ({True: 5, False: 4}, BOOLEANS, [4, 5]),
        ({np.True_: 5, np.False_: 4}, BOOLEANS, [4, 5]),
        ({0.5: 1, 1.5: 2}, np.array([0.5, 1.5]), [1, 2]),
        ({"x": 1, "y": 2}, np.array(["x", "y"], dtype=object), [1, 2]),
    ],
)
def test_psi_is_one_integer_per_class_in_their_order(psi, classes, expected):
    resolved = resolve_psi(psi, classes)
    assert resolved.tolist() == expected
    assert resolved.dtype == np.int64


@pytest.mark.parametrize(
    ("psi", "message"),
    [
        (0, "at least 1"),
        (-2, "at least 1"),
        ([2, 0, 2], "at least 1"),
        (2.0, "integer"),
        ([2.0, 3.0, 4.0], "integer"),
        ([2, 3, np.nan], "integer"),
        (True, "integer"),
        ([True, True, True], "integer"),
        (None, "integer"),
        ([2, 3, "4"], "integer"),
        ([2, 3], r"2 entries, but y has 3 classes"),
        ([2, 3, 4, 5], r"4 entries, but y has 3 classes"),
        ([], r"0 entries, but y has 3 classes"),
        ([[2, 3, 4]], "psi"),
        ({"a": 1, "b": 2}, r"missing \['c'\]"),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, r"not in y \['d'\]"),
        ({"a": 1, "b": 2, "c": 2.5}, "integer"),
        ({}, "missing"),
    ],
)
def test_anything_else_is_refused_in_words(psi, message):
    with pytest.raises(ValueError, match=message):
        resolve_psi(psi, LETTERS)


def same(x, v):
    """A view that is no other: only their number counts here."""
    return x


views = st.none() | st.integers(1, 4).map(lambda n: Views(same, n))
hierarchies = st.builds(Hierarchy, psis, views)


def loop(h):
    """(class, view, position) of every column, in order."""
    return [
        (i, v, p)
        for i in range(len(h.psi))
        for v in range(1 if h.views is None else h.views.n)
        for p in range(h.psi[i])
    ]


@given(psis)
def test_blocks_partition_the_auxiliary_classes(psi):
    h = Hierarchy(psi)
    assert h.mask.shape == (len(psi), psi.sum())
    assert h.mask.dtype == np.bool_
    assert (h.mask.sum(0) == 1).all()
    assert (h.mask.sum(1) == psi).all()
    for i, start in enumerate(h.block_starts):
        assert h.mask[i, start : start + psi[i]].all()
        assert (h.owner[start : start + psi[i]] == i).all()


@given(hierarchies)
def test_columns_are_numbered_as_by_a_plain_loop(h):
    columns = loop(h)
    V = 1 if h.views is None else h.views.n
    pairs = [(i, v) for i in range(len(h.psi)) for v in range(V)]
    assert h.n_views == V
    assert h.n_labels == len(columns)
    assert isinstance(h.n_labels, int)
    assert h.block_sizes.tolist() == [sum(c[:2] == pair for c in columns) for pair in pairs]
    assert h.block_starts.tolist() == [columns.index((*pair, 0)) for pair in pairs]
    assert h.mask.tolist() == [[c[:2] == pair for c in columns] for pair in pairs]
    assert h.mask.dtype == np.bool_
    assert h.mask is h.mask  # made once
    assert h.columns.shape == (len(h.psi), V, h.psi.max())
    for (i, v, p), column in np.ndenumerate(h.columns):
        fill = p >= h.psi[i]
        assert column == (len(columns) if fill else columns.index((i, v, p)))


@given(hierarchies)
def test_what_users_see_are_the_columns_of_the_samples_as_they_are(h):
    columns = loop(h)
    own = [k for k, (_, v, _) in enumerate(columns) if v == 0]
    assert h.own_columns.tolist() == own
    assert h.owner.tolist() == [columns[k][0] for k in own]
    assert h.without_views.views is None
    assert h.without_views.psi is h.psi
    assert loop(h.without_views) == [columns[k] for k in own]


@given(hierarchies, st.data())
def test_a_block_is_the_one_of_its_class_and_view(h, data):
    n = data.draw(st.integers(0, 5))
    y = np.array(data.draw(st.lists(st.integers(0, len(h.psi) - 1), min_size=n, max_size=n)), int)
    v = np.array(data.draw(st.lists(st.integers(0, h.n_views - 1), min_size=n, max_size=n)), int)
    pairs = [(i, u) for i in range(len(h.psi)) for u in range(h.n_views)]
    expected = [pairs.index(pair) for pair in zip(y.tolist(), v.tolist(), strict=True)]
    as_they_are = [pairs.index((i, 0)) for i in y.tolist()]
    assert h.block(y, v).tolist() == expected
    assert h.block(y).tolist() == as_they_are
    assert torch.equal(h.block(torch.from_numpy(y), torch.from_numpy(v)), torch.tensor(expected))
    assert h.block(torch.from_numpy(y)).tolist() == as_they_are


@given(hierarchies, st.data())
def test_one_hot_labels_lie_at_a_position_of_the_class(h, data):
    columns = [c for c in loop(h) if c[1] == 0]
    chosen = data.draw(st.lists(st.sampled_from(columns), min_size=1, max_size=6))
    y, _, position = np.array(chosen).T
    Y = h.one_hot(y, position)
    assert Y.dtype == np.float32
    assert Y.tolist() == [[float(c == mine) for c in columns] for mine in chosen]


@given(hierarchies, st.integers(0, 99))
def test_values_and_mass_are_taken_apart_by_class(h, seed):
    rng = np.random.RandomState(seed)
    columns = loop(h)
    own = [c for c in columns if c[1] == 0]
    values = rng.rand(3, len(own))
    parts = h.by_class(values)
    assert len(parts) == len(h.psi)
    for i, part in enumerate(parts):
        mine = [k for k, c in enumerate(own) if c[0] == i]
        np.testing.assert_array_equal(part, values[:, mine])
    np.testing.assert_array_equal(np.concatenate(h.by_class(values[0])), values[0])
    mass = torch.from_numpy(rng.rand(len(columns)))
    sums = h.mass_by_class(mass)
    assert len(sums) == len(h.psi)
    for i, found in enumerate(sums):
        expected = [
            sum(float(m) for m, c in zip(mass, columns, strict=True) if (c[0], c[2]) == (i, p))
            for p in range(h.psi[i])
        ]
        assert found.tolist() == pytest.approx(expected, rel=1e-12)


def arrays(y, finer=None):
    y = np.array(y)
    finer = None if finer is None else np.array(finer)
    return Arrays(np.zeros((len(y), 1)), y, auxiliary_labels=finer)


def task(rows, psi=2, n_classes=None):
    """What a fit tells a source of labels."""
    classes = np.arange(len(psi) if n_classes is None else n_classes)
    frame = Frame(torch.nn.Linear, (1,), (np.zeros(1), np.ones(1)))
    return LabelInput(classes, psi, rows, frame)


RNG = np.random.RandomState(0)


@given(psis, st.integers(0, 2**31 - 1))
def test_random_labels_lie_in_the_block_and_are_reproducible(psi, seed):
    y = np.tile(np.arange(len(psi)), 10)
    source = fitted_copy(Random(), task(arrays(y), psi))
    assert source.psi_.tolist() == psi.tolist()
    positions = source.assign(arrays(y), np.random.RandomState(seed))
    assert (positions >= 0).all()
    assert (positions < psi[y]).all()
    assert (positions == source.assign(arrays(y), np.random.RandomState(seed))).all()


def test_random_labels_use_every_class_evenly():
    rows = arrays([0, 1] * 4000)
    positions = fitted_copy(Random(), task(rows, [1, 4])).assign(rows, np.random.RandomState(0))
    assert (positions[0::2] == 0).all()
    counts = np.bincount(positions[1::2], minlength=4)
    assert (abs(counts - 1000) < 150).all()


@pytest.mark.parametrize("kind", [Learned, Uniform, Labels])
def test_learned_and_uniform_labels_are_not_made_ahead(kind):
    source = fitted_copy(kind(), task(arrays([0]), 2, 3))
    assert source.assign(arrays([0]), RNG) is None
    assert source.psi_.tolist() == [2, 2, 2]


def test_names_are_short_for_objects():
    assert {name: kind.__name__ for name, kind in NAMED.items()} == {
        "maxl": "Learned",
        "uniform": "Uniform",
        "random": "Random",
        "kmeans": "KMeans",
        "human": "Human",
    }


@given(psis, st.integers(0, 99))
def test_uniform_labels_share_the_block_of_the_class(psi, seed):
    y = np.random.RandomState(seed).randint(len(psi), size=7)
    source = fitted_copy(Uniform(), task(arrays(y), psi))
    Y = source.soft_labels(np.zeros((7, 1)), y)
    assert Y.dtype == np.float32
    owner = np.repeat(np.arange(len(psi)), psi)
    np.testing.assert_allclose(Y, (owner == y[:, None]) / psi[y][:, None], rtol=1e-6)


def test_a_fit_leaves_the_object_that_it_was_given_alone():
    human = Human()
    fitted = fitted_copy(human, task(arrays([0, 1], ["ant", "oak"]), 2, 2))
    assert fitted.known_
    assert vars(human) == {"predicts": True}


def test_human_labels_become_positions_in_the_block_of_their_class():
    y = [0, 0, 0, 1, 1, 2]
    finer = ["cat", "ant", "cat", "oak", "ant", "rock"]
    source = fitted_copy(Human(), task(arrays(y, finer), 5, 3))
    assert source.psi_.tolist() == [2, 2, 1]
    assert source.assign(arrays(y, finer), RNG).tolist() == [1, 0, 1, 1, 0, 0]
    later = source.assign(arrays([1, 0], ["oak", "ant"]), RNG)
    assert later.tolist() == [1, 0]


def test_a_class_without_samples_still_has_a_block():
    source = fitted_copy(Human(), task(arrays([0, 2], [5, 6]), 5, 3))
    assert source.psi_.tolist() == [1, 1, 1]


@pytest.mark.parametrize(("y", "finer"), [(0, "rock"), (1, "oak"), (0, "zebra")])
def test_human_labels_unseen_for_their_class_are_refused(y, finer):
    source = fitted_copy(Human(), task(arrays([0, 0, 2], ["ant", "cat", "rock"]), 5, 3))
    with pytest.raises(ValueError, match=rf"\['{finer}'\]"):
        source.assign(arrays([y], [finer]), RNG)


def test_human_labels_are_restored_from_their_state():
    rows = arrays([0, 0, 1], ["cat", "ant", "oak"])
    source = fitted_copy(Human(), task(rows, 5, 2))
    other = restored_copy(Human(), source.state(), task(rows, [2, 1]))
    assert other.psi_.tolist() == [2, 1]
    assert other.assign(rows, RNG).tolist() == source.assign(rows, RNG).tolist() == [1, 0, 0]
    for state in ({}, {"known": 3}, {"known": [np.zeros((2, 2))]}, {**source.state(), "more": 1}):
        with pytest.raises(ValueError, match="are not those of an estimator"):
            restored_copy(Human(), state, task(rows, [2, 1]))


@pytest.mark.parametrize("kind", [Learned, Uniform, Random])
def test_labels_without_a_state_take_none(kind):
    rows = arrays([0, 1])
    source = fitted_copy(kind(), task(rows, [2, 3]))
    assert source.state() == {}
    assert restored_copy(kind(), {}, task(rows, [2, 3])).psi_.tolist() == [2, 3]
    with pytest.raises(ValueError, match="another source than it says"):
        restored_copy(kind(), {"known": []}, task(rows, [2, 3]))


@pytest.mark.parametrize(
    "labels", [[1, 2, 3], ["x", "y", "z"], [1.0, 2.0, 2.0], [True, False, True]]
)
def test_labels_of_any_type_are_taken(labels):
    assert check_auxiliary_labels(labels, 3).tolist() == labels


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, r"fit\(X, y, auxiliary_labels=...\)"),
        ([1, 2], r"shape \(3,\)"),
        ([[1], [2], [3]], r"shape \(3,\)"),
        ([0.5, 1.0, 2.0], "continuous, missing or other values"),
        ([1.0, np.nan, 2.0], "continuous, missing or other values"),
        ([1.0, np.inf, 2.0], "continuous, missing or other values"),
        (np.array(["a", np.nan, "b"], dtype=object), "continuous, missing or other values"),
        (np.array(["a", None, "b"], dtype=object), "continuous, missing or other values"),
    ],
)
def test_labels_that_are_none_are_refused_in_words(labels, message):
    with pytest.raises(ValueError, match=message):
        check_auxiliary_labels(labels, 3)
