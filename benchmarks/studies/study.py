"""What ends every study: its runs, and its table."""

from collections.abc import Callable, Iterable, Sequence
from itertools import product

from benchmarks.common.resume import resume
from benchmarks.common.rows import RESULTS
from benchmarks.studies.pages import OF_ROWS

# Images of the report with few labels, and the seeds of their splits.
IMAGES = {
    ("digits-images", 200): range(10),
    ("fashion-mnist", 500): range(5),
    ("cifar100-20", 2500): range(3),
}


def study(
    name: str,
    keys: Sequence[str],
    values: Sequence[str],
    runs: Iterable[tuple],
    run: Callable[..., tuple],
    n_jobs: int = 2,
) -> None:
    """Do the runs that have no row in results/ yet, and print the table of all rows."""
    rows = resume(RESULTS / f"{name}.csv", keys, values, runs, run, n_jobs)
    print(OF_ROWS[name](rows).text())


def study_of_images(name: str, arms: Iterable[str], run: Callable[..., tuple]) -> None:
    """The same for ``run(data_set, n, arm, seed)``, which reads each network in several ways."""
    keys = ["data_set", "n", "arm", "seed"]
    values = ["reading", "accuracy", "log_loss", "calibration_error", "seconds", "version"]
    runs = [
        (*key, arm, seed) for key, seeds in IMAGES.items() for seed, arm in product(seeds, arms)
    ]
    study(name, keys, values, runs, run)
