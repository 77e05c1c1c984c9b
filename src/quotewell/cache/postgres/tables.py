"""The SQL statements of each table, made once for each schema.

They take named parameters: `keys`, for results `namespace`, and what each says. Values are written in two
steps: rows are copied into a temporary table of the connection, and one statement stores what may be stored.
"""

# ruff: noqa: S608  the statements are made of the names of our own tables and columns

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from quotewell.cache.codec import (
    FAILURE_COLUMNS,
    RESULT_PREFIX,
    STATE_COLUMNS,
    RowReader,
    RowWriter,
    failure_row,
    record_type,
    row_reader,
    row_writer,
    set_state,
    value_columns,
)
from quotewell.cache.postgres.schema import ADDED, STEPS
from quotewell.cache.postgres.text import SEPARATOR, escaped, unescaped
from quotewell.records import Failure, Record, Result

__all__ = ["Incoming", "TableSql", "failure_rows", "scope_of", "table_sql"]

_TYPES = {float: "float8", int: "int8", bool: "bool", bytes: "bytea"}
"""Of columns; all others are text."""


class Incoming(NamedTuple):
    """A temporary table through which rows come in."""

    name: str
    create: str
    copy: str
    types: tuple[str, ...]


class TableSql(NamedTuple):
    """Statements of one table."""

    kind: type[Record]
    read: str
    """The values of `keys` (`joined`), and in one more column the state of those that have any."""
    read_row: RowReader
    write_row: RowWriter
    list_keys: str
    values: Incoming
    """For `store`."""
    store: str
    """Stores at `rev` values that are newer, or replace one dated after `latest`, unless withdrawn after
    `since`; returns the keys of the others."""
    failures: Incoming
    """For `fail`."""
    fail: str
    """Stores failures at `rev` unless the value was written after `begun`, or withdrawn after `since`."""
    invalidate: str
    invalidate_all: str
    delete: str
    delete_all: str
    prune: str
    """Deletes the `excess` rows that were fetched longest ago; returns their keys."""


def scope_of(table: str) -> Mapping[str, str]:
    """The parameters that select a table's rows: the namespace for results, nothing for facets."""
    return (
        {"namespace": escaped(table.removeprefix(RESULT_PREFIX))} if table.startswith(RESULT_PREFIX) else {}
    )


def table_sql(schema: str, table: str) -> TableSql:
    """The statements of a table.

    Raises:
        UsageError: There is no such table.
    """
    return _table_sql(schema, record_type(table), "result" if table.startswith(RESULT_PREFIX) else table)


