"""The tables of a shared cache in PostgreSQL, made so that a person can query them.

```
select symbol, last, currency, to_timestamp(fetched_at) from quotewell.quote;
select symbol, day, close from quotewell.bar where symbol = 'SPY' order by day;
select symbol, failure_kind, failure_reason from quotewell.quote where failure_kind is not null;
select provider, to_timestamp(paused_until), pause_reason from quotewell.budget;
```

Times are epoch seconds; `date` is a proleptic ordinal, `day` the same as a date. `rev` is the revision at
which a row's value was last written or invalidated (0: never), `failure_rev` that at which its failure was.
`change` logs what every write concerned: `withdrawal` tells invalidations and deletions, `gone` deletions
alone; `keys` is null for a whole table. `counter` starts at a random revision, `born`, so that a revision of
an earlier schema of the same name is recognised as foreign; withdrawals up to revision `forgotten` and other
writes up to `dropped` are no longer in the log.

Programs of several versions share a schema while they are brought up to date one by one. So a later version
only adds tables and columns, and each program names the columns that it knows. `format` is the version of the
program that wrote a row's value: a column of `ADDED` that is younger than this was left as it had been, and
is read as null. `counter.oldest` is the oldest version that may still use the schema.
"""

# ruff: noqa: S608  the statements are made of names that this file holds, and of a checked schema name

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from quotewell.cache.columns import FIRST, LATER, Columns, Kind, additions, definitions, since, steps_of
from quotewell.errors import CacheError, UsageError

if TYPE_CHECKING:
    from quotewell.cache.postgres.connection import PostgresConnection

__all__ = ["ADDED", "STEPS", "checked_name", "prepare", "steps"]

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}")
_LOCK = 0x51574331
"""Of who makes or changes a schema: any number that no other program takes for the same."""
_MAKING_SECONDS = 10
_KEY = 'text collate "C"'
_PROVENANCE = "rev bigint not null, format integer not null, source text, as_of float8, fetched_at float8"
_STATE = """
    invalidated boolean not null default false, failure_kind text, failure_reason text, failure_source text,
    failure_count bigint, failure_first_at float8, failure_last_at float8, failure_retry_at float8,
    failure_rev bigint
"""
_TYPES: Mapping[Kind, str] = {
    "text": "text",
    "real": "float8",
    "whole": "bigint",
    "flag": "boolean not null default false",
}
# A row that is written over and over leaves room for its next version on its page.
_ROOM = "with (fillfactor = 70)"


def _tables(facets: Columns) -> list[str]:
    return [
        f"create table {{schema}}.{facet} "
        f"({_KEY_COLUMN}, {_PROVENANCE}, {definitions(columns, _TYPES)}, {_STATE}) {_ROOM}"
        for facet, columns in facets.items()
    ]


def _version_1() -> list[str]:
    return [
        """create table {schema}.counter (
            id integer primary key check (id = 1), rev bigint not null, born bigint not null,
            forgotten bigint not null, dropped bigint not null, version integer not null,
            oldest integer not null
        ) with (fillfactor = 10)""",
        """insert into {schema}.counter (id, rev, born, forgotten, dropped, version, oldest)
            select 1, start, start, 0, 0, 0, 1
            from (select floor(random() * 1073741824)::bigint << 31 as start) as random_start""",
        """create table {schema}.change (
            rev bigint not null, tbl text not null, keys text[] collate "C", withdrawal boolean not null,
            gone boolean not null, at float8 not null
        )""",
        "create index change_rev on {schema}.change (rev)",
        "create index change_at on {schema}.change (at) where withdrawal",
        *_tables(FIRST),
        f"""create table {{schema}}.result (
            namespace {_KEY} not null, key {_KEY} not null, {_PROVENANCE}, blob bytea, {_STATE},
            primary key (namespace, key)
        ) {_ROOM}""",
        f"""create table {{schema}}.closes (
            {_KEY_COLUMN}, source text not null, dates bigint[] not null, closes float8[] not null,
            splits text not null, dividends text not null,
            check (cardinality(dates) = cardinality(closes)), check (not 'NaN' = any (closes))
        )""",
        """create view {schema}.bar as
            select symbol, bar.date,
                case when bar.date between 1 and 3652059
                    then date '0001-01-01' + (bar.date - 1)::integer end as day,
                bar.close, source
            from {schema}.closes, unnest(dates, closes) as bar (date, close)""",
        """create view {schema}.event as
            select symbol, 'split' as kind, (item ->> 'date')::bigint as date,
                (item ->> 'ratio')::float8 as value, null as currency, null::boolean as declared
            from {schema}.closes, json_array_elements(splits::json) as item
            union all
            select symbol, 'dividend', (item ->> 'ex_date')::bigint, (item ->> 'amount')::float8,
                item ->> 'currency', (item ->> 'declared')::boolean
            from {schema}.closes, json_array_elements(dividends::json) as item""",
        f"""create table {{schema}}.budget (
            provider {_KEY} primary key, version bigint not null, seen float8 not null,
            next_at float8 not null, day bigint not null, spent bigint not null, paused_until float8 not null,
            pause_reason text not null, share float8 not null
        ) {_ROOM}""",
        f"""create table {{schema}}.lease (
            key {_KEY} primary key, token text not null, until float8 not null, seconds float8 not null
        ) {_ROOM}""",
        f"create table {{schema}}.usage ({_KEY_COLUMN}, count float8 not null, at float8 not null) {_ROOM}",
        """create table {schema}.stat (
            day date not null, facet text not null, event text not null, count bigint not null,
            primary key (day, facet, event)
        )""",
    ]


