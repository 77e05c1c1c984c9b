"""The shared level with a spare of this machine's own behind it, for when the shared one is out of order.

In order, the shared level alone is the truth: it answers, and what it holds is copied to the spare behind the
caller's back. When it does not answer in time, the circuit opens: the spare answers, values go to it and are
remembered, and every few seconds one caller who asks for changes tries the shared level again. When that is
back, it is sent what it has missed, by the rules of every write: nothing older than what it has, nothing
whose fetch began before an invalidation that it knows of.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, TypeVar

from quotewell.cache.spare import Spare, Unsent
from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.protocols import Changes, Clock, Level, LevelStats
from quotewell.records import Closes, Failure, Record

__all__ = ["SparedLevel"]

T = TypeVar("T")

_RETRY_SECONDS = 5.0


class Tells(Protocol):
    """Somebody who says once that a server is out of order."""

    told: bool


class SparedLevel:
    """A `protocols.Level` that raises `CacheError` only for invalidations, and when the spare fails, too.

    Args:
        open_shared: Opens the shared level; raises `CacheError`.
        spare: Answers while the shared one does not.
        clock: The time.
    """

    def __init__(self, open_shared: Callable[[], Level], spare: Level, clock: Clock) -> None:
        self._open_shared = open_shared
        self._clock = clock
        self._spare = Spare(spare)
        self._unsent = Unsent()
        self._shared: Level | None = None
        self._retry_at: float | None = None
        """Monotonic seconds from which the shared level is asked again; None while it is in order."""
        self._rev = 0
        """The shared level's revision when it was last heard of."""
        self._closed = False
        self._begin_in_process()
        self.told = False
        """Whether it was said that the shared level is out of order."""
        self.companion: Tells | None = None
        """Who says the same of the same server: once is enough."""
        self.first_error: CacheError | None = None
        """Why the shared level could not be opened at first; it is the caller's to tell."""
        self.name = spare.name
        try:
            self.name = self._opened().name
        except CacheError as error:
            self.first_error = error
            self._retry_at = clock.monotonic() + _RETRY_SECONDS

    @property
    def in_order(self) -> bool:
        """Whether the shared level answers; else the spare does."""
        return self._retry_at is None

    def rev(self) -> int:
        """See `protocols.Level`; while it is out of order, the shared level's last known one."""
        self._rev = self._ask(lambda shared: shared.rev(), lambda _: self._rev)
        return self._rev

    def get_many(self, table: str, keys: Collection[str]) -> dict[str, Record]:
        """See `protocols.Level`."""
        withdrawals = self._spare.withdrawals
        records = self._ask(
            lambda shared: shared.get_many(table, keys), lambda spare: spare.get_many(table, keys)
        )
        if self.in_order:
            self._spare.copy(table, keys, records, withdrawals)
        return records

    def keys(self, table: str) -> list[str]:
        """See `protocols.Level`."""
        return self._ask(lambda shared: shared.keys(table), lambda spare: spare.keys(table))

    def put_many(
        self, table: str, records: Sequence[Record], *, begun: int, closes: Sequence[Closes] = ()
    ) -> set[str]:
        """See `protocols.Level`."""
        sent, withdrawals = False, self._spare.withdrawals

        def send(shared: Level) -> set[str]:
            nonlocal sent
            refused = shared.put_many(table, records, begun=begun, closes=closes)
            sent = True
            return refused

        def keep(spare: Level) -> set[str]:
            return spare.put_many(table, records, begun=spare.rev(), closes=closes)

        refused = self._ask(send, keep)
        accepted = [record for record in records if record.symbol not in refused]
        if sent:
            self._spare.put(table, accepted, closes, withdrawals)
        else:
            self._unsent.add(table, accepted, begun, closes)
        return refused

    def fail_many(self, table: str, failures: Mapping[str, Failure], *, begun: int) -> None:
        """See `protocols.Level`; what fails while the shared level is out of order stays here."""
        self._ask(
            lambda shared: shared.fail_many(table, failures, begun=begun),
            lambda spare: spare.fail_many(table, failures, begun=spare.rev()),
        )

    def invalidate_many(self, table: str, keys: Collection[str] | None) -> int:
        """See `protocols.Level`; raises while the shared level is out of order."""
        count = self._insist(lambda shared: shared.invalidate_many(table, keys))
        self._spare.withdraw(lambda spare: spare.invalidate_many(table, keys))
        return count

    def delete_many(self, table: str, keys: Collection[str] | None) -> int:
        """See `protocols.Level`; raises while the shared level is out of order."""
        count = self._insist(lambda shared: shared.delete_many(table, keys))
        self._spare.withdraw(lambda spare: spare.delete_many(table, keys))
        return count

    def changes_since(self, rev: int) -> Changes:
        """See `protocols.Level`; none while the shared level is out of order, and all of them afterwards."""
        if self._retry_at is not None and self._clock.monotonic() >= self._retry_at:
            self._try_again()
        asked = False

        def ask(shared: Level) -> Changes:
            nonlocal asked
            changes = shared.changes_since(rev)
            asked = True
            return changes

        changes = self._ask(ask, lambda _: Changes(rev, {}))
        if asked:
            self._rev = changes.rev
            if rev and changes.keys != {}:
                self._spare.follow(changes)
        return changes

    def get_closes(self, symbols: Collection[str]) -> dict[str, Closes]:
        """See `protocols.Level`."""
        return self._ask(lambda shared: shared.get_closes(symbols), lambda spare: spare.get_closes(symbols))

    def prune(self, max_records: int) -> int:
        """See `protocols.Level`; prunes the spare, too."""
        self._spare.later(lambda spare: spare.prune(max_records))
        return self._ask(lambda shared: shared.prune(max_records), lambda _: 0)

    def stats(self) -> LevelStats:
        """See `protocols.Level`."""
        return self._ask(lambda shared: shared.stats(), lambda spare: spare.stats())

    def close(self) -> None:
        """See `protocols.Level`; what is still to be copied is written first."""
        self._closed = True
        self._spare.close()
        if self._shared is not None:
            self._shared.close()

    # ------------------------------------------------------------------------------------- the circuit

    def _begin_in_process(self) -> None:
        """Also after a fork: another thread of the parent's may have held the lock."""
        self._trying = threading.Lock()
        self._process = os.getpid()

    def _ask(self, use: Callable[[Level], T], instead: Callable[[Level], T]) -> T:
        """What the shared level answers, or else the spare."""
        if self._shared is not None and self._retry_at is None:
            try:
                return use(self._shared)
            except CacheError as error:
                if self._closed:
                    raise
                self._lose(error)
        return self._spare.ask(instead)

    def _insist(self, use: Callable[[Level], T]) -> T:
        """What the shared level answers; it is tried however recently it was out of order."""
        if self._retry_at is not None:
            self._try_again()
        if self._shared is None or self._retry_at is not None:
            raise CacheError(
                "the shared cache is out of order; nothing was invalidated", hint="try again when it is back"
            )
        try:
            return use(self._shared)
        except CacheError as error:
            if not self._closed:
                self._lose(error)
            raise

    def _try_again(self) -> None:
        """Close the circuit if the shared level is back; it is sent what it has missed, behind the caller."""
        if self._process != os.getpid():
            self._begin_in_process()
        if self._closed or not self._trying.acquire(blocking=False):
            return
        try:
            shared = self._opened()
            self._rev = shared.rev()
        except CacheError:
            self._retry_at = self._clock.monotonic() + _RETRY_SECONDS
        else:
            self._retry_at = None
            self.name = shared.name
            self._spare.later(lambda _: self._send(shared))
        finally:
            self._trying.release()

    def _send(self, shared: Level) -> None:
        """Send some of what the shared level has missed: in turns, or others would wait for the spare."""
        try:
            if self._retry_at is None and self._unsent.send(shared):
                self._spare.later(lambda _: self._send(shared))
        except CacheError as error:
            if not self._closed:
                self._lose(error)

    def _opened(self) -> Level:
        if self._shared is None:
            self._shared = self._open_shared()
        return self._shared

    def _lose(self, error: CacheError) -> None:
        self._retry_at = self._clock.monotonic() + _RETRY_SECONDS
        self.name = self._spare.name
        said = self.told or (self.companion is not None and self.companion.told)
        self.told = True
        if self.companion is not None:
            self.companion.told = True
        if not said:
            text = f"{error}; going on with memory and {self.name} until it is back"
            warnings.warn(text, CacheDegradedWarning, stacklevel=4)
