"""`save` and `load` of a fitted estimator."""
