"""`FakeProvider`: a provider that answers what a test tells it, holds answers back, and logs its calls."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterable, Mapping

from quotewell.calendars import close_of
from quotewell.endpoints import Call, Endpoint, Fetched, Lane, Limit
from quotewell.errors import ProviderError
from quotewell.protocols import Clock
from quotewell.records import (
    Closes,
    Dividend,
    DividendEvent,
    FailureKind,
    History,
    Need,
    Payouts,
    Profile,
    Quote,
    Record,
)

__all__ = ["FakeProvider"]

_HOLD_SECONDS = 30.0


class FakeProvider:
    """Answers from dictionaries; thread-safe.

    Args:
        clock: For `fetched_at`.
        prices: Price by symbol, in USD; a symbol without one is unknown.
        closes: Daily closes by symbol, oldest first, ending on the last weekday before `clock.now()`.
        name: The provider's name.
    """

    def __init__(
        self,
        clock: Clock,
        prices: Mapping[str, float] | None = None,
        closes: Mapping[str, list[float]] | None = None,
        *,
        name: str = "fake",
    ) -> None:
        self.name = name
        self.endpoints = (
            Endpoint(name, "quote", frozenset(("quote", "profile", "dividend")), 50),
            Endpoint(name, "history", frozenset(("history", "payouts")), 20),
        )
        self.prices = dict(prices or {})
        self.histories = dict(closes or {})
        self.payouts: dict[str, tuple[DividendEvent, ...]] = {}
        """Dividends by symbol; of any other that has a price there are none."""
        self.stated_betas: dict[str, float] = {}
        """Betas that the provider states in its profiles."""
        self.omitted: set[str] = set()
        """Symbols that are silently left out of answers."""
        self.failure: FailureKind | None = None
        """The whole call fails with this kind."""
        self.calls: list[Call] = []
        self.requests = 0
        self.handshake = 0
        self.limit: Limit | None = None
        self.waited = 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._gate = threading.Event()
        self._gate.set()
        self._asked = threading.Semaphore(0)

    def hold(self) -> None:
        """Let calls come in, and hold every answer back until `release`."""
        self._gate.clear()

    def release(self) -> None:
        """Let held and future calls answer."""
        self._gate.set()

    def await_calls(self, n: int) -> None:
        """Block until `n` more calls have come in."""
        for _ in range(n):
            if not self._asked.acquire(timeout=_HOLD_SECONDS):
                raise AssertionError(f"{self.name}: waited in vain for a call")

    @property
    def asked_symbols(self) -> list[str]:
        """Every symbol of every call, in order."""
        return [symbol for call in self.calls for symbol in call.symbols]

    def fetch(self, call: Call, *, lane: Lane, deadline: float) -> Fetched:
        """Answer from the dictionaries as they are when the call comes in."""
        del lane, deadline
        with self._lock:
            self.calls.append(call)
            self.requests += 1
        failure = self.failure
        fetched = Fetched()
        for symbol in call.symbols:
            fetched.found.update(self._answer(symbol, call.endpoint.name, fetched.closes))
        for need in call.needs - fetched.found.keys():
            (fetched.omitted if need[0] in self.omitted else fetched.unknown).add(need)
        self._asked.release()
        if not self._gate.wait(_HOLD_SECONDS):
            raise AssertionError(f"{self.name}: an answer was never released")
        if failure is not None:
            raise ProviderError(self.name, failure, f"told to fail: {failure}")
        return fetched

    def close(self) -> None:
        """Nothing to release."""

    def _answer(self, symbol: str, endpoint: str, closes: dict[str, Closes]) -> Iterable[tuple[Need, Record]]:
        now = self._clock.now()
        if symbol in self.omitted:
            return
        if endpoint == "quote" and symbol in self.prices:
            price = self.prices[symbol]
            quote = Quote(
                symbol=symbol, source=self.name, as_of=now, fetched_at=now, last=price,
                previous_close=price, currency="USD", type="stock",
            )  # fmt: skip
            profile = Profile(
                symbol=symbol, source=self.name, fetched_at=now, name=f"{symbol} Inc.", type="stock",
                currency="USD", stated_beta=self.stated_betas.get(symbol),
            )  # fmt: skip
            dividend = Dividend(symbol=symbol, source=self.name, fetched_at=now, dividend_yield=0.01)
            yield (symbol, "quote"), quote
            yield (symbol, "profile"), profile
            yield (symbol, "dividend"), dividend
        if endpoint == "history" and symbol in self.prices:
            events = self.payouts.get(symbol, ())
            yield (symbol, "payouts"), Payouts(symbol=symbol, source=self.name, fetched_at=now, events=events)
        if endpoint == "history" and symbol in self.histories:
            closes[symbol] = series = self._series(symbol, now)
            yield (
                (symbol, "history"),
                History(
                    symbol=symbol, source=self.name, as_of=close_of(dt.date.fromordinal(series.dates[-1])),
                    fetched_at=now, first_date=series.dates[0], last_date=series.dates[-1],
                    bars=len(series.dates), currency="USD",
                ),
            )  # fmt: skip

    def _series(self, symbol: str, now: float) -> Closes:
        values = self.histories[symbol]
        day = dt.datetime.fromtimestamp(now, dt.UTC).date()
        days: list[int] = []
        while len(days) < len(values):
            day -= dt.timedelta(days=1)
            if day.weekday() < 5:
                days.append(day.toordinal())
        return Closes(symbol=symbol, source=self.name, dates=days[::-1], closes=list(values))
