from __future__ import annotations

import datetime as dt
from math import inf
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.calendars import Schedule, Session, new_york_sessions
from quotewell.exchanges import exchange_of
from quotewell.freshness import (
    LIFETIMES,
    SessionTable,
    assurance,
    judge,
    lifetimes,
    next_failure,
    session_table,
    throttled,
)
from quotewell.records import (
    FACETS,
    RECORD_TYPES,
    DividendEvent,
    Facet,
    Failure,
    FailureKind,
    Freshness,
    Payouts,
    Quote,
    Record,
)

QUOTE = LIFETIMES["quote"]
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
SYMBOLS = ("AAPL", "BRK-B", "EURUSD=X", "BTC-USD", "ES=F", "VOD.L", "^GSPC", "^N225", "AAPL250417C00220000")
NONE, STALE, GRACE, FRESH = Freshness


def at(text: str) -> float:
    """A New York wall time as epoch seconds."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York")).timestamp()


def quote(fetched_at: float, as_of: float | None = None, symbol: str = "AAPL") -> Quote:
    return Quote(symbol=symbol, source="fake", as_of=as_of, fetched_at=fetched_at, last=1.0)


def fresh_until(record: Record, facet: Facet = "quote") -> float:
    assert record.fetched_at is not None
    return judge(facet, record, LIFETIMES[facet], session_table(record.symbol), record.fetched_at).fresh_until


def state(record: Record, now: float, facet: Facet = "quote") -> Freshness:
    return judge(facet, record, LIFETIMES[facet], session_table(record.symbol), now).freshness


# ------------------------------------------------------------------------------------------------- quotes


@pytest.mark.parametrize(
    ("fetched", "as_of", "seconds"),
    [
        pytest.param("2025-01-15 09:30", "2025-01-15 09:30", 5 * MINUTE, id="just opened"),
        pytest.param("2025-01-15 15:59", "2025-01-15 15:58", 5 * MINUTE, id="over the close"),
        pytest.param("2025-01-15 16:19:59", "2025-01-15 16:00", 5 * MINUTE, id="before the delay is over"),
        pytest.param("2025-01-15 16:20", None, HOUR, id="closed, as-of unknown"),
        pytest.param("2025-01-15 16:20", "2025-01-14 16:00", HOUR, id="closed, an earlier session's price"),
        pytest.param("2025-01-15 08:00", "2025-01-15 07:59", HOUR, id="a price of the coming day"),
        pytest.param("2025-01-19 12:00", "2025-01-19 11:59", HOUR, id="a price of a weekend"),
    ],
)
def test_a_quote_that_can_still_change_lives_for_minutes_or_an_hour(
    fetched: str, as_of: str | None, seconds: float
) -> None:
    until = fresh_until(quote(at(fetched), at(as_of) if as_of else None))
    assert at(fetched) + 0.9 * seconds <= until <= at(fetched) + seconds


@pytest.mark.parametrize(
    ("fetched", "as_of", "until"),
    [
        pytest.param("2025-01-15 16:20", "2025-01-15 16:00", "2025-01-16 09:30", id="the close"),
        pytest.param("2025-01-15 23:00", "2025-01-15 09:30", "2025-01-16 09:30", id="traded once, early"),
        pytest.param("2025-01-15 23:00", "2025-01-15 20:01", "2025-01-16 09:30", id="a fund's evening NAV"),
        pytest.param("2025-01-16 09:29", "2025-01-15 16:00", "2025-01-16 09:30", id="before the open"),
        pytest.param("2025-01-17 16:20", "2025-01-17 16:00", "2025-01-20 09:30", id="over the weekend"),
        pytest.param("2025-01-19 12:00", "2025-01-17 16:00", "2025-01-20 09:30", id="asked on Sunday"),
        pytest.param("2025-01-15 09:00", None, "2025-01-15 09:30", id="an hour, cut by the open"),
    ],
)
def test_a_final_quote_lives_until_exactly_the_next_open(fetched: str, as_of: str | None, until: str) -> None:
    for symbol in ("AAPL", "MSFT"):  # two jitters
        record = quote(at(fetched), at(as_of) if as_of else None, symbol)
        assert fresh_until(record) == at(until)
        assert state(record, at(until) - 1) == FRESH
        assert state(record, at(until)) == STALE  # no grace into another session


@pytest.mark.parametrize(
    ("friday", "next_open_utc"),
    [("2025-03-07", "2025-03-10T13:30+00:00"), ("2025-10-31", "2025-11-03T14:30+00:00")],
)
def test_daylight_saving_moves_the_next_open(friday: str, next_open_utc: str) -> None:
    record = quote(at(f"{friday} 16:20"), at(f"{friday} 16:00"))
    assert fresh_until(record) == dt.datetime.fromisoformat(next_open_utc).timestamp()


@pytest.mark.parametrize(
    ("symbol", "fetched", "seconds"),
    [
        ("EURUSD=X", "2025-01-15 22:00", 5 * MINUTE),
        ("EURUSD=X", "2025-01-18 12:00", HOUR),
        ("EURUSD=X", "2025-06-06 12:00", 5 * MINUTE),
        ("EURUSD=X", "2025-06-07 12:00", HOUR),
        ("EURUSD=X", "2025-10-12 12:00", HOUR),
        ("ES=F", "2025-01-15 22:00", 5 * MINUTE),
        ("VOD.L", "2025-01-19 12:00", HOUR),
        ("^N225", "2025-01-15 21:00", 5 * MINUTE),
        ("BTC-USD", "2025-01-15 22:00", 5 * MINUTE),
        ("BTC-USD", "2025-01-19 12:00", 5 * MINUTE),
    ],
)
def test_markets_without_a_session_table_rest_at_weekends_but_for_crypto(
    symbol: str, fetched: str, seconds: float
) -> None:
    record = quote(at(fetched), at(fetched), symbol)
    until = fresh_until(record)
    assert at(fetched) + 0.9 * seconds <= until <= at(fetched) + seconds
    assert [state(record, until + s) for s in (-1, 0, 599, 600)] == [FRESH, GRACE, GRACE, STALE]


@pytest.mark.parametrize(
    ("symbol", "has_sessions"),
    [
        ("AAPL", True), ("BRK-B", True), ("^GSPC", True), ("^VIX", True), ("^TNX", True),
        ("AAPL250417C00220000", True), ("EURUSD=X", False), ("BTC-USD", False), ("ES=F", False),
        ("VOD.L", False), ("^N225", False), ("^FTSE", False),
    ],
)  # fmt: skip
def test_only_what_trades_in_new_york_follows_its_sessions(symbol: str, has_sessions: bool) -> None:
    assert session_table(symbol) is (new_york_sessions if has_sessions else None)


def test_grace_of_a_quote_lasts_ten_minutes() -> None:
    fetched = at("2025-01-15 10:00")
    record = quote(fetched, fetched)
    until = fresh_until(record)
    assert [state(record, until + s) for s in (-1, 0, 599, 600)] == [FRESH, GRACE, GRACE, STALE]


@pytest.mark.parametrize("since", [-1.0, 0.0, 600.0])
def test_fresh_or_not_a_judgement_tells_both_windows(since: float) -> None:
    fetched = at("2025-01-15 10:00")
    record = quote(fetched, fetched)
    until = fresh_until(record)
    judgement = judge("quote", record, QUOTE, new_york_sessions, until + since)
    assert judgement[1:] == (until, until + 10 * MINUTE)


def test_without_a_closed_window_the_fresh_one_holds() -> None:
    lifetime = LIFETIMES["fx"]
    record = quote(at("2025-01-18 12:00"), symbol="EURUSD=X")
    until = judge("quote", record, lifetime, None, at("2025-01-18 12:00")).fresh_until
    assert until <= at("2025-01-18 12:00") + lifetime.fresh


def tokyo_at(text: str) -> float:
    """A Tokyo wall time as epoch seconds."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Tokyo")).timestamp()


