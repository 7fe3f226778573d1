"""The page: HTML written by hand, one style sheet, no scripts, nothing fetched from anywhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from html import escape

from adorym.report._style import Picture

_CSS = """
:root { --ink:#1c2733; --muted:#5b6876; --rule:#dde3e8; --accent:#0072B2; --ground:#f4f6f8; }
* { box-sizing:border-box; }
html { -webkit-text-size-adjust:100%; }
body { margin:0; background:var(--ground); color:var(--ink);
  font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif; }
main { max-width:1080px; margin:0 auto; padding:40px 20px 56px; }
header p { font-size:18px; line-height:1.5; max-width:52em; margin:.4em 0; }
h1 { font-size:31px; line-height:1.2; margin:0 0 .35em; letter-spacing:-.01em; }
h2 { font-size:21px; margin:0 0 .5em; }
h3 { font-size:16px; margin:1.6em 0 .4em; }
p { max-width:58em; margin:.5em 0; }
a { color:var(--accent); }
.eyebrow { color:var(--accent); font-weight:600; font-size:13px; letter-spacing:.08em;
  text-transform:uppercase; margin:0; }
.cards { display:grid; grid-template-columns:repeat(auto-fit,minmax(158px,1fr)); gap:12px; margin:26px 0 0; }
.card { background:#fff; border:1px solid var(--rule); border-top:3px solid var(--accent);
  border-radius:8px; padding:13px 15px; }
.card b { display:block; font-size:24px; line-height:1.2; white-space:nowrap; letter-spacing:-.01em; }
.card span { display:block; font-size:14px; }
.card small { display:block; font-size:12.5px; color:var(--muted); line-height:1.35; margin-top:3px; }
section { background:#fff; border:1px solid var(--rule); border-radius:10px; padding:24px 28px; margin:22px 0 0; }
figure { margin:18px 0 0; }
figure img { display:block; max-width:100%; height:auto; }
figcaption { font-size:14px; color:var(--muted); max-width:62em; margin-top:7px; }
.pair { display:grid; grid-template-columns:repeat(auto-fit,minmax(400px,1fr)); gap:8px 30px; }
.scroll { overflow-x:auto; }
table { border-collapse:collapse; font-size:15px; margin:14px 0 0; }
th, td { text-align:left; vertical-align:top; padding:6px 22px 6px 0; border-bottom:1px solid var(--rule); }
thead th { border-bottom:2px solid var(--ink); font-weight:600; white-space:nowrap; }
tbody th { font-weight:400; color:var(--muted); white-space:nowrap; }
td { font-variant-numeric:tabular-nums; }
td.best { font-weight:700; color:var(--accent); }
dl { margin:10px 0 0; font-size:15px; max-width:62em; }
dt { font-weight:600; margin-top:.7em; }
dd { margin:0; color:var(--muted); }
.finding { border-left:4px solid var(--accent); padding:2px 0 2px 16px; font-size:17px; }
footer { color:var(--muted); font-size:13px; margin-top:24px; }
footer span { margin-right:1.6em; white-space:nowrap; }
@media print { body { background:#fff; } main { padding:0; max-width:none; } section, .card { break-inside:avoid; } }
@media (max-width:640px) { section { padding:18px 16px; } h1 { font-size:25px; } .pair { grid-template-columns:1fr; } }
"""


_BEST = ' class="best"'


@dataclasses.dataclass(frozen=True)
class Table:
    """A table: its head (may be empty), rows that begin with their name, and the places (row, column) to stress."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: frozenset[tuple[int, int]] = frozenset()
    links: tuple[str, ...] = ()


def page(title: str, header: str, sections: Iterable[str], *, provenance: Sequence[tuple[str, str]]) -> str:
    """A whole document."""
    foot = " ".join(f"<span>{escape(name)} {escape(text)}</span>" for name, text in provenance)
    body = "\n".join(part for part in sections if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n<main>\n"
        f"{header}\n{body}\n<footer>{foot}</footer>\n</main>\n</body>\n</html>\n"
    )


def heading(eyebrow: str, title: str, paragraphs: Iterable[str]) -> str:
    """The top of the page."""
    lead = "".join(f"<p>{escape(one)}</p>" for one in paragraphs if one)
    return f'<header><p class="eyebrow">{escape(eyebrow)}</p><h1>{escape(title)}</h1>{lead}</header>'


def cards(items: Iterable[tuple[str, str, str]]) -> str:
    """The key numbers: value, name, remark."""
    inner = "".join(
        f'<div class="card"><b>{escape(value)}</b><span>{escape(name)}</span><small>{escape(remark)}</small></div>'
        for value, name, remark in items
    )
    return f'<div class="cards">{inner}</div>'


def section(title: str, *parts: str) -> str:
    """A titled box; empty parts are left out, and so is a box without any."""
    inner = "".join(parts)
    return f"<section><h2>{escape(title)}</h2>{inner}</section>" if inner else ""


def paragraphs(texts: Iterable[str], kind: str = "") -> str:
    """Plain paragraphs."""
    mark = f' class="{escape(kind)}"' if kind else ""
    return "".join(f"<p{mark}>{escape(text)}</p>" for text in texts if text)


def figure(picture: Picture, caption: str) -> str:
    """A picture with its caption."""
    image = f'<img src="{picture.source}" width="{picture.width}" alt="{escape(picture.alt)}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def pair(*figures: str) -> str:
    """Figures side by side where there is room."""
    return f'<div class="pair">{"".join(figures)}</div>' if any(figures) else ""


def table(content: Table) -> str:
    """A table; the first cell of a row is its name."""
    head = "".join(
        f"<th>{_linked(text, content.links[index - 1] if index and content.links else '')}</th>"
        for index, text in enumerate(content.head)
    )
    rows = "".join(_row(cells, row, content.best) for row, cells in enumerate(content.rows))
    top = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f'<div class="scroll"><table>{top}<tbody>{rows}</tbody></table></div>'


def definitions(items: Iterable[tuple[str, str]]) -> str:
    """Terms and what they mean."""
    inner = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in items)
    return f"<dl>{inner}</dl>"


def _row(cells: tuple[str, ...], row: int, best: frozenset[tuple[int, int]]) -> str:
    name, *values = cells
    inner = "".join(_cell(text, (row, column) in best) for column, text in enumerate(values))
    return f"<tr><th>{escape(name)}</th>{inner}</tr>"


def _cell(text: str, best: bool) -> str:
    return f"<td{_BEST if best else ''}>{escape(text)}</td>"


def _linked(text: str, link: str) -> str:
    return f'<a href="{escape(link)}">{escape(text)}</a>' if link else escape(text)
