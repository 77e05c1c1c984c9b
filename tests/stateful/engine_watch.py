"""A view of the cache, and what must hold of whatever it answers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from types import TracebackType
from typing import NamedTuple, Self

from engine_parts import fetches_ended
from quotewell.endpoints import Call
from quotewell.outcomes import PrefetchReport
from quotewell.protocols import Coordinator, Level
from quotewell.providers.circuit import CLOSED
from quotewell.records import FailureKind, Freshness, Need, Quote, Reading, Record
from quotewell.settings import Settings
from quotewell.testing import BrokenLevel, FakeProvider, ManualClock
from quotewell.wiring import connect
from stateful.engine_model import POLL_SECONDS, QUOTED, Answer, Model

__all__ = ["PASSING", "View", "Watch"]

PASSING: frozenset[FailureKind] = frozenset(("server", "rate_limited"))
"""Failures that pass by themselves, of those that the provider is told to show."""
LONGEST_PAUSE = 86400.0 + 1.0
"""Seconds after which every failure is forgotten."""


class View:
    """One process's service, with its own way to the store."""

    def __init__(
        self, number: int, stores: tuple[Level, Coordinator], clock: ManualClock, provider: FakeProvider
    ) -> None:
        self.number = number
        self.level = BrokenLevel(stores[0])
        self.clock = clock
        self.provider = provider
        self.tickers = connect(Settings(), clock=clock, providers=[provider], stores=(self.level, stores[1]))
        self.private: set[str] = set()
        """Symbols of which it has had values that never reached the store."""
        self.warned: set[str] = set()
        """Symbols that it has called stale."""

    @property
    def reads(self) -> bool:
        """Whether it reads the store, and has had time to notice what others did while it could not."""
        retry_at = self.tickers.engine.store._level_retry_at
        return not self.level.broken and self.clock.monotonic() >= retry_at + POLL_SECONDS

    @property
    def writes(self) -> bool:
        """Whether what it fetches gets into the store."""
        retry_at = self.tickers.engine.store._level_retry_at
        is_whole = not self.level.broken and not self.level.fail_on
        return is_whole and self.clock.monotonic() >= retry_at

    @property
    def may_ask(self) -> bool:
        """Whether nothing but a remembered failure keeps it from asking the provider."""
        return self.provider.failure is None and self.tickers.chain._circuits["fake"] == CLOSED


class Before(NamedTuple):
    """What was known of a need when a read began."""

    stored: Answer | None
    """What the store held, if the view must know of it."""
    freshness: Freshness
    settled: bool
    quiet: bool
    quiet_for_all: bool
    """Also for those who do not wait for failures that pass by themselves."""
    tried: bool


