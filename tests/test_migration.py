"""Copying everything from one level into another, and back."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from command_line import CommandLine
from quotewell.cache.memory_level import MemoryLevel
from quotewell.cache.migration import Migrated, migrate
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.protocols import Level
from quotewell.records import Closes, Failure, Fx, History, Quote, Record, Result
from quotewell.testing import ManualClock
from shared_engines import PLACES
from test_json_doc import documented
from valkey_servers import valkey_level

FAILURE = Failure("timeout", "took 15 s", "x", 2, 1.0, 2.0, 3.0)
SERIES = Closes(symbol="A", source="x", dates=[1, 2], closes=[2.0, 3.0])


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def quote(symbol: str, fetched_at: float = 100.0) -> Quote:
    return Quote(symbol=symbol, source="x", fetched_at=fetched_at, last=fetched_at)


def fill(level: Level) -> None:
    """Something of everything."""
    many = [quote(f"Q{number}") for number in range(2_500)]
    level.put_many("quote", many, begun=level.rev())
    level.put_many("history", [History(symbol="A", fetched_at=1.0)], begun=level.rev(), closes=[SERIES])
    level.put_many("result:mine", [Result(symbol="k", fetched_at=1.0, blob=b"b")], begun=level.rev())
    level.fail_many("quote", {"Q0": FAILURE, "NEVER": FAILURE}, begun=level.rev())
    level.invalidate_many("quote", ["Q0", "Q1"])


def everything(level: Level) -> dict[str, dict[str, Record]]:
    return {table: level.get_many(table, level.keys(table)) for table in level.stats().records}


def test_nothing_is_lost_on_the_way_there_and_back(tmp_path: Path, clock: ManualClock) -> None:
    first, shared = SqliteLevel(tmp_path / "1.db", clock), valkey_level(clock)
    second = SqliteLevel(tmp_path / "2.db", clock)
    fill(first)
    done = migrate(first, shared)
    assert done == Migrated(copied={"history": 1, "quote": 2_501, "result:mine": 1}, kept={})
    migrate(shared, second)
    assert everything(first) == everything(shared) == everything(second)
    assert second.get_closes(["A"]) == {"A": SERIES}
    for level in (first, shared, second):
        level.close()


def test_what_is_newer_there_stays(clock: ManualClock) -> None:
    source, target = MemoryLevel(clock), MemoryLevel(clock)
    source.put_many("quote", [quote("OLDER"), quote("NEWER"), quote("INVALID")], begun=0)
    source.fail_many("quote", {"FAILED": FAILURE, "OLDER": FAILURE}, begun=source.rev())
    source.invalidate_many("quote", ["INVALID", "OLDER"])
    target.put_many("quote", [quote("OLDER", 200.0), quote("FAILED"), quote("NEWER", 50.0)], begun=0)
    assert migrate(source, target) == Migrated(copied={"quote": 2}, kept={"quote": 2})
    found = target.get_many("quote", ["OLDER", "FAILED", "NEWER", "INVALID"])
    assert found == {
        "OLDER": quote("OLDER", 200.0),
        "FAILED": quote("FAILED"),
        "NEWER": quote("NEWER"),
        "INVALID": msgspec.structs.replace(quote("INVALID"), invalidated=True),
    }


class Withdrawing(MemoryLevel):
    """In it a key is deleted while the copy is on its way."""

    def get_closes(self, symbols: object) -> dict[str, Closes]:
        raise AssertionError(symbols)

    def rev(self) -> int:
        before = super().rev()
        self.delete_many("fx", ["GONE"])
        return before


def test_what_is_deleted_there_meanwhile_is_not_brought_back(clock: ManualClock) -> None:
    source, target = MemoryLevel(clock), Withdrawing(clock)
    source.put_many("fx", [Fx(symbol="GONE", fetched_at=1.0), Fx(symbol="KEPT", fetched_at=1.0)], begun=0)
    assert migrate(source, target) == Migrated(copied={"fx": 1}, kept={"fx": 1})
    assert target.keys("fx") == ["KEPT"]


@pytest.mark.parametrize("place", PLACES)
def test_the_command_copies_there_and_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    cli = CommandLine(capsys, monkeypatch, tmp_path)
    assert cli("quote", "AAPL").code == 0
    alone = cli("cache", "migrate", "--to", "shared")
    assert alone.code == 2
    assert "no shared cache is named" in alone.err
    for name, value in PLACES[place]().items():
        cli.set(f"QUOTEWELL_{name}".upper(), str(value))
    there = cli("cache", "migrate", "--to", "shared", "--json")
    assert list(there.json) == documented("Migrated")
    assert there.json["copied"]["quote"] == 1
    cli.set("QUOTEWELL_OFFLINE", "1")
    assert cli("quote", "AAPL", "--json").json[0]["level"] == place
    cli.set("QUOTEWELL_CACHE_DIR", str(tmp_path / "another"))
    back = cli("cache", "migrate", "--to", "own")
    assert "quote: 1 copied" in back.lines
    monkeypatch.delenv("QUOTEWELL_CACHE_URL")
    assert cli("quote", "AAPL", "--json").json[0]["level"] == "sqlite"
