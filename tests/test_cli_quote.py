"""`quotewell quote` and `quotewell explain`: what they print and how they end."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from command_line import CommandLine
from quotewell.calendars import close_of
from quotewell.records import DividendEvent, Freshness, Need, Payouts, Reading, Record
from quotewell.testing import FakeProvider, ManualClock
from quotewell.views.cli import explain
from quotewell.views.explanation import payouts_of, values_of

AT = close_of(dt.date(2025, 5, 8))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AT + 3600)


@pytest.fixture
def market(clock: ManualClock) -> FakeProvider:
    closes = {
        symbol: [100.0 * (1.01 if day % 2 else 1.0) ** beta for day in range(600)]
        for symbol, beta in (("AAPL", 1.5), ("BRK-B", 0.5), ("^GSPC", 1.0))
    }
    return FakeProvider(clock, {"AAPL": 1234.5, "BRK-B": 400.0}, closes)


@pytest.fixture
def cli(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    market: FakeProvider,
    clock: ManualClock,
) -> CommandLine:
    made = CommandLine(capsys, monkeypatch, tmp_path)
    made.ask(market, clock=clock)
    return made


def test_one_line_a_symbol_in_the_order_asked(cli: CommandLine) -> None:
    ran = cli("quote", "brk.b", "AAPL")
    assert ran.code == 0
    assert [line.split()[:3] for line in ran.lines] == [
        ["symbol", "price", "change"],
        ["BRK-B", "400.00", "USD"],
        ["AAPL", "1,234.50", "USD"],
    ]
    assert "1.50" in ran.lines[2]
    assert ran.lines[2].endswith("fake    AAPL Inc.")


def test_json_has_every_key_and_the_canonical_symbol(cli: CommandLine, market: FakeProvider) -> None:
    (row,) = cli("quote", "aapl", "--json").json
    assert row.pop("beta") == pytest.approx(1.5, abs=0.02)
    assert row == {
        "symbol": "AAPL",
        "price": 1234.5,
        "previous_close": 1234.5,
        "currency": "USD",
        "name": "AAPL Inc.",
        "as_of": "2025-05-08T21:00:00Z",
        "fetched_at": "2025-05-08T21:00:00Z",
        "source": "fake",
        "freshness": "fresh",
        "level": "provider",
        "error": None,
    }


def test_what_has_no_price_says_why(cli: CommandLine) -> None:
    ran = cli("quote", "NOPE", "AAPL", "no/thing!", "X" * 5000)
    assert ran.code == 0
    assert "n/a" in ran.lines[1]
    assert "n/a" in ran.lines[3]
    assert len(ran.lines[4]) < 300
    rows = cli("quote", "NOPE", "no/thing!", "--json").json
    assert [row["price"] for row in rows] == [None, None]
    assert all(row["error"] for row in rows)


def test_strict_minds_a_missing_beta_and_nothing_usable_is_a_failure(
    cli: CommandLine, market: FakeProvider
) -> None:
    assert cli("quote", "AAPL", "--strict").code == 0
    assert cli("quote", "AAPL", "NOPE", "--strict").code == 3
    assert cli("quote", "NOPE").code == 1
    market.prices["NEW"] = 5.0
    assert cli("quote", "NEW").code == 0
    assert cli("quote", "NEW", "--strict").code == 3


def test_a_stale_price_is_marked(cli: CommandLine, market: FakeProvider, clock: ManualClock) -> None:
    cli("quote", "AAPL")
    market.failure = "rate_limited"
    clock.advance(86400 * 1.5)
    ran = cli("quote", "AAPL")
    assert ran.code == 0
    assert "1,234.50~" in ran.out
    assert cli("quote", "AAPL", "--strict").code == 3
    row = cli("quote", "AAPL", "--json").json[0]
    assert row["freshness"] == "stale"
    assert "told to fail" in row["error"]


def test_offline_nothing_is_asked(cli: CommandLine, market: FakeProvider) -> None:
    ran = cli("quote", "AAPL", "--offline")
    assert ran.code == 1
    assert "not cached, and no provider was asked" in ran.out
    assert market.calls == []


# ------------------------------------------------------------------------------------------------ explain


def test_explain_names_source_age_and_level_of_each_facet(cli: CommandLine, clock: ManualClock) -> None:
    cli("explain", "AAPL")
    clock.advance(120)
    ran = cli("explain", "aapl")
    assert ran.code == 0
    assert ran.lines[0] == "AAPL"
    assert (
        "  fake, as of 2025-05-08T21:00:00Z (2 min old), fetched 2025-05-08T21:00:00Z, fresh, from sqlite"
        in ran.lines
    )
    assert [word for word in ("quote", "profile", "risk", "dividend", "history") if word in ran.lines] == [
        "quote", "profile", "risk", "dividend", "history",
    ]  # fmt: skip
    assert "  last            1,234.5" in ran.lines
    assert any(line.startswith("  window_start") and line.endswith("Z") for line in ran.lines)
    assert any(line.startswith("  first_date") and line.count("-") == 2 for line in ran.lines)


def test_explain_says_why_there_is_nothing(cli: CommandLine) -> None:
    ran = cli("explain", "NOPE")
    assert ran.code == 1
    assert "last failure: " in ran.out
    assert " in a row, next try after " in ran.out
    never = cli("explain", "AAPL", "--offline")
    assert never.code == 1
    assert "n/a: not cached, and no provider was asked" in never.out


def test_explain_as_json(cli: CommandLine) -> None:
    report = cli("explain", "AAPL", "--json").json
    assert (report["schema"], report["symbol"], report["requests"]) == (1, "AAPL", 2)
    quote, history, risk = (report["facets"][facet] for facet in ("quote", "history", "risk"))
    assert quote["values"]["last"] == 1234.5
    assert quote["failure"] is None
    assert history["values"]["last_date"] == "2025-05-07"
    assert risk["values"]["window_end"] == "2025-05-07T20:00:00Z"
    failed = cli("explain", "NOPE", "--json")
    assert failed.code == 1
    failure = failed.json["facets"]["quote"]["failure"]
    assert (failure["kind"], failure["source"], failure["count"]) == ("unknown", "fake", 1)
    assert failed.json["facets"]["quote"]["values"] is None


@pytest.mark.parametrize(
    ("symbol", "facets"),
    [
        ("EURUSD=X", ["fx", "quote", "history"]),
        ("^IRX", ["rate"]),
        ("AAPL250620C00200000", ["quote"]),
    ],
)
def test_explain_asks_what_the_kind_of_symbol_has(cli: CommandLine, symbol: str, facets: list[str]) -> None:
    assert list(cli("explain", symbol, "--json").json["facets"]) == facets


def test_what_is_no_symbol_is_one_line(cli: CommandLine) -> None:
    ran = cli("explain", "?" * 5000, "--json")
    assert ran.code == 1
    assert ran.json["error"]["kind"] == "symbol"
    assert ran.err.count("\n") == 1
    assert len(ran.err) < 700


def test_days_inside_a_record_are_dates() -> None:
    events = (DividendEvent(dt.date(2025, 5, 9).toordinal(), 0.26, "USD", declared=True),)
    payouts = Payouts(symbol="AAPL", events=events)
    reading: Reading[Record] = Reading("AAPL", payouts, Freshness.FRESH, "memory")
    text = explain._text("AAPL", {"payouts": reading}, AT)
    assert "  events  1 entry, --json shows them" in text.splitlines()
    assert values_of(payouts)["events"] == [
        {"ex_date": "2025-05-09", "amount": 0.26, "currency": "USD", "declared": True}
    ]


def test_explain_shows_the_ex_dates_that_options_are_valued_with() -> None:
    days = (dt.date(2025, 2, 10), dt.date(2025, 5, 12))
    events = tuple(DividendEvent(day.toordinal(), 0.26, "USD", declared=True) for day in days)
    known: Reading[Record] = Reading("AAPL", Payouts(symbol="AAPL", events=events), Freshness.FRESH, "memory")
    option = "AAPL250919C00200000"
    readings: dict[Need, Reading[Record]] = {("AAPL", "payouts"): known}
    payouts = payouts_of(option, readings, AT)
    assert [(one.ex_date.isoformat(), one.projected) for one in payouts] == [
        ("2025-05-12", False),
        ("2025-08-12", True),
    ]
    text = explain._schedule(option, payouts)
    assert "ex-dates of AAPL until expiry" in text
    assert "  2025-08-12  0.2600  projected" in text
    a_year = payouts_of("AAPL", readings, AT)
    assert [one.ex_date.isoformat() for one in a_year][-1] == "2026-02-12"
    silent: Reading[Record] = Reading("AAPL", Payouts(symbol="AAPL"), Freshness.FRESH, "memory")
    assert payouts_of(option, {("AAPL", "payouts"): silent}, AT) == []
    assert explain._schedule(option, []) == ""
