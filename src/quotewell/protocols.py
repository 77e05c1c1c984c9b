"""What the layers promise each other: `Clock`, `Level`, `Coordinator`, `Provider`, `TickerSource`.

Levels and coordinators are dumb stores: all behaviour (freshness, single flight, fallback) stands once, in
`cache.readthrough`. Each protocol has one contract suite under `tests/contract/` that every implementation
passes.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from quotewell.endpoints import Call, Endpoint, Fetched, Grant, Lane, Limit, Pause
from quotewell.records import (
    Closes,
    Dividend,
    Failure,
    Fx,
    Payouts,
    Profile,
    Quote,
    Rate,
    Reading,
    Record,
    Risk,
)

__all__ = ["Changes", "Clock", "Coordinator", "Level", "LevelStats", "Provider", "TickerSource"]


class Clock(Protocol):
    """The time; injected everywhere."""

    def now(self) -> float:
        """Wall time in epoch seconds; may be set back or jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow; for deadlines and durations."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Wait for `seconds`."""
        ...

    def wait(self, condition: threading.Condition, seconds: float | None) -> bool:
        """Wait on `condition`, which the caller holds, for at most `seconds`; False when they have passed."""
        ...


# ---------------------------------------------------------------------------------------------- levels


class Changes(msgspec.Struct, frozen=True):
    """What other writers have changed since a revision."""

    rev: int
    """The store's revision now; ask `changes_since` with it next time."""
    keys: Mapping[str, Collection[str]] | None
    """Table to changed keys (written, invalidated or deleted); None: too far behind, drop everything."""
    rebuilt: bool = False
    """The store is another than the one that had the revision: damaged and built anew, or opened late.

    Then `keys` are those that were invalidated or deleted in the new one.
    """


class LevelStats(msgspec.Struct, frozen=True):
    """How much a level holds."""

    records: Mapping[str, int]
    """Records by table."""
    bytes: int | None
    """Size on disk or on the server, where it can be told."""


class Level(Protocol):
    """A persistent store of records, in tables named after facets or `result:<namespace>`.

    Every write takes the next number from one counter, the *revision*. All methods are thread-safe and
    raise `CacheError` when the store cannot be reached. The store keeps references or copies of records as
    it likes, so callers neither change a record that they have put nor one that they were given.
    """

    name: str

    def rev(self) -> int:
        """The store's current revision. Read it *before* a fetch begins and give it to `put_many`."""
        ...

    def get_many(self, table: str, keys: Collection[str]) -> dict[str, Record]:
        """The records that exist, with or without a value; absent keys are left out."""
        ...

    def keys(self, table: str) -> list[str]:
        """All keys of a table."""
        ...

    def put_many(
        self, table: str, records: Sequence[Record], *, begun: int, closes: Sequence[Closes] = ()
    ) -> set[str]:
        """Store values; return the keys that were refused.

        A value replaces an older one (by `fetched_at`; equal replaces) and clears failure and soft
        invalidation. Refused: a value older than the stored one (unless that is dated over a minute in the
        future: the clock was wrong then), and a value whose fetch began (`begun`,
        from `rev()`) before the key's last invalidation or deletion. One transaction: all or nothing
        becomes durable.

        Args:
            table: Where to.
            records: At most one a key.
            begun: The revision at which their fetch began.
            closes: The series that records of `history` are about. With its record a series replaces the
                stored one, or is refused; an empty one removes it.
        """
        ...

    def fail_many(self, table: str, failures: Mapping[str, Failure], *, begun: int) -> None:
        """Remember failures beside the values, which stay as they are.

        A failure is dropped when the key was written, invalidated or deleted after `begun`.
        """
        ...

    def invalidate_many(self, table: str, keys: Collection[str] | None) -> int:
        """Softly invalidate existing records (None: the whole table); return how many there were."""
        ...

    def delete_many(self, table: str, keys: Collection[str] | None) -> int:
        """Delete values and failures (None: the whole table); return how many records there were.

        Deleting from `history` deletes the closes too. The deletion is known to `changes_since` and guards
        against puts begun before it, also for keys that had no record.
        """
        ...

    def changes_since(self, rev: int) -> Changes:
        """Which keys have changed after `rev`; the log of deletions reaches back one hour."""
        ...

    def get_closes(self, symbols: Collection[str]) -> dict[str, Closes]:
        """The stored daily closes, oldest first; symbols without any are left out."""
        ...

    def prune(self, max_records: int) -> int:
        """Drop the records fetched longest ago beyond `max_records` a table; return how many."""
        ...

    def stats(self) -> LevelStats:
        """How much the level holds."""
        ...

    def close(self) -> None:
        """Release files and connections; may be called twice."""
        ...


