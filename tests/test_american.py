from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quotewell.analytics.arrays import Floats
from quotewell.analytics.pricing import european, exercise
from quotewell.analytics.pricing.american import DEFAULT, HIGH
from quotewell.analytics.pricing.contracts import Contracts

ORACLE = Path(__file__).parent / "data" / "american_quantlib.csv"


def contract(right: str, *terms: float) -> Contracts:
    """Spot, strike, years, rate and dividend yield follow the right."""
    return Contracts(np.array([1.0 if right == "C" else -1.0]), *(np.array([term]) for term in terms))


def one(number: float) -> Floats:
    return np.array([number])


@pytest.fixture(scope="module")
def oracle() -> dict[str, Floats]:
    with ORACLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name != "right"}
    return columns | {"sign": np.array([1.0 if row["right"] == "C" else -1.0 for row in rows])}


@pytest.fixture(scope="module")
def book(oracle: dict[str, Floats]) -> Contracts:
    return Contracts(*(oracle[name] for name in Contracts._fields))


any_contract = st.builds(
    contract,
    st.sampled_from("CP"),
    st.floats(50, 200),
    st.just(100.0),
    st.floats(0.01, 3),
    st.floats(-0.02, 0.12),
    st.floats(-0.02, 0.12),
)
any_volatility = st.floats(0.05, 1.2).map(one)
few = settings(max_examples=25, deadline=None)


def test_values_agree_with_an_independent_engine(oracle: dict[str, Floats], book: Contracts) -> None:
    error = np.abs(DEFAULT.value(book, oracle["volatility"]) - oracle["value"]) / book.spot
    assert len(error) == 60
    assert error.max() < 1e-5
    assert np.median(error) < 1e-7


def test_greeks_agree_with_an_independent_engine(oracle: dict[str, Floats], book: Contracts) -> None:
    figures = DEFAULT.greeks(book, oracle["volatility"])
    assert np.abs(figures.value - oracle["value"]).max() < 1e-5 * book.spot.max()
    assert np.abs(figures.delta - oracle["delta"]).max() < 5e-5
    assert (np.abs(figures.vega - oracle["vega"]) / book.spot).max() < 1e-3
    assert (np.abs(figures.rho - oracle["rho"]) / book.spot).max() < 2e-3
    assert np.median(np.abs(figures.vega - oracle["vega"]) / book.spot) < 1e-5
    assert np.median(np.abs(figures.rho - oracle["rho"]) / book.spot) < 2e-5


def test_theta_and_gamma_are_slopes_of_the_value() -> None:
    terms, volatility = contract("P", 100, 105, 0.8, 0.05, 0.01), one(0.3)
    figures = DEFAULT.greeks(terms, volatility)
    step = one(1.0)
    up, down = (DEFAULT.value(terms._replace(spot=terms.spot + move), volatility) for move in (step, -step))
    assert figures.gamma == pytest.approx((up - 2 * figures.value + down) / step**2, rel=2e-3)
    sooner, later = (DEFAULT.value(terms._replace(years=one(0.8 + t)), volatility) for t in (-0.01, 0.01))
    assert figures.theta == pytest.approx((sooner - later) / 0.02, rel=2e-3)


@pytest.mark.parametrize(
    ("right", "rate", "dividend_yield", "never_early"),
    [
        ("C", 0.05, 0.0, True),
        ("C", 0.0, -0.01, True),
        ("C", 0.05, 0.04, False),
        ("C", -0.02, 0.0, False),
        ("P", 0.0, 0.03, True),
        ("P", -0.01, 0.0, True),
        ("P", 0.02, 0.03, False),
        ("P", 0.0, -0.02, False),
    ],
)
def test_where_early_exercise_can_never_pay_the_value_is_european(
    right: str, rate: float, dividend_yield: float, never_early: bool
) -> None:
    terms = contract(right, 100, 105, 1, rate, dividend_yield)
    assert exercise.is_european(terms.sign, terms.rate, terms.dividend_yield)[0] == never_early
    premium = DEFAULT.value(terms, one(0.2)) - european.value(terms, one(0.2))
    assert premium[0] == pytest.approx(0.0, abs=1e-9) if never_early else premium[0] > 1e-6


@few
@given(any_contract, any_volatility)
def test_worth_at_least_the_european_one_and_exercise_and_at_most_the_bound(
    terms: Contracts, volatility: Floats
) -> None:
    price = DEFAULT.value(terms, volatility)
    lower, upper = DEFAULT.bounds(terms)
    rounding = 1e-10 * terms.spot
    assert price >= european.value(terms, volatility) - rounding
    assert price >= terms.intrinsic
    assert price >= lower - 5e-6 * terms.spot
    assert price <= upper + rounding


