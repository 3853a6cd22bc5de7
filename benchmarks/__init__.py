"""Measurements of the package, in folders by question; none of it is installed.

Every question is run from the root of the repository, as a module:

    python -m benchmarks.evidence report      does it help, by how much, and when not
    python -m benchmarks.speed arms           time, operations and memory
    python -m benchmarks.compliance           scikit-learn's checks and tools
    python -m benchmarks.reliability.kills    fits that are killed
    python -m benchmarks.studies.few_labels   one question each: the files in studies/

Rows go to results/, one CSV file a question, and are kept in git. What the documentation
shows of them is in the folders' ``pages``: tables, figures and numbers, made when the
documentation is built.
"""
