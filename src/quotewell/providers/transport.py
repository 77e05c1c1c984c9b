"""What every HTTP transport does: take its turn, count, and turn answers and pauses into `ProviderError`s.

A *turn* is a token of the provider's rate budget, which all processes share, and one of its concurrent
connections. After a 429 the transport refuses at once until the pause ends: no request is sent that is known
to be useless.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

from quotewell.endpoints import Lane, Limit
from quotewell.errors import ProviderError
from quotewell.protocols import Clock, Coordinator
from quotewell.records import FailureKind

__all__ = [
    "ConnectionBrokenError",
    "HttpAnswer",
    "Slots",
    "StatusError",
    "Timeouts",
    "Transport",
    "failure_of_status",
    "pause_length",
    "redacted",
    "retry_after",
]

_FIRST_PAUSE = 30.0
_LONGEST_PAUSE = 3600.0
_LONGEST_RETRY_AFTER = 86400.0
_BACKOFF_MEMORY = 3600.0
_SHOWN = 200


class HttpAnswer(Protocol):
    """What is needed of an HTTP library's response object."""

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, Any]:
        """The headers, by name in any case."""
        ...


AnswerT = TypeVar("AnswerT", bound=HttpAnswer)


class Timeouts(NamedTuple):
    """How long one request may take, in seconds; both are positive."""

    connect: float
    total: float


class StatusError(ProviderError):
    """An answer with a status of 400 or above, other than a rate limit."""

    def __init__(
        self, provider: str, failure: FailureKind, reason: str, *, status: int, retry_at: float | None = None
    ) -> None:
        super().__init__(provider, failure, reason, retry_at=retry_at)
        self.status = status


class ConnectionBrokenError(ProviderError):
    """The connection ended before the whole answer was there; asking once more may mend that."""


# ------------------------------------------------------------------------------------------- pure decisions


