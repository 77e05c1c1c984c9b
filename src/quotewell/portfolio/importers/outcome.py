"""What reading a file yields: positions, pending activity, and the rows that could not be read."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from quotewell.portfolio.importers.table import Row
from quotewell.portfolio.positions import PendingActivity, Position
from quotewell.portfolio.problems import Problem

__all__ = ["PENDING_WITHOUT_AMOUNT", "ImportedFile", "RejectedRow", "RowError"]

PENDING_WITHOUT_AMOUNT = "pending activity without an amount"
"""Why such a row is rejected, whosever file it is in."""


class RowError(ValueError):
    """A row that cannot be read as a position; the message says why."""


class RejectedRow(msgspec.Struct, frozen=True):
    """A row that is in no sum."""

    line: int
    text: str
    """The row as it stands in the file, cut to 200 characters."""
    reason: str
    file: str | None = None
    """Which file, where a book is of several."""


class ImportedFile(msgspec.Struct, kw_only=True):
    """All rows of one file; `rows` = positions + pending + rejected."""

    broker: str
    path: str
    """The file as the user named it."""
    positions: list[Position] = []
    pending: list[PendingActivity] = []
    rejected: list[RejectedRow] = []
    delimiter: str = ","
    base_currency: str | None = None
    """What the file's own exchange rates lead to; None if it does not say."""
    as_of: float | None = None
    """When the file's prices were the market's, epoch seconds; None if neither content nor name tells."""
    stated_totals: dict[str, float] = {}
    """The broker's own total by account, as `Position.account` names it; of the whole file under ``""``."""
    notes: list[str] = []
    """Text around the table, such as the broker's disclaimers."""
    problems: list[Problem] = []
    """What else there is to know about the file, such as columns that were ignored."""

    @property
    def rows(self) -> int:
        """How many rows of the file say something about holdings."""
        return len(self.positions) + len(self.pending) + len(self.rejected)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts that rows name, in order of appearance."""
        named = [row.account or row.account_name for row in (*self.positions, *self.pending)]
        return tuple(dict.fromkeys(account for account in named if account))

    def add(self, entry: Position | PendingActivity) -> None:
        """Keep a row that could be read."""
        if isinstance(entry, PendingActivity):
            self.pending.append(entry)
        else:
            self.positions.append(entry)

    def reject_all(self, rows: Iterable[Row], reason: str) -> None:
        """Keep several rows that could not be read."""
        for row in rows:
            self.reject(row, reason)

    def reject(self, row: Row, reason: str) -> None:
        """Keep a row that could not be read, with the reason."""
        self.rejected.append(RejectedRow(row.line, row.text.strip(), reason))
