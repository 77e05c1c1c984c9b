"""A clock that only moves when it is told to, so that tests of lifetimes and waits never sleep."""

from __future__ import annotations

import threading

__all__ = ["ManualClock"]


class ManualClock:
    """A `protocols.Clock` that is moved by hand; thread-safe.

    `sleep` moves the clock instead of blocking. `wait` gives other threads a little real time to notify, and

    - returns True when it is notified; the clock has not moved;
    - else moves the clock to the end of the wait (by the asked seconds, less what others moved it meanwhile)
      and returns False. A wait without a limit (`None`) returns False without moving the clock, as a spurious
      wake-up would: the caller checks what it waits for and waits again.

    Args:
        now: Wall time to start at, epoch seconds; by default a Wednesday, half an hour after New York opened.
        monotonic: Monotonic seconds to start at.
        patience: Real seconds that a `wait` which nobody notifies takes.
    """

    def __init__(
        self, now: float = 1_736_953_200.0, monotonic: float = 0.0, *, patience: float = 1.0
    ) -> None:
        self._now = now
        self._monotonic = monotonic
        self._patience = patience
        self._lock = threading.Lock()

    def now(self) -> float:
        """Wall time in epoch seconds."""
        return self._now

    def monotonic(self) -> float:
        """Monotonic seconds."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both times by `seconds`.

        Raises:
            ValueError: When `seconds` is negative; `set_wall` sets a wall clock back.
        """
        if seconds < 0:
            raise ValueError(f"monotonic time cannot go back by {-seconds} s")
        with self._lock:
            self._now += seconds
            self._monotonic += seconds

    def set_wall(self, now: float) -> None:
        """Set the wall time only, forward or back, as an administrator or a suspended machine does."""
        with self._lock:
            self._now = now

    def sleep(self, seconds: float, /) -> None:
        """Move both times by `seconds`; never blocks."""
        self.advance(max(seconds, 0.0))

    def wait(self, condition: threading.Condition, seconds: float | None) -> bool:
        """Wait on `condition`, which the caller holds, as the class describes; False when not notified."""
        deadline = None if seconds is None else self._monotonic + seconds
        # One wait, not several short ones: a notification that comes as a wait times out is lost.
        if condition.wait(self._patience):
            return True
        if deadline is not None:
            with self._lock:
                rest = max(deadline - self._monotonic, 0.0)
                self._now += rest
                self._monotonic += rest
        return False
