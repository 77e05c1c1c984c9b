"""One option contract before anything is solved: which prices belong together, and what is missing.

A volatility may only be solved from an option price and an underlying price of one source and moment; a
broker's option price goes with the broker's underlying price.
"""

from __future__ import annotations

import math

import msgspec

from quotewell.portfolio.basis import Basis, Deliverable
from quotewell.portfolio.flags import Flag
from quotewell.portfolio.inputs import (
    NAN,
    currency_of,
    dividend_yield_of,
    is_split_between,
    is_stale,
    spot_of,
)
from quotewell.portfolio.marks import Mark, is_matched, last_mark, option_marks
from quotewell.portfolio.needs import is_expired, valuation_day
from quotewell.portfolio.payouts import YEAR, payouts_before
from quotewell.portfolio.reported import LEVEL, OVERRIDE, Candidates
from quotewell.portfolio.snapshot import Snapshot
from quotewell.records import Payout
from quotewell.symbols import Option

__all__ = ["ContractTerms", "terms_of"]

_STANDARD = Deliverable(shares=100.0)


class ContractTerms(msgspec.Struct):
    """What is known of one contract; prices per share or unit of premium, times in years, NaN is unknown."""

    option: Option
    currency: str | None = None
    flags: Flag = Flag(0)
    deliverable: Deliverable | None = None
    years: float = NAN
    price: float = NAN
    """The best price of the contract, of whatever moment."""
    spot: float = NAN
    """The best price of the underlying, in strike units."""
    pair_price: float = NAN
    pair_spot: float = NAN
    pair_years: float = NAN
    half_spread: float = NAN
    dividend_yield: float = NAN
    """Continuous, a fraction a year; 0 beside dividends at their ex-dates."""
    payouts: tuple[Payout, ...] = ()
    """What the underlying pays before expiry, for one unit of premium; empty where a yield stands for it."""
    dividend: float = 0.0
    """The largest one that goes ex before expiry, whatever stands for it."""
    is_moved: bool = False
    """Whether the underlying's best price is newer than the pair's."""
    is_repriced: bool = False
    """Whether it also makes the best price obsolete."""


def terms_of(option: Option, snapshot: Snapshot, basis: Basis) -> ContractTerms:
    """Find the prices that one contract is valued with."""
    terms = ContractTerms(option)
    found = snapshot.quotes.get(option.symbol)
    best = _best(found)
    terms.currency = currency_of(option.symbol, best.currency if best else None)
    if is_expired(option, snapshot.at):
        terms.flags |= Flag.EXPIRED
        return terms
    if snapshot.at is None:
        terms.flags |= Flag.AS_OF_UNKNOWN
    else:
        terms.years = (option.expiry_instant() - snapshot.at) / YEAR
        if option.expiry == valuation_day(snapshot.at):
            terms.flags |= Flag.EXPIRES_TODAY
    terms.deliverable = basis.deliverables.get(option.root) if option.adjusted else _STANDARD
    if terms.deliverable is None:
        terms.flags |= Flag.DELIVERABLE_UNKNOWN
    elif option.adjusted:
        terms.flags |= Flag.OVERRIDE_DELIVERABLE
    if option.style is None:
        terms.flags |= Flag.STYLE_UNKNOWN
    if best is None or found is None:
        terms.flags |= Flag.NO_PRICE
    else:
        terms.price = best.price
        terms.flags |= _price_flags(found)
    _add_underlying(terms, found, best, snapshot, basis)
    return terms


