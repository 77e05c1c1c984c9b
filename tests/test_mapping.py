"""A table whose columns the user names: read, saved, and refused with what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import CommandLine
from quotewell.errors import ImportFailed, UsageError
from quotewell.portfolio.importers import read_positions
from quotewell.portfolio.importers.mapping import checked_mapping, parse_mapping
from quotewell.settings import load_mapping, save_mapping

MAPPING = 'symbol=Ticker,quantity="Qty #",price=Last,account=Depot'
TABLE = (
    "My sheet\n\nDepot,Qty #,Ticker,Last,Mood\n"
    "A,10,AAPL,100,good\nA,x,MSFT,1,bad\nB,-2,AAPL250117C00150000,3,\n"
)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CommandLine:
    return CommandLine(capsys, monkeypatch, tmp_path)


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("symbol=Ticker,quantity=Qty #", {"symbol": "Ticker", "quantity": "Qty #"}),
        ('symbol = Ticker , quantity="Qty, ""all"""', {"symbol": "Ticker", "quantity": 'Qty, "all"'}),
        ("symbol=A=B,value=V", {"symbol": "A=B", "value": "V"}),
    ],
)
def test_a_mapping_is_read(text: str, mapping: dict[str, str]) -> None:
    assert parse_mapping(text) == mapping


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "needs a symbol"),
        ("symbol=T", "a quantity or a value"),
        ("symbol=T,quantity", "'quantity' is no mapping"),
        ('symbol="T,quantity=Q', "is no mapping"),
        ("symbol=T,quantity=Q,mood=M", "unknown field in the mapping: mood"),
        ("symbol=T,symbol=U,quantity=Q", "names symbol twice"),
        ("symbol=T,quantity=,value=V", "no column for quantity"),
        ("symbol=T,quantity=Q,value=q", "one column for two fields"),
    ],
)
def test_what_is_no_mapping_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_mapping(text)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_rows_are_read_by_the_mapping(delimiter: str) -> None:
    file = read_positions(TABLE.replace(",", delimiter).encode(), mapping=parse_mapping(MAPPING))
    assert [(p.kind, p.symbol, p.quantity, p.price, p.account, p.line) for p in file.positions] == [
        ("stock", "AAPL", 10.0, 100.0, "A", 4),
        ("option", "AAPL250117C00150000", -2.0, 3.0, "B", 6),
    ]
    assert [row.line for row in file.rejected] == [5]
    assert file.problems == []  # what is not mapped is left out on purpose


def test_a_mapping_outweighs_what_the_headings_seem_to_say() -> None:
    text = b"symbol,quantity,code,held\nold,1,AAPL,5\n"
    file = read_positions(text, mapping={"symbol": "code", "quantity": "held"})
    assert [(p.symbol, p.quantity) for p in file.positions] == [("AAPL", 5.0)]


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ImportFailed, match="columns that are not there: 'Quantity'") as caught:
        read_positions(TABLE.encode(), "t.csv", mapping={"symbol": "Ticker", "quantity": "Quantity"})
    assert caught.value.hint == "line 3 has the columns Depot, Qty #, Ticker, Last, Mood"


def test_a_saved_mapping_is_the_same(cli: CommandLine) -> None:
    mapping = {"symbol": 'The "ticker"\\', "quantity": "Stück = #"}
    path = save_mapping("mine", mapping)
    assert path.is_relative_to(cli.folder)
    assert load_mapping("mine") == mapping


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a.b"])
def test_a_name_is_no_path(cli: CommandLine, name: str) -> None:
    assert cli.folder.exists()
    with pytest.raises(UsageError, match="is no name"):
        load_mapping(name)
    with pytest.raises(UsageError, match="is no name"):
        save_mapping(name, {})


def test_an_unknown_or_broken_mapping_is_told(cli: CommandLine) -> None:
    path = save_mapping("mine", {"symbol": "T", "quantity": "Q"})
    assert str(path.parent).startswith(str(cli.folder))
    with pytest.raises(UsageError, match="there is no mapping 'other'") as caught:
        load_mapping("other")
    assert caught.value.hint.endswith("mine")
    for text in ("symbol = ", "symbol = 3\n"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match="cannot be read as TOML"):
            load_mapping("mine")


def test_a_file_of_a_mapping_is_checked_like_an_argument() -> None:
    with pytest.raises(UsageError, match="unknown field"):
        checked_mapping({"symbol": "T", "quantity": "Q", "nonsense": "N"})


@pytest.mark.parametrize(
    "command",
    [
        ("summary",),
        ("positions",),
        ("reconcile",),
        ("position",),
        ("import",),
        ("prefetch", "--plan"),
        ("watch", "--once"),
    ],
)
def test_every_command_that_takes_a_file_takes_a_mapping(cli: CommandLine, command: tuple[str, ...]) -> None:
    path = cli.file("sheet_2025-05-08.csv", TABLE)
    name, *more = command
    arguments = [name, path, *(["AAPL"] if name == "position" else []), *more]
    if name not in ("import", "watch"):  # the snapshot answers `watch` without a network
        arguments.append("--offline")
    refused = cli(*arguments)
    assert refused.code == 1
    assert "no header of a known kind" in refused.err
    mapped = cli(*arguments, "--map", MAPPING, "--map-save", "sheet")
    assert "no header" not in mapped.err
    assert (mapped.code, mapped.out) == (0, cli(*arguments, "--map", "@sheet").out)
    assert mapped.out


def test_saving_without_a_mapping_is_wrong_usage(cli: CommandLine) -> None:
    path = cli.file("sheet.csv", TABLE)
    ran = cli("import", path, "--map-save", "x")
    assert ran.code == 2
    assert "--map-save" in ran.err
