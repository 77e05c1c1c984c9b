"""The persistent level in PostgreSQL, shared by all processes that use the same schema of a database."""

# ruff: noqa: S608  the statements are made of a checked schema name

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from quotewell.cache.codec import RESULT_PREFIX
from quotewell.cache.postgres.closes import delete_closes, read_closes, write_closes
from quotewell.cache.postgres.log import PostgresLog
from quotewell.cache.postgres.push import PostgresPush
from quotewell.cache.postgres.server import open_pool
from quotewell.cache.postgres.tables import Incoming, TableSql, failure_rows, scope_of, table_sql
from quotewell.cache.postgres.text import escaped, joined, unescaped, wanted_keys
from quotewell.freshness import FUTURE_TOLERANCE
from quotewell.protocols import Changes, Clock, LevelStats
from quotewell.records import FACETS, Closes, Failure, Record

if TYPE_CHECKING:
    from quotewell.cache.postgres.connection import PostgresConnection

__all__ = ["PostgresLevel"]

T = TypeVar("T")


class PostgresLevel:
    """A `protocols.Level` in one schema of a PostgreSQL database; see `schema.py` for its tables.

    Writes take turns: each begins, once its rows are on the server, by counting the revision up, which locks
    the counter until the write is over. So revisions become visible in their order, and who has seen one
    has seen all before it.

    Args:
        url: `postgresql://user:password@host:port/database?sslmode=…`, as libpq reads it.
        clock: The time, for the log of withdrawals.
        schema: Where the tables are; made when they do not exist.
        timeout: Seconds that an operation may take.

    Raises:
        CacheError: The server cannot be used.
        UsageError: The extra is not installed, or the URL or the name of the schema is none.
    """

    name = "postgres"

    def __init__(self, url: str, clock: Clock, *, schema: str = "quotewell", timeout: float = 2.0) -> None:
        self._clock = clock
        self._schema = schema
        self._pool = open_pool(url, schema, timeout=timeout)
        self._log = PostgresLog(schema, clock)
        self._push = PostgresPush(self._pool, clock)

    def rev(self) -> int:
        """See `protocols.Level`."""
        return self._pool.read(self._log.rev)

    # ---------------------------------------------------------------------------------------- records

    def get_many(self, table: str, keys: Collection[str]) -> dict[str, Record]:
        """See `protocols.Level`."""
        sql, scope = self._table(table)
        wanted = wanted_keys(keys)
        if not wanted:
            return {}
        parameters = {**scope, "keys": joined(wanted)}
        rows = self._pool.read(
            lambda connection: connection.execute(sql.read, parameters, prepare=True, binary=True).fetchall()
        )
        return sql.read_row(rows, wanted)

    def keys(self, table: str) -> list[str]:
        """See `protocols.Level`."""
        sql, scope = self._table(table)
        rows = self._pool.read(lambda connection: connection.execute(sql.list_keys, scope).fetchall())
        return [unescaped(key) for (key,) in rows]

    def put_many(
        self, table: str, records: Sequence[Record], *, begun: int, closes: Sequence[Closes] = ()
    ) -> set[str]:
        """See `protocols.Level`; a record without a value is refused."""
        sql, scope = self._table(table)
        keys = {record.symbol for record in records}
        rows = sql.write_row([record for record in records if record.fetched_at is not None], 0, "")
        width = len(sql.values.types)
        rows = [row[:width] for row in rows]

        def put(connection: PostgresConnection) -> set[str]:
            _send(connection, sql.values, rows)
            write = self._log.next_write(connection, table, begun)
            if write is None:
                return keys
            latest = self._clock.now() + FUTURE_TOLERANCE
            refused = connection.execute(sql.store, {**scope, **write, "latest": latest}).fetchall()
            accepted = {row[0] for row in rows} - {key for (key,) in refused}
            stored = {unescaped(key) for key in accepted}
            write_closes(connection, self._schema, [series for series in closes if series.symbol in stored])
            return keys - stored

        if not records:
            return set()
        if not rows:
            self._write(lambda connection: self._log.next_write(connection, table, begun))
            return keys
        return self._write(put, rows=len(rows) + sum(len(series.dates) for series in closes))

    def fail_many(self, table: str, failures: Mapping[str, Failure], *, begun: int) -> None:
        """See `protocols.Level`."""
        sql, scope = self._table(table)
        rows = failure_rows(failures)

        def fail(connection: PostgresConnection) -> None:
            _send(connection, sql.failures, rows)
            write = self._log.next_write(connection, table, begun)
            if write is not None:
                connection.execute(sql.fail, {**scope, **write, "begun": begun})

        if failures:
            self._write(fail, rows=len(rows))

    def invalidate_many(self, table: str, keys: Collection[str] | None) -> int:
        """See `protocols.Level`."""
        sql, scope = self._table(table)

        def invalidate(connection: PostgresConnection, parameters: dict[str, Any]) -> int:
            if parameters["keys"] is not None:
                return connection.execute(sql.invalidate, {**scope, **parameters}).rowcount
            return _number(connection, sql.invalidate_all, {**scope, **parameters})

        return self._withdraw(table, keys, invalidate, gone=False)

    def delete_many(self, table: str, keys: Collection[str] | None) -> int:
        """See `protocols.Level`."""
        sql, scope = self._table(table)

        def delete(connection: PostgresConnection, parameters: dict[str, Any]) -> int:
            if table == "history":
                delete_closes(connection, self._schema, keys)
            statement = sql.delete_all if parameters["keys"] is None else sql.delete
            return connection.execute(statement, {**scope, **parameters}).rowcount

        return self._withdraw(table, keys, delete, gone=True)

    def changes_since(self, rev: int) -> Changes:
        """See `protocols.Level`; a deletion of a whole table is answered by `keys=None`.

        The server is not asked as long as it would have announced a change.
        """
        if self._push.silent_since(rev):
            return Changes(rev, {})
        mark = self._push.mark()
        changes = self._pool.read(lambda connection: self._log.changes(connection, rev))
        if changes.rebuilt:
            self._push.replaced()
        self._push.learned(mark, changes.rev)
        return changes

    # ------------------------------------------------------------------------------------------ closes

    def get_closes(self, symbols: Collection[str]) -> dict[str, Closes]:
        """See `protocols.Level`."""
        if not symbols:
            return {}
        return self._pool.read(lambda connection: read_closes(connection, self._schema, symbols))

    # ------------------------------------------------------------------------------------------ upkeep

    def prune(self, max_records: int) -> int:
        """See `protocols.Level`; other processes may keep what they have of it in memory."""

        def prune(connection: PostgresConnection) -> int:
            self._log.lock(connection)
            pruned = 0
            for table, count in self._counts(connection).items():
                if count > max_records:
                    sql, scope = self._table(table)
                    oldest = connection.execute(
                        sql.prune, {**scope, "excess": count - max_records}
                    ).fetchall()
                    pruned += len(oldest)
                    if table == "history":
                        delete_closes(connection, self._schema, [unescaped(symbol) for (symbol,) in oldest])
            return pruned

        return self._pool.write(prune)

    def stats(self) -> LevelStats:
        """See `protocols.Level`; the size is that of the tables and their indexes."""
        counts = self._pool.read(self._counts)
        size = self._pool.read(
            lambda connection: _number(
                connection,
                """
                select coalesce(sum(pg_total_relation_size(pg_class.oid)), 0)::bigint
                from pg_class join pg_namespace on pg_namespace.oid = relnamespace
                where nspname = %(schema)s and relkind = 'r'
                """,
                {"schema": self._schema},
            )
        )
        return LevelStats(counts, size)

    def close(self) -> None:
        """See `protocols.Level`; afterwards every other method raises `CacheError`."""
        self._push.close()
        self._pool.close()

    def _write(self, operation: Callable[[PostgresConnection], T], *, rows: int = 0) -> T:
        try:
            return self._pool.write(operation, rows=rows)
        finally:
            self._push.wrote()

    def _table(self, table: str) -> tuple[TableSql, Mapping[str, str]]:
        return table_sql(self._schema, table), scope_of(table)

    def _withdraw(
        self,
        table: str,
        keys: Collection[str] | None,
        apply: Callable[[PostgresConnection, dict[str, Any]], int],
        *,
        gone: bool,
    ) -> int:
        """Log an invalidation or deletion and apply it, in one transaction."""
        distinct = None if keys is None else [escaped(key) for key in dict.fromkeys(keys)]

        def withdraw(connection: PostgresConnection) -> int:
            parameters = self._log.withdraw(connection, table, distinct, gone=gone)
            return apply(connection, parameters)

        return 0 if distinct == [] else self._write(withdraw, rows=len(distinct or ()))

    def _counts(self, connection: PostgresConnection) -> dict[str, int]:
        """Records by table, where there are any."""
        facets = " union all ".join(
            f"select '{facet}', null, count(*) from {self._schema}.{facet}" for facet in FACETS
        )
        results = f"select 'result', namespace, count(*) from {self._schema}.result group by namespace"
        rows = connection.execute(f"{facets} union all {results}")
        return {
            facet if namespace is None else RESULT_PREFIX + unescaped(namespace): count
            for facet, namespace, count in rows
            if count
        }


def _send(connection: PostgresConnection, incoming: Incoming, rows: Sequence[tuple[Any, ...]]) -> None:
    """Copy rows into a temporary table, made now if need be: a connection outlives no failed transaction."""
    if incoming.name not in connection.temporary:
        connection.execute(incoming.create)
        connection.temporary.add(incoming.name)
    connection.copy_rows(incoming.copy, incoming.types, rows)


def _number(connection: PostgresConnection, sql: str, parameters: Mapping[str, Any]) -> int:
    row = connection.execute(sql, parameters).fetchone()
    return 0 if row is None else int(row[0])
