"""Columns of values at equally spaced nodes, read between them: each column at places of its own."""

from __future__ import annotations

import numpy as np

from quotewell.analytics.arrays import Floats

_OFFSETS = np.arange(-2, 4)
_TO_POLYNOMIAL = np.linalg.inv(np.vander(_OFFSETS.astype(np.float64), increasing=True))


def interpolated(values: Floats, place: Floats) -> Floats:
    """Cubic interpolation at fractional rows, shape (places, columns)."""
    rows, columns = values.shape
    low = np.clip(place.astype(np.intp), 1, rows - 3)
    x = place - low
    at = low * columns + np.arange(columns)
    flat = values.reshape(-1)
    before, here, ahead, beyond = (flat.take(at + offset * columns) for offset in (-1, 0, 1, 2))
    third = (beyond - before) / 6.0 + 0.5 * (here - ahead)
    second = 0.5 * (before + ahead) - here
    first = ahead - before / 3.0 - 0.5 * here - beyond / 6.0
    return np.asarray(((third * x + second) * x + first) * x + here)


def with_slopes(values: Floats, place: Floats) -> Floats:
    """Each column's value, slope and second derivative by rows, at one place; shape (3, columns).

    From the polynomial through the six nodes around it: derivatives of a sum of cosines would show what
    happens at the far ends.
    """
    low = np.clip(place.astype(np.intp), 2, len(values) - 4)
    x = place - low
    around = np.take_along_axis(values, low + _OFFSETS[:, np.newaxis], axis=0)
    value, slope, bend = np.zeros((3, place.size))
    for coefficient in (_TO_POLYNOMIAL @ around)[::-1]:
        bend = bend * x + 2.0 * slope
        slope = slope * x + value
        value = value * x + coefficient
    return np.stack([value, slope, bend])
