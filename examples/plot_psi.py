"""
Choosing psi
============

``psi`` is the number of auxiliary classes that each class gets. This example shows the two
ways to choose it: ``psi="auto"``, which tries four numbers in short runs on held-out samples,
and a paired comparison by cross-validation.
"""

from textwrap import fill

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.comparison import compare

X, y = load_digits(return_X_y=True)  # as a table: 64 numbers
X, y = X[:300], y[:300]

# %%
# By the classifier itself
# ------------------------
# The trials take half of ``max_epochs`` together and hold out a fifth of the samples. Of the
# numbers that predict about as many of those right as the best, the one with the least primary
# loss is taken. ``psi_`` has the choice for each class, and ``history_.trials`` what was tried.
# With numbers for epochs and temperature there are no other trials. Each of three seeds holds out
# other samples. Where the curves cross, the choice depends on these samples.

GIVEN = {"lr": 0.01, "temperature": 1}
found = []
for seed in range(3):
    clf = MAXLClassifier(psi="auto", max_epochs=40, random_state=seed, **GIVEN).fit(X, y)
    found.append(sorted((trial["value"], trial["loss"]) for trial in clf.history_.trials))
    print(f"seed {seed}: psi = {clf.psi_[0]}")

fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
for seed, losses in enumerate(found):
    numbers, values = zip(*losses, strict=True)
    ax.plot(range(len(numbers)), values, "o-", alpha=0.7, label=f"seed {seed}")
ax.set_xticks(range(len(numbers)), numbers)
ax.set_xlabel("psi")
ax.set_ylabel("primary loss on held-out samples")
ax.legend(frameon=False, ncols=2)
ax.spines[["top", "right"]].set_visible(False)

# %%
# By cross-validation
# -------------------
# ``compare`` takes any parameters as arms; ``reference`` names the one that the others are compared
# with.

comparison = compare(
    MAXLClassifier(max_epochs=20, **GIVEN),
    X,
    y,
    arms={f"psi={psi}": {"psi": psi} for psi in (2, 3, 5, 10)},
    reference="psi=5",
    cv=5,
    n_seeds=1,
)
print(fill(comparison.verdict, 90))

# %%
# Every dot is a fold, the bar the mean and its 95 % interval. If an interval contains zero, it is
# open which of the two is better.

comparison.plot()
plt.show()
