from __future__ import annotations

import datetime as dt

import pytest

from quotewell.calendars import close_of
from quotewell.portfolio.importers import ImportedFile, read_positions
from quotewell.portfolio.positions import (
    CashPosition,
    OptionPosition,
    Position,
    StockPosition,
    UnknownPosition,
)

HEADER = (
    '"COB Date","Security #","Symbol","CUSIP #","Security Description","Account Nickname",'
    '"Account Registration","Account #","Quantity","Price ($)","Value ($)","Unrealized Gain/Loss ($)"\n'
)


def row(symbol: str, description: str, quantity: str, price: str, value: str, day: str = "2/9/2026") -> str:
    return (
        f'"{day}","00415","{symbol}","007903107","{description}","--","CMA-Edge","27Z-89R00",'
        f'"{quantity}","{price}","{value}","--"\n'
    )


def read(*rows: str) -> ImportedFile:
    return read_positions((HEADER + "".join(rows)).encode(), "holdings.csv")


def only(line: str) -> Position:
    file = read(line)
    assert file.rejected == []
    (position,) = file.positions
    return position


def test_a_row_keeps_what_merrill_says() -> None:
    assert only(row("AMD", "ADVNCD MICRO D INC", "10.5", "1,420.99", "14,920.40")) == StockPosition(
        symbol="AMD",
        raw_symbol="AMD",
        description="ADVNCD MICRO D INC",
        quantity=10.5,
        price=1420.99,
        value=14920.40,
        account="27Z-89R00",
        account_name="CMA-Edge",
        currency="USD",
        line=2,
    )


def test_a_short_option_is_read_from_its_description() -> None:
    option = only(row("XYZ#B1326C425000", "CALL XYZ   425.00 EXP 02-13-26", "(3)", "1.50", "(450.00)"))
    assert isinstance(option, OptionPosition)
    assert (option.symbol, option.quantity, option.value) == ("XYZ260213C00425000", -3.0, -450.0)
    assert option.raw_symbol == "XYZ#B1326C425000"


@pytest.mark.parametrize(
    ("symbol", "description", "expected"),
    [
        ("BRKB#N2026C500000", "PUT  BRK.B  500.00 EXP 02-20-26", "BRKB260220P00500000"),
        ("XYZ#B1326C425000", "CALL", "XYZ260213C00425000"),
        ("XYZ#B1326Q425000", "CALL XYZ 42.50 EXP 02-13-26", "XYZ260213C00042500"),
    ],
)
def test_description_and_symbol_help_each_other(symbol: str, description: str, expected: str) -> None:
    assert only(row(symbol, description, "1", "1.50", "150.00")).symbol == expected


@pytest.mark.parametrize(
    "description", ["SUPER MICRO COMPUTER INC", "CALL XYZ   425.00 EXP 02-13-26", "PUT IT SOMEWHERE INC"]
)
def test_a_description_alone_makes_no_option(description: str) -> None:
    assert isinstance(only(row("SMCI", description, "10", "40.00", "400.00")), StockPosition)


def test_an_option_that_cannot_be_read_is_no_stock() -> None:
    position = only(row("XYZ#????", "CALL SOMETHING", "1", "1.50", "150.00"))
    assert isinstance(position, UnknownPosition)
    assert [r.line for r in read(row("XYZ#????", "CALL SOMETHING", "1", "1.50", "--")).rejected] == [2]


@pytest.mark.parametrize(
    ("symbol", "description"),
    [
        ("IIAXX", "ML BANK DEPOSIT PROGRAM"),
        ("--", "ML DIRECT DEPOSIT PROGRM"),
        ("", "BANK OF AMERICA RASP BANK SWEEP"),
    ],
)
def test_the_cash_sweep_is_cash(symbol: str, description: str) -> None:
    cash = only(row(symbol, description, "774", "1.00", "774.00"))
    assert isinstance(cash, CashPosition)
    assert (cash.symbol, cash.amount) == (symbol if symbol == "IIAXX" else "CASH", 774.0)


def test_a_short_treasury_etf_is_no_cash() -> None:
    assert isinstance(only(row("SGOV", "ISHARES 0-3 MONTH TREASURY", "7", "100.50", "703.50")), StockPosition)


def test_the_close_of_business_dates_the_file() -> None:
    file = read(row("AMD", "A", "1", "1", "1", "2/6/2026"), row("MSFT", "M", "1", "1", "1"))
    assert file.as_of == close_of(dt.date(2026, 2, 9))


def test_a_total_is_what_merrill_states() -> None:
    total = '"Total","","","","","","","","","","1,000.00",""\n'
    file = read(row("AMD", "A", "1", "1", "1"), total)
    assert (file.rows, file.stated_totals) == (1, {"": 1000.0})


def test_disclosures_are_a_footer() -> None:
    file = read(row("AMD", "A", "1", "1", "1"), '"Disclosures","","","","","","","","","","",""\n')
    assert (file.rows, len(file.notes)) == (1, 1)
