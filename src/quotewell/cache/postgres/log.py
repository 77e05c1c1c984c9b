"""The order of all writes to a cache in PostgreSQL: the counter of revisions, and the log of what changed."""

# ruff: noqa: S608  the statements are made of a checked schema name

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quotewell.cache.postgres.text import escaped, unescaped
from quotewell.protocols import Changes, Clock

if TYPE_CHECKING:
    from quotewell.cache.postgres.connection import PostgresConnection

__all__ = ["PostgresLog", "channel_of"]

_LOG_SECONDS = 3600.0
_KEPT_WRITES = 100_000
"""Writes that are kept in the log; a process further behind drops its memory. Withdrawals have their hour."""
_DROP_EVERY = 1000


def channel_of(schema: str) -> str:
    """What `LISTEN` names to be told each new revision."""
    return f"{schema}_rev"


class PostgresLog:
    """Statements about revisions; each of them is part of a transaction of the caller's.

    Args:
        schema: Where the tables are.
        clock: The time.
    """

    def __init__(self, schema: str, clock: Clock) -> None:
        self._clock = clock
        self._schema = schema
        self._rev = f"select rev from {schema}.counter"
        # What is announced is delivered at the end of the transaction.
        self._next_rev = f"""
            update {schema}.counter set rev = rev + 1
            returning rev, forgotten, pg_notify('{channel_of(schema)}', rev::text)
        """
        self._changes = f"""
            with counter as (
                select rev, born, forgotten, dropped, %(rev)s between born and rev as known
                from {schema}.counter
            ), asked as (
                select *, case when known then %(rev)s else born end as since from counter
            )
            select asked.rev, known, since < forgotten or (known and since < dropped),
                tbl, keys, withdrawal, gone
            from asked left join {schema}.change on change.rev > since and since >= forgotten
                and (not known or since >= dropped) and (known or withdrawal)
        """

    def rev(self, connection: PostgresConnection) -> int:
        """The revision now."""
        row = connection.execute(self._rev, prepare=True).fetchone()
        return 0 if row is None else int(row[0])

    def lock(self, connection: PostgresConnection) -> None:
        """Keep other writes out until the transaction is over."""
        connection.execute(f"{self._rev} for update")

    def next_write(self, connection: PostgresConnection, table: str, begun: int) -> dict[str, Any] | None:
        """Count a write, and keep other ones out until the transaction is over.

        Args:
            connection: In a transaction.
            table: Where to.
            begun: The revision at which the fetch began.

        Returns:
            The parameters of `tables.py`' statements; None when `begun` is so old that nobody
            knows what was withdrawn since.
        """
        rev, forgotten = self._count_up(connection)
        if rev % _DROP_EVERY == 0:
            self._drop_old_writes(connection, rev)
        # A revision of another schema: this write's own number is the first that no fetch can have seen.
        since = 0 if begun >= rev else begun
        if since < forgotten:
            return None
        return {"rev": rev, "table": escaped(table), "since": since, "now": self._clock.now()}

    def withdraw(
        self, connection: PostgresConnection, table: str, keys: Sequence[str] | None, *, gone: bool
    ) -> dict[str, Any]:
        """Count and log an invalidation or deletion; return the parameters of its statement."""
        rev, _ = self._count_up(connection)
        now = self._clock.now()
        # Entries from the future go, too: the clock was wrong when they were made.
        connection.execute(
            f"""
            with old as (
                delete from {self._schema}.change where withdrawal and (at < %(first)s or at > %(last)s)
                returning rev
            )
            update {self._schema}.counter set forgotten = greatest(forgotten, (select max(rev) from old))
            where exists (select from old)
            """,
            {"first": now - _LOG_SECONDS, "last": now + _LOG_SECONDS},
        )
        parameters = {"rev": rev, "table": escaped(table), "keys": keys, "now": now}
        connection.execute(
            f"""
            insert into {self._schema}.change (rev, tbl, keys, withdrawal, gone, at)
            values (%(rev)s, %(table)s, %(keys)s, true, %(gone)s, %(now)s)
            """,
            {**parameters, "gone": gone},
        )
        return parameters

    def changes(self, connection: PostgresConnection, rev: int) -> Changes:
        """See `protocols.Level.changes_since`."""
        rows = connection.execute(self._changes, {"rev": rev}, prepare=True).fetchall()
        (current, known, forgotten, *_) = rows[0]
        if forgotten:
            return Changes(current, None)
        changed: dict[str, set[str]] = {}
        for _, _, _, table, keys, withdrawal, gone in rows:
            if keys is not None:
                changed.setdefault(unescaped(table), set()).update(unescaped(key) for key in keys)
            elif gone or (withdrawal and not known):
                return Changes(current, None)
        return Changes(current, changed, rebuilt=not known)

    def _count_up(self, connection: PostgresConnection) -> tuple[int, int]:
        row = connection.execute(self._next_rev, prepare=True).fetchone()
        if row is None:
            raise AssertionError("unreachable")  # pragma: no cover
        rev, forgotten, _ = row
        return rev, forgotten

    def _drop_old_writes(self, connection: PostgresConnection, rev: int) -> None:
        parameters: Mapping[str, int] = {"last": rev - _KEPT_WRITES}
        connection.execute(
            f"delete from {self._schema}.change where not withdrawal and rev <= %(last)s", parameters
        )
        connection.execute(
            f"update {self._schema}.counter set dropped = greatest(dropped, %(last)s)", parameters
        )
