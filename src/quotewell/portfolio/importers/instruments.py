"""What a row is: an option because its symbol parses as one, cash by the money-market rules, else a stock.

A row with a value but no instrument that could be priced is an unknown position.
"""

from __future__ import annotations

import re
from typing import TypedDict

from quotewell.errors import SymbolError
from quotewell.portfolio.importers.outcome import RowError
from quotewell.portfolio.positions import (
    CashPosition,
    OptionPosition,
    Position,
    StockPosition,
    UnknownPosition,
)
from quotewell.symbols import (
    Option,
    kind,
    looks_like_cusip,
    looks_like_money_market,
    normalise,
    parse_option,
)

__all__ = ["Reported", "position_of"]

_MONEY_MARKET = re.compile(
    r"\b(?:MONEY MARKET|MMKT|DEPOSIT PROGRA?M|(?:BANK|CASH) (?:DEPOSIT|SWEEP)|SETTLEMENT FUND)\b",
    re.IGNORECASE,
)
_CASH = frozenset(("CASH", "CASH & CASH INVESTMENTS", "CASH AND MONEY MARKET", "FUTURES CASH"))
_CASH_IN_A_FUND = re.compile(r"CASH \((?P<fund>[A-Z]{1,6})\**\)", re.IGNORECASE)
_NO_SYMBOL = frozenset(("-", "--", "n/a", "N/A", "null", "NULL"))
_NO_HOLDING = {
    "index": "an index cannot be held",
    "rate": "a yield cannot be held",
    "fx": "a currency pair is not supported as a position",
    "future": "futures are not supported: their contract size is unknown",
}
_LONGEST_SYMBOL = 64
_PER_UNIT = 2.0
"""Within this factor a price times the quantity is the value; what is further off is not priced per unit."""


class Reported(TypedDict):
    """What a row says, by field of `positions.Position`; the symbol is in `raw_symbol`."""

    raw_symbol: str
    description: str
    quantity: float | None
    price: float | None
    value: float | None
    cost_basis: float | None
    account: str | None
    account_name: str | None
    currency: str | None
    leg: str | None
    line: int


def position_of(row: Reported, kind: str = "", contract: Option | None = None) -> Position:
    """Make a position of what a row says.

    Args:
        row: What it says.
        kind: `cash`, `stock` or `unknown`, where the row says that itself; anything else says nothing.
        contract: The option contract, where other cells than the symbol name it.

    Raises:
        RowError: If the row has neither an instrument with a quantity or value, nor a value.
    """
    text = row["raw_symbol"].strip()
    if text in _NO_SYMBOL:
        text = ""
    if row["quantity"] is None and row["value"] is None:
        raise RowError(f"{_subject(row)}: neither a quantity nor a value")
    if kind == "cash":
        return CashPosition(symbol=_cash_symbol(text), **row)
    if kind == "unknown":
        symbol = text or row["description"].strip()
        if not symbol:
            raise RowError("neither a symbol nor a description")
        return UnknownPosition(symbol=symbol, **row)
    option = contract or parse_option(text)
    if option is not None:
        return OptionPosition(symbol=option.symbol, **row)
    if kind != "stock" and _is_cash(text, row):
        return CashPosition(symbol=_cash_symbol(text), **row)
    if looks_like_cusip(text):
        is_stock = kind == "stock" or _may_be_priced_per_unit(row)
        position: type[Position] = StockPosition if is_stock else UnknownPosition
        return position(symbol=text.upper(), **row)
    return _security(text, row)


def _security(text: str, row: Reported) -> Position:
    if len(text) > _LONGEST_SYMBOL:
        raise RowError(f"a symbol of {len(text):,} characters, more than {_LONGEST_SYMBOL}")
    try:
        symbol = normalise(text)
        reason = _NO_HOLDING.get(kind(symbol))
    except SymbolError as error:
        symbol, reason = text or row["description"].strip(), str(error)
    if symbol.endswith("**"):
        reason = f"{symbol} is no symbol, and its price is not that of a money market"
    if reason is None:
        return StockPosition(symbol=symbol, **row)
    if row["value"] is None or not symbol:
        raise RowError(reason)
    return UnknownPosition(symbol=symbol, **row)


def _is_cash(text: str, row: Reported) -> bool:
    price = row["price"]
    if price is not None and round(price, 4) != 1.0:
        return False
    return (
        text.upper() in _CASH
        or _CASH_IN_A_FUND.fullmatch(text) is not None
        or looks_like_money_market(text)
        or _MONEY_MARKET.search(row["description"]) is not None
    )


def _may_be_priced_per_unit(row: Reported) -> bool:
    """Whether nothing shows that the price is per 100 of face value, which makes it a bond."""
    quantity, price, value = row["quantity"], row["price"], row["value"]
    if not quantity or not price or not value:
        return True
    return 1 / _PER_UNIT < quantity * price / value < _PER_UNIT


def _cash_symbol(text: str) -> str:
    in_a_fund = _CASH_IN_A_FUND.fullmatch(text)
    bare = in_a_fund["fund"] if in_a_fund else text
    return _canonical(bare) or bare.upper() or "CASH"


def _canonical(text: str) -> str | None:
    try:
        return normalise(text)
    except SymbolError:
        return None


def _subject(row: Reported) -> str:
    return row["raw_symbol"].strip() or row["description"].strip() or "a row without a symbol"
