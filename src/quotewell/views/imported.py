"""How a file was read, row by row: `import --json`, and what the API answers to an upload."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quotewell.portfolio.importers import ImportedFile, RejectedRow
from quotewell.portfolio.problems import Problem
from quotewell.views.words import iso

__all__ = ["File", "Imported", "file_document", "kinds_of"]


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file, or several as one book; `docs/json.md` documents every key."""

    file: str
    broker: str
    as_of: str | None
    accounts: tuple[str, ...]
    rows: int
    kinds: dict[str, int]
    rejected: Sequence[RejectedRow]
    problems: Sequence[Problem]
    notes: Sequence[str]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """Several files."""

    schema: int = 1
    files: Sequence[File]


def file_document(file: ImportedFile) -> File:
    """What was found in a file."""
    return File(
        file=file.path,
        broker=file.broker,
        as_of=iso(file.as_of),
        accounts=file.accounts,
        rows=file.rows,
        kinds=kinds_of(file),
        rejected=file.rejected,
        problems=file.problems,
        notes=file.notes,
    )


def kinds_of(file: ImportedFile) -> dict[str, int]:
    """Rows that could be read, by kind."""
    kinds = dict.fromkeys(("stock", "option", "cash", "pending", "unknown"), 0)
    for entry in (*file.positions, *file.pending):
        kinds[entry.kind] += 1
    return kinds
