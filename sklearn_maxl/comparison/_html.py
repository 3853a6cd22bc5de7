"""A comparison as HTML that needs no other file, script or network."""

from collections.abc import Iterable
from html import escape

from ._summary import Summary
from ._text import cells, footnote, header, verdict

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
.maxl .other { opacity: .75; }
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


def fragment(summary: Summary) -> str:
    """Verdict and table, as a notebook shows them."""
    return f'<div class="maxl"><style>{_STYLE}</style>{_body(summary)}</div>'


def page(
    title: str,
    summary: Summary,
    figures: Iterable[tuple[str, str]],
    facts: Iterable[tuple[str, str]],
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
{_body(summary)}
<h2>Figures</h2>
{images}
<h2>What was compared</h2>
<dl>
{details}
</dl>
</body>
</html>
"""


def _body(summary: Summary) -> str:
    return (
        f'<p class="verdict">{escape(verdict(summary))}</p>\n'
        f'<div class="wide">{_table(summary)}</div>\n'
        f'<p class="note">{escape(footnote(summary))}</p>'
    )


def _table(summary: Summary) -> str:
    heads = [
        text.replace(" in ", " in\xa0").replace(" per ", "\xa0per\xa0")  # not broken there
        for text in header(summary.units)
    ]
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    lines = []
    for row in (*summary.rows, *summary.baselines):
        name, *rest = (escape(text) for text in cells(row, summary.units))
        values = "".join(f"<td>{text}</td>" for text in rest)
        line = ' class="other"' if row in summary.baselines else ""
        lines.append(f'<tr{line}><th scope="row">{name}</th>{values}</tr>')
    body = "\n".join(lines)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
