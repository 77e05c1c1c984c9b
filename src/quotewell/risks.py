"""Betas from stored closes: the derived facet `risk`.

A beta costs no request of its own; it is computed from the `history` of the symbol and of the benchmark.
Which beta is used when is told in `docs/lifetimes.md`.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from quotewell.cache.loading import Batch, Miss
from quotewell.calendars import close_of
from quotewell.endpoints import Fetched, Lane
from quotewell.errors import FailureKind, ProviderError
from quotewell.exchanges import exchange_of, hours_between_closes
from quotewell.records import Closes, Freshness, History, Need, Profile, Reading, Risk

__all__ = ["Basis", "Betas", "RiskLoader", "compute_risks", "is_weekly", "stated_risk"]

_Method = Literal["ols_daily", "ols_weekly"]
_DAILY: _Method = "ols_daily"
_WEEKLY: _Method = "ols_weekly"
_CLOSES_APART = 2.0  # hours; more of them, and what one exchange hears today the other hears tomorrow

_LASTING: frozenset[FailureKind] = frozenset({"unknown", "unsupported", "denied", "insufficient"})
"""Failures that say that there is no history to be had. After others it may come any time."""


class Basis(Protocol):
    """What is in the cache that betas are made of; nobody is asked for it."""

    def coverage(self, symbols: Collection[str]) -> Mapping[str, Reading[History]]:
        """The history of each symbol, or why there is none."""
        ...

    def closes(self, symbols: Collection[str]) -> Mapping[str, Closes]:
        """The closes of each symbol that has any."""
        ...

    def profiles(self, symbols: Collection[str]) -> Mapping[str, Reading[Profile]]:
        """The profile of each symbol; it carries the provider's stated beta."""
        ...

    def risks(self, symbols: Collection[str]) -> Mapping[str, Risk]:
        """The betas that are stored, however old."""
        ...


class Betas(NamedTuple):
    """What closes give."""

    risks: dict[str, Risk]
    reasons: dict[str, str]
    """Why a symbol is not among them."""
    returns: dict[str, int]
    """How many returns a symbol has in common with the benchmark, where both have closes."""


class RiskLoader:
    """Computes missing betas in the calling thread.

    Args:
        benchmark: The symbol that returns are regressed on.
        stated: Whether the provider's own beta is preferred (`--beta provider`).
        basis: What betas are made of.
        now: The valuation instant: no close after it is used.
        weekly: Whether all betas are of weekly returns (`--beta weekly`).
    """

    concurrency = 0

    def __init__(
        self, benchmark: str, basis: Basis, now: Callable[[], float], *, stated: bool, weekly: bool = False
    ) -> None:
        self._benchmark = benchmark
        self._basis = basis
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
        if self._stated:
            risks = self._from_profiles(symbols, now)
            reasons = dict.fromkeys(symbols, "no provider states a beta")
            if self._benchmark in symbols:
                risks[self._benchmark] = _identity(self._benchmark, now)
        else:
            risks, reasons = self._from_closes(symbols, now)
        return Fetched(
            found={(symbol, "risk"): risk for symbol, risk in risks.items()},
            failed={
                (symbol, "risk"): ProviderError("computed", "insufficient", reasons[symbol])
                for symbol in symbols
                if symbol not in risks
            },
        )

    def _from_closes(self, symbols: Sequence[str], now: float) -> tuple[dict[str, Risk], dict[str, str]]:
        """Betas: computed, or stated for single stocks with too little history; reasons for the rest."""
        coverage = self._basis.coverage([*symbols, self._benchmark])
        closes = self._basis.closes([symbol for symbol, reading in coverage.items() if reading.usable])
        risks, reasons, returns = compute_risks(symbols, self._benchmark, closes, now, weekly=self._weekly)
        market = coverage[self._benchmark]
        short = [symbol for symbol in reasons if _is_short(coverage[symbol]) and _is_short(market)]
        for symbol in reasons:
            reasons[symbol] += _detail(coverage[symbol], market)
        for symbol, risk in self._from_profiles(short, now, single_stocks=True).items():
            risks[symbol] = msgspec.structs.replace(risk, n=returns.get(symbol, 0))

        own = {symbol for symbol in closes if symbol in risks and symbol != self._benchmark}
        stale = [
            symbol for symbol in own if Freshness.STALE in (coverage[symbol].freshness, market.freshness)
        ]
        before = self._basis.risks(stale) if stale else {}
        for symbol in stale:
            last = min(closes[symbol].dates[-1], closes[self._benchmark].dates[-1])
            if _covers(before.get(symbol), last, self._benchmark):
                del risks[symbol]
                reasons[symbol] = "no new closes" + _detail(coverage[symbol], market)
            else:  # as old as what it is made of
                fetched = (coverage[name].record for name in (symbol, self._benchmark))
                oldest = min(record.fetched_at or now for record in fetched if record is not None)
                risks[symbol] = msgspec.structs.replace(risks[symbol], fetched_at=oldest)
        return risks, reasons

    def _from_profiles(
        self, symbols: Collection[str], now: float, *, single_stocks: bool = False
    ) -> dict[str, Risk]:
        if not symbols:
            return {}
        found: dict[str, Risk] = {}
        for symbol, reading in self._basis.profiles(symbols).items():
            risk = stated_risk(reading, self._benchmark, now)
            if risk is not None and (
                not single_stocks or (reading.record and reading.record.type == "stock")
            ):
                found[symbol] = risk
        return found


