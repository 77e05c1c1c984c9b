from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.providers.outliers import without_outliers


@pytest.mark.parametrize(
    ("closes", "kept"),
    [
        ([], []),
        ([100.0], [0]),
        ([100.0, 101.0, 102.0], [0, 1, 2]),
        ([100.0, 101.0, 10_200.0], [0, 1]),
        ([100.0, 1.02, 101.0], [0, 2]),
        ([10_000.0, 101.0, 102.0], [1, 2]),
        ([100.0, 400.0, 410.0], [1, 2]),
        ([100.0, 400.0], [0]),
        ([99.0, 100.0, 400.0, 410.0], [0, 1, 2, 3]),
        ([99.0, 100.0, 400.0], [0, 1]),
        ([0.2, 0.9, 0.1, 4.0], [0, 1, 2, 3]),
    ],
)
def test_a_close_that_leaps_is_kept_if_the_next_one_confirms_it(closes: list[float], kept: list[int]) -> None:
    assert without_outliers(closes) == kept


@given(st.lists(st.floats(50.0, 149.0), min_size=3, max_size=30), st.data())
def test_one_wrong_close_among_good_ones_is_the_one_that_goes(good: list[float], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(good) - 1))
    factor = data.draw(st.sampled_from((100.0, 0.03)))
    closes = [close * factor if place == at else close for place, close in enumerate(good)]
    assert without_outliers(closes) == [place for place in range(len(good)) if place != at]
