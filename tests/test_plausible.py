from __future__ import annotations

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quotewell.calendars import close_of
from quotewell.errors import ProviderError
from quotewell.providers.plausible import SuspectPrice, doubt_of_scale, doubt_of_yield, weigh
from quotewell.records import Closes, Failure, Quote, Split

DAY = 86_400.0
WEDNESDAY = dt.date(2024, 5, 15)
NOW = close_of(WEDNESDAY) - 3600.0
"""A Wednesday, 15:00 New York."""


def quote(
    last: float, previous_close: float | None = None, *, symbol: str = "AAPL", as_of: float = NOW
) -> Quote:
    return Quote(
        symbol=symbol,
        source="yahoo",
        as_of=as_of,
        fetched_at=as_of,
        last=last,
        previous_close=previous_close,
        currency="USD",
    )


def suspicion(at: float) -> Failure:
    return Failure("suspect", "held back", "yahoo", 1, at, at, at + 30.0)


def session(days: int) -> float:
    """15:00 New York on the weekday that many sessions before the Wednesday."""
    day, left = WEDNESDAY, days
    while left:
        day -= dt.timedelta(days=1)
        left -= day.weekday() < 5
    return close_of(day) - 3600.0


@pytest.mark.parametrize(
    ("last", "previous_close", "accepted"),
    [
        (100.0, 100.0, True),
        (299.9, 100.0, True),
        (300.1, 100.0, False),
        (33.4, 100.0, True),
        (33.3, 100.0, False),
        (0.0001, 150.0, False),
        (1e-9, 0.5, True),
        (40.0, 0.99, True),
    ],
)
def test_a_price_is_weighed_against_the_previous_close_of_its_answer(
    last: float, previous_close: float, accepted: bool
) -> None:
    new = quote(last, previous_close)
    if accepted:
        assert weigh(new, None, (), NOW) is new
    else:
        with pytest.raises(SuspectPrice, match=r"AAPL: price .* held back") as held:
            weigh(new, None, (), NOW)
        assert held.value.failure == "suspect"
        assert held.value.provider == "yahoo"
        assert held.value.price == last
        assert held.value.kept is None


@pytest.mark.parametrize(("sessions_ago", "held"), [(0, True), (1, True), (5, True), (6, False)])
def test_without_a_previous_close_the_stored_price_of_five_sessions_is_the_evidence(
    sessions_ago: int, held: bool
) -> None:
    stored = quote(100.0, as_of=session(sessions_ago))
    if held:
        with pytest.raises(SuspectPrice):
            weigh(quote(1000.0), stored, (), NOW)
    else:
        assert weigh(quote(1000.0), stored, (), NOW).unverified


def test_a_stored_price_without_market_time_is_as_old_as_its_fetch() -> None:
    with pytest.raises(SuspectPrice):
        weigh(quote(1000.0), replace(quote(100.0), as_of=None), (), NOW)
    old = replace(quote(100.0), as_of=None, fetched_at=session(6))
    assert weigh(quote(1000.0), old, (), NOW).unverified
    undated = replace(quote(100.0), as_of=None, fetched_at=None)
    assert weigh(quote(1000.0), undated, (), NOW).unverified


def test_a_price_with_nothing_to_compare_it_with_is_unverified() -> None:
    assert weigh(quote(123.0), None, (), NOW).unverified
    assert not weigh(quote(123.0, 120.0), None, (), NOW).unverified
    assert not weigh(quote(123.0), quote(120.0), (), NOW).unverified
    only_failed = Quote(symbol="AAPL", failure=suspicion(NOW))
    assert weigh(quote(123.0), only_failed, (), NOW).unverified


@pytest.mark.parametrize("previous_close", [None, 14_900.0])
def test_another_currency_than_before_is_held_back_until_a_later_session(
    previous_close: float | None,
) -> None:
    stored = replace(quote(100.0, as_of=session(2)), currency="JPY")
    with pytest.raises(SuspectPrice, match="in USD, the 100 known before in JPY") as held:
        weigh(quote(15_000.0, previous_close), stored, (), NOW)
    assert held.value.kept is not None
    later = replace(stored, suspect=15_000.0, failure=suspicion(session(1)))
    if previous_close is None:
        with pytest.raises(SuspectPrice):
            weigh(quote(15_000.0), later, (), NOW)
    else:
        assert weigh(quote(15_000.0, previous_close), later, (), NOW).last == 15_000.0


@pytest.mark.parametrize(
    ("last", "accepted"), [(25.0, True), (350.0, True), (2_900.0, True), (10_000.0, False), (1.0, False)]
)
def test_an_answer_that_agrees_with_itself_may_still_be_in_the_wrong_unit(
    last: float, accepted: bool
) -> None:
    """Splits of up to thirty are believed; a hundred is what lies between pounds and pence."""
    stored = quote(100.0, 99.0, as_of=session(1))
    new = quote(last, last * 0.99)
    if accepted:
        assert weigh(new, stored, (), NOW) is new
        return
    with pytest.raises(SuspectPrice, match="times the 100 known before"):
        weigh(new, stored, (), NOW)
    split = Split(WEDNESDAY.toordinal(), 100.0 / last)
    assert weigh(new, stored, (split,), NOW) is new
    assert weigh(new, replace(stored, as_of=session(6)), (), NOW) is new
    later = replace(stored, suspect=last, failure=suspicion(session(1)))
    assert weigh(new, later, (), NOW) is new


