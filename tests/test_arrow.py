"""One book three ways: positions asked one by one, columns, and tables that could be anywhere."""

from __future__ import annotations

import datetime as dt
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker_samples import SAMPLES, Sample
from quotewell.analytics.arrays import Floats
from quotewell.calendars import close_of
from quotewell.errors import DataUnavailable, UsageError
from quotewell.portfolio.arrow import exposures, file_from_arrow, market_for, market_to_arrow
from quotewell.portfolio.arrow.exposures import RESULTS
from quotewell.portfolio.arrow.market import snapshot_from_arrow
from quotewell.portfolio.basis import Basis, Deliverable
from quotewell.portfolio.columns import Columns
from quotewell.portfolio.importers import ImportedFile, read_positions
from quotewell.portfolio.needs import Entry, needs_of
from quotewell.portfolio.portfolio import Portfolio
from quotewell.portfolio.positions import CashPosition, PendingActivity, Position, UnknownPosition
from quotewell.portfolio.snapshot import Snapshot, take
from quotewell.records import Dividend, DividendEvent, Freshness, InstrumentType, Payouts, Reading
from quotewell.testing.source import FakeSource
from valued_books import AT, DAY, HOUR, option, quote, stock

CALL, PUT, EXPIRED = "AMZN250620C00200000", "AMZN250919P00185000", "AMZN250117C00200000"
EUROPEAN, ADJUSTED, ON_VIX = "SPXW250620P05500000", "AMZN1250620C00200000", "VIX250618C00020000"
BASIS = Basis(dividend_yield=0.01, rates={"GBP": 0.04}, deliverables={"AMZN1": Deliverable(110.0, 25.0)})


def source(**given: Any) -> FakeSource:
    prices = {
        "AMZN": quote("AMZN", 193.1, AT),
        "^GSPC": quote("^GSPC", 5663.9, AT),
        CALL: quote(CALL, 6.4, AT, bid=6.3, ask=6.5),
        PUT: quote(PUT, 9.5, AT - HOUR),
        EUROPEAN: quote(EUROPEAN, 91.0, AT),
        ADJUSTED: quote(ADJUSTED, 12.0, AT),
    }
    types: dict[str, InstrumentType] = {"FDRXX": "money_market", "AMZN": "stock"}
    return FakeSource(
        prices, {"AMZN": 1.31}, dividend_yields={"AMZN": 0.0}, rates={"^IRX": 0.043, "^TNX": 0.044},
        fx={"GBPUSD=X": 1.33}, types=types, now=AT, **given,
    )  # fmt: skip


def book_of(entries: list[Entry], *, as_of: float | None = AT, basis: Basis = BASIS) -> Portfolio:
    file = ImportedFile(broker="plain", path="book.csv", as_of=as_of)
    for entry in entries:
        file.add(entry)
    return Portfolio(file, source(), basis=basis, at=AT)


def figures(table: Any, name: str) -> Floats:
    return np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=np.float64)


number = st.one_of(st.none(), st.floats(-1e5, 1e5))
fields = st.fixed_dictionaries(
    {"value": number, "currency": st.sampled_from([None, "USD", "GBp", "GBP", "CHF"])},
    optional={"fx_rate": st.floats(0.5, 2.0), "as_of": st.sampled_from([AT - DAY, AT])},
)
price = st.one_of(st.none(), st.floats(0.01, 500.0))
stocks = st.sampled_from(["AMZN", "VOD.L", "FDRXX", "UNHEARD", "021ESC017", "^GSPC"])
options = st.sampled_from([CALL, PUT, EXPIRED, EUROPEAN, ADJUSTED, ON_VIX])
entries = st.one_of(
    st.builds(lambda s, q, p, f: stock(s, q, price=p, **f), stocks, number, price, fields),
    st.builds(lambda s, q, p, f: option(s, q, price=p, **f), options, number, price, fields),
    st.builds(lambda q, f: CashPosition(symbol="CASH", quantity=q, **f), number, fields),
    st.builds(lambda q, f: UnknownPosition(symbol="A BOND", quantity=q, **f), number, fields),
    st.builds(lambda f: PendingActivity(**f), fields),
)


