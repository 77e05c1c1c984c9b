"""Reading facets in bulk: one plan for any mix of symbols and facets, betas computed from history.

The readers return the reason for a gap as data; `service.TickerService` adds what single callers expect.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import cast

from quotewell.cache.loading import by_table
from quotewell.cache.readthrough import Ask, ReadThrough
from quotewell.calendars import Sessions
from quotewell.endpoints import Lane
from quotewell.freshness import Judgement, Phase, market_phase
from quotewell.market import MarketLoader
from quotewell.prefetch import PrefetchPlan, summed
from quotewell.protocols import Clock, Coordinator
from quotewell.providers.chain import Chain
from quotewell.records import (
    FACETS,
    Closes,
    Dividend,
    Facet,
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
    Risk,
)
from quotewell.risks import RiskLoader
from quotewell.settings import Settings
from quotewell.symbols import normalise

__all__ = ["Readers"]

_SECOND = ("risk", "payouts")
"""Facets that are read after the others, because it depends on them whether they are asked for at all."""


class Readers:
    """Bulk readers over the read-through engine; satisfies `protocols.TickerSource`.

    Args:
        engine: The read-through engine over both cache levels.
        chain: The providers.
        coordinator: Knows what is left of the providers' quotas.
        clock: The time.
        settings: Timeouts, benchmark, and whether providers may be asked.
    """

    def __init__(
        self,
        *,
        engine: ReadThrough,
        chain: Chain,
        coordinator: Coordinator,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self.settings = settings
        self.engine = engine
        self._store = engine.store
        self._clock = clock
        self._market = MarketLoader(
            chain, engine.store, clock, coordinator, concurrency=settings.yahoo_concurrency
        )

    def now(self) -> float:
        """The valuation instant of this source: now."""
        return self._clock.now()

    def quotes(self, symbols: Iterable[str]) -> dict[str, Reading[Quote]]:
        """Prices by canonical symbol; every asked symbol has a reading."""
        return cast("dict[str, Reading[Quote]]", self._facet("quote", symbols))

    def profiles(self, symbols: Iterable[str]) -> dict[str, Reading[Profile]]:
        """Names and types by canonical symbol."""
        return cast("dict[str, Reading[Profile]]", self._facet("profile", symbols))

    def risks(self, symbols: Iterable[str]) -> dict[str, Reading[Risk]]:
        """Betas by canonical symbol."""
        return cast("dict[str, Reading[Risk]]", self._facet("risk", symbols))

    def dividends(self, symbols: Iterable[str]) -> dict[str, Reading[Dividend]]:
        """Dividend yields by canonical symbol."""
        return cast("dict[str, Reading[Dividend]]", self._facet("dividend", symbols))

    def payouts(self, symbols: Iterable[str]) -> dict[str, Reading[Payouts]]:
        """Dividends paid or declared by canonical symbol; asked for only where the yield is above 0."""
        names = [normalise(symbol) for symbol in symbols]
        facets: tuple[Facet, ...] = ("dividend", "payouts")
        readings = self.read([(name, facet) for name in names for facet in facets])
        return {name: cast("Reading[Payouts]", readings[name, "payouts"]) for name in names}

    def rates(self, symbols: Iterable[str]) -> dict[str, Reading[Rate]]:
        """Points of the risk-free curve by symbol."""
        return cast("dict[str, Reading[Rate]]", self._facet("rate", symbols))

    def fx(self, symbols: Iterable[str]) -> dict[str, Reading[Fx]]:
        """Exchange rates by pair."""
        return cast("dict[str, Reading[Fx]]", self._facet("fx", symbols))

    def history(self, symbols: Iterable[str]) -> dict[str, Reading[History]]:
        """Coverage of the stored daily bars by canonical symbol."""
        return cast("dict[str, Reading[History]]", self._facet("history", symbols))

    def closes(self, symbols: Iterable[str]) -> dict[str, Closes]:
        """Daily closes by canonical symbol, adjusted for splits; symbols without any are left out."""
        readings = self.history(symbols)
        return self.stored_closes([symbol for symbol, reading in readings.items() if reading.usable])

    def stored_closes(self, symbols: Collection[str]) -> dict[str, Closes]:
        """`closes`, without asking a provider."""
        return self._store.closes(symbols)

    def peek(self, needs: Iterable[Need]) -> dict[Need, Reading[Record]]:
        """What the cache knows, without asking a provider."""
        ask = Ask(deadline=self._clock.monotonic(), fetch=False)
        return self.engine.read(needs, self._market, ask)

    def freshness_at(self, facet: str, record: Record, instant: float) -> Freshness:
        """How usable `record` would have been at `instant` (epoch seconds)."""
        return self._store.judge(facet, record, instant).freshness

    def read(
        self,
        needs: Iterable[Need],
        *,
        timeout: float | None = None,
        max_age: float | None = None,
        grace: bool = True,
        lane: Lane = Lane.INTERACTIVE,
        force: bool = False,
        watch: Callable[[Collection[Need]], None] | None = None,
    ) -> dict[Need, Reading[Record]]:
        """Answer any mix of symbols and facets with one plan.

        Args:
            needs: Canonical symbols and facets.
            timeout: Seconds to wait at most. Default: `settings.soft_timeout` where a stale value is at hand,
                else `settings.get_timeout`.
            max_age: Accept nothing that was fetched longer ago (seconds).
            grace: Whether values in their grace window are good enough, and recent failures that pass by
                themselves an answer; one-shot runs say no to both.
            lane: Who is asking, for the rate budget.
            force: Fetch whatever is cached.
            watch: Told several times a second, while the call waits, what is still on its way.
        """
        wanted = dict.fromkeys(needs)
        start = self._clock.monotonic()
        seconds = self.settings.get_timeout if timeout is None else timeout
        soft = start + self.settings.soft_timeout if timeout is None and not force else None
        ask = Ask(
            deadline=start + seconds,
            soft_deadline=soft,
            lane=lane,
            grace=grace,
            retry=not grace,
            max_age=max_age,
            fetch=not self.settings.offline,
            force=force,
            watch=watch,
        )
        derived = [need for need in wanted if need[1] == "risk"]
        paid = [need for need in wanted if need[1] == "payouts"]
        raw = dict.fromkeys(need for need in wanted if need[1] not in _SECOND)
        if derived and ask.fetch:
            raw |= dict.fromkeys(self._basis_of(derived, ask))
        readings = self.engine.read(raw, self._market, ask) if raw else {}
        if paid:
            readings |= self._payouts_readings(paid, ask)
        if derived:
            readings |= self._risk_readings(derived, ask)
        return {need: readings[need] for need in wanted}

    def stored(self, needs: Iterable[Need]) -> dict[Need, Record]:
        """The records of those needs that have one, however old; nobody is asked, and no use counted."""
        found = {table: self._store.load(table, keys) for table, keys in by_table(needs).items()}
        return {
            (symbol, facet): record
            for symbol, facet in needs
            if (record := found[facet].get(symbol)) is not None
        }

    def growing_old(self, needs: Iterable[Need], ahead: float) -> list[Need]:
        """Those needs that memory does not know to be fresh for `ahead` seconds more; no use is counted."""
        self.engine.follow_others()
        until = self._clock.monotonic() + ahead
        tables: dict[str, dict[str, Record]] = {facet: self._store.memory.table(facet) for facet in FACETS}
        return [
            need
            for need in needs
            if (record := tables[need[1]].get(need[0])) is None or record.fresh_until <= until
        ]

    def at_hand(self, needs: Iterable[Need]) -> list[Record] | None:
        """The records with which memory alone answers now, as hits; None if it does not answer all."""
        monotonic = self._clock.monotonic()
        if monotonic >= self._store.poll_at:
            return None
        tables = self._store.memory.table
        found: list[Record] = []
        for symbol, facet in needs:
            record = tables(facet).get(symbol)
            if record is None and facet == "payouts":
                record = self._unpaid_at_hand(tables("dividend").get(symbol))
            if record is None or monotonic >= record.fresh_until:
                return None
            found.append(record)
        for record in found:
            record.hits += 1
        return found

    def _unpaid_at_hand(self, dividend: Record | None) -> Record | None:
        """The dividends of who pays none, which are in no level."""
        return None if dividend is None or self._pays(dividend) else _none_paid(dividend)

    def judged(self, facet: str, record: Record, now: float) -> tuple[Judgement, Sessions | None]:
        """How usable `record` is at `now`, and the sessions of its exchange then; None where none applies."""
        table = self._store.policies["quote"].sessions(record.symbol)
        return self._store.judge(facet, record, now), None if table is None else table(now)

    def phase(self, symbols: Iterable[str]) -> Phase:
        """The market's phase where it is the furthest from closed; `closed` of no symbols.

        May have to read the sessions of an exchange, or to work them out.
        """
        now, table = self._clock.now(), self._store.policies["quote"].sessions
        phases = {market_phase(symbol, table(symbol), now) for symbol in symbols}
        return "open" if "open" in phases else "unsure" if "unsure" in phases else "closed"

    @property
    def clock(self) -> Clock:
        """The time that everything here goes by."""
        return self._clock

    def planned(self, needs: Iterable[Need], *, force: bool = False) -> PrefetchPlan:
        """What `prefetch` would ask for these needs, if it began now; asks nobody.

        It is what the first providers that have each facet are asked; fallbacks come where they fail.

        Args:
            needs: Canonical symbols and facets.
            force: Whether all is to be fetched, however fresh.
        """
        wanted = dict.fromkeys(needs)
        ask = Ask(deadline=self._clock.monotonic(), grace=False, retry=True, force=force)
        derived = [need for need in wanted if need[1] == "risk"]
        basis = self._basis_of(self.engine.missing(derived, ask), ask)
        raw = dict.fromkeys([*(need for need in wanted if need[1] not in _SECOND), *basis])
        missing = dict.fromkeys(self.engine.missing(raw, ask))
        due = self.engine.missing([need for need in wanted if need[1] == "payouts"], ask)
        undecided = [need for need in due if (need[0], "dividend") in missing]
        missing |= dict.fromkeys(self._of_payers(need for need in due if need not in undecided))
        rounds = self._market.rounds(missing)
        planned = {need for one in rounds for call in one.calls for need in call.needs}
        asked_for = (
            {need for need in wanted if need in missing}
            | set(undecided)
            | {need for need in derived if (need[0], "history") in missing or (need[0], "profile") in missing}
        )
        return PrefetchPlan(
            symbols=len({symbol for symbol, _ in wanted}),
            needs=len(wanted),
            fresh=len(wanted) - len(asked_for),
            requests=tuple(requests for one in rounds for requests in summed(one.calls)),
            possible=len(undecided),
            handshake=sum(one.handshake for one in rounds),
            unsupported=tuple(dict.fromkeys(need[0] for need in missing if need not in planned)),
            seconds=sum(one.seconds for one in rounds),
            busy=sum(one.busy for one in rounds),
        )

    def fetch_behind(self, needs: Collection[Need]) -> None:
        """Fetch what was answered within its grace window; only betas are waited for."""
        raw = [need for need in needs if need[1] != "risk"]
        if raw:
            deadline = self._clock.monotonic() + self.settings.get_timeout
            self.engine.refresh_behind(raw, self._market, Ask(deadline=deadline, lane=Lane.REFRESH))
        derived = [need for need in needs if need[1] == "risk"]
        if derived:
            self.read(derived, grace=False, lane=Lane.REFRESH)

    def _facet(self, facet: Facet, symbols: Iterable[str]) -> dict[str, Reading[Record]]:
        names = [normalise(symbol) for symbol in symbols]
        readings = self.read([(name, facet) for name in names])
        return {name: readings[name, facet] for name in names}

    def _basis_of(self, derived: Sequence[Need], ask: Ask) -> list[Need]:
        """What the betas that are not fresh have to be computed from."""
        known = self.peek(derived)
        enough = Freshness.GRACE if ask.grace else Freshness.FRESH
        missing = [need[0] for need in derived if ask.force or known[need].freshness < enough]
        if not missing:
            return []
        if self.settings.beta == "provider":
            return [(symbol, "profile") for symbol in missing]
        others = [symbol for symbol in missing if symbol != self.settings.benchmark]
        return [(symbol, "history") for symbol in [*others, self.settings.benchmark]] if others else []

    def _of_payers(self, paid: Iterable[Need]) -> list[Need]:
        """Those whose yield is known to be above 0: who asks for the dividends of others asks in vain."""
        needs = list(paid)
        yields = self.stored([(symbol, "dividend") for symbol, _ in needs])
        return [need for need in needs if self._pays(yields.get((need[0], "dividend")))]

    def _pays(self, record: Record | None) -> bool:
        if not isinstance(record, Dividend) or not record.dividend_yield:
            return False
        return self.freshness_at("dividend", record, self._clock.now()) > Freshness.NONE

    def _payouts_readings(self, paid: Sequence[Need], ask: Ask) -> dict[Need, Reading[Record]]:
        """What is stored, and of payers what is to be had; whether one pays has just been asked."""
        unasked = self._not_to_ask_for(paid, ask) if ask.fetch else set()
        asked = [need for need in paid if need not in unasked]
        readings = self.engine.read(asked, self._market, ask) if asked else {}
        readings |= self.peek(unasked)
        silent = [need for need in paid if not readings[need].usable and readings[need].failure is None]
        yields = self.peek([(symbol, "dividend") for symbol, _ in silent])
        return readings | {need: _unpaid(yields[need[0], "dividend"]) for need in silent}

    def _not_to_ask_for(self, paid: Sequence[Need], ask: Ask) -> set[Need]:
        """Those of which there are no dividends to answer with, and no payer to ask for them."""
        enough, now = Freshness.GRACE if ask.grace else Freshness.FRESH, self._clock.now()
        old = self.growing_old(paid, 0.0)
        stored = self.stored(old)
        missing = [
            need
            for need in old
            if need not in stored or self.freshness_at("payouts", stored[need], now) < enough
        ]
        return set(missing).difference(self._of_payers(missing))

    def _risk_readings(self, derived: Sequence[Need], ask: Ask) -> dict[Need, Reading[Record]]:
        loader = RiskLoader(
            self.settings.benchmark,
            _Cached(self),
            self._clock.now,
            stated=self.settings.beta == "provider",
            weekly=self.settings.beta == "weekly",
        )
        return self.engine.read(derived, loader, ask)


def _unpaid(reading: Reading[Record]) -> Reading[Record]:
    """The dividends that are known of a symbol that nobody was asked for any of: none."""
    known = reading.record
    if known is None or not reading.usable:
        return Reading(reading.symbol, None, Freshness.NONE, "", reading.failure)
    return Reading(known.symbol, _none_paid(known), reading.freshness, reading.level)


def _none_paid(known: Record) -> Payouts:
    return Payouts(
        symbol=known.symbol,
        source=known.source,
        as_of=known.as_of,
        fetched_at=known.fetched_at,
        fresh_until=known.fresh_until,
    )


class _Cached:
    """The basis of betas; the plan has just fetched it, so what is missing could not be had."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    def coverage(self, symbols: Collection[str]) -> Mapping[str, Reading[History]]:
        return cast("Mapping[str, Reading[History]]", self._peek("history", symbols))

    def closes(self, symbols: Collection[str]) -> Mapping[str, Closes]:
        return self._readers.stored_closes(symbols)

    def profiles(self, symbols: Collection[str]) -> Mapping[str, Reading[Profile]]:
        return cast("Mapping[str, Reading[Profile]]", self._peek("profile", symbols))

    def risks(self, symbols: Collection[str]) -> Mapping[str, Risk]:
        found = self._readers.stored([(symbol, "risk") for symbol in symbols])
        return {symbol: cast("Risk", record) for (symbol, _), record in found.items()}

    def _peek(self, facet: Facet, symbols: Collection[str]) -> dict[str, Reading[Record]]:
        readings = self._readers.peek([(symbol, facet) for symbol in symbols])
        return {need[0]: reading for need, reading in readings.items()}
