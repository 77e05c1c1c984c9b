"""Daily bars and corporate actions in PostgreSQL: a row a series, which the views `bar` and `event` list."""

# ruff: noqa: S608  the statements are made of a checked schema name

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import msgspec

from quotewell.cache.postgres.text import escaped, unescaped, wanted_keys
from quotewell.records import Closes, DividendEvent, Split

if TYPE_CHECKING:
    from quotewell.cache.postgres.connection import PostgresConnection

__all__ = ["delete_closes", "read_closes", "write_closes"]

_SPLITS = msgspec.json.Decoder(tuple[Split, ...])
_DIVIDENDS = msgspec.json.Decoder(tuple[DividendEvent, ...])


def read_closes(connection: PostgresConnection, schema: str, symbols: Collection[str]) -> dict[str, Closes]:
    """The stored series of `symbols`; those without any are left out."""
    wanted = wanted_keys(symbols)
    columns = "symbol, source, dates, closes, splits, dividends"
    sql = f"select {columns} from {schema}.closes where symbol = any(%s)"
    rows = connection.execute(sql, (list(wanted),), binary=True).fetchall()
    return {
        wanted[symbol]: Closes(
            symbol=wanted[symbol],
            source=unescaped(source),
            dates=dates,
            closes=closes,
            splits=_SPLITS.decode(splits),
            dividends=_DIVIDENDS.decode(dividends),
        )
        for symbol, source, dates, closes, splits, dividends in rows
    }


def write_closes(connection: PostgresConnection, schema: str, closes: Sequence[Closes]) -> None:
    """Replace the stored series of each symbol; an empty series removes it."""
    emptied = [series.symbol for series in closes if not series.dates]
    if emptied:
        delete_closes(connection, schema, emptied)
    rows = [
        (
            escaped(series.symbol),
            escaped(series.source),
            _array(series.dates),
            _array(series.closes),
            msgspec.json.encode(series.splits).decode(),
            msgspec.json.encode(series.dividends).decode(),
        )
        for series in closes
        if series.dates
    ]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            f"""
            insert into {schema}.closes (symbol, source, dates, closes, splits, dividends)
            values (%s, %s, %s::text::bigint[], %s::text::float8[], %s, %s)
            on conflict (symbol) do update set source = excluded.source, dates = excluded.dates,
                closes = excluded.closes, splits = excluded.splits, dividends = excluded.dividends
            """,
            rows,
        )


def delete_closes(connection: PostgresConnection, schema: str, symbols: Collection[str] | None) -> None:
    """Delete the series of `symbols`, or all of them for None."""
    if symbols is None:
        connection.execute(f"delete from {schema}.closes")
        return
    keys = [escaped(symbol) for symbol in symbols]
    connection.execute(f"delete from {schema}.closes where symbol = any(%s)", (keys,))


def _array(numbers: Sequence[float]) -> str:
    """Numbers as PostgreSQL writes an array: psycopg's lists must not mix integers and floats."""
    return f"{{{','.join(map(str, numbers))}}}"
