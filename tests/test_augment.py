"""Augmentation: what it does to images, and that every pass of a step sees the same ones."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_maxl import MAXLClassifier
from sklearn_maxl._data.augment import PADDING, crop_flip, resolve_augment
from sklearn_maxl._training.steps import Step
from sklearn_maxl.backbones import ConvNet
from sklearn_maxl.labels import Learned

batches = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(2, 9), st.integers(2, 9))
)


def shifted(image, dy, dx, flip):
    """The same by a loop over pixels."""
    _, height, width = image.shape
    out = np.zeros_like(image)
    for i in range(height):
        for j in range(width):
            a, b = i + dy - PADDING, j + dx - PADDING
            if 0 <= a < height and 0 <= b < width:
                out[:, i, j] = image[:, a, b]
    return out[:, :, ::-1] if flip else out


@given(batches, st.integers(0, 2**31 - 1))
def test_crop_flip_is_a_shift_and_a_mirror_of_each_image(X, seed):
    changed = crop_flip(torch.from_numpy(X), np.random.RandomState(seed)).numpy()
    rng = np.random.RandomState(seed)
    top, left = rng.randint(2 * PADDING + 1, size=(2, len(X)))
    flip = rng.randint(2, size=len(X))
    for got, image, dy, dx, mirrored in zip(changed, X, top, left, flip, strict=True):
        np.testing.assert_array_equal(got, shifted(image, dy, dx, mirrored))


def test_all_shifts_and_both_sides_come_up():
    x = torch.zeros(4000, 1, 17, 17)
    x[:, 0, 8, 6] = 1.0
    changed = crop_flip(x, np.random.RandomState(0))
    places = {tuple(p.tolist()) for p in changed[:, 0].nonzero()[:, 1:]}
    assert {row for row, _ in places} == set(range(4, 13))
    assert {column for _, column in places} == set(range(2, 11)) | set(range(6, 15))
    assert changed.sum() == 4000
    assert changed.dtype == x.dtype


def model(kind=MAXLClassifier, **parameters):
    settings = {"backbone": ConvNet(channels=(4, 4)), "max_epochs": 2, "random_state": 0}
    return kind(**{**settings, "auxiliary": Learned(every=1), **parameters})


def test_the_same_seed_gives_the_same_result_and_the_global_state_stays(images):
    X, y = images
    torch.manual_seed(3)
    before = torch.get_rng_state()

    def jitter(x):
        return x + torch.randn_like(x, dtype=torch.float32)

    for augment in ("crop_flip", jitter):
        a, b = (model(augment=augment).fit(X, y).predict_proba(X) for _ in range(2))
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, model().fit(X, y).predict_proba(X))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("meta_batch", ["same", "holdout"])
def test_every_pass_of_a_step_sees_one_draw(images, meta_batch):
    X, y = images
    seen, trained, labelled = [], [], []

    class Spying(Step):
        def auxiliary_task(self, batch, learn):
            labelled.append(batch.x)
            return super().auxiliary_task(batch, learn)

        def multi_task_gradients(self, train, A):
            trained.append(train.x)
            return super().multi_task_gradients(train, A)

        def label_gradients(self, train, meta, *rest, **options):
            seen.append((train.x, meta.x))
            return super().label_gradients(train, meta, *rest, **options)

    class Classifier(MAXLClassifier):
        step_class = Spying

    clf = model(Classifier, augment="crop_flip", auxiliary=Learned(every=1, meta_batch=meta_batch))
    clf.set_params(max_epochs=1).fit(X, y)
    net = clf.net_.module_
    assert len(seen) > 2
    for (x, meta), first, other in zip(seen, trained, labelled, strict=True):
        assert x is first
        assert x is other
        if meta_batch == "same":
            assert meta is x
        else:  # held-out images are left as they are
            rows = {row.tobytes() for row in net.prepare(torch.from_numpy(X)).numpy()}
            assert all(image.numpy().tobytes() in rows for image in meta)


def test_prediction_is_not_augmented(images):
    X, y = images
    clf = model(augment="crop_flip").fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), clf.predict_proba(X))


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        (lambda x: x[:, :, 1:], r"augment must return a tensor of the shape of the batch, \(29, "),
        (lambda x: x.numpy(), r"but returned ndarray"),
        ("mixup", r"'augment' parameter .*'crop_flip'.*Got 'mixup'"),
    ],
)
def test_wrong_use_is_named(images, augment, message):
    with pytest.raises(ValueError, match=message):
        model(augment=augment).fit(*images)


def test_crops_are_for_images(iris):
    with pytest.raises(ValueError, match=r"augment='crop_flip' is for images .*augment=None"):
        MAXLClassifier(augment="crop_flip", max_epochs=1).fit(*iris)
    assert resolve_augment(None, (4,)) is None
