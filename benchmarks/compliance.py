"""scikit-learn's checks and tools on our estimators and on others: what passes, what fails.

python benchmarks/compliance.py           # all of them, or those named: results/compliance.csv
python benchmarks/compliance.py report    # the tables in docs/compliance.rst, from that file alone

Takes about a quarter of an hour on one core. RealMLP needs ``pip install pytabkit``.
"""

import os

# Read once, when scipy is imported: without it the array-API check is skipped.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import argparse
import csv
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import torch
from _runs import RESULTS, Rows, machine, read
from _tools import TOOLS, Case, NotForImagesError, images, images_as_rows, table
from report import table as list_table
from sklearn.neural_network import MLPClassifier
from sklearn.utils.estimator_checks import check_estimator
from skorch import NeuralNetClassifier
from torch import Tensor, nn

from sklearn_maxl import MAXLClassifier, MAXLRegressor
from sklearn_maxl.backbones import ConvNet

COLUMNS = ("part", "estimator", "version", "check", "status", "exception", "message")


class Perceptron(nn.Module):
    """What a user of skorch writes: any number of columns, float64 cast to float32."""

    def __init__(self, n_classes: int = 3):
        super().__init__()
        self.layers = nn.Sequential(
            nn.LazyLinear(100), nn.ReLU(), nn.Linear(100, n_classes), nn.Softmax(dim=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.float())


class Convolutions(nn.Module):
    """The same for images of one channel."""

    def __init__(self, n_classes: int = 3):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(),
            nn.Linear(144, n_classes), nn.Softmax(dim=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.float())


def skorch(module: type[nn.Module]) -> NeuralNetClassifier:
    """A net that learns the samples of the tools."""
    return NeuralNetClassifier(
        module, max_epochs=30, lr=0.01, batch_size=32, optimizer=torch.optim.Adam, verbose=0
    )


def realmlp() -> Any:
    """Its defaults. Imported here: only this one needs the package."""
    from pytabkit import RealMLP_TD_Classifier

    return RealMLP_TD_Classifier(device="cpu", n_threads=1)


class Subject(NamedTuple):
    """An estimator, and what the checks and tools need to know of it."""

    package: str
    make: Callable[[], Any]
    grid: dict[str, list[Any]] | None = None
    """Two values of a parameter; None: no classifier, so no tools."""
    on_images: Callable[[], Any] | None = None
    on_rows: Callable[[], Any] | None = None
    """For images that come as rows of a table."""


def images_of_maxl(**parameters: Any) -> MAXLClassifier:
    return MAXLClassifier(ConvNet((8, 16)), **parameters)


SUBJECTS = {
    "MAXLClassifier": Subject(
        "sklearn_maxl", MAXLClassifier, {"psi": [2, 3]},
        images_of_maxl, lambda: images_of_maxl(input_shape=(1, 8, 8)),
    ),
    "MAXLRegressor": Subject("sklearn_maxl", MAXLRegressor),
    "MLPClassifier": Subject(
        "scikit-learn", lambda: MLPClassifier(max_iter=1000), {"alpha": [1e-4, 1e-3]}
    ),
    "NeuralNetClassifier": Subject(
        "skorch", lambda: skorch(Perceptron), {"lr": [0.01, 0.02]}, lambda: skorch(Convolutions)
    ),
    "RealMLP_TD_Classifier": Subject("pytabkit", realmlp, {"n_epochs": [128, 256]}),
}  # fmt: skip


# Running


def checked(make: Callable[[], Any]) -> Iterator[tuple[str, str, str, str]]:
    """Name, status, exception and message of each of scikit-learn's checks."""
    for found in check_estimator(seeded(make()), on_fail=None, on_skip=None):
        yield (found["check_name"], found["status"], *described(found["exception"]))


def used(make: Callable[[], Any], grid: Any, X: Any, y: Any) -> Iterator[tuple[str, str, str, str]]:
    """The same of each tool."""
    for name, tool in TOOLS.items():
        try:
            tool(Case(seeded(make()), grid, X, y))
        except NotForImagesError:
            continue
        except Exception as error:
            yield (name, "failed", *described(error))
        else:
            yield (name, "passed", "", "")


def seeded(estimator: Any) -> Any:
    """The estimator with a seed; skorch has none and draws from torch's global state."""
    torch.manual_seed(0)
    known = estimator.get_params()
    return estimator.set_params(random_state=0) if "random_state" in known else estimator


def described(error: BaseException | None) -> tuple[str, str]:
    """Type and first line of an exception."""
    if error is None:
        return "", ""
    lines = str(error).strip().splitlines() or [""]
    return type(error).__name__, shorten(lines[0], 200, placeholder=" ...")


def rows_of(name: str) -> Iterator[tuple[str, ...]]:
    """All rows of one estimator."""
    subject = SUBJECTS[name]
    parts: dict[str, Any] = {"checks": checked(subject.make)}
    if subject.grid:
        parts["table"] = used(subject.make, subject.grid, *table())
    if subject.on_images:
        parts["images"] = used(subject.on_images, subject.grid, *images())
    if subject.on_rows:
        parts["rows"] = used(subject.on_rows, subject.grid, *images_as_rows())
    for part, found in parts.items():
        for row in found:
            print(name, part, *row, flush=True)
            yield (part, name, f"{subject.package} {version(subject.package)}", *row)


def run(names: Sequence[str], path: Path) -> None:
    """Run estimators anew; the rows of others stay."""
    torch.set_num_threads(1)
    kept = [tuple(row.values()) for row in read(path) if row["estimator"] not in names]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = [*kept, *(row for name in names for row in rows_of(name))]
    with path.open("w", newline="") as file:
        file.write(f"# {machine(1)}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([COLUMNS, *sorted(rows, key=lambda row: list(SUBJECTS).index(row[1]))])


# Reporting

PAGE = Path(__file__).parents[1] / "docs" / "compliance.rst"
MARKS = (".. compliance: written by benchmarks/compliance.py", ".. end of compliance")
PARTS = {"table": "table", "images": "images", "rows": "images as rows"}
STATUSES = ("passed", "failed", "skipped")


def totals(rows: Rows) -> str:
    """How many checks each estimator passes."""
    checks = [row for row in rows if row["part"] == "checks"]
    counts = Counter((row["estimator"], row["status"]) for row in checks)
    versions = {row["estimator"]: row["version"] for row in checks}
    body = [
        (f"``{name}``", of, *(str(counts[name, status]) for status in STATUSES))
        for name, of in versions.items()
    ]
    return list_table(("estimator", "of", *STATUSES), body)


def failed_checks(rows: Rows) -> str:
    """The checks that any estimator fails, and with what exception."""
    failed = [row for row in rows if row["part"] == "checks" and row["status"] == "failed"]
    names = unique(row["estimator"] for row in rows)
    found = {(row["check"], row["estimator"]): row["exception"] for row in failed}
    ran = {(row["check"], row["estimator"]) for row in rows if row["part"] == "checks"}
    body = [
        (f"``{check}``", *(cell(found.get((check, n)), (check, n) in ran) for n in names))
        for check in unique(sorted(row["check"] for row in failed))
    ]
    return list_table(("check", *(f"``{name}``" for name in names)), body)


def tools(rows: Rows) -> str:
    """The tools, and with what exception they fail."""
    rows = [row for row in rows if row["part"] in PARTS]
    columns = unique((row["estimator"], row["part"]) for row in rows)
    found = {(row["check"], row["estimator"], row["part"]): row["exception"] for row in rows}
    body = [
        (tool, *(cell(found.get((tool, *c)), (tool, *c) in found) for c in columns))
        for tool in unique(row["check"] for row in rows)
    ]
    heads = (f"``{name}``, {PARTS[part]}" for name, part in columns)
    return list_table(("tool", *heads), body)


def reasons(rows: Rows) -> str:
    """What the tools that failed said: a line for each message."""
    told: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["part"] in PARTS and row["status"] == "failed":
            said = shorten(f"{row['exception']}: {row['message']}", 110, placeholder=" ...")
            told.setdefault((row["check"], said.replace("`", "'")), []).append(row["estimator"])
    return "\n".join(
        f"- {tool} ({', '.join(unique(names))}): ``{said}``" for (tool, said), names in told.items()
    )


def cell(exception: str | None, ran: bool) -> str:
    """What happened, in a word."""
    if not ran:
        return "–"
    return f"``{exception}``" if exception else "passes"


def unique(values: Iterable[Any]) -> list[Any]:
    """Every value once, in order."""
    return list(dict.fromkeys(values))


def block(path: Path) -> str:
    """All tables, from the rows of a file."""
    with path.open() as file:
        made_on = file.readline().removeprefix("# ").strip()
    rows = read(path)
    return "\n\n".join(
        (
            totals(rows), "Checks that at least one of them fails:", failed_checks(rows),
            TOOLS_TITLE, tools(rows), "What the failures say:", reasons(rows),
            f"{made_on}.",
        )
    )  # fmt: skip


TOOLS_TITLE = """\
The tools of scikit-learn around them. A tool passes if it runs and the classes of the training
samples are learned; with weights, if a class of weight 0 is never predicted:"""


def page(text: str, path: Path) -> str:
    """The page with the block written anew."""
    before, rest = text.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    return f"{before}{MARKS[0]}\n\n{block(path)}\n\n{MARKS[1]}{after}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"report, or some of {', '.join(SUBJECTS)}")
    wanted = parser.parse_args().names
    results = RESULTS / "compliance.csv"
    if wanted == ["report"]:
        PAGE.write_text(page(PAGE.read_text(), results))
    else:
        run(wanted or list(SUBJECTS), results)
