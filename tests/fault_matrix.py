"""The fault matrix: what a provider's fault makes of every number, measured against the market's own truth.

`verdict` and its kin are pure: from what the market said and what the service answers, to one word a need.
`Laboratory` runs a real service over real files against the simulator.
"""

from __future__ import annotations

import datetime as dt
import math
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

from engine_parts import Errand
from quotewell.calendars import close_of
from quotewell.clock import ShiftedClock
from quotewell.prefetch import PrefetchReport
from quotewell.records import Closes, Freshness, Fx, Need, Profile, Quote, Rate, Reading, Record, Risk
from quotewell.risks import compute_risks
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.symbols import minor_unit
from quotewell.testing.simulator import Market, MarketSimulator
from quotewell.wiring import connect

Verdict = Literal["right", "dated", "stale", "suspect", "unverified", "missing", "wrong", "silent"]
"""`dated`: an older number that its own as-of date tells to be one; `silent`: missing without a reason."""

HARMLESS = frozenset(("right", "dated", "stale", "suspect", "unverified", "missing"))

Truth = Callable[[str, float], tuple[float, str | None]]
"""The right price of a symbol and its currency, both in the major unit, at an instant (epoch seconds)."""

BENCHMARK = "^GSPC"
TUESDAY = dt.datetime(2026, 10, 6, 21, 0, tzinfo=dt.UTC).timestamp()
"""17:00 in New York: closed, and the closing price is known."""
HOUR, DAY = 3600.0, 86400.0


# ------------------------------------------------------------------------------------------------ verdicts


def verdict(need: Need, reading: Reading[Record], truth: Truth, now: float) -> Verdict:
    """What has become of a price, an exchange rate or an interest rate.

    Args:
        need: What was asked.
        reading: What the service answers.
        truth: What the market says.
        now: The time of the answer.
    """
    record = reading.record
    value = _value(record)
    if record is None or value is None:
        return "missing" if reading.failure is not None and reading.failure.reason else "silent"
    instant = record.as_of or record.fetched_at or 0.0
    (then, currency), (right, _) = truth(need[0], instant), truth(need[0], now)
    was_right = _same(value, then)
    suspected = reading.failure is not None and reading.failure.kind == "suspect"
    if isinstance(record, Quote) and record.currency != currency:
        return "wrong"
    if isinstance(record, Quote) and record.unverified:
        return "unverified"
    if reading.freshness == Freshness.STALE or reading.failure is not None:
        return ("suspect" if suspected else "stale") if was_right else "wrong"
    if _same(value, right):
        return "right"
    return "dated" if was_right and now - instant > DAY else "wrong"


def verdict_of_bars(stored: Closes | None, true: Mapping[int, float], reading: Reading[Record]) -> Verdict:
    """What has become of the daily closes of a symbol.

    Args:
        stored: What the service holds.
        true: The right closes by day, up to the last one that is final.
        reading: What the service answers about them.
    """
    if stored is None or not reading.usable:
        return "missing" if reading.failure is not None and reading.failure.reason else "silent"
    if any(not _same(close, true.get(day)) for day, close in zip(stored.dates, stored.closes, strict=True)):
        return "wrong"
    if reading.freshness == Freshness.STALE:
        return "stale"
    return "right" if stored.dates[-1] == max(true) else "dated"


def verdict_of_beta(
    reading: Reading[Record],
    true: Mapping[str, Mapping[int, float]],
    stored: Mapping[str, Closes],
    now: float,
) -> Verdict:
    """What has become of a beta: it must be that of the true closes, over the days that it was made from.

    Args:
        reading: What the service answers.
        true: The right closes of the symbol and the benchmark, by symbol and day.
        stored: The closes that the service holds.
        now: The time of the answer.
    """
    record = reading.record
    if not isinstance(record, Risk) or record.beta is None:
        return "missing" if reading.failure is not None and reading.failure.reason else "silent"
    if record.method == "stated":
        return "right"  # what the provider says, marked as such
    days = {symbol: [day for day in series.dates if day in true[symbol]] for symbol, series in stored.items()}
    again = {
        symbol: Closes(
            symbol=symbol, source="", dates=days[symbol], closes=[true[symbol][day] for day in days[symbol]]
        )
        for symbol in days
    }
    risks, _ = compute_risks([record.symbol], BENCHMARK, again, record.window_end or 0.0)
    if record.symbol not in risks or not _same(record.beta, risks[record.symbol].beta):
        return "wrong"
    if reading.freshness == Freshness.STALE or reading.failure is not None:
        return "stale"
    return "right" if (record.window_end or 0.0) > now - DAY else "dated"


