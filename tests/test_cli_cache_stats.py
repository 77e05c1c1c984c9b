"""`quotewell cache stats`: the counts of one-shot commands, by day, as a screen and as JSON."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

import pytest

from command_line import CommandLine
from quotewell.cache.stats import CacheStats, DayStats, FacetStats, MemoryStats, PersistentStats
from quotewell.testing import FakeProvider, ManualClock
from quotewell.views.render.cache_stats import cache_stats_screen

NOON = dt.datetime(2025, 5, 8, 12, tzinfo=dt.UTC).timestamp()
DAY = 86_400.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def cli(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: ManualClock
) -> CommandLine:
    made = CommandLine(capsys, monkeypatch, tmp_path)
    made.ask(FakeProvider(clock, {"AAPL": 190.0, "MSFT": 400.0}), clock=clock)
    return made


def test_what_a_command_did_stands_under_today(cli: CommandLine) -> None:
    assert cli("cache", "stats", "--json").json["days"] == []
    cli("quote", "AAPL")
    (first,) = cli("cache", "stats", "--json").json["days"]
    assert first["day"] == "2025-05-08"
    assert (first["facets"]["quote"]["misses"], first["facets"]["quote"]["fetched"]) == (1, 1)
    cli("quote", "AAPL")
    (second,) = cli("cache", "stats", "--json").json["days"]
    assert second["facets"]["quote"]["misses"] == 1
    assert second["facets"]["quote"]["level_hits"] > first["facets"]["quote"]["level_hits"]
    assert second["total"]["hit_rate"] > first["total"]["hit_rate"]


def test_looking_counts_nothing(cli: CommandLine) -> None:
    cli("quote", "AAPL")
    looks = [cli("cache", "stats", "--json").json["days"] for _ in range(3)]
    assert looks[0] == looks[2]


def test_only_the_days_asked_for(cli: CommandLine, clock: ManualClock) -> None:
    for day in range(9):
        clock.set_wall(NOON + day * DAY)
        cli("quote", "AAPL")

    def days(*options: str) -> list[str]:
        return [day["day"] for day in cli("cache", "stats", "--json", *options).json["days"]]

    assert days() == [f"2025-05-{day:02}" for day in range(10, 17)]
    assert days("--days", "2") == ["2025-05-15", "2025-05-16"]
    assert len(days("--days", "400")) == 9
    screen = cli("cache", "stats", "--days", "2")
    assert [line.split()[0] for line in screen.lines[:4]] == ["UTC", "2025-05-15", "2025-05-16", "2"]
    assert "By facet, the last 2 days" in screen.out
    assert "By facet, today" in cli("cache", "stats", "--days", "1").out


@pytest.mark.parametrize("days", ["0", "-1", "401", "many", "1.5", "", "²", "9" * 5000])
def test_days_that_are_none(cli: CommandLine, days: str) -> None:
    ran = cli("cache", "stats", f"--days={days}")
    assert ran.code == 2
    assert "is not a number of days from 1 to 400" in ran.err
    assert ran.err.count("\n") == 1


def test_clearing_the_cache_forgets_no_statistics(cli: CommandLine) -> None:
    cli("quote", "AAPL")
    before = cli("cache", "stats", "--json").json["days"]
    cli("cache", "clear")
    after = cli("cache", "stats", "--json").json
    assert after["level"]["records"].get("quote", 0) == 0
    assert after["days"] == before
    screen = cli("cache", "stats").out
    assert "quote " in screen, "what was counted is shown of what is no longer stored"


def test_nothing_counted_is_said(cli: CommandLine) -> None:
    assert cli("cache", "stats").lines[0].strip() == "Nothing was counted in the last 7 days (UTC)."
    assert cli("cache", "stats", "--days", "1").lines[0].strip() == "Nothing was counted today (UTC)."


def test_a_locked_state_file_does_not_stop_a_command(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("quote", "AAPL")
    lock = sqlite3.connect(cli.folder / "cache" / "state.db", isolation_level=None)
    monkeypatch.setattr(
        "quotewell.coordination.sqlite.SqliteCoordinator.__init__.__kwdefaults__", {"timeout": 0.01}
    )
    lock.execute("begin immediate")
    ran = cli("quote", "AAPL")
    lock.close()
    assert ran.code == 0
    assert "190.00" in ran.out
    assert "locked by another process" in ran.err
    assert len(ran.err.splitlines()) == 1


# ------------------------------------------------------------------------------------------------- the screen


def screen(n: int, width: int, days: int = 3, level: str = "sqlite") -> list[str]:
    """A screen on which every count is `n`."""
    stats = FacetStats.of(dict.fromkeys(FacetStats.__struct_fields__, n))
    facets = {"quote": stats, "dividend": stats, "result:my_own.module.with_a_long_name": stats}
    day = DayStats(day="2025-05-08", facets=facets, total=FacetStats.total(facets.values()), requests=n)
    held = dict.fromkeys(facets, n)
    lines = cache_stats_screen(
        CacheStats(
            facets={},
            total=FacetStats.of({}),
            memory=MemoryStats(hits=n, records=held, max_records=n, bytes=n, max_bytes=n, evictions=n),
            level=PersistentStats(name=level, hits=n, misses=n, records=held, bytes=n),
            requests=n,
        ),
        [day] * days,
        7,
        width,
    )
    return [line.plain for line in lines]


@pytest.mark.parametrize(
    ("n", "width"),
    [
        *((n, width) for n in (0, 7, 12_345) for width in (60, 80, 120)),
        *((n, width) for n in (123_456_789, 999_999_999_999) for width in (80, 120)),
    ],
)
def test_nothing_wraps_and_nothing_is_cut(n: int, width: int) -> None:
    lines = screen(n, width)
    assert max(map(len, lines)) <= width
    assert not any(line.endswith("…") for line in lines), "no column is cut; what does not fit is left out"


def test_all_columns_fit_120_and_the_main_ones_80() -> None:
    assert screen(12_345, 120)[0].split() == [
        "UTC", "memory", "sqlite", "stale", "negative", "misses", "fetched", "failed", "evicted",
        "requests", "hits",
    ]  # fmt: skip
    assert screen(1_234, 80)[0].split() == [
        "UTC", "memory", "sqlite", "stale", "negative", "misses", "failed", "requests", "hits",
    ]  # fmt: skip


def test_numbers_stand_at_the_right_with_separators() -> None:
    heading, first, second, _, total = screen(12_345, 120)[:5]
    for title in ("memory", "misses", "requests"):
        end = heading.index(title) + len(title)
        assert first[:end].endswith(" 37,035" if title != "requests" else " 12,345")
        assert total[:end].endswith("111,105" if title != "requests" else " 37,035")
    assert total.startswith(" 3 days")
    assert first.endswith("75.0 %")
    assert first == second


def test_one_day_needs_no_total() -> None:
    assert not any(line.startswith(" 1 day") for line in screen(1, 80, days=1))


def test_a_persistent_level_in_memory_is_told_from_the_memory_level() -> None:
    assert screen(1, 120, level="memory")[0].split()[1:4] == ["memory", "level", "2"]
