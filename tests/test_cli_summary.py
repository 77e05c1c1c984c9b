"""`quotewell summary FILE`: what is printed, what is asked, and the exit code."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from command_line import CommandLine
from quotewell.calendars import close_of
from quotewell.demo import portfolio_file
from quotewell.testing import FakeProvider, ManualClock

AT = close_of(dt.date(2025, 5, 8))
BOOK = "symbol,quantity,price,value\nAAPL,10,190,1900\nMSFT,-5,400,-2000\n"


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CommandLine:
    return CommandLine(capsys, monkeypatch, tmp_path)


@pytest.fixture
def market() -> FakeProvider:
    closes = {
        symbol: [100.0 * 1.001**day * (1.01 if day % 2 else 1.0) ** beta for day in range(600)]
        for symbol, beta in (("AAPL", 1.5), ("MSFT", 0.5), ("^GSPC", 1.0))
    }
    return FakeProvider(ManualClock(AT + 3600), {"AAPL": 200.0, "MSFT": 400.0}, closes)


@pytest.fixture
def sample(cli: CommandLine) -> str:
    return cli.file("Portfolio_Positions_Dec-28-2022.csv", portfolio_file().read_bytes())


def test_online_everything_is_fetched_in_one_plan_and_valued_now(
    cli: CommandLine, market: FakeProvider
) -> None:
    clock = ManualClock(AT + 3600)
    cli.ask(market, clock=clock)
    ran = cli("summary", cli.file("book.csv", BOOK), "--json")
    assert ran.code == 0
    assert ran.err == ""
    report = ran.json
    assert report["valuation_at"] == "2025-05-08T21:00:00Z"
    assert report["value"]["total"] == 10 * 200.0 - 5 * 400.0
    assert report["betas"]["by_method"] == {"ols_daily": 2}
    assert report["requests"] == market.requests == 2
    again = cli("summary", cli.file("book.csv", BOOK), "--json").json
    assert market.requests == 2
    assert again["value"] == report["value"]


def test_the_screen_fits_and_ends_with_what_to_try_next(cli: CommandLine, sample: str) -> None:
    ran = cli("summary", sample, "--offline")
    assert ran.code == 0
    assert max(map(len, ran.lines)) <= 100
    assert "\x1b" not in ran.out
    assert "1,887,821" in ran.out
    assert ran.lines[-1] == (
        " quotewell positions FILE --sort exposure:desc · quotewell explain MSFT · --json for programs"
    )


def test_a_short_name_of_the_file_is_repeated_as_a_shell_takes_it(
    cli: CommandLine, sample: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(sample).rename(cli.folder / "my book.csv")
    monkeypatch.chdir(cli.folder)
    assert "quotewell positions 'my book.csv' --sort" in cli("summary", "my book.csv", "--offline").out


def test_offline_the_report_is_of_the_day_of_the_file(cli: CommandLine, sample: str) -> None:
    report = cli("summary", sample, "--offline", "--json").json
    assert report["as_of"] == report["valuation_at"] == "2022-12-28T21:00:00Z"
    assert report["freshness"]["stale"] == 0
    assert report["requests"] == 0


def test_offline_a_file_of_an_unknown_day_has_no_valuation_instant(cli: CommandLine) -> None:
    ran = cli("summary", cli.file("book.csv", BOOK), "--offline", "--json")
    assert ran.code == 0
    assert ran.json["valuation_at"] is None
    assert "as_of_unknown" in {problem["kind"] for problem in ran.json["problems"]}
    cli.set("QUOTEWELL_OFFLINE", "1")
    assert cli("summary", cli.file("book.csv", BOOK), "--json").json["valuation_at"] is None


def test_as_of_a_past_day_uses_histories_and_nothing_later(cli: CommandLine, market: FakeProvider) -> None:
    cli.ask(market, clock=ManualClock(AT + 3600))
    path = cli.file("book.csv", "symbol,quantity\nAAPL,10\n")
    report = cli("summary", path, "--as-of", "2025-05-06", "--json").json
    assert report["valuation_at"] == "2025-05-06T20:00:00Z"
    assert {call.endpoint.name for call in market.calls} == {"history"}
    assert report["value"]["total"] == pytest.approx(10 * market.histories["AAPL"][-2])
    assert report["betas"]["window_end"] == "2025-05-06T20:00:00Z"


def test_a_day_to_come_is_wrong_usage(cli: CommandLine, sample: str) -> None:
    ran = cli("summary", sample, "--as-of", "2999-01-01", "--offline")
    assert ran.code == 2
    assert ran.err == (
        "quotewell: --as-of 2999-01-01: that day's close is still to come (leave it out for now)\n"
    )


def test_assumptions_are_taken_from_the_options(cli: CommandLine, sample: str) -> None:
    options = ["--offline", "--json", "--assume-beta", "1.5", "--rate", "0.04", "--dividend-yield", "0.01"]
    report = cli("summary", sample, *options).json
    assert report["betas"]["by_method"] == {"given": 18}
    assert report["assumptions"] == {"rate": 0, "dividend": 0, "net_exposure_change": None}
    assert report["exposure"]["net"]["beta_adjusted"] == pytest.approx(
        1.5 * report["exposure"]["net"]["total"]
    )


def test_the_benchmark_is_a_symbol_and_is_named(cli: CommandLine, sample: str) -> None:
    report = cli("summary", sample, "--offline", "--json", "--benchmark", "spy").json
    assert report["benchmark"] == "SPY"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--as-of", "yesterday"], "--as-of: 'yesterday' is not a date like 2025-05-08"),
        (["--rate", "4.3"], "--rate: '4.3' is not a fraction; 4.3 % is 0.043"),
        (["--rate", "EURO=0.02"], "--rate: 'EURO' is no currency code like EUR"),
        (["--rate", "EUR="], "--rate: '' is not a number"),
        (["--dividend-yield", "nan"], "--dividend-yield: 'nan' is not a number"),
        (["--assume-beta", "1e999"], "--assume-beta: '1e999' is not a number"),
        (["--benchmark", "?!"], "--benchmark: symbol '?!'"),
        (["--beta", "mine"], "--beta: 'mine' is none of computed, weekly, provider"),
        (["--strct"], "summary: unknown option --strct (did you mean --strict? "),
        (["--as-of", "9" * 5000], "--as-of: '9999999999"),
    ],
)
def test_wrong_options_are_one_line_and_code_2(
    cli: CommandLine, sample: str, arguments: list[str], message: str
) -> None:
    ran = cli("summary", sample, *arguments)
    assert ran.code == 2
    assert ran.err.startswith(f"quotewell: {message}")
    assert ran.err.count("\n") == 1
    assert len(ran.err) < 400
    assert cli("summary", sample, *arguments, "--json").json["error"]["kind"] == "usage"


BAD_FILES = {
    "empty.csv": (b"", "the file is empty"),
    "blank.csv": (b" \n\n", "the file is empty"),
    "header.csv": (b"symbol,quantity\n", "there are no rows below the header"),
    "columns.csv": (b"name,age\nAda,36\n", "no header of a known kind"),
    "binary.csv": (bytes(range(256)) * 50, "is not a text file"),
    "zip.csv": (b"PK\x03\x04" + bytes(200), "a ZIP archive"),
    "junk.csv": (b"x" * 10_000_000, "no header of a known kind"),
    "lines.csv": (b"no,csv;at\tall\n" * 700_000, "no header of a known kind"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_export_is_one_clear_line_and_code_1(cli: CommandLine, name: str) -> None:
    content, reason = BAD_FILES[name]
    path = cli.file(name, content)
    ran = cli("summary", path, "--offline", "--json")
    assert ran.code == 1
    assert ran.err.startswith(f"quotewell: {path}: ")
    assert reason in ran.err
    assert ran.err.count("\n") == 1
    assert ran.json["error"]["kind"] == "import"
    assert reason in ran.json["error"]["message"]


@pytest.mark.parametrize("name", ["missing.csv", ".", "x" * 5000])
def test_a_path_that_cannot_be_read_is_one_clear_line_and_code_1(cli: CommandLine, name: str) -> None:
    ran = cli("summary", str(cli.folder / name), "--offline")
    assert ran.code == 1
    assert ran.err.startswith("quotewell: ")
    assert ran.err.count("\n") == 1
    assert ran.out == ""


@pytest.mark.parametrize(
    "row", ["AAPL,nan", "AAPL,1e999", "AAPL,inf", f"{'X' * 5000},1", "AAPL,ten", "\u202ered,1"]
)
def test_a_row_that_cannot_be_read_is_rejected_with_its_line(cli: CommandLine, row: str) -> None:
    path = cli.file("book.csv", f"symbol,quantity,price,value\nMSFT,2,400,800\n{row}\n")
    ran = cli("summary", path, "--offline", "--json")
    assert ran.code == 0
    assert ran.json["counts"]["rejected"] == 1
    rejected = [problem for problem in ran.json["problems"] if problem["kind"] == "rejected"]
    assert [problem["line"] for problem in rejected] == [3]
    screen = cli("summary", path, "--offline", "--strict")
    assert screen.code == 3
    assert "line 3: " in screen.out
    assert screen.out.replace("\n", "").isprintable()


def test_a_book_of_which_nothing_could_be_valued_is_shown_but_failed(cli: CommandLine) -> None:
    path = cli.file("book.csv", "symbol,quantity\nAAPL,1\n")
    ran = cli("summary", path, "--offline", "--json")
    assert ran.code == 1
    assert ran.json["value"]["total"] is None
    assert ran.err == f"quotewell: {path}: nothing in it could be valued\n"
    assert "n/a" in cli("summary", path, "--offline").out


def test_strict_is_content_only_with_a_complete_report(cli: CommandLine, market: FakeProvider) -> None:
    cli.ask(market, clock=ManualClock(AT + 3600))
    complete = cli.file("book.csv", BOOK)
    assert cli("summary", complete, "--strict").code == 0
    disputed = cli.file("disputed.csv", BOOK.replace("1900", "2900"))
    assert cli("summary", disputed).code == 0
    assert cli("summary", disputed, "--strict").code == 3
    unknown = cli.file("unknown.csv", BOOK + "NOPE,1,,\n")
    assert cli("summary", unknown, "--strict").code == 3
    market.failure = "rate_limited"
    cli.ask(market, clock=ManualClock(AT + 3600 * 20))
    assert cli("summary", complete, "--strict").code == 3  # stale


def test_strict_does_not_mind_what_is_only_assumed(cli: CommandLine, market: FakeProvider) -> None:
    cli.ask(market, clock=ManualClock(AT + 3600))
    market.prices["AAPL250620C00200000"] = 10.0
    path = cli.file("book.csv", "symbol,quantity,comment\nAAPL,1,x\nAAPL250620C00200000,-1,y\n")
    ran = cli("summary", path, "--strict", "--json")
    assert {problem["kind"] for problem in ran.json["problems"]} == {
        "as_of_unknown",
        "assumed_rate",
        "ignored_columns",
    }
    assert ran.code == 0


def test_a_provider_that_fails_leaves_the_report_on_the_files_own_prices(
    cli: CommandLine, market: FakeProvider
) -> None:
    market.failure = "network"
    cli.ask(market, clock=ManualClock(AT + 60))
    ran = cli("summary", cli.file("book_2025-05-08.csv", BOOK), "--json")
    assert ran.code == 0
    assert ran.json["value"]["total"] == -100.0
    assert ran.json["betas"]["known"] == 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400) | st.text(alphabet='symbolquantity,\n"$-1.5A;', max_size=300))
def test_no_file_causes_a_traceback(cli: CommandLine, content: bytes | str) -> None:
    ran = cli("summary", cli.file("any.csv", content), "--offline", "--json")
    assert ran.code in (0, 1)
    assert ran.err.count("\n") <= 1
    assert set(ran.json) == {"error"} or ran.json["schema"] == 1