def test_pence_are_not_taken_for_pounds_where_a_share_costs_less_than_one() -> None:
    stored = quote(0.85, 0.84, symbol="VOD.L", as_of=session(1))
    with pytest.raises(SuspectPrice):
        weigh(quote(85.0, 84.0, symbol="VOD.L"), stored, (), NOW)
    assert weigh(quote(8.5, 8.4, symbol="VOD.L"), stored, (), NOW).last == 8.5


def test_an_unverified_price_is_evidence_only_for_a_later_session() -> None:
    stored = replace(quote(100.0, as_of=session(1)), unverified=True)
    assert weigh(quote(10_000.0, 9_900.0), stored, (), NOW).last == 10_000.0
    assert not weigh(quote(101.0), stored, (), NOW).unverified
    assert weigh(quote(10_000.0), stored, (), NOW).unverified
    assert weigh(quote(101.0), replace(stored, fetched_at=NOW - 60.0, as_of=NOW), (), NOW).unverified


def test_an_answer_older_than_the_stored_price_is_no_news() -> None:
    stored = quote(100.0, 99.0)
    with pytest.raises(ProviderError, match="24 h older") as refused:
        weigh(quote(98.0, 99.0, as_of=NOW - DAY), stored, (), NOW)
    assert refused.value.failure == "invalid"
    assert weigh(quote(98.0, 99.0, as_of=NOW - 900.0), stored, (), NOW).last == 98.0
    assert weigh(quote(98.0, 99.0, as_of=NOW - DAY), replace(stored, invalidated=True), (), NOW).last == 98.0
    # A stored price from the future tells of a clock that was wrong, not of an old answer.
    assert weigh(quote(98.0, 99.0, as_of=NOW - DAY), stored, (), NOW - DAY).last == 98.0


def test_exchange_rates_do_not_leap_however_small_they_are() -> None:
    with pytest.raises(SuspectPrice):
        weigh(quote(0.68, 0.0068, symbol="JPYUSD=X"), None, (), NOW)
    assert weigh(quote(0.68, 0.0068), None, (), NOW).last == 0.68


class TestASecondSource:
    stored = quote(100.0, as_of=session(1))

    def refused(self, price: float) -> SuspectPrice:
        return SuspectPrice(quote(price, 100.0), "four times", None)

    def test_confirms_a_price_at_once(self) -> None:
        confirming = replace(quote(420.0, 100.0), source="fmp")
        assert weigh(confirming, self.stored, (), NOW, self.refused(400.0)) is confirming

    @pytest.mark.parametrize(("last", "source"), [(400.0, "yahoo"), (450.0, "fmp"), (350.0, "fmp")])
    def test_must_be_another_one_and_must_agree(self, last: float, source: str) -> None:
        with pytest.raises(SuspectPrice):
            weigh(replace(quote(last, 100.0), source=source), self.stored, (), NOW, self.refused(400.0))


@pytest.mark.parametrize(
    ("last", "previous_close", "known", "doubted"),
    [
        (4.2, 4.1, None, False),
        (-0.1, 0.05, None, False),
        (0.0, 4.1, None, True),
        (412.0, 4.1, None, True),
        (4.2, None, 4.0, False),
        (0.0, None, 4.0, True),
        (4.2, None, None, True),
    ],
)
def test_yields_move_by_points(
    last: float, previous_close: float | None, known: float | None, doubted: bool
) -> None:
    stored = None if known is None else quote(known, symbol="^TNX", as_of=session(1))
    new = quote(last, previous_close, symbol="^TNX")
    assert (doubt_of_yield(new, stored, NOW) is not None) == doubted


def test_a_series_is_weighed_on_the_last_day_that_both_have() -> None:
    def series(*bars: tuple[int, float]) -> Closes:
        return Closes(
            symbol="^GSPC", source="", dates=[day for day, _ in bars], closes=[close for _, close in bars]
        )

    known = series((1, 100.0), (2, 101.0), (4, 102.0))
    assert doubt_of_scale(series((2, 101.0), (3, 10_200.0)), known) is None
    assert doubt_of_scale(series((2, 10_100.0), (3, 102.0)), known) is not None
    assert doubt_of_scale(series((2, 25.25), (3, 25.5)), known) is None  # a split
    assert doubt_of_scale(series((7, 10_100.0)), known) is None
    assert doubt_of_scale(series((1, 10.0)), series((1, 0.1))) is not None
    assert doubt_of_scale(series((1, 4.0)), series((1, 0.1))) is None


@pytest.mark.parametrize("symbol", ["AAPL240621C00200000", "XYZ-RI", "XYZ-RT", "XYZ-R", "ABCDR"])
def test_options_and_rights_are_exempt(symbol: str) -> None:
    new = quote(50.0, 1.5, symbol=symbol)
    assert weigh(new, None, (), NOW) is new