@few
@given(any_contract, any_volatility)
def test_a_call_is_a_put_with_spot_and_strike_rate_and_yield_exchanged(
    terms: Contracts, volatility: Floats
) -> None:
    sign, spot, strike, years, rate, dividend_yield = terms
    mirrored = Contracts(-sign, strike, spot, years, dividend_yield, rate)
    gap = DEFAULT.value(terms, volatility) - DEFAULT.value(mirrored, volatility)
    assert abs(gap[0]) < 1e-12 * max(spot[0], strike[0])


@few
@given(any_contract, any_volatility, st.floats(1.02, 1.5))
def test_value_rises_with_volatility(terms: Contracts, volatility: Floats, factor: float) -> None:
    assert DEFAULT.value(terms, volatility * factor) >= DEFAULT.value(terms, volatility) - 5e-6 * terms.spot


@few
@given(any_contract, any_volatility)
def test_implied_volatility_reproduces_the_price(terms: Contracts, volatility: Floats) -> None:
    price = DEFAULT.value(terms, volatility)
    lower, upper = DEFAULT.bounds(terms)
    assume(lower[0] + 1e-6 < price[0] < upper[0] - 1e-6)
    solved = DEFAULT.implied_volatility(terms, price)
    assert DEFAULT.value(terms, solved) == pytest.approx(price, abs=1e-7)


def test_implied_volatility_of_a_batch_is_that_of_each_contract(
    oracle: dict[str, Floats], book: Contracts
) -> None:
    lower, _ = DEFAULT.bounds(book)
    rows = np.flatnonzero(oracle["value"] > lower * 1.001 + 0.001)
    batch = DEFAULT.implied_volatility(book.take(rows), oracle["value"][rows])
    np.testing.assert_allclose(batch, oracle["volatility"][rows], atol=2e-3)
    for row, together in zip(rows[:5], batch[:5], strict=True):
        alone = DEFAULT.implied_volatility(book.take(slice(row, row + 1)), oracle["value"][row : row + 1])
        assert alone[0] == pytest.approx(together, abs=1e-9)


def test_vega_and_rho_are_slopes_of_the_value() -> None:
    terms, volatility = contract("P", 100, 105, 0.8, 0.05, 0.01), one(0.3)
    figures = HIGH.greeks(terms, volatility)
    up, down = (HIGH.value(terms, volatility + move) for move in (0.01, -0.01))
    assert figures.vega == pytest.approx((up - down) / 0.02, rel=1e-3)
    up, down = (HIGH.value(terms._replace(rate=terms.rate + move), volatility) for move in (0.002, -0.002))
    assert figures.rho == pytest.approx((up - down) / 0.004, rel=2e-3)


def test_the_greeks_of_spot_alone_are_those_of_all_greeks(oracle: dict[str, Floats], book: Contracts) -> None:
    figures = DEFAULT.greeks(book, oracle["volatility"])
    for alone, together in zip(DEFAULT.spot_greeks(book, oracle["volatility"]), figures, strict=False):
        np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize(
    ("right", "rate", "dividend_yield"), [("P", -0.0015, -0.0159), ("C", -0.0159, -0.0015)]
)
def test_between_two_boundaries_the_tree_answers(right: str, rate: float, dividend_yield: float) -> None:
    terms = contract(right, 100, 100, 4.11, rate, dividend_yield)
    assert exercise.has_two_boundaries(terms.sign, terms.rate, terms.dividend_yield)[0]
    assert DEFAULT.value(terms, one(0.75))[0] == pytest.approx(
        float(HIGH.value(terms, one(0.75))[0]), abs=2e-3
    )
    assert DEFAULT.value(terms, one(0.75)) > european.value(terms, one(0.75)) + 0.01


def test_near_its_boundary_gamma_is_what_the_equation_leaves_without_theta() -> None:
    terms, volatility = contract("P", 100, 100, 1, 0.05, 0.0), one(0.2)
    spots = np.linspace(75, 90, 3001)
    line = Contracts(*(np.broadcast_to(column, spots.shape) for column in terms))._replace(spot=spots)
    figures = DEFAULT.greeks(line, np.broadcast_to(volatility, spots.shape))
    held = np.flatnonzero(figures.gamma > 0)
    assert 0 < held[0] < 1500
    assert (np.diff(figures.value) < 0).all()
    assert (np.diff(figures.delta) >= -1e-9).all()
    first = held[0]
    expected = 2 * 0.05 * 100 / (0.2 * spots[first]) ** 2
    assert figures.gamma[first] == pytest.approx(expected, rel=5e-2)


def test_more_contracts_than_one_chunk_are_all_priced() -> None:
    strikes = np.linspace(60, 140, 300)
    terms = Contracts(*(np.broadcast_to(term, 300) for term in (-1.0, 100.0, 0.0, 0.5, 0.04, 0.0)))
    prices = DEFAULT.value(terms._replace(strike=strikes), np.full(300, 0.3))
    last = DEFAULT.value(contract("P", 100, 140, 0.5, 0.04, 0), one(0.3))
    assert (np.diff(prices) > 0).all()
    assert prices[-1] == pytest.approx(last[0], rel=1e-12)


