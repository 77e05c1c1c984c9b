"""Several files as one book: accounts side by side, none counted twice, every row of its own day."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from command_line import CommandLine
from quotewell.calendars import close_of
from quotewell.errors import ImportFailed
from quotewell.portfolio.importers import ImportedFile, read_positions
from quotewell.portfolio.importers.merging import merged
from quotewell.portfolio.portfolio import Portfolio
from quotewell.testing.source import FakeSource

HEADER = "symbol,quantity,price,value,account\n"
MAY_8, MAY_9 = close_of(dt.date(2025, 5, 8)), close_of(dt.date(2025, 5, 9))


def file(rows: str, name: str) -> ImportedFile:
    return read_positions((HEADER + rows).encode(), name)


def test_accounts_stand_side_by_side() -> None:
    book = merged(
        [file("AAPL,1,100,100,A\nX,y,,,A\n", "a_2025-05-08.csv"), file("MSFT,2,,,B\n", "b_2025-05-09.csv")]
    )
    assert [(p.symbol, p.account, p.file, p.as_of) for p in book.positions] == [
        ("AAPL", "A", "a_2025-05-08.csv", MAY_8),
        ("MSFT", "B", "b_2025-05-09.csv", MAY_9),
    ]
    assert [(row.line, row.file) for row in book.rejected] == [(3, "a_2025-05-08.csv")]
    assert (book.path, book.as_of, book.accounts) == ("a_2025-05-08.csv, b_2025-05-09.csv", MAY_9, ("A", "B"))


def test_the_newer_file_of_an_account_counts_and_that_is_said() -> None:
    older = file("AAPL,1,100,100,A\nTSLA,1,1,1,C\n", "old_2025-05-08.csv")
    newer = file("AAPL,3,100,300,A\n", "new_2025-05-09.csv")
    for files in ([older, newer], [newer, older]):
        book = merged(files)
        assert sorted((p.symbol, p.quantity, p.account) for p in book.positions) == [
            ("AAPL", 3.0, "A"), ("TSLA", 1.0, "C"),
        ]  # fmt: skip
        (problem,) = book.problems
        assert (problem.kind, problem.subject) == ("superseded", "A")
        assert "old_2025-05-08.csv is older than new_2025-05-09.csv" in problem.message


@pytest.mark.parametrize("names", [("a.csv", "b.csv"), ("a_2025-05-08.csv", "b_2025-05-08.csv")])
def test_an_account_is_never_counted_twice(names: tuple[str, str]) -> None:
    files = [file("AAPL,1,,,A\n", names[0]), file("AAPL,2,,,A\n", names[1])]
    with pytest.raises(ImportFailed, match=f"{names[1]}: the account A is in {names[0]}, too"):
        merged(files)


def test_the_same_file_twice_is_an_error() -> None:
    with pytest.raises(ImportFailed, match=r"copy\.csv: says the same as a\.csv"):
        merged([file("AAPL,1,,,\n", "a.csv"), file("AAPL,1,,,\n", "copy.csv")])


def test_rows_without_an_account_are_of_their_files_own() -> None:
    book = merged([file("AAPL,1,,,\n", "a.csv"), file("AAPL,2,,,\n", "b.csv")])
    assert [(p.quantity, p.account_name) for p in book.positions] == [(1.0, "a.csv"), (2.0, "b.csv")]
    assert book.as_of is None


def test_one_file_is_itself() -> None:
    one = file("AAPL,1,,,\n", "a.csv")
    assert merged([one]) is one


def test_each_price_is_of_its_own_files_day() -> None:
    book = merged(
        [file("AAPL,1,100,100,A\n", "a_2025-05-08.csv"), file("MSFT,1,50,50,B\n", "b_2025-05-09.csv")]
    )
    quotes = Portfolio(book, FakeSource(now=MAY_9), at=MAY_9).source.quotes(["AAPL", "MSFT"])
    assert {symbol: reading.record.as_of for symbol, reading in quotes.items() if reading.record} == {
        "AAPL": MAY_8, "MSFT": MAY_9,
    }  # fmt: skip


@pytest.mark.parametrize("command", ["summary", "positions", "reconcile"])
def test_commands_take_several_files(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    cli = CommandLine(capsys, monkeypatch, tmp_path)
    first = cli.file("a_2025-05-08.csv", HEADER + "AAPL,1,100,100,A\n")
    second = cli.file("b_2025-05-08.csv", HEADER + "MSFT,2,50,100,B\nBAD,x,,,B\n")
    ran = cli(command, first, second, "--offline")
    assert ran.code == 0
    assert "a_2025-05-08.csv, b_2025-05-08.csv" in ran.lines[0]
    rejected = cli(command, first, second, "--offline", "--json").json.get("rejected")
    assert rejected is None or rejected[0]["file"].endswith("b_2025-05-08.csv")
