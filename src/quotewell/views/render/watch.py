"""The screen of `quotewell watch`: a line about the refreshing, and one for each symbol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quotewell.refresh import RefreshStatus
from quotewell.views.render.amounts import coloured
from quotewell.views.render.layout import EMPTY, Column, Line, Table, cell, inset, packed
from quotewell.views.render.text import Text
from quotewell.views.words import NOT_AVAILABLE, age, count, number, signed

if TYPE_CHECKING:
    from quotewell.views.cli.watch import WatchRow

__all__ = ["watch_screen"]

_SYMBOL_WIDTH = 24
_SHORTEST_NOTE = 16


def watch_screen(
    rows: Sequence[WatchRow],
    status: RefreshStatus,
    now: float,
    requests: int,
    pauses: Sequence[str],
    width: int,
) -> list[Line]:
    """All lines.

    Args:
        rows: In the order to show.
        status: Of the refresher.
        now: Epoch seconds.
        requests: That this process has sent.
        pauses: Providers that are not asked for a while, and why.
        width: Characters in a line.
    """
    room = width - 2
    columns = [
        Column("Symbol", left=True),
        Column("Price"),
        Column("", left=True, gap=0),
        Column("", left=True, gap=1, goes=4),
        Column("Change"),
        Column("Age", goes=3),
        Column("Source", left=True, goes=1),
    ]
    notes = [cell(row.error or "", "yellow") for row in rows]
    longest = max((note.cell_len for note in notes), default=0)
    table = Table(columns, [_cells(row) for row in rows]).fitted(room - min(longest + 2, _SHORTEST_NOTE))
    for note in notes:
        note.truncate(max(room - table.width - 2, 0))
    table = table.with_column(Column("", left=True), notes)
    lines = [*_head(rows, status, now, requests, room), EMPTY, *table.lines()]
    lines += [cell(f"paused: {pause}", "yellow") for pause in pauses]
    return inset(lines, room)


def _head(
    rows: Sequence[WatchRow], status: RefreshStatus, now: float, requests: int, room: int
) -> list[Line]:
    sessions = [row.is_open for row in rows if row.is_open is not None]
    parts = []
    if sessions:
        is_open = "open" if all(sessions) else "closed" if not any(sessions) else "some open, some closed"
        parts.append(cell(f"exchanges {is_open}", "bold"))
    parts.append(cell(count(requests, "request")))
    if status.rounds and not status.leads and not status.error:
        parts.append(cell("another process refreshes"))
    elif status.next_at is not None:
        parts.append(cell(f"{number(status.refreshed)} refreshed"))
        parts.append(cell(f"next look in {max(status.next_at - now, 0.0):.0f} s"))
    if status.error:
        parts.append(cell(status.error, "yellow"))
    return packed(parts, room)


def _cells(row: WatchRow) -> list[Text]:
    symbol = cell(row.symbol, "bold")
    symbol.truncate(_SYMBOL_WIDTH)
    is_stale = row.price is not None and row.freshness == "stale"
    change = EMPTY if row.change is None else coloured(f"{signed(100 * row.change, 2)} %")
    return [
        symbol,
        cell(NOT_AVAILABLE if row.price is None else number(row.price, 2)),
        cell("~" if is_stale else "", "yellow"),
        cell(row.currency or "", "dim"),
        change,
        cell("" if row.age is None else age(row.age), "dim"),
        cell(row.source or "", "dim"),
    ]
