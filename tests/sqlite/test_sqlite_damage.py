"""Repairing a damaged database file."""

from __future__ import annotations

import os
import sqlite3
import stat
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from quotewell.cache.sqlite import faults as sqlite_faults
from quotewell.cache.sqlite.faults import set_aside
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.testing import ManualClock
from sqlite_files import NOW, STAMP, SYMBOLS, fill, filled_file, overwrite_with_text, works

# ---------------------------------------------------------------------------------------------- damage


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
