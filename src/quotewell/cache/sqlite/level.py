"""The persistent level in a SQLite file, shared by all processes of a machine; nothing to install."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from quotewell.cache.codec import RESULT_PREFIX, failure_row, read_with_state, set_state
from quotewell.cache.sqlite.closes import delete_closes, read_closes, write_closes
from quotewell.cache.sqlite.file import SqliteFile
from quotewell.cache.sqlite.schema import CACHE_SCHEMA
from quotewell.cache.sqlite.tables import ROWS_AT_ONCE, TableSql, in_chunks, scope_of, table_sql
from quotewell.freshness import FUTURE_TOLERANCE
from quotewell.protocols import Changes, Clock, LevelStats
from quotewell.records import FACETS, Closes, Failure, Record

__all__ = ["SqliteLevel"]

_LOG_SECONDS = 3600.0
_MANY = 100
"""Keys from which on a plan for the read pays."""
_SCAN_SHARE = 0.55
"""Reading a whole table is faster than looking keys up when more than this share of it is wanted."""


class SqliteLevel:
    """A `protocols.Level` in one SQLite file; see `schema.py` for its tables.

    Args:
        path: The file; made for the owner alone when it does not exist.
        clock: The time, for the log of deletions.
        timeout: Seconds to wait for another process's lock.

    Raises:
        CacheError: The file cannot be used: locked, read-only, of a newer version, another program's.
    """

    name = "sqlite"

    def __init__(self, path: Path, clock: Clock, *, timeout: float = 5.0) -> None:
        self._clock = clock
        self._file = SqliteFile(path, clock, CACHE_SCHEMA, timeout=timeout)

    @property
    def path(self) -> Path:
        """The database file."""
        return self._file.path

    def rev(self) -> int:
        """See `protocols.Level`."""
        return self._file.read(_rev)

    # ---------------------------------------------------------------------------------------- records

    def get_many(self, table: str, keys: Collection[str]) -> dict[str, Record]:
        """See `protocols.Level`."""
        sql, scope = table_sql(table), scope_of(table)
        wanted = dict(zip(keys, keys, strict=True))
        if not wanted:
            return {}
        if len(wanted) < _MANY:
            return self._file.read(lambda connection: _read_few(connection, sql, scope, wanted))
        return self._file.read_snapshot(lambda connection: _read_many(connection, sql, scope, wanted))

    def keys(self, table: str) -> list[str]:
        """See `protocols.Level`."""
        sql, scope = table_sql(table), scope_of(table)
        return self._file.read(
            lambda connection: [key for (key,) in connection.execute(sql.list_keys, scope)]
        )

    def put_many(
        self, table: str, records: Sequence[Record], *, begun: int, closes: Sequence[Closes] = ()
    ) -> set[str]:
        """See `protocols.Level`; a record without a value is refused."""
        sql, scope = table_sql(table), scope_of(table)

        def put(connection: sqlite3.Connection) -> set[str]:
            refused = put_records(connection)
            accepted = {record.symbol for record in records} - refused
            write_closes(connection, [series for series in closes if series.symbol in accepted])
            return refused

        def put_records(connection: sqlite3.Connection) -> set[str]:
            rev = _next_rev(connection, table)
            withdrawn = _withdrawn(connection, table, begun)
            if withdrawn is None:
                return {record.symbol for record in records}
            accepted = [
                record
                for record in records
                if record.fetched_at is not None and record.symbol not in withdrawn
            ]
            rows = sql.write_row(accepted, rev, "".join(scope))
            stored = _upsert(connection, sql, rows)
            if stored < len(rows):
                keys = [record.symbol for record in accepted]
                if _undate(connection, sql, scope, keys, self._clock.now() + FUTURE_TOLERANCE):
                    stored = _upsert(connection, sql, rows)
            connection.execute(sql.clear_state, (*scope, rev))
            if stored == len(records):
                return set()
            written = {key for (key,) in connection.execute(sql.written, (*scope, rev))}
            return {record.symbol for record in records} - written

        return self._file.write(put) if records else set()

    def fail_many(self, table: str, failures: Mapping[str, Failure], *, begun: int) -> None:
        """See `protocols.Level`."""
        sql, scope = table_sql(table), scope_of(table)

        def fail(connection: sqlite3.Connection) -> None:
            rev = _next_rev(connection, table)
            withdrawn = _withdrawn(connection, table, begun)
            if withdrawn is None:
                return
            connection.executemany(
                sql.fail,
                [
                    (*scope, key, *failure_row(failure), rev, begun)
                    for key, failure in failures.items()
                    if key not in withdrawn
                ],
            )

        if failures:
            self._file.write(fail)

    def invalidate_many(self, table: str, keys: Collection[str] | None) -> int:
        """See `protocols.Level`."""
        return self._withdraw(table, keys, _invalidate)

    def delete_many(self, table: str, keys: Collection[str] | None) -> int:
        """See `protocols.Level`."""
        return self._withdraw(table, keys, _delete)

    def changes_since(self, rev: int) -> Changes:
        """See `protocols.Level`; a deletion of a whole table is answered by `keys=None`."""
        if self._file.read(_rev) == rev:
            return Changes(rev, {})
        return self._file.read_snapshot(lambda connection: _changes(connection, rev))

    # ------------------------------------------------------------------------------------------ closes

    def get_closes(self, symbols: Collection[str]) -> dict[str, Closes]:
        """See `protocols.Level`."""
        wanted = list(dict.fromkeys(symbols))
        return self._file.read_snapshot(lambda connection: read_closes(connection, wanted)) if wanted else {}

    # ----------------------------------------------------------------------------------------- upkeep

    def prune(self, max_records: int) -> int:
        """See `protocols.Level`; other processes may keep what they have of it in memory."""

        def prune(connection: sqlite3.Connection) -> int:
            pruned = 0
            for table, count in _counts(connection).items():
                excess = max(count - max_records, 0)
                oldest = connection.execute(table_sql(table).oldest, (*scope_of(table), excess))
                pruned += _delete(connection, table, [key for (key,) in oldest])
            return pruned

        return self._file.write(prune)

    def stats(self) -> LevelStats:
        """See `protocols.Level`."""
        counts = self._file.read(_counts)
        return LevelStats({table: count for table, count in counts.items() if count}, self._file.size())

    def close(self) -> None:
        """See `protocols.Level`; afterwards every other method raises `CacheError`."""
        self._file.close()

    def _withdraw(
        self,
        table: str,
        keys: Collection[str] | None,
        apply: Callable[[sqlite3.Connection, str, list[str] | None, int], int],
    ) -> int:
        """Log an invalidation or deletion and apply it, in one transaction."""
        table_sql(table)
        distinct = None if keys is None else list(dict.fromkeys(keys))
        now = self._clock.now()

        def withdraw(connection: sqlite3.Connection) -> int:
            rev = _next_rev(connection, table)
            _forget_old_changes(connection, now)
            gone = apply is _delete
            connection.executemany(
                "insert into change (rev, tbl, key, at, gone) values (?, ?, ?, ?, ?)",
                [(rev, table, key, now, gone) for key in (distinct if distinct is not None else [None])],
            )
            return apply(connection, table, distinct, rev)

        return 0 if distinct == [] else self._file.write(withdraw)


# What follows runs inside a transaction, or is a single statement.


def _rev(connection: sqlite3.Connection) -> int:
    (rev,) = connection.execute("select rev from counter").fetchone()
    return int(rev)


def _next_rev(connection: sqlite3.Connection, table: str) -> int:
    """Count a write to `table`."""
    [(rev,)] = connection.execute("update counter set rev = rev + 1 returning rev")
    connection.execute("insert or replace into touched (tbl, rev) values (?, ?)", (table, rev))
    return int(rev)


def _upsert(connection: sqlite3.Connection, sql: TableSql, rows: list[tuple[Any, ...]]) -> int:
    """Store rows that are not older than what is there; return how many were."""
    together = len(rows) - len(rows) % ROWS_AT_ONCE
    stored = 0
    for start in range(0, together, ROWS_AT_ONCE):
        parameters = list(chain.from_iterable(rows[start : start + ROWS_AT_ONCE]))
        stored += connection.execute(sql.upsert_many, parameters).rowcount
    if together < len(rows):
        stored += connection.executemany(sql.upsert, rows[together:]).rowcount
    return stored


def _read_few(
    connection: sqlite3.Connection, sql: TableSql, scope: tuple[str, ...], wanted: dict[str, str]
) -> dict[str, Record]:
    records: dict[str, Record] = {}
    for marks, keys in in_chunks(list(wanted)):
        rows = connection.execute(sql.read_some_with_state.format(keys=marks), (*scope, *keys))
        records |= read_with_state(sql.kind, rows, wanted)
    return records


def _read_many(
    connection: sqlite3.Connection, sql: TableSql, scope: tuple[str, ...], wanted: dict[str, str]
) -> dict[str, Record]:
    """Read values alone, and then the state of those few rows that have any: a third less to read."""
    (noted,) = connection.execute(sql.count_noted, scope).fetchone()
    if noted > len(wanted):
        return _read_few(connection, sql, scope, wanted)
    records: dict[str, Record] = {}
    (count,) = connection.execute(sql.count_rows, scope).fetchone()
    if len(wanted) > _SCAN_SHARE * count:
        records = sql.read_row(connection.execute(sql.read_all, scope), wanted)
    else:
        for marks, keys in in_chunks(list(wanted)):
            chunk = connection.execute(sql.read_some.format(keys=marks), (*scope, *keys)).fetchall()
            records |= sql.read_row(chunk, wanted)
    for key, *state in connection.execute(sql.read_noted, scope):
        if key in records:
            set_state(records[key], *state)
    return records


def _undate(
    connection: sqlite3.Connection, sql: TableSql, scope: tuple[str, ...], keys: list[str], instant: float
) -> int:
    """Let values replace those dated after `instant`: the clock was wrong when these were made."""
    return sum(
        connection.execute(sql.undate.format(keys=marks), (*scope, *chunk, instant)).rowcount
        for marks, chunk in in_chunks(keys)
    )


def _withdrawn(connection: sqlite3.Connection, table: str, begun: int) -> set[str] | None:
    """Keys invalidated or deleted after `begun`; None when that concerns, or may concern, all."""
    rev, forgotten = connection.execute("select rev, forgotten from counter").fetchone()
    if begun >= rev:
        begun = 0  # of an earlier file: this write's own number is the first that no fetch can have seen
    if begun < forgotten:
        return None
    log = connection.execute("select key from change where rev > ? and tbl = ?", (begun, table))
    withdrawn = {key for (key,) in log}
    return None if None in withdrawn else withdrawn


def _forget_old_changes(connection: sqlite3.Connection, now: float) -> None:
    # Entries from the future go, too: the clock was wrong when they were made.
    old = (now - _LOG_SECONDS, now + _LOG_SECONDS)
    (last,) = connection.execute("select max(rev) from change where at < ? or at > ?", old).fetchone()
    if last is not None:
        connection.execute("update counter set forgotten = max(forgotten, ?)", (last,))
        connection.execute("delete from change where at < ? or at > ?", old)


def _invalidate(connection: sqlite3.Connection, table: str, keys: list[str] | None, rev: int) -> int:
    sql, scope = table_sql(table), scope_of(table)
    if keys is None:
        return connection.execute(sql.invalidate_all, (rev, *scope)).rowcount
    return sum(
        connection.execute(sql.invalidate_some.format(keys=marks), (rev, *scope, *chunk)).rowcount
        for marks, chunk in in_chunks(keys)
    )


def _delete(connection: sqlite3.Connection, table: str, keys: list[str] | None, rev: int = 0) -> int:
    del rev
    sql, scope = table_sql(table), scope_of(table)
    if table == "history":
        delete_closes(connection, keys)
    if keys is None:
        return connection.execute(sql.delete_all, scope).rowcount
    return sum(
        connection.execute(sql.delete_some.format(keys=marks), (*scope, *chunk)).rowcount
        for marks, chunk in in_chunks(keys)
    )


def _changes(connection: sqlite3.Connection, rev: int) -> Changes:
    current, born, forgotten = connection.execute("select rev, born, forgotten from counter").fetchone()
    rebuilt = not born <= rev <= current
    if rebuilt:
        rev = born
    if rev < forgotten:
        return Changes(current, None)
    changed: dict[str, set[str]] = {}
    for table, key, gone in connection.execute("select tbl, key, gone from change where rev > ?", (rev,)):
        if key is not None:
            changed.setdefault(table, set()).add(key)
        elif gone or rebuilt:
            return Changes(current, None)
    if rebuilt:
        return Changes(current, changed, rebuilt=True)
    touched = connection.execute("select tbl from touched where rev > ?", (rev,)).fetchall()
    for (table,) in touched:
        if table not in FACETS and not table.startswith(RESULT_PREFIX):
            continue  # a later version's, which has brought the file up to date while this process runs
        scope = scope_of(table)
        keys = {key for (key,) in connection.execute(table_sql(table).changed, (*scope, rev, *scope, rev))}
        if keys:
            changed.setdefault(table, set()).update(keys)
    return Changes(current, changed)


def _counts(connection: sqlite3.Connection) -> dict[str, int]:
    counts: dict[str, int] = {}
    for facet in FACETS:
        (counts[facet],) = connection.execute(table_sql(facet).count_rows).fetchone()
    for namespace, count in connection.execute("select namespace, count(*) from result group by namespace"):
        counts[RESULT_PREFIX + namespace] = count
    return counts
