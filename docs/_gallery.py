"""How sphinx-gallery runs the examples; conf.py names what is here by strings."""

import random
from pathlib import Path

import numpy as np
import torch

# The order of the gallery: from a first look to what few need. Others follow by name.
ORDER = [
    "plot_quickstart.py",
    "plot_own_network.py",
    "plot_images.py",
    "plot_table.py",
    "plot_grid_search.py",
    "dask_search.py",
    "optuna_search.py",
    "plot_psi.py",
    "plot_labels.py",
    "plot_five_settings.py",
    "plot_hidden_clusters.py",
    "plot_regression.py",
    "plot_compare.py",
    "plot_save_and_serve.py",
    "export.py",
    "serve.py",
    "serve_load.py",
    "method_on_one_page.py",
    "options.py",
    "many_processes.py",
    "torchvision_backbone.py",
]

# Examples that take options run with fewer seeds than by default, to keep the build short.
ARGUMENTS = {
    "plot_five_settings.py": ["--seeds", "3"],
    "plot_hidden_clusters.py": ["--seeds", "3"],
}


def place(filename: str) -> tuple[int, str]:
    """Sorting key of an example."""
    name = Path(filename).name
    return ORDER.index(name) if name in ORDER else len(ORDER), name


def arguments(gallery_conf: dict, script_vars: dict) -> list[str]:
    """Command line of an example."""
    return ARGUMENTS.get(Path(script_vars["src_file"]).name, [])


def reset_random(gallery_conf: dict, filename: str) -> None:
    """Every example starts from the same global random states, whichever ran before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
