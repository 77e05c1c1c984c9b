"""Vanguard's `OfxDownload.csv`, and that of 529 plans."""

from __future__ import annotations

from hypothesis import strategies as st

from writers.amounts import bare, dollars, line
from writers.held import Book, Held, cusips, money, names, prices, quantities, spelled, tickers, whole

_HEADER = "Account Number,Investment Name,Symbol,Shares,Share Price,Total Value,"
_TRANSACTIONS = (
    "Account Number,Trade Date,Settlement Date,Transaction Type,Transaction Description,Investment Name,"
    "Symbol,Shares,Share Price,Principal Amount,Commissions and Fees,Net Amount,Accrued Interest,"
)
_TRANSACTION = (
    '12345678,2025-05-23,2025-05-27,Buy,Buy,"VANGUARD, ETF",VOO,3,400.0,-1200.0,0.0,-1200.0,0.0,CASH,'
)
_PLAN = "Fund Account Number,Fund Name,Price,Shares,Total Value"


class Vanguard:
    """Positions of several accounts, and below them the transactions."""

    broker = "Vanguard"
    variant = "brokerage"

    def books(self) -> st.SearchStrategy[Book]:
        """Stocks, funds, bonds without a symbol that could be priced, the settlement fund."""
        about = {"account": st.from_regex(r"[0-9]{8}", fullmatch=True), "price": prices(), "value": money()}
        stock = st.builds(
            Held, kind=st.just("stock"), symbol=tickers(), quantity=quantities(), description=names(), **about
        )
        bond = st.builds(
            lambda symbol, face, name, account: Held(
                kind="unknown", symbol=symbol or name, quantity=face, price=98.5, value=face * 0.985,
                description=name, account=account,
            ),
            st.one_of(cusips(), st.just("")), whole(), names(), about["account"],
        )  # fmt: skip
        settlement = st.builds(
            lambda account, value: Held(
                kind="cash", symbol="VMFXX", quantity=value, price=1.0, value=value,
                description="VANGUARD FEDERAL MONEY MARKET", account=account,
            ),
            about["account"], money(),
        )  # fmt: skip
        rows = st.lists(st.one_of(stock, bond, settlement), max_size=8)
        return rows.map(lambda held: Book(held=tuple(held)))

    def write(self, book: Book) -> str:
        """The file."""
        rows = [line(self._cells(held)) for held in book.held]
        return "\r\n".join([_HEADER, *rows, "", "", "", _TRANSACTIONS, _TRANSACTION, ""])

    def _cells(self, held: Held) -> list[str]:
        symbol = spelled(held.symbol, ".")
        if held.kind == "unknown" and held.symbol == held.description:
            symbol = ""
        figures = (held.quantity, held.price, held.value)
        return [held.account or "", held.description, symbol, *map(bare, figures), ""]


class VanguardPlan:
    """The funds of a 529 plan, which have no symbols."""

    broker = "Vanguard"
    variant = "529 plan"

    def books(self) -> st.SearchStrategy[Book]:
        """Funds."""
        fund = st.builds(
            lambda account, name, shares, price, value: Held(
                kind="unknown", symbol=name, quantity=shares, price=price, value=value, description=name,
                account=account,
            ),
            st.from_regex(r"[0-9]{9}-0[0-9]", fullmatch=True), names(), quantities(), prices(), money(),
        )  # fmt: skip
        return st.lists(fund, max_size=8).map(lambda held: Book(held=tuple(held)))

    def write(self, book: Book) -> str:
        """The file."""
        return "\n".join([_PLAN, *(line(self._cells(held)) for held in book.held), "", ""])

    def _cells(self, held: Held) -> list[str]:
        return [
            held.account or "",
            held.description,
            dollars(held.price),
            bare(held.quantity),
            dollars(held.value),
        ]
