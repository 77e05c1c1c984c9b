"""Interactive Brokers' Flex queries of open positions, with all columns or few."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from quotewell.errors import SymbolError
from quotewell.portfolio.importers.columns import Columns, find_columns, key
from quotewell.portfolio.importers.dates import as_of_in_text
from quotewell.portfolio.importers.instruments import Reported, position_of
from quotewell.portfolio.importers.listings import listed_symbol
from quotewell.portfolio.importers.lots import Lots
from quotewell.portfolio.importers.outcome import ImportedFile, RowError
from quotewell.portfolio.importers.table import Row
from quotewell.portfolio.importers.tables import cost_of, read_rows, reported
from quotewell.portfolio.positions import OptionPosition, Position
from quotewell.symbols import Option, parse_option

__all__ = ["Flex", "position_of_class"]

_HEADINGS = {
    "account": ("clientaccountid", "client account id", "accountid"),
    "account_name": ("accountalias", "account alias"),
    "symbol": ("symbol",),
    "description": ("description",),
    "quantity": ("quantity", "position"),
    "price": ("markprice", "mark price"),
    "value": ("positionvalue", "position value"),
    "cost_basis": ("costbasismoney", "cost basis money"),
    "average_cost": ("costbasisprice", "cost basis price", "openprice"),
    "currency": ("currencyprimary", "currency primary", "currency"),
    "fx_rate": ("fxratetobase", "fx rate to base"),
    "asset": ("assetclass", "asset class"),
    "underlying": ("underlyingsymbol", "underlying symbol"),
    "multiplier": ("multiplier",),
    "strike": ("strike",),
    "expiry": ("expiry", "expiration"),
    "right": ("put/call",),
    "date": ("reportdate", "report date"),
    "level": ("levelofdetail", "level of detail"),
    "exchange": ("listingexchange", "listing exchange"),
    "leg": ("side",),
}
_REQUIRED = ("symbol", "quantity")
_OWN = frozenset(
    ("clientaccountid", "currencyprimary", "fxratetobase", "assetclass", "underlyingsymbol", "levelofdetail")
) | {"listingexchange", "markprice", "positionvalue", "costbasismoney", "costbasisprice", "put/call"}
"""Headings that only a Flex query has."""
_OF_TRADES = frozenset(("buy/sell", "ibcommission", "tradedate", "tradeid", "tradeprice", "transactiontype"))
_OF_CASH = {"account": _HEADINGS["account"], "currency": _HEADINGS["currency"], "value": ("endingcash",)}
_ALL_CURRENCIES = "BASE_SUMMARY"
_BRACKETS = frozenset(("BOF", "BOA", "BOS", "EOS", "EOA", "EOF"))
"""First cells of the lines around accounts and sections, where a query asks for them."""
_SHARES = frozenset(("STK", "FUND", "ETF"))
_STOCKS = _SHARES | {""}
_OPTIONS = frozenset(("OPT",))
_CASH = "CASH"


class Flex:
    """Reads Flex queries; rows of lots repeat those of summaries, and count only where there are none."""

    broker = "Interactive Brokers"

    def recognise(self, rows: Sequence[Row]) -> Columns | None:
        """Find the header by `Symbol`, `Quantity` and two headings that only Flex queries have."""
        for row in rows:
            words = set(map(key, row.cells))
            if len(_OWN & words) > 1 and not _OF_TRADES & words:
                columns = find_columns([row], _HEADINGS, _REQUIRED)
                if columns is not None:
                    return columns
        return None

    def read(self, columns: Columns, rows: Iterable[Row], file: ImportedFile) -> None:
        """Sort positions and cash; sections of trades and others are not about what is held."""
        for header, section in _sections(columns, rows):
            if (positions := self.recognise([header])) is not None:
                _read_positions(positions, section, file)
            elif (cash := find_columns([header], _OF_CASH, ("currency", "value"))) is not None:
                _read_cash(cash, section, file)
            else:
                file.notes.append(header.text)


def _sections(columns: Columns, rows: Iterable[Row]) -> Iterator[tuple[Row, list[Row]]]:
    """Each header with itself and the rows below it, from that of `columns` on."""
    section: list[Row] = []
    for row in rows:
        if row.line < columns.header.line or _is_bracket(columns, row):
            continue
        may_be_header = (
            "Currency" in row.text or "Account" in row.text
        )  # spares most rows a look at each cell
        if section and may_be_header and not _OWN.isdisjoint(map(key, row.cells)):
            yield section[0], section
            section = []
        section.append(row)
    if section:
        yield section[0], section


def _is_bracket(columns: Columns, row: Row) -> bool:
    """Whether a row stands around a section: EOS is a ticker, too, where a quantity stands beside it."""
    if not row.cells or row.cells[0] not in _BRACKETS:
        return False
    try:
        return columns.index["symbol"] != 0 or columns.amount(row, "quantity") is None
    except RowError:
        return True


def _read_positions(columns: Columns, rows: Sequence[Row], file: ImportedFile) -> None:
    levels = {level.upper() for level in {columns.text(row, "level") for row in rows[1:]}}
    dates: set[str] = set()
    lots = Lots()
    file.base_currency = file.base_currency or _base_currency(columns, rows)

    def entry(columns: Columns, row: Row) -> Position | None:
        if "LOT" in levels and "SUMMARY" in levels:
            if columns.text(row, "level").upper() == "LOT":
                lots.add_lot(columns, row)
                return None
            lots.add_position(columns, row)
        dates.add(columns.text(row, "date"))
        return _position(columns, row)

    read_rows(columns, rows, file, entry)
    lots.compare(file)
    known = [
        as_of for as_of in (file.as_of, *(as_of_in_text(_iso(date)) for date in dates)) if as_of is not None
    ]
    file.as_of = max(known, default=None)


def _read_cash(columns: Columns, rows: Sequence[Row], file: ImportedFile) -> None:
    """Ending cash by currency; the summary of all counts for nothing beside it."""

    def entry(columns: Columns, row: Row) -> Position | None:
        code = columns.text(row, "currency")
        amount = columns.amount(row, "value")
        if code == _ALL_CURRENCIES or amount == 0:
            return None
        if amount is None:
            raise RowError(f"cash in {code or 'an unknown currency'}: no amount")
        return position_of(reported(columns, row, code or None) | {"raw_symbol": code}, "cash")

    read_rows(columns, rows, file, entry)


def position_of_class(
    columns: Columns, row: Row, asset: str, *, currency: str, exchange: str, contract: Option | None
) -> Position:
    """The position of a row of Interactive Brokers'.

    Args:
        columns: The columns of the row.
        row: The row.
        asset: `STK`, `OPT`, `CASH`, or another class, which is not priced.
        currency: Of price, value and cost.
        exchange: The listing exchange's code; empty if unknown.
        contract: An option's, where cells besides the symbol name it.

    Raises:
        RowError: With the reason.
    """
    said = reported(columns, row, currency or None)
    if asset == _CASH:
        code = columns.text(row, "symbol").partition(".")[0]
        if len(code) == 3 and code.isalpha() and code.isupper():
            said["currency"] = code
        return position_of(said, "cash")
    if asset in _OPTIONS:
        if contract is None:
            raise RowError(f"{said['raw_symbol'].strip()[:40]}: no option that can be read")
        if currency not in ("", "USD"):
            # An OCC symbol is an American option's: Eurex' ALV is Allianz, New York's is Autoliv.
            return _unpriced(said, "an option of an exchange outside the United States")
        return _option(said, contract, columns.amount(row, "multiplier"))
    if asset not in _STOCKS:
        return _unpriced(said, asset)
    # London's symbols of two letters are written with a dot: `BP.`.
    said["raw_symbol"] = said["raw_symbol"].strip().removesuffix(".")
    position = position_of(said)
    if position.kind == "stock":
        listed = listed_symbol(said["raw_symbol"], exchange, currency)
        if listed != said["raw_symbol"]:
            position.symbol = _canonical(listed)
    return position


def _option(said: Reported, contract: Option, multiplier: float | None) -> Position:
    if multiplier is not None and multiplier <= 0.0:
        raise RowError(f"a multiplier of {multiplier:g}, which has to be above 0")
    standard = contract.multiplier
    if standard is not None and multiplier not in (None, standard) and not _is_worth(said, standard):
        # Its symbol says that it is standard, its value that it is not: what it delivers is anybody's guess.
        return _unpriced(said, f"an option with a multiplier of {multiplier:g}")
    position = position_of(said, contract=contract)
    if isinstance(position, OptionPosition) and standard is None:
        position.multiplier = multiplier
    return position


def _is_worth(said: Reported, multiplier: float) -> bool:
    """Whether quantity, multiplier and price make up the value."""
    quantity, price, value = said["quantity"], said["price"], said["value"]
    if quantity is None or price is None or value is None:
        return False
    return math.isclose(quantity * multiplier * price, value, rel_tol=0.005, abs_tol=1.0)


def _unpriced(said: Reported, what: str) -> Position:
    """A row that counts by the broker's value alone."""
    if said["value"] is None:
        raise RowError(f"{what} is not supported, and the row has no value")
    return position_of(said, "unknown")


