"""Quotes and histories judged by the exchanges' own sessions, and how these are kept."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import exchange_calendars
import pytest

from engine_parts import fetches_ended, in_threads, service_on
from quotewell import sessions as sessions_module
from quotewell.cache.memory_level import MemoryLevel
from quotewell.calendars import Schedule, Session, Sessions, new_york_sessions
from quotewell.coordination.local import LocalCoordinator
from quotewell.exchange_hours import sessions_around
from quotewell.freshness import SessionTable
from quotewell.protocols import Coordinator, Level
from quotewell.records import RECORD_TYPES, Facet, Record, Result
from quotewell.service import TickerService
from quotewell.sessions import TABLE
from quotewell.testing import FakeProvider, ManualClock

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
Stores = tuple[Level, Coordinator]


@pytest.fixture(autouse=True)
def plain_calendars() -> None:
    """Not here."""


def at(text: str, zone: str = "America/New_York") -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(at("2026-11-23 10:00"))


@pytest.fixture
def stores(clock: ManualClock) -> Stores:
    return MemoryLevel(clock), LocalCoordinator(clock)


@pytest.fixture
def tickers(stores: Stores, clock: ManualClock) -> Iterator[TickerService]:
    with service_on(stores, clock) as service:
        yield service


class Library:
    """Stands in for `sessions_around`; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Callable[[str, float], tuple[Session, ...]] = sessions_around

    def __call__(self, code: str, instant: float) -> tuple[Session, ...]:
        self.asked.append(code)
        return self.answer(code, instant)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    made = Library()
    monkeypatch.setattr(sessions_module, "sessions_around", made)
    return made


def table(tickers: TickerService, symbol: str, facet: Facet = "quote") -> SessionTable | None:
    return tickers.engine.store.policies[facet].sessions(symbol)


def around(tickers: TickerService, symbol: str, instant: float) -> Sessions | None:
    found = table(tickers, symbol)
    assert found is not None
    return found(instant)


def fresh_until(
    tickers: TickerService, fetched: float, as_of: float | None, symbol: str = "AAPL", facet: Facet = "quote"
) -> float:
    record: Record = RECORD_TYPES[facet](symbol=symbol, source="fake", as_of=as_of, fetched_at=fetched)
    return tickers.engine.store.judge(facet, record, fetched).fresh_until


# ------------------------------------------------------------------------------------------------ judging


@pytest.mark.parametrize(
    ("fetched", "as_of", "until"),
    [
        pytest.param("11-25 16:20", "11-25 16:00", "11-27 09:30", id="over Thanksgiving"),
        pytest.param("11-26 12:00", "11-25 16:00", "11-27 09:30", id="asked on Thanksgiving"),
        pytest.param("11-27 13:20", "11-27 13:00", "11-30 09:30", id="the half day's close"),
        pytest.param("11-27 20:30", "11-27 20:01", "11-30 09:30", id="a fund's NAV in the evening"),
        pytest.param("12-24 13:20", "12-24 13:00", "12-28 09:30", id="over Christmas"),
        pytest.param("12-31 18:00", "12-31 16:00", "01-04 09:30", id="over New Year"),
    ],
)
def test_a_close_is_final_until_the_next_session_that_takes_place(
    stores: Stores, clock: ManualClock, fetched: str, as_of: str, until: str
) -> None:
    now = at(f"2026-{fetched}")
    clock.set_wall(now)
    with service_on(stores, clock) as tickers:
        year = 2027 if until.startswith("01") else 2026
        assert fresh_until(tickers, now, at(f"2026-{as_of}")) == at(f"{year}-{until}")


@pytest.mark.parametrize(
    ("fetched", "as_of", "seconds"),
    [
        pytest.param("11-27 12:59", "11-27 12:58", 5 * MINUTE, id="half day, open"),
        pytest.param("11-27 13:19", "11-27 13:00", 5 * MINUTE, id="half day, within the delay"),
        pytest.param("11-27 18:00", "11-25 20:01", HOUR, id="the NAV of the session before"),
    ],
)
def test_what_can_still_change_lives_for_minutes_or_an_hour(
    tickers: TickerService, fetched: str, as_of: str, seconds: float
) -> None:
    now = at(f"2026-{fetched}")
    assert now + 0.9 * seconds <= fresh_until(tickers, now, at(f"2026-{as_of}")) <= now + seconds


