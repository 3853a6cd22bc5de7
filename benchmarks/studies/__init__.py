"""Studies of one question each: ``python -m benchmarks.studies.few_labels``, and so on.

Seeds are paired: a seed decides the split, or the samples, and the training alike. Nothing is
selected on test samples. Each study writes results/<its name>.csv, one row a run; rows that are
there are not run again. docs/results.rst has the tables, and what is to be known to read them.
"""
