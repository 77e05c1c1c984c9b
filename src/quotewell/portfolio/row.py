"""One valued row: the figures of one position as plain numbers, None where there is none."""

from __future__ import annotations

import math
from collections.abc import Collection

import msgspec

from quotewell.portfolio.basis import Basis
from quotewell.portfolio.columns import Columns
from quotewell.portfolio.flags import REASONS, Flag, names
from quotewell.portfolio.needs import Entry, needs_of
from quotewell.portfolio.positions import PositionKind
from quotewell.portfolio.snapshot import take
from quotewell.portfolio.valuation import value_book
from quotewell.protocols import TickerSource
from quotewell.records import Facet, Payout

__all__ = ["ValuedRow", "row_of", "valued_row"]

_FX: Facet = "fx"


class ValuedRow(msgspec.Struct, kw_only=True, frozen=True):
    """One position, valued; prices in local currency, `value` and exposures in base currency."""

    kind: PositionKind
    symbol: str | None
    underlying: str | None
    description: str
    account: str | None
    line: int | None
    quantity: float | None
    price: float | None
    spot: float | None
    reported_price: float | None
    reported_value: float | None
    """In base currency."""
    value: float | None
    delta: float | None
    volatility: float | None
    dividend_yield: float | None = None
    """Of options: continuous, a fraction a year; 0 beside `dividends`."""
    dividends: tuple[Payout, ...] = ()
    """Of options: what goes ex before expiry, where they are valued with that instead of a yield."""
    beta: float | None
    exposure: float | None
    beta_adjusted: float | None
    flags: tuple[str, ...]

    def reason(self, field: str) -> str:
        """Why a figure is missing, in words."""
        for flag, reason in REASONS.items():
            if field == "beta" and flag not in (Flag.NO_BETA, Flag.UNKNOWN_INSTRUMENT):
                continue
            if flag is Flag.NO_BETA and field not in ("beta", "beta_adjusted"):
                continue
            if flag.name is not None and flag.name.lower() in self.flags:
                return reason
        return "not known"


def row_of(columns: Columns, row: int) -> ValuedRow:
    """One row of the columns."""
    entry = columns.entries[row]
    code = int(columns.underlying[row])

    def number(column: object) -> float | None:
        figure = float(column[row])  # type: ignore[index]  # an array of floats
        return None if math.isnan(figure) else figure

    return ValuedRow(
        kind=entry.kind,
        symbol=getattr(entry, "symbol", None),
        underlying=columns.underlyings[code] if code >= 0 else None,
        description=entry.description,
        account=entry.account or entry.account_name,
        line=entry.line,
        quantity=number(columns.quantity),
        price=number(columns.price),
        spot=number(columns.spot),
        reported_price=getattr(entry, "price", None),
        reported_value=number(columns.reported_value),
        value=number(columns.value),
        delta=number(columns.delta),
        volatility=number(columns.contracts.volatility),
        dividend_yield=number(columns.contracts.dividend_yield),
        dividends=_coming(columns.contracts.payouts[row]),
        beta=number(columns.beta),
        exposure=number(columns.exposure),
        beta_adjusted=number(columns.beta_adjusted),
        flags=names(int(columns.flags[row])),
    )


def _coming(payouts: tuple[Payout, ...] | None) -> tuple[Payout, ...]:
    return tuple(one for one in payouts or () if one.years > 0.0)


def valued_row(
    entry: Entry,
    source: TickerSource,
    basis: Basis | None,
    facets: Collection[Facet],
    *,
    dated: bool = True,
) -> ValuedRow:
    """Value one position, asking `source` for the given facets only.

    Args:
        entry: The position.
        source: What it asks.
        basis: Of the portfolio; the default one if None.
        facets: What the wanted figure depends on; exchange rates follow the quotes.
        dated: False where the valuation instant is not known.
    """
    basis = basis or Basis()
    at = source.now() if dated else None
    needs = {need for need in needs_of((entry,), basis, at) if need[1] in (*facets, _FX)}
    return row_of(value_book((entry,), take(source, needs, basis.base_currency, dated=dated), basis), 0)
