"""Which network classifies the rows of tables by default?

    SKLEARN_MAXL_DATA=folder python -m benchmarks.studies.networks_of_tables

Several networks without an auxiliary task, with the default rate, epochs and temperature, on the
tables for tuning alone: as they are, with categories for numbers, and with noisy classes. All
have the same training rows and are scored on the same others, which no report uses. The table is
in docs/choosing.rst.
"""

import argparse

from benchmarks.common.resume import resume
from benchmarks.common.rows import RESULTS
from benchmarks.evidence.choosing import NETWORKS, networks_of_tables
from benchmarks.evidence.fits import settings_scores
from benchmarks.evidence.sets import OTHERWISE, TUNED_ON, split

N = 200
SEEDS = range(110, 120)
VALUES = ["accuracy", "log_loss", "seconds", "version"]


def run(name: str, network: str, seed: int) -> tuple:
    data = split(name, N, seed, "validation")
    settings = {"backbone": NETWORKS[network], "auxiliary": None}
    accuracy, loss, _, seconds, version = settings_scores(data, settings, {}, seed)
    return accuracy, loss, seconds, version


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--jobs", type=int, default=2)
    a = parser.parse_args()
    sets = [*TUNED_ON, *OTHERWISE]
    runs = [(name, net, seed) for seed in SEEDS[: a.seeds] for name in sets for net in NETWORKS]
    keys = ["data_set", "network", "seed"]
    path = RESULTS / "networks_of_tables.csv"
    print(networks_of_tables(resume(path, keys, VALUES, runs, run, a.jobs)).text())


if __name__ == "__main__":
    main()
