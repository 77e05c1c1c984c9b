from __future__ import annotations

import datetime as dt
import threading
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open_coordinator import OpenCoordinator
from quotewell.clock import SystemClock
from quotewell.coordination.local import LocalCoordinator
from quotewell.endpoints import Grant, Lane, Limit
from quotewell.errors import ProviderError
from quotewell.providers.transport import (
    ConnectionBrokenError,
    Slots,
    StatusError,
    Timeouts,
    Transport,
    failure_of_status,
    pause_length,
    redacted,
    retry_after,
)
from quotewell.testing import ManualClock

NOW = 1_790_000_000.0
SOON = 100.0


class Answer:
    def __init__(self, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.status_code = status
        self.headers = headers or {}


class Setup:
    def __init__(self, *, concurrency: int = 2, rate: float = 2.0) -> None:
        self.clock = ManualClock(NOW, 0.0)
        self.coordinator = OpenCoordinator(self.clock)
        self.sent: list[Timeouts] = []
        self.counts: list[int] = []
        self.transport = Transport(
            "yahoo",
            Limit(rate, 5, 100),
            concurrency=concurrency,
            connect_timeout=5.0,
            request_timeout=15.0,
            coordinator=self.coordinator,
            clock=self.clock,
            counted=self.counts.append,
        )

    def send(
        self, answer: Answer | None = None, *, deadline: float = SOON, handshake: bool = False
    ) -> Answer:
        def attempt(timeouts: Timeouts) -> Answer:
            self.sent.append(timeouts)
            return answer or Answer()

        return self.transport.send(attempt, lane=Lane.PREFETCH, deadline=deadline, handshake=handshake)

    def refusal(self, answer: Answer | None = None, *, deadline: float = SOON) -> ProviderError:
        with pytest.raises(ProviderError) as caught:
            self.send(answer, deadline=deadline)
        return caught.value


@pytest.fixture
def setup() -> Setup:
    return Setup()


# ------------------------------------------------------------------------------------------- pure decisions


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("60", 60.0),
        (" 7 ", 7.0),
        ("0", None),
        ("-5", None),
        ("", None),
        ("soon", None),
        ("1e9", None),
        ("nan", None),
        ("99999999999", 86400.0),
        ("٣٠", None),
    ],
)
def test_retry_after_in_seconds(header: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": header}, NOW) == seconds


@pytest.mark.parametrize(("ahead", "seconds"), [(90, 90.0), (-10, None), (10**7, 86400.0)])
def test_retry_after_as_an_http_date(ahead: int, seconds: float | None) -> None:
    date = format_datetime(dt.datetime.fromtimestamp(NOW + ahead, dt.UTC), usegmt=True)
    assert retry_after({"retry-after": date}, NOW) == seconds


def test_no_retry_after_header_is_none() -> None:
    assert retry_after({"Content-Type": "text/html"}, NOW) is None


@given(st.text(max_size=40))
def test_any_retry_after_header_is_a_sane_wait_or_none(header: str) -> None:
    wait = retry_after({"Retry-After": header}, NOW)
    assert wait is None or 0.0 < wait <= 86400.0


def test_pauses_double_from_thirty_seconds_to_an_hour() -> None:
    lengths, length = [], None
    for _ in range(9):
        length = pause_length(length)
        lengths.append(length)
    assert lengths == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (400, "invalid"),
        (401, "denied"),
        (402, "denied"),
        (403, "denied"),
        (404, "invalid"),
        (408, "timeout"),
        (429, "rate_limited"),
        (500, "server"),
        (503, "server"),
    ],
)
def test_failure_of_status(status: int, failure: str) -> None:
    assert failure_of_status(status) == failure


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET http://x/y?apikey=s3cret&a=b failed", "GET http://x/y failed"),
        ("crumb=aB/cd.x is wrong", "crumb=*** is wrong"),
        ("api_key: s3cret", "api_key=***"),
        ("two\n  lines", "two lines"),
        ("curl: (56) reset. See https://curl.se/x.html first for more details.", "curl: (56) reset."),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_foreign_messages_carry_no_secrets_and_fit_a_line(text: str, shown: str) -> None:
    assert redacted(text) == shown


# ---------------------------------------------------------------------------------------------------- turns


