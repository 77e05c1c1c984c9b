"""Write the bundled sample: `market.json` and the made-up portfolio beside it.

Usage: python tools/make_demo.py closes-2020-2022.csv [FOLDER]

The CSV has a column `date` and one column of closes a symbol. FOLDER is `src/quotewell/demo` by default. The
portfolio has the form of Fidelity's export; its positions are invented here, its stock prices are the last
closes, its option prices a binomial tree's.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
import statistics
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

RATE = 0.04
"""Flat and continuous; also what the snapshot gives as the curve."""
_VOLATILITY_DAYS = 252
_TREE_STEPS = 801
_NEW_YORK = "America/New_York"
_FOLDER = Path(__file__).resolve().parent.parent / "src" / "quotewell" / "demo"

SOURCE = (
    "Daily closes from the data files of the Python package skfolio 1.12.2 (BSD-3-Clause), provided there "
    "for testing and example purposes; 2020-01-02 to 2022-12-28; adjusted for splits and dividends."
)
NOTE = (
    "The rate is illustrative: flat 4 %, continuous. The option prices in the portfolio file are "
    "illustrative too: American options on a binomial tree at that rate, no dividends, each underlying's "
    "volatility over its last 252 daily log returns, rounded to cents."
)
DISCLAIMER = (
    "This file is invented, in the form of a broker's export, for the demo of quotewell. No account and no "
    "position in it is real. Stock prices are closes of Dec-28-2022 adjusted for splits and dividends, from "
    "skfolio 1.12.2 (BSD-3-Clause). Option prices are illustrative: American options on a binomial tree at a "
    "flat rate of 4 %, no dividends, the volatility of the last 252 trading days. Cost bases are invented."
)
DOWNLOADED = "Date downloaded Dec-28-2022 4:05 p.m ET"
HEADER = (
    "Account Number,Account Name,Symbol,Description,Quantity,Last Price,Last Price Change,Current Value,"
    "Today's Gain/Loss Dollar,Today's Gain/Loss Percent,Total Gain/Loss Dollar,Total Gain/Loss Percent,"
    "Percent Of Account,Cost Basis Total,Average Cost Basis,Type"
)


class Company(NamedTuple):
    """What `market.json` says of a symbol besides its closes."""

    name: str
    exchange: str
    sector: str | None
    type: str = "stock"


COMPANIES = {
    "AAPL": Company("Apple Inc.", "NasdaqGS", "Technology"),
    "AMD": Company("Advanced Micro Devices, Inc.", "NasdaqGS", "Technology"),
    "BAC": Company("Bank of America Corporation", "NYSE", "Financial Services"),
    "BBY": Company("Best Buy Co., Inc.", "NYSE", "Consumer Cyclical"),
    "CVX": Company("Chevron Corporation", "NYSE", "Energy"),
    "GE": Company("General Electric Company", "NYSE", "Industrials"),
    "HD": Company("The Home Depot, Inc.", "NYSE", "Consumer Cyclical"),
    "JNJ": Company("Johnson & Johnson", "NYSE", "Healthcare"),
    "JPM": Company("JPMorgan Chase & Co.", "NYSE", "Financial Services"),
    "KO": Company("The Coca-Cola Company", "NYSE", "Consumer Defensive"),
    "LLY": Company("Eli Lilly and Company", "NYSE", "Healthcare"),
    "MRK": Company("Merck & Co., Inc.", "NYSE", "Healthcare"),
    "MSFT": Company("Microsoft Corporation", "NasdaqGS", "Technology"),
    "PEP": Company("PepsiCo, Inc.", "NasdaqGS", "Consumer Defensive"),
    "PFE": Company("Pfizer Inc.", "NYSE", "Healthcare"),
    "PG": Company("The Procter & Gamble Company", "NYSE", "Consumer Defensive"),
    "RRC": Company("Range Resources Corporation", "NYSE", "Energy"),
    "UNH": Company("UnitedHealth Group Incorporated", "NYSE", "Healthcare"),
    "WMT": Company("Walmart Inc.", "NYSE", "Consumer Defensive"),
    "XOM": Company("Exxon Mobil Corporation", "NYSE", "Energy"),
    "^GSPC": Company("S&P 500", "SNP", None, "index"),
}


class Stock(NamedTuple):
    """A stock position; a short one has a negative quantity."""

    symbol: str
    quantity: int
    cost: float


class Contract(NamedTuple):
    """An option position; `cost` is the premium per share, as a multiple of today's."""

    root: str
    quantity: int
    expiry: str
    strike: float
    right: str
    cost: float


class Account(NamedTuple):
    """An account with its positions; amounts in USD."""

    number: str
    name: str
    cash: float
    stocks: tuple[Stock, ...]
    options: tuple[Contract, ...]
    pending: float | None = None
    escrow: tuple[str, str, float, float] | None = None


