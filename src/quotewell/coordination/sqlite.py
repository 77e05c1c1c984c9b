"""The coordinator of all processes of a machine: a SQLite file of its own, `state.db`.

It is apart from `cache.db`, so that clearing, pruning or rebuilding the cache forgets neither a pause that a
provider has asked for nor a lease.
"""

from __future__ import annotations

import datetime as dt
import heapq
import sqlite3
from collections.abc import Callable, Collection, Mapping
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

import msgspec

from quotewell.cache.sqlite.file import SqliteFile
from quotewell.cache.sqlite.tables import in_chunks
from quotewell.coordination.budget import Budget, paused
from quotewell.coordination.budgeting import Budgeting
from quotewell.coordination.daily import first_kept, period, positive, utc_day
from quotewell.coordination.sqlite_schema import STATE_SCHEMA
from quotewell.coordination.usage import FORGOTTEN_AFTER, decayed
from quotewell.endpoints import Pause
from quotewell.protocols import Clock

__all__ = ["SqliteCoordinator"]

T = TypeVar("T")

_READ_BUDGET = """
    select seen, next_at, day, spent, paused_until, pause_reason, share from budget where provider = ?
"""
_WRITE_BUDGET = """
    insert or replace into budget
    (provider, seen, next_at, day, spent, paused_until, pause_reason, share)
    values (?, ?, ?, ?, ?, ?, ?, ?)
"""
# A lease of which more is left than twice its length has ended, too: the clock was set back.
_DROP_ENDED_LEASES = "delete from lease where until <= :now or until > :now + 2 * seconds"
_TAKE_LEASE = """
    insert into lease (key, token, until, seconds) values (?, ?, ?, ?)
    on conflict (key) do update set until = excluded.until, seconds = excluded.seconds
    where lease.token = excluded.token
"""
_ADD_STAT = """
    insert into stat (day, facet, event, count) values (?, ?, ?, ?)
    on conflict (day, facet, event) do update set count = count + excluded.count
"""
_READ_STATS = """
    select day, facet, event, count from stat where day between ? and ? order by day, facet, event
"""


