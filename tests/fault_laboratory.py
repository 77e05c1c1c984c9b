"""Where faults are tried out: real services over real files that ask a simulated market."""

from __future__ import annotations

import datetime as dt
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from engine_parts import Errand
from fault_matrix import (
    BENCHMARK,
    DAY,
    HOUR,
    Verdict,
    is_believed,
    verdict,
    verdict_of_bars,
    verdict_of_beta,
)
from quotewell.calendars import close_of
from quotewell.clock import ShiftedClock
from quotewell.outcomes import PrefetchReport
from quotewell.records import Failure, Need, Profile
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.symbols import minor_unit
from quotewell.testing.simulator import Market, MarketSimulator
from quotewell.testing.simulator.faults import REPLY_FAULTS, ROW_FAULTS
from quotewell.wiring import connect

FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{kind: (kind, {}) for kind in (*REPLY_FAULTS, *ROW_FAULTS)},
    "429 with Retry-After": ("429", {"retry_after": 60}),
    "503 with Retry-After": ("503", {"retry_after": 60}),
}
"""What the matrix tries out: the simulator's kinds with their options."""

POSITIONS = ("all", "first", "middle", "last", "random")
"""Which requests are hit: all, those about the first, middle or last batch's symbols, or a fifth of all."""

_IMPATIENT = {"request_timeout": 0.4, "connect_timeout": 0.2}

TUESDAY = dt.datetime(2026, 10, 6, 21, 0, tzinfo=dt.UTC).timestamp()
"""17:00 in New York: closed, and the closing price is known."""


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

    def part(self, position: str) -> Sequence[str] | None:
        """The symbols of one batch of quotes; what else is asked for them is hit as well. None for all."""
        if position == "first":
            return self.symbols[:50]
        if position == "middle":
            return self.symbols[50:100]
        others = [BENCHMARK, *(symbol for symbol, _ in self.figures)]
        return [*self.symbols[100:], *others] if position == "last" else None


class Cell(NamedTuple):
    """One fault at one place: a key of `FAULTS`, a key of `POSITIONS`, and whether there are older values."""

    fault: str
    position: str
    filled: bool


class Run(NamedTuple):
    """One prefetch, and what came of it."""

    report: PrefetchReport
    verdicts: Mapping[Need, Verdict]
    failures: Mapping[Need, Failure]

    def of(self, *words: Verdict) -> list[Need]:
        return [need for need, word in self.verdicts.items() if word in words]


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
        assert set(filled.verdicts.values()) == {"right"}
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
        needs = self.book.needs
        report = Errand(lambda: tickers.prefetch(needs)).result()
        assert isinstance(report, PrefetchReport)
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
                pair = (need[0], BENCHMARK)
                known = {symbol: stored[symbol] for symbol in pair if symbol in stored}
                verdicts[need] = verdict_of_beta(reading, true, known)
            else:
                verdicts[need] = verdict(need, reading, self._truth, now)
            # The report has an outcome for everything that was asked, and a reason for every gap.
            outcome = report.outcomes.get(need)
            unverified = verdicts[need] == "unverified"  # kept or just fetched, it is marked
            if (
                need[1] != "history"
                and verdicts[need] != "wrong"
                and (
                    outcome is None
                    or (not outcome.reason and outcome.status not in ("fresh", "fetched"))
                    or (not unverified and (outcome.status in _HAD) != (verdicts[need] in ("right", "dated")))
                )
            ):
                verdicts[need] = "silent"
        verdicts |= self._wrong_profiles(tickers)
        failures = {need: reading.failure for need, reading in readings.items() if reading.failure}
        return Run(report, verdicts, failures)

    def try_out(self, cell: Cell) -> list[Run]:
        """The runs under a fault, two hours after it has ended, and on the days after that."""
        kind, options = FAULTS[cell.fault]
        settings = _IMPATIENT if kind in ("hang", "drip") else {}
        with self.open(self.cache(filled=cell.filled), **settings) as tickers:
            self.simulator.fault(
                kind,
                symbols=self.book.part(cell.position),
                share=0.2 if cell.position == "random" else 1.0,
                **options,
            )
            runs = [self.run(tickers)]
            self.simulator.clear_faults()
            for seconds in (2 * HOUR, DAY, DAY)[: 3 if is_believed(cell.fault, filled=cell.filled) else 2]:
                self.clock.advance(seconds)
                runs.append(self.run(tickers))
        return runs

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


_HAD = frozenset(("fresh", "fetched"))
