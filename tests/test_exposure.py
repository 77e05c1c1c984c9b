from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.analytics.exposure import (
    Buckets,
    Coverage,
    Exposures,
    beta_adjusted,
    by_leg,
    by_underlying,
    coverage,
    exposure,
    fraction_of_value,
    market_value,
)

NAN = float("nan")
number = st.floats(-1e4, 1e4)
amount = st.one_of(st.just(NAN), st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6))


def figures(buckets: Buckets) -> tuple[float | None, float | None, float | None, float | None]:
    return buckets.long, buckets.short, buckets.net, buckets.gross


@given(st.lists(st.tuples(number, number, number, number, number), min_size=1, max_size=20))
def test_one_formula_serves_a_position_and_a_whole_book(rows: list[tuple[float, ...]]) -> None:
    columns = np.array(rows).T
    together = exposure(*columns)
    np.testing.assert_array_equal(together, [exposure(*row) for row in rows])
    np.testing.assert_array_equal(market_value(*columns[:4]), [market_value(*row[:4]) for row in rows])
    np.testing.assert_array_equal(
        beta_adjusted(together, columns[0]), [beta_adjusted(exposure(*row), row[0]) for row in rows]
    )


def test_exposure_of_a_stock_and_of_short_puts_in_a_foreign_currency() -> None:
    assert exposure(-50.0, 1.0, 20.0, 1.0, 1.0) == -1000.0
    assert exposure(-7.0, 100.0, 200.0, -0.4, 1.25) == pytest.approx(70_000.0)
    assert market_value(-7.0, 100.0, 3.5, 1.25) == pytest.approx(-3062.5)


def test_the_formula_alone_does_not_load_numpy() -> None:
    code = "import sys, quotewell.analytics.exposure as e; e.exposure(1.0, 1.0, 1.0, 1.0, 1.0); "
    code += "sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# two stocks, a long call, a short put, and a short call whose delta is unknown
BOOK = np.array([1000.0, -400.0, 300.0, 250.0, NAN])
IS_OPTION = np.array([False, False, True, True, True])
ADJUSTED = np.array([1200.0, NAN, -30.0, 250.0, NAN])


def test_buckets_by_leg() -> None:
    found = by_leg(BOOK, IS_OPTION, ADJUSTED)
    assert figures(found.stocks) == (1000.0, -400.0, 600.0, 1400.0)
    assert figures(found.options) == (550.0, 0.0, 550.0, 550.0)
    assert figures(found.total) == (1550.0, -400.0, 1150.0, 1950.0)


def test_beta_adjusted_buckets_follow_the_sign_of_the_beta_adjusted_exposure() -> None:
    assert figures(by_leg(BOOK, IS_OPTION, ADJUSTED).beta_adjusted) == (1450.0, -30.0, 1420.0, 1480.0)


def test_each_column_names_its_own_missing_rows() -> None:
    found = by_leg(BOOK, IS_OPTION, ADJUSTED)
    assert [column.missing for column in found] == [(), (4,), (4,), (1, 4)]
    assert [column.complete for column in found] == [True, False, False, False]


def test_an_empty_book_has_exposure_zero_and_nothing_missing() -> None:
    nothing: list[float] = []
    for found in (
        by_leg(nothing, nothing, nothing),
        by_underlying(nothing, nothing, nothing, nothing).exposures,
    ):
        for column in found:
            assert figures(column) == (0.0, 0.0, 0.0, 0.0)
            assert column.complete


def test_a_sum_with_nothing_known_is_null_and_one_without_legs_zero() -> None:
    found = by_leg([NAN, NAN], [False, False], [NAN, NAN])
    for column in (found.stocks, found.total, found.beta_adjusted):
        assert figures(column) == (None, None, None, None)
        assert column.missing == (0, 1)
    assert figures(found.options) == (0.0, 0.0, 0.0, 0.0)
    assert found.options.complete


def test_what_is_neither_stock_nor_option_is_missing_from_the_total_only() -> None:
    book: tuple[list[float], list[bool], list[float]] = ([100.0, NAN], [False, False], [100.0, NAN])
    for found in (
        by_leg(*book, is_stock=[True, False]),
        by_underlying(["AAPL", "bond"], *book, is_stock=[True, False]).exposures,
    ):
        assert found.stocks == Buckets(100.0, 0.0, ())
        assert found.options == Buckets(0.0, 0.0, ())
        assert found.total == Buckets(100.0, 0.0, (1,))
        assert found.beta_adjusted == Buckets(100.0, 0.0, (1,))


