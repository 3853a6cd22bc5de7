"""The command line: ``python -m sklearn_maxl compare | fit | predict | inspect``."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from .compare import compare
from .describe import inspect
from .fit import fit
from .options import make_parser
from .predict import predict
from .sentences import FitError, TableError

COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "compare": compare, "fit": fit, "predict": predict, "inspect": inspect,
}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code.

    It is 0, 1 for a fit that failed, 2 for a wrong call or file, or 130 if interrupted.
    """
    options = make_parser().parse_args(argv)
    try:
        COMMANDS[options.command](options)
        sys.stdout.flush()
        return 0
    except TableError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except FitError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return 130
    except BrokenPipeError:  # whoever read the output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
