"""The coordinator of all processes that use the same schema of a PostgreSQL database.

Every step is one statement, so that no process can stop in the middle of one and hold the others up. A budget
is read, counted by the arithmetic of `budget`, and written if nobody has written meanwhile; else it is read
again. Times are those of the injected clock: hosts that share a cache need clocks that agree.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, TypeVar

import msgspec

from quotewell.cache.postgres.server import open_pool
from quotewell.cache.postgres.text import escaped, unescaped, wanted_keys
from quotewell.coordination.budget import Budget, common_time
from quotewell.coordination.budgeting import Budgeting
from quotewell.coordination.daily import first_kept, period, positive, utc_day
from quotewell.coordination.postgres_sql import statements
from quotewell.coordination.usage import FORGOTTEN_AFTER
from quotewell.errors import CacheError
from quotewell.protocols import Clock

if TYPE_CHECKING:
    from quotewell.cache.postgres.connection import PostgresConnection

__all__ = ["PostgresCoordinator"]

T = TypeVar("T")

_ATTEMPTS = 1000
"""At a budget that others keep changing; each of these attempts is one at which somebody else had success."""


class PostgresCoordinator(Budgeting):
    """A `protocols.Coordinator` in one schema of a PostgreSQL database.

    Args:
        url: `postgresql://user:password@host:port/database?sslmode=…`, as libpq reads it.
        clock: The time.
        schema: Where the tables are; made when they do not exist.
        timeout: Seconds that an operation may take.

    Raises:
        CacheError: The server cannot be used; so raise all methods.
        UsageError: The extra is not installed, or the URL or the name of the schema is none.
    """

    name = "postgres"

    def __init__(self, url: str, clock: Clock, *, schema: str = "quotewell", timeout: float = 2.0) -> None:
        self._clock = clock
        self._pool = open_pool(url, schema, timeout=timeout)
        self._sql = statements(schema)

    # ------------------------------------------------------------------------------------------ leases

    def lease(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        """See `protocols.Coordinator`."""
        return self._leases(self._sql.lease, keys, token, seconds)

    def renew(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        """See `protocols.Coordinator`; a lease that has run out is not held, even if nobody took it."""
        return self._leases(self._sql.renew, keys, token, seconds)

    def release(self, keys: Collection[str], token: str) -> None:
        """See `protocols.Coordinator`."""
        if keys:
            parameters = {"keys": [escaped(key) for key in keys], "token": escaped(token)}
            self._pool.read(lambda connection: connection.execute(self._sql.release, parameters))

    # ------------------------------------------------------------------------------------------- usage

    def add_usage(self, counts: Mapping[str, float]) -> None:
        """See `protocols.Coordinator`."""
        if not counts:
            return
        now = self._clock.now()
        parameters = {
            "symbols": [escaped(symbol) for symbol in counts],
            "counts": [float(count) for count in counts.values()],
            "now": now,
            "forgotten": now - FORGOTTEN_AFTER,
        }
        self._pool.run_once(lambda connection: connection.execute(self._sql.add_usage, parameters))

    def top_usage(self, n: int) -> list[tuple[str, float]]:
        """See `protocols.Coordinator`."""
        parameters = {"now": self._clock.now(), "n": n}
        rows = self._pool.read(
            lambda connection: connection.execute(self._sql.top_usage, parameters).fetchall()
        )
        return [(unescaped(symbol), count) for symbol, count in rows]

    # -------------------------------------------------------------------------------------- statistics

    def add_stats(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        """See `protocols.Coordinator`."""
        events = positive(counts)
        if not events:
            return
        now = self._clock.now()
        parameters = {
            "day": utc_day(now),
            "first_kept": first_kept(now),
            "facets": [escaped(facet) for facet, _, _ in events],
            "events": [escaped(event) for _, event, _ in events],
            "counts": [n for _, _, n in events],
        }
        self._pool.run_once(lambda connection: connection.execute(self._sql.add_stats, parameters))

    def stats_by_day(self, days: int) -> dict[dt.date, dict[str, dict[str, int]]]:
        """See `protocols.Coordinator`."""
        bounds = period(self._clock.now(), days)
        rows = self._pool.read(lambda connection: connection.execute(self._sql.stats, bounds).fetchall())
        found: dict[dt.date, dict[str, dict[str, int]]] = {}
        for day, facet, event, count in rows:
            found.setdefault(day, {}).setdefault(unescaped(facet), {})[unescaped(event)] = count
        return found

    def close(self) -> None:
        """See `protocols.Coordinator`; afterwards every other method raises `CacheError`."""
        self._pool.close()

    # ------------------------------------------------------------------------------------------- steps

    def _leases(self, sql: str, keys: Collection[str], token: str, seconds: float) -> set[str]:
        wanted = wanted_keys(keys)
        if not wanted:
            return set()

        def ask(connection: PostgresConnection) -> set[str]:
            parameters = {
                "keys": list(wanted),
                "token": escaped(token),
                "now": self._clock.now(),
                "seconds": seconds,
            }
            rows = connection.execute(sql, parameters, prepare=True).fetchall()
            return {wanted[key] for (key,) in rows}

        # To be granted the same lease twice is to be granted it once.
        return self._pool.read(ask)

    def _spent(self, provider: str) -> Budget:
        budget, _ = self._budget(provider)
        return budget

    def _step(self, provider: str, step: Callable[[Budget, float], tuple[Budget, T]]) -> T:
        """Apply `step` to a provider's budget, alone."""
        for _ in range(_ATTEMPTS):
            before, version = self._budget(provider)
            after, answer = step(before, common_time(before, self._clock.now()))
            if after == before or self._write(provider, after, version):
                return answer
        text = f"{self._pool.place}: the budget of {provider} is changed by too many at once"
        raise CacheError(text, hint="try again")

    def _budget(self, provider: str) -> tuple[Budget, int]:
        """What has been spent, and how often that was written; 0 for never."""
        parameters = (escaped(provider),)
        row = self._pool.read(
            lambda connection: connection.execute(self._sql.budget, parameters, prepare=True).fetchone()
        )
        if row is None:
            return Budget(), 0
        version, seen, next_at, day, spent, paused_until, reason, share = row
        return Budget(seen, next_at, day, spent, paused_until, unescaped(reason), share), version

    def _write(self, provider: str, budget: Budget, version: int) -> bool:
        """Write a budget in the place of `version`; False if that has been replaced meanwhile."""
        parameters = msgspec.structs.asdict(budget) | {
            "provider": escaped(provider),
            "pause_reason": escaped(budget.pause_reason),
            "version": version,
        }
        # If the answer was lost, the second try finds another version, and what was taken is taken twice.
        changed = self._pool.read(
            lambda connection: connection.execute(self._sql.write_budget, parameters, prepare=True).rowcount
        )
        return changed > 0
