"""The rows of some accounts of a file."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from quotewell.errors import UsageError
from quotewell.portfolio.importers.outcome import ImportedFile
from quotewell.portfolio.positions import PendingActivity, Position
from quotewell.suggestions import did_you_mean

__all__ = ["of_accounts"]


def of_accounts(file: ImportedFile, names: Collection[str]) -> ImportedFile:
    """A file as if it held these accounts only; rejected rows, which may be of any, stay.

    Args:
        file: A whole file, or several in one.
        names: Account numbers or names, in any case; none for all accounts.

    Raises:
        UsageError: The file has no such account; names those that it has.
    """
    if not names:
        return file
    wanted = {name.strip().casefold() for name in names}
    entries: list[Position | PendingActivity] = [*file.positions, *file.pending]
    found = {name for entry in entries for name in _names(entry)}
    if missing := [name for name in names if name.strip().casefold() not in found]:
        known = ", ".join(file.accounts)
        raise UsageError(
            f"{file.path}: no account {missing[0]!r}",
            hint=f"{did_you_mean(missing[0], file.accounts)}accounts are {known}"
            if known
            else "its rows name no accounts",
        )
    return msgspec.structs.replace(
        file,
        positions=[entry for entry in file.positions if not wanted.isdisjoint(_names(entry))],
        pending=[entry for entry in file.pending if not wanted.isdisjoint(_names(entry))],
        stated_totals={
            name: total for name, total in file.stated_totals.items() if name.casefold() in wanted
        },
        problems=[
            problem
            for problem in file.problems
            if problem.kind != "stated_total" or problem.subject.casefold() in wanted
        ],
    )


def _names(entry: Position | PendingActivity) -> list[str]:
    return [name.casefold() for name in (entry.account, entry.account_name) if name]
