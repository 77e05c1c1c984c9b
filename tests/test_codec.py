"""Records as msgpack, and what is stored of them at all. Rows are tried by the contract of the levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from quotewell.cache.codec import (
    encode,
    older_or_newer,
    record_type,
    row_decoder,
    row_reader,
    row_writer,
    stored_fields,
    value_columns,
)
from quotewell.errors import UsageError
from quotewell.records import (
    FACETS,
    RECORD_TYPES,
    Dividend,
    DividendEvent,
    Failure,
    Freshness,
    Fx,
    Payouts,
    Provenance,
    Quote,
    Record,
    Result,
    Risk,
)

FAILURE = Failure("timeout", "took 15 s — twice", "yahoo", 2, 190.0, 200.0, 230.0)
EVENT = DividendEvent(738_000, 0.25, None, declared=True)
RECORDS: list[tuple[str, Record]] = [
    ("quote", Quote(symbol="AAPL", fetched_at=1.5, last=0.1, currency="USD", unverified=True)),
    ("quote", Quote(symbol="")),
    ("risk", Risk(symbol="A", beta=-1.0, method="ols_daily", n=1250)),
    ("dividend", Dividend(symbol="A", dividend_yield=0.004)),
    ("payouts", Payouts(symbol="A", events=(EVENT, EVENT))),
    ("fx", Fx(symbol="EURUSD=X", rate=float("inf"))),
    ("result:mine", Result(symbol='["k", 1]', blob=b"\x00\xff")),
]


def read(kind: type[Record], row: Sequence[Any]) -> Record:
    [record] = row_reader(kind)([row], {row[0]: row[0]}).values()
    return record


@pytest.mark.parametrize(("table", "record"), RECORDS)
def test_a_record_survives_msgpack(table: str, record: Record) -> None:
    [blob] = encode([record])
    back = read(record_type(table), row_decoder(record_type(table))(blob))
    assert back == record
    assert type(back) is record_type(table)
    assert read(record_type(table), older_or_newer(record_type(table), blob)) == record


def test_state_and_bookkeeping_are_not_written() -> None:
    record = Quote(symbol="A", hits=9, fresh_until=1e9, invalidated=True, failure=FAILURE)
    record.provenance = Provenance("x", None, 1.0, Freshness.FRESH, "memory")
    assert encode([record]) == encode([Quote(symbol="A")])
    assert encode([Result(symbol="k", value=object())]) == encode([Result(symbol="k")])
    assert encode([]) == []


def test_rows_of_other_versions_are_cut_or_filled_up() -> None:
    [blob] = encode([Fx(symbol="A", source="x", fetched_at=1.0, rate=2.0)])
    row = msgspec.msgpack.decode(blob)
    for other in ([*row, 0.3, "later"], row[:-1]):
        blob = msgspec.msgpack.encode(other)
        with pytest.raises(msgspec.DecodeError):
            row_decoder(Fx)(blob)
        rate = 2.0 if len(other) > len(row) else None
        expected = Fx(symbol="A", source="x", fetched_at=1.0, rate=rate)
        assert read(Fx, older_or_newer(Fx, blob)) == expected


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\xc1",
        b"pickle?",
        encode([Fx(symbol="A")])[0][:-1],
        msgspec.msgpack.encode({"symbol": "A", "rate": 1.0}),
        msgspec.msgpack.encode(["A", None, None, None, "1.0"]),
        msgspec.msgpack.encode([7, None, None, None, 1.0]),
    ],
)
def test_what_is_no_record_does_not_decode(blob: bytes) -> None:
    for decode in (row_decoder(Fx), lambda blob: older_or_newer(Fx, blob)):
        with pytest.raises(msgspec.DecodeError):
            decode(blob)


def test_new_fields_come_last_for_stored_rows_have_no_names() -> None:
    """What was stored by a program that is out in the world must not change its place."""
    before = {
        "quote": (
            "last", "bid", "ask", "previous_close", "currency", "exchange", "type", "delay", "market_state",
            "unverified", "suspect",
        ),
        "profile": ("name", "type", "exchange", "time_zone", "sector", "currency", "stated_beta"),
        "risk": (
            "beta", "method", "benchmark", "window_start", "window_end", "n", "standard_error", "r_squared",
        ),
        "dividend": ("dividend_yield",),  # a null came behind it once
        "payouts": ("events",),
        "history": ("first_date", "last_date", "bars", "currency"),
        "fx": ("rate",),
        "rate": ("years", "rate"),
        "result:x": ("blob",),
    }  # fmt: skip
    assert before.keys() == {*FACETS, "result:x"}
    for table, columns in before.items():
        known = ("symbol", "source", "as_of", "fetched_at", *columns)
        assert value_columns(record_type(table))[: len(known)] == known


@pytest.mark.parametrize("table", ["", "quotes", "result"])
def test_an_unknown_table_is_a_usage_error(table: str) -> None:
    with pytest.raises(UsageError, match="no table") as caught:
        record_type(table)
    assert "result:<namespace>" in caught.value.hint


def test_every_facet_has_its_type() -> None:
    assert [record_type(facet) for facet in FACETS] == list(RECORD_TYPES.values())


@pytest.mark.parametrize("table", [*FACETS, "result:x"])
def test_all_fields_but_bookkeeping_are_stored(table: str) -> None:
    kind = record_type(table)
    assert set(kind.__struct_fields__) - set(stored_fields(kind)) == {
        "fresh_until",
        "grace",
        "hits",
        "provenance",
        *(("value",) if kind is Result else ()),
    }
    assert set(stored_fields(kind)) - set(value_columns(kind)) == {"invalidated", "failure"}
    assert value_columns(kind)[0] == "symbol"


def test_strings_of_few_values_are_kept_once() -> None:
    def fresh(text: str | None) -> str | None:
        """The same text in another object, as it comes from a database."""
        return text and text.encode().decode()

    texts = [("A", "USD"), ("B", "USD"), ("C", None), ("D", "USD"), ("E", "EUR")]
    quotes = [Quote(symbol=symbol, currency=fresh(text), source=fresh("yahoo")) for symbol, text in texts]
    assert len({id(quote.source) for quote in quotes}) == len(quotes)
    rows = [row[:-1] for row in row_writer(Quote)(quotes, 1, "")]
    records = row_reader(Quote)(rows, {key: key for key in "ABCDE"})
    quotes = [record for record in records.values() if isinstance(record, Quote)]
    assert [quote.currency for quote in quotes] == ["USD", "USD", None, "USD", "EUR"]
    assert len({id(quote.source) for quote in quotes}) == 1
    assert len({id(quote.currency) for quote in quotes}) == 3


def test_rows_that_are_not_wanted_make_no_records() -> None:
    rows = [row[:-1] for row in row_writer(Fx)([Fx(symbol="A"), Fx(symbol="B", rate=2.0)], 1, "")]
    assert row_reader(Fx)(rows, {"B": "B"}) == {"B": Fx(symbol="B", rate=2.0)}


@pytest.mark.parametrize("column", ["fetched_at", "as_of", "last"])
@pytest.mark.parametrize("wrong", [b"", "1.0"])
def test_what_is_no_number_is_damage(column: str, wrong: object) -> None:
    """A byte flipped in a database file may turn a number into anything, also in a strict table."""
    columns = value_columns(Quote)
    row = dict.fromkeys(columns) | {"symbol": "A", "fetched_at": 1.0, "as_of": 1.0, "last": 1.0}
    read = row_reader(Quote, unsure=True)
    assert read([[row[name] for name in columns]], {"A": "A"})["A"].fetched_at == 1.0
    with pytest.raises(msgspec.ValidationError, match="in the place of a number"):
        read([[(row | {column: wrong})[name] for name in columns]], {"A": "A"})
