"""The problems of a valued book: what is missing, disputed, assumed or old, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from quotewell.portfolio.columns import OPTION, Columns
from quotewell.portfolio.flags import REASONS, Flag
from quotewell.portfolio.importers.outcome import ImportedFile
from quotewell.portfolio.needs import is_priced
from quotewell.portfolio.problems import Problem, ProblemKind

__all__ = ["find_problems"]

_ROW_KINDS: dict[Flag, tuple[ProblemKind, str]] = {
    Flag.UNKNOWN_INSTRUMENT: ("unknown_instrument", "counted at the broker's value, its exposure is missing"),
    Flag.NO_QUANTITY: ("no_quantity", "left out; complete the row in the file"),
    Flag.EXPIRED: ("expired", "left out; export a fresh file"),
    Flag.CORPORATE_ACTION: ("corporate_action", "held back; export a fresh file"),
    Flag.NO_PRICE: ("no_price", "left out of value and exposure"),
    Flag.NO_FX_RATE: ("no_fx_rate", "left out of all sums"),
    Flag.DELIVERABLE_UNKNOWN: ("deliverable_unknown", "left out of exposure; give its deliverable"),
    Flag.NO_UNDERLYING_PRICE: ("no_underlying_price", "left out of exposure"),
    Flag.STYLE_UNKNOWN: ("style_unknown", "left out of exposure"),
    Flag.AS_OF_UNKNOWN: ("no_delta", "left out of exposure; give the positions' date with --as-of"),
    Flag.UNMATCHED: ("no_delta", "left out of exposure"),
    Flag.BELOW_BOUND: ("no_delta", "left out of exposure"),
    Flag.ABOVE_BOUND: ("no_delta", "left out of exposure"),
    Flag.NO_VOLATILITY: ("no_delta", "left out of exposure"),
}


def find_problems(file: ImportedFile, columns: Columns, *, as_of_known: bool) -> tuple[Problem, ...]:
    """All problems of a report, those of the file first, then row by row, then those of the whole book.

    Args:
        file: The file that the rows come from.
        columns: The valued book.
        as_of_known: Whether the date of the positions is known, from the file or from the user.
    """
    return (*_of_file(file, as_of_known=as_of_known), *_of_rows(file, columns), *_of_book(file, columns))


def _of_file(file: ImportedFile, *, as_of_known: bool) -> Iterator[Problem]:
    yield from file.problems
    if not as_of_known:
        yield Problem(
            kind="as_of_unknown",
            subject=file.path,
            message=f"{file.path}: neither the file nor its name says of what day its prices are; "
            "give --as-of DATE",
        )
    for row in file.rejected:
        yield Problem(
            kind="rejected",
            subject=row.text[:40],
            line=row.line,
            message=f"{row.file or file.path}:{row.line}: {row.reason}; the row is in no sum",
        )


def _of_rows(file: ImportedFile, columns: Columns) -> Iterator[Problem]:
    """At most one problem for what is missing in a row, the first that applies, and one for each doubt."""
    for row in np.flatnonzero(columns.flags).tolist():
        flags = Flag(int(columns.flags[row]))
        symbol, line = columns.symbol(row), columns.entries[row].line
        path = columns.entries[row].file or file.path
        where = path if line is None else f"{path}:{line}"
        first = next((flag for flag in REASONS if flag in flags and flag in _ROW_KINDS), None)
        if first is not None:
            kind, what = _ROW_KINDS[first]
            message = f"{symbol}: {REASONS[first]}{_detail(columns, row, first)}; {what} ({where})"
            yield Problem(kind=kind, subject=symbol, line=line, message=message)
        if Flag.DISPUTED in flags:
            computed, reported = columns.reported_price_value[row], columns.reported_value[row]
            yield Problem(
                kind="disputed",
                subject=symbol,
                line=line,
                message=f"{symbol}: quantity times price is {computed:,.2f}, but the value in the file is "
                f"{reported:,.2f}; the report uses the former, check the row ({where})",
            )
        if Flag.EXPIRES_TODAY in flags:
            yield Problem(
                kind="expires_today",
                subject=symbol,
                line=line,
                message=f"{symbol}: expires on the valuation day ({where})",
            )


def _detail(columns: Columns, row: int, flag: Flag) -> str:
    """What the market's answer was, or how much is concerned."""
    if flag is Flag.NO_FX_RATE:
        return f" from {columns.currency[row] or 'an unknown currency'}"
    if flag is Flag.NO_UNDERLYING_PRICE:
        code = int(columns.underlying[row])
        return f" of {columns.underlyings[code]}{_failure(columns, columns.underlyings[code])}"
    if flag is Flag.NO_PRICE:
        return f" for {columns.quantity[row]:,.10g} of them{_failure(columns, columns.symbol(row))}"
    return ""


def _failure(columns: Columns, symbol: str) -> str:
    found = columns.snapshot.quotes.get(symbol)
    return f" ({found.best.failure.reason})" if found is not None and found.best.failure is not None else ""


def _of_book(file: ImportedFile, columns: Columns) -> Iterator[Problem]:
    yield from _betas(columns)
    for flag, kind, what, option in (
        (Flag.ASSUMED_RATE, "assumed_rate", "interest rate", "--rate"),
        (Flag.ASSUMED_DIVIDEND, "assumed_dividend", "dividend yield", "--dividend-yield"),
    ):
        rows = columns.has(flag) & columns.is_kind(OPTION)
        if rows.any():
            names = sorted({columns.underlyings[code] for code in columns.underlying[rows].tolist()})
            yield Problem(
                kind=kind,  # type: ignore[arg-type]  # one of the two above
                subject=", ".join(names),
                message=f"the {what} of {int(rows.sum())} option rows is unknown and taken as 0 "
                f"({', '.join(names)}); give one with {option}",
            )
    for flag, what in (
        (Flag.OVERRIDE_PRICE, "price"),
        (Flag.OVERRIDE_BETA, "beta"),
        (Flag.OVERRIDE_DIVIDEND, "dividend"),
        (Flag.OVERRIDE_DELIVERABLE, "deliverable"),
    ):
        own = columns.symbols(columns.has(flag))
        if own:
            yield Problem(
                kind="override",
                subject=", ".join(own),
                message=f"the {what} of {len(own)} symbols is your own: {', '.join(own)}",
            )
    stale = columns.symbols(columns.has(Flag.STALE))
    if stale:
        yield Problem(
            kind="stale",
            subject=", ".join(stale),
            message=f"{len(stale)} prices of {file.path} are stale: {', '.join(stale)}",
        )


def _betas(columns: Columns) -> Iterator[Problem]:
    """One problem an underlying, whose rows may be many."""
    rows = columns.has(Flag.NO_BETA) & ~columns.has(Flag.UNKNOWN_INSTRUMENT | Flag.EXPIRED)
    for code in dict.fromkeys(columns.underlying[rows].tolist()):
        symbol = columns.underlyings[code]
        if not is_priced(symbol):
            continue
        reading = columns.snapshot.risks.get(symbol)
        failure = f": {reading.failure.reason}" if reading is not None and reading.failure is not None else ""
        yield Problem(
            kind="no_beta",
            subject=symbol,
            message=f"{symbol}: no beta{failure}; left out of beta-adjusted figures and of what-if; "
            "give one with --assume-beta",
        )
