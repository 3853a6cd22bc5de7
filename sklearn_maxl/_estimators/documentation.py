"""Where the built docs are, for the link in the HTML representation of an estimator."""

import os
from importlib.metadata import PackageNotFoundError, metadata

VARIABLE = "SKLEARN_MAXL_DOCS"


def documentation_url() -> str:
    """Address of the docs without a slash at the end; "" where none is known.

    The environment variable comes first: it is for those who host the pages themselves, and
    for the pages, which link to each other. Else it is the project URL "Documentation" of
    ``pyproject.toml``.
    """
    return (os.environ.get(VARIABLE) or _project_url("Documentation")).rstrip("/")


def _project_url(label: str) -> str:
    try:
        entries = metadata("sklearn_maxl").get_all("Project-URL") or []
    except PackageNotFoundError:  # the source alone, not installed
        return ""
    urls = dict(entry.split(", ", 1) for entry in entries)
    return urls.get(label, "")
