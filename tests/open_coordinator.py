"""A coordinator for tests of providers: no rate limit unless told, real pauses, every token noted."""

from __future__ import annotations

from quotewell.coordination.local import LocalCoordinator
from quotewell.endpoints import Grant, Lane, Limit
from quotewell.protocols import Clock


class OpenCoordinator(LocalCoordinator):
    """Gives the answers in `grants` first, then grants at once; `spent` is what it was asked."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.grants: list[Grant] = []
        self.spent: list[tuple[str, Limit, Lane, float]] = []

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
        self.spent.append((provider, limit, lane, max_wait))
        pause = self.paused(provider)
        if pause is not None:
            return Grant(0.0, f"paused: {pause.reason}", pause.until)
        return self.grants.pop(0) if self.grants else Grant(0.0)
