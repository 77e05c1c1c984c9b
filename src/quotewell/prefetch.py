"""Bulk prefetch: the plan with the fewest requests. It is pure; the service runs it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from quotewell.endpoints import Call, Endpoint, Limit
from quotewell.records import Facet, Need
from quotewell.symbols import normalise

__all__ = [
    "TICKER_FACETS",
    "PlannedRequests",
    "PrefetchPlan",
    "busy_seconds",
    "least_seconds",
    "needs_of",
    "plan",
    "requests_of",
    "summed",
]

TICKER_FACETS: tuple[Facet, ...] = ("quote", "profile", "risk", "dividend")
"""What a symbol stands for where no facet is named."""


class PlannedRequests(msgspec.Struct, frozen=True, kw_only=True):
    """The requests of a plan to one endpoint."""

    provider: str
    endpoint: str
    facets: tuple[str, ...]
    """What they are made for."""
    symbols: int
    """Distinct ones."""
    requests: float


class PrefetchPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a prefetch would ask, if it began now."""

    symbols: int
    needs: int
    """Symbols and facets that were asked for; what betas are computed from comes on top."""
    fresh: int
    """Needs for which nobody has to be asked: fresh, or known not to exist."""
    requests: tuple[PlannedRequests, ...]
    possible: int
    """Requests that may come on top: one for the dividends of each option's underlying, if it pays any."""
    handshake: int
    """Requests that have to be sent before the first of them."""
    unsupported: tuple[str, ...]
    """Symbols that no provider has all facets of."""
    seconds: float
    """The least that the rate limits allow, after a pause long enough for the whole burst."""
    busy: float
    """The seconds of the providers' rates that it takes, as if there were no burst."""

    @property
    def total(self) -> float:
        """Requests, the handshake not counted."""
        return sum(planned.requests for planned in self.requests)


def plan(needs: Iterable[Need], endpoints: Sequence[Endpoint]) -> list[Call]:
    """The calls that bring `needs` with the fewest requests.

    Each facet is assigned to one endpoint that carries it; of all assignments the one with the least
    Σ cost · ⌈distinct symbols / symbols a call⌉ is taken, ties in favour of endpoints listed first. A symbol
    that another endpoint is asked for anyway may leave a call where that saves one. With the endpoints of our
    providers no way to distribute the needs costs less; with any endpoints whatever the least is a problem of
    set cover, which this does not solve.

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
    facetwise = [_asked(facets, assignment, symbols_by_facet) for assignment in assignments]
    best = min([*facetwise, *map(_along, facetwise)], key=requests_of)
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


def _along(asked: Mapping[Endpoint, Mapping[str, Sequence[str]]]) -> dict[Endpoint, dict[str, list[str]]]:
    """`asked`, with symbols left out wherever another endpoint that is asked for them carries all of it."""
    left = {
        endpoint: {symbol: list(facets) for symbol, facets in wanted.items()}
        for endpoint, wanted in asked.items()
    }
    for endpoint, wanted in left.items():
        for symbol, facets in list(wanted.items()):
            others = (other for other in left if other != endpoint and symbol in left[other])
            carrier = next((other for other in others if other.facets.issuperset(facets)), None)
            if carrier is not None:
                left[carrier][symbol] += wanted.pop(symbol)
    return left


def summed(calls: Iterable[Call]) -> list[PlannedRequests]:
    """The calls of a plan by endpoint, in order."""
    by_endpoint: dict[Endpoint, list[Call]] = {}
    for call in calls:
        by_endpoint.setdefault(call.endpoint, []).append(call)
    return [
        PlannedRequests(
            provider=endpoint.provider,
            endpoint=endpoint.name,
            facets=tuple(sorted({facet for call in own for _, facet in call.needs})),
            symbols=len({symbol for call in own for symbol in call.symbols}),
            requests=endpoint.cost * len(own),
        )
        for endpoint, own in by_endpoint.items()
    ]


def least_seconds(requests: float, limit: Limit | None) -> float:
    """How long it takes at least to send so many requests: the burst at once, then one every 1 / rate."""
    return 0.0 if limit is None else max(0.0, requests - limit.burst) / limit.rate


def busy_seconds(requests: float, limit: Limit | None) -> float:
    """How much of a provider's time so many requests take up, at its rate."""
    return 0.0 if limit is None else requests / limit.rate


def needs_of(what: Iterable[str | Need]) -> dict[Need, None]:
    """Needs without duplicates, in order, of canonical symbols.

    Raises:
        SymbolError: One of the symbols cannot be a ticker.
    """
    needs: dict[Need, None] = {}
    for item in what:
        if isinstance(item, str):
            needs.update(dict.fromkeys((normalise(item), facet) for facet in TICKER_FACETS))
        else:
            needs[normalise(item[0]), item[1]] = None
    return needs