@pytest.mark.parametrize(
    ("fetched", "as_of", "until"),
    [
        pytest.param("16:09:59", "15:30", "2025-01-15 16:14:59", id="the closing auction may still run"),
        pytest.param("16:10", "15:30", "2025-01-16 09:00", id="the close"),
        pytest.param("16:10", "09:00", "2025-01-16 09:00", id="traded once, yesterday in New York"),
    ],
)
def test_abroad_a_quote_is_final_after_the_auction_by_the_date_there(
    fetched: str, as_of: str, until: str
) -> None:
    exchange = exchange_of("7203.T")
    assert exchange is not None
    days = [dt.date(2025, 1, day) for day in (14, 15, 16)]
    sessions = [Session(day.toordinal(), tokyo_at(f"{day} 09:00"), tokyo_at(f"{day} 15:30")) for day in days]
    tokyo = Schedule(sessions, exchange, lambda _: None)
    now = tokyo_at(f"2025-01-15 {fetched}")
    record = quote(now, tokyo_at(f"2025-01-15 {as_of}"), "7203.T")
    found = judge("quote", record, QUOTE, tokyo, now).fresh_until
    assert tokyo_at(until) - 0.1 * QUOTE.fresh <= found <= tokyo_at(until)


# -------------------------------------------------------------------------------------------- other facets


