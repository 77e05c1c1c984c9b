"""Yahoo's bars on the wire, and what becomes of them."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

import pytest

from quotewell.errors import ProviderError
from quotewell.providers.appending import LONGEST
from quotewell.providers.yahoo_series import chart_series, spark_series
from quotewell.records import DividendEvent, Split

CHART: dict[str, Any] = json.loads("""
{"chart":{"result":[{"meta":{"currency":"USD","symbol":"AAPL","exchangeName":"NMS","instrumentType":"EQUITY",
"regularMarketTime":1790971201,"gmtoffset":-14400,"exchangeTimezoneName":"America/New_York",
"regularMarketPrice":333.69,"chartPreviousClose":73.412,"dataGranularity":"1d"},"timestamp":[1577975400],
"indicators":{"quote":[{"low":[73.7975],"volume":[135480400],"close":[75.0875],"high":[75.15],"open":[74.06]}],
"adjclose":[{"adjclose":[72.2715]}]}}],"error":null}}
""")
FETCHED = 1_790_980_000.0


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
