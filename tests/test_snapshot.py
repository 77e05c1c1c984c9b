from __future__ import annotations

import csv
import datetime as dt
import importlib.util
import io
import json
import math
from importlib.resources import as_file, files
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from quotewell import demo
from quotewell.endpoints import Call, Fetched, Lane
from quotewell.providers.snapshot import SnapshotProvider
from quotewell.providers.validate import check
from quotewell.records import Facet, History, Need, Profile, Quote, Rate
from quotewell.symbols import parse_option
from quotewell.testing.clock import ManualClock

ROOT = Path(__file__).resolve().parent.parent
TOOL = ROOT / "tools" / "make_demo.py"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(demo.demo_now())


@pytest.fixture
def provider(clock: ManualClock) -> SnapshotProvider:
    return SnapshotProvider(clock)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return [row for row in csv.DictReader(io.StringIO(text())) if row["Symbol"]]


@pytest.fixture(scope="module")
def market() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(files(demo).joinpath(demo.MARKET_FILE).read_text())
    return loaded


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_demo", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ask(provider: SnapshotProvider, facet: Facet, *symbols: str) -> Fetched:
    (endpoint,) = (endpoint for endpoint in provider.endpoints if facet in endpoint.facets)
    call = Call(endpoint, symbols, frozenset((symbol, facet) for symbol in symbols))
    return provider.fetch(call, lane=Lane.INTERACTIVE, deadline=math.inf)


def test_the_demo_is_about_the_close_of_its_last_day() -> None:
    at = dt.datetime.fromtimestamp(demo.demo_now(), dt.UTC)
    assert at == dt.datetime(2022, 12, 28, 21, tzinfo=dt.UTC)


def test_a_quote_is_the_last_close(provider: SnapshotProvider, clock: ManualClock) -> None:
    fetched = ask(provider, "quote", "AAPL", "^GSPC")
    assert fetched.found["AAPL", "quote"] == Quote(
        symbol="AAPL",
        source="snapshot",
        as_of=demo.demo_now(),
        fetched_at=clock.now(),
        last=125.674,
        previous_close=129.652,
        currency="USD",
        exchange="NasdaqGS",
        type="stock",
        market_state="CLOSED",
    )
    index, profile = fetched.found["^GSPC", "quote"], fetched.found["AAPL", "profile"]
    assert isinstance(index, Quote)
    assert (index.last, index.type) == (3783.22, "index")
    assert isinstance(profile, Profile)
    assert (profile.name, profile.sector, profile.time_zone) == (
        "Apple Inc.",
        "Technology",
        "America/New_York",
    )


def test_the_rates_are_flat_and_named_after_the_demo(provider: SnapshotProvider) -> None:
    fetched = ask(provider, "rate", "^IRX", "^FVX", "^TNX", "^TYX")
    points = [record for record in fetched.found.values() if isinstance(record, Rate)]
    assert {(point.rate, point.source, point.as_of) for point in points} == {(0.04, "demo", demo.demo_now())}
    years = [point.years for point in points if point.years is not None]
    assert years == [pytest.approx(91 / 365), 5.0, 10.0, 30.0]


def test_a_history_is_three_years_long(provider: SnapshotProvider) -> None:
    fetched = ask(provider, "history", "AAPL")
    closes, history = fetched.closes["AAPL"], fetched.found["AAPL", "history"]
    assert isinstance(history, History)
    assert closes.dates[0] == history.first_date == dt.date(2020, 1, 2).toordinal()
    assert closes.dates[-1] == history.last_date == dt.date(2022, 12, 28).toordinal()
    assert len(closes.closes) == history.bars == 754
    assert (closes.closes[0], closes.closes[-1]) == (73.348, 125.674)


def test_what_it_does_not_know_is_unknown_and_what_it_lacks_is_unsupported(
    provider: SnapshotProvider,
) -> None:
    option = "AAPL230317P00120000"
    assert ask(provider, "quote", "TSLA").unknown == {("TSLA", "quote")}
    assert ask(provider, "history", "TSLA").unknown == {("TSLA", "history")}
    for need, fetched in {
        (option, "quote"): ask(provider, "quote", option),
        ("^IRX", "quote"): ask(provider, "quote", "^IRX"),
        ("AAPL", "rate"): ask(provider, "rate", "AAPL"),
    }.items():
        assert fetched.failed[need].failure == "unsupported"
        assert need[0] in str(fetched.failed[need])


