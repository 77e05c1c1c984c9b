"""The only place that decides how old is too old: the lifetime table and pure functions over it.

Four states (`records.Freshness`): *fresh* is answered at once; *grace* is answered at once and refreshed in
passing; *stale* is answered only after a fetch was tried and failed; *none* is never answered. Why each
lifetime is what it is stands in `docs/lifetimes.md`. All times are epoch seconds, all lifetimes seconds.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import msgspec

from quotewell.calendars import Sessions, day_of, new_york_sessions
from quotewell.errors import UsageError
from quotewell.exchanges import NEW_YORK, exchange_of
from quotewell.records import Facet, Failure, FailureKind, Freshness, Payouts, Quote, Record
from quotewell.symbols import kind

__all__ = [
    "DATA_DELAY",
    "FUTURE_TOLERANCE",
    "LIFETIMES",
    "Assurance",
    "Judgement",
    "Lifetime",
    "Phase",
    "SessionTable",
    "assurance",
    "judge",
    "lifetimes",
    "market_phase",
    "next_failure",
    "session_table",
    "throttled",
]

_MINUTE = 60.0
_HOUR = 3600.0
_DAY = 86400.0

FUTURE_TOLERANCE = 60.0
"""Seconds in the future that a record may be dated; beyond, the clock was wrong when it was made."""
_JITTER = 0.10
_SECOND_OMISSION_AFTER = 30.0
DATA_DELAY = 20 * _MINUTE
"""How long after the close free feeds need to show the closing price."""
_WEEKEND = (5, 6)
_EPOCH_WEEKDAY = 3
_EPOCH_DAY = 719163
_QUARTER = 92 * _DAY
_OVERDUE = 7 * _DAY
_PASSING = frozenset({"network", "timeout", "server", "rate_limited", "quota", "insufficient"})
"""Failures that say nothing about the symbol; history may have come meanwhile where it was insufficient."""

Phase = Literal["closed", "unsure", "open"]
"""Of a market; `unsure` where prices may still come: its hours are not known, or it has closed just now."""
_AROUND_THE_CLOCK = ("fx", "crypto", "future")
SessionTable = Callable[[float], Sessions | None]
"""The market's sessions around an instant; None where they are not known."""


class Lifetime(msgspec.Struct, frozen=True, gc=False):
    """One row of the lifetime table."""

    fresh: float
    grace: float
    on_error: float
    unknown: float
    throttle: float
    throttle_max: float
    fresh_closed: float | None = None
    """For quotes: the fresh window while the exchange is closed and the price is not known to be final."""


LIFETIMES: Mapping[Facet, Lifetime] = {
    "quote": Lifetime(5 * _MINUTE, 10 * _MINUTE, 7 * _DAY, _HOUR, 30.0, 15 * _MINUTE, fresh_closed=_HOUR),
    "profile": Lifetime(30 * _DAY, _DAY, 365 * _DAY, _DAY, 5 * _MINUTE, 5 * _MINUTE),
    "risk": Lifetime(7 * _DAY, _DAY, 90 * _DAY, _DAY, 5 * _MINUTE, 5 * _MINUTE),
    "dividend": Lifetime(_DAY, _DAY, 30 * _DAY, _DAY, 5 * _MINUTE, 5 * _MINUTE),
    "payouts": Lifetime(30 * _DAY, _DAY, 365 * _DAY, _DAY, _HOUR, _DAY),
    "history": Lifetime(_DAY, _DAY, math.inf, _DAY, 5 * _MINUTE, 5 * _MINUTE),
    "fx": Lifetime(_HOUR, _HOUR, 7 * _DAY, _HOUR, _MINUTE, _MINUTE),
    "rate": Lifetime(_DAY, _DAY, 30 * _DAY, _DAY, 5 * _MINUTE, 5 * _MINUTE),
}


class Judgement(NamedTuple):
    """How usable a record is now, and until when it stays fresh and in grace (epoch seconds)."""

    freshness: Freshness
    fresh_until: float
    grace_until: float = 0.0


class Assurance(NamedTuple):
    """Fresh until at least `fresh_until` if the last trade was in a range of instants (epoch seconds)."""

    fresh_until: float
    as_of_from: float
    as_of_to: float


def lifetimes(overrides: Mapping[str, Mapping[str, float]]) -> Mapping[Facet, Lifetime]:
    """The lifetime table with the user's cells in place of the defaults.

    Args:
        overrides: Facet to column to seconds, as in `[lifetimes.quote] fresh = 60`.

    Raises:
        UsageError: For a facet or column that does not exist.
    """
    table: dict[Facet, Lifetime] = dict(LIFETIMES)
    names: dict[str, Facet] = {facet: facet for facet in LIFETIMES}
    for name, cells in overrides.items():
        if name not in names:
            raise UsageError(f"lifetimes.{name}: no such facet", hint=f"one of {', '.join(names)}")
        for column in cells:
            if column not in Lifetime.__struct_fields__:
                columns = ", ".join(Lifetime.__struct_fields__)
                raise UsageError(f"lifetimes.{name}.{column}: no such lifetime", hint=f"one of {columns}")
        table[names[name]] = msgspec.structs.replace(table[names[name]], **cells)
    return table