@pytest.mark.parametrize(
    ("facet", "fresh", "grace", "on_error"),
    [
        ("profile", 30 * DAY, DAY, 365 * DAY),
        ("risk", 7 * DAY, DAY, 90 * DAY),
        ("dividend", DAY, DAY, 30 * DAY),
        ("fx", HOUR, HOUR, 7 * DAY),
        ("rate", DAY, DAY, 30 * DAY),
        ("history", DAY, DAY, 1e12),
    ],
)
def test_plain_durations_follow_the_table(facet: Facet, fresh: float, grace: float, on_error: float) -> None:
    symbol, fetched = "VOD.L", at("2025-01-15 10:00")
    record = RECORD_TYPES[facet](symbol=symbol, fetched_at=fetched)
    until = fresh_until(record, facet)
    assert fetched + 0.9 * fresh <= until <= fetched + fresh
    ages = (
        0.0,
        0.9 * fresh - 1,
        until - fetched,
        until - fetched + grace - 1,
        until - fetched + grace,
        on_error,
    )
    assert [state(record, fetched + age, facet) for age in ages] == [FRESH, FRESH, GRACE, GRACE, STALE, STALE]
    if facet != "history":
        assert state(record, fetched + on_error + 1, facet) == NONE


@pytest.mark.parametrize(
    ("fetched", "until"),
    [
        ("2025-01-15 10:00", "2025-01-15 16:20"),
        ("2025-01-15 16:19", "2025-01-15 16:20"),
        ("2025-01-15 16:20", "2025-01-16 16:20"),
        ("2025-01-18 12:00", "2025-01-20 16:20"),
    ],
)
def test_history_lives_until_a_session_has_closed_and_its_bar_is_out(fetched: str, until: str) -> None:
    record = RECORD_TYPES["history"](symbol="AAPL", fetched_at=at(fetched))
    assert fresh_until(record, "history") == at(until)
    assert state(record, at(until) + DAY - 1, "history") == GRACE
    assert state(record, at(until) + DAY, "history") == STALE


INSTANTS = st.floats(at("2025-01-10 00:00"), at("2025-01-22 00:00"))  # two weekends and a holiday
LAGS = st.none() | st.floats(0.0, 3600.0) | st.floats(0.0, 4 * DAY)


