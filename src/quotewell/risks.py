"""Betas from stored closes: the derived facet `risk`.

A beta costs no request of its own; it is computed from the `history` of the symbol and of the benchmark.
Which beta is used when is told in `docs/lifetimes.md`.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

from quotewell.cache.loading import Batch, Miss
from quotewell.calendars import close_of
from quotewell.errors import ProviderError
from quotewell.exchanges import exchange_of, hours_between_closes
from quotewell.protocols import Fetched, Lane
from quotewell.records import Closes, Need, Profile, Reading, Risk

__all__ = ["RiskLoader", "compute_risks", "is_weekly", "stated_risk"]

_Method = Literal["ols_daily", "ols_weekly"]
_DAILY: _Method = "ols_daily"
_WEEKLY: _Method = "ols_weekly"
_CLOSES_APART = 2.0  # hours; more of them, and what one exchange hears today the other hears tomorrow

History = Callable[[Collection[str]], Mapping[str, Closes]]
Profiles = Callable[[Collection[str]], Mapping[str, Reading[Profile]]]


class RiskLoader:
    """Computes missing betas in the calling thread.

    Args:
        benchmark: The symbol that returns are regressed on.
        stated: Whether the provider's own beta is preferred (`--beta provider`).
        history: Daily closes that are in the cache.
        profiles: Profiles that are in the cache; they carry the provider's stated beta.
        now: The valuation instant: no close after it is used.
        weekly: Whether all betas are of weekly returns (`--beta weekly`).
    """

    concurrency = 0

    def __init__(
        self,
        benchmark: str,
        history: History,
        profiles: Profiles,
        now: Callable[[], float],
        *,
        stated: bool,
        weekly: bool = False,
    ) -> None:
        self._benchmark = benchmark
        self._history = history
        self._profiles = profiles
        self._now = now
        self._stated = stated
        self._weekly = weekly

    def batches(self, attempt: int, missing: Mapping[Need, Miss | None]) -> Sequence[Batch] | None:
        """All in one batch: the benchmark's returns are shared."""
        if attempt:
            return None
        return [Batch(tuple(missing), "computed", self._compute)]

    def _compute(self, needs: Sequence[Need], lane: Lane, deadline: float) -> Fetched:
        del lane, deadline  # nothing here waits for the network
        symbols = sorted(symbol for symbol, _ in needs)
        now = self._now()
        risks: dict[str, Risk] = {}
        reasons: dict[str, str] = {}
        if self._stated:
            risks = self._from_profiles(symbols, now)
            reasons = dict.fromkeys(symbols, "no provider states a beta")
            if self._benchmark in symbols:
                risks[self._benchmark] = _identity(self._benchmark, now)
        else:
            closes = self._history([*symbols, self._benchmark])
            risks, reasons = compute_risks(symbols, self._benchmark, closes, now, weekly=self._weekly)
            risks |= self._from_profiles([s for s in symbols if s not in risks], now, single_stocks=True)
        return Fetched(
            found={(symbol, "risk"): risk for symbol, risk in risks.items()},
            failed={
                (symbol, "risk"): ProviderError("computed", "insufficient", reasons[symbol])
                for symbol in symbols
                if symbol not in risks
            },
        )

    def _from_profiles(
        self, symbols: Collection[str], now: float, *, single_stocks: bool = False
    ) -> dict[str, Risk]:
        if not symbols:
            return {}
        found: dict[str, Risk] = {}
        for symbol, reading in self._profiles(symbols).items():
            risk = stated_risk(reading, self._benchmark, now)
            if risk is not None and (
                not single_stocks or (reading.record and reading.record.type == "stock")
            ):
                found[symbol] = risk
        return found


def stated_risk(reading: Reading[Profile], benchmark: str, now: float) -> Risk | None:
    """The provider's own beta, of unknown method and benchmark; None if it states none."""
    profile = reading.record
    if profile is None or profile.stated_beta is None:
        return None
    return Risk(
        symbol=profile.symbol,
        source=profile.source,
        as_of=profile.fetched_at,
        fetched_at=now,
        beta=profile.stated_beta,
        method="stated",
        benchmark=benchmark,
    )


