"""Nodes in time for the exercise boundary: collocation, interpolation and integration, the same for all.

Time to expiry τ is measured as x = √(τ/T), from 0 at expiry to 1 now. The boundary is known at Chebyshev
nodes in x and interpolated by their polynomial. Integrals over the time s that passes from τ on set
√s = √τ·sin θ and √(τ - s) = √τ·cos θ, which leaves no square root singular at either end, and are summed
by Gauss-Legendre in θ. So every node, weight and interpolation matrix is a constant of the scheme.

Sources: Berrut and Trefethen, "Barycentric Lagrange interpolation", SIAM Review 46 (2004), 501-517;
Andersen, Lake and Offengenden, "High-performance American option pricing", Journal of Computational
Finance 20 (2016), for collocation in √τ.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Floats

_NEWTON_STEPS = 4
"""To rounding, from the usual first guess."""


class Collocation(NamedTuple):
    """The nodes of one scheme of n nodes, and of l quadrature points below each.

    Attributes:
        x: √(τ/T) of the nodes, rising to 1; shape (n,).
        root_passed: √(s/T) at each point below each node; shape (n·l, 1).
        weights: What sums a function of s over 0 ≤ s ≤ τ, in units of T; shape (n·l, 1).
        interpolation: From the values at the nodes (0 at expiry) to those at τ - s; shape (n·l, n).
    """

    x: Floats
    root_passed: Floats
    weights: Floats
    interpolation: Floats


class Span(NamedTuple):
    """The quadrature over a whole life, like a `Collocation` with the one node x = 1; p points.

    Attributes:
        root_passed: √(s/T); shape (p, 1).
        weights: In units of T; shape (p, 1).
        interpolation: From the values at n nodes to those at T - s; shape (p, n).
    """

    root_passed: Floats
    weights: Floats
    interpolation: Floats


@functools.cache
def collocation(nodes: int, points: int) -> Collocation:
    """A scheme of `nodes` nodes after expiry, with `points` quadrature points below each."""
    x = chebyshev(nodes)[1:]
    angles, weights = _legendre(points)
    angles, weights = 0.5 * np.pi * angles, 0.5 * np.pi * weights
    sine, cosine = np.sin(angles), np.cos(angles)
    each = np.square(x)[:, np.newaxis] * (2.0 * weights * sine * cosine)
    return Collocation(
        x,
        np.outer(x, sine).reshape(-1, 1),
        each.reshape(-1, 1),
        interpolation(nodes, np.outer(x, cosine).reshape(-1)),
    )


@functools.cache
def span(nodes: int, points: int) -> Span:
    """The quadrature over the whole life for a boundary of `nodes` nodes.

    With spot a little off the boundary the integrand changes within a short time from now; the angle is
    the cube of the variable of integration, which puts enough points there.
    """
    variable, weights = _legendre(points)
    angles = 0.5 * np.pi * variable**3
    sine, cosine = np.sin(angles), np.cos(angles)
    each = 2.0 * weights * (1.5 * np.pi * variable**2) * sine * cosine
    return Span(sine[:, np.newaxis], each[:, np.newaxis], interpolation(nodes, cosine))


@functools.cache
def refinement(nodes: int, more: int) -> Floats:
    """The interpolation from the nodes of one scheme to those of another; shape (more, nodes)."""
    return interpolation(nodes, chebyshev(more)[1:])


def interpolation(nodes: int, x: Floats) -> Floats:
    """The barycentric matrix from values at Chebyshev nodes, 0 at expiry, to those at `x`."""
    return np.ascontiguousarray(barycentric(nodes, x)[:, 1:])


def barycentric(nodes: int, x: Floats) -> Floats:
    """The same from the values at all of `chebyshev(nodes)`, the first included; shape (x, nodes + 1)."""
    known = chebyshev(nodes)
    signs = np.where(np.arange(nodes + 1) % 2 == 0, 1.0, -1.0)
    signs[[0, -1]] *= 0.5
    gaps = x[:, np.newaxis] - known
    at_node = gaps == 0.0
    terms = signs / np.where(at_node, 1.0, gaps)
    terms[at_node.any(axis=1)] = 0.0
    terms[at_node] = 1.0
    return np.asarray(terms / terms.sum(axis=1, keepdims=True))


def chebyshev(nodes: int) -> Floats:
    """Chebyshev-Lobatto nodes from 0 to 1, both included; shape (nodes + 1,)."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.arange(nodes + 1) / nodes))


def _legendre(points: int) -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes and weights on 0 to 1, by Newton's method (`numpy.polynomial` imports slowly)."""
    nodes = -np.cos(np.pi * (np.arange(points) + 0.75) / (points + 0.5))
    for _ in range(_NEWTON_STEPS):
        before, here = np.ones_like(nodes), nodes
        for degree in range(2, points + 1):
            before, here = here, ((2 * degree - 1) * nodes * here - (degree - 1) * before) / degree
        slope = points * (nodes * here - before) / (np.square(nodes) - 1.0)
        nodes = nodes - here / slope
    weights = 1.0 / ((1.0 - np.square(nodes)) * np.square(slope))
    return 0.5 * (nodes + 1.0), weights / weights.sum()
