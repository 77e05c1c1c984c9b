"""Opening, sharing, forking and closing services; ending a process whatever is still on its way."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine_parts import LONGEST_WAIT, fetches_ended, in_threads, price_of, service_on, wait_until
from quotewell import CacheError, TickerService
from quotewell.cache.memory_level import MemoryLevel
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.clock import ShiftedClock
from quotewell.coordination.local import LocalCoordinator
from quotewell.coordination.sqlite import SqliteCoordinator
from quotewell.protocols import Coordinator, Level
from quotewell.testing import FakeProvider, ManualClock, MarketSimulator

PRICES = {"AAPL": 200.0, "MSFT": 400.0}
MANY = {f"S{first}{second}": 1.0 for first in "ABCDEFGHIJ" for second in "ABCDEFGHIJKL"}
FIVE_MINUTES = 300.0
PROMPT = 5.0
"""Seconds within which an interpreter ends on a busy machine; a request may take three times as long."""


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock(1_736_953_200.0)


@pytest.fixture
def provider(clock: ShiftedClock) -> FakeProvider:
    return FakeProvider(clock, PRICES)


def on_disk(folder: Path, clock: ShiftedClock) -> tuple[Level, Coordinator]:
    return SqliteLevel(folder / "cache.db", clock), SqliteCoordinator(folder / "state.db", clock)


# -------------------------------------------------------------------------------------------------- closing


@pytest.mark.parametrize("disk", [False, True])
def test_closing_twice_is_closing_once(
    tmp_path: Path, clock: ShiftedClock, provider: FakeProvider, disk: bool
) -> None:
    stores = on_disk(tmp_path, clock) if disk else (MemoryLevel(clock), LocalCoordinator(clock))
    with service_on(stores, clock, provider) as tickers:
        tickers.get_price("AAPL")
        tickers.close()
    tickers.close()


USES: dict[str, Callable[[TickerService], object]] = {
    "get_price": lambda tickers: tickers.get_price("AAPL"),
    "get_beta": lambda tickers: tickers.get_beta("AAPL"),
    "get_ticker_data": lambda tickers: tickers.get_ticker_data("AAPL"),
    "get_many": lambda tickers: tickers.get_many(["AAPL", "MSFT"]),
    "quotes": lambda tickers: tickers.quotes(["AAPL"]),
    "closes": lambda tickers: tickers.closes(["AAPL"]),
    "peek": lambda tickers: tickers.peek([("AAPL", "quote")]),
    "prefetch": lambda tickers: tickers.prefetch(["AAPL"]),
    "refresh": lambda tickers: tickers.refresh(["AAPL"]),
    "invalidate": lambda tickers: tickers.invalidate(["AAPL"]),
    "clear_cache": lambda tickers: tickers.clear_cache(),
    "cache_stats": lambda tickers: tickers.cache_stats(),
    "daily_stats": lambda tickers: tickers.daily_stats(),
}


@pytest.mark.parametrize("use", USES)
def test_a_closed_service_says_that_it_is_closed(
    tmp_path: Path, clock: ShiftedClock, provider: FakeProvider, use: str
) -> None:
    tickers = service_on(on_disk(tmp_path, clock), clock, provider)
    assert tickers.get_price("AAPL") == 200.0  # in memory, and believed for a moment
    tickers.close()
    with pytest.raises(CacheError, match="is closed") as caught:
        USES[use](tickers)
    assert caught.value.hint == "open a new service"
    assert provider.requests == 1


def test_an_answer_that_comes_after_closing_is_dropped_in_silence(
    tmp_path: Path, clock: ShiftedClock, provider: FakeProvider
) -> None:
    tickers = service_on(on_disk(tmp_path, clock), clock, provider)
    provider.hold()
    price_of(tickers, "AAPL", timeout=0.0)
    provider.await_calls(1)
    tickers.close()
    provider.release()
    fetches_ended()


def test_closing_while_others_read_gives_each_an_answer_or_says_why_not(
    tmp_path: Path, clock: ShiftedClock
) -> None:
    provider = FakeProvider(clock, MANY)
    for _ in range(5):
        tickers = service_on(on_disk(tmp_path, clock), clock, provider)
        tickers.clear_cache()
        together = threading.Barrier(9)

        def read(number: int, tickers: TickerService = tickers, start: threading.Barrier = together) -> str:
            start.wait(LONGEST_WAIT)
            symbols = list(MANY)[number::4]
            try:
                while True:
                    needs = [(symbol, "quote") for symbol in symbols]
                    for outcome in tickers.refresh(needs).outcomes.values():
                        if outcome.status != "fetched":
                            return outcome.reason
            except CacheError as error:
                return str(error)

        errands = in_threads(8, read)
        together.wait(LONGEST_WAIT)
        enough = provider.requests + 20
        wait_until(lambda enough=enough: provider.requests > enough)  # type: ignore[misc]
        tickers.close()
        for errand in errands:
            assert "closed" in str(errand.result())
        fetches_ended()


# ------------------------------------------------------------------------------------------------- together


def test_services_of_one_process_share_a_folder(
    tmp_path: Path, clock: ShiftedClock, provider: FakeProvider
) -> None:
    services = [service_on(on_disk(tmp_path, clock), clock, provider) for _ in range(4)]
    assert [tickers.get_price("AAPL") for tickers in services] == [200.0] * 4
    assert provider.requests == 1
    services[0].close()
    provider.prices["AAPL"] = 201.0
    services[1].invalidate(["AAPL"])
    clock.advance(0.05)
    assert [tickers.get_price("AAPL") for tickers in services[1:]] == [201.0] * 3
    assert provider.requests == 2
    for tickers in services:
        tickers.close()
    with service_on(on_disk(tmp_path, clock), clock, provider) as again:
        assert again.get_price("AAPL") == 201.0
    assert provider.requests == 2


# --------------------------------------------------------------------------------------- scarcity of threads


@pytest.fixture
def no_more_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], None]]:
    """Switches whether the library can start threads."""
    start = threading.Thread.start
    exhausted = threading.Event()

    def refuse(self: threading.Thread) -> None:
        if exhausted.is_set() and self.name.startswith("quotewell"):
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    yield lambda on: exhausted.set() if on else exhausted.clear()
    exhausted.clear()


def test_without_threads_callers_fetch_for_themselves(
    clock: ShiftedClock, no_more_threads: Callable[[bool], None]
) -> None:
    provider = FakeProvider(clock, MANY)
    tickers = service_on((MemoryLevel(clock), LocalCoordinator(clock)), clock, provider)
    no_more_threads(True)
    assert all(reading.usable for reading in tickers.quotes(MANY).values())
    assert len(provider.calls) == 3


def test_without_threads_a_value_in_grace_is_answered_and_refreshed_later(
    no_more_threads: Callable[[bool], None],
) -> None:
    clock = ManualClock()
    provider = FakeProvider(clock, PRICES)
    tickers = service_on((MemoryLevel(clock), LocalCoordinator(clock)), clock, provider)
    tickers.get_price("AAPL")
    clock.advance(FIVE_MINUTES + 1)
    provider.prices["AAPL"] = 201.0
    no_more_threads(True)
    assert tickers.get_price("AAPL") == 200.0
    assert provider.requests == 1
    no_more_threads(False)
    assert tickers.get_price("AAPL") == 200.0
    fetches_ended()
    assert tickers.get_price("AAPL") == 201.0


def test_batches_go_on_with_the_threads_that_can_be_had(
    clock: ShiftedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = FakeProvider(clock, MANY)
    tickers = service_on((MemoryLevel(clock), LocalCoordinator(clock)), clock, provider, yahoo_concurrency=3)
    start = threading.Thread.start

    def refuse(self: threading.Thread) -> None:
        if self.name == "quotewell-batch":
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert all(reading.usable for reading in tickers.quotes(MANY).values())
    assert len(provider.calls) == 3


# ---------------------------------------------------------------------------------------- ends of processes


def run(program: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python process that runs `program`, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *map(str, arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


HANGING = """
    import sys, threading
    import quotewell

    how, url, folder = sys.argv[1:]
    tickers = quotewell.open(yahoo_base_url=url, cache_dir=folder, providers=("yahoo",))
    thread = threading.Thread(target=tickers.quotes, args=(["AAPL"],), daemon=True)
    thread.start()
    sys.stdin.readline()
    if how == "closed":
        tickers.close()
    print("ending", flush=True)