ACCOUNTS = (
    Account(
        "DEMO00001",
        "INDIVIDUAL",
        268_431.57,
        (
            Stock("AAPL", 2500, 61.2), Stock("MSFT", 1200, 148.75), Stock("XOM", 1200, 58.4),
            Stock("JNJ", 700, 151.3), Stock("UNH", 250, 402.1), Stock("JPM", 900, 118.9),
            Stock("LLY", 300, 211.45), Stock("AMD", 1500, 92.6),
            Stock("CVX", 400, 104.2), Stock("BBY", -1500, 69.85), Stock("GE", -1200, 67.3),
            Stock("RRC", -3000, 27.95),
        ),
        (
            Contract("AAPL", 20, "2023-03-17", 120, "P", 0.62),
            Contract("AAPL", -10, "2023-01-20", 140, "C", 3.4),
            Contract("AMD", 15, "2023-06-16", 70, "C", 1.7),
            Contract("AMD", -15, "2023-03-17", 80, "C", 2.1),
            Contract("BBY", 15, "2023-01-20", 85, "C", 1.35),
            Contract("JPM", 9, "2023-03-17", 120, "P", 1.4),
            Contract("LLY", -3, "2023-02-17", 380, "C", 0.9),
            Contract("MSFT", 12, "2023-06-16", 220, "P", 0.85),
            Contract("MSFT", -12, "2023-06-16", 190, "P", 0.8),
            Contract("MSFT", -6, "2023-01-06", 250, "C", 4.8),
            Contract("RRC", -20, "2023-01-20", 23, "P", 1.6),
            Contract("RRC", -10, "2023-03-17", 20, "P", 1.15),
            Contract("UNH", -2, "2023-01-06", 510, "P", 1.9),
            Contract("XOM", -8, "2023-01-06", 100, "C", 0.55),
        ),
        12_500.0,
        ("990ESC018", "SAMPLE HOLDINGS ESCROW SHS", 40.0, 36.25),
    ),
    Account(
        "DEMO00002",
        "ROLLOVER IRA",
        61_204.18,
        (
            Stock("MSFT", 300, 201.6), Stock("KO", 1200, 48.9), Stock("PG", 500, 121.7),
            Stock("WMT", 500, 128.4), Stock("MRK", 600, 72.85),
            Stock("PFE", 1500, 38.15),
        ),
        (
            Contract("PFE", -10, "2023-03-17", 52.5, "C", 1.3),
            Contract("WMT", -5, "2023-02-17", 150, "C", 1.45),
        ),
    ),
)  # fmt: skip


class Closes(NamedTuple):
    """All closes: dates once, a column a symbol."""

    dates: list[str]
    by_symbol: dict[str, list[float]]

    def volatility(self, symbol: str) -> float:
        """Annualised standard deviation of the last 252 daily log returns."""
        closes = self.by_symbol[symbol][-_VOLATILITY_DAYS - 1 :]
        returns = [math.log(after / before) for before, after in pairwise(closes)]
        return statistics.stdev(returns) * math.sqrt(_VOLATILITY_DAYS)


def read_closes(path: Path) -> Closes:
    """Read the CSV of closes."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    columns = {symbol: [float(row[i]) for row in rows] for i, symbol in enumerate(header) if i > 0}
    return Closes([row[0] for row in rows], columns)


def american(spot: float, contract: Contract, volatility: float, years: float) -> float:
    """Price of an American option per share, without dividends: a Cox-Ross-Rubinstein tree."""
    step = years / _TREE_STEPS
    up = math.exp(volatility * math.sqrt(step))
    discount = math.exp(-RATE * step)
    chance = (1.0 / discount - 1.0 / up) / (up - 1.0 / up)
    sign = 1.0 if contract.right == "C" else -1.0
    prices = spot * up ** np.arange(-_TREE_STEPS, _TREE_STEPS + 1, dtype=float)
    exercised = np.maximum(0.0, sign * (prices - contract.strike))
    values = exercised[::2]
    for level in range(_TREE_STEPS - 1, -1, -1):
        held = discount * (chance * values[1:] + (1.0 - chance) * values[:-1])
        first = _TREE_STEPS - level
        values = np.maximum(held, exercised[first : first + 2 * level + 1 : 2])
    return float(values[0])


def premium(closes: Closes, contract: Contract, days_ago: int) -> float:
    """The contract's price at a close, in cents exactly; `days_ago` counts trading days before the last."""
    date = dt.date.fromisoformat(closes.dates[-1 - days_ago])
    years = (dt.date.fromisoformat(contract.expiry) - date).days / 365
    spot = closes.by_symbol[contract.root][-1 - days_ago]
    return round(american(spot, contract, closes.volatility(contract.root), years), 2)


class Line(NamedTuple):
    """A position's row before its share of the account is known."""

    underlying: str
    symbol: str
    description: str
    quantity: int
    price: float
    change: float
    value: float
    cost: float
    average: float
    leg: str

    def cells(self, total: float) -> list[str]:
        """The row's cells after the account's, given the account's total in USD."""
        multiple = 100 if self.symbol.startswith(" -") else 1
        today = round(self.quantity * self.change * multiple, 2)
        before = abs(self.value - today)
        gain = round(self.value - math.copysign(self.cost, self.quantity), 2)
        return [
            self.symbol,
            self.description,
            f"{self.quantity:.1f}",
            f"${self.price:.3f}" if multiple == 1 else f"${self.price:.2f}",
            signed(self.change, 3 if multiple == 1 else 2),
            dollars(self.value),
            signed(today),
            percent(today / before) if before else "--",
            signed(gain),
            percent(gain / self.cost),
            f"{self.value / total:.2%}",
            dollars(self.cost),
            f"${self.average:.2f}",
            self.leg,
        ]


