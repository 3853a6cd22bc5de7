"""The tables of the sections: one a case and base method."""

from collections.abc import Callable

from benchmarks.common.rows import Rows, unique, where
from benchmarks.common.tables import Table, heading
from benchmarks.speed.numbers import number, time_of

PRODUCTS = "matrix product"  # how the cases of the machine's own rate begin


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


COLUMNS: dict[str, Callable[[dict[str, str]], str]] = {
    "method": lambda r: f"``{r['method']}``",
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


def case_table(rows: Rows, again: bool) -> Table:
    """One case, without the columns that are empty for all its methods.

    `again`: the same measurements stand above, beside another base.
    """
    cells = {name: [column(row) for row in rows] for name, column in COLUMNS.items()}
    kept = [name for name, values in cells.items() if any(values)]
    if again:
        kept = [name for name in kept if name in ("method", "quartiles") or "ratio" in name]
    return Table(kept, zip(*(cells[name] for name in kept), strict=True))


def of_section(rows: Rows) -> str:
    """The tables of a section on one device, each with its heading."""
    add_shares(rows)
    cases, told, parts = unique(rows, "case"), set(), []
    pairs = dict.fromkeys((row["case"], row["base"]) for row in rows)
    for case, base in sorted(pairs, key=lambda pair: cases.index(pair[0])):
        table = case_table(where(rows, case=case, base=base), case in told)
        parts.append(f"{heading(f'{case} (ratios to {base})', '~')}\n{table.rst()}\n")
        told.add(case)
    return "\n".join(parts)
