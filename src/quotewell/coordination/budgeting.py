"""The half of a coordinator that is about budgets: one for all stores, over two ways to reach a budget."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from quotewell.coordination.budget import (
    Budget,
    paused,
    pausing,
    quota_left,
    rebased,
    resuming,
    spending,
)
from quotewell.endpoints import Grant, Lane, Limit, Pause
from quotewell.protocols import Clock

__all__ = ["Budgeting"]

T = TypeVar("T")


class Budgeting(ABC):
    """What `protocols.Coordinator` says of budgets; a store only reads one, and replaces one alone."""

    _clock: Clock

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
        """See `protocols.Coordinator`; the arithmetic is `budget.spending`."""
        return self._step(
            provider,
            lambda budget, now: spending(
                budget, limit, n=n, lane=lane, now=now, max_wait=max_wait, leave=leave
            ),
        )

    def quota_left(self, provider: str, limit: Limit) -> int | None:
        """See `protocols.Coordinator`."""
        return quota_left(self._spent(provider), limit, self._clock.now())

    def pause(self, provider: str, until: float, reason: str, *, slower: bool = False) -> None:
        """See `protocols.Coordinator`."""
        self._step(
            provider,
            lambda budget, now: (pausing(budget, until=until, reason=reason, now=now, slower=slower), None),
        )

    def paused(self, provider: str) -> Pause | None:
        """See `protocols.Coordinator`."""
        return self._step(provider, _kept_up)

    def resume(self, provider: str) -> None:
        """See `protocols.Coordinator`."""
        self._step(provider, lambda budget, now: (resuming(budget, now), None))

    @abstractmethod
    def _spent(self, provider: str) -> Budget:
        """The stored budget of a provider."""

    @abstractmethod
    def _step(self, provider: str, step: Callable[[Budget, float], tuple[Budget, T]]) -> T:
        """Replace a provider's budget by what `step` makes of it and of the time; return its answer."""


def _kept_up(budget: Budget, now: float) -> tuple[Budget, Pause | None]:
    """A budget after a clock that was set back, and the pause in force."""
    budget = rebased(budget, now)
    return budget, paused(budget, now)
