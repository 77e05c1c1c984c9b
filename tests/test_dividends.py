"""Known dividends: against closed forms where there are any, else against an independent engine."""

from __future__ import annotations

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - the alias of its own documentation

from quotewell.analytics import european
from quotewell.analytics.american import HIGH
from quotewell.analytics.arrays import Floats
from quotewell.analytics.contracts import Contracts
from quotewell.analytics.dividends import Dividends, figures

NONE = Dividends(np.zeros((0, 1)), np.zeros((0, 1)))


def contract(right: str, *terms: float) -> Contracts:
    """Spot, strike, years, rate and dividend yield follow the right."""
    return Contracts(np.array([1.0 if right == "C" else -1.0]), *(np.array([term]) for term in terms))


def one(number: float) -> Floats:
    return np.array([number])


def paid(*events: tuple[float, float]) -> Dividends:
    """Years and amount of each."""
    return Dividends(*(np.array(column)[:, np.newaxis] for column in zip(*events, strict=True)))


def book(count: int) -> tuple[Contracts, Floats]:
    draw = np.random.default_rng(4)
    spot, days = np.full(count, 100.0), draw.integers(20, 700, count)
    years, volatility = days / 365, draw.uniform(0.12, 0.8, count)
    strike = np.round(spot * np.exp(draw.normal(0, 0.5, count) * volatility * np.sqrt(years)), 1)
    sign = np.where(draw.random(count) < 0.5, 1.0, -1.0)
    return Contracts(sign, spot, strike, years, draw.uniform(0, 0.07, count), np.zeros(count)), volatility


def without(count: int) -> Dividends:
    return Dividends(np.zeros((0, count)), np.zeros((0, count)))


def test_without_dividends_european_contracts_have_their_closed_form() -> None:
    contracts, volatility = book(40)
    found = figures(contracts, volatility, np.zeros(40, dtype=np.bool_), without(40))
    exact = european.greeks(contracts, volatility)
    np.testing.assert_allclose(found.value, exact.value, atol=1e-5)
    np.testing.assert_allclose(found.delta, exact.delta, atol=1e-6)
    np.testing.assert_allclose(found.gamma, exact.gamma, atol=1e-7)


def test_without_dividends_american_contracts_have_the_values_of_the_boundary() -> None:
    contracts, volatility = book(40)
    found = figures(contracts, volatility, np.ones(40, dtype=np.bool_), without(40))
    value, delta, _ = HIGH.spot_greeks(contracts, volatility)
    np.testing.assert_allclose(found.value, value, atol=2e-3)
    np.testing.assert_allclose(found.delta, delta, atol=3e-3)
    assert np.median(np.abs(found.value - value)) < 1e-5


@pytest.mark.parametrize("right", ["C", "P"])
@pytest.mark.parametrize("amount", [0.5, 8.0, 60.0])
def test_one_dividend_is_the_integral_over_the_spot_at_its_date(right: str, amount: float) -> None:
    terms, volatility, when = contract(right, 100, 95, 0.9, 0.04, 0.01), one(0.35), 0.4
    deviates = np.linspace(-9, 9, 8001)
    weights = np.exp(-0.5 * deviates**2) / np.sqrt(2 * np.pi) * (deviates[1] - deviates[0])
    drift, deviation = (0.04 - 0.01 - 0.5 * 0.35**2) * when, 0.35 * np.sqrt(when)
    spots = np.maximum(100 * np.exp(drift + deviation * deviates) - amount, 1e-12)
    then = Contracts(*(np.broadcast_to(column, spots.shape) for column in terms))
    then = then._replace(spot=spots, years=np.full_like(spots, 0.9 - when))
    expected = np.exp(-0.04 * when) * (weights @ european.value(then, np.full_like(spots, 0.35)))
    found = figures(terms, volatility, np.array([False]), paid((when, amount)))
    assert found.value[0] == pytest.approx(expected, abs=1e-3)


def test_before_a_dividend_that_leaves_nothing_a_call_is_one_that_expires_there() -> None:
    terms, volatility = contract("C", 100, 90, 1.0, 0.05, 0.0), one(0.3)
    found = figures(terms, volatility, np.array([True]), paid((0.5, 1e4)))
    expected = european.value(terms._replace(years=one(0.5)), volatility)
    assert found.value == pytest.approx(expected, abs=2e-3)
    european_put = figures(
        contract("P", 100, 90, 1.0, 0.05, 0.0), volatility, np.array([False]), paid((0.5, 1e4))
    )
    assert european_put.value[0] == pytest.approx(90 * np.exp(-0.05), abs=1e-6)


