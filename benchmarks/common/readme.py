"""The parts of the README that benchmarks write: what stands between the marks of each."""

from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def marks(folder: str) -> tuple[str, str]:
    """What stands before and after the part of a folder of benchmarks."""
    before = f"<!-- {folder}: written by python -m benchmarks.{folder} readme -->"
    return before, f"<!-- end of {folder} -->"


def renewed(readme: str, folder: str, block: str) -> str:
    """A README with a part written anew."""
    first, last = marks(folder)
    before, rest = readme.split(first)
    after = rest.split(last)[1]
    return f"{before}{first}\n\n{block}\n\n{last}{after}"


def write(folder: str, block: str) -> None:
    """Write a part of the README anew."""
    README.write_text(renewed(README.read_text(), folder, block))
