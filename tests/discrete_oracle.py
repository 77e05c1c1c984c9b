"""Options on shares that pay known dividends, as an independent engine values them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers
from quotewell.analytics.pricing.contracts import Contracts
from quotewell.analytics.pricing.discrete import Discrete
from quotewell.analytics.pricing.dividends import Dividends

_FILE = Path(__file__).parent / "data" / "discrete_dividends.csv"
_SPOT = 100.0
_YEAR = 365.0


class Oracle(NamedTuple):
    """Contracts on a spot of 100, what the underlying pays, and what they are worth."""

    contracts: Contracts
    american: Bools
    dividends: Dividends
    volatility: Floats
    value: Floats
    delta: Floats
    gamma: Floats
    vega: Floats
    rho: Floats

    @property
    def engine(self) -> Discrete:
        return Discrete(self.american, self.dividends)

    def take(self, rows: Bools | Integers) -> Oracle:
        contracts, american, dividends, *figures = self
        return Oracle(
            contracts.take(rows), american[rows], dividends.take(rows), *(each[rows] for each in figures)
        )


def oracle(domain: str) -> Oracle:
    """The contracts of a domain."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["domain"] == domain]

    def column(name: str) -> Floats:
        return np.array([float(row[name]) for row in rows])

    sign = np.where([row["right"] == "C" for row in rows], 1.0, -1.0)
    days, every = column("days"), column("every_days")
    contracts = Contracts(
        sign,
        np.full(sign.size, _SPOT),
        column("strike"),
        days / _YEAR,
        column("rate"),
        column("dividend_yield"),
    )
    count = int(((days - column("first_ex_day")) // every).max()) + 1
    when = column("first_ex_day") + every * np.arange(count)[:, np.newaxis]
    dividends = Dividends(when / _YEAR, np.where(when <= days, column("amount"), 0.0))
    figures = (column(name) for name in ("volatility", "value", "delta", "gamma", "vega", "rho"))
    return Oracle(contracts, column("american") > 0.0, dividends, *figures)
