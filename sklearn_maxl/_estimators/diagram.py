"""What scikit-learn's diagram of a fitted estimator says about the fit."""

from collections.abc import Mapping
from html import escape


def about_as_html(about: Mapping[str, str]) -> str:
    """A table that looks like the diagram's own ones, by their names of styles, unfolded."""
    rows = "".join(
        f'<tr class="default"><td>{escape(name)}</td><td>{escape(line)}</td></tr>'
        for name, line in about.items()
    )
    return (
        '<div class="estimator-table"><details open><summary>Fit</summary>'
        f'<table class="parameters-table"><tbody>{rows}</tbody></table></details></div>'
    )