def session_table(symbol: str) -> SessionTable | None:
    """The plain rule for symbols that trade in New York; None for all others."""
    return new_york_sessions if exchange_of(symbol) is NEW_YORK else None


def market_phase(symbol: str, sessions: SessionTable | None, now: float) -> Phase:
    """Whether the price of `symbol` may be changing at `now` (epoch seconds).

    Args:
        symbol: Canonical.
        sessions: The session table of its exchange; None where no session applies, or none is known.
        now: The instant.
    """
    market = kind(symbol)
    if market in _AROUND_THE_CLOCK:
        return "closed" if market != "crypto" and _weekday(now) in _WEEKEND else "open"
    around = None if sessions is None else sessions(now)
    if around is None:
        return "unsure"
    if around.is_open:
        return "open"
    # Free feeds show the closing price only now.
    awaited = around.previous.close + around.exchange.closing_auction + DATA_DELAY
    return "unsure" if now < awaited else "closed"


def judge(
    facet: str, record: Record, lifetime: Lifetime, sessions: SessionTable | None, now: float
) -> Judgement:
    """Decide how usable `record` is at `now`.

    Args:
        facet: The record's facet; quotes and history follow market sessions, the rest plain durations.
        record: The record; one without a value is `NONE`.
        lifetime: The facet's row of the lifetime table.
        sessions: The session table of the symbol's exchange, None where no session applies.
        now: The instant to judge at.
    """
    fetched_at = record.fetched_at
    if fetched_at is None:
        return Judgement(Freshness.NONE, 0.0)
    age = now - fetched_at
    otherwise = Freshness.STALE if age <= lifetime.on_error else Freshness.NONE
    if record.invalidated or age < -FUTURE_TOLERANCE:
        return Judgement(otherwise, 0.0)
    shortening = _shortening(record.symbol, facet)
    fresh_until, grace_until = _windows(facet, record, fetched_at, lifetime, sessions, shortening)
    if now < fresh_until:
        return Judgement(Freshness.FRESH, fresh_until, grace_until)
    if now < grace_until:
        return Judgement(Freshness.GRACE, fresh_until, grace_until)
    return Judgement(otherwise, fresh_until, grace_until)


def assurance(
    facet: str, record: Record, lifetime: Lifetime, sessions: SessionTable | None, now: float
) -> Assurance:
    """What the freshness of `record` says of all others of its market that were fetched at the same instant.

    Takes the shortest lifetime that jitter can give, so it spares the judgement of thousands of records that
    came together, and none of them is answered for too long.

    Args:
        facet: As for `judge`.
        record: One of them, fresh at `now`.
        lifetime: As for `judge`.
        sessions: As for `judge`.
        now: The instant of the judgement.
    """
    fetched_at = record.fetched_at
    if fetched_at is None or judge(facet, record, lifetime, sessions, now).freshness < Freshness.FRESH:
        return Assurance(0.0, math.inf, -math.inf)
    fresh_until, _ = _windows(facet, record, fetched_at, lifetime, sessions, 1.0 - _JITTER)
    around = sessions(fetched_at) if facet == "quote" and sessions is not None else None
    if around is None or record.as_of is None or fresh_until < around.next.open:
        return Assurance(fresh_until, -math.inf, math.inf)
    # Final for this last trade, and so for every earlier one of the session.
    return Assurance(fresh_until, around.previous.open, record.as_of)


def throttled(record: Record | None, now: float, *, retry: bool = False) -> bool:
    """Whether the last failure is so recent that no new attempt is made yet; one from the future is not.

    Args:
        record: What is stored.
        now: Epoch seconds.
        retry: Whether failures that pass by themselves are no reason to wait.
    """
    failure = record.failure if record is not None else None
    if failure is None or now >= failure.retry_at or now < failure.last_at - FUTURE_TOLERANCE:
        return False
    return not (retry and failure.kind in _PASSING)


