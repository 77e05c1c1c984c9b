from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.errors import SymbolError
from quotewell.symbols import Option, Right, occ, parse_option


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("AAPL250417C00220000", "AAPL250417C00220000"),
        ("aapl250417c00220000", "AAPL250417C00220000"),
        ("BBWI  251121P00022500", "BBWI251121P00022500"),
        ("F     260116C00010000", "F260116C00010000"),
        (" -AMZN250516C190", "AMZN250516C00190000"),
        ("-CC250417C32.5", "CC250417C00032500"),
        ("-CC250417C.5", "CC250417C00000500"),
        ("-NDX251219P25000", "NDX251219P25000000"),
        ("-BKNG250620C5197.22", "BKNG250620C05197220"),
        (".SPXW250620P5800", "SPXW250620P05800000"),
        ("SPY7250620C580", "SPY7250620C00580000"),
        ("2SPX250620C05800000", "2SPX250620C05800000"),
        ("BRK B 260116C00500000", "BRKB260116C00500000"),
        ("SMAL 04/01/2020 32.00 P", "SMAL200401P00032000"),
        ("SMAL 2020/04/01 32.00 P", "SMAL200401P00032000"),
        ("SMAL 4/1/20 32 P", "SMAL200401P00032000"),
        ("NDX 12/19/2025 25,000.00 P", "NDX251219P25000000"),
        ("BRK/B 01/16/2026 500.00 C", "BRKB260116C00500000"),
        ("SPY 31MAR25 570 C", "SPY250331C00570000"),
        ("SPY 31MAR2025 570 C", "SPY250331C00570000"),
        ("AMZN MAY 16 2025 $190 CALL", "AMZN250516C00190000"),
        ("PDD Jan 15 2027 $65 Put", "PDD270115P00065000"),
        ("AAPL Jun 20 '25 $200.50 Call", "AAPL250620C00200500"),
        ("AAPL Jan 19 '24 $150 Call", "AAPL240119C00150000"),
        ("BRK.B Jan 16 '26 $1,500 Put", "BRKB260116P01500000"),
        ("AAPL Jan-19-2024 150 C", "AAPL240119C00150000"),
        ("AAPL 19-Jan-24 $150 Call", "AAPL240119C00150000"),
        ("AAPL 19 Jan '24 Call $150", "AAPL240119C00150000"),
        ("AAPL 2024-01-19 150.0 Put", "AAPL240119P00150000"),
        ("AAPL--240119C00150000", "AAPL240119C00150000"),
        ("DEF260227P15", "DEF260227P00015000"),
        ("CALL TSLA   12/13/24   420.000", "TSLA241213C00420000"),
        ("PUT  NVDA   12/13/24   150.000", "NVDA241213P00150000"),
        ("PUT  XYZ   42.50 EXP 02-13-26", "XYZ260213P00042500"),
        ("AAPL 4/17/2025 Call $220.00", "AAPL250417C00220000"),
        ("CALL XYZ   425.00 EXP 02-13-26", "XYZ260213C00425000"),
        ("PUT BRK.B 425.00 EXP 02-13-26", "BRKB260213P00425000"),
        ("PUT (CRM) SALESFORCE INC COM JUN 20 25 $290 (100 SHS)", "CRM250620P00290000"),
        ("XYZ#B1326C425000", "XYZ260213C00425000"),
        ("SOFI#V1725D260000", "SOFI251017P00026000"),
        ("XYZ#L1826C425000", "XYZ261218C00425000"),
        ("XYZ#M1626C425000", "XYZ260116P00425000"),
        ("\u00a0AAPL250417C220\r\n", "AAPL250417C00220000"),
    ],
)
def test_every_spelling_of_an_option_is_read(text: str, symbol: str) -> None:
    option = parse_option(text)

    assert option is not None
    assert option.symbol == symbol
    assert parse_option(symbol) == option


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AAPL",
        "BRK B",
        "021ESC017",
        "SUPER MICRO COMPUTER",
        "SUPER MICRO COMPUTER INC COM NEW",
        "PUTNAM LARGE CAP VALUE FUND CLASS A",
        "CALLAWAY GOLF CO",
        "CALL TESLA INC 01/21/22 900",
        "PUT 01/21/22 900",
        "ISHARES 0-3 MONTH TREASURY BOND ETF",
        "UNITED STATES TREAS NTS 4.5% 02/15/36",
        "JAN 15 2027",
        "AAPL JAN 2027 CALL",
        "Cash (SPAXX)",
        "Cash & Cash Investments",
        "NUVEEN S&P 500 BUY-WRITE INCOME FD 2025 CALL",
        "PUT SMALL CAP INDEX $32 EXP 04/01/20",
        "CALL TESLA $900 EXP 01/21/22",
        "EUR.USD",
        "MSFT 380.00",
        "XYZ#B1326F425000",
        "ÄAPL250417C220",
        "AAPL\x00250417C220",
        "AAPL250417C220" + "0" * 200,
    ],
)
def test_text_that_is_not_an_option_is_none(text: str) -> None:
    assert parse_option(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "AAPL250431C00220000",
        "AAPL251301C00220000",
        "-AAPL250229C220",
        "SPY 31APR25 570 C",
        "SMAL 13/13/2020 32.00 P",
        "SMAL 04/01/1999 32.00 P",
        "AMZN FEB 30 2025 $190 CALL",
        "XYZ#B3026C425000",
    ],
)
def test_a_date_that_does_not_exist_makes_no_option(text: str) -> None:
    assert parse_option(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "AAPL250417C00000000",
        "-AAPL250417C0",
        "-AAPL250417C220.0001",
        "-AAPL250417C100000",
        "ABCDEF7250417C220",
    ],
)
def test_a_strike_or_root_that_the_occ_symbol_cannot_hold_makes_no_option(text: str) -> None:
    assert parse_option(text) is None


