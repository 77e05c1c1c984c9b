"""The `files` provider: prices, rates and histories from a folder of CSV files.

`quotes.csv` has the columns `symbol,price,previous_close,currency,as_of` and, if wanted, `name` and
`dividend_yield` (a fraction), in any order; `symbol` and `price` must be there. A row gives a quote; if it
names the instrument or the symbol tells its type, also a profile; with a yield also a dividend record; a pair
such as `EURUSD=X` also an exchange rate, a Treasury index such as `^IRX` (in percent) also a point of the
rate curve. Of several rows for one symbol the last counts.

`closes/SYMBOL.csv` has `date,close` and gives the history; a column `adj_close` is ignored, because histories
are kept adjusted for splits only, which `close` is expected to be.

`as_of` is ISO 8601: with an offset or `Z`; without either it is UTC; a date alone means that day's close in
New York. Blank means unknown. The files are read anew for every call, so an edit shows at the next fetch.
"""

from __future__ import annotations

import csv
import datetime as dt
import math
from pathlib import Path

from quotewell.calendars import close_of
from quotewell.endpoints import Call, Endpoint, Fetched, Lane
from quotewell.errors import ProviderError, SymbolError
from quotewell.protocols import Clock
from quotewell.providers.treasury import TREASURY_YEARS, treasury_rate
from quotewell.records import (
    Closes,
    Dividend,
    Fx,
    History,
    InstrumentType,
    Need,
    Profile,
    Quote,
    Rate,
    Record,
)
from quotewell.symbols import SymbolKind, kind, normalise

__all__ = ["FilesProvider"]

_NAME = "files"
_ANY_NUMBER = 1_000_000
_TYPES: dict[SymbolKind, InstrumentType] = {
    "option": "option",
    "index": "index",
    "rate": "index",
    "fx": "currency",
    "crypto": "crypto",
    "future": "future",
}
"""What a symbol's form tells of its type; a security may be a stock or a fund."""

Row = tuple[str, dict[str, str]]
"""Where a row stands (`quotes.csv:7`) and its cells by column."""


class FilesProvider:
    """Reads a folder of CSV files; sends no requests.

    Args:
        folder: Holds `quotes.csv` and `closes/`; either may be missing.
        clock: The time, for `fetched_at`.
    """

    name = _NAME
    endpoints: tuple[Endpoint, ...] = (
        Endpoint(
            _NAME, "quotes", frozenset(("quote", "profile", "dividend", "fx", "rate")), _ANY_NUMBER, cost=0.0
        ),
        Endpoint(_NAME, "closes", frozenset(("history",)), _ANY_NUMBER, cost=0.0),
    )
    requests = 0
    handshake = 0
    limit = None
    waited = 0.0

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def fetch(self, call: Call, *, lane: Lane, deadline: float) -> Fetched:
        """Read what the folder says about the call's symbols.

        A symbol that no file names is unknown; a row or bar that cannot be read makes a failure that names
        file and line; a row that lacks what one facet needs is an omission of that facet.

        Raises:
            ProviderError: `invalid`, when there is no such folder or `quotes.csv` as a whole cannot be read.
        """
        del lane, deadline
        return self._closes(call) if call.endpoint.name == "closes" else self._quotes(call)

    def close(self) -> None:
        """Nothing is held open."""

    def _quotes(self, call: Call) -> Fetched:
        rows = self._quote_rows()
        now = self._clock.now()
        fetched = Fetched()
        errors: dict[str, ProviderError] = {}
        for symbol in call.symbols:
            if symbol in rows:
                try:
                    fetched.found |= _records(symbol, rows[symbol], now)
                except ProviderError as error:
                    errors[symbol] = error
        for need in call.needs - fetched.found.keys():
            symbol = need[0]
            if symbol in errors:
                fetched.failed[need] = errors[symbol]
            elif symbol in rows:
                fetched.omitted.add(need)
            else:
                fetched.unknown.add(need)
        return fetched

    def _quote_rows(self) -> dict[str, Row]:
        try:
            rows = _rows(self._folder / "quotes.csv", ("symbol", "price"))
        except FileNotFoundError:
            if not self._folder.is_dir():
                raise ProviderError(
                    _NAME, "invalid", f"{self._folder} is no folder; check QUOTEWELL_FILES_DIR"
                ) from None
            return {}
        return {symbol: row for row in rows if (symbol := _canonical(row[1]["symbol"])) is not None}

    def _closes(self, call: Call) -> Fetched:
        fetched = Fetched()
        for symbol in call.symbols:
            need: Need = (symbol, "history")
            try:
                closes = self._read_closes(symbol)
            except FileNotFoundError:
                fetched.unknown.add(need)
            except ProviderError as error:
                fetched.failed[need] = error
            else:
                fetched.closes[symbol] = closes
                fetched.found[need] = _coverage(closes, self._clock.now())
        fetched.omitted |= call.needs - fetched.found.keys() - fetched.failed.keys() - fetched.unknown
        return fetched

    def _read_closes(self, symbol: str) -> Closes:
        folder = self._folder / "closes"
        path = folder / f"{symbol}.csv"
        if path.parent != folder:
            raise FileNotFoundError(path)  # a symbol is no way out of the folder
        bars = {_day(row): _positive(row, "close") for row in _rows(path, ("date", "close"))}
        if not bars:
            raise _unreadable(path.name, "it has no bars")
        dates = sorted(bars)
        return Closes(symbol=symbol, source=_NAME, dates=dates, closes=[bars[date] for date in dates])


