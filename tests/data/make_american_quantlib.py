"""Write american_quantlib.csv and american_random.csv: American options from an engine independent of ours.

QuantLib's QdFpAmericanEngine with its high-precision scheme; where exercise pays only between two boundaries,
which that engine refuses, its finite differences on two grids, extrapolated. Calendar days would round
`years`, so each contract is priced over exactly ten years with rate, yield and variance scaled to keep their
totals. Greeks are differences of values; run once, the results are committed:

    python tests/data/make_american_quantlib.py

The random ones are 1,300 of the market domain (rate 0.2-8 %, yield 0-8 %, volatility 10-120 %, to 2.5 years)
and 700 of the wide one (rate -1-20 %, yield -2-40 %, volatility 5-180 %, one hour to ten years). A delta is
left empty where differences of two widths do not agree, which is beside the exercise boundary.
"""

from __future__ import annotations

import csv
import math
import multiprocessing
import random
from pathlib import Path
from typing import NamedTuple

import QuantLib as ql  # noqa: N813 - the alias of its own documentation

TARGET = Path(__file__).with_name("american_quantlib.csv")
RANDOM_TARGET = Path(__file__).with_name("american_random.csv")
DAYS, YEARS = 3650, 10.0
ORDINARY, WIDE = 36, 12
MARKET_RANDOM, WIDE_RANDOM = 1_300, 700
GRIDS = (800, 1_600)
GRID_ERROR = 1e-5  # of spot, before extrapolation
DELTA_ERROR = 1e-6


class Contract(NamedTuple):
    right: str
    spot: float
    strike: float
    years: float
    rate: float
    dividend_yield: float
    volatility: float


CORNERS = [
    Contract("P", 36, 40, 1, 0.06, 0, 0.2),  # Longstaff and Schwartz (2001)
    Contract("P", 44, 40, 2, 0.06, 0, 0.4),
    Contract("P", 40, 40, 0.5833, 0.0488, 0, 0.4),  # Geske and Johnson (1984)
    Contract("C", 80, 100, 3, 0.03, 0.07, 0.2),  # Broadie and Detemple (1996)
    Contract("C", 100, 100, 3, 0.07, 0.03, 0.3),
    Contract("P", 100, 100, 1, 0.05, 0.05, 0.25),
    Contract("C", 100, 105, 1, 0.05, 0, 0.3),  # never exercised early
    Contract("P", 100, 100, 1, -0.01, 0, 0.2),  # never exercised early
    Contract("P", 100, 100, 1, 0.04, -0.02, 0.3),  # negative yield
    Contract("P", 5, 7.5, 0.25, 0.05, 0, 1.8),
    Contract("C", 150, 100, 1, 0.03, 0.06, 0.25),  # to be exercised at once
    Contract("P", 100, 130, 7 / 365, 0.05, 0, 0.4),  # to be exercised at once
]


def contracts() -> list[Contract]:
    """Ordinary listed contracts, then a wide domain of rates, yields and volatilities, then corners."""
    draw = random.Random(20250508)
    out = []
    for index in range(ORDINARY + WIDE):
        ordinary = index < ORDINARY
        out.append(
            Contract(
                right="PC"[index % 3 == 2],
                spot=round(draw.uniform(5, 500), 2),
                strike=draw.gauss(0, 0.15 if ordinary else 0.3),
                years=round(draw.uniform(0.01, 2) if ordinary else draw.uniform(0.01, 3), 6),
                rate=round(draw.uniform(0.001, 0.06) if ordinary else draw.uniform(-0.02, 0.2), 4),
                dividend_yield=round(draw.choice([0, draw.uniform(0, 0.05 if ordinary else 0.4)]), 4),
                volatility=round(draw.uniform(0.12, 0.7) if ordinary else draw.uniform(0.1, 1.8), 3),
            )
        )
    return [one._replace(strike=round(one.spot * (1 + one.strike), 1)) for one in out] + CORNERS


def market_contract(draw: random.Random) -> Contract:
    """An ordinary contract on a spot of 100."""
    years, volatility = draw.uniform(0.003, 2.5), draw.uniform(0.1, 1.2)
    rate, dividend_yield = draw.uniform(0.002, 0.08), draw.choice([0.0, draw.uniform(0, 0.08)])
    return struck(draw, years, rate, dividend_yield, volatility)


def wide_contract(draw: random.Random) -> Contract:
    """A contract from the wide domain on a spot of 100; a quarter expires within a day or two."""
    years = draw.uniform(1 / 8760, 2 / 365) if draw.random() < 0.25 else draw.uniform(0.01, 10)
    rate, dividend_yield = draw.uniform(-0.01, 0.2), draw.uniform(-0.02, 0.4)
    if draw.random() < 0.1:  # among them, those with two boundaries
        rate, dividend_yield = draw.uniform(-0.01, 0.0), draw.uniform(-0.02, 0.0)
    return struck(draw, years, rate, dividend_yield, draw.uniform(0.05, 1.8))


