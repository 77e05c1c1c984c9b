"""The persistent level in a Valkey or Redis server (6.2 or later), shared by processes and hosts."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import msgspec

from quotewell.cache.codec import record_type
from quotewell.cache.valkey.push import Push
from quotewell.cache.valkey.rows import (
    closes_of,
    failure_words,
    fetched_of,
    has_closes,
    put_words,
    records_of,
)
from quotewell.cache.valkey.scripts import (
    BEGIN,
    CHANGES,
    DROP,
    FAIL,
    FETCHED_BYTES,
    PUT,
    SWEEP,
    WITHDRAW,
)
from quotewell.cache.valkey.server import ValkeyServer
from quotewell.freshness import FUTURE_TOLERANCE
from quotewell.protocols import Changes, Clock, LevelStats
from quotewell.records import Closes, Failure, Record

__all__ = ["ValkeyLevel"]

_LOG_SECONDS = 3600.0
_CHUNK = 1_000
"""Keys that are looked through at once; the server answers nobody else meanwhile."""
_LONGEST = 1e11
"""Milliseconds, three years, beyond which nothing expires; infinity among them."""


class ValkeyLevel:
    """A `protocols.Level` in a Valkey or Redis server; see `scripts.py` for its keys.

    Args:
        url: The server, as for `ValkeyServer`.
        clock: The time, for the log of deletions.
        prefix: With what all keys begin.
        timeout: Seconds to wait for an answer.
        kept: For how many seconds a value of a table may be answered at most; it expires then.

    Raises:
        UsageError: The client is not installed, or the URL or prefix cannot be right.
        CacheError: The server cannot be reached; so raise all methods.
    """

    name = "valkey"

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        prefix: str = "quotewell",
        timeout: float = 0.5,
        kept: Callable[[str], float] = lambda _: math.inf,
    ) -> None:
        self._clock = clock
        self._kept = kept
        self._server = ValkeyServer(url, prefix=prefix, timeout=timeout)
        self._push = Push(self._server, clock)
        self._asked = False

    def rev(self) -> int:
        """See `protocols.Level`."""
        mark = self._push.mark()
        stored = self._server.call(lambda client: client.hget(self._key("meta"), "rev"))
        rev = int(self._server.run(BEGIN) if stored is None else stored)
        self._push.learned(mark, rev)
        return rev

    # ---------------------------------------------------------------------------------------- records

    def get_many(self, table: str, keys: Collection[str]) -> dict[str, Record]:
        """See `protocols.Level`; what cannot be read is left out."""
        kind = record_type(table)
        wanted = list(keys)
        if not wanted:
            return {}
        gone, invalidated, blobs = self._blobs(table, wanted)
        records = records_of(kind, wanted, blobs, gone, invalidated)
        if table == "history":
            bars = [key for key, blob in zip(wanted, blobs, strict=True) if blob and has_closes(blob)]
            for key in self._without_closes(bars):
                records.pop(key, None)
        return records

    def keys(self, table: str) -> list[str]:
        """See `protocols.Level`; in alphabetical order, with some perhaps that have expired."""
        record_type(table)
        index = self._key("i", table)
        return sorted(key.decode() for key in self._server.call(lambda client: client.zrange(index, 0, -1)))

    def put_many(
        self, table: str, records: Sequence[Record], *, begun: int, closes: Sequence[Closes] = ()
    ) -> set[str]:
        """See `protocols.Level`; a record without a value is refused."""
        record_type(table)
        if not records:
            return set()
        bars = [
            word
            for series in closes
            for word in (series.symbol, msgspec.msgpack.encode(series) if series.dates else b"")
        ]
        latest = self._clock.now() + FUTURE_TOLERANCE
        refused = self._server.run(
            PUT, table, begun, repr(latest), self._expiry(table), len(records), *put_words(records), *bars
        )
        return {records[place].symbol for place in refused}

    def fail_many(self, table: str, failures: Mapping[str, Failure], *, begun: int) -> None:
        """See `protocols.Level`."""
        record_type(table)
        if failures:
            pairs = [word for key, failure in failures.items() for word in failure_words(key, failure)]
            self._server.run(FAIL, table, begun, self._expiry(table), *pairs)

    def invalidate_many(self, table: str, keys: Collection[str] | None) -> int:
        """See `protocols.Level`; of a whole table, records that have just expired may be counted, too."""
        count, _ = self._withdraw(table, keys, "")
        return count

    def delete_many(self, table: str, keys: Collection[str] | None) -> int:
        """See `protocols.Level`; of a whole table, records that have just expired may be counted, too."""
        count, left = self._withdraw(table, keys, "gone")
        while left and self._server.run(SWEEP, table, left, _CHUNK) == _CHUNK:
            pass
        return count

    def changes_since(self, rev: int) -> Changes:
        """See `protocols.Level`; answered without asking the server as long as nothing was announced."""
        if rev and self._push.silent_since(rev):
            return Changes(rev, {})
        if self._asked:
            self._push.listen()  # not for a process that asks but once
        self._asked = True
        now = self.rev()
        if now == rev or not rev:
            return Changes(now, {} if rev else None)
        mark = self._push.mark()
        current, rebuilt, everything, *found = self._server.run(CHANGES, rev)
        self._push.learned(mark, int(current))
        if everything:
            return Changes(int(current), None)
        tables, log = found
        changed = {name.decode(): {key.decode() for key in keys} for name, keys in tables if keys}
        for entry in log:
            size, _, rest = entry.partition(b":")
            changed.setdefault(rest[: int(size)].decode(), set()).add(rest[int(size) :].decode())
        return Changes(int(current), changed, rebuilt=bool(rebuilt))

    # ------------------------------------------------------------------------------------------ closes

    def get_closes(self, symbols: Collection[str]) -> dict[str, Closes]:
        """See `protocols.Level`."""
        wanted = list(dict.fromkeys(symbols))
        if not wanted:
            return {}
        gone, _, blobs = self._blobs("history", wanted, "c")
        series = {
            symbol: closes_of(blob, gone)
            for symbol, blob in zip(wanted, blobs, strict=True)
            if blob is not None
        }
        return {symbol: one for symbol, one in series.items() if one is not None}

    # ----------------------------------------------------------------------------------------- upkeep

    def prune(self, max_records: int) -> int:
        """See `protocols.Level`; forgets the keys of expired records, too."""
        pruned = 0
        for table, count in self._counts().items():
            excess = count - self._forget_expired(table) - max_records
            if excess > 0:
                oldest = heapq.nsmallest(excess, self._ages(table), key=lambda pair: fetched_of(pair[1]))
                pruned += self._drop(table, oldest)
        return pruned

    def stats(self) -> LevelStats:
        """See `protocols.Level`; the size is not told, for other programs may use the server, too."""
        return LevelStats({table: count for table, count in self._counts().items() if count}, None)

    def close(self) -> None:
        """See `protocols.Level`; afterwards every other method raises `CacheError`."""
        self._push.close()
        self._server.close()

    # ------------------------------------------------------------------------------------------ inside

    def _key(self, *words: str) -> str:
        return ":".join((self._server.prefix, *words))

    def _expiry(self, table: str) -> int:
        """Milliseconds until a value that is stored now expires; 0 for never."""
        kept = self._kept(table) * 1e3
        return math.ceil(kept) if kept < _LONGEST else 0

    def _blobs(
        self, table: str, keys: Sequence[str], space: str = ""
    ) -> tuple[float, float, list[bytes | None]]:
        """The revisions up to which a table is gone, and is invalidated, and what is stored of `keys`."""
        prefix = self._key(space) + ":" if space else self._key("r", table) + ":"
        (floor, gone, invalidated), blobs = self._server.together(
            [
                ("HMGET", self._key("meta"), "floor", f"gone:{table}", f"inv:{table}"),
                ("MGET", *[prefix + key for key in keys]),
            ]
        )
        # Without a floor there is no telling what was deleted: nothing counts.
        lowest = max(float(floor), float(gone or 0)) if floor is not None else math.inf
        return lowest, float(invalidated or 0), blobs

    def _without_closes(self, symbols: list[str]) -> list[str]:
        """Those whose closes were evicted, without which their record is worth nothing."""
        if not symbols:
            return []
        there = self._server.together([("EXISTS", self._key("c", symbol)) for symbol in symbols])
        return [symbol for symbol, found in zip(symbols, there, strict=True) if not found]

    def _withdraw(self, table: str, keys: Collection[str] | None, gone: str) -> tuple[int, str]:
        record_type(table)
        distinct = () if keys is None else tuple(dict.fromkeys(keys))
        if keys is not None and not distinct:
            return 0, ""
        now = self._clock.now()
        instants = [repr(instant) for instant in (now, now - _LOG_SECONDS, now + _LOG_SECONDS)]
        whole = "whole" if keys is None else ""
        count, left = self._server.run(WITHDRAW, table, gone, whole, *instants, *distinct)
        return count, left.decode()

    def _counts(self) -> dict[str, int]:
        meta = self._server.call(lambda client: client.hgetall(self._key("meta")))
        counts = {name.decode(): int(count) for name, count in meta.items() if name.startswith(b"n:")}
        return {name.removeprefix("n:"): count for name, count in counts.items()}

    def _ages(self, table: str) -> Iterator[tuple[str, bytes]]:
        """All keys, those changed longest ago first, with `fetched_at` in eight bytes; none if expired."""
        index, start = self._key("i", table), 0
        while True:
            [keys] = self._server.together([("ZRANGE", index, start, start + _CHUNK - 1)])
            ages = self._server.together(
                [("GETRANGE", self._key("r", table, key.decode()), *FETCHED_BYTES) for key in keys]
            )
            yield from ((key.decode(), at) for key, at in zip(keys, ages, strict=True))
            if len(keys) < _CHUNK:
                return
            start += _CHUNK

    def _forget_expired(self, table: str) -> int:
        """Forget the keys of records that have expired, as far as they are those changed longest ago."""
        forgotten = 0
        while True:
            oldest = [pair for pair, _ in zip(self._ages(table), range(_CHUNK), strict=False)]
            expired = [(key, at) for key, at in oldest if not at]
            if expired:
                self._drop(table, expired)
            forgotten += len(expired)
            if len(expired) < _CHUNK:
                return forgotten

    def _drop(self, table: str, keys: Sequence[tuple[str, bytes]]) -> int:
        dropped = 0
        for start in range(0, len(keys), _CHUNK):
            words = [word for pair in keys[start : start + _CHUNK] for word in pair]
            dropped += self._server.run(DROP, table, *words)
        return dropped
