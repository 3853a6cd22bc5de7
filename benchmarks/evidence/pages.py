"""What the documentation shows of the evidence: tables, figures and numbers by name."""

from functools import partial

from benchmarks.common.rows import results
from benchmarks.evidence import choosing, figures, tables
from benchmarks.evidence.arms import (
    DECIDING,
    TUNED_TABLES,
    UNTUNED_TABLES,
    WITHOUT_UPRIGHT,
)
from benchmarks.evidence.compared import BEST, DEFAULT
from benchmarks.evidence.facts import facts
from benchmarks.evidence.sets import TABLES as TABLE_SETS
from benchmarks.evidence.settings import (
    DECAY_CHANGES,
    IMAGE_IDEAS,
    ON_IMAGES,
    ON_TABLES,
    TABLE_IDEAS,
)

TABLES = {
    "arms": tables.arms,
    "images": partial(tables.images, DECIDING),
    "without_upright": partial(tables.images, WITHOUT_UPRIGHT),
    "table_summary": partial(tables.summary, UNTUNED_TABLES, BEST),
    "tables_to_default": partial(tables.summary, UNTUNED_TABLES, DEFAULT),
    "tuned_summary": partial(tables.summary, TUNED_TABLES, BEST),
    "tables": tables.tables,
    "earlier": tables.earlier,
    "trials": tables.trials_chosen,
    "cost": tables.cost,
    "best_singles": tables.chosen_singles,
    "settings_of_images": partial(choosing.settings, of_tables=False),
    "settings_of_tables": partial(choosing.settings, of_tables=True),
    "decay": partial(choosing.effects, [*DECAY_CHANGES], next(iter(DECAY_CHANGES)), TABLE_SETS),
    "ideas_on_tables": partial(choosing.effects, [*TABLE_IDEAS], ON_TABLES, TABLE_SETS),
    "ideas_on_images": partial(choosing.effects, [*IMAGE_IDEAS], ON_IMAGES, ["digits-images"]),
    "heads": lambda: choosing.heads(results("short_trainings")),
    "defaults_of_200": lambda: choosing.defaults_of_tables(results("defaults_of_tables"), 200),
    "defaults_of_1000": lambda: choosing.defaults_of_tables(results("defaults_of_tables"), 1000),
}
FIGURES = {
    "summary": figures.summary,
    "images": partial(figures.images, DECIDING),
    "ranks_tables": partial(figures.ranks, UNTUNED_TABLES),
}
FACTS = facts
