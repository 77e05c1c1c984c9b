"""The refresher over ten trading days and 3,000 tickers: within the budget, and nothing grows without end."""

from __future__ import annotations

import datetime as dt
import gc
import itertools
import os
from bisect import bisect_left
from pathlib import Path

import pytest

from engine_parts import fetches_ended
from quotewell import Refresher
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.calendars import close_of, new_york_sessions
from quotewell.coordination.sqlite import SqliteCoordinator
from quotewell.endpoints import Call, Fetched, Lane, Limit
from quotewell.providers.transport import Timeouts, Transport
from quotewell.settings import Settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.wiring import connect

pytestmark = pytest.mark.torture

DAY, MINUTE = 86_400.0, 60.0
TICKERS = [f"Q{a}{b}{c}" for a, b, c in itertools.product("ABCDEFGHIJKLMNO", repeat=3)][:3_000]
START = close_of(dt.date(2025, 1, 10)) + 16 * 3600.0
"""A Saturday morning."""
LIMIT = Limit(rate=0.1, burst=5)
PERIOD = 600.0


class Answer:
    status_code = 200
    headers: dict[str, str] = {}  # noqa: RUF012  nobody changes it


class LimitedProvider(FakeProvider):
    """Answers from dictionaries, but takes its turn as a provider on the network does."""

    def __init__(self, clock: ManualClock, coordinator: SqliteCoordinator) -> None:
        super().__init__(clock, dict.fromkeys(TICKERS, 100.0))
        self.limit = LIMIT
        self.sent: list[float] = []
        self._transport = Transport(
            self.name, LIMIT, concurrency=1, connect_timeout=5.0, request_timeout=15.0,
            coordinator=coordinator, clock=clock,
        )  # fmt: skip

    def fetch(self, call: Call, *, lane: Lane, deadline: float) -> Fetched:
        def attempt(timeouts: Timeouts) -> Answer:
            del timeouts
            self.sent.append(self._clock.now())
            return Answer()

        self._transport.send(attempt, lane=lane, deadline=deadline)
        for symbol in call.symbols:
            self.prices[symbol] += 0.01
        fetched = super().fetch(call, lane=lane, deadline=deadline)
        self.calls.clear()
        return fetched


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def resident_bytes() -> int:
    """What this process has in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.timeout(600)
def test_ten_trading_days_of_3000_tickers(tmp_path: Path) -> None:
    clock = ManualClock(START)
    coordinator = SqliteCoordinator(tmp_path / "state.db", clock)
    provider = LimitedProvider(clock, coordinator)
    stores = SqliteLevel(tmp_path / "cache.db", clock), coordinator
    settings = Settings(calendars="plain", memory_records=20_000)
    sizes, resident, refreshed = [], [], []
    with connect(settings, clock=clock, providers=[provider], stores=stores) as tickers:
        tickers.prefetch([(ticker, "quote") for ticker in TICKERS], timeout=3_600.0)
        fetches_ended()
        refresher = Refresher(tickers, TICKERS, period=PERIOD, most=len(TICKERS))
        first = len(provider.sent)
        for day in range(1, 15):  # ten of them trading days
            ends = START + day * DAY
            while clock.now() < ends:
                began = clock.now()
                refresher.round()
                clock.advance(max(PERIOD - (clock.now() - began), 1.0))
            gc.collect()
            sizes.append(size(tmp_path))
            resident.append(resident_bytes())
            refreshed.append(refresher.status().refreshed)
        refresher.close()
        memory = tickers.engine.store.memory
        assert len(memory) <= settings.memory_records
        assert memory.bytes <= settings.memory_bytes
    sent = provider.sent[first:]
    assert len(sent) > 5_000
    # Within the whole limit in every minute, and within the refresher's half of it in every hour.
    for seconds, most in ((MINUTE, LIMIT.rate * 60 + LIMIT.burst), (60 * MINUTE, LIMIT.rate * 1_800 * 1.05)):
        assert max(bisect_left(sent, at + seconds) - place for place, at in enumerate(sent)) <= most
    for at in sent:
        sessions = new_york_sessions(at)
        # A round that began before the close may end after it.
        in_time = new_york_sessions(at - PERIOD).is_open or sessions.is_open
        assert in_time or 20 * MINUTE <= at - sessions.previous.close <= 4 * 3600.0, at
    # Each trading day refreshes, no weekend does; files and memory stay as large as after three trading days.
    gains = [after - before for before, after in itertools.pairwise([0, *refreshed])]
    assert [gain > 10_000 for gain in gains] == [False, False, *[True] * 5] * 2
    assert sizes[-1] <= 1.25 * sizes[4]
    assert resident[-1] <= 1.10 * resident[4]
