from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.calendars import Schedule, Session, Sessions, close_of, day_of, new_york_sessions
from quotewell.exchanges import NEW_YORK as NEW_YORK_EXCHANGE
from quotewell.exchanges import Exchange

NEW_YORK = ZoneInfo("America/New_York")
DAY = 86400.0


def utc(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()


def ordinal(text: str) -> int:
    return dt.date.fromisoformat(text).toordinal()


@pytest.mark.parametrize(
    ("now", "previous", "following", "is_open"),
    [
        pytest.param("2025-01-15 14:29:59", "2025-01-14", "2025-01-15", False, id="before the open"),
        pytest.param("2025-01-15 14:30:00", "2025-01-15", "2025-01-16", True, id="at the open"),
        pytest.param("2025-01-15 20:59:59", "2025-01-15", "2025-01-16", True, id="before the close"),
        pytest.param("2025-01-15 21:00:00", "2025-01-15", "2025-01-16", False, id="at the close"),
        pytest.param("2025-01-16 03:00:00", "2025-01-15", "2025-01-16", False, id="tomorrow by UTC only"),
        pytest.param("2025-01-17 22:00:00", "2025-01-17", "2025-01-20", False, id="Friday evening"),
        pytest.param("2025-01-18 16:00:00", "2025-01-17", "2025-01-20", False, id="Saturday"),
        pytest.param("2025-01-20 14:00:00", "2025-01-17", "2025-01-20", False, id="Monday before the open"),
        pytest.param("2025-07-15 13:30:00", "2025-07-15", "2025-07-16", True, id="at the open in summer"),
        pytest.param("2025-07-15 20:00:00", "2025-07-15", "2025-07-16", False, id="at the close in summer"),
    ],
)
def test_the_sessions_around_an_instant(now: str, previous: str, following: str, is_open: bool) -> None:
    around = new_york_sessions(utc(now))
    dates = (around.previous.date, around.next.date, around.is_open)
    assert dates == (ordinal(previous), ordinal(following), is_open)


@pytest.mark.parametrize(
    ("sunday", "friday_opens", "monday_opens"),
    [("2025-03-09", "14:30", "13:30"), ("2025-11-02", "13:30", "14:30")],
)
def test_over_a_change_of_daylight_saving(sunday: str, friday_opens: str, monday_opens: str) -> None:
    around = new_york_sessions(utc(f"{sunday} 12:00"))
    friday = dt.date.fromisoformat(sunday) - dt.timedelta(days=2)
    monday = dt.date.fromisoformat(sunday) + dt.timedelta(days=1)
    hours = 6.5 * 3600
    opens = [utc(f"{friday} {friday_opens}"), utc(f"{monday} {monday_opens}")]
    assert around.previous == Session(friday.toordinal(), opens[0], opens[0] + hours)
    assert around.next == Session(monday.toordinal(), opens[1], opens[1] + hours)


instants = st.floats(utc("1990-01-01"), utc("2060-01-01"))


@given(instants)
def test_an_instant_lies_between_neighbouring_sessions(now: float) -> None:
    around = new_york_sessions(now)
    local = dt.datetime.fromtimestamp(now, NEW_YORK)
    assert around.previous.open <= now < around.next.open
    assert around.is_open == (local.weekday() < 5 and dt.time(9, 30) <= local.time() < dt.time(16))
    for session in (around.previous, around.next):
        opens, closes = (
            dt.datetime.fromtimestamp(instant, NEW_YORK) for instant in (session.open, session.close)
        )
        assert (opens.time(), closes.time()) == (dt.time(9, 30), dt.time(16))
        assert opens.date() == closes.date() == dt.date.fromordinal(session.date)
    weekdays = [
        day
        for day in range(around.previous.date, around.next.date + 1)
        if dt.date.fromordinal(day).weekday() < 5
    ]
    assert weekdays == [around.previous.date, around.next.date]


@given(instants)
def test_the_next_session_is_the_previous_one_of_its_own_open(now: float) -> None:
    following = new_york_sessions(now).next
    assert new_york_sessions(following.open).previous == following


@pytest.mark.parametrize(
    ("day", "close"),
    [
        ("2025-01-15", "2025-01-15 21:00"),
        ("2025-07-15", "2025-07-15 20:00"),
        ("2025-01-18", "2025-01-18 21:00"),
    ],
)
def test_close_of_any_day(day: str, close: str) -> None:
    assert close_of(dt.date.fromisoformat(day)) == utc(close)


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2025-01-15 05:00:00", "2025-01-15"),
        ("2025-01-15 04:59:59", "2025-01-14"),
        ("2025-07-15 04:00:00", "2025-07-15"),
        ("2025-07-15 03:59:59", "2025-07-14"),
    ],
)
def test_day_of_is_the_date_in_new_york(instant: str, day: str) -> None:
    assert day_of(utc(instant)) == ordinal(day)


@given(st.lists(st.integers(0, 40), min_size=0, max_size=8, unique=True), st.floats(-5.0, 45.0))
def test_a_schedule_answers_as_a_look_through_its_list_does(days: list[int], now: float) -> None:
    sessions = [Session(day, float(day), day + 0.5) for day in sorted(days)]
    schedule = Schedule(sessions, NEW_YORK_EXCHANGE, lambda _: None)
    opened = [session for session in sessions if session.open <= now]
    coming = [session for session in sessions if session.open > now]
    assert schedule.covers(now) == bool(opened and coming)
    expected = (
        Sessions(opened[-1], coming[0], now < opened[-1].close, NEW_YORK_EXCHANGE)
        if opened and coming
        else None
    )
    assert schedule(now) == expected


def test_beyond_its_list_a_schedule_asks_the_rule() -> None:
    now = utc("2025-01-15 16:00:00")
    schedule = Schedule([], NEW_YORK_EXCHANGE, new_york_sessions)
    assert schedule(now) == new_york_sessions(now)
    assert not schedule.covers(now)


def test_the_date_of_an_instant_is_that_of_the_exchange() -> None:
    instant = utc("2025-01-15 23:30:00")
    assert day_of(instant, Exchange("XTKS", "Asia/Tokyo")) == ordinal("2025-01-16")
