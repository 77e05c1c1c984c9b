from __future__ import annotations

import datetime as dt
import warnings
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import exchange_calendars
import pytest

from quotewell import exchange_hours
from quotewell.calendars import Session, close_of
from quotewell.exchange_hours import sessions_around
from quotewell.exchanges import Exchange, exchanges

DAY = 86400.0
NEW_YORK, LONDON, TOKYO = (ZoneInfo(zone) for zone in ("America/New_York", "Europe/London", "Asia/Tokyo"))
ZONES = {"XNYS": NEW_YORK, "XLON": LONDON, "XTKS": TOKYO}


def noon(day: str) -> float:
    return dt.datetime.fromisoformat(f"{day}T12:00+00:00").timestamp()


def hours(code: str, day: str) -> str | None:
    """Open and close of a day in local time; None when there is no session."""
    for session in sessions_around(code, noon(day)):
        if session.date == dt.date.fromisoformat(day).toordinal():
            opens, closes = (dt.datetime.fromtimestamp(t, ZONES[code]) for t in (session.open, session.close))
            assert opens.date() == closes.date() == dt.date.fromisoformat(day)
            return f"{opens:%H:%M}-{closes:%H:%M}"
    return None


@pytest.mark.parametrize(
    ("code", "day", "expected"),
    [
        pytest.param("XNYS", "2026-11-25", "09:30-16:00", id="the day before Thanksgiving"),
        pytest.param("XNYS", "2026-11-26", None, id="Thanksgiving"),
        pytest.param("XNYS", "2026-11-27", "09:30-13:00", id="the half day after it"),
        pytest.param("XNYS", "2026-06-19", None, id="Juneteenth"),
        pytest.param("XNYS", "2021-06-18", "09:30-16:00", id="before Juneteenth was a holiday"),
        pytest.param("XNYS", "2027-01-01", None, id="New Year"),
        pytest.param("XNYS", "2026-12-24", "09:30-13:00", id="Christmas Eve"),
        pytest.param("XLON", "2026-11-26", "08:00-16:30", id="London knows no Thanksgiving"),
        pytest.param("XLON", "2026-04-06", None, id="Easter Monday"),
        pytest.param("XLON", "2026-12-24", "08:00-12:30", id="Christmas Eve in London"),
        pytest.param("XTKS", "2026-11-24", "09:00-15:30", id="Tokyo, its lunch break left out"),
        pytest.param("XTKS", "2026-11-23", None, id="Labour Thanksgiving Day"),
        pytest.param("XTKS", "2026-05-05", None, id="Golden Week"),
    ],
)
def test_holidays_and_half_days(code: str, day: str, expected: str | None) -> None:
    assert hours(code, day) == expected


@pytest.mark.parametrize(
    ("code", "days", "opens"),
    [
        ("XNYS", ("2026-03-06", "2026-03-09"), ("14:30", "13:30")),
        ("XNYS", ("2026-10-30", "2026-11-02"), ("13:30", "14:30")),
        ("XLON", ("2026-03-27", "2026-03-30"), ("08:00", "07:00")),
        ("XLON", ("2026-10-23", "2026-10-26"), ("07:00", "08:00")),
        ("XTKS", ("2026-03-27", "2026-03-30"), ("00:00", "00:00")),
    ],
)
def test_over_a_change_of_daylight_saving(code: str, days: tuple[str, str], opens: tuple[str, str]) -> None:
    by_date = {session.date: session for session in sessions_around(code, noon(days[0]))}
    for day, opening in zip(days, opens, strict=True):
        session = by_date[dt.date.fromisoformat(day).toordinal()]
        assert f"{dt.datetime.fromtimestamp(session.open, dt.UTC):%H:%M}" == opening


