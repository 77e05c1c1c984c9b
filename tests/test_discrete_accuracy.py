"""Known dividends against an independent engine: values, Greeks and implied volatilities, by domain."""

from __future__ import annotations

import numpy as np
import pytest

from discrete_oracle import Oracle, oracle
from quotewell.analytics.arrays import Floats
from quotewell.analytics.options import Status, solve, value


@pytest.fixture(scope="module")
def market() -> Oracle:
    return oracle("market")


@pytest.fixture(scope="module")
def wide() -> Oracle:
    return oracle("wide")


def of_spot(errors: Floats, known: Oracle) -> Floats:
    return np.asarray(np.abs(errors) / known.contracts.spot)


def test_there_are_four_hundred_of_both_rights_and_styles(market: Oracle, wide: Oracle) -> None:
    assert market.value.size == 300
    assert wide.value.size == 100
    for known in (market, wide):
        assert 0.3 < (known.contracts.sign > 0.0).mean() < 0.7
        assert 0.1 < (~known.american).mean() < 0.3


def test_values_of_ordinary_contracts(market: Oracle) -> None:
    errors = of_spot(market.engine.value(market.contracts, market.volatility) - market.value, market)
    assert np.median(errors) <= 5e-6
    assert errors.max() <= 1e-4


def test_values_of_extreme_contracts(wide: Oracle) -> None:
    errors = of_spot(wide.engine.value(wide.contracts, wide.volatility) - wide.value, wide)
    assert np.median(errors) <= 1e-5
    assert errors.max() <= 1e-4


def test_greeks_of_ordinary_contracts(market: Oracle) -> None:
    found = market.engine.greeks(market.contracts, market.volatility)
    for ours, known, median, worst in (
        (found.delta, market.delta, 2e-5, 1.5e-3),
        (found.gamma * 100.0, market.gamma * 100.0, 2e-4, 8e-2),
        (found.vega / 100.0, market.vega / 100.0, 2e-4, 5e-3),
        (found.rho / 100.0, market.rho / 100.0, 5e-4, 3e-2),
    ):
        errors = np.abs(ours - known)
        assert np.median(errors) <= median
        assert errors.max() <= worst


@pytest.mark.parametrize("domain", ["market", "wide"])
def test_implied_volatility_reprices_wherever_it_exists(domain: str) -> None:
    known = oracle(domain)
    lower, upper = known.engine.bounds(known.contracts)
    strike = known.contracts.strike
    own = known.take((known.value > lower + 1e-4 * strike) & (known.value < upper - 1e-4 * strike))
    solved = own.engine.implied_volatility(own.contracts, own.value)
    assert own.value.size > 0.7 * known.value.size
    assert not np.isnan(solved).any()
    error = np.abs(own.engine.value(own.contracts, solved) - own.value) / own.contracts.strike
    assert error.max() <= 1e-7


def test_the_options_functions_take_dividends(market: Oracle) -> None:
    few = market.take(np.arange(market.value.size) < 20)
    sign, spot, strike, years, rate, dividend_yield = few.contracts
    prices = value(
        sign > 0.0, few.american, spot, strike, years, few.volatility, rate, dividend_yield,
        dividends=few.dividends,
    )  # fmt: skip
    np.testing.assert_array_equal(prices, few.engine.value(few.contracts, few.volatility))
    solved = solve(
        sign > 0.0, few.american, spot, strike, years, prices, rate, dividend_yield, dividends=few.dividends
    )
    ok = solved.status == Status.OK
    assert ok.sum() > 12
    np.testing.assert_allclose(solved.volatility[ok], few.volatility[ok], atol=1e-4)


def test_a_grid_of_spots_shares_the_dividends_of_its_contracts(market: Oracle) -> None:
    few = market.take(np.arange(market.value.size) < 6)
    sign, spot, strike, years, rate, dividend_yield = few.contracts
    spots = np.outer([0.9, 1.0, 1.1], spot)
    terms = (few.volatility, rate, dividend_yield)
    grid = value(sign > 0.0, few.american, spots, strike, years, *terms, dividends=few.dividends)
    for row, moved in zip(grid, spots, strict=True):
        alone = few.engine.value(few.contracts._replace(spot=moved), few.volatility)
        np.testing.assert_allclose(row, alone, rtol=1e-11)