def retry_after(headers: Mapping[str, Any], now: float) -> float | None:
    """Seconds that a `Retry-After` header asks to wait.

    Args:
        headers: The answer's headers; names in any case.
        now: Epoch seconds, for the form with an HTTP date.

    Returns:
        Positive seconds, at most a day; None without the header, or when it is unreadable or in the past.
    """
    text = next((str(value) for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text)
    elif not text:
        return None
    else:
        from email.utils import parsedate_to_datetime  # noqa: PLC0415  only after an HTTP date was sent

        try:
            seconds = parsedate_to_datetime(text).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return min(seconds, _LONGEST_RETRY_AFTER) if seconds > 0.0 else None


def pause_length(previous: float | None) -> float:
    """Seconds to pause after a 429 that says nothing: 30, then double the previous pause, at most an hour."""
    return _FIRST_PAUSE if previous is None else min(max(2.0 * previous, _FIRST_PAUSE), _LONGEST_PAUSE)


def failure_of_status(status: int) -> FailureKind:
    """What an HTTP status of 400 or above means for the value that was asked."""
    if status in (401, 402, 403, 407, 451):
        return "denied"
    if status == 429:
        return "rate_limited"
    if status == 408:
        return "timeout"
    return "server" if status >= 500 else "invalid"


def redacted(text: str) -> str:
    """A foreign message in one line of at most 200 characters, with query strings (keys, crumbs) cut off.

    So are libcurl's introduction and its advice to read its manual, and the system's numbers of errors, which
    tell the reader nothing of what has happened.
    """
    text = re.sub(r"^(Failed to perform, curl: \(\d+\) |\[Errno -?\d+\] )", "", text)
    line = " ".join(re.sub(r"\?\S*", "", text.partition(" See https://curl.se")[0]).split())
    line = re.sub(r"(?i)\b(api_?key|token|crumb)\b\s*[=:]\s*\S+", r"\1=***", line)
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


# ---------------------------------------------------------------------------------------------------- turns


class Slots:
    """A counting semaphore whose waiting goes by the injected clock.

    Args:
        n: How many may hold one at a time.
        clock: The time.
    """

    def __init__(self, n: int, clock: Clock) -> None:
        self._free = n
        self._clock = clock
        self._changed = threading.Condition()

    def take(self, deadline: float) -> bool:
        """Take a slot, waiting until `deadline` (monotonic seconds); False if none became free."""
        with self._changed:
            while self._free == 0:
                left = deadline - self._clock.monotonic()
                if left <= 0.0:
                    return False
                self._clock.wait(self._changed, left)
            self._free -= 1
        return True

    def give_back(self) -> None:
        """Let the next one have it."""
        with self._changed:
            self._free += 1
            self._changed.notify()


class Transport:
    """The turns, pauses and counts of one provider; thread-safe, and free of any HTTP library.

    Args:
        provider: The provider's name, under which processes share its budget.
        limit: Its rate limit; all processes are slowed down after a 429.
        concurrency: How many requests may be on their way at a time.
        connect_timeout: Seconds to connect.
        request_timeout: Seconds for a whole request.
        coordinator: Keeps budget and pauses for all processes.
        clock: The time.
        counted: Told the number of requests so far each time one is sent, handshakes left out.
    """

    def __init__(
        self,
        provider: str,
        limit: Limit,
        *,
        concurrency: int,
        connect_timeout: float,
        request_timeout: float,
        coordinator: Coordinator,
        clock: Clock,
        counted: Callable[[int], None] | None = None,
    ) -> None:
        self.provider = provider
        self.requests = 0
        self.handshakes = 0
        self.waited = 0.0
        self._limit = limit
        self._timeouts = Timeouts(connect_timeout, request_timeout)
        self._coordinator = coordinator
        self._clock = clock
        self._counted = counted
        self._slots = Slots(concurrency, clock)
        self._lock = threading.Lock()

    @property
    def limit(self) -> Limit:
        """The configured rate limit."""
        return self._limit

    def send(
        self,
        attempt: Callable[[Timeouts], AnswerT],
        *,
        lane: Lane,
        deadline: float,
        handshake: bool = False,
        leave: int = 0,
    ) -> AnswerT:
        """Wait for a turn and send one request.

        Args:
            attempt: Sends it within the given timeouts and returns the answer, whatever its status.
            lane: Who is asking, for the rate budget.
            deadline: Monotonic seconds by which the answer is needed.
            handshake: Whether it only prepares data requests; counted apart.
            leave: Requests of the daily quota that are to be left.

        Returns:
            The answer, unless it is a rate limit.

        Raises:
            ProviderError: `rate_limited` or `quota` without a request when paused or over the budget;
                `timeout` when the deadline passes first; `rate_limited` for a 429, and for a 503 that names a
                time to wait. Whatever `attempt` raises.
        """
        self._take_token(lane, deadline, leave)
        if not self._slots.take(deadline):
            raise self.late()
        try:
            self._refuse_while_paused()
            timeouts = self._timeouts_until(deadline)
            self._count(handshake=handshake)
            answer = attempt(timeouts)
        finally:
            self._slots.give_back()
        wait = retry_after(answer.headers, self._clock.now()) if answer.status_code in (429, 503) else None
        if answer.status_code == 429 or wait is not None:
            raise self.rate_limited(answer.headers, f"HTTP {answer.status_code}")
        return answer

    def rate_limited(self, headers: Mapping[str, Any], reason: str) -> ProviderError:
        """Begin a pause, for all processes, and return the error to raise.

        `Retry-After` is honoured. Without one the pause is 30 s, and doubles, to an hour at most, each time
        the next 429 comes within an hour after it.

        Args:
            headers: The answer's headers.
            reason: What the provider said, without secrets.
        """
        now = self._clock.now()
        wait = retry_after(headers, now)
        with self._lock:
            running = self._coordinator.paused(self.provider)
            if wait is None and running is not None:
                # Sent before the pause began: the same event, not a second one.
                return self._refusal("rate_limited", reason, running.until)
            length = self._next_pause() if wait is None else wait
            said = f"{reason}, {'paused' if wait is None else 'Retry-After'} {length:.0f} s"
            self._coordinator.pause(self.provider, now + length, said, slower=True)
            if wait is None:
                self._coordinator.pause(self._backoff, now + length + _BACKOFF_MEMORY, f"{length:.0f}")
        until = now + length if running is None else max(now + length, running.until)
        return self._refusal("rate_limited", said, until)

    def raise_for_status(self, status: int, reason: str, *, failure: FailureKind | None = None) -> None:
        """Raise for a status of 400 or above.

        Args:
            status: The HTTP status.
            reason: What the provider said; redacted here.
            failure: Overrides what the status alone means.

        Raises:
            StatusError: With the kind that the status means.
        """
        if status >= 400:
            said = redacted(reason)
            text = f"HTTP {status}: {said}" if said else f"HTTP {status}"
            raise StatusError(self.provider, failure or failure_of_status(status), text, status=status)

    def late(self) -> ProviderError:
        """The error for a deadline that passed before the request was sent."""
        return ProviderError(self.provider, "timeout", "the deadline passed before the request could be sent")

    def failed(self, failure: FailureKind, reason: str) -> ProviderError:
        """The error for any other failure; `reason` is redacted."""
        return ProviderError(self.provider, failure, redacted(reason))

    def timed_out(self) -> ProviderError:
        """The error for a request that the HTTP library gave up on."""
        return ProviderError(self.provider, "timeout", "no answer in time")

    def unreachable(self, reason: str) -> ProviderError:
        """The error for a connection that could not be made."""
        return ProviderError(self.provider, "network", f"not reachable: {redacted(reason)}")

    def broken(self, reason: str) -> ConnectionBrokenError:
        """The error for a connection that ended too early."""
        return ConnectionBrokenError(self.provider, "network", f"connection broken: {redacted(reason)}")

    @property
    def _backoff(self) -> str:
        """The name under which the coordinator remembers the length of the last unasked-for pause."""
        return f"{self.provider}:backoff"

    def _next_pause(self) -> float:
        remembered = self._coordinator.paused(self._backoff)
        previous = None
        if remembered is not None and remembered.reason.isdigit():
            previous = float(remembered.reason)
        return pause_length(previous)

    def _take_token(self, lane: Lane, deadline: float, leave: int) -> None:
        left = deadline - self._clock.monotonic()
        if left <= 0.0:
            raise self.late()
        grant = self._coordinator.spend(self.provider, self._limit, lane=lane, max_wait=left, leave=leave)
        if grant.refused is not None:
            raise self._refusal(grant.failure, grant.refused, grant.retry_at)
        if grant.wait > 0.0:
            self._clock.sleep(grant.wait)
            with self._lock:
                self.waited += grant.wait

    def _refuse_while_paused(self) -> None:
        """A 429 may have come while this request waited for its turn."""
        pause = self._coordinator.paused(self.provider)
        if pause is not None:
            raise self._refusal("rate_limited", pause.reason, pause.until)

    def _timeouts_until(self, deadline: float) -> Timeouts:
        left = deadline - self._clock.monotonic()
        if left <= 0.0:
            raise self.late()
        total = max(min(self._timeouts.total, left), 0.001)
        return Timeouts(min(self._timeouts.connect, total), total)

    def _count(self, *, handshake: bool) -> None:
        with self._lock:
            if handshake:
                self.handshakes += 1
                return
            self.requests += 1
            if self._counted is not None:
                self._counted(self.requests)

    def _refusal(self, failure: FailureKind, reason: str, retry_at: float | None) -> ProviderError:
        return ProviderError(self.provider, failure, reason, retry_at=retry_at)