@pytest.mark.parametrize(
    ("symbol", "zone", "fetched", "as_of", "until"),
    [
        ("VOD.L", "Europe/London", "2026-11-26 17:10", "2026-11-26 16:35", "2026-11-27 08:00"),
        ("VOD.L", "Europe/London", "2026-12-24 13:10", "2026-12-24 12:30", "2026-12-29 08:00"),
        ("7203.T", "Asia/Tokyo", "2026-11-20 16:10", "2026-11-20 15:30", "2026-11-24 09:00"),
        ("7203.T", "Asia/Tokyo", "2026-11-20 16:10", "2026-11-20 09:05", "2026-11-24 09:00"),
        ("CBA.AX", "Australia/Sydney", "2026-11-23 16:40", "2026-11-23 10:01", "2026-11-24 10:00"),
    ],
)
def test_other_exchanges_have_their_own_holidays_hours_and_dates(
    tickers: TickerService, symbol: str, zone: str, fetched: str, as_of: str, until: str
) -> None:
    now = at(fetched, zone)
    assert fresh_until(tickers, now, at(as_of, zone), symbol) == at(until, zone)
    # One minute earlier the price of the closing auction need not have come through.
    assert fresh_until(tickers, now - MINUTE, at(as_of, zone), symbol) <= now + 4 * MINUTE


def test_a_price_of_the_coming_day_is_not_final(tickers: TickerService) -> None:
    """Tokyo's 08:55 is the evening before in New York: the date has to be Tokyo's."""
    now = at("2026-11-25 08:56", "Asia/Tokyo")
    assert fresh_until(tickers, now, now - MINUTE, "7203.T") == at("2026-11-25 09:00", "Asia/Tokyo")
    earlier = now - 2 * HOUR
    assert fresh_until(tickers, earlier, earlier - MINUTE, "7203.T") <= earlier + HOUR


@pytest.mark.parametrize(
    ("symbol", "zone", "fetched", "until"),
    [
        ("AAPL", "America/New_York", "2026-11-25 16:20", "2026-11-27 13:20"),
        ("AAPL", "America/New_York", "2026-11-27 13:19", "2026-11-27 13:20"),
        ("VOD.L", "Europe/London", "2026-11-26 17:09", "2026-11-26 17:10"),
        ("VOD.L", "Europe/London", "2026-11-26 17:10", "2026-11-27 17:10"),
    ],
)
def test_history_lives_until_the_next_bar(
    tickers: TickerService, symbol: str, zone: str, fetched: str, until: str
) -> None:
    assert fresh_until(tickers, at(fetched, zone), None, symbol, "history") == at(until, zone)


@pytest.mark.parametrize(
    ("friday", "monday_opens"),
    [("2026-03-06", "2026-03-09T13:30+00:00"), ("2026-10-30", "2026-11-02T14:30+00:00")],
)
def test_daylight_saving_moves_the_next_open(
    stores: Stores, clock: ManualClock, friday: str, monday_opens: str
) -> None:
    clock.set_wall(at(f"{friday} 17:00"))
    with service_on(stores, clock) as tickers:
        until = fresh_until(tickers, clock.now(), at(f"{friday} 16:00"))
    assert until == dt.datetime.fromisoformat(monday_opens).timestamp()


def test_only_quotes_and_histories_ask(tickers: TickerService, library: Library) -> None:
    others: tuple[Facet, ...] = ("profile", "risk", "dividend", "fx", "rate")
    assert [table(tickers, "AAPL", facet) for facet in others] == [None] * 5
    for symbol in ("EURUSD=X", "BTC-USD", "ES=F", "^N225", "SAP.F"):
        assert table(tickers, symbol) is None
    assert library.asked == []
    assert table(tickers, "AAPL") is table(tickers, "AAPL", "history")


