"""A comparison in words: table, verdict, how the figures are meant."""

import math

from ._summary import LEVEL, Row, Summary, Units


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
    seconds = _seconds(row.seconds)
    if row.test is None:
        return [row.label, score, "", "", "", seconds]
    test = row.test
    difference = f"{units.signed(test.mean)} ± {units.value(test.standard_error)}"
    counts = f"{test.wins}/{test.ties}/{test.losses}"
    return [row.label, score, difference, p_value(row.p_holm), counts, seconds]


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds >= 0.95 else f"{seconds:.2f}"


def report(summary: Summary) -> str:
    """Everything as text."""
    rows = [*summary.rows, *summary.baselines]
    lines = [header(summary.units), *(cells(row, summary.units) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines]
    rule = ["-" * width for width in widths]
    texts.insert(1, rule)
    if summary.baselines:
        texts.insert(2 + len(summary.rows), rule)
    table = "\n".join("  ".join(text).rstrip() for text in texts)
    head = f"Paired comparison by {summary.scoring}: {summary.design}"
    return f"{head}\n\n{table}\n\n{footnote(summary)}\n\nVerdict: {verdict(summary)}"


def footnote(summary: Summary) -> str:
    """How the figures are meant."""
    n_tests = len(summary.rows) - 1
    averaged = " Scores of a fold are averaged over the seeds first."
    holm = f", corrected for {n_tests} arms (Holm)" if n_tests > 1 else ""
    return (
        "± is the standard error, corrected for overlapping training sets, and p that of the "
        f"corrected t-test\n(Nadeau and Bengio 2003){holm}. Differences are paired, split by "
        f"split.{'' if summary.folds_change else averaged}{_baselines(summary)}{_search(summary)}"
        f"{_no_test(summary)}"
    )


def _baselines(summary: Summary) -> str:
    if not summary.baselines:
        return ""
    names = _names(summary.baselines)
    return f"\n{names}: other estimators on the same folds, which are not tested."


def _search(summary: Summary) -> str:
    """What the searches took, which the column of seconds does not hold."""
    took = sorted({row.search_seconds for row in summary.rows if row.search_seconds > 0})
    if not took:
        return ""
    seconds = " to ".join(map(_seconds, dict.fromkeys((took[0], took[-1]))))
    return (
        "\nEpochs and temperature of a split were looked for once for all arms that share them, in "
        f"{seconds} s;\na fit of your own takes that besides its seconds here, unless you give "
        "both."
    )


def _no_test(summary: Summary) -> str:
    if not any(row.untested for row in summary.rows):
        return ""
    return "\n– for p: the difference is the same in every split, so that nothing can be tested."


def verdict(summary: Summary) -> str:
    """Which arms help, which hurt, and what to do."""
    others = summary.rows[1:]
    same = [r for r in others if r.same_scores]
    untested = [r for r in others if r.untested]
    better = [r for r in others if r.effect > 0]
    worse = [r for r in others if r.effect < 0]
    decided = [*better, *worse, *same, *untested]
    undecided = [r for r in others if r not in decided]
    sentences = []
    if better:
        sentences += _better(better, summary)
    elif undecided:
        sentences.append(_no_difference(undecided, summary.units))
    if same:
        verb = "scores" if len(same) == 1 else "score"
        sentences.append(f"{_names(same)} {verb} as {summary.rows[0].label} does in every split")
    sentences += [_untested(row, summary) for row in untested]
    if worse:
        verb = "hurts" if len(worse) == 1 else "hurt"
        differences = ", ".join(_difference(r, summary.units) for r in worse)
        sentences.append(f"{_names(worse)} {verb}: {differences}")
    if not better and not untested:
        against = [*undecided, *same, *worse][0]
        sentences[0] += _advice(summary, against)
    sentences += _higher(summary)
    return " ".join(f"{sentence}." for sentence in sentences)


def _higher(summary: Summary) -> list[str]:
    """Baselines that score higher than all arms."""
    best = max(summary.rows, key=lambda row: row.score)
    sentences = []
    for row, test in zip(summary.baselines, summary.baselines_versus_best, strict=True):
        if test.mean > 0:
            chance = "" if test.p < LEVEL else ", no more than chance may do"
            sentences.append(
                f"{row.label} scores higher than all arms: "
                f"{summary.units.signed(test.mean)}{summary.units.points} ± "
                f"{summary.units.value(test.standard_error)} against {best.label}{chance}"
            )
    return sentences


def _better(rows: list[Row], summary: Summary) -> list[str]:
    units, versus_uniform = summary.units, summary.versus_uniform
    best = summary.recommended
    also = ", ".join(f"{r.label} ({_difference(r, units)})" for r in rows if r is not best)
    text = f"{best.label} helps: {_difference(best, units)}"
    sentences = [text + (f"; so does {also}" if also else "")]
    learned = any(r.auxiliary == "maxl" for r in rows)
    if learned and versus_uniform and not versus_uniform.p < LEVEL:
        sentences.append(
            "But maxl is not measurably better than uniform labels, which teach nothing: "
            f"{units.signed(versus_uniform.mean)}{units.points} ± "
            f"{units.value(versus_uniform.standard_error)}"
        )
    return sentences


def _untested(row: Row, summary: Summary) -> str:
    """An arm that differs by the same amount in every split."""
    assert row.test
    units, n_splits = summary.units, summary.scores.shape[1]
    return (
        f"{row.label} differs from {summary.rows[0].label} by "
        f"{units.signed(row.test.mean)}{units.points} in each of the {n_splits} splits; equal "
        "differences can't be tested, more seeds or folds may tell"
    )


def _difference(row: Row, units: Units) -> str:
    """Such as "+1.20 points ± 0.30, p = 0.012", without the quotes."""
    assert row.test
    p = p_value(row.p_holm)
    text = f"{units.signed(row.test.mean)}{units.points} ± {units.value(row.test.standard_error)}"
    return f"{text}, p {p}" if p.startswith("<") else f"{text}, p = {p}"


def _names(rows: list[Row]) -> str:
    *first, last = [r.label for r in rows]
    return f"{', '.join(first)} and {last}" if first else last


def _no_difference(rows: list[Row], units: Units) -> str:
    """The first arm in full, the others by name."""
    first, rest = rows[0], rows[1:]
    assert first.test
    ends = f"{units.signed(first.test.low)} to {units.signed(first.test.high)}"
    text = f"No measurable difference: {first.label} {_difference(first, units)}"
    text += f" (95 % interval {ends})"
    return text + (f", and none for {_names(rest)}" if rest else "")


def _advice(summary: Summary, against: Row) -> str:
    """The end of a sentence: use the reference, and how much faster it is than an arm."""
    reference = summary.rows[0]
    single = reference.auxiliary is None
    text = "; use the single task (auxiliary=None)" if single else f"; keep {reference.label}"
    own, other = (row.seconds + row.search_seconds for row in (reference, against))
    ratio = other / own if own > 0 else 1
    if ratio >= 1.15:
        than = f" than {against.label}" if len(summary.rows) > 2 else ""
        text += f", which is {ratio:.1f}x faster{than}"
    return text
