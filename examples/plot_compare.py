"""
A comparison, its table and its figure
======================================

``compare`` trains every arm, a setting of ``auxiliary``, on the same folds from the same seeds, and
says whether a difference is more than chance. It takes pipelines as well as the classifier.
"""

from textwrap import fill

import matplotlib.pyplot as plt
from sklearn.datasets import load_wine

from sklearn_maxl import MAXLClassifier
from sklearn_maxl.comparison import compare

X, y = load_wine(return_X_y=True)

# %%
# The comparison
# --------------
# Four arms, two seeds of five folds. The single task is the one to beat. Uniform labels teach
# nothing: where "maxl" is not better than "uniform", learning the labels is not the reason for a
# gain.

found = compare(
    MAXLClassifier(max_epochs=20),
    X,
    y,
    cv=5,
    n_seeds=2,
    arms=("maxl", "uniform", "random", None),
    scoring="neg_log_loss",
)
found

# %%
# The figure
# ----------
# Every dot is a fold, the bar the mean difference with its 95 % interval.

found.plot()
plt.show()

# %%
# In a program
# ------------
# The table is a data frame, the verdict a string, and ``scores_`` has the score of every fit.
# ``found.to_html("report.html")`` writes all of it to one page.

print(fill(found.verdict, 90))
print("scores of every arm, seed and fold:", found.scores_.shape)

# %%
# ``p_holm`` is corrected for the number of arms.

found.table()[["arm", "score", "difference", "low", "high", "p_holm"]].round(3)
