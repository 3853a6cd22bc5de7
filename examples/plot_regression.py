"""
The progress of a disease, as a number
======================================

``MAXLRegressor`` predicts numbers. Its auxiliary classes belong to bins of the target; the
primary loss does not use the bins. This example predicts the progression of diabetes and asks
whether the auxiliary labels helped.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.metrics import PredictionErrorDisplay
from sklearn.model_selection import cross_val_predict

from sklearn_maxl import MAXLRegressor
from sklearn_maxl.comparison import compare

X, y = load_diabetes(return_X_y=True)

# %%
# Predictions
# -----------
# Each prediction is made by a fit that did not see the patient.

reg = MAXLRegressor(random_state=0)
predicted = cross_val_predict(reg, X, y, cv=5)

fig, ax = plt.subplots(figsize=(4.8, 4.4), layout="constrained")
PredictionErrorDisplay.from_predictions(y, predicted, kind="actual_vs_predicted", ax=ax)

# %%
# The bins
# --------
# Five quantile bins by default, each with ``psi`` auxiliary classes.

reg.fit(X, y)
print("auxiliary classes of each bin:", reg.psi_)

# %%
# Do auxiliary labels help?
# -------------------------
# All arms have the same folds and the same seed; ``None`` is the single task.

found = compare(reg, X, y, cv=5, n_seeds=1, arms=("maxl", "uniform", None))
found

# %%
found.plot()
plt.show()
