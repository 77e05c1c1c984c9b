"""Several files of one investor as one book: accounts side by side, none counted twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePath

import msgspec

from quotewell.errors import ImportFailed
from quotewell.portfolio.importers.outcome import ImportedFile
from quotewell.portfolio.positions import PendingActivity, Position
from quotewell.portfolio.problems import Problem

__all__ = ["merged"]

_NAMELESS = ("", None)


def merged(files: Sequence[ImportedFile]) -> ImportedFile:
    """One book of several files.

    An account that two files of one broker name counts once: by the file of the later day, which is said.
    Rows that name no account are taken to be of an account of their file's own.

    Args:
        files: As they were read, at least one.

    Raises:
        ImportFailed: Two files say the same, or have an account in common and nothing tells which is newer.
    """
    if len(files) == 1:
        return files[0]
    for place, file in enumerate(files):
        for other in files[:place]:
            if (file.broker, _said(file)) == (other.broker, _said(other)):
                raise ImportFailed(file.path, f"says the same as {other.path}", hint="name it once")
    newest: dict[tuple[str, str], ImportedFile] = {}
    superseded: list[Problem] = []
    for file in files:
        for account in file.accounts:
            before = newest.get((file.broker, account))
            if before is not None:
                older, newer = _by_day(before, file, account)
                superseded.append(_superseded(account, older, newer))
                newest[file.broker, account] = newer
            else:
                newest[file.broker, account] = file
    book = ImportedFile(
        broker=" + ".join(dict.fromkeys(file.broker for file in files)),
        path=", ".join(PurePath(file.path).name for file in files),
        as_of=_common_day(files),
        base_currency=_common(file.base_currency for file in files),
        problems=[*(problem for file in files for problem in file.problems), *superseded],
    )
    for file in files:
        _take(book, file, newest)
    return book


def _take(book: ImportedFile, file: ImportedFile, newest: dict[tuple[str, str], ImportedFile]) -> None:
    """Add what counts of a file."""
    named = file.accounts
    counted = [account for account in named if newest[file.broker, account] is file]

    def counts(entry: Position | PendingActivity) -> bool:
        account = entry.account or entry.account_name
        return account in _NAMELESS or newest[file.broker, account or ""] is file

    entries: list[Position | PendingActivity] = [*file.positions, *file.pending]
    for entry in entries:
        if counts(entry):
            entry.file, entry.as_of = file.path, file.as_of
            if (entry.account or entry.account_name) in _NAMELESS:
                entry.account_name = file.path
            book.add(entry)
    book.rejected += [msgspec.structs.replace(row, file=file.path) for row in file.rejected]
    book.notes += file.notes
    for account, total in file.stated_totals.items():
        if account in counted or (not account and not named):
            book.stated_totals[account or file.path] = total


def _by_day(first: ImportedFile, second: ImportedFile, account: str) -> tuple[ImportedFile, ImportedFile]:
    """The older and the newer of two files that have an account in common."""
    if first.as_of is None or second.as_of is None or first.as_of == second.as_of:
        raise ImportFailed(
            second.path,
            f"the account {account} is in {first.path}, too, and nothing tells which is newer",
            hint="leave one out",
        )
    return (first, second) if first.as_of < second.as_of else (second, first)


def _superseded(account: str, older: ImportedFile, newer: ImportedFile) -> Problem:
    return Problem(
        kind="superseded",
        subject=account,
        message=f"{account}: {older.path} is older than {newer.path}, and counts for nothing",
    )


def _said(file: ImportedFile) -> tuple[object, ...]:
    return file.positions, file.pending, file.as_of


def _common_day(files: Sequence[ImportedFile]) -> float | None:
    """The latest of the files' days: what is older is so by its own price; None if one is not known."""
    days = [file.as_of for file in files]
    known = [day for day in days if day is not None]
    return max(known) if len(known) == len(days) else None


def _common(values: Iterable[str | None]) -> str | None:
    found = set(values)
    return found.pop() if len(found) == 1 else None
