"""What can be asked of a provider, a call to it, what the call brought, and the limit that it keeps to."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from quotewell.errors import FailureKind
from quotewell.records import Closes, Facet, Need, Record

__all__ = ["Call", "Endpoint", "Fetched", "Grant", "Lane", "Limit", "Pause"]


class Lane(enum.IntEnum):
    """Who is asking; a lower number goes first."""

    INTERACTIVE = 0
    PREFETCH = 1
    REFRESH = 2


class Limit(msgspec.Struct, frozen=True):
    """A provider's rate limit: requests a second, burst, and an optional number a day (UTC)."""

    rate: float
    burst: int
    per_day: int | None = None


class Pause(msgspec.Struct, frozen=True):
    """A provider is not to be asked before `until` (epoch seconds)."""

    until: float
    reason: str


class Grant(msgspec.Struct, frozen=True):
    """The answer to `spend`: wait this long and go, or do not go at all."""

    wait: float
    """Seconds to wait before sending; 0 is now. Meaningless when `refused`."""
    refused: str | None = None
    """Why nothing was taken from the budget: paused, quota spent, or the wait exceeds what was allowed."""
    retry_at: float | None = None
    """When a refused request can be tried again (epoch seconds)."""
    failure: FailureKind = "rate_limited"
    """The `FailureKind` of a refusal: `rate_limited` or `quota`."""


class Endpoint(msgspec.Struct, frozen=True):
    """One kind of request to a provider."""

    provider: str
    name: str
    facets: frozenset[Facet]
    """What one answer carries for each symbol it is about."""
    symbols_per_call: int
    cost: float = 1.0
    """Requests that a call spends."""


class Call(msgspec.Struct, frozen=True):
    """One planned request: `needs` are what it is made for; what else comes along is kept when newer."""

    endpoint: Endpoint
    symbols: tuple[str, ...]
    needs: frozenset[Need]
    since: int | None = None
    """The first day (ordinal) that a history is needed from; None for all that there is.

    A provider may bring more.
    """
    leave: int = 0
    """Requests of the provider's daily quota that are to be left: what a fallback may not touch."""


class Fetched(msgspec.Struct):
    """What one call brought. Each asked need is in `found`, `unknown`, `omitted` or `failed`."""

    found: dict[Need, Record] = msgspec.field(default_factory=dict)
    unknown: set[Need] = msgspec.field(default_factory=set)
    """The provider clearly said that there is no such symbol."""
    omitted: set[Need] = msgspec.field(default_factory=set)
    """Silently left out of an answer that carried others."""
    failed: dict[Need, Any] = msgspec.field(default_factory=dict)
    """Need to the `ProviderError` that says why."""
    closes: dict[str, Closes] = msgspec.field(default_factory=dict)
    """The bars behind each found `history` record."""
