"""What the user knows better: read from TOML, used in place of all else, and marked."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from command_line import CommandLine
from quotewell import Portfolio, UsageError
from quotewell.portfolio.basis import Basis, Deliverable
from quotewell.portfolio.importers import read_positions
from quotewell.portfolio.overrides import Overrides, load_overrides, parse_overrides
from quotewell.records import DividendEvent
from quotewell.testing.source import FakeSource
from valued_books import AT, CALL, flags, one, option, quote, stock, valued

DOC = (Path(__file__).parent.parent / "docs" / "overrides.md").read_text(encoding="utf-8")
EXAMPLE = DOC.partition("```toml\n")[2].partition("```")[0]


def test_the_example_of_the_docs_is_read() -> None:
    found = parse_overrides(EXAMPLE, "mine.toml")
    assert found == Overrides(
        prices={"021ESC017": 1.25},
        betas={"ARKK": 1.7},
        dividend_yields={"AMZN": 0.0},
        dividends={
            "AAPL": (
                DividendEvent(dt.date(2026, 2, 9).toordinal(), 0.26, None, declared=True),
                DividendEvent(dt.date(2026, 5, 11).toordinal(), 0.27, None, declared=True),
            )
        },
        renames={"BRKB": "BRK-B"},
        deliverables={"SPY7": Deliverable(shares=10.0, multiplier=10.0)},
        cash_like=frozenset({"SGOV", "BIL"}),
    )
    assert parse_overrides("", "empty.toml") == Overrides()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[price]\nAAPL = 0", "price"),
        ("[price]\nAAPL = -1.0", "price"),
        ("[price]\nAAPL = nan", "price"),
        ("[beta]\nAAPL = nan", r"\[beta\] AAPL: nan is not a finite number"),
        ("[price]\n'A B C D' = 1", r"\[price\]"),
        ("[beta]\nAAPL = 'one'", "beta"),
        ("[beta]\nAAPL = inf", r"\[beta\] AAPL"),
        ("[dividend_yield]\nAAPL = 1.3", "dividend_yield"),
        ("[dividends.AAPL]\nsoon = 1", r"\[dividends.AAPL\] soon is no day"),
        ("[dividends.AAPL]\n2026-02-09 = inf", r"\[dividends.AAPL\] 2026-02-09: inf is not a finite number"),
        ("[dividends.AAPL]\n2026-02-09 = 0", "dividends"),
        ("[prices]\nAAPL = 1", "prices"),
        ("[deliverable.SPY7]\nmultiplier = 10", "shares"),
        ("[deliverable.SPY7]\nshares = 10\nmore = 1", "more"),
        ("[rename]\nX = ''", r"\[rename\]"),
        ("not toml", "at line 1"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=rf"^mine\.toml.*{words}"):
        parse_overrides(text, "mine.toml")


def test_a_file_that_cannot_be_read_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_overrides(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot be read"):
        load_overrides(tmp_path / "bytes.toml")


def book(text: str, overrides: Overrides, **prices: float) -> Portfolio:
    source = FakeSource(prices, now=AT)
    return Portfolio.from_csv(text.encode(), source, basis=overrides.applied(Basis()), at=AT)


def test_a_price_of_ones_own_counts_everywhere() -> None:
    mine = book("symbol,quantity\n021ESC017,33\nAMZN,10\n", Overrides(prices={"021ESC017": 1.25}), AMZN=100.0)
    assert mine.positions[0].market_value == 33 * 1.25
    assert mine.positions[0].market_price == 1.25
    summary = mine.summary()
    assert (summary.value.total, summary.value.complete) == (1000.0 + 41.25, True)
    assert [p.subject for p in summary.problems if p.kind == "override"] == ["021ESC017"]


def test_it_wins_over_market_and_file_and_suspects_no_split() -> None:
    mine = book("symbol,quantity,price\nAMZN,10,1000\n", Overrides(prices={"AMZN": 50.0}), AMZN=100.0)
    columns = mine.value()
    assert columns.price.tolist() == [50.0]
    assert flags(columns) == {"override_price"}


def test_options_are_valued_at_the_underlyings_new_price() -> None:
    prices = {"AMZN": quote("AMZN", 200.0, AT), CALL: quote(CALL, 10.0, AT)}
    usual = one(option(), prices)
    source = FakeSource(prices, now=AT)
    basis = Overrides(prices={"AMZN": 220.0}).applied(Basis())
    mine = Portfolio.from_csv(f"symbol,quantity\n{CALL},-2\n".encode(), source, basis=basis, at=AT).value()
    assert mine.spot.tolist() == [220.0]
    assert mine.price[0] > usual.price[0] + 10.0
    assert "model" in flags(mine)
    assert mine.contracts.volatility[0] == pytest.approx(usual.contracts.volatility[0])


def test_a_beta_and_a_yield_of_ones_own() -> None:
    basis = Overrides(betas={"AMZN": 2.0}, dividend_yields={"AMZN": 0.03}).applied(Basis(beta=1.0))
    prices = {"AMZN": 200.0, "MSFT": 400.0, CALL: 10.0}
    columns = valued(
        [stock(), option(), stock("MSFT")], FakeSource(prices, betas={"AMZN": 1.3}, now=AT), basis
    )
    assert columns.beta.tolist() == [2.0, 2.0, 1.0]
    assert columns.contracts.dividend_yield[1] == 0.03
    assert flags(columns, 0) == {"override_beta"}
    assert {"override_beta", "override_dividend"} <= flags(columns, 1)
    assert flags(columns, 2) == {"given_beta"}


def test_what_an_adjusted_option_delivers() -> None:
    adjusted = option("AMZN1250620C00200000", price=10.0, value=-2000.0)
    assert "deliverable_unknown" in flags(one(adjusted, {"AMZN": 200.0}))
    basis = Overrides(deliverables={"AMZN1": Deliverable(shares=100.0)}).applied(Basis())
    columns = one(adjusted, {"AMZN": 200.0, adjusted.symbol: 10.0}, basis)
    assert "override_deliverable" in flags(columns)
    assert columns.exposure[0] < 0.0


def test_a_rename_keeps_what_the_file_said() -> None:
    file = read_positions(b"symbol,quantity\nBRKB,1\nAMZN,2\n")
    Overrides(renames={"BRKB": "BRK-B"}).rename(file)
    assert [(p.symbol, p.raw_symbol) for p in file.positions] == [("BRK-B", "BRKB"), ("AMZN", "AMZN")]


def test_cash_likes_are_valued_at_their_price_and_expose_to_nothing() -> None:
    text = "symbol,quantity,price,value\nSGOV,10,100,1000\nAMZN,1,200,200\nCASH,5,,5\n"
    usual = book(text, Overrides(), SGOV=101.0, AMZN=200.0).summary()
    mine = book(text, Overrides(cash_like=frozenset({"SGOV"})), SGOV=101.0, AMZN=200.0).summary()
    assert (usual.value.cash, usual.value.stocks) == (5.0, 1210.0)
    assert (mine.value.cash, mine.value.stocks) == (1015.0, 200.0)
    assert mine.value.total == usual.value.total == 1215.0
    assert mine.value.difference == 10.0
    assert mine.exposure.net.total == 200.0
    assert [row.underlying for row in mine.by_underlying] == ["AMZN"]


# --------------------------------------------------------------------------------------------- command line


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CommandLine:
    return CommandLine(capsys, monkeypatch, tmp_path)


def test_the_command_line_marks_them(cli: CommandLine) -> None:
    path = cli.file("book_2025-05-08.csv", "symbol,quantity,price\nAMZN,10,190\n021ESC017,33,\nSGOV,1,100\n")
    own = cli.file("mine.toml", "[price]\n021ESC017 = 1.25\n[beta]\nAMZN = 1.3\n")
    ran = cli("positions", path, "--offline", "--overrides", own, "--cash-like", "sgov")
    assert re.search(r"021ESC017 +33 +1\.25✎", ran.out)
    assert re.search(r"AMZN .*1\.30✎", ran.out)
    summary = cli("summary", path, "--offline", "--overrides", own, "--cash-like", "SGOV", "--strict")
    assert "your own figures" in summary.out
    assert re.search(r"Cash +100", summary.out)
    cli.set("QUOTEWELL_OVERRIDES", own)
    assert cli("summary", path, "--offline", "--json").json["betas"]["by_method"] == {"override": 1}
    wrong = cli.file("wrong.toml", "[price]\nAMZN = 'x'\n")
    assert cli("summary", path, "--offline", "--overrides", wrong).code == 2
