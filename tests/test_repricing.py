"""Contracts at many spots over one boundary each, against `value` one by one and against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from quotewell.analytics import repricing
from quotewell.analytics.arrays import Bools, Floats, distinct
from quotewell.analytics.options import value
from quotewell.analytics.pricing import boundaries, boundary, right
from quotewell.analytics.pricing.american import AccuracyName
from quotewell.analytics.repricing import Terms, reprice
from test_american_accuracy import Oracle, oracle

NAN = float("nan")
MOVES = np.array([-0.4, -0.2, -0.1, -0.05, -0.01, 0.0, 0.01, 0.05, 0.1, 0.2, 0.4])[:, np.newaxis]
ONES = np.ones(MOVES.size)


EVENT = {"ex_date": 0.2, "dividend": 0.0}


def terms_of(known: Oracle) -> Terms:
    sign, _, strike, years, rate, dividend_yield = known.contracts
    american = np.ones(sign.size, dtype=bool)
    none = np.zeros((0, sign.size))
    return Terms(sign > 0.0, american, strike, years, known.volatility, rate, dividend_yield, none, none)


def one_by_one(
    terms: Terms, spots: Floats, multiples: Floats, *, accuracy: AccuracyName = "default"
) -> Floats:
    columns = terms._replace(volatility=terms.volatility * multiples[:, np.newaxis])
    return value(
        columns.is_call,
        columns.american,
        spots,
        columns.strike,
        columns.years,
        columns.volatility,
        columns.rate,
        columns.dividend_yield,
        dividends=columns.dividends,
        accuracy=accuracy,
    )


def contract(**fields: float) -> Terms:
    ordinary = {"strike": 100.0, "years": 0.5, "volatility": 0.3, "rate": 0.04, "dividend_yield": 0.01}
    columns = {name: np.array([fields.get(name, figure)]) for name, figure in ordinary.items()}
    is_call = np.array([bool(fields.get("is_call", False))])
    american = np.array([bool(fields.get("american", True))])
    ex_date, amount = (np.array([[fields.get(name, default)]]) for name, default in EVENT.items())
    return Terms._make([is_call, american, *columns.values(), ex_date, amount])


@pytest.mark.parametrize(("domain", "worst"), [("market", 2e-5), ("wide", 5e-5)])
def test_a_value_at_the_money_of_the_oracle_is_as_exact_as_directly(domain: str, worst: float) -> None:
    known = oracle(domain)
    found = reprice(terms_of(known), known.contracts.spot[np.newaxis], np.ones(1))[0]
    errors = np.abs(found - known.value) / np.minimum(known.contracts.spot, known.contracts.strike)
    assert np.median(errors) <= 1.2e-7
    assert errors.max() <= worst


@pytest.mark.parametrize(("domain", "worst"), [("market", 2e-5), ("wide", 5e-5)])
def test_every_point_of_the_grid_is_as_exact_as_the_value_of_that_spot(domain: str, worst: float) -> None:
    known = oracle(domain)
    known = known.take(right.ways(known.contracts) >= 0)  # the others go the same way in both
    terms, spots = terms_of(known), known.contracts.spot * (1.0 + MOVES[[1, 4, 7]])
    ones = np.ones(len(spots))
    exact = one_by_one(terms, spots, ones, accuracy="high")
    ours, direct = (
        np.abs(found - exact) / np.minimum(spots, terms.strike)
        for found in (reprice(terms, spots, ones), one_by_one(terms, spots, ones))
    )
    assert ours.max() <= worst
    assert ours.max() <= 1.1 * direct.max()
    assert np.median(ours) <= 1.2e-7
    assert np.quantile(ours, 0.99) <= 1.2 * np.quantile(direct, 0.99)


@pytest.mark.parametrize("last", [1.3, 1.75, 2.5])
def test_volatilities_between_the_solved_ones_are_as_exact(last: float) -> None:
    known = oracle("market")
    terms, multiples = terms_of(known), np.linspace(1.0, last, 9)
    assert len(boundaries.Boundaries.solved(boundary.Totals(*np.full((3, 1), 0.1)), multiples).fine) < 9
    spots = np.repeat(0.9 * known.contracts.spot[np.newaxis], multiples.size, axis=0)
    off = np.abs(reprice(terms, spots, multiples) - one_by_one(terms, spots, multiples))
    off /= np.minimum(spots, terms.strike)
    assert np.median(off) <= 1e-7
    assert off.max() <= 2e-5


def test_a_boundary_is_solved_once_for_all_spots_and_strikes(monkeypatch: pytest.MonkeyPatch) -> None:
    solved: list[int] = []

    def counted(
        totals: boundary.Totals, scheme: boundary.Scheme, distance: Floats, smooth: Bools | None = None
    ) -> Floats:
        solved.append(totals.rate.size)
        return boundary.iterate(totals, scheme, distance, smooth)

    monkeypatch.setattr(boundaries, "iterate", counted)
    strikes = np.array([80.0, 90.0, 100.0, 110.0])
    terms = Terms._make(np.repeat(column, 4, axis=-1) for column in contract())._replace(strike=strikes)
    reprice(terms, 100.0 * (1.0 + np.repeat(MOVES, 4, axis=1)), ONES)
    assert solved == [1, 1]  # by two schemes, of one boundary


def test_where_two_schemes_disagree_each_spot_is_valued_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    terms = contract()
    spots = 100.0 * (1.0 + MOVES)
    exact = one_by_one(terms, spots, ONES)
    monkeypatch.setattr(boundaries, "FINE", boundaries.FINE._replace(iterations=0))
    monkeypatch.setattr(
        boundaries, "refined", lambda distance, nodes: 1.05 * boundary.refined(distance, nodes)
    )
    assert np.abs(reprice(terms, spots, ONES) - exact).max() < 1e-9
    # The check itself is needed:
    monkeypatch.setattr(repricing._Block, "agrees", lambda *_: np.array([True]))
    assert np.abs(reprice(terms, spots, ONES) - exact).max() > 1e-3


@pytest.mark.parametrize(
    "fields",
    [
        {"american": False},
        {"dividend": 2.0},
        {"dividend": 2.0, "american": False, "is_call": True},
        {"is_call": True, "dividend_yield": 0.0},
        {"rate": -0.01, "dividend_yield": -0.03},
        {"volatility": 0.0},
        {"volatility": NAN},
        {"years": 0.0},
        {"years": -0.5},
        {"strike": NAN},
    ],
)
def test_contracts_without_a_boundary_are_valued_as_ever(fields: dict[str, float]) -> None:
    terms, spots = contract(**fields), 100.0 * (1.0 + MOVES)
    assert reprice(terms, spots, ONES) == pytest.approx(one_by_one(terms, spots, ONES), nan_ok=True, abs=0.0)


@pytest.mark.parametrize("is_call", [True, False])
def test_a_worthless_share_and_an_unknown_one(is_call: bool) -> None:
    terms = contract(is_call=is_call, dividend_yield=0.05)
    found = reprice(terms, np.array([[0.0], [100.0]]), np.ones(2))[:, 0]
    assert found[0] == pytest.approx(0.0 if is_call else 100.0, abs=1e-12)
    assert np.isnan(reprice(terms, np.array([[NAN]]), np.ones(1))).all()


def test_rows_that_are_equal_in_all_columns_are_found() -> None:
    first, kind = distinct(np.array([2.0, NAN, 2.0, NAN, 1.0]), np.array([True, False, True, False, True]))
    assert sorted(first.tolist()) == sorted({first[one] for one in kind.tolist()})
    assert len(first) == 3
    assert kind[0] == kind[2]
    assert kind[1] == kind[3]
    assert len(set(kind.tolist())) == 3
    assert distinct(np.empty(0))[0].size == 0
