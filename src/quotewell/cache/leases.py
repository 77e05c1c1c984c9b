"""Leases on needs, so that only one process fetches them; without a coordinator the work goes on.

A lease is renewed at every third of its length for as long as its holder works on it, by one thread that
lives only while leases are held. Renewal ends at the holder's deadline, so that a fetch that hangs keeps
others waiting until then and for one lease more; a process that is killed renews nothing.
"""

from __future__ import annotations

import math
import os
import threading
import warnings
from collections.abc import Collection, Iterable
from typing import NamedTuple

from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.protocols import Clock, Coordinator
from quotewell.records import Need

__all__ = ["Leases"]

_RENEWALS = 3
"""Renewals in the time of one lease: one may fail, or come late, without harm."""
_LONGEST = 20.0
"""Leases for which one is held at most when its holder knows no deadline."""


class _Held(NamedTuple):
    token: str
    holder: object
    until: float
    """Monotonic seconds after which it is not renewed."""
    ends: tuple[float, float]
    """Wall and monotonic seconds: it has run out when either is past, for a suspended machine stops one."""


class Leases:
    """Takes, renews and gives back leases; when the coordinator is out of order, everything is granted.

    Args:
        coordinator: Where leases are kept.
        seconds: How long a lease holds unless it is renewed or given back.
        clock: The time.
    """

    def __init__(self, coordinator: Coordinator, seconds: float, clock: Clock) -> None:
        self._coordinator = coordinator
        self._seconds = seconds
        self._clock = clock
        self._ended = False
        self._warned = False
        self._held: dict[str, _Held] = {}
        self._renewer: threading.Thread | None = None
        self._begin_in_process()

    def take(
        self, needs: Iterable[Need], token: str, *, until: float = math.inf, holder: object = None
    ) -> set[Need]:
        """The needs that `token` may fetch now.

        Args:
            needs: What is wanted.
            token: In whose name; all leases of one token are granted to it again.
            until: Monotonic seconds after which the leases are not renewed.
            holder: Who works on them; it takes over what another holder of the same token has.
        """
        names = {_name(need): need for need in needs}
        self._follow_fork()
        now = self._clock.monotonic()
        until = min(until, now + _LONGEST * self._seconds)
        ends = self._ends()
        try:
            granted = self._coordinator.lease(names, token, self._seconds)
        except CacheError as error:
            self._go_without(error)
            # There is nothing to renew, and nobody to whom it could be lost.
            granted, until, ends = set(names), -math.inf, (math.inf, math.inf)
        with self._changed:
            self._held.update(dict.fromkeys(granted, _Held(token, holder, until, ends)))
            if granted and until > now and self._renewer is None and not self._ended:
                self._start_renewer()
        return {names[name] for name in granted}

    def give_back(self, needs: Iterable[Need], token: str, *, holder: object = None) -> None:
        """End leases, but for those that another holder has taken over."""
        self._follow_fork()
        with self._changed:
            names = [
                name
                for name in map(_name, needs)
                if (held := self._held.get(name)) is None or held.holder is holder
            ]
        self._release(names, token)

    def lost(self, needs: Iterable[Need], *, holder: object = None) -> set[Need]:
        """Those of `needs` whose lease has run out, or went to another: somebody else may fetch them."""
        self._follow_fork()
        wall, monotonic = self._clock.now(), self._clock.monotonic()
        with self._changed:
            return {
                need
                for need in needs
                if (held := self._held.get(_name(need))) is None
                or held.holder is not holder
                or wall >= held.ends[0]
                or monotonic >= held.ends[1]
            }

    def end(self) -> None:
        """Give back all that is held, so that nobody waits for what will not come, and say nothing more."""
        self._follow_fork()
        with self._changed:
            by_token: dict[str, list[str]] = {}
            for name, held in self._held.items():
                by_token.setdefault(held.token, []).append(name)
        for token, names in by_token.items():
            self._release(names, token)
        self._ended = True

    def _release(self, names: Collection[str], token: str) -> None:
        with self._changed:
            holders = {name: held.holder for name in names if (held := self._held.get(name)) is not None}
        try:
            if names:
                self._coordinator.release(names, token)
        except CacheError as error:
            self._go_without(error)
        # Only now: `end` gives back what it finds here, and after it the coordinator is closed.
        with self._changed:
            for name, holder in holders.items():
                held = self._held.get(name)
                if held is not None and held.token == token and held.holder is holder:
                    del self._held[name]
            if not self._held:
                self._changed.notify_all()

    # ------------------------------------------------------------------------------------------ renewal

    def _start_renewer(self) -> None:
        thread = threading.Thread(target=self._keep_renewing, name="quotewell-leases", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no room for another thread: the leases are good for their first length
            return
        self._renewer = thread

    def _keep_renewing(self) -> None:
        try:
            while self._renewal_is_due():
                self._renew()
        except BaseException:
            with self._changed:
                self._renewer = None
            raise

    def _renewal_is_due(self) -> bool:
        """Wait for it; False when there is nothing left to renew."""
        with self._changed:
            due = self._clock.monotonic() + self._seconds / _RENEWALS
            while any(held.until > self._clock.monotonic() for held in self._held.values()):
                left = due - self._clock.monotonic()
                if left <= 0.0:
                    return True
                self._clock.wait(self._changed, left)
            self._renewer = None
            return False

    def _renew(self) -> None:
        now = self._clock.monotonic()
        with self._changed:
            renewable = {name: held for name, held in self._held.items() if held.until > now}
        for token in {held.token for held in renewable.values()}:
            names = [name for name, held in renewable.items() if held.token == token]
            ends = self._ends()
            try:
                extended = self._coordinator.renew(names, token, self._seconds)
            except CacheError as error:
                self._go_without(error)
                continue
            with self._changed:
                for name in names:
                    held = renewable[name]
                    # Not when it was given back, or taken again, while the coordinator was asked.
                    if self._held.get(name) is held:
                        self._held[name] = (
                            held._replace(ends=ends)
                            if name in extended
                            else held._replace(until=-math.inf, ends=(-math.inf, -math.inf))
                        )

    def _ends(self) -> tuple[float, float]:
        """When a lease runs out that is taken or renewed now."""
        return self._clock.now() + self._seconds, self._clock.monotonic() + self._seconds

    # ------------------------------------------------------------------------------------- exceptions

    def _go_without(self, error: CacheError) -> None:
        if not self._warned and not self._ended:
            self._warned = True
            text = f"{error}; other processes may fetch the same symbols"
            warnings.warn(text, CacheDegradedWarning, stacklevel=2)

    def _follow_fork(self) -> None:
        if self._process != os.getpid():
            self._begin_in_process()

    def _begin_in_process(self) -> None:
        """Also after a fork: the parent's leases, and the thread that renews them, are the parent's alone."""
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._held = {}
        self._renewer = None


def _name(need: Need) -> str:
    return f"{need[1]}/{need[0]}"
