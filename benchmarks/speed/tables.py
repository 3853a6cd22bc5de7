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


def bracketed(value: str, more: str) -> str:
    """A number, and another one that goes with it."""
    return f"{value} ({more})" if value and more else value


def quartiles(row: dict[str, str]) -> str:
    return f"{number(row['quartile_25'])} to {number(row['quartile_75'])}"


def operations(row: dict[str, str]) -> str:
    """Counted operations in units of 1e9."""
    return number(float(row["operations"]) / 1e9) if row["operations"] else ""


# What is in brackets belongs to the number before it.
COLUMNS: dict[str, Callable[[dict[str, str]], str]] = {
    "method": lambda r: f"``{r['method']}``",
    "time": lambda r: time_of(r["median_seconds"]),
    "ratio (quartiles)": lambda r: bracketed(number(r["median_ratio"]), quartiles(r)),
    "samples a second": throughput,
    "10\\ :sup:`9` operations (ratio)": lambda r: bracketed(
        operations(r), number(r["operations_ratio"])
    ),
    "10\\ :sup:`9` a second (share)": lambda r: bracketed(rate(r), number(r.get("share", ""))),
    "peak MB (ratio)": lambda r: bracketed(number(r["peak_mb"]), number(r["memory_ratio"])),
}


def case_table(rows: Rows, again: bool) -> Table:
    """One case, or all sizes of one kind, without the columns that are empty for all its methods.

    `again`: the same measurements stand above, beside another base.
    """
    kinds = unique(rows, "kind")
    columns = {**{kind: lambda r: r["size"] for kind in kinds}, **COLUMNS}
    cells = {name: [column(row) for row in rows] for name, column in columns.items()}
    kept = [name for name, values in cells.items() if any(values)]
    if again:
        kept = [name for name in kept if name == "method" or "(ratio)" in name or name in kinds]
        kept.insert(1, "ratio (quartiles)")
    return Table(kept, zip(*(cells[name] for name in kept), strict=True))


def add_kinds(rows: Rows) -> None:
    """What a table is of: a case, or a kind of size, such as samples, and the size."""
    for row in rows:
        kind, _, size = row["case"].partition(": ")
        grows = row["section"] == "scaling"
        row["kind"], row["size"] = (kind, f"{float(size):,g}") if grows else (row["case"], "")


def of_section(rows: Rows) -> str:
    """The tables of a section on one device, each with its heading."""
    add_shares(rows)
    add_kinds(rows)
    kinds, told, parts = unique(rows, "kind"), set(), []
    pairs = dict.fromkeys((row["kind"], row["base"]) for row in rows)
    for kind, base in sorted(pairs, key=lambda pair: kinds.index(pair[0])):
        table = case_table(where(rows, kind=kind, base=base), kind in told)
        parts.append(f"{heading(f'{kind} (ratios to {base})', '~')}\n{table.rst()}\n")
        told.add(kind)
    return "\n".join(parts)
