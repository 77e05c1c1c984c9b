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
    "Account Number,Account Name,Symbol,Description,Quantity,Last Price,Last Price Change,Current Value,"
    "Today's Gain/Loss Dollar,Today's Gain/Loss Percent,Total Gain/Loss Dollar,Total Gain/Loss Percent,"
    "Percent Of Account,Cost Basis Total,Average Cost Basis,Type\n"
)
FOOTER = (
    "\n\n"
    '"The data and information in this spreadsheet is provided to you solely for your use, as is."\n'
    "Brokerage services are provided by a broker, 9 Some Street, Smithfield, RI 02917, or not, or so.\n"
    '"Date downloaded May-08-2025 4:05 p.m ET"\n'
)


def read(*lines: str, header: str = HEADER, footer: str = "", name: str = "positions.csv") -> ImportedFile:
    return read_positions((header + "\n".join(lines) + "\n" + footer).encode(), name)


def row(symbol: str, description: str, quantity: str, price: str, value: str) -> str:
    return (
        f'Z1,Mine,{symbol},{description},"{quantity}","{price}",+$1.00,"{value}",--,--,--,--,1%,--,--,Margin'
    )


def only(line: str) -> Position:
    file = read(line)
    assert file.rejected == []
    (position,) = file.positions
    return position


def test_a_stock_row_keeps_what_the_broker_said() -> None:
    line = "Z1,Mine,AMZN,AMAZON.COM INC,1400.0,$193.0999,+$4.3899,$270339.86,+$6145.86,+2.32%,+$52806.07,+24.27%,9.65%,$217533.79,$155.38,Margin"  # noqa: E501  a row as it is exported
    assert only(line) == StockPosition(
        symbol="AMZN",
        raw_symbol="AMZN",
        description="AMAZON.COM INC",
        quantity=1400.0,
        price=193.0999,
        value=270339.86,
        cost_basis=217533.79,
        account="Z1",
        account_name="Mine",
        currency="USD",
        leg="Margin",
        line=2,
    )


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        (" -AMZN250516C190", "AMZN250516C00190000"),
        ("-SPY250620P525", "SPY250620P00525000"),
        (" -XYZ250516C32.5", "XYZ250516C00032500"),
        (" -BRKB250620P450", "BRKB250620P00450000"),
        (" -SPY7250620C580", "SPY7250620C00580000"),
    ],
)
def test_an_option_symbol_is_canonical_and_its_text_is_kept(text: str, symbol: str) -> None:
    position = only(row(text, "AN OPTION", "-7.0", "$5.80", "-$4060.00"))
    assert isinstance(position, OptionPosition)
    assert (position.symbol, position.raw_symbol, position.quantity) == (symbol, text, -7.0)


@pytest.mark.parametrize("description", ["SUPER MICRO COMPUTER INC", "CALLAWAY GOLF PUT CO", "CALL CORP"])
def test_a_description_does_not_make_an_option(description: str) -> None:
    assert isinstance(only(row("SMCI", description, "10", "$30.00", "$300.00")), StockPosition)


@pytest.mark.parametrize(
    ("symbol", "description", "quantity", "price", "amount"),
    [
        ("???**", "HELD IN CASH", "", "", 3.5),
        ("SPAXX**", "HELD IN MONEY MARKET", "", "", 81865.97),
        ("FCASH**", "HELD IN FCASH", "", "", 81865.97),
        ("FMPXX", "A PORTFOLIO: CL I", "311023.76", "$1.00", 311023.76),
        ("FZDX", "FIDELITY MMKT PREMIUM CLASS", "5", "$1.00", 5.0),
        ("QZERO", "SOME MONEY MARKET FUND", "5", "--", 5.0),
    ],
)
def test_money_market_rules(symbol: str, description: str, quantity: str, price: str, amount: float) -> None:
    position = only(row(symbol, description, quantity, price, f"${amount}"))
    assert isinstance(position, CashPosition)
    assert position.amount == amount


