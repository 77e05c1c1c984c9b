"""Sums of known figures by group, for many columns over one grouping of rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quotewell.analytics.arrays import Bools, Floats, Integers


class Sums(NamedTuple):
    """One column summed by group.

    Attributes:
        net: Sum of the known figures of each group; NaN where none is known.
        complete: Whether all figures of the group are known.
    """

    net: Floats
    complete: Bools


class Grouping(NamedTuple):
    """Rows by group; a column's sums cost little more than reading it where the rows stand in group order.

    Attributes:
        codes: The group of each row, from 0.
        sizes: Rows of each group.
        starts: Where each group that has rows begins, if the rows stand in their order; else None.
    """

    codes: Integers
    sizes: Integers
    starts: Integers | None

    @classmethod
    def of(cls, codes: Integers, groups: int) -> Grouping:
        """Group rows by codes from 0 to `groups` - 1."""
        if (codes[1:] < codes[:-1]).any():
            return cls(codes, np.bincount(codes, minlength=groups), None)
        starts = np.flatnonzero(np.concatenate([[codes.size > 0], codes[1:] != codes[:-1]]))
        sizes = np.zeros(groups, dtype=np.intp)
        sizes[codes[starts]] = np.diff(starts, append=codes.size)
        return cls(codes, sizes, starts)

    def sums(self, figures: Floats) -> Sums:
        """Sum a column, NaN for unknown.

        All figures are taken for known first; only groups in which one was not are summed again without it.
        """
        net = self._added(figures)
        net[self.sizes == 0] = np.nan
        lacking = np.isnan(net) & (self.sizes > 0)
        if lacking.any():
            rows = np.flatnonzero(lacking[self.codes])
            own, codes = figures[rows], self.codes[rows]
            known = ~np.isnan(own)
            again = np.bincount(codes[known], weights=own[known], minlength=net.size)
            counted = np.bincount(codes[known], minlength=net.size)
            net = np.where(lacking, np.where(counted > 0, again, np.nan), net)
            lacking &= counted < self.sizes
        return Sums(net, ~lacking)

    def _added(self, figures: Floats) -> Floats:
        """The sum of each group; 0 where it has no rows."""
        if self.starts is None:
            return np.asarray(np.bincount(self.codes, figures, self.sizes.size), dtype=np.float64)
        net = np.zeros(self.sizes.size)
        if self.starts.size:
            net[self.codes[self.starts]] = np.add.reduceat(figures, self.starts)
        return net