class Watch:
    """Looks on while a view is asked, brings the model up to date, and then checks the answers."""

    def __init__(self, model: Model, view: View, symbols: Collection[str]) -> None:
        self.calls: list[Call] = []
        self._model = model
        self._view = view
        self._symbols = symbols

    def __enter__(self) -> Self:
        view, model = self._view, self._model
        view.clock.advance(0.001)  # no two answers at one instant
        self.now, self.monotonic = view.clock.now(), view.clock.monotonic()
        self.astray, self._writes, self._may_ask = not view.reads, view.writes, view.may_ask
        self._earlier = len(view.provider.calls)
        self._before: dict[Need, Before] = {}
        for need in itertools.product(self._symbols, QUOTED):
            stored, write = model.stored.get(need), model.writes.get(need)
            known = write is not None and write.known_to(view.number, self.monotonic)
            self._before[need] = Before(
                stored=stored if known else None,
                freshness=model.freshness(need, self.now),
                settled=model.is_settled(need, view.number, self.monotonic),
                quiet=model.is_quiet(need, self.now, insisting=False),
                quiet_for_all=model.is_quiet(need, self.now, insisting=True),
                tried=self.now < model.tried.get(need, -math.inf) + LONGEST_PAUSE,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fetches_ended()
        self.astray = self.astray or not self._view.reads  # it may have lost its level on the way
        self.calls = self._view.provider.calls[self._earlier :]
        self.asked: set[Need] = {need for call in self.calls for need in call.needs}
        given = {symbol: self._given(symbol) for call in self.calls for symbol in call.symbols}
        event = self._model.event(self._view.number, self.monotonic)
        for symbol, price in given.items():
            if price is None:
                continue
            answer = self._model.answered(symbol, self.now, price)
            if self._writes:
                self._model.store(answer, symbol, event)
            else:
                self._view.private.add(symbol)
        if not (self._may_ask and self._view.may_ask):
            self._circuit_may_have_refused()
        for need in self.asked:
            if given[need[0]] is None:
                self._failed(need)

    def check(
        self,
        wanted: AbstractSet[Need],
        readings: Mapping[Need, Reading[Record]],
        *,
        grace: bool,
        max_age: float | None,
    ) -> None:
        """Check a bulk read."""
        self.check_requests(wanted, grace=grace, max_age=max_age)
        assert set(readings) == wanted, "every need has an outcome"
        self.check_values(readings)
        for reading in readings.values():
            assert reading.usable or reading.failure is not None, "a gap has a reason"
            assert reading.freshness != Freshness.STALE or reading.failure is not None, "so has staleness"

    def check_values(self, readings: Mapping[Need, Reading[Record]]) -> None:
        """Check values and how they are marked."""
        for need, reading in readings.items():
            answer = self.check_record(need, reading.record)
            if answer is None:
                assert reading.freshness == Freshness.NONE
                continue
            at_least_known = self._last_withdrawal(need, hard=False)
            marks = {self._model.judged(need, answer, self.now, withdrawn=at_least_known)}
            if self.astray or not self._before[need].settled:
                marks.add(self._model.judged(need, answer, self.now))
            assert reading.freshness in marks

    def check_record(self, need: Need, record: Record | None) -> Answer | None:
        """Check one value; return what the provider said that it is."""
        before = self._before[need]
        if record is None:
            assert not self._must_be_usable(need), "no failure replaces a value"
            return None
        assert record.fetched_at is not None
        answer = self._model.answers.get((need[0], record.fetched_at))
        assert answer is not None, "the provider never said so"
        if isinstance(record, Quote):
            assert record.last == answer.price
        assert answer.number > self._last_withdrawal(need, hard=True), "it had been deleted"
        if before.stored is not None and not self.astray:
            assert answer.number >= before.stored.number, "somebody had stored a newer one"
        return answer

    def check_requests(
        self,
        wanted: AbstractSet[Need],
        *,
        grace: bool = True,
        max_age: float | None = None,
        force: bool = False,
    ) -> None:
        """Check that what had to be asked was asked, and nothing else."""
        assert self.asked <= wanted
        if self.astray:
            return
        for need in wanted:
            before = self._before[need]
            enough = before.freshness >= (Freshness.GRACE if grace else Freshness.FRESH)
            if before.stored is not None and max_age is not None:
                enough = enough and self.now - before.stored.at <= max_age
            if need in self.asked and not force:
                # Of its own: newer than what is stored and perhaps not fresh; and what it has had is never
                # unknown to it, for an hour, as it is to others, but fails, for a quarter of one at most.
                its_own = need[0] in self._view.private
                quiet = before.quiet if grace else before.quiet_for_all
                assert its_own or not quiet, "it failed a moment ago"
                assert its_own or not enough or before.freshness == Freshness.GRACE, "it was fresh"
            must = force or before.freshness < Freshness.FRESH or not enough
            certain = before.settled and not before.tried and need[0] not in self._view.private
            if must and self._may_ask and (certain or force):
                came_along = not force and (need[0], self.now) in self._model.answers
                assert need in self.asked or came_along, "nobody asked for it"

    def check_report(self, wanted: AbstractSet[Need], report: PrefetchReport, *, force: bool) -> None:
        """Check what is said of a bulk operation."""
        self.check_requests(wanted, grace=False, force=force)
        assert set(report.outcomes) == wanted, "every need has an outcome"
        for need, outcome in report.outcomes.items():
            if need in self.asked:
                assert (outcome.status == "fetched") == self._has_come(need)
            elif not force and self._before[need].freshness == Freshness.FRESH and not self.astray:
                assert outcome.status in ("fresh", "kept")
            if self._must_be_usable(need):
                assert outcome.status in ("fresh", "fetched", "kept"), "no failure replaces a value"

    def _has_come(self, need: Need) -> bool:
        return need in self.asked and (need[0], self.now) in self._model.answers

    def _must_be_usable(self, need: Need) -> bool:
        before = self._before[need]
        was_there = before.settled and not self.astray and before.freshness > Freshness.NONE
        return was_there or self._has_come(need)

    def _given(self, symbol: str) -> float | None:
        provider = self._view.provider
        if provider.failure is not None or symbol in provider.omitted:
            return None
        return provider.prices.get(symbol)

    def _circuit_may_have_refused(self) -> None:
        """What was not asked may have got a failure of another kind, and no call tells of it."""
        for need in self._before.keys() - self.asked:
            self._model.tried[need] = self.now
            self._model.quiet.pop(need, None)

    def _failed(self, need: Need) -> None:
        provider = self._view.provider
        if not self._writes:
            self._model.tried[need] = self.now  # the view remembers it all the same
            return
        self._model.fail(
            need,
            self.now,
            unknown=provider.failure is None and need[0] not in provider.omitted,
            passing=provider.failure in PASSING,
        )

    def _last_withdrawal(self, need: Need, *, hard: bool) -> int:
        """Of those that the view must have known of when the read began; its own if it is astray."""
        monotonic = -math.inf if self.astray else self.monotonic
        return self._model.last_withdrawal(need, self._view.number, monotonic, hard=hard)
