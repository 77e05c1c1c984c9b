"""The sessions that quotes and histories are judged by, kept in the cache like any other result.

They are read through the same engine as prices, so that a process with a warm cache finds them in the
persistent level, and only one process works them out anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from quotewell.cache.loading import Batch, Miss
from quotewell.cache.readthrough import Ask, ReadThrough
from quotewell.cache.store import TablePolicy
from quotewell.calendars import Schedule, Session, Sessions, new_york_sessions
from quotewell.endpoints import Fetched, Lane
from quotewell.errors import CacheError
from quotewell.exchange_hours import sessions_around
from quotewell.exchanges import NEW_YORK, Exchange, exchange_of
from quotewell.freshness import Lifetime, SessionTable
from quotewell.protocols import Clock
from quotewell.records import Need, Record, Result

__all__ = ["TABLE", "ExchangeSessions"]

TABLE = "result:sessions"
"""Keyed by the exchange's code."""
_SOURCE = "exchange_calendars"
_MINUTE = 60.0
_HOUR = 3600.0
_DAY = 86400.0
_LIFETIME = Lifetime(
    # Half of the 40 days that are known ahead; old sessions are as true as new ones.
    fresh=20 * _DAY, grace=0.0, on_error=math.inf, unknown=_HOUR, throttle=_HOUR, throttle_max=_DAY,
)  # fmt: skip
_PATIENCE = 10.0
"""Seconds to wait while another process works them out."""

_Row = tuple[int, float, float]
"""Date, open and close of a `Session`."""


class ExchangeSessions:
    """Session tables by symbol.

    Args:
        engine: Where they are kept; its store learns of the table here.
    """

    def __init__(self, engine: ReadThrough) -> None:
        engine.store.policies[TABLE] = _SessionsPolicy(_LIFETIME)
        self._engine = engine
        self._clock = engine.clock
        self._loader = _SessionsLoader(engine.clock)
        self._held: dict[str, _Held] = {}

    def table_of(self, symbol: str) -> SessionTable | None:
        """The session table of the exchange that `symbol` trades on; None for 24-hour and unmapped markets.

        Outside the months around now it answers by the plain rule for New York, and with None for all others.
        """
        exchange = exchange_of(symbol)
        if exchange is None:
            return None
        now = self._clock.now()
        held = self._held.get(exchange.calendar)
        if held is None or not held.since <= now < held.until:
            held = self._held[exchange.calendar] = self._load(exchange, now)
        return held.schedule

    def _load(self, exchange: Exchange, now: float) -> _Held:
        rule = new_york_sessions if exchange is NEW_YORK else _unknown
        sessions, retry_at = self._read(exchange.calendar, max_age=None)
        schedule = Schedule(sessions, exchange, rule)
        if sessions and not schedule.covers(now):
            # Perhaps a newer version of the library has learnt of another year; look once a day.
            sessions, retry_at = self._read(exchange.calendar, max_age=_DAY)
            schedule = Schedule(sessions, exchange, rule)
        if schedule.covers(now):
            return _Held(schedule, sessions[0].open, sessions[-1].open)
        return _Held(schedule, now, max(retry_at, now + _MINUTE))

    def _read(self, code: str, max_age: float | None) -> tuple[Sequence[Session], float]:
        """Sessions, none if they could not be had, and when to ask again in that case."""
        need = (code, TABLE)
        ask = Ask(deadline=self._clock.monotonic() + _PATIENCE, max_age=max_age)
        try:
            reading = self._engine.read([need], self._loader, ask)[need]
        except CacheError:  # closed while a fetch was still on its way: what it brings is not kept anyway
            return (), 0.0
        retry_at = 0.0 if reading.failure is None else reading.failure.retry_at
        record = reading.record
        if not isinstance(record, Result) or record.blob is None:
            return (), retry_at
        return _decoded(record.blob), retry_at


class _Held(msgspec.Struct, frozen=True):
    """A table in memory, and from when until when it is good for judging the present."""

    schedule: Schedule
    since: float
    until: float


class _SessionsPolicy(TablePolicy):
    """What does not decode is a miss."""

    def thaw(self, record: Record) -> Record | None:
        if isinstance(record, Result) and record.blob is not None:
            try:
                _decoded(record.blob)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return None
        return record


class _SessionsLoader:
    """Asks the library, in the caller's thread."""

    concurrency = 0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def batches(self, attempt: int, missing: Mapping[Need, Miss | None]) -> Sequence[Batch] | None:
        return None if attempt else [Batch(tuple(missing), _SOURCE, self._fetch)]

    def _fetch(self, needs: Sequence[Need], lane: Lane, deadline: float) -> Fetched:
        del lane, deadline  # nothing here waits for the network
        now = self._clock.now()
        fetched = Fetched()
        for need in needs:
            try:
                sessions = sessions_around(need[0], now)
            except Exception as error:  # noqa: BLE001  no holiday is worth a price; kept as the failure's reason
                fetched.failed[need] = error
                continue
            fetched.found[need] = Result(
                symbol=need[0], source=_SOURCE, as_of=now, fetched_at=now, blob=_encoded(sessions)
            )
        return fetched


def _encoded(sessions: Sequence[Session]) -> bytes:
    return msgspec.msgpack.encode([(session.date, session.open, session.close) for session in sessions])


def _decoded(blob: bytes) -> list[Session]:
    return [Session(*row) for row in msgspec.msgpack.decode(blob, type=list[_Row])]


def _unknown(instant: float) -> Sessions | None:
    del instant
    return None