def test_plain_calendars_are_new_yorks_weekdays(stores: Stores, clock: ManualClock, library: Library) -> None:
    with service_on(stores, clock, calendars="plain") as tickers:
        assert table(tickers, "AAPL") is new_york_sessions
        assert table(tickers, "VOD.L") is None
    assert library.asked == []


def test_a_service_judges_its_quotes_by_them(stores: Stores, clock: ManualClock) -> None:
    clock.set_wall(at("2026-11-26 12:00"))
    sessions_around("XNYS", clock.now())  # now, so that the clock's patience holds during the fetch
    provider = FakeProvider(clock, {"AAPL": 190.0})
    with service_on(stores, clock, provider) as tickers:
        tickers.get_price("AAPL")
        clock.advance(50 * MINUTE)  # on a weekday like any other it would be asked for after 5
        tickers.get_price("AAPL")
        assert provider.requests == 1
        clock.advance(10 * MINUTE)
        tickers.get_price("AAPL")
        fetches_ended()  # it was in its grace window
        assert provider.requests == 2


# ---------------------------------------------------------------------------------- elsewhere and unknown


def test_at_another_time_the_plain_rule_holds_for_new_york_alone(tickers: TickerService) -> None:
    long_ago = at("2025-11-27 12:00")  # Thanksgiving, which the rule does not know
    assert around(tickers, "AAPL", long_ago) == new_york_sessions(long_ago)
    assert around(tickers, "VOD.L", long_ago) is None
    assert fresh_until(tickers, long_ago, None, "VOD.L") <= long_ago + 5 * MINUTE
    history = fresh_until(tickers, long_ago, None, "VOD.L", "history")
    assert long_ago + 0.9 * DAY <= history <= long_ago + DAY


