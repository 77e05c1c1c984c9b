"""American puts in one scale: boundaries and premiums, refined until two schemes agree.

Every put is solved by two schemes that differ in form and in fineness. Where their values or deltas differ
by more than the tolerance, a finer scheme follows, until two in a row agree; what is left after the finest
is reported as unsettled. The boundary does not depend on spot: puts that differ only in it share one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers
from quotewell.analytics.boundary import Scheme, Totals, iterate, refined, seed
from quotewell.analytics.premium import Premium, premium

SCHEMES = (
    Scheme(pasting=True, nodes=7, points=7, iterations=4, span_points=24),
    Scheme(pasting=False, nodes=10, points=10, iterations=3, span_points=36),
    Scheme(pasting=False, nodes=16, points=20, iterations=5, span_points=56),
    Scheme(pasting=False, nodes=26, points=34, iterations=8, span_points=96),
    Scheme(pasting=False, nodes=44, points=60, iterations=16, span_points=160),
)

_BLOCK = 8_192  # puts at a time: bounds the memory, whatever the size of the book


class Tolerance(NamedTuple):
    """How far two schemes may differ, of the strike; the error of the finer is a fraction of that."""

    value: float
    delta: float


class Settled(NamedTuple):
    """Premiums, with how they were found.

    Attributes:
        premium: Of every put.
        scheme: Which of `SCHEMES` gave it; len(SCHEMES) where no two agreed, the premium being the finest's.
    """

    premium: Premium
    scheme: Integers


def settle(totals: Totals, log_spot: Floats, tolerance: Tolerance) -> Settled:
    """Premiums of puts, each by as fine a scheme as it needs.

    Args:
        totals: The puts; rate·T positive, or 0 with a negative yield.
        log_spot: ln(spot/strike).
        tolerance: When two schemes agree.
    """
    figures = np.empty((3, log_spot.size))
    exercised = np.empty(log_spot.size, dtype=np.bool_)
    scheme = np.empty(log_spot.size, dtype=np.intp)
    for rows in _blocks(totals):
        found = _settle_block(totals.take(rows), log_spot[rows], tolerance)
        figures[:, rows] = found.premium[:3]
        exercised[rows], scheme[rows] = found.premium.exercised, found.scheme
    return Settled(Premium(*figures, exercised=exercised), scheme)


def at_scheme(totals: Totals, log_spot: Floats, scheme: Integers) -> Floats:
    """Values of the premium by a given one of `SCHEMES` each, without comparison: for differences."""
    out = np.empty(log_spot.size)
    for index in np.unique(scheme):
        rows = np.flatnonzero(scheme == index)
        own = totals.take(rows)
        fine = SCHEMES[min(index, len(SCHEMES) - 1)]
        distance = iterate(own, SCHEMES[0], seed(own, SCHEMES[0]))
        distance = iterate(own, fine, refined(distance, fine.nodes))
        out[rows] = premium(own, log_spot[rows], fine, distance, np.arange(rows.size)).value
    return out


def _blocks(totals: Totals) -> Iterator[Integers]:
    """Rows by blocks, those that share a boundary side by side."""
    order = np.lexsort(totals)
    for start in range(0, order.size, _BLOCK):
        yield order[start : start + _BLOCK]


def _settle_block(totals: Totals, log_spot: Floats, tolerance: Tolerance) -> Settled:
    first, boundary_of = _distinct(totals)
    figures = np.zeros((3, log_spot.size))
    exercised = np.zeros(log_spot.size, dtype=np.bool_)
    settled_by = np.full(log_spot.size, len(SCHEMES))
    open_rows = np.arange(log_spot.size)
    distance = seed(totals.take(first), SCHEMES[0])
    for index, scheme in enumerate(SCHEMES):
        keys = totals.take(first)
        if index:
            distance = refined(distance, scheme.nodes)
        distance = iterate(keys, scheme, distance)
        found = premium(totals.take(open_rows), log_spot[open_rows], scheme, distance, boundary_of)
        agree = _agree(found, figures[:, open_rows], exercised[open_rows], tolerance)
        figures[:, open_rows] = found[:3]
        exercised[open_rows] = found.exercised
        if index == 0:
            continue
        settled_by[open_rows[agree]] = index
        open_rows, boundary_of = open_rows[~agree], boundary_of[~agree]
        if not open_rows.size:
            break
        needed, boundary_of = np.unique(boundary_of, return_inverse=True)
        first, distance = first[needed], distance[:, needed]
    return Settled(Premium(*figures, exercised=exercised), settled_by)


def _agree(found: Premium, before: Floats, exercised: Bools, tolerance: Tolerance) -> Bools:
    both = found.exercised & exercised
    close = (np.abs(found.value - before[0]) <= tolerance.value) & (
        np.abs(found.delta - before[1]) <= tolerance.delta
    )
    return both | (close & (found.exercised == exercised))


def _distinct(totals: Totals) -> tuple[Integers, Integers]:
    """The first row of each boundary, and which boundary each row has; rows that share one are adjacent."""
    new = np.zeros(totals.rate.size, dtype=np.bool_)
    new[:1] = True
    for column in totals:
        new[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(new), np.cumsum(new) - 1
