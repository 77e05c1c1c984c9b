from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from quotewell.calendars import close_of
from quotewell.errors import DataUnavailable, ImportFailed, UsageError
from quotewell.portfolio import Basis, Portfolio
from quotewell.testing.source import FakeSource

AT = close_of(dt.date(2025, 5, 8))
NOW = AT + 2 * 3600.0
BOOK = b"""symbol,quantity,price,value,account,currency
AMZN,10,193.1,1931,A,USD
AMZN250620C00200000,-2,5.4,-1080,A,USD
CASH,500,,,A,USD
NVDA,abc,1,1,A,USD
"""
NAMED = "positions-2025-05-08.csv"


def book(tickers: Any = None, *, name: str = NAMED, **options: Any) -> Portfolio:
    return Portfolio.from_csv(BOOK, tickers, name=name, **options)


def fake(**given: Any) -> FakeSource:
    return FakeSource(**{"now": NOW, **given})


def test_a_book_without_tickers_is_valued_at_its_own_prices_and_date() -> None:
    portfolio = book()
    assert (portfolio.at, portfolio.as_of) == (AT, AT)
    stock, option, cash = portfolio.positions
    assert stock.market_value == 1931.0
    assert 0.3 < option.delta < 0.5
    assert cash.market_value == 500.0
    assert [row.line for row in portfolio.rejected] == [5]
    assert portfolio.pending == []


def test_online_the_valuation_instant_is_now() -> None:
    portfolio = book(fake(prices={"AMZN": 200.0}))
    assert (portfolio.at, portfolio.as_of) == (NOW, AT)
    assert portfolio.positions[0].market_price == 200.0


def test_offline_it_is_the_files_own_date() -> None:
    assert book(fake(), offline=True).at == AT
    service = fake()
    service.settings = SimpleNamespace(offline=True, benchmark="SPY", base_currency="EUR")  # type: ignore[attr-defined]
    portfolio = book(service)
    assert portfolio.at == AT
    assert (portfolio.basis.benchmark, portfolio.basis.base_currency) == ("SPY", "EUR")


def test_offline_without_any_date_there_is_no_instant() -> None:
    portfolio = book(name="positions.csv")
    assert (portfolio.at, portfolio.as_of) == (None, None)
    assert "as_of_unknown" in {problem.kind for problem in portfolio.problems}
    assert np.isnan(portfolio.value().delta[1])
    option = portfolio.positions[1]
    assert option.market_value == -1080.0  # not expired: nobody knows what day it is
    with pytest.raises(DataUnavailable, match="time of the valuation"):
        _ = option.delta


def test_a_given_instant_dates_a_file_that_has_no_date() -> None:
    portfolio = book(name="positions.csv", at=AT)
    assert (portfolio.at, portfolio.as_of) == (AT, AT)
    assert "as_of_unknown" not in {problem.kind for problem in portfolio.problems}
    assert not np.isnan(portfolio.value().delta[1])
    assert book(at=AT + 86400.0).as_of == AT


def test_prices_later_than_the_given_instant_are_not_used() -> None:
    portfolio = book(at=AT - 86400.0)
    assert np.isnan(portfolio.value().value[:2]).all()


def test_needs_are_those_of_the_positions() -> None:
    needs = book().needs()
    assert ("AMZN", "risk") in needs
    assert ("AMZN250620C00200000", "quote") in needs
    assert not any(symbol in {"CASH", "NVDA"} for symbol, _ in needs)


def test_prefetch_asks_for_the_needs_in_one_plan_and_counts_its_requests() -> None:
    service = fake()
    portfolio = book(service)
    assert portfolio.prefetch().outcomes.keys() == portfolio.needs()
    assert service.prefetched == [portfolio.needs()]
    assert portfolio.requests == 0
    asked: dict[str, Any] = {}

    def prefetch(needs: object, **options: object) -> SimpleNamespace:
        asked.update(options)
        return SimpleNamespace(requests=3)

    service.prefetch = prefetch  # type: ignore[assignment, method-assign]
    portfolio.prefetch(timeout=5.0)
    assert asked == {"timeout": 5.0, "progress": None}
    portfolio.prefetch()
    assert asked == {"timeout": None, "progress": None}
    assert portfolio.requests == 6
    assert portfolio.summary().requests == 6
    assert portfolio.summary(requests=1).requests == 1


def test_prefetch_without_a_service_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no ticker service"):
        book().prefetch()


def test_positions_share_the_books_basis_and_source() -> None:
    portfolio = book(fake(prices={"AMZN": 200.0}), basis=Basis(beta=2.0))
    position = portfolio.positions[0]
    assert position.source is portfolio.source
    assert position.beta_adjusted_exposure == 10 * 200.0 * 2.0


def test_by_underlying_nets_all_legs() -> None:
    (row,) = book(fake(prices={"AMZN": 193.1}, betas={"AMZN": 1.3})).by_underlying()
    assert (row.underlying, row.positions, row.beta, row.complete) == ("AMZN", 2, 1.3, True)
    assert row.exposure is not None
    assert row.exposure < 1931.0
    assert row.beta_adjusted == pytest.approx(row.exposure * 1.3)


def test_what_if_follows_beta() -> None:
    portfolio = Portfolio.from_csv(
        b"symbol,quantity\nAMZN,10\n", FakeSource({"AMZN": 100.0}, {"AMZN": 1.5}, now=NOW)
    )
    points = portfolio.what_if(market=[-0.1, 0.0, 0.1])
    assert [point.pnl for point in points] == pytest.approx([-150.0, 0.0, 150.0])
    assert [point.market for point in points] == [-0.1, 0.0, 0.1]
    assert points[0].share_of_value == pytest.approx(-0.15)


def test_a_path_and_an_open_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / NAMED
    path.write_bytes(BOOK)
    assert Portfolio.from_csv(path).as_of == AT
    assert Portfolio.from_csv(str(path)).file.path == str(path)
    assert Portfolio.from_csv(io.BytesIO(BOOK)).as_of is None
    with pytest.raises(ImportFailed):
        Portfolio.from_csv(tmp_path / "absent.csv")
