"""A prefetch as it runs: the plan is what is sent, it can be watched, and interrupted without loss."""

from __future__ import annotations

import io
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec
import pytest

from quotewell import DataUnavailable, Portfolio, TickerService
from quotewell.clock import ShiftedClock
from quotewell.demo import demo_now
from quotewell.endpoints import Lane
from quotewell.outcomes import Progress, progress_of
from quotewell.prefetch import PrefetchPlan
from quotewell.records import Facet, Need
from quotewell.settings import Settings
from quotewell.testing import MarketSimulator
from quotewell.views.render.progress import describe, watched
from quotewell.wiring import connect

BENCHMARK = "^GSPC"
STOCKS = [f"S{chr(65 + i // 26 // 26)}{chr(65 + i // 26 % 26)}{chr(65 + i % 26)}" for i in range(2_001)]
FACETS: tuple[Facet, ...] = ("quote", "profile", "dividend", "risk")


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock(demo_now())


@pytest.fixture
def simulator(clock: ShiftedClock) -> Iterator[MarketSimulator]:
    with MarketSimulator(symbols=STOCKS, now=clock.now) as running:
        yield running


@pytest.fixture
def settings(simulator: MarketSimulator, tmp_path: Path) -> Settings:
    return Settings(
        providers=("yahoo",),
        yahoo_base_url=simulator.yahoo_url,
        yahoo_rate=10_000.0,
        yahoo_burst=1_000,
        cache_dir=tmp_path,
        calendars="plain",
    )


@pytest.fixture
def tickers(settings: Settings, clock: ShiftedClock) -> Iterator[TickerService]:
    with connect(settings, clock=clock) as service:
        yield service


def sent(simulator: MarketSimulator) -> dict[str, int]:
    return dict(Counter(request.endpoint for request in simulator.requests))


def planned(plan: PrefetchPlan) -> dict[str, float]:
    return {one.endpoint: one.requests for one in plan.requests}


# ----------------------------------------------------------------------------------------------- the plan


def test_2000_stocks_cost_a_handshake_40_quote_calls_and_101_for_closes(
    tickers: TickerService, simulator: MarketSimulator
) -> None:
    stocks = STOCKS[:2_000]
    plan = tickers.plan(stocks)
    assert (planned(plan), plan.handshake, plan.total) == ({"quote": 40, "spark": 101}, 2, 141)
    assert sent(simulator) == {}
    report = tickers.prefetch(stocks)
    assert sent(simulator) == {"cookie": 1, "crumb": 1, "quote": 40, "spark": 101}
    assert report.counts()["fetched"] == 8_000
    assert report.requests == 141

    simulator.clear_log()
    assert tickers.plan(stocks).total == 0
    assert tickers.prefetch(stocks).counts()["fresh"] == 8_000
    assert sent(simulator) == {}

    assert planned(tickers.plan(STOCKS)) == {"quote": 1, "spark": 1}
    assert tickers.prefetch(STOCKS).requests == 2
    assert sent(simulator) == {"quote": 1, "spark": 1}


BOOK = """symbol,quantity,currency
SAAA,10,USD
SAAB,5,EUR
SAAC230317C00100000,-2,USD
SAAD230317P00090000,1,USD
CASH,100,USD
"""


def test_a_book_brings_its_underlyings_rates_pairs_and_the_benchmark(
    tickers: TickerService, simulator: MarketSimulator
) -> None:
    book = Portfolio.from_csv(BOOK.encode(), tickers)
    plan = tickers.plan(book.needs())
    book.prefetch()
    data = {request.endpoint: set(request.symbols) for request in simulator.data_requests}
    assert planned(plan) == {"quote": 1, "spark": 1}
    assert plan.possible == 2
    assert data["chart"] == {"SAAC"}, "the one of the two underlyings that pays dividends"
    stocks = {"SAAA", "SAAB", "SAAC", "SAAD"}
    options = {"SAAC230317C00100000", "SAAD230317P00090000"}
    assert data["quote"] == stocks | options | {"EURUSD=X", "^IRX", "^FVX", "^TNX", "^TYX"}
    assert data["spark"] == stocks | {BENCHMARK}


def test_the_plan_tells_how_long_the_rate_limit_makes_it_take(
    settings: Settings, clock: ShiftedClock, simulator: MarketSimulator
) -> None:
    slow = Settings(
        providers=("yahoo",),
        yahoo_base_url=simulator.yahoo_url,
        cache_dir=settings.cache_dir,
        calendars="plain",
    )
    with connect(slow, clock=clock) as tickers:
        plan = tickers.plan(STOCKS[:500])
    # 10 quote, 26 spark and 2 handshake requests; 5 at once, then 2 a second.
    assert (plan.total, plan.seconds) == (36, (38 - 5) / 2)


