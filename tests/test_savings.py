"""What each step of the service saves, counted in requests to a simulated Yahoo.

`WRITE_DOCS=1 pytest tests/test_savings.py` writes the table of `docs/savings.md`, which these tests
hold against what they count.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from quotewell import DataUnavailable, TickerService
from quotewell.clock import ShiftedClock
from quotewell.records import Facet, Need
from quotewell.settings import Settings
from quotewell.testing import MarketSimulator
from quotewell.wiring import connect

DOCUMENT = Path(__file__).parents[1] / "docs" / "savings.md"
WRITE = "WRITE_DOCS" in os.environ
HEADER = ["| | what is asked | without it | with it |", "|---|---|---:|---:|"]
STOCKS = [f"S{chr(65 + n // 26)}{chr(65 + n % 26)}" for n in range(61)]
BOOK = STOCKS[:60]
THREADS, PROCESSES, ASKS = 8, 4, 20
UNDERLYINGS, WEEKS = 3, 26
FRIDAY_EVENING = dt.datetime(2026, 10, 9, 21, 0, tzinfo=dt.UTC).timestamp()
HOUR = 3_600.0


class Bench:
    """A simulated market, and services over caches of their own or over a common one."""

    def __init__(self, simulator: MarketSimulator, clock: ShiftedClock, folder: Path) -> None:
        self.simulator = simulator
        self.clock = clock
        self._folder = folder
        self._made = 0

    @contextlib.contextmanager
    def open(self, folder: Path | None = None) -> Iterator[TickerService]:
        """A service over `folder`, else over an empty cache of its own."""
        settings = Settings(
            providers=("yahoo",),
            yahoo_base_url=self.simulator.yahoo_url,
            yahoo_rate=10_000.0,
            yahoo_burst=1_000,
            cache_dir=self.new_folder() if folder is None else folder,
            calendars="plain",
        )
        with connect(settings, clock=self.clock) as tickers:
            yield tickers

    def new_folder(self) -> Path:
        self._made += 1
        return self._folder / str(self._made)

    def count(self, work: Callable[[], object]) -> int:
        """The requests for data that `work` makes; handshakes, one with every new cache, are not counted."""
        self.simulator.clear_log()
        work()
        return len(self.simulator.data_requests)

    def each_anew(self, work: Callable[[TickerService], object], times: int) -> int:
        """The requests when nothing is kept from one time to the next."""

        def all_times() -> None:
            for _ in range(times):
                with self.open() as tickers:
                    work(tickers)

        return self.count(all_times)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    clock = ShiftedClock(FRIDAY_EVENING)
    with MarketSimulator(symbols=STOCKS, now=clock.now) as simulator:
        yield Bench(simulator, clock, tmp_path)


def needs(symbols: list[str], *facets: Facet) -> list[Need]:
    return [(symbol, facet) for symbol in symbols for facet in facets]


def price_or_none(tickers: TickerService, symbol: str = STOCKS[0]) -> None:
    with contextlib.suppress(DataUnavailable):
        tickers.get_price(symbol)


def at_once(work: Callable[[int], object], many: int) -> None:
    """Run `work` in so many threads, none of which begins before all are there."""
    barrier = threading.Barrier(many)

    def run(number: int) -> None:
        barrier.wait(30.0)
        work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# ------------------------------------------------------------------------------------------------ the steps


def many_symbols_a_request(bench: Bench) -> tuple[int, int]:
    with bench.open() as tickers:
        without = bench.count(lambda: [tickers.get_price(symbol) for symbol in BOOK])
    with bench.open() as tickers:
        return without, bench.count(lambda: tickers.prefetch(needs(BOOK, "quote")))


def one_answer_many_facets(bench: Bench) -> tuple[int, int]:
    facets: tuple[Facet, ...] = ("quote", "profile", "dividend")

    def separately() -> None:
        for facet in facets:
            with bench.open() as tickers:
                tickers.prefetch(needs(BOOK, facet))

    without = bench.count(separately)
    with bench.open() as tickers:
        return without, bench.count(lambda: tickers.prefetch(needs(BOOK, *facets)))


def betas_from_closes(bench: Bench) -> tuple[int, int]:
    with bench.open() as tickers:
        without = bench.count(lambda: [tickers.get_beta(symbol) for symbol in BOOK])
    with bench.open() as tickers:
        return without, bench.count(lambda: tickers.prefetch(needs(BOOK, "risk")))


def memory(bench: Bench) -> tuple[int, int]:
    without = bench.each_anew(price_or_none, ASKS)
    with bench.open() as tickers:
        return without, bench.count(lambda: [tickers.get_price(STOCKS[0]) for _ in range(ASKS)])


def persistent_cache(bench: Bench) -> tuple[int, int]:
    folder = bench.new_folder()

    def run() -> None:
        with bench.open(folder) as tickers:
            tickers.prefetch(BOOK)

    return bench.count(run), bench.count(run)


def one_more_ticker(bench: Bench) -> tuple[int, int]:
    without = bench.each_anew(lambda tickers: tickers.prefetch(STOCKS), 1)
    with bench.open() as tickers:
        tickers.prefetch(BOOK)
        return without, bench.count(lambda: tickers.prefetch(STOCKS))


def single_flight(bench: Bench) -> tuple[int, int]:
    def alone(_: int) -> None:
        with bench.open() as tickers:
            tickers.prefetch(needs(BOOK, "quote"))

    without = bench.count(lambda: at_once(alone, THREADS))
    with bench.open() as tickers:
        together = bench.count(lambda: at_once(lambda _: tickers.prefetch(needs(BOOK, "quote")), THREADS))
    return without, together


def leases(bench: Bench) -> tuple[int, int]:
    folders = [bench.new_folder() for _ in range(PROCESSES)]

    def run(folder: Path) -> None:
        with bench.open(folder) as tickers:
            tickers.prefetch(needs(BOOK, "quote"))

    without = bench.count(lambda: at_once(lambda number: run(folders[number]), PROCESSES))
    shared = bench.new_folder()
    return without, bench.count(lambda: at_once(lambda _: run(shared), PROCESSES))


def sessions(bench: Bench) -> tuple[int, int]:
    def each_hour(ask: Callable[[], object]) -> None:
        for _ in range(48):
            ask()
            bench.clock.advance(HOUR)

    with bench.open() as tickers:
        without = bench.count(lambda: each_hour(lambda: tickers.refresh([(STOCKS[0], "quote")])))
    bench.clock.advance(FRIDAY_EVENING - bench.clock.now() + 7 * 24 * HOUR)
    with bench.open() as tickers:
        return without, bench.count(lambda: each_hour(lambda: tickers.get_price(STOCKS[0])))


def dividends_by_date(bench: Bench) -> tuple[int, int]:
    payouts, both = needs(BOOK[:UNDERLYINGS], "payouts"), needs(BOOK[:UNDERLYINGS], "dividend", "payouts")

    def each_week(ask: Callable[[], object]) -> None:
        for _ in range(WEEKS):
            ask()
            bench.clock.advance(7 * 24 * HOUR)

    with bench.open() as tickers:
        tickers.prefetch(both)
        without = bench.count(lambda: each_week(lambda: tickers.refresh(payouts)))
    with bench.open() as tickers:
        with_it = bench.count(lambda: each_week(lambda: tickers.prefetch(both)))
    return without, with_it


def each_second(bench: Bench, tickers: TickerService, symbol: str = STOCKS[0]) -> None:
    for _ in range(ASKS):
        price_or_none(tickers, symbol)
        bench.clock.advance(1.0)


def remembered_failure(bench: Bench) -> tuple[int, int]:
    bench.simulator.fault("500")
    without = bench.each_anew(price_or_none, ASKS)
    with bench.open() as tickers:
        return without, bench.count(lambda: each_second(bench, tickers))


def remembered_429(bench: Bench) -> tuple[int, int]:
    bench.simulator.fault("429")
    without = bench.each_anew(price_or_none, ASKS)
    with bench.open() as tickers:
        return without, bench.count(lambda: each_second(bench, tickers))


def remembered_unknown(bench: Bench) -> tuple[int, int]:
    def typo(tickers: TickerService) -> None:
        price_or_none(tickers, "TYPO")

    without = bench.each_anew(typo, ASKS)
    with bench.open() as tickers:
        return without, bench.count(lambda: each_second(bench, tickers, "TYPO"))


class Step(NamedTuple):
    asked: str
    counts: Callable[[Bench], tuple[int, int]]


STEPS = {
    "many symbols a request": Step("60 prices", many_symbols_a_request),
    "one answer, many facets": Step("price, name and yield of 60 symbols", one_answer_many_facets),
    "betas from closes": Step("60 betas", betas_from_closes),
    "memory": Step(f"one price, {ASKS} times", memory),
    "the persistent cache": Step("price, name, yield and beta of 60, a minute later", persistent_cache),
    "only what is missing": Step("the same of 61, with 60 in the cache", one_more_ticker),
    "single flight": Step(f"60 prices, by {THREADS} threads at once", single_flight),
    "leases": Step(f"60 prices, by {PROCESSES} processes at once", leases),
    "market sessions": Step("one price each hour of a weekend", sessions),
    "dividends when they are due": Step(
        f"ex-dates of {UNDERLYINGS}, each week of half a year", dividends_by_date
    ),
    "a failure is remembered": Step(f"one price, {ASKS} times in 20 s of an outage", remembered_failure),
    "a 429 pauses all": Step(f"one price, {ASKS} times in 20 s after a 429", remembered_429),
    "an unknown symbol is remembered": Step(f"a mistyped symbol, {ASKS} times", remembered_unknown),
}  # fmt: skip


def row(name: str, without: int, with_it: int) -> str:
    return f"| {name} | {STEPS[name].asked} | {without:,} | {with_it:,} |"


@pytest.mark.parametrize("name", STEPS)
def test_what_a_step_saves_is_what_the_page_says(name: str, bench: Bench) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of stale values, in an outage
        without, with_it = STEPS[name].counts(bench)
    assert with_it < without
    line = row(name, without, with_it)
    if WRITE:
        write(name, line)
    assert documented()[name] == line


def test_the_page_has_all_steps_in_order() -> None:
    assert list(documented()) == list(STEPS)


def documented() -> dict[str, str]:
    lines = re.findall(
        r"^\| [^|]+ \| [^|]+ \| [\d,]+ \| [\d,]+ \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE
    )
    return {line.split("|")[1].strip(): line for line in lines}


def write(name: str, line: str) -> None:
    rows = {**documented(), name: line}
    text = DOCUMENT.read_text("utf-8")
    table = "\n".join([*HEADER, *(rows[step] for step in STEPS if step in rows)])
    text = re.sub(r"^\| \| what(.*\n)*?\n", lambda _: f"{table}\n\n", text, flags=re.MULTILINE)
    DOCUMENT.write_text(text, "utf-8")
