"""Positions: what the broker said, and properties that ask the ticker source for everything else.

Stored fields are the broker's words; nothing derived is stored. `beta`, `market_value`, `delta` … are
computed from the source at each read by the same functions that value a whole portfolio in columns, and
raise `DataUnavailable` where there is no number. For many positions use the columns (`Portfolio.value`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Literal, cast

import msgspec

from quotewell.errors import DataUnavailable
from quotewell.protocols import TickerSource
from quotewell.symbols import Option, parse_option

if TYPE_CHECKING:
    from quotewell.portfolio.basis import Basis
    from quotewell.portfolio.needs import Entry
    from quotewell.portfolio.row import ValuedRow
    from quotewell.records import Facet

__all__ = [
    "CashPosition",
    "OptionPosition",
    "PendingActivity",
    "Position",
    "PositionKind",
    "StockPosition",
    "UnknownPosition",
    "bind_all",
    "contract_of",
]

PositionKind = Literal["stock", "option", "cash", "pending", "unknown"]

# A profile may call a fund a money market; an option may be priced by the model.
_PRICE: tuple[Facet, ...] = ("quote", "profile", "dividend", "payouts", "rate")
_BETA: tuple[Facet, ...] = ("risk", "profile")


class _Entry(msgspec.Struct, kw_only=True, dict=True):
    """What all rows of a broker's file have in common.

    Args:
        description: The broker's description.
        value: The broker's own value, in `currency`; None if it gave none.
        account: Account number as in the file.
        account_name: Account name as in the file.
        currency: Currency of `price`, `value` and `cost_basis`, case-sensitive (`GBp`); None if not said.
        fx_rate: The broker's own exchange rate, base units per unit of `currency`; None if not said.
        line: Line of the file, counted from 1.
        file: Which file, where a book is of several.
        as_of: When the row's figures were the market's, where that is not the whole book's day.
    """

    kind: ClassVar[PositionKind]

    description: str = ""
    value: float | None = None
    account: str | None = None
    account_name: str | None = None
    currency: str | None = None
    fx_rate: float | None = None
    line: int | None = None
    file: str | None = None
    as_of: float | None = None

    def bind(self, source: TickerSource | None, basis: Basis | None = None, *, dated: bool = True) -> None:
        """Ask `source` from now on; what is bound is neither compared, printed, copied nor serialised.

        Args:
            source: What the derived properties ask.
            basis: The basis of valuation; the default one if None.
            dated: False where the valuation instant is not known, whatever `source.now()` says.
        """
        bind_all((self,), source, basis, dated=dated)

    @property
    def source(self) -> TickerSource | None:
        """What the derived properties ask; None as long as the position belongs to no portfolio."""
        source: TickerSource | None = self.__dict__.get("source")
        return source

    @property
    def market_value(self) -> float:
        """Value at market prices, in base currency.

        Raises:
            DataUnavailable: If there is no price or exchange rate, or the position cannot be valued.
        """
        return self._asked("value", _PRICE)

    def _asked(self, field: str, facets: tuple[Facet, ...]) -> float:
        """One figure of this position, computed from the given facets of the symbols it depends on."""
        from quotewell.portfolio.row import valued_row  # noqa: PLC0415  imports numpy

        source = self.source
        if source is None:
            raise DataUnavailable(self._name(), facets[0], "the position has no ticker source")
        basis, dated = self.__dict__["basis"], self.__dict__["dated"]
        row: ValuedRow = valued_row(cast("Entry", self), source, basis, facets, dated=dated)
        number: float | None = getattr(row, field)
        if number is None:
            raise DataUnavailable(self._name(), facets[0], row.reason(field))
        return number

    def _name(self) -> str:
        return self.description or "row"


class Position(_Entry, kw_only=True, dict=True):
    """A holding as the broker reports it.

    Attributes:
        symbol: Canonical symbol, where the text is one.
        raw_symbol: The symbol as it stands in the file.
        quantity: Shares or contracts, negative when short; None is unknown.
        price: The broker's price per share or per unit of premium, in `currency`.
        cost_basis: The broker's total cost, in `currency`.
        leg: The account leg (`Cash`, `Margin`, `Short`), which is no asset class.
    """

    symbol: str
    raw_symbol: str = ""
    quantity: float | None = None
    price: float | None = None
    cost_basis: float | None = None
    leg: str | None = None

    @property
    def underlying(self) -> str | None:
        """The symbol whose beta and price move the position; None where none does or it has no symbol."""
        return None

    @property
    def market_price(self) -> float:
        """Current price per share or per unit of premium, in its own currency's major unit.

        Raises:
            DataUnavailable: If there is none.
        """
        return self._asked("price", _PRICE)

    @property
    def delta(self) -> float:
        """Change of the price for 1.00 of the underlying's: 1 for shares.

        Raises:
            DataUnavailable: If it cannot be derived.
        """
        return self._asked("delta", _PRICE)

    @property
    def beta(self) -> float:
        """Beta of the underlying against the benchmark.

        Raises:
            DataUnavailable: If it is not known.
        """
        return self._asked("beta", _BETA)

    @property
    def market_exposure(self) -> float:
        """Delta-adjusted exposure in base currency; negative is short.

        Raises:
            DataUnavailable: If a price, a delta or an exchange rate is missing.
        """
        return self._asked("exposure", _PRICE)

    @property
    def beta_adjusted_exposure(self) -> float:
        """Exposure times beta, in base currency.

        Raises:
            DataUnavailable: If the exposure or the beta is missing.
        """
        return self._asked("beta_adjusted", (*_BETA, *_PRICE))

    def _name(self) -> str:
        return self.symbol


class StockPosition(Position, kw_only=True, dict=True):
    """Shares of a stock, ETF or fund; without a price where the symbol is a CUSIP."""

    kind: ClassVar[PositionKind] = "stock"

    @property
    def underlying(self) -> str:
        """Its own symbol."""
        return self.symbol


class OptionPosition(Position, kw_only=True, dict=True):
    """Contracts of a listed option; `price` is per unit of premium, a hundredth of a standard contract.

    Args:
        multiplier: Units of premium a contract, where the broker says it and the symbol does not tell.
    """

    kind: ClassVar[PositionKind] = "option"

    multiplier: float | None = None

    @property
    def contract(self) -> Option:
        """The contract that the symbol names."""
        return contract_of(self.symbol)

    @property
    def underlying(self) -> str | None:
        """Canonical symbol of the underlying; None for options on VIX futures."""
        return self.contract.underlying


class CashPosition(Position, kw_only=True, dict=True):
    """Cash or a money-market fund: its price is 1, its beta and exposure 0, whatever the market does."""

    kind: ClassVar[PositionKind] = "cash"

    @property
    def amount(self) -> float | None:
        """The amount in `currency`: the broker's value, else the quantity."""
        return self.quantity if self.value is None else self.value

    @property
    def market_price(self) -> float:
        """1, by definition."""
        return 1.0

    @property
    def delta(self) -> float:
        """0, by definition."""
        return 0.0

    @property
    def beta(self) -> float:
        """0, by definition."""
        return 0.0

    @property
    def market_exposure(self) -> float:
        """0, by definition."""
        return 0.0

    @property
    def beta_adjusted_exposure(self) -> float:
        """0, by definition."""
        return 0.0


class UnknownPosition(Position, kw_only=True, dict=True):
    """A row with a value but no instrument that could be priced: its value is the broker's."""

    kind: ClassVar[PositionKind] = "unknown"


class PendingActivity(_Entry, kw_only=True, dict=True):
    """Trades that are not settled yet: an amount of money, in no position."""

    kind: ClassVar[PositionKind] = "pending"


def contract_of(symbol: str) -> Option:
    """The contract that the symbol of an option position names.

    Raises:
        DataUnavailable: It names none.
    """
    option = parse_option(symbol)
    if option is None:
        raise DataUnavailable(symbol, "contract", "the symbol is no option")
    return option


def bind_all(
    entries: Iterable[_Entry], source: TickerSource | None, basis: Basis | None = None, *, dated: bool = True
) -> None:
    """`bind` all `entries`; what they are bound to takes memory once, however many they are."""
    shared = {"source": source, "basis": basis, "dated": dated}
    for entry in entries:
        entry.__dict__ = shared
