from __future__ import annotations

import copy
import datetime as dt
import subprocess
import sys

import msgspec
import pytest

from quotewell.calendars import close_of
from quotewell.errors import DataUnavailable
from quotewell.portfolio.basis import Basis
from quotewell.portfolio.needs import Entry, needs_of
from quotewell.portfolio.positions import (
    CashPosition,
    OptionPosition,
    PendingActivity,
    Position,
    StockPosition,
    UnknownPosition,
)
from quotewell.portfolio.row import row_of
from quotewell.portfolio.snapshot import take
from quotewell.portfolio.valuation import value_book
from quotewell.testing.source import FakeSource

AT = close_of(dt.date(2025, 5, 8))
CALL = "AMZN250620C00200000"


def stock(symbol: str = "AMZN", quantity: float | None = 10.0, **fields: object) -> StockPosition:
    return StockPosition(symbol=symbol, quantity=quantity, currency="USD", **fields)  # type: ignore[arg-type]


def call(quantity: float = -2.0) -> OptionPosition:
    return OptionPosition(symbol=CALL, quantity=quantity, price=5.0, currency="USD")


def source(**changes: object) -> FakeSource:
    given: dict[str, object] = {
        "prices": {"AMZN": 193.1, CALL: 5.4},
        "betas": {"AMZN": 1.3},
        "dividend_yields": {"AMZN": 0.0},
        "rates": {"^IRX": 0.04, "^TNX": 0.045},
        "now": AT,
    }
    return FakeSource(**{**given, **changes})  # type: ignore[arg-type]


def bound(position: Position, tickers: FakeSource | None = None, basis: Basis | None = None) -> Position:
    position.bind(tickers or source(), basis)
    return position


def test_a_stock_asks_the_source_for_what_the_broker_did_not_say() -> None:
    p = bound(stock(price=190.0, cost_basis=1500.0))
    assert (p.price, p.quantity, p.cost_basis) == (190.0, 10.0, 1500.0)
    assert p.market_price == 193.1
    assert p.market_value == pytest.approx(1931.0)
    assert (p.beta, p.delta) == (1.3, 1.0)
    assert p.market_exposure == pytest.approx(1931.0)
    assert p.beta_adjusted_exposure == pytest.approx(1931.0 * 1.3)
    assert p.underlying == "AMZN"


def test_an_option_is_exposed_to_its_underlying() -> None:
    p = bound(call())
    assert 0.3 < p.delta < 0.5
    assert p.market_value == pytest.approx(-2 * 100 * 5.4)
    assert p.market_exposure == pytest.approx(-2 * 100 * 193.1 * p.delta)
    assert p.beta_adjusted_exposure == pytest.approx(p.market_exposure * 1.3)
    assert p.underlying == "AMZN"


def test_the_next_read_sees_a_new_price() -> None:
    tickers = source()
    p = bound(stock(), tickers)
    assert p.market_price == 193.1
    p.bind(source(prices={"AMZN": 200.0}))
    assert p.market_price == 200.0


def test_cash_answers_itself() -> None:
    p = CashPosition(symbol="SPAXX", value=81865.97, currency="USD")
    assert (p.market_price, p.beta, p.delta, p.market_exposure, p.beta_adjusted_exposure) == (1, 0, 0, 0, 0)
    tickers = source()
    p.bind(tickers)
    assert p.market_value == 81865.97
    assert tickers.asked == []
    assert CashPosition(symbol="CASH", quantity=5.0).amount == 5.0


def test_foreign_cash_is_worth_its_exchange_rate() -> None:
    p = bound(CashPosition(symbol="CASH", quantity=100.0, currency="EUR"), source(fx={"EURUSD=X": 1.1}))
    assert p.market_value == pytest.approx(110.0)


def test_pending_and_unknown_are_worth_what_the_broker_says() -> None:
    pending = PendingActivity(description="Pending activity", value=526587.25, currency="USD")
    pending.bind(source())
    assert pending.market_value == 526587.25
    odd = bound(UnknownPosition(symbol="???", value=12.0, currency="USD"))
    assert odd.underlying is None
    assert odd.market_value == 12.0
    for field in ("beta", "delta", "market_exposure", "beta_adjusted_exposure", "market_price"):
        with pytest.raises(DataUnavailable, match="not an instrument"):
            getattr(odd, field)


