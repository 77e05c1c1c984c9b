"""`quotewell positions --html`: one page with one table, for a browser or a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from quotewell.portfolio.export import guarded
from quotewell.portfolio.importers import RejectedRow
from quotewell.portfolio.row import ValuedRow
from quotewell.portfolio.selection import Group
from quotewell.views.words import NOT_AVAILABLE, number, printable

__all__ = ["positions_page"]

_STYLE = """
body { font: 14px system-ui, sans-serif; margin: 2em; color-scheme: light dark }
table { border-collapse: collapse } th, td { padding: .2em .8em; text-align: left }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
thead th { border-bottom: 1px solid; position: sticky; top: 0; background: Canvas }
tr.g td { font-weight: 600; border-top: 1px solid #8886 } td.m { color: #c33 } .w { color: #a60 }
"""
_COLUMNS = (
    ("Symbol", ""), ("Account", ""), ("Description", ""), ("Quantity", "n"), ("Price", "n"), ("Value", "n"),
    ("Delta", "n"), ("Beta", "n"), ("Exposure", "n"), ("Beta-adjusted", "n"), ("Notes", ""),
)  # fmt: skip


def positions_page(
    head: Sequence[str],
    rows: Sequence[ValuedRow] | Sequence[Group],
    rejected: Sequence[RejectedRow],
    currency: str,
) -> str:
    """A whole HTML document; nothing in it runs or is loaded.

    Args:
        head: Lines above the table.
        rows: In the order to show; or groups, whose sums stand above their rows.
        rejected: Rows that could not be read.
        currency: The base currency, of values and exposures.
    """
    title = _text(head[0] if head else "Positions")
    headings = "".join(f'<th class="{kind}">{name}</th>' for name, kind in _COLUMNS)
    body = "\n".join(_lines(rows))
    above = "".join(f"<p>{_text(line)}</p>" for line in head)
    below = "".join(f'<p class="w">line {row.line}: {_text(row.reason)}</p>' for row in rejected)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>\n{above}<p>Values and exposures in {escape(currency)}.</p>\n"
        f"<table><thead><tr>{headings}</tr></thead><tbody>\n{body}\n</tbody></table>\n{below}</body></html>\n"
    )


def _lines(rows: Sequence[ValuedRow] | Sequence[Group]) -> list[str]:
    lines = []
    for one in rows:
        if isinstance(one, Group):
            lines.append(_group(one))
            lines += [_row(row) for row in one.rows]
        else:
            lines.append(_row(one))
    return lines


def _group(group: Group) -> str:
    note = "" if group.complete else "some figures are missing"
    texts = (group.underlying or "Cash and pending", "", "")
    figures = (None, None, group.value, None, None, group.exposure, group.beta_adjusted)
    return _tr(texts, [("" if figure is None else number(figure, 2)) for figure in figures], note, "g")


def _row(row: ValuedRow) -> str:
    texts = (row.symbol or "", row.account or "", row.description)
    exact = (row.quantity, row.price, row.value, row.delta, row.beta, row.exposure, row.beta_adjusted)
    figures = [NOT_AVAILABLE if figure is None else number(figure, 2) for figure in exact]
    return _tr(texts, figures, ", ".join(flag.replace("_", " ") for flag in row.flags), "")


def _tr(texts: Sequence[str], figures: Sequence[str], note: str, kind: str) -> str:
    cells = [f"<td>{_text(text)}</td>" for text in texts]
    cells += [f'<td class="n{" m" if figure.startswith("−") else ""}">{figure}</td>' for figure in figures]
    return f'<tr class="{kind}">{"".join(cells)}<td class="w">{_text(note)}</td></tr>'


def _text(text: str) -> str:
    return escape(guarded(printable(text)))
