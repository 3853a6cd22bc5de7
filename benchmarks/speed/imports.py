"""Importing the package beside importing what it needs."""

import subprocess
import sys
from functools import partial

from benchmarks.speed.cases import Run
from benchmarks.speed.rows import Row, summarize
from benchmarks.speed.timing import timed

IMPORTS = {
    "import torch, sklearn, skorch": "import torch, sklearn, skorch",
    "import sklearn_maxl": "import sklearn_maxl",
}


def importing(run: Run) -> list[Row]:
    """Fresh processes that import and end."""
    methods = {
        name: timed(partial(subprocess.run, [sys.executable, "-c", code], check=True))
        for name, code in IMPORTS.items()
    }
    seconds = run.time(methods, 10)
    return summarize("import", run.device, "a fresh process", next(iter(IMPORTS)), seconds)
