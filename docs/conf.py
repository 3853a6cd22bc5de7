"""Sphinx configuration; neither the build nor the pages need a network."""

from docutils.nodes import SkipNode
from docutils.utils.math import latex2mathml

from sklearn_maxl import __version__

project = "sklearn_maxl"
author = "The sklearn_maxl developers"
project_copyright = f"2026, {author}"
release = version = __version__

extensions = ["sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["_build"]

# The parameters' and methods' documentation stands once, in the class's own page.
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say them in words

html_title = project
html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"**": []}  # the header has room for all pages
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
