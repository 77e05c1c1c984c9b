from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quotewell.analytics.options import TICK, Solved, Status, solve, value
from quotewell.analytics.pricing import european
from quotewell.analytics.pricing.contracts import Contracts

NAN = float("nan")
DAY = 1 / 365
few = settings(max_examples=30, deadline=None)


def status_of(solved: Solved) -> Status:
    return Status(int(solved.status))


def greeks_of(solved: Solved) -> list[float]:
    return [float(figure) for figure in (solved.gamma, solved.vega, solved.theta, solved.rho)]


@few
@given(
    is_call=st.booleans(),
    early=st.booleans(),
    spot=st.floats(70, 140),
    years=st.floats(0.02, 2),
    volatility=st.floats(0.1, 1.2),
    rate=st.floats(0, 0.08),
    dividend_yield=st.floats(0, 0.05),
)
def test_solving_a_model_price_gives_its_volatility_back(
    *,
    is_call: bool,
    early: bool,
    spot: float,
    years: float,
    volatility: float,
    rate: float,
    dividend_yield: float,
) -> None:
    market = (rate, dividend_yield)
    price = value(is_call, early, spot, 100.0, years, volatility, *market)
    solved = solve(is_call, early, spot, 100.0, years, price, *market)
    assume(status_of(solved) is Status.OK)
    again = value(is_call, early, spot, 100.0, years, solved.volatility, *market)
    assert float(again) == pytest.approx(float(price), abs=1e-6)
    assert (solved.delta > 0) if is_call else (solved.delta < 0)
    assert abs(solved.delta) <= 1.0 + 1e-4
    assert solved.vega > 0 or abs(solved.delta) == 1.0  # at the edge of the exercise region
    assert solved.gamma >= 0


@few
@given(st.booleans(), st.booleans(), st.floats(80, 120), st.floats(0.5, 20))
def test_volatility_rises_with_the_price(is_call: bool, early: bool, spot: float, premium: float) -> None:
    intrinsic = max(spot - 100, 0) if is_call else max(100 - spot, 0)
    prices = intrinsic + premium * np.array([1.0, 1.1, 1.3]) + 3.0
    solved = solve(is_call, early, spot, 100.0, 0.5, prices, 0.03, 0.01)
    assert list(solved.status) == [Status.OK] * 3
    assert (np.diff(solved.volatility) > 0).all()


def test_european_contracts_are_solved_by_the_closed_form() -> None:
    terms = Contracts(*(np.array([term]) for term in (-1.0, 100.0, 110.0, 0.75, 0.04, 0.02)))
    exact = european.greeks(terms, np.array([0.35]))
    solved = solve(False, False, 100, 110, 0.75, exact.value, 0.04, 0.02)
    assert solved.volatility == pytest.approx(0.35, rel=1e-12)
    assert solved.delta == pytest.approx(exact.delta, rel=1e-12)
    assert solved.gamma == pytest.approx(exact.gamma, rel=1e-10)
    assert solved.vega == pytest.approx(exact.vega, rel=1e-10)
    assert solved.theta == pytest.approx(exact.theta, rel=1e-10)
    assert solved.rho == pytest.approx(exact.rho, rel=1e-10)


def test_an_american_call_without_dividends_is_solved_as_a_european_one() -> None:
    american, european_ = (solve(True, early, 100, 95, 0.5, 9.0, 0.04, 0.0) for early in (True, False))
    assert american == european_


def test_european_deltas_of_call_and_put_differ_by_the_carry() -> None:
    call, put = value([True, False], False, 100, 105, 0.5, 0.3, 0.05, 0.02)
    solved = solve([True, False], False, 100, 105, 0.5, [call, put], 0.05, 0.02)
    assert solved.volatility[0] == pytest.approx(solved.volatility[1], rel=1e-11)
    assert solved.delta[0] - solved.delta[1] == pytest.approx(np.exp(-0.01), rel=1e-11)


def test_shapes_broadcast_and_every_contract_keeps_its_place() -> None:
    strikes = np.array([[90.0], [100.0], [110.0]])
    is_call = np.array([True, False])
    prices = value(is_call, True, 100.0, strikes, 0.5, 0.3, 0.04, 0.02)
    solved = solve(is_call, True, 100.0, strikes, 0.5, prices, 0.04, 0.02)
    assert all(figure.shape == (3, 2) for figure in solved)
    np.testing.assert_allclose(solved.volatility, 0.3, atol=1e-7)
    alone = solve(False, True, 100.0, 110.0, 0.5, prices[2, 1], 0.04, 0.02)
    assert alone.delta == pytest.approx(solved.delta[2, 1], abs=1e-9)
    assert alone.delta.shape == ()