def _option(symbol: str) -> Option:
    option = parse_option(symbol)
    assert option is not None
    return option


def test_an_option_has_the_parts_that_its_symbol_names() -> None:
    assert _option("SPY250620P00525500") == Option(
        symbol="SPY250620P00525500",
        root="SPY",
        underlying="SPY",
        expiry=dt.date(2025, 6, 20),
        right="P",
        strike=525.5,
    )


def test_calls_and_puts_are_told_apart() -> None:
    assert _option("SPY250620C00525000").is_call
    assert not _option("SPY250620P00525000").is_call


def test_a_root_that_ends_in_a_digit_has_an_unknown_deliverable() -> None:
    adjusted, standard = _option("SPY7250620C00580000"), _option("SPY250620C00580000")

    assert (adjusted.adjusted, adjusted.multiplier, adjusted.underlying) == (True, None, "SPY")
    assert (standard.adjusted, standard.multiplier) == (False, 100)


def test_a_flex_root_is_not_taken_for_an_adjusted_one() -> None:
    assert not _option("2SPX250620C05800000").adjusted


def test_terms_come_from_the_root() -> None:
    djx = _option("DJX250620C00420000")

    assert (djx.underlying, djx.style, djx.settlement, djx.underlying_scale) == (
        "^DJI",
        "european",
        "AM",
        0.01,
    )
    assert _option("BRKB250620C00500000").underlying == "BRK-B"
    assert _option("VIX250618C00020000").underlying is None
    assert _option("XND250620C00200000").style is None


@pytest.mark.parametrize(
    ("symbol", "utc"),
    [
        ("SPY250620C00580000", dt.datetime(2025, 6, 20, 20, 0, tzinfo=dt.UTC)),  # daylight saving time
        ("SPY250117C00580000", dt.datetime(2025, 1, 17, 21, 0, tzinfo=dt.UTC)),  # standard time
        ("SPX250620C05800000", dt.datetime(2025, 6, 20, 13, 30, tzinfo=dt.UTC)),
        ("SPX250117C05800000", dt.datetime(2025, 1, 17, 14, 30, tzinfo=dt.UTC)),
        ("SPXW250117C05800000", dt.datetime(2025, 1, 17, 21, 0, tzinfo=dt.UTC)),
        (
            "SPY250310C00580000",
            dt.datetime(2025, 3, 10, 20, 0, tzinfo=dt.UTC),
        ),  # first session after the change
    ],
)
def test_expiry_is_at_the_settlement_time_of_new_york(symbol: str, utc: dt.datetime) -> None:
    assert _option(symbol).expiry_instant() == utc.timestamp()


ROOTS = st.one_of(
    st.from_regex(r"[A-Z]{1,5}[0-9]?", fullmatch=True), st.from_regex(r"[0-9][A-Z]{1,5}", fullmatch=True)
)
EXPIRIES = st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31))
RIGHTS: st.SearchStrategy[Right] = st.sampled_from(["C", "P"])
MILLS = st.integers(1, 10**8 - 1)


@given(ROOTS, EXPIRIES, RIGHTS, MILLS)
def test_parts_survive_the_way_through_the_occ_symbol(
    root: str, expiry: dt.date, right: Right, mills: int
) -> None:
    option = _option(occ(root, expiry, right, mills / 1000))

    assert (option.root, option.expiry, option.right, option.strike) == (root, expiry, right, mills / 1000)


