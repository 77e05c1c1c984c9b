"""E*TRADE's `PortfolioDownload.csv`."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from quotewell.calendars import close_of
from writers.amounts import bare, grouped, line
from writers.held import (
    Book,
    Held,
    contract_of,
    contracts,
    maybe,
    money,
    prices,
    quantities,
    spelled,
    tickers,
    trading_days,
    whole,
)

_HEADER = (
    "Symbol,Last Price $,Change $,Change %,Qty #,Price Paid $,Day's Gain $,Total Gain $,Total Gain %,Value $"
)


class ETrade:
    """One account with its summary; lots below a position, a row of cash and one of the total."""

    broker = "E*TRADE"
    variant = "view"

    def books(self) -> st.SearchStrategy[Book]:
        """Stocks, options, cash."""
        account = st.from_regex(r"Individual Brokerage -[0-9]{4}", fullmatch=True)
        return st.builds(
            lambda held, account, total, day: Book(
                held=tuple(msgspec.structs.replace(one, account=account) for one in held),
                stated_totals={account: total},
                as_of=close_of(day),
                day=day,
            ),
            st.lists(_row(), max_size=8), account, money(), trading_days(),
        )  # fmt: skip

    def write(self, book: Book) -> str:
        """The file."""
        ((account, total),) = book.stated_totals.items()
        rows = [one for held in book.held for one in self._lines(held)]
        return "\n".join(
            [
                "Account Summary",
                "Account,Net Account Value,Total Gain $,Total Gain %,Day's Gain Unrealized $",
                line([account, grouped(total), "1", "2", "3"]),
                "",
                "View Summary - All Positions",
                "Filters Applied,Symbol,Security Type",
                ",All,All",
                "",
                _HEADER,
                *rows,
                line(["TOTAL", *[""] * 8, bare(total)]),
                "",
                f"Generated at {book.day:%b} {book.day.day} {book.day.year} 11:00 PM ET",
                "",
            ]
        )

    def _lines(self, held: Held) -> list[str]:
        symbol = spelled(held.symbol, ".")
        if held.kind == "option":
            option = contract_of(held)
            right = "Call" if option.is_call else "Put"
            symbol = f"{option.root} {option.expiry:%b %d '%y} ${bare(option.strike)} {right}"
        row = [
            symbol, bare(held.price), "0", "0", bare(held.quantity), bare(held.average_cost), "0", "0", "0",
            grouped(held.value),
        ]  # fmt: skip
        lots = ["  01/15/2022", *row[1:]], ["  --", *row[1:4], "0", *row[5:-1], "0"]
        return [line(row), *(line(lot) for lot in lots if held.kind == "stock")]


def _row() -> st.SearchStrategy[Held]:
    stock = st.builds(
        Held, kind=st.just("stock"), symbol=tickers(), quantity=quantities(), price=prices(), value=money(),
        average_cost=maybe(prices()),
    )  # fmt: skip
    option = st.builds(
        Held, kind=st.just("option"), symbol=contracts(), quantity=whole(), price=maybe(prices()),
        value=maybe(money()), average_cost=maybe(prices()),
    )  # fmt: skip
    cash = st.builds(Held, kind=st.just("cash"), symbol=st.just("CASH"), value=money())
    return st.one_of(stock, option, cash)
