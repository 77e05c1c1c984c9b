"""A disk that is full, a folder or file that cannot be written, a file that another process has locked."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from child_process import NOBODY, as_nobody
from engine_parts import fetches_ended
from quotewell.cache import late_level
from quotewell.cache.late_level import LateLevel
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.coordination import standby
from quotewell.coordination.sqlite import SqliteCoordinator
from quotewell.coordination.standby import StandbyCoordinator
from quotewell.protocols import Coordinator, Level
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.wiring import connect
from survival import SYMBOLS, UNTIL_RETRIED, Market, integrity, warnings_told

DISK_BYTES = 1024 * 1024
SOON = 0.02
"""Seconds to wait for a lock that another process will not give back."""


@pytest.fixture
def market() -> Market:
    return Market()


def heals(market: Market, tickers: TickerService, folder: Path) -> None:
    """Once the trouble is over, prices are stored again, for others to find."""
    market.clock.advance(UNTIL_RETRIED)
    market.next_round()
    market.check(tickers)
    assert market.stored(folder) == market.provider.prices
    for name in ("cache.db", "state.db"):
        assert integrity(folder / name) == "ok"


# --------------------------------------------------------------------------------------------------- full


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = f"mounting is not permitted here: {done.stderr.strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_up(disk: Path) -> Path:
    """Leave no room for another byte."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return filler


def test_a_disk_that_fills_up_costs_no_answer(disk: Path, market: Market) -> None:
    with warnings_told() as told, market.open(disk) as tickers:
        tickers.get_price(SYMBOLS[0])
        filler = fill_up(disk)
        market.check(tickers)
        market.next_round()
        market.check(tickers)
        filler.unlink()
        heals(market, tickers, disk)
    assert_told_once(told, "disk is full")
    assert any("cache.db" in text for text in told)


def test_on_a_full_disk_a_service_opens_and_answers(disk: Path, market: Market) -> None:
    filler = fill_up(disk)
    with warnings_told() as told, market.open(disk) as tickers:
        market.check(tickers)
        market.next_round()
        market.check(tickers)
        filler.unlink()
        heals(market, tickers, disk)
    [text] = told
    assert "cache.db" in text


def assert_told_once(told: list[str], words: str) -> None:
    """At most one warning a file, and at least one."""
    assert 1 <= len(told) <= 2
    assert len({"state.db" in text for text in told}) == len(told)
    assert all(words in text for text in told)


# ---------------------------------------------------------------------------------------------- read-only


def remounted(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def test_a_file_system_mounted_read_only_costs_no_answer(disk: Path, market: Market) -> None:
    market.fill(disk)
    fetches_ended()
    remounted(disk, "ro")
    market.next_round()
    with warnings_told() as told, market.open(disk) as tickers:
        market.check(tickers)
        remounted(disk, "rw")
        heals(market, tickers, disk)
    [text] = told
    assert "cache.db" in text


@pytest.fixture
def folder_of_nobody() -> Iterator[Path]:
    """A folder of the user whom permissions concern, in a place that this user can reach."""
    with tempfile.TemporaryDirectory(prefix="of-nobody-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, -1)
        yield folder
        folder.chmod(0o755)


def permitted(folder: Path, *, write: bool) -> None:
    for file in folder.iterdir():
        file.chmod(0o600 if write else 0o400)
    folder.chmod(0o700 if write else 0o500)


@pytest.mark.parametrize("filled", [False, True])
def test_a_folder_that_cannot_be_written_costs_no_answer(
    folder_of_nobody: Path, market: Market, filled: bool
) -> None:
    folder = folder_of_nobody

    def live() -> str:
        if filled:
            market.fill(folder)
        permitted(folder, write=False)
        market.next_round()
        with warnings_told() as told, market.open(folder) as tickers:
            market.check(tickers)
            permitted(folder, write=True)
            heals(market, tickers, folder)
        [text] = told
        return text

    assert "cache.db" in as_nobody(live)


# ------------------------------------------------------------------------------------------------- locked

HOLD = """
import sqlite3, sys
connections = [sqlite3.connect(path, isolation_level=None) for path in sys.argv[1:]]
for connection in connections:
    connection.execute("begin exclusive")
print("locked", flush=True)
sys.stdin.readline()
"""


@contextmanager
def locked(*paths: Path) -> Iterator[Callable[[], None]]:
    """Another process that holds the files; the function lets it end."""
    command = [sys.executable, "-c", HOLD, *map(str, paths)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"

        def let_go() -> None:
            holder.communicate("\n")

        try:
            yield let_go
        finally:
            holder.kill()


def impatient(folder: Path, market: Market, *, late: bool) -> TickerService:
    """As `Market.open`, but it does not wait long for locks."""
    clock = market.clock

    def level() -> Level:
        return SqliteLevel(folder / "cache.db", clock, timeout=SOON)

    def coordinator() -> Coordinator:
        return SqliteCoordinator(folder / "state.db", clock, timeout=SOON)

    stores = (LateLevel(level, clock) if late else level(), StandbyCoordinator(coordinator, clock))
    settings = Settings(calendars="plain", yahoo_concurrency=1)
    return connect(settings, clock=clock, providers=[market.provider], stores=stores)


@pytest.mark.parametrize("names", [("cache.db",), ("state.db",), ("cache.db", "state.db")])
def test_files_locked_in_use_cost_no_answer(tmp_path: Path, market: Market, names: tuple[str, ...]) -> None:
    with warnings_told() as told, impatient(tmp_path, market, late=False) as tickers:
        market.check(tickers)
        with locked(*(tmp_path / name for name in names)) as let_go:
            market.next_round()
            market.check(tickers)
            let_go()
        heals(market, tickers, tmp_path)
    assert len(told) == len(names)
    assert_told_once(told, "locked by another process")


def test_files_locked_before_opening_cost_no_answer(tmp_path: Path, market: Market) -> None:
    market.fill(tmp_path)
    paths = (tmp_path / "cache.db", tmp_path / "state.db")
    for path in paths:  # the lock of this journal mode keeps readers out, too
        connection = sqlite3.connect(path)
        connection.execute("pragma journal_mode = delete").fetchall()
        connection.close()
    with warnings_told() as told, locked(*paths) as let_go:
        market.next_round()
        tickers = impatient(tmp_path, market, late=True)
        assert tickers._coordinator.name == "local"
        market.check(tickers)
        let_go()
        heals(market, tickers, tmp_path)
        assert tickers._coordinator.name == "sqlite"
        tickers.close()
    assert told == []  # for `connect` tells of what cannot be opened


@pytest.mark.torture
def test_a_service_waits_for_locked_files_only_once(tmp_path: Path) -> None:
    market = Market(patience=60.0)  # for locks it waits by the system's clock
    market.fill(tmp_path)
    paths = (tmp_path / "cache.db", tmp_path / "state.db")
    with warnings_told() as told, locked(*paths) as let_go:
        market.next_round()
        with market.open(tmp_path) as tickers:
            market.check(tickers)
            let_go()
            heals(market, tickers, tmp_path)
    assert_told_once(told, "it is locked")


def test_the_tests_above_see_it_when_nothing_is_tried_again(
    tmp_path: Path, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late_level, "_RETRY_SECONDS", float("inf"))
    monkeypatch.setattr(standby, "_RETRY_SECONDS", float("inf"))
    tmp_path.joinpath("cache.db").mkdir()
    with warnings_told() as told, market.open(tmp_path) as tickers:
        market.check(tickers)
        tmp_path.joinpath("cache.db").rmdir()
        with pytest.raises(AssertionError):
            heals(market, tickers, tmp_path)
    assert len(told) == 1
