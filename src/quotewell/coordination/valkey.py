"""The coordinator of processes on many hosts: a Valkey or Redis server (6.2 or later).

The arithmetic of budgets is the one of all coordinators: a budget is read, the next one computed here, and
stored if nobody else has stored another meanwhile; else all is done again, at the time that it is then. Of
many that try at once one always succeeds. The hosts' clocks should agree to a few seconds.
"""

from __future__ import annotations

import datetime as dt
import heapq
import struct
from collections.abc import Callable, Collection, Mapping
from operator import itemgetter
from typing import Any, TypeVar

import msgspec

from quotewell.cache.valkey.server import ValkeyServer
from quotewell.coordination.budget import Budget, common_time
from quotewell.coordination.budgeting import Budgeting
from quotewell.coordination.daily import KEPT_DAYS, period, positive, utc_day
from quotewell.coordination.usage import FORGOTTEN_AFTER, HALF_LIFE, decayed
from quotewell.coordination.valkey_scripts import ADD_USAGE, LEASE, RELEASE, RENEW, REPLACE
from quotewell.protocols import Clock

__all__ = ["ValkeyCoordinator"]

T = TypeVar("T")

_DAY_SECONDS = 86_400
_COUNT = struct.Struct("<dd")


class ValkeyCoordinator(Budgeting):
    """A `protocols.Coordinator` that serves all processes that connect to the same server.

    Args:
        url: The server, as for `ValkeyServer`.
        clock: The time.
        prefix: With what all keys begin.
        timeout: Seconds to wait for an answer.

    Raises:
        UsageError: The client is not installed, or the URL or prefix cannot be right.
        CacheError: The server cannot be reached; so raise all methods.
    """

    name = "valkey"

    def __init__(self, url: str, clock: Clock, *, prefix: str = "quotewell", timeout: float = 0.5) -> None:
        self._clock = clock
        self._server = ValkeyServer(url, prefix=prefix, timeout=timeout)

    # ------------------------------------------------------------------------------------------ leases

    def lease(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        """See `protocols.Coordinator`."""
        return self._leases(LEASE, keys, token, seconds)

    def renew(self, keys: Collection[str], token: str, seconds: float) -> set[str]:
        """See `protocols.Coordinator`; a lease that has run out is not held, even if nobody took it."""
        return self._leases(RENEW, keys, token, seconds)

    def release(self, keys: Collection[str], token: str) -> None:
        """See `protocols.Coordinator`."""
        if keys:
            self._server.run(RELEASE, token, *keys)

    # -------------------------------------------------------------------------------------------- usage

    def add_usage(self, counts: Mapping[str, float]) -> None:
        """See `protocols.Coordinator`."""
        if counts:
            words = [word for symbol, count in counts.items() for word in (symbol, repr(float(count)))]
            self._server.run(ADD_USAGE, repr(self._clock.now()), repr(HALF_LIFE), *words)

    def top_usage(self, n: int) -> list[tuple[str, float]]:
        """See `protocols.Coordinator`; drops what was used long ago."""
        name = self._key("usage")
        rows: dict[bytes, bytes] = self._server.call(lambda client: client.hgetall(name))
        now = self._clock.now()
        used = {symbol: _COUNT.unpack(blob) for symbol, blob in rows.items()}
        old = [symbol for symbol, (_, at) in used.items() if at < now - FORGOTTEN_AFTER]
        if old:
            self._server.call(lambda client: client.hdel(name, *old))
        counts = [
            (symbol.decode(), decayed(count, at, now))
            for symbol, (count, at) in used.items()
            if at >= now - FORGOTTEN_AFTER
        ]
        return heapq.nlargest(n, counts, key=itemgetter(1))

    # --------------------------------------------------------------------------------------- statistics

    def add_stats(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        """See `protocols.Coordinator`."""
        events = positive(counts)
        if not events:
            return
        name = self._key("stats", utc_day(self._clock.now()).isoformat())

        def add(client: Any) -> None:
            pipeline = client.pipeline(transaction=True)
            for facet, event, n in events:
                pipeline.hincrby(name, f"{event} {facet}", n)
            pipeline.expire(name, (KEPT_DAYS + 1) * _DAY_SECONDS)
            pipeline.execute()

        self._server.call(add)

    def stats_by_day(self, days: int) -> dict[dt.date, dict[str, dict[str, int]]]:
        """See `protocols.Coordinator`."""
        first, last = period(self._clock.now(), min(days, KEPT_DAYS))
        dates = [dt.date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1)]
        answers = self._server.together([("HGETALL", self._key("stats", day.isoformat())) for day in dates])
        found: dict[dt.date, dict[str, dict[str, int]]] = {}
        for day, counts in zip(dates, answers, strict=True):
            for name, count in sorted(counts.items()):
                event, _, facet = name.decode().partition(" ")
                found.setdefault(day, {}).setdefault(facet, {})[event] = int(count)
        return found

    def close(self) -> None:
        """See `protocols.Coordinator`; afterwards every other method raises `CacheError`."""
        self._server.close()

    # ------------------------------------------------------------------------------------------- inside

    def _key(self, *words: str) -> str:
        return ":".join((self._server.prefix, *words))

    def _leases(self, script: str, keys: Collection[str], token: str, seconds: float) -> set[str]:
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return set()
        granted = self._server.run(script, token, repr(self._clock.now()), repr(float(seconds)), *wanted)
        return {wanted[place] for place in granted}

    def _stored(self, provider: str) -> bytes | None:
        name = self._key("budget", provider)
        stored: bytes | None = self._server.call(lambda client: client.get(name))
        return stored

    def _spent(self, provider: str) -> Budget:
        return _budget(self._stored(provider))

    def _step(self, provider: str, step: Callable[[Budget, float], tuple[Budget, T]]) -> T:
        """Apply `step` to a provider's budget as nobody else has changed it meanwhile."""
        while True:
            stored = self._stored(provider)
            before = _budget(stored)
            after, answer = step(before, common_time(before, self._clock.now()))
            if after is before:
                return answer
            row = msgspec.msgpack.encode(msgspec.structs.astuple(after))
            if self._server.run(REPLACE, provider, stored or b"", row):
                return answer


def _budget(stored: bytes | None) -> Budget:
    if stored is None:
        return Budget()
    row = msgspec.msgpack.decode(stored)
    return Budget(*row[: len(Budget.__struct_fields__)])