@functools.cache
def _table_sql(schema: str, kind: type[Record], name: str) -> TableSql:
    table = f"{schema}.{name}"
    key = "key" if kind is Result else "symbol"
    values = (key, *value_columns(kind)[1:])
    namespace = ("namespace",) if kind is Result else ()
    scope = "namespace = %(namespace)s and " if kind is Result else ""
    some = f"{scope}{key} = any(%(keys)s)"
    columns = ", ".join(_readable(name, column) for column in values)
    state = ", ".join(f"{column}::text" for column in STATE_COLUMNS)
    incoming = _incoming(f"incoming_{name}", values, _types(kind))
    failures = _incoming("incoming_failure", ("symbol", *FAILURE_COLUMNS), _types(Failure, "failure_"))
    overwritten = [f"{column} = excluded.{column}" for column in (*values[1:], "rev", "format")]
    cleared = ["invalidated = false", *(f"{column} = null" for column in (*FAILURE_COLUMNS, "failure_rev"))]
    failed = (*FAILURE_COLUMNS, "failure_rev")
    insert = f"insert into {table} as stored ({', '.join(namespace)}{', ' if namespace else ''}"
    scope_value = "%(namespace)s, " if namespace else ""
    conflict = f"on conflict ({', '.join((*namespace, key))}) do update set"
    withdrawn = f"""
        withdrawn as materialized (
            select keys from {schema}.change where rev > %(since)s and tbl = %(table)s and withdrawal
        )
    """

    def allowed(key: str) -> str:
        return f"""
            not exists (select from withdrawn where keys is null)
            and incoming.{key} not in (select unnest(keys) from withdrawn)
        """

    logged = f"""
        logged as (
            insert into {schema}.change (rev, tbl, keys, withdrawal, gone, at)
            select %(rev)s, %(table)s, array_agg({key}), false, false, %(now)s from written
            having count(*) > 0
        )
    """
    return TableSql(
        kind=kind,
        read=f"""
            select {columns}, case when invalidated or failure_rev is not null then array[{state}] end
            from {table} where {scope}{key} = any(string_to_array(%(keys)s, '{SEPARATOR}'))
        """,
        read_row=row_reader(kind, text=unescaped, note=_set_state),
        write_row=row_writer(kind, text=escaped),
        list_keys=f"select {key} from {table} where {scope}true order by {key}",
        values=incoming,
        store=f"""
            with {withdrawn}, written as (
                {insert}{", ".join(values)}, rev, format)
                select {scope_value}{", ".join(values)}, %(rev)s, {len(STEPS)}
                from pg_temp.{incoming.name} as incoming where {allowed(key)}
                {conflict} {", ".join((*overwritten, *cleared))}
                where stored.fetched_at is null or excluded.fetched_at >= stored.fetched_at
                    or stored.fetched_at > %(latest)s
                returning stored.{key}
            ), {logged}
            select {key} from pg_temp.{incoming.name} except select {key} from written
        """,
        failures=failures,
        fail=f"""
            with {withdrawn}, written as (
                {insert}{key}, {", ".join(failed)}, rev, format)
                select {scope_value}symbol, {", ".join(FAILURE_COLUMNS)}, %(rev)s, 0, {len(STEPS)}
                from pg_temp.{failures.name} as incoming where {allowed("symbol")}
                {conflict} {", ".join(f"{column} = excluded.{column}" for column in failed)}
                where stored.rev <= %(begun)s
                returning stored.{key}
            ), {logged}
            select count(*) from written
        """,
        invalidate=f"update {table} set invalidated = true, rev = %(rev)s where {some}",
        invalidate_all=f"""
            with written as (
                update {table} set invalidated = true, rev = %(rev)s where {scope}true returning {key}
            ), {logged}
            select count(*) from written
        """,
        delete=f"delete from {table} where {some}",
        delete_all=f"delete from {table} where {scope}true",
        prune=f"""
            delete from {table} where {scope}{key} in (
                select {key} from {table} where {scope}true
                order by fetched_at nulls first, {key} limit %(excess)s
            ) returning {key}
        """,
    )


def _readable(table: str, column: str) -> str:
    """A column, or null where the program that wrote the row did not know it."""
    added = ADDED.get((table, column))
    return column if added is None else f"case when format >= {added} then {column} end"


def _incoming(name: str, columns: Sequence[str], known: Mapping[str, str]) -> Incoming:
    types = tuple(known.get(column, "text") for column in columns)
    definitions = [f"{column} {kind}" for column, kind in zip(columns, types, strict=True)]
    definitions[0] += ' collate "C"'
    return Incoming(
        name=name,
        create=f"create temporary table {name} ({', '.join(definitions)}) on commit delete rows",
        copy=f"copy pg_temp.{name} ({', '.join(columns)}) from stdin (format binary)",
        types=types,
    )


def _types(kind: type[msgspec.Struct], prefix: str = "") -> dict[str, str]:
    """The types of a struct's columns but for texts."""
    found: dict[str, str] = {}
    for field, hint in typing.get_type_hints(kind).items():
        alternatives = {hint, *typing.get_args(hint)}
        for plain, name in _TYPES.items():
            if plain in alternatives:
                found[prefix + field] = name
    return found


def _set_state(record: Record, noted: list[str | None]) -> None:
    """Set the state that `TableSql.read` gave as texts."""
    invalidated, kind, *failure = noted
    if kind is None:
        set_state(record, invalidated == "true", None)
        return
    reason, source, count, *times = (unescaped(text) for text in failure)
    first_at, last_at, retry_at = (float(time or "nan") for time in times)
    set_state(
        record,
        invalidated == "true",
        unescaped(kind),
        reason,
        source,
        int(count or 0),
        first_at,
        last_at,
        retry_at,
    )


def failure_rows(failures: Mapping[str, Failure]) -> list[tuple[Any, ...]]:
    """Rows for `TableSql.failures`."""
    return [
        tuple(escaped(value) for value in (key, *failure_row(failure))) for key, failure in failures.items()
    ]
