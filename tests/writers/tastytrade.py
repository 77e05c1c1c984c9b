"""tastytrade's export of positions."""

from __future__ import annotations

from hypothesis import strategies as st

from writers.amounts import bare, line
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
    whole,
)

_HEADER = (
    "Account", "Symbol", "Type", "Quantity", "Exp Date", "DTE", "Strike Price", "Call/Put", "P/L Open",
    "Trade Price", "Mark", "NetLiq",
)  # fmt: skip


class Tastytrade:
    """Options in columns of their own."""

    broker = "tastytrade"
    variant = "positions"

    def books(self) -> st.SearchStrategy[Book]:
        """Stocks and options of several accounts."""
        about = {
            "account": st.from_regex(r"5W[A-Z][0-9]{5}", fullmatch=True),
            "average_cost": maybe(prices()),
        }
        stock = st.builds(
            Held, kind=st.just("stock"), symbol=tickers(), quantity=quantities(), price=prices(),
            value=money(), **about,
        )  # fmt: skip
        option = st.builds(
            Held, kind=st.just("option"), symbol=contracts(), quantity=whole(), price=maybe(prices()),
            value=maybe(money()), **about,
        )  # fmt: skip
        return st.lists(st.one_of(stock, option), max_size=8).map(lambda held: Book(held=tuple(held)))

    def write(self, book: Book) -> str:
        """The file."""
        return "\n".join([line(_HEADER), *(line(self._cells(held)) for held in book.held), ""])

    def _cells(self, held: Held) -> list[str]:
        symbol, contract = spelled(held.symbol, "/"), ["", "", "", ""]
        if held.kind == "option":
            option = contract_of(held)
            symbol, right = option.root, "Call" if option.is_call else "Put"
            contract = [option.expiry.isoformat(), "30", bare(option.strike), right]
        kind = "Equity Option" if held.kind == "option" else "Equity"
        figures = (held.average_cost, held.price, held.value)
        return [
            held.account or "", symbol, kind, bare(held.quantity), *contract, "1.00", *map(bare, figures),
        ]  # fmt: skip
