from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import numpy as np
import pytest
import statsmodels.api as sm

from quotewell.calendars import close_of
from quotewell.endpoints import Fetched, Lane
from quotewell.errors import FailureKind, ProviderError
from quotewell.records import (
    Closes,
    Failure,
    Freshness,
    History,
    InstrumentType,
    Need,
    Profile,
    Reading,
    Risk,
)
from quotewell.risks import RiskLoader, compute_risks
from quotewell.settings import Settings
from quotewell.testing import ManualClock
from quotewell.wiring import connect

MARKET = "^GSPC"
WINDOW, MINIMUM = 504, 126
LAST_DAY = dt.date(2025, 1, 15)
NOW = close_of(LAST_DAY)
RANDOM = np.random.default_rng(7)


def weekdays(n: int, last: dt.date = LAST_DAY) -> list[int]:
    """The last `n` weekdays up to `last`, oldest first."""
    days = (last.toordinal() - back for back in range(2 * n + 7))
    return [day for day in days if dt.date.fromordinal(day).weekday() < 5][:n][::-1]


def series(symbol: str, dates: list[int], closes: list[float]) -> Closes:
    return Closes(symbol=symbol, source="fake", dates=dates, closes=closes)


def walk(symbol: str, dates: list[int], volatility: float = 0.01) -> Closes:
    steps = RANDOM.normal(0.0, volatility, len(dates))
    return series(symbol, dates, [float(close) for close in 100.0 * np.exp(np.cumsum(steps))])


def without(closes: Closes, days: set[int]) -> Closes:
    kept = [(day, close) for day, close in zip(closes.dates, closes.closes, strict=True) if day not in days]
    return series(closes.symbol, [day for day, _ in kept], [close for _, close in kept])


def compute(*closes: Closes, now: float = NOW) -> tuple[dict[str, Risk], dict[str, str]]:
    symbols = [one.symbol for one in closes]
    risks, reasons, _ = compute_risks(symbols, MARKET, {one.symbol: one for one in closes}, now)
    return risks, reasons


def plain_regression(stock: Closes, market: Closes) -> tuple[float, float, float, int]:
    """Slope, its standard error, R² and n by statsmodels, day by day over the window."""
    own = dict(zip(stock.dates, stock.closes, strict=True))
    theirs = dict(zip(market.dates, market.closes, strict=True))
    days = [day for day in market.dates if close_of(dt.date.fromordinal(day)) <= NOW][-(WINDOW + 1) :]
    pairs = [
        (own[day] / own[before] - 1.0, theirs[day] / theirs[before] - 1.0)
        for before, day in itertools.pairwise(days)
        if before in own and day in own
    ]
    y, x = (np.array(column) for column in zip(*pairs, strict=True))
    fit = sm.OLS(y, sm.add_constant(x)).fit()
    return float(fit.params[1]), float(fit.bse[1]), float(fit.rsquared), len(pairs)


DAYS = weekdays(700)
BENCHMARK = walk(MARKET, DAYS)
TICKERS = {
    "FULL": walk("FULL", DAYS),
    "GAPS": without(walk("GAPS", DAYS, 0.03), {*DAYS[300:320], *DAYS[600::7]}),
    "YOUNG": walk("YOUNG", DAYS[-200:]),
    "SEVENDAYS": walk("SEVENDAYS", list(range(DAYS[-1] - 900, DAYS[-1] + 1))),
    "DEAD": walk("DEAD", DAYS[:-300]),
}


@pytest.mark.parametrize("name", TICKERS)
def test_a_beta_is_that_of_a_plain_regression(name: str) -> None:
    risks, reasons = compute(BENCHMARK, *TICKERS.values())
    beta, standard_error, r_squared, n = plain_regression(TICKERS[name], BENCHMARK)
    risk = risks[name]
    assert reasons == {}
    assert (risk.beta, risk.standard_error, risk.r_squared) == pytest.approx(
        (beta, standard_error, r_squared)
    )
    assert (risk.n, risk.method, risk.benchmark, risk.source) == (n, "ols_daily", MARKET, "fake")
    assert n > MINIMUM
    assert risk.window_start == close_of(dt.date.fromordinal(DAYS[-(WINDOW + 1)]))
    assert (risk.window_end, risk.as_of, risk.fetched_at) == (NOW, NOW, NOW)


