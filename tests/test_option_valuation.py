from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from quotewell.analytics.options import solve, value
from quotewell.portfolio.basis import Basis, Deliverable
from quotewell.portfolio.flags import Flag
from quotewell.records import Dividend, DividendEvent, Payouts, Quote
from quotewell.testing.source import FakeSource
from valued_books import AT, CALL, EXPIRY, HOUR, YEAR, flags, one, option, overlay, quote, stock, valued


def test_a_matched_pair_gives_volatility_and_delta_at_the_known_rate_and_yield() -> None:
    columns = one(
        option(),
        {"AMZN": 193.1, CALL: 5.4},
        rates={"^IRX": 0.04, "^FVX": 0.05},
        dividend_yields={"AMZN": 0.01},
    )
    years = (EXPIRY - AT) / YEAR
    # Before the curve's first point the rate is flat.
    expected = solve(True, True, 193.1, 200.0, years, 5.4, 0.04, 0.01)
    assert columns.contracts.years[0] == years
    assert columns.contracts.rate[0] == 0.04
    assert columns.delta[0] == pytest.approx(float(expected.delta))
    assert columns.contracts.volatility[0] == pytest.approx(float(expected.volatility))
    assert columns.exposure[0] == pytest.approx(-200 * 193.1 * float(expected.delta))
    assert columns.value[0] == -2 * 100 * 5.4
    assert columns.notional[0] == -2 * 100 * 193.1
    assert flags(columns) == set()


def test_the_rate_is_linear_in_time_between_the_curves_points() -> None:
    symbol = "AMZN271217C00200000"
    columns = one(option(symbol), {"AMZN": 193.1, symbol: 40.0}, rates={"^IRX": 0.04, "^FVX": 0.05})
    years = columns.contracts.years[0]
    assert columns.contracts.rate[0] == pytest.approx(0.04 + 0.01 * (years - 0.25) / 4.75)


def test_an_unknown_rate_and_yield_are_taken_as_zero_and_marked() -> None:
    columns = one(option(), {"AMZN": 193.1, CALL: 5.4})
    assert (columns.contracts.rate[0], columns.contracts.dividend_yield[0]) == (0.0, 0.0)
    assert flags(columns) == {"assumed_rate", "assumed_dividend"}


def test_the_users_rate_and_yield_come_before_zero_but_after_the_markets() -> None:
    basis = Basis(rates={"USD": 0.03}, dividend_yield=0.02)
    given = one(option(), {"AMZN": 193.1, CALL: 5.4}, basis)
    assert (given.contracts.rate[0], given.contracts.dividend_yield[0]) == (0.03, 0.02)
    assert flags(given) == {"given_rate", "given_dividend"}
    known = one(
        option(), {"AMZN": 193.1, CALL: 5.4}, basis, rates={"^IRX": 0.04}, dividend_yields={"AMZN": 0.0}
    )
    assert (known.contracts.rate[0], known.contracts.dividend_yield[0]) == (0.04, 0.0)
    assert flags(known) == set()


def test_an_index_option_takes_style_settlement_scale_and_proxy_from_its_root() -> None:
    symbol = "XSP250620C00580000"
    columns = one(
        option(symbol, 1.0),
        {"^GSPC": 5700.0, symbol: 8.0},
        rates={"^IRX": 0.04},
        dividend_yields={"SPY": 0.012},
    )
    assert not columns.contracts.american[0]
    assert columns.spot[0] == pytest.approx(570.0)
    assert columns.exposure[0] == pytest.approx(100 * 570.0 * columns.delta[0])
    assert columns.underlyings == ["^GSPC"]
    assert columns.beta[0] == 1.0
    assert flags(columns) == {"proxy_dividend"}


@pytest.mark.parametrize(
    ("symbol", "prices", "expected"),
    [
        (CALL, {CALL: 5.4}, "no_underlying_price"),
        (CALL, {"AMZN": 193.1}, "no_price"),
        ("VIX250618C00020000", {"VIX250618C00020000": 2.0, "^VIX": 20.0}, "no_underlying_price"),
        ("NQX250620C00400000", {"NQX250620C00400000": 9.0, "^NQX": 400.0}, "style_unknown"),
        (CALL, {"AMZN": 193.1, CALL: 500.0}, "above_bound"),
        ("AMZN250620C00100000", {"AMZN": 193.1, "AMZN250620C00100000": 50.0}, "below_bound"),
    ],
)
def test_without_a_matched_pair_or_a_solution_there_is_no_delta(
    symbol: str, prices: dict[str, float], expected: str
) -> None:
    columns = one(option(symbol), prices)
    assert np.isnan([columns.delta[0], columns.exposure[0]]).all()
    assert expected in flags(columns)