@pytest.mark.parametrize(
    ("symbol", "description", "price"),
    [
        ("FMPXX", "A PORTFOLIO: CL I", "$1.01"),
        ("SGOV", "ISHARES MONEY MARKET LIKE ETF", "$100.50"),
        ("FXX", "NOT FIVE LETTERS", "$1.00"),
        ("TLT", "ISHARES TR 20 YR TR BD ETF", "$90.00"),
    ],
)
def test_what_only_resembles_a_money_market_is_a_stock(symbol: str, description: str, price: str) -> None:
    assert isinstance(only(row(symbol, description, "100", price, "$100.00")), StockPosition)


def test_the_type_column_is_the_account_leg_and_no_asset_class() -> None:
    line = 'Z1,Mine,TLT,ISHARES TR 20 YR TR BD ETF,10800,$90.00 ,$1.25 ,"$972,000.00 ",,,,,5.57%,--,--,Cash'
    position = only(line)
    assert isinstance(position, StockPosition)
    assert (position.leg, position.cost_basis) == ("Cash", None)


def test_a_short_stock_has_a_negative_quantity() -> None:
    position = only("Z1,Mine,ARKK,ARK ETF,-10000.0,$51.7866,,-$517866.00,,,,,,$532862.00,$53.29,Short")
    assert (position.quantity, position.leg) == (-10000.0, "Short")


def test_escrow_shares_are_a_stock_without_a_price() -> None:
    position = only(
        "Z1,Mine,021ESC017,ALTABA INC ESCROW SHS,33.0,--,--,--,--,--,--,--,0.00%,$1640.10,$49.70,Margin"
    )
    assert isinstance(position, StockPosition)
    assert (position.quantity, position.price, position.value, position.cost_basis) == (
        33.0,
        None,
        None,
        1640.10,
    )


def test_a_bond_priced_per_hundred_is_no_stock() -> None:
    bond = only(row("912810TM0", "UNITED STATES TREAS BDS", "10000", "$98.50", "$9850.00"))
    assert isinstance(bond, UnknownPosition)
    share = only(row("912810TM0", "A DELISTED SHARE", "100", "$98.50", "$9850.00"))
    assert isinstance(share, StockPosition)


@pytest.mark.parametrize(
    "line",
    [
        "Z1,Mine,Pending Activity,,,,$526587.25,,,,,,,,,",
        "Z1,Mine,Pending Activity,,,,,$526587.25,,,,,,,,",
        "Z1,Mine,Pending activity,,,--,$526587.25,--,,,,,,,,",
    ],
)
def test_pending_activity_is_found_in_its_column_and_one_to_the_left(line: str) -> None:
    file = read(line)
    (pending,) = file.pending
    assert (pending.value, pending.account, pending.account_name, pending.line) == (
        526587.25,
        "Z1",
        "Mine",
        2,
    )
    assert (file.positions, file.rejected, file.rows) == ([], [], 1)


def test_each_account_has_its_own_pending_activity() -> None:
    file = read("Z1,A,Pending Activity,,,,$5.00,,,,,,,,,", "Z2,B,Pending Activity,,,,-$2.00,,,,,,,,,")
    assert [(pending.account, pending.value) for pending in file.pending] == [("Z1", 5.0), ("Z2", -2.0)]
    assert file.accounts == ("Z1", "Z2")


def test_pending_activity_without_an_amount_is_rejected() -> None:
    (rejected,) = read("Z1,Mine,Pending Activity,,,,--,--,,,,,,,,").rejected
    assert rejected.reason == "pending activity without an amount"


def test_rows_with_nothing_but_account_cells_are_padding() -> None:
    file = read(row("AMZN", "AMAZON", "1", "$1.00", "$1.00"), "Z1,Mine,,,,,,,,,,,,,,", "", ",,,,,")
    assert (file.rows, len(file.positions)) == (1, 1)


def test_account_columns_may_be_missing() -> None:
    header = HEADER.removeprefix("Account Number,Account Name,")
    file = read(
        ' -AAPL250417C220,"AAPL APR 17 2025 $220 CALL",-15,$5.50 ,($1.50),($1100.00),,,,,,,,Margin',
        header=header,
    )
    (position,) = file.positions
    assert (position.account, position.value, position.line) == (None, -1100.0, 2)
    assert file.accounts == ()


