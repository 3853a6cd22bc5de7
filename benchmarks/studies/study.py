"""What ends every study: its runs, and its table."""

from collections.abc import Callable, Iterable, Sequence

from benchmarks.common.resume import resume
from benchmarks.common.rows import RESULTS
from benchmarks.studies.pages import OF_ROWS


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