def test_everything_in_it_passes_the_border_unchanged(
    provider: SnapshotProvider, clock: ManualClock, market: dict[str, Any]
) -> None:
    symbols = tuple(market["closes"])
    assert len(symbols) == 21
    for fetched in (ask(provider, "quote", *symbols), ask(provider, "history", *symbols)):
        checked = check(fetched, {}, clock.now())
        assert checked.failed == {}
        assert checked.found == fetched.found
        assert checked.closes == fetched.closes


class TestPortfolio:
    def test_stocks_are_priced_at_the_snapshot(
        self, rows: list[dict[str, str]], market: dict[str, Any]
    ) -> None:
        stocks = [row for row in rows if row["Symbol"] in market["closes"]]
        assert len({row["Symbol"] for row in stocks if float(row["Quantity"]) > 0}) == 14
        assert sum(row["Type"] == "Short" for row in stocks) == 3
        for row in stocks:
            quantity, price = float(row["Quantity"]), amount(row["Last Price"])
            assert price == market["closes"][row["Symbol"]][-1]
            assert amount(row["Current Value"]) == pytest.approx(quantity * price, abs=0.005)

    def test_options_are_listed_contracts_between_intrinsic_value_and_stock(
        self, rows: list[dict[str, str]], market: dict[str, Any]
    ) -> None:
        contracts = [row for row in rows if row["Symbol"].startswith(" -")]
        assert len(contracts) == 16
        shorts_in_the_money = 0
        for row in contracts:
            option = parse_option(row["Symbol"])
            described = parse_option(row["Description"])
            assert option is not None
            assert option == described
            assert option.expiry.weekday() == 4
            assert option.underlying is not None
            spot = market["closes"][option.underlying][-1]
            intrinsic = max(0.0, (spot - option.strike) * (1 if option.is_call else -1))
            price, quantity = amount(row["Last Price"]), float(row["Quantity"])
            assert intrinsic < price < (spot if option.is_call else option.strike)
            assert amount(row["Current Value"]) == pytest.approx(100 * quantity * price)
            shorts_in_the_money += option.is_call and quantity < 0 and intrinsic > 0
        assert shorts_in_the_money == 1

    def test_it_shows_cash_pending_escrow_and_a_date(self, rows: list[dict[str, str]]) -> None:
        by_symbol = {row["Symbol"]: row for row in rows}
        assert amount(by_symbol["Pending Activity"]["Last Price Change"]) == 12_500.0
        assert by_symbol["Pending Activity"]["Current Value"] == ""
        assert by_symbol["990ESC018"]["Last Price"] == "--"
        cash = [row for row in rows if row["Symbol"] == "SPAXX**"]
        assert [(row["Quantity"], row["Last Price"]) for row in cash] == [("", "")] * 2
        assert "Date downloaded Dec-28-2022 4:05 p.m ET" in text()
        assert "is invented" in text()

    def test_the_total_is_what_a_demo_should_show(self, rows: list[dict[str, str]]) -> None:
        known = [row for row in rows if row["Current Value"] not in ("", "--")]
        total = sum(amount(row["Current Value"]) for row in known) + 12_500.0
        assert total == pytest.approx(1_885_000, rel=0.02)
        shares = [float(row["Percent Of Account"].rstrip("%")) for row in known]
        assert sum(shares) == pytest.approx(200.0 - 100.0 * 12_500.0 / 1_399_000.0, abs=0.5)

    def test_it_can_be_opened_as_a_file(self) -> None:
        with as_file(demo.portfolio_file()) as path:
            assert path.name == demo.PORTFOLIO_FILE
            assert path.read_text(encoding="utf-8") == text()


class TestGenerator:
    def test_it_writes_the_bundled_files_byte_for_byte(
        self, tool: ModuleType, market: dict[str, Any], tmp_path: Path
    ) -> None:
        source = tmp_path / "closes.csv"
        with source.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["date", *market["closes"]])
            columns = market["closes"].values()
            writer.writerows([date, *row] for date, *row in zip(market["dates"], *columns, strict=True))
        assert tool.main([str(source), str(tmp_path)]) == 0
        for name in (demo.MARKET_FILE, demo.PORTFOLIO_FILE):
            assert (tmp_path / name).read_bytes() == files(demo).joinpath(name).read_bytes()

    def test_it_says_how_to_be_called(self, tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
        assert tool.main([]) == 2
        assert "usage" in capsys.readouterr().err


def text() -> str:
    return demo.portfolio_file().read_text(encoding="utf-8")


def amount(cell: str) -> float:
    return float(cell.replace("$", "").replace("+", ""))


def test_needs_that_were_not_asked_come_along(provider: SnapshotProvider) -> None:
    found: set[Need] = set(ask(provider, "quote", "AAPL").found)
    assert found == {("AAPL", "quote"), ("AAPL", "profile")}
