"""A lease is renewed while its holder works on it, not beyond its deadline; those who wait are bounded."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import pytest

from engine_parts import LONGEST_WAIT, Errand, service_on
from quotewell.cache.leases import Leases
from quotewell.cache.loading import Batch, Miss
from quotewell.cache.memory_level import MemoryLevel
from quotewell.cache.readthrough import Ask
from quotewell.coordination.local import LocalCoordinator
from quotewell.endpoints import Fetched, Lane
from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.records import Need, Quote, Reading
from quotewell.testing import ManualClock

A: Need = ("AAPL", "quote")
NAME = "quote/AAPL"
SECONDS = 30.0
THIRD = SECONDS / 3


class Recorder(LocalCoordinator):
    """Notes when it was asked to renew; `answers` are what it says instead, first one first."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.renewals: list[float] = []
        self.answers: list[set[str] | CacheError] = []

    def renew(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        self.renewals.append(self._clock.monotonic())
        answer = self.answers.pop(0) if self.answers else super().renew(keys, token, seconds)
        if isinstance(answer, CacheError):
            raise answer
        return answer


@pytest.fixture
def clock() -> ManualClock:
    """Moved by nobody but the thread that renews: by a third of a lease, as soon as it waits."""
    return ManualClock(patience=0.001)


@pytest.fixture
def coordinator(clock: ManualClock) -> Recorder:
    return Recorder(clock)


@pytest.fixture
def leases(coordinator: Recorder, clock: ManualClock) -> Iterator[Leases]:
    made = Leases(coordinator, SECONDS, clock)
    yield made
    made.end()


def renewed_to_the_end(leases: Leases) -> None:
    """Wait until nothing is renewed any more."""
    renewer = leases._renewer
    if renewer is not None:
        renewer.join(LONGEST_WAIT)
        assert not renewer.is_alive()


def take_and_renew(leases: Leases, *, until: float) -> None:
    """Take a lease, and wait until it is not renewed any more."""
    leases.take([A], "one", until=until)
    renewed_to_the_end(leases)


# ---------------------------------------------------------------------------------------------- by itself


def test_renewal_comes_at_every_third_and_ends_at_the_deadline(
    leases: Leases, coordinator: Recorder, clock: ManualClock
) -> None:
    take_and_renew(leases, until=95.0)
    assert coordinator.renewals == [THIRD * n for n in range(1, 10)]
    assert coordinator.lease([NAME], "two", SECONDS) == set()
    clock.advance(90.0 + SECONDS - clock.monotonic())
    assert coordinator.lease([NAME], "two", SECONDS) == {NAME}


def test_without_a_deadline_a_lease_is_renewed_for_twenty_times_its_length(
    leases: Leases, coordinator: Recorder
) -> None:
    leases.take([A], "one")
    renewed_to_the_end(leases)
    assert coordinator.renewals == [THIRD * n for n in range(1, 60)]


def test_what_is_given_back_is_not_renewed_and_no_thread_stays() -> None:
    clock = ManualClock(patience=LONGEST_WAIT)
    coordinator = Recorder(clock)
    leases = Leases(coordinator, SECONDS, clock)
    leases.take([A], "one")
    renewer = leases._renewer
    assert renewer is not None
    leases.give_back([A], "one")
    renewer.join(LONGEST_WAIT / 2)
    assert not renewer.is_alive()
    assert coordinator.renewals == []
    leases.take([A], "one")
    assert leases._renewer is not None
    leases.end()
    renewed_to_the_end(leases)


def test_a_lease_that_could_not_be_renewed_is_lost_and_not_renewed_again(
    leases: Leases, coordinator: Recorder
) -> None:
    coordinator.answers = [set()]
    take_and_renew(leases, until=95.0)
    assert coordinator.renewals == [THIRD]
    assert leases.lost([A]) == {A}


def test_a_renewal_that_fails_is_tried_again(leases: Leases, coordinator: Recorder) -> None:
    coordinator.answers = [CacheError("state.db: out of order")]
    with pytest.warns(CacheDegradedWarning, match=r"state\.db: out of order; other processes may"):
        take_and_renew(leases, until=25.0)
    assert coordinator.renewals == [THIRD, 2 * THIRD]
    assert leases.lost([A]) == set()


@pytest.mark.parametrize("passes", ["both", "wall"])
def test_a_lease_is_lost_when_it_has_run_out_by_either_clock(passes: str) -> None:
    """The monotonic clock of a machine that was suspended has stood still."""
    clock = ManualClock(patience=LONGEST_WAIT)
    leases = Leases(LocalCoordinator(clock), SECONDS, clock)
    leases.take([A], "one", until=-1.0)

    def move(seconds: float) -> None:
        if passes == "both":
            clock.advance(seconds)
        else:
            clock.set_wall(clock.now() + seconds)

    move(SECONDS - 1.0)
    assert leases.lost([A]) == set()
    move(1.0)
    assert leases.lost([A]) == {A}


def test_the_last_who_took_a_lease_is_its_holder(leases: Leases, coordinator: Recorder) -> None:
    first, second = object(), object()
    leases.take([A], "one", until=-1.0, holder=first)
    leases.take([A], "one", until=-1.0, holder=second)
    assert leases.lost([A], holder=first) == {A}
    assert leases.lost([A], holder=second) == set()
    leases.give_back([A], "one", holder=first)
    assert coordinator.lease([NAME], "two", SECONDS) == set()
    leases.give_back([A], "one", holder=second)
    assert coordinator.lease([NAME], "two", SECONDS) == {NAME}


def test_a_forked_child_neither_renews_nor_ends_what_its_parent_holds(
    leases: Leases, coordinator: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases.take([A], "one", until=-1.0)
    with monkeypatch.context() as in_the_child:
        in_the_child.setattr(os, "getpid", lambda: -1)
        leases.end()
    assert coordinator.lease([NAME], "two", SECONDS) == set()


def test_without_room_for_a_thread_a_lease_holds_for_its_first_length(
    leases: Leases, coordinator: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_room)
    assert leases.take([A], "one") == {A}
    assert leases.lost([A]) == set()
    assert coordinator.lease([NAME], "two", SECONDS) == set()


# ------------------------------------------------------------------------------------------- in the engine


class Loader:
    """One batch, fetched in the caller's thread by `fetch`."""

    concurrency = 0

    def __init__(self, fetch: Callable[[], object] = lambda: None) -> None:
        self.calls = 0
        self._before = fetch

    def batches(self, attempt: int, missing: Mapping[Need, Miss | None]) -> Sequence[Batch] | None:
        return None if attempt else [Batch(tuple(missing), "loader", self._fetch)]

    def _fetch(self, needs: Sequence[Need], lane: Lane, deadline: float) -> Fetched:
        self.calls += 1
        self._before()
        return Fetched(
            found={need: Quote(symbol=need[0], source="loader", fetched_at=1.0, last=1.0) for need in needs}
        )


@pytest.mark.parametrize("renewing", [True, False])
def test_a_fetch_that_outlives_its_lease_keeps_it(
    coordinator: Recorder, clock: ManualClock, renewing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, checked = threading.Event(), threading.Event()
    renew = Leases._renew

    def renew_or_not(leases: Leases) -> None:
        if renewing:
            renew(leases)
        if clock.monotonic() >= 2 * SECONDS:
            arrived.set()
            assert checked.wait(LONGEST_WAIT)

    monkeypatch.setattr(Leases, "_renew", renew_or_not)
    intruded: set[str] = set()

    def slow() -> None:
        assert arrived.wait(LONGEST_WAIT)
        intruded.update(coordinator.lease([NAME], "intruder", SECONDS))
        checked.set()

    tickers = service_on((MemoryLevel(clock), coordinator), clock, lease_seconds=SECONDS)
    tickers.engine.read([A], Loader(slow), Ask(deadline=10 * SECONDS))
    assert (intruded == set()) == renewing
    if renewing:
        assert coordinator.lease([NAME], "intruder", SECONDS) == {NAME}, "it was given back"


def test_a_fetch_that_hangs_is_renewed_until_its_deadline(coordinator: Recorder, clock: ManualClock) -> None:
    hanging, release = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        assert release.wait(LONGEST_WAIT)

    tickers = service_on((MemoryLevel(clock), coordinator), clock, lease_seconds=SECONDS)
    reading = Errand(lambda: tickers.engine.read([A], Loader(hang), Ask(deadline=95.0)))
    assert hanging.wait(LONGEST_WAIT)
    renewed_to_the_end(tickers.engine._fetcher._leases)
    assert coordinator.renewals[-1] == 90.0
    clock.advance(90.0 + SECONDS - clock.monotonic())
    assert coordinator.lease([NAME], "another process", SECONDS) == {NAME}
    release.set()
    reading.result()


class RenewedForEver(LocalCoordinator):
    """Whoever asks finds the leases of the leader renewed."""

    def lease(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        self.renew(keys, "leader", seconds)
        return super().lease(keys, token, seconds)


@pytest.mark.parametrize(
    ("kind", "timeout", "waited", "answered"),
    [
        (LocalCoordinator, 100.0, SECONDS, True),
        (LocalCoordinator, 10.0, 10.0, False),
        (RenewedForEver, 100.0, 100.0, False),
    ],
    ids=["one lease without a renewal", "the own deadline", "the own deadline while it is renewed"],
)
def test_how_long_a_follower_waits_for_another_process(
    kind: type[LocalCoordinator], timeout: float, waited: float, answered: bool
) -> None:
    clock = ManualClock(patience=LONGEST_WAIT)  # moved by the follower's own polling
    coordinator = kind(clock)
    coordinator.lease([NAME], "leader", SECONDS)
    tickers = service_on((MemoryLevel(clock), coordinator), clock, lease_seconds=SECONDS)
    loader = Loader()
    reading = tickers.engine.read([A], loader, Ask(deadline=timeout))[A]
    assert isinstance(reading, Reading)
    assert waited <= clock.monotonic() < waited + 0.2
    assert loader.calls == answered
    if not answered:
        assert reading.failure is not None
        assert reading.failure.reason == "another process is still fetching it"
