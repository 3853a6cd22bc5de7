"""The hierarchy and the arms that give integer labels."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_maxl.labels._sources import (
    PSI_SOURCES,
    HumanSource,
    PsiSource,
    RandomSource,
    block_starts,
    blocks,
    check_auxiliary_labels,
    owner,
    resolve_psi,
)

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


@given(psis)
def test_blocks_partition_the_auxiliary_classes(psi):
    mask, starts, primary = blocks(psi), block_starts(psi), owner(psi)
    assert mask.shape == (len(psi), psi.sum())
    assert mask.dtype == np.bool_
    assert (mask.sum(0) == 1).all()
    assert (mask.sum(1) == psi).all()
    for i, start in enumerate(starts):
        assert mask[i, start : start + psi[i]].all()
        assert (primary[start : start + psi[i]] == i).all()


def arrays(y, finer=None):
    return SimpleNamespace(y=np.array(y), finer=None if finer is None else np.array(finer))


@given(psis, st.integers(0, 2**31 - 1))
def test_random_labels_lie_in_the_block_and_are_reproducible(psi, seed):
    y = np.tile(np.arange(len(psi)), 10)
    source = RandomSource(psi, np.arange(len(psi)))
    labels = source.assign(arrays(y), np.random.RandomState(seed))
    assert (owner(psi)[labels] == y).all()
    assert (labels == source.assign(arrays(y), np.random.RandomState(seed))).all()


def test_random_labels_use_every_class_evenly():
    source = RandomSource([1, 4], np.arange(2))
    labels = source.assign(arrays([0, 1] * 4000), np.random.RandomState(0))
    counts = np.bincount(labels, minlength=5)
    assert counts[0] == 4000
    assert (abs(counts[1:] - 1000) < 150).all()


def test_learned_and_uniform_labels_are_not_made_ahead():
    assert PSI_SOURCES["maxl"](2, LETTERS).assign(arrays([0]), np.random.RandomState(0)) is None
    assert PSI_SOURCES["uniform"] is PsiSource


def test_human_labels_become_positions_in_the_block_of_their_class():
    y = [0, 0, 0, 1, 1, 2]
    finer = ["cat", "ant", "cat", "oak", "ant", "rock"]
    source = HumanSource(arrays(y, finer), 3)
    assert source.psi.tolist() == [2, 2, 1]
    assert source.assign(arrays(y, finer), np.random.RandomState(0)).tolist() == [1, 0, 1, 3, 2, 4]
    later = source.assign(arrays([1, 0], ["oak", "ant"]), np.random.RandomState(0))
    assert later.tolist() == [3, 0]


def test_a_class_without_samples_still_has_a_block():
    source = HumanSource(arrays([0, 2], [5, 6]), 3)
    assert source.psi.tolist() == [1, 1, 1]


@pytest.mark.parametrize(("y", "finer"), [(0, "rock"), (1, "oak"), (0, "zebra")])
def test_human_labels_unseen_for_their_class_are_refused(y, finer):
    source = HumanSource(arrays([0, 0, 2], ["ant", "cat", "rock"]), 3)
    with pytest.raises(ValueError, match=rf"\['{finer}'\]"):
        source.assign(arrays([y], [finer]), np.random.RandomState(0))


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
        ([0.5, 1.0, 2.0], "continuous or missing"),
        ([1.0, np.nan, 2.0], "continuous or missing"),
        ([1.0, np.inf, 2.0], "continuous or missing"),
        (np.array(["a", np.nan, "b"], dtype=object), "continuous or missing"),
        (np.array(["a", None, "b"], dtype=object), "continuous or missing"),
    ],
)
def test_labels_that_are_none_are_refused_in_words(labels, message):
    with pytest.raises(ValueError, match=message):
        check_auxiliary_labels(labels, 3)
