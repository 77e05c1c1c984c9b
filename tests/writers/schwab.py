"""Schwab's export of all accounts, with new and with old headings, and of one account."""

from __future__ import annotations

import datetime as dt

from hypothesis import strategies as st

from quotewell.calendars import close_of
from writers.amounts import dollars, grouped, line, quoted_line
from writers.held import (
    Book,
    Held,
    contract_of,
    contracts,
    cusips,
    maybe,
    money,
    names,
    prices,
    quantities,
    spelled,
    tickers,
    trading_days,
    whole,
)

_NEW = (
    "Symbol", "Description", "Qty (Quantity)", "Price", "Price Chng $ (Price Change $)",
    "Mkt Val (Market Value)", "Day Chng $ (Day Change $)", "Cost Basis", "Ratings", "Asset Type", "",
)  # fmt: skip
_OLD = (
    "Symbol", "Description", "Quantity", "Price", "Price Change $", "Market Value", "Day Change $",
    "Cost Basis", "Ratings", "Security Type",
)  # fmt: skip
_ASSETS = {"stock": "Equity", "option": "Option", "cash": "Cash and Money Market", "unknown": "Fixed Income"}


class Schwab:
    """All accounts: a title, then for each account its label, a header, rows and a total."""

    broker = "Schwab"
    variant = "all accounts"

    def books(self) -> st.SearchStrategy[Book]:
        """Stocks, options, bonds, cash."""
        labels = st.one_of(
            st.from_regex(r"Brokerage XXXX-[0-9]{4}", fullmatch=True),
            st.builds(lambda name, digits: f"{name} ...{digits}", names(), st.integers(100, 999)),
        )
        accounts = st.dictionaries(labels, money(), min_size=1, max_size=3)
        return accounts.flatmap(
            lambda totals: st.tuples(
                st.just(totals),
                st.tuples(*[st.lists(_row(label), min_size=1, max_size=6) for label in totals]),
                trading_days(),
            )
        ).map(
            lambda made: Book(
                held=tuple(held for rows in made[1] for held in rows),
                stated_totals=made[0],
                day=made[2],
                as_of=close_of(made[2]),
            )
        )

    def write(self, book: Book) -> str:
        """The file."""
        text = [self._title(book.day), ""]
        for label, total in book.stated_totals.items():
            rows = [self._cells(held) for held in book.held if held.account == label]
            text += [*self._label(label), self._header(), *map(self._line, rows)]
            text += [self._line(self._total(total)), "", ""]
        return "\r\n".join(text)

    def _title(self, day: dt.date) -> str:
        return f'"Positions for All-Accounts as of 11:04 PM ET, {day:%m/%d/%Y}"'

    def _label(self, label: str) -> list[str]:
        return [quoted_line([label])]

    def _header(self) -> str:
        return quoted_line(_NEW)

    def _line(self, cells: list[str]) -> str:
        return quoted_line(cells) + ","

    def _total(self, total: float) -> list[str]:
        return ["Account Total", "", "--", "--", "--", dollars(total), "$0.00", "--", "--", "--"]

    def _cells(self, held: Held) -> list[str]:
        symbol = spelled(held.symbol, "/")
        if held.kind == "option":
            option = contract_of(held)
            symbol = f"{option.root} {option.expiry:%m/%d/%Y} {option.strike:.2f} {option.right}"
        elif held.kind == "cash":
            symbol = "Cash & Cash Investments"
        return [
            symbol, held.description, grouped(held.quantity, "--"), dollars(held.price), "--",
            dollars(held.value), "$0.00", dollars(held.cost_basis), "C", _ASSETS[held.kind],
        ]  # fmt: skip


class SchwabOld(Schwab):
    """The headings of before, and labels without quotation marks."""

    variant = "old headings"

    def _label(self, label: str) -> list[str]:
        return [line([label])]

    def _header(self) -> str:
        return line(_OLD)

    def _line(self, cells: list[str]) -> str:
        return line(cells) + ","


class SchwabAccount(Schwab):
    """One account, which the title names."""

    variant = "one account"

    def books(self) -> st.SearchStrategy[Book]:
        """Those of one account."""
        return super().books().filter(lambda book: len(book.stated_totals) == 1)

    def _label(self, label: str) -> list[str]:
        del label
        return []

    def write(self, book: Book) -> str:
        """The file."""
        (account,) = book.stated_totals
        title = quoted_line([f"Positions for account {account} as of 11:04 PM ET, {book.day:%Y/%m/%d}"])
        _, _, rest = super().write(book).partition("\r\n")
        return f"{title}\r\n{rest}"


def _row(account: str) -> st.SearchStrategy[Held]:
    about = {"account": st.just(account), "description": names()}
    stock = st.builds(
        Held, kind=st.just("stock"), symbol=tickers(), quantity=quantities(), price=prices(), value=money(),
        cost_basis=maybe(money()), **about,
    )  # fmt: skip
    option = st.builds(
        Held, kind=st.just("option"), symbol=contracts(decimals=2), quantity=whole(), price=maybe(prices()),
        value=maybe(money()), cost_basis=maybe(money()), **about,
    )  # fmt: skip
    bond = st.builds(
        Held, kind=st.just("unknown"), symbol=cusips(), quantity=whole(), price=prices(), value=money(),
        cost_basis=maybe(money()), **about,
    )  # fmt: skip
    cash = st.builds(
        Held, kind=st.just("cash"), symbol=st.just("CASH & CASH INVESTMENTS"), value=money(),
        account=st.just(account), description=st.just("--"),
    )  # fmt: skip
    return st.one_of(stock, option, bond, cash)
