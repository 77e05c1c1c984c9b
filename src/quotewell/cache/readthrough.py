"""The read-through engine: the one way by which a value gets from a provider to a reader.

The stations of a request, as `docs/design.md` numbers them:

1. the caller has normalised the symbols and dropped duplicates;
2. memory: one plain dict for each table, read without a lock;
3. what is absent or not fresh there is re-read from the persistent level, one bulk read a table;
4. freshness decides; a remembered failure inside its throttle answers without a fetch;
5. claim in one step what nobody else in this process fetches (`flights`);
6. batch by batch: take the leases (`fetching`), re-read if somebody wrote meanwhile, fetch what is missing;
7. write through, persistent level first, then memory, in bulk; release;
8. only now wait for what others fetch, up to the caller's own deadline;
9. what still failed: the stale record if there is one, else the failure with its reason.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from quotewell.cache.fetching import Fetcher, Trip, started
from quotewell.cache.flights import Flight, Flights
from quotewell.cache.leases import Leases
from quotewell.cache.loading import Loader, by_table
from quotewell.cache.stats import Counters
from quotewell.cache.store import Store
from quotewell.endpoints import Lane
from quotewell.errors import CacheError
from quotewell.freshness import throttled
from quotewell.protocols import Clock, Coordinator
from quotewell.records import Failure, Freshness, Need, Reading, Record

__all__ = ["Ask", "ReadThrough"]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """How a reader wants to be answered."""

    deadline: float
    """Monotonic seconds; after it, the answer is what is there."""
    soft_deadline: float | None = None
    """Monotonic seconds; after it, a stale value is an answer, and the fetch goes on behind it."""
    lane: Lane = Lane.INTERACTIVE
    grace: bool = True
    """Whether a value in its grace window is good enough."""
    max_age: float | None = None
    """Seconds since the value was fetched that are acceptable, whatever its lifetime."""
    fetch: bool = True
    """Whether a provider may be asked."""
    retry: bool = False
    """Whether what failed in passing is asked for again, however recently it did."""
    force: bool = False
    """Fetch whatever is cached; ignores freshness and failure throttle, joins only younger flights."""
    watch: Callable[[Collection[Need]], None] | None = None
    """Told in the reader's thread, several times a second while it waits, what is still on its way."""


class _Known(msgspec.Struct, frozen=True):
    """What is known of one need before any fetch."""

    record: Record | None
    freshness: Freshness
    level: str

    def reading(self, need: Need, failure: Failure | None, error: Exception | None = None) -> Reading[Record]:
        usable = self.record if self.freshness > Freshness.NONE else None
        return Reading(need[0], usable, self.freshness, self.level if usable else "", failure, error)


_WATCH_SECONDS = 0.2
_NOTHING = _Known(None, Freshness.NONE, "")


