"""A fallback's daily quota is spared: it is asked for half of what is left, the largest holdings first."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from quotewell import Portfolio, TickerService
from quotewell.clock import ShiftedClock
from quotewell.demo import demo_now
from quotewell.endpoints import Call
from quotewell.market import MarketLoader
from quotewell.records import Need
from quotewell.settings import Settings
from quotewell.testing import MarketSimulator
from quotewell.wiring import connect

STOCKS = [f"S{chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(40)]
QUOTES: list[Need] = [(symbol, "quote") for symbol in STOCKS]
QUOTA = 20


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock(demo_now())


@pytest.fixture
def simulator(clock: ShiftedClock) -> Iterator[MarketSimulator]:
    with MarketSimulator(symbols=STOCKS, now=clock.now) as running:
        yield running


def service(simulator: MarketSimulator, clock: ShiftedClock, folder: Path, *providers: str) -> TickerService:
    settings = Settings(
        providers=providers,
        yahoo_base_url=simulator.yahoo_url,
        fmp_base_url=simulator.fmp_url,
        fmp_api_key=simulator.fmp_key,
        fmp_per_day=QUOTA,
        fmp_rate=1_000.0,
        yahoo_rate=1_000.0,
        yahoo_burst=100,
        cache_dir=folder,
        calendars="plain",
    )
    return connect(settings, clock=clock)


def asked_of_fmp(simulator: MarketSimulator) -> list[str]:
    return [one.symbols[0] for one in simulator.data_requests if one.endpoint.startswith("fmp/")]


def test_a_fallback_takes_half_of_what_is_left_each_time(
    simulator: MarketSimulator, clock: ShiftedClock, tmp_path: Path
) -> None:
    simulator.fault("500", endpoint="yahoo")
    with service(simulator, clock, tmp_path, "yahoo", "fmp") as tickers:
        report = tickers.prefetch(QUOTES)
        assert sorted(asked_of_fmp(simulator)) == STOCKS[:10], "in the order in which they were asked for"
        assert report.counts()["fetched"] == 10
        outcome = report.outcomes["SBN", "quote"]
        assert outcome.status == "failed"
        assert outcome.reason.startswith("HTTP 500")
        assert outcome.reason.endswith(
            "; fmp: as a fallback it is asked for half of what its daily quota has left"
        )
        assert tickers.quotas_left() == {"fmp": 10}
        tickers.prefetch(QUOTES)
        assert len(asked_of_fmp(simulator)) == 15
        assert tickers.quotas_left() == {"fmp": 5}


@pytest.mark.parametrize("floor", [True, False])
def test_fallbacks_at_one_time_take_half_together(
    simulator: MarketSimulator,
    clock: ShiftedClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    floor: bool,
) -> None:
    """All have seen what is left before the first of them spends; the negative control knows no floor."""
    simulator.fault("500", endpoint="yahoo")
    gate = threading.Barrier(3, timeout=30.0)
    within_quota = MarketLoader._within_quota

    def seen_together(loader: MarketLoader, calls: Sequence[Call], position: int) -> tuple[int, int]:
        granted, leave = within_quota(loader, calls, position)
        gate.wait()
        return granted, leave if floor else 0

    monkeypatch.setattr(MarketLoader, "_within_quota", seen_together)
    with ExitStack() as stack:
        services = [
            stack.enter_context(service(simulator, clock, tmp_path, "yahoo", "fmp")) for _ in range(3)
        ]
        with ThreadPoolExecutor(3) as pool:
            shares = [QUOTES[start : start + 13] for start in (0, 13, 26)]
            list(pool.map(lambda one, needs: one.prefetch(needs), services, shares))
        left = services[0].quotas_left()["fmp"]
    assert left == (10 if floor else 0)


def test_what_the_fallback_was_spared_is_fetched_as_soon_as_the_first_provider_is_back(
    simulator: MarketSimulator, clock: ShiftedClock, tmp_path: Path
) -> None:
    simulator.fault("500", endpoint="yahoo")
    with service(simulator, clock, tmp_path, "yahoo", "fmp") as tickers:
        tickers.prefetch(QUOTES)
        simulator.clear_faults()
        clock.advance(600.0)
        assert tickers.prefetch(QUOTES).counts()["failed"] == 0
        assert len(asked_of_fmp(simulator)) == 10


def test_the_first_provider_may_spend_its_whole_quota(
    simulator: MarketSimulator, clock: ShiftedClock, tmp_path: Path
) -> None:
    with service(simulator, clock, tmp_path, "fmp") as tickers:
        report = tickers.prefetch(QUOTES)
        assert len(asked_of_fmp(simulator)) == QUOTA
        assert report.counts()["fetched"] == QUOTA
        assert "the daily quota of 20 requests is spent" in report.outcomes["SBN", "quote"].reason
        assert tickers.quotas_left() == {"fmp": 0}


def test_a_book_asks_for_its_largest_holdings_first(
    simulator: MarketSimulator, clock: ShiftedClock, tmp_path: Path
) -> None:
    simulator.fault("500", endpoint="yahoo")
    rows = "".join(f"{symbol},1,{value}\n" for value, symbol in enumerate(STOCKS))
    with service(simulator, clock, tmp_path, "yahoo", "fmp") as tickers:
        book = Portfolio.from_csv(f"symbol,quantity,value\n{rows}".encode(), tickers)
        assert set(book.needs_by_size()) == book.needs()
        book.prefetch()
    assert sorted(asked_of_fmp(simulator)) == sorted(STOCKS[-10:])


def test_an_options_underlying_counts_for_as_much_as_the_option() -> None:
    book = Portfolio.from_csv(b"symbol,quantity,value\nSMALL,1,10\nAMZN250620C00200000,-1,-5000\nMID,1,100\n")
    symbols = list(dict.fromkeys(symbol for symbol, _ in book.needs_by_size()))
    assert symbols[:4] == ["AMZN", "AMZN250620C00200000", "MID", "SMALL"]
