"""Two schemes and their disagreement: what it catches, and what happens when nothing settles it."""

from __future__ import annotations

import numpy as np
import pytest

from quotewell.analytics.arrays import Floats
from quotewell.analytics.pricing import european, puts, right
from quotewell.analytics.pricing.american import DEFAULT, HIGH, American
from quotewell.analytics.pricing.boundary import Totals, iterate, seed
from quotewell.analytics.pricing.contracts import Contracts
from quotewell.analytics.pricing.puts import SCHEMES, UNSETTLED, Tolerance, settle
from quotewell.analytics.pricing.right import ON_TREE, Accuracy

NEVER, ALWAYS = Tolerance(0.0, 0.0, 0.0), Tolerance(np.inf, np.inf, np.inf)


def extreme(count: int) -> tuple[Contracts, Floats]:
    """Puts of long life, with rates and yields to 20 % and 40 %, around the money."""
    draw = np.random.default_rng(2)
    volatility, years = draw.uniform(0.05, 0.2, count), draw.uniform(3, 10, count)
    strike = 100 * np.exp(draw.normal(0, 0.1, count))
    rates = draw.uniform(0.05, 0.2, count), draw.uniform(0.0, 0.4, count)
    return Contracts(np.full(count, -1.0), np.full(count, 100.0), strike, years, *rates), volatility


def test_disagreement_catches_what_the_coarse_schemes_get_wrong() -> None:
    contracts, volatility = extreme(400)
    exact = HIGH.value(contracts, volatility)
    unchecked = American(Accuracy(ALWAYS, refinement=1))
    error, without = (
        np.abs(engine.value(contracts, volatility) - exact) / contracts.spot
        for engine in (DEFAULT, unchecked)
    )
    assert error.max() <= 2e-5
    assert without.max() > 5e-5


def test_ordinary_puts_are_settled_by_the_first_two_schemes() -> None:
    draw = np.random.default_rng(3)
    totals = Totals(draw.uniform(0.005, 0.05, 500), draw.uniform(0, 0.05, 500), draw.uniform(0.1, 0.6, 500))
    found = settle(totals, draw.normal(0, 0.1, 500), DEFAULT.accuracy.tolerance)
    assert (found.scheme == 1).mean() > 0.99


def test_puts_beside_their_boundary_are_settled_too() -> None:
    totals = Totals(np.full(41, 0.05), np.full(41, 0.02), np.full(41, 0.25))
    now = totals.log_at_expiry - iterate(totals, SCHEMES[0], seed(totals, SCHEMES[0]))[-1]
    found = settle(totals, now + np.linspace(-1e-5, 1e-5, 41), DEFAULT.accuracy.tolerance)
    assert (found.scheme < UNSETTLED).all()
    assert set(found.premium.exercised) == {True, False}


def test_what_no_two_schemes_agree_on_is_left_to_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    contracts, volatility = extreme(6)
    volatility = volatility + 0.3  # the tree is coarse where volatility is low for the rates
    exact = HIGH.greeks(contracts, volatility)
    monkeypatch.setattr(puts, "_LAST", NEVER)
    stubborn = American(Accuracy(NEVER, refinement=1))
    value = european.value(contracts, volatility)
    assert (right.right(contracts, volatility, value, stubborn.accuracy).scheme == ON_TREE).all()
    found = stubborn.greeks(contracts, volatility)
    np.testing.assert_allclose(found.value, exact.value, atol=2e-2)
    np.testing.assert_allclose(found.delta, exact.delta, atol=2e-3)