def asked(entry: Entry, name: str) -> float:
    """What a position says for itself; NaN where it has nothing to say."""
    try:
        return float(getattr(entry, name))
    except DataUnavailable:
        return math.nan


@settings(max_examples=60, deadline=None)
@given(st.lists(entries, max_size=6))
def test_positions_columns_and_tables_say_the_same(found: list[Entry]) -> None:
    book = book_of(found)
    columns = book.value()
    table = exposures(book.to_arrow(), book.market_to_arrow())
    for name, column in _figures_of(columns).items():
        np.testing.assert_array_equal(figures(table, name), column)
    positions: list[Entry] = [*book.positions, *book.pending]
    np.testing.assert_array_equal([asked(one, "market_value") for one in positions], columns.value)
    held = columns.is_kind(0, 1)  # cash answers for itself, without asking
    rows = [row for row in np.flatnonzero(held).tolist() if isinstance(positions[row], Position)]
    for name, column in (
        ("market_exposure", columns.exposure),
        ("beta_adjusted_exposure", columns.beta_adjusted),
        ("delta", columns.delta),
    ):
        own = [asked(positions[row], name) for row in rows]
        np.testing.assert_array_equal(own, column[rows])


def _figures_of(columns: Columns) -> dict[str, Floats]:
    return {
        "market_price": columns.price,
        "market_value": columns.value,
        "spot": columns.spot,
        "delta": columns.delta,
        "volatility": columns.contracts.volatility,
        "beta": columns.beta,
        "exposure": columns.exposure,
        "beta_adjusted": columns.beta_adjusted,
    }


def test_a_table_says_why_a_figure_is_missing_and_what_others_rest_on() -> None:
    book = book_of([stock(), stock("UNHEARD"), option(EXPIRED), stock("VOD.L", price=71.0, currency="GBp")])
    table = exposures(book.to_arrow(), book.market_to_arrow())
    assert table["status"].to_pylist() == ["ok", "no_price", "expired", "no_beta"]
    assert table["flags"].to_pylist()[3].split() == ["no_beta", "reported"]
    assert table["exposure"].to_pylist()[:3] == [1931.0, None, None]
    assert table["underlying"].to_pylist() == ["AMZN", "UNHEARD", "AMZN", "VOD.L"]
    assert set(RESULTS) <= set(table.column_names)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: f"{one.broker}{one.variant}")
def test_what_a_broker_said_survives_the_way_through_a_table(sample: Sample) -> None:
    rows = [row for several in sample.rows.values() for row in several]
    text = "\n".join([sample.header, *rows, sample.trailing])
    file = read_positions(text.encode(), "export.csv")
    book = Portfolio(file)
    again = Portfolio.from_arrow(book.to_arrow())
    assert again.positions == book.positions
    assert again.pending == book.pending
    assert again.rejected == []
    read, was = again.file, book.file
    assert (read.broker, read.path, read.as_of, read.base_currency) == (
        was.broker, was.path, was.as_of, was.base_currency,
    )  # fmt: skip


def test_pandas_and_polars_bring_the_same_book() -> None:
    cash = CashPosition(symbol="CASH", quantity=5.0, currency="USD", line=4)
    book = book_of([stock(price=190.0, line=2), option(line=3), cash])
    table = book.to_arrow()
    frames = [table.to_pandas(), pl.from_arrow(table), table.to_batches()[0], table.slice(0)]
    frames.append(pl.from_arrow(table).with_columns(pl.col("symbol", "kind").cast(pl.Categorical)))  # type: ignore[union-attr]
    frames.append(table.to_pandas().astype({"symbol": "category", "line": "float64"}))
    for frame in frames:
        again = Portfolio.from_arrow(frame, source(), at=AT, basis=BASIS)
        assert again.positions == book.positions
        assert again.as_of == AT  # the column tells, where the metadata is lost
        np.testing.assert_array_equal(again.value().exposure, book.value().exposure)


