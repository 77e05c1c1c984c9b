"""Which rows of a book are shown, their sums by underlying, and the same rows as CSV and as a page."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from command_line import CommandLine
from quotewell import Portfolio
from quotewell.demo import portfolio_file
from quotewell.portfolio.export import DERIVED, REPORTED, guarded, to_csv, unguarded
from quotewell.portfolio.importers import ImportedFile, read_positions
from quotewell.portfolio.needs import Entry
from quotewell.portfolio.positions import (
    CashPosition,
    PendingActivity,
    Position,
    StockPosition,
    UnknownPosition,
)
from quotewell.portfolio.row import row_of
from quotewell.portfolio.selection import grouped
from valued_books import option

BOOK = """symbol,quantity,price,value,account,currency
MSFT,10,400,4000,Z1,USD
MSFT250620P00400000,-1,10,-1000,Z1,USD
AAPL,-5,200,-1000,Z2,USD
CASH,500,,500,Z2,USD
NOPE,1,,,Z2,USD
"""


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CommandLine:
    return CommandLine(capsys, monkeypatch, tmp_path)


@pytest.fixture
def book(cli: CommandLine) -> str:
    return cli.file("book_2025-05-08.csv", BOOK)


@pytest.mark.parametrize(
    ("options", "symbols"),
    [
        (["--type", "stock"], ["MSFT", "AAPL", "NOPE"]),
        (["--account", "z2"], ["AAPL", "CASH", "NOPE"]),
        (["--underlying", "msft"], ["MSFT", "MSFT250620P00400000"]),
        (["--min-value", "1000"], ["MSFT", "MSFT250620P00400000", "AAPL"]),
        (["--min-exposure", "1000", "--type", "stock", "--sort", "exposure"], ["AAPL", "MSFT"]),
        (["--flag", "no_price"], ["NOPE"]),
        (["--type", "stock", "--sort", "value:desc"], ["MSFT", "AAPL", "NOPE"]),
    ],
)
def test_rows_are_chosen_by_what_they_are(
    cli: CommandLine, book: str, options: list[str], symbols: list[str]
) -> None:
    rows = cli("positions", book, "--offline", "--json", *options).json["positions"]
    assert [row["symbol"] for row in rows] == symbols


def test_groups_are_sums_over_their_rows(cli: CommandLine, book: str) -> None:
    report = cli("positions", book, "--offline", "--json", "--group", "underlying").json
    groups = {group["underlying"]: group for group in report["groups"]}
    assert list(groups) == ["MSFT", "AAPL", "NOPE", None]
    assert (groups["MSFT"]["value"], groups["MSFT"]["exposure"] > 4000) == (3000.0, True)
    assert (groups["NOPE"]["value"], groups["NOPE"]["complete"]) == (None, False)
    assert (groups[None]["value"], groups[None]["exposure"], groups[None]["complete"]) == (500.0, None, True)
    assert sum(len(group["rows"]) for group in report["groups"]) == len(report["positions"])
    assert cli("positions", book, "--offline", "--json").json["groups"] is None


def test_one_underlying_with_all_its_legs(cli: CommandLine, book: str) -> None:
    ran = cli("position", book, "MSFT", "--offline")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.lines if "MSFT" in line] == ["MSFT"] * 3
    assert "AAPL" not in ran.out
    wrong = cli("position", book, "AAPM", "--offline")
    assert wrong.code == 2
    assert "no position moves with AAPM (did you mean AAPL? " in wrong.err


@pytest.mark.parametrize("width", ["80", "120"])
def test_groups_fit(cli: CommandLine, width: str) -> None:
    cli.set("COLUMNS", width)
    path = cli.file("Portfolio_Positions_Dec-28-2022.csv", portfolio_file().read_bytes())
    ran = cli("positions", path, "--offline", "--group", "underlying", "--assume-beta", "1")
    assert max(map(len, ran.lines)) <= int(width)
    assert "Cash and pending" in ran.out


def said(entry: Position | PendingActivity) -> tuple[object, ...]:
    """All that the broker said but where and how it stood in the file."""
    fields = [name for name in entry.__struct_fields__ if name not in ("raw_symbol", "line")]
    return (type(entry), *(getattr(entry, name) for name in fields))


def said_in(file: ImportedFile) -> list[tuple[object, ...]]:
    return [*map(said, file.positions), *map(said, file.pending)]


def test_csv_is_read_back_as_the_same_book(cli: CommandLine) -> None:
    content = portfolio_file().read_bytes()
    path = cli.file("Portfolio_Positions_Dec-28-2022.csv", content)
    text = cli("positions", path, "--offline", "--csv").out
    again = read_positions(text.encode())
    assert (again.problems, again.rejected) == ([], [])
    assert said_in(again) == said_in(read_positions(content))
    assert next(csv.reader(io.StringIO(text))) == [*REPORTED, *DERIVED]


words = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="\x00"), min_size=1, max_size=8
) | st.sampled_from(["=1+1", "+x", "-y", "@z", "'=q", "'", "''", 'a"b,c', "CALL"])
figures = st.none() | st.floats(-1e12, 1e12)
about = {"value": st.floats(-1e12, 1e12), "account": words, "currency": st.sampled_from(["USD", "GBp"])}
maybe = st.none() | words
named = {**about, "account_name": maybe, "description": words, "fx_rate": st.none() | st.floats(0.1, 9)}
held = {**named, "quantity": figures, "price": figures, "cost_basis": figures, "leg": maybe}
entries = st.lists(
    st.one_of(
        st.builds(StockPosition, symbol=st.sampled_from(["AMZN", "BRK-B", "VOD.L", "021ESC017"]), **held),
        st.builds(option, st.sampled_from(["AMZN250620C00200000"]), **held),
        st.builds(CashPosition, symbol=st.sampled_from(["CASH", "SPAXX"]), **held),
        st.builds(UnknownPosition, symbol=st.sampled_from(["SOMETHING ODD", "=ODD"]), **held),
        st.builds(PendingActivity, **named),
    ),
    min_size=1,
    max_size=6,
)


@given(entries)
def test_any_book_is_read_back_equal(rows: list[Entry]) -> None:
    blank = row_of(Portfolio.from_csv(b"symbol,quantity\nA,1\n").value(), 0)
    file = read_positions(to_csv(rows, [blank] * len(rows)).encode())
    assert (file.rejected, file.problems) == ([], [])
    expected = [entry for entry in rows if entry.kind != "pending"]
    assert [said(entry) for entry in file.positions] == [said(entry) for entry in expected]
    pending = [entry for entry in rows if entry.kind == "pending"]
    assert [said(entry) for entry in file.pending] == [said(entry) for entry in pending]


@given(words)
def test_no_text_is_a_formula_and_none_is_lost(text: str) -> None:
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unguarded(guarded(text)) == text


def test_the_page_is_well_formed_and_nothing_in_it_runs(cli: CommandLine) -> None:
    path = cli.file(
        "book_2025-05-08.csv",
        "symbol,quantity,price,value,description\nMSFT,1,1,1,<script>alert(1)</script>\nA,1,1,1,=1+1\nB,x,,,\n",
    )
    ran = cli("positions", path, "--offline", "--html", "--group", "underlying")
    assert ran.code == 0
    assert "<script" not in ran.out
    assert "&lt;script&gt;" in ran.out
    assert "<td>&#x27;=1+1</td>" in ran.out
    assert "line 4: " in ran.out
    for tag in ("table", "tr", "td", "th", "tbody", "thead", "p", "html", "body"):
        assert len(re.findall(rf"<{tag}[ >]", ran.out)) == ran.out.count(f"</{tag}>")


def test_forms_exclude_each_other(cli: CommandLine, book: str) -> None:
    assert cli("positions", book, "--csv", "--html").code == 2


def test_import_tells_what_became_of_each_row(cli: CommandLine) -> None:
    path = cli.file("book.csv", BOOK + "BAD,x,,,Z2,USD\n")
    ran = cli("import", path)
    assert ran.code == 0
    assert "plain, 6 rows, positions on an unknown day" in ran.out
    assert "accounts: Z1, Z2" in ran.out
    assert "rows: 3 stock, 1 option, 1 cash, 1 rejected" in ran.out
    assert "line 7 rejected: " in ran.out
    assert cli("import", path, "--check").code == 3
    assert cli("import", cli.file("good.csv", BOOK), "--check").code == 0
    (file,) = cli("import", path, "--json").json["files"]
    assert (file["rows"], file["kinds"]["option"], file["rejected"][0]["line"]) == (6, 1, 7)
    assert cli("import", "/nowhere.csv").code == 1


def test_groups_keep_every_row_and_put_cash_last() -> None:
    columns = Portfolio.from_csv(BOOK.encode()).value()
    rows = [row_of(columns, row) for row in range(len(columns.entries))]
    groups = grouped(rows)
    assert sorted(row.line or 0 for group in groups for row in group.rows) == [2, 3, 4, 5, 6]
    assert groups[-1].underlying is None
