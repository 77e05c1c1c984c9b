from __future__ import annotations

import pytest

from quotewell.portfolio.importers import ImportedFile, read_positions
from quotewell.portfolio.positions import OptionPosition, StockPosition

ALL = (
    "Account,Symbol,Type,Quantity,Exp Date,DTE,Strike Price,Call/Put,Underlying Last Price,P/L Open,"
    "P/L Day,Trade Price,IV Rank,Delta,Bid (Sell),Ask (Buy),D's Opn,β Delta,Indicators\n"
)


def read(text: str) -> ImportedFile:
    return read_positions(text.encode(), "positions.csv")


def test_an_option_is_made_of_its_columns() -> None:
    file = read(ALL + "5WX1,AAPL,Equity Option,-2,2025-01-17,30,150.0,Put,155,0,0,2.50,30,-40,1.0,1.1,5,1,\n")
    (option,) = file.positions
    assert option == OptionPosition(
        symbol="AAPL250117P00150000",
        raw_symbol="AAPL",
        quantity=-2.0,
        cost_basis=500.0,
        account="5WX1",
        currency="USD",
        line=2,
    )
    assert file.broker == "tastytrade"


@pytest.mark.parametrize(
    ("day", "strike", "right"),
    [
        ("1/17/2025", "150", "P"),
        ("01/17/25", "$150.00", "PUT"),
        ("Jan 17 2025", "150.0", "p"),
        ("Jan 17, 2025", "150.0", "Put"),
        ("17 Jan 25", "150.000", "Put"),
    ],
)
def test_dates_strikes_and_rights_may_be_written_otherwise(day: str, strike: str, right: str) -> None:
    file = read(f'Symbol,Quantity,Exp Date,Strike Price,Call/Put\nAAPL,1,"{day}",{strike},{right}\n')
    assert [p.symbol for p in file.positions] == ["AAPL250117P00150000"]


def test_shares_have_no_contract() -> None:
    file = read(ALL + "5WX1,AAPL,Equity,-100,,,,,155,0,0,150.00,30,-100,1,1,5,1,\n")
    (shares,) = file.positions
    assert (type(shares), shares.quantity, shares.cost_basis) == (StockPosition, -100.0, 15000.0)


@pytest.mark.parametrize(
    ("header", "row", "symbol"),
    [
        ("Symbol,Quantity,Call/Put,Exp Date,Strike Price", "AAPL,5,--,--,--", "AAPL"),
        ("Symbol,Type,Quantity,P/L Open,P/L Day", "AAPL,Equity,5,1,1", "AAPL"),
        ("P/L Day,P/L Open,Quantity,Symbol", "1,1,5,AAPL  250117P00150000", "AAPL250117P00150000"),
    ],
)
def test_any_columns_do_that_tell_what_the_row_is(header: str, row: str, symbol: str) -> None:
    assert [(p.symbol, p.quantity) for p in read(f"{header}\n{row}\n").positions] == [(symbol, 5.0)]


@pytest.mark.parametrize(
    ("header", "row", "reason"),
    [
        ("Symbol,Quantity,P/L Open,P/L Day", "AAPL,5,1,1", "shares and options look alike"),
        (
            "Symbol,Type,Quantity,DTE,Trade Price",
            "AAPL,Equity Option,5,30,2.5",
            "an option without Exp Date, Strike Price, Call/Put",
        ),
        ("Symbol,Quantity,DTE,Call/Put", "AAPL,5,30,Put", "an option without Exp Date, Strike Price"),
        (
            "Symbol,Quantity,Exp Date,Strike Price,Call/Put",
            "AAPL,5,Jan 17,150,Put",
            "no option on 'AAPL' has Exp Date 'Jan 17'",
        ),
        ("Symbol,Type,Quantity,DTE,P/L Open", "/ESZ5,Future,1,9,0", "futures and options on them"),
        (
            "Symbol,Type,Quantity,Exp Date,Strike Price,Call/Put",
            "/ESZ5,Future Option,1,2025-12-19,5000,Put",
            "futures and options on them",
        ),
    ],
)
def test_an_option_is_never_read_as_shares(header: str, row: str, reason: str) -> None:
    file = read(f"{header}\n{row}\n")
    assert file.positions == []
    (rejected,) = file.rejected
    assert reason in rejected.reason