def _value(record: Record | None) -> float | None:
    if isinstance(record, Quote):
        return record.last
    return record.rate if isinstance(record, (Fx, Rate)) else None


def _same(value: float | None, other: float | None) -> bool:
    return value is not None and other is not None and math.isclose(value, other, rel_tol=1e-9)


# ---------------------------------------------------------------------------------------------------- book


class Book(NamedTuple):
    """What is asked for: prices of `symbols`, betas of `measured`, and figures that come as prices."""

    symbols: Sequence[str]
    measured: Sequence[str]
    figures: Sequence[Need] = (("EURUSD=X", "fx"), ("^TNX", "rate"))

    @classmethod
    def of(cls, size: int, *, every: int) -> Book:
        """`size` symbols, London's Vodafone among them; betas of each `every`-th."""
        names = [f"S{chr(65 + n // 26)}{chr(65 + n % 26)}" for n in range(size - 1)]
        symbols = ["VOD.L", *names]
        return cls(symbols, symbols[::every])

    @property
    def needs(self) -> list[Need]:
        return [
            *((symbol, "quote") for symbol in self.symbols),
            *self.figures,
            *((symbol, "risk") for symbol in self.measured),
        ]

    @property
    def listed(self) -> list[str]:
        return [*self.symbols, "MSFT", "AAPL"]

    def part(self, position: str) -> list[str] | None:
        """The symbols of one batch of quotes, whose other requests are hit as well; None for all."""
        parts = {"first": self.symbols[:50], "middle": self.symbols[50:100], "last": self.symbols[100:]}
        found = parts.get(position)
        if position == "last":
            return [*self.symbols[100:], BENCHMARK, *(symbol for symbol, _ in self.figures)]
        return None if found is None else list(found)


class Run(NamedTuple):
    """One prefetch: what came of it, and how many requests reached the providers."""

    report: PrefetchReport
    verdicts: Mapping[Need, Verdict]
    requests: int
    reasons: frozenset[str]
    """Kinds of the failures beside the answers."""

    @property
    def counts(self) -> Counter[Verdict]:
        return Counter(self.verdicts.values())

    def of(self, *words: Verdict) -> list[Need]:
        return [need for need, word in self.verdicts.items() if word in words]


# ---------------------------------------------------------------------------------------------- laboratory


class QuickClock(ShiftedClock):
    """Runs like the system's, so that time-outs are real, but is moved ahead instead of sleeping."""

    def sleep(self, seconds: float, /) -> None:
        self.advance(max(seconds, 0.0))


