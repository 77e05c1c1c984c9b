"""What every level must tell of invalidations and deletions, and how it keeps closes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from levels import (
    HOUR,
    changed,
    closes,
    failure,
    get,
    put,
    put_closes,
    quote,
)
from quotewell.protocols import Level
from quotewell.records import (
    Closes,
    History,
    Quote,
    Result,
)
from quotewell.testing import ManualClock

# ---------------------------------------------------------------------- invalidation, deletion, changes


def test_invalidation_keeps_value_and_failure_and_counts_existing_records(level: Level) -> None:
    put(level, quote("A"), quote("B"), quote("C"))
    level.fail_many("quote", {"A": failure()}, begun=level.rev())
    assert level.invalidate_many("quote", ["A", "A", "MISSING"]) == 1
    assert get(level, "A") == msgspec.structs.replace(quote("A"), failure=failure(), invalidated=True)
    assert get(level, "B") == quote("B")
    assert level.keys("quote") == ["A", "B", "C"], "invalidation makes no records"
    assert level.invalidate_many("quote", None) == 3
    assert all(record.invalidated for record in level.get_many("quote", ["A", "B", "C"]).values())
    assert level.invalidate_many("quote", []) == 0


def test_deletion_forgets_value_and_failure_and_counts_records(level: Level) -> None:
    put(level, quote("A"), quote("B"), quote("C"))
    level.fail_many("quote", {"A": failure(), "D": failure()}, begun=level.rev())
    assert level.delete_many("quote", ["A", "A", "MISSING"]) == 1
    assert get(level, "A") is None
    assert level.delete_many("quote", None) == 3
    assert level.keys("quote") == []
    assert level.delete_many("quote", []) == 0


def test_each_write_takes_one_revision(level: Level) -> None:
    rev = level.rev()
    writes: list[Callable[[], object]] = [
        lambda: level.put_many("quote", [quote("A"), quote("B")], begun=rev),
        lambda: level.fail_many("quote", {"A": failure()}, begun=level.rev()),
        lambda: level.invalidate_many("quote", ["A"]),
        lambda: put_closes(level, closes("A")),
        lambda: level.delete_many("quote", None),
    ]
    for number, write in enumerate(writes, 1):
        write()
        assert level.rev() == rev + number
    level.put_many("quote", [], begun=rev)
    level.fail_many("quote", {}, begun=rev)
    level.invalidate_many("quote", [])
    assert level.rev() == rev + len(writes), "writing nothing is no write"


def test_changes_tell_what_was_written_failed_invalidated_and_deleted_since(level: Level) -> None:
    put(level, quote("A"), quote("B"), quote("C"))
    rev = level.rev()
    assert changed(level, rev) == {}
    put(level, quote("A", 101.0))
    assert changed(level, rev) == {"quote": {"A"}}
    level.fail_many("profile", {"X": failure()}, begun=level.rev())
    level.invalidate_many("quote", ["B", "NOT THERE"])
    level.delete_many("quote", ["C"])
    put(level, Result(symbol="k", fetched_at=1.0), table="result:mine")
    seen = changed(level, rev)
    assert seen is not None
    assert seen["quote"] >= {"A", "B", "C"}
    assert seen["profile"] == {"X"}
    assert seen["result:mine"] == {"k"}
    assert changed(level, level.rev()) == {}


def test_a_deletion_of_a_key_without_a_record_is_told(level: Level) -> None:
    rev = level.rev()
    level.delete_many("quote", ["NEVER THERE"])
    assert changed(level, rev) == {"quote": {"NEVER THERE"}}


def test_changes_tell_of_a_whole_table(level: Level) -> None:
    put(level, quote("A"), quote("B"))
    rev = level.rev()
    level.invalidate_many("quote", None)
    assert changed(level, rev) == {"quote": {"A", "B"}}
    level.delete_many("quote", None)
    assert changed(level, rev) is None, "deleted records cannot be named any more: drop everything"
    assert changed(level, level.rev()) == {}


def test_refused_writes_change_no_key(level: Level) -> None:
    put(level, quote("A", 100.0))
    rev = level.rev()
    level.put_many("quote", [quote("A", 50.0)], begun=rev)
    assert changed(level, rev) == {}


def test_a_revision_that_the_store_never_had_tells_of_another_store(level: Level) -> None:
    put(level, quote("A"), quote("B"))
    level.invalidate_many("quote", ["A"])
    level.delete_many("profile", ["C"])
    changes = level.changes_since(level.rev() + 1)
    assert (changes.rebuilt, changes.keys) == (True, {"quote": {"A"}, "profile": {"C"}})
    assert not level.changes_since(level.rev()).rebuilt
    level.invalidate_many("quote", None)
    assert changed(level, level.rev() + 1) is None


def test_the_log_of_deletions_reaches_back_one_hour(level: Level, clock: ManualClock) -> None:
    put(level, quote("A"))
    ancient = level.rev()
    level.delete_many("quote", ["A"])
    recent = level.rev()
    clock.advance(HOUR - 1.0)
    level.delete_many("quote", ["B"])
    assert changed(level, ancient) == {"quote": {"A", "B"}}
    clock.advance(2.0)
    level.delete_many("quote", ["C"])
    assert changed(level, ancient) is None, "the first deletion is forgotten"
    assert changed(level, recent) == {"quote": {"B", "C"}}


def test_a_clock_that_was_wrong_for_a_while_does_not_keep_the_log_for_ever(
    level: Level, clock: ManualClock
) -> None:
    before = level.rev()
    clock.set_wall(1_000_000.0 + 1000 * HOUR)
    level.delete_many("quote", ["A"])
    clock.set_wall(1_000_000.0)
    level.delete_many("quote", ["B"])
    assert changed(level, before) is None
    assert changed(level, level.rev() - 1) == {"quote": {"B"}}


# ------------------------------------------------------------------------------------------------ closes


def test_closes_replace_the_stored_series(level: Level) -> None:
    put_closes(level, closes("A", days=5), closes("B"))
    put_closes(level, closes("A", days=2, source="fmp"))
    assert level.get_closes(["A", "B", "C"]) == {"A": closes("A", days=2, source="fmp"), "B": closes("B")}
    assert level.get_closes([]) == {}


def test_an_empty_series_removes_the_stored_one(level: Level) -> None:
    put_closes(level, closes("A"))
    put_closes(level, Closes(symbol="A", source="yahoo", dates=[], closes=[]))
    assert level.get_closes(["A"]) == {}


def test_closes_are_refused_with_their_record(level: Level) -> None:
    put_closes(level, closes("OLD"), closes("GONE"), closes("SAME"), fetched_at=5.0)
    begun = level.rev()
    level.delete_many("history", ["GONE"])
    records = [
        History(symbol=symbol, fetched_at=fetched_at)
        for symbol, fetched_at in (("OLD", 4.0), ("GONE", 6.0), ("SAME", 5.0), ("NEW", 6.0))
    ]
    series = [closes(symbol, days=2) for symbol in ("OLD", "GONE", "SAME", "NEW", "NOBODY")]
    refused = level.put_many("history", records, begun=begun, closes=series)
    assert refused == {"OLD", "GONE"}
    assert level.get_closes(["OLD", "GONE", "SAME", "NEW", "NOBODY"]) == {
        "OLD": closes("OLD"), "SAME": closes("SAME", days=2), "NEW": closes("NEW", days=2),
    }  # fmt: skip


def test_closes_of_a_fetch_whose_begin_nobody_remembers_are_refused(level: Level) -> None:
    begun = level.rev()
    level.delete_many("history", None)
    record = History(symbol="A", fetched_at=1.0)
    assert level.put_many("history", [record], begun=begun, closes=[closes("A")]) == {"A"}
    assert level.get_closes(["A"]) == {}


def test_given_closes_can_be_changed_without_harm(level: Level) -> None:
    mine = closes("A")
    put_closes(level, mine)
    mine.closes[0] = -1.0
    level.get_closes(["A"])["A"].closes[1] = -1.0
    assert level.get_closes(["A"]) == {"A": closes("A")}


def test_deleting_history_deletes_the_closes(level: Level) -> None:
    put_closes(level, closes("A"), closes("B"), closes("C"))
    assert level.delete_many("history", ["A", "B"]) == 2
    assert level.get_closes(["A", "B", "C"]).keys() == {"C"}
    level.delete_many("quote", None)
    assert level.get_closes(["C"]).keys() == {"C"}
    level.delete_many("history", None)
    assert level.get_closes(["C"]) == {}


# ------------------------------------------------------------------------------------------------ upkeep


def test_pruning_drops_what_was_fetched_longest_ago_in_each_table(level: Level) -> None:
    put(level, *[quote(f"S{i}", fetched_at=100.0 - i) for i in (3, 1, 4, 2, 5)])
    level.fail_many("quote", {"FAILED": failure()}, begun=level.rev())
    put(level, *[Result(symbol=f"k{i}", fetched_at=float(i)) for i in range(3)], table="result:mine")
    rev = level.rev()
    assert level.prune(2) == 4 + 1
    assert sorted(level.keys("quote")) == ["S1", "S2"]
    assert sorted(level.keys("result:mine")) == ["k1", "k2"]
    assert level.prune(2) == 0
    assert changed(level, rev) == {}, "values that others have in memory are still good"


def test_pruning_a_history_drops_its_closes(level: Level) -> None:
    for number, symbol in enumerate("AB"):
        put_closes(level, closes(symbol), fetched_at=float(number))
    assert level.prune(1) == 1
    assert level.get_closes(["A", "B"]).keys() == {"B"}


def test_stats_count_records_by_table(level: Level) -> None:
    put(level, quote("A"), quote("B"))
    level.fail_many("risk", {"A": failure()}, begun=level.rev())
    stats = level.stats()
    assert stats.records == {"quote": 2, "risk": 1}
    assert stats.bytes is None or stats.bytes > 0


def test_closing_twice_is_fine(level: Level) -> None:
    level.close()
    level.close()


def test_threads_agree_on_the_youngest_value(level: Level) -> None:
    threads, rounds = 4, 25
    symbols = [f"S{i}" for i in range(20)]
    gate = threading.Barrier(threads)

    def work(number: int) -> int:
        gate.wait()
        refused = 0
        for turn in range(rounds):
            at = 1.0 + turn * threads + number
            batch = [quote(symbol, at, last=at) for symbol in symbols]
            refused += len(level.put_many("quote", batch, begun=level.rev()))
            seen = level.get_many("quote", symbols)
            assert all(
                isinstance(r, Quote) and (r.fetched_at or 0.0) >= at and r.last == r.fetched_at
                for r in seen.values()
            )
        return refused

    rev = level.rev()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    assert level.rev() == rev + threads * rounds
    youngest = float(threads * rounds)
    assert {record.fetched_at for record in level.get_many("quote", symbols).values()} == {youngest}
