"""
Grid search over images
=======================

Images of shape (n, channels, height, width) go straight into scikit-learn's
searches. This one asks two questions at once: do auxiliary labels help, and how wide
should the network be? ``backbone__channels`` is a parameter of the backbone.
"""

import matplotlib.pyplot as plt
import numpy as np
from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.backbones import ConvNet

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X.reshape(-1, 1, 8, 8), y, train_size=300, stratify=y, random_state=0
)

# %%
# The search
# ----------
# ``None`` is the single task: the search may find that it is best. For the parameters of the label
# generator, the grid would hold ``auxiliary__every`` and the classifier ``auxiliary=Learned()``.
# ``views=None``, because these epochs are too few for the harder task that views make.
# Two processes share the fits, each on one thread.

search = GridSearchCV(
    MAXLClassifier(ConvNet(), batch_size=50, max_epochs=15, views=None, random_state=0),
    {
        "auxiliary": [None, "uniform", "maxl"],
        "backbone__channels": [(16, 32), (16, 32, 64)],
    },
    cv=3,
)
with parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
    search.fit(X_train, y_train)

# %%
# What it found
# -------------
# The standard deviation over the folds says how far to trust the order.

results = search.cv_results_
names = [
    f"{params['auxiliary']}, {params['backbone__channels']}".replace("None", "single task")
    for params in results["params"]
]
order = results["rank_test_score"].argsort(kind="stable")
for i in order:
    mean, spread = results["mean_test_score"][i], results["std_test_score"][i]
    print(f"{names[i]:27} accuracy {mean:.3f} (folds: +-{spread:.3f})")
print(f"\nbest on {len(y_test)} images that the search did not see: ", end="")
print(f"{search.score(X_test, y_test):.3f}")

# %%
# Every dot is a fold, the line their mean.

folds = np.array([results[f"split{k}_test_score"] for k in range(search.n_splits_)])
fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
for row, i in enumerate(reversed(order)):
    ax.plot(folds[:, i], np.full(len(folds), row), "o", color="#0072B2", alpha=0.5)
    ax.plot(folds[:, i].mean(), row, "|", color="#222222", ms=18, mew=2)
ax.set_yticks(range(len(order)), [names[i] for i in reversed(order)])
ax.set_xlabel("accuracy on the held-out fold")
ax.spines[["top", "right"]].set_visible(False)
plt.show()
