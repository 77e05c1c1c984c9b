"""`@cached` on functions and methods, of one key and of many."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec
import pytest

from quotewell import DataUnavailable, TickerService, UsageError, cached
from quotewell.cache.memory_level import MemoryLevel
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.coordination.local import LocalCoordinator
from quotewell.records import Result
from quotewell.settings import Settings
from quotewell.testing import ManualClock
from quotewell.wiring import connect


class Rating(msgspec.Struct):
    symbol: str
    stars: int


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(patience=30)


@pytest.fixture
def tickers(clock: ManualClock) -> Iterator[TickerService]:
    with connect(
        Settings(), clock=clock, providers=[], stores=(MemoryLevel(clock), LocalCoordinator(clock))
    ) as made:
        yield made


def test_a_result_is_computed_once_within_its_lifetime(tickers: TickerService, clock: ManualClock) -> None:
    calls: list[str] = []

    @cached(tickers, fresh=60)
    def rating(symbol: str) -> int:
        calls.append(symbol)
        return len(calls)

    assert [rating("AAPL"), rating("AAPL"), rating("MSFT")] == [1, 1, 2]
    clock.advance(61)
    assert rating("AAPL") == 3
    assert calls == ["AAPL", "MSFT", "AAPL"]


def test_only_missing_keys_reach_a_bulk_function(tickers: TickerService) -> None:
    asked: list[list[str]] = []

    @cached(tickers, fresh=60, bulk=True)
    def ratings(symbols: Collection[str]) -> dict[str, int]:
        asked.append(list(symbols))
        return {symbol: len(symbol) for symbol in symbols if symbol != "NOPE"}

    assert ratings(["AAPL", "GE"]) == {"AAPL": 4, "GE": 2}
    assert ratings(["GE", "V", "NOPE", "V"]) == {"GE": 2, "V": 1}
    assert asked == [["AAPL", "GE"], ["V", "NOPE"]]


def test_all_arguments_make_the_key_however_they_are_passed(tickers: TickerService) -> None:
    calls: list[tuple[int, str]] = []

    @cached(tickers, fresh=60)
    def bars(days: int, symbol: str = "AAPL") -> str:
        calls.append((days, symbol))
        return f"{symbol} {days}"

    assert bars(5) == bars(days=5) == bars(symbol="AAPL", days=5) == "AAPL 5"
    assert bars(5, "MSFT") == "MSFT 5"
    assert calls == [(5, "AAPL"), (5, "MSFT")]


def test_an_argument_that_cannot_be_a_key_is_refused(tickers: TickerService) -> None:
    @cached(tickers, fresh=60)
    def f(thing: object, n: int = 1) -> int:
        return n

    with pytest.raises(UsageError, match="cannot be a cache key"):
        f(object())


def test_methods_share_results_between_objects(tickers: TickerService) -> None:
    class Desk:
        def __init__(self) -> None:
            self.source = tickers
            self.calls = 0

        @cached("source", fresh=60)
        def rating(self, symbol: str) -> int:
            self.calls += 1
            return self.calls

        @cached("source", fresh=60, bulk=True)
        def ratings(self, symbols: Collection[str]) -> dict[str, int]:
            self.calls += 1
            return dict.fromkeys(symbols, self.calls)

    one, two = Desk(), Desk()
    assert one.rating("AAPL") == two.rating("AAPL") == 1
    assert two.calls == 0
    assert one.ratings(["AAPL"]) == {"AAPL": 2}
    assert one.rating.invalidate("AAPL") == 1
    assert one.rating("AAPL") == 3


def test_results_come_back_as_the_annotated_type_after_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    calls: list[str] = []
    for _ in range(2):
        stores = (SqliteLevel(tmp_path / "cache.db", clock), LocalCoordinator(clock))
        with connect(Settings(), clock=clock, providers=[], stores=stores) as service:

            @cached(service, fresh=60, namespace="rating")
            def rating(symbol: str) -> Rating:
                calls.append(symbol)
                return Rating(symbol, 5)

            assert rating("AAPL") == Rating("AAPL", 5)
    assert calls == ["AAPL"]


def test_a_stored_result_of_another_type_is_a_miss(clock: ManualClock) -> None:
    level = MemoryLevel(clock)
    stored = Result(
        symbol="AAPL", source="x", fetched_at=clock.now(), blob=msgspec.msgpack.encode("no rating")
    )
    level.put_many("result:rating", [stored], begun=level.rev())
    with connect(Settings(), clock=clock, providers=[], stores=(level, LocalCoordinator(clock))) as service:

        @cached(service, fresh=60, namespace="rating")
        def rating(symbol: str) -> int:
            return 7

        assert rating("AAPL") == 7


def test_a_result_that_cannot_be_stored_is_refused(tickers: TickerService) -> None:
    @cached(tickers, fresh=60)
    def f(symbol: str) -> object:
        return threading.Lock()

    with pytest.raises(UsageError, match="the result cannot be cached"):
        f("AAPL")


def test_an_error_goes_to_the_caller_and_is_not_cached(tickers: TickerService) -> None:
    broken = True

    @cached(tickers, fresh=60)
    def rating(symbol: str) -> int:
        if broken:
            raise KeyError(symbol)
        return 5

    with pytest.raises(KeyError, match="AAPL"):
        rating("AAPL")
    broken = False
    assert rating("AAPL") == 5


def test_on_error_serves_the_old_result_and_throttle_spares_the_function(
    tickers: TickerService, clock: ManualClock
) -> None:
    calls: list[str] = []

    @cached(tickers, fresh=60, on_error=3600, throttle=30)
    def rating(symbol: str) -> int:
        calls.append(symbol)
        if len(calls) > 1 or symbol == "BAD":
            raise OSError("down")
        return 5

    assert rating("AAPL") == 5
    clock.advance(61)
    assert rating("AAPL") == rating("AAPL") == 5
    assert calls == ["AAPL", "AAPL"]
    with pytest.raises(OSError, match="down"):
        rating("BAD")
    with pytest.raises(DataUnavailable, match="OSError: down"):
        rating("BAD")
    assert calls == ["AAPL", "AAPL", "BAD"]


def test_a_bulk_error_goes_to_the_caller(tickers: TickerService) -> None:
    @cached(tickers, fresh=60, throttle=30, bulk=True)
    def ratings(symbols: Collection[str]) -> dict[str, int]:
        raise OSError("down")

    with pytest.raises(OSError, match="down"):
        ratings(["AAPL"])
    with pytest.raises(DataUnavailable, match="down"):
        ratings(["AAPL"])


@pytest.mark.parametrize("arguments", [("AAPL",), (["AAPL"], ["MSFT"]), (iter(["AAPL"]),), (5,)])
def test_a_bulk_function_takes_one_collection(tickers: TickerService, arguments: tuple[object, ...]) -> None:
    @cached(tickers, fresh=60, bulk=True)
    def ratings(*symbols: object) -> dict[str, int]:
        return {}

    with pytest.raises(UsageError, match="takes one collection of keys"):
        ratings(*arguments)


def test_invalidate_clear_and_stats(tickers: TickerService) -> None:
    @cached(tickers, fresh=60, bulk=True, namespace="r")
    def ratings(symbols: Collection[str]) -> dict[str, int]:
        return dict.fromkeys(symbols, 1)

    ratings(["AAPL", "MSFT"])
    ratings(["AAPL"])
    assert ratings.invalidate(["AAPL"]) == 1
    ratings(["AAPL"])
    stats = ratings.stats()
    assert (stats.memory_hits, stats.misses, stats.fetched) == (1, 3, 3)
    assert stats.hit_rate == 0.25
    assert ratings.clear() == 2


def test_none_is_a_result(tickers: TickerService) -> None:
    calls: list[str] = []

    @cached(tickers, fresh=60)
    def rating(symbol: str) -> int | None:
        calls.append(symbol)
        return None

    assert rating("AAPL") is None
    assert rating("AAPL") is None
    assert calls == ["AAPL"]


def test_the_decorated_function_keeps_its_name() -> None:
    @cached("source", fresh=1)
    def rating(symbol: str) -> int:
        """Stars."""
        return 1

    assert (rating.__name__, rating.__doc__) == ("rating", "Stars.")


def test_asynchronous_functions_and_methods(tickers: TickerService) -> None:
    calls: list[str] = []

    @cached(tickers, fresh=60)
    async def rating(symbol: str) -> int:
        calls.append(symbol)
        await asyncio.sleep(0)
        if symbol == "BAD":
            raise OSError("down")
        return len(calls)

    class Desk:
        source = tickers

        @cached("source", fresh=60, bulk=True)
        async def ratings(self, symbols: Collection[str]) -> dict[str, int]:
            return {symbol: await rating(symbol) for symbol in symbols}

    async def scenario() -> None:
        assert await rating("AAPL") == 1
        assert await rating("AAPL") == 1
        assert await Desk().ratings(["AAPL", "MSFT"]) == {"AAPL": 1, "MSFT": 2}
        with pytest.raises(OSError, match="down"):
            await rating("BAD")

    asyncio.run(scenario())
    assert calls == ["AAPL", "MSFT", "BAD"]


def test_tasks_that_await_at_once_share_one_call(tickers: TickerService) -> None:
    calls: list[str] = []

    async def scenario() -> None:
        begun, release = asyncio.Event(), asyncio.Event()

        @cached(tickers, fresh=60)
        async def inner(symbol: str) -> int:
            calls.append(symbol)
            begun.set()
            await release.wait()
            return 5

        @cached(tickers, fresh=60)
        async def outer(n: int) -> int:
            return n + await inner("AAPL")

        tasks = [asyncio.create_task(outer(n % 50)) for n in range(200)]
        await begun.wait()
        release.set()
        assert await asyncio.gather(*tasks) == [n % 50 + 5 for n in range(200)]

    asyncio.run(scenario())
    assert calls == ["AAPL"]


def test_a_cancelled_task_does_not_take_the_result_from_the_others(tickers: TickerService) -> None:
    async def scenario() -> None:
        release = asyncio.Event()
        begun = asyncio.Event()

        @cached(tickers, fresh=60)
        async def rating(symbol: str) -> int:
            begun.set()
            await release.wait()
            return 5

        first, second = asyncio.create_task(rating("AAPL")), asyncio.create_task(rating("AAPL"))
        await begun.wait()
        first.cancel()
        release.set()
        assert await second == 5
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(scenario())


def test_clearing_the_cache_forgets_results_too(tickers: TickerService) -> None:
    @cached(tickers, fresh=60)
    def rating(symbol: str) -> int:
        return 5

    rating("AAPL")
    assert tickers.clear_cache() == 1
    assert rating.clear() == 0
