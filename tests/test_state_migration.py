"""From version 1 of `state.db`, which knew neither statistics nor slower rates, to the present one."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from quotewell.cache.sqlite import file as sqlite_file
from quotewell.cache.sqlite.file import Schema, SqliteFile
from quotewell.coordination.daily import utc_day
from quotewell.coordination.sqlite import SqliteCoordinator
from quotewell.coordination.sqlite_schema import STATE_SCHEMA
from quotewell.endpoints import Limit, Pause
from quotewell.errors import CacheError
from quotewell.testing import ManualClock

NOW = 1_736_953_200.0
PROCESSES = 4
VERSION_1 = (
    """create table budget (
        provider text primary key not null, seen real not null, next_at real not null,
        day integer not null, spent integer not null, paused_until real not null,
        pause_reason text not null
    ) strict""",
    """create table lease (
        key text primary key not null, token text not null, until real not null, seconds real not null
    ) strict, without rowid""",
    """create table usage (
        symbol text primary key not null, count real not null, at real not null
    ) strict, without rowid""",
)
"""As it was; a copy, so that a change of the first step is noticed."""
CONTENTS = (
    f"insert into budget values ('fmp', {NOW}, {NOW}, 20103, 250, {NOW + 600.0}, 'HTTP 429')",
    f"insert into lease values ('quote/AAPL', 'other', {NOW + 30.0}, 30.0)",
    f"insert into usage values ('AAPL', 3.0, {NOW})",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of version 1 with something in each table."""
    path = tmp_path / "state.db"
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in (*VERSION_1, *CONTENTS):
        connection.execute(statement)
    connection.execute(f"pragma application_id = {0x51575331}")
    connection.execute("pragma user_version = 1")
    connection.close()
    return path