@given(ROOTS, EXPIRIES, RIGHTS, MILLS)
def test_all_spellings_of_one_contract_are_the_same_option(
    root: str, expiry: dt.date, right: Right, mills: int
) -> None:
    strike = f"{mills / 1000:.3f}"
    word = {"C": "CALL", "P": "PUT"}[right]
    spellings = [
        f"{root:6}{expiry:%y%m%d}{right}{mills:08d}",
        f" -{root}{expiry:%y%m%d}{right}{strike}",
        f"{root} {expiry:%m/%d/%Y} {strike} {right}",
        f"{root} {expiry:%d%b%y} {strike} {right}",
        f"{root} {expiry:%b %d %Y} ${strike} {word}",
        f"{word} {root}   {strike} EXP {expiry:%m-%d-%y}",
        f"{root} {expiry:%b %d} '{expiry:%y} ${strike} {word.title()}",
        f"{root} {expiry:%m/%d/%Y} {word.title()} ${strike}",
        f"{root} {expiry:%Y-%m-%d} {strike} {right}",
        f"{word} {root}   {expiry:%m/%d/%y}   {strike}",
        f"{word} ({root}) A COMPANY INC {expiry:%b %d %y} ${strike} (100 SHS)",
        f"{root}{expiry:%y%m%d}{right}{strike}",
        f"{root:-<6}{expiry:%y%m%d}{right}{mills:08d}",
    ]

    expected = _option(occ(root, expiry, right, mills / 1000))
    assert [parse_option(text) for text in spellings] == [expected] * len(spellings)


@given(
    st.from_regex(r"[A-Z]{1,5}", fullmatch=True),
    EXPIRIES,
    RIGHTS,
    st.integers(1, 999_999),
    st.sampled_from(["C", "D"]),
)
def test_merrills_code_is_the_same_option(
    root: str, expiry: dt.date, right: Right, digits: int, decimals: str
) -> None:
    letter = "ABCDEFGHIJKLMNOPQRSTUVWX"[expiry.month - 1 + (12 if right == "P" else 0)]
    mills = digits if decimals == "C" else digits - digits % 10
    spelled = f"{root}#{letter}{expiry:%d%y}{decimals}{mills:06d}"

    strike = mills / (1000 if decimals == "C" else 10_000)
    expected = _option(occ(root, expiry, right, strike)) if mills else None
    assert parse_option(spelled) == expected


TICKERS = st.from_regex(r"[A-Z]{1,5}(?:[./ -][A-Z]|\.(?:L|TO|DE)|\*\*)?", fullmatch=True)
NAME_PARTS = (
    *("CALL", "PUT", "CALLAWAY", "COMPUTER", "SUPER", "INC", "COM", "CL", "A", "C", "P", "EXP", "TREASURY"),
    *("0-3", "MONTH", "2025", "1.875", "JAN", "$32", "500", "&"),
)
NAMES = st.lists(st.sampled_from(NAME_PARTS)).map(" ".join)


@given(st.one_of(TICKERS, NAMES))
def test_neither_a_ticker_nor_a_companys_name_is_an_option(text: str) -> None:
    assert parse_option(text) is None


@pytest.mark.parametrize("root", ["BRK.B", "BRK/B", "BRK B", "BRK-B", " brkb "])
def test_an_occ_symbol_takes_a_share_class_in_any_spelling(root: str) -> None:
    assert occ(root, dt.date(2026, 1, 16), "C", 500.0) == "BRKB260116C00500000"


@pytest.mark.parametrize(
    ("root", "expiry", "right", "strike"),
    [
        ("", dt.date(2026, 1, 16), "C", 500.0),
        ("TOOLONG", dt.date(2026, 1, 16), "C", 500.0),
        ("^SPX", dt.date(2026, 1, 16), "C", 500.0),
        ("AAPL", dt.date(1999, 12, 31), "C", 500.0),
        ("AAPL", dt.date(2100, 1, 1), "C", 500.0),
        ("AAPL", dt.date(2026, 1, 16), "X", 500.0),
        ("AAPL", dt.date(2026, 1, 16), "C", 0.0),
        ("AAPL", dt.date(2026, 1, 16), "C", -5.0),
        ("AAPL", dt.date(2026, 1, 16), "C", 0.0004),
        ("AAPL", dt.date(2026, 1, 16), "C", 66.6667),
        ("AAPL", dt.date(2026, 1, 16), "C", 100_000.0),
        ("AAPL", dt.date(2026, 1, 16), "C", float("nan")),
        ("AAPL", dt.date(2026, 1, 16), "C", float("inf")),
    ],
)
def test_parts_that_make_no_occ_symbol_are_refused_by_name(
    root: str, expiry: dt.date, right: Right, strike: float
) -> None:
    with pytest.raises(SymbolError, match=r"no option symbol can be made of root '.*', expiry .*, strike"):
        occ(root, expiry, right, strike)


@given(st.text(max_size=6000))
def test_no_text_makes_the_option_parser_fail(text: str) -> None:
    assert parse_option(text) is None or parse_option(text) == parse_option(text.upper())


@given(st.text(alphabet="ACPXEZ0123456789 .,$/-#'()CALLPUTEXPJANMAY", max_size=60))
def test_whatever_is_read_as_an_option_has_a_symbol_that_reads_as_the_same(text: str) -> None:
    option = parse_option(text)

    assert option is None or parse_option(option.symbol) == option
