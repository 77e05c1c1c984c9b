"""Books of several accounts: each beside the others, or some alone; and in another currency."""

from __future__ import annotations

import pytest

from command_line import CommandLine
from quotewell import Portfolio
from quotewell.errors import UsageError
from quotewell.portfolio.importers import read_positions
from quotewell.portfolio.importers.accounts import of_accounts
from quotewell.portfolio.summary import AccountRow
from quotewell.portfolio.totals import by_account
from quotewell.records import Quote
from quotewell.testing.source import FakeSource
from quotewell.views.render.accounts import accounts
from quotewell.views.render.amounts import Unit
from valued_books import AT

BOOK = """symbol,quantity,price,value,account,account name,currency
MSFT,10,300,3000,Z1,Mine,USD
AAPL,-5,200,-1000,Z1,Mine,USD
CASH,500,,500,Z2,"Joint, ours",USD
NOPE,1,,,Z2,"Joint, ours",USD
AAPL,x,,,Z3,Third,USD
VOD.L,100,70,7000,,,GBp
"""


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> CommandLine:
    return CommandLine(capsys, monkeypatch, tmp_path)  # type: ignore[arg-type]  # a path


@pytest.fixture
def path(cli: CommandLine) -> str:
    return cli.file("book_2025-05-08.csv", BOOK)


def test_each_account_has_its_value_and_exposure() -> None:
    book = Portfolio.from_csv(
        BOOK.encode(), FakeSource({"MSFT": 310.0, "AAPL": 200.0}, now=AT, fx={"GBPUSD=X": 1.25}), at=AT
    )
    mine, joint, nameless = book.summary().by_account
    assert (mine.account, mine.rows, mine.value, mine.exposure, mine.complete) == (
        "Z1",
        2,
        2100.0,
        2100.0,
        True,
    )
    assert (joint.account, joint.value, joint.exposure, joint.complete) == ("Z2", 500.0, None, False)
    assert (nameless.account, nameless.rows, nameless.value) == (None, 1, 87.5)
    assert mine.share_of_value == pytest.approx(2100 / 2687.5)


def test_a_book_without_accounts_is_one() -> None:
    columns = Portfolio.from_csv(
        b"symbol,quantity\nMSFT,1\n", FakeSource({"MSFT": 5.0}, now=AT), at=AT
    ).value()
    (row,) = by_account(columns, 5.0)
    assert (row.account, row.value, row.share_of_value) == (None, 5.0, 1.0)


def test_some_accounts_are_a_book_of_their_own() -> None:
    file = read_positions(BOOK.encode())
    assert of_accounts(file, []) is file
    assert [row.symbol for row in of_accounts(file, ["z1"]).positions] == ["MSFT", "AAPL"]
    assert [row.symbol for row in of_accounts(file, ["Z1", "joint, OURS"]).positions] == [
        "MSFT", "AAPL", "CASH", "NOPE",
    ]  # fmt: skip
    assert [row.line for row in of_accounts(file, ["z1"]).rejected] == [6]


def test_an_account_that_is_not_there_is_an_error_that_names_those_that_are() -> None:
    with pytest.raises(UsageError, match="no account 'Z9'") as caught:
        of_accounts(read_positions(BOOK.encode()), ["Z1", "Z9"])
    assert caught.value.hint == "accounts are Z1, Z2"
    with pytest.raises(UsageError) as nameless:
        of_accounts(read_positions(b"symbol,quantity\nMSFT,1\n"), ["Z1"])
    assert nameless.value.hint == "its rows name no accounts"


@pytest.mark.parametrize("width", ["60", "80", "120"])
def test_summary_shows_accounts_beside_each_other(cli: CommandLine, path: str, width: str) -> None:
    cli.set("COLUMNS", width)
    ran = cli("summary", path, "--offline")
    table = ran.lines[next(n for n, line in enumerate(ran.lines) if line.startswith(" Account")) :]
    assert [line.split()[0] for line in table[1:4]] == ["Z1", "Z2", "n/a"]
    assert "+ n/a" in table[2]
    assert max(map(len, ran.lines)) <= int(width)
    assert [row["account"] for row in cli("summary", path, "--offline", "--json").json["by_account"]] == [
        "Z1", "Z2", None,
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["summary", "positions", "reconcile"])
def test_every_report_can_be_of_some_accounts(cli: CommandLine, path: str, command: str) -> None:
    one = cli(command, path, "--offline", "--json", "--account", "z1").json
    two = cli(command, path, "--offline", "--json", "--account", "z1", "--account", "Joint, ours").json
    if command == "summary":
        assert (one["accounts"], two["accounts"]) == (["Z1"], ["Z1", "Z2"])
    elif command == "positions":
        assert ([len(found["positions"]) for found in (one, two)]) == [2, 4]
    else:
        assert ([found["total"]["rows"] for found in (one, two)]) == [2, 4]
    ran = cli(command, path, "--offline", "--account", "Z9")
    assert (ran.code, "accounts are Z1, Z2" in ran.err) == (2, True)


@pytest.mark.parametrize("command", ["summary", "positions", "reconcile"])
def test_every_report_can_be_in_another_currency(cli: CommandLine, command: str) -> None:
    path = cli.file("book_2025-05-08.csv", "symbol,quantity,price,value,currency\nSAP.DE,10,250,2500,EUR\n")

    def value(*options: str) -> tuple[str, float | None]:
        found = cli(command, path, "--offline", "--json", *options).json
        where = {"summary": "value", "positions": "positions", "reconcile": "total"}[command]
        part = found[where][0] if command == "positions" else found[where]
        return found["base_currency"], part["total" if command == "summary" else "value"]

    assert value() == ("USD", None)  # nobody tells the rate
    assert value("--base", "eur") == ("EUR", 2500.0)


@pytest.mark.parametrize("currency", ["EURO", "GBX", "GBp", "12€", ""])
def test_what_is_no_currency_is_refused(cli: CommandLine, path: str, currency: str) -> None:
    ran = cli("summary", path, "--offline", "--base", currency)
    if currency == "GBp":  # typed in any case: pounds
        assert ran.code != 2
    else:
        assert (ran.code, "no currency code" in ran.err) == (2, True)


def test_many_accounts_are_cut_short() -> None:
    rows = [
        AccountRow(
            account=f"Account with a long name {number}", rows=1, value=1.0, share_of_value=0.1,
            exposure=None, beta_adjusted=None, complete=True,
        )
        for number in range(12)
    ]  # fmt: skip
    lines = [line.plain for line in accounts(rows, Unit("USD"), 78)]
    assert (len(lines), lines[-1]) == (10, "and 4 more: --json shows all")
    assert accounts(rows[:1], Unit("USD"), 78) == []


def test_a_price_in_pence_is_counted_in_its_pounds() -> None:
    quote = Quote(symbol="VOD.L", last=0.7, currency="GBP", as_of=AT, fetched_at=AT, source="fake")
    source = FakeSource({"VOD.L": quote}, now=AT, fx={"GBPUSD=X": 1.25})
    book = Portfolio.from_csv(b"symbol,quantity,currency\nVOD.L,100,GBp\n", source, at=AT)
    assert book.summary().by_currency == {"GBP": 87.5}
