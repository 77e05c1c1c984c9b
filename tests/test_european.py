from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quotewell.analytics.arrays import Floats
from quotewell.analytics.pricing import european
from quotewell.analytics.pricing.contracts import Contracts


def contract(right: str, *terms: float) -> Contracts:
    """Spot, strike, years, rate and dividend yield follow the right."""
    return Contracts(np.array([1.0 if right == "C" else -1.0]), *(np.array([term]) for term in terms))


def one(number: float) -> Floats:
    return np.array([number])


any_contract = st.builds(
    contract,
    st.sampled_from("CP"),
    st.floats(1, 1000),
    st.floats(1, 1000),
    st.floats(0.003, 5),
    st.floats(-0.05, 0.25),
    st.floats(-0.05, 0.25),
)
any_volatility = st.floats(0.01, 3).map(one)


@pytest.mark.parametrize(
    ("right", "terms", "volatility", "price"),
    [
        # Hull, "Options, Futures, and Other Derivatives": example of the Black-Scholes chapter
        ("C", (42, 40, 0.5, 0.10, 0.0), 0.20, 4.7594),
        ("P", (42, 40, 0.5, 0.10, 0.0), 0.20, 0.8086),
        # Haug, "The Complete Guide to Option Pricing Formulas": put on an index with a yield
        ("P", (100, 95, 0.5, 0.10, 0.05), 0.20, 2.4648),
    ],
)
def test_textbook_prices(
    right: str, terms: tuple[float, float, float, float, float], volatility: float, price: float
) -> None:
    assert european.value(contract(right, *terms), one(volatility))[0] == pytest.approx(price, abs=5e-5)


@given(any_contract, any_volatility)
def test_put_call_parity(terms: Contracts, volatility: Floats) -> None:
    call = european.value(terms._replace(sign=one(1.0)), volatility)
    put = european.value(terms._replace(sign=one(-1.0)), volatility)
    carried = terms.spot * np.exp(-terms.dividend_yield * terms.years)
    discounted = terms.strike * np.exp(-terms.rate * terms.years)
    np.testing.assert_allclose(call - put, carried - discounted, atol=1e-11 * (carried + discounted)[0])


@given(any_contract, any_volatility)
def test_value_lies_between_its_bounds(terms: Contracts, volatility: Floats) -> None:
    lower, upper = european.bounds(terms)
    price, rounding = european.value(terms, volatility), 1e-13 * (terms.spot + terms.strike)
    assert (lower - rounding <= price).all()
    assert (price <= upper + rounding).all()


@given(any_contract, any_volatility)
def test_greeks_are_the_slopes_of_the_value(terms: Contracts, volatility: Floats) -> None:
    assume(volatility[0] * terms.root_years[0] > 0.02)
    figures = european.greeks(terms, volatility)
    h = 1e-4

    def price(**moved: Floats) -> Floats:
        deviation = moved.pop("volatility", volatility)
        return european.value(terms._replace(**moved), deviation)

    step = h * terms.spot
    tolerance = 1e-4 * float(terms.spot[0] + terms.strike[0])
    up, down = price(spot=terms.spot + step), price(spot=terms.spot - step)
    assert figures.value == pytest.approx(price(), rel=1e-12, abs=1e-12)
    assert figures.delta == pytest.approx((up - down) / (2 * step), abs=1e-3)
    vega = (price(volatility=volatility + h) - price(volatility=volatility - h)) / (2 * h)
    assert figures.vega == pytest.approx(vega, abs=tolerance)
    rho = (price(rate=terms.rate + h) - price(rate=terms.rate - h)) / (2 * h)
    assert figures.rho == pytest.approx(rho, abs=tolerance)
    later = 1e-4 * terms.years
    theta = (price(years=terms.years - later) - price(years=terms.years + later)) / (2 * later)
    assert figures.theta == pytest.approx(theta, rel=1e-3, abs=tolerance)


def test_gamma_is_the_slope_of_delta() -> None:
    terms, volatility = contract("P", 100, 105, 0.7, 0.03, 0.01), one(0.25)
    up = european.greeks(terms._replace(spot=one(100.01)), volatility).delta
    down = european.greeks(terms._replace(spot=one(99.99)), volatility).delta
    assert european.greeks(terms, volatility).gamma == pytest.approx((up - down) / 0.02, rel=1e-6)


@given(any_contract, any_volatility)
def test_implied_volatility_returns_to_the_volatility_as_far_as_the_price_carries(
    terms: Contracts, volatility: Floats
) -> None:
    figures = european.greeks(terms, volatility)
    lower, upper = european.bounds(terms)
    scale = float(terms.spot[0] + terms.strike[0])
    carried = terms.spot * math.exp(0.25 * terms.years[0]) + terms.strike
    assume(figures.value[0] > lower[0] + 1e-12 * scale)
    assume(figures.value[0] < upper[0] - 1e-12 * scale)
    solved = european.implied_volatility(terms, figures.value)
    # what the rounding of price, bound and discounting moves the volatility by
    rounding = 1e-14 * carried[0] / figures.vega[0]
    assert solved[0] == pytest.approx(volatility[0], rel=1e-12, abs=rounding)


