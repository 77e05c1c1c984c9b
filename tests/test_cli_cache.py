"""`quotewell prefetch`, `cache`, `doctor`: what they print and how they end."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from command_line import CommandLine
from quotewell.calendars import close_of
from quotewell.endpoints import Pause
from quotewell.service import TickerService
from quotewell.testing import FakeProvider, ManualClock
from shared_engines import ENGINES

AT = close_of(dt.date(2025, 5, 8))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AT + 3600)


@pytest.fixture
def market(clock: ManualClock) -> FakeProvider:
    closes = {
        symbol: [100.0 * (1.01 if day % 2 else 1.0) ** beta for day in range(600)]
        for symbol, beta in (("AAPL", 1.5), ("BRK-B", 0.5), ("^GSPC", 1.0))
    }
    return FakeProvider(clock, {"AAPL": 1234.5, "BRK-B": 400.0}, closes)


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


def test_prefetch_tells_the_outcome_of_everything(cli: CommandLine) -> None:
    ran = cli("prefetch", "AAPL", "NOPE")
    assert ran.code == 0
    assert ran.lines[0].startswith("2 symbols in ")
    assert ran.lines[0].endswith("requests: 1 fetched · 1 unknown")
    assert any(line.startswith("  NOPE quote: ") for line in ran.lines[1:])
    again = cli("prefetch", "AAPL", "--json").json
    assert again["requests"] == 0
    assert again["counts"]["fresh"] == 4
    assert again["outcomes"]["AAPL"]["risk"] == {"status": "fresh", "reason": "", "retry_at": None}


def test_prefetch_of_a_file_brings_what_its_report_needs(cli: CommandLine, market: FakeProvider) -> None:
    path = cli.file("book.csv", "symbol,quantity\nAAPL,1\nBRK.B,2\n")
    report = cli("prefetch", path, "--json").json
    assert sorted(report["outcomes"]) == ["AAPL", "BRK-B"]
    before = market.requests
    cli("summary", path)
    assert market.requests == before
    only_cash = cli.file("cash.csv", "symbol,quantity,value\nSPAXX**,5,5\n")
    assert "nothing to do" in cli("prefetch", only_cash).out
    assert cli("prefetch", only_cash).code == 0


def test_several_files_are_fetched_as_one_book(cli: CommandLine) -> None:
    older = cli.file("old_2025-05-07.csv", "symbol,quantity,account\nAAPL,1,A\n")
    newer = cli.file("new_2025-05-08.csv", "symbol,quantity,account\nBRK.B,2,A\n")
    assert list(cli("prefetch", older, newer, "--json").json["outcomes"]) == ["BRK-B"]
    with_symbol = cli("prefetch", older, newer, "MSFT", "--json").json
    assert sorted(with_symbol["outcomes"]) == ["BRK-B", "MSFT"]
    ran = cli("prefetch", older, older)
    assert (ran.code, "says the same as" in ran.err) == (1, True)


def test_prefetch_codes(cli: CommandLine) -> None:
    assert cli("prefetch", "NOPE").code == 1
    assert cli("prefetch", "AAPL", "NOPE", "--strict").code == 3
    assert cli("prefetch", "AAPL", "--strict").code == 0
    assert cli("prefetch", "gone.csv").code == 1
    assert cli("prefetch", "A" * 5000).code == 1


def test_long_lists_of_failures_are_counted(cli: CommandLine) -> None:
    ran = cli("prefetch", *(f"NO{letter}" for letter in "ABCDE"))
    assert len(ran.lines) == 12
    assert ran.lines[-1] == "  and 10 more: --json shows all"


# -------------------------------------------------------------------------------------------------- cache


def test_cache_stats_clear_refresh_path(cli: CommandLine, market: FakeProvider) -> None:
    cli("quote", "AAPL", "BRK-B")
    stats = cli("cache", "stats", "--json").json
    assert stats["level"]["name"] == "sqlite"
    assert stats["level"]["records"]["quote"] == 2
    cleared = cli("cache", "clear", "AAPL", "--json").json
    assert cleared["cleared"] >= 3
    assert cli("cache", "stats", "--json").json["level"]["records"]["quote"] == 1
    assert cli("cache", "clear").lines[0].endswith(" records cleared")
    assert cli("cache", "stats", "--json").json["level"]["records"].get("quote", 0) == 0
    before = market.requests
    assert cli("cache", "refresh", "AAPL").code == 0
    assert market.requests > before
    assert cli("cache", "refresh", "NOPE").code == 1
    assert cli("cache", "path").lines == [str(cli.folder / "cache")]
    assert cli("cache", "path", "--json").json == {"schema": 1, "path": str(cli.folder / "cache")}


# ------------------------------------------------------------------------------------------------- doctor


def test_doctor_finds_nothing_out_of_order(cli: CommandLine, market: FakeProvider) -> None:
    market.prices["^GSPC"] = 5600.0
    ran = cli("doctor", "--online")
    assert ran.code == 0
    assert [line.split()[:2] for line in ran.lines] == [
        ["ok", "quotewell"],
        ["ok", "settings"],
        ["ok", "cache"],
        ["ok", "provider"],
        ["ok", "online"],
    ]
    checks = cli("doctor", "--json").json["checks"]
    assert [check["name"] for check in checks] == ["quotewell", "settings", "cache", "provider fake"]


def test_doctor_names_what_is_out_of_order(cli: CommandLine, market: FakeProvider) -> None:
    market.failure = "network"
    ran = cli("doctor", "--online")
    assert ran.code == 1
    assert "!!  online" in ran.out
    cli.set("QUOTEWELL_CACHE_DIR", cli.file("occupied", "x"))
    assert "!!  cache" in cli("doctor").out
    cli.set("QUOTEWELL_NONSENSE", "1")
    wrong = cli("doctor", "--json")
    assert wrong.code == 1
    assert wrong.json["checks"][-1]["name"] == "settings"
    assert wrong.json["checks"][-1]["ok"] is False


@pytest.mark.parametrize("engine", ENGINES)
def test_doctor_tells_of_a_shared_cache_whether_it_is_there(
    cli: CommandLine, tmp_path: Path, engine: str
) -> None:
    (tmp_path / "server").mkdir()
    server = ENGINES[engine](tmp_path / "server")
    for name, value in server.settings.items():
        cli.set(f"QUOTEWELL_{name}".upper(), str(value))
    url = str(server.settings["cache_url"])
    try:
        cli("quote", "AAPL")
        [told] = [check for check in cli("doctor", "--json").json["checks"] if check["name"] == "cache"]
        assert told["ok"]
        assert told["detail"].startswith(f"{engine}, ")
        assert url.rpartition("@")[2].rpartition("://")[2] in told["detail"]
        server.kill()
        cli.set("QUOTEWELL_CACHE_PASSWORD", "hunter2")
        ran = cli("doctor")
        assert ran.code == 1
        assert "!!  cache" in ran.out
        assert "until it is back" in ran.out
        assert "hunter2" not in ran.out + ran.err
    finally:
        server.close()


def test_doctor_shows_a_pause_and_no_secret(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> None:
    cli.set("QUOTEWELL_FMP_API_KEY", "hunter2")
    pause = Pause(clock.now() + 60, "429")
    monkeypatch.setattr(TickerService, "pauses", lambda self: {"fake": pause})
    ran = cli("doctor")
    assert ran.code == 1
    assert "paused until 2025-05-08T21:01:00Z: 429" in ran.out
    assert "hunter2" not in ran.out
