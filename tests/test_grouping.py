from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.analytics.arrays import Floats
from quotewell.analytics.grouping import Grouping

NAN = math.nan
GROUPS = 6
figure = st.one_of(st.just(NAN), st.floats(-1e6, 1e6))
rows = st.lists(st.tuples(st.integers(0, GROUPS - 1), figure), max_size=40)


def columns(found: list[tuple[int, float]]) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], Floats]:
    codes = np.array([code for code, _ in found], dtype=np.intp)
    return codes, np.array([figure for _, figure in found], dtype=np.float64)


def grouped(found: list[tuple[int, float]]) -> tuple[list[float], list[bool]]:
    """Row by row: the sum of the known figures of each group, and whether it has no others."""
    nets, complete = [], []
    for group in range(GROUPS):
        own = [figure for code, figure in found if code == group]
        known = [figure for figure in own if not math.isnan(figure)]
        nets.append(math.fsum(known) if known else NAN)
        complete.append(len(known) == len(own))
    return nets, complete


@given(rows)
def test_sums_are_those_of_the_known_rows_of_each_group_in_any_order(found: list[tuple[int, float]]) -> None:
    nets, complete = grouped(found)
    for order in (found, sorted(found, key=lambda row: row[0])):
        codes, figures = columns(order)
        grouping = Grouping.of(codes, GROUPS)
        sums = grouping.sums(figures)
        np.testing.assert_allclose(sums.net, nets, rtol=1e-12, atol=1e-6)
        np.testing.assert_array_equal(sums.complete, complete)
        sizes = [sum(code == group for code, _ in found) for group in range(GROUPS)]
        np.testing.assert_array_equal(grouping.sizes, sizes)


def test_rows_in_the_order_of_their_groups_are_known_to_be() -> None:
    ordered, mixed = np.array([0, 0, 2, 5]), np.array([0, 2, 0, 5])
    starts = Grouping.of(ordered, GROUPS).starts
    assert starts is not None
    assert starts.tolist() == [0, 2, 3]
    assert Grouping.of(mixed, GROUPS).starts is None


def test_a_group_of_opposite_figures_is_worth_nothing_and_not_unknown() -> None:
    sums = Grouping.of(np.array([0, 0, 1]), 2).sums(np.array([2.5, -2.5, NAN]))
    assert sums.net[0] == 0.0
    assert math.isnan(sums.net[1])
    assert sums.complete.tolist() == [True, False]


@pytest.mark.parametrize("codes", [[0, 1, 2], [2, 1, 0]])
def test_the_columns_of_one_grouping_do_not_disturb_each_other(codes: list[int]) -> None:
    grouping = Grouping.of(np.array(codes), 3)
    gaps, full = np.array([NAN, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])
    before = grouping.sums(full)
    grouping.sums(gaps)
    np.testing.assert_array_equal(grouping.sums(full).net, before.net)
    assert grouping.sums(full).complete.all()
