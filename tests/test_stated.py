"""Totals that a file states itself, and lots, against the rows that they are of."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import CommandLine
from quotewell.portfolio.importers import ImportedFile, read_files, read_positions
from quotewell.portfolio.importers.accounts import of_accounts
from quotewell.portfolio.importers.stated import StatedTotal, stated_totals

VIEW = (
    "Symbol,Quantity,Last,$ Avg Cost,Value\nAMZN,10,100,90,1000\nCash (SPAXX),,,,{cash}\nTotals,,,,{total}\n"
)
SCHWAB = """"Positions for All-Accounts as of 06:04 PM ET, 2025/05/08"

"Brokerage XXXX-1234"
"Symbol","Description","Quantity","Price","Market Value","Security Type"
"AMZN","AMAZON","10","$100.00","$1,000.00","Equity"
"Account Total","","","","{first}",""

"Roth XXXX-9999"
"Symbol","Description","Quantity","Price","Market Value","Security Type"
"NVDA","NVIDIA","1","$50.00","$50.00","Equity"
"Account Total","","","","{second}",""
"""


def read(text: str, name: str = "positions-2025-05-08.csv") -> ImportedFile:
    return read_positions(text.encode(), name)


def kinds(file: ImportedFile) -> list[str]:
    return [problem.kind for problem in file.problems]


def test_a_total_that_its_rows_add_up_to_agrees() -> None:
    file = read(VIEW.format(cash="250.50", total="1250.50"))
    assert stated_totals(file) == (
        StatedTotal(
            account=None, currency="USD", stated=1250.5, rows=2, sum=1250.5, difference=0.0, agrees=True
        ),
    )
    assert kinds(file) == []


def test_rounding_is_no_disagreement_and_more_is() -> None:
    assert kinds(read(VIEW.format(cash="250.50", total="1250.47"))) == []
    file = read(VIEW.format(cash="250.50", total="1250.46"))
    assert kinds(file) == ["stated_total"]
    assert "stated as 1,250.46, but the rows add up to 1,250.50" in file.problems[0].message


def test_a_rejected_row_is_missing_from_the_sum() -> None:
    (total,) = stated_totals(read(VIEW.format(cash="abc", total="1250")))
    assert (total.sum, total.difference, total.agrees) == (1000.0, 250.0, False)


def test_each_account_has_its_own() -> None:
    file = read(SCHWAB.format(first="$1,000.00", second="$49.00"))
    found = [(total.account, total.sum, total.agrees) for total in stated_totals(file)]
    assert found == [("Brokerage XXXX-1234", 1000.0, True), ("Roth XXXX-9999", 50.0, False)]


def test_of_some_accounts_only_their_totals_count() -> None:
    file = read(SCHWAB.format(first="$1,000.00", second="$49.00"))
    first, second = (of_accounts(file, [name]) for name in file.accounts)
    assert (kinds(first), kinds(second)) == ([], ["stated_total"])
    assert [total.account for total in stated_totals(first)] == ["Brokerage XXXX-1234"]


def test_a_total_without_values_is_compared_with_nothing() -> None:
    file = read(SCHWAB.format(first="--", second="$50.00").replace("$1,000.00", "--"))
    assert [total.agrees for total in stated_totals(file)] == [True]


def test_of_several_files_each_keeps_its_total_unless_it_counts_for_nothing(tmp_path: Path) -> None:
    older, newer, other = (tmp_path / f"{name}.csv" for name in ("older", "newer", "2025-05-09"))
    older.write_text(SCHWAB.format(first="$1,000.00", second="$50.00"), encoding="utf-8")
    changed = (
        SCHWAB.replace("2025/05/08", "2025/05/09").replace('"10"', '"20"').replace("$1,000.00", "$2,000.00")
    )
    newer.write_text(changed.format(first="$2,000.00", second="$50.00"), encoding="utf-8")
    other.write_text(VIEW.format(cash="1", total="1001"), encoding="utf-8")
    book = read_files([older, newer, other])
    found = [(total.account, total.stated, total.agrees) for total in stated_totals(book)]
    assert found == [
        ("Brokerage XXXX-1234", 2000.0, True),
        ("Roth XXXX-9999", 50.0, True),
        (str(other), 1001.0, True),
    ]


FLEX = """Symbol,Quantity,PositionValue,CurrencyPrimary,AssetClass,LevelOfDetail
AMZN,10,1000,USD,STK,SUMMARY
AMZN,4,400,USD,STK,LOT
AMZN,{quantity},{value},USD,STK,LOT
"""
ETRADE = """Symbol,Last Price $,Qty #,Price Paid $,Value $
MSFT,420.00,10,350.25,4200.00
  01/15/2022,420.00,4,350.25,1680.00
  --,420.00,{quantity},350.25,2520.00
"""


@pytest.mark.parametrize("text", [FLEX, ETRADE])
def test_lots_are_compared_with_their_position(text: str) -> None:
    agreeing = read(text.format(quantity=6, value=600))
    assert (kinds(agreeing), agreeing.positions[0].quantity) == ([], 10.0)
    other = read(text.format(quantity=5, value=600))
    assert (kinds(other), other.positions[0].quantity, other.problems[0].line) == (["lots"], 10.0, 2)
    assert "the quantity is 10, but its lots add up to 9" in other.problems[0].message


def test_lots_of_two_positions_of_one_name_are_not_told_apart() -> None:
    assert kinds(read(FLEX.format(quantity=6, value=600) + "AMZN,3,300,USD,STK,SUMMARY\n")) == []


def test_what_a_lot_does_not_say_is_not_compared() -> None:
    assert kinds(read(FLEX.format(quantity=6, value=""))) == []
    assert kinds(read(FLEX.format(quantity="x", value=600))) == []


@pytest.mark.parametrize("total", ["1250.50", "1300.00"])
def test_reconcile_shows_the_files_own_total(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, total: str
) -> None:
    cli = CommandLine(capsys, monkeypatch, tmp_path)
    path = cli.file("positions-2025-05-08.csv", VIEW.format(cash="250.50", total=total))
    run = cli("reconcile", path, "--offline", "--strict")
    agrees = total == "1250.50"
    (line,) = (line for line in run.lines if "of all rows" in line)
    assert ("✓" if agrees else "disagrees") in line
    assert run.code == (0 if agrees else 3)