def test_columns_of_single_precision_and_of_objects_are_summed_as_doubles() -> None:
    single = np.array([2**24, 1.0, 1.0], dtype=np.float32)  # whose sum in single precision is 2**24
    assert by_leg(single, [0, 0, 0], single).total == Buckets(2.0**24 + 2.0, 0.0, ())
    objects = np.array([100.0, None, -30.0], dtype=object)
    found = by_leg(objects, [0, 0, 0], objects)
    assert found.total == found.beta_adjusted == Buckets(100.0, -30.0, (1,))


@given(st.lists(st.tuples(amount, st.booleans(), amount), max_size=30))
def test_buckets_of_any_book_add_up(legs: list[tuple[float, bool, float]]) -> None:
    exposures, options, adjusted = np.array(legs, dtype=float).reshape(-1, 3).T
    found = by_leg(exposures, options, adjusted)
    for column, own in ((found.total, exposures), (found.beta_adjusted, adjusted)):
        known = [one for one in own if not np.isnan(one)]
        assert len(column.missing) == len(own) - len(known)
        if column.long is None or column.short is None:
            assert column.net is column.gross is None
            assert len(own) > 0
            assert not known
        else:
            assert column.net == pytest.approx(sum(known), abs=1e-6)
            assert column.gross == pytest.approx(sum(map(abs, known)), abs=1e-6)
            assert column.long >= 0.0 >= column.short
    known_parts = [part.net for part in (found.stocks, found.options) if part.net is not None]
    if found.total.net is not None:
        assert sum(known_parts) == pytest.approx(found.total.net, abs=1e-6)


def test_underlyings_are_netted_before_they_are_put_into_buckets() -> None:
    found = by_underlying(
        ["SPY", "AAPL", "SPY", "AAPL"],
        [1000.0, 500.0, -1500.0, 100.0],
        [False, False, True, True],
        [1000.0, 600.0, -1500.0, 120.0],
    )
    assert figures(found.exposures.total) == (600.0, -500.0, 100.0, 1100.0)
    assert figures(found.exposures.stocks) == (1500.0, 0.0, 1500.0, 1500.0)
    assert figures(found.exposures.options) == (100.0, -1500.0, -1400.0, 1600.0)
    assert figures(found.exposures.beta_adjusted) == (720.0, -500.0, 220.0, 1220.0)
    assert list(found.underlyings) == ["AAPL", "SPY"]
    assert list(found.total.net) == [600.0, -500.0]
    assert list(found.beta_adjusted.net) == [720.0, -500.0]
    values = np.array([10.0, 20.0, 3.0, 4.0])
    assert list(found.grouping.sums(values).net) == [24.0, 13.0]


@pytest.mark.parametrize("codes", [(3, 0), (3.0, 0.0), (7, -1), ("SPY", "AAPL")])
def test_underlyings_are_those_that_occur_whatever_they_are_coded_as(codes: tuple[object, object]) -> None:
    exposures = [100.0, -30.0, 5.0, 1.0]
    one, other = codes
    found = by_underlying(np.array([one, other, one, one]), exposures, [False] * 4, exposures)
    assert list(found.underlyings) == [other, one]
    assert list(found.total.net) == [-30.0, 106.0]
    assert figures(found.exposures.total) == (106.0, -30.0, 76.0, 136.0)


def test_an_underlying_with_an_unknown_leg_sums_the_known_ones_and_is_incomplete() -> None:
    found = by_underlying(
        [7, 7, 8, 9], [100.0, NAN, NAN, -30.0], [False, True, True, False], [NAN, NAN, NAN, -30.0]
    )
    np.testing.assert_array_equal(found.total.net, [100.0, NAN, -30.0])
    np.testing.assert_array_equal(found.total.complete, [False, False, True])
    np.testing.assert_array_equal(found.beta_adjusted.net, [NAN, NAN, -30.0])
    np.testing.assert_array_equal(found.beta_adjusted.complete, [False, False, True])
    assert found.exposures.total == Buckets(100.0, -30.0, (1, 2))
    assert found.exposures.stocks == Buckets(100.0, -30.0, ())
    assert found.exposures.options == Buckets(None, None, (1, 2))
    assert found.exposures.beta_adjusted == Buckets(0.0, -30.0, (0, 1, 2))


