"""Opening, sharing and repairing a database file."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import sqlite3
import stat
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from child_process import as_nobody, in_child
from quotewell.cache.sqlite import faults as sqlite_faults
from quotewell.cache.sqlite import file as sqlite_file
from quotewell.cache.sqlite.faults import cache_error, is_damage, is_network_filesystem, set_aside
from quotewell.cache.sqlite.file import Schema, SqliteFile
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.records import Quote
from quotewell.testing import ManualClock

NOW = 1_736_953_200.0
STAMP = "20250115T150000Z"
SYMBOLS = [f"S{i}" for i in range(3000)]


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


# ---------------------------------------------------------------------------------------------- damage


def overwrite_with_text(path: Path) -> None:
    path.write_text("this is not a database\n" * 1000)


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def scribble_over_tables(path: Path) -> None:
    """Leaves the first pages, with the schema, as they are."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096 * 12)
        file.write(b"\xff" * (size - 4096 * 12))


@pytest.mark.parametrize("damage", [overwrite_with_text, cut_in_half])
def test_a_file_found_damaged_at_opening_is_set_aside_and_rebuilt(
    path: Path, open_level: Callable[[], SqliteLevel], damage: Callable[[Path], None]
) -> None:
    filled_file(path)
    damage(path)
    broken = path.read_bytes()
    with pytest.warns(CacheDegradedWarning, match=f"set aside as cache.db.corrupt-{STAMP}") as told:
        level = open_level()
    assert len(told) == 1
    assert level.keys("quote") == []
    assert works(level)
    aside = path.with_name(f"cache.db.corrupt-{STAMP}")
    assert aside.read_bytes() == broken
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_found_damaged_in_use_is_set_aside_and_rebuilt(
    path: Path, open_level: Callable[[], SqliteLevel]
) -> None:
    filled_file(path)
    level, other = open_level(), open_level()
    seen = other.rev()
    scribble_over_tables(path)
    with pytest.warns(CacheDegradedWarning, match="was damaged") as told:
        assert level.get_many("quote", SYMBOLS) == {}
    assert len(told) == 1
    assert path.with_name(f"cache.db.corrupt-{STAMP}").exists()
    assert works(level)
    assert other.keys("quote") == ["NEW"], "other users of the file notice, and say nothing more"
    assert other.changes_since(seen).rebuilt


def test_damage_found_by_a_write_loses_only_the_old_values(
    path: Path, open_level: Callable[[], SqliteLevel]
) -> None:
    filled_file(path)
    level = open_level()
    scribble_over_tables(path)
    with pytest.warns(CacheDegradedWarning, match="was damaged"):
        fill(level)
    assert len(level.keys("quote")) == len(SYMBOLS)


def test_a_second_damage_gets_a_name_of_its_own(path: Path, open_level: Callable[[], SqliteLevel]) -> None:
    for _ in range(2):
        filled_file(path)
        overwrite_with_text(path)
        with pytest.warns(CacheDegradedWarning):
            open_level().close()
    assert sorted(p.name for p in path.parent.glob("*corrupt*")) == [
        f"cache.db.corrupt-{STAMP}",
        f"cache.db.corrupt-{STAMP}-2",
    ]


def test_a_warning_turned_into_an_error_leaves_a_working_file(path: Path) -> None:
    filled_file(path)
    overwrite_with_text(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CacheDegradedWarning):
            SqliteLevel(path, ManualClock(NOW))
        level = SqliteLevel(path, ManualClock(NOW))
    assert works(level)
    level.close()


def test_a_file_emptied_in_use_is_filled_again(path: Path, open_level: Callable[[], SqliteLevel]) -> None:
    filled_file(path)
    level = open_level()
    idle = level._file._connections()._idle
    while idle:
        idle.pop().close()
    os.truncate(path, 0)
    assert level.get_many("quote", SYMBOLS) == {}
    assert works(level)


def test_a_file_emptied_under_an_open_connection_is_damaged(
    path: Path, open_level: Callable[[], SqliteLevel]
) -> None:
    filled_file(path)
    level = open_level()
    os.truncate(path, 0)
    with pytest.warns(CacheDegradedWarning, match="was damaged"):
        assert level.get_many("quote", SYMBOLS) == {}
    assert works(level)


def test_a_file_that_lost_a_table_is_left_alone(path: Path, open_level: Callable[[], SqliteLevel]) -> None:
    level = open_level()
    connection = sqlite3.connect(path)
    connection.execute("drop table quote")
    connection.commit()
    connection.close()
    with pytest.raises(CacheError, match="no such table: quote") as caught:
        level.keys("quote")
    assert "delete the file" in caught.value.hint