def test_dividends_outside_the_life_and_of_nothing_do_not_count() -> None:
    terms, volatility = contract("P", 100, 95, 0.5, 0.04, 0.0), one(0.3)
    american = np.array([True])
    plain = figures(terms, volatility, american, NONE)
    found = figures(terms, volatility, american, paid((-0.1, 2.0), (0.0, 2.0), (0.51, 2.0), (0.2, 0.0)))
    assert found == plain
    counted = figures(terms, volatility, american, paid((0.51, 2.0), (0.5, 2.0)))
    assert counted.value > plain.value + 0.2


def test_contracts_of_one_block_do_not_disturb_each_other() -> None:
    contracts, volatility = book(12)
    american = np.arange(12) % 3 > 0
    when = np.stack([np.linspace(0.02, 0.3, 12), np.linspace(0.9, 0.25, 12)])
    dividends = Dividends(when, np.full((2, 12), 1.5))
    together = figures(contracts, volatility, american, dividends)
    for row in range(12):
        some = np.array([row])
        own = Dividends(when[:, some], dividends.amount[:, some])
        alone = figures(contracts.take(some), volatility[some], american[some], own)
        assert alone.value[0] == pytest.approx(together.value[row], abs=2e-3)
        assert alone.delta[0] == pytest.approx(together.delta[row], abs=1e-3)


def test_early_exercise_is_worth_something_and_delta_and_gamma_are_slopes() -> None:
    volatility, dividends = one(0.25), paid((0.1, 1.2), (0.35, 1.2), (0.6, 1.2))
    terms = contract("C", 100, 85, 0.7, 0.02, 0.0)
    american, european_ = (
        figures(terms, volatility, np.array([early]), dividends) for early in (True, False)
    )
    assert american.value > european_.value + 0.05
    assert american.value >= terms.intrinsic
    up, down = (
        figures(terms._replace(spot=terms.spot + move), volatility, np.array([True]), dividends)
        for move in (0.5, -0.5)
    )
    assert american.delta == pytest.approx(up.value - down.value, abs=1e-3)
    assert american.gamma == pytest.approx(up.delta - down.delta, abs=1e-3)


def quantlib(terms: list[float], volatility: float, early: bool, events: list[tuple[int, float]]) -> float:
    sign, spot, strike, years, rate, _ = terms
    today, days = ql.Date(2, 1, 2025), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today

    def flat(level: float) -> ql.YieldTermStructureHandle:
        return ql.YieldTermStructureHandle(ql.FlatForward(today, level, days))

    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(spot)),
        flat(0.0),
        flat(rate),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), volatility, days)),
    )
    expiry = today + round(years * 365)
    exercise = ql.AmericanExercise(today, expiry) if early else ql.EuropeanExercise(expiry)
    option = ql.VanillaOption(
        ql.PlainVanillaPayoff(ql.Option.Call if sign > 0 else ql.Option.Put, strike), exercise
    )
    schedule = ql.DividendVector([today + day for day, _ in events], [amount for _, amount in events])
    scheme, spot_model = ql.FdmSchemeDesc.Douglas(), ql.FdBlackScholesVanillaEngine.Spot
    engine = ql.FdBlackScholesVanillaEngine(process, schedule, 400, 800, 0, scheme, False, -1.0, spot_model)
    option.setPricingEngine(engine)
    return float(option.NPV())


def test_values_agree_with_an_independent_engine() -> None:
    contracts, volatility = book(40)
    american = np.arange(40) % 4 > 0
    draw = np.random.default_rng(5)
    first, amounts = draw.integers(3, 91, 40), draw.uniform(0.1, 2.0, 40)
    days = first + 91 * np.arange(8)[:, np.newaxis]
    dividends = Dividends(days / 365, np.broadcast_to(amounts, days.shape))
    found = figures(contracts, volatility, american, dividends)
    known = []
    for row in range(40):
        alive = [day for day in days[:, row].tolist() if day <= round(contracts.years[row] * 365)]
        events = [(day, float(amounts[row])) for day in alive]
        terms = [float(column[row]) for column in contracts]
        known.append(quantlib(terms, float(volatility[row]), bool(american[row]), events))
    error = np.abs(found.value - known) / contracts.spot
    assert error.max() <= 1e-4
    assert np.median(error) <= 1e-5