"""


@pytest.mark.parametrize("how", ["closed", "left open"])
def test_a_process_ends_promptly_while_a_request_hangs(tmp_path: Path, how: str) -> None:
    with MarketSimulator(symbols=["AAPL"]) as simulator:
        fault = simulator.fault("hang")
        with run(HANGING, how, simulator.yahoo_url, tmp_path) as process:
            wait_until(lambda: fault.hits)
            began = time.monotonic()
            said, errors = process.communicate("end\n", timeout=30)
            ended = time.monotonic()
    assert (said, errors, process.returncode) == ("ending\n", "", 0)
    assert ended - began < PROMPT


FORKING = """
    import os, sys, threading
    from pathlib import Path
    from quotewell.cache.sqlite.level import SqliteLevel
    from quotewell.clock import SystemClock
    from quotewell.coordination.sqlite import SqliteCoordinator
    from quotewell.settings import Settings
    from quotewell.testing import FakeProvider
    from quotewell.wiring import connect
    import warnings

    warnings.filterwarnings("ignore", category=DeprecationWarning)  # forking beside threads is the point
    parent, folder, clock = os.getpid(), Path(sys.argv[1]), SystemClock()
    called = threading.Event()

    class Slow(FakeProvider):
        def fetch(self, call, *, lane, deadline):
            if os.getpid() == parent and "SLOW" in call.symbols:
                called.set()
                threading.Event().wait()
            return super().fetch(call, lane=lane, deadline=deadline)

    provider = Slow(clock, {"AAPL": 200.0, "MSFT": 400.0, "NVDA": 100.0, "SLOW": 1.0})
    stores = SqliteLevel(folder / "cache.db", clock), SqliteCoordinator(folder / "state.db", clock)
    tickers = connect(Settings(lease_seconds=0.3), clock=clock, providers=[provider], stores=stores)
    assert tickers.get_price("AAPL") == 200.0
    threading.Thread(target=tickers.quotes, args=(["SLOW"],), daemon=True).start()
    called.wait()
    child = os.fork()
    if child == 0:
        assert tickers.get_price("AAPL") == 200.0
        assert len(provider.calls) == 1, "what the parent has read is still there"
        assert tickers.get_price("MSFT") == 400.0
        assert tickers.get_price("SLOW", timeout=10) == 1.0, "no thread of the child's is fetching it"
        provider.prices["AAPL"] = 201.0
        tickers.refresh([("AAPL", "quote")])
        tickers.invalidate(["NVDA"], hard=True)
        tickers.close()
        print("child", flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    calls = len(provider.calls)
    deadline = clock.monotonic() + 10
    while tickers.get_price("AAPL") != 201.0:
        assert clock.monotonic() < deadline
    assert tickers.get_price("MSFT") == 400.0
    assert len(provider.calls) == calls, "what the child has fetched is there"
    assert tickers.get_price("NVDA") == 100.0
    tickers.close()
    print("parent", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_reads_and_writes_and_does_not_wait_for_its_parents_threads(tmp_path: Path) -> None:
    with run(FORKING, tmp_path) as process:
        said, errors = process.communicate(timeout=60)
    assert (said, errors, process.returncode) == ("child\nparent\n", "", 0)


EXHAUSTED = """
    import resource, sys, threading
    from pathlib import Path
    import quotewell

    tickers = quotewell.open(cache_dir=sys.argv[1], providers=("snapshot",))
    assert tickers.get_price("MSFT") > 0  # everything is imported
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    threading.stack_size(1 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 29), -1))
    try:
        threading.Thread(target=print).start()
    except RuntimeError:
        print("no threads", flush=True)
    print(tickers.get_price("AAPL"), flush=True)
    tickers.close()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")
def test_a_process_without_room_for_another_thread_still_gets_prices(tmp_path: Path) -> None:
    with run(EXHAUSTED, tmp_path) as process:
        said, errors = process.communicate(timeout=60)
    assert (said, errors, process.returncode) == ("no threads\n125.674\n", "", 0)