# ------------------------------------------------------------------------------------------ coordination


class Coordinator(Protocol):
    """What processes must agree on beside the values: leases, rate budgets, pauses, counts.

    All methods are thread-safe and take the time from the injected clock.
    """

    name: str

    def lease(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        """Take those leases that are free, expired, or already held by `token`; return the granted keys."""
        ...

    def renew(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        """Extend leases held by `token`; return those still held."""
        ...

    def release(self, keys: Collection[str], token: str) -> None:
        """Give leases back; keys that `token` does not hold are ignored."""
        ...

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
        """Take `n` requests from a provider's budget, in one atomic step (GCRA at 95 % of the rate).

        A slot is taken only if the wait for it is at most `max_wait` seconds. Lower lanes leave part of the
        burst to the lanes before them. With `leave`, so many requests of the daily quota stay untouched.
        """
        ...

    def quota_left(self, provider: str, limit: Limit) -> int | None:
        """Requests that are left of today's (UTC) quota; None where `limit` has none."""
        ...

    def pause(self, provider: str, until: float, reason: str, *, slower: bool = False) -> None:
        """Send nothing to `provider` before `until`; never shortens a longer pause.

        With `slower`, also halve its rate (to no less than a 16th) unless a pause is in force, in the same
        step; requests granted from then on regain it.
        """
        ...

    def paused(self, provider: str) -> Pause | None:
        """The pause in force now."""
        ...

    def resume(self, provider: str) -> None:
        """End a pause."""
        ...

    def add_usage(self, counts: Mapping[str, float]) -> None:
        """Add to symbols' usage counts, which decay with a half-life of a week."""
        ...

    def top_usage(self, n: int) -> list[tuple[str, float]]:
        """The most used symbols with their decayed counts, largest first."""
        ...

    def add_stats(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Add to today's (UTC) counts: facet → event → how often; all or nothing. Kept for 400 days."""
        ...

    def stats_by_day(self, days: int) -> dict[dt.date, dict[str, dict[str, int]]]:
        """The counts of the last `days` days, today among them: day (UTC) → facet → event → how often.

        Oldest first; days without any are left out.
        """
        ...

    def close(self) -> None:
        """Release files and connections; may be called twice."""
        ...


# --------------------------------------------------------------------------------------------- providers


class Provider(Protocol):
    """Where data comes from."""

    @property
    def name(self) -> str:
        """The name that records carry as their source."""
        ...

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """What can be asked, the preferred ones first."""
        ...

    @property
    def requests(self) -> int:
        """Requests sent so far, the handshake not counted."""
        ...

    @property
    def handshake(self) -> int:
        """Requests that have to be sent before the next data request: 0 once that is done."""
        ...

    @property
    def limit(self) -> Limit | None:
        """The rate limit that it keeps to; None if it sends no requests."""
        ...

    @property
    def waited(self) -> float:
        """Seconds that requests have waited for the rate limit so far, summed over all of them."""
        ...

    def fetch(self, call: Call, *, lane: Lane, deadline: float) -> Fetched:
        """Make one call.

        Args:
            call: What to ask.
            lane: Who is asking, for the rate budget.
            deadline: Monotonic seconds by which the answer is needed.

        Raises:
            ProviderError: When the whole call failed.
        """
        ...

    def close(self) -> None:
        """Release connections; may be called twice."""
        ...


# ------------------------------------------------------------------------------------------------ readers


class TickerSource(Protocol):
    """What positions ask for market data: the ticker service, or a view of it at one instant.

    Every asked symbol has a reading; one without a value says why.
    """

    def now(self) -> float:
        """The valuation instant, epoch seconds."""
        ...

    def quotes(self, symbols: Iterable[str]) -> dict[str, Reading[Quote]]:
        """Prices by symbol."""
        ...

    def profiles(self, symbols: Iterable[str]) -> dict[str, Reading[Profile]]:
        """Names and types by symbol."""
        ...

    def risks(self, symbols: Iterable[str]) -> dict[str, Reading[Risk]]:
        """Betas by symbol."""
        ...

    def dividends(self, symbols: Iterable[str]) -> dict[str, Reading[Dividend]]:
        """Dividend yields by symbol."""
        ...

    def payouts(self, symbols: Iterable[str]) -> dict[str, Reading[Payouts]]:
        """Dividends paid or declared by symbol, as they are known at the valuation instant."""
        ...

    def rates(self, symbols: Iterable[str]) -> dict[str, Reading[Rate]]:
        """Points of a risk-free curve by symbol (`^IRX` …)."""
        ...

    def fx(self, symbols: Iterable[str]) -> dict[str, Reading[Fx]]:
        """Exchange rates by pair (`EURUSD=X`)."""
        ...