@pytest.mark.parametrize("day", ["2026-01-01", "2026-01-31", "2026-02-28", "2026-12-31"])
def test_forty_days_to_either_side_are_known(day: str) -> None:
    sessions = sessions_around("XNYS", noon(day))
    assert sessions[0].open <= noon(day) - 37 * DAY  # a weekend and a holiday may lie at the rim
    assert sessions[-1].close >= noon(day) + 37 * DAY
    assert list(sessions) == sorted(sessions, key=lambda session: session.open)


@pytest.mark.parametrize("exchange", exchanges(), ids=lambda exchange: exchange.calendar)
def test_every_exchange_of_the_table_opens_in_the_morning_of_its_time_zone(exchange: Exchange) -> None:
    now = noon("2026-11-20")
    zone = ZoneInfo(exchange.time_zone)
    sessions = sessions_around(exchange.calendar, now)
    assert sessions[0].open < now - 20 * DAY
    assert sessions[-1].open > now + 20 * DAY
    for session in sessions:
        opens, closes = (dt.datetime.fromtimestamp(t, zone) for t in (session.open, session.close))
        assert opens.date() == closes.date() == dt.date.fromordinal(session.date)
        assert dt.time(8) <= opens.time() <= dt.time(10, 30)
        assert dt.time(12) <= closes.time() <= dt.time(18, 30)


def test_a_calendar_whose_years_end_is_used_up_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange_hours._around_month.cache_clear()
    asked: list[str] = []
    genuine = exchange_calendars.get_calendar

    def known_to(last: str) -> None:
        def get_calendar(code: str, start: str, end: str) -> object:
            asked.append(end)
            if end > last:
                raise ValueError(f"holidays are only recorded to {last}")
            return genuine(code, start=start, end=end)

        asked.clear()
        exchange_hours._around_month.cache_clear()
        monkeypatch.setattr(exchange_calendars, "get_calendar", get_calendar)

    known_to("2026-12-31")
    last = sessions_around("XNYS", noon("2026-12-10"))[-1]
    assert (last.date, last.close) == (dt.date(2026, 12, 31).toordinal(), close_of(dt.date(2026, 12, 31)))
    known_to("2026-11-30")
    assert sessions_around("XNYS", noon("2026-11-10"))[-1].date == dt.date(2026, 11, 30).toordinal()
    known_to("2026-10-31")
    with pytest.raises(ValueError, match="2026-10-31"):
        sessions_around("XNYS", noon("2026-11-10"))
    assert asked == ["2027-01-09", "2026-12-31", "2026-11-30"]
    exchange_hours._around_month.cache_clear()


@pytest.mark.parametrize(
    ("code", "instant"),
    [("NOPE", noon("2026-11-10")), ("XHKG", noon("2100-06-01")), ("XNYS", noon("2300-06-01"))],
)
def test_what_the_library_does_not_know_it_says(code: str, instant: float) -> None:
    with pytest.raises((ValueError, exchange_calendars.errors.CalendarError)):
        sessions_around(code, instant)


def test_in_the_year_2100_new_york_still_has_holidays() -> None:
    assert hours("XNYS", "2100-12-23") == "09:30-16:00"
    assert hours("XNYS", "2100-11-25") is None  # Thanksgiving


def test_the_librarys_warnings_stay_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    def get_calendar(code: str, start: str, end: str) -> SimpleNamespace:
        del code, start, end
        warnings.warn_explicit("soon", FutureWarning, "frame.py", 1, module="pandas.core.frame")
        return SimpleNamespace(sessions=[], opens=[], closes=[])

    monkeypatch.setattr(exchange_calendars, "get_calendar", get_calendar)
    before = list(warnings.filters)
    assert sessions_around("XFAKE", 0.0) == ()
    assert list(warnings.filters) == before
    exchange_hours._around_month.cache_clear()


def test_a_month_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = sessions_around("XNYS", noon("2026-11-01"))
    monkeypatch.setattr(exchange_calendars, "get_calendar", None)
    assert sessions_around("XNYS", noon("2026-11-30")) is first
    assert isinstance(first[0], Session)
