"""Single flight inside a process: who fetches what, and who waits for whom.

A *flight* is one attempt to fetch a set of needs. A need is in at most one flight at a time; everybody else
who wants it waits for that flight and shares its outcome, a failure included.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable, Mapping

from quotewell.protocols import Clock
from quotewell.records import Need, Reading, Record

__all__ = ["Flight", "Flights"]

_LONGEST_WAIT = 3600.0
"""Conditions cannot wait for ever with a limit; whoever may wait longer waits again."""


class Flight:
    """One attempt; `readings` fills up batch by batch.

    Args:
        number: Flights are numbered in the order in which they began.
        needs: What the flight is to bring, in the order in which it was asked for.
    """

    def __init__(self, number: int, needs: dict[Need, None]) -> None:
        self.number = number
        self.needs = needs
        self.readings: dict[Need, Reading[Record]] = {}
        self.overtaken: set[Need] = set()
        """Needs that nobody can join it for any more, but that it still brings to those who have."""
        self.hurried: set[Need] = set()
        """Needs that somebody waits for who goes before the rest of the flight."""
        self.landed = False


class Flights:
    """The flights under way; one lock, held only for dictionary operations."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun = 0
        self._begin_in_process()

    @property
    def begun(self) -> int:
        """The number of the flight that began last."""
        return self._begun

    def claim(self, needs: Iterable[Need]) -> tuple[Flight | None, dict[Need, Flight]]:
        """Claim, in one step, what nobody fetches; never waits.

        Returns:
            The caller's own new flight (None if nothing was free), and the flight to follow for each of the
            other needs.
        """
        if self._process != os.getpid():
            self._begin_in_process()
        with self._changed:
            wanted = dict.fromkeys(needs)
            followed = {need: flight for need in wanted if (flight := self._under_way.get(need)) is not None}
            free = dict.fromkeys(need for need in wanted if need not in followed)
            if not free:
                return None, followed
            self._begun += 1
            flight = Flight(self._begun, free)
            self._under_way |= dict.fromkeys(free, flight)
            return flight, followed

    def hurry(self, followed: Mapping[Need, Flight]) -> None:
        """Have each need brought by its flight before the rest of it."""
        with self._changed:
            for need, flight in followed.items():
                if need not in flight.readings:
                    flight.hurried.add(need)

    def settle(self, flight: Flight, readings: Mapping[Need, Reading[Record]]) -> None:
        """Publish outcomes of a flight and wake who waits for them."""
        with self._changed:
            flight.readings.update(readings)
            flight.hurried.difference_update(readings)
            self._forget(flight, readings)
            self._changed.notify_all()

    def land(self, flight: Flight) -> None:
        """End a flight; what it has not settled by now can be claimed again."""
        with self._changed:
            flight.landed = True
            self._forget(flight, flight.needs)
            self._changed.notify_all()

    def overtake(self, needs: Iterable[Need]) -> None:
        """Let the next reader start a new flight: another process may have invalidated what is on its way."""
        with self._changed:
            for need in needs:
                flight = self._under_way.pop(need, None)
                if flight is not None:
                    flight.overtaken.add(need)

    def overtake_all(self) -> None:
        """`overtake` everything."""
        self.overtake(list(self._under_way))

    def detach(self, needs: Iterable[Need]) -> None:
        """Let everybody start a new flight: what is on its way was overtaken by an invalidation."""
        with self._changed:
            for need in needs:
                self._under_way.pop(need, None)
            self._changed.notify_all()

    def detach_all(self, tables: Collection[str]) -> None:
        """`detach` everything that belongs to `tables`."""
        with self._changed:
            for need in [need for need in self._under_way if need[1] in tables]:
                del self._under_way[need]
            self._changed.notify_all()

    def wait(self, need: Need, flight: Flight, until: float) -> Reading[Record] | None:
        """Wait for the outcome of `need` until the monotonic instant `until`.

        Returns:
            The outcome; None when time ran out or the flight landed without one (then claim again).
        """
        with self._changed:
            while (reading := flight.readings.get(need)) is None:
                followed = self._under_way.get(need) is flight or need in flight.overtaken
                if flight.landed or not followed:
                    return None
                seconds = until - self._clock.monotonic()
                if seconds <= 0:
                    return None
                self._clock.wait(self._changed, min(seconds, _LONGEST_WAIT))
            return reading

    def _begin_in_process(self) -> None:
        """Also after a fork: the parent's flights go on in the parent alone, with its lock."""
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._under_way: dict[Need, Flight] = {}

    def _forget(self, flight: Flight, needs: Iterable[Need]) -> None:
        for need in needs:
            if self._under_way.get(need) is flight:
                del self._under_way[need]