def struck(
    draw: random.Random, years: float, rate: float, dividend_yield: float, volatility: float
) -> Contract:
    away = min(max(draw.gauss(0, 0.8) * volatility * math.sqrt(years), -1.2), 1.2)
    strike = round(100 * math.exp(away), 2)
    terms = (round(years, 6), round(rate, 5), round(dividend_yield, 5), round(volatility, 4))
    return Contract(draw.choice("PC"), 100, strike, *terms)


def value(contract: Contract) -> float:
    option, process = quoted(contract)
    scheme = ql.QdFpAmericanEngine.highPrecisionScheme()
    option.setPricingEngine(ql.QdFpAmericanEngine(process, scheme))
    return float(option.NPV())


def quoted(contract: Contract) -> tuple[ql.VanillaOption, ql.BlackScholesMertonProcess]:
    scale = contract.years / YEARS
    today = ql.Date(2, 1, 2025)
    ql.Settings.instance().evaluationDate = today
    days = ql.Actual365Fixed()

    def flat(rate: float) -> ql.YieldTermStructureHandle:
        return ql.YieldTermStructureHandle(ql.FlatForward(today, rate * scale, days))

    volatility = ql.BlackConstantVol(today, ql.NullCalendar(), contract.volatility * scale**0.5, days)
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(contract.spot)),
        flat(contract.dividend_yield),
        flat(contract.rate),
        ql.BlackVolTermStructureHandle(volatility),
    )
    kind = ql.Option.Call if contract.right == "C" else ql.Option.Put
    payoff = ql.PlainVanillaPayoff(kind, contract.strike)
    return ql.VanillaOption(payoff, ql.AmericanExercise(today, today + DAYS)), process


def two_boundaries(contract: Contract) -> bool:
    earned, forgone = contract.rate, contract.dividend_yield
    if contract.right == "C":
        earned, forgone = forgone, earned
    return forgone < earned < 0


def value_on_grids(contract: Contract) -> float | None:
    """By finite differences, extrapolated; None where the two grids lie too far apart."""
    values = []
    for size in GRIDS:
        option, process = quoted(contract)
        option.setPricingEngine(ql.FdBlackScholesVanillaEngine(process, size, size))
        values.append(option.NPV())
    coarse, fine = values
    if abs(fine - coarse) > GRID_ERROR * contract.spot:
        return None
    return float(fine + (fine - coarse) / 3)


def delta(contract: Contract) -> float | None:
    """Four-point differences of two widths; None where they disagree."""
    found = []
    for width in (0.02, 0.005):
        step = width * contract.spot * contract.volatility * math.sqrt(contract.years)
        near, far = (slope(contract, "spot", times * step) for times in (1, 2))
        found.append((4 * near - far) / 3)
    return found[1] if abs(found[0] - found[1]) < DELTA_ERROR else None


def random_row(contract: Contract) -> list[str] | None:
    """A row of american_random.csv without its domain; None for a contract that cannot be valued well."""
    if two_boundaries(contract):
        price, slope_ = value_on_grids(contract), None
    else:
        price, slope_ = value(contract), delta(contract)
    if price is None:
        return None
    return [*map(str, contract), f"{price:.10f}", "" if slope_ is None else f"{slope_:.8f}"]


def slope(contract: Contract, field: str, step: float) -> float:
    middle = getattr(contract, field)
    up, down = (value(contract._replace(**{field: middle + move})) for move in (step, -step))
    return (up - down) / (2 * step)


def write_fixed() -> None:
    with TARGET.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*Contract._fields, "value", "delta", "vega", "rho"])
        for contract in contracts():
            figures = (
                value(contract),
                slope(contract, "spot", 1e-4 * contract.spot),
                slope(contract, "volatility", 1e-3),
                slope(contract, "rate", 5e-4),
            )
            writer.writerow([*contract, *(f"{figure:.8f}" for figure in figures)])


def write_random() -> None:
    draw = random.Random(20160419)
    with RANDOM_TARGET.open("w", newline="", encoding="utf-8") as file, multiprocessing.Pool(2) as pool:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["domain", *Contract._fields, "value", "delta"])
        for domain, make, count in (
            ("market", market_contract, MARKET_RANDOM),
            ("wide", wide_contract, WIDE_RANDOM),
        ):
            drawn = [make(draw) for _ in range(count + count // 5)]
            rows = [row for row in pool.imap(random_row, drawn, chunksize=16) if row is not None]
            writer.writerows([domain, *row] for row in rows[:count])


if __name__ == "__main__":
    write_fixed()
    write_random()
