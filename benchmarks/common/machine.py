"""Hardware and versions, for the comments above the rows."""

import platform
import re
from pathlib import Path

import numpy as np
import sklearn
import skorch
import torch


def processes(n_jobs: int) -> str:
    """The machine of runs in processes of one thread."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()
    return (
        f"{device}, {_versions()}; {n_jobs} process{'es' if n_jobs > 1 else ''} of one torch thread"
    )


def in_detail(device: str) -> str:
    """The machine where time is measured."""
    name = torch.cuda.get_device_name() if device != "cpu" else _processor()
    return f"{name}, {_versions()}, skorch {skorch.__version__}, numpy {np.__version__}"


def _versions() -> str:
    return (
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"scikit-learn {sklearn.__version__}"
    )


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    text = information.read_text() if information.exists() else ""
    named = re.search(r"model name\s*:\s*(.+)", text)
    return named.group(1).strip() if named else platform.machine()
