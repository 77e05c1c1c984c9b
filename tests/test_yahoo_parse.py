from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.errors import ProviderError
from quotewell.providers.appending import LONGEST
from quotewell.providers.yahoo_parse import (
    error_of,
    is_crumb,
    number,
    quote_records,
    quote_rows,
    says_too_many,
    says_unauthorized,
    summary_records,
    text,
)
from quotewell.providers.yahoo_series import chart_series, spark_series
from quotewell.records import Dividend, DividendEvent, Fx, Profile, Quote, Rate, Split

# Recorded on 3 October 2026.
AAPL: dict[str, Any] = json.loads("""
{"language":"en-US","region":"US","quoteType":"EQUITY","typeDisp":"Equity","quoteSourceName":"Delayed Quote",
"currency":"USD","regularMarketTime":1790971201,"exchange":"NMS","exchangeTimezoneName":"America/New_York",
"exchangeTimezoneShortName":"EDT","gmtOffSetMilliseconds":-14400000,"market":"us_market",
"regularMarketPrice":333.69,"regularMarketPreviousClose":330.32,"fullExchangeName":"NasdaqGS",
"financialCurrency":"USD","dividendRate":1.08,"trailingAnnualDividendYield":0.0031787355,"dividendYield":0.33,
"marketState":"CLOSED","shortName":"Apple Inc.","longName":"Apple Inc.","marketCap":4869931925504,
"sourceInterval":15,"exchangeDataDelayedBy":0,"tradeable":false,"displayName":"Apple","symbol":"AAPL"}
""")
TOYOTA: dict[str, Any] = {
    "quoteType": "EQUITY",
    "symbol": "7203.T",
    "shortName": "TOYOTA MOTOR CORP",
    "currency": "JPY",
    "marketState": "POSTPOST",
    "exchangeTimezoneName": "Asia/Tokyo",
    "regularMarketPrice": 2893.5,
    "regularMarketPreviousClose": 2856.5,
}
SUMMARY: dict[str, Any] = {
    "quoteSummary": {
        "result": [
            {
                "summaryDetail": {
                    "maxAge": 1,
                    "previousClose": 330.32,
                    "dividendYield": 0.0033000002,
                    "beta": 1.085,
                    "marketCap": 4869931925504,
                    "currency": "USD",
                }
            }
        ],
        "error": None,
    }
}
CHART: dict[str, Any] = json.loads("""
{"chart":{"result":[{"meta":{"currency":"USD","symbol":"AAPL","exchangeName":"NMS","instrumentType":"EQUITY",
"regularMarketTime":1790971201,"gmtoffset":-14400,"exchangeTimezoneName":"America/New_York",
"regularMarketPrice":333.69,"chartPreviousClose":73.412,"dataGranularity":"1d"},"timestamp":[1577975400],
"indicators":{"quote":[{"low":[73.7975],"volume":[135480400],"close":[75.0875],"high":[75.15],"open":[74.06]}],
"adjclose":[{"adjclose":[72.2715]}]}}],"error":null}}
""")
FETCHED = 1_790_980_000.0


def v7(*rows: object) -> dict[str, Any]:
    return {"quoteResponse": {"result": list(rows), "error": None}}


def session(day: dt.date, hour: int = 9, minute: int = 30) -> int:
    """An instant in New York on `day`, in daylight-saving time."""
    return int(dt.datetime(day.year, day.month, day.day, hour + 4, minute, tzinfo=dt.UTC).timestamp())


def chart(closes: list[object], first: dt.date, **meta: object) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(json.dumps(CHART))
    result = payload["chart"]["result"][0]
    result["timestamp"] = [session(first + dt.timedelta(days=i)) for i in range(len(closes))]
    result["indicators"]["quote"] = [{"close": closes}]
    result["meta"].update(meta)
    return payload


# -------------------------------------------------------------------------------------------- plain values


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (1.5, 1.5),
        ({"raw": 2.5, "fmt": "2.50"}, 2.5),
        ({}, None),
        ({"raw": None}, None),
        (None, None),
        ("1.5", None),
        (True, None),
        (math.nan, None),
        (-math.inf, None),
        (10**400, None),
        ([1.0], None),
    ],
)
def test_only_finite_numbers_are_numbers(value: object, expected: float | None) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(" Apple ", "Apple"), ("", None), ("  ", None), (None, None), (7, None)]
)
def test_only_strings_that_say_something_are_text(value: object, expected: str | None) -> None:
    assert text(value) == expected