def test_what_no_provider_has_is_named(simulator: MarketSimulator, clock: ShiftedClock) -> None:
    settings = Settings(
        providers=("fmp",),
        fmp_api_key=simulator.fmp_key,
        fmp_base_url=simulator.fmp_url,
        cache_url="memory://",
    )
    with connect(settings, clock=clock) as tickers:
        plan = tickers.plan(["SAAA", "SAAB"])
    assert planned(plan) == {"profile": 2}
    assert plan.unsupported == ("SAAA", "SAAB", BENCHMARK), "there is no history for their betas"


# ------------------------------------------------------------------------------------------------ watching


def test_progress_is_told_in_the_callers_thread_while_a_batch_is_on_its_way(
    tickers: TickerService, simulator: MarketSimulator
) -> None:
    hang = simulator.fault("hang", endpoint="quote", times=1, after=1)
    told: list[Progress] = []
    threads: set[threading.Thread] = set()

    def watch(progress: Progress) -> None:
        told.append(progress)
        threads.add(threading.current_thread())
        if progress.done >= 100:  # all but the one that is held back
            hang.release()

    needs: list[Need] = [(symbol, "quote") for symbol in STOCKS[:150]]
    report = tickers.prefetch(needs, progress=watch)
    assert report.counts()["fetched"] == 150
    assert threads == {threading.current_thread()}
    assert {progress.symbols for progress in told} == {150}
    assert told[-1].done == told[-1].values_done >= 100
    assert told[-1].requests >= 2
    assert {(progress.values, progress.planned) for progress in told} == {(150, 3)}
    assert all(0 <= progress.done <= 150 for progress in told)


def progress(symbols: int, done: int, requests: int, seconds: float, **figures: float) -> Progress:
    return progress_of(
        [(symbol, "quote") for symbol in STOCKS[:symbols]],
        [(symbol, "quote") for symbol in STOCKS[done:symbols]],
        requests=requests,
        waited=figures.get("waited", 0.0),
        seconds=seconds,
        planned=figures.get("planned", 4.0),
    )


def test_what_is_left_is_estimated_from_the_requests_that_are() -> None:
    assert progress(200, 0, 1, 10.0).seconds_left == 30.0
    assert progress(200, 0, 0, 10.0).seconds_left is None
    assert progress(200, 150, 5, 10.0).seconds_left == 0.0, "more were needed than planned"
    text = describe(progress(2_000, 1_520, 58, 34.0, waited=12.4, planned=77))
    assert text == "1,520/2,000 symbols · 58 requests · waited 12 s · ~11 s left"
    assert len(text) + 18 <= 80


def test_a_beta_is_on_its_way_as_long_as_its_history_is() -> None:
    needs: list[Need] = [("SAAA", "quote"), ("SAAA", "risk"), ("SAAB", "risk")]
    tell = partial(progress_of, needs, requests=1, waited=0.0, seconds=1.0, planned=2.0)
    begun = tell([("SAAA", "history"), ("SAAB", "history"), (BENCHMARK, "history")])
    assert (begun.values, begun.values_done, begun.symbols, begun.done) == (3, 1, 2, 0)
    half = tell([("SAAB", "history")])
    assert (half.values_done, half.done) == (2, 1)
    computing = tell([("SAAA", "risk"), ("SAAB", "risk")])
    assert (computing.values_done, computing.done) == (3, 2)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_for_what_takes_longer_than_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with watched() as watcher:
        watcher(progress(10, 5, 1, 0.9))
    assert terminal.getvalue() == ""
    with watched() as watcher:
        for done in (5, 6):
            watcher(progress(10, done, 1, 1.1))
    assert "6/10 symbols · 1 request" in terminal.getvalue()


def test_no_bar_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with watched() as watcher:
        watcher(progress(10, 5, 1, 9.0))
    assert capsys.readouterr().err == ""


def interrupt(last: Progress | None) -> None:
    with watched() as watcher:
        if last is not None:
            watcher(last)
        raise KeyboardInterrupt


def test_an_interrupt_tells_how_far_it_was() -> None:
    with pytest.raises(KeyboardInterrupt, match=r"^3 of 9 values done; what has arrived is kept$"):
        interrupt(progress(9, 3, 1, 0.1))
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        interrupt(None)


# ------------------------------------------------------------------------------------------------ Ctrl-C


INTERRUPTED = "quotewell: interrupted (300 of 800 values done; what has arrived is kept)"


