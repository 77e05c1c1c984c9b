from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.errors import ProviderError
from quotewell.providers.fmp_parse import parse_batch_quote, parse_profile
from quotewell.records import Dividend, Profile, Quote

NOW = 1_736_953_200.0
APPLE: dict[str, Any] = {
    "symbol": "AAPL",
    "price": 333.69,
    "beta": 1.085,
    "lastDividend": 1.08,
    "change": 3.37,
    "companyName": "Apple Inc.",
    "currency": "USD",
    "exchange": "NASDAQ",
    "sector": "Technology",
    "isEtf": False,
    "isFund": False,
    "isActivelyTrading": True,
}


def profile(**changes: Any) -> dict[Any, Any]:
    found = parse_profile(json.dumps([APPLE | changes]).encode(), "AAPL", NOW)
    assert found is not None
    return found


def test_a_profile_gives_everything_about_a_symbol() -> None:
    found = profile()
    assert found == {
        ("AAPL", "profile"): Profile(
            symbol="AAPL",
            source="fmp",
            fetched_at=NOW,
            name="Apple Inc.",
            type="stock",
            exchange="NASDAQ",
            sector="Technology",
            currency="USD",
            stated_beta=1.085,
        ),
        ("AAPL", "quote"): Quote(
            symbol="AAPL",
            source="fmp",
            fetched_at=NOW,
            last=333.69,
            previous_close=333.69 - 3.37,
            currency="USD",
            exchange="NASDAQ",
            type="stock",
        ),
        ("AAPL", "dividend"): Dividend(
            symbol="AAPL", source="fmp", fetched_at=NOW, dividend_yield=1.08 / 333.69
        ),
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"isEtf": True}, "etf"),
        ({"isFund": True}, "fund"),
        ({"isEtf": None}, None),
        ({"isFund": "false"}, None),
        ({"exchange": "INDEX"}, "index"),
        ({"exchange": "CRYPTO"}, "crypto"),
        ({"exchange": "FOREX"}, "currency"),
    ],
)
def test_the_type_is_what_the_flags_say_and_never_a_guess(
    changes: dict[str, Any], expected: str | None
) -> None:
    assert profile(**changes)["AAPL", "profile"].type == expected


def test_a_field_that_is_null_or_of_another_type_counts_as_absent() -> None:
    found = profile(beta="1.1", change=None, lastDividend=None, companyName=7, currency="")
    assert found.keys() == {("AAPL", "profile"), ("AAPL", "quote")}
    assert found["AAPL", "profile"].stated_beta is None
    assert found["AAPL", "profile"].name is None
    assert found["AAPL", "quote"].previous_close is None
    assert found["AAPL", "quote"].currency is None


@pytest.mark.parametrize("changes", [{"price": None}, {"price": True}, {"isActivelyTrading": False}])
def test_a_price_that_is_missing_or_no_longer_made_is_left_out(changes: dict[str, Any]) -> None:
    assert profile(**changes).keys() == {("AAPL", "profile")}


def test_no_yield_is_made_of_a_price_of_zero() -> None:
    assert ("AAPL", "dividend") not in profile(price=0)


def test_an_empty_list_is_an_unknown_symbol() -> None:
    assert parse_profile(b"[]", "AAPL", NOW) is None


def test_a_profile_of_another_symbol_is_no_answer() -> None:
    with pytest.raises(ProviderError, match="MSFT: the profile is about AAPL"):
        parse_profile(json.dumps([APPLE]).encode(), "MSFT", NOW)
    with pytest.raises(ProviderError, match="MSFT: the profile is about nothing"):
        parse_profile(b'[{"price": 1}]', "MSFT", NOW)


def test_quotes_of_a_batch_come_by_symbol_without_a_currency() -> None:
    rows = [
        {"symbol": "AAPL", "price": 1, "previousClose": 0.9, "exchange": "NYSE", "timestamp": 1_736_953_000},
        {"symbol": "MSFT", "price": None},
        {"price": 5.0},
        "MSFT",
    ]  # fmt: skip
    assert parse_batch_quote(json.dumps(rows).encode(), NOW) == {
        "AAPL": Quote(
            symbol="AAPL",
            source="fmp",
            as_of=1_736_953_000.0,
            fetched_at=NOW,
            last=1.0,
            previous_close=0.9,
            exchange="NYSE",
        )
    }


def test_one_nan_does_not_spoil_the_other_rows() -> None:
    quotes = parse_batch_quote(b'[{"symbol": "A", "price": NaN}, {"symbol": "B", "price": 2}]', NOW)
    assert quotes["B"].last == 2.0


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b'{"Error Message": "Limit Reach . Please upgrade your plan"}', "rate_limited"),
        (b'{"Error Message": "Invalid API KEY. s3cret"}', "denied"),
        (b'{"Error Message": "something else, s3cret"}', "server"),
        (b"{}", "server"),
        (b"<html>", "invalid"),
        (b"", "invalid"),
        (b"\xff\xfe\xfa", "invalid"),
        (b'"Too Many Requests"', "invalid"),
        (b"null", "invalid"),
    ],
)
def test_what_is_no_list_is_an_error_that_quotes_nothing(body: bytes, failure: str) -> None:
    for parse in (lambda: parse_profile(body, "AAPL", NOW), lambda: parse_batch_quote(body, NOW)):
        with pytest.raises(ProviderError) as raised:
            parse()
        assert raised.value.failure == failure
        assert "s3cret" not in str(raised.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(APPLE)), inner),
    max_leaves=20,
)


@given(JSON)
def test_no_json_breaks_the_parsers(answer: Any) -> None:
    body = json.dumps(answer).encode()
    for parse in (lambda: parse_profile(body, "AAPL", NOW), lambda: parse_batch_quote(body, NOW)):
        try:
            parse()
        except ProviderError as error:
            assert error.provider == "fmp"  # noqa: PT017  raising is one of two good outcomes
