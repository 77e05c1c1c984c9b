"""A database file, and levels on it that are closed in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.testing import ManualClock
from sqlite_files import NOW


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "quotewell" / "cache.db"


@pytest.fixture
def open_level(path: Path) -> Iterator[Callable[[], SqliteLevel]]:
    opened: list[SqliteLevel] = []

    def open_one() -> SqliteLevel:
        opened.append(SqliteLevel(path, ManualClock(NOW), timeout=0.05))
        return opened[-1]

    yield open_one
    for level in opened:
        level.close()
