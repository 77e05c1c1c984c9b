"""This process's own coordinator in place of the shared one, as long as that one is out of order."""

from __future__ import annotations

import datetime as dt
import os
import threading
import warnings
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from quotewell.coordination.local import LocalCoordinator
from quotewell.endpoints import Grant, Lane, Limit, Pause
from quotewell.errors import CacheDegradedWarning, CacheError
from quotewell.protocols import Clock, Coordinator

__all__ = ["StandbyCoordinator"]

T = TypeVar("T")

_RETRY_SECONDS = 30.0
"""To ask a locked file costs a fetch some seconds, so not too often."""

_MISSED = 10_000
"""Counts that are kept for the shared one at most; there is a handful a minute."""


class StandbyCoordinator:
    """A `protocols.Coordinator` that raises no `CacheError` before it is closed.

    While the shared coordinator is out of order, leases and rate budgets are this process's alone, which is
    said once. Pauses are kept on both sides, so that a 429 is forgotten by neither; counts follow later.

    Args:
        open_shared: Opens the shared coordinator; raises `CacheError`.
        clock: The time.
    """

    def __init__(self, open_shared: Callable[[], Coordinator], clock: Clock) -> None:
        self._open_shared = open_shared
        self._clock = clock
        self._begin_in_process()
        self._shared: Coordinator | None = None
        self._retry_at: float | None = None
        """Monotonic seconds from which the shared one is asked again; None while it is in order."""
        self._paused: set[str] = set()
        self._missed: deque[Callable[[Coordinator], object]] = deque(maxlen=_MISSED)
        self._closed = False
        self.told = False
        """Whether it was said that the shared one is out of order."""
        self.first_error: CacheError | None = None
        """Why the shared one could not be opened at first; it is the caller's to tell."""
        self.name = LocalCoordinator.name
        try:
            self._opened()
        except CacheError as error:
            self.first_error = error
            self._retry_at = clock.monotonic() + _RETRY_SECONDS

    def lease(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        """See `protocols.Coordinator`."""
        return self._ask(lambda coordinator: coordinator.lease(keys, token, seconds))

    def renew(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        """See `protocols.Coordinator`."""
        return self._ask(lambda coordinator: coordinator.renew(keys, token, seconds))

    def release(self, keys: Collection[str], token: str) -> None:
        """See `protocols.Coordinator`; on both sides, for either may have granted them."""
        self._own.release(keys, token)
        self._ask(lambda coordinator: coordinator.release(keys, token))

    def spend(
        self,
        provider: str,
        limit: Limit,
        *,
        n: int = 1,
        lane: Lane = Lane.INTERACTIVE,
        max_wait: float,
        leave: int = 0,
    ) -> Grant:
        """See `protocols.Coordinator`."""
        return self._ask(
            lambda coordinator: coordinator.spend(
                provider, limit, n=n, lane=lane, max_wait=max_wait, leave=leave
            )
        )

    def quota_left(self, provider: str, limit: Limit) -> int | None:
        """See `protocols.Coordinator`."""
        return self._ask(lambda coordinator: coordinator.quota_left(provider, limit))

    def pause(self, provider: str, until: float, reason: str, *, slower: bool = False) -> None:
        """See `protocols.Coordinator`."""
        self._own.pause(provider, until, reason, slower=slower)
        self._paused.add(provider)
        self._ask(lambda coordinator: coordinator.pause(provider, until, reason, slower=slower))

    def paused(self, provider: str) -> Pause | None:
        """See `protocols.Coordinator`."""
        return self._ask(lambda coordinator: coordinator.paused(provider))

    def resume(self, provider: str) -> None:
        """See `protocols.Coordinator`."""
        self._own.resume(provider)
        self._paused.discard(provider)
        self._ask(lambda coordinator: coordinator.resume(provider))

    def add_usage(self, counts: Mapping[str, float]) -> None:
        """See `protocols.Coordinator`."""
        self._ask(lambda coordinator: coordinator.add_usage(counts), later=True)

    def top_usage(self, n: int) -> list[tuple[str, float]]:
        """See `protocols.Coordinator`."""
        return self._ask(lambda coordinator: coordinator.top_usage(n))

    def add_stats(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        """See `protocols.Coordinator`."""
        self._ask(lambda coordinator: coordinator.add_stats(counts), later=True)

    def stats_by_day(self, days: int) -> dict[dt.date, dict[str, dict[str, int]]]:
        """See `protocols.Coordinator`."""
        return self._ask(lambda coordinator: coordinator.stats_by_day(days))

    def close(self) -> None:
        """See `protocols.Coordinator`."""
        self._closed = True
        if self._shared is not None:
            self._shared.close()

    @property
    def _own(self) -> LocalCoordinator:
        if self._process != os.getpid():
            self._begin_in_process()
        return self._local

    def _begin_in_process(self) -> None:
        """Also after a fork: another thread of the parent's may have held a lock."""
        self._local = LocalCoordinator(self._clock)
        self._trying = threading.Lock()
        self._process = os.getpid()

    def _ask(self, use: Callable[[Coordinator], T], *, later: bool = False) -> T:
        """What the shared one answers, or else our own; `later` also tells the shared one when it is back."""
        shared = self._shared if self._closed or self._retry_at is None else self._again(self._retry_at)
        if shared is not None:
            try:
                return use(shared)
            except CacheError as error:
                if self._closed:
                    raise
                self._go_alone(error)
        if later:
            self._missed.append(use)
        return use(self._own)

    def _again(self, retry_at: float) -> Coordinator | None:
        """The shared one, told of what it has missed, if it is time to try and it is in order."""
        if self._clock.monotonic() < retry_at or not self._trying.acquire(blocking=False):
            return None
        try:
            shared = self._opened()
            for provider in list(self._paused):
                pause = self._own.paused(provider)
                if pause is not None:
                    shared.pause(provider, pause.until, pause.reason)
            while self._missed:
                self._missed[0](shared)
                self._missed.popleft()
        except CacheError as error:
            self._go_alone(error)
            return None
        else:
            self._retry_at = None
            return shared
        finally:
            self._trying.release()

    def _opened(self) -> Coordinator:
        if self._shared is None:
            self._shared = self._open_shared()
            self.name = self._shared.name
        return self._shared

    def _go_alone(self, error: CacheError) -> None:
        self._retry_at = self._clock.monotonic() + _RETRY_SECONDS
        if not self.told:
            self.told = True
            text = f"{error}; other processes may fetch the same symbols, and rate limits are this process's"
            warnings.warn(text, CacheDegradedWarning, stacklevel=4)
