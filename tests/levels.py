"""Every level, for the suites that hold for all; a new one is one more line in `LEVELS`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from postgres_server import fresh_schema, shared_server
from quotewell.cache.late_level import LateLevel
from quotewell.cache.memory_level import MemoryLevel
from quotewell.cache.postgres.level import PostgresLevel
from quotewell.cache.spared_level import SparedLevel
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.errors import CacheError
from quotewell.protocols import Level
from quotewell.records import (
    FACETS,
    Closes,
    DividendEvent,
    Failure,
    History,
    Quote,
    Record,
    Split,
)
from quotewell.testing import ManualClock
from valkey_servers import valkey_level


def never() -> Level:
    raise CacheError("locked for ever")


def opened_late(folder: Path, clock: ManualClock) -> Level:
    level = LateLevel(lambda: SqliteLevel(folder / "cache.db", clock), clock)
    clock.advance(5.0)
    level.changes_since(0)
    assert level.name == "sqlite"
    return level


LEVELS: dict[str, Callable[[Path, ManualClock], Level]] = {
    "memory": lambda _, clock: MemoryLevel(clock),
    "sqlite": lambda folder, clock: SqliteLevel(folder / "cache.db", clock),
    "postgres": lambda _, clock: PostgresLevel(shared_server().url(), clock, schema=fresh_schema()),
    "late, waiting": lambda _, clock: LateLevel(never, clock),
    "late, there": opened_late,
    "spared": lambda folder, clock: SparedLevel(
        lambda: MemoryLevel(clock), SqliteLevel(folder / "spare.db", clock), clock
    ),
    "valkey": lambda _, clock: valkey_level(clock),
    "redis": lambda _, clock: valkey_level(clock, program="redis"),
}
TABLES = [*FACETS, "result:mine"]
HOUR = 3600.0


def quote(symbol: str = "AAPL", fetched_at: float = 100.0, last: float = 1.0) -> Quote:
    return Quote(symbol=symbol, source="yahoo", as_of=99.0, fetched_at=fetched_at, last=last, currency="USD")


def failure(kind: Any = "timeout", last_at: float = 200.0) -> Failure:
    return Failure(kind, "took 15 s", "yahoo", 2, 190.0, last_at, 230.0)


def put(level: Level, *records: Record, table: str = "quote") -> None:
    assert level.put_many(table, records, begun=level.rev()) == set()


def get(level: Level, key: str = "AAPL", table: str = "quote") -> Record | None:
    return level.get_many(table, [key]).get(key)


def changed(level: Level, rev: int) -> dict[str, set[str]] | None:
    changes = level.changes_since(rev)
    assert changes.rev == level.rev()
    return None if changes.keys is None else {table: set(keys) for table, keys in changes.keys.items()}


def closes(symbol: str, *, days: int = 3, source: str = "yahoo") -> Closes:
    return Closes(
        symbol=symbol,
        source=source,
        dates=[738_000 + day for day in range(days)],
        closes=[100.0 + day for day in range(days)],
        splits=(Split(738_001, 4.0), Split(738_002, 0.1)),
        dividends=(DividendEvent(738_001, 0.25, "USD", True), DividendEvent(738_001, 1.0, None, False)),
    )


def put_closes(level: Level, *series: Closes, fetched_at: float = 1.0) -> set[str]:
    records = [History(symbol=one.symbol, fetched_at=fetched_at) for one in series]
    return level.put_many("history", records, begun=level.rev(), closes=series)