def test_prices_of_different_moments_or_sources_give_no_delta() -> None:
    for underlying in (quote("AMZN", 193.1, AT - 2 * HOUR), quote("AMZN", 193.1, AT, source="other")):
        columns = one(option(), {"AMZN": underlying, CALL: quote(CALL, 5.4, AT)})
        assert flags(columns) == {"unmatched"}
        assert columns.value[0] == -2 * 100 * 5.4
    foreign = Quote(symbol="AMZN", last=193.1, source="fake", currency="EUR", as_of=AT)
    assert flags(one(option(), {"AMZN": foreign, CALL: quote(CALL, 5.4, AT)})) == {"unmatched"}


def test_a_last_trade_that_is_too_old_gives_way_to_the_middle() -> None:
    noon = AT - 4 * HOUR
    stale_trade = quote(CALL, 9.9, noon - 3 * HOUR, bid=5.3, ask=5.5, fetched_at=noon)
    columns = one(option(), {"AMZN": quote("AMZN", 193.1, noon), CALL: stale_trade}, now=noon)
    assert columns.price[0] == pytest.approx(5.4)
    assert not np.isnan(columns.delta[0])


def test_a_brokers_price_goes_with_the_brokers_underlying_price() -> None:
    entries = [stock(price=193.1), option(price=5.4)]
    columns = valued(entries, overlay(FakeSource(now=AT), entries, AT))
    alone = one(option(), {"AMZN": 193.1, CALL: 5.4})
    assert columns.delta[1] == alone.delta[0]
    assert flags(columns, 1) == {"assumed_rate", "assumed_dividend", "reported"}


def test_at_a_newer_underlying_price_the_model_answers_with_the_pairs_volatility() -> None:
    entries = [stock(price=193.1), option(price=5.4)]
    later = AT + 18 * HOUR  # the next morning, after the open
    service = FakeSource({"AMZN": quote("AMZN", 199.0, later)}, now=later)
    columns = valued(entries, overlay(service, entries, AT))
    pair_years, years = (EXPIRY - AT) / YEAR, (EXPIRY - later) / YEAR
    volatility = float(solve(True, True, 193.1, 200.0, pair_years, 5.4, 0.0, 0.0).volatility)
    price = float(value(True, True, 199.0, 200.0, years, volatility, 0.0, 0.0))
    assert columns.contracts.volatility[1] == pytest.approx(volatility, rel=1e-6)
    assert columns.price[1] == pytest.approx(price)
    assert columns.value[1] == pytest.approx(-2 * 100 * price)
    assert columns.delta[1] == pytest.approx(
        float(solve(True, True, 199.0, 200.0, years, price, 0.0, 0.0).delta)
    )
    assert columns.spot[1] == 199.0
    assert "model" in flags(columns, 1)


def test_an_underlying_price_of_the_pairs_own_time_changes_nothing() -> None:
    entries = [stock(price=193.1), option(price=5.4)]
    columns = valued(entries, overlay(FakeSource({"AMZN": 193.2}, now=AT), entries, AT))
    assert (columns.price[1], columns.spot[1]) == (5.4, 193.2)
    assert "model" not in flags(columns, 1)


def test_an_underlying_price_of_unknown_time_is_newer_if_it_differs() -> None:
    entries = [stock(price=193.1), option(price=5.4)]
    for price, is_model in ((193.1, False), (199.0, True)):
        service = FakeSource({"AMZN": price}, now=AT)
        service._records["AMZN", "quote"].as_of = None
        columns = valued(entries, overlay(service, entries, AT))
        assert ("model" in flags(columns, 1)) is is_model


def test_a_newer_price_of_the_option_itself_is_not_replaced_by_the_models() -> None:
    entries = [stock(price=193.1), option(price=5.4)]
    later = AT + 18 * HOUR
    service = FakeSource(
        {"AMZN": quote("AMZN", 199.0, later), CALL: quote(CALL, 8.0, later - HOUR)}, now=later
    )
    columns = valued(entries, overlay(service, entries, AT))
    assert columns.price[1] == 8.0
    assert "model" in flags(columns, 1)


def test_without_the_date_of_the_files_prices_they_give_no_delta() -> None:
    entries = [stock(price=193.1), option(price=5.4)]
    columns = valued(entries, overlay(FakeSource(now=AT), entries, None))
    assert "as_of_unknown" in flags(columns, 1)
    assert np.isnan(columns.delta[1])


def test_without_a_valuation_instant_there_is_no_delta_and_nothing_expires() -> None:
    columns = valued([option()], FakeSource({"AMZN": 193.1, CALL: 5.4}, now=AT + 9 * YEAR), dated=False)
    assert "as_of_unknown" in flags(columns)
    assert columns.value[0] == -2 * 100 * 5.4


