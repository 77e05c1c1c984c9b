"""What a book has gained since the previous close, and which rows cannot say."""

from __future__ import annotations

import pytest

from quotewell.portfolio.basis import Basis
from quotewell.portfolio.day_change import day_change, day_changes
from quotewell.portfolio.positions import CashPosition
from quotewell.portfolio.reported import ReportedPrices
from quotewell.records import Freshness, Quote
from quotewell.testing.source import FakeSource
from valued_books import AT, CALL, option, overlay, quote, stock, valued


def closed_at(symbol: str, last: float, previous: float) -> Quote:
    return quote(symbol, last, AT, previous_close=previous)


def test_a_change_is_quantity_times_the_move_of_the_price() -> None:
    source = FakeSource({"AMZN": closed_at("AMZN", 190.0, 186.0), "KO": closed_at("KO", 70.0, 71.0)}, now=AT)
    columns = valued([stock("AMZN", 10.0), stock("KO", -20.0)], source)
    assert day_changes(columns).tolist() == [40.0, 20.0]
    day = day_change(columns)
    assert (day.amount, day.complete, day.missing) == (60.0, True, ())
    assert day.fraction == pytest.approx(60.0 / (10 * 186.0 - 20 * 71.0))


def test_options_count_by_their_multiplier() -> None:
    prices = {"AMZN": closed_at("AMZN", 190.0, 186.0), CALL: closed_at(CALL, 3.0, 2.5)}
    columns = valued([option(CALL, -2.0)], FakeSource(prices, now=AT))
    assert day_change(columns).amount == -2.0 * 100.0 * 0.5


def test_foreign_changes_are_at_todays_exchange_rate() -> None:
    price = quote("SAP.DE", 110.0, AT, previous_close=100.0)
    price.currency = "EUR"
    columns = valued(
        [stock("SAP.DE", 3.0, currency="EUR")], FakeSource({"SAP.DE": price}, fx={"EURUSD=X": 1.2}, now=AT)
    )
    assert day_change(columns).amount == pytest.approx(36.0)


def test_cash_does_not_change_and_is_not_missing() -> None:
    source = FakeSource({"AMZN": closed_at("AMZN", 190.0, 186.0)}, now=AT)
    columns = valued([stock("AMZN", 1.0), CashPosition(symbol="USD", quantity=100.0, value=100.0)], source)
    day = day_change(columns)
    assert (day.amount, day.complete) == (4.0, True)
    assert day.fraction == pytest.approx(4.0 / 186.0)


@pytest.mark.parametrize(
    "source",
    [
        FakeSource({"AMZN": quote("AMZN", 190.0, AT)}, now=AT),
        FakeSource({"AMZN": closed_at("AMZN", 190.0, 186.0)}, now=AT, freshness=Freshness.STALE),
        FakeSource({}, now=AT),
    ],
    ids=["no previous close", "stale", "no price"],
)
def test_what_says_nothing_of_a_day_is_missing(source: FakeSource) -> None:
    day = day_change(valued([stock("AMZN", 10.0)], source))
    assert (day.amount, day.fraction, day.complete, day.missing) == (None, None, False, ("AMZN",))


def test_a_price_of_broker_or_user_says_nothing_of_a_day() -> None:
    held = stock("AMZN", 10.0, price=180.0)
    at_the_files = valued([held], overlay(FakeSource({}, now=AT), [held], AT))
    assert at_the_files.value.tolist() == [1800.0]
    assert day_change(at_the_files).missing == ("AMZN",)
    source = FakeSource({"AMZN": closed_at("AMZN", 190.0, 186.0)}, now=AT)
    own = ReportedPrices(source, [held], broker="Fidelity", as_of=AT, prices={"AMZN": 500.0})
    at_ones_own = valued([held], own, Basis(prices={"AMZN": 500.0}))
    assert at_ones_own.value.tolist() == [5000.0]
    assert day_change(at_ones_own).missing == ("AMZN",)