@pytest.mark.parametrize(
    ("body", "good"),
    [
        ("Phb0wzVdPs6", True),
        ("a/B.0000000", True),
        ("", False),
        ("Too Many Requests\r\n", False),
        ("<html>", False),
        ('{"finance":{}}', False),
        ("a b", False),
        ("x" * 65, False),
        ("crümb", False),
    ],
)
def test_what_is_a_crumb(body: str, good: bool) -> None:
    assert is_crumb(body) is good


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("Edge: Too Many Requests", True),
        ("<html>too many requests</html>", True),
        ('{"name":"Too Many Requests Inc."}', False),
        ("", False),
    ],
)
def test_a_rate_limit_in_words(body: str, says: bool) -> None:
    assert says_too_many(body) is says


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ({"finance": {"result": None, "error": {"code": "Unauthorized", "description": "x"}}}, True),
        ({"quoteResponse": {"result": None, "error": {"code": "x", "description": "Invalid Crumb"}}}, True),
        ({"quoteResponse": "Invalid Crumb"}, True),
        ("Invalid Cookie", True),
        ({"finance": {"error": {"code": "Internal Server Error", "description": "Oops"}}}, False),
        (v7(AAPL), False),
        ([], False),
    ],
)
def test_a_refused_crumb_under_any_envelope(payload: object, says: bool) -> None:
    assert says_unauthorized(payload) is says


def test_not_found_of_the_whole_service_is_not_about_a_symbol() -> None:
    error = {"error": {"code": "Not Found", "description": "No data found, symbol may be delisted"}}
    chart_error, service_error = error_of({"chart": error}), error_of({"finance": error})
    assert chart_error is not None
    assert service_error is not None
    assert (chart_error.not_found, service_error.not_found) == (True, False)


# ------------------------------------------------------------------------------------------------- quotes


def test_the_recorded_row_gives_quote_profile_and_dividend() -> None:
    records = quote_records("AAPL", quote_rows(v7(AAPL), ["AAPL"])["AAPL"], FETCHED)
    assert records == {
        "quote": Quote(
            symbol="AAPL",
            source="yahoo",
            as_of=1790971201.0,
            fetched_at=FETCHED,
            last=333.69,
            previous_close=330.32,
            currency="USD",
            exchange="NMS",
            type="stock",
            delay=0.0,
            market_state="CLOSED",
        ),
        "profile": Profile(
            symbol="AAPL",
            source="yahoo",
            as_of=1790971201.0,
            fetched_at=FETCHED,
            name="Apple Inc.",
            type="stock",
            exchange="NMS",
            time_zone="America/New_York",
            currency="USD",
        ),
        "dividend": Dividend(
            symbol="AAPL", source="yahoo", as_of=1790971201.0, fetched_at=FETCHED, dividend_yield=0.0033
        ),
    }


def test_a_short_row_leaves_unknown_what_it_does_not_say() -> None:
    records = quote_records("7203.T", TOYOTA, FETCHED)
    quote, profile = records["quote"], records["profile"]
    assert isinstance(quote, Quote)
    assert isinstance(profile, Profile)
    assert (quote.as_of, quote.bid, quote.delay, quote.exchange) == (None, None, None, None)
    assert (profile.name, profile.stated_beta) == ("TOYOTA MOTOR CORP", None)
    assert "dividend" not in records


@pytest.mark.parametrize(
    ("fields", "dividend_yield"),
    [
        ({"dividendYield": 0.33}, 0.0033),
        ({"dividendYield": 0.33, "trailingAnnualDividendYield": 0.5}, 0.0033),
        ({"trailingAnnualDividendYield": 0.0}, 0.0),
        ({"trailingAnnualDividendYield": 0.031}, 0.031),
    ],
)
def test_dividend_yields_become_fractions(fields: dict[str, float], dividend_yield: float) -> None:
    record = quote_records("7203.T", {**TOYOTA, **fields}, FETCHED)["dividend"]
    assert isinstance(record, Dividend)
    assert record.dividend_yield == pytest.approx(dividend_yield)