_KEY_COLUMN = f"symbol {_KEY} primary key"


def steps(later: Sequence[Columns] = LATER) -> list[list[str]]:
    """SQL statements by schema version: step 0 makes version 1 of nothing, step 1 version 2 of it."""
    changes = (
        [*_tables(step.tables), *additions(step.columns, _TYPES, "{schema}.")] for step in steps_of(later)
    )
    return [_version_1(), *changes]


STEPS: Sequence[Sequence[str]] = steps()
ADDED: Mapping[tuple[str, str], int] = since(LATER)
"""Columns that came into a table after it was made, by table and name: the version that added them."""


def checked_name(schema: str) -> str:
    """`schema`, if it can stand in a statement as it is.

    Raises:
        UsageError: It cannot.
    """
    if not _NAME.fullmatch(schema):
        hint = "small letters, digits and _, 40 at most, no digit first"
        raise UsageError(f"{schema[:60]!r} is no name for a schema of the shared cache", hint=hint)
    return schema


def prepare(connection: PostgresConnection, schema: str) -> None:
    """Make the tables, or bring them up to date, unless they are.

    Raises:
        CacheError: They are of a later version that this program cannot use.
        psycopg.Error: The role may not make them, or the connection is lost.
    """
    if _version(connection, schema) >= len(STEPS):
        return
    # That is done once, and takes longer than anything else.
    connection.deadline += _MAKING_SECONDS
    connection.execute("begin")
    connection.execute(f"set local lock_timeout = '{_MAKING_SECONDS}s'")
    connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
    # Asked again: another process may have been faster.
    version = _version(connection, schema)
    if version == 0 and not _exists(connection, schema):
        connection.execute(f"create schema {schema}")
    for step in STEPS[version:]:
        for statement in step:
            connection.execute(statement.format(schema=schema))
    if version < len(STEPS):
        connection.execute(f"update {schema}.counter set version = %s", (len(STEPS),))
    connection.execute("commit")


def _version(connection: PostgresConnection, schema: str) -> int:
    """The version of the tables; 0 when there are none."""
    # Not `to_regclass`, which may remember that there was none before the lock was got.
    sql = "select from pg_class join pg_namespace on pg_namespace.oid = relnamespace"
    found = connection.execute(f"{sql} where nspname = %s and relname = 'counter'", (schema,)).fetchone()
    if found is None:
        return 0
    row = connection.execute(f"select version, oldest from {schema}.counter").fetchone()
    if row is None:
        return 0
    version, oldest = row
    if oldest > len(STEPS):
        text = f"version {version} of the schema {schema} is newer than this program's ({len(STEPS)})"
        raise CacheError(text, hint="update quotewell, or name another schema")
    return int(version)


def _exists(connection: PostgresConnection, schema: str) -> bool:
    return (
        connection.execute("select 1 from pg_namespace where nspname = %s", (schema,)).fetchone() is not None
    )
