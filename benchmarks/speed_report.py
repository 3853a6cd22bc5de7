"""Write docs/speed.rst and its figures from results/speed.csv, and nothing else.

python benchmarks/speed_report.py
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from _measure import read

RESULTS = Path(__file__).parent / "results" / "speed.csv"
PAGE = Path(__file__).parents[1] / "docs" / "speed.rst"

Rows = list[dict[str, str]]

TITLES = {
    "arms": "Settings of the classifier",
    "reference": "The authors' scripts",
    "single": "A single task",
    "scaling": "More data, larger networks",
    "predict": "Prediction",
    "import": "Import",
}

TEXTS = {
    "arms": (
        "Seconds of one epoch, as ``history_`` has them, and operations of one epoch. For\n"
        "``kmeans`` the operations include finding the nearest centre of each sample, and the\n"
        "memory that of the autoencoder, which is trained once, at the beginning of a fit.\n"
        "Cases that are called a fit have the seconds of a whole ``fit``. Where\n"
        "kernels are compiled, their operations can't be counted. Beside it the rate of a\n"
        "large matrix product: what the machine can do at most."
    ),
    "reference": (
        "An epoch is every sample once for each network. The authors' two scripts (2019,\n"
        "second-order graph; 2021, central difference) are written anew in\n"
        "``benchmarks/_reference_steps.py``, from the paper's equations and from what is known\n"
        "of them. They train the same networks on the same batches with the same optimizers,\n"
        "SGD and the focal loss; batches are cut from tensors as ours are, which is faster\n"
        "than the scripts' own loading. *Diagnostics* is the cosine between two gradients that\n"
        "the scripts always compute. *Unused gradients left out* is what the scripts would\n"
        "cost without backward passes whose result nobody reads: there the advantage is that\n"
        "of the method alone. ``exact`` is the default of this package; ``double_backward`` and\n"
        "``finite_difference`` are its other settings of ``meta_gradient``.\n\n"
        "The 7.0 and 7.7 times the operations of a single-task step that were counted for the\n"
        "scripts on VGG-16 are those *without* diagnostics and *with* the unused gradients."
    ),
    "single": (
        "A whole fit with ``auxiliary=None``, construction and checks of the input included, on\n"
        "the same network, batch size and number of epochs. The others get inputs that\n"
        "were standardised once, within the measured time."
    ),
    "scaling": (
        "``auxiliary=None`` and ``\"maxl\"`` for one epoch. With a growing number of samples\n"
        "each fit has a process of its own, a table of 100 features, batches of 200, the seconds\n"
        "are of the whole ``fit``, and the memory is the most that the process ever held, Python\n"
        "and torch included, less the data. Everywhere else seconds and operations are of an\n"
        "epoch and the memory is that of the tensors of a fit."
    ),
    "predict": (
        "``predict_proba`` from array to array, and the bare network in the same batches, in\n"
        "inference mode."
    ),
    "import": "Seconds of a fresh Python process that imports and ends.",
}  # fmt: skip


PRODUCTS = "matrix product"  # how the cases of the machine's own rate begin


# Goals


class Goal(NamedTuple):
    """What was to be reached, and what was measured."""

    text: str
    device: str
    case: str
    measured: str
    reached: bool


class Limit(NamedTuple):
    """A bound on one column of one method."""

    section: str
    case: str
    method: str
    base: str
    column: str
    bound: float
    text: str
    least: bool = False
    """Whether the bound is the least that will do, not the most."""


IMAGES = "VGG-16|ConvNet"
LIMITS = (
    Limit("arms", IMAGES, "maxl", "None", "operations_ratio", 4.05,
          "``maxl``: at most 4.05 times the operations of ``None``"),
    Limit("arms", IMAGES, "maxl", "None", "median_ratio", 4.5,
          "``maxl``: at most 4.5 times the seconds of ``None``"),
    Limit("arms", IMAGES, "maxl", "None", "memory_ratio", 2.2,
          "``maxl``: at most 2.2 times the peak memory of ``None``"),
    Limit("arms", IMAGES, "maxl, meta_every=8", "None", "operations_ratio", 2.0,
          "the default, ``meta_every=8``: at most 2 times the operations of ``None``"),
    Limit("arms", IMAGES, "maxl, meta_every=8", "None", "median_ratio", 2.0,
          "the default, ``meta_every=8``: at most 2 times the seconds of ``None``"),
    Limit("reference", IMAGES, "reference, exact", "exact", "median_ratio", 1.6,
          "the authors' exact script takes at least 1.6 times our seconds", True),
    Limit("reference", IMAGES, "reference, first-order", "exact", "median_ratio", 1.8,
          "the authors' first-order script takes at least 1.8 times our seconds", True),
    Limit("reference", IMAGES, "reference, exact", "exact", "memory_ratio", 1 / 0.7,
          "at least 30 % less peak memory than the exact script (ratio 1.43)", True),
    Limit("single", "ConvNet", "MAXLClassifier(auxiliary=None)", "bare torch loop",
          "median_ratio", 1.10, "at most 1.10 times a bare loop on images"),
    Limit("single", "MLP .*digits", "MAXLClassifier(auxiliary=None)", "bare torch loop",
          "median_ratio", 1.25, "at most 1.25 times a bare loop on a small table"),
    Limit("scaling", "samples", "None|maxl", "None", "peak_mb", 1536,
          "at most 1.5 GB (1,536 MB) beyond the data"),
    Limit("import", "", "import sklearn_maxl", "", "median_ratio", 1.1,
          "at most 1.1 times importing torch, scikit-learn and skorch"),
)  # fmt: skip


def limits(rows: Rows) -> Iterator[Goal]:
    """Every bound, case by case."""
    for limit in LIMITS:
        for row in rows:
            if not (concerns(limit, row) and row[limit.column]):
                continue
            value = float(row[limit.column])
            reached = value >= limit.bound if limit.least else value <= limit.bound
            name = row["case"] + (f", {row['method']}" if "|" in limit.method else "")
            yield Goal(limit.text, row["device"], name, number(value), reached)


def concerns(limit: Limit, row: dict[str, str]) -> bool:
    """Whether a bound is one for this row; whole or long fits of a case have none."""
    return (
        limit.section == row["section"]
        and row["method"] in limit.method.split("|")
        and limit.base in ("", row["base"])
        and bool(re.match(limit.case, row["case"]))
        and ": " not in row["case"].removeprefix("samples: ")
    )


def faster_than(rows: Rows, other: str, case: str, text: str) -> Iterator[Goal]:
    """Seconds of ours over those of another, where both are there."""
    ours = "MAXLClassifier(auxiliary=None)"
    mine = [r for r in rows if r["section"] == "single" and re.match(case, r["case"])]
    seconds = {(r["device"], r["case"], r["method"]): float(r["median_seconds"]) for r in mine}
    for device, name, method in seconds:
        if method == other:
            ratio = seconds[device, name, ours] / seconds[device, name, other]
            yield Goal(text, device, name, number(ratio), ratio <= 1)


def linear(rows: Rows) -> Iterator[Goal]:
    """Seconds of a sample among many, over those of one among 10,000."""
    found = [r for r in rows if r["case"].startswith("samples: ")]
    each = {
        (r["device"], r["method"], int(r["samples"])): float(r["median_seconds"])
        / int(r["samples"])
        for r in found
    }
    for device, method, n in each:
        if n > 10_000 and (device, method, 10_000) in each:
            ratio = each[device, method, n] / each[device, method, 10_000]
            yield Goal(
                "seconds of a sample within 10 % of those with 10,000 samples",
                device, f"samples: {n}, {method}", number(ratio), 0.9 <= ratio <= 1.1,
            )  # fmt: skip


def goals(rows: Rows) -> list[Goal]:
    """Everything that was to be reached and was measured."""
    return [
        *limits(rows),
        *faster_than(
            rows, "skorch.NeuralNetClassifier", "ConvNet|MLP .*digits", "faster than skorch"
        ),
        *faster_than(
            rows, "sklearn MLPClassifier", "MLP .*100,000", "no slower than MLPClassifier"
        ),
        *linear(rows),
    ]


# The page


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A list-table of reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *rows):
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}".rstrip() for i, cell in enumerate(row)]
    return "\n".join(lines)


def number(value: str | float, digits: int = 3) -> str:
    """A number with a few digits, never in powers of ten."""
    if value == "":
        return ""
    value = float(value)
    if value == 0 or abs(value) >= 10**digits:
        return f"{value:,.0f}"
    return f"{float(f'{value:.{digits}g}'):.12f}".rstrip("0").rstrip(".")


def time_of(seconds: str) -> str:
    """Seconds in the unit in which they read well."""
    value = float(seconds)
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if value * factor >= 1:
            return f"{number(value * factor)} {unit}"
    return f"{number(value * 1e6)} µs"


def rate(row: dict[str, str]) -> str:
    """Counted operations in a second, in units of 1e9."""
    return number(_rate(row) / 1e9) if row["operations"] else ""


def _rate(row: dict[str, str]) -> float:
    return float(row["operations"]) / float(row["median_seconds"])


def add_shares(rows: Rows) -> None:
    """Counted operations in a second over those of a large matrix product of the same type."""
    rates = {r["method"]: _rate(r) for r in rows if r["case"].startswith(PRODUCTS)}
    for row in rows:
        dtype = "bfloat16" if "bfloat16" in row["method"] else "float32"
        if row["operations"] and dtype in rates and not row["case"].startswith(PRODUCTS):
            row["share"] = f"{_rate(row) / rates[dtype]}"


def throughput(row: dict[str, str]) -> str:
    """Samples in a second."""
    return number(float(row["samples"]) / float(row["median_seconds"])) if row["samples"] else ""


def code(text: str) -> str:
    return f"``{text}``"


COLUMNS: dict[str, Callable[[dict[str, str]], str]] = {
    "method": lambda r: code(r["method"]),
    "time": lambda r: time_of(r["median_seconds"]),
    "ratio": lambda r: number(r["median_ratio"]),
    "quartiles": lambda r: f"{number(r['quartile_25'])} to {number(r['quartile_75'])}",
    "samples a second": throughput,
    "10\\ :sup:`9` operations": lambda r: (
        number(float(r["operations"]) / 1e9) if r["operations"] else ""
    ),
    "ratio of operations": lambda r: number(r["operations_ratio"]),
    "10\\ :sup:`9` operations a second": rate,
    "share of a matrix product's": lambda r: number(r.get("share", "")),
    "peak MB": lambda r: number(r["peak_mb"]),
    "ratio of memory": lambda r: number(r["memory_ratio"]),
}


def case_table(rows: Rows, again: bool) -> str:
    """One case, without the columns that are empty for all its methods.

    `again`: the same measurements stand above, beside another base.
    """
    cells = {name: [column(row) for row in rows] for name, column in COLUMNS.items()}
    kept = [name for name, values in cells.items() if any(values)]
    if again:
        kept = [name for name in kept if name in ("method", "quartiles") or "ratio" in name]
    return table(kept, zip(*(cells[name] for name in kept), strict=True))


def goal_table(found: Sequence[Goal]) -> str:
    body = [
        (goal.text, goal.device, goal.case, goal.measured, "reached" if goal.reached else "**no**")
        for goal in found
    ]
    return table(("goal", "on", "case", "measured", ""), body)


def heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


def part(section: str, device: str, rows: Rows, comment: str) -> str:
    """A section on one device: what was done, the figure, the tables."""
    lines = [heading(f"{TITLES[section]}, {device}", "-"), TEXTS[section], ""]
    lines += [
        f".. figure:: figures/{figure_name(section, device)}",
        f"   :alt: {TITLES[section]}: the tables below as a figure",
        "",
    ]
    add_shares(rows)
    told = set()
    for case, base in sorted(
        dict.fromkeys((r["case"], r["base"]) for r in rows),
        key=lambda pair: _unique(rows, "case").index(pair[0]),
    ):
        mine = [r for r in rows if (r["case"], r["base"]) == (case, base)]
        lines += [heading(f"{case} (ratios to {base})", "~"), case_table(mine, case in told), ""]
        told.add(case)
    return "\n".join([*lines, f"Machine: {comment}.", ""])


def figure_name(section: str, device: str) -> str:
    return f"speed_{section}_{device}.svg"


def make(results: Path = RESULTS, page: Path = PAGE) -> None:
    """Write the page and its figures."""
    comments, rows = read(results)
    order = [(s, d) for s in TITLES for d in ("cpu", "cuda") if f"{s}, {d}" in comments]
    parts = []
    for section, device in order:
        mine = [r for r in rows if (r["section"], r["device"]) == (section, device)]
        draw(section, mine, page.parent / "figures" / figure_name(section, device))
        parts.append(part(section, device, mine, comments[f"{section}, {device}"]))
    found = goals(rows)
    text = (
        "Speed\n=====\n\n"
        "How long things take, how many operations they are, and how much memory they need. This\n"
        "page is written by ``benchmarks/speed_report.py`` from what ``benchmarks/speed.py``\n"
        "measured. Methods of a case take turns; a ratio is the median of the ratios within\n"
        "a round. Operations are those of matrix products and convolutions\n"
        "(``torch.utils.flop_counter``), and do not depend on the machine. Peak memory is that of\n"
        "all tensors that a fit from the start makes, as the allocator reports it.\n\n"
        f"{heading('Goals', '-')}\n{goal_table(found)}\n\n"
        f"{sum(goal.reached for goal in found)} of {len(found)} reached.\n\n" + "\n".join(parts)
    )
    page.write_text(text)


# Figures

# Okabe and Ito's colours, told apart by everybody; the shapes differ as well.
MARKS = {
    "median_ratio": ("time", "#0072B2", "o"),
    "operations_ratio": ("operations", "#D55E00", "D"),
    "memory_ratio": ("peak memory", "#009E73", "^"),
}
STYLE = {
    "svg.hashsalt": "sklearn_maxl",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
}


def draw(section: str, rows: Rows, path: Path) -> None:
    """The figure of a section: ratios by method, or seconds of a sample by size."""
    import matplotlib as mpl

    mpl.use("agg")
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        figure = (lines if section == "scaling" else dots)(rows)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
        import matplotlib.pyplot as plt

        plt.close(figure)
    text = path.read_text().splitlines()
    path.write_text("\n".join(line.rstrip() for line in text) + "\n")


def dots(rows: Rows) -> Any:
    """Ratios to the base method, a panel a case; the line at 1 is the base itself."""
    import matplotlib.pyplot as plt

    base = rows[-1]["base"] if rows[-1]["section"] != "reference" else "single task"
    rows = [r for r in rows if r["base"] == base and not r["case"].startswith(PRODUCTS)]
    by_case = {case: [r for r in rows if r["case"] == case] for case in _unique(rows, "case")}
    height = sum(0.6 + 0.2 * len(mine) for mine in by_case.values())
    figure, panels = plt.subplots(
        len(by_case), 1, figsize=(7.5, height + 0.6), squeeze=False, sharex=True,
        height_ratios=[len(mine) + 1 for mine in by_case.values()],
    )  # fmt: skip
    for panel, (case, mine) in zip(panels[:, 0], by_case.items(), strict=True):
        at = range(len(mine), 0, -1)
        for column, (label, colour, marker) in MARKS.items():
            points = [(float(r[column]), y) for r, y in zip(mine, at, strict=True) if r[column]]
            if points:
                panel.plot(*zip(*points, strict=True), marker, color=colour, label=label, ms=5)
        for row, y in zip(mine, at, strict=True):
            quartiles = float(row["quartile_25"]), float(row["quartile_75"])
            panel.plot(quartiles, (y, y), color=MARKS["median_ratio"][1], lw=2)
        panel.axvline(1, color="0.6", lw=0.8, zorder=0)
        panel.set_yticks(list(at), [r["method"] for r in mine])
        panel.set_title(case, loc="left", fontsize=9)
        panel.grid(axis="y", color="0.92")
    _ratio_axis(panels[-1, 0], f"times {base}")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3, frameon=False)
    return figure


def _ratio_axis(panel: Any, label: str) -> None:
    low, high = panel.get_xlim()
    if high / max(low, 1e-9) > 5 or high > 6:
        panel.set_xscale("log")
        _plain_numbers(panel.xaxis, (1, 2, 5))
    panel.set_xlabel(label)


def _plain_numbers(axis: Any, subdivisions: Sequence[int]) -> None:
    """Ticks of a logarithmic axis as people write numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=subdivisions))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    axis.set_minor_formatter(NullFormatter())


