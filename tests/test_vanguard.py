from __future__ import annotations

import pytest

from quotewell.portfolio.importers import ImportedFile, read_positions
from quotewell.portfolio.positions import CashPosition, StockPosition, UnknownPosition

HEADER = "Account Number,Investment Name,Symbol,Shares,Share Price,Total Value,\n"
TRANSACTIONS = (
    "Account Number,Trade Date,Settlement Date,Transaction Type,Transaction Description,Investment Name,"
    "Symbol,Shares,Share Price,Principal Amount,Commission Fees,Net Amount,Accrued Interest,Account Type,\n"
    "12345678,2025-05-23,2025-05-27,Buy,Buy,VANGUARD 500,VOO,3,400.00,-1200.00,0.0,-1200.00,0.0,CASH,\n"
)
PLAN = "Fund Account Number,Fund Name,Price,Shares,Total Value\n"
FUND = "974455687-02,2034/2035 Enrollment Portfolio,$19.64,1634.4842,$32101.27\n"


def read(text: str) -> ImportedFile:
    return read_positions(text.encode(), "OfxDownload.csv")


@pytest.mark.parametrize("gap", ["\n", "\n\n\n", "", ",,,,,,\n"])
def test_reading_stops_at_the_table_of_transactions(gap: str) -> None:
    file = read(HEADER + "12345678,VANGUARD 500,VOO,10.5,400.00,4200.00,\n" + gap + TRANSACTIONS)
    assert [(p.symbol, p.quantity, p.price, p.value, p.account) for p in file.positions] == [
        ("VOO", 10.5, 400.0, 4200.0, "12345678")
    ]
    assert (file.rejected, file.rows) == ([], 1)


def test_the_funds_of_a_plan_are_worth_what_vanguard_says() -> None:
    (fund,) = read(PLAN + FUND).positions
    assert fund == UnknownPosition(
        symbol="2034/2035 Enrollment Portfolio",
        description="2034/2035 Enrollment Portfolio",
        quantity=1634.4842,
        price=19.64,
        value=32101.27,
        account="974455687-02",
        currency="USD",
        line=2,
    )


def test_one_file_may_hold_both_kinds_of_account() -> None:
    file = read(HEADER + "1,VANGUARD 500,VOO,1,400.00,400.00,\n\n" + TRANSACTIONS + "\n" + PLAN + FUND)
    assert [type(p) for p in file.positions] == [StockPosition, UnknownPosition]
    assert [p.line for p in file.positions] == [2, 8]
    assert file.accounts == ("1", "974455687-02")


@pytest.mark.parametrize("symbol", ["null", "", "--", "N/A"])
def test_a_holding_without_a_symbol_is_unknown_and_no_ticker(symbol: str) -> None:
    (note,) = read(HEADER + f"1,U S TREASURY NOTE 1.875 01/15/36,{symbol},5000,99.50,4975.00,\n").positions
    assert (type(note), note.symbol) == (UnknownPosition, "U S TREASURY NOTE 1.875 01/15/36")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("1,VANGUARD FEDERAL MONEY MARKET FUND,VMFXX,10,1.0,10.00,", CashPosition),
        ("1,VANGUARD TREASURY MONEY MARKET FUND,VUSXX,10,1.0,10.00,", CashPosition),
        ("1,SETTLEMENT FUND,,10,1.0,10.00,", CashPosition),
        ("1,VANGUARD SHORT-TERM TREASURY ETF,VGSH,10,58.00,580.00,", StockPosition),
        ("1,VANGUARD 0-3 MONTH TREASURY BILL ETF,VBIL,10,75.00,750.00,", StockPosition),
        ("1,VANGUARD SHORT-TERM TREASURY FUND,VFIRX,10,--,--,", StockPosition),
    ],
)
def test_a_treasury_fund_is_cash_only_if_it_is_a_money_market(line: str, kind: type) -> None:
    (position,) = read(HEADER + line).positions
    assert type(position) is kind


def test_a_comma_in_a_number_does_not_shift_values_unseen() -> None:
    (rejected,) = read(HEADER + "1,VANGUARD 500,VOO,1,234,400.00,493600.00,").rejected
    assert rejected.reason == "8 cells under 6 headings"
