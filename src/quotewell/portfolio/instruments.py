"""The distinct instruments of a book, each priced once however many rows hold it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers, Objects
from quotewell.portfolio.basis import Basis
from quotewell.portfolio.columns import CASH, KINDS, OPTION, PENDING, STOCK, UNKNOWN
from quotewell.portfolio.contracts import ContractTable, price_contracts
from quotewell.portfolio.flags import Flag
from quotewell.portfolio.holdings import Holdings
from quotewell.portfolio.inputs import NAN, beta_of, is_split_between, is_stale, spot_of
from quotewell.portfolio.positions import contract_of
from quotewell.portfolio.reported import LEVEL, OVERRIDE
from quotewell.portfolio.snapshot import Snapshot
from quotewell.symbols import Option

__all__ = ["Instruments", "find_instruments"]

_UNVALUED = int(Flag.EXPIRED | Flag.CORPORATE_ACTION)
_FROM_CONTRACTS = (
    "price", "spot", "delta", "shares", "multiplier", "cash", "strike", "years", "rate", "dividend_yield",
    "volatility", "gamma", "vega", "theta", "rho",
)  # fmt: skip


class Instruments(msgspec.Struct):
    """Columns over instruments; NaN is unknown. Prices are per share, in local currency."""

    index: Integers
    """The instrument of each row of the book."""
    kind: Integers
    currency: list[str | None]
    underlyings: list[str]
    underlying: Integers
    beta: Floats
    price: Floats
    spot: Floats
    delta: Floats
    shares: Floats
    multiplier: Floats
    cash: Floats
    strike: Floats
    years: Floats
    rate: Floats
    dividend_yield: Floats
    volatility: Floats
    gamma: Floats
    vega: Floats
    theta: Floats
    rho: Floats
    is_call: Bools
    american: Bools
    payouts: Objects
    flags: Integers


def find_instruments(holdings: Holdings, snapshot: Snapshot, basis: Basis) -> Instruments:
    """Find the distinct instruments of a book and price them."""
    keys, index = _keys(holdings, snapshot, basis)
    options = {row: contract_of(symbol) for row, (code, symbol) in enumerate(keys) if code == OPTION}
    kind = np.array([kind for kind, _ in keys], dtype=np.int64)
    names, underlying = _underlyings(keys, options)
    found = _empty(index, kind, names, underlying)
    symbols = [symbol for _, symbol in keys]
    cash_like = np.array([kind == CASH and bool(symbol) for kind, symbol in keys], dtype=bool)
    _add_unit_priced(found)
    _add_securities(found, symbols, snapshot, (found.kind == STOCK) | cash_like)
    found.delta[cash_like] = 0.0
    _add_contracts(found, options, price_contracts(list(options.values()), snapshot, basis))
    unvalued = (found.flags & _UNVALUED) != 0
    for column in (found.price, found.spot, found.delta):
        column[unvalued] = NAN
    _add_betas(found, snapshot, basis)
    return found


def _keys(holdings: Holdings, snapshot: Snapshot, basis: Basis) -> tuple[list[tuple[int, str]], Integers]:
    """The instruments as kind and symbol, in order of appearance, and the one of each row.

    All cash is one instrument, but securities that count as cash have prices.
    """
    pairs = holdings.symbol * len(KINDS) + holdings.kind
    first = np.full(len(holdings.symbols) * len(KINDS), -1, dtype=np.intp)
    first[pairs[::-1]] = np.arange(pairs.size)[::-1]  # of several rows the first in the file stays
    found = np.flatnonzero(first >= 0)
    found = found[np.argsort(first[found])]
    places: dict[tuple[int, str], int] = {}
    place_of = np.empty_like(first)
    place_of[found] = [
        places.setdefault(
            _key(pair % len(KINDS), holdings.symbols[pair // len(KINDS)], snapshot, basis), len(places)
        )
        for pair in found.tolist()
    ]
    return list(places), place_of[pairs]


def _key(kind: int, symbol: str, snapshot: Snapshot, basis: Basis) -> tuple[int, str]:
    if kind == STOCK and symbol in basis.cash_like:
        return CASH, symbol
    if kind == STOCK and _is_money_market(symbol, snapshot):
        kind = CASH
    return kind, "" if kind in (CASH, PENDING) else symbol


def _is_money_market(symbol: str, snapshot: Snapshot) -> bool:
    reading = snapshot.profiles.get(symbol)
    return reading is not None and reading.record is not None and reading.record.type == "money_market"


def _underlyings(keys: Sequence[tuple[int, str]], options: dict[int, Option]) -> tuple[list[str], Integers]:
    """What each instrument moves with: its own symbol, or the option's underlying, else the option's root."""
    names: dict[str, int] = {}
    codes = np.full(len(keys), -1, dtype=np.int64)
    for row, (kind, symbol) in enumerate(keys):
        if kind in (CASH, PENDING):
            continue
        option = options.get(row)
        name = symbol if option is None else option.underlying or option.root
        codes[row] = names.setdefault(name, len(names))
    return list(names), codes


def _empty(index: Integers, kind: Integers, names: list[str], underlying: Integers) -> Instruments:
    n = len(kind)
    floats = {name: np.full(n, NAN) for name in _FROM_CONTRACTS}
    return Instruments(
        index=index,
        kind=kind,
        currency=[None] * n,
        underlyings=names,
        underlying=underlying,
        beta=np.full(n, NAN),
        is_call=np.zeros(n, dtype=bool),
        american=np.zeros(n, dtype=bool),
        payouts=np.full(n, None),
        flags=np.where(kind == UNKNOWN, int(Flag.UNKNOWN_INSTRUMENT), 0),
        **floats,
    )


def _add_unit_priced(found: Instruments) -> None:
    """Cash and pending amounts: a price of 1 that nothing moves."""
    rows = (found.kind == CASH) | (found.kind == PENDING)
    for column in (found.price, found.spot, found.shares, found.multiplier):
        column[rows] = 1.0
    found.delta[rows] = 0.0
    found.beta[rows] = 0.0


def _add_securities(found: Instruments, symbols: Sequence[str], snapshot: Snapshot, rows: Bools) -> None:
    """Stocks and funds: a price, delta 1."""
    for row in np.flatnonzero(rows).tolist():
        symbol = symbols[row]
        found.shares[row] = found.multiplier[row] = found.delta[row] = 1.0
        mark = spot_of(symbol, snapshot)
        found.price[row] = found.spot[row] = NAN
        if mark is None:
            found.flags[row] |= int(Flag.NO_PRICE)
            continue
        found.price[row] = found.spot[row] = mark.price
        found.currency[row] = mark.currency
        candidates = snapshot.quotes[symbol]
        if is_split_between(candidates):
            found.flags[row] |= int(Flag.CORPORATE_ACTION)
        if is_stale(candidates.best):
            found.flags[row] |= int(Flag.STALE)
        if candidates.best.level == LEVEL:
            found.flags[row] |= int(Flag.REPORTED)
        if candidates.best.level == OVERRIDE:
            found.flags[row] = found.flags[row] & ~int(Flag.CORPORATE_ACTION) | int(Flag.OVERRIDE_PRICE)


def _add_contracts(found: Instruments, options: dict[int, Option], table: ContractTable) -> None:
    rows = np.fromiter(options, np.int64, len(options))
    for name in (*_FROM_CONTRACTS, "is_call", "american", "payouts", "flags"):
        getattr(found, name)[rows] = getattr(table, name)
    for row, currency in zip(rows.tolist(), table.currency, strict=True):
        found.currency[row] = currency


def _add_betas(found: Instruments, snapshot: Snapshot, basis: Basis) -> None:
    moving = found.underlying >= 0
    betas = [beta_of(name, snapshot, basis) for name in found.underlyings]
    codes = found.underlying[moving]
    found.beta[moving] = np.array([beta for beta, _ in betas])[codes]
    found.flags[moving] |= np.array([int(flag) for _, flag in betas], dtype=np.int64)[codes]
