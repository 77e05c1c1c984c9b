"""The example of several processes: what they find together is what one process finds alone."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from quotewell.portfolio.portfolio import Portfolio
from quotewell.settings import Settings
from quotewell.testing import MarketSimulator
from quotewell.wiring import connect

EXAMPLE = Path(__file__).parent.parent / "examples" / "dask_exposures.py"
STOCKS = ["AAPL", "AMZN", "GOOGL", "MSFT", "NVDA", "TSLA"]
COMMON = {"^GSPC", "^IRX", "^FVX", "^TNX", "^TYX"}
"""What every part of the book needs."""


def write_book(path: Path) -> None:
    """A stock and two options on each of some underlyings; and a stock that nobody knows."""
    rows = ["symbol,quantity"]
    for place, stock in enumerate(STOCKS, start=1):
        rows += [
            f"{stock},{10 * place}",
            f"{stock}270115C00150000,{-place}",
            f"{stock}270115P00100000,{place}",
        ]
    path.write_text("\n".join([*rows, "UNHEARDOF,5"]), encoding="utf-8")


def run(book: Path, simulator: MarketSimulator, **settings: str) -> dict[str, Any]:
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("QUOTEWELL_")},
        "QUOTEWELL_PROVIDERS": "yahoo",
        "QUOTEWELL_YAHOO_BASE_URL": simulator.yahoo_url,
        "QUOTEWELL_YAHOO_RATE": "1000",
        "QUOTEWELL_CALENDARS": "plain",
        **settings,
    }
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), str(book), "--workers", "2", "--json"],
        check=True, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def times_asked(simulator: MarketSimulator) -> Counter[tuple[str, str]]:
    """How often each endpoint was asked for each symbol."""
    return Counter(
        (request.endpoint, symbol) for request in simulator.data_requests for symbol in request.symbols
    )


def test_two_processes_with_one_cache_fetch_once_and_find_what_one_process_finds(tmp_path: Path) -> None:
    book, folder = tmp_path / "book.csv", tmp_path / "cache"
    write_book(book)
    with MarketSimulator(symbols=STOCKS, seed=1) as simulator:
        found = run(book, simulator, QUOTEWELL_CACHE_DIR=str(folder))
        asked = times_asked(simulator)
        assert {symbol for _, symbol in asked} >= {*STOCKS, *COMMON}
        assert {key for key, times in asked.items() if times > 1 and key[1] != "UNHEARDOF"} == set()
    settings = Settings(cache_dir=folder, providers=("yahoo",), offline=True, calendars="plain")
    with connect(settings) as tickers:
        columns = Portfolio.from_csv(book, tickers, at=found["at"]).value()
    # The grids of many contracts are solved at once, whose number decides how sums are rounded.
    together = [math.nan if row["exposure"] is None else row["exposure"] for row in found["rows"]]
    assert together == pytest.approx(columns.exposure.tolist(), rel=1e-9, nan_ok=True)
    assert [row["status"] for row in found["rows"]] == ["ok"] * (3 * len(STOCKS)) + ["no_price"]


def test_processes_without_a_common_cache_fetch_for_themselves(tmp_path: Path) -> None:
    """The negative control of the test above."""
    book = tmp_path / "book.csv"
    write_book(book)
    with MarketSimulator(symbols=STOCKS, seed=1) as simulator:
        run(book, simulator, QUOTEWELL_CACHE_URL="memory://")
        asked = times_asked(simulator)
    assert {symbol for (_, symbol), times in asked.items() if times == 2} >= COMMON
