"""Histories of one vintage, whoever stores them when: repeated questions, and processes that do not agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from engine_parts import Errand, service_on
from quotewell.cache.memory_level import MemoryLevel
from quotewell.cache.sqlite.level import SqliteLevel
from quotewell.coordination.local import LocalCoordinator
from quotewell.endpoints import Call, Fetched, Lane
from quotewell.protocols import Level
from quotewell.records import Closes, Need, Record
from quotewell.testing import FakeProvider, ManualClock

OLD = [100.0 + day for day in range(200)]
SPLIT = [close / 4.0 for close in OLD]
NEED: Need = ("AAPL", "history")


class LeavesOut(FakeProvider):
    """Leaves everything out of its first `silent` answers."""

    silent = 0

    def fetch(self, call: Call, *, lane: Lane, deadline: float) -> Fetched:
        self.omitted = set(call.symbols) if self.silent else set()
        self.silent = max(self.silent - 1, 0)
        return super().fetch(call, lane=lane, deadline=deadline)


def test_a_history_that_was_left_out_is_asked_for_as_a_whole() -> None:
    """No third question follows that could replace it."""
    clock = ManualClock()
    provider = LeavesOut(clock, closes={"AAPL": OLD})
    with service_on((MemoryLevel(clock), LocalCoordinator(clock)), clock, provider) as tickers:
        tickers.prefetch([NEED])
        clock.advance(86_400.0)
        provider.histories["AAPL"] = SPLIT
        provider.silent = 1
        report = tickers.prefetch([NEED])
        assert report.outcomes[NEED].status == "fetched"
        assert tickers.stored_closes(["AAPL"])["AAPL"].closes == SPLIT
    assert [call.since is None for call in provider.calls] == [True, False, True]


# ----------------------------------------------------------------------------- without leases in common


class _Unguarded(MemoryLevel):
    """The negative control: closes are stored whatever becomes of their record."""

    def put_many(
        self, table: str, records: Sequence[Record], *, begun: int, closes: Sequence[Closes] = ()
    ) -> set[str]:
        self._closes |= {series.symbol: series for series in closes}
        return super().put_many(table, records, begun=begun)


def in_memory(clock: ManualClock, _: Path) -> tuple[Level, Level]:
    level = MemoryLevel(clock)
    return level, level


def on_disk(clock: ManualClock, folder: Path) -> tuple[Level, Level]:
    return SqliteLevel(folder / "cache.db", clock), SqliteLevel(folder / "cache.db", clock)


def unguarded(clock: ManualClock, _: Path) -> tuple[Level, Level]:
    level = _Unguarded(clock)
    return level, level


LEVELS = [(in_memory, True), (on_disk, True), (unguarded, False)]
Levels = Callable[[ManualClock, Path], tuple[Level, Level]]


@pytest.mark.parametrize(("levels", "guarded"), LEVELS)
def test_a_series_that_was_asked_for_earlier_does_not_replace_a_later_one(
    levels: Levels, guarded: bool, tmp_path: Path
) -> None:
    clock = ManualClock()
    mine, theirs = levels(clock, tmp_path)
    early, late = FakeProvider(clock, closes={"AAPL": OLD}), FakeProvider(clock, closes={"AAPL": SPLIT})
    with (
        service_on((mine, LocalCoordinator(clock)), clock, early) as first,
        service_on((theirs, LocalCoordinator(clock)), clock, late) as second,
    ):
        early.hold()
        errand = Errand(lambda: first.prefetch([NEED]))
        early.await_calls(1)
        clock.advance(1.0)
        second.prefetch([NEED])
        early.release()
        errand.result()
        assert second.stored_closes(["AAPL"])["AAPL"].closes == (SPLIT if guarded else OLD)


@pytest.mark.parametrize(("levels", "guarded"), LEVELS)
def test_closes_that_were_on_their_way_do_not_come_back_after_a_deletion(
    levels: Levels, guarded: bool, tmp_path: Path
) -> None:
    clock = ManualClock()
    mine, theirs = levels(clock, tmp_path)
    provider = FakeProvider(clock, closes={"AAPL": OLD})
    with (
        service_on((mine, LocalCoordinator(clock)), clock, provider) as first,
        service_on((theirs, LocalCoordinator(clock)), clock) as second,
    ):
        provider.hold()
        errand = Errand(lambda: first.prefetch([NEED]))
        provider.await_calls(1)
        second.invalidate(["AAPL"], facets=["history"], hard=True)
        provider.release()
        errand.result()
        assert bool(second.stored_closes(["AAPL"])) != guarded