def compute_risks(
    symbols: Sequence[str], benchmark: str, closes: Mapping[str, Closes], now: float, *, weekly: bool = False
) -> tuple[dict[str, Risk], dict[str, str]]:
    """Betas of `symbols` against `benchmark` from daily closes, and the reasons where there is none.

    Args:
        symbols: Canonical symbols.
        benchmark: The benchmark's symbol; its own beta is 1 by identity.
        closes: Daily closes by symbol, the benchmark's among them.
        now: The valuation instant (epoch seconds); bars that close later are left out.
        weekly: Whether all are of weekly returns, and not only where exchanges close hours apart.
    """
    risks: dict[str, Risk] = {}
    reasons: dict[str, str] = {}
    if benchmark in symbols:
        risks[benchmark] = _identity(benchmark, now)
    wanted = [symbol for symbol in symbols if symbol != benchmark]
    market = closes.get(benchmark)
    if market is None:
        reasons = dict.fromkeys(wanted, f"no history of the benchmark {benchmark}")
        return risks, reasons
    reasons = {symbol: "no history" for symbol in wanted if symbol not in closes}
    known = [symbol for symbol in wanted if symbol in closes]
    by_week = {symbol for symbol in known if is_weekly(symbol, benchmark, now, always=weekly)}
    for method, own in (
        (_DAILY, [symbol for symbol in known if symbol not in by_week]),
        (_WEEKLY, [symbol for symbol in known if symbol in by_week]),
    ):
        if own:
            found, why = _regressed([closes[symbol] for symbol in own], market, now, method)
            risks |= found
            reasons |= why
    return risks, reasons


def is_weekly(symbol: str, benchmark: str, instant: float, *, always: bool = False) -> bool:
    """Whether a beta is of weekly returns: the exchanges close more than two hours apart.

    Where one of them is not known, returns are daily.
    """
    own, theirs = exchange_of(symbol), exchange_of(benchmark)
    if always or own is theirs or own is None or theirs is None:
        return always
    return hours_between_closes(own, theirs, instant) > _CLOSES_APART


def _regressed(
    series: Sequence[Closes], market: Closes, now: float, method: _Method
) -> tuple[dict[str, Risk], dict[str, str]]:
    """Betas by one method, and the reasons where there is none."""
    from quotewell.analytics import beta as regression  # noqa: PLC0415  numpy, not on the way of a quote

    all_series = [(one.dates, one.closes) for one in (market, *series)]
    window, minimum, returns_are = regression.WINDOW, regression.MINIMUM, "returns"
    if method == _WEEKLY:
        all_series = [regression.weekly(*one) for one in all_series]
        window, minimum, returns_are = regression.WEEKLY_WINDOW, regression.WEEKLY_MINIMUM, "weekly returns"
    days = [day for day in all_series[0][0] if close_of(dt.date.fromordinal(day)) <= now]
    days = days[-(window + 1) :]
    returns = regression.simple_returns(regression.aligned_closes(all_series, days))
    fit = regression.ols(returns[1:], returns[0], minimum)
    risks: dict[str, Risk] = {}
    reasons: dict[str, str] = {}
    for row, own in enumerate(series):
        n = int(fit.n[row])
        if n < minimum:
            reasons[own.symbol] = f"{n} {returns_are} in common with {market.symbol}, {minimum} are needed"
            continue
        if math.isnan(fit.beta[row]):
            reasons[own.symbol] = f"the benchmark {market.symbol} never moved"
            continue
        r_squared = float(fit.r_squared[row])
        risks[own.symbol] = Risk(
            symbol=own.symbol,
            source=own.source,
            as_of=close_of(dt.date.fromordinal(days[-1])),
            fetched_at=now,
            beta=float(fit.beta[row]),
            method=method,
            benchmark=market.symbol,
            window_start=close_of(dt.date.fromordinal(days[0])),
            window_end=close_of(dt.date.fromordinal(days[-1])),
            n=n,
            standard_error=float(fit.standard_error[row]),
            r_squared=None if math.isnan(r_squared) else r_squared,
        )
    return risks, reasons


def _identity(benchmark: str, now: float) -> Risk:
    return Risk(
        symbol=benchmark, source="computed", as_of=now, fetched_at=now,
        beta=1.0, method="identity", benchmark=benchmark,
    )  # fmt: skip
