from __future__ import annotations

from typing import get_args

import pytest

from quotewell.records import (
    FACETS,
    RECORD_TYPES,
    Facet,
    Freshness,
    Provenance,
    Quote,
    Reading,
    Record,
    TickerData,
)


def test_every_facet_has_its_own_record_type_and_place_in_ticker_data() -> None:
    assert tuple(RECORD_TYPES) == FACETS == get_args(Facet)
    assert len(set(RECORD_TYPES.values())) == len(FACETS)
    assert set(FACETS) <= set(TickerData.__struct_fields__)


@pytest.mark.parametrize("record_type", RECORD_TYPES.values())
def test_a_new_record_has_no_value_and_no_default_number(record_type: type[Record]) -> None:
    record = record_type(symbol="A")
    numbers = [
        field
        for field in record.__struct_fields__
        if isinstance(getattr(record, field), (int, float)) and not isinstance(getattr(record, field), bool)
    ]
    assert record.fetched_at is None
    assert numbers == ["fresh_until", "grace", "hits"]


def reading(record: Quote | None, freshness: Freshness = Freshness.STALE) -> Reading[Quote]:
    return Reading("A", record, freshness, "sqlite")


def test_a_reading_tells_where_its_value_comes_from() -> None:
    quote = Quote(symbol="A", source="fake", as_of=1.0, fetched_at=2.0, last=3.0)
    assert reading(quote).provenance == Provenance("fake", 1.0, 2.0, Freshness.STALE, "sqlite")


@pytest.mark.parametrize("quote", [None, Quote(symbol="A", source="fake"), Quote(symbol="A", fetched_at=1.0)])
def test_without_a_value_there_is_no_provenance(quote: Quote | None) -> None:
    assert reading(quote).provenance is None


@pytest.mark.parametrize("freshness", Freshness)
def test_a_reading_is_usable_when_it_has_a_value_that_may_be_served(freshness: Freshness) -> None:
    quote = Quote(symbol="A", source="fake", fetched_at=1.0, last=1.0)
    assert reading(quote, freshness).usable == (freshness != Freshness.NONE)
    assert not reading(None, freshness).usable
