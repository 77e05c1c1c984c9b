"""What can go wrong with a database file: in words, and what is done about a damaged one."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from quotewell.errors import CacheError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "FileIdentity",
    "cache_error",
    "file_identity",
    "is_busy",
    "is_damage",
    "is_emptied",
    "is_meeting",
    "is_network_filesystem",
    "set_aside",
    "wait_for_renaming",
]

FileIdentity = tuple[int, int]
"""Device and inode: tells whether a path still names the file that was opened."""

_COMPANIONS = ("-wal", "-shm", "-journal")
_FUSE = ("davfs2", "glusterfs", "rclone", "s3fs", "sshfs")
_NETWORK_FILESYSTEMS = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "lustre", "ncpfs"),
        *("nfs", "nfs4", "ocfs2", "orangefs", "smb3", "smbfs"),
        *(f"fuse.{name}" for name in _FUSE),
    )
)
_NO_TEXT = "Could not decode to UTF-8"
_MEETINGS = (sqlite3.SQLITE_IOERR_DELETE_NOENT, sqlite3.SQLITE_IOERR_FSTAT)
_PRIMARY_CODE = 0xFF
_SCHEMA_DAMAGED = ("no such column", "has no column named", "ON CONFLICT clause does not match")
_WORDS = {
    sqlite3.SQLITE_BUSY: (
        "it is locked by another process",
        "end the process that holds it, or try again later",
    ),
    sqlite3.SQLITE_LOCKED: ("it is locked by this process", "try again"),
    sqlite3.SQLITE_READONLY: (
        "it cannot be written",
        "check the permissions of the file and its folder, or set QUOTEWELL_CACHE_DIR to another folder",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened",
        "check the permissions of the file and its folder, or set QUOTEWELL_CACHE_DIR to another folder",
    ),
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space, or set QUOTEWELL_CACHE_DIR to another disk"),
    sqlite3.SQLITE_IOERR: (
        "the disk reports an error",
        "check the disk, or set QUOTEWELL_CACHE_DIR to another one",
    ),
}


def cache_error(path: Path, error: Exception) -> CacheError:
    """The library's error for what `sqlite3` or the operating system said about `path`."""
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(error, OSError):
        reason = error.strerror or "it cannot be used"
        if isinstance(error, (FileExistsError, NotADirectoryError)):
            reason = "its folder is a file"
        hint = "check its folder, or set QUOTEWELL_CACHE_DIR to another"
    elif isinstance(error, sqlite3.Error):
        reason, hint = _WORDS.get(
            -1 if code is None else code & _PRIMARY_CODE,
            ("the database refused", "if this happens again, delete the file; it is built anew"),
        )
        reason = f"{reason} ({error})"
    else:
        reason, hint = f"a value cannot be stored or read ({error})", "report this as a bug of the provider"
    return CacheError(f"{path}: {reason}", hint=hint)


def is_damage(error: Exception) -> bool:
    """Whether an error means that the file is not, or no longer, a readable database.

    Bytes that have changed may leave a database that SQLite reads, but with text that is none, or with a
    schema that has lost a column.
    """
    if isinstance(error, (UnicodeDecodeError, msgspec.DecodeError)):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return isinstance(error, sqlite3.OperationalError) and str(error).startswith(_NO_TEXT)
    if code == sqlite3.SQLITE_ERROR:
        return any(words in str(error) for words in _SCHEMA_DAMAGED)
    if code == sqlite3.SQLITE_IOERR_SHORT_READ:
        return True
    return code & _PRIMARY_CODE in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_busy(error: Exception) -> bool:
    """Whether an error means that another process holds a lock."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY_CODE == sqlite3.SQLITE_BUSY


def is_meeting(error: Exception) -> bool:
    """Whether two processes opened the file, or one renamed it, at the same moment; trying again helps."""
    return getattr(error, "sqlite_errorcode", None) in _MEETINGS


def is_emptied(error: Exception) -> bool:
    """Whether an error means that the file has lost its tables, as when a person has truncated it."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR and "no such table" in str(error)


def file_identity(path: Path) -> FileIdentity | None:
    """Which file `path` names now; None when there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116  on the way of every statement, and Path.stat costs twice as much
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def set_aside(path: Path, identity: FileIdentity, now: float) -> Path | None:
    """Rename a damaged database and its companions, so that a new one can be built in its place.

    Args:
        path: The database.
        identity: The file that was found damaged.
        now: Epoch seconds, for the new name: `cache.db.corrupt-20250115T150000Z`.

    Returns:
        The new name; None when another process has replaced the file already.
    """
    with _folder_locked(path):
        if file_identity(path) != identity:
            return None
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        target = path.with_name(f"{path.name}.corrupt-{stamp}")
        again = 1
        while target.exists():
            again += 1
            target = path.with_name(f"{path.name}.corrupt-{stamp}-{again}")
        # The database goes last: a new file beside the old write-ahead log would be damaged by it.
        for suffix in (*_COMPANIONS, ""):
            source = path.with_name(path.name + suffix)
            if source.exists():
                source.rename(target.with_name(target.name + suffix))
        return target


def wait_for_renaming(path: Path) -> None:
    """Return when no other process is setting `path` aside."""
    with _folder_locked(path):
        pass


@contextmanager
def _folder_locked(path: Path) -> Iterator[None]:
    if fcntl is None:
        yield
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        # Where there are no such locks, two processes may each set a file aside.
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def is_network_filesystem(path: Path, mounts: str) -> bool:
    """Whether `path` lies on a file system without the shared memory that a write-ahead log needs.

    Args:
        path: An absolute path.
        mounts: The text of `/proc/mounts`.
    """
    found, depth = "", -1
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[1]))
        if path.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = fields[2], len(point.parts)
    return found in _NETWORK_FILESYSTEMS
