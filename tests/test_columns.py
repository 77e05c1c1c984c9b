"""A record's fields and the columns that keep them, in every engine whose tables have columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from postgres_server import fresh_schema, shared_server
from quotewell.cache import columns
from quotewell.cache.codec import value_columns
from quotewell.cache.postgres import schema as postgres_schema
from quotewell.cache.postgres import tables as postgres_tables
from quotewell.cache.postgres.level import PostgresLevel
from quotewell.cache.sqlite import level as sqlite_level
from quotewell.cache.sqlite import schema as sqlite_schema
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.protocols import Level
from quotewell.records import (
    FACETS,
    RECORD_TYPES,
    Dividend,
    DividendEvent,
    Facet,
    Payouts,
    Quote,
    Record,
)
from quotewell.testing import ManualClock

NEW = cast("Facet", "standing")
ONE_MORE: columns.Columns = {"quote": {"volume": "real", "halted": "flag"}, NEW: {"rank": "whole"}}


class Standing(Record, gc=False):
    """What a facet may be that there is not yet."""

    rank: int | None = None


class LaterQuote(Quote, gc=False):
    """What a quote may be in the next version."""

    volume: float | None = None
    halted: bool = False


@pytest.mark.parametrize("facet", FACETS)
def test_every_field_has_a_column(facet: Facet) -> None:
    names = {name for version in (columns.FIRST, *columns.LATER) for name in version.get(facet, ())}
    unused = set(columns.UNUSED.get(facet, ()))
    assert names - unused == set(value_columns(RECORD_TYPES[facet])) - set(value_columns(Record))


def in_file(folder: Path) -> Callable[[], Level]:
    return lambda: SqliteLevel(folder / "cache.db", ManualClock(now=1e6))


def in_postgres(folder: Path) -> Callable[[], Level]:
    del folder
    schema = fresh_schema()
    return lambda: PostgresLevel(shared_server().url(), ManualClock(now=1e6), schema=schema)


@pytest.mark.parametrize("engine", [in_file, in_postgres])
def test_a_column_more_is_one_line_for_all(
    engine: Callable[[Path], Callable[[], Level]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_level = engine(tmp_path)
    old = open_level()
    old.put_many("quote", [Quote(symbol="A", fetched_at=1.0, last=1.0)], begun=old.rev())
    old.close()

    later = (*columns.LATER, ONE_MORE)
    monkeypatch.setitem(RECORD_TYPES, "quote", LaterQuote)
    monkeypatch.setitem(RECORD_TYPES, NEW, Standing)
    monkeypatch.setattr(sqlite_level, "CACHE_SCHEMA", sqlite_schema.cache_schema(later))
    monkeypatch.setattr(postgres_schema, "STEPS", postgres_schema.steps(later))
    monkeypatch.setattr(postgres_tables, "STEPS", postgres_schema.steps(later))
    monkeypatch.setattr(postgres_tables, "ADDED", columns.since(later))
    new = open_level()
    assert new.get_many("quote", ["A"]) == {"A": LaterQuote(symbol="A", fetched_at=1.0, last=1.0)}
    put = LaterQuote(symbol="B", fetched_at=1.0, last=2.0, volume=7.0, halted=True)
    new.put_many("quote", [put], begun=new.rev())
    assert new.get_many("quote", ["B"]) == {"B": put}
    new.put_many(NEW, [Standing(symbol="A", fetched_at=1.0, rank=3)], begun=new.rev())
    assert new.get_many(NEW, ["A"]) == {"A": Standing(symbol="A", fetched_at=1.0, rank=3)}
    new.close()


@pytest.mark.parametrize("engine", [in_file, in_postgres])
def test_a_cache_of_the_first_version_gets_what_later_ones_have(
    engine: Callable[[Path], Callable[[], Level]], tmp_path: Path
) -> None:
    open_level = engine(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_level, "CACHE_SCHEMA", sqlite_schema.cache_schema(()))
        for module in (postgres_schema, postgres_tables):
            patch.setattr(module, "STEPS", postgres_schema.steps(()))
        patch.setattr(postgres_tables, "ADDED", columns.since(()))
        old = open_level()
        dividend = Dividend(symbol="A", fetched_at=1.0, dividend_yield=0.01)
        old.put_many("dividend", [dividend], begun=old.rev())
        old.close()
    new = open_level()
    assert new.get_many("dividend", ["A"]) == {"A": dividend}
    event = DividendEvent(738_000, 0.25, "USD", declared=True)
    payouts = Payouts(symbol="A", fetched_at=1.0, events=(event,))
    new.put_many("payouts", [payouts], begun=new.rev())
    assert new.get_many("payouts", ["A"]) == {"A": payouts}
    assert (new.stats().records["dividend"], new.stats().records["payouts"]) == (1, 1)
    new.close()


def test_versions_count_from_the_first() -> None:
    assert columns.since(()) == {}
    assert columns.since([ONE_MORE, {"fx": {"bid": "real"}, NEW: {"of": "whole"}}]) == {
        ("quote", "volume"): 2,
        ("quote", "halted"): 2,
        ("fx", "bid"): 3,
        (NEW, "of"): 3,
    }
