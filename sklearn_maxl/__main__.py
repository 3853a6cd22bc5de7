"""``python -m sklearn_maxl``."""

import sys

from ._cli.main import main

if __name__ == "__main__":  # worker processes import this file as well
    sys.exit(main())
