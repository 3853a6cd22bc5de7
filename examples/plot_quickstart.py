"""
Quickstart
==========

Load data, fit, score, predict probabilities. The data are 200 digits to learn from, rows of 64
grey values; the other 1,597 are there to score on. Run it with ``python
examples/plot_quickstart.py``: it takes a few seconds, and writes ``quickstart.png``.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_maxl import MAXLClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=200, random_state=0)
clf = MAXLClassifier(random_state=1).fit(X_train, y_train)

print(f"accuracy: {clf.score(X_test, y_test):.3f}")
probabilities = clf.predict_proba(X_test)

# %%
# The eight test digits that the classifier is least sure of, with the class that it predicts and
# the probability that it gives this class.

fig, axes = plt.subplots(2, 4, figsize=(7, 4), layout="constrained")
for ax, i in zip(axes.flat, probabilities.max(axis=1).argsort(), strict=False):
    ax.imshow(X_test[i].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"{clf.classes_[probabilities[i].argmax()]}: {probabilities[i].max():.0%}")
    ax.axis("off")
fig.savefig("quickstart.png")

# %%
# Every other setting has a default, too. :doc:`plot_own_network` changes the network,
# :doc:`plot_images` learns from images as images, and :doc:`plot_five_settings` asks whether
# auxiliary labels help.
