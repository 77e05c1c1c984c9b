"""The screen of `quotewell positions`: one line a row of the file."""

from __future__ import annotations

from collections.abc import Sequence

from quotewell.portfolio.importers import RejectedRow
from quotewell.portfolio.row import ValuedRow
from quotewell.portfolio.selection import Group
from quotewell.symbols import parse_option
from quotewell.views.render.amounts import Unit, unit_for
from quotewell.views.render.layout import EMPTY, Column, Line, Table, cell, inset
from quotewell.views.render.text import Text
from quotewell.views.words import count, day, number

__all__ = ["positions_screen"]

_SYMBOL_WIDTH = 28
_SHORTEST_NOTE = 12
_SHOWN_BY_MARKERS = (
    frozenset(("stale", "stale_beta", "reported", "assumed_rate", "assumed_dividend", "estimated", "model"))
    | {"no_beta", "given_beta", "given_rate", "given_dividend", "proxy_dividend", "override_price"}
    | {"override_beta", "discrete_dividends", "projected_dividend"}
)
"""Flags that a marker beside a figure, or its absence, already shows."""


def positions_screen(
    head: Sequence[Line],
    rows: Sequence[ValuedRow] | Sequence[Group],
    rejected: Sequence[RejectedRow],
    currency: str,
    width: int,
) -> list[Line]:
    """A table of rows, then the rejected ones.

    Args:
        head: Lines above the table.
        rows: In the order to show; or groups, whose sums stand above their rows.
        rejected: Rows that could not be read.
        currency: The base currency, of values and exposures.
        width: Characters in a line.
    """
    room = width - 2
    lines = [*head, EMPTY]
    lines += _table(rows, currency, room) if rows else [cell("no such rows", "dim")]
    if rejected:
        lines += [EMPTY, cell(count(len(rejected), "rejected row"), "bold")]
        lines += [cell(f"  line {row.line}: {row.reason}", "yellow") for row in rejected]
    return inset(lines, room)


def _table(shown: Sequence[ValuedRow] | Sequence[Group], currency: str, room: int) -> list[Line]:
    lines: list[ValuedRow | Group] = []
    for one in shown:
        lines += [one, *one.rows] if isinstance(one, Group) else [one]
    unit = unit_for([amount for line in lines for amount in (line.value, line.exposure)], currency)
    several_accounts = len({line.account for line in lines if isinstance(line, ValuedRow)}) > 1
    indent = "  " if len(lines) > len(shown) else ""
    columns = [
        Column("Symbol", left=True),
        Column("Account" if several_accounts else "", left=True, goes=3),
        Column("Qty"),
        Column("Price"),
        Column("", left=True, gap=0),
        Column(f"Value {unit.name}"),
        Column("Delta", goes=4),
        Column("", left=True, gap=0, goes=4),
        Column("Exposure"),
        Column("β", goes=2),
        Column("", left=True, gap=0, goes=2),
        Column("Beta-adj", goes=1),
    ]
    cells = [
        _group_cells(line, unit)
        if isinstance(line, Group)
        else [
            Text(indent).append_text(_symbol(line)),
            cell(line.account or "" if several_accounts else "", "dim"),
            *_instrument_cells(line, unit),
            *_market_cells(line, unit),
        ]
        for line in lines
    ]
    notes = [EMPTY if isinstance(line, Group) else cell(_note(line), "yellow") for line in lines]
    longest = max(note.cell_len for note in notes)
    table = Table(columns, cells).fitted(room - (2 + min(longest, _SHORTEST_NOTE) if longest else 0))
    left = room - table.width - 2
    for note in notes:
        note.truncate(max(left, 0))
    return table.with_column(Column("Notes" if longest else "", left=True), notes).lines()


def _group_cells(group: Group, unit: Unit) -> list[Text]:
    """The sums of a group; what they leave out is marked."""
    known = cell("" if group.complete else "≥", "yellow")
    exposure = EMPTY if group.underlying is None else unit.amount(group.exposure, "bold")
    adjusted = EMPTY if group.underlying is None else unit.amount(group.beta_adjusted, "bold")
    name = cell(group.underlying or "Cash and pending", "bold")
    value = unit.amount(group.value, "bold")
    return [name, EMPTY, EMPTY, EMPTY, known, value, EMPTY, EMPTY, exposure, EMPTY, EMPTY, adjusted]


def _symbol(row: ValuedRow) -> Text:
    symbol = row.symbol or row.description
    option = parse_option(symbol) if row.kind == "option" else None
    if option is not None:
        strike = number(option.strike, 3).rstrip("0").rstrip(".")
        symbol = f"{option.root} {day(option.expiry)} {strike} {option.right}"
    text = cell(symbol, "bold" if row.kind == "stock" else "")
    text.truncate(_SYMBOL_WIDTH)
    return text


def _instrument_cells(row: ValuedRow, unit: Unit) -> list[Text]:
    """Quantity, price with its marker, and value."""
    if row.kind in ("cash", "pending"):
        return [EMPTY, EMPTY, EMPTY, unit.amount(row.value)]
    whole = row.quantity is None or row.quantity == round(row.quantity)
    return [
        cell(number(row.quantity, 0 if whole else 4)),
        cell(number(row.price, 2)),
        cell("✎" if "override_price" in row.flags else "~" if "stale" in row.flags else "", "yellow"),
        unit.amount(row.value),
    ]


def _market_cells(row: ValuedRow, unit: Unit) -> list[Text]:
    """Delta of options, exposure, beta and beta-adjusted exposure, with markers; cash has none of them."""
    if row.kind in ("cash", "pending"):
        return [EMPTY] * 6
    flags = set(row.flags)
    assumed = "!" if flags & {"assumed_rate", "assumed_dividend"} else ""
    estimated = "~" if flags & {"estimated", "model", "projected_dividend"} else ""
    return [
        cell(number(row.delta, 2) if row.kind == "option" else ""),
        cell(assumed + estimated, "yellow"),
        unit.amount(row.exposure),
        cell(number(row.beta, 2)),
        cell(
            "✎"
            if "override_beta" in flags
            else "!"
            if "given_beta" in flags
            else "~"
            if "stale_beta" in flags
            else "",
            "yellow",
        ),
        unit.amount(row.beta_adjusted),
    ]


def _beta_marker(flags: set[str]) -> str:
    """Whose the beta is, or that it is old; the first that applies."""
    markers = (("override_beta", "✎"), ("given_beta", "!"), ("stale_beta", "~"))
    return next((marker for flag, marker in markers if flag in flags), "")


def _note(row: ValuedRow) -> str:
    return ", ".join(flag.replace("_", " ") for flag in row.flags if flag not in _SHOWN_BY_MARKERS)
