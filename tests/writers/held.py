"""What brokers' files are to say: holdings as they are to be read back, and random parts of them."""

from __future__ import annotations

import datetime as dt
import string
from typing import Protocol

import msgspec
from hypothesis import strategies as st

from quotewell.calendars import close_of, new_york_sessions
from quotewell.option_roots import SHARE_CLASS_ROOTS
from quotewell.portfolio.importers import ImportedFile
from quotewell.symbols import Option, kind, looks_like_cusip, looks_like_money_market, occ, parse_option

__all__ = [
    "Book", "Held", "Writer", "contract_of", "contracts", "cusips", "days", "held_in", "is_plain", "maybe",
    "money", "names", "prices", "quantities", "spelled", "tickers", "trading_days", "whole",
]  # fmt: skip

_CLASSES = ("BRK-B", "BF-B", "HEI-A", "LEN-B", "MOG-A")
_ODD_TICKERS = ("A", "ALL", "CALL", "MMKT", "NA", "NAN", "ON", "PUT", "SUM", "T", "TRUE", "TRUST")
_NAMES = string.ascii_letters + string.digits + " ,,\"'.&-/()%$#;:+é™–"
_ODD_NAMES = (
    "SUPER MICRO COMPUTER INC", "PUT & CALL HOLDINGS, INC", 'THE "BEST" CO, LTD', "TOTAL RETURN FUND",
    "CALL 5 EXP", "3M CO", "1,234.56", "Total", "--x--", "A CALL FOR ACTION IN FOUR WORDS",
)  # fmt: skip


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One holding, by the fields of `Position`; None for what the broker's form does not carry."""

    kind: str
    symbol: str = ""
    quantity: float | None = None
    price: float | None = None
    value: float | None = None
    cost_basis: float | None = None
    account: str | None = None
    account_name: str | None = None
    currency: str | None = "USD"
    description: str = ""
    leg: str | None = None
    fx_rate: float | None = None
    average_cost: float | None = None
    """What the form has in place of the total, which is then made of it."""

    @property
    def as_read(self) -> Held:
        """What an importer is to make of it."""
        cost = self.cost_basis
        if cost is None and self.average_cost is not None and self.quantity is not None:
            units = abs(self.quantity) * 100 if self.kind == "option" else abs(self.quantity)
            cost = units * self.average_cost
        return msgspec.structs.replace(self, cost_basis=cost, average_cost=None)


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """A whole file of them."""

    held: tuple[Held, ...]
    as_of: float | None = None
    stated_totals: dict[str, float] = {}
    day: dt.date = dt.date(2025, 5, 8)
    """What the writer writes for `as_of`."""


class Writer(Protocol):
    """Writes books in one layout of a broker."""

    broker: str
    variant: str

    def books(self) -> st.SearchStrategy[Book]:
        """Books that the layout can hold."""
        ...

    def write(self, book: Book) -> str:
        """The file."""
        ...


def held_in(file: ImportedFile) -> tuple[Held, ...]:
    """What was read, in the order of the file."""
    entries = sorted((*file.positions, *file.pending), key=lambda entry: entry.line or 0)
    fields = Held.__struct_fields__
    return tuple(
        Held(**{name: getattr(entry, name) for name in fields if hasattr(entry, name)}) for entry in entries
    )


def tickers() -> st.SearchStrategy[str]:
    """Stocks' symbols in canonical form."""
    plain = st.text(string.ascii_uppercase, min_size=1, max_size=5).filter(is_plain)
    return st.one_of(plain, st.sampled_from(_ODD_TICKERS), st.sampled_from(_CLASSES))


def is_plain(text: str) -> bool:
    """Whether letters are a ticker and nothing else."""
    return not (
        text in SHARE_CLASS_ROOTS or looks_like_money_market(text) or text in ("CASH", "NULL", "TOTAL")
    )


def spelled(symbol: str, separator: str) -> str:
    """A canonical symbol with another sign before its share class."""
    return symbol.replace("-", separator) if kind(symbol) == "security" else symbol


def cusips() -> st.SearchStrategy[str]:
    """Numbers of securities without a ticker."""
    return st.from_regex(r"[0-9]{3}[0-9A-Z]{5}[0-9]", fullmatch=True).filter(looks_like_cusip)


def contracts(decimals: int = 3) -> st.SearchStrategy[str]:
    """Canonical symbols of options with strikes of at most so many decimals."""
    step = 10 ** (3 - decimals)
    return st.builds(
        lambda root, expiry, right, thousandths: occ(root, expiry, right, thousandths * step / 1000),
        st.text(string.ascii_uppercase, min_size=1, max_size=5),
        days(),
        st.sampled_from(("C", "P")),
        st.one_of(st.integers(1, 999_999), st.integers(1, 900).map(lambda dollars: dollars * 10**decimals)),
    )


def contract_of(held: Held) -> Option:
    """The contract of an option that is held."""
    contract = parse_option(held.symbol)
    assert contract is not None
    return contract


def days() -> st.SearchStrategy[dt.date]:
    """Days of this decade."""
    return st.dates(dt.date(2021, 1, 1), dt.date(2029, 12, 31))


def trading_days() -> st.SearchStrategy[dt.date]:
    """Days on whose evening the last close is that day's."""
    return days().filter(lambda day: new_york_sessions(close_of(day) + 3_600).previous.close == close_of(day))


def quantities() -> st.SearchStrategy[float]:
    """Shares: whole or in thousandths, long or short."""
    return st.one_of(
        whole(), st.integers(-9_999_999, 9_999_999).filter(bool).map(lambda number: number / 1_000)
    )


def whole() -> st.SearchStrategy[float]:
    """Contracts, or shares."""
    return st.integers(-999_999, 999_999).filter(bool).map(float)


def prices() -> st.SearchStrategy[float]:
    """Prices in ten-thousandths."""
    return st.integers(1, 99_999_999).map(lambda number: number / 10_000)


def money() -> st.SearchStrategy[float]:
    """Amounts in cents, positive or negative."""
    return st.integers(-(10**10), 10**10).map(lambda cents: cents / 100)


def maybe(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[float | None]:
    """Numbers that may be unknown."""
    return st.one_of(st.none(), numbers)


def names() -> st.SearchStrategy[str]:
    """Names of companies, funds and accounts, with commas and quotation marks."""
    return st.one_of(
        st.sampled_from(_ODD_NAMES), st.text(_NAMES, min_size=1, max_size=24).map(str.strip)
    ).filter(lambda name: name not in ("", "-", "--"))
