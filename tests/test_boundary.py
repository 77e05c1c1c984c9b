"""The exercise boundary: it is where waiting and exercise are worth the same, to first order too."""

from __future__ import annotations

import numpy as np
import pytest

from quotewell.analytics.arrays import Floats
from quotewell.analytics.pricing import boundary, european
from quotewell.analytics.pricing.boundary import Scheme, Totals, iterate, refined, seed
from quotewell.analytics.pricing.contracts import Contracts
from quotewell.analytics.pricing.premium import premium
from quotewell.analytics.pricing.quadrature import collocation, interpolation

FIRST = Scheme(pasting=True, nodes=7, points=7, iterations=4, span_points=24)
FINE = {
    "A": Scheme(pasting=True, nodes=30, points=40, iterations=20, span_points=100),
    "B": Scheme(pasting=False, nodes=30, points=40, iterations=20, span_points=100),
}

# rate, yield, volatility, all over a life of one year
ORDINARY = [(0.05, 0.0, 0.2), (0.05, 0.02, 0.4), (0.03, 0.06, 0.3), (0.05, 0.05, 0.25), (0.04, -0.02, 0.3)]


def totals(*puts: tuple[float, float, float]) -> Totals:
    return Totals(*np.array(puts).T)


def solved(puts: Totals, scheme: Scheme) -> Floats:
    first = iterate(puts, FIRST, seed(puts, FIRST))
    return iterate(puts, scheme, refined(first, scheme.nodes))


@pytest.mark.parametrize("form", ["A", "B"])
def test_at_the_boundary_the_put_is_worth_its_exercise_and_moves_with_it(form: str) -> None:
    puts, scheme = totals(*ORDINARY), FINE[form]
    distance = solved(puts, scheme)
    log_spot = puts.log_at_expiry - distance[-1]
    spot, ones = np.exp(log_spot), np.ones_like(log_spot)
    early = premium(puts, log_spot, scheme, distance, np.arange(len(ORDINARY)))
    exact = european.greeks(
        Contracts(-ones, spot, ones, ones, puts.rate, puts.dividend_yield), puts.deviation
    )
    np.testing.assert_allclose(exact.value + early.value, 1.0 - spot, atol=1e-8)
    np.testing.assert_allclose(exact.delta + early.delta, -1.0, atol=1e-5)


def test_both_forms_of_the_equation_have_the_same_boundary() -> None:
    puts = totals(*ORDINARY)
    by_pasting, by_matching = solved(puts, FINE["A"]), solved(puts, FINE["B"])
    np.testing.assert_allclose(by_pasting[-1], by_matching[-1], atol=1e-6)
    np.testing.assert_allclose(by_pasting, by_matching, atol=2e-4)  # near expiry a logarithm bends it


def test_few_nodes_are_near_the_boundary_of_many() -> None:
    puts = totals(*ORDINARY)
    coarse = iterate(puts, FIRST, seed(puts, FIRST))
    fine = solved(puts, FINE["B"])
    np.testing.assert_allclose(coarse[-1], fine[-1], atol=1e-4)
    assert (np.abs(seed(puts, FIRST)[-1] - fine[-1]) < 0.02).all()


def test_where_the_rate_is_high_for_the_volatility_the_form_that_diverges_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    puts = totals((0.6, 0.13, 0.12), (0.54, -0.01, 0.096))
    fine, first = solved(puts, FINE["B"]), seed(puts, FIRST)
    found = iterate(puts, FIRST, first)
    monkeypatch.setattr(boundary, "_PASTING_LIMIT", np.inf)
    diverged = iterate(puts, FIRST, first)
    assert (np.abs(found[-1] - fine[-1]) < 1e-3).all()
    assert (np.abs(diverged[-1] - fine[-1]) > 5e-3).all()


def test_a_long_life_has_the_boundary_of_a_perpetual_put() -> None:
    rate, volatility, years = 0.06, 0.3, 400.0
    puts = totals((rate * years, 0.0, volatility * np.sqrt(years)))
    exponent = 2 * rate / volatility**2
    assert np.exp(-solved(puts, FINE["B"])[-1]) == pytest.approx(exponent / (1 + exponent), rel=1e-5)


def test_it_falls_with_the_life_that_is_left() -> None:
    assert (np.diff(solved(totals(*ORDINARY), FINE["B"]), axis=0) > 0).all()


@pytest.mark.parametrize(
    ("rate", "dividend_yield", "start"),
    [(0.02, 0.04, 0.5), (0.04, 0.02, 1.0), (0.04, 0.0, 1.0), (0.0, -0.01, 1.0), (0.03, 5e-324, 1.0)],
)
def test_just_before_expiry_it_is_where_interest_and_yield_are_even(
    rate: float, dividend_yield: float, start: float
) -> None:
    assert np.exp(totals((rate, dividend_yield, 0.2)).log_at_expiry)[0] == pytest.approx(start)


def test_quadrature_integrates_over_the_time_passed_and_interpolation_is_exact_for_polynomials() -> None:
    scheme = collocation(6, 9)
    per_node = (scheme.weights * np.square(scheme.root_passed)).reshape(6, 9).sum(axis=1)
    np.testing.assert_allclose(per_node, 0.5 * scheme.x**4, rtol=1e-9)
    at = np.array([0.1, 0.5, 0.93, scheme.x[2]])
    np.testing.assert_allclose(interpolation(6, at) @ scheme.x**5, at**5, atol=1e-14)
