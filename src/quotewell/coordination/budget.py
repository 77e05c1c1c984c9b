"""The arithmetic of a provider's budget: rate, daily quota and pause in one answer.

Pure functions; times are wall time. The rate is kept by the generic cell rate algorithm: `next_at` is the
time at which all requests granted so far would have been sent at an even pace of one an `interval`, which
is 1 / (0.95 · rate). A request may run ahead of that pace by the burst:

    next_at' = max(next_at, now) + n · interval
    wait     = max(0, next_at' - now - burst · interval)

so that in no window of `w` seconds more than `burst + w / interval` requests are sent, as long as `n` is at
most the burst. Background lanes work with a smaller burst, and so leave the rest to the lanes before them.
After a 429 the rate is halved, for all processes and down to a 16th of the limit's; each request that is
granted afterwards regains 1 % of that.

The wall clock may be set back. `seen` is the time of the last step; when `now` lies before it, all times kept
here move back by the difference: what was owed is still owed, no more and no less. A clock that runs ahead
and is corrected costs at most one burst beyond the limit.

Hosts that share a budget have clocks that differ a little. Taken for a clock that is set back and forth, each
change from one host to the other would give the difference away once more. So whoever is behind by a few
seconds goes by the latest time that was seen (`common_time`).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

import msgspec

from quotewell.endpoints import Grant, Lane, Limit, Pause
from quotewell.errors import UsageError

__all__ = ["Budget", "common_time", "paused", "pausing", "quota_left", "rebased", "resuming", "spending"]

_SHARE = 0.95
"""Of the limit; the provider's clock and the network's delays are not ours."""
_RESERVED = {Lane.INTERACTIVE: 0, Lane.PREFETCH: 1, Lane.REFRESH: 2}
"""Requests of the burst that a lane leaves to those before it."""
_SLOWEST = 1 / 16
_REGAINED = 1 / 100
_DAY = 86400.0
_SKEW = 5.0
"""Seconds by which hosts' clocks may differ; more is a clock that was set."""
_ROUNDING = 1e-6
"""Epoch seconds in a float are exact to a quarter of this."""


class Budget(msgspec.Struct, frozen=True):
    """What has been spent of a provider's budget."""

    seen: float = -math.inf
    """When this was last changed."""
    next_at: float = -math.inf
    day: int = 0
    """The UTC day, counted from 1970, that `spent` is about."""
    spent: int = 0
    paused_until: float = -math.inf
    pause_reason: str = ""
    share: float = 1.0
    """Of the limit's rate that is used: less for a while after a 429."""


def common_time(budget: Budget, now: float) -> float:
    """The time to go by where hosts share a budget: `now`, or the latest that one of them has seen."""
    return budget.seen if now < budget.seen <= now + _SKEW else now


def spending(
    budget: Budget, limit: Limit, *, n: int, lane: Lane, now: float, max_wait: float, leave: int = 0
) -> tuple[Budget, Grant]:
    """Take `n` requests, or nothing at all.

    Args:
        budget: What has been spent so far.
        limit: The provider's limit; `per_day` None or 0 is no quota.
        n: How many requests. More than the burst wait as if they went out one by one, but then go at once.
        lane: Who is asking.
        now: Wall time.
        max_wait: The longest wait, in seconds, that the caller accepts.
        leave: Requests of the daily quota that are to be left.

    Returns:
        The new budget, and the wait or the reason for the refusal.

    Raises:
        UsageError: The rate is not positive.
    """
    if limit.rate <= 0.0:
        raise UsageError(
            f"a rate of {limit.rate:g} requests a second allows none", hint="set a positive rate"
        )
    budget = rebased(budget, now)
    if now < budget.paused_until:
        reason = f"paused until {_utc(budget.paused_until)} ({budget.pause_reason})"
        return budget, Grant(0.0, reason, budget.paused_until)

    today = _day(now)
    day, spent = (budget.day, budget.spent) if budget.day >= today else (today, 0)
    if limit.per_day and spent + n > limit.per_day - leave:
        rest = f", but for {leave} that are spared" if leave else ""
        reason = f"the daily quota of {limit.per_day} requests is spent{rest}"
        return budget, Grant(0.0, reason, (day + 1) * _DAY, failure="quota")

    interval = 1.0 / (_SHARE * limit.rate * budget.share)
    burst = max(1, limit.burst - _RESERVED[lane], min(n, limit.burst))
    next_at = max(budget.next_at, now) + n * interval
    wait = next_at - now - burst * interval
    if wait < _ROUNDING:
        wait = 0.0
    if wait > max_wait + _ROUNDING:
        reason = f"the rate limit asks to wait {wait:.1f} s, longer than the {max(max_wait, 0.0):.1f} s left"
        return budget, Grant(0.0, reason, now + wait - max(max_wait, 0.0))
    share = min(budget.share + n * _REGAINED, 1.0)
    taken = Budget(now, next_at, day, spent + n, budget.paused_until, budget.pause_reason, share)
    return taken, Grant(wait)


def _slowed(budget: Budget, now: float) -> Budget:
    """Half the rate, but never less than a 16th of the limit's.

    What was sent lately counts at the slower rate, too, or its burst would be there again.
    """
    share = max(budget.share / 2.0, _SLOWEST)
    owed = max(budget.next_at - now, 0.0) * budget.share / share
    return msgspec.structs.replace(budget, seen=now, next_at=now + owed, share=share)


def quota_left(budget: Budget, limit: Limit, now: float) -> int | None:
    """Requests that are left of today's (UTC) quota; None where there is none."""
    if not limit.per_day:
        return None
    spent = budget.spent if budget.day >= _day(now) else 0
    return max(limit.per_day - spent, 0)


def rebased(budget: Budget, now: float) -> Budget:
    """`budget` as it is after the wall clock was set back to `now`; unchanged when it was not."""
    back = budget.seen - now
    if back <= 0.0:
        return budget
    return Budget(
        now,
        budget.next_at - back,
        # The quota of a day that had begun stays begun when the clock wavers over midnight.
        min(budget.day, _day(now) + 1),
        budget.spent,
        budget.paused_until - back,
        budget.pause_reason,
        budget.share,
    )


def pausing(budget: Budget, *, until: float, reason: str, now: float, slower: bool = False) -> Budget:
    """Begin a pause; a longer one that is in force stays.

    Args:
        budget: What has been spent so far.
        until: When it ends, epoch seconds.
        reason: Why.
        now: Wall time.
        slower: Whether to halve the rate, too, unless a pause is in force: then it was halved for that.
    """
    budget = rebased(budget, now)
    if slower and now >= budget.paused_until:
        budget = _slowed(budget, now)
    if until <= budget.paused_until:
        return budget
    return msgspec.structs.replace(budget, seen=now, paused_until=until, pause_reason=reason)


def resuming(budget: Budget, now: float) -> Budget:
    """End a pause."""
    return msgspec.structs.replace(rebased(budget, now), paused_until=-math.inf, pause_reason="")


def paused(budget: Budget, now: float) -> Pause | None:
    """The pause in force at `now`, given a budget that is `rebased` to it."""
    if now >= budget.paused_until:
        return None
    return Pause(budget.paused_until, budget.pause_reason)


def _day(now: float) -> int:
    return math.floor(now / _DAY)


def _utc(epoch: float) -> str:
    try:
        return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return "further notice"
