"""`quotewell positions FILE`: every row, valued, sorted and chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import CommandLine
from quotewell.demo import portfolio_file
from quotewell.portfolio.importers import RejectedRow
from quotewell.portfolio.row import ValuedRow
from quotewell.views.render.layout import cell
from quotewell.views.render.positions import positions_screen

PLAIN = "symbol,quantity,price,value,account\nMSFT,2.5,400,1000,Z1\nAAPL,-1,190,-190,Z2\nNVDA,x,,,Z1\n"


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CommandLine:
    return CommandLine(capsys, monkeypatch, tmp_path)


@pytest.fixture
def sample(cli: CommandLine) -> str:
    return cli.file("Portfolio_Positions_Dec-28-2022.csv", portfolio_file().read_bytes())


def test_every_row_of_the_file_is_there(cli: CommandLine, sample: str) -> None:
    report = cli("positions", sample, "--offline", "--json").json
    assert len(report["positions"]) == 38
    assert [row["line"] for row in report["positions"][:3]] == [2, 3, 4]
    assert {row["kind"] for row in report["positions"]} == {"stock", "option", "cash", "pending"}
    assert sum(row["value"] or 0.0 for row in report["positions"]) == pytest.approx(1_887_820.55, abs=0.01)
    assert report["valuation_at"] == "2022-12-28T21:00:00Z"
    assert (report["broker"], report["base_currency"], report["requests"]) == ("Fidelity", "USD", 0)


@pytest.mark.parametrize("width", ["80", "100", "120"])
def test_the_table_fits(cli: CommandLine, sample: str, width: str) -> None:
    cli.set("COLUMNS", width)
    ran = cli("positions", sample, "--offline", "--assume-beta", "1")
    assert ran.code == 0
    assert max(map(len, ran.lines)) <= int(width)
    assert "AAPL 17 Mar 2023 120 P" in ran.out
    assert "…" not in ran.out


def test_rows_are_sorted_with_the_unknown_last(cli: CommandLine, sample: str) -> None:
    def column(field: str, order: str) -> list[float | str | None]:
        rows = cli("positions", sample, "--offline", "--json", "--sort", field + order).json["positions"]
        return [row[field] for row in rows]

    exposures = column("exposure", ":desc")
    known = [figure for figure in exposures if isinstance(figure, float)]
    assert known == sorted(known, reverse=True)
    assert exposures[len(known) :] == [None] * (len(exposures) - len(known))
    symbols = column("symbol", "")
    assert symbols[:-1] == sorted(symbol for symbol in symbols[:-1] if isinstance(symbol, str))
    assert column("symbol", ":asc") == symbols


def test_rows_of_one_kind(cli: CommandLine, sample: str) -> None:
    rows = cli("positions", sample, "--offline", "--json", "--type", "option").json["positions"]
    assert {row["kind"] for row in rows} == {"option"}
    assert len(rows) == 16
    assert "no such rows" in cli("positions", sample, "--offline", "--type", "unknown").out


@pytest.mark.parametrize(
    ("sort", "message"),
    [
        ("size", "--sort size: no such field (one of kind, symbol,"),
        ("flags", "--sort flags: no such field"),
        ("value:down", "--sort value:down: the direction is asc or desc (--sort value:desc)"),
        ("x" * 5000, f"--sort {'x' * 40}: no such field"),
    ],
)
def test_a_wrong_order_is_wrong_usage(cli: CommandLine, sample: str, sort: str, message: str) -> None:
    ran = cli("positions", sample, "--offline", "--sort", sort)
    assert ran.code == 2
    assert ran.err.startswith(f"quotewell: {message}")
    assert ran.err.count("\n") == 1


def test_rejected_rows_are_shown_and_strict_minds_them(cli: CommandLine) -> None:
    path = cli.file("book_2025-05-08.csv", PLAIN)
    ran = cli("positions", path, "--offline", "--assume-beta", "1")
    assert ran.code == 0
    assert "1 rejected row" in ran.out
    assert "line 4: " in ran.out
    assert "2.5000" in ran.out
    assert [line.split()[:2] for line in ran.lines if "Symbol" in line] == [["Symbol", "Account"]]
    assert cli("positions", path, "--offline", "--strict").code == 3
    assert cli("positions", path, "--offline", "--json").json["rejected"][0]["line"] == 4
    fine = cli.file("fine_2025-05-08.csv", PLAIN.replace("NVDA,x,,,Z1\n", ""))
    assert cli("positions", fine, "--offline", "--strict", "--assume-beta", "1").code == 0
    assert cli("positions", fine, "--offline", "--strict").code == 3


def test_a_file_of_rejected_rows_only_is_a_failure(cli: CommandLine) -> None:
    ran = cli("positions", cli.file("book.csv", "symbol,quantity\nAAPL,nan\n"), "--offline")
    assert ran.code == 1
    assert "line 2: " in ran.out


def row(**fields: object) -> ValuedRow:
    known: dict[str, object] = {
        "kind": "option",
        "symbol": "AMZN250516C00190000",
        "underlying": "AMZN",
        "description": "",
        "account": None,
        "line": 1,
        "quantity": -7.0,
        "price": 5.8,
        "spot": 193.1,
        "reported_price": 5.8,
        "reported_value": -4060.0,
        "value": -4060.0,
        "delta": 0.62,
        "volatility": 0.4,
        "beta": 1.31,
        "exposure": -83_805.0,
        "beta_adjusted": -109_785.0,
        "flags": (),
    }
    return ValuedRow(**{**known, **fields})  # type: ignore[arg-type]


def line_of(*flags: str, width: int = 120, **fields: object) -> str:
    lines = positions_screen([cell("head")], [row(flags=flags, **fields)], [], "USD", width)
    return lines[-1].plain


@pytest.mark.parametrize(
    ("flag", "shown"),
    [
        ("stale", "5.80~"),
        ("assumed_rate", "0.62!"),
        ("assumed_dividend", "0.62!"),
        ("model", "0.62~"),
        ("given_beta", "1.31!"),
        ("stale_beta", "1.31~"),
        ("no_underlying_price", "no underlying price"),
        ("disputed", "disputed"),
    ],
)
def test_doubts_stand_beside_the_figure_or_as_a_note(flag: str, shown: str) -> None:
    assert shown not in line_of()
    assert shown in line_of(flag)


def test_what_is_unknown_is_not_available_and_cash_has_no_exposure() -> None:
    unknown = line_of("no_price", price=None, value=None, delta=None, exposure=None, beta_adjusted=None)
    assert unknown.split().count("n/a") == 5
    cash = line_of(kind="cash", symbol="SPAXX", quantity=5.0, delta=0.0, exposure=0.0, beta=0.0)
    assert cash.split() == ["SPAXX", "−4,060.00"]
    pending = line_of(kind="pending", symbol=None, description="Pending Activity")
    assert pending.startswith(" Pending Activity  ")


def test_long_notes_are_cut_and_columns_go_before_them() -> None:
    flags = ("no_underlying_price", "disputed", "expires_today", "assignment")
    narrow = line_of(*flags, width=80)
    assert len(narrow) <= 80
    assert narrow.endswith("…")
    assert "0.62" in narrow
    assert "1.31" not in narrow


def test_a_long_rejection_is_cut_at_the_edge() -> None:
    lines = positions_screen([], [], [RejectedRow(line=7, text="", reason="x" * 300)], "USD", 80)
    assert [len(line.plain) for line in lines[-2:]] == [len(" 1 rejected row"), 79]
