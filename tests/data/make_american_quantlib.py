"""Write american_quantlib.csv: American option values and Greeks from an engine independent of ours.

QuantLib's QdFpAmericanEngine with its high-precision scheme. Calendar days would round `years`, so each
contract is priced over exactly ten years with rate, yield and variance scaled to keep their totals.
Greeks are central differences; run once, the result is committed:

    python tests/data/make_american_quantlib.py
"""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import NamedTuple

import QuantLib as ql  # noqa: N813 - the alias of its own documentation

TARGET = Path(__file__).with_name("american_quantlib.csv")
DAYS, YEARS = 3650, 10.0
ORDINARY, WIDE = 36, 12


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


def value(contract: Contract) -> float:
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
    option = ql.VanillaOption(payoff, ql.AmericanExercise(today, today + DAYS))
    scheme = ql.QdFpAmericanEngine.highPrecisionScheme()
    option.setPricingEngine(ql.QdFpAmericanEngine(process, scheme))
    return float(option.NPV())


def slope(contract: Contract, field: str, step: float) -> float:
    middle = getattr(contract, field)
    up, down = (value(contract._replace(**{field: middle + move})) for move in (step, -step))
    return (up - down) / (2 * step)


def main() -> None:
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


if __name__ == "__main__":
    main()
