"""Reports built by hand, for the tests of screens."""

from __future__ import annotations

import datetime as dt
from typing import Any

from quotewell.portfolio.problems import Problem, ProblemKind
from quotewell.portfolio.summary import (
    Assumptions,
    BetaState,
    Bucket,
    Counts,
    CoverageShares,
    ExpiringOption,
    ExposureTable,
    GreekTotals,
    NetBucket,
    NetExposureTable,
    PriceFreshness,
    Summary,
    UnderlyingRow,
    ValueTotals,
    WhatIfPoint,
)

AT = dt.datetime(2025, 5, 8, 20, tzinfo=dt.UTC)


def bucket(total: float | None, stocks: float | None, options: float | None, **fields: Any) -> Bucket:
    return Bucket(stocks=stocks, options=options, **net_fields(total, **fields))


def net_bucket(total: float | None, **fields: Any) -> NetBucket:
    return NetBucket(**net_fields(total, **fields))


def net_fields(total: float | None, **fields: Any) -> dict[str, Any]:
    return {
        "total": total,
        "share_of_value": None if total is None else total / 2_000_000,
        "beta_adjusted": None if total is None else total * 1.1,
        "complete": True,
        "missing": (),
        "beta_adjusted_complete": True,
        "beta_adjusted_missing": (),
        **fields,
    }


def underlying(symbol: str, exposure: float | None = 100_000.0, **fields: Any) -> UnderlyingRow:
    known: dict[str, Any] = {
        "underlying": symbol,
        "name": f"{symbol} Incorporated",
        "positions": 2,
        "value": 90_000.0,
        "exposure": exposure,
        "share_of_value": None if exposure is None else exposure / 2_000_000,
        "beta": 1.25,
        "beta_method": "ols_daily",
        "beta_n": 504,
        "beta_standard_error": 0.08,
        "beta_r_squared": 0.4,
        "beta_stale": False,
        "beta_adjusted": None if exposure is None else exposure * 1.25,
        "price": 190.0,
        "currency": "USD",
        "complete": exposure is not None,
    }
    return UnderlyingRow(**{**known, **fields})


def moves(**fields: Any) -> tuple[WhatIfPoint, ...]:
    return tuple(
        WhatIfPoint(
            **{
                "market": market,
                "pnl": market * 1_000_000,
                "share_of_value": market / 2,
                "complete": True,
                "missing": (),
                "delta_pnl": market * 900_000,
                "scenario_pnl": market * 1_000_000,
                "scenario_complete": True,
                "scenario_missing": (),
                **fields,
            }
        )
        for market in (-0.20, -0.10, -0.05, -0.02, 0.0, 0.02, 0.05, 0.10, 0.20)
    )


def summary(**fields: Any) -> Summary:
    """A complete report on a plain book, with `fields` instead of its own."""
    known: dict[str, Any] = {
        "broker": "Fidelity",
        "file": "/home/me/positions.csv",
        "accounts": ("Z1",),
        "as_of": AT,
        "valuation_at": AT,
        "base_currency": "USD",
        "benchmark": "^GSPC",
        "counts": Counts(rows=5, stocks=2, options=2, cash=1, pending=0, unknown=0, rejected=0),
        "value": values(),
        "exposure": ExposureTable(
            long=bucket(1_500_000.0, 1_200_000.0, 300_000.0),
            short=bucket(-500_000.0, -100_000.0, -400_000.0),
            net=bucket(1_000_000.0, 1_100_000.0, -100_000.0),
            gross=bucket(2_000_000.0, 1_300_000.0, 700_000.0),
        ),
        "exposure_by_underlying": NetExposureTable(
            long=net_bucket(1_100_000.0),
            short=net_bucket(-100_000.0),
            net=net_bucket(1_000_000.0),
            gross=net_bucket(1_200_000.0),
        ),
        "coverage": CoverageShares(price=1.0, delta=1.0, beta=1.0, delta_assumed=0.0),
        "freshness": PriceFreshness(fresh=5, stale=0, missing=0, oldest=None),
        "betas": BetaState(
            known=2,
            needed=2,
            by_method={"ols_daily": 2},
            share_by_method={"ols_daily": 1.0},
            returns=504,
            window_start=AT,
            window_end=AT,
        ),
        "greeks": GreekTotals(
            delta=1e6, gamma=-1500.0, vega=900.0, theta=-80.0, rho=12.0, complete=True, missing=()
        ),
        "by_underlying": (underlying("AMZN", 700_000.0), underlying("SPY", -300_000.0)),
        "by_account": (),
        "by_currency": {"USD": 2_000_000.0},
        "what_if": moves(),
        "expiring": (),
        "disputed": (),
        "assumptions": Assumptions(rate=0, dividend=0, net_exposure_change=None),
        "problems": (),
        "requests": 0,
    }
    return Summary(**{**known, **fields})


def values(**fields: Any) -> ValueTotals:
    known: dict[str, Any] = {
        "stocks": 1_100_000.0,
        "options": -50_000.0,
        "cash": 950_000.0,
        "pending": 0.0,
        "unknown": 0.0,
        "total": 2_000_000.0,
        "complete": True,
        "missing": (),
        "broker_total": 2_000_000.01,
        "difference": -0.01,
        "difference_parts": None,
    }
    return ValueTotals(**{**known, **fields})


def expiring(symbol: str = "AMZN", **fields: Any) -> ExpiringOption:
    known: dict[str, Any] = {
        "symbol": f"{symbol}250516C00190000",
        "underlying": symbol,
        "expiry": dt.date(2025, 5, 16),
        "days": 8,
        "right": "C",
        "strike": 190.0,
        "quantity": -7.0,
        "account": "Z1",
        "line": 5,
        "in_the_money": False,
        "assignment": False,
    }
    return ExpiringOption(**{**known, **fields})


def problem(kind: ProblemKind, subject: str = "AMZN", message: str = "", line: int | None = None) -> Problem:
    return Problem(kind=kind, subject=subject, message=message, line=line)
