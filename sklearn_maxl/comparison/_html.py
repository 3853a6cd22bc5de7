"""A comparison as HTML that needs no other file, script or network."""

from collections.abc import Iterable
from html import escape

from ._text import Row, Units, cells, header

# A notebook may be dark: its own colours, and what shows on any.
_STYLE = """
.maxl { font-family: system-ui, "Segoe UI", "Helvetica Neue", "DejaVu Sans", sans-serif;
  line-height: 1.5; }
.maxl .verdict { border-left: 4px solid #0072B2; background: #0072B218; padding: .6em 1em;
  margin: 1em 0; font-size: 1.1em; }
.maxl table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums; }
.maxl th, .maxl td { padding: .35em .7em; text-align: right; white-space: nowrap;
  border-bottom: 1px solid #80808060; }
.maxl thead th { border-bottom: 2px solid; white-space: normal; vertical-align: bottom; }
.maxl tbody th { font-weight: 600; }
.maxl th:first-child, .maxl td:first-child { text-align: left; }
.maxl .note { opacity: .75; font-size: .9em; }
"""
_PAGE_STYLE = """
body { margin: 2em auto; max-width: 56em; padding: 0 1em; background: #fff; color: #222; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
.wide { overflow-x: auto; }
figure { margin: 1.5em 0; } figure img { width: 100%; }
figcaption { color: #595959; font-size: .9em; }
dl { display: grid; grid-template-columns: max-content auto; gap: .3em 1.2em; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
"""


def fragment(verdict: str, rows: list[Row], units: Units, footnote: str) -> str:
    """Verdict and table, as a notebook shows them."""
    return f'<div class="maxl"><style>{_STYLE}</style>{_body(verdict, rows, units, footnote)}</div>'


def page(
    title: str,
    verdict: str,
    rows: list[Row],
    units: Units,
    figures: Iterable[tuple[str, str]],
    facts: Iterable[tuple[str, str]],
    footnote: str,
) -> str:
    """A whole page; `figures` are captions with data URIs, `facts` names with texts."""
    images = "\n".join(
        f'<figure><img src="{escape(uri)}" alt="{escape(caption)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, uri in figures
    )
    details = "\n".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<title>{escape(title)}</title>
<style>{_STYLE}{_PAGE_STYLE}</style>
</head>
<body class="maxl">
<h1>{escape(title)}</h1>
{_body(verdict, rows, units, footnote)}
<h2>Figures</h2>
{images}
<h2>What was compared</h2>
<dl>
{details}
</dl>
</body>
</html>
"""


def _body(verdict: str, rows: list[Row], units: Units, footnote: str) -> str:
    return (
        f'<p class="verdict">{escape(verdict)}</p>\n<div class="wide">{_table(rows, units)}</div>\n'
        f'<p class="note">{escape(footnote)}</p>'
    )


def _table(rows: list[Row], units: Units) -> str:
    unbroken = {" in ": " in\xa0", " per ": "\xa0per\xa0"}
    kept = header(units)
    for space, fixed in unbroken.items():
        kept = [text.replace(space, fixed) for text in kept]
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in kept)
    lines = []
    for row in rows:
        name, *rest = (escape(text) for text in cells(row, units))
        lines.append(
            f'<tr><th scope="row">{name}</th>' + "".join(f"<td>{c}</td>" for c in rest) + "</tr>"
        )
    body = "\n".join(lines)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
