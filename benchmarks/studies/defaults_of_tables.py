"""Which network, rate and trials are the defaults for the rows of tables?

    SKLEARN_MAXL_DATA=folder python -m benchmarks.studies.defaults_of_tables

The default without an auxiliary task, and one change each, on the tables for tuning alone: as
they are, with categories for numbers, and with noisy classes. All have the same training rows
and are scored on the same others, which no report uses. The table is in docs/choosing.rst.
"""

import argparse

from benchmarks.common.resume import resume
from benchmarks.common.rows import RESULTS
from benchmarks.evidence.choosing import CHANGES_OF_TABLES, defaults_of_tables
from benchmarks.evidence.fits import settings_scores
from benchmarks.evidence.sets import OTHERWISE, TUNED_ON, split

SEEDS = range(110, 120)
SEEDS_OF = {200: 3, 1000: 2}  # by the number of rows
ALL = [*TUNED_ON, *OTHERWISE]
SETS_OF = {
    200: ALL,
    1000: ["fashion-mnist, columns", *(name for name in ALL if not name.startswith("vehicle"))],
}
VALUES = ["accuracy", "log_loss", "calibration_error", "seconds", "version"]


def run(name: str, n: int, change: str, seed: int) -> tuple:
    settings = {"auxiliary": None, **CHANGES_OF_TABLES[n][change]}
    return settings_scores(split(name, n, seed, "validation"), settings, {}, seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    a = parser.parse_args()
    runs = [
        (name, n, change, seed)
        for n, seeds in SEEDS_OF.items()
        for seed in SEEDS[:seeds]
        for name in SETS_OF[n]
        for change in CHANGES_OF_TABLES[n]
    ]
    keys = ["data_set", "n", "change", "seed"]
    path = RESULTS / "defaults_of_tables.csv"
    rows = resume(path, keys, VALUES, runs, run, a.jobs)
    print(*(defaults_of_tables(rows, n).text() for n in SEEDS_OF), sep="\n\n")


if __name__ == "__main__":
    main()
