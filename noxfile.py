"""The tests on other versions, and tests of the tests: `nox`.

`nox -s tests lowest` leaves out what this machine does not have; `coverage` takes as long as the
tests, `mutants` a night.
"""

import tomllib
from pathlib import Path

import nox

nox.options.sessions = ["tests", "lowest"]

ROOT = Path(__file__).parent
EXTRAS = ("test", "cli", "export", "machines", "plot", "progress")


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """Every Python, with the tested versions of the packages."""
    session.install("-c", "constraints.txt", "-e", ".[test]")
    session.run("python", "-m", "pytest", "-n", "2", *session.posargs)


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """The oldest versions that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    bounds = [*project["dependencies"], *(line for name in EXTRAS for line in optional[name])]
    oldest = [line.replace(">=", "==") for line in bounds if ">=" in line]
    constraints = Path(session.create_tmp()) / "oldest.txt"
    constraints.write_text("\n".join(oldest), encoding="utf-8")
    session.install("-c", str(constraints), "-e", ".[test]")
    # Old packages call what newer ones of others, which no bound is on, deprecate.
    told = ("-W", "ignore::DeprecationWarning")
    session.run("python", "-m", "pytest", "-n", "2", *told, *session.posargs)


@nox.session(python="3.11")
def coverage(session: nox.Session) -> None:
    """How much of the package the tests run, branch by branch; fails below what they did once."""
    session.install("-c", "constraints.txt", "-e", ".[test]", "pytest-cov")
    session.run("python", "-m", "pytest", "-n", "2", "--cov", *session.posargs)


@nox.session(python="3.11")
def mutants(session: nox.Session) -> None:
    """What the tests of the mathematics say when its code is wrong; for a night."""
    session.install("-c", "constraints.txt", "-e", ".[test]", "mutmut>=3.8")
    session.run("python", "-m", "mutmut", "run", *session.posargs)