@pytest.mark.parametrize(
    ("wire", "kind"),
    [
        ("EQUITY", "stock"),
        ("ETF", "etf"),
        ("MUTUALFUND", "fund"),
        ("MONEYMARKET", "money_market"),
        ("INDEX", "index"),
        ("OPTION", "option"),
        ("CURRENCY", "currency"),
        ("CRYPTOCURRENCY", "crypto"),
        ("FUTURE", "future"),
        ("ECNQUOTE", None),
        (None, None),
    ],
)
def test_an_unknown_type_is_not_a_stock(wire: str | None, kind: str | None) -> None:
    records = quote_records("AAPL", {**AAPL, "quoteType": wire}, FETCHED)
    profile = records["profile"]
    assert isinstance(profile, Profile)
    assert profile.type == kind


@pytest.mark.parametrize("price", [None, math.nan, "333.69", {}])
def test_no_price_no_quote(price: object) -> None:
    records = quote_records("EURUSD=X", {**AAPL, "regularMarketPrice": price}, FETCHED)
    assert records.keys() == {"profile", "dividend"}


def test_price_and_currency_stay_as_the_wire_has_them() -> None:
    quote = quote_records("VOD.L", {**TOYOTA, "currency": "GBp", "regularMarketPrice": 88.1}, FETCHED)[
        "quote"
    ]
    assert isinstance(quote, Quote)
    assert (quote.last, quote.currency) == (88.1, "GBp")
    no_currency = quote_records("VOD.L", {**TOYOTA, "currency": None}, FETCHED)["quote"]
    assert isinstance(no_currency, Quote)
    assert no_currency.currency is None


def test_the_delay_is_in_seconds_and_the_stated_beta_in_the_profile() -> None:
    records = quote_records("AAPL", {**AAPL, "exchangeDataDelayedBy": 15, "beta": 1.085}, FETCHED)
    quote, profile = records["quote"], records["profile"]
    assert isinstance(quote, Quote)
    assert isinstance(profile, Profile)
    assert quote.delay == 900.0
    assert profile.stated_beta == 1.085


def test_a_currency_pair_is_also_an_exchange_rate() -> None:
    row = {"symbol": "EURUSD=X", "regularMarketPrice": 1.172, "regularMarketTime": 5, "currency": "USD"}
    assert quote_records("EURUSD=X", row, FETCHED)["fx"] == Fx(
        symbol="EURUSD=X", source="yahoo", as_of=5.0, fetched_at=FETCHED, rate=1.172
    )


@pytest.mark.parametrize(
    ("symbol", "percent", "years", "rate"),
    [
        ("^IRX", 5.0, 91 / 365, -math.log(1 - 0.05 * 91 / 360) * 365 / 91),
        ("^FVX", 4.0, 5.0, 2 * math.log(1.02)),
        ("^TNX", -0.5, 10.0, 2 * math.log(0.9975)),
        ("^TYX", 0.0, 30.0, 0.0),
    ],
)
def test_a_treasury_index_is_also_a_rate(symbol: str, percent: float, years: float, rate: float) -> None:
    record = quote_records(symbol, {"regularMarketPrice": percent}, FETCHED)["rate"]
    assert isinstance(record, Rate)
    assert record.years == years
    assert record.rate == pytest.approx(rate)


def test_a_yield_from_which_no_rate_follows_gives_none() -> None:
    assert "rate" not in quote_records("^IRX", {"regularMarketPrice": 400.0}, FETCHED)


def test_of_duplicates_the_priced_and_then_the_latest_row_counts() -> None:
    old = {**AAPL, "regularMarketTime": 10, "regularMarketPrice": 1.0}
    new = {**AAPL, "regularMarketTime": 20, "regularMarketPrice": 2.0}
    unpriced = {**AAPL, "regularMarketTime": 30, "regularMarketPrice": None}
    for rows in ([old, new, unpriced], [unpriced, new, old], [new, unpriced, old]):
        assert quote_rows(v7(*rows), ["AAPL"])["AAPL"]["regularMarketPrice"] == 2.0


def test_rows_that_nobody_asked_for_and_things_that_are_no_rows_are_left_out() -> None:
    payload = v7("Invalid", None, {"symbol": ["AAPL"]}, {"symbol": "MSFT"}, AAPL, 7)
    assert quote_rows(payload, ["AAPL"]).keys() == {"AAPL"}


@pytest.mark.parametrize("result", [[], None])
def test_an_empty_answer_is_an_answer(result: object) -> None:
    assert quote_rows({"quoteResponse": {"result": result, "error": None}}, ["AAPL"]) == {}


