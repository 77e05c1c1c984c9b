"""Files of the SQLite level, for tests of what happens to them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.records import Quote
from quotewell.testing import ManualClock

NOW = 1_736_953_200.0
STAMP = "20250115T150000Z"
SYMBOLS = [f"S{i}" for i in range(3000)]


def fill(level: SqliteLevel) -> None:
    level.put_many("quote", [Quote(symbol=s, fetched_at=1.0, last=1.0) for s in SYMBOLS], begun=level.rev())


def filled_file(path: Path) -> None:
    level = SqliteLevel(path, ManualClock(NOW))
    fill(level)
    level.close()


def works(level: SqliteLevel) -> bool:
    level.put_many("quote", [Quote(symbol="NEW", fetched_at=1.0)], begun=level.rev())
    return "NEW" in level.get_many("quote", ["NEW"])


def sqlite_error(code: int, text: str = "what SQLite said") -> sqlite3.Error:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


def overwrite_with_text(path: Path) -> None:
    path.write_text("this is not a database\n" * 1000)