def test_a_file_deleted_in_use_is_made_again(path: Path, open_level: Callable[[], SqliteLevel]) -> None:
    level = open_level()
    fill(level)
    seen = level.rev()
    for file in path.parent.iterdir():
        file.unlink()
    assert level.keys("quote") == []
    assert level.changes_since(seen).rebuilt
    assert works(level)


def test_the_companions_of_a_database_are_set_aside_with_it(path: Path) -> None:
    filled_file(path)
    for suffix in ("-wal", "-shm"):
        path.with_name("cache.db" + suffix).write_text(suffix)
    identity = sqlite_faults.file_identity(path)
    assert identity is not None
    aside = set_aside(path, identity, NOW)
    assert aside is not None
    assert [aside.with_name(aside.name + suffix).read_text() for suffix in ("-wal", "-shm")] == [
        "-wal",
        "-shm",
    ]
    assert sorted(file.name for file in path.parent.iterdir() if "corrupt" not in file.name) == []


def test_a_file_that_another_has_replaced_already_is_not_set_aside(path: Path) -> None:
    filled_file(path)
    assert set_aside(path, (0, 0), NOW) is None
    assert path.exists()


def test_two_that_set_aside_at_once_do_not_meet(path: Path) -> None:
    filled_file(path)
    identity = sqlite_faults.file_identity(path)
    assert identity is not None
    with ThreadPoolExecutor(2) as pool:
        with sqlite_faults._folder_locked(path):
            both = [pool.submit(set_aside, path, identity, NOW) for _ in range(2)]
            assert not wait(both, timeout=0.05).done
        names = {future.result() for future in both}
    assert names == {None, path.with_name(f"cache.db.corrupt-{STAMP}")}


@pytest.mark.parametrize("locks", ["missing", "refused"])
def test_without_folder_locks_a_damaged_file_is_set_aside_all_the_same(
    path: Path, open_level: Callable[[], SqliteLevel], monkeypatch: pytest.MonkeyPatch, locks: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    if locks == "missing":
        monkeypatch.setattr(sqlite_faults, "fcntl", None)
    else:
        monkeypatch.setattr("fcntl.flock", refuse)
    filled_file(path)
    overwrite_with_text(path)
    with pytest.warns(CacheDegradedWarning, match="set aside"):
        assert works(open_level())


def test_a_file_that_cannot_be_renamed_is_a_cache_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    filled_file(path)
    overwrite_with_text(path)
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(CacheError, match="Permission denied"):
        SqliteLevel(path, ManualClock(NOW))


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


# ---------------------------------------------------------------------------------- network file systems

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/me/local\\040disk xfs rw 0 0
//nas/share /mnt/nas cifs rw 0 0
host:/x /mnt/ssh fuse.sshfs rw 0 0
tmpfs /mnt/nas/tmp tmpfs rw 0 0
nonsense
"""


@pytest.mark.parametrize(
    ("path", "network"),
    [
        ("/var/cache/x", False),
        ("/home/me/.cache", True),
        ("/home", True),
        ("/homework/x", False),
        ("/home/me/local disk/x", False),
        ("/mnt/nas/a", True),
        ("/mnt/nas/tmp/a", False),
        ("/mnt/ssh/a", True),
    ],
)
def test_network_file_systems_are_recognised(path: str, network: bool) -> None:
    assert is_network_filesystem(Path(path), MOUNTS) is network


def test_the_last_of_two_mounts_on_one_place_counts() -> None:
    mounts = "a /x ext4 rw 0 0\nb:/x /x nfs rw 0 0\n"
    assert is_network_filesystem(Path("/x/y"), mounts) is True


def journal_mode(path: Path) -> str:
    connection = sqlite3.connect(path)
    (mode,) = connection.execute("pragma journal_mode").fetchone()
    connection.close()
    return str(mode)


def test_on_a_network_file_system_there_is_no_write_ahead_log_and_one_warning(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    filled_file(path)
    assert journal_mode(path) == "wal"
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/x {tmp_path.resolve()} nfs4 rw 0 0\n")
    monkeypatch.setattr(sqlite_file, "_MOUNTS", mounts)
    with pytest.warns(CacheDegradedWarning, match="network file system") as told:
        level = SqliteLevel(path, ManualClock(NOW))
    assert len(told) == 1
    assert works(level)
    assert in_child(lambda: works(level)) == "returned True", "told once, not once more after a fork"
    level.close()
    assert journal_mode(path) == "delete"


def test_without_proc_mounts_the_file_system_is_taken_as_local(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sqlite_file, "_MOUNTS", tmp_path / "missing")
    filled_file(path)
    assert journal_mode(path) == "wal"


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
