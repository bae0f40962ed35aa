"""The pieces of a page that stands alone: its style, pictures inside it, sections. Imports no torch."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from html import escape

from matplotlib.figure import Figure

from simulacra.report import figures

CSS = """
:root { color-scheme: light dark; --ground: #fff; --ink: #24292f; --muted: #626b75; --rule: #e4e7eb;
  --soft: #f5f6f8 }
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans",
  "Liberation Sans", Arial,
  sans-serif }
main { max-width: 1088px; margin: 0 auto; padding: 48px 24px 64px }
h1, h2 { line-height: 1.2; font-weight: 600; overflow-wrap: anywhere }
h1 { font-size: 2rem; letter-spacing: -.01em; margin: 0 0 8px }
h2 { font-size: 1.125rem; margin: 0 0 12px }
h3 { font-size: .875rem; font-weight: 600; margin: 0 0 4px }
p { margin: 0 0 12px; overflow-wrap: anywhere }
.lead { font-size: 1.125rem; color: var(--muted); max-width: 46em; margin: 0 }
.note { color: var(--muted); font-size: .875rem; max-width: 60em }
.warning { border-left: 3px solid #d55e00; background: var(--soft); padding: 10px 14px; margin: 24px 0 0 }
ul.warning { margin: 0 0 16px; padding-left: 32px; font-size: .9375rem; overflow-wrap: anywhere }
section, .gallery { margin-top: 40px; padding-top: 32px; border-top: 1px solid var(--rule) }
table { border-collapse: collapse; width: 100%; font-size: .9375rem }
th, td { text-align: left; vertical-align: baseline; font-weight: 400; padding: 7px 16px 7px 0;
  border-bottom: 1px solid var(--rule) }
tr:last-child > * { border-bottom: 0 }
.numbers th { white-space: nowrap }
.numbers .value { text-align: right; font-variant-numeric: tabular-nums; font-weight: 600;
  white-space: nowrap;
  padding-right: 6px }
.numbers .unit { color: var(--muted); white-space: nowrap; padding-right: 28px }
.numbers .meaning { color: var(--muted); width: 100%; padding-right: 0 }
.scroll { overflow-x: auto; margin-top: 24px }
.columns { font-size: .875rem; width: auto; font-variant-numeric: tabular-nums }
.columns th, .columns td { text-align: right; padding: 5px 0 5px 24px }
.columns tr > :first-child { text-align: left; padding-left: 0 }
.columns tr:first-child > * { color: var(--muted); vertical-align: bottom }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr));
  gap: 16px 20px }
.gallery { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 48px 40px }
figure { margin: 0; break-inside: avoid }
.gallery > figure:last-child:nth-child(odd) { grid-column: 1 / -1; display: grid;
  grid-template-columns: subgrid; grid-template-rows: auto 1fr; column-gap: inherit }
.gallery > figure:last-child:nth-child(odd) > h2 { grid-column: 1 / -1 }
figcaption { color: var(--muted); font-size: .875rem; line-height: 1.5; margin-top: 10px; max-width: 500px }
img { display: block; max-width: 100%; height: auto }
.pixelated { image-rendering: pixelated }
.pairs { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 12px;
  align-items: center }
.pairs > div { font-size: .8125rem; color: var(--muted) }
.pairs > :nth-child(4n + 3), .pairs > :nth-child(4n) { margin-bottom: 12px }
.pairs > :nth-last-child(-n + 2), .pairs.strips > * { margin-bottom: 0 }
.named { display: grid; grid-template-columns: repeat(var(--n), minmax(0, var(--w))); gap: 12px 14px;
  font-size: .75rem; line-height: 1.35; margin-bottom: 16px }
.named > div { overflow-wrap: anywhere }
.named img { margin-bottom: 4px }
.named .wrong img { outline: 2px solid #d55e00; outline-offset: 1px }
details > summary { cursor: pointer; font-size: 1.125rem; font-weight: 600 }
.settings { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 260px), 1fr));
  gap: 24px 40px;
  margin-top: 20px; align-items: start }