def test_a_price_that_only_an_absurd_volatility_gives_has_none() -> None:
    terms = contract("P", 100, 100, 0.1, 0.05, 0)
    assert np.isnan(DEFAULT.implied_volatility(terms, one(99.9999)))[0]


@pytest.mark.parametrize(
    ("terms", "lower", "upper"),
    [
        (("P", 90, 100, 1, 0.05, 0.0), 10.0, 100.0),
        (("P", 110, 100, 1, 0.05, 0.0), 0.0, 100.0),
        (("C", 100, 100, 1, -0.02, -0.01), 0.0, 100 * np.exp(0.01)),
        (("P", 50, 100, 2, -0.02, 0.01), 100 * np.exp(0.04) - 50 * np.exp(-0.02), 100 * np.exp(0.04)),
        (("C", 100, 90, 1, 0.08, 0.01), 100 * np.exp(-0.01) - 90 * np.exp(-0.08), 100.0),
    ],
)
def test_bounds(terms: tuple[str, float, float, float, float, float], lower: float, upper: float) -> None:
    low, high = DEFAULT.bounds(contract(*terms))
    assert low[0] == pytest.approx(lower)
    assert high[0] == pytest.approx(upper)


def test_without_volatility_the_best_moment_may_lie_between_now_and_expiry() -> None:
    # a call earns interest on the strike at first and loses growing dividends later: d/dt = 0 at t*
    rate, dividend_yield = 0.05, 0.02
    when = np.log(rate * 100 / (dividend_yield * 200)) / (rate - dividend_yield)
    terms = contract("C", 200, 100, 3 * when, rate, dividend_yield)
    best = 200 * np.exp(-dividend_yield * when) - 100 * np.exp(-rate * when)
    assert DEFAULT.bounds(terms)[0][0] == pytest.approx(best, rel=1e-12)
    assert DEFAULT.delta_without_volatility(terms)[0] == pytest.approx(np.exp(-dividend_yield * when))
    assert DEFAULT.value(terms, one(0.0))[0] == pytest.approx(best, rel=1e-12)
    assert DEFAULT.value(terms, one(0.01))[0] == pytest.approx(best, rel=1e-3)


@pytest.mark.parametrize(
    ("terms", "inside", "delta"),
    [
        (("P", 90, 100, 1, 0.05, 0.0), True, -1.0),
        (("P", 110, 100, 1, 0.05, 0.0), False, 0.0),
        (("P", 100, 100, 1, 0.05, 0.0), False, -0.5),
        (("P", 90, 100, 1, 0.02, 0.05), False, -np.exp(-0.05)),
        (("C", 110, 100, 1, 0.01, 0.05), True, 1.0),
        (("C", 110, 100, 1, 0.05, 0.01), False, np.exp(-0.01)),
    ],
)
def test_exercise_region_and_delta_without_volatility(
    terms: tuple[str, float, float, float, float, float], inside: bool, delta: float
) -> None:
    assert DEFAULT.in_exercise_region(contract(*terms))[0] == inside
    assert DEFAULT.delta_without_volatility(contract(*terms))[0] == pytest.approx(delta)


def test_deep_in_the_money_it_is_exercised_and_only_spot_moves_it() -> None:
    figures = DEFAULT.greeks(contract("P", 60, 100, 1, 0.06, 0.0), one(0.2))
    assert [float(figure[0]) for figure in figures] == [40.0, -1.0, 0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("right", "strike", "years", "rate", "dividend_yield", "volatility"),
    [
        ("C", 84.606, 0.117, 0.016, 0.219, 0.219),
        ("C", 80.761, 1.691, 0.009, 0.031, 0.127),
        ("P", 144.73, 0.127, 0.083, 0.0, 0.36),
    ],
)
def test_barely_inside_the_exercise_region_rounding_does_not_pass_for_time_value(
    *, right: str, strike: float, years: float, rate: float, dividend_yield: float, volatility: float
) -> None:
    terms = contract(right, 100, strike, years, rate, dividend_yield)
    figures = DEFAULT.greeks(terms, one(volatility))
    assert figures.value == pytest.approx(terms.intrinsic, abs=1e-4)
    assert figures.delta == terms.sign
    assert figures.gamma == figures.vega == figures.theta == 0.0


@few
@given(any_contract, any_volatility)
def test_gamma_and_vega_are_never_negative_and_time_never_pays(terms: Contracts, volatility: Floats) -> None:
    assume(not exercise.is_european(terms.sign, terms.rate, terms.dividend_yield)[0])
    figures = DEFAULT.greeks(terms, volatility)
    assert figures.gamma >= 0
    assert figures.vega >= 0
    assert figures.theta <= 0


def test_a_worthless_share_leaves_the_put_its_strike_at_once() -> None:
    assert DEFAULT.value(contract("P", 0, 80, 1, 0.05, 0.02), one(0.3))[0] == 80.0
