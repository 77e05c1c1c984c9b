from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quotewell.endpoints import Fetched
from quotewell.errors import ProviderError
from quotewell.providers.validate import (
    check,
    check_closes,
    check_dividend,
    check_payouts,
    check_profile,
    check_quote,
    held_back,
)
from quotewell.records import (
    Closes,
    Dividend,
    DividendEvent,
    Facet,
    Fx,
    History,
    Need,
    Payouts,
    Profile,
    Quote,
    Rate,
    Record,
    Result,
    Risk,
    Split,
)

NOW = dt.datetime(2024, 5, 15, 19, 0, tzinfo=dt.UTC).timestamp()
TODAY = dt.date(2024, 5, 15).toordinal()
BAD_NUMBERS = [None, math.nan, math.inf, -math.inf, 1e300, "12", True]


def quote(**fields: Any) -> Quote:
    known: dict[str, Any] = {
        "symbol": "AAPL",
        "source": "yahoo",
        "fetched_at": NOW,
        "as_of": NOW,
        "last": 100.0,
        "previous_close": 99.0,
        "currency": "USD",
    }
    return Quote(**(known | fields))


def answer(*records: Record, closes: Closes | None = None) -> Fetched:
    facets: dict[type[Record], Facet] = {
        Quote: "quote",
        Profile: "profile",
        Dividend: "dividend",
        Payouts: "payouts",
        History: "history",
        Fx: "fx",
        Rate: "rate",
        Risk: "risk",
    }
    found: dict[Need, Record] = {(record.symbol, facets[type(record)]): record for record in records}
    return Fetched(found=found, closes={} if closes is None else {closes.symbol: closes})


def checked(*records: Record, stored: dict[Need, Record] | None = None) -> Fetched:
    return check(answer(*records), stored or {}, NOW)


def only_failure(fetched: Fetched) -> ProviderError:
    assert not fetched.found
    (error,) = fetched.failed.values()
    assert isinstance(error, ProviderError)
    return error


@pytest.mark.parametrize("price", [*BAD_NUMBERS, 0.0, -1.0])
def test_a_price_that_is_no_positive_number_is_invalid(price: Any) -> None:
    error = only_failure(checked(quote(last=price)))
    assert error.failure == "invalid"
    assert str(error).startswith("yahoo: AAPL: price")


@pytest.mark.parametrize("field", ["bid", "ask", "previous_close", "delay"])
@pytest.mark.parametrize("value", [*BAD_NUMBERS, -1.0])
def test_other_numbers_of_a_quote_that_are_none_are_dropped(field: str, value: Any) -> None:
    assert getattr(check_quote(quote(**{field: value}), "USD"), field) is None


def test_a_zero_bid_is_no_bid_but_a_zero_delay_is_one() -> None:
    good = check_quote(quote(bid=0.0, ask=0.0, delay=0.0), "USD")
    assert (good.bid, good.ask, good.delay) == (None, None, 0.0)


@pytest.mark.parametrize(
    ("symbol", "currency", "major"),
    [("VOD.L", "GBp", "GBP"), ("TEVA.TA", "ILA", "ILS"), ("NPN.JO", "ZAc", "ZAR")],
)
def test_minor_units_are_converted_once(symbol: str, currency: str, major: str) -> None:
    raw = quote(symbol=symbol, last=7125.0, bid=7120.0, ask=7130.0, previous_close=7100.0, currency=currency)
    once = checked(raw).found[symbol, "quote"]
    assert isinstance(once, Quote)
    assert (once.last, once.bid, once.ask, once.previous_close) == (71.25, 71.2, 71.3, 71.0)
    assert once.currency == major
    assert checked(once).found[symbol, "quote"] == once


def test_a_missing_currency_is_that_of_the_same_answer_in_its_unit() -> None:
    profile = Profile(symbol="VOD.L", source="yahoo", fetched_at=NOW, currency="GBp")
    good = checked(quote(symbol="VOD.L", currency=None, last=7125.0, previous_close=7100.0), profile)
    found = good.found["VOD.L", "quote"]
    assert isinstance(found, Quote)
    assert (found.last, found.currency) == (71.25, "GBP")
    assert good.found["VOD.L", "profile"] == replace(profile, currency="GBP")


def test_a_missing_currency_is_that_of_the_cached_profile() -> None:
    stored: dict[Need, Record] = {("AAPL", "profile"): Profile(symbol="AAPL", currency="USD")}
    found = checked(quote(currency=None), stored=stored).found["AAPL", "quote"]
    assert isinstance(found, Quote)
    assert found.currency == "USD"


