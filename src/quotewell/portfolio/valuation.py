"""Positions and market data → columns. Pure; every formula is one of `analytics`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Floats, Integers
from quotewell.analytics.exposure import beta_adjusted, exposure, market_value
from quotewell.portfolio.basis import Basis
from quotewell.portfolio.columns import CASH, OPTION, PENDING, UNKNOWN, Columns, ContractColumns
from quotewell.portfolio.flags import Flag
from quotewell.portfolio.inputs import NAN, currency_of, fx_rate
from quotewell.portfolio.instruments import Instruments, find_instruments
from quotewell.portfolio.needs import Entry
from quotewell.portfolio.positions import CashPosition, PendingActivity, Position, StockPosition
from quotewell.portfolio.snapshot import Snapshot
from quotewell.symbols import minor_unit

__all__ = ["value_book"]

_DISPUTED_BY = 1.0
_DISPUTED_SHARE = 0.005
_MULTIPLIERS = (100.0, 10.0, 1000.0, 1.0)


def value_book(entries: Sequence[Entry], snapshot: Snapshot, basis: Basis) -> Columns:
    """Value a book.

    Args:
        entries: Positions and pending activity, in the order of the rows to come.
        snapshot: What the market says of them (`snapshot.take`).
        basis: Base currency, benchmark, and what the user gives.
    """
    found = find_instruments(entries, snapshot, basis)
    index, kind = found.index, found.kind[found.index]
    said = _said(entries, kind, found, snapshot, basis)
    multiplier = _multiplier(found.multiplier[index], entries, kind, said)
    price, spot, delta = found.price[index], found.spot[index], found.delta[index]
    quantity, beta = said.quantity, found.beta[index]

    value = market_value(quantity, multiplier, price, said.fx)
    # A row that cannot be priced is worth what the broker says, and nothing is known of its exposure.
    value = np.where(kind == UNKNOWN, said.value * said.reported_fx, value)
    exposures = exposure(quantity, found.shares[index], spot, delta, said.fx)
    reported = market_value(quantity, multiplier, said.price, np.ones_like(price))
    return Columns(
        entries=entries,
        snapshot=snapshot,
        kind=kind,
        currency=said.currency,
        underlyings=found.underlyings,
        underlying=found.underlying[index],
        quantity=quantity,
        multiplier=multiplier,
        shares=found.shares[index],
        spot=spot,
        price=price,
        delta=delta,
        beta=beta,
        fx=said.fx,
        reported_fx=said.reported_fx,
        value=value,
        exposure=exposures,
        beta_adjusted=beta_adjusted(exposures, beta),
        reported_value=said.value * said.reported_fx,
        reported_price_value=reported * said.reported_fx,
        notional=_notional(kind, quantity, multiplier, spot, found.strike[index], said.fx),
        flags=_without_long_assignments(found.flags[index], quantity)
        | said.flags
        | _disputed(reported, said.value),
        contracts=_contracts(found),
    )


class _Said(NamedTuple):
    """What the rows say, in major units of local currency, and their exchange rates."""

    quantity: Floats
    price: Floats
    value: Floats
    fx: Floats
    reported_fx: Floats
    currency: list[str | None]
    flags: Integers


def _said(
    entries: Sequence[Entry], kind: Integers, found: Instruments, snapshot: Snapshot, basis: Basis
) -> _Said:
    rates: dict[str | None, float] = {}

    def rate(currency: str | None) -> float:
        if currency not in rates:
            rates[currency] = fx_rate(currency, snapshot, basis)
        return rates[currency]

    columns = np.full((5, len(entries)), NAN)
    currencies: list[str | None] = []
    flags = np.zeros(len(entries), dtype=np.int64)
    for row, (entry, code, instrument) in enumerate(
        zip(entries, kind.tolist(), found.index.tolist(), strict=True)
    ):
        unit = 1.0 if entry.currency is None else minor_unit(entry.currency)[1]
        priced_in = found.currency[instrument]
        stated = _currency(entry, priced_in, basis)
        reported_fx = rate(stated) if entry.fx_rate is None else entry.fx_rate
        is_reported = code in (CASH, PENDING, UNKNOWN) or found.flags[instrument] & int(Flag.REPORTED)
        fx = reported_fx if is_reported and entry.fx_rate is not None else rate(priced_in or stated)
        quantity = _quantity(entry, code, unit)
        is_cash_like = isinstance(entry, StockPosition) and entry.symbol in basis.cash_like
        if isinstance(entry, Position) and is_cash_like:
            quantity = entry.quantity
        has_price = is_cash_like or code not in (CASH, PENDING)
        price = entry.price if isinstance(entry, Position) and has_price else None
        columns[:, row] = (
            NAN if quantity is None else quantity,
            NAN if price is None else price * unit,
            NAN if entry.value is None else entry.value * unit,
            fx,
            reported_fx,
        )
        currencies.append(priced_in or stated)
        if quantity is None and code != UNKNOWN:
            flags[row] = int(Flag.NO_QUANTITY)
    flags[np.isnan(columns[3])] |= int(Flag.NO_FX_RATE)
    return _Said(columns[0], columns[1], columns[2], columns[3], columns[4], currencies, flags)


def _quantity(entry: Entry, kind: int, unit: float) -> float | None:
    """Shares or contracts; of cash and pending activity the amount, in major units."""
    if isinstance(entry, PendingActivity):
        amount = entry.value
    elif isinstance(entry, CashPosition):
        amount = entry.amount
    elif kind == CASH:  # a fund that its profile calls a money market
        amount = entry.quantity if entry.value is None else entry.value
    else:
        return entry.quantity
    return None if amount is None else amount * unit


def _currency(entry: Entry, priced_in: str | None, basis: Basis) -> str | None:
    """The currency of the broker's own figures."""
    if entry.currency is not None:
        return minor_unit(entry.currency)[0]
    if isinstance(entry, Position) and not isinstance(entry, CashPosition):
        return currency_of(entry.symbol, priced_in)
    return basis.base_currency