def _coverage(closes: Closes, now: float) -> History:
    first, last = closes.dates[0], closes.dates[-1]
    return History(
        symbol=closes.symbol,
        source=_NAME,
        as_of=close_of(dt.date.fromordinal(last)),
        fetched_at=now,
        first_date=first,
        last_date=last,
        bars=len(closes.dates),
    )


def _records(symbol: str, row: Row, now: float) -> dict[Need, Record]:
    """All that one row of `quotes.csv` says."""
    where, cells = row
    price = _positive(row, "price")
    previous = _positive(row, "previous_close") if cells.get("previous_close") else None
    stated_yield = _number(row, "dividend_yield") if cells.get("dividend_yield") else None
    as_of = _instant(row)
    form = kind(symbol)
    priced_in = symbol.removesuffix("=X")[-3:] if form == "fx" else None
    currency = cells.get("currency") or priced_in
    name = cells.get("name") or None
    instrument = _TYPES.get(form)
    found: dict[Need, Record] = {
        (symbol, "quote"): Quote(
            symbol=symbol,
            source=_NAME,
            as_of=as_of,
            fetched_at=now,
            last=price,
            previous_close=previous,
            currency=currency,
            type=instrument,
        ),
    }
    if name or instrument:
        found[symbol, "profile"] = Profile(
            symbol=symbol, source=_NAME, fetched_at=now, name=name, type=instrument, currency=currency
        )
    if stated_yield is not None:
        found[symbol, "dividend"] = Dividend(
            symbol=symbol, source=_NAME, as_of=as_of, fetched_at=now, dividend_yield=stated_yield
        )
    if form == "fx":
        found[symbol, "fx"] = Fx(symbol=symbol, source=_NAME, as_of=as_of, fetched_at=now, rate=price)
    if form == "rate":
        rate = treasury_rate(symbol, price)
        if rate is None:
            raise _unreadable(where, f"{symbol}: {price:g} percent is no interest rate")
        found[symbol, "rate"] = Rate(
            symbol=symbol, source=_NAME, as_of=as_of, fetched_at=now, years=TREASURY_YEARS[symbol], rate=rate
        )
    return found


def _rows(path: Path, required: tuple[str, ...]) -> list[Row]:
    """Rows that are not blank, cells stripped, columns named in lower case by the first such row.

    Raises:
        FileNotFoundError: If there is no such file.
        ProviderError: `invalid`, if it cannot be read as CSV or lacks a required column.
    """
    rows: list[Row] = []
    columns: list[str] | None = None
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            for texts in reader:
                cells = [text.strip() for text in texts]
                if not any(cells):
                    continue
                where = f"{path.name}:{reader.line_num}"
                if columns is None:
                    columns = _columns(cells, required, where)
                else:
                    padded = cells + [""] * (len(columns) - len(cells))
                    rows.append((where, dict(zip(columns, padded, strict=False))))
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path.name, f"cannot be read: {error}") from error
    return rows


def _columns(cells: list[str], required: tuple[str, ...], where: str) -> list[str]:
    columns = [cell.lower() for cell in cells]
    missing = [column for column in required if column not in columns]
    if missing:
        raise _unreadable(where, f"the header has no column {' and no '.join(missing)}")
    return columns


def _canonical(text: str) -> str | None:
    try:
        return normalise(text)
    except SymbolError:
        return None  # nobody can ask for such a symbol


def _positive(row: Row, column: str) -> float:
    number = _number(row, column)
    if number <= 0.0:
        raise _unreadable(row[0], f"{column} {row[1][column]!r} is not positive")
    return number


def _number(row: Row, column: str) -> float:
    text = row[1].get(column, "")
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _unreadable(row[0], f"{column} {text!r} is not a number")
    return number


def _day(row: Row) -> int:
    text = row[1]["date"]
    try:
        return dt.date.fromisoformat(text).toordinal()
    except ValueError:
        raise _unreadable(row[0], f"date {text!r} is not of the form 2024-12-31") from None


def _instant(row: Row) -> float | None:
    text = row[1].get("as_of")
    if not text:
        return None
    try:
        if len(text) <= len("2024-12-31"):
            return close_of(dt.date.fromisoformat(text))
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise _unreadable(row[0], f"as_of {text!r} is not ISO 8601, like 2024-12-31T16:00:00-05:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


def _unreadable(where: str, reason: str) -> ProviderError:
    return ProviderError(_NAME, "invalid", f"{where}: {reason}; correct the file")