@pytest.mark.parametrize(
    ("payload", "failure"),
    [
        ({"finance": {"result": None, "error": {"code": "Internal Server Error"}}}, "server"),
        (
            {"quoteResponse": {"result": None, "error": {"code": "Bad Request", "description": "no"}}},
            "server",
        ),
        ({"quoteResponse": {"result": [], "error": "oops"}}, "server"),
        ({"quoteResponse": {"result": None, "error": {"code": "Not Found"}}}, "unknown"),
        ({"quoteResponse": "oops"}, "server"),
        ("oops", "server"),
        ({"quoteResponse": {"result": "oops", "error": None}}, "server"),
        ({"quoteResponse": {}}, "server"),
        ({}, "server"),
        ([], "server"),
        (None, "server"),
        (7, "server"),
    ],
)
def test_errors_under_status_200(payload: object, failure: str) -> None:
    with pytest.raises(ProviderError) as caught:
        quote_rows(payload, ["AAPL"])
    assert caught.value.failure == failure


WIRE_NAMES = [
    *AAPL,
    *(
        "raw",
        "result",
        "error",
        "response",
        "meta",
        "timestamp",
        "indicators",
        "quote",
        "close",
        "summaryDetail",
    ),
    *(
        "currentTradingPeriod",
        "regular",
        "start",
        "end",
        "gmtoffset",
        "events",
        "splits",
        "dividends",
        "date",
    ),
    *("numerator", "denominator", "amount", "beta"),
]
WIRE_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WIRE_NAMES), inner, max_size=6)
    ),
    max_leaves=30,
)


@given(WIRE_VALUES, st.sampled_from(["quoteResponse", "spark", "chart", "quoteSummary"]))
def test_no_answer_raises_anything_but_a_provider_error(value: object, envelope: str) -> None:
    row = {**value, "symbol": "AAPL"} if isinstance(value, dict) else value
    for payload in (value, {envelope: value}, {envelope: {"result": [row, value]}}, {"AAPL": value}):
        for parse in (
            lambda payload: quote_records("AAPL", quote_rows(payload, ["AAPL"]).get("AAPL", {}), FETCHED),
            lambda payload: spark_series(payload, ["AAPL"], FETCHED),
            lambda payload: chart_series(payload, "AAPL", FETCHED),
            lambda payload: summary_records("AAPL", payload, FETCHED),
        ):
            try:
                parse(payload)
            except ProviderError as error:
                assert error.failure in ("server", "invalid", "unknown")  # noqa: PT017  any other error is the failure


# ------------------------------------------------------------------------------------------------- summaries


def test_the_recorded_summary_gives_beta_and_a_yield_that_is_a_fraction_already() -> None:
    records = summary_records("AAPL", SUMMARY, FETCHED)
    profile, dividend = records["profile"], records["dividend"]
    assert isinstance(profile, Profile)
    assert isinstance(dividend, Dividend)
    assert (profile.stated_beta, profile.currency, profile.name) == (1.085, "USD", None)
    assert dividend.dividend_yield == 0.0033000002


def test_a_funds_three_year_beta_is_left_alone() -> None:
    modules = {
        "summaryDetail": {"currency": "USD"},
        "defaultKeyStatistics": {"beta3Year": 1.02},
        "quoteType": {
            "quoteType": "MUTUALFUND",
            "longName": "A fund",
            "timeZoneFullName": "America/New_York",
        },
    }
    records = summary_records("VTSAX", {"quoteSummary": {"result": [modules], "error": None}}, FETCHED)
    profile = records["profile"]
    assert isinstance(profile, Profile)
    assert (profile.stated_beta, profile.type, profile.time_zone) == (None, "fund", "America/New_York")
    assert "dividend" not in records


@pytest.mark.parametrize("result", [[], ["Invalid Crumb"], [{}]])
def test_an_empty_summary_is_invalid(result: list[object]) -> None:
    with pytest.raises(ProviderError, match="empty"):
        summary_records("AAPL", {"quoteSummary": {"result": result, "error": None}}, FETCHED)


# --------------------------------------------------------------------------------------------------- series

MONDAY = dt.date(2026, 9, 28)


def test_the_recorded_chart_gives_the_close_that_is_adjusted_for_splits_only() -> None:
    series = chart_series(CHART, "AAPL", FETCHED)
    assert series is not None
    history, closes = series
    day = dt.date(2020, 1, 2).toordinal()
    assert (closes.dates, closes.closes, closes.source) == ([day], [75.0875], "yahoo")
    assert (history.first_date, history.last_date, history.bars, history.currency) == (day, day, 1, "USD")
    assert (history.as_of, history.fetched_at) == (1577975400.0, FETCHED)


