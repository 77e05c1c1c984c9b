"""Accounts side by side."""

from __future__ import annotations

from collections.abc import Sequence

from quotewell.portfolio.summary import AccountRow
from quotewell.views.render.amounts import Unit, coloured
from quotewell.views.render.layout import Column, Line, Table, cell
from quotewell.views.words import NOT_AVAILABLE, number, percent

__all__ = ["accounts"]

_SHOWN = 8
_NAME_WIDTH = 24


def accounts(rows: Sequence[AccountRow], unit: Unit, width: int) -> list[Line]:
    """A line for each account, where there are several; those beyond the eighth are counted."""
    if len(rows) < 2:
        return []
    columns = [
        Column("Account", left=True),
        Column("Rows", goes=1),
        Column(f"Value {unit.name}"),
        Column("%"),
        Column("Net exposure"),
        Column("Beta-adj", goes=2),
        Column("", left=True),
    ]
    cells = []
    for row in rows[:_SHOWN]:
        name = cell(row.account or NOT_AVAILABLE)
        name.truncate(_NAME_WIDTH)
        cells.append(
            [
                name,
                cell(number(row.rows)),
                unit.amount(row.value),
                coloured(percent(row.share_of_value)),
                unit.amount(row.exposure),
                unit.amount(row.beta_adjusted),
                cell("" if row.complete else f"+ {NOT_AVAILABLE}", "yellow"),
            ]
        )
    lines = Table(columns, cells).fitted(width).lines()
    if len(rows) > _SHOWN:
        lines.append(cell(f"and {number(len(rows) - _SHOWN)} more: --json shows all", "dim"))
    return lines
