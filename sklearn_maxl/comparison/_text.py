"""A comparison in words: numbers, table, verdict."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ._statistics import PairedTest

LEVEL = 0.05

_FRACTIONS = (
    "accuracy", "balanced_accuracy", "top_k_accuracy", "average_precision", "f1", "precision",
    "recall", "jaccard", "roc_auc",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """An arm's figures, in the units of the score; the reference has no `test`."""

    label: str
    auxiliary: Any
    """Its setting of `auxiliary`; `...` where it sets something else."""
    score: float
    score_error: float
    test: PairedTest | None
    p_holm: float
    seconds: float

    def record(self) -> dict[str, Any]:
        """A row of a data frame."""
        test, nan = self.test, float("nan")
        return {
            "arm": self.label,
            "score": self.score,
            "score_error": self.score_error,
            "difference": test.mean if test else 0.0,
            "difference_error": test.standard_error if test else nan,
            "low": test.low if test else nan,
            "high": test.high if test else nan,
            "p": test.p if test else nan,
            "p_holm": self.p_holm,
            "seconds": self.seconds,
            "wins": test.wins if test else None,
            "ties": test.ties if test else None,
            "losses": test.losses if test else None,
        }


@dataclass(frozen=True)
class Units:
    """How scores are written: shares in percent, others as they are."""

    score: str
    factor: float
    digits: int
    points: str
    """What follows a difference."""

    @classmethod
    def of(cls, scoring: str, errors: Iterable[float]) -> "Units":
        """Percent for accuracy and its like; else two digits of the smallest error."""
        name = scoring.removesuffix("_score")
        if any(name == f or name.startswith(f"{f}_") for f in _FRACTIONS):
            return cls(f"{name} in %", 100.0, 2, " points")
        positive = [e for e in errors if e > 0]
        digits = 1 - math.floor(math.log10(min(positive))) if positive else 3
        return cls(scoring, 1.0, min(max(digits, 0), 6), "")

    def value(self, value: float) -> str:
        """A score or an error."""
        return f"{self.factor * value:.{self.digits}f}"

    def signed(self, value: float) -> str:
        """A difference; zero has a sign as well."""
        rounded = round(self.factor * value, self.digits) + 0.0  # no −0.00
        return f"{rounded:+.{self.digits}f}".replace("-", "−")


def p_value(p: float) -> str:
    """A p-value with two digits at most."""
    if math.isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"


def header(units: Units) -> list[str]:
    """Heads of the columns."""
    difference = f"difference in{units.points}" if units.points else "difference"
    return ["arm", units.score, difference, "p", "better/same/worse", "s per fit"]


def cells(row: Row, units: Units) -> list[str]:
    """The row as it is shown."""
    score = f"{units.value(row.score)} ± {units.value(row.score_error)}"
    seconds = f"{row.seconds:.1f}" if row.seconds >= 0.95 else f"{row.seconds:.2f}"
    if row.test is None:
        return [row.label, score, "", "", "", seconds]
    test = row.test
    difference = f"{units.signed(test.mean)} ± {units.value(test.standard_error)}"
    counts = f"{test.wins}/{test.ties}/{test.losses}"
    return [row.label, score, difference, p_value(row.p_holm), counts, seconds]


def table(rows: list[Row], units: Units) -> str:
    """All rows as text."""
    lines = [header(units), *(cells(row, units) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines]
    texts.insert(1, ["-" * width for width in widths])
    return "\n".join("  ".join(text).rstrip() for text in texts)


def footnote(n_tests: int, units: Units, folds_change: bool) -> str:
    """How the figures are meant."""
    averaged = "" if folds_change else " Scores of a fold are averaged over the seeds first."
    holm = f", corrected for {n_tests} arms (Holm)" if n_tests > 1 else ""
    return (
        "± is the standard error, corrected for overlapping training sets, and p that of the "
        f"corrected t-test\n(Nadeau and Bengio 2003){holm}. Differences are paired, split by "
        f"split.{averaged}"
    )


def verdict(rows: list[Row], units: Units, versus_uniform: PairedTest | None) -> str:
    """Which arms help, which hurt, and what to do."""
    reference, *others = rows
    better = [r for r in others if r.p_holm < LEVEL and _mean(r) > 0]
    worse = [r for r in others if r.p_holm < LEVEL and _mean(r) < 0]
    undecided = [r for r in others if r not in better and r not in worse]
    sentences = []
    if better:
        best = max(better, key=_mean)
        also = [r for r in better if r is not best]
        text = f"{best.label} helps: {_difference(best, units)}"
        sentences.append(text + (f"; so does {_several(also, units)}." if also else "."))
        learned = any(r.auxiliary == "maxl" for r in better)
        if learned and versus_uniform and not versus_uniform.p < LEVEL:
            sentences.append(
                "But maxl is not measurably better than uniform labels, which teach nothing: "
                f"{units.signed(versus_uniform.mean)}{units.points} ± "
                f"{units.value(versus_uniform.standard_error)}."
            )
    if undecided and not better:
        sentences.append(_no_difference(undecided, units) + _advice(reference, undecided[0], rows))
    if worse:
        verb = "hurts" if len(worse) == 1 else "hurt"
        text = f"{_names(worse)} {verb}: " if len(worse) == 1 else f"{_names(worse)} hurt: "
        text += ", ".join(_difference(r, units) for r in worse)
        advice = "" if better or undecided else _advice(reference, worse[0], rows)
        sentences.append(text + (advice or "."))
    return " ".join(sentences)


def _mean(row: Row) -> float:
    return row.test.mean if row.test else 0.0


def _difference(row: Row, units: Units) -> str:
    """ "+1.20 points ± 0.30, p = 0.012"."""
    assert row.test
    error = units.value(row.test.standard_error)
    text = f"{units.signed(row.test.mean)}{units.points} ± {error}"
    if math.isnan(row.p_holm):
        return f"{text} in every split, so that there is no test"
    p = p_value(row.p_holm)
    return f"{text}, p {p}" if p.startswith("<") else f"{text}, p = {p}"


def _several(rows: list[Row], units: Units) -> str:
    return ", ".join(f"{r.label} ({_difference(r, units)})" for r in rows)


def _names(rows: list[Row]) -> str:
    *first, last = [r.label for r in rows]
    return f"{', '.join(first)} and {last}" if first else last


def _no_difference(rows: list[Row], units: Units) -> str:
    """The first arm in full, the others by name."""
    first, rest = rows[0], rows[1:]
    assert first.test
    ends = f"{units.signed(first.test.low)} to {units.signed(first.test.high)}"
    text = f"No measurable difference: {first.label} {_difference(first, units)}"
    if first.test.standard_error > 0:
        text += f" (95 % interval {ends})"
    return text + (f", and none for {_names(rest)}" if rest else "")


def _advice(reference: Row, against: Row, rows: list[Row]) -> str:
    """; use the reference, and how much faster it is."""
    single = reference.auxiliary is None
    text = "; use auxiliary=None" if single else f"; keep {reference.label}"
    ratio = against.seconds / reference.seconds if reference.seconds > 0 else 1
    if ratio >= 1.15:
        than = f" than {against.label}" if len(rows) > 2 else ""
        text += f", which is {ratio:.1f}x faster{than}"
    return text + "."