def test_null_nan_and_worthless_closes_are_left_out() -> None:
    series = chart_series(chart([1.0, None, math.nan, 0.0, -1.0, 2.0], MONDAY), "AAPL", FETCHED + 7 * 86400)
    assert series is not None
    assert series[1].closes == [1.0, 2.0]
    assert series[1].dates == [MONDAY.toordinal(), MONDAY.toordinal() + 5]


@pytest.mark.parametrize(
    ("hour", "minute", "bars"), [(9, 45, 4), (15, 59, 4), (16, 0, 4), (16, 19, 4), (16, 20, 5), (23, 0, 5)]
)
@pytest.mark.parametrize("says_when", [True, False])
def test_a_sessions_bar_counts_twenty_minutes_after_its_close(
    hour: int, minute: int, bars: int, says_when: bool
) -> None:
    friday = MONDAY + dt.timedelta(days=4)
    regular = {"start": session(friday), "end": session(friday, 16, 0)}
    meta = {"currentTradingPeriod": {"regular": regular}} if says_when else {}
    now = session(friday) + (hour - 9) * 3600 + (minute - 30) * 60
    series = chart_series(chart([1.0, 2.0, 3.0, 4.0, 5.0], MONDAY, **meta), "AAPL", now)
    assert series is not None
    assert len(series[1].closes) == bars


def test_elsewhere_without_a_word_on_its_session_todays_bar_is_left_out() -> None:
    payload = chart([1.0, 2.0], MONDAY, symbol="SAP.DE", exchangeTimezoneName="Europe/Berlin")
    series = chart_series(payload, "SAP.DE", session(MONDAY + dt.timedelta(days=1), 16, 0))
    assert series is not None
    assert series[1].closes == [1.0]


def test_before_the_next_session_opens_the_last_bar_counts() -> None:
    tuesday = MONDAY + dt.timedelta(days=1)
    regular = {"start": session(tuesday), "end": session(tuesday, 16, 0)}
    payload = chart([1.0], MONDAY, currentTradingPeriod={"regular": regular})
    series = chart_series(payload, "AAPL", session(tuesday, 8, 0))
    assert series is not None
    assert series[1].closes == [1.0]


@pytest.mark.parametrize(
    ("meta", "day"),
    [
        ({"exchangeTimezoneName": "Asia/Tokyo"}, 29),
        ({"exchangeTimezoneName": "Nowhere/Atlantis", "gmtoffset": 32400}, 29),
        ({"exchangeTimezoneName": "../etc/passwd", "gmtoffset": 32400}, 29),
        ({"exchangeTimezoneName": None, "gmtoffset": None}, 28),
        ({"exchangeTimezoneName": None, "gmtoffset": 10**9}, 28),
    ],
)
def test_days_are_those_of_the_exchange(meta: dict[str, object], day: int) -> None:
    payload = chart([1.0], MONDAY, **meta)
    payload["chart"]["result"][0]["timestamp"] = [
        int(dt.datetime(2026, 9, 28, 23, 30, tzinfo=dt.UTC).timestamp())
    ]
    series = chart_series(payload, "AAPL", FETCHED)
    assert series is not None
    assert dt.date.fromordinal(series[1].dates[0]).day == day


def test_the_history_is_as_of_the_last_trade_when_that_was_in_the_last_bar() -> None:
    tuesday = MONDAY + dt.timedelta(days=1)
    closed = session(tuesday, 16, 0)
    traded = chart([1.0, 2.0], MONDAY, regularMarketTime=closed)
    running = chart([1.0, 2.0], MONDAY, regularMarketTime=session(MONDAY + dt.timedelta(days=2), 10, 0))
    both = [chart_series(payload, "AAPL", closed + 86400 * 0.9) for payload in (traded, running)]
    assert [series[0].as_of for series in both if series is not None] == [closed, session(tuesday)]