def test_symbol_and_quantity_are_enough() -> None:
    frame = pd.DataFrame({"symbol": ["brk.b", CALL, "FDRXX", "AMZN"], "quantity": [3, -2, 100, math.nan]})
    book = Portfolio.from_arrow(frame, source(), at=AT)
    assert [position.symbol for position in book.positions] == ["BRK-B", CALL, "FDRXX"]
    assert [position.kind for position in book.positions] == ["stock", "option", "cash"]
    (rejected,) = book.rejected
    assert (rejected.line, rejected.reason) == (4, "AMZN: neither a quantity nor a value")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"symbol": "AMZN", "quantity": math.inf}, "quantity: inf is not a finite number"),
        ({"symbol": "AMZN", "quantity": 1.0, "kind": "option"}, "AMZN is of the kind stock, not option"),
        ({"symbol": "^VIX", "quantity": 1.0}, "an index cannot be held"),
        ({"symbol": None, "quantity": 1.0}, "is empty"),
        ({"symbol": None, "quantity": None, "kind": "pending"}, "pending activity without an amount"),
    ],
)
def test_a_row_that_is_no_position_is_rejected_and_says_why(row: dict[str, Any], reason: str) -> None:
    good = {"symbol": "AMZN", "quantity": 1.0, "kind": "stock"}
    book = Portfolio.from_arrow(pa.Table.from_pylist([good, {"kind": None, **row}]))
    assert len(book.positions) == 1
    (rejected,) = book.rejected
    assert rejected.line == 2
    assert reason in rejected.reason


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"symbol": ["AMZN"]}, "no column quantity"),
        ({"symbol": ["AMZN"], "quantity": ["many"]}, "column quantity is of type string"),
        ({"symbol": [1.5], "quantity": [1.0], "as_of": [dt.datetime(2025, 5, 8)]}, "no time zone"),  # noqa: DTZ001
        ({"symbol": ["AMZN"], "quantity": [1.0], "as_of": ["today"]}, "column as_of is of type string"),
    ],
)
def test_a_table_of_another_shape_is_refused_by_its_column(table: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        file_from_arrow(pa.table(table))


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(UsageError, match="no table that Arrow can read: int"):
        file_from_arrow(7)
    twice = pa.table([["AMZN"], ["AMZN"], [1.0]], ["symbol", "symbol", "quantity"])
    with pytest.raises(UsageError, match="several columns of the name symbol"):
        file_from_arrow(twice)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"kind": "equity", "symbol": "AMZN"}, "unknown kinds: equity"),
        ({"kind": None, "symbol": "AMZN"}, "unknown kinds: None"),
        ({"kind": "stock", "symbol": None}, "row 1 of the positions has no symbol"),
        ({"kind": "option", "symbol": "AMZN 250620C200"}, "is no option symbol"),
        ({"kind": "option", "symbol": "amzn250620c00200000"}, "is no option symbol"),
    ],
)
def test_exposures_take_positions_as_to_arrow_writes_them(row: dict[str, Any], message: str) -> None:
    table = pa.table(
        {name: pa.array([value], pa.string()) for name, value in row.items()} | {"quantity": [1.0]}
    )
    with pytest.raises(UsageError, match=message):
        exposures(table, book_of([]).market_to_arrow())


def test_an_infinite_quantity_is_refused() -> None:
    table = pa.table({"kind": ["stock", "stock"], "symbol": ["AMZN"] * 2, "quantity": [1.0, -math.inf]})
    with pytest.raises(UsageError, match="quantity of the positions is infinite in row 2"):
        exposures(table, book_of([]).market_to_arrow())


