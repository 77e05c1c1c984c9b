"""Interactive Brokers' Flex queries of open positions."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from quotewell.calendars import close_of
from writers.amounts import bare, line, quoted_line
from writers.held import (
    Book,
    Held,
    contract_of,
    contracts,
    days,
    is_plain,
    maybe,
    money,
    names,
    prices,
    quantities,
    spelled,
    tickers,
    whole,
)

__all__ = ["ABROAD", "Flex", "FlexOfFewColumns", "foreign_symbols", "listing", "written_symbol"]

ABROAD = {
    ".L": ("LSE", "GBP"), ".DE": ("IBIS", "EUR"), ".PA": ("SBF", "EUR"), ".T": ("TSEJ", "JPY"),
    ".TO": ("TSE", "CAD"), ".HK": ("SEHK", "HKD"), ".ST": ("SFB", "SEK"), ".AX": ("ASX", "AUD"),
}  # fmt: skip
"""Suffix → exchange and currency."""
_RATES = {
    "USD": 1.0,
    "GBP": 1.25,
    "EUR": 1.1,
    "JPY": 0.007,
    "CAD": 0.74,
    "HKD": 0.128,
    "SEK": 0.095,
    "AUD": 0.66,
}
_HEADER = (
    "ClientAccountID", "AccountAlias", "CurrencyPrimary", "FXRateToBase", "AssetClass", "SubCategory",
    "Symbol", "Description", "Conid", "CUSIP", "ListingExchange", "UnderlyingSymbol", "Multiplier",
    "Strike", "Expiry", "Put/Call", "ReportDate", "Quantity", "MarkPrice", "PositionValue", "PercentOfNAV",
    "CostBasisMoney", "Side", "LevelOfDetail",
)  # fmt: skip
_CLASSES = {"stock": "STK", "option": "OPT", "cash": "CASH", "unknown": "BOND"}


def foreign_symbols() -> st.SearchStrategy[str]:
    """Canonical symbols of exchanges outside the United States."""
    letters = st.builds(
        str.__add__,
        st.text(string.ascii_uppercase, min_size=2, max_size=4).filter(is_plain),
        st.sampled_from([suffix for suffix in ABROAD if suffix != ".HK"]),
    )
    numbers = st.integers(1, 9_999).map(lambda number: f"{number:04d}.HK")
    return st.one_of(letters, numbers, st.just("VOLV-B.ST"))


def written_symbol(symbol: str) -> str:
    """A stock's symbol without its suffix, as Interactive Brokers writes it."""
    if symbol.endswith(".HK"):
        return symbol.removesuffix(".HK").lstrip("0")
    base, dot, suffix = symbol.partition(".")
    two_letters_in_london = f"{dot}{suffix}" == ".L" and len(base) == 2
    return spelled(base, " ") + ("." if two_letters_in_london else "")


def listing(symbol: str) -> tuple[str, str]:
    """Exchange and currency of a stock."""
    _, dot, suffix = symbol.rpartition(".")
    return ABROAD[f".{suffix}"] if dot else ("NASDAQ", "USD")


