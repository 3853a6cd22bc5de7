"""
Images and augmentation
=======================

Images go in as an array of shape (n, channels, height, width), of any numeric type, and
``augment`` changes every training batch at random. A change must not alter the meaning of an
image. This example compares a change that does not with one that does.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import ConvNet

X, y = load_digits(return_X_y=True)
X = X.reshape(-1, 1, 8, 8)

# %%
# An augmentation of your own
# ---------------------------
# Any function of a batch will do. It gets a tensor on the device of the fit, in the units of
# ``X``, and may draw from torch's random state: each fit seeds that by its ``random_state`` and
# puts it back.


def nudge(batch: torch.Tensor) -> torch.Tensor:
    """Shift every image by up to one pixel in each direction."""
    n, _, height, width = batch.shape
    padded = torch.nn.functional.pad(batch, (1, 1, 1, 1))
    top, left = torch.randint(3, (2, n, 1, 1), device=batch.device)
    rows = top + torch.arange(height, device=batch.device)[:, None]
    columns = left + torch.arange(width, device=batch.device)
    samples = torch.arange(n, device=batch.device)[:, None, None]
    return padded[samples, :, rows, columns].permute(0, 3, 1, 2)


# %%
# Ten images as they are, and shifted.

torch.manual_seed(0)
fig, axes = plt.subplots(2, 10, figsize=(8, 1.9), layout="constrained")
for row, (name, images) in enumerate(
    {"as it is": X[:10], "shifted": nudge(torch.from_numpy(X[:10])).numpy()}.items()
):
    for ax, image in zip(axes[row], images, strict=True):
        ax.imshow(image[0], cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
    axes[row, 0].set_ylabel(name)

# %%
# Does it help?
# -------------
# "crop_flip", the paper's, shifts by up to 4 pixels and mirrors half of the images. It is meant
# for photographs of 32 x 32 pixels. Digits have 8 x 8, and a left and a right.
#
# ``views=None`` keeps the example short. The default for images, ``views="auto"``, turns them
# in the auxiliary task; it needs more epochs than there are here.

CHANGES = {"none": None, "shifts by one pixel": nudge, "crop_flip": "crop_flip"}
SEEDS = range(3)


def accuracy(augment: object, seed: int) -> float:
    """Test accuracy in % after a fit on 200 images."""
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, train_size=200, stratify=y, random_state=seed
    )
    clf = MAXLClassifier(
        ConvNet(channels=(16, 32, 64)),
        augment=augment,
        views=None,
        batch_size=50,
        max_epochs=40,
        random_state=seed,
    )
    return 100 * clf.fit(X_train, y_train).score(X_test, y_test)


scores = {
    name: np.array([accuracy(augment, seed) for seed in SEEDS]) for name, augment in CHANGES.items()
}
for name, values in scores.items():
    difference = values - scores["none"]
    print(f"{name:20} {values.mean():5.1f} %   minus none, by seed:", difference.round(1))

# %%
# Every dot is a seed, with the same split and the same first weights in all rows.

fig, ax = plt.subplots(figsize=(7, 2.2), layout="constrained")
for row, (_, values) in enumerate(reversed(scores.items())):
    ax.plot(values, np.full(len(values), row), "o", color="#0072B2", alpha=0.5)
    ax.plot(values.mean(), row, "|", color="#222222", ms=18, mew=2)
ax.set_yticks(range(len(scores)), list(scores)[::-1])
ax.set_xlabel("test accuracy in %")
ax.set_ylim(-0.5, len(scores) - 0.5)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