def test_market_data_of_ones_own_are_enough() -> None:
    positions = pl.DataFrame({"kind": ["stock", "option"], "symbol": ["AMZN", CALL], "quantity": [10, -2]})
    at = dt.datetime.fromtimestamp(AT, dt.UTC)
    market = pl.DataFrame([
        {"symbol": "AMZN", "facet": "quote", "last": 193.1, "source": "desk", "as_of": at},
        {"symbol": CALL, "facet": "quote", "last": 6.4, "source": "desk", "as_of": at},
        {"symbol": "AMZN", "facet": "risk", "beta": 1.31},
        {"symbol": "AMZN", "facet": "dividend", "dividend_yield": 0.0},
        {"symbol": "^IRX", "facet": "rate", "years": 0.25, "rate": 0.043},
    ])  # fmt: skip
    table = exposures(positions, market, basis=BASIS, at=AT)
    shares, calls = table["exposure"].to_pylist()
    assert shares == pytest.approx(1931.0)
    assert calls == pytest.approx(-200 * 193.1 * table["delta"][1].as_py())
    assert table["beta_adjusted"].to_pylist() == pytest.approx([shares * 1.31, calls * 1.31])


def test_market_data_without_instant_and_basis_are_refused() -> None:
    book = book_of([stock()])
    bare = book.market_to_arrow().replace_schema_metadata(None)
    with pytest.raises(UsageError, match="for which instant and basis"):
        exposures(book.to_arrow(), bare)
    with_both = exposures(book.to_arrow(), bare, basis=BASIS, at=AT)
    assert with_both["exposure"].to_pylist() == [1931.0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"facet": "history"}, "unknown facet: 'AMZN', 'history'"),
        ({"facet": "quote", "freshness": "old"}, "unknown freshness 'old'"),
        ({"facet": "quote", "chosen": False}, "0 prices are chosen to value with"),
        ({"facet": "quote", "last": math.inf}, "last of the market data is infinite in row 2"),
        ({"facet": "risk", "beta": 1.0}, "AMZN: several readings of the facet risk"),
    ],
)
def test_market_data_that_mean_nothing_are_refused(row: dict[str, Any], message: str) -> None:
    first = {"symbol": "AMZN", "facet": "risk", "beta": 1.2, "last": None, "freshness": None, "chosen": None}
    with pytest.raises(UsageError, match=message):
        snapshot_from_arrow(pa.Table.from_pylist([first, {"symbol": "AMZN", **row}]), AT)


def test_nothing_that_was_said_after_the_instant_counts() -> None:
    book = book_of([stock(price=190.0, as_of=AT - DAY), option(price=6.0, as_of=AT - DAY)])
    positions, market = book.to_arrow(), book.market_to_arrow()
    told = exposures(positions, market)
    assert told["market_price"].to_pylist() == [193.1, 6.4]
    before = exposures(positions, market, at=AT - HOUR)  # the broker's prices are not valued with: not chosen
    assert before["market_price"].to_pylist() == [None, None]
    assert before["status"].to_pylist() == ["no_price", "no_price"]


@given(st.floats(1e8, 4e9))
def test_an_instant_comes_back_as_it_was(instant: float) -> None:
    file = ImportedFile(broker="plain", path="book.csv", as_of=instant)
    file.add(stock())
    table = Portfolio(file, source(), at=AT).to_arrow()
    assert file_from_arrow(table.replace_schema_metadata(None)).as_of == instant


def test_every_reading_comes_back_with_what_a_valuation_reads() -> None:
    event = DividendEvent(dt.date(2025, 6, 2).toordinal(), 0.25, "USD", declared=True)
    told = source(freshness=Freshness.STALE)
    told._keep("dividend", Dividend(symbol="AMZN", dividend_yield=0.004))
    told._keep("payouts", Payouts(symbol="AMZN", events=(event,)))
    book: list[Entry] = [
        stock(price=190.0, as_of=AT - DAY),
        option(),
        stock("FDRXX"),
        stock("VOD.L", currency="GBp"),
    ]
    needs = needs_of(book, BASIS, AT)
    snapshot = take(told, needs, "USD")
    again = snapshot_from_arrow(market_to_arrow(snapshot, BASIS), AT)
    assert _read(again) == _read(snapshot)
    assert again.payouts["AMZN"].record is not None
    assert again.payouts["AMZN"].record.events == (event,)


