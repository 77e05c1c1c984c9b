"""A book against its broker's figures: nothing of a difference stays unexplained."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from command_line import CommandLine
from quotewell import Portfolio
from quotewell.portfolio.differences import row_differences
from quotewell.portfolio.positions import CashPosition, PendingActivity, StockPosition
from quotewell.portfolio.reconciliation import Reconciliation, reconcile
from quotewell.portfolio.summary import DifferenceParts
from quotewell.testing.source import FakeSource
from valued_books import AT, stock, valued

FILE = """account,symbol,quantity,price,value,currency
Z1,AMZN,10,100,1000,USD
Z1,NVDA,5,100,600,USD
Z2,CASH,250,,250,USD
Z2,GONE,3,50,150,USD
Z2,NEW,2,,,USD
Z2,BAD,x,,,USD
"""
SPLIT = "symbol,quantity,price,value\nAMZN,10,1000,10000\n"


def book(text: str, prices: dict[str, float]) -> Portfolio:
    return Portfolio.from_csv(text.encode(), FakeSource(prices, now=AT), at=AT)


@pytest.fixture
def found() -> Reconciliation:
    return reconcile(book(FILE, {"AMZN": 110.0, "NVDA": 100.0, "NEW": 7.0}))


def total_of(parts: DifferenceParts) -> float:
    return math.fsum(msgspec.structs.astuple(parts))


def test_three_totals_and_what_leads_from_one_to_the_next(found: Reconciliation) -> None:
    total = found.total
    assert (total.broker, total.at_broker_prices, total.value) == (2000.0, 1900.0, 2014.0)
    assert total.difference == 14.0
    expected = DifferenceParts(
        price=100.0, disputed=-100.0, fx=0.0, unpriced=0.0, unreported=14.0, rounding=0.0
    )
    assert total.parts == expected


def test_what_is_in_one_total_only_is_named(found: Reconciliation) -> None:
    assert [row.line for row in found.rejected] == [7]
    assert not found.agrees
    # Nobody but the file prices GONE, so its price counts.
    assert found.not_valued == ()


def test_accounts_add_up_to_the_whole(found: Reconciliation) -> None:
    assert [(one.account, one.rows, one.broker, one.value) for one in found.accounts] == [
        ("Z1", 2, 1600.0, 1600.0), ("Z2", 3, 400.0, 414.0),
    ]  # fmt: skip
    assert sum(total_of(one.parts) for one in found.accounts) == total_of(found.total.parts)


def test_rows_that_differ_come_with_the_largest_first(found: Reconciliation) -> None:
    assert [(row.symbol, row.difference) for row in found.differences] == [
        ("AMZN", 100.0), ("NVDA", -100.0), ("NEW", 14.0),
    ]  # fmt: skip
    assert found.differences[1].line == 3


def test_a_suspected_split_is_held_back_and_said() -> None:
    found = reconcile(book(SPLIT, {"AMZN": 100.0}))
    assert found.suspected_splits == found.not_valued == ("AMZN",)
    (row,) = found.differences
    assert (row.suspected_split, row.difference, row.value) == (True, -10000.0, None)
    assert not found.agrees


def test_a_book_that_agrees_agrees() -> None:
    found = reconcile(book("symbol,quantity,price,value\nAMZN,10,100,1000\n", {"AMZN": 101.0}))
    assert found.agrees
    assert found.total.parts.price == 10.0


amounts = st.none() | st.floats(-1e6, 1e6)
currencies = st.sampled_from(["USD", "EUR", "JPY"])
stocks = st.builds(
    stock,
    st.sampled_from(["AMZN", "NVDA", "GONE"]),
    quantity=amounts,
    price=st.none() | st.floats(0.01, 1e4),
    value=amounts,
    currency=currencies,
    fx_rate=st.none() | st.floats(0.1, 2.0),
)
cash = st.builds(CashPosition, symbol=st.just("CASH"), value=amounts, currency=currencies)
pending = st.builds(PendingActivity, value=amounts, currency=st.just("USD"))
rows = st.lists(st.one_of(stocks, cash, pending), min_size=1, max_size=8)


@given(rows)
def test_the_parts_of_every_row_add_up_to_its_difference(
    entries: list[StockPosition | CashPosition | PendingActivity],
) -> None:
    source = FakeSource({"AMZN": 100.0, "NVDA": 50.0}, now=AT, fx={"EURUSD=X": 1.1})
    columns = valued(entries, source)
    differences = row_differences(columns)
    expected = np.nan_to_num(columns.value) - np.nan_to_num(columns.reported_value)
    np.testing.assert_allclose(differences.total, expected, rtol=1e-9, atol=1e-4)
    assert not np.isnan(np.array(differences)).any()


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CommandLine:
    return CommandLine(capsys, monkeypatch, tmp_path)


@pytest.mark.parametrize("width", ["80", "120"])
def test_the_screen_fits_and_names_every_difference(cli: CommandLine, width: str) -> None:
    cli.set("COLUMNS", width)
    ran = cli("reconcile", cli.file("book.csv", FILE), "--offline")
    assert ran.code == 0
    assert max(map(len, ran.lines)) <= int(width)
    for words in (
        "The broker's values",
        "At our prices",
        "disputed: 0.83 ×",
        "Z2",
        "1 rejected row, in no total",
    ):
        assert words in ran.out
    assert "\x1b" not in ran.out


def test_strict_fails_where_the_file_does_not_agree_with_itself(cli: CommandLine) -> None:
    agreeing = cli.file("good.csv", "symbol,quantity,price,value\nAMZN,10,100,1000\n")
    assert cli("reconcile", cli.file("book.csv", FILE), "--offline", "--strict").code == 3
    assert cli("reconcile", agreeing, "--offline", "--strict").code == 0


def test_many_rows_are_cut_short_unless_all_are_asked_for(cli: CommandLine) -> None:
    lines = [f"S{i},1,100,{200 + i}" for i in range(20)]
    path = cli.file("book.csv", "\n".join(["symbol,quantity,price,value", *lines]))
    assert "and 8 more rows: --all" in cli("reconcile", path, "--offline").out
    whole = cli("reconcile", path, "--offline", "--all").out
    assert all(f"S{i} " in whole for i in range(20))
    assert len(cli("reconcile", path, "--offline", "--json").json["differences"]) == 20
