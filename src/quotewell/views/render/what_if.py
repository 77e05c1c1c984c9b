"""The screen of `quotewell what-if`: the points of the curve, and which underlyings make them."""

from __future__ import annotations

from collections.abc import Sequence

from quotewell.portfolio.summary import WhatIfPoint
from quotewell.portfolio.what_if import UnderlyingGain, WhatIfReport
from quotewell.views.render.amounts import Unit, coloured, unit_for
from quotewell.views.render.bars import ZERO, axis_for
from quotewell.views.render.layout import EMPTY, Column, Line, Row, Table, cell, inset, packed, wrapped
from quotewell.views.render.scenarios import SCENARIO, move
from quotewell.views.render.text import Text
from quotewell.views.words import NOT_AVAILABLE, count, number, shortened, signed

__all__ = ["conditions", "what_if_screen"]

_SHOWN = 10
_SHORTEST_BAR, _LONGEST_BAR = 9, 41
_SYMBOL_WIDTH = 20
_LINEAR = "delta only: today's exposure times the move, as if no delta changed"


def what_if_screen(
    head: Sequence[Line], found: WhatIfReport, width: int, hints: Sequence[Text] = ()
) -> list[Line]:
    """The curve point by point, and by underlying.

    Args:
        head: Lines above.
        found: What to show.
        width: Characters in a line.
        hints: For the last line.
    """
    room = width - 2
    unit = unit_for(
        [
            *(
                amount
                for point in found.points
                for amount in (point.pnl, point.delta_pnl, point.scenario_pnl)
            ),
            *(amount for gain in found.by_underlying for amount in gain.pnl),
        ],
        found.base_currency,
    )
    lines = [*head, *packed(map(cell, conditions(found)), room), EMPTY, *_points(found.points, unit, room)]
    lines += _missing(found.points, room)
    lines += [EMPTY, *_by_underlying(found, unit, room)] if found.by_underlying else []
    lines += [EMPTY, *wrapped(_LINEAR, room, "dim")]
    if _has_scenario(found.points):
        lines += wrapped(SCENARIO, room, "dim")
    return inset([*lines, *packed(hints, room)], room)


def conditions(found: WhatIfReport) -> list[str]:
    """What else changes beside the market, in words."""
    parts = [f"{symbol} {move(shock)} by itself" for symbol, shock in found.shocks.items()]
    if found.days:
        days = round(found.days, 6)
        parts.append(f"after {number(days, 0 if days.is_integer() else 2)} {'day' if days == 1 else 'days'}")
    if found.volatility:
        points = round(found.volatility, 6)
        parts.append(f"volatility {signed(points, 0 if points.is_integer() else 2)} points")
    return parts or ["at once, volatilities unchanged"]


def _has_scenario(points: Sequence[WhatIfPoint]) -> bool:
    return any(point.scenario_pnl != point.pnl for point in points)


def _points(points: Sequence[WhatIfPoint], unit: Unit, width: int) -> list[Line]:
    bare = _table(points, unit, 0)
    room = width - bare.width - 2
    if room < _SHORTEST_BAR:
        return bare.fitted(width).lines()
    return _table(points, unit, min(room, _LONGEST_BAR)).lines()


def _table(points: Sequence[WhatIfPoint], unit: Unit, bar_width: int) -> Table:
    axis = axis_for([point.pnl for point in points], bar_width)
    has_scenario = _has_scenario(points)
    columns = [
        Column("Market"),
        Column(f"P&L {unit.name}"),
        Column("% of value", goes=2),
        Column("delta only", goes=1),
        *([Column("scenario")] if has_scenario else []),
        *([Column(axis.heading(), left=True)] if bar_width else []),
    ]
    rows: list[Row] = [
        [
            cell(move(point.market), "bold"),
            unit.change(point.pnl),
            coloured(signed(None if point.share_of_value is None else point.share_of_value * 100, 1)),
            unit.change(point.delta_pnl),
            *([unit.change(point.scenario_pnl)] if has_scenario else []),
            *([_bar(axis.bar(point.pnl))] if bar_width else []),
        ]
        for point in points
    ]
    return Table(columns, rows)


def _bar(halves: tuple[str, str]) -> Text:
    left, right = halves
    return Text.assemble((left, "red"), (ZERO, "dim"), (right, "green"))


def _missing(points: Sequence[WhatIfPoint], width: int) -> list[Line]:
    """Who is missing at every move, and who only at some."""
    if not points:
        return []
    always = [symbol for symbol in points[0].missing if all(symbol in point.missing for point in points)]
    ever = dict.fromkeys(
        symbol
        for point in points
        for symbol in (*point.missing, *point.scenario_missing)
        if symbol not in always
    )
    lines = []
    for symbols, what in ((always, ""), (list(ever), " at some moves, or in the scenario")):
        if symbols:
            shown = [cell(symbol, "yellow") for symbol in symbols[:_SHOWN]]
            if len(symbols) > _SHOWN:
                shown.append(cell("…: --json", "dim"))
            lines += packed(shown, width, f"≥ {number(len(symbols))} missing{what}: ")
    return lines


def _by_underlying(found: WhatIfReport, unit: Unit, width: int) -> list[Line]:
    moves = [point.market for point in found.points]
    places = list(dict.fromkeys((moves.index(min(moves)), moves.index(max(moves)))))
    shown, others = found.by_underlying[:_SHOWN], found.by_underlying[_SHOWN:]
    columns = [
        Column("Underlying", left=True),
        Column("moves by", left=True, goes=1),
        *(Column(f"at {move(found.points[place].market)}") for place in places),
        Column("", left=True, gap=1),
    ]
    rows: list[Row] = [
        [
            cell(shortened(gain.underlying, _SYMBOL_WIDTH), "bold"),
            cell(_driver(gain)),
            *(unit.change(gain.pnl[place]) for place in places),
            cell("" if gain.complete or gain.pnl[places[0]] is None else f"+ {NOT_AVAILABLE}", "yellow"),
        ]
        for gain in shown
    ]
    if others:
        sums = [[amount for gain in others if (amount := gain.pnl[place]) is not None] for place in places]
        partial = sum(not gain.complete for gain in others)
        rows.append(
            [
                cell(f"{number(len(others))} more"),
                EMPTY,
                *(unit.change(sum(known) if known else None) for known in sums),
                cell(f"{count(partial, 'part')} {NOT_AVAILABLE}" if partial else "", "yellow"),
            ]
        )
    return Table(columns, rows).fitted(width).lines()


def _driver(gain: UnderlyingGain) -> str:
    if gain.shock is not None:
        return f"{move(gain.shock)} by itself"
    return f"β {number(gain.beta, 2)}"
