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

_LARGEST_PRODUCT = 262_144
"""Rows × columns × depth up to which OpenBLAS uses one thread: on a busy machine two wait for each other."""


_NOTHING = 7.5  # deviations: what is left of a wave so short is 1e-12


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


def step(values: Floats, left: Floats) -> None:
    """Let functions flow, in place: their values at the nodes, shape (nodes, functions).

    Args:
        values: Before and after.
        left: What the time leaves of each coefficient (`decay`).
    """
    half, kept = len(values) // 2, len(left) // 2
    top, bottom = values[:half], values[: half - 1 : -1]
    forward, backward, _ = cosines(len(values))
    even, odd = top + bottom, top - bottom
    coefficients = np.empty_like(left)
    size = max(1, _LARGEST_PRODUCT // (half * kept))
    chunks = [slice(start, start + size) for start in range(0, values.shape[1], size)]
    for some in chunks:
        np.matmul(forward[0, :kept], even[:, some], out=coefficients[:kept, some])
        np.matmul(forward[1, :kept], odd[:, some], out=coefficients[kept:, some])
    coefficients *= left
    for some in chunks:
        np.matmul(backward[0, :, :kept], coefficients[:kept, some], out=even[:, some])
        np.matmul(backward[1, :, :kept], coefficients[kept:, some], out=odd[:, some])
    np.add(even, odd, out=top)
    np.subtract(even, odd, out=bottom)


def decay(nodes: int, variance: Floats, width: Floats) -> Floats:
    """What `variance` leaves of each coefficient on segments of `width`; shape (coefficients, functions).

    Of the coefficients only as many as keep anything, the even ones before the odd ones.
    """
    spread = variance / np.square(width)
    half = nodes // 2
    kept = (
        half if spread.min() <= 0.0 else min(half, int(_NOTHING / (2.0 * np.pi * np.sqrt(spread.min()))) + 1)
    )
    waves = cosines(nodes).waves
    alive = np.concatenate([waves[:kept], waves[half : half + kept]])
    return np.asarray(np.exp(np.square(alive) * (-0.5 * spread)))
