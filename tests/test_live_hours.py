"""Whether a book is live: by the sessions of the exchanges that its own rows trade on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from overviews import file_of
from quotewell.freshness import Phase
from quotewell.portfolio.positions import CashPosition, Position
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.views.web.book_view import BookView
from quotewell.wiring import connect
from valued_books import option, stock


@pytest.fixture(autouse=True)
def plain_calendars() -> None:
    """Not here."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(_at("2026-11-23 10:00"))


@pytest.fixture
def tickers(clock: ManualClock) -> Iterator[TickerService]:
    with connect(Settings(cache_url="memory://"), clock=clock, providers=[FakeProvider(clock)]) as service:
        yield service


def _at(text: str, zone: str = "America/New_York") -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def _phase(tickers: TickerService, *positions: Position) -> Phase:
    view = BookView(file_of(*positions, pending=[], rejected=[]), tickers)
    return view.phase(view.overview())


@pytest.mark.parametrize(
    ("day", "new_york"),
    [
        pytest.param("2026-11-25 15:59", "open", id="an ordinary Wednesday"),
        pytest.param("2026-11-25 16:05", "unsure", id="its last prices are to come"),
        pytest.param("2026-11-25 16:25", "closed", id="they are there"),
        pytest.param("2026-11-26 12:00", "closed", id="Thanksgiving"),
        pytest.param("2026-11-27 12:59", "open", id="the half day after"),
        pytest.param("2026-11-27 13:05", "unsure", id="its early close"),
        pytest.param("2026-11-27 15:00", "closed", id="its afternoon"),
        pytest.param("2026-11-28 12:00", "closed", id="a Saturday"),
    ],
)
def test_holidays_and_half_days_of_new_york(
    tickers: TickerService, clock: ManualClock, day: str, new_york: Phase
) -> None:
    clock.set_wall(_at(day))
    assert _phase(tickers, stock("AMZN", price=190.0)) == new_york
    assert _phase(tickers, option("AMZN270115C00200000", price=3.0)) == new_york


@pytest.mark.parametrize(
    ("day", "london"),
    [
        pytest.param("2026-11-25 09:00", "open", id="while New York sleeps"),
        pytest.param("2026-11-25 17:30", "closed", id="while New York trades"),
        pytest.param("2026-11-26 12:00", "open", id="Thanksgiving"),
        pytest.param("2026-12-24 12:29", "open", id="Christmas Eve"),
        pytest.param("2026-12-24 14:00", "closed", id="its early close"),
        pytest.param("2026-12-28 12:00", "closed", id="Boxing Day's substitute"),
    ],
)
def test_a_book_of_london_shares_keeps_londons_hours(
    tickers: TickerService, clock: ManualClock, day: str, london: Phase
) -> None:
    clock.set_wall(_at(day, "Europe/London"))
    assert _phase(tickers, stock("VOD.L", currency="GBP", price=0.7)) == london


def test_the_market_that_is_open_counts(tickers: TickerService, clock: ManualClock) -> None:
    clock.set_wall(_at("2026-11-26 12:00", "Europe/London"))  # Thanksgiving
    american, british = stock("AMZN", price=190.0), stock("VOD.L", currency="GBP", price=0.7)
    assert [_phase(tickers, american), _phase(tickers, american, british)] == ["closed", "open"]


def test_coins_never_rest_and_cash_always_does(tickers: TickerService, clock: ManualClock) -> None:
    clock.set_wall(_at("2026-11-28 12:00"))  # a Saturday
    assert _phase(tickers, stock("BTC-USD", price=90_000.0)) == "open"
    euros = CashPosition(symbol="EUR", quantity=5.0, value=5.0, currency="EUR")
    clock.set_wall(_at("2026-11-25 12:00"))
    assert _phase(tickers, euros) == "closed"


def test_hours_that_nobody_knows_are_not_called_live(tickers: TickerService, clock: ManualClock) -> None:
    clock.set_wall(_at("2026-11-25 12:00"))
    assert _phase(tickers, stock("TEVA.TA", currency="ILS", price=50.0)) == "unsure"


def test_what_has_expired_or_is_in_no_market_is_not_live(tickers: TickerService, clock: ManualClock) -> None:
    clock.set_wall(_at("2026-11-25 12:00"))
    assert _phase(tickers, option("AMZN250620C00200000", price=3.0)) == "closed"
    assert _phase(tickers, stock("021ESC017")) == "closed"