@given(
    facet=st.sampled_from(FACETS[:1]) | st.sampled_from(FACETS),  # quotes more often than others
    fetched=INSTANTS,
    lags=st.tuples(LAGS, LAGS),
    symbols=st.tuples(st.text("ABCXYZ", min_size=1, max_size=4), st.text("ABCXYZ", min_size=1, max_size=4)),
    age=st.floats(0.0, 0.99 * QUOTE.fresh) | st.floats(0.0, 4 * DAY),
)
def test_what_one_record_assures_holds_for_all_that_came_with_it(
    facet: Facet,
    fetched: float,
    lags: tuple[float | None, float | None],
    symbols: tuple[str, str],
    age: float,
) -> None:
    lifetime, now = LIFETIMES[facet], fetched + age
    one, other = (
        RECORD_TYPES[facet](symbol, as_of=None if lag is None else fetched - lag, fetched_at=fetched)
        for symbol, lag in zip(symbols, lags, strict=True)
    )
    assured = assurance(facet, one, lifetime, new_york_sessions, now)
    if now < assured.fresh_until:
        assert judge(facet, one, lifetime, new_york_sessions, now).freshness == FRESH
        if assured.as_of_from <= (other.as_of or 0.0) <= assured.as_of_to:
            judged = judge(facet, other, lifetime, new_york_sessions, now)
            assert judged.freshness == FRESH
            assert judged.fresh_until >= assured.fresh_until


@pytest.mark.parametrize(
    ("fetched", "as_of", "asked", "assured"),
    [
        pytest.param("15 10:00", "15 09:59", "15 10:01", ("15 10:04:30", -inf, inf), id="open: all alike"),
        pytest.param("15 17:00", None, "15 17:01", ("15 17:54", -inf, inf), id="closed, as-of unknown"),
        pytest.param("15 17:00", "14 16:00", "15 17:01", ("15 17:54", -inf, inf), id="of a session before"),
        pytest.param(
            "15 17:00",
            "15 15:58",
            "15 21:00",
            ("16 09:30", "15 09:30", "15 15:58"),
            id="final",
        ),
    ],
)
def test_a_quote_assures_the_shortest_life_and_a_final_one_only_that_of_the_session_s_earlier_trades(
    fetched: str, as_of: str | None, asked: str, assured: tuple[str, float | str, float | str]
) -> None:
    record = quote(january(fetched), january(as_of) if as_of else None)
    found = assurance("quote", record, QUOTE, new_york_sessions, january(asked))
    expected = [one if isinstance(one, float) else january(one) for one in assured]
    assert found == pytest.approx(expected, abs=1e-3)


def january(text: str) -> float:
    """A New York day and wall time of January 2025 as epoch seconds."""
    return at(f"2025-01-{text}")


def test_what_lives_plainly_assures_nine_tenths_of_its_lifetime_for_any_trade() -> None:
    fetched = january("15 10:00")
    cases: tuple[tuple[Facet, SessionTable | None], ...] = (("quote", None), ("rate", new_york_sessions))
    for facet, sessions in cases:
        record = RECORD_TYPES[facet](symbol="^TNX", as_of=fetched, fetched_at=fetched)
        assured = assurance(facet, record, LIFETIMES[facet], sessions, fetched)
        assert assured == pytest.approx((fetched + 0.9 * LIFETIMES[facet].fresh, -inf, inf), abs=1e-3)


@pytest.mark.parametrize("damage", ["stale", "invalidated", "without a value"])
def test_what_is_not_fresh_assures_nothing(damage: str) -> None:
    fetched = january("15 10:00")
    record = quote(fetched, fetched)
    record.invalidated = damage == "invalidated"
    record.fetched_at = None if damage == "without a value" else fetched
    now = fetched + (HOUR if damage == "stale" else 0.0)
    assert assurance("quote", record, QUOTE, new_york_sessions, now) == (0.0, inf, -inf)


def test_an_unverified_price_is_not_final() -> None:
    fetched, close = at("2025-01-15 17:00"), at("2025-01-15 16:00")
    record = quote(fetched, close)
    assert fresh_until(record) == at("2025-01-16 09:30")
    record.unverified = True
    assert 0.9 * HOUR <= fresh_until(record) - fetched <= HOUR


