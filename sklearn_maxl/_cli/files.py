"""A table in a file.

Whatever is wrong with a file is a `TableError`, one sentence for the person who wrote
the command. What was decided for that person is in `notes`, to be shown.
"""

import bz2
import codecs
import csv
import gzip
import io
import lzma
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._environment.similar_names import did_you_mean
from .sentences import TableError, one_line, plural, shown
from .texts import convert, is_text

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}
DECIMALS = {"comma": ",", "point": "."}
OPENERS: dict[str, Callable[..., Any]] = {
    ".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open,
}  # fmt: skip
MARKS = (  # longer ones first: that of UTF-32 starts as that of UTF-16 does
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


@dataclass(frozen=True)
class Format:
    """How a text file is written; "auto" is found out."""

    separator: str = "auto"
    decimal: str = "auto"
    encoding: str = "auto"
    header: bool = True

    def __post_init__(self) -> None:
        if len(self.separator) != 1 and self.separator not in {"auto", *SEPARATORS}:
            names = ", ".join(SEPARATORS)
            raise TableError(f"--separator {self.separator!r} is not one character, auto, {names}.")
        if self.decimal not in {"auto", *DECIMALS, *DECIMALS.values()}:
            raise TableError(f"--decimal {self.decimal!r} is not auto, comma or point.")
        if self.encoding != "auto":
            try:
                "a".encode(self.encoding)
            except LookupError as error:
                raise TableError(
                    f"--encoding {self.encoding!r} is not known; there are utf-8, latin-1, utf-16 "
                    "and many more."
                ) from error


@dataclass(frozen=True)
class Source:
    """A table as it was read, and how it is written.

    Attributes
    ----------
    frame : DataFrame
    target : str
        Name of the column to predict.
    written : dict
        How the cells of columns are written, of those that were made numbers or dates of text.
    """

    frame: "pd.DataFrame"
    target: str
    written: dict[str, str]


@dataclass(frozen=True)
class Written:
    """What a text file says, and how it is written."""

    path: str
    text: str
    separator: str
    comma: bool
    """Whether numbers may have a decimal comma."""
    point: str
    """The sign before fractions, for pandas."""
    header: bool

    def parse(self, notes: list[str], **options: Any) -> "pd.DataFrame":
        """A data frame, by pandas' reader."""
        return _parse(self.path, self.text, self.separator, self.header, notes, **options)


def read(path: str, target: str | None, form: Format, notes: list[str]) -> Source:
    """A data frame from a CSV or Parquet file, and the name of the target in it."""
    if is_parquet(path):
        frame, written = convert(read_parquet(path), False, notes)
        return Source(frame, column_named(target, frame.columns), written)
    file = read_text(path, form)
    frame, written = convert(file.parse(notes, decimal=file.point), file.comma, notes)
    name = column_named(target, frame.columns)
    words = words_of(file, [frame.columns.get_loc(name)])
    return Source(with_words(frame, name, words.iloc[:, 0], notes), name, written)


def is_parquet(path: str) -> bool:
    """Whether a file is one of Parquet; a `TableError` if it is none that can be read."""
    file = Path(path)
    check_file(path)
    try:
        with file.open("rb") as stream:
            start = stream.read(4)
    except OSError as error:
        raise TableError(f"{path} can't be read: {error.strerror}.") from error
    if start == b"PK\x03\x04":
        raise TableError(f"{path} is a spreadsheet or an archive; save the table as CSV.")
    return start == b"PAR1" or file.suffix.lower() in {".parquet", ".pq"}


def read_text(path: str, form: Format) -> Written:
    """A text file, with everything found out that `form` does not say."""
    text = _read_text(path, form.encoding)
    mark = SEPARATORS.get(form.separator, form.separator)
    if form.separator == "auto":
        mark = _find_separator(text)
    decimal = DECIMALS.get(form.decimal, form.decimal)
    comma = decimal == "," or (decimal == "auto" and mark == ";")
    return Written(path, text, mark, comma, "," if decimal == "," else ".", form.header)


def words_of(file: Written, places: list[int]) -> "pd.DataFrame":
    """The cells of some columns as they stand there; empty ones and "?" are missing."""
    return file.parse([], dtype=str, keep_default_na=False, na_values=["", "?"], usecols=places)


def check_file(path: str, what: str = "a CSV or Parquet file") -> None:
    """A `TableError` if there is no file, or nothing in it."""
    file = Path(path)
    if file.is_dir():
        raise TableError(f"{path} is a folder; give {what} in it.")
    if not file.exists():
        names = [p.name for p in file.parent.iterdir()] if file.parent.is_dir() else []
        raise TableError(f"there is no file {path}.{did_you_mean(file.name, names)}")
    if file.stat().st_size == 0:
        raise TableError(f"{path} is empty.")


def read_parquet(path: str) -> "pd.DataFrame":
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except ImportError as error:
        raise TableError(
            "reading Parquet needs pyarrow, which is not installed: pip install pyarrow, "
            "or save the table as CSV."
        ) from error
    except Exception as error:  # pyarrow's own kinds
        raise TableError(f"{path} can't be read as Parquet: {one_line(error)}") from error
    frame = frame.rename(columns=str)
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise TableError(f"{path} has two columns called {twice[0]!r}; rename one of them.")
    return frame


# Text


def _read_text(path: str, encoding: str) -> str:
    """What a file says, without its byte order mark and blank lines before the first."""
    try:
        with OPENERS.get(Path(path).suffix.lower(), open)(path, "rb") as file:
            data = file.read()
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise TableError(f"{path} can't be read: {one_line(error)}") from error
    if encoding == "auto":
        encoding = next((name for mark, name in MARKS if data.startswith(mark)), "utf-8")
        if encoding == "utf-8" and b"\0" in data[: 1 << 16]:
            raise TableError(
                f"{path} is not a text file; save the table as CSV in UTF-8, or give its "
                "--encoding, such as utf-16."
            )
    try:
        text = data.decode(encoding)
    except UnicodeError as error:
        if encoding != "utf-8":
            raise TableError(f"{path} is not in the encoding {encoding}.") from error
        raise TableError(
            f"{path} is not UTF-8 text; older files of Western European languages are read "
            "with --encoding latin-1."
        ) from error
    if not text.strip("\ufeff\0 \t\r\n"):
        raise TableError(f"{path} is empty.")
    return text.lstrip("\ufeff\r\n")


def _find_separator(text: str) -> str:
    """The one that cuts the header and most of the first lines into most columns.

    A comma only if no other does, because there may be one in every number. If the header
    has not as many columns as the lines, the one that cuts it into most.
    """
    widths = {mark: _widths(text, mark) for mark in ",;\t|"}
    fitting = [m for m, found in widths.items() if found[0] == _usual(found) > 1]
    candidates = [mark for mark in fitting if mark != ","] or fitting or list(widths)
    return max(candidates, key=lambda mark: widths[mark][0])


def _usual(widths: list[int]) -> int:
    return Counter(widths).most_common(1)[0][0]


def _widths(text: str, mark: str) -> list[int]:
    """Numbers of values in the first lines; a value may have line breaks in quotation marks."""
    # Only \n, \r and both end a line for this stream.
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=True)
    with _fields_of_any_length():
        return [len(row) for row in islice(lines, 30) if row]


