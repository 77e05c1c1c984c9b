from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.errors import ProviderError
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
from quotewell.records import Dividend, Fx, Profile, Quote, Rate

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
FETCHED = 1_790_980_000.0


def v7(*rows: object) -> dict[str, Any]:
    return {"quoteResponse": {"result": list(rows), "error": None}}


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
