from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewell.endpoints import Endpoint, Limit
from quotewell.errors import SymbolError
from quotewell.outcomes import Outcome, PrefetchReport, outcome_of
from quotewell.prefetch import (
    PlannedRequests,
    busy_seconds,
    least_seconds,
    needs_of,
    plan,
    requests_of,
    summed,
)
from quotewell.records import FACETS, Facet, Failure, FailureKind, Freshness, Need, Quote, Reading, Record


def endpoint(name: str, *facets: Facet, at_once: int = 50, cost: float = 1.0) -> Endpoint:
    return Endpoint("fake", name, frozenset(facets), at_once, cost)


QUOTE = endpoint("quote", "quote", "profile", "dividend")
LATER = 1_700_000_000.0
HISTORY = endpoint("history", "history", at_once=2)


def fewest(needs: set[Need], endpoints: Sequence[Endpoint]) -> float:
    """The least cost over every way to give each facet to one endpoint that carries it."""
    carried = [facet for facet in FACETS if any(facet in one.facets for one in endpoints)]
    facets = sorted({facet for _, facet in needs} & set(carried))
    costs = []
    for chosen in itertools.product(endpoints, repeat=len(facets)):
        if all(facet in one.facets for facet, one in zip(facets, chosen, strict=True)):
            cost = 0.0
            for one in set(chosen):
                own = {facet for facet, taken in zip(facets, chosen, strict=True) if taken == one}
                symbols = {symbol for symbol, facet in needs if facet in own}
                cost += one.cost * math.ceil(len(symbols) / one.symbols_per_call)
            costs.append(cost)
    return min(costs)


def fewest_of_all(needs: set[Need], endpoints: Sequence[Endpoint]) -> float:
    """The least cost over every way to give each need, by itself, to one endpoint that carries it."""
    choices = [[one for one in endpoints if facet in one.facets] for _, facet in sorted(needs)]
    costs = []
    for chosen in itertools.product(*filter(None, choices)):
        asked: dict[Endpoint, set[str]] = {}
        carried = (need for need, choice in zip(sorted(needs), choices, strict=True) if choice)
        for (symbol, _), one in zip(carried, chosen, strict=True):
            asked.setdefault(one, set()).add(symbol)
        costs.append(requests_of(asked))
    return min(costs)


some_facets = st.frozensets(st.sampled_from(FACETS[:4]), min_size=1)
some_endpoints = st.lists(
    st.builds(
        Endpoint,
        st.just("fake"),
        st.sampled_from("abcd"),
        some_facets,
        st.integers(1, 4),
        st.sampled_from([0.5, 1.0, 2.0]),
    ),
    max_size=4,
    unique_by=lambda one: one.name,
)
some_needs = st.sets(st.tuples(st.sampled_from("PQRSTU"), st.sampled_from(FACETS[:5])), max_size=16)


@given(some_needs, some_endpoints)
def test_no_assignment_of_facets_to_endpoints_costs_less(needs: set[Need], endpoints: list[Endpoint]) -> None:
    calls = plan(needs, endpoints)
    assert sum(call.endpoint.cost for call in calls) <= fewest(needs, endpoints)


YAHOO = [
    endpoint("quote", "quote", "profile", "dividend", at_once=3),
    endpoint("spark", "history", at_once=2),
    endpoint("chart", "history", at_once=1),
    endpoint("quote_summary", "profile", "dividend", at_once=1),
]
FMP = [
    endpoint("profile", "quote", "profile", "dividend", at_once=1),
    endpoint("batch_quote", "quote", at_once=2),
]
few_needs = st.sets(
    st.tuples(st.sampled_from("PQRSTU"), st.sampled_from(("quote", "profile", "dividend", "history"))),
    max_size=8,
)


@given(few_needs, st.sampled_from([YAHOO, FMP]))
def test_no_way_to_distribute_the_needs_of_our_providers_costs_less(
    needs: set[Need], endpoints: list[Endpoint]
) -> None:
    """The providers' endpoints, with fewer symbols a call so that few needs fill several."""
    calls = plan(needs, endpoints)
    assert sum(call.endpoint.cost for call in calls) == fewest_of_all(needs, endpoints)


