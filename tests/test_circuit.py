from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.providers.circuit import CLOSED, Circuit, admit, failed


def opened(at: float = 0.0) -> Circuit:
    circuit = CLOSED
    for _ in range(3):
        circuit = failed(circuit, "network", at)
    return circuit


def test_it_stays_closed_for_two_failures_and_opens_at_the_third() -> None:
    two = failed(failed(CLOSED, "timeout", 0.0), "server", 0.0)
    assert admit(two, 0.0) == (two, 0.0)
    assert admit(failed(two, "network", 0.0), 10.0)[1] == 20.0


@pytest.mark.parametrize(
    "failure",
    ["unknown", "omitted", "rate_limited", "quota", "invalid", "suspect", "unsupported"],
)
def test_failures_that_do_not_tell_of_reachability_are_not_counted(failure: str) -> None:
    two = failed(failed(CLOSED, "timeout", 0.0), "timeout", 0.0)
    assert failed(two, failure, 0.0) == two
    assert failed(opened(), failure, 5.0) == opened()


def test_refusals_are_counted_as_failures_to_answer_are() -> None:
    assert admit(failed(failed(failed(CLOSED, "denied", 0.0), "server", 0.0), "denied", 0.0), 10.0)[1] == 20.0


def test_half_open_lets_one_probe_through_and_refuses_the_rest() -> None:
    probing, wait = admit(opened(), 30.0)
    assert wait == 0.0
    assert admit(probing, 30.0) == (probing, 30.0)


def test_each_failed_probe_doubles_the_wait_up_to_15_minutes() -> None:
    circuit, now, waits = opened(), 0.0, []
    for _ in range(7):
        now += admit(circuit, now)[1]
        circuit, wait = admit(circuit, now)
        assert wait == 0.0
        circuit = failed(circuit, "timeout", now)
        waits.append(admit(circuit, now)[1])
    assert waits == [60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0]


def test_a_probe_that_never_reports_back_does_not_block_for_ever() -> None:
    lost, _ = admit(opened(), 30.0)
    assert admit(lost, 60.0)[1] == 0.0


def test_a_probe_that_tells_nothing_leaves_the_next_call_to_be_one() -> None:
    probing, _ = admit(opened(), 30.0)
    undecided = failed(probing, "quota", 31.0)
    again, wait = admit(undecided, 31.0)
    assert wait == 0.0
    assert admit(failed(again, "server", 32.0), 32.0)[1] == 60.0


def test_failures_of_calls_begun_before_it_opened_do_not_lengthen_the_wait() -> None:
    assert failed(opened(), "network", 3.0) == opened()


@given(st.lists(st.tuples(st.floats(0.0, 2000.0), st.sampled_from(["network", "quota", "ok"])), max_size=60))
def test_no_wait_is_ever_longer_than_15_minutes(events: list[tuple[float, str]]) -> None:
    circuit, now = CLOSED, 0.0
    for pause, outcome in events:
        now += pause
        circuit, wait = admit(circuit, now)
        assert 0.0 <= wait <= 900.0
        if wait == 0.0:
            circuit = CLOSED if outcome == "ok" else failed(circuit, outcome, now)