@pytest.mark.parametrize(
    ("position", "changes", "field", "reason"),
    [
        (stock(), {"prices": {}}, "market_value", "no price"),
        (stock(), {"prices": {}}, "market_exposure", "no price"),
        (stock(), {"prices": {}}, "market_price", "no price"),
        (stock(), {"betas": {}}, "beta", "no beta"),
        (stock(), {"betas": {}}, "beta_adjusted_exposure", "no beta"),
        (stock(quantity=None), {}, "market_value", "no quantity"),
        (call(), {"prices": {CALL: 5.4}}, "delta", "no underlying price"),
        (call(), {"prices": {"AMZN": 193.1}}, "market_value", "no price"),
        (call(), {"prices": {"AMZN": 193.1, CALL: 500.0}}, "delta", "above what any volatility gives"),
        (call(), {"now": AT + 90 * 86400}, "market_value", "expired"),
    ],
)
def test_a_figure_that_cannot_be_had_raises_with_the_reason(
    position: Position, changes: dict[str, object], field: str, reason: str
) -> None:
    p = bound(copy.copy(position), source(**changes))
    with pytest.raises(DataUnavailable, match=reason) as caught:
        getattr(p, field)
    assert caught.value.symbol == position.symbol


def test_a_missing_price_is_no_reason_for_a_missing_beta_and_the_other_way_round() -> None:
    p = bound(stock(), source(prices={}, betas={}))
    with pytest.raises(DataUnavailable, match="no risk: no beta"):
        _ = p.beta
    assert bound(stock(), source(betas={})).market_exposure == pytest.approx(1931.0)
    with pytest.raises(DataUnavailable, match="not known"):
        _ = bound(stock(), source(prices={"AMZN": float("nan")})).market_value


def test_a_position_without_a_source_says_so() -> None:
    with pytest.raises(DataUnavailable, match="AMZN: no quote: the position has no ticker source"):
        _ = stock().market_value
    with pytest.raises(DataUnavailable, match="Pending: no quote"):
        _ = PendingActivity(description="Pending", value=1.0).market_value


def test_only_the_facets_that_a_figure_needs_are_asked() -> None:
    tickers = source()
    _ = bound(stock(), tickers).beta
    assert {facet for _, facet in tickers.asked} == {"risk", "profile"}
    tickers.asked.clear()
    _ = bound(stock(), tickers).market_value
    assert {facet for _, facet in tickers.asked} == {"quote", "profile"}


def test_a_profile_that_says_money_market_makes_a_stock_row_cash() -> None:
    tickers = source(prices={}, types={"QQQXM": "money_market"})
    p = bound(stock("QQQXM", 250.0), tickers)
    assert (p.market_value, p.beta, p.market_exposure) == (250.0, 0.0, 0.0)


def test_the_basis_is_the_portfolios() -> None:
    p = bound(stock(), source(betas={}), Basis(beta=1.0))
    assert p.beta == 1.0


def test_object_model_and_columns_give_the_same_numbers() -> None:
    entries: list[Entry] = [
        stock(),
        call(),
        CashPosition(symbol="CASH", quantity=7.0, currency="USD"),
    ]
    tickers, basis = source(), Basis()
    columns = value_book(entries, take(tickers, needs_of(entries, basis, AT), "USD"), basis)
    for index, entry in enumerate(entries):
        assert isinstance(entry, Position)
        p = bound(entry, tickers, basis)
        row = row_of(columns, index)
        assert (p.market_value, p.market_exposure, p.beta, p.delta, p.beta_adjusted_exposure) == (
            row.value,
            row.exposure,
            row.beta,
            row.delta,
            row.beta_adjusted,
        )


def test_the_source_is_neither_compared_printed_serialised_nor_copied() -> None:
    p, q = bound(stock()), stock()
    assert p == q
    assert "source" not in repr(p)
    assert msgspec.json.encode(p) == msgspec.json.encode(q)
    assert copy.copy(p).source is None
    assert msgspec.structs.asdict(p) == msgspec.structs.asdict(q)


def test_an_option_position_whose_symbol_is_none_says_so() -> None:
    with pytest.raises(DataUnavailable, match="no option"):
        _ = OptionPosition(symbol="AMZN").contract


def test_reading_a_file_imports_no_numpy() -> None:
    code = (
        "import sys; from quotewell.portfolio import Portfolio, read_positions; "
        "book = Portfolio.from_csv(b'symbol,quantity\\nAAPL,1\\n'); book.needs(); "
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
