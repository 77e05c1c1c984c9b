"""What may happen: profit and loss when the market moves, and options that expire soon."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence

from quotewell.portfolio.summary import ExpiringOption, WhatIfPoint
from quotewell.views.render.amounts import Unit, coloured
from quotewell.views.render.layout import Column, Line, Row, Table, cell, packed, wrapped
from quotewell.views.render.text import Text
from quotewell.views.render.totals import missing
from quotewell.views.words import NOT_AVAILABLE, count, number, printable, signed

__all__ = ["SCENARIO", "expiring_soon", "market_moves", "move"]

SCENARIO = "scenario: implied volatility rises by 1.5 % of itself for each 1 % that the market falls"

_LINES_OF_EXPIRING = 4


def market_moves(points: Sequence[WhatIfPoint], unit: Unit, width: int) -> list[Line]:
    """Profit or loss by market move; the moves next to zero go first where there is no room for all."""
    if not points:
        return []
    left_out = max((point.missing for point in points), key=len)
    if all(point.pnl is None for point in points):
        reason = cell(f"{NOT_AVAILABLE}: no position has both a price and a beta")
        items = [reason, *([missing(left_out)] if left_out else [])]
        return packed(items, width, "If the market moves  ")
    has_scenario = any(point.scenario_pnl != point.pnl for point in points)
    rows: list[Row] = [
        [_label("P&L", left_out), *(unit.change(point.pnl) for point in points)],
        [cell("% of value"), *(coloured(signed(_percent(point.share_of_value), 1)) for point in points)],
    ]
    if has_scenario:
        rows.append([cell("P&L, scenario"), *(unit.change(point.scenario_pnl) for point in points)])
    lines = _moves_table(points, rows, width).lines()
    if has_scenario:
        lines += wrapped(SCENARIO, width, "dim")
    return lines


def _moves_table(points: Sequence[WhatIfPoint], rows: Sequence[Row], width: int) -> Table:
    headings = [move(point.market) for point in points]
    table = Table([], rows)
    for gap in (2, 1):  # closer together before any column goes: every figure begins with a sign
        table.columns = [
            Column("If the market moves", left=True),
            *(
                Column(heading, gap=gap, goes=turn)
                for heading, turn in zip(headings, _turns(points), strict=True)
            ),
        ]
        if table.width <= width:
            return table
    return table.fitted(width)


def expiring_soon(options: Sequence[ExpiringOption], width: int) -> list[Line]:
    """Options that expire within 14 days, a group of lines for each day."""
    if not options:
        return []
    lines: list[Line] = []
    for (expiry, days), group in itertools.groupby(options, key=lambda option: (option.expiry, option.days)):
        head = f"  {_short_day(expiry)} ({'today' if days == 0 else count(days, 'day')})  "
        lines += packed([_expiring(option) for option in group], width, head)
    shown = lines[:_LINES_OF_EXPIRING]
    if len(lines) > len(shown):
        shown.append(cell(f"  … {count(len(options), 'option')} in all: --json shows them", "dim"))
    return [cell("Expiring within 14 days", "bold"), *shown]


def _expiring(option: ExpiringOption) -> Text:
    strike = f"{number(option.strike, 3).rstrip('0').rstrip('.')}"
    quantity = NOT_AVAILABLE if option.quantity is None else f"×{_quantity(option.quantity)}"
    text = cell(f"{option.underlying or printable(option.symbol)} {strike} {option.right} {quantity}")
    states = []
    if option.in_the_money:
        states.append("in the money")
    if option.assignment:
        states.append("assignment likely")
    if states:
        text.append(f" ({', '.join(states)})", style="yellow")
    return text


def _quantity(quantity: float) -> str:
    return number(quantity, 0 if quantity == round(quantity) else 2)


def _short_day(date: dt.date) -> str:
    return f"{date.day} {date:%b}"


def _label(text: str, left_out: Sequence[str]) -> Text:
    return Text.assemble(f"{text}  ", missing(left_out)) if left_out else cell(text)


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else fraction * 100


def move(market: float) -> str:
    """A move as a percentage: `−12.5 %`."""
    percents = round(market * 100, 6)
    return f"{signed(percents, 0 if percents.is_integer() else 1)} %" if market else "0"


def _turns(points: Sequence[WhatIfPoint]) -> list[int]:
    """The smallest moves go first, up and down together; no move stays."""
    sizes = sorted({abs(point.market) for point in points} - {0.0})
    turns = {size: turn for turn, size in enumerate(sizes, start=1)}
    return [turns.get(abs(point.market), 0) for point in points]
