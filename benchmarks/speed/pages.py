"""What the documentation shows of the speed: tables, figures and numbers by name."""

from collections.abc import Callable
from functools import partial

from benchmarks.common.figures import Panel
from benchmarks.common.rows import read
from benchmarks.common.tables import Table
from benchmarks.speed.figures import section
from benchmarks.speed.goals import goals, table
from benchmarks.speed.rows import PATH, machines, of_section
from benchmarks.speed.tables import of_section as tables_of

# A section on a device: "arms.cpu".
SECTIONS = {key.replace(", ", "."): tuple(key.split(", ")) for key in machines()}


def section_tables(name: str, device: str) -> str:
    """The tables of a section."""
    return tables_of(of_section(name, device))


def section_figure(name: str, device: str) -> list[Panel]:
    """The panels of a section."""
    return section(of_section(name, device))


def goals_table() -> Table:
    """The goals that were measured."""
    return table(goals(read(PATH)))


def facts() -> dict[str, str]:
    """How many goals were reached, and the machine of each section."""
    found, of = goals(read(PATH)), machines()
    counts = {"reached": f"{sum(goal.reached for goal in found)}", "goals": f"{len(found)}"}
    return {**counts, **{f"{name}.machine": of[", ".join(key)] for name, key in SECTIONS.items()}}


TABLES: dict[str, Callable[[], Table | str]] = {
    "goals": goals_table,
    **{name: partial(section_tables, *key) for name, key in SECTIONS.items()},
}
FIGURES = {name: partial(section_figure, *key) for name, key in SECTIONS.items()}
FACTS = facts