LONG = weekdays(900)
WORLD = walk(MARKET, LONG)
LONDON = walk("VOD.L", LONG)


def weeks(closes: Closes) -> dict[int, float]:
    """The last close of each week, by the number of the week."""
    return {(day - 1) // 7: close for day, close in zip(closes.dates, closes.closes, strict=True)}


def test_where_exchanges_close_hours_apart_a_beta_is_of_weekly_returns() -> None:
    risks, reasons = compute(WORLD, LONDON, walk("SHOP.TO", LONG), walk("NEAR", LONG))
    assert {symbol: risk.method for symbol, risk in risks.items()} == {
        MARKET: "identity", "VOD.L": "ols_weekly", "SHOP.TO": "ols_daily", "NEAR": "ols_daily",
    }  # fmt: skip
    assert reasons == {}
    own, theirs = weeks(LONDON), weeks(WORLD)
    over = sorted(week for week in theirs if week * 7 + 5 < LAST_DAY.toordinal())[-157:]
    y = np.diff([own[week] for week in over]) / np.array([own[week] for week in over[:-1]])
    x = np.diff([theirs[week] for week in over]) / np.array([theirs[week] for week in over[:-1]])
    fit = sm.OLS(y, sm.add_constant(x)).fit()
    risk = risks["VOD.L"]
    assert (risk.beta, risk.standard_error) == pytest.approx((fit.params[1], fit.bse[1]))
    assert risk.n == 156
    friday = dt.date(2025, 1, 10)  # the last one that is over
    assert (risk.window_end, risk.as_of) == (close_of(friday), close_of(friday))


def test_all_betas_are_weekly_where_that_is_asked_for() -> None:
    risks, _, _ = compute_risks(
        [MARKET, "NEAR"], MARKET, {MARKET: WORLD, "NEAR": walk("NEAR", LONG)}, NOW, weekly=True
    )
    assert (risks["NEAR"].method, risks["NEAR"].n, risks[MARKET].method) == ("ols_weekly", 156, "identity")


def test_half_a_year_of_weeks_is_needed() -> None:
    _, reasons = compute(WORLD, walk("VOD.L", LONG[-120:]))
    assert reasons["VOD.L"] == "23 weekly returns in common with ^GSPC, 26 are needed"


def test_the_week_that_is_not_over_does_not_count() -> None:
    monday, friday = dt.date(2025, 1, 6), dt.date(2025, 1, 10)
    before, _ = compute(WORLD, LONDON, now=close_of(monday))
    midweek, _ = compute(WORLD, LONDON, now=close_of(friday) - 1.0)
    after, _ = compute(WORLD, LONDON, now=close_of(friday))
    assert before["VOD.L"].beta == midweek["VOD.L"].beta != after["VOD.L"].beta


@pytest.mark.parametrize(
    ("symbol", "setting", "method", "accepted"),
    [
        ("AAPL", "computed", "ols_daily", True),
        ("AAPL", "computed", "ols_weekly", False),
        ("AAPL", "weekly", "ols_weekly", True),
        ("AAPL", "weekly", "ols_daily", False),
        ("VOD.L", "computed", "ols_weekly", True),
        ("VOD.L", "computed", "ols_daily", False),
        ("VOD.L", "provider", "ols_weekly", False),
        ("AAPL", "provider", "ols_daily", False),
        ("AAPL", "provider", "stated", True),
        ("AAPL", "weekly", "stated", False),
    ],
)
def test_a_stored_beta_counts_only_if_it_was_made_as_is_asked_now(
    symbol: str, setting: Any, method: Any, accepted: bool
) -> None:
    settings = Settings(cache_url="memory://", beta=setting, offline=True)
    with connect(settings, clock=ManualClock(NOW), providers=[]) as tickers:
        accepts = tickers.engine.store.policies["risk"].accepts
        stored = Risk(symbol=symbol, beta=1.0, method=method, benchmark=MARKET, fetched_at=NOW)
        assert accepts(stored) is accepted
        assert not accepts(Risk(symbol=symbol, beta=1.0, method=method, benchmark="SPY", fetched_at=NOW))


def test_no_close_after_the_instant_is_used() -> None:
    stock = TICKERS["FULL"]
    before, _ = compute(without(BENCHMARK, {DAYS[-1]}), without(stock, {DAYS[-1]}))
    early, _ = compute(BENCHMARK, stock, now=NOW - 1.0)
    on_time, _ = compute(BENCHMARK, stock, now=NOW)
    assert early["FULL"].beta == before["FULL"].beta != on_time["FULL"].beta
    assert early["FULL"].window_end == close_of(dt.date.fromordinal(DAYS[-2]))
    tomorrow = LAST_DAY.toordinal() + 1
    wild = series("FULL", [*stock.dates, tomorrow], [*stock.closes, 1e6])
    market = series(MARKET, [*BENCHMARK.dates, tomorrow], [*BENCHMARK.closes, 1.0])
    assert compute(market, wild)[0]["FULL"] == on_time["FULL"]


def test_the_benchmarks_own_beta_is_one_by_identity_even_without_history() -> None:
    for risks in (compute(BENCHMARK)[0], compute_risks([MARKET], MARKET, {}, NOW).risks):
        risk = risks[MARKET]
        assert (risk.beta, risk.method, risk.benchmark) == (1.0, "identity", MARKET)
        assert (risk.n, risk.standard_error, risk.as_of, risk.fetched_at) == (None, None, NOW, NOW)


@pytest.mark.parametrize(
    ("bars", "reason"),
    [
        (MINIMUM + 1, None),
        (MINIMUM, "125 returns in common with ^GSPC, 126 are needed"),
        (0, "0 returns in common with ^GSPC, 126 are needed"),
    ],
)
def test_too_little_history_is_a_reason(bars: int, reason: str | None) -> None:
    risks, reasons = compute(BENCHMARK, walk("NEW", DAYS[len(DAYS) - bars :]))
    assert reasons.get("NEW") == reason
    assert ("NEW" in risks) == (reason is None)


@pytest.mark.parametrize(
    ("closes", "reason"),
    [
        ({MARKET: BENCHMARK}, "no history"),
        ({"FULL": TICKERS["FULL"]}, "no history of the benchmark ^GSPC"),
        ({MARKET: series(MARKET, [], []), "FULL": TICKERS["FULL"]}, "0 returns in common"),
        ({MARKET: series(MARKET, DAYS, [1.0] * 700), "FULL": TICKERS["FULL"]}, "never moved"),
    ],
)
def test_without_something_to_regress_there_is_a_reason(closes: dict[str, Closes], reason: str) -> None:
    risks, reasons, _ = compute_risks(["FULL"], MARKET, closes, NOW)
    assert risks == {}
    assert reason in reasons["FULL"]


def test_a_price_that_never_moved_has_beta_zero_and_no_r_squared() -> None:
    risk = compute(BENCHMARK, series("CASH", DAYS, [1.0] * 700))[0]["CASH"]
    assert (risk.beta, risk.standard_error, risk.r_squared) == (0.0, 0.0, None)


# --------------------------------------------------------------------------------------------------- loader


def profile(
    symbol: str,
    beta: float | None,
    type: InstrumentType | None = "stock",
) -> Reading[Profile]:
    record = Profile(symbol=symbol, source="fake", fetched_at=NOW - 60.0, type=type, stated_beta=beta)
    return Reading(symbol, record, Freshness.FRESH, "memory")


PROFILES = {
    "FULL": profile("FULL", 9.0),
    "NEW": profile("NEW", 1.5),
    "SHORT": profile("SHORT", 1.2),
    "ETF": profile("ETF", 1.6, "etf"),
    "UNTYPED": profile("UNTYPED", 1.7, None),
    "SILENT": profile("SILENT", None),
    MARKET: profile(MARKET, 0.9),
    "NOBODY": Reading[Profile]("NOBODY", None, Freshness.NONE, ""),
}


def history(
    symbol: str,
    freshness: Freshness = Freshness.FRESH,
    kind: FailureKind | None = None,
    fetched_at: float = NOW - 60.0,
) -> Reading[History]:
    """A stored history, fetched a minute ago unless told otherwise, and the failure beside it."""
    failure = None if kind is None else Failure(kind, f"it was {kind}", "fake", 1, NOW, NOW, NOW + 60.0)
    record = None
    if freshness > Freshness.NONE:
        record = History(symbol=symbol, source="fake", fetched_at=fetched_at, failure=failure)
    return Reading(symbol, record, freshness, "sqlite", failure)


class Cache:
    """What a loader is given, and what it asks for."""

    def __init__(self, *histories: Reading[History], stored: Risk | None = None) -> None:
        self.asked: list[str] = []
        known = (history("FULL"), history("YOUNG"), history("SHORT"), history(MARKET))
        self.histories = {one.symbol: one for one in (*known, *histories)}
        self.stored = stored

    def coverage(self, symbols: Collection[str]) -> Mapping[str, Reading[History]]:
        nothing = {symbol: history(symbol, Freshness.NONE, "unknown") for symbol in symbols}
        return nothing | {symbol: self.histories[symbol] for symbol in symbols if symbol in self.histories}

    def closes(self, symbols: Collection[str]) -> Mapping[str, Closes]:
        self.asked += symbols
        bars = {**TICKERS, "SHORT": walk("SHORT", DAYS[-21:]), MARKET: BENCHMARK}
        return {symbol: bars[symbol] for symbol in symbols if symbol in bars}

    def risks(self, symbols: Collection[str]) -> Mapping[str, Risk]:
        return {} if self.stored is None else dict.fromkeys(symbols, self.stored)

    def profiles(self, symbols: Collection[str]) -> Mapping[str, Reading[Profile]]:
        assert symbols
        self.asked += symbols
        return {symbol: PROFILES[symbol] for symbol in symbols}


def load(cache: Cache, *symbols: str, stated: bool) -> Fetched:
    loader = RiskLoader(MARKET, cache, lambda: NOW, stated=stated)
    needs: dict[Need, None] = {(symbol, "risk"): None for symbol in symbols}
    batches = loader.batches(0, needs)
    assert batches is not None
    assert loader.batches(1, needs) is None
    (batch,) = batches
    assert loader.concurrency == 0
    assert batch.needs == tuple(needs)
    fetched = batch.fetch(batch.needs, Lane.INTERACTIVE, 0.0)
    assert fetched.found.keys() | fetched.failed.keys() == needs.keys()
    assert all(
        isinstance(error, ProviderError) and error.failure == "insufficient"
        for error in fetched.failed.values()
    )
    return fetched


def betas(fetched: Fetched) -> dict[str, tuple[float | None, str | None]]:
    return {
        symbol: (risk.beta, risk.method)
        for (symbol, _), risk in fetched.found.items()
        if isinstance(risk, Risk)
    }


def test_a_stated_beta_stands_in_for_single_stocks_without_history_only() -> None:
    cache = Cache()
    fetched = load(cache, *PROFILES, stated=False)
    found = betas(fetched)
    beta, method = found.pop("FULL")
    expected = plain_regression(TICKERS["FULL"], BENCHMARK)[0]
    assert method == "ols_daily"
    assert beta == pytest.approx(expected)
    assert found == {"NEW": (1.5, "stated"), "SHORT": (1.2, "stated"), MARKET: (1.0, "identity")}
    assert reasons_of(fetched) == dict.fromkeys(
        ("ETF", "UNTYPED", "SILENT", "NOBODY"), "no history: it was unknown"
    )
    assert cache.asked.count("FULL") == 1  # no profile is looked at where history answers


def reasons_of(fetched: Fetched) -> dict[str, str]:
    return {
        symbol: error.reason
        for (symbol, _), error in fetched.failed.items()
        if isinstance(error, ProviderError)
    }


def risk_of(fetched: Fetched, symbol: str) -> Risk:
    risk = fetched.found[symbol, "risk"]
    assert isinstance(risk, Risk)
    return risk


@pytest.mark.parametrize("kind", ["rate_limited", "timeout", "suspect", "omitted"])
@pytest.mark.parametrize("whose", ["NEW", MARKET])
def test_a_history_that_may_come_any_time_lets_no_stated_beta_stand_in(kind: FailureKind, whose: str) -> None:
    fetched = load(Cache(history(whose, Freshness.NONE, kind)), "NEW", stated=False)
    assert betas(fetched) == {}
    of_whom = " of the benchmark ^GSPC" if whose == MARKET else ""
    reason = "it was unknown" if whose == MARKET else f"it was {kind}"
    assert reasons_of(fetched) == {"NEW": f"no history{of_whom}: {reason}"}


def test_a_stated_beta_that_stands_in_tells_how_few_returns_there_were() -> None:
    fetched = load(Cache(), "SHORT", "NEW", stated=False)
    assert (risk_of(fetched, "SHORT").method, risk_of(fetched, "SHORT").n) == ("stated", 20)
    assert risk_of(fetched, "NEW").n == 0


@pytest.mark.parametrize("whose", ["FULL", MARKET])
def test_a_beta_of_stale_closes_is_as_old_as_they_are(whose: str) -> None:
    then = NOW - 5 * 86_400.0
    old = history(whose, Freshness.STALE, "rate_limited", then)
    risk = risk_of(load(Cache(old), "FULL", stated=False), "FULL")
    assert risk.method == "ols_daily"
    assert risk.fetched_at == then
    assert risk_of(load(Cache(), "FULL", stated=False), "FULL").fetched_at == NOW


@pytest.mark.parametrize("whose", ["FULL", MARKET])
def test_stale_closes_that_the_stored_beta_is_made_of_give_no_new_one(whose: str) -> None:
    stored = risk_of(load(Cache(), "FULL", stated=False), "FULL")
    old = history(whose, Freshness.STALE, "rate_limited")
    fetched = load(Cache(old, stored=stored), "FULL", stated=False)
    assert reasons_of(fetched) == {"FULL": "no new closes: it was rate_limited"}
    earlier = msgspec.structs.replace(stored, window_end=NOW - 86_400.0)
    for other in (earlier, msgspec.structs.replace(stored, benchmark="^IXIC")):
        assert betas(load(Cache(old, stored=other), "FULL", stated=False)).keys() == {"FULL"}


def test_with_beta_provider_the_stated_one_is_preferred_for_all() -> None:
    fetched = load(Cache(), *PROFILES, stated=True)
    assert betas(fetched) == {
        "FULL": (9.0, "stated"), "NEW": (1.5, "stated"), "SHORT": (1.2, "stated"),
        "ETF": (1.6, "stated"), "UNTYPED": (1.7, "stated"), MARKET: (1.0, "identity"),
    }  # fmt: skip
    assert {error.reason for error in fetched.failed.values()} == {"no provider states a beta"}


def test_all_betas_computed_ask_for_no_profile() -> None:
    cache = Cache()
    assert set(betas(load(cache, "FULL", stated=False))) == {"FULL"}
    assert cache.asked == ["FULL", MARKET]


def test_a_stated_beta_carries_the_profiles_provenance() -> None:
    risk = load(Cache(), "NEW", stated=True).found["NEW", "risk"]
    assert isinstance(risk, Risk)
    assert (risk.source, risk.as_of, risk.fetched_at, risk.benchmark) == ("fake", NOW - 60.0, NOW, MARKET)
    assert risk.n is risk.window_end is None
