"""The two cache levels as one store: memory in front, the persistent level as the source of truth.

Keeps the two in step: what this process writes goes to the persistent level first; what others wrote or
invalidated is noticed by polling, at most every 50 ms and only when somebody asks. When the persistent level
is out of order, the store goes on with memory alone and says so once.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from quotewell.cache.memory import MemoryCache
from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.freshness import Judgement, Lifetime, SessionTable, assurance, judge, throttled
from quotewell.protocols import Changes, Clock, Level
from quotewell.records import RECORD_TYPES, Closes, Failure, Freshness, Quote, Record, Result

__all__ = ["Store", "TablePolicy"]

_JOIN_SECONDS = 5.0
"""Nobody waits longer for another thread's first look; a fork may have left it behind."""
_POLL_SECONDS = 0.05
_CLOCK_STEP_SECONDS = 5.0
_RETRY_LEVEL_SECONDS = 5.0
_ROUNDING = 1e-6
"""Seconds by which differences of epoch seconds may be off."""


class TablePolicy:
    """How long the records of one table live.

    Args:
        lifetime: The table's row of the lifetime table.
    """

    alike: Callable[[str], bool] | None = None
    """Tells keys that live by the same sessions as all others that it tells; None: all keys do."""

    def __init__(self, lifetime: Lifetime) -> None:
        self.lifetime = lifetime
        self.selective = type(self).accepts is not TablePolicy.accepts
        self.thaws = type(self).thaw is not TablePolicy.thaw

    def sessions(self, key: str) -> SessionTable | None:
        """The session table that applies to `key`; None for none."""
        del key
        return None

    def accepts(self, record: Record) -> bool:
        """Whether the record answers the question that is asked today."""
        del record
        return True

    def thaw(self, record: Record) -> Record | None:
        """A record as it enters memory; None when it cannot be used."""
        return record