class ReadThrough:
    """Reads through memory and the persistent level to a loader.

    Args:
        store: The two cache levels.
        coordinator: Leases that keep other processes from fetching the same.
        clock: The time.
        counters: Where events are counted.
        lease_seconds: How long a fetch may keep other processes waiting.
    """

    def __init__(
        self,
        store: Store,
        coordinator: Coordinator,
        clock: Clock,
        counters: Counters,
        *,
        lease_seconds: float,
    ) -> None:
        self.store = store
        self.clock = clock
        self.counters = counters
        self._lease_seconds = lease_seconds
        self._flights = Flights(clock)
        leases = Leases(coordinator, lease_seconds, clock)
        self._fetcher = Fetcher(store, leases, self._flights, clock, counters)

    def read(self, needs: Iterable[Need], loader: Loader, ask: Ask) -> dict[Need, Reading[Record]]:
        """Answer every need: a value, a stale value with the reason, or a reason.

        Args:
            needs: Symbols and facets (keys and tables); duplicates cost nothing.
            loader: Where to get what is missing.
            ask: Deadlines and demands.

        Raises:
            CacheError: After `stop`.
        """
        self.follow_others()
        readings: dict[Need, Reading[Record]] = {}
        seen_rev = self.store.synced_rev
        absent = self._from_memory(dict.fromkeys(needs), ask, readings)
        if not absent:
            return readings
        known = self._from_level(absent, ask, readings)
        if ask.fetch:
            now = self.clock.now()
            in_passing = [need for need in absent if need in readings and _in_grace(readings[need], ask, now)]
            if in_passing and loader.concurrency:
                self._refresh_in_passing(in_passing, loader, ask, seen_rev)
            readings |= self._from_loader(known, loader, ask, seen_rev)
        for need, before in known.items():
            if need not in readings:
                readings[need] = before.reading(need, before.record.failure if before.record else None)
        self._count_served(absent, known, readings, fetched=ask.fetch)
        return readings

    def missing(self, needs: Iterable[Need], ask: Ask) -> list[Need]:
        """What `read` would ask the loader for, if it were called now.

        Raises:
            CacheError: After `stop`.
        """
        self.follow_others()
        absent = self._from_memory(dict.fromkeys(needs), ask, {})
        return list(self._from_level(absent, ask, {}))

    def fresh(self, table: str, keys: Collection[str]) -> dict[str, Record]:
        """Those records that are fresh in memory or in the persistent level, in bulk; asks no provider.

        What is left out has to be read with `read`, if it is to be had at all.

        Args:
            table: Facet or table of results.
            keys: Any texts; what is no key of the table is left out.

        Raises:
            CacheError: After `stop`.
        """
        self.follow_others()
        live = self.store.memory.table(table)
        if live.keys().isdisjoint(keys):
            return self._fresh_from_level(table, keys)
        monotonic = self.clock.monotonic()
        found: dict[str, Record] = {}
        absent: list[str] = []
        for key in keys:
            record = live.get(key)
            if record is not None and monotonic < record.fresh_until:
                record.hits += 1
                found[key] = record
            else:
                absent.append(key)
        return found | self._fresh_from_level(table, absent) if absent else found

    def _fresh_from_level(self, table: str, keys: Collection[str]) -> dict[str, Record]:
        records = self.store.load(table, keys)
        monotonic = self.clock.monotonic()
        old = [key for key, record in records.items() if monotonic >= record.fresh_until]
        for key in old:
            del records[key]
        self.counters.add(table, "level_hit", len(records))
        return records

    def follow_others(self) -> None:
        """Notice what other processes have changed; a fetch begun before is nobody's answer any more.

        Raises:
            CacheError: After `stop`.
        """
        if self.stopped:
            raise CacheError("the ticker service is closed", hint="open a new service")
        changes = self.store.sync()
        if changes is None:
            return
        if changes.keys is None or changes.rebuilt:
            self._flights.overtake_all()
        elif changes.keys:
            self._flights.overtake((key, table) for table, keys in changes.keys.items() for key in keys)

    def in_memory(self, needs: Iterable[Need]) -> bool:
        """Whether memory alone would answer now, without disk, provider or waiting."""
        monotonic = self.clock.monotonic()
        if monotonic >= self.store.poll_at:
            return False
        memory = self.store.memory
        records = (memory.table(table).get(key) for key, table in needs)
        return all(record is not None and monotonic < record.fresh_until for record in records)

    def refresh_behind(self, needs: Collection[Need], loader: Loader, ask: Ask) -> None:
        """Fetch `needs` in the background unless somebody does already; does not wait for it."""
        if not self.stopped:
            self._refresh_in_passing(needs, loader, ask, self.store.synced_rev)

    def forget_flights(self, needs: Iterable[Need]) -> None:
        """After an invalidation: whoever asks now starts a new fetch."""
        self._flights.detach(needs)

    def forget_all_flights(self, tables: Collection[str]) -> None:
        """After the invalidation of whole tables."""
        self._flights.detach_all(tables)

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._fetcher.stopped

    def stop(self) -> None:
        """Answer no more, take no further batches, and let nobody wait for those on their way."""
        self._fetcher.stop()
        self._flights.detach_all(list(self.store.policies))

    def _from_memory(
        self, needs: Iterable[Need], ask: Ask, readings: dict[Need, Reading[Record]]
    ) -> list[Need]:
        """Station 2; returns what memory does not answer."""
        if ask.force:
            return list(needs)
        absent: list[Need] = []
        monotonic, now = self.clock.monotonic(), self.clock.now()
        for need in needs:
            record = self.store.memory.table(need[1]).get(need[0])
            if record is not None and monotonic < record.fresh_until and _young_enough(record, ask, now):
                record.hits += 1
                readings[need] = Reading(need[0], record, Freshness.FRESH, "memory", record.failure)
            else:
                absent.append(need)
        return absent

    def _from_level(
        self, needs: Collection[Need], ask: Ask, readings: dict[Need, Reading[Record]]
    ) -> dict[Need, _Known]:
        """Stations 3 and 4; returns what is known of all that has to be fetched."""
        known: dict[Need, _Known] = {}
        now, monotonic = self.clock.now(), self.clock.monotonic()
        for table, keys in by_table(needs).items():
            records = self.store.load(table, keys)
            for key in keys:
                need = (key, table)
                record = records.get(key)
                if record is None:
                    known[need] = _NOTHING
                    continue
                if monotonic < record.fresh_until:
                    freshness = Freshness.FRESH
                else:
                    freshness = self.store.judge(table, record, now).freshness
                before = _Known(record, freshness, self.store.level_name)
                if _settles(record, freshness, ask, now):
                    readings[need] = before.reading(need, record.failure)
                else:
                    known[need] = before
        return known

    def _from_loader(
        self, known: Mapping[Need, _Known], loader: Loader, ask: Ask, seen_rev: int
    ) -> dict[Need, Reading[Record]]:
        """Stations 5 to 9, for everything in `known`."""
        readings: dict[Need, Reading[Record]] = {}
        begun_before = self._flights.begun
        pending = list(known)
        while pending:
            flight, leaders = self._flights.claim(pending)
            if leaders and ask.lane is Lane.INTERACTIVE:
                self._flights.hurry(leaders)
            if flight is not None:
                leaders |= dict.fromkeys(flight.needs, flight)
                self._depart(flight, loader, ask, seen_rev)
            again: list[Need] = []
            for need in pending:
                leader = leaders[need]
                until = ask.deadline
                if ask.soft_deadline is not None and known[need].freshness > Freshness.NONE:
                    until = min(until, ask.soft_deadline)
                reading = self._wait(need, leaders, until, ask)
                if reading is None and self.clock.monotonic() >= until:
                    readings[need] = known[need].reading(need, self._late())
                elif reading is None or (ask.force and leader.number <= begun_before):
                    again.append(need)
                else:
                    readings[need] = reading
            pending = again
        return readings

    def _wait(
        self, need: Need, leaders: Mapping[Need, Flight], until: float, ask: Ask
    ) -> Reading[Record] | None:
        """Wait for one need; whoever watches is told of all of them meanwhile."""
        leader = leaders[need]
        if ask.watch is None:
            return self._flights.wait(need, leader, until)
        soon = self.clock.monotonic()
        while True:
            reading = self._flights.wait(need, leader, soon)
            now = self.clock.monotonic()
            if reading is not None or now < soon or now >= until:
                return reading
            ask.watch([other for other, flight in leaders.items() if other not in flight.readings])
            soon = min(until, now + _WATCH_SECONDS)

    def _refresh_in_passing(self, needs: Collection[Need], loader: Loader, ask: Ask, seen_rev: int) -> None:
        """Fetch behind the answer what was answered within its grace window."""
        flight, _ = self._flights.claim(needs)
        if flight is not None and not self._in_background(self._trip(flight, ask, seen_rev), loader):
            self._flights.land(flight)

    def _depart(self, flight: Flight, loader: Loader, ask: Ask, seen_rev: int) -> None:
        trip = self._trip(flight, ask, seen_rev)
        if loader.concurrency == 0 or not self._in_background(trip, loader):
            self._fetcher.fly(trip, loader)

    def _trip(self, flight: Flight, ask: Ask, seen_rev: int) -> Trip:
        return Trip(
            flight,
            lane=ask.lane,
            deadline=ask.deadline,
            seen_rev=seen_rev,
            began_at=self.clock.now(),
            force=ask.force,
            max_age=ask.max_age,
        )

    def _in_background(self, trip: Trip, loader: Loader) -> bool:
        """Fetch in a thread of its own: its caller may give up at its deadline, the fetch goes on.

        Others may wait for the same answer longer than the caller, so the fetch gets at least the time for
        which it may keep other processes waiting.

        Returns:
            Whether a thread could be had.
        """
        patience = trip.deadline
        trip.deadline = max(patience, self.clock.monotonic() + self._lease_seconds)
        name = "quotewell-fetch"
        if started(threading.Thread(target=self._fetcher.fly, args=(trip, loader), name=name, daemon=True)):
            return True
        trip.deadline = patience
        return False

    def _late(self) -> Failure:
        now = self.clock.now()
        return Failure("timeout", "no answer in time; the fetch goes on", "", 1, now, now, now)

    def _count_served(
        self,
        absent: Collection[Need],
        known: Mapping[Need, _Known],
        readings: Mapping[Need, Reading[Record]],
        *,
        fetched: bool,
    ) -> None:
        for need in absent:
            reading = readings[need]
            if need in known and fetched:
                self.counters.add(need[1], "miss")
            elif reading.freshness > Freshness.STALE:
                self.counters.add(need[1], "level_hit")
            elif reading.failure is not None:
                self.counters.add(need[1], "negative")
            if reading.freshness == Freshness.STALE:
                self.counters.add(need[1], "stale")


def _in_grace(reading: Reading[Record], ask: Ask, now: float) -> bool:
    return ask.grace and reading.freshness == Freshness.GRACE and not throttled(reading.record, now)


def _young_enough(record: Record, ask: Ask, now: float) -> bool:
    return ask.max_age is None or (record.fetched_at is not None and now - record.fetched_at <= ask.max_age)


def _settles(record: Record, freshness: Freshness, ask: Ask, now: float) -> bool:
    """Whether what the persistent level knows is an answer without a fetch."""
    if ask.force:
        return False
    if freshness >= (Freshness.GRACE if ask.grace else Freshness.FRESH) and _young_enough(record, ask, now):
        return True
    return throttled(record, now, retry=ask.retry)
