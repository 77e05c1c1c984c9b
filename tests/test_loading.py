from __future__ import annotations

import pytest

from quotewell.cache.loading import Miss, by_table, miss_of
from quotewell.endpoints import Fetched
from quotewell.errors import ProviderError
from quotewell.records import FailureKind

NEED = ("AAPL", "quote")
QUOTA = ProviderError("fake", "quota", "spent", retry_at=9.0)
BUG = KeyError("price")


@pytest.mark.parametrize(
    ("fetched", "miss"),
    [
        (Fetched(failed={NEED: QUOTA}), Miss("quota", "spent", "fake", 9.0, QUOTA)),
        (Fetched(failed={NEED: BUG}), Miss("invalid", "KeyError: 'price'", "fake", None, BUG)),
        (Fetched(unknown={NEED}), Miss("unknown", "fake knows no quote of AAPL", "fake")),
        (Fetched(omitted={NEED}), Miss("omitted", "fake left AAPL out of its answer", "fake")),
        (Fetched(), Miss("omitted", "fake left AAPL out of its answer", "fake")),
    ],
)
def test_why_a_need_is_still_missing(fetched: Fetched, miss: Miss) -> None:
    assert miss_of(NEED, "fake", fetched, None) == miss


@pytest.mark.parametrize("kind", ["quota", "server", "suspect", "unsupported"])
def test_a_failure_outlives_a_later_unknown(kind: FailureKind) -> None:
    before = Miss(kind, "reason", "first")
    assert miss_of(NEED, "second", Fetched(unknown={NEED}), before) is before


@pytest.mark.parametrize("kind", ["unknown", "omitted"])
def test_a_later_failure_outlives_an_unknown(kind: FailureKind) -> None:
    assert miss_of(NEED, "second", Fetched(failed={NEED: QUOTA}), Miss(kind, "", "first")).kind == "quota"


def test_needs_are_grouped_by_table_in_order() -> None:
    needs = [("B", "quote"), ("A", "fx"), ("A", "quote")]
    assert by_table(needs) == {"quote": ["B", "A"], "fx": ["A"]}
    assert by_table([]) == {}