class Store:
    """Both levels, the policies of their tables, and the state of their agreement."""

    def __init__(
        self, memory: MemoryCache, level: Level, policies: Mapping[str, TablePolicy], clock: Clock
    ) -> None:
        self.memory = memory
        self.level = level
        self.policies = dict(policies)
        self._clock = clock
        self.synced_rev = 0
        """The persistent level's revision up to which memory is in step."""
        self.poll_at = 0.0
        """Monotonic seconds until which memory may be believed without asking the persistent level."""
        self._clock_offset = clock.now() - clock.monotonic()
        self._level_retry_at = 0.0
        self._warned = False
        self._closed = False
        self._has_written = False
        self._withdrawals = 0
        """How often something in memory was found, or made, out of date; see `_admit`."""
        self._admission = threading.Lock()
        self._joining = threading.Lock()
        self._has_joined = False
        self._unstored: dict[str, set[str]] = {}
        """Keys by table of what the persistent level did not take, and memory has."""

    @property
    def level_name(self) -> str:
        """The name of the persistent level that answers now; another one may stand in for the wanted."""
        return self.level.name

    # ------------------------------------------------------------------------------------------ reading

    def sync(self) -> Changes | None:
        """Drop from memory what others have changed; judge all again after a clock step or a suspend.

        The first look is awaited by all who want to read: what it finds is older than anything that they
        begin, and must not seem to overtake it.

        Returns:
            The changes; None when it was not time to ask, nobody could be asked, or nothing was read before.
        """
        if self._has_joined:
            return self._poll()
        waited = self._joining.acquire(timeout=_JOIN_SECONDS)
        try:
            if not self._has_joined:
                self._poll()
                self._has_joined = True
        finally:
            if waited:
                self._joining.release()
        return None

    def _poll(self) -> Changes | None:
        monotonic = self._clock.monotonic()
        if monotonic < self.poll_at:
            return None
        self.poll_at = monotonic + _POLL_SECONDS
        offset = self._clock.now() - monotonic
        if abs(offset - self._clock_offset) > _CLOCK_STEP_SECONDS:
            self._clock_offset = offset
            self.memory.expire_all()
        if not self._level_usable():
            return None
        try:
            changes = self.level.changes_since(self.synced_rev)
        except CacheError as error:
            self._degrade(error)
            return None
        was_in_step, self.synced_rev = self.synced_rev > 0, changes.rev
        if changes.rebuilt and was_in_step and changes.keys is not None:
            self._outlive_rebuild(changes.keys)
        elif changes.rebuilt or changes.keys is None:
            with self._admission:
                self._withdrawals += 1
                self._unstored.clear()
                self.memory.clear()
        else:
            for table, keys in changes.keys.items():
                self._withdraw(table, keys)
        return changes

    def load(self, table: str, keys: Collection[str]) -> dict[str, Record]:
        """Records, fresh or not, from the persistent level, put into memory on the way.

        What it did not take, because its disk is full or it was out of order, is in memory alone; the newer
        value counts, with the failure that the level knows of.
        """
        if not self._level_usable():
            return self._from_memory(table, keys)
        withdrawals = self._withdrawals
        try:
            records = self.level.get_many(table, keys)
        except CacheError as error:
            self._degrade(error)
            return self._from_memory(table, keys)
        if any(key not in records for key in self._from_memory(table, keys)):
            self._notice_rebuild()
        unstored = self._newer_unstored(table, keys, records)
        if len(records) < len(keys):
            # Deleted by another process, of which the next poll would have told.
            self.memory.drop(table, [key for key in keys if key not in records and key not in unstored])
        if not unstored:
            return self._admit(table, records, withdrawals)
        stored = {key: record for key, record in records.items() if key not in unstored}
        return self._admit(table, stored, withdrawals) | unstored

    def rev(self) -> int:
        """The persistent level's revision; 0 while it is out of order."""
        if not self._level_usable():
            return 0
        try:
            return self.level.rev()
        except CacheError as error:
            self._degrade(error)
            return 0

    def closes(self, symbols: Collection[str]) -> dict[str, Closes]:
        """Stored daily closes; none while the persistent level is out of order."""
        if not self._level_usable():
            return {}
        try:
            return self.level.get_closes(symbols)
        except CacheError as error:
            self._degrade(error)
            return {}

    def judge(self, table: str, record: Record, now: float) -> Judgement:
        """How usable `record` is at `now` (epoch seconds)."""
        policy = self.policies[table]
        if not policy.accepts(record):
            return Judgement(Freshness.NONE, 0.0)
        return judge(table, record, policy.lifetime, policy.sessions(record.symbol), now)

    # ------------------------------------------------------------------------------------------ writing

    def write(
        self, table: str, records: Sequence[Record], *, begun: int, closes: Sequence[Closes] = ()
    ) -> None:
        """Write values through: persistent level first, then memory; `closes` stay out of memory."""
        refused: set[str] = set()
        taken = False
        withdrawals = self._withdrawals
        if self._level_usable():
            try:
                before = self.level.rev()
                refused = self.level.put_many(table, records, begun=begun, closes=closes)
                self._has_written = True
                taken = True
                self._follow_own_write(before)
            except CacheError as error:
                self._degrade(error)
        keys = [record.symbol for record in records]
        if not taken:
            self._unstored.setdefault(table, set()).update(keys)
        elif table in self._unstored:
            self._unstored[table].difference_update(keys)
        accepted = {record.symbol: record for record in records if record.symbol not in refused}
        self._admit(table, accepted, withdrawals)

    def write_failures(self, table: str, failures: Mapping[str, Failure], *, begun: int) -> None:
        """Remember failures beside the last good values."""
        if self._level_usable():
            try:
                before = self.level.rev()
                self.level.fail_many(table, failures, begun=begun)
                self._follow_own_write(before)
            except CacheError as error:
                self._degrade(error)
            else:
                # To be read again, with their failures; but what memory alone has must stay.
                self._withdraw(table, failures.keys() - self._unstored.get(table, set()))
                return
        withdrawals = self._withdrawals
        self._unstored.setdefault(table, set()).update(failures)
        known = self.memory.table(table)
        record_type = RECORD_TYPES.get(table, Result)
        for key, failure in failures.items():
            record = known.get(key) or record_type(symbol=key)
            self._admit(table, {key: msgspec.structs.replace(record, failure=failure)}, withdrawals)

    def invalidate(self, table: str, keys: Collection[str] | None, *, hard: bool) -> int:
        """Invalidate in both levels; return the number of records it concerned.

        Raises:
            CacheError: When the persistent level, and so the other processes, could not be reached.
        """
        forget = self.level.delete_many if hard else self.level.invalidate_many
        before = self.level.rev()
        count = forget(table, keys)
        self._withdraw(table, keys)
        self._follow_own_write(before)
        return count

    def close(self, max_records: int) -> None:
        """Close the persistent level; what was written is first bounded to `max_records` a table."""
        if self._has_written and self._level_usable():
            try:
                self.level.prune(max_records)
            except CacheError as error:
                self._degrade(error)
        self._closed = True  # what comes in after this is neither stored nor worth a warning
        self.poll_at = 0.0
        self.memory.expire_all()
        self.level.close()

    def _admit(self, table: str, records: dict[str, Record], withdrawals: int) -> dict[str, Record]:
        """Put into memory what the level held when `withdrawals` was read.

        Not if anything was withdrawn since: it may have been one of these, which could not be dropped then
        because it was not there yet.
        """
        policy = self.policies[table]
        if policy.thaws:
            thawed = ((key, policy.thaw(record)) for key, record in records.items())
            records = {key: record for key, record in thawed if record is not None}
        self._set_windows(table, policy, records)
        with self._admission:
            if self._withdrawals == withdrawals:
                self.memory.put_many(table, records)
        return records

    def _set_windows(self, table: str, policy: TablePolicy, records: Mapping[str, Record]) -> None:
        """Set until when memory may answer with each of `records`, judging as few of them as will do."""
        wall, monotonic = self._clock.now(), self._clock.monotonic()
        alike, selective = policy.alike, policy.selective
        fetched_at, until, earliest, latest = None, 0.0, 0.0, 0.0
        for key, record in records.items():
            may_share = (
                not record.invalidated
                and not (isinstance(record, Quote) and record.unverified)
                and (alike is None or alike(key))
                and (not selective or policy.accepts(record))
            )
            if may_share and record.fetched_at == fetched_at and earliest <= (record.as_of or 0.0) <= latest:
                record.fresh_until = until
                continue
            self._set_window(table, record, wall, monotonic)
            if may_share and record.fresh_until > monotonic:
                sessions = policy.sessions(key)
                assured, earliest, latest = assurance(table, record, policy.lifetime, sessions, wall)
                until = monotonic + (assured - wall)
                fetched_at = record.fetched_at if until > monotonic else None

    def _set_window(self, table: str, record: Record, wall: float, monotonic: float) -> None:
        judgement = self.judge(table, record, wall)
        record.fresh_until, record.grace = 0.0, 0.0
        if judgement.freshness >= Freshness.GRACE:
            record.fresh_until = monotonic + (judgement.fresh_until - wall)
            grace = judgement.grace_until - judgement.fresh_until
            if record.failure is not None and throttled(record, wall):
                # Beyond that, somebody has to be asked again.
                grace = max(0.0, min(grace, record.failure.retry_at - judgement.fresh_until))
            full = self.policies[table].lifetime.grace
            # Nearly all have the full length or none: each is one object, however many records have it.
            record.grace = full if abs(grace - full) < _ROUNDING else (grace or 0.0)

    def _withdraw(self, table: str, keys: Collection[str] | None) -> None:
        with self._admission:
            self._withdrawals += 1
            unstored = self._unstored.get(table, set())
            unstored.difference_update(list(unstored) if keys is None else keys)
            self.memory.drop(table, keys)

    def _notice_rebuild(self) -> None:
        """Ask whether the level has lost what it had before anything is dropped from memory for that."""
        if not self.synced_rev:
            return
        try:
            changes = self.level.changes_since(self.synced_rev)
        except CacheError as error:
            self._degrade(error)
            return
        if changes.rebuilt and changes.keys is not None:
            self.synced_rev = changes.rev
            self._outlive_rebuild(changes.keys)

    def _outlive_rebuild(self, withdrawn: Mapping[str, Collection[str]]) -> None:
        """Keep for errors what memory has: a level that was built anew has lost its values, and we have not.

        Each will be fetched anew when it is asked for, as others may have invalidated it in what is lost. The
        bars behind a history were in the level alone, so histories go.

        Args:
            withdrawn: By table what was invalidated or deleted since.
        """
        with self._admission:
            self._withdrawals += 1
            for table in self.memory.tables():
                gone = withdrawn.get(table, ())
                kept = {
                    key: msgspec.structs.replace(record, invalidated=True, fresh_until=0.0, grace=0.0)
                    for key, record in list(self.memory.table(table).items())
                    if record.fetched_at is not None and key not in gone and table != "history"
                }
                self.memory.drop(table, [key for key in list(self.memory.table(table)) if key not in kept])
                self.memory.put_many(table, kept)
                self._unstored[table] = set(kept)

    def _newer_unstored(
        self, table: str, keys: Collection[str], stored: Mapping[str, Record]
    ) -> dict[str, Record]:
        newer: dict[str, Record] = {}
        unstored = self._unstored.get(table)
        if not unstored:
            return newer
        for key, known in self._from_memory(table, unstored.intersection(keys)).items():
            record = stored.get(key)
            if record is None:
                newer[key] = known
            elif known.fetched_at is not None and known.fetched_at > (record.fetched_at or 0.0):
                newer[key] = msgspec.structs.replace(known, failure=record.failure)
        return newer

    def _from_memory(self, table: str, keys: Collection[str]) -> dict[str, Record]:
        known = self.memory.table(table)
        return {key: known[key] for key in keys if key in known}

    def _follow_own_write(self, before: int) -> None:
        """Skip the poll for our own write if nobody else wrote between the two revisions."""
        if self.synced_rev == before and self.level.rev() == before + 1:
            self.synced_rev = before + 1

    # ------------------------------------------------------------------------------------- out of order

    def _level_usable(self) -> bool:
        return not self._closed and self._clock.monotonic() >= self._level_retry_at

    def _degrade(self, error: CacheError) -> None:
        self._level_retry_at = self._clock.monotonic() + _RETRY_LEVEL_SECONDS
        if not self._warned and not self._closed:
            self._warned = True
            warnings.warn(f"{error}; going on with memory alone", CacheDegradedWarning, stacklevel=2)
