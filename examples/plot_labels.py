"""
What the labels mean
====================

The label generator sorts the images of each digit into a few auxiliary classes. This example looks
at these labels: are all auxiliary classes in use, does a label say something about its image, and
what do the images of one auxiliary class have in common?

By default the labels say little. ``information_weight`` makes single labels sharp, and learning in
every step (``every=1``) gives the generator time to do so. Sharp labels can be looked at; they have
not been shown to make predictions better.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import ConvNet
from sklearn_maxl.labels import Learned
from sklearn_maxl.plots import (
    AuxiliaryUseDisplay,
    EmbeddingDisplay,
    LabelEntropyDisplay,
    LabelMosaicDisplay,
)

X, y = load_digits(return_X_y=True)
X, y = X[:400].reshape(-1, 1, 8, 8), y[:400]

# %%
# Two fits
# --------
# They differ in ``information_weight`` alone. Images are not turned (``views=None``), so that the
# labels are about digits and not about turns.

common = {
    "backbone": ConvNet(channels=(16, 32)),
    "psi": 3,
    "views": None,
    "max_epochs": 40,
    "random_state": 0,
}
default = MAXLClassifier(auxiliary=Learned(every=1), **common).fit(X, y)
sharper = Learned(every=1, information_weight=0.5)
sharp = MAXLClassifier(auxiliary=sharper, **common).fit(X, y)

# %%
# Do single labels say something?
# -------------------------------
# The dotted line is log(psi), the entropy of a label that is spread evenly. A single label at
# that line says nothing beyond the digit itself.

fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
for ax, name, clf in zip(
    axes, ("default", "information_weight=0.5"), (default, sharp), strict=True
):
    LabelEntropyDisplay.from_estimator(clf, ax=ax)
    ax.set_title(name, loc="left", fontsize=10)

# %%
# Are all auxiliary classes in use?
# ---------------------------------

AuxiliaryUseDisplay.from_estimator(sharp, X, y)

# %%
# What do they stand for?
# -----------------------
# A row is an auxiliary class, with the images that have the highest probability of it. The numbers
# at the right are the range of these probabilities.

LabelMosaicDisplay.from_estimator(sharp, X, y, classes=[1, 4, 8])

# %%
# Where are they among the features?
# ----------------------------------
# The features of the trunk in two dimensions: the colour is the digit, the marker the auxiliary
# class. If an auxiliary class is a group of its own, its markers lie together.

EmbeddingDisplay.from_estimator(sharp, X, y)
plt.show()
