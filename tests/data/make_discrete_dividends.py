"""Write discrete_dividends.csv: options on shares that pay known dividends, from an independent engine.

QuantLib's finite differences in the spot model (`FdBlackScholesVanillaEngine` with a dividend schedule), on
two grids, extrapolated; contracts for which the two lie more than 2e-5 of spot apart are left out. Times
are whole days, so that no calendar rounds them. Delta and gamma are read off the finer grids, vega and rho
are differences of values on one grid. Run once, the results are committed:

    python tests/data/make_discrete_dividends.py

300 contracts are of the market domain (rate 0-8 %, volatility 12-100 %, to 2 years, quarterly dividends to
2 %), 100 of the wide one (rate -1-15 %, yield 0-4 % beside the dividends, volatility 8-150 %, 3 days to 3
years, one to twelve dividends a year, some of up to two fifths of the share, some the day before expiry).
One in five is European.
"""

from __future__ import annotations

import csv
import math
import multiprocessing
import random
from pathlib import Path
from typing import NamedTuple

import QuantLib as ql  # noqa: N813 - the alias of its own documentation

TARGET = Path(__file__).with_name("discrete_dividends.csv")
SPOT = 100.0
MARKET, WIDE = 300, 100
LARGEST = 40.0  # dividend: around a share that is worth nothing the engine's grid has no nodes
GRIDS = (1_600, 3_200)
GRID_ERROR = 2e-5  # of spot, before extrapolation
SLOPE_GRID = 1_600
BUMPS = {"volatility": 2e-3, "rate": 1e-3}


class Contract(NamedTuple):
    right: str
    american: bool
    strike: float
    days: int
    rate: float
    dividend_yield: float
    volatility: float
    first_ex_day: int
    every_days: int
    amount: float

    @property
    def events(self) -> list[tuple[int, float]]:
        """Days from now and amount of each dividend, up to expiry."""
        days = range(self.first_ex_day, self.days + 1, self.every_days)
        return [(day, self.amount) for day in days]


def market_contract(draw: random.Random) -> Contract:
    days, volatility = draw.randint(8, 730), round(draw.uniform(0.12, 1.0), 3)
    first = draw.randint(1, min(91, days))
    terms = (round(draw.uniform(0.0, 0.08), 4), 0.0, volatility, first, 91, round(draw.uniform(0.05, 2.0), 2))
    return struck(draw, days, *terms)


def wide_contract(draw: random.Random) -> Contract:
    days, volatility = draw.randint(3, 1095), round(draw.uniform(0.08, 1.5), 3)
    every = draw.choice([30, 91, 182, 365])
    first = days - 1 if draw.random() < 0.2 else draw.randint(1, min(every, days))
    amount = draw.uniform(20.0, 50.0) if draw.random() < 0.15 else draw.uniform(0.02, 0.03 * every / 30)
    dividend_yield = draw.choice([0.0, round(draw.uniform(0.0, 0.04), 4)])
    terms = (round(draw.uniform(-0.01, 0.15), 4), dividend_yield, volatility, first, every, round(amount, 2))
    return struck(draw, days, *terms)


def struck(draw: random.Random, days: int, rate: float, dividend_yield: float, volatility: float,
           first: int, every: int, amount: float) -> Contract:  # fmt: skip
    away = min(max(draw.gauss(0, 0.7) * volatility * math.sqrt(days / 365), -1.0), 1.0)
    strike = round(SPOT * math.exp(away), 1)
    american = draw.random() < 0.8
    return Contract(
        draw.choice("PC"), american, strike, days, rate, dividend_yield, volatility, first, every, amount
    )


def figures(contract: Contract, size: int) -> tuple[float, float, float]:
    """Value, delta and gamma on one grid."""
    today, calendar = ql.Date(2, 1, 2025), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today

    def flat(rate: float) -> ql.YieldTermStructureHandle:
        return ql.YieldTermStructureHandle(ql.FlatForward(today, rate, calendar))

    volatility = ql.BlackConstantVol(today, ql.NullCalendar(), contract.volatility, calendar)
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(SPOT)),
        flat(contract.dividend_yield),
        flat(contract.rate),
        ql.BlackVolTermStructureHandle(volatility),
    )
    expiry = today + contract.days
    exercise = ql.AmericanExercise(today, expiry) if contract.american else ql.EuropeanExercise(expiry)
    kind = ql.Option.Call if contract.right == "C" else ql.Option.Put
    option = ql.VanillaOption(ql.PlainVanillaPayoff(kind, contract.strike), exercise)
    days, amounts = zip(*contract.events, strict=True)
    schedule = ql.DividendVector([today + day for day in days], amounts)
    scheme, spot_model = ql.FdmSchemeDesc.Douglas(), ql.FdBlackScholesVanillaEngine.Spot
    engine = ql.FdBlackScholesVanillaEngine(process, schedule, size, size, 0, scheme, False, -1.0, spot_model)
    option.setPricingEngine(engine)
    return float(option.NPV()), float(option.delta()), float(option.gamma())


def slope(contract: Contract, field: str) -> float:
    middle, step = getattr(contract, field), BUMPS[field]
    up, down = (figures(contract._replace(**{field: middle + move}), SLOPE_GRID)[0] for move in (step, -step))
    return (up - down) / (2 * step)


def row(contract: Contract) -> list[str] | None:
    """A row without its domain; None for a contract that cannot be valued well."""
    if contract.amount > LARGEST:
        return None
    try:
        coarse, fine = (figures(contract, size) for size in GRIDS)
        slopes = (slope(contract, "volatility"), slope(contract, "rate"))
    except RuntimeError:  # the engine makes no grid where dividends take all of the spot
        return None
    if abs(fine[0] - coarse[0]) > GRID_ERROR * SPOT:
        return None
    value, delta, gamma = (one + (one - other) / 3 for one, other in zip(fine, coarse, strict=True))
    if value < 1e-4:
        return None
    found = (f"{value:.8f}", f"{delta:.8f}", f"{gamma:.8f}", *(f"{one:.5f}" for one in slopes))
    terms = (contract.right, int(contract.american), *contract[2:])
    return [*map(str, terms), *found]


def main() -> None:
    draw = random.Random(20261126)
    with TARGET.open("w", newline="", encoding="utf-8") as file, multiprocessing.Pool(2) as pool:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["domain", *Contract._fields, "value", "delta", "gamma", "vega", "rho"])
        for domain, make, count in (("market", market_contract, MARKET), ("wide", wide_contract, WIDE)):
            drawn = [make(draw) for _ in range(count + count // 2)]
            rows = [one for one in pool.imap(row, drawn, chunksize=4) if one is not None]
            writer.writerows([domain, *one] for one in rows[:count])


if __name__ == "__main__":
    main()
