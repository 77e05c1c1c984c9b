"""Exposure, coverage and Greeks of a book: columns in, tables of the report out.

All formulas are those of `analytics`; here rows become symbols.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quotewell.analytics import exposure as formulas
from quotewell.analytics.arrays import Integers
from quotewell.portfolio.columns import CASH, OPTION, PENDING, STOCK, Columns
from quotewell.portfolio.flags import Flag
from quotewell.portfolio.summary import (
    Bucket,
    CoverageShares,
    ExposureTable,
    GreekTotals,
    NetBucket,
    NetExposureTable,
)
from quotewell.portfolio.totals import known_sum

__all__ = ["coverage", "exposure_by_leg", "greeks", "net_exposures", "netted"]

_VOLATILITY_POINT = 0.01
_DAYS = 365.0
_BASIS_POINT = 1e-4
_PERCENT = 0.01


def exposure_by_leg(columns: Columns, total_value: float | None) -> ExposureTable:
    """Long, short, net and gross over the legs of a book."""
    rows = _moving(columns)
    table = formulas.by_leg(
        columns.exposure[rows],
        columns.is_kind(OPTION)[rows],
        columns.beta_adjusted[rows],
        is_stock=columns.is_kind(STOCK)[rows],
    )

    def bucket(side: str) -> Bucket:
        amount = getattr(table.total, side)
        return Bucket(
            stocks=getattr(table.stocks, side),
            options=getattr(table.options, side),
            total=amount,
            share_of_value=formulas.fraction_of_value(amount, total_value),
            beta_adjusted=getattr(table.beta_adjusted, side),
            complete=table.total.complete,
            missing=_symbols(columns, rows, table.total.missing),
            beta_adjusted_complete=table.beta_adjusted.complete,
            beta_adjusted_missing=_underlyings(columns, rows, table.beta_adjusted.missing),
        )

    return ExposureTable(long=bucket("long"), short=bucket("short"), net=bucket("net"), gross=bucket("gross"))


def netted(columns: Columns) -> formulas.ByUnderlying:
    """The legs netted per underlying; `underlyings` are indices into `columns.underlyings`."""
    rows = _moving(columns)
    return formulas.by_underlying(
        columns.underlying[rows],
        columns.exposure[rows],
        columns.is_kind(OPTION)[rows],
        columns.beta_adjusted[rows],
        is_stock=columns.is_kind(STOCK)[rows],
    )


def net_exposures(
    columns: Columns, by_underlying: formulas.ByUnderlying, total_value: float | None
) -> NetExposureTable:
    """Long, short, net and gross over underlyings: the headline figures."""
    rows, table = _moving(columns), by_underlying.exposures

    def bucket(side: str) -> NetBucket:
        amount = getattr(table.total, side)
        return NetBucket(
            total=amount,
            share_of_value=formulas.fraction_of_value(amount, total_value),
            beta_adjusted=getattr(table.beta_adjusted, side),
            complete=table.total.complete,
            missing=_symbols(columns, rows, table.total.missing),
            beta_adjusted_complete=table.beta_adjusted.complete,
            beta_adjusted_missing=_underlyings(columns, rows, table.beta_adjusted.missing),
        )

    return NetExposureTable(
        long=bucket("long"), short=bucket("short"), net=bucket("net"), gross=bucket("gross")
    )


def coverage(columns: Columns) -> CoverageShares:
    """How much of the book its prices, deltas and betas are known for."""
    shares = formulas.coverage(
        broker_values=columns.reported_value,
        prices=columns.price,
        is_cash=columns.is_kind(CASH, PENDING),
        is_option=columns.is_kind(OPTION),
        notionals=columns.notional,
        deltas=columns.delta,
        assumed=columns.has(Flag.ASSUMED_RATE | Flag.ASSUMED_DIVIDEND),
        exposures=columns.exposure,
        betas=columns.beta,
    )
    return CoverageShares(**shares._asdict())


def greeks(columns: Columns) -> GreekTotals:
    """Sensitivities in base currency.

    Per row: gamma q·n·Γ·S²/100 (the change of q·n·S·δ through δ for a rise of 1 %), vega q·m·vega/100, theta
    q·m·theta/365, rho q·m·rho/10,000, all times the exchange rate; zero for stocks.
    """
    options = columns.is_kind(OPTION)
    terms, spot = columns.contracts, columns.spot
    contracts = (columns.quantity * columns.fx)[options]
    premium = contracts * columns.multiplier[options]
    delivered = contracts * columns.shares[options]
    # Gamma is per unit of what one unit of premium delivers, which n/m shares move.
    ratio = columns.shares[options] / columns.multiplier[options]
    moving = _moving(columns)
    unknown = np.isnan(columns.exposure) | (options & np.isnan(terms.gamma))
    missing = moving[unknown[moving]]
    return GreekTotals(
        delta=known_sum(columns.exposure[moving]),
        gamma=known_sum(delivered * ratio * terms.gamma[options] * spot[options] ** 2 * _PERCENT),
        vega=known_sum(premium * terms.vega[options] * _VOLATILITY_POINT),
        theta=known_sum(premium * terms.theta[options] / _DAYS),
        rho=known_sum(premium * terms.rho[options] * _BASIS_POINT),
        complete=not missing.size,
        missing=columns.symbols(missing),
    )


def _moving(columns: Columns) -> Integers:
    return np.flatnonzero(columns.has_exposure)


def _underlyings(columns: Columns, rows: Integers, missing: Sequence[int]) -> tuple[str, ...]:
    codes = columns.underlying[rows[list(missing)]]
    return tuple(dict.fromkeys(columns.underlyings[code] for code in codes.tolist()))


def _symbols(columns: Columns, rows: Integers, missing: Sequence[int]) -> tuple[str, ...]:
    return columns.symbols(rows[list(missing)])
