from __future__ import annotations

import datetime as dt

import pytest

from quotewell.calendars import close_of
from quotewell.portfolio.marks import Mark, is_later, is_matched, last_mark, option_marks
from quotewell.records import Quote

CLOSE = close_of(dt.date(2025, 5, 8))
NOON = CLOSE - 4 * 3600
HOUR = 3600.0


def quote(
    bid: float | None = None, ask: float | None = None, last: float | None = None, at: float = NOON
) -> Quote:
    return Quote(
        symbol="X", source="s", bid=bid, ask=ask, last=last, as_of=NOON - HOUR, fetched_at=at, currency="USD"
    )


@pytest.mark.parametrize(
    ("bid", "ask", "prices"),
    [
        (5.0, 5.2, [5.1, 5.5]),
        (0.05, 0.15, [0.1, 5.5]),  # 0.10 wide is fine however cheap the option is
        (4.0, 5.0, [4.5, 5.5]),
        (4.0, 5.2, [5.5]),  # wider than a quarter of the middle
        (0.0, 0.05, [5.5]),
        (5.0, 4.9, [5.5]),
        (None, 5.0, [5.5]),
    ],
)
def test_the_middle_counts_only_between_a_bid_and_a_near_ask(
    bid: float | None, ask: float | None, prices: list[float]
) -> None:
    assert [mark.price for mark in option_marks(quote(bid, ask, 5.5))] == pytest.approx(prices)


def test_the_middle_is_of_the_time_it_was_asked_for_or_of_the_last_close() -> None:
    (middle,) = option_marks(quote(5.0, 5.2))
    assert middle.time == NOON
    assert middle.half_spread == pytest.approx(0.1)
    (after_hours,) = option_marks(quote(5.0, 5.2, at=CLOSE + 5 * HOUR))
    assert after_hours.time == CLOSE


def test_a_quote_without_a_trade_has_no_last_mark() -> None:
    assert last_mark(quote()) is None
    assert option_marks(quote()) == []
    assert last_mark(quote(last=5.5)) == Mark(5.5, NOON - HOUR, "s", "USD")


@pytest.mark.parametrize(
    ("first", "second", "matched"),
    [
        (NOON, NOON + 900, True),
        (NOON, NOON + 901, False),
        (CLOSE, CLOSE + 4 * HOUR, True),  # both are that session's close
        (CLOSE - 1800, CLOSE, False),
        (CLOSE, CLOSE + 24 * HOUR, False),
        (None, NOON, False),
        (NOON, None, False),
    ],
)
def test_prices_match_within_a_quarter_of_an_hour_or_at_one_close(
    first: float | None, second: float | None, matched: bool
) -> None:
    assert is_matched(Mark(5.0, first, "s", None), Mark(190.0, second, "s", None)) is matched


def test_prices_of_two_sources_never_match() -> None:
    assert not is_matched(Mark(5.0, NOON, "s", None), Mark(190.0, NOON, "t", None))


@pytest.mark.parametrize(
    ("as_of", "fetched_at", "later"),
    [
        (100.0, None, False),
        (161.0, None, True),
        (None, 161.0, True),
        (100.0, 500.0, False),
        (None, None, False),
    ],
)
def test_later_is_judged_by_the_as_of_with_a_minute_for_the_clocks(
    as_of: float | None, fetched_at: float | None, later: bool
) -> None:
    assert is_later(Quote(symbol="X", as_of=as_of, fetched_at=fetched_at), 100.0) is later
    assert not is_later(Quote(symbol="X", as_of=1e18), None)