class SqliteCoordinator(Budgeting):
    """A `protocols.Coordinator` that serves all processes that open the same file.

    Every step is one transaction that begins with the write lock, and reads the clock only then.

    Args:
        path: The file; made for the owner alone when it does not exist.
        clock: The time.
        timeout: Seconds to wait for another process's lock.

    Raises:
        CacheError: The file cannot be used, as for `cache.sqlite.SqliteLevel`; so raise all methods.
    """

    name = "sqlite"

    def __init__(self, path: Path, clock: Clock, *, timeout: float = 5.0) -> None:
        self._clock = clock
        self._file = SqliteFile(path, clock, STATE_SCHEMA, timeout=timeout)

    # ------------------------------------------------------------------------------------------ leases

    def lease(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        """See `protocols.Coordinator`."""
        wanted = list(dict.fromkeys(keys))

        def take(connection: sqlite3.Connection) -> set[str]:
            until = self._drop_ended_leases(connection) + seconds
            connection.executemany(_TAKE_LEASE, [(key, token, until, seconds) for key in wanted])
            return _held(connection, wanted, token)

        return self._file.write(take) if wanted else set()

    def renew(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        """See `protocols.Coordinator`; a lease that has run out is not held, even if nobody took it."""
        wanted = list(dict.fromkeys(keys))

        def extend(connection: sqlite3.Connection) -> set[str]:
            until = self._drop_ended_leases(connection) + seconds
            held = _held(connection, wanted, token)
            connection.executemany(_TAKE_LEASE, [(key, token, until, seconds) for key in held])
            return held

        return self._file.write(extend) if wanted else set()

    def release(self, keys: Collection[str], token: str) -> None:
        """See `protocols.Coordinator`."""
        rows = [(key, token) for key in keys]
        if rows:
            self._file.write(
                lambda connection: connection.executemany(
                    "delete from lease where key = ? and token = ?", rows
                )
            )

    # ------------------------------------------------------------------------------------------ budgets

    def paused(self, provider: str) -> Pause | None:
        """See `protocols.Coordinator`; the write lock is taken only if the clock was set back."""
        budget, now = self._spent(provider), self._clock.now()
        return paused(budget, now) if budget.seen <= now else super().paused(provider)

    def _spent(self, provider: str) -> Budget:
        return self._file.read(lambda connection: _read_budget(connection, provider))

    # -------------------------------------------------------------------------------------------- usage

    def add_usage(self, counts: Mapping[str, float]) -> None:
        """See `protocols.Coordinator`."""

        def add(connection: sqlite3.Connection) -> None:
            now = self._clock.now()
            connection.execute("delete from usage where at < ?", (now - FORGOTTEN_AFTER,))
            before: dict[str, tuple[float, float]] = {}
            for marks, keys in in_chunks(list(counts)):
                rows = connection.execute(
                    f"select symbol, count, at from usage where symbol in ({marks})",  # noqa: S608  marks: `?`
                    keys,
                )
                before |= {symbol: (count, at) for symbol, count, at in rows}
            connection.executemany(
                "insert or replace into usage (symbol, count, at) values (?, ?, ?)",
                [
                    (symbol, decayed(*before.get(symbol, (0.0, now)), now) + count, now)
                    for symbol, count in counts.items()
                ],
            )

        if counts:
            self._file.write(add)

    def top_usage(self, n: int) -> list[tuple[str, float]]:
        """See `protocols.Coordinator`."""
        rows = self._file.read(
            lambda connection: connection.execute("select symbol, count, at from usage").fetchall()
        )
        now = self._clock.now()
        counts = [(symbol, decayed(count, at, now)) for symbol, count, at in rows]
        return heapq.nlargest(n, counts, key=itemgetter(1))

    # --------------------------------------------------------------------------------------- statistics

    def add_stats(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        """See `protocols.Coordinator`."""
        events = positive(counts)

        def add(connection: sqlite3.Connection) -> None:
            now = self._clock.now()
            day = utc_day(now).isoformat()
            connection.execute("delete from stat where day < ?", (first_kept(now).isoformat(),))
            connection.executemany(_ADD_STAT, [(day, *event) for event in events])

        if events:
            self._file.write(add)

    def stats_by_day(self, days: int) -> dict[dt.date, dict[str, dict[str, int]]]:
        """See `protocols.Coordinator`."""
        bounds = [day.isoformat() for day in period(self._clock.now(), days)]
        rows = self._file.read(lambda connection: connection.execute(_READ_STATS, bounds).fetchall())
        found: dict[dt.date, dict[str, dict[str, int]]] = {}
        for day, facet, event, count in rows:
            found.setdefault(dt.date.fromisoformat(day), {}).setdefault(facet, {})[event] = count
        return found

    def close(self) -> None:
        """See `protocols.Coordinator`; afterwards every other method raises `CacheError`."""
        self._file.close()

    def _step(self, provider: str, step: Callable[[Budget, float], tuple[Budget, T]]) -> T:
        """Apply `step` to a provider's budget at the time at which the write lock was got."""

        def apply(connection: sqlite3.Connection) -> T:
            before = _read_budget(connection, provider)
            after, answer = step(before, self._clock.now())
            if after is not before:
                connection.execute(_WRITE_BUDGET, (provider, *msgspec.structs.astuple(after)))
            return answer

        return self._file.write(apply)

    def _drop_ended_leases(self, connection: sqlite3.Connection) -> float:
        now = self._clock.now()
        connection.execute(_DROP_ENDED_LEASES, {"now": now})
        return now


def _read_budget(connection: sqlite3.Connection, provider: str) -> Budget:
    row = connection.execute(_READ_BUDGET, (provider,)).fetchone()
    return Budget() if row is None else Budget(*row)


def _held(connection: sqlite3.Connection, keys: list[str], token: str) -> set[str]:
    held: set[str] = set()
    for marks, chunk in in_chunks(keys):
        sql = f"select key from lease where token = ? and key in ({marks})"  # noqa: S608  marks: `?`
        held |= {key for (key,) in connection.execute(sql, (token, *chunk))}
    return held
