"""American values and deltas against committed ones of an independent engine, domain by domain."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from quotewell.analytics.arrays import Bools, Floats
from quotewell.analytics.options import value
from quotewell.analytics.pricing import exercise
from quotewell.analytics.pricing.american import DEFAULT, ENGINES, AccuracyName
from quotewell.analytics.pricing.contracts import Contracts

DATA = Path(__file__).parent / "data"


class Oracle(NamedTuple):
    """Contracts with what they are worth; a delta is NaN where the oracle has none."""

    contracts: Contracts
    volatility: Floats
    value: Floats
    delta: Floats

    def take(self, rows: Bools) -> Oracle:
        return Oracle(self.contracts.take(rows), self.volatility[rows], self.value[rows], self.delta[rows])


def read(name: str) -> dict[str, list[str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {column: [row[column] for row in rows] for column in rows[0]}


def numbers(texts: list[str]) -> Floats:
    return np.array([float(text or "nan") for text in texts])


def oracle(domain: str) -> Oracle:
    columns = read("american_random.csv")
    sign = np.where(np.array(columns["right"]) == "C", 1.0, -1.0)
    contracts = Contracts(sign, *(numbers(columns[name]) for name in Contracts._fields[1:]))
    figures = (numbers(columns[name]) for name in ("volatility", "value", "delta"))
    return Oracle(contracts, *figures).take(np.array(columns["domain"]) == domain)


@pytest.fixture(scope="module")
def market() -> Oracle:
    return oracle("market")


@pytest.fixture(scope="module")
def wide() -> Oracle:
    return oracle("wide")


def value_errors(known: Oracle, accuracy: AccuracyName) -> Floats:
    """Of spot or strike, whichever is less."""
    ours = ENGINES[accuracy].value(known.contracts, known.volatility)
    return np.abs(ours - known.value) / np.minimum(known.contracts.spot, known.contracts.strike)


def delta_errors(known: Oracle, accuracy: AccuracyName) -> Floats:
    ours = ENGINES[accuracy].greeks(known.contracts, known.volatility).delta
    return np.abs(ours - known.delta)[~np.isnan(known.delta)]


def test_there_are_two_thousand_of_them_and_nearly_all_have_a_delta(market: Oracle, wide: Oracle) -> None:
    assert market.value.size + wide.value.size == 2000
    assert np.isnan(market.delta).mean() < 0.05
    sign, _, _, _, rate, dividend_yield = wide.contracts
    assert exercise.has_two_boundaries(sign, rate, dividend_yield).sum() > 5
    assert (wide.contracts.years < 1 / 365).sum() > 50


def test_ordinary_contracts(market: Oracle) -> None:
    errors = value_errors(market, "default")
    assert np.median(errors) <= 1.2e-7
    assert errors.max() <= 2e-5
    assert delta_errors(market, "default").max() <= 5e-5


def test_ordinary_contracts_at_high_accuracy(market: Oracle) -> None:
    assert value_errors(market, "high").max() <= 1e-6
    assert delta_errors(market, "high").max() <= 1e-5


def test_extreme_rates_yields_and_volatilities(wide: Oracle) -> None:
    assert value_errors(wide, "default").max() <= 5e-5


def test_extreme_contracts_at_high_accuracy(wide: Oracle) -> None:
    assert value_errors(wide, "high").max() <= 1e-5


def test_textbook_cases_on_which_two_engines_agree() -> None:
    columns = read("american_values.csv")
    right = np.array(columns["right"]) == "C"
    terms = ("spot", "strike", "years", "volatility", "rate", "dividend_yield")
    ours = value(right, True, *(numbers(columns[name]) for name in terms))
    assert ours.size == 20
    np.testing.assert_allclose(ours, numbers(columns["value"]), atol=2e-5)


@pytest.mark.parametrize("accuracy", ["default", "high"])
def test_implied_volatility_reprices(market: Oracle, accuracy: AccuracyName) -> None:
    engine = ENGINES[accuracy]
    known = market.take(np.arange(market.value.size) < 400)
    lower, upper = engine.bounds(known.contracts)
    strike = known.contracts.strike
    exists = (known.value > lower + 1e-8 * strike) & (known.value < upper - 1e-8 * strike)
    own = known.take(exists)
    solved = engine.implied_volatility(own.contracts, own.value)
    error = np.abs(engine.value(own.contracts, solved) - own.value) / own.contracts.strike
    assert own.value.size > 300
    assert error.max() <= 1e-7


def test_a_grid_of_spots_shares_its_boundaries_and_gets_the_values_of_each_alone(market: Oracle) -> None:
    few = market.take(np.arange(market.value.size) < 8)
    spots = np.outer(np.linspace(0.8, 1.2, 9), few.contracts.spot)
    columns = [np.broadcast_to(column, spots.shape).reshape(-1) for column in few.contracts]
    grid = Contracts(*columns)._replace(spot=spots.reshape(-1))
    together = DEFAULT.value(grid, np.tile(few.volatility, 9)).reshape(spots.shape)
    for row, spot in zip(together, spots, strict=True):
        alone = DEFAULT.value(few.contracts._replace(spot=spot), few.volatility)
        np.testing.assert_allclose(row, alone, rtol=1e-12)
