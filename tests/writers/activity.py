"""Interactive Brokers' activity statements."""

from __future__ import annotations

import datetime as dt

import msgspec
from hypothesis import strategies as st

from quotewell.calendars import close_of
from writers.amounts import bare, line
from writers.flex import foreign_symbols, listing, written_symbol
from writers.held import Book, Held, contract_of, contracts, days, money, prices, quantities, tickers, whole

_POSITIONS = (
    "Open Positions", "Header", "DataDiscriminator", "Asset Category", "Currency", "Symbol", "Quantity",
    "Mult", "Cost Price", "Cost Basis", "Close Price", "Value", "Unrealized P/L", "Code",
)  # fmt: skip
_CATEGORIES = {"stock": "Stocks", "option": "Equity and Index Options", "unknown": "Bonds"}
_CURRENCIES = ("USD", "EUR", "GBP", "JPY")


class Activity:
    """Sections, told apart by the first cell; a mark of the byte order at the beginning."""

    broker = "Interactive Brokers statement"
    variant = "statement"

    def books(self) -> st.SearchStrategy[Book]:
        """Stocks of many exchanges, options, bonds, cash by currency, one account."""
        figures = {"price": prices(), "value": money(), "cost_basis": money()}
        stock = st.builds(
            lambda symbol, **fields: Held(
                kind="stock", symbol=symbol, currency=listing(symbol)[1], **fields
            ),
            st.one_of(tickers(), foreign_symbols()), quantity=quantities(), **figures,
        )  # fmt: skip
        option = st.builds(Held, kind=st.just("option"), symbol=contracts(), quantity=whole(), **figures)
        bond = st.builds(
            Held, kind=st.just("unknown"), symbol=st.just("T 4 1/4 11/15/34"), quantity=whole(), **figures
        )
        cash = st.dictionaries(st.sampled_from(_CURRENCIES), money().filter(bool))
        rows = st.lists(
            st.one_of(stock, option, bond), max_size=8, unique_by=lambda held: written_symbol(held.symbol)
        )
        return st.builds(_book, rows, cash, st.from_regex(r"U[0-9]{7}", fullmatch=True), days())

    def write(self, book: Book) -> str:
        """The file."""
        account = book.held[0].account if book.held else "U1"
        day = f"{book.day:%B} {book.day.day}, {book.day.year}"
        positions = [held for held in book.held if held.kind != "cash"]
        rows = [
            ("Statement", "Header", "Field Name", "Field Value"),
            ("Statement", "Data", "BrokerName", "Interactive Brokers LLC"),
            ("Statement", "Data", "Title", "Activity Statement"),
            ("Statement", "Data", "Period", f"January 4, 2021 - {day}"),
            ("Account Information", "Header", "Field Name", "Field Value"),
            ("Account Information", "Data", "Account", account or ""),
            ("Account Information", "Data", "Base Currency", "USD"),
            ("Cash Report", "Header", "Currency Summary", "Currency", "Total", "Securities", "Futures", ""),
            ("Cash Report", "Data", "Starting Cash", "USD", "1", "1", "0", ""),
            *self._cash([held for held in book.held if held.kind == "cash"]),
            _POSITIONS,
            *(row for held in positions for row in self._rows(held)),
            ("Open Positions", "Total", "", "Stocks", "USD", *[""] * 6, "1", "1", ""),
            ("Trades", "Header", "DataDiscriminator", "Asset Category", "Currency", "Symbol", "Quantity"),
            ("Trades", "Data", "Order", "Stocks", "USD", "ZZZ", "5"),
            (
                "Financial Instrument Information",
                "Header",
                "Asset Category",
                "Symbol",
                "Listing Exch",
                "Code",
            ),
            *(self._instrument(held) for held in positions if held.kind == "stock"),
        ]
        return "\ufeff" + "\n".join(map(line, rows)) + "\n"

    def _cash(self, balances: list[Held]) -> list[tuple[str, ...]]:
        total = ("Cash Report", "Data", "Ending Cash", "Base Currency Summary", "1", "1", "0", "")
        ending = [
            ("Cash Report", "Data", "Ending Cash", held.currency or "", bare(held.value), "1", "0", "")
            for held in balances
        ]
        return [total, *ending] if ending else []

    def _rows(self, held: Held) -> list[tuple[str, ...]]:
        symbol = written_symbol(held.symbol) if held.kind == "stock" else held.symbol
        if held.kind == "option":
            option = contract_of(held)
            symbol = f"{option.root} {option.expiry:%d%b%y} {bare(option.strike)} {option.right}".upper()
        multiplier = "100" if held.kind == "option" else "1"
        row = (
            "Open Positions", "Data", "Summary", _CATEGORIES[held.kind], held.currency or "", symbol,
            bare(held.quantity), multiplier, "1", bare(held.cost_basis), bare(held.price), bare(held.value),
            "0", "",
        )  # fmt: skip
        lot = (*row[:2], "Lot", *row[3:])
        return [row, lot]

    def _instrument(self, held: Held) -> tuple[str, ...]:
        about = ("Stocks", written_symbol(held.symbol), listing(held.symbol)[0], "")
        return ("Financial Instrument Information", "Data", *about)


def _book(rows: list[Held], cash: dict[str, float], account: str, day: dt.date) -> Book:
    balances = [
        Held(kind="cash", symbol="CASH", value=value, currency=currency, description=f"Cash in {currency}")
        for currency, value in cash.items()
    ]
    held = [msgspec.structs.replace(one, account=account) for one in (*balances, *rows)]
    return Book(held=tuple(held), as_of=close_of(day), day=day)