def test_an_expired_option_is_left_out_and_only_the_brokers_value_is_kept() -> None:
    entry = option("AMZN250507C00190000", price=3.0, value=-600.0)
    columns = valued([entry], overlay(FakeSource({"AMZN": 193.1}, now=AT), [entry], AT))
    assert flags(columns) == {"expired"}
    assert np.isnan([columns.value[0], columns.exposure[0], columns.price[0], columns.delta[0]]).all()
    assert columns.reported_value[0] == -600.0


@pytest.mark.parametrize(
    ("symbol", "delta", "price"), [("AMZN250508C00190000", 1.0, 3.1), ("AMZN250508P00190000", 0.0, 0.0)]
)
def test_after_the_close_of_the_last_day_an_option_is_worth_its_intrinsic_value(
    symbol: str, delta: float, price: float
) -> None:
    columns = one(option(symbol), {"AMZN": 193.1, symbol: 3.5})
    assert (columns.delta[0], columns.price[0]) == (delta, pytest.approx(price))
    assert "expires_today" in flags(columns)


def test_on_the_last_day_before_the_close_it_is_still_an_option() -> None:
    symbol = "AMZN250508C00190000"
    columns = one(option(symbol), {"AMZN": 190.0, symbol: 0.8}, now=AT - 3 * HOUR)
    assert 0.3 < columns.delta[0] < 0.7
    assert "expires_today" in flags(columns)


def test_an_adjusted_options_value_reconciles_with_the_file_and_its_exposure_is_unknown() -> None:
    symbol = "AMZN1250620C00200000"
    entry = option(symbol, -2.0, price=5.4, value=-1080.0)
    columns = one(entry, {"AMZN": 193.1, symbol: 5.0})
    assert columns.value[0] == -2 * 100 * 5.0
    assert np.isnan(columns.exposure[0])
    assert flags(columns) == {"deliverable_unknown"}
    mini = one(option(symbol, -2.0, price=5.4, value=-108.0), {"AMZN": 193.1, symbol: 5.0})
    assert mini.multiplier[0] == 10.0
    odd = one(option(symbol, -2.0, price=5.4, value=-777.0), {"AMZN": 193.1, symbol: 5.0})
    assert np.isnan(odd.value[0])


def test_a_given_deliverable_prices_an_adjusted_option_on_what_it_delivers() -> None:
    symbol = "AMZN1250620C00200000"
    basis = Basis(deliverables={"AMZN1": Deliverable(shares=110.0, cash=50.0, multiplier=100.0)})
    columns = one(option(symbol, 1.0), {"AMZN": 193.1, symbol: 20.0}, basis)
    expected = solve(True, True, (110 * 193.1 + 50) / 100, 200.0, columns.contracts.years[0], 20.0, 0.0, 0.0)
    assert columns.delta[0] == pytest.approx(float(expected.delta))
    assert columns.exposure[0] == pytest.approx(110 * 193.1 * float(expected.delta))
    assert columns.value[0] == 2000.0


@pytest.mark.parametrize(
    ("quantity", "amount", "flagged"), [(-1.0, 1.0, True), (1.0, 1.0, False), (-1.0, 0.2, False)]
)
def test_a_short_call_in_the_money_before_a_dividend_above_its_time_value_may_be_assigned(
    quantity: float, amount: float, flagged: bool
) -> None:
    symbol = "AMZN250620C00180000"
    source = FakeSource({"AMZN": 193.1, symbol: 13.6}, now=AT)
    event = DividendEvent(dt.date(2025, 6, 2).toordinal(), amount, "USD", declared=True)
    source._keep("dividend", Dividend(symbol="AMZN", dividend_yield=0.02))
    source._keep("payouts", Payouts(symbol="AMZN", events=(event,)))
    assert bool(valued([option(symbol, quantity)], source).has(Flag.ASSIGNMENT)[0]) is flagged


def test_a_price_at_intrinsic_in_the_exercise_region_has_delta_one() -> None:
    symbol = "AMZN250620P00300000"
    columns = one(
        option(symbol, -1.0),
        {"AMZN": 193.1, symbol: 106.9},
        rates={"^IRX": 0.05},
        dividend_yields={"AMZN": 0.0},
    )
    assert columns.delta[0] == -1.0
    assert flags(columns) == {"exercise", "assignment"}


def test_two_rows_of_one_contract_share_its_figures() -> None:
    columns = valued(
        [option(), stock(), option(quantity=3.0)], FakeSource({"AMZN": 193.1, CALL: 5.4}, now=AT)
    )
    assert columns.delta[0] == columns.delta[2]
    assert columns.underlying.tolist() == [0, 0, 0]