def test_a_request_takes_a_token_in_its_lane_and_is_counted(setup: Setup) -> None:
    setup.send()
    assert setup.coordinator.spent == [("yahoo", Limit(2.0, 5, 100), Lane.PREFETCH, SOON)]
    assert setup.transport.requests == 1
    assert setup.counts == [1]


def test_handshakes_take_tokens_too_but_are_counted_apart(setup: Setup) -> None:
    setup.send(handshake=True)
    assert len(setup.coordinator.spent) == 1
    assert (setup.transport.requests, setup.transport.handshakes, setup.counts) == (0, 1, [])


def test_the_wait_for_a_token_goes_by_the_clock(setup: Setup) -> None:
    setup.coordinator.grants.append(Grant(1.5))
    setup.send()
    assert setup.clock.monotonic() == 1.5


def test_a_refused_token_sends_nothing(setup: Setup) -> None:
    setup.coordinator.grants.append(Grant(0.0, "100 of 100 today", NOW + 60, "quota"))
    error = setup.refusal()
    assert (error.failure, error.reason, error.retry_at) == ("quota", "100 of 100 today", NOW + 60)
    assert setup.sent == []


@pytest.mark.parametrize(
    ("deadline", "timeouts"),
    [(SOON, Timeouts(5.0, 15.0)), (8.0, Timeouts(5.0, 8.0)), (3.0, Timeouts(3.0, 3.0))],
)
def test_time_outs_end_at_the_deadline(setup: Setup, deadline: float, timeouts: Timeouts) -> None:
    setup.send(deadline=deadline)
    assert setup.sent == [timeouts]


def test_a_passed_deadline_costs_no_token(setup: Setup) -> None:
    assert setup.refusal(deadline=0.0).failure == "timeout"
    assert setup.coordinator.spent == []


def test_a_deadline_that_passes_while_waiting_for_the_token_sends_nothing(setup: Setup) -> None:
    setup.coordinator.grants.append(Grant(2.0))
    assert setup.refusal(deadline=2.0).failure == "timeout"
    assert setup.sent == []


def test_no_more_than_two_are_on_their_way(setup: Setup) -> None:
    arrived, go = threading.Semaphore(0), threading.Event()

    def attempt(_: Timeouts) -> Answer:
        arrived.release()
        go.wait(10)
        return Answer()

    def send() -> None:
        setup.transport.send(attempt, lane=Lane.INTERACTIVE, deadline=SOON)

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert arrived.acquire(timeout=10)
    assert arrived.acquire(timeout=10)
    assert setup.refusal(deadline=5.0).failure == "timeout"
    go.set()
    for thread in threads:
        thread.join()
    setup.send()
    assert setup.transport.requests == 3


def test_a_waiting_request_gets_the_slot_that_is_given_back() -> None:
    clock = SystemClock()
    slots = Slots(1, clock)
    deadline = clock.monotonic() + 60.0
    assert slots.take(deadline)
    got: list[bool] = []
    waiting = threading.Thread(target=lambda: got.append(slots.take(deadline)))
    waiting.start()
    slots.give_back()
    waiting.join()
    assert got == [True]
    assert clock.monotonic() < deadline


def test_a_slot_is_given_back_when_the_attempt_fails(setup: Setup) -> None:
    def attempt(_: Timeouts) -> Answer:
        raise setup.transport.timed_out()

    for _ in range(3):
        with pytest.raises(ProviderError, match="no answer in time"):
            setup.transport.send(attempt, lane=Lane.INTERACTIVE, deadline=SOON)
    setup.send()


# --------------------------------------------------------------------------------------------------- pauses


def test_a_429_with_retry_after_pauses_for_that_long(setup: Setup) -> None:
    error = setup.refusal(Answer(429, {"Retry-After": "600"}))
    assert (error.failure, error.retry_at) == ("rate_limited", NOW + 600)
    pause = setup.coordinator.paused("yahoo")
    assert pause is not None
    assert pause.until == NOW + 600


def test_while_paused_nothing_is_sent(setup: Setup) -> None:
    setup.refusal(Answer(429, {"Retry-After": "600"}))
    error = setup.refusal()
    assert (error.failure, error.retry_at) == ("rate_limited", NOW + 600)
    assert len(setup.sent) == 1
    setup.clock.advance(600)
    setup.send(deadline=1000.0)
    assert len(setup.sent) == 2


