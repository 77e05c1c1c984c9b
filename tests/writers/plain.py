"""The plain table of one's own."""

from __future__ import annotations

from hypothesis import strategies as st

from writers.amounts import bare, dollars, line
from writers.held import (
    Book,
    Held,
    contracts,
    cusips,
    maybe,
    money,
    names,
    prices,
    quantities,
    tickers,
    whole,
)

_HEADER = "Account,Account Name,Symbol,Description,Kind,Quantity,Price,Currency,Value,Cost Basis,FX Rate,Leg"


class Plain:
    """All columns that it may have."""

    broker = "plain"
    variant = "all columns"

    def books(self) -> st.SearchStrategy[Book]:
        """Everything that there is."""
        about = {
            "account": st.one_of(st.none(), st.from_regex(r"[A-Z][0-9]{4}", fullmatch=True)),
            "account_name": st.one_of(st.none(), names()),
            "currency": st.sampled_from((None, "USD", "EUR", "GBP", "GBp")),
            "value": maybe(money()),
            "cost_basis": maybe(money()),
            "description": names(),
            "fx_rate": maybe(prices()),
            "leg": st.sampled_from((None, "Cash", "Margin")),
        }
        stock = st.builds(
            Held, kind=st.just("stock"), symbol=st.one_of(tickers(), st.just("VOD.L"), cusips()),
            quantity=quantities(), price=maybe(prices()), **about,
        )  # fmt: skip
        option = st.builds(
            Held, kind=st.just("option"), symbol=contracts(), quantity=whole(), price=maybe(prices()), **about
        )
        cash = st.builds(Held, kind=st.just("cash"), symbol=st.just("CASH"), quantity=money(), **about)
        pending = st.builds(
            Held,
            kind=st.just("pending"),
            **(about | {"value": money(), "cost_basis": st.none(), "leg": st.none()}),
        )
        unknown = st.builds(
            Held, kind=st.just("unknown"), symbol=st.just("My house"), **(about | {"value": money()})
        )
        rows = st.lists(st.one_of(stock, option, cash, pending, unknown), max_size=8)
        return rows.map(lambda held: Book(held=tuple(held)))

    def write(self, book: Book) -> str:
        """The file."""
        return "\n".join([_HEADER, *(line(self._cells(held)) for held in book.held), ""])

    def _cells(self, held: Held) -> list[str]:
        symbol = held.symbol or "Pending Activity"
        return [
            held.account or "", held.account_name or "", symbol, held.description, held.kind,
            bare(held.quantity), bare(held.price), held.currency or "", dollars(held.value),
            bare(held.cost_basis), bare(held.fx_rate), held.leg or "",
        ]  # fmt: skip