def test_jitter_shortens_by_at_most_a_tenth_and_differs_between_symbols_and_facets() -> None:
    fetched = at("2025-01-15 10:00")
    lives = [fresh_until(quote(fetched, fetched, f"S{n}.L")) - fetched for n in range(200)]
    assert min(lives) < 0.91 * QUOTE.fresh
    assert max(lives) > 0.99 * QUOTE.fresh
    assert 0.9 * QUOTE.fresh <= min(lives)
    assert max(lives) <= QUOTE.fresh
    shares = {
        (fresh_until(RECORD_TYPES[facet](symbol="VOD.L", fetched_at=fetched), facet) - fetched)
        / LIFETIMES[facet].fresh
        for facet in FACETS
    }
    assert len(shares) == len(FACETS)


# -------------------------------------------------------------------------------------------- every facet


def test_a_record_without_a_value_is_none() -> None:
    assert judge("quote", Quote(symbol="AAPL"), QUOTE, None, 1e9) == (NONE, 0.0, 0.0)


def test_a_value_from_the_future_is_stale_but_for_a_minutes_tolerance() -> None:
    now = at("2025-01-15 10:00")
    assert [state(quote(now + seconds, now), now) for seconds in (60, 61)] == [FRESH, STALE]


def test_soft_invalidation_leaves_the_value_for_errors_only() -> None:
    fetched = at("2025-01-15 10:00")
    record = quote(fetched, fetched)
    record.invalidated = True
    assert [state(record, fetched + age) for age in (0, QUOTE.on_error, QUOTE.on_error + 1)] == [
        STALE, STALE, NONE,
    ]  # fmt: skip
    assert fresh_until(record) == 0.0


def test_a_window_for_errors_shorter_than_the_fresh_one_does_not_cut_it() -> None:
    """`on_error = 0` says: serve nothing stale. It does not say: serve nothing."""
    lifetime = lifetimes({"quote": {"on_error": 0.0}})["quote"]
    fetched = at("2025-01-15 10:00")
    states = [
        judge("quote", quote(fetched, fetched), lifetime, new_york_sessions, fetched + age).freshness
        for age in (1, 300, 1000)
    ]
    assert states == [FRESH, GRACE, NONE]


instants = st.floats(at("2024-12-20 00:00"), at("2025-12-20 00:00"))


@st.composite
def records(draw: st.DrawFn) -> tuple[Facet, Record]:
    facet = draw(st.sampled_from(FACETS))
    fetched_at = draw(instants)
    as_of = draw(st.none() | st.floats(0.0, 5 * DAY).map(lambda age: fetched_at - age))
    record = RECORD_TYPES[facet](
        symbol=draw(st.sampled_from(SYMBOLS)),
        fetched_at=fetched_at,
        as_of=as_of,
        invalidated=draw(st.booleans()),
    )
    return facet, record


ages = st.floats(-2 * MINUTE, 5 * DAY) | st.floats(0.0, 500 * DAY)


@given(records(), ages, ages)
def test_freshness_never_improves_as_time_passes(made: tuple[Facet, Record], one: float, two: float) -> None:
    facet, record = made
    assert record.fetched_at is not None
    sooner, later = sorted((max(one, -MINUTE), max(two, -MINUTE)))
    assert state(record, record.fetched_at + sooner, facet) >= state(record, record.fetched_at + later, facet)


@given(records(), ages)
def test_fresh_until_lies_ahead_exactly_when_fresh(made: tuple[Facet, Record], age: float) -> None:
    facet, record = made
    assert record.fetched_at is not None
    now = record.fetched_at + age
    judgement = judge(facet, record, LIFETIMES[facet], session_table(record.symbol), now)
    assert (judgement.fresh_until > now) == (judgement.freshness == FRESH)