def lines(account: Account, closes: Closes) -> Iterator[Line]:
    """The account's positions, by underlying, stock before options."""
    for stock in account.stocks:
        before, price = closes.by_symbol[stock.symbol][-2:]
        cost = round(abs(stock.quantity) * stock.cost, 2)
        leg = "Short" if stock.quantity < 0 else "Margin"
        description = COMPANIES[stock.symbol].name.upper().replace(",", "").replace(".", "")
        yield Line(
            stock.symbol, stock.symbol, description, stock.quantity, price, round(price - before, 3),
            round(stock.quantity * price, 2), cost, stock.cost, leg,
        )  # fmt: skip
    for contract in account.options:
        before, price = premium(closes, contract, 1), premium(closes, contract, 0)
        expiry = dt.date.fromisoformat(contract.expiry)
        average = round(price * contract.cost, 2)
        strike = f"{contract.strike:g}"
        kind = "CALL" if contract.right == "C" else "PUT"
        yield Line(
            contract.root,
            f" -{contract.root}{expiry:%y%m%d}{contract.right}{strike}",
            f"{contract.root} {expiry:%b %d %Y} ${strike} {kind}".upper(),
            contract.quantity, price, round(price - before, 2), round(contract.quantity * price * 100, 2),
            round(abs(contract.quantity) * average * 100, 2), average, "Margin",
        )  # fmt: skip


def portfolio(closes: Closes) -> Iterator[list[str]]:
    """All rows of the portfolio file, the footer left out."""
    yield HEADER.split(",")
    for account in ACCOUNTS:
        label = [account.number, account.name]
        ordered = sorted(lines(account, closes), key=lambda line: line.underlying)
        total = account.cash + (account.pending or 0.0) + sum(line.value for line in ordered)
        cash = ["SPAXX**", "HELD IN MONEY MARKET", "", "", "", dollars(account.cash)]
        share = f"{account.cash / total:.2%}"
        yield [*label, *cash, "", "", "", "", share, "", "", "Cash"]
        if account.escrow:
            symbol, description, quantity, average = account.escrow
            cost = dollars(quantity * average)
            unknown = ["--"] * 7
            held = [symbol, description, f"{quantity:.1f}", *unknown]
            yield [*label, *held, "0.00%", cost, f"${average:.2f}", "Margin"]
        for line in ordered:
            yield [*label, *line.cells(total)]
        if account.pending is not None:
            # The amount stands under "Last Price Change", as in the broker's own files.
            yield [*label, "Pending Activity", "", "", "", dollars(account.pending), *[""] * 9]


def dollars(amount: float) -> str:
    """An amount as the broker writes it: `-$4060.00`."""
    return f"{'-' if amount < 0 else ''}${abs(amount):.2f}"


def signed(amount: float, digits: int = 2) -> str:
    """A change as the broker writes it: `+$2.05`, `$0.00`."""
    sign = "" if round(amount, digits) == 0 else "+" if amount > 0 else "-"
    return f"{sign}${abs(amount):.{digits}f}"


def percent(fraction: float) -> str:
    """A change in percent as the broker writes it: `+12.31%`."""
    return f"{fraction:+.2%}"


def market(closes: Closes) -> str:
    """The text of `market.json`: one line a symbol, so that differences can be read."""
    head = {
        "source": SOURCE,
        "note": NOTE,
        "currency": "USD",
        "time_zone": _NEW_YORK,
        "rate": RATE,
        "dates": closes.dates,
    }
    parts = [f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in head.items()]
    companies = {symbol: company._asdict() for symbol, company in COMPANIES.items()}
    parts.extend(
        (f'"instruments": {_table(companies.items())}', f'"closes": {_table(closes.by_symbol.items())}')
    )
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _table(items: Iterable[tuple[str, object]]) -> str:
    rows = [f"  {json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in items]
    return "{\n" + ",\n".join(rows) + "\n}"


def main(arguments: list[str]) -> int:
    """Write both files; returns the exit code."""
    if len(arguments) not in (1, 2):
        sys.stderr.write("usage: make_demo.py closes-2020-2022.csv [FOLDER]\n")
        return 2
    closes = read_closes(Path(arguments[0]))
    folder = Path(arguments[1]) if len(arguments) > 1 else _FOLDER
    (folder / "market.json").write_text(market(closes), encoding="utf-8", newline="\n")
    with (folder / "Portfolio_Positions_Dec-28-2022.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(portfolio(closes))
        quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        for text in (DISCLAIMER, DOWNLOADED):
            file.write("\n")
            quoted.writerow([text])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