@pytest.mark.parametrize(
    "stored", [None, Profile(symbol="AAPL"), Profile(symbol="AAPL", currency="GBP"), Quote(symbol="AAPL")]
)
def test_a_price_whose_unit_would_be_a_guess_is_invalid(stored: Record | None) -> None:
    cached: dict[Need, Record] = {} if stored is None else {("AAPL", "profile"): stored}
    error = only_failure(checked(quote(currency=None), stored=cached))
    assert error.failure == "invalid"
    assert "no currency" in str(error)


def test_a_value_from_the_future_is_invalid() -> None:
    assert checked(quote(as_of=NOW + 60.0)).found
    assert "in the future" in str(only_failure(checked(quote(as_of=NOW + 61.0))))
    fx = Fx(symbol="EURUSD=X", source="yahoo", rate=1.1, as_of=NOW + 3600.0)
    assert only_failure(checked(fx)).failure == "invalid"


def test_a_time_that_is_no_number_is_unknown() -> None:
    assert checked(quote(as_of=math.nan)).found["AAPL", "quote"].as_of is None


def test_an_answer_about_another_symbol_is_invalid() -> None:
    fetched = Fetched(found={("MSFT", "quote"): quote()})
    error = only_failure(check(fetched, {}, NOW))
    assert "the answer for MSFT is about AAPL" in str(error)


def test_a_price_that_leaps_is_suspect_and_the_old_value_can_be_kept_with_it() -> None:
    old = quote(last=100.0)
    held = checked(quote(last=1000.0), stored={("AAPL", "quote"): old})
    assert only_failure(held).failure == "suspect"
    assert held_back(held)["AAPL"].kept == replace(old, suspect=1000.0)
    assert held_back(checked(quote(last=1000.0)))["AAPL"].kept is None


def test_the_splits_of_the_same_answer_are_evidence() -> None:
    bars = Closes(symbol="AAPL", source="yahoo", dates=[TODAY], closes=[120.0], splits=(Split(TODAY, 10.0),))
    history = History(symbol="AAPL", source="yahoo", currency="USD")
    fetched = answer(quote(last=120.0, previous_close=1200.0), history, closes=bars)
    assert ("AAPL", "quote") in check(fetched, {}, NOW).found
    fetched.closes["AAPL"] = replace(bars, splits=(Split(TODAY, math.nan),))
    assert ("AAPL", "quote") in check(fetched, {}, NOW).failed


@pytest.mark.parametrize(
    ("beta", "kept"), [(1.085, 1.085), (-20.0, -20.0), (20.1, None), (math.nan, None), (None, None)]
)
def test_a_stated_beta_is_finite_and_at_most_20(beta: float | None, kept: float | None) -> None:
    profile = Profile(symbol="AAPL", source="fmp", stated_beta=beta, currency="ZAc")
    assert check_profile(profile) == replace(profile, stated_beta=kept, currency="ZAR")


@pytest.mark.parametrize("stated", [1.0, 33.0, -0.01, math.nan, math.inf])
def test_a_dividend_yield_that_is_no_fraction_is_invalid(stated: float) -> None:
    record = Dividend(symbol="AAPL", source="yahoo", dividend_yield=stated)
    error = only_failure(checked(record))
    assert error.failure == "invalid"


def test_an_unknown_dividend_yield_stays_unknown() -> None:
    record = Dividend(symbol="AAPL", source="yahoo")
    assert checked(record).found["AAPL", "dividend"] == record
    assert check_dividend(replace(record, dividend_yield=0.0)).dividend_yield == 0.0


def test_dividend_events_are_in_major_units_positive_and_by_date() -> None:
    events = (
        DividendEvent(TODAY, 12.0, "GBp", declared=True),
        DividendEvent(TODAY - 90, 0.11, None, declared=True),
        DividendEvent(TODAY - 180, math.nan, "GBP", declared=True),
        DividendEvent(TODAY - 270, 0.0, "GBP", declared=True),
        DividendEvent(0, 0.1, "GBP", declared=True),
    )
    good = check_payouts(Payouts(symbol="VOD.L", source="yahoo", events=events), "GBP")
    assert good.events == (
        DividendEvent(TODAY - 90, 0.11, "GBP", declared=True),
        DividendEvent(TODAY, 0.12, "GBP", declared=True),
    )
    assert check_payouts(good, None).events == good.events


def test_events_of_no_known_currency_say_so() -> None:
    event = DividendEvent(TODAY, 0.11, None, declared=True)
    payouts = Payouts(symbol="AAPL", source="yahoo", events=(event,))
    assert checked(payouts).found["AAPL", "payouts"] == payouts


