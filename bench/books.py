"""Books of many positions: how fast a file is read, and what a position takes."""

from __future__ import annotations

import csv
import gc
import io
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from bench.measure import Row, cpu_seconds, quotients, times
from bench.sample import symbols
from quotewell.portfolio.importers import read_positions
from quotewell.portfolio.positions import StockPosition, bind_all
from quotewell.testing.source import FakeSource

__all__ = ["books"]

_ROWS = 100_000
_ROUNDS = 5
_FIDELITY = (
    "Account Number,Account Name,Symbol,Description,Quantity,Last Price,Last Price Change,Current Value,"
    "Cost Basis Total,Average Cost Basis,Type"
)


_FLEX = (
    "ClientAccountID", "CurrencyPrimary", "FXRateToBase", "AssetClass", "Symbol", "Description",
    "ListingExchange", "UnderlyingSymbol", "Multiplier", "Strike", "Expiry", "Put/Call", "ReportDate",
    "Quantity", "MarkPrice",
    "PositionValue", "CostBasisMoney", "Side", "LevelOfDetail",
)  # fmt: skip


class _Storing(StockPosition, kw_only=True, dict=True):
    """A position that keeps copies of market data."""

    last_price: float
    stored_beta: float
    stored_value: float
    stored_exposure: float
    stored_beta_adjusted: float


def books(folder: Path) -> Iterator[Row]:
    """The rows about reading and holding a book."""
    del folder
    for broker, content in (("Fidelity", _fidelity()), ("Interactive Brokers", _flex())):
        ours, reader = times(
            _ROUNDS,
            partial(read_positions, content, "export.csv"),
            partial(_bare_pass, content),
            clock=cpu_seconds,
        )
        yield Row(
            measure=f"import of {_ROWS:,} rows of {broker}",
            against="a bare `csv.DictReader` pass",
            values=quotients(ours, reader),
            at_most=6.0,
            note=f"{min(ours):.2f} s against {min(reader):.2f} s at best",
        )
    position, storing = _bytes_each(_positions), _bytes_each(_storing_positions)
    yield Row(
        measure=f"a position of a book of {_ROWS:,}",
        against="one that stores price, beta, value, exposures",
        values=(position / storing,),
        at_most=1.0,
        note=f"{position:.0f} bytes against {storing:.0f}",
    )


def _bare_pass(content: bytes) -> None:
    for _ in csv.DictReader(io.StringIO(content.decode(), newline="")):
        pass


def _fidelity() -> bytes:
    lines = [_FIDELITY]
    for number, symbol in enumerate(symbols(_ROWS)):
        price, quantity = _figures(number)
        lines.append(
            f'Z{number % 40},Mine,{symbol},{symbol} COMMON STOCK,"{quantity:,}",${price:,.2f},+$0.10,'
            f'"${price * quantity:,.2f}","${price * quantity * 0.8:,.2f}",${price * 0.8:,.2f},Margin'
        )
    return "\r\n".join(lines).encode()


def _flex() -> bytes:
    lines = [",".join(f'"{heading}"' for heading in _FLEX)]
    for number, symbol in enumerate(symbols(_ROWS)):
        price, quantity = _figures(number)
        cells = (
            f"U{number % 40}", "USD", "1", "STK", symbol, f"{symbol} COMMON STOCK", "NASDAQ", "", "1", "",
            "", "", "20250508", quantity, price, price * quantity, price * quantity * 0.8, "Long", "SUMMARY",
        )  # fmt: skip
        lines.append(",".join(f'"{cell}"' for cell in cells))
    return "\n".join(lines).encode()


def _figures(number: int) -> tuple[float, int]:
    """A price and a quantity."""
    return 10 + number % 977 / 8, number % 500 + 1


def _bytes_each(make: Callable[[Sequence[str]], list[StockPosition]]) -> float:
    names = symbols(_ROWS)
    gc.collect()
    tracemalloc.start()
    positions = make(names)
    gc.collect()
    allocated, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return allocated / len(positions)


def _positions(names: Sequence[str]) -> list[StockPosition]:
    positions = [StockPosition(**_reported(name, number)) for number, name in enumerate(names)]
    bind_all(positions, FakeSource())
    return positions


def _storing_positions(names: Sequence[str]) -> list[StockPosition]:
    return [
        _Storing(
            **_reported(name, number),
            last_price=number * 1.01,
            stored_beta=number * 0.001,
            stored_value=number * 1.02,
            stored_exposure=number * 1.03,
            stored_beta_adjusted=number * 1.04,
        )
        for number, name in enumerate(names)
    ]


def _reported(name: str, number: int) -> dict[str, object]:
    return {
        "symbol": name, "quantity": number * 0.5, "price": number * 0.25, "value": number * 0.125,
        "cost_basis": number * 0.1, "account": "Z1", "currency": "USD",
    }  # fmt: skip
