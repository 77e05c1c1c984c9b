"""The main job end to end: a broker's file, Yahoo's wire formats on loopback, SQLite, the report."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from quotewell import Portfolio, TickerService
from quotewell.clock import ShiftedClock
from quotewell.demo import demo_now, portfolio_file
from quotewell.portfolio.positions import StockPosition
from quotewell.portfolio.summary import Summary
from quotewell.settings import Settings
from quotewell.testing import MarketSimulator
from quotewell.testing.simulator import Instrument
from quotewell.wiring import connect

BENCHMARK = "^GSPC"
NEXT_MORNING = 18 * 3600.0
UNKNOWN = ["990ESC018"]
"""The escrow row: no provider knows it."""


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock(demo_now() + NEXT_MORNING)


@pytest.fixture
def simulator(clock: ShiftedClock) -> Iterator[MarketSimulator]:
    listed = {
        position.symbol: Instrument(
            symbol=position.symbol, name=position.description, type="stock", price=position.price
        )
        for position in read_book().positions
        if isinstance(position, StockPosition) and position.price is not None
    }
    with MarketSimulator(symbols=listed.values(), now=clock.now) as made:
        yield made


@pytest.fixture
def settings(simulator: MarketSimulator, tmp_path: Path) -> Settings:
    return Settings(
        providers=("yahoo",),
        yahoo_base_url=simulator.yahoo_url,
        cache_dir=tmp_path,
        prefetch_timeout=20,
        yahoo_burst=20,
    )


def read_book(tickers: TickerService | None = None) -> Portfolio:
    return Portfolio.from_csv(portfolio_file().read_bytes(), tickers, name="demo.csv")


def report(settings: Settings, clock: ShiftedClock) -> Summary:
    with connect(settings, clock=clock) as tickers:
        book = read_book(tickers)
        book.prefetch()
        return book.summary()


def numbers(node: object) -> Iterator[float]:
    if isinstance(node, float):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from numbers(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from numbers(value)


def test_a_cold_run_costs_the_fewest_requests_and_a_warm_one_none(
    settings: Settings, simulator: MarketSimulator, clock: ShiftedClock
) -> None:
    needs = read_book().needs()
    quoted = {symbol for symbol, facet in needs if facet in ("quote", "profile", "dividend", "rate")}
    with_history = {symbol for symbol, facet in needs if facet == "risk"} | {BENCHMARK}
    expected = math.ceil(len(quoted) / 50) + math.ceil(len(with_history) / 20)

    cold = report(settings, clock)
    assert expected <= cold.requests <= expected + 1
    assert len(simulator.data_requests) == cold.requests
    assert len(simulator.handshakes) == 2

    clock.advance(60)
    assert report(settings, clock).requests == 0
    assert len(simulator.data_requests) == cold.requests


def test_the_report_is_complete_but_for_what_nobody_knows(settings: Settings, clock: ShiftedClock) -> None:
    summary = report(settings, clock)
    assert summary.counts.rejected == 0
    assert summary.freshness.stale == 0
    assert summary.betas.known == summary.betas.needed - len(UNKNOWN)
    assert summary.betas.by_method == {"ols_daily": summary.betas.known}
    assert summary.exposure.net.beta_adjusted is not None
    assert {problem.kind for problem in summary.problems} & {"no_beta", "no_underlying_price"} == set()


@pytest.mark.parametrize("fault", ["429", "500", "reset", "hang", "html"])
def test_a_provider_that_is_down_leaves_a_marked_report_and_the_next_run_heals(
    settings: Settings, simulator: MarketSimulator, clock: ShiftedClock, fault: str
) -> None:
    simulator.fault(fault)
    impatient = msgspec.structs.replace(settings, request_timeout=0.4) if fault == "hang" else settings
    down = report(impatient, clock)
    value = down.value.total
    assert value is not None
    assert value == pytest.approx(down.value.broker_total, rel=1e-3)
    assert down.freshness.fresh == 0
    assert down.freshness.stale > 0
    assert down.exposure.net.beta_adjusted is None
    assert all(row.beta is None for row in down.by_underlying)
    assert all(math.isfinite(number) for number in numbers(msgspec.to_builtins(down)))

    simulator.clear_faults()
    if fault == "429":
        clock.advance(31)  # the pause that the answer has asked for
    healed = report(settings, clock)
    assert healed.freshness.stale == 0
    assert healed.betas.known == healed.betas.needed - len(UNKNOWN)


def test_stale_values_are_served_marked_when_the_provider_fails_later(
    settings: Settings, simulator: MarketSimulator, clock: ShiftedClock
) -> None:
    fresh = report(settings, clock)
    clock.advance(86400.0)
    simulator.fault("500")
    stale = report(settings, clock)
    assert stale.freshness.fresh == 0
    assert stale.freshness.stale >= fresh.freshness.fresh
    assert stale.value.stocks == pytest.approx(fresh.value.stocks)
    assert stale.exposure.net.beta_adjusted is not None
    assert any(problem.kind == "stale" for problem in stale.problems)


def test_a_symbol_that_the_provider_leaves_out_costs_one_more_request(
    settings: Settings, simulator: MarketSimulator, clock: ShiftedClock
) -> None:
    simulator.fault("omit", symbols=["KO"], endpoint="quote")
    summary = report(settings, clock)
    quotes = [request for request in simulator.data_requests if request.endpoint == "quote"]
    assert quotes[-1].symbols == ("KO",)
    assert summary.freshness.stale == 1
