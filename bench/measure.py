"""Interleaved timing of two functions, as the ratio of each round; medians are what to quote."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import msgspec

__all__ = ["Ratio", "compare", "compare_processes"]

_ROUNDS = 9


class Ratio(msgspec.Struct, frozen=True):
    """How many times longer the measured takes than its peer."""

    measure: str
    peer: str
    floor: float
    median: float
    low: float
    high: float


def compare(
    measure: str, ours: Callable[[], object], peer: str, theirs: Callable[[], object], *, floor: float
) -> Ratio:
    """Time both in turn, round by round, after a warm-up round."""
    ratios = [_seconds(ours) / _seconds(theirs) for _ in range(_ROUNDS + 1)][1:]
    return Ratio(measure, peer, floor, statistics.median(ratios), min(ratios), max(ratios))


def compare_processes(
    measure: str, ours: Sequence[str], peer: str, theirs: Sequence[str], *, floor: float
) -> Ratio:
    """The same for whole processes; arguments are those of this Python."""
    return compare(measure, lambda: _run(ours), peer, lambda: _run(theirs), floor=floor)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _run(arguments: Sequence[str]) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
