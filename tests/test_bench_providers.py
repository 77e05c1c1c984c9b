"""What the bench beside yfinance counts: its figures, and its requests to the simulator."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from quotewell.testing import MarketSimulator

ROOT = Path(__file__).parents[1]
NAMES = ["QAAAA", "QAAAB"]
HANDSHAKE = {"cookie": 1, "crumb": 1}


def asked(way: str, folder: Path, simulator: MarketSimulator) -> tuple[list[int], dict[str, int]]:
    """How many prices, betas and names one process finds, and its requests by endpoint."""
    simulator.clear_log()
    command = [
        sys.executable,
        "-m",
        "bench.providers",
        way,
        str(folder),
        simulator.yahoo_url,
        str(len(NAMES)),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    _, found = json.loads(done.stdout)
    return found, Counter(request.endpoint for request in simulator.requests)


@pytest.mark.parametrize(
    ("way", "found", "requests", "again"),
    [
        ("info", [2, 2, 2], {"quote_summary": 2, "quote": 2, "timeseries": 2}, None),
        ("download", [2, 0, 0], {"chart": 4}, {"chart": 2}),
        ("ours", [2, 2, 2], {"quote": 1, "spark": 1}, {}),
    ],
)
def test_every_way_finds_its_figures_and_only_ours_needs_no_request_again(
    tmp_path: Path, way: str, found: list[int], requests: dict[str, int], again: dict[str, int] | None
) -> None:
    with MarketSimulator(symbols=NAMES) as simulator:
        assert asked(way, tmp_path, simulator) == (found, HANDSHAKE | requests)
        later = requests if again is None else again
        assert asked(way, tmp_path, simulator) == (found, HANDSHAKE | later if later else {})
