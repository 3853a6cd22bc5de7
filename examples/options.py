"""
One line for each option
========================

Settings beyond the defaults, on data that comes with scikit-learn: recipes, augmentation,
learned weights, sharp labels, the choice of psi and of the labels, regression and the similarity of
gradients. The scores are of single runs on one split: they show how each option is used,
not which is better.
"""

# sphinx_gallery_capture_repr = ()

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import train_test_split

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.backbones import ConvNet
from sklearn_maxl.callbacks import GradientSimilarity
from sklearn_maxl.labels import Learned
from sklearn_maxl.plots import GradientSimilarityDisplay

X, y = load_digits(return_X_y=True)
X = X.reshape(-1, 1, 8, 8)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=300, stratify=y, random_state=0
)
# 16 epochs are few for a cosine schedule and for views, hence these two settings.
SMALL = {
    "backbone": ConvNet(channels=(16, 32)),
    "max_epochs": 16,
    "schedule": "constant",
    "views": None,
    "random_state": 0,
}


def show(what: str, model: MAXLClassifier, note: str = "") -> MAXLClassifier:
    """Fit, and print the score."""
    model.fit(X_train, y_train)
    print(f"{what:46} accuracy {model.score(X_test, y_test):.3f}  {note}")
    return model


# %%
# Views
# -----
# They are the default for images. They make the auxiliary task harder, so that it takes more epochs
# to learn. Until it is learned, the primary head takes part in a prediction.

for epochs in (16, 100):
    for views in (None, "rotations"):
        model = MAXLClassifier(**{**SMALL, "views": views, "max_epochs": epochs})
        show(f"views={views!r}, {epochs} epochs", model)

# %%
# Recipes
# -------
# A preset sets many parameters at once; those that you pass replace the preset's.

recipe = MAXLClassifier.from_preset("neurips2019", **SMALL)
recipe.set_params(batch_size=10, augment=None)  # a small set, of digits that have a left and right
show("the NeurIPS 2019 recipe, but for the batches", recipe)
show("a cosine schedule", MAXLClassifier(**{**SMALL, "schedule": "cosine"}))

# %%
# Augmentation
# ------------
# A name, or any function of a batch. The label generator and the meta loss see the same
# images as the training pass.

show("augment: shifts and mirrors (bad for digits)", MAXLClassifier(augment="crop_flip", **SMALL))
show(
    "augment: a function of a batch (noise)",
    MAXLClassifier(augment=lambda x: x + torch.randn_like(x), **SMALL),
)

# %%
# Sharp labels, and weights
# -------------------------
# The parameters of the label generator belong to ``Learned``.

sharp = Learned(every=1, information_weight=0.5, lr=0.01)
clf = show("sharp labels", MAXLClassifier(auxiliary=sharp, **SMALL))
print(f"    entropy of a label: {clf.history_[-1]['label_entropy']:.2f} of at most 1.61")
weighted = MAXLClassifier(auxiliary=Learned(every=1, weight_range=3.0), **SMALL)
clf = show("learned weights, 1/8 to 8", weighted)
weights = clf.net_.apply(clf.net_.generator_.weights, X_train)
print(f"    weights from {weights.min():.2f} to {weights.max():.2f}")

# %%
# The choice of psi
# -----------------

clf = show("psi chosen on held-out samples", MAXLClassifier(psi="auto", **SMALL))
losses = {trial["value"]: round(trial["loss"], 3) for trial in clf.history_.trials}
print(f"    psi_ = {clf.psi_[0]}; held-out losses {losses}")

# %%
# The source of the labels
# ------------------------
# Whole trainings with learned labels, with uniform ones and with none, on the same folds.

clf = show("labels chosen on held-out samples", MAXLClassifier(auxiliary="auto", **SMALL))
for trial in clf.history_.trials:
    mark = ", chosen" if trial["chosen"] else ""
    print(f"    {trial['value']!s:8} held-out accuracy {trial['accuracy']:.3f}{mark}")

# %%
# Do the two losses agree?
# ------------------------
# A callback records the cosine of their gradients.

recorded = MAXLClassifier(callbacks=[GradientSimilarity(every=5)], **SMALL)
clf = show("cosine of the gradients", recorded)
GradientSimilarityDisplay.from_estimator(clf)

# %%
# Regression
# ----------

X, y = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
for loss in ("squared_error", "huber"):
    reg = MAXLRegressor(loss=loss, random_state=0).fit(X_train, y_train)
    print(f"{'regression, loss=' + loss:46} R2 {reg.score(X_test, y_test):.3f}")

plt.show()
