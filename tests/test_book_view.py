"""A book as one page looks at it: parts of it, other days, values of one's own, what is kept of it."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from overviews import file_of
from quotewell.errors import UsageError
from quotewell.outcomes import Progress
from quotewell.portfolio.importers import ImportedFile
from quotewell.service import TickerService
from quotewell.settings import Settings
from quotewell.testing import FakeProvider, ManualClock
from quotewell.views.web.book_view import BookView, part_of
from quotewell.views.web.exports import exported
from quotewell.views.web.progress import sentence
from quotewell.views.web.sample import Sample
from quotewell.wiring import connect
from valued_books import AT, CALL, option, stock

HOUR = 3600.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AT + HOUR)


@pytest.fixture
def market(clock: ManualClock) -> FakeProvider:
    closes = {
        symbol: [100.0 * 1.001**day * (1.01 if day % 2 else 1.0) ** beta for day in range(600)]
        for symbol, beta in (("AMZN", 1.5), ("KO", 0.5), ("^GSPC", 1.0))
    }
    return FakeProvider(clock, {"AMZN": 190.0, "KO": 70.0}, closes)


@pytest.fixture
def tickers(clock: ManualClock, market: FakeProvider) -> Iterator[TickerService]:
    settings = Settings(cache_url="memory://", calendars="plain")
    with connect(settings, clock=clock, providers=[market]) as service:
        yield service


@pytest.fixture
def file() -> ImportedFile:
    return file_of(as_of=AT - HOUR)


@pytest.fixture
def view(file: ImportedFile, tickers: TickerService) -> BookView:
    return BookView(file, tickers)


def test_a_part_holds_copies_of_its_rows(file: ImportedFile) -> None:
    part = part_of(file, account="Z2")
    assert [position.symbol for position in part.positions] == ["KO", "021ESC017"]
    assert part.pending == []
    assert part.positions[0] is not file.positions[2]
    assert [row.line for row in part.rejected] == [8]


def test_the_part_of_an_underlying_has_its_options(file: ImportedFile) -> None:
    part = part_of(file, underlying="AMZN")
    assert [position.symbol for position in part.positions] == ["AMZN", CALL]
    assert part.pending == []


def test_all_parts_together_are_the_book(file: ImportedFile) -> None:
    parts = [part_of(file, account=account) for account in file.accounts]
    rows = [entry for part in parts for entry in (*part.positions, *part.pending)]
    assert sorted(row.line or 0 for row in rows) == [2, 3, 4, 5, 6, 7]


def test_an_account_and_an_underlying_are_chosen(view: BookView) -> None:
    whole = view.overview()
    view.choose(account="Z2")
    assert view.overview().summary.value.total == -50 * 70.0
    view.choose(account=None, underlying="AMZN")
    chosen = view.overview()
    assert [row.underlying for row in chosen.summary.by_underlying] == ["AMZN"]
    assert view.overview(whole=True).summary.by_underlying == whole.summary.by_underlying


def test_the_file_itself_stays_as_it_is(view: BookView, file: ImportedFile) -> None:
    view.choose(account="Z2")
    view.overview()
    assert all(position.source is None for position in file.positions)


def test_a_day_in_the_past_is_valued_at_its_close(view: BookView) -> None:
    view.choose(day=dt.date(2025, 5, 6))
    summary = view.overview().summary
    assert summary.valuation_at == dt.datetime(2025, 5, 6, 20, tzinfo=dt.UTC)
    assert view.phase(view.overview()) == "closed"


def test_a_day_to_come_is_refused(view: BookView) -> None:
    with pytest.raises(UsageError, match="still to come"):
        view.choose(day=dt.date(2025, 5, 9))
    assert view.choice.day is None


def test_figures_are_live_while_the_market_is_open(view: BookView, clock: ManualClock) -> None:
    shown = view.overview()
    assert view.phase(shown) == "closed"  # an hour after the close
    clock.advance(18 * HOUR)
    assert view.phase(shown) == "open"


def test_nothing_is_live_offline(file: ImportedFile, clock: ManualClock) -> None:
    clock.advance(18 * HOUR)
    with connect(Settings(cache_url="memory://", calendars="plain", offline=True), clock=clock) as offline:
        view = BookView(file, offline)
        assert view.phase(view.overview()) == "closed"


def test_prefetch_asks_for_all_of_the_book_whatever_is_chosen(view: BookView, market: FakeProvider) -> None:
    view.choose(underlying="KO")
    told: list[Progress] = []
    view.prefetch(told.append)
    requests = market.requests
    view.choose(underlying=None)
    assert view.overview().summary.freshness.fresh >= 2
    assert market.requests == requests


def test_a_value_of_ones_own_is_marked_and_can_be_taken_back(view: BookView) -> None:
    view.override("KO", "quote", 12.5)
    view.override("AMZN", "risk", 2.0)
    shown = view.overview()
    by_symbol = {row.underlying: row for row in shown.summary.by_underlying}
    assert by_symbol["KO"].value == -50 * 12.5
    assert (by_symbol["AMZN"].beta, by_symbol["AMZN"].beta_method) == (2.0, "override")
    assert next(source for source in shown.sources if source.symbol == "KO").state == "your own"
    view.override("KO", "quote", None)
    assert {row.underlying: row for row in view.overview().summary.by_underlying}["KO"].value == -50 * 70.0


def test_the_pages_own_values_win_over_those_of_the_settings(
    file: ImportedFile, clock: ManualClock, market: FakeProvider, tmp_path: Path
) -> None:
    known_better = tmp_path / "overrides.toml"
    known_better.write_text("[price]\nKO = 50.0\nAMZN = 100.0\n")
    settings = Settings(cache_url="memory://", calendars="plain", overrides=known_better)
    with connect(settings, clock=clock, providers=[market]) as service:
        view = BookView(file, service)
        view.override("KO", "quote", 12.5)
        price = {row.underlying: row.price for row in view.overview().summary.by_underlying}
    assert (price["KO"], price["AMZN"]) == (12.5, 100.0)


@pytest.mark.parametrize(
    ("facet", "value"),
    [("quote", 0.0), ("quote", -1.0), ("dividend", 1.0), ("dividend", -0.1), ("profile", 1.0)],
)
def test_what_cannot_be_ones_own_is_refused(view: BookView, facet: str, value: float) -> None:
    with pytest.raises(UsageError):
        view.override("KO", facet, value)  # type: ignore[arg-type]  # any facet
    assert view.overrides == {}


def test_a_value_is_asked_for_again(view: BookView, market: FakeProvider) -> None:
    view.overview()
    requests = market.requests
    assert view.refresh("KO", "quote") == ""
    assert market.requests == requests + 1
    market.failure = "network"
    assert "told to fail: network" in view.refresh("KO", "quote")


def test_the_what_if_is_shifted(file: ImportedFile, tickers: TickerService) -> None:
    held = stock("AMZN", 100.0, price=190.0), option(CALL, -1.0, price=3.0)
    book = BookView(file_of(*held, as_of=AT + HOUR), tickers)
    shown = book.overview()
    assert book.curve(shown) is shown.curve
    book.choose(volatility=10.0)
    raised = book.curve(shown)
    assert [point.market for point in raised] == [point.market for point in shown.curve]
    assert raised != shown.curve
    book.choose(days=20.0, volatility=0.0)
    assert book.curve(shown) not in (raised, shown.curve)


def test_what_is_shown_is_kept_as_csv_json_or_a_page(view: BookView) -> None:
    view.choose(account="Z1")
    shown = view.overview()
    made = exported(view, shown, "csv")
    assert (made.name, made.media_type) == ("positions-valued.csv", "text/csv")
    rows = list(csv.DictReader(io.StringIO(made.content.decode())))
    assert [row["symbol"] for row in rows] == ["AMZN", CALL, "USD", "Pending Activity"]
    assert float(rows[0]["market_value"]) == shown.rows[0].value
    assert json.loads(exported(view, shown, "json").content)["value"]["total"] == shown.summary.value.total
    page = exported(view, shown, "html")
    assert page.name == "positions.html"
    assert page.content.startswith(b"<!DOCTYPE html>")


def test_a_file_to_keep_has_a_harmless_name(tickers: TickerService) -> None:
    book = BookView(file_of(stock("AMZN", 1.0), path='a"/../b\n<c>.csv'), tickers)
    assert exported(book, book.overview(), "json").name == "b_c_.json"


def test_progress_is_a_sentence() -> None:
    progress = Progress(
        symbols=2000, done=1520, requests=58, waited=0.4, seconds=20.0, values=8000, values_done=6000,
        planned=90.0,
    )  # fmt: skip
    assert sentence(progress) == "1,520 of 2,000 tickers · 58 requests · about 11 s left"


def test_the_sample_is_opened_once_and_closed() -> None:
    sample = Sample()
    first, tickers = sample.open()
    second, same = sample.open()
    assert tickers is same
    assert first.positions == second.positions
    assert first.positions[0] is not second.positions[0]
    assert BookView(first, tickers).overview().summary.value.difference == pytest.approx(0.0, abs=0.01)
    sample.close()
    sample.close()