def lines(rows: Rows) -> Any:
    """Seconds of one sample, a panel for each thing that grows."""
    import matplotlib.pyplot as plt

    kinds = list(dict.fromkeys(r["case"].split(":")[0] for r in rows))
    across = 3
    down = -(-len(kinds) // across)
    figure, panels = plt.subplots(down, across, figsize=(7.5, 2.4 * down + 0.4), squeeze=False)
    styles = {"None": ("#0072B2", "o"), "maxl": ("#D55E00", "D")}
    for panel, kind in zip(panels.flat, kinds, strict=False):
        for method, (colour, marker) in styles.items():
            mine = [r for r in rows if r["case"].split(":")[0] == kind and r["method"] == method]
            x = [float(r["case"].split(":")[1]) for r in mine]
            y = [1e6 * float(r["median_seconds"]) / int(r["samples"]) for r in mine]
            panel.loglog(x, y, marker=marker, color=colour, label=method, ms=4)
        panel.set_xlabel(kind)
        panel.set_ylim(bottom=panel.get_ylim()[0] / 1.2, top=panel.get_ylim()[1] * 1.2)
        many = kind in ("samples", "features", "classes")  # powers of ten; else of two
        _plain_numbers(panel.xaxis, (1,) if many else (1, 2, 5))
        _plain_numbers(panel.yaxis, (1, 2, 5))
        panel.grid(color="0.92")
    for panel in panels.flat[len(kinds) :]:
        panel.set_visible(False)
    for row in panels:
        row[0].set_ylabel("µs a sample")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
    return figure


def _unique(rows: Rows, column: str) -> list[str]:
    return list(dict.fromkeys(row[column] for row in rows))


if __name__ == "__main__":
    make()
