"""Fetching what a flight has claimed: stations 6 and 7 of the read-through engine.

A loader is asked round by round (first provider, omitted symbols once more, next provider, …). Each round is
a list of batches; a batch takes its leases, so that no other process fetches the same, and writes what it
brought before the next begins.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Collection, Mapping, Sequence

import msgspec

from quotewell.cache.flights import Flight, Flights
from quotewell.cache.leases import Leases
from quotewell.cache.loading import Batch, Loader, Miss, by_table, miss_of
from quotewell.cache.stats import Counters
from quotewell.cache.store import Store
from quotewell.endpoints import Fetched, Lane
from quotewell.errors import CacheError, ProviderError
from quotewell.freshness import next_failure
from quotewell.protocols import Clock
from quotewell.records import Failure, FailureKind, Freshness, Need, Reading, Record

__all__ = ["Fetcher", "Trip", "started"]

_FOLLOW_SECONDS = 0.05
_UNSUPPORTED = Miss("unsupported", "no configured provider has it", "")
_CLOSED = "the service was closed before it was fetched"


class Trip:
    """How a flight is to be fetched, and what has become of its needs; shared by the threads of its batches.

    Args:
        flight: What to bring, and where to publish it.
        lane: Who is asking.
        deadline: Monotonic seconds after which no more is waited for.
        seen_rev: The persistent level's revision when it was last read for this flight.
        began_at: Epoch seconds.
        force: Whether values that others have just stored do not count.
        max_age: Seconds before `began_at` that such a value may have been fetched; None for any.
    """

    def __init__(
        self,
        flight: Flight,
        *,
        lane: Lane,
        deadline: float,
        seen_rev: int,
        began_at: float,
        force: bool,
        max_age: float | None,
    ) -> None:
        self.flight = flight
        self.lane = lane
        self.deadline = deadline
        self.seen_rev = seen_rev
        self.began_at = began_at
        self.force = force
        self.oldest = -math.inf if max_age is None else began_at - max_age
        self.elsewhere: set[Need] = set()
        """Needs that another process is fetching."""
        self.kept: set[Need] = set()
        """Needs whose leases are kept from round to round, until there is an outcome."""
        self.misses: dict[Need, Miss] = {}
        self.begun: dict[Need, int] = {}
        """The revision at which the first fetch of each need began."""

    def still_missing(self, needs: Collection[Need]) -> dict[Need, Miss | None]:
        """Those of `needs` that this flight itself still has to bring, with the reason so far."""
        return {
            need: self.misses.get(need)
            for need in needs
            if need not in self.flight.readings and need not in self.elsewhere
        }


class Fetcher:
    """Runs flights: rounds, leases, write-through, and waiting for other processes."""

    def __init__(
        self, store: Store, leases: Leases, flights: Flights, clock: Clock, counters: Counters
    ) -> None:
        self._store = store
        self._leases = leases
        self._flights = flights
        self._clock = clock
        self._counters = counters
        self._token = os.urandom(8).hex()
        self.stopped = False

    def stop(self) -> None:
        """Begin no further batch, and let other processes fetch what is on its way."""
        self.stopped = True
        self._leases.end()

    def fly(self, trip: Trip, loader: Loader) -> None:
        """Bring an outcome for every need of the trip's flight; always lands it."""
        try:
            self._rounds(trip, loader, trip.flight.needs)
            while trip.elsewhere and not self.stopped and self._clock.monotonic() < trip.deadline:
                self._clock.sleep(_FOLLOW_SECONDS)
                self._follow(trip)
                free = self._take(trip, trip.elsewhere)
                if free:
                    # The other process ended without an outcome, or died: it is our turn.
                    trip.elsewhere -= free
                    trip.kept |= free
                    self._rounds(trip, loader, free)
            reason = _CLOSED if self.stopped else "another process is still fetching it"
            self._give_up(trip, "timeout", reason, trip.elsewhere)
        except Exception as error:
            reason = f"unexpected {type(error).__name__}: {error}"
            self._give_up(trip, "invalid", reason, trip.flight.needs - trip.flight.readings.keys())
            raise
        finally:
            self._flights.land(trip.flight)

    # ------------------------------------------------------------------------------------------- rounds

    def _rounds(self, trip: Trip, loader: Loader, needs: Collection[Need]) -> None:
        try:
            self._ask_in_rounds(trip, loader, needs)
        finally:
            if trip.kept:
                self._give_back(trip, trip.kept)

    def _ask_in_rounds(self, trip: Trip, loader: Loader, needs: Collection[Need]) -> None:
        attempt = 0
        while (missing := trip.still_missing(needs)) and not self.stopped:
            batches = loader.batches(attempt, missing)
            if batches is None:
                break
            self._run(trip, batches, loader.concurrency)
            attempt += 1
        missing = trip.still_missing(needs)
        if self.stopped:
            self._give_up(trip, "timeout", _CLOSED, missing)
        else:
            self._fail(trip, missing)

    def _run(self, trip: Trip, batches: Sequence[Batch], concurrency: int) -> None:
        queue = list(batches)
        choosing = threading.Lock()
        errors: list[BaseException] = []

        def drain() -> None:
            try:
                while not self.stopped and not errors:
                    with choosing:
                        if not queue:
                            return
                        batch = queue.pop(_next(queue, trip.flight.hurried))
                    self._batch(trip, batch)
            except BaseException as error:  # noqa: BLE001  carried to the flight's own thread, raised there
                errors.append(error)

        threads = [
            threading.Thread(target=drain, name="quotewell-batch", daemon=True)
            for _ in range(min(concurrency, len(batches)) - 1)
        ]
        running = [thread for thread in threads if started(thread)]
        drain()
        for thread in running:
            thread.join()
        if errors:
            raise errors[0]

    def _batch(self, trip: Trip, batch: Batch) -> None:
        granted = self._take(trip, batch.needs)
        trip.elsewhere |= set(batch.needs) - granted
        missed: set[Need] = set()
        try:
            begun = self._store.rev()
            missing = granted - self._already_there(trip, granted, begun)
            wanted = [need for need in batch.needs if need in missing]
            if not wanted:
                return
            for need in wanted:
                trip.begun.setdefault(need, begun)
            asked_at = self._clock.now()
            try:
                fetched = batch.fetch(wanted, trip.lane, trip.deadline)
            except (ProviderError, CacheError) as error:  # a rate budget may be out of order, too
                fetched = Fetched(failed=dict.fromkeys(wanted, error))
            if self._leases.lost(wanted, holder=trip):
                self._keep_late(trip, fetched, begun, asked_at)
            else:
                self._keep(trip, fetched, begun)
            missed = missing - fetched.found.keys()
            for need in missed:
                trip.misses[need] = miss_of(need, batch.source, fetched, trip.misses.get(need))
            # Nobody else is to ask the same before the next provider was asked, or the failure is stored.
            trip.kept |= missed
        finally:
            self._give_back(trip, granted - missed)

    def _keep(self, trip: Trip, fetched: Fetched, begun: int) -> None:
        """Write through what a batch brought, asked or unasked, and publish what was asked."""
        self._write(fetched, begun)
        self._publish(trip, fetched.found)

    def _keep_late(self, trip: Trip, fetched: Fetched, begun: int, asked_at: float) -> None:
        """`_keep` what came after a lease had run out: another process may have fetched the same since.

        It is stored as of the time at which it was asked for: whoever held the lease afterwards has asked
        later, so that its values are the younger ones, however long our answer was on its way.
        """
        dated = {
            need: msgspec.structs.replace(record, fetched_at=min(record.fetched_at or asked_at, asked_at))
            for need, record in fetched.found.items()
        }
        self._write(msgspec.structs.replace(fetched, found=dated), begun)
        self._publish(trip, fetched.found)

    def _write(self, fetched: Fetched, begun: int) -> None:
        records: dict[str, list[Record]] = {}
        for (_, table), record in fetched.found.items():
            records.setdefault(table, []).append(record)
        for table, found in records.items():
            closes = list(fetched.closes.values()) if table == "history" else ()
            self._store.write(table, found, begun=begun, closes=closes)
            self._counters.add(table, "fetch", len(found))

    def _publish(self, trip: Trip, found: Mapping[Need, Record]) -> None:
        self._flights.settle(
            trip.flight,
            {
                need: self._reading(need, record, level="provider")
                for need, record in found.items()
                if need in trip.flight.needs
            },
        )

    # ------------------------------------------------------------------------------------------ failures

    def _fail(self, trip: Trip, missing: Mapping[Need, Miss | None]) -> None:
        """Remember and publish the failures of what no round has brought.

        Those whose lease was lost are not remembered: another process has asked, or asks, later than we did.
        """
        lost = self._leases.lost(trip.kept & missing.keys(), holder=trip)
        overtaken = set() if trip.force else self._settle_from_level(trip, lost)
        for table, keys in by_table(need for need in missing if need not in overtaken).items():
            now = self._store.rev()
            before = self._store.load(table, keys)
            failures = {
                key: self._failure(table, before.get(key), missing[key, table] or _UNSUPPORTED)
                for key in keys
            }
            # Beside a refused price the border has stored the old one again: that write of our own came
            # after the fetch began, but must not make its failure look overtaken.
            ours = {key: failure for key, failure in failures.items() if (key, table) not in lost}
            held_back = {key: failure for key, failure in ours.items() if failure.kind == "suspect"}
            others = {key: failure for key, failure in ours.items() if key not in held_back}
            begun = min((trip.begun.get((key, table), now) for key in others), default=now)
            for rev, group in ((now, held_back), (begun, others)):
                if group:
                    self._store.write_failures(table, group, begun=rev)
            self._counters.add(table, "failure", len(failures))
            self._publish_failures(trip, table, before, failures)

    def _failure(self, table: str, before: Record | None, miss: Miss) -> Failure:
        return next_failure(
            before,
            kind=miss.kind,
            reason=miss.reason,
            source=miss.source,
            now=self._clock.now(),
            lifetime=self._store.policies[table].lifetime,
            retry_at=miss.retry_at,
        )

    def _publish_failures(
        self, trip: Trip, table: str, before: Mapping[str, Record], failures: Mapping[str, Failure]
    ) -> None:
        readings: dict[Need, Reading[Record]] = {}
        for key, failure in failures.items():
            need = (key, table)
            miss = trip.misses.get(need)
            reading = self._reading(need, before.get(key), level=self._store.level_name)
            readings[need] = Reading(
                key,
                reading.record,
                reading.freshness,
                reading.level,
                failure,
                miss.error if miss is not None else None,
            )
        self._flights.settle(trip.flight, readings)

    def _give_up(self, trip: Trip, kind: FailureKind, reason: str, needs: Collection[Need]) -> None:
        """Publish a failure that is not stored: it says nothing about the provider."""
        now = self._clock.now()
        failure = Failure(kind, reason, "", 1, now, now, now)
        for table, keys in by_table(needs).items():
            self._publish_failures(trip, table, self._store.load(table, keys), dict.fromkeys(keys, failure))

    # ------------------------------------------------------------------------------------ other processes

    def _already_there(self, trip: Trip, needs: set[Need], rev: int) -> set[Need]:
        """Re-read what another process may have written between our first look and our lease."""
        if trip.force or rev == trip.seen_rev:
            return set()
        return self._settle_from_level(trip, needs)

    def _follow(self, trip: Trip) -> None:
        rev = self._store.rev()
        if not trip.force and rev != trip.seen_rev:
            trip.seen_rev = rev
            trip.elsewhere -= self._settle_from_level(trip, trip.elsewhere)

    def _settle_from_level(self, trip: Trip, needs: Collection[Need]) -> set[Need]:
        """Publish what another process has stored, or has failed at, since the flight began."""
        readings: dict[Need, Reading[Record]] = {}
        for table, keys in by_table(needs).items():
            for key, record in self._store.load(table, keys).items():
                reading = self._reading((key, table), record, level=self._store.level_name)
                failed = record.failure is not None and record.failure.last_at >= trip.began_at
                fresh = reading.freshness == Freshness.FRESH and (record.fetched_at or 0.0) >= trip.oldest
                if fresh or failed:
                    readings[key, table] = reading
        self._flights.settle(trip.flight, readings)
        return set(readings)

    def _take(self, trip: Trip, needs: Collection[Need]) -> set[Need]:
        return self._leases.take(needs, self._lessee(), until=trip.deadline, holder=trip)

    def _give_back(self, trip: Trip, needs: Collection[Need]) -> None:
        self._leases.give_back(needs, self._lessee(), holder=trip)
        trip.kept.difference_update(list(needs))

    def _lessee(self) -> str:
        """In whose name leases are taken: this process's; among its own threads `flights` decides."""
        return f"{self._token}-{os.getpid()}"

    def _reading(self, need: Need, record: Record | None, *, level: str) -> Reading[Record]:
        if record is None:
            return Reading(need[0], None, Freshness.NONE, "")
        freshness = self._store.judge(need[1], record, self._clock.now()).freshness
        if freshness == Freshness.NONE:
            return Reading(need[0], None, freshness, "", record.failure)
        return Reading(need[0], record, freshness, level, record.failure)


def _next(queue: Sequence[Batch], hurried: Collection[Need]) -> int:
    """The place of the first batch that somebody is in a hurry for; else of the first."""
    if not hurried:
        return 0
    return next(
        (place for place, batch in enumerate(queue) if any(need in hurried for need in batch.needs)), 0
    )


def started(thread: threading.Thread) -> bool:
    """Start `thread`; False when there is no room for another one, or the interpreter is about to end."""
    try:
        thread.start()
    except RuntimeError:
        return False
    return True
