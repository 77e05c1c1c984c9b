from __future__ import annotations

import numpy as np
import pytest

from quotewell.portfolio import report
from quotewell.portfolio.basis import Basis
from quotewell.portfolio.columns import CASH
from quotewell.portfolio.flags import Flag
from quotewell.portfolio.needs import Entry
from quotewell.portfolio.positions import (
    CashPosition,
    PendingActivity,
    Position,
    UnknownPosition,
)
from quotewell.records import Freshness, Quote
from quotewell.testing.source import FakeSource
from valued_books import AT, DAY, flags, one, option, overlay, quote, stock, valued


def test_a_stock_is_its_quantity_times_its_price() -> None:
    columns = one(stock(quantity=-3.0), {"AMZN": 200.0}, betas={"AMZN": 1.5})
    assert (columns.value[0], columns.exposure[0], columns.beta_adjusted[0]) == (-600.0, -600.0, -900.0)
    assert flags(columns) == set()


def test_cash_and_pending_have_no_exposure() -> None:
    entries: list[Entry] = [CashPosition(symbol="SPAXX", value=5.0), PendingActivity(value=-7.0)]
    columns = valued(entries, FakeSource(now=AT))
    assert columns.value.tolist() == [5.0, -7.0]
    assert columns.exposure.tolist() == [0.0, 0.0]
    assert not columns.has_exposure.any()
    assert columns.underlyings == []


def test_a_profile_of_a_money_market_decides() -> None:
    columns = one(stock("QQQXM", 50.0), types={"QQQXM": "money_market"})
    assert (int(columns.kind[0]), columns.value[0], columns.exposure[0]) == (CASH, 50.0, 0.0)
    assert one(stock("QQQXM", 50.0), types={"QQQXM": "etf"}).kind[0] != CASH


def test_an_unknown_row_is_worth_what_the_broker_says_and_its_exposure_is_missing() -> None:
    columns = one(UnknownPosition(symbol="???", value=12.5, currency="USD"))
    assert columns.value[0] == 12.5
    assert np.isnan(columns.exposure[0])
    assert flags(columns) == {"unknown_instrument"}


@pytest.mark.parametrize(
    ("entry", "flag"),
    [
        (stock("021ESC017", 33.0), "no_price"),
        (stock(), "no_price"),
        (stock(quantity=None), "no_quantity"),
    ],
)
def test_what_is_unknown_is_nan_and_flagged(entry: Position, flag: str) -> None:
    columns = one(entry, {} if flag == "no_price" else {"AMZN": 200.0})
    assert np.isnan([columns.value[0], columns.exposure[0]]).all()
    assert flags(columns) == {flag}


@pytest.mark.parametrize(
    ("quantity", "price", "reported", "is_disputed"),
    [
        (1500.0, 225.5, 33825.0, True),
        (1400.0, 193.0999, 270339.86, False),
        (100.0, 10.0, 1005.0, False),
        (100.0, 10.0, 1005.1, True),
        (1.0, 10.0, 10.99, False),
        (-10.0, 10.0, 100.0, True),
        (10.0, None, 100.0, False),
    ],
)
def test_a_row_whose_value_is_not_quantity_times_price_is_disputed(
    quantity: float, price: float | None, reported: float, is_disputed: bool
) -> None:
    columns = one(stock(quantity=quantity, price=price, value=reported), {"AMZN": 1.0})
    assert bool(columns.has(Flag.DISPUTED)[0]) is is_disputed


@pytest.mark.parametrize("ratio", [2.0, 0.5, 10.0, 0.05, 1.97])
def test_a_price_that_differs_by_the_ratio_of_a_split_holds_the_position_back(ratio: float) -> None:
    entries = [stock(price=200.0), option(price=5.0)]
    columns = valued(entries, overlay(FakeSource({"AMZN": 200.0 * ratio}, now=AT), entries, AT))
    assert columns.has(Flag.CORPORATE_ACTION).all()
    assert np.isnan(columns.value).all()
    assert np.isnan(columns.exposure).all()


@pytest.mark.parametrize("ratio", [1.0, 1.5, 1.9, 2.2])
def test_an_ordinary_price_move_holds_nothing_back(ratio: float) -> None:
    entries = [stock(price=200.0)]
    columns = valued(entries, overlay(FakeSource({"AMZN": 200.0 * ratio}, now=AT), entries, AT))
    assert not columns.has(Flag.CORPORATE_ACTION).any()


def test_foreign_positions_are_converted_or_left_out() -> None:
    vod = {"VOD.L": Quote(symbol="VOD.L", last=0.725, currency="GBP")}
    columns = one(stock("VOD.L", 100.0, currency="GBp", price=72.5, value=7250.0), vod, fx={"GBPUSD=X": 1.25})
    assert columns.value[0] == pytest.approx(100 * 0.725 * 1.25)
    assert columns.reported_value[0] == pytest.approx(72.5 * 1.25)
    assert columns.currency == ["GBP"]
    assert flags(columns) == set()
    without = one(stock("VOD.L", 100.0, currency="GBp"), vod)
    assert np.isnan(without.value[0])
    assert flags(without) == {"no_fx_rate"}


