"""The shape of `quotewell summary --json`: floats unrounded in base currency, None where nothing is known.

`docs/json.md` documents every key. Fractions are fractions: 0.05 is 5 %.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from quotewell.portfolio.problems import Problem

__all__ = [
    "SCHEMA",
    "AccountRow",
    "Assumptions",
    "BetaState",
    "Bucket",
    "Counts",
    "CoverageShares",
    "DifferenceParts",
    "DisputedRow",
    "ExpiringOption",
    "ExposureTable",
    "GreekTotals",
    "NetBucket",
    "NetExposureTable",
    "OldestPrice",
    "PriceFreshness",
    "Summary",
    "UnderlyingRow",
    "ValueTotals",
    "WhatIfPoint",
]

SCHEMA = 1


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all parts: immutable, built by keyword."""


class Counts(_Part, frozen=True, kw_only=True):
    """Rows of the file by what became of them; `rows` is the sum of the others."""

    rows: int
    stocks: int
    options: int
    cash: int
    pending: int
    unknown: int
    rejected: int


class DifferenceParts(_Part, frozen=True, kw_only=True):
    """Why total and broker's total differ; the parts add up to the difference."""

    price: float
    """Prices that have moved since the export, or that the model gives."""
    disputed: float
    """Rows whose quantity times price is not the value that the file gives."""
    fx: float
    unpriced: float
    """Rows that the broker values and the report does not."""
    unreported: float
    """Rows that the report values and the broker does not."""
    rounding: float


class ValueTotals(_Part, frozen=True, kw_only=True):
    """Values by kind; a kind with rows of which none could be valued is None."""

    stocks: float | None
    options: float | None
    cash: float | None
    pending: float | None
    unknown: float | None
    total: float | None
    complete: bool
    missing: tuple[str, ...]
    """Symbols that are in no sum."""
    broker_total: float | None
    difference: float | None
    difference_parts: DifferenceParts | None


class NetBucket(_Part, frozen=True, kw_only=True):
    """One bucket of exposures that were netted by underlying first."""

    total: float | None
    share_of_value: float | None
    beta_adjusted: float | None
    complete: bool
    missing: tuple[str, ...]
    """Symbols whose exposure is unknown."""
    beta_adjusted_complete: bool
    beta_adjusted_missing: tuple[str, ...]
    """Underlyings of which the exposure of some leg, or the beta, is unknown."""


class Bucket(NetBucket, frozen=True, kw_only=True):
    """One bucket of exposures by leg."""

    stocks: float | None
    options: float | None


class ExposureTable(_Part, frozen=True, kw_only=True):
    """Exposure by leg: a long call and a short put are long."""

    long: Bucket
    short: Bucket
    net: Bucket
    gross: Bucket


class NetExposureTable(_Part, frozen=True, kw_only=True):
    """Exposure netted per underlying across accounts first."""

    long: NetBucket
    short: NetBucket
    net: NetBucket
    gross: NetBucket


class CoverageShares(_Part, frozen=True, kw_only=True):
    """How much of the book its figures rest on, as fractions; None where there is nothing to cover."""

    price: float | None
    delta: float | None
    beta: float | None
    delta_assumed: float | None


class OldestPrice(_Part, frozen=True, kw_only=True):
    """The price that the market said longest ago."""

    symbol: str
    as_of: dt.datetime
    age: float | None
    """Seconds before the valuation."""


class PriceFreshness(_Part, frozen=True, kw_only=True):
    """Prices of distinct instruments, expired options left out."""

    fresh: int
    stale: int
    missing: int
    oldest: OldestPrice | None


class BetaState(_Part, frozen=True, kw_only=True):
    """Betas of distinct underlyings."""

    known: int
    needed: int
    by_method: dict[str, int]
    """`ols_daily`, `ols_weekly`, `stated`, `identity`, `given` for all that have none, `override`."""
    share_by_method: dict[str, float]
    """How much of the absolute beta-adjusted exposure, leg by leg, rests on each; a fraction."""
    returns: int | None
    """The largest number of returns behind one."""
    window_start: dt.datetime | None
    window_end: dt.datetime | None


