"""What `@cached` stores and hands out: keys that differ when arguments do, results of the annotated type."""

from __future__ import annotations

import asyncio
import datetime as dt
import typing
from collections.abc import Callable, Collection, Iterator, Mapping

import msgspec
import pytest

from quotewell import TickerService, UsageError, cached
from quotewell.cache.memory_level import MemoryLevel
from quotewell.coordination.local import LocalCoordinator
from quotewell.settings import Settings
from quotewell.testing import ManualClock
from quotewell.wiring import connect

if typing.TYPE_CHECKING:
    from decimal import Decimal


class Rating(msgspec.Struct):
    symbol: str
    day: dt.date


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(patience=30)


@pytest.fixture
def tickers(clock: ManualClock) -> Iterator[TickerService]:
    stores = (MemoryLevel(clock), LocalCoordinator(clock))
    with connect(Settings(), clock=clock, providers=[], stores=stores) as made:
        yield made


# ------------------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, "1"),
        (1, "[1]"),
        ("a", '["a"]'),
        (None, "null"),
        (True, 1),
        (1, 1.0),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 2}),
        ("", " "),
    ],
)
def test_different_arguments_have_different_keys(tickers: TickerService, one: object, other: object) -> None:
    @cached(tickers, fresh=60)
    def shown(thing: object) -> str:
        return repr(thing)

    assert [shown(one), shown(other), shown(one)] == [repr(one), repr(other), repr(one)]


@pytest.mark.parametrize(
    ("one", "other"),
    [({"a": 1, "b": 2}, {"b": 2, "a": 1}), ({"x", "y", "z"}, {"z", "y", "x"}), ((1, 2), [1, 2])],
    ids=["dict", "set", "sequence"],
)
def test_the_order_of_what_has_none_makes_no_other_key(
    tickers: TickerService, one: object, other: object
) -> None:
    calls: list[object] = []

    @cached(tickers, fresh=60)
    def count(thing: object, factor: int = 2) -> int:
        calls.append(thing)
        return len(calls) * factor

    assert count(one) == count(other) == count(other, factor=2) == 2
    assert count(one, 3) == 6


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_know_cannot_be_a_key(tickers: TickerService, number: float) -> None:
    @cached(tickers, fresh=60)
    def shown(number: float | None) -> str:
        return repr(number)

    assert shown(None) == "None"
    with pytest.raises(UsageError, match="cannot be a cache key: one is not finite"):
        shown(number)


def test_a_bulk_key_is_text(tickers: TickerService) -> None:
    @cached(tickers, fresh=60, bulk=True)
    def ratings(symbols: Collection[object]) -> dict[object, int]:
        return dict.fromkeys(symbols, 1)

    with pytest.raises(UsageError, match="5 cannot be a cache key: it is no text"):
        ratings(["AAPL", 5])


def test_an_iterator_is_refused_by_asynchronous_functions_too(tickers: TickerService) -> None:
    @cached(tickers, fresh=60, bulk=True)
    async def ratings(symbols: object) -> dict[str, int]:
        raise AssertionError("it is not called")

    with pytest.raises(UsageError, match="takes one collection of keys"):
        asyncio.run(ratings(iter(["AAPL"])))


# ---------------------------------------------------------------------------------------------- results


def test_a_result_that_was_invalidated_while_it_was_computed_goes_to_its_caller_all_the_same(
    tickers: TickerService,
) -> None:
    calls: list[str] = []

    @cached(tickers, fresh=60)
    def rating(symbol: str) -> int:
        calls.append(symbol)
        if len(calls) == 1:
            rating.invalidate(symbol)
        return len(calls)

    assert rating("AAPL") == 1
    assert rating("AAPL") == 2, "the first result was stored although it was invalidated"
    assert rating("AAPL") == 2


def test_the_first_caller_gets_what_later_ones_get(tickers: TickerService) -> None:
    @cached(tickers, fresh=60)
    def closes(symbol: str) -> list[tuple[dt.date, float]]:
        return [(dt.date(2025, 1, 2), 1.0)]

    @cached(tickers, fresh=60, bulk=True)
    def ratings(symbols: Collection[str]) -> Mapping[str, Rating]:
        return {symbol: Rating(symbol, dt.date(2025, 1, 2)) for symbol in symbols}

    for _ in range(2):
        assert closes("AAPL") == [(dt.date(2025, 1, 2), 1.0)]
        assert ratings(["AAPL"]) == {"AAPL": Rating("AAPL", dt.date(2025, 1, 2))}


@pytest.mark.parametrize("bulk", [False, True])
def test_a_result_that_is_not_what_the_annotation_says_is_refused(tickers: TickerService, bulk: bool) -> None:
    wrong: typing.Any = {"AAPL": "no number"} if bulk else "no number"

    def one(symbol: str) -> int:
        return typing.cast("int", wrong)

    def many(symbols: Collection[str]) -> dict[str, int]:
        return typing.cast("dict[str, int]", wrong)

    function: Callable[..., object] = many if bulk else one
    asking = cached(tickers, fresh=60, bulk=bulk)(function)
    with pytest.raises(UsageError, match="the result cannot be cached: Expected `int`, got `str`"):
        asking(["AAPL"] if bulk else "AAPL")


def test_parameters_may_be_annotated_for_the_type_checker_alone(tickers: TickerService) -> None:
    @cached(tickers, fresh=60)
    def rating(symbol: str, weight: Decimal | None = None) -> dt.date:
        return dt.date(2025, 1, 2)

    assert rating("AAPL") == rating("AAPL") == dt.date(2025, 1, 2)


def test_a_result_type_that_cannot_be_resolved_is_told(tickers: TickerService) -> None:
    @cached(tickers, fresh=60)
    def rating(symbol: str) -> Decimal:
        raise AssertionError("it is not called")

    with pytest.raises(UsageError, match="because of their type: name 'Decimal' is not defined"):
        rating("AAPL")


def test_a_bulk_function_whose_result_is_no_mapping_by_its_annotation_is_untyped(
    tickers: TickerService,
) -> None:
    @cached(tickers, fresh=60, bulk=True)
    def ratings(symbols: Collection[str]) -> dict[str, int] | None:
        return dict.fromkeys(symbols, 1)

    assert ratings(["AAPL"]) == ratings(["AAPL"]) == {"AAPL": 1}