def test_events_that_may_be_in_hundredths_of_an_unknown_currency_are_invalid() -> None:
    event = DividendEvent(TODAY, 0.11, None, declared=True)
    payouts = Payouts(symbol="VOD.L", source="yahoo", events=(event,))
    assert only_failure(checked(payouts)).failure == "invalid"
    told = replace(payouts, events=(replace(event, currency="GBp"),))
    [good] = checked(told).found["VOD.L", "payouts"].events  # type: ignore[attr-defined]
    assert (good.amount, good.currency) == (0.0011, "GBP")


def test_dividends_are_as_doubtful_as_the_closes_that_they_came_with() -> None:
    event = DividendEvent(TODAY, 0.26, "USD", declared=True)
    payouts = Payouts(symbol="AAPL", source="yahoo", events=(event,))
    history = History(symbol="AAPL", source="yahoo", currency="USD")
    closes = Closes(symbol="AAPL", source="yahoo", dates=[TODAY - 1], closes=[1e4])
    stored: dict[Need, Record] = {("AAPL", "quote"): quote(symbol="AAPL", last=100.0, fetched_at=NOW)}
    found = check(answer(history, payouts, closes=closes), stored, NOW)
    assert not found.found
    assert {error.failure for error in found.failed.values()} == {"suspect"}
    alone = check(answer(payouts), stored, NOW)
    assert alone.found == {("AAPL", "payouts"): payouts}


@pytest.mark.parametrize("rate", [*BAD_NUMBERS, 0.0, -1.1])
def test_an_exchange_rate_is_a_positive_number(rate: Any) -> None:
    record = Fx(symbol="EURUSD=X", source="yahoo", rate=rate)
    assert only_failure(checked(record)).failure == "invalid"
    good = replace(record, rate=1.08)
    assert checked(good).found["EURUSD=X", "fx"] == good


@pytest.mark.parametrize(
    ("rate", "years", "good"),
    [(0.043, 0.25, True), (0.0, 5.0, True), (-0.005, 5.0, True), (4.3, 0.25, False), (math.nan, 1.0, False),
     (0.04, 0.0, False), (0.04, None, False)],
)  # fmt: skip
def test_an_interest_rate_is_a_fraction_over_a_positive_term(
    rate: float, years: float | None, good: bool
) -> None:
    record = Rate(symbol="^IRX", source="yahoo", rate=rate, years=years)
    fetched = checked(record)
    assert (("^IRX", "rate") in fetched.found) is good
    assert (("^IRX", "rate") in fetched.failed) is not good


@pytest.mark.parametrize(("beta", "good"), [(1.3, True), (0.0, True), (21.0, False), (None, False)])
def test_a_computed_beta_is_checked_too(beta: float | None, good: bool) -> None:
    assert bool(checked(Risk(symbol="AAPL", source="yahoo", beta=beta)).found) is good


def test_a_record_of_no_facet_passes() -> None:
    result = Result(symbol="key", source="function")
    assert check(Fetched(found={("key", "quote"): result}), {}, NOW).found == {("key", "quote"): result}