@contextmanager
def _fields_of_any_length() -> Iterator[None]:
    """The csv module's limit is 131,072 letters, one for the whole process."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _parse(
    path: str, text: str, mark: str, header: bool, notes: list[str], **options: Any
) -> "pd.DataFrame":
    """pandas' reader, with its errors in words of ours."""
    import pandas as pd

    options = {
        "sep": r"\s+" if mark == " " else mark, "header": 0 if header else None,
        "skipinitialspace": True, "na_values": ["?"], "index_col": False, "low_memory": False,
        **options,
    }  # fmt: skip
    try:
        if header:
            _check_names(path, text, options, notes)
        with warnings.catch_warnings():
            # More values than names would be cut off.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(io.StringIO(text), **options)
    except pd.errors.ParserWarning as error:
        names, values = _widths(text, mark)[0], _usual(_widths(text, mark)[1:])
        raise TableError(
            f"{path} can't be read as CSV: its rows have {values} values, but the header has "
            f"{names} names; each column needs one."
        ) from error
    except pd.errors.EmptyDataError as error:
        raise TableError(f"{path} is empty.") from error
    except (pd.errors.ParserError, ValueError, TypeError, OverflowError) as error:
        if isinstance(error, TableError):
            raise
        raise TableError(f"{path} can't be read as CSV: {_in_our_words(error)}") from error
    if not header:
        frame.columns = [str(number) for number in range(1, frame.shape[1] + 1)]
    return frame


