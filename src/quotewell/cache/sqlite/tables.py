"""The SQL statements of each table, made once.

A statement that names keys exists in a few sizes only, so that SQLite's cache of prepared statements serves
it; a shorter list of keys is filled up by repeating the last one.
"""

# ruff: noqa: S608  the statements are made of the names of our own tables and columns

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from quotewell.cache.codec import (
    FAILURE_COLUMNS,
    RESULT_PREFIX,
    STATE_COLUMNS,
    RowReader,
    RowWriter,
    record_type,
    row_reader,
    row_writer,
    value_columns,
)
from quotewell.records import Record, Result

__all__ = ["ROWS_AT_ONCE", "TableSql", "in_chunks", "scope_of", "table_sql"]

_SIZES = (1, 10, 100, 500)
"""Above 500, one statement is slower than two."""
ROWS_AT_ONCE = 20


class TableSql(NamedTuple):
    """Statements of one table.

    Their conditions take the parameters of `scope_of` first; `{keys}` stands for the marks that `in_chunks`
    yields.
    """

    kind: type[Record]
    read_all: str
    read_some: str
    read_some_with_state: str
    read_noted: str
    """Key and state of those rows that have any."""
    count_noted: str
    read_row: RowReader
    write_row: RowWriter
    count_rows: str
    list_keys: str
    oldest: str
    upsert: str
    """Of one row."""
    upsert_many: str
    """Of `ROWS_AT_ONCE` rows: a quarter faster than as many statements."""
    undate: str
    """Makes way for the upsert of rows dated after an instant (the last parameter)."""
    clear_state: str
    """Of the rows written at a revision (the last parameter)."""
    written: str
    """Keys whose value was written at a revision (the last parameter)."""
    fail: str
    invalidate_all: str
    invalidate_some: str
    delete_all: str
    delete_some: str
    changed: str
    """Keys of rows changed after a revision; takes the conditions' parameters and the revision twice."""


def scope_of(table: str) -> tuple[str, ...]:
    """The parameters that select a table's rows: the namespace for results, nothing for facets."""
    return (table.removeprefix(RESULT_PREFIX),) if table.startswith(RESULT_PREFIX) else ()


def in_chunks(keys: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Split `keys` into chunks; yield the marks and the parameters of each."""
    for start in range(0, len(keys), _SIZES[-1]):
        chunk = list(keys[start : start + _SIZES[-1]])
        size = next(size for size in _SIZES if size >= len(chunk))
        yield _marks(size), chunk + chunk[-1:] * (size - len(chunk))


@functools.cache
def _marks(size: int) -> str:
    return ", ".join("?" * size)


def table_sql(table: str) -> TableSql:
    """The statements of a table.

    Raises:
        UsageError: There is no such table.
    """
    return _table_sql(record_type(table), "result" if table.startswith(RESULT_PREFIX) else table)


@functools.cache
def _table_sql(kind: type[Record], name: str) -> TableSql:
    key = "key" if kind is Result else "symbol"
    identity = ("namespace", "key") if kind is Result else ("symbol",)
    scope = "namespace = ? and " if kind is Result else ""
    some = f"{scope}{key} in ({{keys}})"
    everything = f"{scope}true"
    values = (key, *value_columns(kind)[1:])
    columns = ", ".join(values)
    state = ", ".join(STATE_COLUMNS)
    noted = "(failure_rev is not null or invalidated)"

    written = (*values, "rev", *(("namespace",) if kind is Result else ()))
    overwritten = [f"{column} = excluded.{column}" for column in written if column not in identity]
    cleared = ["invalidated = 0", *(f"{column} = null" for column in (*FAILURE_COLUMNS, "failure_rev"))]
    failed = (*identity, *FAILURE_COLUMNS, "failure_rev")
    conflict = f"on conflict ({', '.join(identity)}) do update set"
    insert = f"insert into {name} ({', '.join(written)})"
    row = f"({_marks(len(written))})"
    newer = f"""
        {conflict} {", ".join(overwritten)}
        where {name}.fetched_at is null or excluded.fetched_at >= {name}.fetched_at
    """
    return TableSql(
        kind=kind,
        read_all=f"select {columns} from {name} where {everything}",
        read_some=f"select {columns} from {name} where {some}",
        read_some_with_state=f"select {columns}, {state} from {name} where {some}",
        read_noted=f"select {key}, {state} from {name} where {scope}{noted}",
        count_noted=f"select count(*) from {name} where {scope}{noted}",
        read_row=row_reader(kind, unsure=True),
        write_row=row_writer(kind),
        count_rows=f"select count(*) from {name} where {everything}",
        list_keys=f"select {key} from {name} where {everything}",
        oldest=f"select {key} from {name} where {everything} order by fetched_at, {key} limit ?",
        upsert=f"{insert} values {row} {newer}",
        upsert_many=f"{insert} values {', '.join([row] * ROWS_AT_ONCE)} {newer}",
        undate=f"update {name} set fetched_at = null where {some} and fetched_at > ?",
        clear_state=f"update {name} set {', '.join(cleared)} where {noted} and {scope}rev = ?",
        written=f"select {key} from {name} where {scope}rev = ?",
        fail=f"""
            insert into {name} ({", ".join(failed)}, rev) values ({_marks(len(failed))}, 0)
            {conflict} {", ".join(f"{c} = excluded.{c}" for c in failed if c not in identity)}
            where {name}.rev <= ?
        """,
        invalidate_all=f"update {name} set invalidated = 1, rev = ? where {everything}",
        invalidate_some=f"update {name} set invalidated = 1, rev = ? where {some}",
        delete_all=f"delete from {name} where {everything}",
        delete_some=f"delete from {name} where {some}",
        changed=f"""
            select {key} from {name} where {scope}rev > ?
            union all select {key} from {name} where {scope}failure_rev > ?
        """,
    )
