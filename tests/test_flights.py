from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from quotewell.cache.flights import Flight, Flights
from quotewell.records import Freshness, Need, Reading, Record
from quotewell.testing import ManualClock

REAL_SECONDS = 10.0
A, B, C, F = ("A", "quote"), ("B", "quote"), ("C", "quote"), ("A", "fx")


class WatchedClock(ManualClock):
    """Tells when somebody waits, and whether a wait was ended by a notification."""

    def __init__(self) -> None:
        super().__init__()
        self.woken: list[bool] = []
        self._waiting = threading.Semaphore(0)

    def wait(self, condition: threading.Condition, seconds: float | None) -> bool:
        self._waiting.release()
        self.woken.append(condition.wait(REAL_SECONDS))
        return self.woken[-1]

    def await_waiter(self) -> None:
        assert self._waiting.acquire(timeout=REAL_SECONDS)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def flights(clock: ManualClock) -> Flights:
    return Flights(clock)


def answer(need: Need) -> dict[Need, Reading[Record]]:
    return {need: Reading(need[0], None, Freshness.NONE, "")}


def begin(flights: Flights, *needs: Need) -> Flight:
    flight, _ = flights.claim(needs)
    assert flight is not None
    return flight


def test_a_need_is_in_one_flight_at_a_time(flights: Flights) -> None:
    first, followed = flights.claim([A, B, A])
    assert first is not None
    assert (list(first.needs), followed, flights.begun) == ([A, B], {}, 1)
    second, followed = flights.claim([B, C])
    assert second is not None
    assert (list(second.needs), followed, second.number) == ([C], {B: first}, 2)
    assert flights.claim([A, C]) == (None, {A: first, C: second})
    assert flights.begun == 2


def test_needs_can_be_claimed_from_an_iterator(flights: Flights) -> None:
    begin(flights, A)
    flight, followed = flights.claim(iter([A, B]))
    assert flight is not None
    assert (list(flight.needs), list(followed)) == ([B], [A])


def test_what_is_settled_can_be_read_and_claimed_again(flights: Flights) -> None:
    flight = begin(flights, A, B)
    flights.settle(flight, answer(A))
    assert flights.wait(A, flight, until=0.0) is flight.readings[A]
    again, followed = flights.claim([A, B])
    assert again is not None
    assert (list(again.needs), followed) == ([A], {B: flight})


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda flights, flight: flights.land(flight), id="landed"),
        pytest.param(lambda flights, flight: flights.detach([A, C]), id="detached"),
        pytest.param(lambda flights, flight: flights.detach_all({"quote"}), id="all detached"),
    ],
)
def test_what_ended_without_an_outcome_is_claimed_again(
    flights: Flights, clock: ManualClock, end: Callable[[Flights, Flight], None]
) -> None:
    flight = begin(flights, A, B)
    end(flights, flight)
    assert flights.wait(A, flight, until=10.0) is None
    assert clock.monotonic() == 0.0  # told at once, not by the deadline
    assert A in begin(flights, A).needs


def test_detaching_a_table_leaves_the_others_alone(flights: Flights) -> None:
    flight = begin(flights, A, B, F)
    flights.detach_all({"quote", "risk"})
    assert flights.claim([F]) == (None, {F: flight})
    assert flights.claim([A, B])[0] is not None


def test_an_overtaken_flight_does_not_end_the_one_that_took_its_place(flights: Flights) -> None:
    old = begin(flights, A, B)
    flights.detach([A])
    new = begin(flights, A)
    flights.settle(old, answer(A))
    flights.land(old)
    assert flights.claim([A]) == (None, {A: new})
    assert A in old.readings
    assert A not in new.readings


@pytest.mark.parametrize(
    "overtake", [lambda flights: flights.overtake([A, C]), lambda flights: flights.overtake_all()]
)
def test_who_waits_for_an_overtaken_need_is_still_answered_and_who_comes_later_claims_it(
    flights: Flights, clock: ManualClock, overtake: Callable[[Flights], None]
) -> None:
    old = begin(flights, A)
    overtake(flights)
    new = begin(flights, A)
    assert flights.wait(A, old, until=1.0) is None
    assert clock.monotonic() == 1.0  # it was worth waiting for until the deadline
    flights.settle(old, answer(A))
    assert flights.wait(A, old, until=2.0) is old.readings[A]
    assert flights.claim([A]) == (None, {A: new})


def test_an_overtaken_flight_that_landed_without_an_outcome_is_not_waited_for(
    flights: Flights, clock: ManualClock
) -> None:
    flight = begin(flights, A)
    flights.overtake([A])
    flights.land(flight)
    assert flights.wait(A, flight, until=1.0) is None
    assert clock.monotonic() == 0.0


def test_a_forked_process_does_not_wait_for_its_parents_flights(
    flights: Flights, monkeypatch: pytest.MonkeyPatch
) -> None:
    parents = begin(flights, A)
    monkeypatch.setattr("os.getpid", lambda: -1)
    own, followed = flights.claim([A])
    assert own is not None
    assert own is not parents
    assert followed == {}


def test_waiting_ends_at_the_deadline(flights: Flights, clock: ManualClock) -> None:
    flight = begin(flights, A)
    assert flights.wait(A, flight, until=3.0) is None
    assert clock.monotonic() == 3.0
    assert flights.wait(A, flight, until=3.0) is None  # no more patience: not even a look at the condition
    assert flights.claim([A]) == (None, {A: flight})


@pytest.mark.parametrize(
    ("end", "answered"),
    [
        pytest.param(lambda flights, flight: flights.settle(flight, answer(A)), True, id="settled"),
        pytest.param(lambda flights, flight: flights.land(flight), False, id="landed"),
        pytest.param(lambda flights, flight: flights.detach([A]), False, id="detached"),
        pytest.param(lambda flights, flight: flights.detach_all({"quote"}), False, id="all detached"),
    ],
)
def test_a_waiter_is_woken_by_whatever_becomes_of_its_need(
    end: Callable[[Flights, Flight], None], answered: bool
) -> None:
    clock = WatchedClock()
    flights = Flights(clock)
    flight = begin(flights, A, B)
    told: list[Reading[Record] | None] = []
    waiter = threading.Thread(target=lambda: told.append(flights.wait(A, flight, until=100.0)))
    waiter.start()
    clock.await_waiter()
    flights.settle(flight, answer(B))  # of no use to the waiter: it goes on waiting
    clock.await_waiter()
    end(flights, flight)
    waiter.join()
    assert told == [flight.readings[A] if answered else None]
    assert clock.woken == [True, True]