def test_one_trailing_comma_more_than_the_header_shifts_nothing() -> None:
    position = only(row("AMZN", "AMAZON", "3", "$2.00", "$6.00") + ",")
    assert (position.quantity, position.value, position.leg) == (3.0, 6.0, "Margin")


def test_a_row_with_an_unquoted_delimiter_in_it_is_rejected_and_not_misread() -> None:
    file = read("Z1,Mine,AMZN,AMAZON.COM, INC,1400.0,$193.10,+$4.39,$270339.86,,,,,,,,Margin")
    (rejected,) = file.rejected
    assert rejected.line == 2
    assert rejected.reason == "17 cells under 16 headings"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (row("AMZN", "X", "NaN", "$1.00", "$1.00"), "quantity: 'NaN' is not a number"),
        (row("AMZN", "X", "1e999", "$1.00", "$1.00"), "quantity: '1e999' is not a finite number"),
        (row("AMZN", "X", "1", "$1.00", "inf"), "value: 'inf' is not a number"),
        (row("AMZN", "X", "--", "$1.00", "--"), "AMZN: neither a quantity nor a value"),
        (row("", "A THING", "--", "--", "--"), "A THING: neither a quantity nor a value"),
        (row("AMZN", "PENDING ACTIVITY", "1", "", "NaN"), "value: 'NaN' is not a number"),
        (row("Q" * 70, "X", "1", "$1.00", "$1.00"), "a symbol of 70 characters, more than 64"),
        (row("Q" * 5001, "X", "1", "$1.00", "$1.00"), "a cell of 5,001 characters"),
        (
            row("ES=F", "FUTURE", "1", "$1.00", "--"),
            "futures are not supported: their contract size is unknown",
        ),
    ],
)
def test_a_row_that_cannot_be_read_is_rejected_with_line_and_reason(line: str, reason: str) -> None:
    file = read(row("AAPL", "APPLE", "1", "$1.00", "$1.00"), line, row("MSFT", "M", "1", "$1.00", "$1.00"))
    (rejected,) = file.rejected
    assert (rejected.line, rejected.reason) == (3, reason)
    assert rejected.text == line[:200]
    assert (file.rows, len(file.positions)) == (3, 2)


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("", "A THING"),
        ("???", "???"),
        ("ES=F", "ES=F"),
        ("ABCD**", "ABCD**"),
        ("TWO WORDS HERE", "TWO WORDS HERE"),
    ],
)
def test_a_value_without_a_recognisable_instrument_is_unknown(symbol: str, expected: str) -> None:
    position = only(row(symbol, "A THING", "--", "$7.00", "$12.34"))
    assert isinstance(position, UnknownPosition)
    assert (position.symbol, position.value) == (expected, 12.34)


def test_an_unknown_quantity_is_none_and_not_zero() -> None:
    position = only(row("AMZN", "AMAZON", "--", "$1.00", "$5.00"))
    assert (type(position), position.quantity) == (StockPosition, None)


def test_duplicates_stay_two_positions() -> None:
    line = row("AMZN", "AMAZON", "1", "$1.00", "$1.00")
    assert len(read(line, line).positions) == 2


def test_footers_are_no_rows_and_are_kept_as_notes() -> None:
    file = read(row("AMZN", "AMAZON", "1", "$1.00", "$1.00"), footer=FOOTER)
    assert (file.rows, file.rejected) == (1, [])
    assert [note[:12] for note in file.notes] == ['"The data an', "Brokerage se"]
    assert file.as_of == close_of(dt.date(2025, 5, 8))


def test_a_sentence_among_the_rows_is_rejected_and_not_lost() -> None:
    file = read(
        row("AMZN", "AMAZON", "1", "$1.00", "$1.00"),
        "this line is no position",
        row("AAPL", "APPLE", "1", "$1.00", "$1.00"),
    )
    assert [(rejected.line, rejected.reason) for rejected in file.rejected] == [(3, "text among the rows")]


