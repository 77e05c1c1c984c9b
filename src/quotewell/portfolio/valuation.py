"""Positions and market data → columns. Pure; every formula is one of `analytics`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers
from quotewell.analytics.exposure import beta_adjusted, exposure, market_value
from quotewell.portfolio.basis import Basis
from quotewell.portfolio.columns import CASH, OPTION, PENDING, STOCK, UNKNOWN, Columns, ContractColumns
from quotewell.portfolio.flags import Flag
from quotewell.portfolio.holdings import Holdings, holdings_of
from quotewell.portfolio.inputs import NAN, currency_of, fx_rate
from quotewell.portfolio.instruments import Instruments, find_instruments
from quotewell.portfolio.needs import Entry
from quotewell.portfolio.snapshot import Snapshot
from quotewell.symbols import minor_unit

__all__ = ["value_book", "value_holdings"]

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
    return value_holdings(holdings_of(entries), snapshot, basis, entries)


def value_holdings(
    holdings: Holdings, snapshot: Snapshot, basis: Basis, entries: Sequence[Entry] = ()
) -> Columns:
    """Value what rows say, whether or not there are positions behind them.

    Args:
        holdings: The rows.
        snapshot: As in `value_book`.
        basis: As in `value_book`.
        entries: The positions of the rows, for reports that name them.
    """
    found = find_instruments(holdings, snapshot, basis)
    index, kind = found.index, found.kind[found.index]
    said = _said(holdings, kind, found, snapshot, basis)
    multiplier = _multiplier(found.multiplier[index], holdings.multiplier, kind, said)
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


def _said(holdings: Holdings, kind: Integers, found: Instruments, snapshot: Snapshot, basis: Basis) -> _Said:
    named = list(dict.fromkeys([*holdings.currencies, *found.currency, "USD", basis.base_currency, None]))
    currencies = list(dict.fromkeys([*named, *(_major(one) for one in named)]))
    place = {currency: code for code, currency in enumerate(currencies)}
    rates = np.array([fx_rate(currency, snapshot, basis) for currency in currencies])
    unknown = place[None]

    def codes(names: Iterable[str | None]) -> Integers:
        return np.array([place[name] for name in names], dtype=np.intp)

    own = codes(_major(currency) for currency in holdings.currencies)[holdings.currency]
    unit = _units(holdings.currencies)[holdings.currency]
    priced_in = codes(found.currency)[found.index]
    major = codes(_major(currency) for currency in found.currency)[found.index]
    # Where nobody states a currency, the symbol tells that of a security; cash is in the base currency.
    by_symbol = codes(currency_of(symbol) for symbol in holdings.symbols)[holdings.symbol]
    implied = np.where(
        _is_amount(holdings.kind), place[basis.base_currency], np.where(major == unknown, by_symbol, major)
    )
    stated = np.where(own == unknown, implied, own)
    currency = np.where(priced_in == unknown, stated, priced_in)

    has_rate = ~np.isnan(holdings.fx_rate)
    reported_fx = np.where(has_rate, holdings.fx_rate, rates[stated])
    is_reported = (found.flags[found.index] & int(Flag.REPORTED)) != 0
    is_reported |= _is_amount(kind) | (kind == UNKNOWN)
    fx = np.where(is_reported & has_rate, holdings.fx_rate, rates[currency])

    quantity, has_price = _quantities(holdings, kind, unit, basis)
    flags = np.where(np.isnan(quantity) & (kind != UNKNOWN), int(Flag.NO_QUANTITY), 0)
    flags[np.isnan(fx)] |= int(Flag.NO_FX_RATE)
    return _Said(
        quantity, np.where(has_price, holdings.price * unit, NAN), holdings.value * unit, fx, reported_fx,
        [currencies[code] for code in currency.tolist()], flags,
    )  # fmt: skip


def _quantities(holdings: Holdings, kind: Integers, unit: Floats, basis: Basis) -> tuple[Floats, Bools]:
    """Shares or contracts, of cash and pending activity the amount in major units; and who has a price.

    A fund that its profile calls a money market is an amount; one that the user counts as cash is not.
    """
    is_cash = _is_amount(kind)
    if basis.cash_like:
        like = np.array([symbol in basis.cash_like for symbol in holdings.symbols], dtype=bool)
        is_cash &= ~(like[holdings.symbol] & (holdings.kind == STOCK))
    pending = holdings.kind == PENDING
    amount = np.where(np.isnan(holdings.value) & ~pending, holdings.quantity, holdings.value) * unit
    return np.where(is_cash, amount, holdings.quantity), ~is_cash


def _is_amount(kind: Integers) -> Bools:
    return np.asarray((kind == CASH) | (kind == PENDING))


def _units(currencies: Sequence[str | None]) -> Floats:
    return np.array([1.0 if currency is None else minor_unit(currency)[1] for currency in currencies])


def _major(currency: str | None) -> str | None:
    return None if currency is None else minor_unit(currency)[0]


def _multiplier(known: Floats, stated: Floats, kind: Integers, said: _Said) -> Floats:
    """Premium multipliers; an unknown one is the broker's, or what reconciles its price and value, if any."""
    multiplier = np.where(np.isnan(known), stated, known)
    for row in np.flatnonzero(np.isnan(multiplier) & (kind == OPTION)).tolist():
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
