"""scikit-learn's checks and tools on our estimators and on others: what passes, what fails.

    python -m benchmarks.compliance [estimator ...]

All of them, or those named. Writes results/compliance.csv, where an estimator replaces its own
rows only; docs/compliance.rst shows them. Takes about a quarter of an hour on one core. RealMLP
needs ``pip install pytabkit``.
"""

import os

# Read once, when scipy is imported: without it the array-API check is skipped.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import argparse

from benchmarks.common.rows import RESULTS
from benchmarks.compliance.runs import run
from benchmarks.compliance.subjects import SUBJECTS

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(SUBJECTS)}; all if none")
    run(parser.parse_args().names or list(SUBJECTS), RESULTS / "compliance.csv")
