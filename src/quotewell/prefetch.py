"""Bulk prefetch: the plan with the fewest requests, and the report of what came of it.

Both are pure; the service runs the plan.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from quotewell.protocols import Call, Endpoint
from quotewell.records import Freshness, Need, Reading, Record

__all__ = ["Outcome", "PrefetchReport", "Status", "outcome_of", "plan", "requests_of"]

Status = Literal["fresh", "fetched", "kept", "unknown", "omitted", "failed"]


class Outcome(msgspec.Struct, frozen=True):
    """What became of one need."""

    status: Status
    """`fresh`: nothing to do; `kept`: the fetch failed, an older value is still served."""
    reason: str = ""


class PrefetchReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of everything that was asked for, and what it cost."""

    outcomes: dict[Need, Outcome]
    requests: int
    """Requests sent, handshakes not counted."""
    seconds: float

    def counts(self) -> dict[Status, int]:
        """Number of needs by status."""
        counts: dict[Status, int] = {
            "fresh": 0, "fetched": 0, "kept": 0, "unknown": 0, "omitted": 0, "failed": 0,
        }  # fmt: skip
        for outcome in self.outcomes.values():
            counts[outcome.status] += 1
        return counts

    def by_symbol(self) -> dict[str, dict[str, Outcome]]:
        """Outcomes as symbol → facet → outcome."""
        symbols: dict[str, dict[str, Outcome]] = {}
        for (symbol, facet), outcome in self.outcomes.items():
            symbols.setdefault(symbol, {})[facet] = outcome
        return symbols


def outcome_of(reading: Reading[Record]) -> Outcome:
    """The outcome that a reading tells of."""
    failure = reading.failure
    if reading.usable:
        if reading.level == "provider":
            return Outcome("fetched")
        if failure is not None or reading.freshness == Freshness.STALE:
            return Outcome("kept", failure.reason if failure else "no provider was asked")
        return Outcome("fresh")
    if failure is None:
        return Outcome("failed", "not cached, and no provider was asked")
    if failure.kind == "unknown" or failure.kind == "omitted":  # noqa: PLR1714  `in` narrows no Literal
        return Outcome(failure.kind, failure.reason)
    return Outcome("failed", failure.reason)


def plan(needs: Iterable[Need], endpoints: Sequence[Endpoint]) -> list[Call]:
    """The calls that bring `needs` with the fewest requests.

    Each facet is assigned to one endpoint that carries it; of all assignments the one with the least
    Σ cost · ⌈distinct symbols / symbols a call⌉ is taken, ties in favour of endpoints listed first.

    Args:
        needs: What is missing.
        endpoints: What one provider offers.

    Returns:
        The calls; needs whose facet no endpoint carries are in none of them.
    """
    symbols_by_facet: dict[str, list[str]] = {}
    for symbol, facet in needs:
        symbols_by_facet.setdefault(facet, []).append(symbol)
    choices = {
        facet: [endpoint for endpoint in endpoints if facet in endpoint.facets] for facet in symbols_by_facet
    }
    facets = [facet for facet, carriers in choices.items() if carriers]
    assignments = itertools.product(*(choices[facet] for facet in facets))
    best = min(
        (_asked(facets, assignment, symbols_by_facet) for assignment in assignments),
        key=requests_of,
    )
    calls: list[Call] = []
    for endpoint, wanted in best.items():
        symbols = list(wanted)
        for start in range(0, len(symbols), endpoint.symbols_per_call):
            chunk = symbols[start : start + endpoint.symbols_per_call]
            carried = frozenset((symbol, facet) for symbol in chunk for facet in wanted[symbol])
            calls.append(Call(endpoint, tuple(chunk), carried))
    return calls


def requests_of(asked: Mapping[Endpoint, Collection[str]]) -> float:
    """Requests that it costs to ask each endpoint for its symbols."""
    return sum(
        endpoint.cost * math.ceil(len(symbols) / endpoint.symbols_per_call)
        for endpoint, symbols in asked.items()
    )


def _asked(
    facets: Sequence[str], assignment: Sequence[Endpoint], symbols_by_facet: Mapping[str, Sequence[str]]
) -> dict[Endpoint, dict[str, list[str]]]:
    """Endpoint → symbol → facets, for one assignment of facets to endpoints."""
    asked: dict[Endpoint, dict[str, list[str]]] = {}
    for facet, endpoint in zip(facets, assignment, strict=True):
        wanted = asked.setdefault(endpoint, {})
        for symbol in symbols_by_facet[facet]:
            wanted.setdefault(symbol, []).append(facet)
    return asked
