from __future__ import annotations

import json
from datetime import date
from importlib.resources import files

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from quotewell.analytics import beta
from quotewell.analytics.arrays import Floats
from quotewell.analytics.beta import (
    MINIMUM,
    WINDOW,
    Dates,
    aligned_closes,
    blume,
    of_closes,
    ols,
    simple_returns,
    weekly,
)

DAYS = np.arange("2023-01-02", "2026-01-02", dtype="datetime64[D]")
SESSIONS = DAYS[np.is_busday(DAYS)]
NAN = np.nan


def market(tickers: int, days: int, *, gaps: float = 0.0) -> tuple[Floats, Floats]:
    draw = np.random.default_rng(days + tickers)
    benchmark = draw.normal(4e-4, 0.011, days)
    returns = draw.uniform(-0.5, 2.0, (tickers, 1)) * benchmark + draw.normal(0, 0.02, (tickers, days))
    returns[draw.random(returns.shape) < gaps] = NAN
    benchmark[draw.random(days) < gaps / 5] = NAN
    return returns, benchmark


@pytest.mark.parametrize("gaps", [0.0, 0.1, 0.6])
def test_agrees_with_statsmodels_over_the_common_days(gaps: float) -> None:
    returns, benchmark = market(30, 504, gaps=gaps)
    found = ols(returns, benchmark)
    for row, own in enumerate(returns):
        common = np.isfinite(own) & np.isfinite(benchmark)
        expected = sm.OLS(own[common], sm.add_constant(benchmark[common])).fit()
        assert found.n[row] == expected.nobs
        assert found.beta[row] == pytest.approx(expected.params[1], abs=1e-12)
        assert found.standard_error[row] == pytest.approx(expected.bse[1], abs=1e-12)
        assert found.r_squared[row] == pytest.approx(expected.rsquared, abs=1e-12)


@pytest.mark.parametrize("gaps", [0.0, 0.02, 0.2])
def test_agrees_with_statsmodels_on_the_bundled_closes(gaps: float) -> None:
    closes = json.loads((files("quotewell.demo") / "market.json").read_text(encoding="utf-8"))["closes"]
    benchmark = simple_returns(closes.pop("^GSPC"))
    own = np.array(list(closes.values()))
    own[1:][np.random.default_rng(5).random(own[1:].shape) < gaps] = NAN  # the first stays complete
    returns = simple_returns(own)
    assert returns.shape[0] == 20
    found = ols(returns, benchmark)
    for row, series in enumerate(returns):
        common = np.isfinite(series)
        expected = sm.OLS(series[common], sm.add_constant(benchmark[common])).fit()
        assert found.n[row] == expected.nobs
        assert found.beta[row] == pytest.approx(expected.params[1], abs=1e-12)
        assert found.standard_error[row] == pytest.approx(expected.bse[1], abs=1e-12)
        assert found.r_squared[row] == pytest.approx(expected.rsquared, abs=1e-12)


def test_digits_survive_a_mean_far_from_zero() -> None:
    returns, benchmark = market(3, 300)
    near, far = ols(returns, benchmark), ols(returns + 50.0, benchmark + 1000.0)
    np.testing.assert_allclose(far.beta, near.beta, rtol=1e-9)
    np.testing.assert_allclose(far.standard_error, near.standard_error, rtol=1e-9)


def test_too_few_common_returns_give_no_beta_but_their_number() -> None:
    returns, benchmark = market(2, 200)
    returns[0, MINIMUM:] = NAN
    returns[1, MINIMUM - 1 :] = NAN
    found = ols(returns, benchmark)
    assert list(found.n) == [MINIMUM, MINIMUM - 1]
    np.testing.assert_array_equal(np.isnan(found.beta), [False, True])
    np.testing.assert_array_equal(np.isnan(found.standard_error), [False, True])
    np.testing.assert_array_equal(np.isnan(found.r_squared), [False, True])


def test_the_benchmark_against_itself_is_one_without_error() -> None:
    _, benchmark = market(1, 300)
    found = ols(benchmark, benchmark)
    assert found.beta.shape == ()
    assert found.beta == pytest.approx(1.0, abs=1e-14)
    assert found.standard_error == pytest.approx(0.0, abs=1e-8)
    assert found.r_squared == pytest.approx(1.0, abs=1e-14)


def test_a_price_that_never_moves_has_beta_zero_and_no_r_squared() -> None:
    _, benchmark = market(1, 300)
    found = ols(np.zeros(300), benchmark)
    assert found.beta == 0.0
    assert found.standard_error == 0.0
    assert np.isnan(found.r_squared)