@given(instants, st.floats(0.0, 3 * DAY), st.sampled_from(("AAPL", "MSFT", "^GSPC")))
def test_no_quote_is_fresh_or_in_grace_across_an_open(fetched: float, age: float, symbol: str) -> None:
    record = quote(fetched, fetched - age, symbol)
    assert state(record, new_york_sessions(fetched).next.open) <= STALE


# ----------------------------------------------------------------------------------------------- failures


def fail(
    previous: Record | None,
    kind: FailureKind = "server",
    now: float = 1000.0,
    *,
    facet: Facet = "quote",
    retry_at: float | None = None,
) -> Failure:
    return next_failure(
        previous, kind=kind, reason="r", source="s", now=now, lifetime=LIFETIMES[facet], retry_at=retry_at
    )


def after(*failures: tuple[FailureKind, float], value: bool = False) -> Record:
    """What is stored after failures at these times."""
    record = Quote(symbol="AAPL", fetched_at=1.0 if value else None)
    for kind, now in failures:
        record.failure = fail(record, kind, now)
    return record


@pytest.mark.parametrize(
    ("facet", "waits"),
    [
        ("quote", [30.0, 60.0, 120.0, 240.0, 480.0, 900.0, 900.0]),
        ("fx", [60.0, 60.0]),
        *((facet, [300.0, 300.0]) for facet in ("profile", "risk", "dividend", "history", "rate")),
    ],
)
def test_the_throttle_doubles_up_to_its_maximum(facet: Facet, waits: list[float]) -> None:
    record, now, found = RECORD_TYPES[facet](symbol="AAPL"), 1000.0, []
    for n in range(1, len(waits) + 1):
        record.failure = fail(record, "network", now, facet=facet)
        assert (record.failure.count, record.failure.first_at, record.failure.last_at) == (n, 1000.0, now)
        found.append(record.failure.retry_at - now)
        assert throttled(record, record.failure.retry_at - 0.001)
        now = record.failure.retry_at
        assert not throttled(record, now)
    assert found == waits


def test_a_throttle_set_beyond_its_maximum_is_kept() -> None:
    lifetime = lifetimes({"profile": {"throttle": 900.0}})["profile"]
    failure = next_failure(None, kind="server", reason="", source="", now=0.0, lifetime=lifetime)
    assert failure.retry_at == 900.0


def test_many_failures_do_not_overflow_the_throttle() -> None:
    record = Quote(symbol="AAPL", failure=Failure("server", "", "", 5000, 0.0, 0.0, 0.0))
    assert fail(record).retry_at == 1000.0 + QUOTE.throttle_max


@pytest.mark.parametrize(("retry_at", "kept"), [(1010.0, 1030.0), (5000.0, 5000.0)])
def test_a_later_retry_at_of_the_provider_wins(retry_at: float, kept: float) -> None:
    assert fail(None, "rate_limited", retry_at=retry_at).retry_at == kept


@pytest.mark.parametrize("kind", get_args(FailureKind))
def test_the_kind_is_kept_and_only_unknown_waits_an_hour(kind: FailureKind) -> None:
    failure = fail(None, kind)
    assert (failure.kind, failure.reason, failure.source) == (kind, "r", "s")
    assert failure.retry_at - 1000.0 == (QUOTE.unknown if kind == "unknown" else QUOTE.throttle)


@pytest.mark.parametrize(
    ("history", "now", "kind"),
    [
        pytest.param([("omitted", 0.0)], 29.9, "omitted", id="too soon"),
        pytest.param([("omitted", 0.0)], 30.0, "unknown", id="second time"),
        pytest.param([("omitted", 0.0), ("omitted", 20.0)], 40.0, "unknown", id="30 s after the first"),
        pytest.param([("server", 0.0)], 100.0, "omitted", id="the first omission"),
        pytest.param([("server", 0.0), ("omitted", 100.0)], 105.0, "omitted", id="5 s after the first"),
        pytest.param([("server", 0.0), ("omitted", 100.0)], 130.0, "unknown", id="30 s after, server before"),
        pytest.param([("unknown", 0.0)], 1.0, "unknown", id="was unknown"),
    ],
)
def test_a_second_omission_half_a_minute_later_makes_unknown(
    history: list[tuple[FailureKind, float]], now: float, kind: FailureKind
) -> None:
    assert fail(after(*history), "omitted", now).kind == kind


