from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.portfolio.importers.amounts import AmountError, is_blank, parse_amount, parse_percent


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1400.0", 1400.0),
        ("$1,234.56", 1234.56),
        ("$225.50 ", 225.5),
        ("+$3.10", 3.1),
        ("-$4060.00", -4060.0),
        ("$-4060.00", -4060.0),
        ("($1,234.56)", -1234.56),
        ("$(1,234.56)", -1234.56),
        ("(3)", -3.0),
        ("( $12.00 )", -12.0),
        ("\u22125", -5.0),
        ("12,345,678", 12345678.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("0", 0.0),
        ("1.5E+05", 150000.0),
        ("€7", 7.0),
        ("\u00a012 ", 12.0),
    ],
)
def test_reads_what_brokers_write(text: str, number: float) -> None:
    assert parse_amount(text) == number


@pytest.mark.parametrize("text", ["", "  ", "--", " -- ", "-", "—", "n/a", "N/A", "NA", "None"])
def test_blank_and_dashes_are_unknown_and_never_zero(text: str) -> None:
    assert parse_amount(text) is None
    assert is_blank(text)


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "nan",
        "inf",
        "-Infinity",
        "1e999",
        "9" * 400,
        "abc",
        "1,23",
        "1,2345",
        "1.234,56",
        "12.5%",
        "(3",
        "3)",
        "--5",
        "+-5",
        "(-5)-",
        "-(-5)",
        "1 2",
        "1 234.56",
        "0x10",
        "٣",
        "$",
        "()",
        "x" * 5000,
    ],
)
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(AmountError) as caught:
        parse_amount(text)
    assert len(str(caught.value)) < 120


def test_a_lone_comma_is_ambiguous_where_it_may_be_the_decimal_mark() -> None:
    assert parse_amount("1,234") == 1234.0
    with pytest.raises(AmountError, match="thousands or decimals"):
        parse_amount("1,234", comma_may_be_decimal=True)
    assert parse_amount("1,234.5", comma_may_be_decimal=True) == 1234.5
    assert parse_amount("1,234,567", comma_may_be_decimal=True) == 1234567.0


@pytest.mark.parametrize(
    ("text", "fraction"), [("12.5%", 0.125), ("-0.92% ", -0.0092), ("5", 0.05), ("--", None)]
)
def test_percentages_become_fractions(text: str, fraction: float | None) -> None:
    assert parse_percent(text) == (None if fraction is None else pytest.approx(fraction))


@given(st.floats(min_value=-1e12, max_value=1e12).map(lambda number: round(number, 2)), st.booleans())
def test_a_formatted_amount_is_read_back(number: float, in_parentheses: bool) -> None:
    size = f"${abs(number):,.2f}"
    text = (f"({size})" if in_parentheses else f"-{size}") if number < 0 else size
    assert parse_amount(text) == pytest.approx(number)


@given(st.text(max_size=80))
def test_any_text_is_a_finite_number_none_or_an_amount_error(text: str) -> None:
    try:
        number = parse_amount(text)
    except AmountError:
        return
    assert number is None or abs(number) < float("inf")
