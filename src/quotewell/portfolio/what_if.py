"""What-if of a book: columns in, points of the curve out. All formulas are those of `analytics.whatif`."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from quotewell.analytics import whatif
from quotewell.analytics.arrays import Integers, distinct
from quotewell.analytics.exposure import fraction_of_value
from quotewell.analytics.grouping import Grouping
from quotewell.analytics.pricing.dividends import Dividends
from quotewell.errors import UsageError
from quotewell.portfolio.columns import OPTION, Columns
from quotewell.portfolio.flags import Flag
from quotewell.portfolio.payouts import dividends_of
from quotewell.portfolio.report import instant
from quotewell.portfolio.selection import not_held
from quotewell.portfolio.summary import WhatIfPoint
from quotewell.portfolio.totals import known_sum
from quotewell.symbols import normalise

if TYPE_CHECKING:
    from quotewell.portfolio.portfolio import Portfolio

__all__ = ["UnderlyingGain", "WhatIfReport", "report", "what_if"]


class UnderlyingGain(msgspec.Struct, frozen=True, kw_only=True):
    """Profit or loss of all positions in one underlying."""

    underlying: str
    beta: float | None
    shock: float | None
    """Its own move, a fraction, in place of beta times the market's."""
    pnl: tuple[float | None, ...]
    """At each point; the sum of the known legs, None if none is known."""
    complete: bool
    """Whether every leg is known at every point."""


class WhatIfReport(msgspec.Struct, frozen=True, kw_only=True):
    """The shape of `quotewell what-if --json`; `docs/json.md` documents every key."""

    schema: int = 1
    broker: str
    file: str
    accounts: tuple[str, ...]
    as_of: dt.datetime | None
    valuation_at: dt.datetime | None
    base_currency: str
    benchmark: str
    value: float | None
    """Of the book, before anything moves."""
    shocks: dict[str, float]
    days: float
    volatility: float
    """Shift of volatilities, in points."""
    points: tuple[WhatIfPoint, ...]
    by_underlying: tuple[UnderlyingGain, ...]
    """The largest gain or loss at the outermost move first; those of which nothing is known last."""
    requests: int


def what_if(
    columns: Columns,
    moves: Sequence[float],
    total_value: float | None,
    *,
    shocks: Mapping[str, float] | None = None,
    days: float = 0.0,
    volatility: float = 0.0,
) -> tuple[WhatIfPoint, ...]:
    """Profit or loss of the book at each move of the market: as `Portfolio.what_if`."""
    rows = _moving(columns)
    found = _gains(columns, rows, moves, _canonical(shocks), days, volatility)
    return _points(columns, rows, found, total_value)


def report(
    book: Portfolio,
    moves: Sequence[float],
    *,
    shocks: Mapping[str, float] | None = None,
    days: float = 0.0,
    volatility: float = 0.0,
    requests: int = 0,
) -> WhatIfReport:
    """The curve of a book, as a whole and by underlying; arguments and errors as `Portfolio.what_if`."""
    columns = book.value()
    given = _canonical(shocks)
    rows, value = _moving(columns), known_sum(columns.value)
    found = _gains(columns, rows, moves, given, days, volatility)
    return WhatIfReport(
        broker=book.file.broker,
        file=book.file.path,
        accounts=book.file.accounts,
        as_of=instant(book.as_of),
        valuation_at=instant(columns.snapshot.at),
        base_currency=book.basis.base_currency,
        benchmark=book.basis.benchmark,
        value=value,
        shocks=given,
        days=days,
        volatility=volatility,
        points=_points(columns, rows, found, value),
        by_underlying=_by_underlying(columns, rows, found, given),
        requests=requests,
    )


def _moving(columns: Columns) -> Integers:
    return np.flatnonzero(columns.has_exposure)


def _canonical(shocks: Mapping[str, float] | None) -> dict[str, float]:
    return {normalise(symbol): float(shock) for symbol, shock in (shocks or {}).items()}