def _check_names(path: str, text: str, options: dict[str, Any], notes: list[str]) -> None:
    """Names of columns: pandas would rename the second of two that are equal."""
    import pandas as pd

    names = pd.read_csv(
        io.StringIO(text), sep=options["sep"], skipinitialspace=True, header=None, nrows=1,
        dtype=str, keep_default_na=False,
    ).iloc[0]  # fmt: skip
    counts = Counter(names)
    twice = [name for name, count in counts.items() if count > 1 and name]
    hint = _hint_of_header(names)
    if twice:
        raise TableError(f"{path} has two columns called {twice[0]!r}; rename one of them.{hint}")
    if hint:
        notes.append(f"most names of columns are numbers.{hint}")


def _in_our_words(error: Exception) -> str:
    text = str(error)
    if found := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", text):
        expected, line, saw = found.groups()
        return f"line {line} has {saw} values, but the lines before it have {expected}."
    if found := re.search(r"EOF inside string starting at row (\d+)", text):
        return f"a quotation mark is opened in line {int(found[1]) + 1} and never closed."
    if "tokenizing data" in text:
        return "its lines can't be cut into values; is it the right --separator?"
    return one_line(error)


# Names and words


def column_named(name: str | None, names: Iterable[str]) -> str:
    """The column that is meant: letters may be coded in another way, blanks at the ends differ."""
    names = list(names)
    columns = f" The columns are: {shown(names)}.{_hint_of_header(names)}"
    if len(names) == 1:
        columns += " If that is more than one, give the --separator"
        columns += ", such as --separator space." if " " in names[0] else "."
    if name is None:
        raise TableError(f"give the column to predict with --target.{columns}")
    found = find_column(name, names)
    if found is None:
        raise TableError(f"there is no column {name!r}.{did_you_mean(name, names) or columns}")
    return found


def find_column(name: str, names: Iterable[str]) -> str | None:
    """The column that is meant, if there is one."""
    names = list(names)
    for form in (str, _composed, lambda text: _composed(text).strip()):
        same = [other for other in names if form(other) == form(name)]
        if same:
            return same[0]
    return None


def _hint_of_header(names: Iterable[str]) -> str:
    """What to do about numbers where names should be; years may be names."""
    numbers = [bool(re.fullmatch(r"[+-]?[\d.,]+([eE][+-]?\d+)?", name.strip())) for name in names]
    if sum(numbers) <= len(numbers) / 2:
        return ""
    return " If the file has no header, say --no-header."


def _composed(name: str) -> str:
    """Letters with their accents as one sign each."""
    return unicodedata.normalize("NFC", name)


def with_words(
    frame: "pd.DataFrame", target: str, words: "pd.Series", notes: list[str]
) -> "pd.DataFrame":
    """A target of text with the words that would mean "missing" among numbers, such as None."""
    column = frame[target]
    if column.notna().any() and not is_text(column):
        return frame
    kept = words[column.isna() & words.notna()].value_counts()
    if len(kept):
        listed = ", ".join(f"{word} ({n} row{plural(n)})" for word, n in kept.items())
        notes.append(f"taken for classes of {target!r}, not for missing values: {listed}")
    return frame.assign(**{target: words})