def test_a_symbol_that_is_asked_for_anyway_saves_a_call_of_another_endpoint() -> None:
    needs: list[Need] = [(symbol, "quote") for symbol in "ABC"]
    calls = plan([*needs, ("C", "dividend")], FMP)
    assert [(call.endpoint.name, call.symbols) for call in calls] == [
        ("batch_quote", ("A", "B")),
        ("profile", ("C",)),
    ]
    assert calls[1].needs == {("C", "quote"), ("C", "dividend")}


def test_with_endpoints_that_nobody_has_the_plan_may_cost_more_than_the_least() -> None:
    """Two kinds of calls for one facet, neither dividing its symbols evenly; pinned, not wanted."""
    endpoints = [endpoint("three", "quote", at_once=3, cost=2.0), endpoint("one", "quote", at_once=1)]
    needs: set[Need] = {(symbol, "quote") for symbol in "ABCD"}
    assert sum(call.endpoint.cost for call in plan(needs, endpoints)) == 4.0
    assert fewest_of_all(needs, endpoints) == 3.0


@given(some_needs, some_endpoints)
def test_every_need_that_can_be_met_is_in_exactly_one_call(
    needs: set[Need], endpoints: list[Endpoint]
) -> None:
    calls = plan(needs, endpoints)
    planned = [need for call in calls for need in call.needs]
    carried = {facet for one in endpoints for facet in one.facets}
    assert sorted(planned) == sorted(need for need in needs if need[1] in carried)
    for call in calls:
        assert 1 <= len(call.symbols) <= call.endpoint.symbols_per_call
        assert sorted(call.symbols) == sorted({symbol for symbol, _ in call.needs})
        assert {facet for _, facet in call.needs} <= call.endpoint.facets


def test_facets_of_one_endpoint_share_its_calls() -> None:
    needs = [(symbol, facet) for symbol in ("A", "B") for facet in ("quote", "profile", "dividend")]
    (call,) = plan(needs, [QUOTE, HISTORY])
    assert (call.endpoint, call.symbols, call.needs) == (QUOTE, ("A", "B"), frozenset(needs))


def test_symbols_are_chunked_in_order_and_only_with_what_they_need() -> None:
    needs = [*((symbol, "history") for symbol in "CABED"), ("A", "history")]
    calls = plan(needs, [QUOTE, HISTORY])
    assert [call.symbols for call in calls] == [("C", "A"), ("B", "E"), ("D",)]
    assert calls[1].needs == {("B", "history"), ("E", "history")}


def test_a_call_is_made_for_nothing_but_what_is_missing() -> None:
    (call,) = plan([("A", "quote"), ("B", "profile")], [QUOTE])
    assert call.needs == {("A", "quote"), ("B", "profile")}


def test_of_equal_plans_the_endpoint_listed_first_is_taken() -> None:
    first, second = endpoint("first", "quote"), endpoint("second", "quote")
    assert plan([("A", "quote")], [first, second])[0].endpoint == first
    assert plan([("A", "quote")], [second, first])[0].endpoint == second


def test_a_cheaper_endpoint_is_taken_although_listed_later() -> None:
    single, batch = endpoint("single", "quote", at_once=1), endpoint("batch", "quote", at_once=3, cost=2.0)
    assert [call.endpoint for call in plan([("A", "quote")], [single, batch])] == [single]
    three = plan([(symbol, "quote") for symbol in "ABC"], [single, batch])
    assert [call.endpoint for call in three] == [batch]
    assert requests_of({single: "ABC", batch: "ABCD"}) == 3 + 4


@pytest.mark.parametrize(
    ("needs", "endpoints"), [([], [QUOTE]), ([("A", "fx")], [QUOTE]), ([("A", "fx")], [])]
)
def test_nothing_to_plan_is_no_call(needs: list[Need], endpoints: list[Endpoint]) -> None:
    assert plan(needs, endpoints) == []


