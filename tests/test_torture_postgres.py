"""A PostgreSQL server whose disk is full, that of its tables or of its log: right answers, and recovery."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from child_process import NOBODY
from engine_parts import fetches_ended
from postgres_server import PostgresServer, fresh_schema, postgres_server
from quotewell.cache.postgres.level import PostgresLevel
from quotewell.cache.spared_level import SparedLevel
from quotewell.errors import CacheError
from quotewell.records import Quote
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.wiring import connect
from survival import warnings_told
from valkey_servers import skip_or_fail

pytestmark = pytest.mark.torture

PRICES = {f"S{number:04d}": 100.0 + number for number in range(3_000)}
KNOWN, OTHER = list(PRICES)[:50], list(PRICES)[50:]
UNTIL_STALE = 1000.0
RETRY_LEVEL, RETRY_COORDINATOR = 5.0, 30.0


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A small file system of the server's own."""
    folder.mkdir()
    options = f"size={megabytes}m,uid={NOBODY},gid={NOBODY},mode=700"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        skip_or_fail(f"mounting is not permitted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_up(disk: Path) -> Path:
    """Leave no room for another page."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return filler


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(patience=30.0)


@pytest.fixture
def provider(clock: ManualClock) -> FakeProvider:
    return FakeProvider(clock, dict(PRICES))


def service(
    server: PostgresServer, folder: Path, clock: ManualClock, provider: FakeProvider
) -> TickerService:
    settings = Settings(cache_dir=folder, cache_url=server.url(), cache_timeout=5.0, calendars="plain")
    return connect(settings, clock=clock, providers=[provider])


def check(tickers: TickerService, provider: FakeProvider, symbols: list[str]) -> None:
    found = {symbol: quote and quote.last for symbol, quote in tickers.get_many(symbols).items()}
    fetches_ended()
    assert found == {symbol: provider.prices[symbol] for symbol in symbols}


def next_round(clock: ManualClock, provider: FakeProvider) -> None:
    """All prices change, and none of before is good enough."""
    provider.prices = {symbol: price + 1.0 for symbol, price in provider.prices.items()}
    clock.advance(UNTIL_STALE)


def heals(tickers: TickerService, server: PostgresServer, clock: ManualClock, provider: FakeProvider) -> None:
    for seconds in (RETRY_LEVEL, RETRY_COORDINATOR):
        clock.advance(seconds)
        tickers.engine.follow_others()
    level = tickers.engine.store.level
    assert isinstance(level, SparedLevel)
    assert level.in_order
    next_round(clock, provider)
    check(tickers, provider, list(PRICES))
    stored = dict(server.execute("select symbol, last from quotewell.quote"))
    assert stored == provider.prices


def test_the_disk_of_the_tables_fills_up(tmp_path: Path, clock: ManualClock, provider: FakeProvider) -> None:
    with postgres_server() as server, disk(server.folder / "small", 8) as small:
        server.execute(f"create tablespace small location '{small}'")
        server.execute("alter database postgres set default_tablespace = small")
        with warnings_told() as told, service(server, tmp_path, clock, provider) as tickers:
            check(tickers, provider, KNOWN)
            filler = fill_up(small)
            check(tickers, provider, OTHER)
            next_round(clock, provider)
            check(tickers, provider, list(PRICES))
            filler.unlink()
            heals(tickers, server, clock, provider)
    assert 1 <= len(told) <= 2, "of the level, and perhaps of the coordinator"
    assert all("no room" in text for text in told)


def test_a_write_that_finds_no_room_changes_nothing(clock: ManualClock) -> None:
    with postgres_server() as server, disk(server.folder / "small", 8) as small:
        server.execute(f"create tablespace small location '{small}'")
        server.execute("alter database postgres set default_tablespace = small")
        level = PostgresLevel(server.url(), clock, schema=fresh_schema(), timeout=10.0)
        level.put_many("quote", [Quote(symbol="A", fetched_at=1.0, last=1.0)], begun=level.rev())
        rev = level.rev()
        filler = fill_up(small)
        many = [Quote(symbol=symbol, fetched_at=2.0, last=2.0) for symbol in ("A", *PRICES)]
        with pytest.raises(CacheError, match="no room") as caught:
            level.put_many("quote", many, begun=rev)
        assert "disk" in caught.value.hint
        assert level.rev() == rev
        assert level.keys("quote") == ["A"]
        assert level.get_many("quote", ["A"]) == {"A": Quote(symbol="A", fetched_at=1.0, last=1.0)}
        filler.unlink()
        assert level.put_many("quote", many, begun=rev) == set()
        level.close()


def test_the_disk_of_the_log_fills_up(tmp_path: Path, clock: ManualClock, provider: FakeProvider) -> None:
    """The server ends itself, and comes back when there is room again."""
    with postgres_server(started=False) as server, disk(server.folder / "wal", 64) as wal:
        (server.data / "pg_wal").rename(server.folder / "old")
        subprocess.run(["cp", "-a", server.folder / "old", wal / "pg_wal"], check=True)
        (server.data / "pg_wal").symlink_to(wal / "pg_wal")
        server.configuration |= {"max_wal_size": "32MB", "wal_recycle": "off", "wal_init_zero": "on"}
        server.start()
        with warnings_told() as told, service(server, tmp_path, clock, provider) as tickers:
            check(tickers, provider, KNOWN)
            filler = fill_up(wal)
            for _ in range(12):
                next_round(clock, provider)
                check(tickers, provider, list(PRICES))
            assert not server.is_running(), "the log was never full"
            filler.unlink()
            server.start()
            heals(tickers, server, clock, provider)
    assert 1 <= len(told) <= 2
