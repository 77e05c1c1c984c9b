"""What a level on a database does with values that the database refuses: all of a write, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from postgres_server import fresh_schema, shared_server
from quotewell.cache.postgres.level import PostgresLevel
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.errors import CacheError
from quotewell.protocols import Level
from quotewell.records import Closes, Failure, History, Quote
from quotewell.testing import ManualClock

DATABASES: dict[str, Callable[[Path, ManualClock], Level]] = {
    "sqlite": lambda folder, clock: SqliteLevel(folder / "cache.db", clock),
    "postgres": lambda _, clock: PostgresLevel(shared_server().url(), clock, schema=fresh_schema()),
}


@pytest.fixture(params=DATABASES)
def level(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Level]:
    made = DATABASES[request.param](tmp_path, ManualClock(now=1e6))
    yield made
    made.close()


def quote(symbol: str, fetched_at: float) -> Quote:
    return Quote(symbol=symbol, source="x", fetched_at=fetched_at, last=1.0)


@pytest.mark.parametrize("bad", ["\ud800", "a\udfffb"])
def test_a_batch_with_a_value_that_cannot_be_stored_changes_nothing(level: Level, bad: str) -> None:
    level.put_many("quote", [quote("A", 100.0)], begun=level.rev())
    rev = level.rev()
    broken = quote("B", 200.0)
    broken.exchange = bad
    with pytest.raises(CacheError, match="cannot be stored"):
        level.put_many("quote", [quote("A", 200.0), broken, quote("C", 200.0)], begun=rev)
    assert level.rev() == rev
    assert level.get_many("quote", ["A", "B", "C"]) == {"A": quote("A", 100.0)}
    level.put_many("quote", [quote("C", 200.0)], begun=level.rev())
    assert level.rev() == rev + 1, "the failed write is over and done with"


def test_a_number_too_large_for_the_database_is_a_cache_error(level: Level) -> None:
    bad = Failure("timeout", "", "", 2**63, 0.0, 0.0, 0.0)
    with pytest.raises(CacheError, match="cannot be stored"):
        level.fail_many("quote", {"A": bad}, begun=level.rev())
    assert level.keys("quote") == []


def test_nan_is_no_close(level: Level) -> None:
    good = Closes(symbol="A", source="x", dates=[1], closes=[1.0])
    records = [History(symbol=symbol, fetched_at=1.0) for symbol in "AB"]
    level.put_many("history", records[:1], begun=level.rev(), closes=[good])
    other = Closes(symbol="A", source="x", dates=[5], closes=[5.0])
    bad = Closes(symbol="B", source="x", dates=[1, 2], closes=[1.0, float("nan")])
    with pytest.raises(CacheError, match=r"cannot be stored|NOT NULL"):
        level.put_many("history", records, begun=level.rev(), closes=[other, bad])
    assert level.get_closes(["A", "B"]) == {"A": good}
    assert level.keys("history") == ["A"]