def test_a_row_of_dashes_in_an_account_with_a_long_name_is_not_taken_for_prose() -> None:
    name = "My Joint Brokerage Account With Many Words"
    line = f"{name},Mine,021ESC017,ESCROW,33,--,--,--,--,--,--,--,--,--,--,Margin"
    assert len(read(line).positions) == 1


def test_titles_blank_lines_and_a_repeated_header_are_no_rows() -> None:
    file = read_positions(
        (
            "Positions for all accounts\n\n"
            + HEADER
            + row("AMZN", "A", "1", "$1.00", "$1.00")
            + "\n"
            + HEADER
        ).encode()
    )
    assert (file.rows, file.positions[0].line, file.rejected) == (1, 4, [])


CUSTOM = (
    '"Positions"\n"Individual - TOD X1234"\n"As of 02/26/2026 10:31 AM ET"\n\n'
    "Symbol,Quantity,Last,$ Chg,$ Avg Cost,% Total G/L,Value\n"
)


def test_a_custom_view_gives_average_costs_and_its_total() -> None:
    file = read(
        'AMZN,"1,400",193.10,+1.00,155.38,24.27%,"270,340.00"',
        "DEF260227P15,-2,1.20,--,0.85,--,-240.00",
        "SPY7260227P15,1,1.20,--,0.85,--,120.00",
        'Cash (SPAXX),"5,000.25",1.00,--,1.00,--,"5,000.25"',
        "Pending Activity,,,,,,12.50",
        'Totals,,,,,,"275,112.75"',
        header=CUSTOM,
        footer='\nDisclosure\n"The data and information in this spreadsheet is provided as it is."\n',
    )
    assert file.broker == "Fidelity"
    assert [(type(p), p.symbol, p.quantity, p.value, p.cost_basis) for p in file.positions] == [
        (StockPosition, "AMZN", 1400.0, 270340.0, pytest.approx(1400 * 155.38)),
        (OptionPosition, "DEF260227P00015000", -2.0, -240.0, pytest.approx(170.0)),
        (OptionPosition, "SPY7260227P00015000", 1.0, 120.0, None),
        (CashPosition, "SPAXX", 5000.25, 5000.25, None),
    ]
    assert [pending.value for pending in file.pending] == [12.5]
    assert (file.rejected, file.stated_totals, len(file.notes)) == ([], {"": 275112.75}, 2)
    assert file.as_of == dt.datetime(2026, 2, 26, 15, 31, tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize("symbol", ["Cash (SPAXX)", "CASH (FDRXX**)", "Cash (FCASH)", "cash"])
def test_cash_in_a_fund_is_cash(symbol: str) -> None:
    file = read(f"{symbol},5,--,--,--,--,5.00", header=CUSTOM)
    (cash,) = file.positions
    assert isinstance(cash, CashPosition)
    assert cash.symbol == symbol.upper().removeprefix("CASH (").rstrip("*)")


@pytest.mark.parametrize("symbol", ["Cash (5,000)", "CASHX (SPAXX)", "Cash America"])
def test_what_only_begins_like_cash_is_none(symbol: str) -> None:
    (position,) = read(f'"{symbol}",5,2.00,--,--,--,10.00', header=CUSTOM).positions
    assert not isinstance(position, CashPosition)


def test_an_average_cost_is_no_total() -> None:
    line = "Z1,Mine,AMZN,AMAZON,10,$2.00,,$20.00,,,,,,%s,$1.50,Margin"
    assert only(line % "$14.99").cost_basis == 14.99
    assert only(line % "--").cost_basis == 15.0


def test_the_content_dates_the_file_before_its_name_does() -> None:
    line = row("AMZN", "AMAZON", "1", "$1.00", "$1.00")
    named = "Portfolio_Positions_May-09-2025.csv"
    assert read(line, name=named).as_of == close_of(dt.date(2025, 5, 9))
    assert read(line, name=named, footer=FOOTER).as_of == close_of(dt.date(2025, 5, 8))
    assert read(line, name=named, footer="Date downloaded soon\n").as_of == close_of(dt.date(2025, 5, 9))
    assert read(line).as_of is None
