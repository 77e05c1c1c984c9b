from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from quotewell.errors import ImportFailed
from quotewell.portfolio.importers import ImportedFile, read_positions
from quotewell.portfolio.positions import CashPosition, OptionPosition, StockPosition

SUMMARY = (
    "Account Summary\n"
    "Account,Net Account Value,Total Gain $,Total Gain %,Day's Gain Unrealized $,Cash Purchasing Power\n"
    '"Individual Brokerage -9871","100,000.00",5000.00,5.00,150.00,45000.00\n'
    "\n"
    "View Summary - PositionsSimple\n"
    "Filters applied:\n"
    "Symbol,Security type(s),Sort by,Sort order,\n"
    ",All,Symbol,Asc,\n"
    "\n"
)
HEADER = "Symbol,Last Price $,Change $,Change %,Qty #,Price Paid $,Day's Gain $,Value $\n"
FOOTER = "\n\nGenerated at Jan 5 2026 12:00 PM ET\n"


def read(text: str) -> ImportedFile:
    return read_positions(text.encode(), "PortfolioDownload.csv")


def test_a_whole_file() -> None:
    file = read(
        SUMMARY
        + HEADER
        + "MSFT,420.00,1.00,0.24,10,350.25,10.00,4200.00\n"
        + "AAPL Jan 16 '26 $150 Call,2.10,0,0,-2,2.75,0,-420.00\n"
        + "CASH,,,,,,,1000.00,\n"
        + "TOTAL,,,,,,10.00,4780.00,\n"
        + FOOTER
    )
    assert (file.broker, file.rejected, file.notes) == ("E*TRADE", [], [])
    assert [(p.symbol, p.quantity, p.price, p.value, p.cost_basis, p.line) for p in file.positions] == [
        ("MSFT", 10.0, 420.0, 4200.0, 3502.5, 11),
        ("AAPL260116C00150000", -2.0, 2.1, -420.0, 550.0, 12),
        ("CASH", None, None, 1000.0, None, 13),
    ]
    assert [type(p) for p in file.positions] == [StockPosition, OptionPosition, CashPosition]
    assert file.accounts == ("Individual Brokerage -9871",)
    assert file.stated_totals == {"Individual Brokerage -9871": 4780.0}
    noon = dt.datetime(2026, 1, 5, 12, 0, tzinfo=ZoneInfo("America/New_York"))
    assert file.as_of == noon.timestamp()


def test_without_a_total_below_the_table_the_summarys_is_the_stated_one() -> None:
    file = read(SUMMARY + HEADER + "MSFT,420.00,1.00,0.24,10,350.25,10.00,4200.00\n")
    assert file.stated_totals == {"Individual Brokerage -9871": 100_000.0}


@pytest.mark.parametrize("gap", ["", "\n", ",,,\n\n"])
def test_the_summary_ends_where_the_view_is_named(gap: str) -> None:
    closer = SUMMARY.replace("\n\nView", "\n" + gap + "View").replace("Power\n", "Power\n" + gap)
    file = read(closer + HEADER + "MSFT,420.00,1.00,0.24,10,350.25,10.00,4200.00\n")
    assert file.accounts == ("Individual Brokerage -9871",)
    assert file.rejected == []


def test_of_several_accounts_in_the_summary_none_is_guessed_for_the_rows() -> None:
    two = SUMMARY.replace("\n\nView", '\n"Roth IRA -1996",5000.00,0,0,0,0\n\nView')
    file = read(two + HEADER + "MSFT,420.00,1.00,0.24,10,350.25,10.00,4200.00\nTOTAL,,,,,,,4200.00\n")
    assert [p.account for p in file.positions] == [None]
    assert file.stated_totals == {
        "": 4200.0,
        "Individual Brokerage -9871": 100_000.0,
        "Roth IRA -1996": 5000.0,
    }


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("Symbol,Qty #,Value $,Total Cost", "AAA,100.0,1500.0,1200.0", (100.0, None, 1500.0, 1200.0)),
        (
            "Symbol,% of Portfolio,Last Price $,Cost/Share $,Qty #,Total Cost $,Market Value $",
            "AAA,5,15.0,12.0,100,1200.0,1500.0",
            (100.0, 15.0, 1500.0, 1200.0),
        ),
        (
            "Symbol,Last Price $,Change $,Quantity,Price Paid $",
            'AAA,15.0,1,100,"$12.00"',
            (100.0, 15.0, None, 1200.0),
        ),
    ],
)
def test_the_columns_depend_on_the_view(header: str, row: str, expected: tuple[float | None, ...]) -> None:
    (p,) = read(SUMMARY + header + "\n" + row).positions
    assert (p.quantity, p.price, p.value, p.cost_basis) == expected


def test_a_view_without_quantities_and_values_says_what_is_missing() -> None:
    (rejected,) = read(SUMMARY + "Symbol,Last Price $,Change $,P/E Ratio\nAAA,15.0,1,30\n").rejected
    assert rejected.reason == "AAA: neither a quantity nor a value"


def test_tax_lots_repeat_their_position_and_are_not_counted_again() -> None:
    lots = "     01/15/2022,40.0,600.0,480.0\n     --,60.0,900.0,720.0\n"
    file = read(SUMMARY + "Symbol,Qty #,Value $,Total Cost\nAAA,100.0,1500.0,1200.0\n" + lots)
    assert [(p.symbol, p.quantity) for p in file.positions] == [("AAA", 100.0)]
    assert file.notes == ["2 rows of tax lots repeat what their positions say"]
    (rejected,) = read(SUMMARY + "Symbol,Qty #,Value $,Total Cost\n01/15/2022,40.0,600.0,480.0\n").rejected
    assert rejected.reason == "a tax lot without its position"


def test_a_value_in_the_summary_that_is_no_number_is_shown() -> None:
    file = read(
        SUMMARY.replace('"100,000.00"', "much") + HEADER + "MSFT,420.00,1.00,0.24,10,350.25,10,4200\n"
    )
    assert [(rejected.line, rejected.reason) for rejected in file.rejected] == [
        (3, "net account value: 'much' is not a number")
    ]


def test_gains_and_losses_are_no_positions() -> None:
    header = "Symbol,Quantity,Date,Cost/Share $,Total Cost $,Date,Price/Share $,Proceeds $,Gain $\n"
    with pytest.raises(ImportFailed, match="no header of a known kind"):
        read(header + "VXUS,567.099,--,--,49981.27,--,--,48485.84,-1495.43\n")