@pytest.mark.parametrize("still", [0.0, 0.001, NAN])
def test_a_benchmark_that_never_moves_gives_no_beta(still: float) -> None:
    returns, _ = market(2, 300)
    assert np.isnan(ols(returns, np.full(300, still)).beta).all()


def test_no_tickers_give_empty_columns() -> None:
    assert [column.shape for column in ols(np.empty((0, 300)), np.zeros(300))] == [(0,)] * 4


def test_tickers_beyond_one_block_are_all_regressed(monkeypatch: pytest.MonkeyPatch) -> None:
    returns, benchmark = market(7, 200, gaps=0.05)
    whole = ols(returns, benchmark)
    monkeypatch.setattr(beta, "_BLOCK", 3)
    for together, by_block in zip(whole, ols(returns, benchmark), strict=True):
        np.testing.assert_allclose(by_block, together, rtol=1e-12)


@pytest.mark.parametrize(("rows", "days"), [((2, 300), 299), ((300,), 299), ((1, 2, 300), 300)])
def test_returns_of_other_days_than_the_benchmark_are_refused(rows: tuple[int, ...], days: int) -> None:
    with pytest.raises(ValueError, match="against a benchmark"):
        ols(np.zeros(rows), np.zeros(days))


@given(st.lists(st.one_of(st.just(NAN), st.floats(0.5, 500)), min_size=2, max_size=30))
def test_a_gap_gives_no_return_for_its_day_nor_the_next(closes: list[float]) -> None:
    returns = simple_returns(closes)
    known = np.isfinite(closes)
    np.testing.assert_array_equal(np.isfinite(returns), known[1:] & known[:-1])
    for day in np.flatnonzero(np.isfinite(returns)):
        assert closes[day] * (1 + returns[day]) == pytest.approx(closes[day + 1])


@pytest.mark.parametrize("impossible", [0.0, -1.0, NAN])
def test_a_close_that_is_no_price_gives_no_return(impossible: float) -> None:
    np.testing.assert_array_equal(simple_returns([[10.0, impossible, 11.0, 22.0]]), [[NAN, NAN, 1.0]])


def test_closes_are_laid_out_on_the_calendar_of_the_benchmark() -> None:
    calendar = ["2025-05-05", "2025-05-06", "2025-05-08"]
    series: list[tuple[Dates, list[float]]] = [
        ([date(2025, 5, 8), date(2025, 5, 5)], [8.0, 5.0]),  # not sorted, one day missing
        (["2025-05-02", "2025-05-06", "2025-05-07", "2025-05-09"], [2.0, 6.0, 7.0, 9.0]),  # other days
        (np.array(["2025-05-06", "2025-05-06"], dtype="datetime64[D]"), [1.0, 2.0]),  # the last counts
        ([], []),
    ]
    expected = [[5.0, NAN, 8.0], [NAN, 6.0, NAN], [NAN, 2.0, NAN], [NAN, NAN, NAN]]
    np.testing.assert_array_equal(aligned_closes(series, calendar), expected)


def test_day_numbers_of_one_epoch_serve_as_dates() -> None:
    days = [date(2025, 5, day).toordinal() for day in (5, 6, 8)]
    found = aligned_closes([(days[1:], [6.0, 8.0])], days)
    np.testing.assert_array_equal(found, [[NAN, 6.0, 8.0]])