def test_splits_and_dividends_are_kept() -> None:
    payload = chart([1.0, 2.0, 3.0], MONDAY)
    tuesday = MONDAY + dt.timedelta(days=1)
    payload["chart"]["result"][0]["events"] = {
        "splits": {
            "2": {"date": session(tuesday), "numerator": 4.0, "denominator": 1.0, "splitRatio": "4:1"},
            "1": {"date": session(MONDAY), "numerator": 1.0, "denominator": 8.0},
            "3": {"date": session(MONDAY), "numerator": 1.0, "denominator": 0.0},
            "4": "oops",
        },
        "dividends": {
            "2": {"date": session(tuesday), "amount": 0.27},
            "1": {"date": session(MONDAY), "amount": 0.26},
            "3": {"date": session(MONDAY), "amount": None},
        },
    }
    series = chart_series(payload, "AAPL", FETCHED)
    assert series is not None
    first, second = MONDAY.toordinal(), tuesday.toordinal()
    assert series[1].splits == (Split(first, 0.125), Split(second, 4.0))
    assert series[1].dividends == (
        DividendEvent(first, 0.26, "USD", declared=True),
        DividendEvent(second, 0.27, "USD", declared=True),
    )


@pytest.mark.parametrize(
    "indicators", [{"quote": [{}], "adjclose": [{}]}, {}, {"quote": "oops"}, {"quote": [{"close": [None]}]}]
)
def test_a_chart_without_bars_is_no_series(indicators: object) -> None:
    payload = chart([1.0], MONDAY)
    payload["chart"]["result"][0]["indicators"] = indicators
    assert chart_series(payload, "AAPL", FETCHED) is None
    del payload["chart"]["result"][0]["timestamp"]
    assert chart_series(payload, "AAPL", FETCHED) is None


@pytest.mark.parametrize("result", [[], ["oops"], [{"meta": {"symbol": "MSFT"}}]])
def test_a_chart_about_nothing_or_another_symbol_is_invalid(result: list[object]) -> None:
    with pytest.raises(ProviderError, match="AAPL is about") as caught:
        chart_series({"chart": {"result": result, "error": None}}, "AAPL", FETCHED)
    assert caught.value.failure == "invalid"


def test_an_unknown_symbol_under_status_200_is_unknown() -> None:
    error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
    with pytest.raises(ProviderError) as caught:
        chart_series({"chart": {"result": None, "error": error}}, "NOPE", FETCHED)
    assert caught.value.failure == "unknown"


def test_the_latest_800_bars_are_kept_in_order_one_a_day() -> None:
    closes: list[object] = [float(i + 1) for i in range(1000)]
    payload = chart(closes, dt.date(2022, 1, 1))
    stamps = payload["chart"]["result"][0]["timestamp"]
    stamps[-1] = stamps[-2] + 60  # the running bar, sent as a second one of its day
    series = chart_series(payload, "AAPL", FETCHED)
    assert series is not None
    dates = series[1].dates
    assert len(dates) == LONGEST == series[0].bars
    assert dates == sorted(set(dates))
    assert series[1].closes[-2:] == [998.0, 1000.0]


def spark_row(symbol: str, closes: list[object]) -> dict[str, Any]:
    result = chart(closes, MONDAY, symbol=symbol)["chart"]["result"][0]
    return {"symbol": symbol, "response": [result]}


def test_spark_of_version_7() -> None:
    rows = [spark_row("AAPL", [1.0, 2.0]), spark_row("MSFT", [None]), "oops", spark_row("AAPL", [9.0])]
    series = spark_series({"spark": {"result": rows, "error": None}}, ["AAPL", "MSFT", "NOPE"], FETCHED)
    assert series.keys() == {"AAPL", "MSFT"}
    assert series["MSFT"] is None
    assert series["AAPL"] is not None
    assert series["AAPL"][1].closes == [1.0, 2.0]
    assert series["AAPL"][0].currency == "USD"


def test_spark_of_version_8_is_flat() -> None:
    stamps = [session(MONDAY), session(MONDAY + dt.timedelta(days=1))]
    payload = {"AAPL": {"close": [1.0, 2.0], "timestamp": stamps, "chartPreviousClose": 0.9}, "MSFT": "oops"}
    series = spark_series(payload, ["AAPL", "MSFT"], FETCHED)
    assert series.keys() == {"AAPL"}
    assert series["AAPL"] is not None
    assert series["AAPL"][1].closes == [1.0, 2.0]
    assert series["AAPL"][0].currency is None


def test_timestamps_beyond_all_calendars_are_left_out() -> None:
    payload = chart([1.0, 2.0], MONDAY)
    payload["chart"]["result"][0]["timestamp"][0] = 10**17
    series = chart_series(payload, "AAPL", FETCHED)
    assert series is not None
    assert series[1].closes == [2.0]
