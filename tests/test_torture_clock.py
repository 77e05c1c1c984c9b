"""A clock set back or forward, and a machine suspended: nothing is taken for younger than it is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from quotewell.cache import store
from quotewell.freshness import LIFETIMES
from quotewell.records import Freshness
from quotewell.service import TickerService
from quotewell.testing import ManualClock
from survival import Market

SYMBOL = "S001"
HOUR = 3600.0
DAY = 24 * HOUR
TOLERATED = 60.0
"""Seconds in the future that a record may be dated, for clocks of two machines differ."""


@pytest.fixture
def market() -> Market:
    return Market()


@pytest.fixture
def tickers(market: Market, tmp_path: Path) -> Iterator[TickerService]:
    with market.open(tmp_path) as tickers:
        yield tickers


def new_price(market: Market) -> float:
    """A new price at the same time."""
    market.next_round()
    return market.price(SYMBOL)


def step(clock: ManualClock, seconds: float) -> None:
    """What an administrator or a time server does, and what waking up after a suspend looks like."""
    clock.set_wall(clock.now() + seconds)
    clock.advance(0.05)  # the longest that memory is believed without looking at anything


def set_price(market: Market, price: float) -> None:
    market.provider.prices[SYMBOL] = price


# -------------------------------------------------------------------------------------------- one service


@pytest.mark.parametrize("seconds", [-DAY, -HOUR, -61.0, HOUR, DAY, 30 * DAY])
def test_after_a_step_the_price_is_fetched_again(
    market: Market, tickers: TickerService, seconds: float
) -> None:
    assert tickers.get_price(SYMBOL) == market.price(SYMBOL)
    set_price(market, 1007.0)
    step(market.clock, seconds)
    assert tickers.get_price(SYMBOL) == 1007.0
    # And then it is cached as ever.
    requests = market.provider.requests
    market.clock.advance(200.0)
    assert tickers.get_price(SYMBOL) == 1007.0
    assert market.provider.requests == requests


@pytest.mark.parametrize("seconds", [-DAY, DAY])
def test_when_it_cannot_be_fetched_again_it_is_served_as_stale(
    market: Market, tickers: TickerService, seconds: float
) -> None:
    tickers.get_price(SYMBOL)
    market.provider.failure = "network"
    step(market.clock, seconds)
    reading = tickers.quotes([SYMBOL])[SYMBOL]
    assert reading.freshness == Freshness.STALE
    assert reading.record is not None
    assert reading.record.last == market.price(SYMBOL)


@pytest.mark.parametrize("seconds", [-DAY, 10 * DAY])
def test_there_and_back_again_costs_at_most_a_fetch(
    market: Market, tickers: TickerService, seconds: float
) -> None:
    tickers.get_price(SYMBOL)
    step(market.clock, seconds)
    tickers.get_price(SYMBOL)
    step(market.clock, -seconds)
    set_price(market, 1008.0)
    market.clock.advance(1000.0)
    assert tickers.get_price(SYMBOL) == 1008.0


def test_the_tests_above_see_it_when_steps_are_not_noticed(
    market: Market, tickers: TickerService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_CLOCK_STEP_SECONDS", float("inf"))
    before = tickers.get_price(SYMBOL)
    set_price(market, 1007.0)
    step(market.clock, DAY)
    assert tickers.get_price(SYMBOL) == before


def test_a_failure_from_the_future_is_not_waited_for(market: Market, tickers: TickerService) -> None:
    market.provider.failure = "network"
    assert tickers.quotes([SYMBOL])[SYMBOL].failure is not None
    market.provider.failure = None
    step(market.clock, -DAY)
    assert tickers.get_price(SYMBOL) == market.price(SYMBOL)


def test_a_symbol_unknown_in_the_future_is_asked_for_again(market: Market, tickers: TickerService) -> None:
    prices, market.provider.prices = market.provider.prices, {}
    failure = tickers.quotes([SYMBOL])[SYMBOL].failure
    assert failure is not None
    assert failure.kind == "unknown"
    market.provider.prices = prices
    step(market.clock, -DAY)
    assert tickers.get_price(SYMBOL) == market.price(SYMBOL)


# ------------------------------------------------------------------------------------------- other processes


@pytest.mark.parametrize("seconds", [-DAY, DAY])
def test_the_next_process_does_not_take_it_for_fresh_either(
    market: Market, tmp_path: Path, seconds: float
) -> None:
    market.fill(tmp_path)
    step(market.clock, seconds)
    set_price(market, 1009.0)
    with market.open(tmp_path) as tickers:
        assert tickers.get_price(SYMBOL) == 1009.0


@pytest.mark.parametrize("seconds", [-DAY, DAY])
def test_a_lease_taken_before_the_step_keeps_nobody_waiting(
    market: Market, tmp_path: Path, seconds: float
) -> None:
    with market.open(tmp_path) as crashed, market.open(tmp_path) as tickers:
        lease = f"quote/{SYMBOL}"
        assert crashed._coordinator.lease([lease], "crashed", 30.0) == {lease}
        step(market.clock, seconds)
        assert tickers._coordinator.lease([lease], "next", 30.0) == {lease}
        tickers._coordinator.release([lease], "next")
        assert tickers.get_price(SYMBOL) == market.price(SYMBOL)


def test_an_invalidation_from_the_future_is_heeded_and_forgotten(market: Market, tmp_path: Path) -> None:
    with market.open(tmp_path) as one, market.open(tmp_path) as other:
        assert one.get_price(SYMBOL) == other.get_price(SYMBOL)
        other.invalidate([SYMBOL], hard=True)
        set_price(market, 1005.0)
        step(market.clock, -DAY)
        assert one.get_price(SYMBOL) == 1005.0
        other.invalidate(["S002"], hard=True)
        market.clock.advance(1000.0)
        set_price(market, 1006.0)
        assert one.get_price(SYMBOL) == 1006.0
        assert other.get_price(SYMBOL) == 1006.0


# -------------------------------------------------------------------------------------------------- at random


@pytest.mark.parametrize(
    ("seed", "steps"),
    [(1, 60), *(pytest.param(seed, 400, marks=pytest.mark.torture) for seed in range(2, 12))],
)
def test_whatever_the_clock_does_fresh_is_fresh(tmp_path: Path, seed: int, steps: int) -> None:
    choice = random.Random(seed)
    market = Market()
    longest = LIFETIMES["quote"].fresh_closed
    assert longest is not None
    services = [market.open(tmp_path), market.open(tmp_path)]
    fetched: dict[float, float] = {}
    for number in range(steps):
        event = choice.choice(["step", "pass", "pass", "fail", "mend", "nothing"])
        if event == "step":
            step(market.clock, choice.choice([-1, 1]) * choice.choice([10.0, 90.0, HOUR, DAY, 40 * DAY]))
        elif event == "pass":
            market.clock.advance(choice.choice([1.0, 40.0, 400.0, 2 * HOUR]))
        elif event != "nothing":
            market.provider.failure = "network" if event == "fail" else None
        market.clock.advance(0.05)
        set_price(market, 1000.0 + number)
        fetched[1000.0 + number] = market.clock.now()
        reading = choice.choice(services).quotes([SYMBOL])[SYMBOL]
        if reading.freshness != Freshness.FRESH:
            continue
        assert reading.record is not None
        assert reading.record.last is not None
        age = market.clock.now() - fetched[reading.record.last]
        # Never older than the longest lifetime that a quote of a running session, or of a closed market, has;
        # a final price lives until the next open, over a long weekend.
        final = 4 * DAY if market.clock.now() - (reading.record.as_of or 0.0) > HOUR else longest
        assert -TOLERATED <= age <= final
    for tickers in services:
        tickers.close()
