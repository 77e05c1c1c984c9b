"""A 429 is remembered by the next process, which sends nothing and says when it goes on; then all is well."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quotewell.clock import ShiftedClock, SystemClock
from quotewell.settings import Settings
from quotewell.testing import MarketSimulator
from quotewell.wiring import connect


@pytest.fixture
def simulator() -> Iterator[MarketSimulator]:
    with MarketSimulator(symbols=["AAPL", "MSFT"]) as running:
        yield running


def quotewell(simulator: MarketSimulator, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUOTEWELL_")}
    environment = {
        **kept,
        "QUOTEWELL_CACHE_DIR": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "QUOTEWELL_PROVIDERS": "yahoo",
        "QUOTEWELL_YAHOO_BASE_URL": simulator.yahoo_url,
        "QUOTEWELL_CALENDARS": "plain",
    }
    command = [sys.executable, "-m", "quotewell", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("retry_after", [None, 45])
def test_the_next_process_waits_for_the_end_of_the_pause(
    simulator: MarketSimulator, tmp_path: Path, retry_after: float | None
) -> None:
    simulator.fault("429", retry_after=retry_after)
    first = quotewell(simulator, tmp_path, "prefetch", "AAPL", "MSFT")
    assert first.returncode == 1
    assert "HTTP 429" in first.stdout
    sent = len(simulator.requests)
    assert sent <= 4, "the handshake, and two requests at a time"

    simulator.clear_faults()
    second = quotewell(simulator, tmp_path, "prefetch", "AAPL", "MSFT")
    assert len(simulator.requests) == sent
    assert "AAPL quote: failed: paused until " in second.stdout
    assert "(next try " in second.stdout
    doctor = quotewell(simulator, tmp_path, "doctor")
    assert doctor.returncode == 1
    assert "!!  provider yahoo  paused until " in doctor.stdout

    clock = ShiftedClock(SystemClock().now() + 60.0)
    settings = Settings(
        providers=("yahoo",), yahoo_base_url=simulator.yahoo_url, cache_dir=tmp_path, calendars="plain"
    )
    with connect(settings, clock=clock) as tickers:
        report = tickers.prefetch([("AAPL", "quote"), ("MSFT", "quote")])
    assert report.counts()["fetched"] == 2
