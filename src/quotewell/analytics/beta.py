"""Beta by ordinary least squares of simple returns against one benchmark, for many tickers in one pass.

A return spans two consecutive dates of the benchmark's calendar, both with a close: a gap gives no return
for its day nor for the next. Returns are price returns in the ticker's own currency.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from quotewell.analytics.arrays import Bools, Floats, Integers

Dates: TypeAlias = Sequence[date] | Sequence[str] | Sequence[int] | npt.NDArray[np.datetime64]
"""Calendar days: dates, ISO text, `datetime64`, or day numbers that all count from the same day."""

Number = TypeVar("Number", float, Floats)

WINDOW = 504
"""Returns of the benchmark that a beta looks back on: two years of sessions."""

MINIMUM = 126
"""Returns that ticker and benchmark must have in common: half a year of sessions."""

WEEKLY_WINDOW = 156
"""Weekly returns that a beta looks back on where days do not match: three years."""

WEEKLY_MINIMUM = 26
"""Weekly returns that ticker and benchmark must have in common: half a year, as of days."""

_NO_MOVE = 1e-15  # a benchmark that moves less than rounding has not moved
_BLOCK = 128  # tickers at a time: five years of their returns stay in the processor's cache
_LOSS = 100.0  # a mean square this much above the variance costs it two digits


class Beta(NamedTuple):
    """One regression a ticker; all NaN but `n` where there are too few common returns.

    Attributes:
        beta: Slope of the ticker's returns on the benchmark's.
        standard_error: Of that slope, assuming independent errors of one variance.
        r_squared: Share of the variance of the ticker's returns that the benchmark's explain; NaN where the
            ticker's price never moved.
        n: Returns in common.
    """

    beta: Floats
    standard_error: Floats
    r_squared: Floats
    n: Integers


def aligned_closes(series: Sequence[tuple[Dates, npt.ArrayLike]], dates: Dates) -> Floats:
    """Lay closes of different calendars out on one.

    Args:
        series: For each ticker its dates and its closes; in any order, the last of equal dates counts.
        dates: The calendar to align on, strictly ascending: the benchmark's dates.

    Returns:
        Closes, shape (tickers, dates); NaN where a ticker has none on that date.

    Raises:
        ValueError: The calendar does not ascend, or a ticker has not one close for each date.
    """
    calendar = np.asarray(dates, dtype="datetime64[D]")
    if calendar.ndim != 1 or np.any(calendar[1:] <= calendar[:-1]):
        raise ValueError("the dates to align on must be one strictly ascending column")
    out = np.full((len(series), calendar.size), np.nan)
    for row, (own_dates, own_closes) in enumerate(series):
        days, closes = np.asarray(own_dates, dtype="datetime64[D]"), np.asarray(own_closes, dtype=np.float64)
        if days.shape != closes.shape or days.ndim != 1:
            raise ValueError(f"series {row}: {days.size} dates but {closes.size} closes")
        place = np.searchsorted(calendar, days)
        known = place < calendar.size
        known[known] = calendar[place[known]] == days[known]
        out[row, place[known]] = closes[known]
    return out


def simple_returns(closes: npt.ArrayLike) -> Floats:
    """Simple returns along the last axis, one fewer than closes.

    NaN where either close is missing or not a positive number.
    """
    prices = np.asarray(closes, dtype=np.float64)
    prices = np.where(prices > 0.0, prices, np.nan)
    returns: Floats = prices[..., 1:] / prices[..., :-1] - 1.0
    return returns


def weekly(days: Sequence[int], closes: Sequence[float]) -> tuple[list[int], list[float]]:
    """The last close of each calendar week that has one, dated by the week's Friday.

    What two exchanges that close hours apart hear between their closes falls on different days there, but
    mostly on the same week, so that weekly returns keep what daily ones lose of a beta.

    Args:
        days: Ordinal days, ascending.
        closes: One for each.
    """
    weeks = (np.asarray(days, dtype=np.int64) - 1) // 7  # day 1 was a Monday
    last = np.flatnonzero(np.diff(weeks, append=np.iinfo(np.int64).max) > 0)
    return (weeks[last] * 7 + 5).tolist(), [closes[place] for place in last.tolist()]


def blume(beta: Number) -> Number:
    """Two thirds of a measured beta and a third of the market's 1, which betas tend to (Blume 1975)."""
    return (2.0 * beta + 1.0) / 3.0


