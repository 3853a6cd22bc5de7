"""The rows of results/speed.csv: one a method, beside the base method of its case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from benchmarks.common import rows as files
from benchmarks.common.rows import RESULTS, Rows

PATH = RESULTS / "speed.csv"


@dataclass(frozen=True)
class Row:
    """One method in one case, beside the base method of that case."""

    section: str
    device: str
    case: str
    method: str
    base: str
    samples: int | str = ""
    """How many samples the seconds are for."""
    rounds: int | str = ""
    median_seconds: float | str = ""
    median_ratio: float | str = ""
    quartile_25: float | str = ""
    quartile_75: float | str = ""
    operations: int | str = ""
    operations_ratio: float | str = ""
    peak_mb: float | str = ""
    memory_ratio: float | str = ""


COLUMNS = tuple(field.name for field in fields(Row))


def summarize(
    section: str,
    device: str,
    case: str,
    base: str,
    seconds: Mapping[str, Sequence[float]],
    samples: int | Mapping[str, int] | str = "",
    counts: Mapping[str, int] | None = None,
    peaks: Mapping[str, int] | None = None,
) -> list[Row]:
    """Rows of one case: medians, and ratios to `base` taken round by round."""
    counts, peaks = counts or {}, peaks or {}
    rows = []
    for name, values in seconds.items():
        low, middle, high = np.percentile(np.divide(values, seconds[base]), [25, 50, 75])
        rows.append(
            Row(
                section,
                device,
                case,
                name,
                base,
                samples[name] if isinstance(samples, Mapping) else samples,
                len(values),
                _digits(float(np.median(values)), 5),
                *(_digits(float(ratio), 4) for ratio in (middle, low, high)),
                counts.get(name, ""),
                _ratio(counts, name, base),
                round(peaks[name] / 2**20, 3) if name in peaks else "",
                _ratio(peaks, name, base),
            )
        )
        print(f"{section}, {case}: {_line(rows[-1])}", flush=True)
    return rows


def _digits(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _ratio(values: Mapping[str, int], name: str, base: str) -> float | str:
    return _digits(values[name] / values[base], 4) if name in values and values.get(base) else ""


def _line(row: Row) -> str:
    text = (
        f"{row.method:45} {row.median_seconds:10} s  {row.median_ratio:6} x "
        f"({row.quartile_25} to {row.quartile_75})"
    )
    more = {"operations": row.operations_ratio, "memory": row.memory_ratio}
    return text + "".join(f"  {name} {value} x" for name, value in more.items() if value != "")


def machines(path: Path = PATH) -> dict[str, str]:
    """The comments of a file, by "section, device"."""
    return dict(comment.split(": ", 1) for comment in files.comments(path))


def of_section(section: str, device: str, path: Path = PATH) -> Rows:
    """The rows of one section and device."""
    return files.where(files.read(path), section=section, device=device)


def write(path: Path, section: str, device: str, comment: str, rows: Sequence[Row]) -> None:
    """Replace the rows of one section and device, and leave the others as they are."""
    comments = {**machines(path), f"{section}, {device}": comment}
    kept = [row for row in files.read(path) if (row["section"], row["device"]) != (section, device)]
    values = [row.values() for row in (*kept, *map(vars, rows))]
    files.write(path, (f"{key}: {text}" for key, text in sorted(comments.items())), COLUMNS, values)