def test_no_contracts_give_empty_columns() -> None:
    none: list[float] = []
    solved = solve(none, none, none, none, none, none, none, none)
    assert all(figure.shape == (0,) for figure in solved)
    assert value(none, none, none, none, none, none, none, none).shape == (0,)


@pytest.mark.parametrize("position", range(2, 8))
@pytest.mark.parametrize("unknown", [NAN, np.inf, -np.inf])
def test_an_unknown_input_leaves_everything_unknown(position: int, unknown: float) -> None:
    terms: list[float] = [True, True, 100.0, 100.0, 0.5, 5.0, 0.03, 0.01]
    terms[position] = unknown
    assume_expired = position == 4 and unknown == -np.inf
    solved = solve(*terms)
    assert status_of(solved) is (Status.EXPIRED if assume_expired else Status.MISSING_INPUT)
    assert all(np.isnan(figure) for figure in solved[1:])
    assert np.isnan(value(*terms))


@pytest.mark.parametrize(
    ("spot", "strike", "price"),
    [(0.0, 100.0, 5.0), (-1.0, 100.0, 5.0), (100.0, 0.0, 5.0), (100.0, 100.0, -0.1)],
)
def test_impossible_prices_are_not_solved(spot: float, strike: float, price: float) -> None:
    solved = solve(True, True, spot, strike, 0.5, price, 0.03, 0.01)
    assert status_of(solved) is Status.MISSING_INPUT
    assert np.isnan(solved.delta)


@pytest.mark.parametrize(
    ("is_call", "spot", "delta"),
    [(True, 101.0, 1.0), (True, 99.0, 0.0), (True, 100.0, 0.0), (False, 99.0, -1.0), (False, 101.0, 0.0)],
)
@pytest.mark.parametrize("years", [0.0, -8 / 24 * DAY])
def test_on_expiry_day_after_the_close_delta_is_that_of_exercise(
    is_call: bool, spot: float, delta: float, years: float
) -> None:
    solved = solve(is_call, True, spot, 100.0, years, NAN, NAN, NAN)
    assert status_of(solved) is Status.EXPIRES_TODAY
    assert solved.delta == delta
    assert np.isnan(solved.volatility)
    assert greeks_of(solved) == [0.0] * 4
    intrinsic = max(spot - 100, 0) if is_call else max(100 - spot, 0)
    assert value(is_call, True, spot, 100.0, years, NAN, NAN, NAN) == intrinsic


def test_what_expired_more_than_a_day_ago_is_unknown() -> None:
    solved = solve(True, True, 120.0, 100.0, -1.01 * DAY, 20.0, 0.03, 0.0)
    assert status_of(solved) is Status.EXPIRED
    assert all(np.isnan(figure) for figure in solved[1:])
    assert np.isnan(value(True, True, 120.0, 100.0, -1.01 * DAY, 0.2, 0.03, 0.0))


@pytest.mark.parametrize(
    ("is_call", "spot", "price", "rate", "dividend_yield", "delta"),
    [(False, 80.1, 19.9, 0.05, 0.0, -1.0), (True, 120.3, 20.3, 0.01, 0.08, 1.0)],
)
def test_a_price_at_intrinsic_in_the_exercise_region_is_to_be_exercised(
    *, is_call: bool, spot: float, price: float, rate: float, dividend_yield: float, delta: float
) -> None:
    solved = solve(is_call, True, spot, 100.0, 0.5, price, rate, dividend_yield)
    assert status_of(solved) is Status.EXERCISE
    assert solved.delta == delta
    assert np.isnan(solved.volatility)
    assert greeks_of(solved) == [0.0] * 4


@pytest.mark.parametrize(
    ("is_call", "american", "rate", "dividend_yield"),
    [
        (False, False, 0.05, 0.0),  # European: below its bound, K·e^(-rT) - S would be 17.43
        (True, True, 0.05, 0.0),  # never exercised early
    ],
)
def test_intrinsic_outside_the_exercise_region_is_no_exercise(
    is_call: bool, american: bool, rate: float, dividend_yield: float
) -> None:
    spot = 120.0 if is_call else 80.0
    solved = solve(is_call, american, spot, 100.0, 0.5, 20.0, rate, dividend_yield)
    assert status_of(solved) is not Status.EXERCISE


def test_a_price_below_the_bound_by_more_than_the_half_spread_has_no_delta() -> None:
    # the call is worth at least 120 - 100·e^(-0.025) = 22.47
    solved = solve(True, True, 120.0, 100.0, 0.5, 22.0, 0.05, 0.0, half_spread=0.40)
    assert status_of(solved) is Status.BELOW_BOUND
    assert all(np.isnan(figure) for figure in solved[1:])


