"""The budget's arithmetic: never more than the limit, whatever the order of requests and clock steps."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.coordination.budget import Budget, paused, pausing, rebased, resuming, spending
from quotewell.endpoints import Lane, Limit, Pause

START = 1_700_000_000.0
TOLERANCE = 1e-4
"""Of a request: epoch seconds in a float are exact to 2e-7 s, at up to 50 requests a second."""


class Step(NamedTuple):
    """Let `advance` seconds pass, set the wall clock back by `back`, then ask."""

    advance: float
    back: float
    n: int
    lane: Lane
    max_wait: float


def steps(*, backs: st.SearchStrategy[float]) -> st.SearchStrategy[list[Step]]:
    return st.lists(
        st.builds(
            Step,
            advance=st.sampled_from([0.0, 0.0, 0.01, 0.3, 1.0, 7.0]) | st.floats(0.0, 3.0),
            back=backs,
            n=st.integers(1, 2),
            lane=st.sampled_from(Lane),
            max_wait=st.sampled_from([0.0, 0.5, 2.0, math.inf]),
        ),
        min_size=1,
        max_size=60,
    )


LIMITS = st.builds(Limit, rate=st.floats(0.1, 50.0), burst=st.integers(2, 8))
SET_BACKS = st.sampled_from([0.0, 0.0, 0.0, 0.001, 5.0, 86_400.0, 3e7])


def sent_times(limit: Limit, plan: list[Step]) -> list[float]:
    """True times (that no clock step touches) at which granted requests are sent."""
    budget, true, offset = Budget(), 0.0, START
    sent: list[float] = []
    for step in plan:
        true += step.advance
        offset -= step.back
        now = true + offset
        budget, grant = spending(budget, limit, n=step.n, lane=step.lane, now=now, max_wait=step.max_wait)
        if grant.refused is None:
            assert 0.0 <= grant.wait <= step.max_wait + 1e-5
            sent += [true + grant.wait] * step.n
        else:
            assert grant.retry_at is not None
            assert grant.retry_at >= now
    return sorted(sent)


def excess(sent: list[float], rate: float, burst: int) -> float:
    """By how many requests the worst window holds more than `burst + rate * its length`."""
    return max(
        (
            (last - first + 1) - burst - rate * (sent[last] - sent[first])
            for first in range(len(sent))
            for last in range(first, len(sent))
        ),
        default=-math.inf,
    )


@given(limit=LIMITS, plan=steps(backs=SET_BACKS))
def test_no_window_holds_more_than_burst_and_rate_allow(limit: Limit, plan: list[Step]) -> None:
    assert excess(sent_times(limit, plan), 0.95 * limit.rate, limit.burst) <= TOLERANCE


def test_the_check_sees_one_request_too_many() -> None:
    limit = Limit(rate=2.0, burst=3)
    plan = [Step(0.0, 0.0, 1, Lane.INTERACTIVE, math.inf)] * 20
    sent = sent_times(limit, plan)
    assert excess(sent, 0.95 * limit.rate, limit.burst) == pytest.approx(0.0, abs=TOLERANCE), "it is used up"
    assert excess(sorted([*sent, sent[7]]), 0.95 * limit.rate, limit.burst) > 0.5
    assert excess([at * 0.9 for at in sent], 0.95 * limit.rate, limit.burst) > 0.5, "a tenth too fast"
    unshared = sorted(sent * 2)
    assert excess(unshared, 0.95 * limit.rate, limit.burst) > 2.0, "two that do not know of each other"


@given(limit=LIMITS, plan=steps(backs=st.just(0.0)), back=st.floats(0.0, 1e8))
def test_no_set_back_makes_anybody_wait_longer(limit: Limit, plan: list[Step], back: float) -> None:
    budget, now = Budget(), START
    for step in plan:
        now += step.advance
        budget, _ = spending(budget, limit, n=step.n, lane=step.lane, now=now, max_wait=step.max_wait)
    budget, _ = spending(budget, limit, n=1, lane=Lane.REFRESH, now=now, max_wait=math.inf)
    _, straight = spending(budget, limit, n=1, lane=Lane.INTERACTIVE, now=now, max_wait=math.inf)
    _, after = spending(budget, limit, n=1, lane=Lane.INTERACTIVE, now=now - back, max_wait=math.inf)
    assert after.refused is None
    assert after.wait == pytest.approx(straight.wait, abs=1e-5)


@given(limit=LIMITS, plan=steps(backs=st.just(0.0)))
def test_a_background_lane_never_waits_less_than_an_interactive_one(limit: Limit, plan: list[Step]) -> None:
    budget, now = Budget(), START
    for step in plan:
        now += step.advance
        waits = [
            spending(budget, limit, n=step.n, lane=lane, now=now, max_wait=math.inf)[1].wait for lane in Lane
        ]
        assert waits == sorted(waits)
        budget, _ = spending(budget, limit, n=step.n, lane=step.lane, now=now, max_wait=step.max_wait)


@pytest.mark.parametrize("lane", [Lane.PREFETCH, Lane.REFRESH])
@given(limit=LIMITS, granted=st.integers(1, 4), before=st.integers(0, 200))
def test_an_interactive_request_waits_no_longer_than_for_those_that_are_granted(
    limit: Limit, granted: int, before: int, lane: Lane
) -> None:
    """However many a prefetch has sent, and has still to send: it has asked only for those on their way."""
    budget, now, wait = Budget(), START, 0.0
    for _ in range(before):
        now += wait  # the next one is asked for when the one before was sent
        budget, grant = spending(budget, limit, n=1, lane=lane, now=now, max_wait=math.inf)
        wait = grant.wait
    now += wait
    waits = [0.0]
    for _ in range(granted):
        budget, grant = spending(budget, limit, n=1, lane=lane, now=now, max_wait=math.inf)
        waits.append(grant.wait)
    _, own = spending(budget, limit, n=1, lane=Lane.INTERACTIVE, now=now, max_wait=math.inf)
    interval = 1.0 / (0.95 * limit.rate)
    assert own.wait <= waits[-1] + TOLERANCE * interval
    assert own.wait <= (granted + TOLERANCE) * interval


@given(
    plan=st.lists(st.tuples(st.floats(0.0, 40_000.0), st.integers(1, 4)), max_size=60),
    per_day=st.integers(1, 10),
)
def test_no_utc_day_holds_more_than_the_quota(plan: list[tuple[float, int]], per_day: int) -> None:
    limit = Limit(rate=1e6, burst=1000, per_day=per_day)
    budget, now = Budget(), START
    spent: dict[float, int] = {}
    for advance, n in plan:
        now += advance
        budget, grant = spending(budget, limit, n=n, lane=Lane.INTERACTIVE, now=now, max_wait=0.0)
        day = now // 86_400.0
        if grant.refused is None:
            spent[day] = spent.get(day, 0) + n
        else:
            assert spent.get(day, 0) + n > per_day, "refused only when it does not fit"
            assert grant.retry_at == (day + 1) * 86_400.0
    assert all(count <= per_day for count in spent.values())


@pytest.mark.parametrize("lane", list(Lane))
def test_more_than_the_burst_waits_behind_what_was_sent(lane: Lane) -> None:
    limit = Limit(rate=2.0, burst=3)
    interval = 1.0 / (0.95 * 2.0)
    _, grant = spending(Budget(), limit, n=10, lane=lane, now=START, max_wait=math.inf)
    assert grant.wait == pytest.approx((10 - 3) * interval, abs=1e-5)


def test_a_refusal_leaves_the_budget_as_it_is() -> None:
    limit = Limit(rate=1.0, burst=1, per_day=2)
    budget, _ = spending(Budget(), limit, n=1, lane=Lane.INTERACTIVE, now=START, max_wait=0.0)
    for n, max_wait in ((1, 0.5), (5, math.inf)):
        after, grant = spending(budget, limit, n=n, lane=Lane.INTERACTIVE, now=START, max_wait=max_wait)
        assert grant.refused is not None
        assert after is budget


def test_a_negative_wait_is_no_wait() -> None:
    limit = Limit(rate=1.0, burst=1)
    budget, grant = spending(Budget(), limit, n=1, lane=Lane.INTERACTIVE, now=START, max_wait=-5.0)
    assert grant.refused is not None
    assert grant.retry_at == START
    assert budget == Budget()


def test_pauses_move_with_a_clock_set_back() -> None:
    budget = pausing(Budget(), until=START + 60.0, reason="HTTP 429", now=START)
    moved = rebased(budget, START - 1000.0)
    assert paused(moved, START - 1000.0) == Pause(START - 940.0, "HTTP 429")
    assert rebased(moved, START - 1000.0) is moved
    assert paused(resuming(moved, START - 1000.0), START - 1000.0) is None


def test_a_pause_without_end_can_be_told() -> None:
    budget = pausing(Budget(), until=math.inf, reason="plan ended", now=START)
    _, grant = spending(budget, Limit(1.0, 1), n=1, lane=Lane.INTERACTIVE, now=START, max_wait=0.0)
    assert grant.refused == "paused until further notice (plan ended)"