@pytest.mark.parametrize("calendar", [["2025-05-06", "2025-05-05"], ["2025-05-06", "2025-05-06"]])
def test_a_calendar_that_does_not_ascend_is_refused(calendar: list[str]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        aligned_closes([], calendar)


def test_a_series_without_a_close_for_each_date_is_refused() -> None:
    with pytest.raises(ValueError, match="series 1: 2 dates but 1 closes"):
        aligned_closes([(["2025-05-05"], [1.0]), (["2025-05-05", "2025-05-06"], [1.0])], ["2025-05-05"])


def prices(returns: Floats) -> Floats:
    return np.concatenate([[100.0], 100.0 * np.cumprod(1.0 + returns)])


def test_beta_of_closes_looks_back_on_the_window_that_ends_at_the_last_date() -> None:
    returns, benchmark = market(1, len(SESSIONS) - 1)
    last = 700
    found = of_closes([(SESSIONS, prices(returns[0]))], (SESSIONS, prices(benchmark)), SESSIONS[last])
    window = slice(last - WINDOW, last)
    expected = ols(returns[0, window], benchmark[window])
    assert list(found.n) == [WINDOW]
    assert found.beta[0] == pytest.approx(expected.beta, rel=1e-9)
    assert found.standard_error[0] == pytest.approx(expected.standard_error, rel=1e-9)


def test_nothing_later_than_the_last_date_changes_a_beta() -> None:
    returns, benchmark = market(1, len(SESSIONS) - 1)
    own, index, last = prices(returns[0]), prices(benchmark), 600
    before = of_closes([(SESSIONS, own)], (SESSIONS, index), SESSIONS[last])
    own[last + 1 :] *= 3.0
    index[last + 1 :] *= 0.5
    assert of_closes([(SESSIONS, own)], (SESSIONS, index), SESSIONS[last]) == before


def test_a_young_ticker_has_the_returns_it_has() -> None:
    returns, benchmark = market(1, len(SESSIONS) - 1)
    own, index = prices(returns[0]), (SESSIONS, prices(benchmark))
    young = [(SESSIONS[-201:], own[-201:]), (SESSIONS[-120:], own[-120:])]
    found = of_closes(young, index, SESSIONS[-1])
    assert list(found.n) == [200, 119]
    np.testing.assert_array_equal(np.isnan(found.beta), [False, True])


def test_a_day_missing_in_either_series_costs_two_returns() -> None:
    returns, benchmark = market(1, len(SESSIONS) - 1)
    own, index = prices(returns[0]), prices(benchmark)
    own[-100] = NAN
    index[-50] = NAN
    found = of_closes([(SESSIONS, own)], (SESSIONS, index), SESSIONS[-1])
    assert list(found.n) == [WINDOW - 4]


def test_a_week_has_the_last_of_its_closes_and_the_date_of_its_friday() -> None:
    days = [
        date(2025, 5, 1),
        date(2025, 5, 2),
        date(2025, 5, 5),
        date(2025, 5, 8),
        date(2025, 5, 10),
        date(2025, 5, 19),
    ]
    found = weekly([day.toordinal() for day in days], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    fridays = [date(2025, 5, 2), date(2025, 5, 9), date(2025, 5, 23)]
    assert found == ([day.toordinal() for day in fridays], [2.0, 5.0, 6.0])
    assert weekly([], []) == ([], [])


def test_weekly_returns_keep_what_an_exchange_hears_a_day_late() -> None:
    """Half of each day's news reaches the foreign close on the next day only."""
    draw = np.random.default_rng(3)
    days = [int(day) for day in (SESSIONS.astype(int) + date(1970, 1, 1).toordinal())]
    market_moves = draw.normal(0, 0.01, len(days))
    foreign_moves = 0.5 * (market_moves + np.concatenate([[0.0], market_moves[:-1]]))
    index, foreign = (100.0 * np.cumprod(1.0 + moves) for moves in (market_moves, foreign_moves))
    daily = ols(simple_returns(foreign), simple_returns(index)).beta
    by_week = [np.array(weekly(days, closes.tolist())[1]) for closes in (foreign, index)]
    slow = ols(simple_returns(by_week[0]), simple_returns(by_week[1]), 52).beta
    assert daily == pytest.approx(0.5, abs=0.08)
    assert slow == pytest.approx(0.9, abs=0.1)


def test_fewer_returns_may_be_enough() -> None:
    returns, benchmark = market(1, 60)
    assert np.isnan(ols(returns, benchmark).beta[0])
    assert ols(returns, benchmark, 52).n.tolist() == [60]
    assert np.isfinite(ols(returns, benchmark, 52).beta[0])


def test_blumes_adjustment_moves_a_beta_a_third_of_the_way_to_one() -> None:
    assert [blume(beta) for beta in (1.0, 0.4, 1.6)] == pytest.approx([1.0, 0.6, 1.4])


@pytest.mark.parametrize("far", [0, 1])
def test_rows_with_and_without_gaps_are_regressed_alike(far: int) -> None:
    """A block that takes complete rows at once, and the others apart, gives each what it gets alone."""
    returns, benchmark = market(40, 400)
    returns[::3, 10:20] = NAN
    returns[1] += 50.0 * far
    benchmark[5] = NAN
    whole = ols(returns, benchmark)
    for row, own in enumerate(returns):
        for together, alone in zip(whole, ols(own, benchmark), strict=True):
            np.testing.assert_allclose(together[row], alone, rtol=1e-12)
    common = np.isfinite(returns[3]) & np.isfinite(benchmark)
    assert whole.n[3] == common.sum() == 389
    assert whole.n[2] == 399
