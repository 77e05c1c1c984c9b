"""Merrill's export of holdings."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from quotewell.calendars import close_of
from quotewell.symbols import Option
from writers.amounts import bare, grouped, quoted_line
from writers.held import (
    Book,
    Held,
    contract_of,
    contracts,
    days,
    maybe,
    money,
    names,
    prices,
    quantities,
    spelled,
    tickers,
    whole,
)

_HEADER = (
    "COB Date", "Security #", "Symbol", "CUSIP #", "Security Description", "Account Nickname",
    "Account Registration", "Account #", "Quantity", "Price ($)", "Value ($)",
)  # fmt: skip


class Merrill:
    """All cells in quotation marks; short quantities in parentheses; options coded as OPRA does."""

    broker = "Merrill"
    variant = "holdings"

    def books(self) -> st.SearchStrategy[Book]:
        """Stocks, options, cash swept into a bank."""
        return st.builds(
            lambda held, day: Book(held=tuple(held), as_of=close_of(day) if held else None, day=day),
            st.lists(_row(), max_size=8),
            days(),
        )

    def write(self, book: Book) -> str:
        """The file."""
        day = f"{book.day.month}/{book.day.day}/{book.day.year}"
        rows = [quoted_line([day, *self._cells(held)]) for held in book.held]
        return "\r\n".join([quoted_line(_HEADER), *rows, ""])

    def _cells(self, held: Held) -> list[str]:
        symbol = spelled(held.symbol, "")
        if held.kind == "option":
            symbol = _opra(contract_of(held))
        return [
            "00415", symbol, "", held.description, "--", held.account_name or "", held.account or "",
            _in_parentheses(held.quantity), grouped(held.price), _in_parentheses(held.value),
        ]  # fmt: skip


def _in_parentheses(number: float | None) -> str:
    text = grouped(number)
    return f"({text[1:]})" if text.startswith("-") else text


def _opra(option: Option) -> str:
    letter = chr(ord("A") + option.expiry.month - 1 + (0 if option.is_call else 12))
    return f"{option.root}#{letter}{option.expiry:%d%y}C{round(option.strike * 1000):06d}"


def _described(held: Held) -> Held:
    option = contract_of(held)
    right = "CALL" if option.is_call else "PUT"
    words = f"{right} {option.root}   {bare(option.strike)} EXP {option.expiry:%m-%d-%y}"
    return msgspec.structs.replace(held, description=words)


def _row() -> st.SearchStrategy[Held]:
    # Without a nickname an account goes by its registration.
    about = {
        "account": st.from_regex(r"[0-9]{2}[A-Z][0-9]{5}", fullmatch=True),
        "account_name": st.just("CMA-Edge"),
        "value": money(),
    }
    stock = st.builds(
        Held, kind=st.just("stock"), symbol=tickers(), quantity=quantities(), price=prices(),
        description=names(), **about,
    )  # fmt: skip
    option = st.builds(
        Held, kind=st.just("option"), symbol=contracts(), quantity=whole(), price=maybe(prices()), **about
    ).filter(lambda held: contract_of(held).strike < 1_000)
    coded = st.builds(
        Held, kind=st.just("option"), symbol=contracts(), quantity=whole(), price=maybe(prices()),
        description=names(), **about,
    ).filter(lambda held: contract_of(held).strike < 1_000)  # fmt: skip
    cash = st.builds(
        Held, kind=st.just("cash"), symbol=st.just("IIAXX"), quantity=maybe(money()), price=st.just(1.0),
        description=st.just("BANK DEPOSIT PROGRAM"), **about,
    )  # fmt: skip
    return st.one_of(stock, option.map(_described), coded, cash)
