"""One source of truth: only the service and its providers fetch, and no position holds what is derived.

The source is read, not run: a module that fetched, or kept a price, would fail here before anybody ran it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import quotewell
from quotewell.portfolio.positions import (
    CashPosition,
    OptionPosition,
    PendingActivity,
    StockPosition,
    UnknownPosition,
)

SOURCE = Path(quotewell.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))

FETCHING = {"curl_cffi", "http.client", "httpx", "requests", "socket", "urllib.request", "yfinance"}
"""What market data can be fetched with."""
# A pair of sockets wakes the thread that listens to a shared cache; the API listens on one, and workers ask
# each other.
MAY_FETCH = (
    "providers/", "testing/", "cache/postgres/push.py", "views/api/server.py", "views/api/peers.py",
)  # fmt: skip
MAY_KNOW_PROVIDERS = ("providers/", "testing/", "wiring.py", "market.py", "service.py", "readers.py")
DERIVED = {
    "beta", "beta_adjusted", "beta_adjusted_exposure", "delta", "exposure", "gamma", "market_exposure",
    "market_price", "market_value", "theta", "vega", "volatility",
}  # fmt: skip
"""Figures that a position is asked for, and must not hold."""
REPORTED = {
    "account", "account_name", "as_of", "cost_basis", "currency", "description", "file", "fx_rate", "leg",
    "line", "multiplier", "price", "quantity", "raw_symbol", "symbol", "value",
}  # fmt: skip
"""What the broker said."""


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def is_within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def faults_of(place: str, text: str) -> list[str]:
    """What a module does that only others may, each fault in words."""
    tree = ast.parse(text)
    faults = []
    for name in imported(tree):
        if is_within(name, FETCHING) and not place.startswith(MAY_FETCH):
            faults.append(f"{place} imports {name}")
        if is_within(name, {"quotewell.providers"}) and not place.startswith(MAY_KNOW_PROVIDERS):
            faults.append(f"{place} imports {name}")
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        faults += [
            f"{place}:{node.lineno} stores {target.attr}"
            for target in targets
            if isinstance(target, ast.Attribute)
            and target.attr in DERIVED
            # A row that is about to be printed is no position.
            and not (place.startswith("views/") and ast.unparse(target.value) == "row")
        ]
    return faults


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_only_the_service_and_providers_touch_market_data(module: Path) -> None:
    place = module.relative_to(SOURCE).as_posix()
    assert faults_of(place, module.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("place", "text", "fault"),
    [
        ("portfolio/report.py", "import yfinance as yf", "imports yfinance"),
        ("analytics/beta.py", "def f():\n    from urllib.request import urlopen", "imports urllib.request"),
        ("views/cli/quote.py", "from quotewell.providers import yahoo", "imports quotewell.providers"),
        ("portfolio/positions.py", "def f(position):\n    position.beta = 1.0", "stores beta"),
        ("portfolio/row.py", "def f(p, x):\n    p.market_value: float = x", "stores market_value"),
        ("portfolio/row.py", "def f(p, x):\n    p.delta += x", "stores delta"),
    ],
)
def test_a_module_that_did_would_be_found(place: str, text: str, fault: str) -> None:
    assert any(fault in found for found in faults_of(place, text))


@pytest.mark.parametrize(
    "kind", [StockPosition, OptionPosition, CashPosition, UnknownPosition, PendingActivity]
)
def test_a_position_holds_what_the_broker_said_and_nothing_else(kind: type[StockPosition]) -> None:
    assert set(kind.__struct_fields__) <= REPORTED
    assert {name for name in DERIVED if hasattr(kind, name)} == {
        name for name in DERIVED if isinstance(getattr(kind, name, None), property)
    }
