"""Twenty thousand random American options against an independent engine that is asked at once."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - the alias of its own documentation

from data.make_american_quantlib import (
    Contract,
    market_contract,
    quoted,
    two_boundaries,
    value,
    wide_contract,
)
from quotewell.analytics.arrays import Floats
from quotewell.analytics.pricing.american import DEFAULT
from quotewell.analytics.pricing.contracts import Contracts

pytestmark = [pytest.mark.torture, pytest.mark.timeout(600)]

EACH = 10_000
DOUBT = 4e-5
"""Of spot or strike: above that the accurate scheme, itself wrong by more in odd corners, is not believed."""


def oracle(contract: Contract) -> float:
    """By the accurate scheme, a hundred times as fast as the one of high precision."""
    option, process = quoted(contract)
    option.setPricingEngine(ql.QdFpAmericanEngine(process, ql.QdFpAmericanEngine.accurateScheme()))
    return float(option.NPV())


def errors(make: Callable[[random.Random], Contract]) -> Floats:
    """Of spot or strike, whichever is less."""
    draw = random.Random(7)
    drawn = [one for one in (make(draw) for _ in range(EACH)) if not two_boundaries(one)]
    columns = (np.array(column, dtype=np.float64) for column in list(zip(*drawn, strict=True))[1:])
    *terms, volatility = columns
    sign = np.array([1.0 if one.right == "C" else -1.0 for one in drawn])
    contracts = Contracts(sign, *terms)
    known = np.array([oracle(one) for one in drawn])
    ours = DEFAULT.value(contracts, volatility)
    scale = np.minimum(contracts.spot, contracts.strike)
    doubtful = np.flatnonzero(np.abs(ours - known) > DOUBT * scale)
    known[doubtful] = [value(drawn[row]) for row in doubtful]
    assert known.size > 0.9 * EACH
    assert doubtful.size < 0.05 * EACH
    return np.asarray(np.abs(ours - known) / scale)


def test_ordinary_contracts() -> None:
    found = errors(market_contract)
    assert np.median(found) <= 1.2e-7
    assert found.max() <= 2e-5


def test_extreme_contracts() -> None:
    assert errors(wide_contract).max() <= 5e-5
