"""Across processes over one cache: one fetch, one truth, and nobody waits for the dead."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from loopback_market import LoopbackMarket
from shared_engines import PLACES
from worker_process import Worker

PROCESSES = 4
SYMBOLS = [f"S{number // 26:02d}{chr(ord('A') + number % 26)}" for number in range(1000)]
SET = 500
"""Symbols that each process asks for."""
LEASE_SECONDS = 0.5
LONG_LEASE_SECONDS = 1.5
"""A busy machine may be late with a renewal by two thirds of that."""
SEEN_WITHIN = 0.1
"""Seconds after which a change is to be seen by who asks all the time."""
GENEROUS = 20
"""Times slower that a busy machine may be."""


Place = Mapping[str, object]


@pytest.fixture(params=["sqlite", *PLACES])
def place(request: pytest.FixtureRequest) -> Place:
    """What the settings say of the cache, beside the folder."""
    return PLACES[request.param]() if request.param in PLACES else {}


@pytest.fixture
def market() -> Iterator[LoopbackMarket]:
    with LoopbackMarket({symbol: float(place) for place, symbol in enumerate(SYMBOLS, 100)}) as made:
        yield made


@pytest.mark.parametrize(("leases", "fetched_once"), [(True, True), (False, False)])
def test_processes_that_start_cold_together_fetch_each_symbol_once(
    market: LoopbackMarket, tmp_path: Path, place: Place, leases: bool, fetched_once: bool
) -> None:
    """Sets overlap, every other one is asked in the opposite order, so that claims cross.

    No answer is given before all have found the cache empty.
    """
    wanted = [_overlapping(number) for number in range(PROCESSES)]
    with ExitStack() as ending:
        workers = [
            ending.enter_context(
                Worker(tmp_path, market.port, f"worker {number}", leases=leases, place=place)
            )
            for number in range(PROCESSES)
        ]
        market.hold()
        for symbols, worker in zip(wanted, workers, strict=True):
            worker.begin("prices", symbols)
        market.await_events(*(f"{worker.name} leases" for worker in workers))
        market.release()
        for symbols, worker in zip(wanted, workers, strict=True):
            assert worker.answer() == {symbol: market.prices[symbol] for symbol in symbols}
    times = Counter(market.asked_symbols)
    assert set(times) == set(SYMBOLS)
    assert (set(times.values()) == {1}) == fetched_once


def test_a_killed_leader_delays_the_others_by_one_lease(
    market: LoopbackMarket, tmp_path: Path, place: Place
) -> None:
    wanted = SYMBOLS[:50]
    expected = {symbol: market.prices[symbol] for symbol in wanted}
    with ExitStack() as ending:
        leader, *heirs = (
            ending.enter_context(
                Worker(tmp_path, market.port, name, lease_seconds=LEASE_SECONDS, place=place)
            )
            for name in ("leader", "heir", "another heir")
        )
        market.hold()
        leader.begin("prices", wanted)
        market.await_calls(1)
        for heir in heirs:
            heir.begin("prices", wanted)
        market.await_events("leader leases", "heir leases", "another heir leases")
        market.await_events("leader renews")
        killed = time.monotonic()
        leader.kill()
        market.release()
        assert [heir.answer() for heir in heirs] == [expected, expected]
        waited = time.monotonic() - killed
    # The figures are what `pytest -s` is for; the bounds are for any machine.
    print(f"answered {waited:.3f} s after the kill, with a lease of {LEASE_SECONDS} s")  # noqa: T201  a figure
    assert waited < LEASE_SECONDS + SEEN_WITHIN * GENEROUS
    assert Counter(market.asked_symbols) == Counter(wanted * 2), "by the leader and by one of the others"


@pytest.mark.parametrize("renewal", [True, False])
def test_a_fetch_that_outlives_its_lease_is_not_begun_by_another_process(
    market: LoopbackMarket, tmp_path: Path, place: Place, renewal: bool
) -> None:
    """The answer is held until the lease was renewed for longer than it lasts, or another has taken it."""
    wanted = SYMBOLS[:50]
    expected = {symbol: market.prices[symbol] for symbol in wanted}
    with (
        Worker(
            tmp_path, market.port, "leader", lease_seconds=LONG_LEASE_SECONDS, renewal=renewal, place=place
        ) as leader,
        Worker(tmp_path, market.port, "other", lease_seconds=LONG_LEASE_SECONDS, place=place) as other,
    ):
        market.hold()
        leader.begin("prices", wanted)
        market.await_calls(1)
        other.begin("prices", wanted)
        if renewal:
            market.await_events(*["leader renews"] * 4)
        else:
            market.await_calls(1)
        market.release()
        assert leader.answer() == other.answer() == expected
    assert len(market.calls) == (1 if renewal else 2)


@pytest.mark.parametrize("change", ["invalidate", "refresh"])
def test_what_one_process_changes_another_sees_at_once(
    market: LoopbackMarket, tmp_path: Path, place: Place, change: str
) -> None:
    symbol = SYMBOLS[0]
    with (
        Worker(tmp_path, market.port, "watcher", place=place) as watcher,
        Worker(tmp_path, market.port, "other", place=place) as other,
    ):
        watcher.begin("watch", symbol)
        watcher.answer()
        market.prices[symbol] += 1.0
        done = other.ask(change, symbol)
        last_old, price = watcher.answer()
        assert price == market.prices[symbol]
    print(f"{change}: the old price for {last_old - done:.3f} s more")  # noqa: T201  likewise
    assert last_old - done < SEEN_WITHIN * GENEROUS
    assert len(market.calls) == 2


@pytest.mark.parametrize(("refusal", "added"), [(True, 1.0), (False, 0.0)])
def test_a_fetch_begun_before_the_invalidation_of_another_process_does_not_bring_the_old_value_back(
    market: LoopbackMarket, tmp_path: Path, place: Place, refusal: bool, added: float
) -> None:
    symbol = SYMBOLS[0]
    old = market.prices[symbol]
    with (
        Worker(tmp_path, market.port, "slow", refusal=refusal, place=place) as slow,
        Worker(tmp_path, market.port, "other", place=place) as other,
    ):
        market.hold()
        slow.begin("prices", [symbol])
        market.await_calls(1)
        other.ask("invalidate", symbol)
        market.prices[symbol] = old + 1.0
        market.release()
        assert slow.answer() == {symbol: old}  # what it asked for before
        assert other.ask("prices", [symbol]) == {symbol: old + added}
        assert slow.ask("prices", [symbol]) == {symbol: old + added}


def test_a_process_that_waits_for_another_shares_its_failure(
    market: LoopbackMarket, tmp_path: Path, place: Place
) -> None:
    wanted = SYMBOLS[:10]
    with (
        Worker(tmp_path, market.port, "leader", place=place) as leader,
        Worker(tmp_path, market.port, "other", place=place) as other,
    ):
        market.failure = "server"
        market.hold()
        leader.begin("failures", wanted)
        market.await_calls(1)
        other.begin("failures", wanted)
        market.await_events("other leases")
        market.release()
        assert leader.answer() == other.answer() == dict.fromkeys(wanted, "server")
    assert len(market.calls) == 1


def _overlapping(number: int) -> list[str]:
    start = number * len(SYMBOLS) // PROCESSES
    wanted = (SYMBOLS + SYMBOLS)[start : start + SET]
    return wanted[::-1] if number % 2 else wanted
