"""American puts in one scale: boundaries and premiums, refined until two schemes agree.

Every put is solved by two schemes that differ in form and in fineness. Where their values or deltas differ
by more than the tolerance, a finer scheme follows, until two in a row agree; what is left after the finest
is reported as unsettled. The boundary does not depend on spot: puts that differ only in it share one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers, distinct
from quotewell.analytics.pricing.boundary import Scheme, Totals, iterate, refined, seed
from quotewell.analytics.pricing.premium import Premium, premium

SCHEMES = (
    Scheme(pasting=True, nodes=7, points=7, iterations=4, span_points=20),
    Scheme(pasting=False, nodes=8, points=8, iterations=1, span_points=32),
    Scheme(pasting=False, nodes=16, points=20, iterations=5, span_points=56),
    Scheme(pasting=False, nodes=26, points=34, iterations=8, span_points=96),
    Scheme(pasting=False, nodes=44, points=60, iterations=16, span_points=160),
)

WARM = SCHEMES[0]._replace(iterations=3)
"""The coarsest scheme from a boundary that is nearly right."""

_BLOCK = 8_192  # puts at a time: bounds the memory, whatever the size of the book


UNSETTLED = len(SCHEMES)
"""The scheme of a put on which even the finest ones disagree."""


class Tolerance(NamedTuple):
    """How far two schemes may differ; the error of the finer is a fraction of that.

    Attributes:
        value: Of spot or strike, whichever is less.
        delta: As it is.
        boundary: Of the boundary itself, where spot is that near to it.
    """

    value: float
    delta: float
    boundary: float


class Settled(NamedTuple):
    """Premiums, with how they were found.

    Attributes:
        premium: Of every put.
        scheme: Which of `SCHEMES` gave it, or `UNSETTLED`.
        coarse: The boundary of the coarsest scheme; shape (nodes, puts).
    """

    premium: Premium
    scheme: Integers
    coarse: Floats


_LAST = Tolerance(value=1e-4, delta=2e-3, boundary=1e-3)
"""For the finest scheme, whose error is a hundredth of the one before it."""


def settle(totals: Totals, log_spot: Floats, tolerance: Tolerance) -> Settled:
    """Premiums of puts, each by as fine a scheme as it needs.

    Args:
        totals: The puts; rate·T positive, or 0 with a negative yield.
        log_spot: ln(spot/strike).
        tolerance: When two schemes agree.
    """
    figures = np.empty((4, log_spot.size))
    scheme = np.empty(log_spot.size, dtype=np.intp)
    coarse = np.empty((SCHEMES[0].nodes, log_spot.size))
    for rows in _blocks(totals):
        found = _settle_block(totals.take(rows), log_spot[rows], tolerance)
        figures[:, rows], scheme[rows], coarse[:, rows] = found.premium, found.scheme, found.coarse
    return Settled(Premium(*figures), scheme, coarse)


def value_by(totals: Totals, log_spot: Floats, scheme: Integers) -> Floats:
    """Values of the premium, each by a given one of `SCHEMES` after the first, without comparison."""
    out = np.empty(log_spot.size)
    for index in set(scheme.tolist()):
        fine, rows = SCHEMES[index], np.flatnonzero(scheme == index)
        own = totals.take(rows)
        distance = iterate(own, fine, refined(coarse_boundary(own), fine.nodes))
        out[rows] = premium(own, log_spot[rows], fine, distance, np.arange(rows.size)).value
    return out


def coarse_boundary(totals: Totals) -> Floats:
    """The boundary by the coarsest scheme; shape (nodes, puts)."""
    return iterate(totals, SCHEMES[0], seed(totals, SCHEMES[0]))


def warm_value(totals: Totals, log_spot: Floats, coarse: Floats) -> tuple[Floats, Floats]:
    """Values of the premium by the coarsest scheme from boundaries that are nearly right; and its boundaries.

    Args:
        totals: The puts.
        log_spot: ln(spot/strike).
        coarse: Boundaries to start from, as in `Settled`.
    """
    distance = iterate(totals, WARM, coarse)
    return premium(totals, log_spot, WARM, distance, np.arange(log_spot.size)).value, distance


def _blocks(totals: Totals) -> Iterator[Integers]:
    """Rows by blocks, those that share a boundary side by side."""
    order = np.lexsort(totals)
    for start in range(0, order.size, _BLOCK):
        yield order[start : start + _BLOCK]


def _settle_block(totals: Totals, log_spot: Floats, tolerance: Tolerance) -> Settled:
    first, boundary_of = _distinct(totals)
    figures = np.zeros((4, log_spot.size))
    settled_by = np.full(log_spot.size, UNSETTLED)
    rows = np.arange(log_spot.size)
    distance = coarse_boundary(totals.take(first))
    coarse = distance[:, boundary_of]
    for index, scheme in enumerate(SCHEMES):
        if index:
            distance = iterate(totals.take(first), scheme, refined(distance, scheme.nodes))
        found = premium(totals.take(rows), log_spot[rows], scheme, distance, boundary_of)
        before = Premium(*figures[:, rows])
        figures[:, rows] = found
        if index == 0:
            continue
        last = index == len(SCHEMES) - 1
        scale = np.exp(np.minimum(log_spot[rows], 0.0))
        agree = _agree(found, before, scale, _LAST if last else tolerance)
        settled_by[rows[agree]] = index
        rows, boundary_of = rows[~agree], boundary_of[~agree]
        if not rows.size:
            break
        kept, kind = distinct(boundary_of)
        needed, boundary_of = boundary_of[kept], kind
        first, distance = first[needed], distance[:, needed]
    return Settled(Premium(*figures), settled_by, coarse)


def _agree(found: Premium, before: Premium, scale: Floats, tolerance: Tolerance) -> Bools:
    """Whether two schemes agree.

    They do on exercise, with spot below the boundary by more than that moved; on waiting, with nearly the
    same value and delta; or on a boundary so near to spot that both come to the same.
    """
    moved = np.abs(found.beyond - before.beyond)
    beside = (np.abs(found.beyond) <= 2.0 * moved) & (moved <= tolerance.boundary)
    exercised = found.exercised & before.exercised & (found.beyond < -2.0 * moved)
    close = np.abs(found.value - before.value) <= tolerance.value * scale
    close &= np.abs(found.delta - before.delta) <= tolerance.delta
    return beside | exercised | (close & ~found.exercised & ~before.exercised)


def _distinct(totals: Totals) -> tuple[Integers, Integers]:
    """The first row of each boundary, and which boundary each row has; rows that share one are adjacent."""
    new = np.zeros(totals.rate.size, dtype=np.bool_)
    new[:1] = True
    for column in totals:
        new[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(new), np.cumsum(new) - 1