def test_a_quotes_currency_is_found_without_the_files_word() -> None:
    vod = {"VOD.L": Quote(symbol="VOD.L", last=2.0, currency="GBP")}
    columns = one(stock("VOD.L", 100.0, currency=None), vod, fx={"GBPUSD=X": 1.25})
    assert columns.value[0] == pytest.approx(250.0)
    unknown = one(stock("VOD.L", 100.0, currency=None), {"VOD.L": Quote(symbol="VOD.L", last=2.0)})
    assert flags(unknown) == {"no_fx_rate"}
    domestic = one(stock(currency=None), {"AMZN": Quote(symbol="AMZN", last=2.0)})
    assert domestic.value[0] == 20.0


def test_the_files_own_exchange_rate_serves_rows_that_the_broker_prices() -> None:
    entry = stock("SAP.DE", 10.0, currency="EUR", price=200.0, value=2000.0, fx_rate=1.2)
    alone = valued([entry], overlay(FakeSource(now=AT), [entry], AT))
    assert (alone.value[0], alone.reported_value[0]) == (2400.0, 2400.0)
    quoted = FakeSource(
        {"SAP.DE": Quote(symbol="SAP.DE", last=200.0, currency="EUR")}, fx={"EURUSD=X": 1.1}, now=AT
    )
    served = valued([entry], overlay(quoted, [entry], AT))
    assert (served.value[0], served.reported_value[0]) == (pytest.approx(2200.0), 2400.0)


def test_cash_without_a_currency_is_in_base_currency() -> None:
    columns = one(CashPosition(symbol="CASH", quantity=5.0), basis=Basis(base_currency="EUR"))
    assert (columns.value[0], columns.currency) == (5.0, ["EUR"])


def test_the_benchmarks_own_beta_is_one() -> None:
    assert one(stock("SPY"), {"SPY": 500.0}, Basis(benchmark="SPY")).beta[0] == 1.0


def test_a_beta_against_another_benchmark_is_none() -> None:
    columns = one(stock(), {"AMZN": 200.0}, betas={"AMZN": 1.3}, benchmark="SPY")
    assert columns.has(Flag.NO_BETA)[0]
    assert np.isnan(columns.beta_adjusted[0])


def test_an_assumed_beta_is_used_only_where_none_is_known() -> None:
    given = Basis(beta=1.0)
    assert one(stock(), {"AMZN": 200.0}, given, betas={"AMZN": 1.3}).beta[0] == 1.3
    columns = one(stock(), {"AMZN": 200.0}, given)
    assert (columns.beta[0], bool(columns.has(Flag.GIVEN_BETA)[0])) == (1.0, True)


def test_stale_values_are_served_and_marked() -> None:
    columns = one(stock(), {"AMZN": 200.0}, betas={"AMZN": 1.3}, freshness=Freshness.STALE)
    assert columns.beta_adjusted[0] == 2600.0
    assert flags(columns) == {"stale", "stale_beta"}


def test_what_the_source_says_of_later_times_is_not_used() -> None:
    tomorrow = AT + DAY
    source = FakeSource({"AMZN": quote("AMZN", 193.1, tomorrow)}, {"AMZN": 1.3}, now=tomorrow)
    source.at = AT
    columns = valued([stock()], source)
    assert np.isnan(columns.value[0])
    assert np.isnan(columns.beta[0])


def test_an_empty_book_has_empty_columns() -> None:
    columns = valued([], FakeSource(now=AT))
    assert columns.value.shape == (0,)


def test_betas_of_ones_own_regressions_are_adjusted_if_asked() -> None:
    tickers = FakeSource({"AMZN": 100.0, "MSFT": 50.0, "NEW": 10.0}, {"AMZN": 1.6, "MSFT": 0.4}, now=AT)
    record = tickers.risks(["MSFT"])["MSFT"].record
    assert record is not None
    record.method = "stated"
    book = [stock(), stock("MSFT"), stock("^GSPC"), stock("NEW")]
    raw, adjusted = (valued(book, tickers, Basis(blume=blume, beta=0.9)) for blume in (False, True))
    np.testing.assert_allclose(raw.beta, [1.6, 0.4, 1.0, 0.9])
    np.testing.assert_allclose(adjusted.beta, [1.4, 0.4, 1.0, 0.9])
    assert adjusted.has(Flag.ADJUSTED_BETA).tolist() == [True, False, False, False]
    assert not raw.has(Flag.ADJUSTED_BETA).any()
    state = report.beta_state(adjusted, Basis(blume=True, beta=0.9))
    assert state.by_method == {"ols_daily_blume": 1, "stated": 1, "identity": 1, "given": 1}
