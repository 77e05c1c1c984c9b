"""Fidelity's export of positions, and its custom views."""

from __future__ import annotations

from hypothesis import strategies as st

from quotewell.calendars import close_of
from writers.amounts import bare, dollars, grouped, line
from writers.held import (
    Book,
    Held,
    contract_of,
    contracts,
    cusips,
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
    "Account Number", "Account Name", "Symbol", "Description", "Quantity", "Last Price", "Last Price Change",
    "Current Value", "Today's Gain/Loss Dollar", "Percent Of Account", "Cost Basis Total",
    "Average Cost Basis", "Type",
)  # fmt: skip
_LEGS = ("Cash", "Margin", "Short")


def _option_text(held: Held) -> str:
    option = contract_of(held)
    return f" -{option.root}{option.expiry:%y%m%d}{option.right}{bare(option.strike)}"


class Fidelity:
    """The export, with several accounts; data rows carry one more comma than the header."""

    broker = "Fidelity"
    variant = "export"

    def books(self) -> st.SearchStrategy[Book]:
        """Stocks, escrow shares, options, money markets, one row of pending activity an account."""
        accounts = st.dictionaries(
            st.from_regex(r"[XZ][0-9]{3,8}", fullmatch=True), names(), min_size=1, max_size=3
        )
        return accounts.flatmap(
            lambda named: st.tuples(
                st.tuples(*[_account(number, name) for number, name in named.items()]), days()
            )
        ).map(
            lambda made: Book(
                held=tuple(held for rows in made[0] for held in rows), as_of=close_of(made[1]), day=made[1]
            )
        )

    def write(self, book: Book) -> str:
        """The file."""
        rows = [line(_HEADER), *(line(self._cells(held)) for held in book.held)]
        footer = ['"The data is provided as it is, for you only."', f'"Date downloaded {book.day:%b-%d-%Y}"']
        return "\r\n".join([*rows, "", *footer, ""])

    def _cells(self, held: Held) -> list[str]:
        symbol, description = spelled(held.symbol, ""), held.description
        if held.kind == "pending":
            shifted = ["", "", "", dollars(held.value), "", "", "", "", "", ""]
            return [held.account or "", held.account_name or "", description, *shifted]
        if held.kind == "option":
            symbol = _option_text(held)
        elif held.kind == "cash":
            symbol = symbol.removesuffix("**") + "**"
        blank = "" if held.kind == "cash" else "--"
        return [
            held.account or "", held.account_name or "", symbol, description,
            grouped(held.quantity, blank), dollars(held.price, blank), "+$0.10", dollars(held.value), "--",
            "1.25%", dollars(held.cost_basis), "--", held.leg or "", "",
        ]  # fmt: skip


class FidelityView:
    """A custom view: few columns, no accounts, average costs, and a total."""

    broker = "Fidelity"
    variant = "custom view"

    def books(self) -> st.SearchStrategy[Book]:
        """Stocks, options, cash in a fund, pending activity."""
        stock = st.builds(
            Held, kind=st.just("stock"), symbol=tickers(), quantity=quantities(), price=prices(),
            value=money(), average_cost=maybe(prices()),
        )  # fmt: skip
        option = st.builds(
            Held, kind=st.just("option"), symbol=contracts(), quantity=whole(), price=maybe(prices()),
            value=maybe(money()), average_cost=maybe(prices()),
        )  # fmt: skip
        cash = st.builds(
            Held, kind=st.just("cash"), symbol=st.sampled_from(("SPAXX", "FDRXX")), value=money()
        )
        pending = st.builds(
            Held, kind=st.just("pending"), value=money(), description=st.just("Pending Activity")
        )
        rows = st.lists(st.one_of(stock, option, cash, pending), max_size=8)
        return st.builds(lambda held, total: Book(held=tuple(held), stated_totals={"": total}), rows, money())

    def write(self, book: Book) -> str:
        """The file."""
        total = line(("Totals", "", "", "", bare(book.stated_totals[""])))
        rows = ["Symbol,Quantity,Last,$ Avg Cost,Value", *(line(self._cells(held)) for held in book.held)]
        return "\n".join([*rows, total, "", "Disclosure", '"The data is provided as it is."', ""])

    def _cells(self, held: Held) -> list[str]:
        symbol = spelled(held.symbol, ".")
        if held.kind == "pending":
            symbol = held.description
        elif held.kind == "option":
            symbol = _option_text(held).strip(" -")
        elif held.kind == "cash":
            symbol = f"Cash ({symbol})"
        figures = (held.price, held.average_cost, held.value)
        return [symbol, grouped(held.quantity), *(grouped(figure, "--") for figure in figures)]


def _account(number: str, name: str) -> st.SearchStrategy[list[Held]]:
    about = {"account": st.just(number), "account_name": st.just(name)}
    leg = st.sampled_from(_LEGS)
    stock = st.builds(
        Held, kind=st.just("stock"), symbol=tickers(), quantity=quantities(), price=prices(), value=money(),
        cost_basis=maybe(money()), description=names(), leg=leg, **about,
    )  # fmt: skip
    escrow = st.builds(
        Held, kind=st.just("stock"), symbol=cusips(), quantity=quantities(), description=names(), leg=leg,
        **about,
    )  # fmt: skip
    option = st.builds(
        Held, kind=st.just("option"), symbol=contracts(), quantity=whole(), price=maybe(prices()),
        value=maybe(money()), cost_basis=maybe(money()), description=names(), leg=leg, **about,
    )  # fmt: skip
    cash = st.builds(
        Held, kind=st.just("cash"), symbol=st.sampled_from(("SPAXX", "FDRXX", "CORE**")), value=money(),
        description=st.just("HELD IN MONEY MARKET"), leg=st.just("Cash"), **about,
    )  # fmt: skip
    pending = st.builds(
        Held, kind=st.just("pending"), value=money(), description=st.just("Pending Activity"), **about
    )
    rows = st.lists(st.one_of(stock, escrow, option, cash), max_size=6)
    return st.tuples(rows, st.lists(pending, max_size=1)).map(lambda both: [*both[0], *both[1]])