def _position(columns: Columns, row: Row) -> Position:
    symbol = columns.text(row, "symbol")
    asset = columns.text(row, "asset").upper()
    contract = None if asset in _SHARES else parse_option(symbol)
    if contract is None and asset not in _SHARES and columns.text(row, "right"):
        year, month, day = [*_iso(columns.text(row, "expiry")).split("-"), "", "", ""][:3]
        underlying, strike, right = (columns.text(row, name) for name in ("underlying", "strike", "right"))
        contract = parse_option(f"{underlying} {month}/{day}/{year} {strike} {right}")
    if not asset and contract is not None:
        asset = "OPT"
    currency = columns.text(row, "currency") or "USD"
    position = position_of_class(
        columns, row, asset, currency=currency, exchange=columns.text(row, "exchange"), contract=contract
    )
    if position.cost_basis is None:
        position.cost_basis = cost_of(position, columns.amount(row, "average_cost"))
    position.fx_rate = columns.amount(row, "fx_rate")
    return position


def _iso(date: str) -> str:
    """`20250508` as `2025-05-08`; any other text as it is."""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 and date.isdecimal() else date


def _base_currency(columns: Columns, rows: Sequence[Row]) -> str | None:
    """The currency whose rate to base is 1; None if no row tells."""
    if "fx_rate" not in columns.index:
        return None
    rates = {(columns.raw(row, "fx_rate"), columns.raw(row, "currency")) for row in rows}
    ones = {currency.strip() for rate, currency in rates if rate.strip() in ("1", "1.0")}
    return ones.pop() if len(ones) == 1 else None


def _canonical(symbol: str) -> str:
    from quotewell.symbols import normalise  # noqa: PLC0415  used here alone

    try:
        return normalise(symbol)
    except SymbolError as error:
        raise RowError(str(error)) from error
