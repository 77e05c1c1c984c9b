from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.views.words import (
    age,
    aligned,
    count,
    data_size,
    day,
    iso,
    money,
    number,
    percent,
    printable,
    share,
    shortened,
    signed,
)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (None, 0, "n/a"),
        (0.0, 0, "0"),
        (-0.0, 2, "0.00"),
        (-0.004, 2, "0.00"),
        (1234567.891, 2, "1,234,567.89"),
        (-1234.5, 1, "−1,234.5"),
        (999_999_999_999.0, 0, "999,999,999,999"),
        (-2.5e13, 0, "−2.50e+13"),
        (1e300, 2, "1.00e+300"),
        (float("inf"), 0, "n/a"),
        (float("nan"), 0, "n/a"),
    ],
)
def test_numbers_have_separators_and_a_true_minus_sign(value: float | None, decimals: int, text: str) -> None:
    assert number(value, decimals) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "n/a"),
        (0.0, "0"),
        (0.2, "0"),
        (-0.2, "0"),
        (12.0, "+12"),
        (float("inf"), "n/a"),
        (-1200.0, "−1,200"),
    ],
)
def test_changes_have_a_sign_unless_they_are_zero(value: float | None, text: str) -> None:
    assert signed(value) == text


@given(st.floats(-1e307, 1e307))
def test_a_number_reads_back_as_what_it_was(value: float) -> None:
    shown = float(number(value, 4).replace("−", "-").replace(",", ""))
    assert shown == pytest.approx(value, rel=0.01, abs=1e-4)


def test_money_and_percentages() -> None:
    assert money(1999.6) == "2,000"
    assert percent(0.05432) == "5.4"
    assert percent(None) == "n/a"


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.0, "0 %"),
        (0.001, "under 1 %"),
        (0.04, "4 %"),
        (0.996, "over 99 %"),
        (1.0, "100 %"),
        (1.0000000000000002, "100 %"),
        (0.9999999999999, "100 %"),
    ],
)
def test_a_share_is_everything_or_nothing_only_if_it_is(fraction: float, text: str) -> None:
    assert share(fraction) == text


def test_things_are_counted_in_the_right_number() -> None:
    assert [count(1, "row"), count(2000, "row"), count(2, "entry", "entries")] == [
        "1 row",
        "2,000 rows",
        "2 entries",
    ]


def test_times_are_utc_and_days_are_words() -> None:
    assert iso(1_746_734_400.4) == "2025-05-08T20:00:00Z"
    assert iso(None) is None
    assert day(dt.date(2025, 5, 8)) == "8 May 2025"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5.0, "0 s"), (40.0, "40 s"), (720.0, "12 min"), (3 * 3600.0, "3 h"), (2 * 86400.0, "2 d")],
)
def test_an_age_has_its_largest_unit(seconds: float, text: str) -> None:
    assert age(seconds) == text


@given(st.text(alphabet=st.characters(), max_size=30))
def test_what_is_printed_steers_no_terminal(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert shown.isprintable()


def test_line_ends_become_blanks_and_escapes_a_replacement() -> None:
    assert printable("a\nb\t\x1b[31mc\udcff") == "a b \ufffd[31mc\ufffd"


@given(st.text(max_size=30), st.integers(min_value=1, max_value=30))
def test_shortened_text_fits_and_keeps_both_ends(text: str, width: int) -> None:
    short = shortened(text, width)
    assert len(short) <= width
    if len(text) <= width:
        assert short == text
    else:
        assert "…" in short
        assert text.startswith(short.partition("…")[0])
        assert text.endswith(short.rpartition("…")[2])


def test_columns_are_aligned() -> None:
    assert aligned([["a", "1", "x"], ["bbb", "22", ""]], left=(0, 2)) == "a     1  x\nbbb  22"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "n/a"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (221_184, "216.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (3 * 1024**3 // 2, "1.5 GiB"),
        (5000 * 1024**3, "5,000.0 GiB"),
    ],
)
def test_sizes_are_in_the_unit_in_which_they_are_short(size: int | None, text: str) -> None:
    assert data_size(size) == text
