"""The screen of `quotewell summary`."""

from __future__ import annotations

from collections.abc import Sequence

from quotewell.portfolio.summary import Summary
from quotewell.views.render.accounts import accounts
from quotewell.views.render.amounts import Unit, unit_for
from quotewell.views.render.header import header
from quotewell.views.render.layout import EMPTY, Line, inset, packed
from quotewell.views.render.problems import problems
from quotewell.views.render.scenarios import expiring_soon, market_moves
from quotewell.views.render.text import Text
from quotewell.views.render.totals import notes, totals
from quotewell.views.render.underlyings import underlyings

__all__ = ["summary_screen"]


def summary_screen(summary: Summary, width: int, hints: Sequence[Text] = ()) -> list[Line]:
    """The report on one book.

    Args:
        summary: What to show.
        width: Characters in a line.
        hints: Commands to try next, on the last line.
    """
    room = width - 2
    unit = _unit(summary)
    blocks = [
        header(summary, room),
        totals(summary, unit, room),
        notes(summary, unit, room),
        accounts(summary.by_account, unit, room),
        underlyings(summary.by_underlying, unit, room),
        market_moves(summary.what_if, unit, room),
        expiring_soon(summary.expiring, room),
        problems(summary, room),
        packed(hints, room),
    ]
    lines: list[Line] = []
    for block in blocks:
        if block and lines:
            lines.append(EMPTY)
        lines += inset(block, room)
    return lines


def _unit(summary: Summary) -> Unit:
    value, sides = summary.value, (summary.exposure.gross, summary.exposure.long, summary.exposure.short)
    amounts = [
        *(value.total, value.stocks, value.options, value.cash, value.pending, value.broker_total),
        *(amount for side in sides for amount in (side.total, side.stocks, side.options, side.beta_adjusted)),
        *(amount for row in summary.by_underlying for amount in (row.value, row.exposure, row.beta_adjusted)),
        *(amount for point in summary.what_if for amount in (point.pnl, point.scenario_pnl)),
    ]
    return unit_for(amounts, summary.base_currency)
