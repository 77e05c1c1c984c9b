from __future__ import annotations

import string
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quotewell.errors import QuotewellError, SymbolError
from quotewell.option_symbols import BLANKS
from quotewell.symbols import (
    SymbolKind,
    currency_pair,
    exchange_suffix,
    kind,
    looks_like_cusip,
    looks_like_money_market,
    minor_unit,
    normalise,
    parse_option,
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("AAPL", "AAPL"),
        (" aapl\t", "AAPL"),
        ("googl", "GOOGL"),
        ("\u00a0MSFT\r\n", "MSFT"),
        ("BRK-B", "BRK-B"),
        ("BRK.B", "BRK-B"),
        ("BRK/B", "BRK-B"),
        ("BRK B", "BRK-B"),
        ("BRKB", "BRK-B"),
        ("brkb", "BRK-B"),
        ("brk.a", "BRK-A"),
        ("BF.B", "BF-B"),
        ("VOD.L", "VOD.L"),
        ("vod.l", "VOD.L"),
        ("7203.T", "7203.T"),
        ("0700.HK", "0700.HK"),
        ("M&M.NS", "M&M.NS"),
        ("BBD-B.TO", "BBD-B.TO"),
        ("BBD.B.TO", "BBD-B.TO"),
        ("HXT.U.TO", "HXT-U.TO"),
        ("REI.UN.TO", "REI-UN.TO"),
        ("CEZ.PR", "CEZ.PR"),
        ("BAC/PRL", "BAC-PL"),
        ("BAC PRL", "BAC-PL"),
        ("BAC PR L", "BAC-PL"),
        ("BAC/PR/L", "BAC-PL"),
        ("JPM.PR.D", "JPM-PD"),
        ("TY PR", "TY-P"),
        ("BCE.PR.A.TO", "BCE-PA.TO"),
        ("OXY.WS", "OXY-WT"),
        ("TDW.WS.A", "TDW-WTA"),
        ("GRP/U", "GRP-UN"),
        ("CELG RT", "CELG-RI"),
        ("POST WI", "POST-WI"),
        ("^GSPC", "^GSPC"),
        ("^SPX", "^GSPC"),
        ("^spx", "^GSPC"),
        ("^TA125.TA", "^TA125.TA"),
        ("^SP500-45", "^SP500-45"),
        ("EURUSD=X", "EURUSD=X"),
        ("eurusd=x", "EURUSD=X"),
        ("EUR.USD", "EURUSD=X"),
        ("EUR/USD", "EURUSD=X"),
        ("JPY=X", "USDJPY=X"),
        ("USD=X", "USD=X"),
        ("BTC-USD", "BTC-USD"),
        ("BTC/USD", "BTC-USD"),
        ("ABC.USD", "ABC.USD"),
        ("ES=F", "ES=F"),
        ("DX-Y.NYB", "DX-Y.NYB"),
        ("SPAXX**", "SPAXX"),
        ("CORE**", "CORE**"),
        ("021ESC017", "021ESC017"),
        ("ABC.XYZ", "ABC.XYZ"),
        ("A.B.C", "A.B.C"),
        ("A" * 32, "A" * 32),
        ("AAPL250417C00220000", "AAPL250417C00220000"),
        ("-AAPL250417C220", "AAPL250417C00220000"),
        (" -SPY250620C580", "SPY250620C00580000"),
        ("BBWI  251121P00022500", "BBWI251121P00022500"),
        ("-CC250417C32.5", "CC250417C00032500"),
        ("SMAL 04/01/2020 32.00 P", "SMAL200401P00032000"),
        ("SPY 31MAR25 570 C", "SPY250331C00570000"),
    ],
)
def test_spellings_of_brokers_and_people_become_yahoos(text: str, canonical: str) -> None:
    assert normalise(text) == canonical
    assert normalise(canonical) == canonical


@pytest.mark.parametrize(
    ("form", "canonical"),
    [
        ("A{0}.{0}XYZ", "A{0}.{0}XYZ"),
        ("^{0}.{0}XYZ", "^{0}.{0}XYZ"),
        ("A{0}=F", "A{0}=F"),
        ("{0}XYZ/USD", "{0}XYZ-USD"),
        ("{0}XYZ/B", "{0}XYZ-B"),
        ("{0}XYZ  B", "{0}XYZ-B"),
    ],
)
def test_every_letter_and_digit_may_stand_in_every_form(form: str, canonical: str) -> None:
    for character in string.ascii_uppercase + string.digits:
        assert normalise(form.format(character)) == canonical.format(character)