def _read(snapshot: Snapshot) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Of every reading the value, how fresh it is, and where it is from."""
    readings: dict[tuple[str, str], Reading[Any]] = {}
    for facet in ("profiles", "risks", "dividends", "payouts", "rates", "fx"):
        readings |= {(facet, symbol): one for symbol, one in getattr(snapshot, facet).items()}
    readings |= {("quotes", symbol): found.best for symbol, found in snapshot.quotes.items()}
    told = {key: (one.record, one.freshness, one.level) for key, one in readings.items()}
    prices = {("all", symbol): (one.service, one.reported) for symbol, one in snapshot.quotes.items()}
    return {**told, **prices}


@pytest.mark.parametrize("own", [False, True])
def test_dividends_by_their_dates_travel_along(own: bool) -> None:
    """Those of the market and the user's own."""
    event = DividendEvent(dt.date(2025, 6, 2).toordinal(), 1.5, "USD", declared=True)
    tickers = source()
    basis = BASIS if not own else Basis(dividends={"AMZN": (event,)})
    if not own:
        tickers._keep("dividend", Dividend(symbol="AMZN", dividend_yield=0.004))
        tickers._keep("payouts", Payouts(symbol="AMZN", events=(event,)))
    file = ImportedFile(broker="plain", path="b", as_of=AT, positions=[option(), stock()])
    book = Portfolio(file, tickers, basis=basis, at=AT)
    table = exposures(book.to_arrow(), book.market_to_arrow())
    columns = book.value()
    np.testing.assert_array_equal(figures(table, "exposure"), columns.exposure)
    told = [flags.split() for flags in table["flags"].to_pylist()]
    assert ["discrete_dividends" in flags for flags in told] == [True, False]
    plain = exposures(book.to_arrow(), book_of([option(), stock()]).market_to_arrow())
    assert plain["exposure"][0].as_py() != table["exposure"][0].as_py()


def test_each_part_of_a_book_is_valued_as_in_the_whole() -> None:
    book = book_of([stock(price=190.0), option(), option(PUT), stock("UNHEARD"), stock(quantity=3.0)])
    whole = exposures(book.to_arrow(), book.market_to_arrow())
    parts = []
    for batch in book.to_arrow().to_batches(max_chunksize=2):
        found = exposures(batch, market_for(batch, book.source, BASIS))
        assert isinstance(found, pa.RecordBatch)
        parts.append(found)
    assert len(parts) == 3
    assert pa.Table.from_batches(parts)["exposure"].equals(whole["exposure"])


def test_an_empty_batch_has_the_columns_too() -> None:
    book = book_of([stock()])
    empty = book.to_arrow().to_batches()[0].slice(1)
    found = exposures(empty, book.market_to_arrow())
    assert (found.num_rows, set(RESULTS) <= set(found.schema.names)) == (0, True)


def test_exposures_need_neither_a_service_nor_the_book(tmp_path: Path) -> None:
    book = book_of([stock(), option()])
    for name, table in (("positions", book.to_arrow()), ("market", book.market_to_arrow())):
        with pa.OSFile(str(tmp_path / name), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    code = f"""
import sys, pyarrow as pa
from quotewell.portfolio.arrow import exposures
read = lambda name: pa.ipc.open_file({str(tmp_path)!r} + "/" + name).read_all()
print(exposures(read("positions"), read("market"))["exposure"].to_pylist())
for module in ("service", "wiring", "providers", "cache"):
    assert "quotewell." + module not in sys.modules, module
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str(book.value().exposure.tolist())


def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="needs pyarrow") as caught:
        book_of([stock()]).to_arrow()
    assert caught.value.hint == "pip install 'quotewell[arrow]'"


def test_a_dollar_book_of_a_day_before_the_close_is_of_that_instant() -> None:
    noon = close_of(dt.date(2025, 5, 8)) - 4 * HOUR
    book = Portfolio(ImportedFile(broker="plain", path="b", positions=[stock(price=190.0)]), at=noon)
    market = book.market_to_arrow()
    assert exposures(book.to_arrow(), market)["exposure"].to_pylist() == [1900.0]
    assert snapshot_from_arrow(market, noon).quotes["AMZN"].best.level == "reported"