def _add_underlying(
    terms: ContractTerms, found: Candidates | None, best: Mark | None, snapshot: Snapshot, basis: Basis
) -> None:
    underlying = terms.option.underlying
    spot = spot_of(underlying, snapshot) if underlying is not None else None
    if underlying is None or spot is None:
        terms.flags |= Flag.NO_UNDERLYING_PRICE
        return
    _add_dividends(terms, underlying, snapshot, basis)
    if is_split_between(snapshot.quotes.get(underlying)):
        terms.flags |= Flag.CORPORATE_ACTION
    scale = terms.option.underlying_scale
    terms.spot = spot.price * scale
    if terms.years <= 0.0:
        # After the close of the last day only the underlying's price counts.
        terms.pair_spot, terms.pair_years = terms.spot, terms.years
        return
    pair = _matched_pair(found, snapshot.quotes.get(underlying))
    if pair is None or best is None:
        terms.flags |= _why_unmatched(found, snapshot.quotes.get(underlying))
        return
    price, pair_spot = pair
    terms.is_moved = _is_newer(spot, pair_spot)
    terms.is_repriced = terms.is_moved and price == best
    terms.pair_price, terms.pair_spot = price.price, pair_spot.price * scale
    terms.half_spread = NAN if price.half_spread is None else price.half_spread
    terms.pair_years = terms.years
    if terms.is_moved and price.time is not None and not math.isnan(terms.years):
        terms.pair_years = (terms.option.expiry_instant() - price.time) / YEAR


def _add_dividends(terms: ContractTerms, underlying: str, snapshot: Snapshot, basis: Basis) -> None:
    """Dividends at their ex-dates where any are known, unless the user gives a yield; else a yield."""
    own = basis.dividends.get(underlying)
    if terms.deliverable is not None:
        shares = terms.deliverable.shares / terms.deliverable.multiplier
        found = payouts_before(terms.option, terms.currency, shares, snapshot, own)
        terms.dividend = max((one.amount for one in found if one.years > 0.0), default=0.0)
        if own is not None or underlying not in basis.dividend_yields:
            terms.payouts = found
    if not terms.payouts:
        terms.dividend_yield, flag = dividend_yield_of(underlying, snapshot, basis)
        terms.flags |= flag
        return
    terms.dividend_yield = 0.0
    terms.flags |= (
        Flag.DISCRETE_DIVIDENDS if own is None else Flag.DISCRETE_DIVIDENDS | Flag.OVERRIDE_DIVIDEND
    )
    if any(payout.projected for payout in terms.payouts):
        terms.flags |= Flag.PROJECTED_DIVIDEND


def _best(found: Candidates | None) -> Mark | None:
    if found is None or not found.best.usable or found.best.record is None:
        return None
    return next(iter(option_marks(found.best.record)), None)


def _price_flags(found: Candidates) -> Flag:
    flags = Flag.STALE if is_stale(found.best) else Flag(0)
    if found.best.level == OVERRIDE:
        flags |= Flag.OVERRIDE_PRICE
    return flags | Flag.REPORTED if found.best.level == LEVEL else flags


def _matched_pair(option: Candidates | None, underlying: Candidates | None) -> tuple[Mark, Mark] | None:
    """The newest option price that has an underlying price of its own source and moment, and that price."""
    if option is None or underlying is None:
        return None
    prices = [mark for quote in (option.service, option.reported) if quote for mark in option_marks(quote)]
    spots = [
        mark for quote in (underlying.service, underlying.reported) if quote and (mark := last_mark(quote))
    ]
    for price in sorted(prices, key=lambda mark: mark.time or 0.0, reverse=True):
        for spot in spots:
            if is_matched(price, spot) and _same_currency(price, spot):
                return price, spot
    return None


def _is_newer(spot: Mark, pair_spot: Mark) -> bool:
    if spot.source == OVERRIDE or spot.time is None or pair_spot.time is None:
        return spot.price != pair_spot.price
    return spot.time > pair_spot.time


def _same_currency(first: Mark, second: Mark) -> bool:
    return first.currency == second.currency or None in (first.currency, second.currency)


def _why_unmatched(option: Candidates | None, underlying: Candidates | None) -> Flag:
    reported = [found.reported for found in (option, underlying) if found is not None and found.reported]
    if len(reported) == 2 and all(quote.as_of is None for quote in reported):
        return Flag.AS_OF_UNKNOWN
    return Flag.UNMATCHED
