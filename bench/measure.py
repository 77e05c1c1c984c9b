"""Interleaved timing: what is compared runs in turn, round by round, and each round gives one ratio."""

from __future__ import annotations

import functools
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

__all__ = [
    "Comparison",
    "Row",
    "Work",
    "child",
    "children_seconds",
    "cpu_seconds",
    "interleaved",
    "quotients",
    "seconds",
    "times",
]

Work = Callable[[], object]

_ROOT = Path(__file__).parent.parent


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table: a measure with the values of all rounds, and what is asked of their median."""

    measure: str
    against: str
    values: tuple[float, ...]
    at_most: float | None = None
    at_least: float | None = None
    unit: str = "×"
    note: str = ""
    """Absolute times or sizes, for orientation."""

    @property
    def median(self) -> float:
        """What is quoted."""
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the median keeps to the floor; None for a row without one."""
        if self.at_most is not None:
            return self.median <= self.at_most
        return None if self.at_least is None else self.median >= self.at_least


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table of requests and seconds: one way to ask for many tickers."""

    tickers: int
    way: str
    found: tuple[int, int, int]
    """How many prices, betas and names it brought."""
    requests: int
    """With nothing kept from before."""
    seconds: tuple[float, ...]
    """Of each round."""
    requests_again: int | None
    """In another process, with what the first one has kept; None if that was not run."""
    seconds_again: tuple[float, ...]


def seconds(work: Work) -> float:
    """How long one run of `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def cpu_seconds(work: Work) -> float:
    """How long one run of `work` keeps a processor busy.

    For work that never waits: other processes of the machine disturb this less than they disturb `seconds`.
    """
    start = time.thread_time()
    work()
    return time.thread_time() - start


def interleaved(rounds: int, *works: Callable[[], float]) -> list[list[float]]:
    """Run all of `works`, each of which returns its own seconds, in turn, after a warm-up round.

    The order is reversed in every other round, so that none always runs in the wake of the same other.

    Returns:
        For each of `works`, the seconds of each round.
    """
    timings: list[list[float]] = [[] for _ in works]
    for turn in range(rounds + 1):
        places = range(len(works)) if turn % 2 else reversed(range(len(works)))
        for place in places:
            elapsed = works[place]()
            if turn:
                timings[place].append(elapsed)
    return timings


def times(rounds: int, *works: Work, clock: Callable[[Work], float] = seconds) -> list[list[float]]:
    """`interleaved` for works that are timed from outside, by `clock`."""
    return interleaved(rounds, *(functools.partial(clock, work) for work in works))


def quotients(ours: Iterable[float], theirs: Iterable[float]) -> tuple[float, ...]:
    """The ratio of each round."""
    return tuple(mine / other for mine, other in zip(ours, theirs, strict=True))


def children_seconds(work: Work) -> float:
    """How long the processes that `work` starts and waits for keep a processor busy."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def child(arguments: Sequence[str]) -> str:
    """Run this Python with `arguments` in a process of its own; return what it prints."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
    return done.stdout
