"""Opening and sharing a database file."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from child_process import as_nobody, in_child
from quotewell.cache.sqlite import file as sqlite_file
from quotewell.cache.sqlite.faults import cache_error, is_damage
from quotewell.cache.sqlite.file import Schema, SqliteFile
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.errors import CacheError
from quotewell.records import Quote
from quotewell.testing import ManualClock
from sqlite_files import NOW, SYMBOLS, fill, filled_file, overwrite_with_text, sqlite_error, works

# ------------------------------------------------------------------------------- other people's files


def set_version(path: Path, version: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"pragma user_version = {version}")
    connection.close()


def test_a_file_of_a_newer_version_is_not_touched(path: Path) -> None:
    filled_file(path)
    set_version(path, 99)
    before = path.read_bytes()
    with pytest.raises(CacheError, match="version 99 of the file is newer") as caught:
        SqliteLevel(path, ManualClock(NOW))
    assert "update quotewell" in caught.value.hint
    assert path.read_bytes() == before
    assert list(path.parent.glob("*corrupt*")) == []


@pytest.mark.parametrize("version", [0, 1])
def test_another_programs_database_is_not_touched(path: Path, version: int) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("create table theirs (a)")
    connection.commit()
    connection.close()
    set_version(path, version)
    before = path.read_bytes()
    with pytest.raises(CacheError, match="another program's database"):
        SqliteLevel(path, ManualClock(NOW))
    assert path.read_bytes() == before


def test_a_folder_in_place_of_the_file_is_a_cache_error(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(CacheError, match="cannot be opened"):
        SqliteLevel(path, ManualClock(NOW))


def test_a_link_to_nowhere_is_a_cache_error(path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(path.with_name("missing.db"))
    with pytest.raises(CacheError, match="link to nowhere"):
        SqliteLevel(path, ManualClock(NOW))


def test_a_file_in_place_of_the_folder_is_a_cache_error(path: Path) -> None:
    path.parent.write_text("")
    with pytest.raises(CacheError) as caught:
        SqliteLevel(path, ManualClock(NOW))
    assert "QUOTEWELL_CACHE_DIR" in caught.value.hint


def test_an_old_sqlite_is_a_cache_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 9))
    with pytest.raises(CacheError, match=r"needed is 3\.37"):
        SqliteLevel(path, ManualClock(NOW))


# ----------------------------------------------------------------------------------------- permissions


def test_file_and_folder_are_for_the_owner_alone(path: Path, open_level: Callable[[], SqliteLevel]) -> None:
    before = os.umask(0)
    try:
        fill(open_level())
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(["cache.db", "cache.db-wal", "cache.db-shm"], 0o600)


def test_a_folder_that_exists_keeps_its_permissions(
    path: Path, open_level: Callable[[], SqliteLevel]
) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o755)
    open_level()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755


@pytest.fixture
def public_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def test_a_folder_that_cannot_be_written_is_a_cache_error(public_folder: Path) -> None:
    public_folder.chmod(0o555)
    answer = as_nobody(lambda: SqliteLevel(public_folder / "new" / "cache.db", ManualClock(NOW)))
    assert answer.startswith("raised CacheError")
    assert "Permission denied" in answer


def test_a_file_that_cannot_be_written_is_a_cache_error(public_folder: Path) -> None:
    filled_file(public_folder / "cache.db")
    (public_folder / "cache.db").chmod(0o444)
    public_folder.chmod(0o555)
    answer = as_nobody(lambda: works(SqliteLevel(public_folder / "cache.db", ManualClock(NOW))))
    assert answer.startswith("raised CacheError")
    assert "cannot be" in answer


def test_a_file_that_becomes_unwritable_in_use_is_a_cache_error(
    path: Path, open_level: Callable[[], SqliteLevel]
) -> None:
    level = open_level()
    fill(level)
    level._file.write(lambda connection: connection.execute("select 1").fetchall())
    connections = level._file._connections()
    assert connections._writer is not None
    connections._writer.execute("pragma query_only = on")
    with pytest.raises(CacheError, match="cannot be written"):
        works(level)
    assert len(level.keys("quote")) == len(SYMBOLS)


# ------------------------------------------------------------------------------------------ processes


def test_a_forked_child_opens_its_own_connections(path: Path, open_level: Callable[[], SqliteLevel]) -> None:
    level = open_level()
    fill(level)
    inherited = level._file._connections()

    def child() -> tuple[bool, int, bool]:
        own = level._file._connections() is not inherited
        answer = own, len(level.get_many("quote", SYMBOLS)), works(level)
        level.close()
        return answer

    assert in_child(child) == f"returned (True, {len(SYMBOLS)}, True)"
    assert "NEW" in level.keys("quote"), "what the child wrote"
    assert works(level)
    assert level._file._connections() is inherited


def test_a_fork_in_the_middle_of_a_write_does_not_lock_the_child(
    path: Path, open_level: Callable[[], SqliteLevel]
) -> None:
    level = open_level()
    fill(level)
    answers = []
    level._file.write(lambda _: answers.append(in_child(lambda: len(level.keys("quote")))))
    assert answers == [f"returned {len(SYMBOLS)}"]
    assert works(level)


def test_opening_a_file_twice_drops_no_lock_of_the_first(open_level: Callable[[], SqliteLevel]) -> None:
    """Closing any descriptor of a file drops all locks that a process has on it."""
    shared_bytes = (510, 0x4000_0002)  # where SQLite keeps the lock of those that have a file open

    def lock_against_all() -> None:
        with level.path.open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, *shared_bytes)

    level = open_level()
    assert level.keys("quote") == []
    assert in_child(lock_against_all).startswith("raised BlockingIOError")
    open_level()
    assert in_child(lock_against_all).startswith("raised BlockingIOError")
    level._file._made()
    assert in_child(lock_against_all).startswith("raised BlockingIOError")


def _open_and_write(path: Path, gate: Any, name: str) -> None:
    gate.wait()
    level = SqliteLevel(path, ManualClock(NOW))
    level.put_many("quote", [Quote(symbol=name, fetched_at=1.0)], begun=level.rev())
    level.close()


@pytest.mark.parametrize("damaged", [False, True])
def test_processes_that_open_a_file_at_once_all_succeed(path: Path, damaged: bool) -> None:
    path.parent.mkdir()
    if damaged:
        filled_file(path)
        overwrite_with_text(path)
    names = [f"P{number}" for number in range(4)]
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(len(names))
    processes = [context.Process(target=_open_and_write, args=(path, gate, name)) for name in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * len(names)
    level = SqliteLevel(path, ManualClock(NOW))
    written = level.keys("quote")
    level.close()
    assert sorted(written) == names
    assert len(list(path.parent.glob("*.corrupt-*Z"))) == int(damaged)


def test_processes_that_meet_at_opening_try_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = SqliteFile._prepared
    errors = [sqlite_error(sqlite3.SQLITE_IOERR_DELETE_NOENT)]

    def fails_once(file: SqliteFile) -> sqlite3.Connection:
        if errors:
            raise errors.pop()
        return real(file)

    monkeypatch.setattr(SqliteFile, "_prepared", fails_once)
    level = SqliteLevel(path, ManualClock(NOW))
    assert works(level)
    level.close()


class BusyConnection:
    """Has been told that the file is busy some times when it switches the journal mode."""

    in_transaction = False

    def __init__(self, times: int, code: int = sqlite3.SQLITE_BUSY) -> None:
        self.times = times
        self.code = code

    def execute(self, sql: str) -> BusyConnection:
        if sql.startswith("pragma"):
            self.times -= 1
            if self.times >= 0:
                raise sqlite_error(self.code)
        return self

    def fetchone(self) -> None:
        """Nothing; the answer is not looked at."""


def test_the_switch_of_the_journal_mode_outwaits_others() -> None:
    connection: Any = BusyConnection(19)
    sqlite_file._set_journal_mode(connection, "wal")
    assert connection.times == -1


@pytest.mark.parametrize("connection", [BusyConnection(20), BusyConnection(1, sqlite3.SQLITE_READONLY)])
def test_the_switch_of_the_journal_mode_does_not_wait_for_ever(connection: Any) -> None:
    with pytest.raises(sqlite3.OperationalError):
        sqlite_file._set_journal_mode(connection, "wal")


# ------------------------------------------------------------------------------------------- migrations

STEP_1 = ("create table a (x integer) strict", "insert into a values (1)")
STEP_2 = ("alter table a add column y text", "update a set y = 'new'")


def contents(file: SqliteFile) -> list[tuple[Any, ...]]:
    return file.read(lambda connection: connection.execute("select * from a").fetchall())


def open_schema(path: Path, *steps: tuple[str, ...]) -> SqliteFile:
    return SqliteFile(path, ManualClock(NOW), Schema(7, steps), timeout=0.05)


def test_an_older_file_is_brought_up_to_date_step_by_step(path: Path) -> None:
    for steps, expected in [
        ((STEP_1,), [(1,)]),
        ((STEP_1, STEP_2), [(1, "new")]),
        ((STEP_1, STEP_2), [(1, "new")]),
    ]:
        file = open_schema(path, *steps)
        assert contents(file) == expected
        file.close()
    with pytest.raises(CacheError, match="newer"):
        open_schema(path, STEP_1)


def test_a_new_file_takes_all_steps(path: Path) -> None:
    file = open_schema(path, STEP_1, STEP_2)
    assert contents(file) == [(1, "new")]
    file.close()


def test_a_step_that_fails_changes_nothing(path: Path) -> None:
    open_schema(path, STEP_1).close()
    with pytest.raises(CacheError, match="syntax"):
        open_schema(path, STEP_1, ("update a set x = 2", "nonsense"))
    file = open_schema(path, STEP_1)
    assert contents(file) == [(1,)]
    file.close()


# ----------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (sqlite_error(sqlite3.SQLITE_BUSY), "locked by another process"),
        (sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT), "locked by another process"),
        (sqlite_error(sqlite3.SQLITE_READONLY_DBMOVED), "cannot be written"),
        (sqlite_error(sqlite3.SQLITE_CANTOPEN), "cannot be opened"),
        (sqlite_error(sqlite3.SQLITE_FULL), "disk is full"),
        (sqlite_error(sqlite3.SQLITE_IOERR_READ), "reports an error"),
        (sqlite_error(sqlite3.SQLITE_MISUSE), "the database refused"),
        (sqlite3.ProgrammingError("no code"), "the database refused"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (OSError("no number"), "cannot be used"),
        (OverflowError("too large"), "cannot be stored or read"),
    ],
)
def test_every_error_says_what_where_and_what_to_do(error: Exception, words: str) -> None:
    told = cache_error(Path("/x/cache.db"), error)
    assert str(told).startswith("/x/cache.db: ")
    assert words in str(told)
    assert told.hint


@pytest.mark.parametrize(
    ("error", "damage"),
    [
        (sqlite_error(sqlite3.SQLITE_CORRUPT), True),
        (sqlite_error(sqlite3.SQLITE_CORRUPT_INDEX), True),
        (sqlite_error(sqlite3.SQLITE_NOTADB), True),
        (sqlite_error(sqlite3.SQLITE_IOERR_SHORT_READ), True),
        (sqlite_error(sqlite3.SQLITE_IOERR_READ), False),
        (sqlite_error(sqlite3.SQLITE_FULL), False),
        (sqlite_error(sqlite3.SQLITE_BUSY), False),
        (OSError("disk"), False),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text"), True),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "a symbol of the caller's"), False),
        (sqlite3.OperationalError("Could not decode to UTF-8 column 'symbol'"), True),
        (sqlite_error(sqlite3.SQLITE_ERROR, "no such column: last"), True),
        (sqlite_error(sqlite3.SQLITE_ERROR, "no such table: quote"), False),
    ],
)
def test_only_damage_lets_a_file_be_set_aside(error: Exception, damage: bool) -> None:
    assert is_damage(error) is damage
