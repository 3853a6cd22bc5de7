"""Time, operations and memory of everything that trains or predicts.

    python -m benchmarks.speed [section ...] [--device cpu|cuda] [--repetitions N] [--smoke]

Sections:

- ``arms``: the settings of `auxiliary`, and how often and how the labels are learned,
  for an epoch and for a whole fit;
- ``reference``: one epoch beside the paper's authors' two scripts (`reference_steps`);
- ``single``: a fit with ``auxiliary=None`` beside a bare torch loop, skorch and
  scikit-learn's `MLPClassifier`, construction and checks of the input included;
- ``defaults``: a fit of a small table with all defaults, and without some of its parts, beside
  scikit-learn's `MLPClassifier`;
- ``scaling``: samples, features, classes, size of a batch, width;
- ``predict``: `predict_proba` beside the bare network;
- ``import``: importing the package beside importing what it needs.

One process and one thread, where nothing else is said. The methods of a case take turns,
the first round warms up, and ratios are medians of the ratios within a round. Operations
are counted by `torch.utils.flop_counter`; peak memory is what the allocator reports (see
`memory`). Writes results/speed.csv, where a section replaces its own rows only; docs/speed.rst
shows them, with the goals.
"""

import argparse
import gc
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import sklearn

from benchmarks.common.machine import in_detail
from benchmarks.speed.arms import arms
from benchmarks.speed.cases import Run
from benchmarks.speed.defaults import defaults
from benchmarks.speed.imports import importing
from benchmarks.speed.predict import predict
from benchmarks.speed.reference import reference
from benchmarks.speed.rows import PATH, Row, write
from benchmarks.speed.scaling import scaling
from benchmarks.speed.single import single
from benchmarks.speed.timing import threads

SECTIONS: dict[str, Callable[[Run], list[Row]]] = {
    "arms": arms,
    "reference": reference,
    "single": single,
    "defaults": defaults,
    "scaling": scaling,
    "predict": predict,
    "import": importing,
}


def comment_on(run: Run, rows: list[Row]) -> str:
    """Machine, threads and repetitions, for the head of the file."""
    rounds = " or ".join(map(str, sorted({int(row.rounds) for row in rows})))
    warm_up = "" if run.smoke else " after one to warm up"
    return (
        f"{in_detail(run.device)}; one process, one thread where nothing else is said, "
        f"{rounds} interleaved rounds{warm_up}"
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("section", nargs="*", help=f"some of {', '.join(SECTIONS)}; all if none")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--repetitions", type=int, help="rounds, instead of each section's own")
    parser.add_argument(
        "--smoke", action="store_true", help="one round, tiny sizes, a file that is thrown away"
    )
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.section) - set(SECTIONS)
    if unknown:
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    gc.freeze()  # what is imported need not be looked through before every measurement
    run = Run(chosen.device, chosen.repetitions, chosen.smoke)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), threads(1):
        warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
        path = Path(folder) / "speed.csv" if chosen.smoke else PATH
        for section in chosen.section or SECTIONS:
            rows = SECTIONS[section](run)
            write(path, section, run.device, comment_on(run, rows), rows)


if __name__ == "__main__":
    main()
