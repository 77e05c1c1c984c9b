"""Making the tables, and programs of two versions that share them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from engine_parts import Errand
from postgres_server import fresh_schema, shared_server
from quotewell.cache.postgres import schema as postgres_schema
from quotewell.cache.postgres import tables as postgres_tables
from quotewell.cache.postgres.level import PostgresLevel
from quotewell.coordination.postgres import PostgresCoordinator
from quotewell.endpoints import Limit
from quotewell.errors import CacheError
from quotewell.records import RECORD_TYPES, Failure, Quote
from quotewell.testing import ManualClock

STEP = (
    "alter table {schema}.quote add column volume float8",
    "create table {schema}.later (a integer primary key)",
)


class LaterQuote(Quote, gc=False):
    """What a quote may be in the next version."""

    volume: float | None = None


@pytest.fixture
def schema() -> str:
    return fresh_schema()


def open_level(schema: str) -> PostgresLevel:
    return PostgresLevel(shared_server().url(), ManualClock(now=1e6), schema=schema)


@contextmanager
def next_version(
    *, added: Mapping[tuple[str, str], int] | None = None, steps: tuple[str, ...] = STEP
) -> Iterator[None]:
    """This program as it will be, with a column more."""
    later = (*postgres_schema.STEPS, steps)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RECORD_TYPES, "quote", LaterQuote)
        patch.setattr(postgres_schema, "STEPS", later)
        patch.setattr(postgres_tables, "STEPS", later)
        patch.setattr(postgres_tables, "ADDED", {("quote", "volume"): len(later)} if added is None else added)
        yield


def put(level: PostgresLevel, record: Quote) -> None:
    assert level.put_many("quote", [record], begun=level.rev()) == set()


def test_many_that_come_first_make_one_schema(schema: str) -> None:
    gate, url = threading.Barrier(8), shared_server().url()

    def first() -> int:
        gate.wait(30.0)
        level = PostgresLevel(url, ManualClock(), schema=schema, timeout=10.0)
        rev = level.rev()
        level.close()
        return rev

    assert len({errand.result() for errand in [Errand(first) for _ in range(8)]}) == 1


def test_a_schema_that_was_made_for_us_is_used(schema: str) -> None:
    shared_server().execute(f"create schema {schema}")
    level = open_level(schema)
    put(level, Quote(symbol="A", fetched_at=1.0))
    level.close()


def test_making_the_tables_is_all_or_nothing(schema: str) -> None:
    with next_version(steps=("this is no SQL",)), pytest.raises(CacheError, match="syntax error"):
        open_level(schema)
    assert shared_server().execute(f"select 1 from pg_namespace where nspname = '{schema}'") == []
    open_level(schema).close()


def test_programs_of_two_versions_share_the_tables(schema: str) -> None:
    """One after the other is brought up to date, and goes on to see what the others write."""
    old = open_level(schema)
    put(old, Quote(symbol="A", fetched_at=1.0, last=1.0))
    with next_version():
        new = open_level(schema)
        assert new.get_many("quote", ["A"]) == {"A": LaterQuote(symbol="A", fetched_at=1.0, last=1.0)}
        put(new, LaterQuote(symbol="B", fetched_at=1.0, last=2.0, volume=7.0))
        assert new.get_many("quote", ["B"]) == {
            "B": LaterQuote(symbol="B", fetched_at=1.0, last=2.0, volume=7.0)
        }
    again = open_level(schema)
    for level in (old, again):
        assert level.get_many("quote", ["B"]) == {"B": Quote(symbol="B", fetched_at=1.0, last=2.0)}
        rev = level.rev()
        put(level, Quote(symbol="C", fetched_at=1.0))
        level.fail_many("quote", {"C": Failure("server", "", "x", 1, 0.0, 0.0, 0.0)}, begun=level.rev())
        assert level.invalidate_many("quote", ["C"]) == level.delete_many("quote", ["C"]) == 1
        assert level.changes_since(rev).keys == {"quote": {"C"}}
    coordinator = PostgresCoordinator(shared_server().url(), ManualClock(), schema=schema)
    assert coordinator.spend("yahoo", Limit(1.0, 1), max_wait=0.0).refused is None
    for part in (old, new, again, coordinator):
        part.close()


@pytest.mark.parametrize("guarded", [True, False])
def test_what_an_older_program_did_not_write_is_no_part_of_its_value(schema: str, guarded: bool) -> None:
    """Its price is of today, and the volume beside it would be yesterday's."""
    old = open_level(schema)
    with next_version(added=None if guarded else {}):
        new = open_level(schema)
        put(new, LaterQuote(symbol="A", fetched_at=1.0, last=1.0, volume=7.0))
    put(old, Quote(symbol="A", fetched_at=2.0, last=2.0))
    with next_version(added=None if guarded else {}):
        [record] = new.get_many("quote", ["A"]).values()
        assert record == LaterQuote(symbol="A", fetched_at=2.0, last=2.0, volume=None if guarded else 7.0)
    old.close()
    new.close()


def test_a_schema_that_is_not_for_this_program_is_left_alone(schema: str) -> None:
    open_level(schema).close()
    shared_server().execute(f"update {schema}.counter set version = 9, oldest = 9")
    with pytest.raises(
        CacheError, match=rf"version 9 .* is newer than this program's \({len(postgres_schema.STEPS)}\)"
    ) as caught:
        open_level(schema)
    assert "update quotewell" in caught.value.hint
