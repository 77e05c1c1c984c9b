"""The totals that a broker's file states itself, against what its rows add up to."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from quotewell.portfolio.importers.outcome import ImportedFile
from quotewell.portfolio.positions import PendingActivity, Position
from quotewell.portfolio.problems import Problem

__all__ = ["StatedTotal", "stated_problems", "stated_totals"]

_A_ROW = 0.01
"""By how much each row may be rounded."""


class StatedTotal(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the file that is a sum of others, in the currency of the file."""

    account: str | None
    """None for the whole file."""
    currency: str | None
    """None where its rows are in several; their sum is then unknown."""
    stated: float
    rows: int
    """Positions and pending amounts that it is the sum of."""
    sum: float | None
    """Of their values; None where none is known."""
    difference: float | None
    """`stated - sum`."""
    agrees: bool
    """Whether rounding explains the difference, or there is nothing to compare."""


def stated_totals(file: ImportedFile) -> tuple[StatedTotal, ...]:
    """Each total that the file states, with the sum of its rows."""
    return tuple(_compared(file, account, total) for account, total in file.stated_totals.items())


def stated_problems(file: ImportedFile) -> Iterator[Problem]:
    """A problem for each that does not agree."""
    for total in stated_totals(file):
        if not total.agrees:
            whose = f"the total of {total.account}" if total.account else "the total"
            yield Problem(
                kind="stated_total",
                subject=total.account or file.path,
                message=f"{file.path}: {whose} is stated as {total.stated:,.2f}, but the rows add up to "
                f"{total.sum:,.2f}; look for rows that are rejected or not in the file",
            )


def _compared(file: ImportedFile, account: str, stated: float) -> StatedTotal:
    entries: list[Position | PendingActivity] = [*file.positions, *file.pending]
    rows = [entry for entry in entries if _is_of(entry, account)]
    currencies = {entry.currency for entry in rows}
    currency = currencies.pop() if len(currencies) == 1 else None
    values = [entry.value for entry in rows if entry.value is not None]
    added = math.fsum(values) if values and currency is not None else None
    difference = None if added is None else stated - added
    return StatedTotal(
        account=account or None,
        currency=currency,
        stated=stated,
        rows=len(rows),
        sum=added,
        difference=difference,
        agrees=difference is None or abs(difference) <= _A_ROW * (len(rows) + 1),
    )


def _is_of(entry: Position | PendingActivity, account: str) -> bool:
    """Of several files, a total of one whose rows name no account goes by the file's name, as these do."""
    return not account or account in (entry.account, entry.account_name)