class Flex:
    """All columns; lots below their summaries."""

    broker = "Interactive Brokers"
    variant = "all columns"

    def books(self) -> st.SearchStrategy[Book]:
        """Stocks of many exchanges, options, bonds, cash in several currencies, several accounts."""
        return st.builds(
            lambda held, day: Book(held=tuple(held), as_of=close_of(day) if held else None, day=day),
            st.lists(_row(), max_size=8),
            days(),
        )

    def write(self, book: Book) -> str:
        """The file."""
        rows = [quoted_line(_HEADER)]
        for held in book.held:
            cells = self._cells(book, held)
            rows.append(quoted_line([*cells, "SUMMARY"]))
            if held.kind == "stock":
                rows.append(quoted_line([*cells, "LOT"]))
        return "\n".join([*rows, ""])

    def _cells(self, book: Book, held: Held) -> list[str]:
        symbol, underlying, terms, exchange = held.symbol, "", ["1", "", "", ""], "NASDAQ"
        currency = held.currency or ""
        if held.kind == "option":
            option = contract_of(held)
            symbol = f"{option.root:6}{option.expiry:%y%m%d}{option.right}{round(option.strike * 1000):08d}"
            underlying, exchange = option.root, "CBOE"
            terms = ["100", bare(option.strike), f"{option.expiry:%Y%m%d}", option.right]
        elif held.kind == "stock":
            exchange = listing(symbol)[0]
            symbol = written_symbol(symbol)
        about = [
            held.account or "",
            held.account_name or "",
            currency,
            bare(held.fx_rate),
            _CLASSES[held.kind],
        ]
        return [
            *about, "COMMON", symbol, held.description, "265598", "", exchange, underlying, *terms,
            f"{book.day:%Y%m%d}", bare(held.quantity), bare(held.price), bare(held.value), "1.5",
            bare(held.cost_basis), held.leg or "",
        ]  # fmt: skip


class FlexOfFewColumns:
    """A query of one's own: `Symbol,Quantity,CostBasisPrice,CurrencyPrimary,ListingExchange`."""

    broker = "Interactive Brokers"
    variant = "few columns"

    def books(self) -> st.SearchStrategy[Book]:
        """Stocks and options."""
        stock = st.builds(
            lambda symbol, quantity, average: Held(
                kind="stock", symbol=symbol, quantity=quantity, average_cost=average,
                currency=listing(symbol)[1],
            ),
            st.one_of(tickers(), foreign_symbols()), quantities(), maybe(prices()),
        )  # fmt: skip
        option = st.builds(
            Held, kind=st.just("option"), symbol=contracts(), quantity=whole(), average_cost=maybe(prices())
        )
        return st.lists(st.one_of(stock, option), max_size=8).map(lambda held: Book(held=tuple(held)))

    def write(self, book: Book) -> str:
        """The file."""
        rows = [self._cells(held) for held in book.held]
        return "\n".join(
            ["Symbol,Quantity,CostBasisPrice,CurrencyPrimary,ListingExchange", *map(line, rows), ""]
        )

    def _cells(self, held: Held) -> list[str]:
        figures = [bare(held.quantity), bare(held.average_cost), held.currency or ""]
        if held.kind == "option":
            option = contract_of(held)
            padded = f"{option.root:6}{option.expiry:%y%m%d}{option.right}{round(option.strike * 1000):08d}"
            return [padded, *figures, "CBOE"]
        return [written_symbol(held.symbol), *figures, listing(held.symbol)[0]]


def _row() -> st.SearchStrategy[Held]:
    about = {
        "account": st.from_regex(r"U[0-9]{7}", fullmatch=True),
        "account_name": st.one_of(st.none(), names()),
        "description": names(),
        "quantity": quantities(),
        "value": money(),
        "cost_basis": money(),
        "leg": st.sampled_from(("Long", "Short")),
    }
    stock = st.builds(
        lambda symbol, **fields: Held(
            kind="stock", symbol=symbol, currency=listing(symbol)[1], fx_rate=_RATES[listing(symbol)[1]],
            **fields,
        ),
        st.one_of(tickers(), foreign_symbols()), price=prices(), **about,
    )  # fmt: skip
    option = st.builds(
        Held, kind=st.just("option"), symbol=contracts(), price=prices(), fx_rate=st.just(1.0), **about
    )
    bond = st.builds(
        Held, kind=st.just("unknown"), symbol=st.just("T 4 1/4 11/15/34"), price=prices(),
        fx_rate=st.just(1.0), **about,
    )  # fmt: skip
    cash = st.sampled_from(list(_RATES)).flatmap(
        lambda currency: st.builds(
            Held, kind=st.just("cash"), symbol=st.just(currency), price=st.just(1.0),
            currency=st.just(currency), fx_rate=st.just(_RATES[currency]), **about,
        )
    )  # fmt: skip
    return st.one_of(stock, option, bond, cash)
