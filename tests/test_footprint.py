"""The estimate of the memory that records take, beside what the interpreter itself allocates for them."""

from __future__ import annotations

import tracemalloc

import pytest

from quotewell.cache.footprint import footprint
from quotewell.records import Dividend, DividendEvent, Quote, Record, Result


def quotes(n: int) -> dict[str, Record]:
    records = (
        Quote(
            symbol=f"SYMBOL{i}", last=i + 0.5, bid=i + 0.25, ask=i + 0.75, previous_close=i + 0.1,
            currency="USD", source="yahoo", as_of=1.7e9 + i, fetched_at=1.7e9 + i, fresh_until=9e3 + i,
        )
        for i in range(n)
    )  # fmt: skip
    return {record.symbol: record for record in records}


def test_nothing_takes_nothing() -> None:
    assert footprint({}) == 0


def test_the_estimate_is_near_what_is_allocated() -> None:
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    table = quotes(5000)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert footprint(table) == pytest.approx(after - before, rel=0.15)


def test_it_grows_with_the_number_of_records() -> None:
    assert footprint(quotes(4000)) == pytest.approx(4 * footprint(quotes(1000)), rel=0.15)


def test_what_a_record_holds_counts() -> None:
    bare: dict[str, Record] = {"A": Dividend(symbol="A")}
    events = tuple(
        DividendEvent(ex_date=739_000 + i, amount=0.25 + i, currency="USD", declared=False) for i in range(40)
    )
    with_events: dict[str, Record] = {"A": Dividend(symbol="A", events=events)}
    assert footprint(with_events) > footprint(bare) + 40 * 50
    same: dict[str, Record] = {"A": Dividend(symbol="A", events=events[:1] * 40)}
    assert footprint(same) < footprint(bare) + 40 * 20, "what is shared is counted once"
    result: dict[str, Record] = {"A": Result(symbol="A")}
    big: dict[str, Record] = {"A": Result(symbol="A", blob=b"x" * 10_000)}
    assert footprint(big) >= footprint(result) + 10_000
