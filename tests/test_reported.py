from __future__ import annotations

import datetime as dt

import pytest

from quotewell.calendars import close_of
from quotewell.portfolio.offline import NoTickers
from quotewell.portfolio.positions import CashPosition, OptionPosition, Position, StockPosition
from quotewell.portfolio.reported import ReportedPrices
from quotewell.records import Freshness, Quote
from quotewell.testing import ManualClock
from quotewell.testing.source import FakeSource

DAY = 86400.0
FRIDAY = close_of(dt.date(2025, 5, 9))
MONDAY_OPEN = close_of(dt.date(2025, 5, 12)) - 6.5 * 3600


def position(
    price: float | None = 190.0, symbol: str = "AMZN", currency: str | None = "USD"
) -> StockPosition:
    return StockPosition(symbol=symbol, quantity=1.0, price=price, currency=currency)


def overlay(
    service: FakeSource,
    *positions: Position,
    as_of: float | None = FRIDAY,
    at: float | None = None,
) -> ReportedPrices:
    return ReportedPrices(service, positions or (position(),), broker="Fidelity", as_of=as_of, at=at)


def fake(as_of: float | None, freshness: Freshness, now: float = FRIDAY + 3600) -> FakeSource:
    quote = Quote(symbol="AMZN", last=200.0, currency="USD", as_of=as_of, fetched_at=as_of or now)
    return FakeSource({"AMZN": quote}, freshness=freshness, now=now)


def test_it_answers_where_the_service_has_nothing() -> None:
    reading = overlay(FakeSource(now=FRIDAY)).quotes(["AMZN"])["AMZN"]
    assert reading.record is not None
    assert (reading.record.last, reading.record.source, reading.level) == (190.0, "Fidelity", "reported")
    assert reading.record.as_of == reading.record.fetched_at == FRIDAY
    assert reading.provenance is not None


@pytest.mark.parametrize(
    ("as_of", "freshness", "price"),
    [
        (FRIDAY - DAY, Freshness.FRESH, 200.0),
        (FRIDAY - DAY, Freshness.STALE, 190.0),
        (FRIDAY - DAY, Freshness.GRACE, 190.0),
        (FRIDAY + 60, Freshness.STALE, 200.0),
        (FRIDAY, Freshness.STALE, 200.0),
    ],
)
def test_a_fresh_service_price_wins_and_else_the_newer_one(
    as_of: float, freshness: Freshness, price: float
) -> None:
    reading = overlay(fake(as_of, freshness)).quotes(["AMZN"])["AMZN"]
    assert reading.record is not None
    assert reading.record.last == price


def test_without_an_as_of_it_answers_only_where_the_service_has_nothing() -> None:
    stale = overlay(fake(FRIDAY - 30 * DAY, Freshness.STALE), as_of=None).quotes(["AMZN"])["AMZN"]
    assert stale.record is not None
    assert stale.record.last == 200.0
    alone = overlay(FakeSource(now=FRIDAY), as_of=None).quotes(["AMZN"])["AMZN"]
    assert alone.record is not None
    assert (alone.record.last, alone.record.as_of, alone.freshness) == (190.0, None, Freshness.STALE)


@pytest.mark.parametrize(
    ("now", "freshness"),
    [
        (FRIDAY, Freshness.FRESH),
        (FRIDAY + 2 * DAY, Freshness.FRESH),  # Sunday: no session has begun since
        (MONDAY_OPEN, Freshness.STALE),
    ],
)
def test_it_is_fresh_until_the_next_session_begins(now: float, freshness: Freshness) -> None:
    assert overlay(FakeSource(now=now)).quotes(["AMZN"])["AMZN"].freshness == freshness


def test_nothing_later_than_the_valuation_instant_answers() -> None:
    reading = overlay(fake(FRIDAY, Freshness.FRESH), at=FRIDAY - DAY).quotes(["AMZN"])["AMZN"]
    assert (reading.record, reading.usable) == (None, False)
    reading = overlay(fake(FRIDAY, Freshness.FRESH), as_of=FRIDAY - DAY, at=FRIDAY - DAY).quotes(["AMZN"])[
        "AMZN"
    ]
    assert reading.record is not None
    assert reading.record.last == 190.0


def test_a_service_record_without_any_price_is_no_price() -> None:
    service = FakeSource({"AMZN": Quote(symbol="AMZN", currency="USD")}, now=FRIDAY)
    reading = overlay(service).quotes(["AMZN"])["AMZN"]
    assert reading.record is not None
    assert reading.record.last == 190.0


@pytest.mark.parametrize("price", [None, 0.0, -1.0])
def test_a_missing_price_is_not_reported(price: float | None) -> None:
    assert not overlay(FakeSource(now=FRIDAY), position(price)).quotes(["AMZN"])["AMZN"].usable


def test_an_option_may_be_worth_nothing_and_cash_has_no_price() -> None:
    option = OptionPosition(symbol="AMZN250620C00200000", quantity=1.0, price=0.0, currency="USD")
    cash = CashPosition(symbol="SPAXX", price=1.0, value=5.0)
    readings = overlay(FakeSource(now=FRIDAY), option, cash).quotes(["AMZN250620C00200000", "SPAXX"])
    assert readings["AMZN250620C00200000"].usable
    assert not readings["SPAXX"].usable


def test_pence_become_pounds() -> None:
    reading = overlay(FakeSource(now=FRIDAY), position(7250.0, "VOD.L", "GBp")).quotes(["VOD.L"])["VOD.L"]
    assert reading.record is not None
    assert (reading.record.last, reading.record.currency) == (72.5, "GBP")


def test_of_two_rows_of_one_symbol_the_first_is_quoted() -> None:
    reading = overlay(FakeSource(now=FRIDAY), position(190.0), position(191.0)).quotes(["AMZN"])["AMZN"]
    assert reading.record is not None
    assert reading.record.last == 190.0


def test_other_facets_are_the_services() -> None:
    service = FakeSource(
        betas={"AMZN": 1.3}, dividend_yields={"AMZN": 0.01}, rates={"^IRX": 0.04}, fx={"EURUSD=X": 1.1},
        types={"AMZN": "stock"}, now=FRIDAY,
    )  # fmt: skip
    source = overlay(service)
    assert source.risks(["AMZN"]) == service.risks(["AMZN"])
    assert source.dividends(["AMZN"]) == service.dividends(["AMZN"])
    assert source.rates(["^IRX"]) == service.rates(["^IRX"])
    assert source.fx(["EURUSD=X"]) == service.fx(["EURUSD=X"])
    assert source.profiles(["AMZN"]) == service.profiles(["AMZN"])
    assert source.now() == FRIDAY
    assert overlay(service, at=5.0).now() == 5.0


def test_no_tickers_knows_nothing_and_says_so() -> None:
    nothing = NoTickers(ManualClock(now=FRIDAY))
    assert nothing.now() == FRIDAY
    for read in (
        nothing.quotes,
        nothing.profiles,
        nothing.risks,
        nothing.dividends,
        nothing.rates,
        nothing.fx,
    ):
        reading = read(["AMZN"])["AMZN"]
        assert not reading.usable
        assert reading.failure is not None
        assert reading.failure.reason == "there is no ticker service"
