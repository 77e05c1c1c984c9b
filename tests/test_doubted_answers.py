"""What the border says of answers that are wrong in themselves: units, currencies, figures, closes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from msgspec.structs import replace

from quotewell.calendars import close_of
from quotewell.endpoints import Fetched
from quotewell.providers.validate import check
from quotewell.records import Closes, Failure, Fx, History, Need, Profile, Quote, Rate, Record

WEDNESDAY = dt.date(2024, 5, 15)
DAY = 86_400.0
NOW = close_of(WEDNESDAY) + 3600.0
TODAY = WEDNESDAY.toordinal()
EURO, TEN_YEARS = "EURUSD=X", "^TNX"


def quote(symbol: str = "AAPL", **fields: Any) -> Quote:
    known: dict[str, Any] = {
        "source": "yahoo", "fetched_at": NOW, "as_of": NOW, "last": 100.0, "previous_close": 99.0,
        "currency": "USD",
    }  # fmt: skip
    return Quote(symbol=symbol, **(known | fields))


def failure_of(fetched: Fetched, *need: str) -> str | None:
    """The kind of a refusal, None for what was let in."""
    error = fetched.failed.get((need[0], need[1]))
    return getattr(error, "failure", None)


# ------------------------------------------------------------------------------------- figures made of prices


def euro(last: float, previous_close: float | None, **fields: Any) -> Fetched:
    price = quote(EURO, last=last, previous_close=previous_close, **fields)
    rate = Fx(symbol=EURO, source=fields.get("source", "yahoo"), fetched_at=NOW, rate=last)
    return Fetched(found={(EURO, "fx"): rate, (EURO, "quote"): price})


def test_an_exchange_rate_falls_with_the_price_that_it_was_made_of() -> None:
    assert failure_of(check(euro(1.1, 1.09), {}, NOW), EURO, "fx") is None
    assert failure_of(check(euro(110.0, 1.09), {}, NOW), EURO, "fx") == "suspect"
    assert failure_of(check(euro(1.1, 1.09, as_of=NOW + DAY), {}, NOW), EURO, "fx") == "suspect"


def test_an_exchange_rate_without_evidence_is_refused_for_it_cannot_be_marked() -> None:
    assert failure_of(check(euro(1.1, None), {}, NOW), EURO, "fx") == "suspect"
    before: dict[Need, Record] = {(EURO, "quote"): quote(EURO, last=1.08, as_of=NOW - DAY)}
    assert failure_of(check(euro(1.1, None), before, NOW), EURO, "fx") is None
    assert failure_of(check(euro(1.1, None, source="files"), {}, NOW), EURO, "fx") is None


@pytest.mark.parametrize(
    ("last", "previous_close", "refused"),
    [
        (4.1, 4.0, None),
        (0.0, 4.0, "suspect"),
        (-4.1, 4.0, "suspect"),
        (-0.1, 0.1, None),
        (4.1, None, "suspect"),
    ],
)
def test_a_yield_must_be_near_the_one_before(
    last: float, previous_close: float | None, refused: str | None
) -> None:
    price = quote(TEN_YEARS, last=last, previous_close=previous_close)
    rate = Rate(symbol=TEN_YEARS, source="yahoo", fetched_at=NOW, years=10.0, rate=last / 100.0)
    fetched = Fetched(found={(TEN_YEARS, "rate"): rate, (TEN_YEARS, "quote"): price})
    assert failure_of(check(fetched, {}, NOW), TEN_YEARS, "rate") == refused


def test_figures_that_came_without_a_price_are_taken_as_they_are() -> None:
    rate = Rate(symbol=TEN_YEARS, source="snapshot", fetched_at=NOW, years=10.0, rate=0.04)
    assert check(Fetched(found={(TEN_YEARS, "rate"): rate}), {}, NOW).failed == {}


# ------------------------------------------------------------------------------------------------- currencies


@pytest.mark.parametrize(
    ("symbol", "currency", "refused"),
    [
        ("AAPL", "GBp", "invalid"),
        ("AAPL", "EUR", "invalid"),
        ("BRK-B", "EUR", "invalid"),
        ("^GSPC", "GBp", "invalid"),
        ("^FTSE", "GBP", None),
        ("VOD.L", "GBp", None),
        ("SAP.DE", "EUR", None),
        ("BTC-EUR", "EUR", None),
        ("BTC-EUR", "USD", "invalid"),
        ("EURUSD=X", "USD", None),
        ("EURUSD=X", "EUR", "invalid"),
        ("JPY=X", "JPY", None),
    ],
)
def test_a_symbol_without_a_suffix_tells_its_currency(
    symbol: str, currency: str, refused: str | None
) -> None:
    fetched = Fetched(
        found={
            (symbol, "quote"): quote(symbol, currency=currency),
            (symbol, "profile"): Profile(symbol=symbol, source="yahoo", currency=currency),
        }
    )
    checked = check(fetched, {}, NOW)
    assert failure_of(checked, symbol, "quote") == refused
    assert failure_of(checked, symbol, "profile") == refused


def test_the_users_own_files_may_list_anything_in_any_currency() -> None:
    fetched = Fetched(found={("AAPL", "quote"): quote(currency="EUR", source="files")})
    assert check(fetched, {}, NOW).failed == {}


def test_a_profile_does_not_settle_a_currency_that_the_quote_was_refused_for() -> None:
    stored: dict[Need, Record] = {("SAP.DE", "quote"): quote("SAP.DE", currency="EUR", as_of=NOW - DAY)}
    fetched = Fetched(
        found={
            ("SAP.DE", "quote"): quote("SAP.DE", currency="CHF"),
            ("SAP.DE", "profile"): Profile(symbol="SAP.DE", source="yahoo", currency="CHF"),
        }
    )
    checked = check(fetched, stored, NOW)
    assert failure_of(checked, "SAP.DE", "quote") == "suspect"
    profile = checked.found["SAP.DE", "profile"]
    assert isinstance(profile, Profile)
    assert profile.currency == "EUR"


# ----------------------------------------------------------------------------------------------------- closes


def closes(symbol: str, *values: float, last_day: int = TODAY) -> Closes:
    days = list(range(last_day - len(values) + 1, last_day + 1))
    return Closes(symbol=symbol, source="yahoo", dates=days, closes=list(values))


def history(series: Closes, currency: str | None = "USD") -> Fetched:
    record = History(symbol=series.symbol, source="yahoo", fetched_at=NOW, currency=currency)
    return Fetched(found={(series.symbol, "history"): record}, closes={series.symbol: series})


def test_a_close_that_leaps_at_the_end_waits_for_the_next_session() -> None:
    checked = check(history(closes("AAPL", 99.0, 100.0, 10_100.0)), {}, NOW)
    record = checked.found["AAPL", "history"]
    assert isinstance(record, History)
    assert (record.last_date, record.bars) == (TODAY - 1, 2)
    assert checked.closes["AAPL"].closes == [99.0, 100.0]


@pytest.mark.parametrize(("factor", "currency"), [(100.0, "USD"), (0.01, "USD"), (1.0, "EUR")])
def test_closes_in_another_unit_than_the_stored_price_are_held_back_until_a_later_session(
    factor: float, currency: str
) -> None:
    series = closes("SAP.DE", 98.0 * factor, 99.0 * factor)
    stored: dict[Need, Record] = {("SAP.DE", "quote"): quote("SAP.DE", as_of=NOW - DAY)}
    checked = check(history(series, currency), stored, NOW)
    assert failure_of(checked, "SAP.DE", "history") == "suspect"
    assert checked.closes == {}
    for days, refused in ((0.0, "suspect"), (1.0, None)):
        at = NOW - days * DAY
        failure = Failure("suspect", "held back", "yahoo", 1, at, at, at + 300.0)
        before = History(symbol="SAP.DE", failure=failure)
        again = check(history(series, currency), {**stored, ("SAP.DE", "history"): before}, NOW)
        assert failure_of(again, "SAP.DE", "history") == refused


def test_without_a_stored_price_the_stored_closes_are_the_evidence() -> None:
    known = closes("^GSPC", 5000.0, 5010.0, last_day=TODAY - 1)
    wrong = history(closes("^GSPC", 500_000.0, 501_000.0, 502_000.0))
    assert failure_of(check(wrong, {}, NOW, {"^GSPC": known}), "^GSPC", "history") == "suspect"
    right = history(closes("^GSPC", 5000.0, 5010.0, 5020.0))
    assert failure_of(check(right, {}, NOW, {"^GSPC": known}), "^GSPC", "history") is None


def test_an_unverified_price_speaks_against_no_closes() -> None:
    stored: dict[Need, Record] = {("AAPL", "quote"): replace(quote(as_of=NOW - DAY), unverified=True)}
    assert check(history(closes("AAPL", 9_900.0, 10_000.0)), stored, NOW).failed == {}