def asked(path: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def tables(path: Path) -> set[str]:
    return {name for (name,) in asked(path, "select name from sqlite_schema where type = 'table'")}


def test_the_first_step_is_what_it_was() -> None:
    def squeezed(statements: Any) -> list[str]:
        return [" ".join(statement.split()) for statement in statements]

    assert squeezed(STATE_SCHEMA.steps[0]) == squeezed(VERSION_1)


def test_an_old_file_keeps_its_contents_and_gets_the_new_table(path: Path) -> None:
    clock = ManualClock(NOW)
    coordinator = SqliteCoordinator(path, clock)
    assert coordinator.paused("fmp") == Pause(NOW + 600.0, "HTTP 429")
    assert coordinator.lease(["quote/AAPL", "quote/MSFT"], "me", 30.0) == {"quote/MSFT"}
    assert coordinator.top_usage(9) == [("AAPL", 3.0)]
    assert asked(path, "select share from budget") == [(1.0,)]
    clock.advance(600.0)
    spent = coordinator.spend("fmp", Limit(rate=1.0, burst=1, per_day=250), max_wait=0.0)
    assert spent.failure == "quota", "the day's requests are still spent"
    coordinator.add_stats({"quote": {"misses": 7}})
    assert coordinator.stats_by_day(1) == {utc_day(NOW): {"quote": {"misses": 7}}}
    coordinator.close()
    assert asked(path, "pragma user_version") == [(3,)]
    assert tables(path) == {"budget", "lease", "usage", "stat"}


def test_a_new_file_is_like_one_that_was_migrated(path: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.db"
    for each in (path, new):
        SqliteCoordinator(each, ManualClock(NOW)).close()
    schema = "select name, sql from sqlite_schema where sql is not null"
    made, migrated = ({name: " ".join(sql.split()) for name, sql in asked(p, schema)} for p in (new, path))
    assert made == migrated
    assert asked(new, "pragma user_version") == [(3,)]
    assert all(" strict" in sql for sql in made.values())


def test_a_person_can_read_the_statistics(path: Path) -> None:
    coordinator = SqliteCoordinator(path, ManualClock(NOW))
    coordinator.add_stats({"quote": {"misses": 7}, "fx": {"misses": 2}})
    coordinator.close()
    assert asked(path, "select day, facet, event, count from stat order by facet") == [
        ("2025-01-15", "fx", "misses", 2),
        ("2025-01-15", "quote", "misses", 7),
    ]
    with pytest.raises(sqlite3.IntegrityError):
        asked(path, "insert into stat values ('2025-01-15', 'fx', 'hits', 'many')")


def test_migrating_twice_is_migrating_once(path: Path) -> None:
    for misses in (1, 2):
        coordinator = SqliteCoordinator(path, ManualClock(NOW))
        coordinator.add_stats({"quote": {"misses": 1}})
        assert coordinator.stats_by_day(1) == {utc_day(NOW): {"quote": {"misses": misses}}}
        coordinator.close()


# --------------------------------------------------------------------------------------------- half-way


BROKEN_STEPS = {
    "a statement fails": ("update usage set count = 0", "create table stat (day text) strict", "nonsense"),
    "the table is there": (*STATE_SCHEMA.steps[1], "create table usage (symbol text)"),
}


@pytest.mark.parametrize("step", BROKEN_STEPS.values(), ids=BROKEN_STEPS)
def test_a_migration_that_fails_leaves_version_1_as_it_was(path: Path, step: tuple[str, ...]) -> None:
    schema = Schema(STATE_SCHEMA.application_id, (STATE_SCHEMA.steps[0], step))
    with pytest.raises(CacheError, match=r"state\.db"):
        SqliteFile(path, ManualClock(NOW), schema, timeout=0.05)
    assert asked(path, "pragma user_version") == [(1,)]
    assert tables(path) == {"budget", "lease", "usage"}
    assert asked(path, "select symbol, count from usage") == [("AAPL", 3.0)]
    assert list(path.parent.glob("*corrupt*")) == [], "it is no damage"
    coordinator = SqliteCoordinator(path, ManualClock(NOW))
    assert coordinator.top_usage(1) == [("AAPL", 3.0)], "the right step mends it"
    coordinator.close()


def die_before_the_commit(path: Path) -> None:
    migrate = SqliteFile._migrate

    def killed(self: SqliteFile, connection: sqlite3.Connection) -> None:
        migrate(self, connection)
        os._exit(9)

    SqliteFile._migrate = killed  # type: ignore[method-assign]  # in a process of its own
    SqliteCoordinator(path, ManualClock(NOW))


def test_a_process_killed_in_the_middle_leaves_version_1_as_it_was(path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=die_before_the_commit, args=(path,))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    assert asked(path, "pragma user_version") == [(1,)]
    assert tables(path) == {"budget", "lease", "usage"}
    assert asked(path, "select symbol, count from usage") == [("AAPL", 3.0)]


# ----------------------------------------------------------------------------------------------- at once


def test_threads_that_migrate_at_once_all_succeed(path: Path) -> None:
    gate = threading.Barrier(PROCESSES)

    def work(_: int) -> None:
        gate.wait()
        coordinator = SqliteCoordinator(path, ManualClock(NOW))
        coordinator.add_stats({"quote": {"misses": 1}})
        coordinator.close()

    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(work, range(PROCESSES)))
    assert asked(path, "select count from stat") == [(PROCESSES,)]


def migrate(path: Path, gate: Any) -> None:
    gate.wait()
    coordinator = SqliteCoordinator(path, ManualClock(NOW))
    coordinator.add_stats({"quote": {"misses": 1}})
    coordinator.close()


def test_processes_that_migrate_at_once_all_succeed(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(PROCESSES)
    processes = [context.Process(target=migrate, args=(path, gate)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    assert asked(path, "select count from stat") == [(PROCESSES,)]
    assert asked(path, "select symbol, count from usage") == [("AAPL", 3.0)]
    assert asked(path, "pragma user_version") == [(3,)]


def while_it_waits(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None], *, recheck: bool) -> None:
    """Let something happen after a file was found to be old, and before its migration has the write lock."""
    begin = sqlite_file._transaction
    checked = SqliteFile._checked_version
    pending = [happens]

    def late(connection: sqlite3.Connection, operation: Any, **how: Any) -> Any:
        if pending and getattr(operation, "__name__", "") == "_migrate":
            pending.pop()()
        return begin(connection, operation, **how)

    monkeypatch.setattr(sqlite_file, "_transaction", late)
    if not recheck:
        monkeypatch.setattr(
            SqliteFile,
            "_checked_version",
            lambda file, connection: 1 if connection.in_transaction else checked(file, connection),
        )


@pytest.mark.parametrize("recheck", [True, False], ids=["as it is", "without the second look"])
def test_a_migration_that_comes_second_sees_that_it_is_done(
    path: Path, monkeypatch: pytest.MonkeyPatch, recheck: bool
) -> None:
    while_it_waits(monkeypatch, lambda: SqliteCoordinator(path, ManualClock(NOW)).close(), recheck=recheck)
    if not recheck:
        with pytest.raises(CacheError, match="already exists"):
            SqliteCoordinator(path, ManualClock(NOW))
        return
    coordinator = SqliteCoordinator(path, ManualClock(NOW))
    assert coordinator.top_usage(1) == [("AAPL", 3.0)]
    coordinator.close()


def test_a_program_that_has_an_old_file_open_goes_on_while_it_is_migrated(path: Path) -> None:
    old = SqliteFile(path, ManualClock(NOW), Schema(STATE_SCHEMA.application_id, (VERSION_1,)), timeout=0.05)
    SqliteCoordinator(path, ManualClock(NOW)).close()
    old.write(lambda connection: connection.execute("update usage set count = 4").fetchall())
    assert old.read(lambda c: c.execute("select count from usage").fetchall()) == [(4.0,)]
    old.close()
