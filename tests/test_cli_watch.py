"""`quotewell watch`: a table, a stream of JSON, a live screen, and how they end."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command_line import CommandLine
from quotewell.clock import ShiftedClock
from quotewell.demo import demo_now
from quotewell.refresh import RefreshStatus
from quotewell.testing import FakeProvider, ManualClock, MarketSimulator
from quotewell.views.cli.watch import WatchRow
from quotewell.views.render.watch import watch_screen

BOOK = "symbol,quantity,value\nAAPL,1,100\nMSFT250620C00400000,-1,900\nCASH,5,5\n"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def market(clock: ManualClock) -> FakeProvider:
    return FakeProvider(clock, {"AAPL": 190.0, "MSFT": 400.0})


@pytest.fixture
def cli(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    market: FakeProvider,
    clock: ManualClock,
) -> CommandLine:
    made = CommandLine(capsys, monkeypatch, tmp_path)
    made.ask(market, clock=clock)
    return made


def test_once_prints_a_table_and_so_does_a_pipe(cli: CommandLine, market: FakeProvider) -> None:
    for arguments in (["watch", "AAPL", "NOPE", "--once"], ["watch", "AAPL", "NOPE"]):
        ran = cli(*arguments)
        assert ran.code == 0
        assert "exchanges open" in ran.lines[0]
        assert any(line.split()[:3] == ["AAPL", "190.00", "USD"] for line in ran.lines)
        assert any(line.split()[:2] == ["NOPE", "n/a"] for line in ran.lines)
        assert "\x1b" not in ran.out
    assert market.requests == 1, "what is fresh is not asked for again"
    assert cli("watch", "NOPE", "--once").code == 1


def test_a_file_is_watched_by_what_moves_it_the_largest_first(cli: CommandLine) -> None:
    rows = cli("watch", cli.file("book.csv", BOOK), "--once", "--json").json["rows"]
    assert [row["symbol"] for row in rows] == ["MSFT", "AAPL"]


def test_several_files_are_watched_as_one_book(cli: CommandLine) -> None:
    first = cli.file("a.csv", BOOK)
    second = cli.file("b.csv", "symbol,quantity,value\nAAPL,50,10000\n")
    rows = cli("watch", first, second, "MSFT", "--once", "--json").json["rows"]
    assert [row["symbol"] for row in rows] == ["MSFT", "AAPL"]
    assert [row["symbol"] for row in cli("watch", first, second, "--once", "--json").json["rows"]] == [
        "AAPL", "MSFT",
    ]  # fmt: skip


def row(**fields: Any) -> WatchRow:
    known = {"symbol": "AAPL", "price": 190.5, "currency": "USD", "change": -0.0123, "age": 65.0}
    return WatchRow(**{**known, "freshness": "fresh", "source": "yahoo", "is_open": True, **fields})


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_screen_fits_whatever_is_in_it(width: int) -> None:
    long = "a reason of many words that tells what a provider said about the symbol and when to ask again"
    rows = [
        row(),
        row(symbol="AMZN250620C00200000", freshness="stale", error=long),
        row(symbol="X" * 60, price=None, change=None, age=None, is_open=False, error="unknown"),
    ]
    status = RefreshStatus(rounds=3, leads=True, refreshed=12, last_at=0.0, next_at=30.0, error=long)
    lines = watch_screen(rows, status, 10.0, 7, [f"yahoo until noon: {long}"], width)
    assert max(line.cell_len for line in lines) <= width
    text = "\n".join(line.plain for line in lines)
    assert "some open, some closed" in text
    assert "7 requests" in text
    assert "190.50~" in text
    assert "−1.23 %" in text


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (
            RefreshStatus(rounds=1, leads=True, refreshed=1_234, next_at=25.0),
            "1,234 refreshed · next look in 15 s",
        ),
        (RefreshStatus(rounds=1, leads=False), "another process refreshes"),
        (RefreshStatus(rounds=1, error="HTTP 429"), "HTTP 429"),
        (RefreshStatus(), "1 request"),
    ],
)
def test_the_head_tells_who_refreshes_and_when(status: RefreshStatus, shown: str) -> None:
    assert shown in watch_screen([row()], status, 10.0, 1, [], 100)[0].plain


# ------------------------------------------------------------------------------------------- the process


@pytest.fixture
def simulator() -> Iterator[MarketSimulator]:
    clock = ShiftedClock(demo_now())
    with MarketSimulator(symbols=["AAPL", "MSFT"], now=clock.now) as running:
        yield running


@pytest.fixture
def environment(simulator: MarketSimulator, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUOTEWELL_")}
    return {
        **kept,
        "QUOTEWELL_CACHE_DIR": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "QUOTEWELL_PROVIDERS": "yahoo",
        "QUOTEWELL_YAHOO_BASE_URL": simulator.yahoo_url,
        "QUOTEWELL_CALENDARS": "plain",
        "COLUMNS": "80",
        "TERM": "xterm",
    }


def test_a_stream_of_json_ends_with_an_interrupt_and_no_failure(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "quotewell", "watch", "AAPL", "--json", "--interval", "1"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        updates = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")
    assert [update["rows"][0]["symbol"] for update in updates] == ["AAPL", "AAPL"]
    assert updates[1]["refresh"]["rounds"] >= 1


def test_on_a_terminal_the_screen_is_drawn_in_place(environment: dict[str, str]) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "quotewell", "watch", "AAPL", "MSFT", "--interval", "1"]
    with subprocess.Popen(command, env=environment, stdout=follower, stderr=subprocess.PIPE) as process:
        os.close(follower)
        seen = b""
        while seen.count(b"MSFT") < 2:
            seen += os.read(leader, 65_536)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    os.close(leader)
    assert (process.returncode, err) == (0, b"")
    assert b"\x1b[" in seen
    plain = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", seen).decode()
    assert "AAPL" in plain
    assert max(len(line) for line in plain.replace("\r", "\n").split("\n")) <= 80
