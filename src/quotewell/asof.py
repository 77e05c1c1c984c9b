"""The ticker service as it would have answered at an instant in the past.

Nothing later than the instant is used: quotes and rates only as of then or before, prices and betas from the
closes up to it. Freshness is judged at the instant.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any, cast

import msgspec

from quotewell.calendars import close_of, day_of, new_york_sessions
from quotewell.freshness import DATA_DELAY
from quotewell.outcomes import PrefetchReport
from quotewell.readers import Readers
from quotewell.records import (
    Closes,
    Dividend,
    Failure,
    Freshness,
    Fx,
    History,
    Need,
    Payouts,
    Profile,
    Quote,
    Rate,
    Reading,
    Record,
    RecordT,
    Risk,
)
from quotewell.risks import compute_risks
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.symbols import kind, normalise

__all__ = ["AsOfSource"]


class AsOfSource:
    """A `protocols.TickerSource` at one instant.

    Args:
        tickers: The service; its cache and, unless it is offline, its providers' histories are used.
        instant: Epoch seconds.
    """

    def __init__(self, tickers: TickerService, instant: float) -> None:
        self._tickers: Readers = tickers
        self._prefetch = tickers.prefetch
        self._instant = instant

    @property
    def settings(self) -> Settings:
        """Those of the service."""
        return self._tickers.settings

    def now(self) -> float:
        """The valuation instant."""
        return self._instant

    def prefetch(self, needs: Iterable[Need], **options: Any) -> PrefetchReport:
        """Fetch what has a past: dividends, and histories, from which the prices and betas of that day come.

        Dividends only of what is known to pay some: nobody is asked for a yield, which would be today's.

        Args:
            needs: Symbols and facets.
            **options: As for `TickerService.prefetch`.
        """
        wanted = list(needs)
        symbols = {
            symbol for symbol, facet in wanted if facet in ("quote", "risk") and kind(symbol) != "option"
        }
        histories = [(symbol, "history") for symbol in [*symbols, self._tickers.settings.benchmark]]
        return self._prefetch([*histories, *(need for need in wanted if need[1] == "payouts")], **options)

    def quotes(self, symbols: Iterable[str]) -> dict[str, Reading[Quote]]:
        """The last price at or before the instant: a cached quote, or a close."""
        names = [normalise(symbol) for symbol in symbols]
        cached = {
            name: _without_later_book(reading, self._instant)
            for name, reading in self._then("quote", names, Quote).items()
        }
        closes = self._tickers.stored_closes(names)
        coverage = self._tickers.peek([(name, "history") for name in closes])
        for name, series in closes.items():
            history = cast("History | None", coverage[name, "history"].record)
            quote = _close_at(series, history, self._instant)
            if quote is None:
                continue
            before = cached[name].record
            if before is None or (_known_at(before) or 0.0) < (quote.as_of or 0.0):
                out_at = (quote.as_of or 0.0) + DATA_DELAY
                published = _seen_at(msgspec.structs.replace(quote, fetched_at=out_at), self._instant)
                freshness = self._tickers.freshness_at("quote", published, self._instant)
                level = coverage[name, "history"].level
                cached[name] = Reading(name, quote, max(freshness, Freshness.STALE), level)
        return cached

    def profiles(self, symbols: Iterable[str]) -> dict[str, Reading[Profile]]:
        """Names and types; what a symbol is does not change with the instant."""
        names = [normalise(symbol) for symbol in symbols]
        readings = self._tickers.peek([(name, "profile") for name in names])
        return {name: cast("Reading[Profile]", readings[name, "profile"]) for name in names}

    def risks(self, symbols: Iterable[str]) -> dict[str, Reading[Risk]]:
        """Betas from the closes up to the instant."""
        names = [normalise(symbol) for symbol in symbols]
        settings = self._tickers.settings
        closes = self._tickers.stored_closes([*names, settings.benchmark])
        weekly = settings.beta == "weekly"
        risks, reasons, _ = compute_risks(names, settings.benchmark, closes, self._instant, weekly=weekly)
        return {
            name: Reading(name, risks[name], Freshness.FRESH, "computed")
            if name in risks
            else _absent(name, f"{reasons[name]} before the valuation instant", self._instant)
            for name in names
        }

    def dividends(self, symbols: Iterable[str]) -> dict[str, Reading[Dividend]]:
        """Yields that were known at the instant."""
        return self._then("dividend", [normalise(symbol) for symbol in symbols], Dividend)

    def payouts(self, symbols: Iterable[str]) -> dict[str, Reading[Payouts]]:
        """Dividends that had gone ex by the instant, or were known by then, in the shares of that day."""
        names = [normalise(symbol) for symbol in symbols]
        store = self._tickers.engine.store
        found = store.load("payouts", names)
        closes = self._tickers.stored_closes(list(found))
        readings: dict[str, Reading[Payouts]] = {}
        for name in names:
            record = found.get(name)
            if not isinstance(record, Payouts) or record.fetched_at is None:
                readings[name] = _absent(name, "no dividends are cached", self._instant)
                continue
            then = _payouts_at(
                _seen_at(record, self._instant), record.fetched_at, closes.get(name), self._instant
            )
            freshness = self._tickers.freshness_at("payouts", then, self._instant)
            readings[name] = Reading(name, then, freshness, store.level_name)
        return readings

    def rates(self, symbols: Iterable[str]) -> dict[str, Reading[Rate]]:
        """Rates that were known at the instant."""
        return self._then("rate", [normalise(symbol) for symbol in symbols], Rate)

    def fx(self, symbols: Iterable[str]) -> dict[str, Reading[Fx]]:
        """Exchange rates that were known at the instant."""
        return self._then("fx", [normalise(symbol) for symbol in symbols], Fx)

    def stored_closes(self, symbols: Collection[str]) -> dict[str, Closes]:
        """Daily closes as they are kept, later ones too; nobody is asked."""
        return self._tickers.stored_closes(symbols)

    def stored(self, needs: Iterable[Need]) -> dict[Need, Record]:
        """The records as they are kept, whenever they were fetched; nobody is asked."""
        return self._tickers.stored(needs)

    def _then(
        self, facet: str, names: Sequence[str], record_type: type[RecordT]
    ) -> dict[str, Reading[RecordT]]:
        # Not `peek`, which judges at the present: what is too old now need not have been so then.
        store = self._tickers.engine.store
        records = store.load(facet, names)
        found: dict[str, Reading[RecordT]] = {}
        for name in names:
            record = records.get(name)
            known_at = None if record is None else _known_at(record)
            if not isinstance(record, record_type) or known_at is None or known_at > self._instant:
                found[name] = _absent(
                    name, f"no {facet} is cached from before the valuation instant", self._instant
                )
                continue
            freshness = self._tickers.freshness_at(facet, _seen_at(record, self._instant), self._instant)
            if freshness == Freshness.NONE:
                found[name] = _absent(
                    name, f"the cached {facet} was too old at the valuation instant", self._instant
                )
                continue
            found[name] = Reading(name, record, freshness, store.level_name)
        return found


def _known_at(record: Record) -> float | None:
    return record.fetched_at if record.as_of is None else record.as_of


def _without_later_book(reading: Reading[Quote], instant: float) -> Reading[Quote]:
    """Bid and ask are of the time they were asked for, which may be long after the last trade."""
    quote = reading.record
    if quote is None or quote.fetched_at is None or quote.fetched_at <= instant:
        return reading
    sessions = new_york_sessions(quote.fetched_at)
    if not sessions.is_open and sessions.previous.close <= instant:
        return reading  # the book of the close
    then = msgspec.structs.replace(quote, bid=None, ask=None, suspect=None)
    return msgspec.structs.replace(reading, record=then)


def _seen_at(record: RecordT, instant: float) -> RecordT:
    """A value that was known at `instant` counts as fetched then at the latest."""
    fetched_at = min(record.fetched_at or instant, instant)
    return msgspec.structs.replace(record, fetched_at=fetched_at, invalidated=False)


def _close_at(series: Closes, history: History | None, instant: float) -> Quote | None:
    """The last close at or before `instant`, in the shares of that day: later splits are undone."""
    known = [
        (day, close)
        for day, close in zip(series.dates, series.closes, strict=True)
        if close_of(dt.date.fromordinal(day)) <= instant
    ]
    if not known:
        return None
    day, close = known[-1]
    today = day_of(instant)
    undo = math.prod(split.ratio for split in series.splits if split.date > today)
    as_of = close_of(dt.date.fromordinal(day))
    return Quote(
        symbol=series.symbol,
        source=series.source,
        as_of=as_of,
        fetched_at=as_of if history is None else history.fetched_at,
        last=close * undo,
        previous_close=known[-2][1] * undo if len(known) > 1 else None,
        currency=history.currency if history is not None else None,
    )


def _payouts_at(record: Payouts, fetched_at: float, series: Closes | None, instant: float) -> Payouts:
    """What was known of dividends at `instant`: those gone ex by then, in the shares of that day.

    A record of before may know of declared ones, too. What is not known of later ones is projected.
    """
    if fetched_at <= instant:
        return record
    today = day_of(instant)
    splits = () if series is None else series.splits
    undo = math.prod(split.ratio for split in splits if split.date > today)
    events = tuple(
        msgspec.structs.replace(event, amount=event.amount * undo)
        for event in record.events
        if event.ex_date <= today
    )
    as_of = instant if record.as_of is None else min(record.as_of, instant)
    return msgspec.structs.replace(record, events=events, as_of=as_of)


def _absent(symbol: str, reason: str, instant: float) -> Reading[RecordT]:
    failure = Failure("unsupported", reason, "", 1, instant, instant, instant)
    return Reading(symbol, None, Freshness.NONE, "", failure)
