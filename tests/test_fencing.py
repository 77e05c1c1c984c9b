"""A leader that has lost its lease, and answers all the same, harms nobody: its values and failures are late.

The zombie's fetch outlives its lease, because its process was stopped: nothing was renewed. What others do
meanwhile, they do while the zombie fetches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from engine_parts import service_on
from quotewell.cache.leases import Leases
from quotewell.cache.loading import Batch, Miss
from quotewell.cache.memory_level import MemoryLevel
from quotewell.cache.readthrough import Ask
from quotewell.coordination.local import LocalCoordinator
from quotewell.endpoints import Fetched, Lane
from quotewell.errors import ProviderError
from quotewell.records import Closes, Failure, FailureKind, History, Need, Quote, Reading, Record
from quotewell.service import TickerService
from quotewell.testing import ManualClock

SECONDS = 30.0
QUOTE: Need = ("AAPL", "quote")
HISTORY: Need = ("AAPL", "history")


class Market:
    """Two processes over the same level: each fetches what it is told to, in its own thread."""

    def __init__(self, level_type: type[MemoryLevel] = MemoryLevel) -> None:
        self.clock = ManualClock(patience=30.0)
        self.level = level_type(self.clock)
        self.coordinator = LocalCoordinator(self.clock)
        self.zombie = self._process()
        self.other = self._process()

    def _process(self) -> TickerService:
        return service_on((self.level, self.coordinator), self.clock, lease_seconds=SECONDS)

    def quote(self, price: float) -> Fetched:
        """An answer that comes now."""
        return Fetched(
            found={QUOTE: Quote(symbol="AAPL", source="m", fetched_at=self.clock.now(), last=price)}
        )

    def history(self, close: float) -> Fetched:
        record = History(symbol="AAPL", source="m", fetched_at=self.clock.now(), last_date=1, bars=1)
        closes = Closes(symbol="AAPL", source="m", dates=[1], closes=[close])
        return Fetched(found={HISTORY: record}, closes={"AAPL": closes})

    def read(self, process: TickerService, answer: Callable[[], Fetched], need: Need) -> Reading[Record]:
        """What `process` gets when the provider does `answer`."""
        ask = Ask(deadline=self.clock.monotonic() + 10 * SECONDS, force=process is self.other)
        return process.engine.read([need], _Loader(answer), ask)[need]

    def late(
        self, meanwhile: Callable[[], object], answer: Callable[[], Fetched], need: Need = QUOTE
    ) -> Reading[Record]:
        """What the zombie gets that runs out of its lease, while others do `meanwhile`."""

        def fetch() -> Fetched:
            self.clock.advance(SECONDS + 1.0)
            meanwhile()
            self.clock.advance(1.0)
            return answer()

        return self.read(self.zombie, fetch, need)

    def stored(self, need: Need = QUOTE) -> Record | None:
        return self.level.get_many(need[1], [need[0]]).get(need[0])

    def price(self) -> float | None:
        record = self.stored()
        return record.last if isinstance(record, Quote) else None

    def failure(self) -> Failure | None:
        record = self.stored()
        return None if record is None else record.failure


class _Loader:
    concurrency = 0

    def __init__(self, answer: Callable[[], Fetched], *more: Callable[[], Fetched]) -> None:
        self._answers = (answer, *more)

    def batches(self, attempt: int, missing: Mapping[Need, Miss | None]) -> Sequence[Batch] | None:
        if attempt == len(self._answers):
            return None

        def fetch(needs: Sequence[Need], lane: Lane, deadline: float) -> Fetched:
            return self._answers[attempt]()

        return [Batch(tuple(missing), "m", fetch)]


def failing(kind: FailureKind) -> Callable[[], Fetched]:
    def fail() -> Fetched:
        raise ProviderError("m", kind, "told to fail")

    return fail


@pytest.fixture(autouse=True)
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is stopped renews nothing."""
    monkeypatch.setattr(Leases, "_start_renewer", lambda leases: None)


