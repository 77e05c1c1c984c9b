from __future__ import annotations

import pytest

from quotewell.errors import ImportFailed
from quotewell.portfolio.importers import ImportedFile, read_positions
from quotewell.portfolio.positions import CashPosition, OptionPosition, StockPosition


def read(text: str, name: str = "mine.csv") -> ImportedFile:
    return read_positions(text.encode(), name)


def test_a_symbol_and_a_quantity_are_enough() -> None:
    file = read("symbol,quantity\nAAPL,10\nBRK.B,-2\n")
    assert file.broker == "plain"
    assert [(p.symbol, p.quantity, p.price, p.currency, p.line) for p in file.positions] == [
        ("AAPL", 10.0, None, None, 2),
        ("BRK-B", -2.0, None, None, 3),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_columns_may_stand_in_any_order_and_case(delimiter: str) -> None:
    text = "Currency|ACCOUNT|Cost_Basis|Quantity|Value|Price|Symbol\nGBp|ISA|900|100|7250|72.5|VOD.L"
    (position,) = read(text.replace("|", delimiter)).positions
    assert position == StockPosition(
        symbol="VOD.L",
        raw_symbol="VOD.L",
        quantity=100.0,
        price=72.5,
        value=7250.0,
        cost_basis=900.0,
        account="ISA",
        currency="GBp",
        line=2,
    )


def test_a_blank_price_is_unknown() -> None:
    (position,) = read("symbol,quantity,price,value\nAAPL,1,,--\n").positions
    assert (position.price, position.value) == (None, None)


def test_options_and_cash_are_recognised() -> None:
    option, cash, fund = read(
        "symbol,quantity,currency\nSPXW  250620C05800000,-1,USD\nCASH,1500.25,eur\nFDRXX,20,USD\n"
    ).positions
    assert isinstance(option, OptionPosition)
    assert option.symbol == "SPXW250620C05800000"
    assert isinstance(cash, CashPosition)
    assert (cash.amount, cash.currency) == (1500.25, "EUR")
    assert isinstance(fund, CashPosition)


def test_a_priced_cash_is_the_stock_of_that_ticker() -> None:
    (position,) = read("symbol,quantity,price\nCASH,10,74.12\n").positions
    assert isinstance(position, StockPosition)


def test_totals_are_rejected() -> None:
    file = read("symbol,quantity,value\nAAPL,1,5\nTotal,,5\n")
    assert [(rejected.line, rejected.reason) for rejected in file.rejected] == [
        (3, "a total, not a position")
    ]


@pytest.mark.parametrize("currency", ["US Dollar", "€", "US1"])
def test_a_currency_that_is_no_code_rejects_the_row(currency: str) -> None:
    (rejected,) = read(f"symbol,quantity,currency\nAAPL,1,{currency}\n").rejected
    assert "is no currency code" in rejected.reason


def test_unknown_columns_are_named() -> None:
    (problem,) = read("symbol,quantity,account,Mood\nAAPL,1,X,good\n").problems
    assert (problem.kind, problem.line) == ("ignored_columns", 1)
    assert "columns not read: Mood" in problem.message


def test_a_header_that_is_mostly_another_brokers_is_not_read_as_plain() -> None:
    with pytest.raises(ImportFailed, match="no header of a known kind"):
        read("Symbol,Quantity,Open Date,Term,Venue,Tax Lot\nAAPL,1,2025-05-08,long,XNAS,7\n")


def test_a_history_is_not_read_as_positions_and_says_so() -> None:
    robinhood = (
        "Activity Date,Process Date,Settle Date,Instrument,Description,Trans Code,Quantity,Price,Amount\n"
    )
    with pytest.raises(ImportFailed, match="holds transactions, not positions") as caught:
        read(robinhood + "1/2/2025,1/2/2025,1/3/2025,AAPL,Apple,Buy,1,$2.00,($2.00)\n")
    assert "Robinhood and Webull have no positions export" in caught.value.hint
    with pytest.raises(ImportFailed, match="transactions"):
        read("Symbol,Quantity,Price,Action\nAAPL,1,2,Buy\nAAPL,1,2,Sell\n")


def test_a_decimal_comma_is_never_read_as_thousands() -> None:
    file = read("symbol;quantity\nAAPL;1,234\nMSFT;1,234.5\nNVDA;2,5\n")
    assert [p.symbol for p in file.positions] == ["MSFT"]
    assert [
        "thousands or decimals" in file.rejected[0].reason,
        "not a number" in file.rejected[1].reason,
    ] == [True] * 2


def test_a_file_with_a_header_only_says_so() -> None:
    file = read("symbol,quantity\n")
    assert file.rows == 0
    assert [problem.kind for problem in file.problems] == ["empty"]
