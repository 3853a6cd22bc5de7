"""Sphinx configuration; neither the build nor the pages need a network."""

import os
import sys
from pathlib import Path

from docutils.nodes import SkipNode
from docutils.utils.math import latex2mathml

from sklearn_maxl import __version__

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]  # _*.py, benchmarks

project = "sklearn_maxl"
author = "The sklearn_maxl developers"
project_copyright = f"2026, {author}"
release = version = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "_parameters",
    "_results",
]
exclude_patterns = ["_build"]
default_role = "code"  # single backticks, as in docstrings
templates_path = ["_templates"]

# The parameters' and methods' documentation stands once, in the class's own page.
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"  # "fit()" has room beside the page
autodoc_typehints = "none"  # the docstrings say them in words
autosummary_context = {
    # What scikit-learn's base classes bring along; its own pages describe it.
    "inherited": [
        "fit_transform",
        "get_feature_names_out",
        "get_metadata_routing",
        "get_params",
        "score",
        "set_fit_request",
        "set_output",
        "set_params",
        "set_partial_fit_request",
        "set_score_request",
    ]
}

# The gallery: everything in examples/ runs in the build but what needs more than is installed.
os.environ["SKLEARN_MAXL_DOCS"] = ".."  # HTML representations link from there to the API pages
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"[/\\](plot_\w+|export|options|method_on_one_page)\.py$",
    "within_subsection_order": "_gallery.place",
    "parallel": 2,  # examples at a time
    "reset_modules": ("matplotlib", "_gallery.reset_random"),
    "reset_argv": "_gallery.arguments",
    "doc_module": ("sklearn_maxl",),
    "prefer_full_module": {
        r"sklearn_maxl\.(backbones|callbacks|comparison|functional|labels|optimizers|plots)"
    },
    "backreferences_dir": "auto_examples/backreferences",
    "image_srcset": ["2x"],
    "ignore_repr_types": r"matplotlib|Display",  # what draws says nothing else
    "default_thumb_file": str(Path(__file__).parent / "figures" / "method.svg"),
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_signature": False,
    "write_computation_times": False,
}

html_title = project
html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "show_prev_next": False,
    # Not beside the first page, examples and the widest table, which take the room.
    "secondary_sidebar_items": {
        "*": ["page-toc"],
        "generated/*": ["page-toc"],
        "index": [],
        "auto_examples/*": [],
        "choosing": [],
        "command": [],
    },
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "start": []}  # no pages below them
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sourcelink = False
html_math_renderer = "mathml"


def formula(as_block):
    """Writer of formulas as MathML, which browsers show without a script from elsewhere."""

    def visit(self, node):
        self.body.append(latex2mathml.tex2mathml(node.astext(), as_block=as_block))
        raise SkipNode

    return visit, None


def setup(app):
    """Sphinx's hook."""
    app.add_html_math_renderer("mathml", formula(False), formula(True))
