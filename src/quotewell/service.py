"""`TickerService`: price, beta and the rest of a ticker, from one place.

A thin user of the read-through engine: it turns symbols into needs, asks, and turns readings into the
answers that callers expect. `get_*` raise where there is no value; the readers (`quotes`, `risks`, …) return
the reason as data.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable
from types import TracebackType
from typing import Any, Self, cast

import msgspec

from quotewell.cache.memory import FIGURES
from quotewell.cache.passing import Passing
from quotewell.cache.readthrough import ReadThrough
from quotewell.cache.reporting import StatsReporter
from quotewell.cache.stats import CacheStats, Counters, DayStats
from quotewell.endpoints import Lane, Pause
from quotewell.errors import CacheDegradedWarning, CacheError, DataUnavailable, StaleDataWarning
from quotewell.figures import MOST_AT_HAND, GetValue, figure_reader, records_at_hand
from quotewell.outcomes import NOT_ASKED, PrefetchReport, Progress, outcome_of, progress_of
from quotewell.prefetch import TICKER_FACETS, PrefetchPlan, needs_of
from quotewell.protocols import Clock, Coordinator
from quotewell.providers.chain import Chain
from quotewell.readers import Readers
from quotewell.records import FACETS, Facet, Freshness, Need, Quote, Reading, Record, TickerData
from quotewell.settings import Settings
from quotewell.symbols import normalise

__all__ = ["TickerService"]


class TickerService(Readers):
    """The single source of truth for ticker data; made by `quotewell.open()`.

    Thread-safe. A context manager: closing writes out and releases files. Pickled, it carries its settings
    without secrets, and is opened anew on arrival.

    Args:
        engine: The read-through engine over both cache levels.
        chain: The providers.
        coordinator: Leases, budgets, usage counts and daily statistics.
        clock: The time.
        counters: Event counts of the engine.
        settings: Timeouts, benchmark, and whether providers may be asked.
        reopen: Makes an equal service of `settings` without their secrets, where a pickled one arrives;
            None when `settings` alone do not tell how this one was made.
    """

    def __init__(
        self,
        *,
        engine: ReadThrough,
        chain: Chain,
        coordinator: Coordinator,
        clock: Clock,
        counters: Counters,
        settings: Settings,
        reopen: Callable[[Settings], TickerService] | None = None,
    ) -> None:
        super().__init__(engine=engine, chain=chain, coordinator=coordinator, clock=clock, settings=settings)
        self._reopen = reopen
        self.chain = chain
        self._coordinator = coordinator
        self._reporter = StatsReporter(engine.store, counters, coordinator, clock, lambda: chain.requests)
        self._warned: set[str] = set()
        self._monotonic = clock.monotonic
        self._hot_prices = self._store.memory.figures("quote")
        self._passing = Passing(self._refresh_in_passing)
        self.get_price: GetValue = self._figure_reader("quote")
        """The last price of a symbol in its currency's major unit; see `GetValue`."""
        self.get_beta: GetValue = self._figure_reader("risk")
        """The beta of a symbol against `settings.benchmark`; see `GetValue`."""

    # ------------------------------------------------------------------------------------- single values

    def get_ticker_data(self, symbol: str, *, timeout: float | None = None) -> TickerData:
        """All that is known of `symbol`: a record with provenance for each facet, or the reason for its gap.

        Raises:
            SymbolError: `symbol` cannot be a ticker.
        """
        name = normalise(symbol)
        readings = self.read([(name, facet) for facet in TICKER_FACETS], timeout=timeout)
        found: dict[str, Any] = {}
        failures: dict[Facet, Any] = {}
        for facet in TICKER_FACETS:
            reading = readings[name, facet]
            if reading.record is not None:
                found[facet] = msgspec.structs.replace(reading.record, provenance=reading.provenance)
            if reading.failure is not None:
                failures[facet] = reading.failure
        return TickerData(symbol=name, failures=failures, **found)

    def get_many(
        self, symbols: Iterable[str], *, timeout: float | None = None, max_age: float | None = None
    ) -> dict[str, Quote | None]:
        """Quotes of many symbols in one go, by the symbols as given; None where there is no usable one.

        The reasons for gaps are in `quotes`. The records are the cache's own: read-only.

        Raises:
            SymbolError: One of `symbols` cannot be a ticker.
        """
        asked = list(symbols)
        found: dict[str, Quote | None] = {}
        absent: Collection[str] = asked
        if max_age is None:
            absent = records_at_hand(
                asked, self._hot_prices, self._monotonic(), cast("dict[str, Record]", found)
            )
            if not absent:
                return found
            # As they are spelled: what is no canonical symbol is no key, and is asked for below.
            fresh = cast("dict[str, Quote]", self.engine.fresh("quote", absent))
            found = dict.fromkeys(asked) | found if found else dict.fromkeys(asked)
            found.update(fresh)
            absent = [symbol for symbol in absent if symbol not in fresh] if len(fresh) < len(absent) else ()
            if len(fresh) <= MOST_AT_HAND:
                self._store.memory.heat_all("quote", fresh, self._store.poll_at)
        if absent:
            names = {symbol: normalise(symbol) for symbol in absent}
            needs = [(name, "quote") for name in names.values()]
            readings = self.read(needs, timeout=timeout, max_age=max_age)
            for symbol, name in names.items():
                found[symbol] = cast("Quote | None", readings[name, "quote"].record)
        return found

    def in_memory(self, symbol: str, facet: Facet) -> bool:
        """Whether memory alone would answer now, without disk, provider or waiting."""
        return self.engine.in_memory([(symbol, facet)])

    # ----------------------------------------------------------------------------------- bulk operations

    def prefetch(
        self,
        what: Iterable[str | Need],
        *,
        timeout: float | None = None,
        lane: Lane = Lane.PREFETCH,
        progress: Callable[[Progress], None] | None = None,
    ) -> PrefetchReport:
        """Fetch in one plan all that is missing or no longer fresh.

        Args:
            what: Symbols (their quote, profile, beta and dividend), or needs `(symbol, facet)`.
            timeout: Seconds to wait at most; default `settings.prefetch_timeout`.
            lane: Who is asking, for the rate budget.
            progress: Told in the calling thread, several times a second while it waits, how far it is. What
                it raises ends the call; what is on its way is still fetched and kept.

        Returns:
            The outcome of every need, and the requests it took.

        Raises:
            SymbolError: One of the symbols cannot be a ticker.
        """
        return self._bulk(what, timeout, lane, force=False, progress=progress)

    def plan(self, what: Iterable[str | Need]) -> PrefetchPlan:
        """The requests that `prefetch` would send, if it were called now; sends none.

        Args:
            what: As for `prefetch`.

        Raises:
            SymbolError: One of the symbols cannot be a ticker.
        """
        return self.planned(needs_of(what))

    def refresh(
        self,
        what: Iterable[str | Need],
        *,
        timeout: float | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> PrefetchReport:
        """Fetch again, however fresh; the old value stays until the new one is there.

        Arguments, result and errors are those of `prefetch`; a value that could not be had anew is `kept`.
        """
        return self._bulk(what, timeout, Lane.INTERACTIVE, force=True, progress=progress)

    def invalidate(
        self, symbols: Iterable[str], *, facets: Collection[Facet] | None = None, hard: bool = False
    ) -> int:
        """Distrust what is cached, in this and every other process.

        Args:
            symbols: Any spelling of tickers.
            facets: Which facets; default all.
            hard: Forget values and failures. Otherwise the next read fetches, and the old value is kept for
                the case that the fetch fails.

        Returns:
            How many records it concerned.

        Raises:
            CacheError: The persistent level could not be reached.
        """
        names = [normalise(symbol) for symbol in symbols]
        count = 0
        for facet in FACETS if facets is None else facets:
            count += self._store.invalidate(facet, names, hard=hard)
        self.engine.forget_flights(
            [(name, facet) for name in names for facet in (FACETS if facets is None else facets)]
        )
        return count

    def clear_cache(self) -> int:
        """Forget every value, failure and cached result, in all levels; return how many records there were.

        Raises:
            CacheError: The persistent level could not be reached.
        """
        tables = sorted({*FACETS, *self._store.level.stats().records})
        count = sum(self._store.invalidate(table, None, hard=True) for table in tables)
        self.engine.forget_all_flights(tables)
        self._warned.clear()
        return count

    def cache_stats(self) -> CacheStats:
        """Counts by facet and level since this service was opened, and what the levels hold.

        Raises:
            CacheError: The persistent level could not be reached.
        """
        return self._reporter.since_start()

    def daily_stats(self, days: int = 7) -> list[DayStats]:
        """What all processes counted in each of the last `days` days (UTC), today among them, oldest first.

        Days on which nothing was counted are left out; counts are kept for 400 days.

        Raises:
            CacheError: The coordinator could not be reached.
        """
        return self._reporter.by_day(days)

    @property
    def coordinator(self) -> Coordinator:
        """What this service and other processes agree on."""
        return self._coordinator

    @property
    def requests(self) -> int:
        """Requests sent to providers so far, handshakes not counted."""
        return self.chain.requests

    def pauses(self) -> dict[str, Pause | None]:
        """For each provider, in order: the pause that it has asked for, if one is in force."""
        return {name: self._coordinator.paused(name) for name in self.chain.names}

    def quotas_left(self) -> dict[str, int]:
        """For each provider with a daily quota: the requests that are left of it today (UTC)."""
        left = {
            name: self._coordinator.quota_left(name, limit)
            for place, name in enumerate(self.chain.names)
            if (limit := self.chain.limit(place)) is not None
        }
        return {name: requests for name, requests in left.items() if requests is not None}

    def close(self) -> None:
        """Stop fetching, write counts out, release files and connections; may be called twice."""
        self._passing.close()
        self.engine.stop()
        self.chain.close()
        self._reporter.close()
        self._coordinator.close()
        self._store.close(self.settings.cache_records)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[[Settings], TickerService], tuple[Settings]]:
        if self._reopen is None:
            text = "a ticker service with a clock, providers or stores of its own cannot be pickled"
            raise TypeError(f"{text}; make it where it is used")
        return self._reopen, (self.settings.without_secrets(),)

    # ------------------------------------------------------------------------------------------- inside

    def _figure_reader(self, facet: Facet) -> GetValue:
        refresh = _never if self.settings.offline else self._passing.request
        return figure_reader(facet, self._store, self._clock, refresh=refresh, look_further=self._figure)

    def _figure(self, symbol: str, facet: Facet, timeout: float | None, max_age: float | None) -> float:
        """What is not at hand: look at what others have changed, then read all the way through."""
        if max_age is None:
            self.engine.follow_others()
            memory = self._store.memory
            record = memory.table(facet).get(symbol)
            if record is not None and self._monotonic() < record.fresh_until:
                figure = memory.heat(facet, symbol)
                if figure is not None:
                    figure.hits += 1.0
                    return figure.value
        record = self._required(symbol, facet, timeout, max_age)
        value: float | None = getattr(record, FIGURES[facet])
        if value is None:
            raise DataUnavailable(record.symbol, facet, f"the record has no {FIGURES[facet]}")
        if max_age is None:
            self._store.memory.heat(facet, record.symbol)
        return value

    def _refresh_in_passing(self, needs: list[Need]) -> None:
        """Called in a thread of its own."""
        try:
            self.fetch_behind(needs)
        except CacheError as error:
            if not self.engine.stopped:
                warnings.warn(f"{error}; nothing is refreshed in passing", CacheDegradedWarning, stacklevel=2)

    def _required(self, symbol: str, facet: Facet, timeout: float | None, max_age: float | None) -> Record:
        name = normalise(symbol)
        reading = self.read([(name, facet)], timeout=timeout, max_age=max_age)[name, facet]
        record = reading.record
        if record is None:
            reason = reading.failure.reason if reading.failure else NOT_ASKED
            raise DataUnavailable(name, facet, reason)
        age = self._clock.now() - (record.fetched_at or 0.0)
        if max_age is not None and age > max_age:
            raise DataUnavailable(
                name, facet, f"nothing younger than {max_age:g} s could be had", stale=record
            )
        if reading.freshness == Freshness.STALE:
            self._warn_stale(name, facet, age, reading)
        return record

    def _warn_stale(self, name: str, facet: Facet, age: float, reading: Reading[Record]) -> None:
        if name not in self._warned:
            self._warned.add(name)
            reason = f": {reading.failure.reason}" if reading.failure else ""
            text = f"{name}: serving a {facet} fetched {age:.0f} s ago{reason}"
            warnings.warn(text, StaleDataWarning, stacklevel=4)

    def _bulk(
        self,
        what: Iterable[str | Need],
        timeout: float | None,
        lane: Lane,
        *,
        force: bool,
        progress: Callable[[Progress], None] | None = None,
    ) -> PrefetchReport:
        start, requests, waited = self._monotonic(), self.requests, self.chain.waited
        needs = needs_of(what)
        planned = 0.0 if progress is None else self.planned(needs, force=force).total

        def watch(missing: Collection[Need]) -> None:
            told = progress_of(
                needs,
                missing,
                requests=self.requests - requests,
                waited=self.chain.waited - waited,
                seconds=self._monotonic() - start,
                planned=planned,
            )
            if progress is not None:
                progress(told)

        readings = self.read(
            needs,
            timeout=self.settings.prefetch_timeout if timeout is None else timeout,
            grace=False,
            lane=lane,
            force=force,
            watch=None if progress is None else watch,
        )
        return PrefetchReport(
            outcomes={need: outcome_of(reading) for need, reading in readings.items()},
            requests=self.requests - requests,
            waited=self.chain.waited - waited,
            seconds=self._monotonic() - start,
        )


def _never(need: Need) -> bool:
    del need
    return True  # as good as asked for: nothing will come, however often
