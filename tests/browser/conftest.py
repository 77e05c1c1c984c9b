"""A browser, and a page over a simulated market, for the tests of each module of this folder.

Not for longer: while Playwright is there, an event loop runs in this thread, and no other can start in it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import as_file
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from page_under_test import LISTED, SCREENSHOTS, Served
from quotewell import demo
from quotewell.portfolio.portfolio import Portfolio
from quotewell.portfolio.positions import StockPosition
from quotewell.testing import MarketSimulator
from quotewell.testing.simulator import Instrument
from quotewell.views.cli.main import main

_NEXT_MORNING = 18 * 3600.0
"""From the close of the sample to 10 o'clock: the market is open."""
_TIMEOUT = 15_000
"""Milliseconds that anything on the page may take."""


# Not for the session: while Playwright is there, a loop runs in this thread, and `asyncio.run` fails.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a window; where it is missing the tests are left out, but not in CI."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        reason = "there is no Chromium to look at the page with"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        expect.set_options(timeout=_TIMEOUT)
        launched = playwright.chromium.launch(executable_path=path, args=arguments)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """The page in a process of its own, over a market with the sample's stocks."""
    now = demo.demo_now() + _NEXT_MORNING
    SCREENSHOTS.mkdir(exist_ok=True)
    with as_file(demo.portfolio_file()) as path, MarketSimulator(symbols=_stocks(path), now=now) as market:
        server = Path(__file__).with_name("page_server.py")
        settings = {name: value for name, value in os.environ.items() if not name.startswith("QUOTEWELL_")}
        settings = {name: value for name, value in settings.items() if not name.startswith("PYTEST_")}
        process = subprocess.Popen(
            [sys.executable, str(server), market.yahoo_url, str(now)],
            stdout=subprocess.PIPE,
            env=settings,
            text=True,
        )
        assert process.stdout is not None
        with process, process.stdout:
            port = process.stdout.readline().strip()
            assert port, "the server has ended before it listened"
            yield Served(url=f"http://127.0.0.1:{port}", market=market, sample=path)
            process.terminate()


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One cache for a module; what any of its tests asks of another host than this one fails the last."""
    opened = browser.new_context(viewport={"width": 1440, "height": 1000}, color_scheme="light")
    opened.set_default_timeout(_TIMEOUT)
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    yield opened
    opened.close()
    elsewhere = [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:", "file:"))]
    assert elsewhere == []


@pytest.fixture
def expected_errors() -> list[str]:
    """Parts of what the console may call an error in this test."""
    return []


@pytest.fixture
def page(context: BrowserContext, expected_errors: list[str]) -> Iterator[Page]:
    """A tab; whatever the console calls an error fails the test, breaches of the page's policy among them."""
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield opened
    opened.close()
    assert [error for error in errors if not any(text in error for text in expected_errors)] == []


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a small book, at its file's own prices."""
    monkeypatch.setenv("QUOTEWELL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    book = tmp_path / "Portfolio_Positions_May-08-2025.csv"
    book.write_text(
        "symbol,quantity,price,description\n"
        "AMZN,100,190,<script>window.hacked = 1</script>\nKO,-50,70,Coca-Cola\nCASH,,,\n"
    )
    path = tmp_path / "report.html"
    assert main(["summary", str(book), "--offline", "--html", str(path)]) == 0
    return path


def _stocks(path: Path) -> list[str | Instrument]:
    positions = Portfolio.from_csv(path).positions
    held = [
        Instrument(symbol=position.symbol, name=position.description, type="stock", price=position.price)
        for position in positions
        if isinstance(position, StockPosition) and position.price is not None
    ]
    listed = [Instrument(symbol=symbol, name=symbol, type="stock", price=100.0) for symbol in LISTED]
    return [*held, *listed]
