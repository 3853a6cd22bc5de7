"""Studies of one question each: ``python -m benchmarks.studies.few_labels``, and so on.

Seeds are paired: a seed decides the split, or the samples, and the training alike. Nothing is
selected on test samples. Each study writes results/<its name>.csv, one row a run; rows that are
there are not run again. The pages of the docs that quote a study have its table.
"""