@given(st.lists(st.tuples(st.integers(0, 4), amount, st.booleans(), amount), min_size=1, max_size=30))
def test_netting_keeps_the_net_and_never_raises_the_gross(legs: list[tuple[int, float, bool, float]]) -> None:
    names, exposures, options, adjusted = (list(column) for column in zip(*legs, strict=True))
    single = by_leg(exposures, options, adjusted)
    netted = by_underlying(names, exposures, options, adjusted).exposures
    for name in Exposures._fields:
        alone, together = getattr(single, name), getattr(netted, name)
        assert alone.missing == together.missing
        assert (alone.net is None) == (together.net is None)
        if alone.net is not None:
            assert together.net == pytest.approx(alone.net, abs=1e-6)
            assert together.gross <= alone.gross + 1e-6


@given(st.lists(st.tuples(amount, st.booleans(), amount), max_size=20))
def test_a_book_of_distinct_underlyings_is_the_same_netted_or_not(
    legs: list[tuple[float, bool, float]],
) -> None:
    exposures, options, adjusted = np.array(legs, dtype=float).reshape(-1, 3).T
    netted = by_underlying(np.arange(len(legs)), exposures, options, adjusted).exposures
    assert netted.total == by_leg(exposures, options, adjusted).total


@pytest.mark.parametrize(
    ("part", "value", "expected"),
    [
        (50.0, 200.0, 0.25),
        (0.25, 0.5, 0.5),
        (-50.0, 200.0, -0.25),
        (50.0, 0.0, None),
        (50.0, -1.0, None),
        (None, 9.0, None),
        (1.0, None, None),
    ],
)
def test_a_fraction_of_value_is_null_unless_the_value_is_positive(
    part: float | None, value: float | None, expected: float | None
) -> None:
    assert fraction_of_value(part, value) == expected


# cash, a stock, a bond without price, a call, a put without delta whose underlying has no beta
COVERED: dict[str, list[float]] = {
    "broker_values": [5000.0, 1000.0, 2000.0, 600.0, -400.0],
    "prices": [1.0, 10.0, NAN, 6.0, 4.0],
    "is_cash": [True, False, False, False, False],
    "is_option": [False, False, False, True, True],
    "notionals": [NAN, NAN, NAN, 9000.0, -1000.0],
    "deltas": [NAN, NAN, NAN, 0.5, NAN],
    "assumed": [False, False, False, True, True],
    "exposures": [0.0, 1000.0, NAN, 4500.0, NAN],
    "betas": [0.0, 1.2, NAN, NAN, NAN],
}
COVERAGE = Coverage(price=0.5, delta=0.9, beta=1000 / 5500, delta_assumed=0.9)


def test_coverage_weighs_what_is_known() -> None:
    assert coverage(**COVERED) == COVERAGE


def test_coverage_reads_flags_as_0_and_1_and_numbers_as_objects_too() -> None:
    objects = {
        name: np.array([None if one is NAN else one * 1 for one in column], dtype=object)  # True * 1 is 1
        for name, column in COVERED.items()
    }
    assert coverage(**objects) == COVERAGE


def test_a_book_of_cents_is_covered_like_any_other() -> None:
    weights = {
        name: [one / 1e5 for one in COVERED[name]] for name in ("broker_values", "notionals", "exposures")
    }
    assert coverage(**{**COVERED, **weights}) == pytest.approx(COVERAGE)


def test_no_more_than_all_is_covered_in_whatever_order_the_weights_are_summed() -> None:
    # numpy adds in pairs: the options' alone make 11.4, with zeros between them a last digit less.
    notionals = [3.9, 1.9, 3.1, 1.2, 1.3, 3.1, 3.8, 1.9]
    options = [True, False, True, True, True, False, False, True]
    ones, flags = [1.0] * 8, [False] * 8
    found = coverage(
        broker_values=ones,
        prices=ones,
        is_cash=flags,
        is_option=options,
        notionals=notionals,
        deltas=[1.0 if option else NAN for option in options],
        assumed=flags,
        exposures=ones,
        betas=ones,
    )
    assert found == pytest.approx(Coverage(1.0, 1.0, 1.0, 0.0))
    assert found.delta is not None
    assert found.delta <= 1.0


def test_coverage_of_nothing_is_null() -> None:
    found = coverage(
        broker_values=[5000.0],
        prices=[1.0],
        is_cash=[True],
        is_option=[False],
        notionals=[NAN],
        deltas=[NAN],
        assumed=[False],
        exposures=[0.0],
        betas=[0.0],
    )
    assert found == Coverage(None, None, None, None)
