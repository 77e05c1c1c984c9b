"""Daily bars and corporate actions in SQLite: one row for each close, split and dividend."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from quotewell.cache.sqlite.tables import in_chunks
from quotewell.records import Closes, DividendEvent, Split

__all__ = ["delete_closes", "read_closes", "write_closes"]

_TABLES = ("bar", "event")


def read_closes(connection: sqlite3.Connection, symbols: Iterable[str]) -> dict[str, Closes]:
    """The stored series of `symbols`; those without any are left out."""
    found: dict[str, Closes] = {}
    for symbol in symbols:
        rows = connection.execute(
            "select date, close, source from bar where symbol = ? order by date", (symbol,)
        ).fetchall()
        if rows:
            splits, dividends = _read_events(connection, symbol)
            found[symbol] = Closes(
                symbol=symbol,
                source=rows[-1][2],
                dates=[row[0] for row in rows],
                closes=[row[1] for row in rows],
                splits=splits,
                dividends=dividends,
            )
    return found


def write_closes(connection: sqlite3.Connection, closes: Sequence[Closes]) -> None:
    """Replace the stored series of each symbol; an empty series removes it.

    A series mostly goes on from the stored one: only what is different is written.
    """
    delete_closes(connection, [series.symbol for series in closes if not series.dates])
    for series in closes:
        if not series.dates:
            continue
        stored = {
            (date, close, source)
            for date, close, source in connection.execute(
                "select date, close, source from bar where symbol = ?", (series.symbol,)
            )
        }
        bars = [(date, close, series.source) for date, close in zip(series.dates, series.closes, strict=True)]
        gone = {date for date, _, _ in stored}.difference(series.dates)
        connection.executemany(
            "delete from bar where symbol = ? and date = ?", [(series.symbol, date) for date in gone]
        )
        connection.executemany(
            "insert or replace into bar (symbol, date, close, source) values (?, ?, ?, ?)",
            [(series.symbol, *bar) for bar in bars if bar not in stored],
        )
        connection.execute("delete from event where symbol = ?", (series.symbol,))
        connection.executemany(
            """insert or replace into event (symbol, kind, number, date, value, currency, declared)
            values (?, ?, ?, ?, ?, ?, ?)""",
            _event_rows(series),
        )


def delete_closes(connection: sqlite3.Connection, symbols: Sequence[str] | None) -> None:
    """Delete the series of `symbols`, or all of them for None."""
    for table in _TABLES:
        if symbols is None:
            connection.execute(f"delete from {table}")  # noqa: S608  one of two names above
            continue
        for marks, keys in in_chunks(symbols):
            connection.execute(f"delete from {table} where symbol in ({marks})", keys)  # noqa: S608  likewise


def _read_events(
    connection: sqlite3.Connection, symbol: str
) -> tuple[tuple[Split, ...], tuple[DividendEvent, ...]]:
    splits: list[Split] = []
    dividends: list[DividendEvent] = []
    for kind, date, value, currency, declared in connection.execute(
        "select kind, date, value, currency, declared from event where symbol = ? order by kind, number",
        (symbol,),
    ):
        if kind == "split":
            splits.append(Split(date, value))
        else:
            dividends.append(DividendEvent(date, value, currency, bool(declared)))
    return tuple(splits), tuple(dividends)


def _event_rows(series: Closes) -> Iterator[tuple[Any, ...]]:
    for number, split in enumerate(series.splits):
        yield series.symbol, "split", number, split.date, split.ratio, None, None
    for number, event in enumerate(series.dividends):
        yield series.symbol, "dividend", number, event.ex_date, event.amount, event.currency, event.declared
