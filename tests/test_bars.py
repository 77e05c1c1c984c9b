from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.views.render.bars import Axis, axis_for

AMOUNTS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


@given(st.lists(AMOUNTS, max_size=12), st.integers(min_value=3, max_value=60))
def test_every_bar_fits_its_side_and_grows_from_zero(values: list[float | None], width: int) -> None:
    axis = axis_for(values, width)
    assert axis.left + 1 + axis.right == width
    assert len(axis.heading()) == width
    for value in values:
        left, right = axis.bar(value)
        assert (len(left), len(right)) == (axis.left, axis.right)
        drawn = (left.strip(), right.strip())
        assert drawn == ("", "") if not value else bool(drawn[0]) == (value < 0) != bool(drawn[1])
        assert left.rstrip() == left or value is None or value >= 0
        assert right.lstrip() == right or value is None or value <= 0


@given(st.lists(st.floats(1.0, 1e9), min_size=2, max_size=8))
def test_longer_amounts_have_longer_bars(values: list[float]) -> None:
    axis = axis_for(values, 40)
    lengths = [len(axis.bar(value)[1].rstrip()) for value in sorted(values)]
    assert lengths == sorted(lengths)
    assert lengths[-1] == axis.right


@pytest.mark.parametrize(
    ("values", "axis"),
    [
        ([], Axis(0, 10, 1.0)),
        ([None, 0.0], Axis(0, 10, 1.0)),
        ([100.0], Axis(0, 10, 10.0)),
        ([-100.0], Axis(10, 0, 10.0)),
        ([-50.0, 50.0], Axis(5, 5, 10.0)),
        ([-1.0, 1000.0], Axis(1, 9, 1000 / 9)),
    ],
)
def test_zero_stands_where_both_sides_use_their_room(values: list[float | None], axis: Axis) -> None:
    assert axis_for(values, 11) == axis


def test_half_characters() -> None:
    axis = Axis(4, 4, 10.0)
    assert axis.bar(25.0) == ("    ", "██▌ ")
    assert axis.bar(-25.0) == (" ▐██", "    ")
    assert axis.bar(0.001) == ("    ", "▌   ")
    assert axis.bar(None) == ("    ", "    ")
    assert axis.heading() == "−   0   +"