def _is_short(history: Reading[History]) -> bool:
    """Whether all is known of a history that there is: what is missing will not come with the next answer."""
    return history.usable or (history.failure is not None and history.failure.kind in _LASTING)


def _detail(*histories: Reading[History]) -> str:
    """Why the first of these that is not up to date is not."""
    reasons = (
        history.failure.reason
        for history in histories
        if history.freshness <= Freshness.STALE and history.failure is not None
    )
    reason = next(reasons, None)
    return "" if reason is None else f": {reason}"


def _covers(risk: Risk | None, last_day: int, benchmark: str) -> bool:
    """Whether a beta was computed from closes up to `last_day`."""
    if risk is None or risk.window_end is None or risk.benchmark != benchmark:
        return False
    if risk.method == _WEEKLY:
        last_day -= (last_day - 5) % 7  # to a Friday, as day 5 was
    return close_of(dt.date.fromordinal(last_day)) <= risk.window_end


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
) -> Betas:
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
        return Betas(risks, reasons, {})
    reasons = {symbol: "no history" for symbol in wanted if symbol not in closes}
    returns: dict[str, int] = {}
    known = [symbol for symbol in wanted if symbol in closes]
    by_week = {symbol for symbol in known if is_weekly(symbol, benchmark, now, always=weekly)}
    for method, own in (
        (_DAILY, [symbol for symbol in known if symbol not in by_week]),
        (_WEEKLY, [symbol for symbol in known if symbol in by_week]),
    ):
        if own:
            found = _regressed([closes[symbol] for symbol in own], market, now, method)
            risks |= found.risks
            reasons |= found.reasons
            returns |= found.returns
    return Betas(risks, reasons, returns)


def is_weekly(symbol: str, benchmark: str, instant: float, *, always: bool = False) -> bool:
    """Whether a beta is of weekly returns: the exchanges close more than two hours apart.

    Where one of them is not known, returns are daily.
    """
    own, theirs = exchange_of(symbol), exchange_of(benchmark)
    if always or own is theirs or own is None or theirs is None:
        return always
    return hours_between_closes(own, theirs, instant) > _CLOSES_APART


def _regressed(series: Sequence[Closes], market: Closes, now: float, method: _Method) -> Betas:
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
    in_common = {own.symbol: int(fit.n[row]) for row, own in enumerate(series)}
    for row, own in enumerate(series):
        n = in_common[own.symbol]
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
    return Betas(risks, reasons, in_common)


def _identity(benchmark: str, now: float) -> Risk:
    return Risk(
        symbol=benchmark, source="computed", as_of=now, fetched_at=now,
        beta=1.0, method="identity", benchmark=benchmark,
    )  # fmt: skip