def test_429s_that_say_nothing_double_the_pause_also_for_the_next_process(setup: Setup) -> None:
    waits = []
    for _ in range(4):
        error = setup.refusal(Answer(429), deadline=1e9)
        assert error.retry_at is not None
        waits.append(error.retry_at - setup.clock.now())
        setup.clock.advance(waits[-1] + 1)
        next_process = Setup()
        next_process.coordinator, next_process.clock = setup.coordinator, setup.clock
        next_process.transport._coordinator = setup.coordinator
        next_process.transport._clock = setup.clock
        setup = next_process
    assert waits == [30, 60, 120, 240]


def test_a_quiet_hour_after_a_pause_forgets_it(setup: Setup) -> None:
    setup.refusal(Answer(429))
    setup.clock.advance(30 + 3600)
    assert setup.refusal(Answer(429), deadline=1e9).retry_at == setup.clock.now() + 30


def test_two_429s_at_a_time_are_one_event(setup: Setup) -> None:
    first = setup.transport.rate_limited({}, "HTTP 429")
    second = setup.transport.rate_limited({}, "HTTP 429")
    assert first.retry_at == second.retry_at == NOW + 30


def test_a_later_retry_after_never_shortens_a_pause(setup: Setup) -> None:
    setup.transport.rate_limited({"Retry-After": "600"}, "HTTP 429")
    error = setup.transport.rate_limited({"Retry-After": "60"}, "HTTP 429")
    assert error.retry_at == NOW + 600


def test_a_pause_that_begins_while_waiting_for_the_turn_is_obeyed(setup: Setup) -> None:
    class AnotherProcessIsLimited(ManualClock):
        def sleep(self, seconds: float, /) -> None:
            super().sleep(seconds)
            setup.coordinator.pause("yahoo", NOW + 500, "HTTP 429")

    setup.transport._clock = AnotherProcessIsLimited(NOW, 0.0)
    setup.coordinator.grants.append(Grant(1.0))
    assert setup.refusal().retry_at == NOW + 500
    assert setup.sent == []


def test_a_foreign_backoff_note_is_not_believed(setup: Setup) -> None:
    setup.coordinator.pause("yahoo:backoff", NOW + 3600, "because")
    assert setup.refusal(Answer(429)).retry_at == NOW + 30


def test_a_503_with_retry_after_pauses_and_one_without_does_not(setup: Setup) -> None:
    assert setup.send(Answer(503)).status_code == 503
    assert setup.refusal(Answer(503, {"Retry-After": "20"})).retry_at == NOW + 20


def test_a_429_slows_all_processes_down_once(setup: Setup) -> None:
    def wait_after_the_burst() -> float:
        limit = Limit(2.0, 5)
        grants = [LocalCoordinator.spend(setup.coordinator, "yahoo", limit, max_wait=100.0) for _ in range(6)]
        return grants[-1].wait

    usual = wait_after_the_burst()
    setup.clock.advance(3600.0)
    setup.refusal(Answer(429, {"Retry-After": "1"}))
    setup.transport.rate_limited({"Retry-After": "1"}, "HTTP 429")
    setup.clock.advance(3600.0)
    # Halved once, not twice; each of the six requests has regained 1 %.
    assert 1.5 * usual < wait_after_the_burst() < 2.5 * usual


# --------------------------------------------------------------------------------------------------- errors


def test_raise_for_status_lets_answers_pass_and_redacts_what_was_said(setup: Setup) -> None:
    setup.transport.raise_for_status(200, "fine")
    with pytest.raises(StatusError, match=r"yahoo: HTTP 500: see /x$") as caught:
        setup.transport.raise_for_status(500, "see /x?crumb=s3cret")
    assert (caught.value.status, caught.value.failure) == (500, "server")
    with pytest.raises(StatusError, match=r"HTTP 404$") as caught:
        setup.transport.raise_for_status(404, "", failure="unknown")
    assert caught.value.failure == "unknown"


def test_network_errors_have_their_kinds(setup: Setup) -> None:
    broken = setup.transport.broken("recv failure")
    assert isinstance(broken, ConnectionBrokenError)
    kinds = [broken.failure, setup.transport.unreachable("refused").failure, setup.transport.late().failure]
    assert kinds == ["network", "network", "timeout"]
    assert setup.transport.failed("invalid", "a?b").reason == "a"