.settings table { font-size: .8125rem }
.settings th, .settings td { padding: 4px 12px 4px 0 }
.settings td { text-align: right; padding-right: 0; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere }
.settings .changed > * { font-weight: 600 }
.settings tr:not(.changed) > * { color: var(--muted) }
pre span { display: inline-block; max-width: 100% }
pre { background: var(--soft); border-radius: 6px; padding: 12px 16px; margin: 0 0 12px; font-size: .8125rem;
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; line-height: 1.6;
  white-space: pre-wrap; overflow-wrap: anywhere }
footer { margin-top: 40px; padding-top: 16px; border-top: 1px solid var(--rule) }
@media screen and (max-width: 760px) {
  main { padding: 28px 18px 40px }
  h1 { font-size: 1.625rem }
  .gallery { grid-template-columns: minmax(0, 1fr) }
  .gallery > figure:last-child:nth-child(odd) { display: block }
  .numbers tr { display: grid; grid-template-columns: 1fr auto auto; padding: 7px 0;
    border-bottom: 1px solid var(--rule) }
  .numbers tr:last-child { border-bottom: 0 }
  .numbers tr > * { padding: 0; border: 0 }
  .numbers th { white-space: normal }
  .numbers .value { padding: 0 6px }
  .numbers .unit { padding: 0 }
  .numbers .meaning { grid-column: 1 / -1; font-size: .8125rem }
}
@media screen and (prefers-color-scheme: dark) {
  :root { --ground: #16181c; --ink: #e6e8eb; --muted: #9aa3ad; --rule: #2d3138; --soft: #1f2227 }
  .chart { filter: invert(1) hue-rotate(180deg) }
  .paper { background: #fff; border-radius: 6px; filter: brightness(.9) }
}
@media print {
  body { font-size: 12px }
  main { max-width: none; padding: 0 }
  .gallery { gap: 28px 24px }
  .curves { grid-template-columns: repeat(3, minmax(0, 1fr)) }
  section, .gallery { margin-top: 24px; padding-top: 16px }
  h2, summary { break-after: avoid }
  tr, pre { break-inside: avoid }
  details::details-content { content-visibility: visible; block-size: auto }
}
"""


def document(title: str, parts: Iterable[str], style: str = "") -> str:
    """A whole page of HTML that needs nothing else; empty parts are left out.

    Args:
        title: plain text.
        parts: HTML.
        style: CSS besides the common one.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} - simulacra</title>\n<style>{CSS}{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def section(name: str, title: str, body: str) -> str:
    """A `<section>` with a heading; all three are HTML."""
    return f'<section id="{name}"><h2>{title}</h2>{body}</section>'


def chart(figure: Figure, alt: str, css: str = "chart", small: bool = False) -> str:
    """An `<img>` of a matplotlib figure, at its own size.

    The class `chart` is inverted where the page is dark, `paper` stays on a light ground. `small`: as
    `figures.small_png`, for pages with many.
    """
    width, height = (round(100 * side) for side in figure.get_size_inches())
    png = figures.small_png(figure) if small else figures.png(figure)
    return img(png, width, height, alt, css)


def img(png: bytes, width: int, height: int, alt: str, css: str) -> str:
    """An `<img>` that holds its PNG file, of this many CSS pixels."""
    data = b64encode(png).decode("ascii")
    return (
        f'<img class="{css}" width="{width}" height="{height}" alt="{escape(alt)}"'
        f' src="data:image/png;base64,{data}">'
    )


def minus(text: str) -> str:
    """Hyphens that stand for a minus, as a minus.

    >>> minus("-0.5 of a well-known -x")
    '−0.5 of a well-known −x'
    """
    return re.sub(r"(?<![\w-])-(?=\w)", "\u2212", text)