class Laboratory:
    """A simulated market, and services that ask it; a context manager.

    Args:
        folder: For the caches.
        book: What is asked for.
    """

    def __init__(self, folder: Path, book: Book) -> None:
        self.book = book
        self.clock = QuickClock(TUESDAY)
        self.market = Market(book.listed, now=self._now, years=1)
        self._then = TUESDAY
        self._past = Market(book.listed, now=lambda: self._then, years=1)
        self.simulator = MarketSimulator(self.market)
        self._folder = folder
        self._made = 0

    def __enter__(self) -> Self:
        self.simulator.start()
        with self.open(self._folder / "filled") as tickers:
            filled = self.run(tickers)
        assert filled.counts.keys() == {"right"}, filled.counts
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.simulator.close()

    def cache(self, *, filled: bool) -> Path:
        """A folder of its own: empty, or with the right numbers of Tuesday. It is now a day later."""
        self._made += 1
        folder = self._folder / str(self._made)
        if filled:
            shutil.copytree(self._folder / "filled", folder)
        self.simulator.clear_faults()
        self.simulator.expire_crumb()
        self.clock = QuickClock(TUESDAY + DAY)
        return folder

    def open(self, folder: Path, **settings: Any) -> TickerService:
        """A service over the files in `folder`; `settings` are fields of `Settings`."""
        fields: dict[str, Any] = {
            "cache_dir": folder,
            "providers": ("yahoo",),
            "yahoo_base_url": self.simulator.yahoo_url,
            "fmp_base_url": self.simulator.fmp_url,
            "yahoo_rate": 1e6,
            "yahoo_burst": 1_000_000,
            "yahoo_concurrency": 1,
            "fmp_rate": 1e6,
            "calendars": "plain",
            # A beta that may be a day old would hide what becomes of the closes.
            "lifetimes": {"risk": {"fresh": HOUR, "grace": 0.0}},
        }
        return connect(Settings(**fields | settings), clock=self.clock)

    def run(self, tickers: TickerService) -> Run:
        """Prefetch the book and compare all there is with the market."""
        self.simulator.clear_log()
        needs = self.book.needs
        report = Errand(lambda: tickers.prefetch(needs)).result()
        assert isinstance(report, PrefetchReport)
        requests = len(self.simulator.data_requests)
        histories: list[Need] = [(symbol, "history") for symbol in (*self.book.measured, BENCHMARK)]
        readings = tickers.peek([*needs, *histories])
        stored = tickers.stored_closes([symbol for symbol, _ in histories])
        true = {symbol: self._bars(symbol) for symbol, _ in histories}
        now = self.clock.now()
        verdicts: dict[Need, Verdict] = {}
        for need, reading in readings.items():
            if need[1] == "history":
                verdicts[need] = verdict_of_bars(stored.get(need[0]), true[need[0]], reading)
            elif need[1] == "risk":
                verdicts[need] = verdict_of_beta(reading, true, stored, now)
            else:
                verdicts[need] = verdict(need, reading, self._truth, now)
            # The report has an outcome for everything that was asked, and a reason for every gap.
            outcome = report.outcomes.get(need)
            if (
                need[1] != "history"
                and verdicts[need] != "wrong"
                and (
                    outcome is None
                    or (not outcome.reason and outcome.status not in ("fresh", "fetched"))
                    or (outcome.status in ("fresh", "fetched")) != (verdicts[need] in _HAD)
                )
            ):
                verdicts[need] = "silent"
        verdicts |= self._wrong_profiles(tickers)
        reasons = {reading.failure.kind for reading in readings.values() if reading.failure is not None}
        return Run(report, verdicts, requests, frozenset(reasons))

    def _wrong_profiles(self, tickers: TickerService) -> dict[Need, Verdict]:
        """Profiles that came along and would settle prices in a wrong currency."""
        readings = tickers.peek([(symbol, "profile") for symbol in self.book.symbols])
        return {
            need: "wrong"
            for need, reading in readings.items()
            if isinstance(reading.record, Profile)
            and reading.record.currency not in (None, self._truth(need[0], self.clock.now())[1])
        }

    def _now(self) -> float:
        return self.clock.now()

    def _truth(self, symbol: str, instant: float) -> tuple[float, str | None]:
        self._then = instant
        listing = self._past.listing(symbol)
        assert listing is not None
        assert listing.price is not None
        if symbol == "^TNX":
            return 2.0 * math.log1p(listing.price / 200.0), None
        currency, share = minor_unit(listing.currency or "")
        return listing.price * share, currency

    def _bars(self, symbol: str) -> dict[int, float]:
        """The closes that are final by now."""
        listing = self.market.listing(symbol, bars=True)
        assert listing is not None
        share = minor_unit(listing.currency or "")[1]
        final = close_of(dt.date.fromordinal(listing.dates[-1])) <= self.clock.now()
        last = listing.dates[-1] if final else listing.dates[-2]
        return {
            day: close * share
            for day, close in zip(listing.dates, listing.closes, strict=True)
            if close is not None and day <= last
        }


_HAD = frozenset(("right", "dated", "unverified"))
