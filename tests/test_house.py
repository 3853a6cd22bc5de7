"""The folders of the package: imports go downwards, and the mathematics stands by itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_maxl

PACKAGE = Path(sklearn_maxl.__file__).parent

# From the top down. A folder imports only what stands on a lower floor.
FLOORS = [
    ["_cli"],
    ["comparison", "plots", "callbacks", "tables"],
    ["_estimators"],
    ["_persistence"],
    ["_training"],
    ["labels"],
    ["_data", "_networks", "functional"],
    ["_maths", "_tasks"],
    ["backbones", "optimizers"],
    ["_environment", "datasets", "memory_maps", "preprocessing"],
]
FLOOR_OF = {folder: floor for floor, folders in enumerate(FLOORS) for folder in folders}
FACE = [*sklearn_maxl.__all__, "__version__"]  # what the command uses like anybody else
MATHEMATICS = ["_maths", "_networks", "_data"]


def modules(name):
    """The files of a folder; a public module may be a single file."""
    return sorted((PACKAGE / name).glob("*.py")) or [PACKAGE / f"{name}.py"]


def imported(path):
    """Absolute names of what a file imports, wherever in it."""
    package = ["sklearn_maxl", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = [*above, *([node.module] if node.module else [])]
            yield from (".".join([*module, alias.name]) for alias in node.names)


def test_every_folder_has_a_floor():
    folders = {p.parent.name for p in PACKAGE.glob("*/*.py")}
    files = {p.stem for p in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert folders | files == set(FLOOR_OF)


def test_files_of_private_folders_have_plain_names_and_those_of_public_ones_do_not():
    for path in PACKAGE.glob("*/*.py"):
        private = path.parent.name.startswith("_")
        assert path.stem == "__init__" or path.stem.startswith("_") != private, path


@pytest.mark.parametrize("folder", FLOOR_OF)
def test_imports_go_downwards(folder):
    upwards = [
        (path.name, name)
        for path in modules(folder)
        for name in imported(path)
        if name.startswith("sklearn_maxl.")
        and (other := name.split(".")[1]) != folder
        and other not in FACE
        and not FLOOR_OF.get(other, -1) > FLOOR_OF[folder]
    ]
    assert upwards == []


ISOLATED = """
import importlib, sys, types
package = types.ModuleType("sklearn_maxl")
package.__path__ = [sys.argv[1]]
sys.modules["sklearn_maxl"] = package
for name in sys.argv[2:]:
    importlib.import_module(f"sklearn_maxl.{name}")
found = {"sklearn", "skorch", "scipy", "joblib"} & sys.modules.keys()
assert not found, found
"""


def test_the_mathematics_needs_neither_skorch_nor_scikit_learn():
    """Nor does anything that it imports."""
    names = [f"{folder}.{path.stem}" for folder in MATHEMATICS for path in modules(folder)]
    command = [sys.executable, "-W", "error", "-c", ISOLATED, str(PACKAGE), *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
