"""How good is it beside what people use on small tables: accuracy, probabilities and time.

    SKLEARN_MAXL_DATA=folder python -m benchmarks.peers run [--sets wine:200 ...] [--peers ...]
    python -m benchmarks.peers summary [--figures folder]
    python -m benchmarks.peers readme

``run`` fits every peer with its defaults, in one thread, on the tables and splits of the
evidence's report: a seed draws the training rows and has test rows of its own, and nothing is
chosen by them. It is resumable and writes one row a fit to results/peers.csv. All peers get the
same numbers; those that could take categories as they are get them one-hot as well. CatBoost,
RealMLP and TabM need ``pip install -e ".[peers]"`` and are skipped where they are not installed.

``summary`` prints what the rows say: means with errors, ranks, tests table by table, times;
``readme`` writes their part of the README.
"""

import argparse
from pathlib import Path

from benchmarks.common.readme import write
from benchmarks.common.rows import results
from benchmarks.evidence.arms import SEEDS
from benchmarks.evidence.sets import is_table
from benchmarks.peers import readme, runs, summary
from benchmarks.peers.subjects import PEERS


def key(text: str) -> tuple[str, int]:
    """Name and training rows of "name:n"."""
    name, _, n = text.rpartition(":")
    if not (is_table(name) and n.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no table:rows; for example wine:200")
    return name, int(n)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["run", "summary", "readme"])
    parser.add_argument("--sets", nargs="+", type=key, help="name:n; default: all")
    parser.add_argument("--peers", nargs="+", choices=PEERS, metavar="PEER",
                        help=f"some of {', '.join(PEERS)}; default: all")  # fmt: skip
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--figures", type=Path, help="folder for the diagrams of the ranks")
    a = parser.parse_args()
    if a.part == "run":
        runs.run(a.sets or runs.SETS, a.peers or list(PEERS), a.seeds, a.jobs)
    elif a.part == "readme":
        write("peers", readme.block())
    else:
        summary.show(results("peers"), a.sets, a.peers, a.figures)


if __name__ == "__main__":
    main()