def next_failure(  # noqa: PLR0913, RUF100  one argument for each fact that the outcome depends on
    previous: Record | None,
    *,
    kind: FailureKind,
    reason: str,
    source: str,
    now: float,
    lifetime: Lifetime,
    retry_at: float | None = None,
) -> Failure:
    """The failure to remember after a failed attempt at `now`.

    A second omission at least 30 s after the first makes a symbol `unknown`; a symbol that ever had a value
    never becomes unknown. The throttle doubles with each failure in a row, up to its maximum.

    Args:
        previous: What was stored before, None if nothing.
        kind: What went wrong.
        reason: What was said, for people to read.
        source: The provider's name.
        now: The time of the failure.
        lifetime: The facet's row of the lifetime table.
        retry_at: The provider's own word on when to ask again.
    """
    before = previous.failure if previous is not None else None
    had_value = previous is not None and previous.fetched_at is not None
    count = 1 if before is None else before.count + 1
    first_at = now if before is None else before.first_at
    if kind == "omitted" and before is not None and before.kind not in ("omitted", "unknown"):
        first_at = now  # of the omissions: other failures before them say nothing about the symbol
    if kind == "unknown" and had_value:
        kind = "omitted"
    elif kind == "omitted" and before is not None and not had_value:
        seen_before = before.kind == "omitted" and now - before.first_at >= _SECOND_OMISSION_AFTER
        kind = "unknown" if seen_before or before.kind == "unknown" else "omitted"
    if kind == "unknown":
        wait = lifetime.unknown
    else:
        longest = max(lifetime.throttle, lifetime.throttle_max)
        wait = min(lifetime.throttle * 2.0 ** min(count - 1, 30), longest)
    return Failure(kind, reason, source, count, first_at, now, max(now + wait, retry_at or 0.0))


def _windows(
    facet: str,
    record: Record,
    fetched_at: float,
    lifetime: Lifetime,
    sessions: SessionTable | None,
    shortening: float,
) -> tuple[float, float]:
    if facet == "quote":
        return _quote_windows(record, fetched_at, lifetime, sessions, shortening)
    if isinstance(record, Payouts):
        fresh_until = _until_next_payment(record, fetched_at, lifetime, shortening)
        return fresh_until, fresh_until + lifetime.grace
    around = sessions(fetched_at) if facet == "history" and sessions is not None else None
    if around is not None:
        delay = around.exchange.closing_auction + DATA_DELAY
        close = around.previous.close + delay
        fresh_until = close if fetched_at < close else around.next.close + delay
        return fresh_until, fresh_until + lifetime.grace
    fresh_until = fetched_at + lifetime.fresh * shortening
    return fresh_until, fresh_until + lifetime.grace


def _until_next_payment(record: Payouts, fetched_at: float, lifetime: Lifetime, shortening: float) -> float:
    """The end of the day on which the next dividend is expected: until then there is nothing to learn.

    A quarter at most, and a week where it is late. Without a rhythm the lifetime of the table.
    """
    from quotewell.payment_rhythm import next_expected  # noqa: PLC0415  needs `statistics`, for few records only

    day = _EPOCH_DAY + int(fetched_at // _DAY)
    expected = next_expected(record.events, day)
    if expected is None:
        return fetched_at + lifetime.fresh * shortening
    if expected < day:
        return fetched_at + _OVERDUE * shortening
    return min((expected + 1 - _EPOCH_DAY) * _DAY, fetched_at + _QUARTER * shortening)


def _quote_windows(
    record: Record, fetched_at: float, lifetime: Lifetime, sessions: SessionTable | None, shortening: float
) -> tuple[float, float]:
    closed = lifetime.fresh if lifetime.fresh_closed is None else lifetime.fresh_closed
    around = None if sessions is None else sessions(fetched_at)
    if around is None:
        resting = kind(record.symbol) != "crypto" and _weekday(fetched_at) in _WEEKEND
        fresh_until = fetched_at + (closed if resting else lifetime.fresh) * shortening
        return fresh_until, fresh_until + lifetime.grace
    session, as_of = around.previous, record.as_of
    if fetched_at < session.close + around.exchange.closing_auction + DATA_DELAY:
        fresh_until = fetched_at + lifetime.fresh * shortening
    elif (
        as_of is not None
        and as_of >= session.open
        and day_of(as_of, around.exchange) == session.date
        and not (isinstance(record, Quote) and record.unverified)
    ):
        # The closing price is known: nothing can change before the next open, so jitter has no place here.
        return around.next.open, around.next.open
    else:
        fresh_until = fetched_at + closed * shortening
    fresh_until = min(fresh_until, around.next.open)
    return fresh_until, min(fresh_until + lifetime.grace, around.next.open)


def _shortening(symbol: str, facet: str) -> float:
    """Jitter that only shortens a lifetime, so that what was fetched together does not expire together."""
    spread = zlib.crc32(f"{symbol}/{facet}".encode()) / 0xFFFFFFFF
    return 1.0 - _JITTER * spread


def _weekday(instant: float) -> int:
    """Monday is 0; by UTC, which is near enough for a lifetime of an hour."""
    return (int(instant // _DAY) + _EPOCH_WEEKDAY) % 7