@pytest.mark.parametrize(
    "error",
    [
        exchange_calendars.errors.InvalidCalendarName(calendar_name="XNYS"),
        ValueError("holidays are only recorded to 2026"),
        ImportError("No module named 'exchange_calendars'"),
        AttributeError("module 'pandas' has no attribute 'tseries'"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_library_that_fails_costs_the_holidays_and_is_asked_again_after_an_hour(
    stores: Stores, clock: ManualClock, library: Library, error: Exception
) -> None:
    def fail(code: str, instant: float) -> tuple[Session, ...]:
        raise error

    library.answer = fail
    now = clock.now()
    with service_on(stores, clock) as first, service_on(stores, clock) as second:
        for tickers in (first, second):  # the failure is remembered for the other process, too
            assert around(tickers, "AAPL", now) == new_york_sessions(now)
            assert around(tickers, "VOD.L", now) is None
        assert library.asked == ["XNYS", "XLON"]
        clock.advance(HOUR - 1)
        assert around(first, "AAPL", now) == new_york_sessions(now)
        assert len(library.asked) == 2
        library.answer = sessions_around
        clock.advance(1)
        found = around(first, "VOD.L", clock.now())
        assert found is not None
        assert found.exchange.calendar == "XLON"


@pytest.mark.parametrize(
    ("now", "london", "hong_kong"), [("2100-06-02 12:00", True, False), ("2300-06-04 12:00", False, False)]
)
def test_in_a_far_future(stores: Stores, now: str, london: bool, hong_kong: bool) -> None:
    clock = ManualClock(at(now))
    with service_on(stores, clock) as tickers:
        found = around(tickers, "AAPL", clock.now())
        assert found is not None
        assert found.is_open
        assert (around(tickers, "VOD.L", clock.now()) is not None) == london
        assert (around(tickers, "0700.HK", clock.now()) is not None) == hong_kong


def test_a_closed_service_judges_by_the_plain_rule(stores: Stores, clock: ManualClock) -> None:
    tickers = service_on(stores, clock)
    tickers.close()
    assert around(tickers, "AAPL", clock.now()) == new_york_sessions(clock.now())


# ------------------------------------------------------------------------------------------------ keeping


def test_they_are_worked_out_once_for_all_threads_and_processes(
    stores: Stores, clock: ManualClock, library: Library
) -> None:
    sessions_around("XNYS", clock.now())
    with service_on(stores, clock) as first, service_on(stores, clock) as second:
        for errand in in_threads(8, lambda n: around((first, second)[n % 2], "AAPL", clock.now())):
            errand.result()
        held = table(first, "AAPL")
        assert table(first, "MSFT") is held
        clock.advance(30 * DAY)
        assert table(first, "AAPL") is held
    assert library.asked == ["XNYS"]


@pytest.mark.parametrize(("days", "asked"), [(17, 1), (21, 2)])
def test_another_process_finds_them_for_twenty_days(
    stores: Stores, clock: ManualClock, library: Library, days: int, asked: int
) -> None:
    with service_on(stores, clock) as tickers:
        table(tickers, "AAPL")
    clock.advance(days * DAY)
    with service_on(stores, clock) as tickers:
        table(tickers, "AAPL")
    assert library.asked == ["XNYS"] * asked


@pytest.mark.parametrize("days", [90, -200])
def test_a_time_that_the_table_does_not_cover_loads_another(
    tickers: TickerService, clock: ManualClock, library: Library, days: int
) -> None:
    before = table(tickers, "AAPL")
    clock.set_wall(clock.now() + days * DAY)
    clock.advance(1)
    after = table(tickers, "AAPL")
    assert isinstance(after, Schedule)
    assert after.covers(clock.now())
    assert after is not before
    assert after is table(tickers, "AAPL")
    assert len(library.asked) == 2


def test_a_table_that_ends_soon_is_asked_for_once_a_day(
    stores: Stores, clock: ManualClock, library: Library
) -> None:
    """A library that does not know the coming year's holidays; perhaps it has been upgraded meanwhile."""
    end = clock.now() + 5 * DAY
    library.answer = lambda code, instant: tuple(s for s in sessions_around(code, instant) if s.open < end)
    seen = []
    for days in (0, 3, 2, 0, 0.5, 0.6):
        clock.advance(days * DAY)
        with service_on(stores, clock) as tickers:
            seen.append((around(tickers, "VOD.L", clock.now()) is not None, len(library.asked)))
    assert seen == [(True, 1), (True, 1), (False, 2), (False, 2), (False, 2), (False, 3)]


def test_what_does_not_decode_is_worked_out_again(
    stores: Stores, clock: ManualClock, library: Library
) -> None:
    now = clock.now()
    broken = Result(symbol="XLON", source="?", fetched_at=now - 1, as_of=now - 1, blob=b"\xc1")
    stores[0].put_many(TABLE, [broken], begun=stores[0].rev())
    with service_on(stores, clock) as tickers:
        assert around(tickers, "VOD.L", now) is not None
    assert library.asked == ["XLON"]


SCRIPT = """
import sys
from pathlib import Path
from quotewell.clock import ShiftedClock
from quotewell.settings import Settings
from quotewell.wiring import connect

now = float(sys.argv[2])
with connect(Settings(cache_dir=Path(sys.argv[1])), clock=ShiftedClock(now), providers=[]) as tickers:
    sessions = tickers.engine.store.policies["quote"].sessions
    print(sessions("AAPL")(now), sessions("VOD.L")(now))
print("exchange_calendars" in sys.modules, "pandas" in sys.modules)
"""


def test_a_second_process_on_the_same_cache_does_not_import_the_library(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path), str(at("2026-11-26 12:00"))]
    first, second = (subprocess.run(command, capture_output=True, check=True, text=True) for _ in range(2))
    assert first.stderr == second.stderr == ""
    assert first.stdout.splitlines()[0] == second.stdout.splitlines()[0]
    assert "XLON" in first.stdout
    assert [ran.stdout.splitlines()[1] for ran in (first, second)] == ["True True", "False False"]