@pytest.mark.parametrize(
    ("form", "canonical", "shortest", "longest"),
    [("{}=F", "{}=F", 1, 12), ("{}/USD", "{}-USD", 2, 10), ("{}/B", "{}-B", 1, 6)],
)
def test_what_stands_before_a_sign_has_a_greatest_length(
    form: str, canonical: str, shortest: int, longest: int
) -> None:
    for length in (shortest, longest):
        assert normalise(form.format("Q" * length)) == canonical.format("Q" * length)
    for length in (shortest - 1, longest + 1):
        with pytest.raises(SymbolError):
            normalise(form.format("Q" * length))


NEITHER_CLASS_NOR_OPTION = "contains a space, but is neither a share class (BRK B) nor an option"
NO_DATE_OR_STRIKE = "is written like an option, but its date does not exist or its strike is no option's"
NO_FORM = "has not the form of any symbol"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        (" \t ", "it is empty"),
        ("A" * 33, "has 33 characters, but no symbol has more than 32"),
        ("AA\x07PL", "contains the control or unprintable character U+0007"),
        ("AA\nPL", "contains the control or unprintable character U+000A"),
        ("AAPL\x1f", "contains the control or unprintable character U+001F"),
        ("AA\u200bPL", "contains the control or unprintable character U+200B"),
        ("\ud800", "contains the control or unprintable character U+D800"),
        ("TEST$", "contains '$', which no symbol has"),
        ("$" * 32, "contains '$', which no symbol has"),
        ("ÄPL", "contains 'Ä', which no symbol has"),
        ("\u017fpy", "contains '\u017f', which no symbol has"),  # a long s, whose upper case is an ASCII S
        ("Pending Activity", NEITHER_CLASS_NOR_OPTION),
        ("AAPL250431C00220000", NO_DATE_OR_STRIKE),
        ("-AAPL250230C220", NO_DATE_OR_STRIKE),
        ("X250431C00025000", NO_DATE_OR_STRIKE),
        ("--", NO_FORM),
        ("-AAPL", NO_FORM),
        ("BP.", NO_FORM),
        ("^", NO_FORM),
        ("=X", NO_FORM),
        ("EUR/EUR", NO_FORM),
        ("AB/CDE", NO_FORM),
        ("BRK/B.QQQ", NO_FORM),
    ],
)
def test_what_is_no_symbol_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(SymbolError) as caught:
        normalise(text)

    assert str(caught.value) == f"symbol {text.strip(BLANKS)!r}: {reason}"
    assert caught.value.hint == "write it as Yahoo does: BRK-B, VOD.L, ^GSPC, EURUSD=X, AAPL250417C00220000"
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, QuotewellError)


def test_a_long_text_is_cut_to_forty_characters_in_the_message() -> None:
    with pytest.raises(SymbolError) as caught:
        normalise("x" * 6000)

    assert str(caught.value) == f"symbol '{'x' * 40}'…: has 6000 characters, but no symbol has more than 32"

    with pytest.raises(SymbolError, match=f"symbol '{'x' * 40}': has 40 characters"):
        normalise("x" * 40)


SYMBOL_TEXT = st.one_of(
    st.text(max_size=6000),
    st.text(alphabet=string.ascii_letters + string.digits + ".-^=/&* $#", max_size=34),
    st.from_regex(r"[A-Z0-9]{1,7}[./ -](?:PR|WS)?[./ ]?[A-Z]{0,3}(?:\.[A-Z]{1,3})?(?:\*\*)?", fullmatch=True),
    st.from_regex(r"[-.]?[A-Z]{1,6}[0-9]? {0,3}2[0-9]{5}[CP][0-9]{1,8}(?:\.[0-9]{1,4})?", fullmatch=True),
    st.from_regex(r"(?:USD|EUR|JPY|BTC|ABC)[./]?(?:USD|EUR|JPY|ABC)?(?:=X|=F)?", fullmatch=True),
)


@given(SYMBOL_TEXT)
@example("A250999C5")
@example("16UN250417P00022000")
@example("2SPX259999P00022000")
@example("JPY=X")
def test_whatever_is_normalised_stays_as_it_is_when_normalised_again(text: str) -> None:
    try:
        canonical = normalise(text)
    except SymbolError:
        return

    assert normalise(canonical) == canonical
    assert canonical.isascii()
    assert len(canonical) <= 32
    assert (kind(canonical) == "option") == (parse_option(canonical) is not None)