def ols(returns: npt.ArrayLike, benchmark_returns: npt.ArrayLike, minimum: int = MINIMUM) -> Beta:
    """Regress each ticker's returns on the benchmark's, over the days that both have.

    beta = Sxy / Sxx, R² = 1 - SSE / Syy, standard error = √(SSE / (n - 2) / Sxx), with centred sums of
    squares S and SSE = Syy - beta·Sxy; e.g. Greene, "Econometric Analysis" (2018), chapters 3 and 4. The
    caller passes the window: the last `WINDOW` returns up to the valuation instant.

    Args:
        returns: Shape (tickers, days) or (days,); NaN for no return.
        benchmark_returns: Shape (days,); NaN for no return.
        minimum: Returns in common without which there is no beta.

    Returns:
        Arrays of shape (tickers,), or 0-dimensional for one row of returns.

    Raises:
        ValueError: The two do not cover the same days.
    """
    y = np.asarray(returns, dtype=np.float64)
    x = np.asarray(benchmark_returns, dtype=np.float64)
    if x.ndim != 1 or y.ndim not in {1, 2} or y.shape[-1] != x.size:
        raise ValueError(f"returns of shape {y.shape} against a benchmark of shape {x.shape}")
    rows = np.atleast_2d(y)
    days = np.isfinite(x)
    x = x[days]
    figures, n = np.empty((3, len(rows))), np.empty(len(rows))
    room = _Room.of(min(_BLOCK, len(rows)), x.size)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        own = rows[block] if x.size == days.size else rows[block, days]
        figures[:, block], n[block] = _ols_block(own, x, room, minimum)
    beta, standard_error, r_squared = (figure.reshape(y.shape[:-1]) for figure in figures)
    return Beta(beta, standard_error, r_squared, n.astype(np.intp).reshape(y.shape[:-1]))


def of_closes(
    series: Sequence[tuple[Dates, npt.ArrayLike]],
    benchmark: tuple[Dates, npt.ArrayLike],
    last_date: date | str | int | np.datetime64,
) -> Beta:
    """Beta of each ticker over the `WINDOW` returns of the benchmark that end at `last_date`.

    Args:
        series: Dates and closes of each ticker, as for `aligned_closes`.
        benchmark: Dates, strictly ascending, and closes of the benchmark: its dates are the calendar.
        last_date: Last session that may count, the valuation instant's.

    Returns:
        Arrays of shape (tickers,).

    Raises:
        ValueError: As `aligned_closes`.
    """
    calendar = np.asarray(benchmark[0], dtype="datetime64[D]")
    end = int(np.searchsorted(calendar, np.asarray(last_date, dtype="datetime64[D]"), side="right"))
    dates = calendar[max(0, end - WINDOW - 1) : end]
    closes = aligned_closes([benchmark, *series], dates)
    returns = simple_returns(closes)
    return ols(returns[1:], returns[0])


class _Room(NamedTuple):
    """Arrays that all blocks use in turn: taking them anew costs more than what is reckoned in them."""

    returns: Floats
    present: Bools
    mask: Floats

    @classmethod
    def of(cls, tickers: int, days: int) -> _Room:
        shape = (tickers, days)
        return cls(np.empty(shape), np.empty(shape, dtype=bool), np.empty(shape))


def _ols_block(returns: Floats, benchmark: Floats, room: _Room, minimum: int) -> tuple[Floats, Floats]:
    """Rows beta, standard error and R²; and how many returns each ticker has.

    All rows are taken for complete first: one product gives their sums, and NaN where there is a gap. Only
    those are taken apart, and those whose mean is so large that it would swallow digits of the variance.
    """
    days = benchmark.size
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x = benchmark - benchmark.sum() / days
        squares = np.einsum("td,td->t", returns, returns)
        total = returns @ np.ones(days)
        sums = np.empty((4, len(returns)))
        sums[0] = days
        sums[1] = x @ x - x.sum() ** 2 / days
        sums[2] = returns @ x - x.sum() * total / days
        sums[3] = squares - total * total / days
        again = np.flatnonzero(~(squares <= _LOSS * sums[3]) & (squares != 0.0))
        if again.size:
            sums[:, again] = _masked_sums(returns, again, x, room)
        n, s_xx, s_xy, s_yy = sums
        beta = s_xy / s_xx
        error = np.maximum(s_yy - beta * s_xy, 0.0)
        r_squared = np.where(s_yy > 0.0, 1.0 - error / s_yy, np.nan)
        figures = np.stack([beta, np.sqrt(error / (n - 2.0) / s_xx), r_squared])
    moved = s_xx > n * _NO_MOVE**2
    return np.where((n >= minimum) & moved, figures, np.nan), n


def _masked_sums(returns: Floats, rows: Integers, x: Floats, room: _Room) -> Floats:
    """Rows n, Sxx, Sxy and Syy of some tickers over the days that each has."""
    own, present, mask = (array[: rows.size] for array in room)
    np.take(returns, rows, axis=0, out=own, mode="clip")  # no row is out of range; "raise" would buffer
    np.copyto(mask, np.isfinite(own, out=present))
    np.copyto(own, 0.0, where=np.logical_not(present, out=present))
    one = np.ones(x.size)
    n = mask @ one
    # Sums are taken off the means, so that centring them loses no digits.
    own -= (own @ one / n)[:, np.newaxis]
    own *= mask
    s_xx = mask @ np.square(x) - np.square(mask @ x) / n
    return np.stack([n, s_xx, own @ x, np.einsum("td,td->t", own, own)])
