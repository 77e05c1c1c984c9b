"""What the engine may answer, as plain dictionaries: who was told what, when, and what was withdrawn since.

The model does not predict memory. It knows what every view can be sure of: what the persistent level holds,
and which events a view must have noticed. A view notices its own at once, another's after 50 ms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from quotewell.freshness import LIFETIMES, Judgement
from quotewell.records import RECORD_TYPES, Facet, Freshness, Need, Record

POLL_SECONDS = 0.05
QUOTED: tuple[Facet, ...] = ("quote", "profile", "dividend")
"""What one answer of the provider carries for each symbol."""

Judge = Callable[[str, Record, float], Judgement]


class Answer(NamedTuple):
    """What the provider said of a symbol."""

    number: int
    """Events are numbered in order."""
    at: float
    price: float


class Event(NamedTuple):
    """What a view did: it stored an answer, or withdrew what was stored."""

    number: int
    view: int
    at: float
    """Monotonic."""
    hard: bool = False

    def known_to(self, view: int, monotonic: float) -> bool:
        """Whether `view` must know of it: at once if it was its own, else after a poll."""
        return view == self.view or monotonic - self.at >= POLL_SECONDS


class Model:
    """Everything that has happened, by need.

    Args:
        judge: The lifetime table: table, record and wall time to judgement.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._events = 0
        self.answers: dict[tuple[str, float], Answer] = {}
        """By symbol and wall time; within a rule the provider does not change its mind."""
        self.stored: dict[Need, Answer] = {}
        """What the persistent level holds."""
        self.writes: dict[Need, Event] = {}
        """How it came to be there."""
        self.withdrawals: dict[Need, list[Event]] = {}
        self.quiet: dict[Need, tuple[float, bool]] = {}
        """Wall time before which nobody may ask again; whether the failure passes by itself."""
        self.tried: dict[Need, float] = {}
        """Wall time at which some fetch may have failed last, so that nobody need ask again yet."""

    def event(self, view: int, monotonic: float, *, hard: bool = False) -> Event:
        """Number what a view has just done."""
        self._events += 1
        return Event(self._events, view, monotonic, hard)

    def answered(self, symbol: str, now: float, price: float) -> Answer:
        """The provider has given a price."""
        self._events += 1
        answer = self.answers[symbol, now] = Answer(self._events, now, price)
        return answer

    def store(self, answer: Answer, symbol: str, event: Event) -> None:
        """An answer has reached the persistent level."""
        for facet in QUOTED:
            need = (symbol, facet)
            self.stored[need], self.writes[need] = answer, event
            self.quiet.pop(need, None)
            self.tried.pop(need, None)

    def fail(self, need: Need, now: float, *, unknown: bool, passing: bool) -> None:
        """A failure has reached the persistent level; for how long it must be remembered at least."""
        lifetime = LIFETIMES[facet_of(need)]
        wait = lifetime.unknown if unknown and need not in self.stored else lifetime.throttle
        self.quiet[need] = (now + wait, passing)
        self.tried[need] = now

    def withdraw(self, need: Need, event: Event) -> None:
        """An invalidation or deletion has reached the persistent level."""
        self.withdrawals.setdefault(need, []).append(event)
        if event.hard:
            self.stored.pop(need, None)
            self.writes.pop(need, None)
            self.quiet.pop(need, None)
            self.tried.pop(need, None)

    def last_withdrawal(self, need: Need, view: int, monotonic: float, *, hard: bool) -> int:
        """The number of the last one that `view` must know of; 0 if there is none."""
        events = self.withdrawals.get(need, ())
        numbers = [e.number for e in events if (e.hard or not hard) and e.known_to(view, monotonic)]
        return max(numbers, default=0)

    def is_settled(self, need: Need, view: int, monotonic: float) -> bool:
        """Whether `view` must know of all that was done; else it may know or not."""
        events = [*self.withdrawals.get(need, ())]
        if need in self.writes:
            events.append(self.writes[need])
        return all(event.known_to(view, monotonic) for event in events)

    def is_quiet(self, need: Need, now: float, *, insisting: bool) -> bool:
        """Whether a remembered failure answers without a fetch; who insists waits for no passing one."""
        until, passing = self.quiet.get(need, (0.0, True))
        return now < until and not (insisting and passing)

    def freshness(self, need: Need, now: float) -> Freshness:
        """How usable what the persistent level holds is."""
        answer = self.stored.get(need)
        return Freshness.NONE if answer is None else self.judged(need, answer, now)

    def judged(self, need: Need, answer: Answer, now: float, *, withdrawn: int | None = None) -> Freshness:
        """How usable an answer is to somebody who knows of withdrawals up to `withdrawn`; None for all."""
        facet = facet_of(need)
        if withdrawn is None:
            withdrawn = max((event.number for event in self.withdrawals.get(need, ())), default=0)
        record = RECORD_TYPES[facet](
            symbol=need[0],
            fetched_at=answer.at,
            as_of=answer.at if facet == "quote" else None,
            invalidated=withdrawn > answer.number,
        )
        return self._judge(facet, record, now).freshness


def facet_of(need: Need) -> Facet:
    """The need's facet, typed."""
    return next(facet for facet in LIFETIMES if facet == need[1])
