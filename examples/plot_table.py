"""
A table with categories and missing values
==========================================

The classifier takes numbers without gaps. Text, dates and missing values are the work of
a pipeline, whose transformers see the training folds only.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.preprocessing import tabular_pipeline

# %%
# The table
# ---------
# The breast cancer data has numbers only. Three of its columns are turned into categories here,
# and one value in twenty is taken away, so that the table looks like one from practice.

X, y = load_breast_cancer(as_frame=True, return_X_y=True)
X = X[["mean radius", "mean texture", "mean area", "mean symmetry", "mean concavity"]]
for name in ("mean radius", "mean texture", "mean symmetry"):
    X[name] = pd.qcut(X[name], 4, labels=["low", "medium", "high", "very high"])
X = X.mask(np.random.RandomState(0).rand(*X.shape) < 0.05)
X.head()

# %%
# The pipeline
# ------------
# Categories become one column each, and a missing one is a category of its own. Missing
# numbers are filled in, with a column that says so. A scaler is not needed: the network
# standardises what it gets.

clf = tabular_pipeline(MAXLClassifier(max_epochs=30, random_state=0))
clf.fit(X, y)

# %%
# The "?" beside the classifier leads to its page, a triangle opens the parameters. What the
# columns became:

clf[0].get_feature_names_out()

# %%
# How good is it?
# ---------------
# On tables with two noisy classes auxiliary labels gain nothing as a rule. So compare with the
# single task and a linear model. All three see the same folds.

models = {
    "MAXLClassifier()": clf,
    "auxiliary=None": tabular_pipeline(
        MAXLClassifier(auxiliary=None, max_epochs=30, random_state=0)
    ),
    "LogisticRegression()": tabular_pipeline(make_pipeline(StandardScaler(), LogisticRegression())),
}
folds = StratifiedKFold(5, shuffle=True, random_state=0)
scores = pd.DataFrame(
    {
        name: cross_val_score(model, X, y, cv=folds, scoring="roc_auc")
        for name, model in models.items()
    }
)

# %%
# Area under the ROC curve over the folds, and how often each was the best of a fold.

pd.DataFrame(
    {
        "mean": scores.mean(),
        "standard deviation": scores.std(),
        "best in folds": scores.eq(scores.max(axis=1), axis=0).sum(),
    }
).round(3)

# %%
# Every dot is a fold, the line their mean.

fig, ax = plt.subplots(figsize=(7, 2.2), layout="constrained")
for row, name in enumerate(reversed(list(models))):
    ax.plot(scores[name], np.full(len(scores), row), "o", color="#0072B2", alpha=0.5)
    ax.plot(scores[name].mean(), row, "|", color="#222222", ms=18, mew=2)
ax.set_yticks(range(len(models)), list(models)[::-1])
ax.set_ylim(-0.5, len(models) - 0.5)
ax.set_xlabel("area under the ROC curve on the held-out fold")
ax.spines[["top", "right"]].set_visible(False)
plt.show()
