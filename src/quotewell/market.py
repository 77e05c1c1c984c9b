"""The engine's loader over the providers: plan, ask, check, fall back."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from quotewell.cache.loading import Batch, Miss, asks_again, by_table
from quotewell.cache.store import Store
from quotewell.endpoints import Call, Endpoint, Fetched, Lane
from quotewell.errors import CacheError, ProviderError
from quotewell.prefetch import busy_seconds, least_seconds, plan
from quotewell.protocols import Clock, Coordinator
from quotewell.providers.appending import OVERLAP_DAYS, AnotherVintageError, appended, replaced
from quotewell.providers.chain import Chain
from quotewell.records import History, Need, Quote, Record

if TYPE_CHECKING:
    from quotewell.providers.plausible import SuspectPrice

__all__ = ["MarketLoader", "Round"]

_FALLBACK_SHARE = 2
"""A fallback takes one of so many of the requests that its quota has left."""


class Round(NamedTuple):
    """What one provider would be asked."""

    calls: list[Call]
    handshake: int
    """Requests before the first call."""
    seconds: float
    """The least that its rate limit allows for all of them."""
    busy: float
    """The seconds of its rate that they take up."""


class MarketLoader:
    """Asks each provider in turn for what is still missing, and once more, together, for what it left out.

    Args:
        chain: The providers in order.
        store: What is known, for the border checks.
        clock: The time.
        coordinator: Knows what is left of daily quotas.
        concurrency: Requests at a time.
    """

    def __init__(
        self, chain: Chain, store: Store, clock: Clock, coordinator: Coordinator, *, concurrency: int
    ) -> None:
        self.concurrency = concurrency
        self._coordinator = coordinator
        self._chain = chain
        self._store = store
        self._clock = clock
        self._refused: dict[str, SuspectPrice] = {}

    def batches(self, attempt: int, missing: Mapping[Need, Miss | None]) -> Sequence[Batch] | None:
        """Even attempts ask the next provider, odd ones ask the same for what it has left out."""
        position, again = divmod(attempt, 2)
        if position >= len(self._chain):
            return None
        provider = self._chain.names[position]
        needs = [need for need, miss in missing.items() if not again or _is_asked_again(miss, provider)]
        if not needs:
            return []
        calls = self._calls(position, needs, whole=bool(again))
        granted, leave = self._within_quota(calls, position) if position else (len(calls), 0)
        return [
            Batch(
                tuple(call.needs),
                provider,
                partial(self._fetch, msgspec.structs.replace(call, leave=leave))
                if place < granted
                else partial(self._refuse, provider),
            )
            for place, call in enumerate(calls)
        ]

    def _calls(self, position: int, needs: Collection[Need], *, whole: bool = False) -> list[Call]:
        """The plan for one provider; a history is asked for from where the stored one ends.

        Calls go by how far behind their symbols are: a call reaches back as far as the first of them needs.

        Args:
            position: Of the provider.
            needs: What to ask it for.
            whole: Whether all of the histories is needed, whatever is stored, because no third question
                follows. The endpoint for few symbols is preferred then where it costs no more: it tells of
                splits and dividends.
        """
        provider, endpoints = self._chain.names[position], self._chain.endpoints(position)
        histories = [symbol for symbol, facet in needs if facet == "history"]
        stored = self._store.load("history", histories) if histories and not whole else {}
        since = {symbol: _since(stored.get(symbol), provider) for symbol in histories}
        behind = sorted(histories, key=lambda symbol: since[symbol] or 0)
        others = [need for need in needs if need[1] != "history"]
        if whole:
            endpoints = tuple(sorted(endpoints, key=_symbols_of_history))
        calls = plan([*others, *((symbol, "history") for symbol in behind)], endpoints)
        return [_reaching(call, since) for call in calls]

    def rounds(self, needs: Collection[Need]) -> list[Round]:
        """What each provider in turn would be asked for that none before it carries; nobody is asked."""
        left = list(needs)
        rounds = []
        for position in range(len(self._chain)):
            if not left:
                break  # a provider that is not asked need not even be made
            calls = self._calls(position, left)
            if calls:
                planned = {need for call in calls for need in call.needs}
                left = [need for need in left if need not in planned]
                handshake = self._chain.handshake(position)
                requests = sum(call.endpoint.cost for call in calls) + handshake
                limit = self._chain.limit(position)
                seconds, busy = least_seconds(requests, limit), busy_seconds(requests, limit)
                rounds.append(Round(calls, handshake, seconds, busy))
        return rounds

    def _within_quota(self, calls: Sequence[Call], position: int) -> tuple[int, int]:
        """How many of a fallback's calls it may make, and what they must leave of its quota for today.

        They take at most half of what is left: the daily quota of a second provider is for what the first has
        not, not for the hour in which it is down. The first calls are made, so who asks puts first what
        matters most. What must be left is told to the budget, too, for others may spend at the same time.
        """
        limit = self._chain.limit(position)
        left = None if limit is None else self._coordinator.quota_left(self._chain.names[position], limit)
        if left is None:
            return len(calls), 0
        granted = left // _FALLBACK_SHARE
        costs = itertools.accumulate(call.endpoint.cost for call in calls)
        return sum(cost <= granted for cost in costs), left - granted

    def _refuse(self, provider: str, needs: Sequence[Need], lane: Lane, deadline: float) -> Fetched:
        del lane, deadline  # nothing is sent
        reason = "as a fallback it is asked for half of what its daily quota has left"
        error = ProviderError(provider, "quota", reason)
        return Fetched(failed=dict.fromkeys(needs, error))

    def _fetch(self, call: Call, needs: Sequence[Need], lane: Lane, deadline: float) -> Fetched:
        from quotewell.providers.validate import check, held_back  # noqa: PLC0415  a look-up asks nobody

        wanted = {symbol for symbol, _ in needs}
        symbols = tuple(symbol for symbol in call.symbols if symbol in wanted)
        still_missing = msgspec.structs.replace(call, symbols=symbols, needs=frozenset(needs))
        fetched = self._chain.fetch(still_missing, lane=lane, deadline=deadline)
        begun = self._store.rev()
        known = self._known(fetched)
        unpriced = [symbol for symbol in fetched.closes if not _is_priced(known.get((symbol, "quote")))]
        bars = self._store.closes(unpriced) if unpriced else None
        checked = check(fetched, known, self._clock.now(), bars, self._refused)
        refused = held_back(checked)
        for symbol, facet in checked.found if self._refused else ():
            if facet == "quote":
                self._refused.pop(symbol, None)
        self._refused |= refused
        if checked.closes:
            self._append(checked, call)
        # The old values again, with the price that was refused beside them. Writing clears an invalidation,
        # so an invalidated value is left as it is: its failure will tell of the price.
        suspects = [
            error.kept for error in refused.values() if error.kept is not None and not error.kept.invalidated
        ]
        if suspects:
            self._store.write("quote", suspects, begun=begun)
        return checked

    def _append(self, checked: Fetched, call: Call) -> None:
        """Put new closes behind the stored ones, or have a series of another vintage asked for as a whole."""
        stored = self._store.closes(checked.closes)
        for symbol, new in list(checked.closes.items()):
            before = stored.get(symbol)
            series = appended(before, new) if before is not None else None
            if series is None and before is not None and not self._told_anew(symbol, checked):
                continue
            if series is None and call.since is not None:
                del checked.closes[symbol], checked.found[symbol, "history"]
                checked.failed[symbol, "history"] = AnotherVintageError(call.endpoint.provider, symbol)
                continue
            if series is None:
                series = new if before is None else replaced(before, new)
            checked.closes[symbol] = series
            history = checked.found[symbol, "history"]
            checked.found[symbol, "history"] = msgspec.structs.replace(
                history, first_date=series.dates[0], last_date=series.dates[-1], bars=len(series.dates)
            )

    def _told_anew(self, symbol: str, checked: Fetched) -> bool:
        """Forget dividends of another vintage: after a split they are of other shares, and no value at all.

        False where the cache cannot be told to: then the closes stay as they are, too.
        """
        if (symbol, "payouts") in checked.found:
            return True
        try:
            self._store.invalidate("payouts", [symbol], hard=True)
        except CacheError as error:
            del checked.closes[symbol], checked.found[symbol, "history"]
            checked.failed[symbol, "history"] = error
            return False
        return True

    def _known(self, fetched: Fetched) -> dict[Need, Record]:
        """What the border checks compare new quotes and closes with."""
        symbols = dict.fromkeys(symbol for symbol, facet in fetched.found if facet in ("quote", "history"))
        needs = [(symbol, facet) for symbol in symbols for facet in ("quote", "profile")]
        needs += [need for need in fetched.found if need[1] in ("history", "fx")]
        return {
            (symbol, table): record
            for table, keys in by_table(needs).items()
            for symbol, record in self._store.load(table, keys).items()
            if _is_sound(record)
        }


def _is_sound(record: Record) -> bool:
    """Whether each field is of its type: a byte that a disk has flipped may have made a number a text."""
    try:
        msgspec.convert(msgspec.to_builtins(record), type(record))
    except (msgspec.ValidationError, UnicodeError):
        return False
    return True


def _is_priced(record: Record | None) -> bool:
    return isinstance(record, Quote) and record.last is not None


def _symbols_of_history(endpoint: Endpoint) -> int:
    return endpoint.symbols_per_call if "history" in endpoint.facets else 0


def _is_asked_again(miss: Miss | None, provider: str) -> bool:
    """Whether a provider's answer calls for one more question to it."""
    return miss is not None and miss.source == provider and asks_again(miss)


def _since(record: Record | None, provider: str) -> int | None:
    """The day from which a history is to be asked for; None for all of it."""
    if not isinstance(record, History) or record.invalidated or record.source != provider:
        return None
    return None if record.last_date is None else record.last_date - OVERLAP_DAYS


def _reaching(call: Call, since: Mapping[str, int | None]) -> Call:
    """The call with the first day that one of its symbols needs; for dividends, all of the series."""
    facets = {facet for _, facet in call.needs}
    if "history" not in facets or "payouts" in facets:
        return call
    days = [since[symbol] for symbol in call.symbols]
    known = [day for day in days if day is not None]
    return msgspec.structs.replace(call, since=min(known) if len(known) == len(days) else None)
