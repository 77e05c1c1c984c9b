"""Which daily closes are believable beside their neighbours; pure.

A close outside [1/3, 3] x the one before it is kept only if the next one confirms it: a single bar that
leaps and returns is a fault of the feed, and of one at the very end nobody can tell yet. It comes back with
the next session's answer. Closes are adjusted for splits, so that a split explains no leap.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

__all__ = ["without_outliers"]

_LOW, _HIGH = 1.0 / 3.0, 3.0
_SMALL_PRICE = 1.0


def without_outliers(closes: Sequence[float]) -> list[int]:
    """The positions of the closes to keep, in order.

    Args:
        closes: Positive, in the major unit, oldest first. Leaps from or to less than one unit are believed.
    """
    steps = [_is_step(before, after) for before, after in itertools.pairwise(closes)]
    if all(steps):
        return list(range(len(closes)))
    # The first bar has none before it: it goes if the next two agree with each other and not with it.
    alone = len(steps) > 1 and steps[1] and not steps[0] and not _is_step(closes[0], closes[2])
    kept = [] if alone else [0]
    for position in range(1, len(closes)):
        from_before = bool(kept) and _is_step(closes[kept[-1]], closes[position])
        to_next = position < len(steps) and steps[position]
        if from_before or to_next:
            kept.append(position)
    return kept


def _is_step(before: float, after: float) -> bool:
    return min(before, after) < _SMALL_PRICE or _LOW <= after / before <= _HIGH