def _gains(
    columns: Columns,
    rows: Integers,
    moves: Sequence[float],
    shocks: Mapping[str, float],
    days: float,
    volatility: float,
) -> whatif.WhatIf:
    _check(columns, rows, moves, shocks, days, volatility)
    terms = columns.contracts
    dividends = dividends_of(terms.payouts[rows]) or Dividends(*np.zeros((2, 0, rows.size)))
    contracts = whatif.OptionLegs(
        is_option=columns.is_kind(OPTION)[rows],
        is_call=terms.is_call[rows],
        american=terms.american[rows],
        strike=terms.strike[rows],
        years=terms.years[rows],
        volatility=terms.volatility[rows],
        rate=terms.rate[rows],
        dividend_yield=terms.dividend_yield[rows],
        multiplier=columns.multiplier[rows],
        shares=columns.shares[rows],
        cash=terms.cash[rows],
        exercise=columns.has(Flag.EXERCISE)[rows],
        ex_dates=dividends.when,
        amounts=dividends.amount,
    )
    legs = whatif.Legs(
        quantity=columns.quantity[rows],
        spot=columns.spot[rows],
        beta=columns.beta[rows],
        fx=columns.fx[rows],
        exposure=columns.exposure[rows],
        options=contracts,
    )
    own = np.array([shocks.get(symbol, math.nan) for symbol in columns.underlyings])
    return whatif.pnl(
        np.asarray(moves, dtype=np.float64),
        legs,
        shocks=own[columns.underlying[rows]] if shocks else None,
        days=days,
        volatility=volatility,
    )


def _check(
    columns: Columns,
    rows: Integers,
    moves: Sequence[float],
    shocks: Mapping[str, float],
    days: float,
    volatility: float,
) -> None:
    """Raise what is wrong with the arguments of a what-if."""
    if not all(map(math.isfinite, (*moves, *shocks.values(), days, volatility))):
        raise UsageError("market moves, shocks, days and volatility have to be finite numbers")
    if days < 0.0:
        raise UsageError(
            f"{days:g} days: the number of days has to be 0 or more",
            hint="a report of the past: --as-of DATE",
        )
    held = {columns.underlyings[code] for code in columns.underlying[rows].tolist()}
    unknown = sorted(shocks.keys() - held)
    if unknown:
        raise not_held(unknown, held)


def _points(
    columns: Columns, rows: Integers, found: whatif.WhatIf, total_value: float | None
) -> tuple[WhatIfPoint, ...]:
    def symbols(missing: Sequence[int]) -> tuple[str, ...]:
        return columns.symbols(rows[list(missing)])

    return tuple(
        WhatIfPoint(
            market=point.move,
            pnl=point.pnl,
            share_of_value=fraction_of_value(point.pnl, total_value),
            complete=point.complete,
            missing=symbols(point.missing),
            delta_pnl=point.delta_pnl,
            scenario_pnl=scenario.pnl,
            scenario_complete=scenario.complete,
            scenario_missing=symbols(scenario.missing),
        )
        for point, scenario in zip(found.points, found.scenario, strict=True)
    )


def _by_underlying(
    columns: Columns, rows: Integers, found: whatif.WhatIf, shocks: Mapping[str, float]
) -> tuple[UnderlyingGain, ...]:
    group, groups = columns.underlying[rows], len(columns.underlyings)
    grouping = Grouping.of(group, groups)
    sums = np.array([grouping.sums(gains).net for gains in found.by_leg]).reshape(-1, groups)
    lacking = np.bincount(group[np.isnan(found.by_leg).any(axis=0)], minlength=groups) > 0
    places, _ = distinct(group)
    codes = group[places]
    gains = [
        UnderlyingGain(
            underlying=columns.underlyings[code],
            beta=_known(columns.beta[rows[place]]),
            shock=shocks.get(columns.underlyings[code]),
            pnl=tuple(map(_known, sums[:, code].tolist())),
            complete=not lacking[code],
        )
        for code, place in zip(codes.tolist(), places.tolist(), strict=True)
    ]
    order = _outermost([point.move for point in found.points])
    return tuple(sorted(gains, key=lambda gain: _size(gain.pnl, order), reverse=True))


def _outermost(moves: Sequence[float]) -> int | None:
    """The place of the largest move, a fall before a rise."""
    return min(range(len(moves)), key=lambda place: (-abs(moves[place]), moves[place]), default=None)


def _size(pnl: Sequence[float | None], place: int | None) -> float:
    amount = None if place is None else pnl[place]
    return -1.0 if amount is None else abs(amount)


def _known(figure: float) -> float | None:
    return None if math.isnan(figure) else float(figure)