def test_since_when_a_symbol_is_unknown_outlasts_its_later_omissions() -> None:
    failure = after(("unknown", 100.0), ("omitted", 5000.0)).failure
    assert failure is not None
    assert (failure.kind, failure.first_at) == ("unknown", 100.0)


@pytest.mark.parametrize("kind", ["unknown", "omitted"])
def test_a_symbol_that_had_a_value_never_becomes_unknown(kind: FailureKind) -> None:
    record = after((kind, 0.0), (kind, 100.0), (kind, 5000.0), value=True)
    assert record.failure is not None
    assert (record.failure.kind, record.failure.count) == ("omitted", 3)


@pytest.mark.parametrize("record", [None, Quote(symbol="AAPL")])
def test_nothing_throttles_without_a_failure(record: Record | None) -> None:
    assert not throttled(record, 0.0)


def test_a_failure_from_the_future_throttles_nothing_but_for_a_minutes_tolerance() -> None:
    record = after(("server", 1000.0))
    assert [throttled(record, 1000.0 - seconds) for seconds in (60.0, 60.001)] == [True, False]


@pytest.mark.parametrize("kind", get_args(FailureKind))
def test_a_retry_waits_only_for_what_does_not_pass_by_itself(kind: FailureKind) -> None:
    record = after((kind, 1000.0))
    passing = {"network", "timeout", "server", "rate_limited", "quota", "insufficient"}
    assert throttled(record, 1001.0)
    assert throttled(record, 1001.0, retry=True) == (kind not in passing)


# ----------------------------------------------------------------------------------------------- dividends


def paid(*days: str) -> tuple[DividendEvent, ...]:
    return tuple(
        DividendEvent(dt.date.fromisoformat(day).toordinal(), 0.5, "USD", declared=True) for day in days
    )


def utc(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize(
    ("events", "fetched", "earliest", "latest"),
    [
        pytest.param(
            paid("2024-08-12", "2024-11-11"), "2024-12-02", "2025-02-12", "2025-02-12", id="the next ex-date"
        ),
        pytest.param(
            paid("2024-08-12", "2024-11-11"), "2025-02-11", "2025-02-12", "2025-02-12", id="that very day"
        ),
        pytest.param(
            paid("2024-08-12", "2024-11-11"), "2025-02-12", "2025-02-18", "2025-02-19", id="late: a week"
        ),
        pytest.param(
            paid("2022-12-01", "2023-12-01", "2024-12-02"), "2024-12-03", "2025-02-22", "2025-03-05",
            id="once a year: a quarter",
        ),
        pytest.param(paid("2024-08-12"), "2024-12-02", "2024-12-29", "2025-01-01", id="no rhythm"),
        pytest.param((), "2024-12-02", "2024-12-29", "2025-01-01", id="none"),
        pytest.param(
            paid("2024-02-12", "2024-05-13"), "2024-12-02", "2024-12-29", "2025-01-01", id="paid no more"
        ),
    ],
)  # fmt: skip
def test_dividends_live_until_there_may_be_another(
    events: tuple[DividendEvent, ...], fetched: str, earliest: str, latest: str
) -> None:
    record = Payouts(symbol="KO", source="fake", fetched_at=utc(fetched), events=events)
    until = fresh_until(record, "payouts")
    assert utc(earliest) <= until <= utc(latest)
    assert state(record, until - 1.0, "payouts") == FRESH
    assert state(record, until + 1.0, "payouts") == GRACE
    assert state(record, until + 2.0 * DAY, "payouts") == STALE
