"""Many clients at once while the provider is out of order: what they are answered, and what it costs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import httpx

from api_process import settings_of
from fault_laboratory import TUESDAY
from quotewell.clock import ShiftedClock
from quotewell.testing import MarketSimulator
from quotewell.testing.simulator import Market
from quotewell.wiring import connect

__all__ = ["Outage", "ask_in_an_outage"]

_OPEN = TUESDAY - 5 * 3600.0  # noon in New York
_LATER = _OPEN + 3 * 3600.0
"""Longer than a price's grace; still the same session."""
SYMBOLS = [f"QA{letter}{other}" for letter in "ABCDE" for other in "ABCDEFGHIJ"]


class Outage(NamedTuple):
    """What was seen."""

    answers: list[tuple[int, str, float | None, str | None]]
    """Status, freshness, price and error of each request."""
    memory: list[int]
    """Kilobytes that the server held after each round."""
    requests: int
    """That reached the provider during the outage."""


def ask_in_an_outage(folder: Path, fault: str, *, clients: int, rounds: int = 1) -> Outage:
    """Fill a cache, wait until its prices are stale, take the provider away, and ask, all at once.

    Args:
        folder: For the cache.
        fault: What the provider does from then on, one of the simulator's.
        clients: How many ask at the same time, each for one of fifty symbols.
        rounds: How often.
    """
    now = [_OPEN]
    market = Market(SYMBOLS, now=lambda: now[0])
    with MarketSimulator(market) as simulator:
        with connect(settings_of(folder, simulator.yahoo_url), clock=ShiftedClock(_OPEN)) as tickers:
            tickers.prefetch(SYMBOLS)
        now[0] = _LATER
        simulator.clear_log()
        simulator.fault(fault, endpoint="*")
        command = [sys.executable, str(Path(__file__).parent / "api_process.py")]
        command += [str(folder), simulator.yahoo_url, str(_LATER)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            try:
                address = f"http://127.0.0.1:{int(server.stdout.readline())}"
                answers, memory = [], []
                for _ in range(rounds):
                    answers += asyncio.run(_ask(address, [SYMBOLS[n % 50] for n in range(clients)]))
                    memory.append(_resident(server.pid))
            finally:
                server.stdin.close()
                simulator.clear_faults()
        return Outage(answers, memory, len(simulator.requests))


async def _ask(address: str, symbols: Sequence[str]) -> list[tuple[int, str, float | None, str | None]]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=120, trust_env=False) as client:
        ready = asyncio.Event()

        async def one(symbol: str) -> tuple[int, str, float | None, str | None]:
            await ready.wait()
            answer = await client.get(f"/api/v1/tickers/{symbol}")
            row = answer.json()
            return answer.status_code, row.get("freshness", ""), row.get("price"), row.get("error")

        asked = [asyncio.create_task(one(symbol)) for symbol in symbols]
        await asyncio.sleep(0)  # all of them wait now
        ready.set()
        return list(await asyncio.gather(*asked))


def _resident(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0])
