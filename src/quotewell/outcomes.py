"""What becomes of a prefetch: how far it is, an outcome for everything asked for, and what it cost."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import msgspec

from quotewell.records import Freshness, Need, Reading, Record

__all__ = ["NOT_ASKED", "Outcome", "PrefetchReport", "Progress", "Status", "outcome_of", "progress_of"]

NOT_ASKED = "not cached, and no provider was asked"
"""Why there is no value, where there is no failure either."""

Status = Literal["fresh", "fetched", "kept", "unknown", "omitted", "failed"]


class Outcome(msgspec.Struct, frozen=True):
    """What became of one need."""

    status: Status
    """`fresh`: nothing to do; `kept`: the fetch failed, an older value is still served."""
    reason: str = ""
    retry_at: float | None = None
    """When a provider will be asked again (epoch seconds), for what could not be had now."""


class Progress(msgspec.Struct, frozen=True):
    """How far a prefetch is."""

    symbols: int
    done: int
    """Symbols of which nothing is on its way any more."""
    requests: int
    waited: float
    """Seconds that requests have waited for the rate limit."""
    seconds: float
    """Since it began."""
    values: int
    """Symbols and facets that were asked for."""
    values_done: int
    """Those of which nothing is on its way any more."""
    planned: float
    """Requests that were planned when it began; fallbacks and repeats come on top."""

    @property
    def seconds_left(self) -> float | None:
        """For the planned requests that are left, as fast as until now; None before the first."""
        if not self.requests:
            return None
        return self.seconds * max(self.planned - self.requests, 0.0) / self.requests


class PrefetchReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of everything that was asked for, and what it cost."""

    outcomes: dict[Need, Outcome]
    requests: int
    """Requests sent, handshakes not counted."""
    waited: float = 0.0
    """Seconds that requests have waited for the rate limit, summed over those at one time."""
    seconds: float

    def counts(self) -> dict[Status, int]:
        """Number of needs by status."""
        counts: dict[Status, int] = {
            "fresh": 0, "fetched": 0, "kept": 0, "unknown": 0, "omitted": 0, "failed": 0,
        }  # fmt: skip
        for outcome in self.outcomes.values():
            counts[outcome.status] += 1
        return counts

    def by_symbol(self) -> dict[str, dict[str, Outcome]]:
        """Outcomes as symbol → facet → outcome."""
        symbols: dict[str, dict[str, Outcome]] = {}
        for (symbol, facet), outcome in self.outcomes.items():
            symbols.setdefault(symbol, {})[facet] = outcome
        return symbols


def outcome_of(reading: Reading[Record]) -> Outcome:
    """The outcome that a reading tells of."""
    failure = reading.failure
    if reading.usable and reading.level == "provider":
        return Outcome("fetched")
    if reading.usable and failure is None and reading.freshness != Freshness.STALE:
        return Outcome("fresh")
    if failure is None:
        return Outcome("kept", "no provider was asked") if reading.usable else Outcome("failed", NOT_ASKED)
    status: Status = "kept" if reading.usable else "failed"
    if not reading.usable and (failure.kind == "unknown" or failure.kind == "omitted"):  # noqa: PLR1714  `in` narrows no Literal
        status = failure.kind
    return Outcome(status, failure.reason, failure.retry_at)


def progress_of(
    needs: Collection[Need],
    missing: Collection[Need],
    *,
    requests: int,
    waited: float,
    seconds: float,
    planned: float,
) -> Progress:
    """How far a prefetch is; the figures that are given are those of `Progress`.

    Args:
        needs: What was asked for.
        missing: What is on its way, histories that betas are computed from among it.
        requests: Sent so far.
        waited: Seconds.
        seconds: Since it began.
        planned: Requests.
    """
    # A beta is on its way as long as its history is; computing it takes no time worth telling.
    left = {need for need in missing if need[1] != "risk"}
    values_left = [need for need in needs if ((need[0], "history") if need[1] == "risk" else need) in left]
    symbols = len({symbol for symbol, _ in needs})
    return Progress(
        symbols=symbols,
        done=symbols - len({symbol for symbol, _ in values_left}),
        requests=requests,
        waited=waited,
        seconds=seconds,
        values=len(needs),
        values_done=len(needs) - len(values_left),
        planned=planned,
    )