def _multiplier(known: Floats, entries: Sequence[Entry], kind: Integers, said: _Said) -> Floats:
    """Premium multipliers; an unknown one is the broker's, or what reconciles its price and value, if any."""
    multiplier = known.copy()
    for row in np.flatnonzero(np.isnan(known) & (kind == OPTION)).tolist():
        stated = getattr(entries[row], "multiplier", None)
        if stated is not None:
            multiplier[row] = stated
            continue
        for candidate in _MULTIPLIERS:
            worth = said.quantity[row] * candidate * said.price[row]
            if worth and abs(worth - said.value[row]) <= _tolerance(said.value[row]):
                multiplier[row] = candidate
                break
    return multiplier


def _disputed(reported: Floats, value: Floats) -> Integers:
    """Rows whose quantity times the broker's price is not what the broker says they are worth."""
    return np.where(np.abs(reported - value) > _tolerance(value), int(Flag.DISPUTED), 0)


def _without_long_assignments(flags: Integers, quantity: Floats) -> Integers:
    """Only who is short can be assigned."""
    return np.where(quantity < 0.0, flags, flags & ~int(Flag.ASSIGNMENT))


def _tolerance(value: Floats) -> Floats:
    return np.maximum(_DISPUTED_BY, _DISPUTED_SHARE * np.abs(value))


def _notional(
    kind: Integers, quantity: Floats, multiplier: Floats, spot: Floats, strike: Floats, fx: Floats
) -> Floats:
    """q·m·S of options; the strike stands in for an unknown S, or a share could never be below 1."""
    size = np.where(np.isnan(spot), strike, spot)
    return np.where(kind == OPTION, market_value(quantity, multiplier, size, fx), NAN)


def _contracts(found: Instruments) -> ContractColumns:
    return ContractColumns(
        **{name: getattr(found, name)[found.index] for name in ContractColumns.__struct_fields__}
    )