@pytest.mark.parametrize("symbol", ["BRK-B", "FOUR", "UBER", "CAR", "RR.L"])
def test_share_classes_and_tickers_that_end_in_r_are_not_taken_for_rights(symbol: str) -> None:
    with pytest.raises(SuspectPrice):
        weigh(quote(50.0, 1.5, symbol=symbol), None, (), NOW)


def test_the_kept_record_is_the_stored_one_with_the_refused_price() -> None:
    stored = replace(quote(100.0, 99.0, as_of=session(1)), fresh_until=12.0, hits=7)
    with pytest.raises(SuspectPrice) as held:
        weigh(quote(1000.0, 100.0), stored, (), NOW)
    kept = held.value.kept
    assert kept is not None
    assert (kept.last, kept.previous_close, kept.suspect) == (100.0, 99.0, 1000.0)
    assert (kept.as_of, kept.fetched_at) == (stored.as_of, stored.fetched_at)
    assert (kept.fresh_until, kept.hits) == (0.0, 0)
    assert stored.suspect is None


def test_a_split_in_the_same_answer_explains_a_leap() -> None:
    old = quote(1200.0, as_of=session(1))
    today = WEDNESDAY.toordinal()
    assert weigh(quote(120.0, 1200.0), old, (Split(today, 10.0),), NOW).last == 120.0
    assert weigh(quote(120.0), old, (Split(today, 10.0),), NOW).last == 120.0
    with pytest.raises(SuspectPrice):
        weigh(quote(120.0), old, (Split(today - 30, 10.0),), NOW)
    with pytest.raises(SuspectPrice):
        weigh(quote(120.0), old, (Split(today, 0.1),), NOW)


class TestAfterAPriceWasHeldBack:
    def stored(self, at: float) -> Quote:
        return replace(quote(100.0, as_of=session(2)), suspect=400.0, failure=suspicion(at))

    def test_the_same_session_cannot_confirm_it(self) -> None:
        with pytest.raises(SuspectPrice) as held:
            weigh(quote(401.0, 398.0), self.stored(NOW - 600.0), (), NOW)
        assert held.value.kept is not None
        assert held.value.kept.suspect == 401.0

    def test_a_later_session_with_a_previous_close_that_agrees_does(self) -> None:
        accepted = weigh(quote(401.0, 398.0), self.stored(session(1)), (), NOW)
        assert accepted.last == 401.0
        assert accepted.suspect is None

    def test_a_later_session_without_one_does_not(self) -> None:
        with pytest.raises(SuspectPrice):
            weigh(quote(401.0), self.stored(session(1)), (), NOW)
        with pytest.raises(SuspectPrice):
            weigh(quote(401.0, 100.0), self.stored(session(1)), (), NOW)

    def test_the_failure_alone_is_enough_to_remember_it(self) -> None:
        stored = replace(self.stored(NOW - 600.0), suspect=None)
        with pytest.raises(SuspectPrice):
            weigh(quote(401.0, 398.0), stored, (), NOW)

    def test_a_price_near_the_old_one_ends_it(self) -> None:
        assert weigh(quote(101.0, 100.0), self.stored(NOW - 600.0), (), NOW).last == 101.0
        assert weigh(quote(101.0), self.stored(NOW - 600.0), (), NOW).last == 101.0

    def test_another_failure_since_is_no_suspicion(self) -> None:
        network = Failure("network", "reset", "yahoo", 1, NOW, NOW, NOW)
        stored = replace(quote(100.0, as_of=session(2)), failure=network)
        assert weigh(quote(401.0, 398.0), stored, (), NOW).last == 401.0

    def test_an_old_value_beyond_five_sessions_no_longer_speaks_against_it(self) -> None:
        stored = replace(self.stored(NOW - 600.0), as_of=session(6))
        assert weigh(quote(401.0, 398.0), stored, (), NOW).last == 401.0


def test_a_quote_without_a_price_is_nothing_to_weigh() -> None:
    empty = Quote(symbol="AAPL", source="yahoo", previous_close=1.5)
    assert weigh(empty, None, (), NOW) is empty


@given(
    last=st.floats(1e-6, 1e9),
    previous_close=st.none() | st.floats(1e-6, 1e9),
    known=st.none() | st.floats(1e-6, 1e9),
    age=st.floats(0.0, 30.0),
)
def test_an_accepted_price_had_evidence_or_is_marked(
    last: float, previous_close: float | None, known: float | None, age: float
) -> None:
    stored = None if known is None else quote(known, as_of=NOW - age * DAY)
    try:
        accepted = weigh(quote(last, previous_close), stored, (), NOW)
    except SuspectPrice:
        return
    evidence = [price for price in (previous_close, known) if price is not None]
    near = any(price < 1.0 or 1 / 3 <= last / price <= 3 for price in evidence)
    assert accepted.unverified or near
    assert math.isfinite(accepted.last or math.nan)
