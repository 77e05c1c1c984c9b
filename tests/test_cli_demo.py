"""`quotewell demo`: the bundled sample, whatever the machine is configured for."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from command_line import CommandLine


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CommandLine:
    return CommandLine(capsys, monkeypatch, tmp_path)


def test_the_report_is_complete_but_for_the_escrow_shares(cli: CommandLine) -> None:
    ran = cli("demo", "--json")
    assert (ran.code, ran.err) == (0, "")
    report = ran.json
    assert report["valuation_at"].startswith("2022-12-28T21:00:0")
    assert report["file"] == "Portfolio_Positions_Dec-28-2022.csv"
    assert report["value"]["total"] == pytest.approx(1_887_820.55, abs=0.05)
    assert report["value"]["difference"] == pytest.approx(0.0, abs=0.05)
    assert report["exposure"]["net"]["missing"] == ["990ESC018"]
    assert (report["betas"]["known"], report["betas"]["needed"]) == (17, 18)
    assert report["coverage"]["delta"] == pytest.approx(1.0)
    assert report["requests"] == 0


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_the_screen_fits_and_says_what_it_is(cli: CommandLine, width: int) -> None:
    cli.set("COLUMNS", str(width))
    ran = cli("demo")
    assert max(map(len, ran.lines)) <= width
    assert "made up" in ran.lines[-1] + ran.lines[-2]
    assert "illustrative" in ran.lines[-1] + ran.lines[-2]
    assert "quotewell summary FILE" in ran.lines[-1]
    assert "\x1b" not in ran.out
    assert "…" not in ran.out or width < 80 or width == 120


def test_the_screen_has_the_same_figures_as_json(cli: CommandLine) -> None:
    report = cli("demo", "--json").json
    ran = cli("demo")
    for figure in (
        report["value"]["total"],
        report["exposure"]["net"]["total"],
        report["exposure_by_underlying"]["gross"]["beta_adjusted"],
        report["by_underlying"][0]["exposure"],
        report["what_if"][-1]["pnl"],
    ):
        assert f"{figure:,.0f}" in ran.out


def test_it_is_the_same_whatever_is_configured(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", None)  # nobody may call
    before = cli("demo", "--json").json
    for name, value in (
        ("PROVIDERS", "yahoo"),
        ("OFFLINE", "1"),
        ("BENCHMARK", "SPY"),
        ("BETA", "provider"),
        ("BASE_CURRENCY", "EUR"),
        ("CACHE_URL", "redis://nowhere"),
    ):
        cli.set(f"QUOTEWELL_{name}", value)
    after = cli("demo", "--json").json
    for report in (before, after):
        del report["valuation_at"]  # the clock runs
    assert after["exposure"]["long"]["stocks"] == before["exposure"]["long"]["stocks"]
    assert (after["base_currency"], after["benchmark"], after["betas"]) == (
        "USD",
        "^GSPC",
        before["betas"],
    )


def test_its_cache_is_its_own(cli: CommandLine) -> None:
    cli("demo")
    assert (cli.folder / "cache" / "demo" / "cache.db").exists()
    assert not (cli.folder / "cache" / "cache.db").exists()


def test_without_a_place_for_a_cache_it_says_so_in_one_line_and_goes_on(cli: CommandLine) -> None:
    cli.set("QUOTEWELL_CACHE_DIR", cli.file("not-a-folder", "x"))
    ran = cli("demo")
    assert ran.code == 0
    assert ran.err.startswith("quotewell: ")
    assert ran.err.count("\n") == 1
    assert "1,887,821" in ran.out


def test_live_it_is_fetched_once_and_says_what_that_has_cost(cli: CommandLine) -> None:
    ran = cli("demo", "--live")
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines[0].startswith("37 symbols in ")
    assert ran.lines[0].endswith(" s, 2 requests: 37 fetched")
    assert ran.lines[1].startswith("that is with 2 requests for the handshake; valued once more: 0 in ")
    assert "the market simulated" in ran.out
    assert cli("demo", "--live", "--json").json["betas"]["known"] == 17


def test_live_a_fault_is_reported_and_the_files_own_prices_stand_in(cli: CommandLine) -> None:
    ran = cli("demo", "--live", "--fault", "500")
    assert ran.code == 0
    assert "37 failed" in ran.lines[0]
    assert "AAPL quote: failed: HTTP 500" in ran.out
    assert "33 ~stale" in ran.out
    wrong = cli("demo", "--live", "--fault", "nonsense")
    assert wrong.code == 2
    assert wrong.err.startswith("quotewell: --fault nonsense: no such fault (one of 400, ")