@pytest.fixture(params=[True, False], ids=["fenced", "not fenced"])
def fenced(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """The negative control: nobody notices that a lease is lost."""
    if not request.param:
        monkeypatch.setattr(Leases, "lost", lambda leases, needs, holder: set())
    return bool(request.param)


def test_a_late_value_does_not_replace_one_that_was_asked_for_later(fenced: bool) -> None:
    market = Market()
    market.late(
        lambda: market.read(market.other, lambda: market.quote(201.0), QUOTE), lambda: market.quote(200.0)
    )
    assert market.price() == (201.0 if fenced else 200.0)
    market.clock.advance(0.06)
    assert market.zombie.get_price("AAPL") == market.other.get_price("AAPL") == market.price()


def test_late_closes_do_not_replace_those_that_were_asked_for_later(fenced: bool) -> None:
    market = Market()
    market.late(
        lambda: market.read(market.other, lambda: market.history(201.0), HISTORY),
        lambda: market.history(200.0),
        HISTORY,
    )
    closes = market.level.get_closes(["AAPL"])["AAPL"].closes
    assert list(closes) == [201.0 if fenced else 200.0]


@pytest.mark.parametrize("need", [QUOTE, HISTORY], ids=["quote", "history"])
def test_a_late_value_that_nobody_has_overtaken_is_stored_as_of_the_time_it_was_asked_for(need: Need) -> None:
    market = Market()
    asked_at = market.clock.now()
    answers = {QUOTE: lambda: market.quote(200.0), HISTORY: lambda: market.history(200.0)}
    reading = market.late(lambda: None, answers[need], need)
    assert reading.record is not None
    assert reading.record.fetched_at == asked_at + SECONDS + 2.0
    stored = market.stored(need)
    assert stored is not None
    assert stored.fetched_at == asked_at
    assert len(market.level.get_closes(["AAPL"])) == (need == HISTORY)


class ForgetfulLevel(MemoryLevel):
    """The negative control: takes every value for one whose fetch began just now."""

    def put_many(
        self, table: str, records: Sequence[Record], *, begun: int, closes: Sequence[Closes] = ()
    ) -> set[str]:
        return super().put_many(table, records, begun=self.rev(), closes=closes)


@pytest.mark.parametrize(("level_type", "price"), [(MemoryLevel, None), (ForgetfulLevel, 200.0)])
def test_a_late_value_does_not_bring_back_what_was_invalidated(
    level_type: type[MemoryLevel], price: float | None
) -> None:
    market = Market(level_type)
    market.late(lambda: market.other.invalidate(["AAPL"], hard=True), lambda: market.quote(200.0))
    assert market.price() == price


def test_a_late_failure_does_not_replace_one_of_a_fetch_that_began_later(fenced: bool) -> None:
    market = Market()
    reading = market.late(lambda: market.read(market.other, failing("server"), QUOTE), failing("timeout"))
    for failure in (market.failure(), reading.failure):
        assert failure is not None
        assert failure.kind == ("server" if fenced else "timeout")


def test_a_late_failure_gives_way_to_a_value_that_was_asked_for_later() -> None:
    market = Market()
    reading = market.late(
        lambda: market.read(market.other, lambda: market.quote(201.0), QUOTE), failing("timeout")
    )
    assert isinstance(reading.record, Quote)
    assert (reading.record.last, reading.failure) == (201.0, None)
    assert (market.price(), market.failure()) == (201.0, None)


def test_a_late_failure_is_told_and_not_remembered(fenced: bool) -> None:
    market = Market()
    reading = market.late(lambda: None, failing("timeout"))
    assert reading.failure is not None
    assert reading.failure.kind == "timeout"
    assert (market.failure() is None) == fenced


def test_a_lease_is_kept_from_round_to_round_until_the_failure_is_stored() -> None:
    granted: list[set[str]] = []

    class Intruder(MemoryLevel):
        def fail_many(self, table: str, failures: Mapping[str, Failure], *, begun: int) -> None:
            intrude()
            super().fail_many(table, failures, begun=begun)

    market = Market(Intruder)

    def intrude() -> None:
        granted.append(market.coordinator.lease(["quote/AAPL"], "intruder", SECONDS))

    def second() -> Fetched:
        intrude()
        return failing("server")()

    ask = Ask(deadline=market.clock.monotonic() + SECONDS)
    market.zombie.engine.read([QUOTE], _Loader(failing("timeout"), second), ask)
    intrude()
    assert granted == [set(), set(), {"quote/AAPL"}]
    assert market.failure() is not None
