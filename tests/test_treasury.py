from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.providers.treasury import TREASURY_YEARS, treasury_rate


def test_a_bill_bought_at_its_discount_grows_to_its_face_value() -> None:
    discount = 0.0521
    price = 1.0 - discount * 91 / 360
    rate = treasury_rate("^IRX", 5.21)
    assert rate is not None
    assert price * math.exp(rate * 91 / 365) == pytest.approx(1.0, rel=1e-15)


@given(st.sampled_from(["^FVX", "^TNX", "^TYX"]), st.floats(-1.0, 25.0))
def test_a_par_yield_compounded_twice_a_year_is_the_rate(symbol: str, percent: float) -> None:
    rate = treasury_rate(symbol, percent)
    assert rate is not None
    assert math.exp(rate) == pytest.approx((1 + percent / 200) ** 2)


@given(st.sampled_from(sorted(TREASURY_YEARS)), st.floats())
def test_the_rate_is_finite_or_none(symbol: str, percent: float) -> None:
    rate = treasury_rate(symbol, percent)
    assert rate is None or math.isfinite(rate)


def test_another_index_is_no_rate() -> None:
    assert treasury_rate("^GSPC", 4.0) is None
