"""Betas of many tickers and sums by underlying, against a pass over their arrays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.measure import Row, cpu_seconds, quotients, times
from quotewell.analytics.arrays import Floats
from quotewell.analytics.beta import ols
from quotewell.analytics.grouping import Grouping

__all__ = ["columns"]

_ROUNDS = 21
_SHORT_ROUNDS = 41  # of work that takes milliseconds
_TICKERS, _DAYS = 10_000, 1_260
_YOUNG = 0.4
"""Of the tickers with gaps: how many of them were listed within the window; the others lack single days."""
_ROWS, _COLUMNS, _UNDERLYINGS = 1_000_000, 6, 10_000


def columns(folder: Path) -> Iterator[Row]:
    """The rows about analytics over columns."""
    del folder
    for share, words in ((0.2, "a fifth of the tickers with gaps"), (1.0, "every ticker with gaps")):
        yield _betas(share, words)
    draw = np.random.default_rng(20250508)
    underlyings = np.sort(draw.integers(0, _UNDERLYINGS, _ROWS))
    figures = [draw.normal(0.0, 1e4, _ROWS) for _ in range(_COLUMNS)]
    yield _sums("rows in the order of their underlyings", underlyings, figures)
    yield _sums("rows in any order", draw.permutation(underlyings), figures)


def _betas(share: float, words: str) -> Row:
    draw = np.random.default_rng(1260)
    benchmark = draw.normal(4e-4, 0.011, _DAYS)
    returns = draw.uniform(-0.5, 2.0, (_TICKERS, 1)) * benchmark + draw.normal(0.0, 0.02, (_TICKERS, _DAYS))
    for row in np.flatnonzero(draw.random(_TICKERS) < share):
        if draw.random() < _YOUNG:
            returns[row, : draw.integers(1, 1_000)] = np.nan
        else:
            returns[row, draw.integers(0, _DAYS, draw.integers(1, 30))] = np.nan
    ours, reading = times(_ROUNDS, lambda: ols(returns, benchmark), lambda: np.sum(returns))
    return Row(
        measure=f"betas of {_TICKERS:,} tickers over {_DAYS:,} days, {words}",
        against="`np.sum` over the returns",
        values=quotients(ours, reading),
        at_most=12.0,
        note=f"{min(ours) * 1e3:.0f} ms against {min(reading) * 1e3:.1f} ms at best",
    )


def _sums(words: str, underlyings: np.ndarray[tuple[int], np.dtype[np.intp]], figures: list[Floats]) -> Row:
    def grouped() -> None:
        grouping = Grouping.of(underlyings, _UNDERLYINGS)
        for column in figures:
            grouping.sums(column)

    def read() -> None:
        for column in figures:
            column.sum()

    ours, reading = times(_SHORT_ROUNDS, grouped, read, clock=cpu_seconds)
    return Row(
        measure=f"{_COLUMNS} columns of {_ROWS:,} rows summed by {_UNDERLYINGS:,} underlyings, {words}",
        against="one pass over the columns",
        values=quotients(ours, reading),
        at_most=5.0 if words.startswith("rows in the order") else None,
        note=f"{min(ours) * 1e3:.1f} ms against {min(reading) * 1e3:.1f} ms at best",
    )
