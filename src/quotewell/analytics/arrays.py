"""The array types of this package and the flattening that every elementwise function starts with."""

from __future__ import annotations

from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Singles: TypeAlias = npt.NDArray[np.float32]
Bools: TypeAlias = npt.NDArray[np.bool_]
Integers: TypeAlias = npt.NDArray[np.intp]
Objects: TypeAlias = npt.NDArray[np.object_]
Real = TypeVar("Real", Floats, Singles)
"""One of two precisions."""


def flatten(*values: npt.ArrayLike) -> tuple[list[Floats], tuple[int, ...]]:
    """Broadcast numbers against each other and lay them out as one-dimensional float columns.

    Args:
        values: Scalars or arrays of any shapes that broadcast together; booleans become 0.0 and 1.0.

    Returns:
        The columns, in the order given, and the common shape to give results back in.
    """
    arrays = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in values))
    return [np.ascontiguousarray(array).reshape(-1) for array in arrays], arrays[0].shape


def distinct(*columns: npt.NDArray[np.generic]) -> tuple[Integers, Integers]:
    """Rows that are equal in all of some one-dimensional columns; NaN equals NaN.

    Returns:
        The first row of each kind, the kinds in ascending order (by the last column, then the one before);
        and which kind each row is of. `np.unique` would import `numpy.ma`, which is slow.
    """
    order = np.lexsort(columns)
    new = np.zeros(order.size, dtype=np.bool_)
    new[:1] = True
    for column in columns:
        own = column[order]
        new[1:] |= (own[1:] != own[:-1]) & ~((own[1:] != own[1:]) & (own[:-1] != own[:-1]))
    kind = np.empty(order.size, dtype=np.intp)
    kind[order] = np.cumsum(new) - 1
    return order[new], kind