@pytest.mark.parametrize(
    ("sent", "code", "lines"), [(signal.SIGINT, 130, [INTERRUPTED]), (signal.SIGTERM, 143, [])]
)
def test_an_interrupt_keeps_what_has_arrived_and_the_next_run_asks_for_the_rest(
    simulator: MarketSimulator, tmp_path: Path, sent: signal.Signals, code: int, lines: list[str]
) -> None:
    stocks = STOCKS[:200]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUOTEWELL_")}
    environment = {
        **kept,
        "QUOTEWELL_CACHE_DIR": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "QUOTEWELL_PROVIDERS": "yahoo",
        "QUOTEWELL_YAHOO_BASE_URL": simulator.yahoo_url,
        "QUOTEWELL_YAHOO_RATE": "1000",
        "QUOTEWELL_YAHOO_BURST": "100",
        "QUOTEWELL_YAHOO_CONCURRENCY": "1",
        "QUOTEWELL_CALENDARS": "plain",
    }
    command = [sys.executable, "-m", "quotewell", "prefetch", *stocks]
    hang = simulator.fault("hang", endpoint="quote", times=1, after=2)
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        while not hang.hits:
            assert process.poll() is None
            threading.Event().wait(0.01)
        process.send_signal(sent)
        out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert out == b""
    assert err.decode().splitlines() == lines
    with closing(sqlite3.connect(tmp_path / "state.db")) as state:
        assert state.execute("select count(*) from lease").fetchone() == (0,), "the next run would wait"
    simulator.clear_faults()
    simulator.clear_log()
    again = subprocess.run(command, env=environment, capture_output=True, check=True)
    quotes = [request for request in simulator.data_requests if request.endpoint == "quote"]
    # Two batches of 50 had arrived; the third was on its way.
    assert [len(request.symbols) for request in quotes] == [50, 50]
    assert again.stdout.startswith(b"200 symbols in ")
    assert again.stdout.splitlines()[0].endswith(b": 200 fetched")


# ----------------------------------------------------------------------------------- in the middle of it


@pytest.mark.parametrize(("lane", "third"), [(Lane.INTERACTIVE, STOCKS[450]), (Lane.PREFETCH, STOCKS[100])])
def test_who_goes_first_gets_the_batch_it_waits_for_before_the_rest(
    settings: Settings, clock: ShiftedClock, simulator: MarketSimulator, lane: Lane, third: str
) -> None:
    """Of ten batches the second is held back, while somebody asks for a symbol of the last one.

    Whoever is in no hurry waits for its turn: the control.
    """
    hang = simulator.fault("hang", endpoint="quote", times=1, after=1)
    follows = threading.Event()
    with connect(msgspec.structs.replace(settings, yahoo_concurrency=1), clock=clock) as tickers:
        needs: list[Need] = [(symbol, "quote") for symbol in STOCKS[:500]]
        prefetch = threading.Thread(target=tickers.prefetch, args=[needs])
        prefetch.start()
        while not hang.hits:
            assert prefetch.is_alive()
            threading.Event().wait(0.01)
        other = threading.Thread(
            target=tickers.prefetch,
            args=[[(STOCKS[499], "quote")]],
            kwargs={"lane": lane, "progress": lambda _: follows.set()},
        )
        other.start()
        assert follows.wait(30)
        hang.release()
        prefetch.join(30)
        other.join(30)
    quotes = [request.symbols for request in simulator.data_requests if request.endpoint == "quote"]
    assert len(quotes) == 10
    assert quotes[2][0] == third


# ------------------------------------------------------------------------- triggered where work starts


POSITIONS = "symbol,quantity,currency\n" + "".join(f"{symbol},10,USD\n" for symbol in STOCKS[:30])


@pytest.mark.parametrize("ask", ["positions", "value", "summary", "what_if", "by_underlying"])
def test_a_fresh_book_costs_one_plan_however_it_is_asked(
    tickers: TickerService, simulator: MarketSimulator, ask: str
) -> None:
    book = Portfolio.from_csv((POSITIONS + "SAAA,5,EUR\nSAAC230317C00100000,-2,USD\n").encode(), tickers)
    plan = planned(tickers.plan(book.needs())) | {"chart": 1}  # for the option's underlying, which pays
    if ask == "positions":
        for position in book.positions:
            assert position.market_value
            assert position.beta
    elif ask == "what_if":
        book.what_if([0.1])
    else:
        getattr(book, ask)()
    assert sent(simulator) == {"cookie": 1, "crumb": 1, **plan}
    simulator.clear_log()
    assert book.summary().problems is not None
    assert sent(simulator) == {}


def test_a_provider_that_is_down_costs_one_failing_plan_and_not_one_a_position(
    tickers: TickerService, simulator: MarketSimulator
) -> None:
    simulator.fault("500", endpoint="*")
    book = Portfolio.from_csv(POSITIONS.encode(), tickers)
    for position in book.positions:
        with pytest.raises(DataUnavailable):
            _ = position.market_value
    assert len(simulator.requests) <= 4
