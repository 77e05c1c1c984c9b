"""The engine's loader over the providers: plan, ask, check, fall back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from quotewell.cache.loading import Batch, Miss, by_table
from quotewell.cache.store import Store
from quotewell.prefetch import least_seconds, plan
from quotewell.protocols import Call, Clock, Fetched, Lane
from quotewell.providers.chain import Chain
from quotewell.records import Need, Quote, Record

if TYPE_CHECKING:
    from quotewell.providers.plausible import SuspectPrice

__all__ = ["MarketLoader", "Round"]


class Round(NamedTuple):
    """What one provider would be asked."""

    calls: list[Call]
    handshake: int
    """Requests before the first call."""
    seconds: float
    """The least that its rate limit allows for all of them."""


class MarketLoader:
    """Asks each provider in turn for what is still missing, and once more, together, for what it left out.

    Args:
        chain: The providers in order.
        store: What is known, for the border checks.
        clock: The time.
        concurrency: Requests at a time.
    """

    def __init__(self, chain: Chain, store: Store, clock: Clock, *, concurrency: int) -> None:
        self.concurrency = concurrency
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
        needs = [
            need
            for need, miss in missing.items()
            if not again or (miss is not None and miss.kind == "omitted" and miss.source == provider)
        ]
        if not needs:
            return []
        return [
            Batch(tuple(call.needs), provider, partial(self._fetch, call))
            for call in plan(needs, self._chain.endpoints(position))
        ]

    def rounds(self, needs: Collection[Need]) -> list[Round]:
        """What each provider in turn would be asked for that none before it carries; nobody is asked."""
        left = list(needs)
        rounds = []
        for position in range(len(self._chain)):
            calls = plan(left, self._chain.endpoints(position)) if left else []
            if calls:
                planned = {need for call in calls for need in call.needs}
                left = [need for need in left if need not in planned]
                handshake = self._chain.handshake(position)
                requests = sum(call.endpoint.cost for call in calls) + handshake
                rounds.append(Round(calls, handshake, least_seconds(requests, self._chain.limit(position))))
        return rounds

    def _fetch(self, call: Call, needs: Sequence[Need], lane: Lane, deadline: float) -> Fetched:
        from quotewell.providers.validate import check, held_back  # noqa: PLC0415  a look-up asks nobody

        wanted = {symbol for symbol, _ in needs}
        symbols = tuple(symbol for symbol in call.symbols if symbol in wanted)
        still_missing = Call(call.endpoint, symbols, frozenset(needs))
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
        # The old values again, with the price that was refused beside them. Writing clears an invalidation,
        # so an invalidated value is left as it is: its failure will tell of the price.
        suspects = [
            error.kept for error in refused.values() if error.kept is not None and not error.kept.invalidated
        ]
        if suspects:
            self._store.write("quote", suspects, begun=begun)
        return checked

    def _known(self, fetched: Fetched) -> dict[Need, Record]:
        """What the border checks compare new quotes and closes with."""
        symbols = dict.fromkeys(symbol for symbol, facet in fetched.found if facet in ("quote", "history"))
        needs = [(symbol, facet) for symbol in symbols for facet in ("quote", "profile")]
        needs += [need for need in fetched.found if need[1] == "history"]
        return {
            (symbol, table): record
            for table, keys in by_table(needs).items()
            for symbol, record in self._store.load(table, keys).items()
        }


def _is_priced(record: Record | None) -> bool:
    return isinstance(record, Quote) and record.last is not None
