from __future__ import annotations

import math

import numpy as np
import pytest

from quotewell.analytics.pricing.normal import absolute_cdf, cdf, erfcx, pdf

GRID = np.concatenate([np.linspace(-37.5, 9.0, 4001), np.linspace(-1.0, 1.0, 801), [-0.46875 * 2**0.5, 4.0]])


def test_cdf_keeps_its_relative_precision_far_into_the_tail() -> None:
    exact = np.array([0.5 * math.erfc(-x * math.sqrt(0.5)) for x in GRID])
    normal = exact > 1e-300
    # math.erfc sees x·√½ rounded, which near x = -37 alone costs x²·2e-16
    assert np.max(np.abs(cdf(GRID) / exact - 1.0)[normal] / (1.0 + GRID[normal] ** 2)) < 2e-15
    assert np.max(np.abs(cdf(GRID) - exact)) < 3e-16


def test_cdf_of_infinities_and_nan() -> None:
    np.testing.assert_array_equal(cdf(np.array([-np.inf, np.inf, np.nan, 0.0])), [0.0, 1.0, np.nan, 0.5])


@pytest.mark.parametrize("x", [-5.0, -0.6, -0.2, 0.0, 0.3, 0.47, 1.0, 3.99, 4.01, 20.0])
def test_erfcx_is_the_scaled_complement(x: float) -> None:
    assert erfcx(np.array([x]))[0] == pytest.approx(math.exp(x * x) * math.erfc(x), rel=1e-13)


def test_erfcx_has_its_limits_where_erfc_is_zero_or_its_scale_infinite() -> None:
    far, overflowing, unknown = erfcx(np.array([1e6, -30.0, np.nan]))
    assert far == pytest.approx(1e-6 / math.sqrt(math.pi), rel=1e-11)
    assert overflowing == np.inf
    assert np.isnan(unknown)


def test_density_is_the_slope_of_the_distribution() -> None:
    x, h = np.linspace(-4.0, 4.0, 41), 1e-5
    np.testing.assert_allclose((cdf(x + h) - cdf(x - h)) / (2 * h), pdf(x), atol=1e-10)


def test_in_single_precision_the_distribution_is_within_its_rounding() -> None:
    x = np.linspace(-15.0, 15.0, 60_001).astype(np.float32)
    found = absolute_cdf(x)
    assert found.dtype == np.float32
    assert np.abs(found - cdf(x.astype(np.float64))).max() <= 2e-7
    assert np.abs(absolute_cdf(x.astype(np.float64)) - cdf(x.astype(np.float64))).max() <= 3e-16
    assert pdf(x).dtype == np.float32
