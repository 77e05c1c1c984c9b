"""The engine for known dividends: closed forms, limits, slopes, and that no contract sees its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from quotewell.analytics.arrays import Bools, Floats
from quotewell.analytics.options import Status, solve
from quotewell.analytics.pricing import european
from quotewell.analytics.pricing.american import HIGH
from quotewell.analytics.pricing.contracts import Contracts
from quotewell.analytics.pricing.discrete import Discrete
from quotewell.analytics.pricing.dividends import Dividends


def contract(right: str, *terms: float) -> Contracts:
    """Spot, strike, years, rate and dividend yield follow the right."""
    return Contracts(np.array([1.0 if right == "C" else -1.0]), *(np.array([term]) for term in terms))


def one(number: float) -> Floats:
    return np.array([number])


def paid(*events: tuple[float, float]) -> Dividends:
    """Years and amount of each."""
    return Dividends(*(np.array(column)[:, np.newaxis] for column in zip(*events, strict=True)))


def single(*, american: bool, events: Dividends) -> Discrete:
    return Discrete(np.array([american]), events)


def book(count: int) -> tuple[Contracts, Floats]:
    draw = np.random.default_rng(4)
    spot, days = np.full(count, 100.0), draw.integers(20, 700, count)
    years, volatility = days / 365, draw.uniform(0.12, 0.8, count)
    strike = np.round(spot * np.exp(draw.normal(0, 0.5, count) * volatility * np.sqrt(years)), 1)
    sign = np.where(draw.random(count) < 0.5, 1.0, -1.0)
    return Contracts(sign, spot, strike, years, draw.uniform(0, 0.07, count), np.zeros(count)), volatility


def without(count: int, american: bool) -> Discrete:
    return Discrete(np.full(count, american), Dividends(np.zeros((0, count)), np.zeros((0, count))))


def test_without_dividends_european_contracts_have_their_closed_form() -> None:
    contracts, volatility = book(40)
    found = without(40, american=False).greeks(contracts, volatility)
    exact = european.greeks(contracts, volatility)
    np.testing.assert_allclose(found.value, exact.value, atol=1e-4)
    np.testing.assert_allclose(found.delta, exact.delta, atol=1e-5)
    np.testing.assert_allclose(found.gamma, exact.gamma, atol=1e-5)
    np.testing.assert_allclose(found.theta, exact.theta, atol=2e-3)
    np.testing.assert_allclose(found.vega, exact.vega, atol=5e-2)
    np.testing.assert_allclose(found.rho, exact.rho, atol=2e-2)


def test_without_dividends_american_contracts_have_the_values_of_the_boundary() -> None:
    contracts, volatility = book(40)
    found = without(40, american=True).greeks(contracts, volatility)
    value, delta, _ = HIGH.spot_greeks(contracts, volatility)
    np.testing.assert_allclose(found.value, value, atol=1e-2)
    np.testing.assert_allclose(found.delta, delta, atol=1e-3)
    assert np.median(np.abs(found.value - value)) < 1e-3


@pytest.mark.parametrize("right", ["C", "P"])
@pytest.mark.parametrize("amount", [0.5, 8.0, 60.0])
@pytest.mark.parametrize("when", [0.02, 0.4, 0.89])
def test_one_dividend_is_the_integral_over_the_spot_at_its_date(
    right: str, amount: float, when: float
) -> None:
    terms, volatility = contract(right, 100, 95, 0.9, 0.04, 0.01), one(0.35)
    deviates = np.linspace(-9, 9, 8001)
    weights = np.exp(-0.5 * deviates**2) / np.sqrt(2 * np.pi) * (deviates[1] - deviates[0])
    drift, deviation = (0.04 - 0.01 - 0.5 * 0.35**2) * when, 0.35 * np.sqrt(when)
    spots = np.maximum(100 * np.exp(drift + deviation * deviates) - amount, 1e-12)
    then = Contracts(*(np.broadcast_to(column, spots.shape) for column in terms))
    then = then._replace(spot=spots, years=np.full_like(spots, 0.9 - when))
    expected = np.exp(-0.04 * when) * (weights @ european.value(then, np.full_like(spots, 0.35)))
    found = single(american=False, events=paid((when, amount))).value(terms, volatility)
    assert found[0] == pytest.approx(expected, abs=2e-3)


def test_a_dividend_on_the_last_day_falls_on_who_holds_until_then() -> None:
    volatility, events = one(0.3), paid((0.5, 3.0))
    call, put = (contract(right, 100, 100, 0.5, 0.03, 0.0) for right in "CP")
    plain = european.value(call, volatility)
    held, sold = (single(american=True, events=events).value(each, volatility) for each in (call, put))
    assert held == pytest.approx(plain, abs=1e-2)  # exercised just before
    lifted = european.value(put._replace(strike=one(103.0)), volatility)
    assert sold == pytest.approx(lifted, abs=0.2)
    assert sold > european.value(put, volatility) + 1.0


def test_before_a_dividend_that_leaves_nothing_a_call_is_one_that_expires_there() -> None:
    terms, volatility, events = contract("C", 100, 90, 1.0, 0.05, 0.0), one(0.3), paid((0.5, 1e4))
    found = single(american=True, events=events).value(terms, volatility)
    expected = european.value(terms._replace(years=one(0.5)), volatility)
    assert found == pytest.approx(expected, abs=5e-3)
    put = single(american=False, events=events).value(contract("P", 100, 90, 1.0, 0.05, 0.0), volatility)
    assert put[0] == pytest.approx(90 * np.exp(-0.05), abs=1e-6)


def test_dividends_outside_the_life_and_of_nothing_do_not_count() -> None:
    terms, volatility = contract("P", 100, 95, 0.5, 0.04, 0.0), one(0.3)
    plain = single(american=True, events=paid((-1.0, 0.0))).greeks(terms, volatility)
    idle = paid((-0.1, 2.0), (0.0, 2.0), (0.51, 2.0), (0.2, 0.0))
    assert single(american=True, events=idle).greeks(terms, volatility) == plain
    counted = single(american=True, events=paid((0.51, 2.0), (0.4, 2.0))).value(terms, volatility)
    assert counted > plain.value + 0.2


def mixed(count: int) -> tuple[Contracts, Floats, Bools, Dividends]:
    contracts, volatility = book(count)
    when = np.stack([np.linspace(0.02, 0.3, count), np.linspace(0.9, 0.25, count)])
    return contracts, volatility, np.arange(count) % 3 > 0, Dividends(when, np.full((2, count), 1.5))


def test_nobodys_figures_depend_on_who_else_is_in_the_block() -> None:
    contracts, volatility, american, dividends = mixed(40)
    engine = Discrete(american, dividends)
    together = engine.greeks(contracts, volatility)
    prices = together.value
    implied = engine.implied_volatility(contracts, prices)
    for row in range(40):
        some = np.array([row])
        alone, terms = engine.take(some), contracts.take(some)
        for figure, whole in zip(alone.greeks(terms, volatility[some]), together, strict=True):
            assert figure[0] == pytest.approx(whole[row], rel=1e-9, abs=1e-9)
        found = alone.implied_volatility(terms, prices[some])
        assert found[0] == pytest.approx(implied[row], rel=1e-9, nan_ok=True)


def test_early_exercise_is_worth_something_and_delta_and_gamma_are_slopes() -> None:
    volatility, dividends = one(0.25), paid((0.1, 1.2), (0.35, 1.2), (0.6, 1.2))
    terms = contract("C", 100, 85, 0.7, 0.02, 0.0)
    engine = single(american=True, events=dividends)
    american = engine.greeks(terms, volatility)
    assert american.value > single(american=False, events=dividends).value(terms, volatility) + 0.05
    assert american.value >= terms.intrinsic
    up, down = (engine.greeks(terms._replace(spot=terms.spot + move), volatility) for move in (0.5, -0.5))
    assert american.delta == pytest.approx(up.value - down.value, abs=1e-3)
    assert american.gamma == pytest.approx(up.delta - down.delta, abs=1e-3)


def test_theta_is_what_a_day_takes() -> None:
    day = 1.0 / 365.0
    for right in "CP":
        terms, volatility = contract(right, 100, 102, 0.5, 0.03, 0.0), one(0.3)
        theta = single(american=True, events=paid((0.2, 1.0))).greeks(terms, volatility).theta
        later = terms._replace(years=terms.years - day)
        then = single(american=True, events=paid((0.2 - day, 1.0))).value(later, volatility)
        now = single(american=True, events=paid((0.2, 1.0))).value(terms, volatility)
        assert theta[0] == pytest.approx((then[0] - now[0]) / day, abs=0.15)


def test_bounds_are_the_values_at_the_extremes_of_volatility() -> None:
    contracts, _, american, dividends = mixed(40)
    engine = Discrete(american, dividends)
    lower, upper = engine.bounds(contracts)
    quiet, wild = (engine.value(contracts, np.full(40, level)) for level in (1e-9, 12.0))
    np.testing.assert_array_equal(quiet, lower)
    assert (wild <= upper + 1e-6).all()
    assert (wild >= 0.9 * upper).all()
    nearly = engine.value(contracts, 0.004 / contracts.root_years)
    np.testing.assert_allclose(nearly, lower, atol=0.3)


def test_a_put_deep_in_the_money_waits_for_the_dividend_and_not_without() -> None:
    volatility = one(0.2)
    terms = contract("P", 50, 100, 0.5, 0.05, 0.0)
    soon = single(american=True, events=paid((0.05, 1.0)))
    assert soon.value(terms, volatility)[0] == pytest.approx(
        100 * np.exp(-0.05 * 0.05) - 50 + np.exp(-0.05 * 0.05), abs=5e-3
    )
    assert not soon.in_exercise_region(terms)[0]
    late = single(american=True, events=paid((0.45, 1.0)))
    assert late.value(terms, volatility)[0] == 50.0
    assert late.in_exercise_region(terms)[0]
    greeks = late.greeks(terms, volatility)
    assert [figure[0] for figure in greeks] == [50.0, -1.0, 0.0, 0.0, 0.0, 0.0]


def test_prices_that_no_volatility_gives_have_the_statuses_of_any_option() -> None:
    terms = (100.0, 120.0, 0.5)
    events = Dividends(np.array([0.2]), np.array([1.5]))
    lower = 120.0 * np.exp(-0.03 * 0.2) - 100.0 + 1.5 * np.exp(-0.03 * 0.2)

    def status(price: float) -> Status:
        solved = solve(False, True, *terms, price, 0.03, 0.0, half_spread=0.01, dividends=events)
        return Status(int(solved.status))

    assert status(lower - 1.0) == Status.BELOW_BOUND
    assert status(121.0) == Status.ABOVE_BOUND
    assert status(lower + 0.5) == Status.OK
    assert status(lower) == Status.ESTIMATED


def test_a_block_in_which_nothing_is_solved() -> None:
    events = Dividends(np.array([0.2]), np.array([1.5]))
    solved = solve(True, True, 100.0, 120.0, 0.5, 99.9999999, 0.03, 0.0, half_spread=0.01, dividends=events)
    assert np.isnan(solved.volatility)
    assert Status(int(solved.status)) in (Status.ABOVE_BOUND, Status.NO_VOLATILITY, Status.ESTIMATED)