class TestHistory:
    record = History(symbol="VOD.L", source="yahoo", fetched_at=NOW, as_of=NOW, currency="GBp")

    def bars(self, *bars: tuple[int, Any], **more: Any) -> Closes:
        dates, closes = [date for date, _ in bars], [close for _, close in bars]
        return Closes(symbol="VOD.L", source="yahoo", dates=dates, closes=closes, **more)

    def test_bad_bars_are_dropped_and_the_coverage_is_that_of_the_rest(self) -> None:
        bars = self.bars(
            (TODAY - 3, 70.0), (TODAY - 4, 69.0), (TODAY - 2, math.nan), (TODAY - 1, 71.0), (TODAY - 1, 72.0),
            (TODAY, None), (TODAY + 2, 73.0), (0, 1.0), (TODAY - 9, -5.0),
        )  # fmt: skip
        fetched = check(answer(self.record, closes=bars), {}, NOW)
        closes = fetched.closes["VOD.L"]
        assert closes.dates == [TODAY - 4, TODAY - 3, TODAY - 1]
        assert closes.closes == [0.69, 0.70, 0.72]
        history = fetched.found["VOD.L", "history"]
        assert isinstance(history, History)
        assert (history.first_date, history.last_date, history.bars) == (TODAY - 4, TODAY - 1, 3)
        assert history.currency == "GBP"

    def test_splits_and_dividends_are_checked_with_the_bars(self) -> None:
        bars = self.bars(
            (TODAY, 70.0),
            splits=(Split(TODAY, 2.0), Split(TODAY - 5, 0.5), Split(TODAY - 6, 0.0), Split(0, 2.0)),
            dividends=(DividendEvent(TODAY, 4.0, None, declared=True),),
        )
        good = check_closes(bars, "GBp", TODAY)
        assert good.splits == (Split(TODAY - 5, 0.5), Split(TODAY, 2.0))
        assert good.dividends == (DividendEvent(TODAY, 0.04, "GBP", declared=True),)

    def test_closes_of_an_unknown_currency_stay_as_they_are_where_it_has_no_hundredths(self) -> None:
        record = replace(self.record, symbol="SAP.DE", currency=None)
        bars = replace(self.bars((TODAY, 70.0)), symbol="SAP.DE")
        fetched = check(answer(record, closes=bars), {}, NOW)
        assert fetched.closes["SAP.DE"].closes == [70.0]
        assert fetched.found["SAP.DE", "history"] == replace(
            record, first_date=TODAY, last_date=TODAY, bars=1
        )
        london = check(answer(replace(self.record, currency=None), closes=self.bars((TODAY, 70.0))), {}, NOW)
        assert only_failure(london).failure == "invalid"
        assert london.closes == {}

    def test_the_bar_of_an_unfinished_session_is_not_from_the_future(self) -> None:
        record = replace(self.record, as_of=NOW + 7200.0)
        fetched = check(answer(record, closes=self.bars((TODAY, 70.0))), {}, NOW)
        assert fetched.found["VOD.L", "history"].as_of == NOW

    @pytest.mark.parametrize("bars", [None, [(TODAY, math.nan)], []])
    def test_no_good_bar_is_invalid(self, bars: list[tuple[int, float]] | None) -> None:
        closes = None if bars is None else self.bars(*bars)
        fetched = check(answer(self.record, closes=closes), {}, NOW)
        assert only_failure(fetched).failure == "invalid"
        assert fetched.closes == {}

    def test_dates_and_closes_of_different_length_are_invalid(self) -> None:
        closes = self.bars((TODAY, 70.0))
        closes.dates.append(TODAY + 1)
        assert only_failure(check(answer(self.record, closes=closes), {}, NOW)).failure == "invalid"

    @given(
        st.lists(st.tuples(st.integers(-5, 30), st.none() | st.floats() | st.floats(0.01, 1e5)), max_size=40)
    )
    def test_whatever_comes_dates_increase_and_closes_are_positive(
        self, bars: list[tuple[int, float | None]]
    ) -> None:
        good = check_closes(self.bars(*bars), None, 20)
        assert len(good.dates) == len(good.closes)
        assert good.dates == sorted(set(good.dates))
        assert all(0 < date <= 20 for date in good.dates)
        assert all(0.0 < close < math.inf for close in good.closes)
        again = check_closes(good, None, 20)
        assert set(again.dates) <= set(good.dates), "what leaps beside its new neighbours may go, too"


def test_all_other_outcomes_pass_and_the_answer_is_left_as_it_was() -> None:
    error = ProviderError("yahoo", "server", "503")
    fetched = Fetched(
        found={("A", "quote"): quote(symbol="A", last=math.nan)},
        unknown={("B", "quote")},
        omitted={("C", "quote")},
        failed={("D", "quote"): error},
    )
    result = check(fetched, {}, NOW)
    assert (result.unknown, result.omitted) == ({("B", "quote")}, {("C", "quote")})
    assert result.failed.keys() == {("A", "quote"), ("D", "quote")}
    assert result.failed["D", "quote"] is error
    assert fetched.found.keys() == {("A", "quote")}
    assert fetched.failed == {("D", "quote"): error}


@given(
    last=st.none() | st.floats(),
    bid=st.none() | st.floats(),
    previous_close=st.none() | st.floats(),
    currency=st.sampled_from([None, "", "USD", "GBp", "ILA"]),
    as_of=st.none() | st.floats(),
)
def test_whatever_comes_a_found_quote_is_sound(
    last: float | None,
    bid: float | None,
    previous_close: float | None,
    currency: str | None,
    as_of: float | None,
) -> None:
    raw = quote(last=last, bid=bid, previous_close=previous_close, currency=currency, as_of=as_of)
    fetched = checked(raw)
    assert len(fetched.found) + len(fetched.failed) == 1
    for found in fetched.found.values():
        assert isinstance(found, Quote)
        assert found.last is not None
        numbers = [found.last, found.bid, found.previous_close]
        assert all(number is None or 0.0 < number < math.inf for number in numbers)
        assert found.currency in {"USD", "GBP", "ILS"}
        assert found.as_of is None or found.as_of <= NOW + 60.0
        assert checked(found).found == fetched.found
