"""Functions on a segment under the heat equation, as sums of cosines: exact for any stretch of time.

The nodes are the midpoints of an even number of equal cells, and nothing flows through the ends. Functions
are columns, so that a step of any number of them, each over a variance of its own, is a few products with
constant matrices. Even cosines are the same on both halves of the segment and odd ones the opposite, which
halves the work.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Floats

LARGEST_PRODUCT = 262_144
"""Rows × columns × depth up to which OpenBLAS uses one thread: on a busy machine two wait for each other."""


class Cosines(NamedTuple):
    """The cosines that n nodes tell apart, the n/2 even ones before the odd ones.

    Attributes:
        forward: From sums and from differences of the two halves to coefficients, shape (2, n/2, n/2).
        backward: From coefficients to half the sums and half the differences, shape (2, n/2, n/2).
        waves: Wave numbers, multiples of π, on a segment of length 1; shape (n, 1).
    """

    forward: Floats
    backward: Floats
    waves: Floats


@functools.cache
def cosines(nodes: int) -> Cosines:
    """The constant matrices for an even number of nodes."""
    half = nodes // 2
    orders = np.stack([np.arange(0, nodes, 2), np.arange(1, nodes, 2)])
    backward = np.cos(np.pi * (np.arange(half) + 0.5)[:, np.newaxis] * orders[:, np.newaxis] / nodes)
    scale = np.where(orders == 0, 1.0, 2.0)[:, :, np.newaxis] / nodes
    forward = np.ascontiguousarray(backward.transpose(0, 2, 1) * scale)
    return Cosines(forward, backward, np.pi * orders.reshape(-1, 1).astype(np.float64))


def transform(values: Floats) -> Floats:
    """Coefficients of functions from their values, shape (nodes, functions)."""
    half = len(values) // 2
    first, second = values[:half], values[: half - 1 : -1]
    forward = cosines(len(values)).forward
    out = np.empty_like(values)
    np.matmul(forward[0], first + second, out=out[:half])
    np.matmul(forward[1], first - second, out=out[half:])
    return out


def restore(coefficients: Floats, out: Floats) -> None:
    """Write the values of functions."""
    half = len(coefficients) // 2
    backward = cosines(len(coefficients)).backward
    even = backward[0] @ coefficients[:half]
    odd = backward[1] @ coefficients[half:]
    np.add(even, odd, out=out[:half])
    np.subtract(even, odd, out=out[: half - 1 : -1])


def decay(nodes: int, variance: Floats, width: Floats) -> Floats:
    """What `variance` leaves of each coefficient on segments of `width`; shape (nodes, functions)."""
    return np.asarray(np.exp(np.square(cosines(nodes).waves) * (-0.5 * variance / np.square(width))))