def test_a_plan_is_told_by_endpoint_with_symbols_counted_once_and_costs_added() -> None:
    dear = endpoint("history", "history", at_once=2, cost=1.5)
    needs: list[Need] = [("A", "quote"), ("A", "dividend"), ("B", "profile")]
    calls = plan([*needs, *((symbol, "history") for symbol in "ABC")], [QUOTE, dear])
    assert summed(reversed(calls)) == [
        PlannedRequests(provider="fake", endpoint="history", facets=("history",), symbols=3, requests=3.0),
        PlannedRequests(
            provider="fake",
            endpoint="quote",
            facets=("dividend", "profile", "quote"),
            symbols=2,
            requests=1.0,
        ),
    ]
    assert summed([]) == []


@pytest.mark.parametrize(
    ("requests", "limit", "least", "busy"),
    [
        pytest.param(25.0, Limit(rate=2.0, burst=5), 10.0, 12.5, id="a burst of 5, the rest 2 a second"),
        pytest.param(5.0, Limit(rate=2.0, burst=5), 0.0, 2.5, id="the burst alone"),
        pytest.param(1.0, Limit(rate=0.5, burst=5), 0.0, 2.0, id="less than the burst"),
        pytest.param(25.0, None, 0.0, 0.0, id="no limit"),
    ],
)
def test_the_seconds_that_a_limit_makes_of_requests(
    requests: float, limit: Limit | None, least: float, busy: float
) -> None:
    assert (least_seconds(requests, limit), busy_seconds(requests, limit)) == (least, busy)


def test_a_symbol_alone_stands_for_its_ticker_facets_each_needed_once_in_order() -> None:
    needs = needs_of([("brk.b", "history"), "BRK B", ("BRK-B", "quote"), "aapl"])
    assert list(needs) == [
        ("BRK-B", "history"),
        *(
            (symbol, facet)
            for symbol in ("BRK-B", "AAPL")
            for facet in ("quote", "profile", "risk", "dividend")
        ),
    ]
    with pytest.raises(SymbolError, match=r"TEST\$"):
        needs_of(["AAPL", "TEST$"])


# --------------------------------------------------------------------------------------------------- report


def reading(
    freshness: Freshness, level: str = "memory", failure: FailureKind | None = None
) -> Reading[Record]:
    why = Failure(failure, f"why {failure}", "fake", 1, 0.0, 0.0, LATER) if failure else None
    record = Quote(symbol="A", last=1.0) if freshness > Freshness.NONE else None
    return Reading("A", record, freshness, level, why)


@pytest.mark.parametrize(
    ("read", "outcome"),
    [
        (reading(Freshness.FRESH), Outcome("fresh")),
        (reading(Freshness.GRACE, "sqlite"), Outcome("fresh")),
        (reading(Freshness.FRESH, "provider"), Outcome("fetched")),
        (reading(Freshness.STALE, "provider"), Outcome("fetched")),
        (reading(Freshness.STALE, "sqlite", "server"), Outcome("kept", "why server", LATER)),
        (reading(Freshness.FRESH, "sqlite", "quota"), Outcome("kept", "why quota", LATER)),
        (reading(Freshness.STALE, "sqlite"), Outcome("kept", "no provider was asked")),
        (reading(Freshness.NONE, "", "unknown"), Outcome("unknown", "why unknown", LATER)),
        (reading(Freshness.NONE, "", "omitted"), Outcome("omitted", "why omitted", LATER)),
        (reading(Freshness.NONE, "", "timeout"), Outcome("failed", "why timeout", LATER)),
        (reading(Freshness.NONE, ""), Outcome("failed", "not cached, and no provider was asked")),
    ],
)
def test_the_outcome_that_a_reading_tells_of(read: Reading[Record], outcome: Outcome) -> None:
    assert outcome_of(read) == outcome


def test_the_report_counts_every_need_once_and_groups_by_symbol() -> None:
    report = PrefetchReport(
        outcomes={
            ("A", "quote"): Outcome("fetched"),
            ("A", "risk"): Outcome("failed", "no history"),
            ("B", "quote"): Outcome("fetched"),
        },
        requests=1,
        seconds=0.5,
    )
    assert report.counts() == {
        "fresh": 0, "fetched": 2, "kept": 0, "unknown": 0, "omitted": 0, "failed": 1,
    }  # fmt: skip
    assert report.by_symbol() == {
        "A": {"quote": Outcome("fetched"), "risk": Outcome("failed", "no history")},
        "B": {"quote": Outcome("fetched")},
    }
