"""Dividends as columns, and what an option on a share that pays them is worth without volatility."""

from __future__ import annotations

import numpy as np
import pytest

from quotewell.analytics.pricing.contracts import Contracts
from quotewell.analytics.pricing.dividends import Dividends, riskless, upper_bound
from quotewell.analytics.pricing.exercise import best_exercise


def columns(*rows: list[float]) -> Dividends:
    """Rows of (when, amount) pairs, one list a contract."""
    when, amount = (np.array([row[start::2] for row in rows]).T for start in (0, 1))
    return Dividends(when, amount)


def test_what_does_not_count_comes_last_as_nothing_at_expiry() -> None:
    dividends = columns([0.7, 1.0, 0.2, 2.0, -0.1, 3.0], [0.1, 0.0, 0.3, 4.0, 0.5, 5.0])
    years = np.array([0.5, 0.5])
    assert dividends.counts(years).tolist() == [1, 2]
    ordered = dividends.in_order(years)
    assert ordered.when.T.tolist() == [[0.2, 0.5, 0.5], [0.3, 0.5, 0.5]]
    assert ordered.amount.T.tolist() == [[2.0, 0.0, 0.0], [4.0, 5.0, 0.0]]
    worth = dividends.present_value(years, np.array([0.0, 0.1]))
    assert worth.tolist() == pytest.approx([2.0, 4.0 * np.exp(-0.03) + 5.0 * np.exp(-0.05)])


def contracts(sign: float, rate: float, dividend_yield: float) -> Contracts:
    terms = (sign, 100.0, 90.0 if sign > 0.0 else 110.0, 1.0, rate, dividend_yield)
    return Contracts(*(np.array([term]) for term in terms))


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("rate", "dividend_yield"), [(0.05, 0.0), (0.03, 0.06), (0.06, 0.02), (-0.01, 0.0)])
def test_without_dividends_it_is_the_path_of_a_yield(sign: float, rate: float, dividend_yield: float) -> None:
    own = contracts(sign, rate, dividend_yield)
    found = riskless(own, np.array([True]), Dividends(np.zeros((0, 1)), np.zeros((0, 1))))
    value, when = best_exercise(own)
    assert found.value == pytest.approx(value)
    assert found.when == pytest.approx(when)


def test_a_call_is_exercised_before_a_dividend_and_a_put_after() -> None:
    dividends = columns([0.25, 4.0])
    call = riskless(contracts(1.0, 0.02, 0.0), np.array([True]), dividends)
    assert call.when == 0.25
    assert call.value == pytest.approx(100.0 - 90.0 * np.exp(-0.005))
    put = riskless(contracts(-1.0, 0.02, 0.0), np.array([True]), dividends)
    assert put.when == 0.25
    assert put.value == pytest.approx(110.0 * np.exp(-0.005) - 100.0 + 4.0 * np.exp(-0.005))
    held = riskless(contracts(1.0, 0.02, 0.0), np.array([False]), dividends)
    assert held.value == pytest.approx(100.0 - 4.0 * np.exp(-0.005) - 90.0 * np.exp(-0.02))
    assert held.when == 1.0


def test_a_dividend_takes_no_more_than_the_share() -> None:
    found = riskless(contracts(-1.0, 0.0, 0.0), np.array([False]), columns([0.25, 500.0]))
    assert found.value == 110.0


def test_the_upper_bound_knows_no_dividends() -> None:
    assert upper_bound(contracts(1.0, 0.02, 0.0), np.array([True])) == 100.0
    assert upper_bound(contracts(-1.0, 0.02, 0.0), np.array([True])) == 110.0
    assert upper_bound(contracts(-1.0, 0.02, 0.0), np.array([False])) == pytest.approx(110 * np.exp(-0.02))