def test_a_price_above_the_bound_by_more_than_the_half_spread_has_no_delta() -> None:
    solved = solve(True, True, 120.0, 100.0, 0.5, 121.0, 0.05, 0.0, half_spread=0.5)
    assert status_of(solved) is Status.ABOVE_BOUND
    assert np.isnan(solved.delta)


def test_just_below_the_bound_delta_is_the_midpoint_across_the_spread_if_that_hardly_moves_it() -> None:
    bound = 120 - 100 * np.exp(-0.025)
    price, half = bound - 0.02, 0.05
    solved = solve(True, False, 120.0, 100.0, 0.5, price, 0.05, 0.0, half_spread=half)
    upper = solve(True, False, 120.0, 100.0, 0.5, price + half, 0.05, 0.0)
    assert status_of(solved) is Status.ESTIMATED
    assert solved.delta == pytest.approx((1.0 + upper.delta) / 2)
    assert 0.9 < solved.delta < 1.0
    assert np.isnan([float(solved.volatility), *greeks_of(solved)]).all()


def test_a_spread_that_moves_delta_by_more_than_a_tenth_leaves_it_unknown() -> None:
    bound = 105 - 100 * np.exp(-0.025)
    solved = solve(True, True, 105.0, 100.0, 0.5, bound - 0.1, 0.05, 0.0, half_spread=1.5)
    assert status_of(solved) is Status.NO_VOLATILITY
    assert np.isnan(solved.delta)


@pytest.mark.parametrize("half_spread", [None, NAN])
def test_a_worthless_option_far_out_of_the_money_has_delta_zero_as_an_estimate(
    half_spread: float | None,
) -> None:
    solved = solve(True, True, 60.0, 100.0, 0.1, 0.0, 0.05, 0.0, half_spread=half_spread)
    assert status_of(solved) is Status.ESTIMATED
    assert solved.delta == 0.0


def test_a_worthless_option_near_the_money_has_no_delta() -> None:
    solved = solve(True, True, 99.9, 100.0, 2 * DAY, 0.0, 0.0, 0.0, half_spread=0.2)
    assert status_of(solved) is Status.NO_VOLATILITY


def test_an_unknown_spread_counts_as_a_tick_on_each_side() -> None:
    bound = 120 - 100 * np.exp(-0.025)
    inside, outside = bound - 0.9 * TICK, bound - 1.1 * TICK
    solved = solve(True, True, 120.0, 100.0, 0.5, [inside, outside], 0.05, 0.0)
    assert list(solved.status) == [Status.ESTIMATED, Status.BELOW_BOUND]


def test_near_the_upper_bound_delta_goes_to_its_limit() -> None:
    prices = [119.9999, 99.9999]
    solved = solve([True, False], [True, False], 120.0, 100.0, 0.5, prices, [0.05, 0.0], 0.0)
    assert list(solved.status) == [Status.ESTIMATED] * 2
    assert solved.delta[0] == pytest.approx(1.0, abs=1e-3)
    assert solved.delta[1] == pytest.approx(0.0, abs=1e-3)


def test_statuses_of_one_batch_do_not_disturb_each_other() -> None:
    prices = np.array([5.0, 20.0, NAN, 0.0, 150.0])
    spots = np.array([100.0, 80.0, 100.0, 160.0, 100.0])
    years = np.array([0.5, 0.5, 0.5, -0.5 * DAY, 0.5])
    solved = solve(False, True, spots, 100.0, years, prices, 0.05, 0.0)
    expected = [
        Status.OK,
        Status.EXERCISE,
        Status.MISSING_INPUT,
        Status.EXPIRES_TODAY,
        Status.ABOVE_BOUND,
    ]
    assert [Status(int(code)) for code in solved.status] == expected
    np.testing.assert_array_equal(np.isnan(solved.volatility), [False, True, True, True, True])


def test_a_worthless_underlying_has_values_but_cannot_be_solved() -> None:
    assert value(False, True, 0.0, 100.0, 0.5, 0.3, 0.05, 0.0) == 100.0
    assert value(True, True, 0.0, 100.0, 0.5, 0.3, 0.05, 0.02) == 0.0
    assert np.isnan(value(True, True, 100.0, 100.0, 0.5, -0.1, 0.05, 0.02))


def test_a_batch_of_options_gives_their_volatility_back() -> None:
    draw = np.random.default_rng(7)
    strikes = 100 * np.exp(draw.normal(0, 0.12, 40))
    terms = (draw.random(40) < 0.5, True, 100.0, strikes, draw.uniform(0.02, 1.5, 40))
    prices = value(*terms, 0.35, 0.043, 0.012)
    solved = solve(*terms, prices, 0.043, 0.012)
    assert (solved.status == Status.OK).all()
    np.testing.assert_allclose(value(*terms, solved.volatility, 0.043, 0.012), prices, atol=1e-6)