@given(st.from_regex(r"[A-Za-z]{1,5}", fullmatch=True))
def test_a_plain_ticker_only_gains_capitals_unless_it_is_a_share_class(text: str) -> None:
    assert normalise(text).replace("-", "") == text.upper()


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("AAPL", "security"),
        ("BRK-B", "security"),
        ("VOD.L", "security"),
        ("BAC-PL", "security"),
        ("OXY-WT", "security"),
        ("TDW-WTA", "security"),
        ("3USD", "security"),
        ("021ESC017", "security"),
        ("SPAXX", "security"),
        ("^GSPC", "index"),
        ("^VIX", "index"),
        ("^IRX", "rate"),
        ("^FVX", "rate"),
        ("^TNX", "rate"),
        ("^TYX", "rate"),
        ("EURUSD=X", "fx"),
        ("BTC-USD", "crypto"),
        ("ETH-EUR", "crypto"),
        ("ES=F", "future"),
        ("ESM25.CME", "future"),
        ("AAPL250417C00220000", "option"),
        ("F260116P00010000", "option"),
        ("SPY7250620C00580000", "option"),
    ],
)
def test_the_form_of_a_symbol_tells_its_kind(symbol: str, expected: SymbolKind) -> None:
    assert kind(symbol) == expected


@pytest.mark.parametrize(
    ("symbol", "suffix"),
    [
        ("VOD.L", "L"),
        ("7203.T", "T"),
        ("BBD-B.TO", "TO"),
        ("6488.TWO", "TWO"),
        ("AB.CD.L", "L"),
        ("AAPL", None),
        ("BRK-B", None),
        ("ABC.XYZ", None),
        (".L", None),
    ],
)
def test_only_a_known_exchange_suffix_counts(symbol: str, suffix: str | None) -> None:
    assert exchange_suffix(symbol) == suffix


@pytest.mark.parametrize(
    "text", ["021ESC017", "037833100", "88160R101", "02079K305", "G0176J109", "N07059210", " 021esc017 "]
)
def test_cusips_cins_and_escrow_numbers_are_recognised(text: str) -> None:
    assert looks_like_cusip(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AAPL",
        "BRK-B",
        "SPAXX**",
        "0700.HK",
        "RELIANCE",
        "BAJFINANCE",
        "ETHEREUM1",
        "BTC-USD12",
        "ESM25.CME",
        "A250417C5",
        "0378331000",
        "03783310",
        "AAPL250417C00220000",
        "03783310A",
        "037833100\x1f",
    ],
)
def test_tickers_and_options_are_not_taken_for_cusips(text: str) -> None:
    assert not looks_like_cusip(text)


@pytest.mark.parametrize("text", ["SPAXX**", "FCASH**", "CORE**", "FZDXX", "fmpxx", " IIAXX "])
def test_money_market_symbols_are_recognised(text: str) -> None:
    assert looks_like_money_market(text)


@pytest.mark.parametrize(
    "text", ["", "AAPL", "FFRHX", "TXXX", "ABCDXX", "12AXX", "CASH", "SPAXX*", "SPAXX\x1f"]
)
def test_other_symbols_are_not_taken_for_money_market_funds(text: str) -> None:
    assert not looks_like_money_market(text)


def test_a_currency_pair_is_named_base_units_per_local_unit() -> None:
    assert currency_pair("EUR", "USD") == "EURUSD=X"
    assert kind(currency_pair("JPY", "EUR")) == "fx"


@pytest.mark.parametrize(
    ("local", "base"),
    [("GBp", "USD"), ("GBX", "USD"), ("USD", "ILA"), ("eur", "USD"), ("", "USD"), ("EURO", "USD")],
)
def test_a_minor_unit_or_no_currency_makes_no_pair(local: str, base: str) -> None:
    with pytest.raises(SymbolError, match="is not the ISO code of a major unit"):
        currency_pair(local, base)


@pytest.mark.parametrize(
    ("currency", "major", "factor"),
    [
        ("GBp", "GBP", 0.01),
        ("GBX", "GBP", 0.01),
        ("ILA", "ILS", 0.01),
        ("ZAc", "ZAR", 0.01),
        ("USX", "USD", 0.01),
        ("GBP", "GBP", 1.0),
        ("USD", "USD", 1.0),
        ("gbp", "gbp", 1.0),
        ("ZAC", "ZAC", 1.0),
    ],
)
def test_minor_units_lead_to_their_major_unit_case_sensitively(
    currency: str, major: str, factor: float
) -> None:
    assert minor_unit(currency) == (major, factor)


def test_importing_symbols_loads_nothing_heavy() -> None:
    code = (
        "import sys; before = set(sys.modules); import quotewell.symbols; "
        "heavy = {'numpy', 'pandas', 'asyncio', 'dataclasses', 'zoneinfo', 'sqlite3', 'rich'}; "
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"
