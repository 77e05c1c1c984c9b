"""`quotewell what-if FILE`: the curve on the screen, as JSON, and as a picture."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from command_line import CommandLine

PLAIN = (
    "symbol,quantity,price,value,account\n"
    "AAPL,100,126.04,12604,Z1\n"
    "AAPL230120P00120000,-2,1.90,-380,Z1\n"
    "AAPL230120P00120000,1,1.90,190,Z2\n"
    "JPM,-50,132.46,-6623,Z2\n"
    "ZZZZ,10,,,Z2\n"
    "cash,5000,1,5000,Z1\n"
)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CommandLine:
    return CommandLine(capsys, monkeypatch, tmp_path)


@pytest.fixture
def book(cli: CommandLine) -> str:
    return cli.file("book.csv", PLAIN)


AT = ("--as-of", "2022-12-28")


def line_with(lines: list[str], text: str) -> str:
    return next(line for line in lines if text in line)


def test_the_json_has_both_lines_and_what_is_missing(cli: CommandLine, book: str) -> None:
    ran = cli("what-if", book, *AT, "--json")
    report = ran.json
    assert ran.code == 0
    assert (report["shocks"], report["days"], report["volatility"]) == ({}, 0.0, 0.0)
    moves = [point["market"] for point in report["points"]]
    assert moves == [-0.2, -0.1, -0.05, -0.02, 0.0, 0.02, 0.05, 0.1, 0.2]
    assert report["points"] == cli("summary", book, *AT, "--json").json["what_if"]
    fall, still = report["points"][0], report["points"][4]
    assert (still["pnl"], still["delta_pnl"], still["scenario_pnl"]) == (0.0, 0.0, 0.0)
    assert fall["pnl"] < fall["delta_pnl"] < 0.0  # a short put lies below its tangent
    assert fall["missing"] == fall["scenario_missing"] == ["ZZZZ"]
    assert fall["complete"] is False
    for place, point in enumerate(report["points"]):
        parts = [gain["pnl"][place] for gain in report["by_underlying"] if gain["pnl"][place] is not None]
        assert sum(parts) == pytest.approx(point["pnl"])
    assert [gain["underlying"] for gain in report["by_underlying"]] == ["AAPL", "JPM", "ZZZZ"]
    assert [gain["complete"] for gain in report["by_underlying"]] == [True, True, False]


def test_shocks_days_and_volatility_change_the_curve(cli: CommandLine, book: str) -> None:
    given = ("--market", "0", "--shock", "aapl=-20%,JPM=5%", "--days", "30", "--vol", "+5")
    report = cli("what-if", book, *AT, "--json", *given).json
    rows = cli("positions", book, *AT, "--json").json["positions"]
    spot = {row["symbol"]: row["spot"] for row in rows}
    assert report["shocks"] == {"AAPL": -0.2, "JPM": 0.05}
    assert (report["days"], report["volatility"]) == (30.0, 5.0)
    gains = {gain["underlying"]: gain for gain in report["by_underlying"]}
    assert gains["JPM"]["pnl"] == [pytest.approx(-50 * 0.05 * spot["JPM"])]
    assert gains["JPM"]["shock"] == 0.05
    # Expired by then: one short put of 120 at 126.04·0.8.
    late, price = 0.8 * spot["AAPL"], next(row["price"] for row in rows if row["kind"] == "option")
    expected = 100 * (late - spot["AAPL"]) - 100 * (120 - late - price)
    assert gains["AAPL"]["pnl"] == [pytest.approx(expected, rel=0.01)]
    calmer = cli("what-if", book, *AT, "--json", "--market=-10%", "--vol", "-5").json["points"][0]
    assert calmer["pnl"] > cli("what-if", book, *AT, "--json", "--market=-10%").json["points"][0]["pnl"]


def test_moves_are_written_in_many_ways(cli: CommandLine, book: str) -> None:
    report = cli("what-if", book, *AT, "--json", "--market=-12.5%, −0.05,0,+7 %,1").json
    assert [point["market"] for point in report["points"]] == [-0.125, -0.05, 0.0, 0.07, 1.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--market", "20"], "20 is not a move; write 20% or 0.2"),
        (["--market", ","], "there is no move in it"),
        (["--shock", "AAPL"], "'AAPL' is not SYMBOL=MOVE, like AAPL=-20%"),
        (["--shock", "AAPL=x%"], "'x' is not a number"),
        (["--shock", "AAPL=1%,AAPL=2%"], "--shock gives one symbol two moves"),
        (["--shock", "MSFT=-1%"], "no position moves with MSFT"),
        (["--days", "-1"], "-1 days: the number of days has to be 0 or more"),
        (["--days", "inf"], "'inf' is not a number"),
        (["--plot", "curve.txt"], "'curve.txt' ends in none of .png, .svg, .pdf"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    cli: CommandLine, book: str, arguments: list[str], message: str
) -> None:
    ran = cli("what-if", book, *AT, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


@pytest.mark.parametrize("width", ["80", "100", "120"])
def test_the_screen_fits_and_says_what_it_shows(cli: CommandLine, book: str, width: str) -> None:
    cli.set("COLUMNS", width)
    ran = cli("what-if", book, *AT, "--shock", "JPM=-3.5%", "--days", "1", "--vol", "2.5")
    assert ran.code == 0
    assert max(map(len, ran.lines)) <= int(width)
    assert " JPM −3.5 % by itself · after 1 day · volatility +2.50 points" in ran.lines
    heading = line_with(ran.lines, "Market")
    columns = ["Market", "P&L USD", "% of value", "delta only", "scenario"]
    assert re.split(r" {2,}", heading.strip())[:5] == columns
    assert len([line for line in ran.lines if "│" in line]) == 9
    assert line_with(ran.lines, "missing") == " ≥ 1 missing: ZZZZ"
    assert line_with(ran.lines, "JPM   ").split()[1:5] == ["−3.5", "%", "by", "itself"]
    assert line_with(ran.lines, "ZZZZ   ").split() == ["ZZZZ", "β", "n/a", "n/a", "n/a"]
    assert "at −20 %" in line_with(ran.lines, "Underlying")


def test_without_conditions_it_says_so(cli: CommandLine, book: str) -> None:
    assert " at once, volatilities unchanged" in cli("what-if", book, *AT).lines


def test_a_book_of_which_nothing_is_known_fails(cli: CommandLine) -> None:
    ran = cli("what-if", cli.file("none.csv", "symbol,quantity\nZZZZ,1\n"), *AT)
    assert ran.code == 1
    assert "n/a" in line_with(ran.lines, "−20 %")


def test_strict_fails_where_something_is_missing(cli: CommandLine, book: str) -> None:
    assert cli("what-if", book, *AT, "--strict").code == 3
    whole = cli.file("whole.csv", "symbol,quantity,price\nAAPL,1,126.04\n")
    assert cli("what-if", whole, *AT, "--strict").code == 0


# ---------------------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize(("name", "magic"), [("a.png", b"\x89PNG"), ("a.SVG", b"<?xml"), ("a.pdf", b"%PDF")])
def test_a_picture_is_drawn(cli: CommandLine, book: str, name: str, magic: bytes) -> None:
    path = cli.folder / name
    ran = cli("what-if", book, *AT, "--plot", str(path))
    assert ran.code == 0
    assert path.read_bytes().startswith(magic)
    assert "drawn in" in ran.out


def test_a_picture_does_not_mix_with_json(cli: CommandLine, book: str) -> None:
    ran = cli("what-if", book, *AT, "--plot", str(cli.folder / "a.svg"), "--json")
    assert len(ran.json["points"]) == 9


def test_a_picture_that_cannot_be_written_is_one_line(cli: CommandLine, book: str) -> None:
    ran = cli("what-if", book, *AT, "--plot", str(cli.folder / "nowhere" / "a.png"))
    assert ran.code == 1
    assert "a.png: cannot be written: No such file or directory (" in ran.err


def test_without_matplotlib_the_extra_is_named(
    cli: CommandLine, book: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ran = cli("what-if", book, *AT, "--plot", "a.png")
    assert (ran.code, ran.out) == (2, "")
    assert "pip install 'quotewell[plot]'" in ran.err
