"""A database file on a network file system."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from child_process import in_child
from quotewell.cache.sqlite import file as sqlite_file
from quotewell.cache.sqlite.faults import is_network_filesystem
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.errors import CacheDegradedWarning
from quotewell.testing import ManualClock
from sqlite_files import NOW, filled_file, works

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
