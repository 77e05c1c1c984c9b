"""The shortest way to one figure of a symbol: no more than a look at the clock (decision 009)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from quotewell.cache.memory import HotFigure
from quotewell.cache.store import Store
from quotewell.protocols import Clock
from quotewell.records import Facet, Need, Record

__all__ = ["MOST_AT_HAND", "GetValue", "LookFurther", "figure_reader", "records_at_hand"]

MOST_AT_HAND = 1_000
"""Figures are kept at hand of as many quotes as are asked for together, at most."""


class GetValue(Protocol):
    """One figure of a symbol: what `TickerService.get_price` and `get_beta` are.

    Serves a stale value when none younger can be had, with a `StaleDataWarning` once a symbol.
    """

    def __call__(self, symbol: str, timeout: float | None = None, max_age: float | None = None) -> float:
        """Get the figure.

        Args:
            symbol: Any spelling of a ticker.
            timeout: Seconds to wait at most.
            max_age: Accept no value that was fetched longer ago (seconds).

        Raises:
            DataUnavailable: There is no usable value, or none younger than `max_age`.
            SymbolError: `symbol` cannot be a ticker.
        """
        ...


class LookFurther(Protocol):
    """Where to ask for a figure that is not at hand; arguments and errors are those of `GetValue`."""

    def __call__(self, symbol: str, facet: Facet, timeout: float | None, max_age: float | None) -> float:
        """Get the figure."""
        ...


def figure_reader(
    facet: Facet,
    store: Store,
    clock: Clock,
    *,
    refresh: Callable[[Need], bool],
    look_further: LookFurther,
) -> GetValue:
    """A function that reads the figure of one facet.

    A function, not a method: what a hit needs is at hand without looking up attributes.

    Args:
        facet: One of `cache.memory.FIGURES`.
        store: Where figures are at hand.
        clock: The time.
        refresh: Told of a need that was answered in its grace window, once; says whether it will be fetched.
        look_further: Asked for everything else.
    """
    figures, monotonic = store.memory.figures(facet), clock.monotonic

    def otherwise(symbol: str, timeout: float | None, max_age: float | None) -> float:
        figure = figures.get(symbol) if max_age is None else None
        if figure is not None and _answers_on(figure, facet, store.poll_at, monotonic(), refresh):
            figure.hits += 1.0
            return figure.value
        return look_further(symbol, facet, timeout, max_age)

    def get(symbol: str, timeout: float | None = None, max_age: float | None = None) -> float:
        # Every name from outside costs a call some nanoseconds: there are three.
        if max_age is None:
            try:
                figure = figures[symbol]
                if monotonic() < figure.until:
                    figure.hits += 1.0
                    return figure.value
            except KeyError:
                pass  # not in memory, or spelled another way
        return otherwise(symbol, timeout, max_age)

    return get


def _answers_on(
    figure: HotFigure, facet: Facet, poll_at: float, now: float, refresh: Callable[[Need], bool]
) -> bool:
    """Whether a figure answers at the monotonic instant `now`, though something has to be looked at."""
    record = figure.record
    until = record.fresh_until
    if now >= poll_at:
        return False
    if now >= until:
        until += record.grace
        if now >= until:
            return False
        if not figure.asked:
            figure.asked = refresh((record.symbol, facet))
    figure.until = min(poll_at, until)
    return True


def records_at_hand(
    symbols: Sequence[str], figures: Mapping[str, HotFigure], monotonic: float, found: dict[str, Record]
) -> Sequence[str]:
    """Put into `found` the records whose figures answer at `monotonic`; return the other symbols."""
    if not figures:
        return symbols
    absent = []
    for symbol in symbols:
        try:
            figure = figures[symbol]
            if monotonic < figure.until:
                figure.hits += 1.0
                found[symbol] = figure.record
                continue
        except KeyError:
            pass
        absent.append(symbol)
    return absent