@pytest.mark.parametrize(
    ("strike", "total"),
    [(strike, total) for strike in (99.0, 100.0, 101.0) for total in (1e-3, 0.05, 0.5, 2.0, 6.0)]
    + [(60.0, 0.05), (60.0, 0.5), (60.0, 6.0), (250.0, 0.05), (250.0, 0.5), (250.0, 6.0)],
)
def test_implied_volatility_of_an_out_of_the_money_price_is_exact_to_its_last_digits(
    strike: float, total: float
) -> None:
    terms = contract("C" if strike > 100 else "P", 100, strike, 1.0, 0.0, 0.0)
    price = european.value(terms, one(total))
    assert european.implied_volatility(terms, price)[0] == pytest.approx(total, rel=1e-11)


@pytest.mark.parametrize("price", [0.0, 4.9, 5.0, 100.0, 120.0])
def test_no_volatility_at_or_beyond_a_bound(price: float) -> None:
    assert np.isnan(european.implied_volatility(contract("C", 100, 95, 1, 0, 0), one(price)))[0]


@given(any_contract, st.floats(0.02, 0.95), st.floats(0.001, 0.04))
def test_implied_volatility_rises_with_the_price(terms: Contracts, place: float, more: float) -> None:
    lower, upper = european.bounds(terms)
    prices = lower + (upper - lower) * np.array([place, place + more])
    both = Contracts(*(np.repeat(column, 2) for column in terms))
    low, high = european.implied_volatility(both, prices)
    assert low < high


@pytest.mark.parametrize(
    ("right", "spot", "delta"),
    [("C", 101, 1.0), ("C", 99, 0.0), ("C", 100, 0.5), ("P", 101, 0.0), ("P", 99, -1.0), ("P", 100, -0.5)],
)
def test_without_volatility_value_and_delta_are_those_of_the_forward(
    right: str, spot: float, delta: float
) -> None:
    terms = contract(right, spot, 100, 2, 0.03, 0.03)
    discount = math.exp(-0.06)
    intrinsic = max((1 if right == "C" else -1) * (spot - 100), 0)
    assert european.value(terms, one(0.0))[0] == pytest.approx(intrinsic * discount, abs=1e-12)
    assert european.delta_without_volatility(terms)[0] == pytest.approx(delta * discount)


def test_a_worthless_share_leaves_the_put_its_discounted_strike() -> None:
    assert european.value(contract("P", 0, 80, 1, 0.05, 0.02), one(0.3))[0] == pytest.approx(
        80 * math.exp(-0.05)
    )
    assert european.value(contract("C", 0, 80, 1, 0.05, 0.02), one(0.3))[0] == 0.0


def test_nothing_lies_in_an_exercise_region() -> None:
    assert not european.in_exercise_region(contract("P", 1, 100, 1, 0.1, 0))[0]


@pytest.fixture(scope="module")
def book() -> tuple[Contracts, Floats]:
    """Twenty thousand contracts: a day to ten years, within six deviations of the money."""
    draw, count = np.random.default_rng(1973), 20_000
    sign = np.where(draw.random(count) < 0.5, 1.0, -1.0)
    spot, years = draw.uniform(1, 500, count), draw.uniform(1 / 365, 10, count)
    volatility = draw.uniform(0.05, 1.8, count)
    away = np.clip(draw.normal(0, 1.5, count), -6, 6) * volatility * np.sqrt(years)
    strike = spot * np.exp(np.clip(away, -2.5, 2.5))
    rates = draw.uniform(-0.01, 0.2, count), draw.uniform(-0.02, 0.4, count)
    return Contracts(sign, spot, strike, years, *rates), volatility


def test_prices_are_those_of_the_formula_with_an_independent_error_function(
    book: tuple[Contracts, Floats],
) -> None:
    contracts, volatility = book
    exact = [
        sign
        * (
            spot * math.exp(-dividend_yield * years) * 0.5 * math.erfc(-sign * d1 * math.sqrt(0.5))
            - strike * math.exp(-rate * years) * 0.5 * math.erfc(-sign * d2 * math.sqrt(0.5))
        )
        for sign, spot, strike, years, rate, dividend_yield, total in zip(
            *contracts, volatility * contracts.root_years, strict=True
        )
        for d1 in [(math.log(spot / strike) + (rate - dividend_yield) * years) / total + 0.5 * total]
        for d2 in [d1 - total]
    ]
    scale = np.maximum(contracts.spot, contracts.strike)
    assert (np.abs(european.value(contracts, volatility) - exact) / scale).max() <= 1e-13
    assert (np.abs(european.greeks(contracts, volatility).value - exact) / scale).max() <= 1e-13


def test_implied_volatility_reprices_to_rounding(book: tuple[Contracts, Floats]) -> None:
    contracts, volatility = book
    price = european.value(contracts, volatility)
    solved = european.implied_volatility(contracts, price)
    known = ~np.isnan(solved)
    again = european.value(contracts.take(known), solved[known])
    scale = np.maximum(contracts.spot, contracts.strike)[known]
    assert known.mean() > 0.99
    assert (np.abs(again - price[known]) / scale).max() <= 1e-12