class GreekTotals(_Part, frozen=True, kw_only=True):
    """Sensitivities in base currency."""

    delta: float | None
    """Net exposure."""
    gamma: float | None
    """Change of the exposure of options through their deltas, if all underlyings rise by 1 %."""
    vega: float | None
    """For one more volatility point."""
    theta: float | None
    """For one calendar day."""
    rho: float | None
    """For one basis point."""
    complete: bool
    missing: tuple[str, ...]


class UnderlyingRow(_Part, frozen=True, kw_only=True):
    """One underlying with all its legs, across accounts."""

    underlying: str
    name: str | None
    positions: int
    value: float | None
    exposure: float | None
    share_of_value: float | None
    """Of the exposure."""
    beta: float | None
    beta_method: str | None
    beta_n: int | None
    beta_standard_error: float | None
    beta_r_squared: float | None
    beta_stale: bool
    beta_adjusted: float | None
    price: float | None
    """In `currency`."""
    currency: str | None
    complete: bool
    """Whether value and exposure of all its legs are known."""


class AccountRow(_Part, frozen=True, kw_only=True):
    """One account, or the rows that name none."""

    account: str | None
    rows: int
    """Positions and pending amounts."""
    value: float | None
    share_of_value: float | None
    """Of the value, of the whole book's."""
    exposure: float | None
    beta_adjusted: float | None
    complete: bool
    """Whether value and exposure of all its rows are known."""


class WhatIfPoint(_Part, frozen=True, kw_only=True):
    """Profit or loss if the market moves by the fraction `market`."""

    market: float
    pnl: float | None
    share_of_value: float | None
    complete: bool
    missing: tuple[str, ...]
    delta_pnl: float | None
    """What the exposure of the same positions alone says: a straight line."""
    scenario_pnl: float | None
    """The same with volatility raised where the market falls: a scenario, not a model."""
    scenario_complete: bool
    scenario_missing: tuple[str, ...]


class ExpiringOption(_Part, frozen=True, kw_only=True):
    """An option row that expires within 14 days."""

    symbol: str
    underlying: str | None
    expiry: dt.date
    days: int
    right: str
    strike: float
    quantity: float | None
    account: str | None
    line: int | None
    in_the_money: bool | None
    assignment: bool
    """Short, and its holder gains by exercising early."""


class DisputedRow(_Part, frozen=True, kw_only=True):
    """A row whose quantity times the broker's price is not the broker's value."""

    symbol: str
    line: int | None
    computed: float
    reported: float


class Assumptions(_Part, frozen=True, kw_only=True):
    """Option rows whose delta rests on a rate or yield that was taken as 0 because it is unknown."""

    rate: int
    dividend: int
    net_exposure_change: float | None
    """Of net exposure, if the unknown yields were 2 %; None where none is unknown."""


class Summary(_Part, frozen=True, kw_only=True):
    """The report on one book."""

    schema: int = SCHEMA
    broker: str
    file: str
    accounts: tuple[str, ...]
    as_of: dt.datetime | None
    """When the file's prices were the market's."""
    valuation_at: dt.datetime | None
    base_currency: str
    benchmark: str
    counts: Counts
    value: ValueTotals
    exposure: ExposureTable
    exposure_by_underlying: NetExposureTable
    coverage: CoverageShares
    freshness: PriceFreshness
    betas: BetaState
    greeks: GreekTotals
    by_underlying: tuple[UnderlyingRow, ...]
    by_account: tuple[AccountRow, ...]
    """In the order of the file; a single one where the rows name no accounts."""
    by_currency: dict[str, float]
    """Net asset value per currency, cash, pending and shorts included, in base currency."""
    what_if: tuple[WhatIfPoint, ...]
    expiring: tuple[ExpiringOption, ...]
    disputed: tuple[DisputedRow, ...]
    assumptions: Assumptions
    problems: tuple[Problem, ...]
    requests: int
    """Requests to providers that the report has cost."""
