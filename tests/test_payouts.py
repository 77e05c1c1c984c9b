"""Dividends before expiry: which are known, which are projected, and what options are valued with."""

from __future__ import annotations

import datetime as dt

import msgspec
import numpy as np
import pytest

from quotewell.analytics.options import solve, value
from quotewell.analytics.pricing.dividends import Dividends
from quotewell.payment_rhythm import projected
from quotewell.portfolio.basis import Basis, Deliverable
from quotewell.portfolio.columns import Columns
from quotewell.portfolio.payouts import dividends_of
from quotewell.portfolio.row import row_of
from quotewell.records import Dividend, DividendEvent, Payout, Payouts
from quotewell.testing.source import FakeSource
from valued_books import AT, DAY, HOUR, YEAR, flags, option, overlay, quote, stock, valued

LONG_CALL = "AMZN260116C00180000"
TODAY = dt.date(2025, 5, 8)


def event(
    day: str, amount: float = 0.5, currency: str | None = "USD", *, declared: bool = True
) -> DividendEvent:
    return DividendEvent(dt.date.fromisoformat(day).toordinal(), amount, currency, declared)


QUARTERLY = (event("2024-08-12"), event("2024-11-11"), event("2025-02-10", 0.55))


def coming(events: tuple[DividendEvent, ...], until: str) -> list[tuple[str, float]]:
    found = projected(events, TODAY.toordinal(), dt.date.fromisoformat(until).toordinal())
    return [(dt.date.fromordinal(day).isoformat(), amount) for day, amount in found]


def test_the_last_regular_amount_goes_on_at_its_frequency() -> None:
    # 10 May and 10 August 2025 are a Saturday and a Sunday.
    expected = [("2025-05-12", 0.55), ("2025-08-11", 0.55), ("2025-11-10", 0.55)]
    assert coming(QUARTERLY, "2025-12-31") == expected
    assert coming(QUARTERLY, "2025-05-12") == expected[:1]


@pytest.mark.parametrize(
    ("days", "following"),
    [
        (("2025-03-14", "2025-04-15"), ["2025-05-15", "2025-06-16", "2025-07-15"]),
        (("2024-09-30", "2025-03-31"), []),
        (("2024-01-31", "2024-07-31", "2025-01-31"), ["2025-07-31"]),
    ],
    ids=["monthly", "half-yearly beyond the end", "month ends"],
)
def test_other_frequencies(days: tuple[str, ...], following: list[str]) -> None:
    found = coming(tuple(event(day) for day in days), "2025-07-31")
    assert [day for day, _ in found] == following


def test_what_is_declared_is_not_projected_as_well() -> None:
    events = (*QUARTERLY, event("2025-05-19", 0.6))
    assert coming(events, "2025-12-31") == [("2025-08-19", 0.6), ("2025-11-19", 0.6)]


def test_special_dividends_neither_go_on_nor_disturb_the_rhythm() -> None:
    assert coming((*QUARTERLY, event("2025-03-20", 5.0)), "2025-06-30") == [("2025-05-12", 0.55)]


@pytest.mark.parametrize(
    "events",
    [
        (),
        (event("2025-02-10"),),
        (event("2024-08-12"), event("2024-09-01"), event("2025-02-10")),
        (event("2024-01-12"), event("2024-04-12"), event("2024-07-12")),
    ],
    ids=["none", "one", "no rhythm", "stopped"],
)
def test_without_a_rhythm_nothing_is_projected(events: tuple[DividendEvent, ...]) -> None:
    assert coming(events, "2026-12-31") == []


def paying(events: tuple[DividendEvent, ...], price: float = 25.0, **given: object) -> FakeSource:
    source = FakeSource({"AMZN": 193.1, LONG_CALL: price}, now=AT, rates={"^IRX": 0.04}, **given)  # type: ignore[arg-type]
    source._keep("dividend", Dividend(symbol="AMZN", dividend_yield=0.01))
    source._keep("payouts", Payouts(symbol="AMZN", events=events))
    return source


def ex_years(day: str) -> float:
    return (dt.datetime.fromisoformat(f"{day}T09:30-04:00").timestamp() - AT) / YEAR


def test_options_are_valued_with_the_dividends_at_their_ex_dates() -> None:
    events = (*QUARTERLY, event("2025-05-19", 0.6))
    columns = valued([option(LONG_CALL)], paying(events))
    expected = (
        Payout(ex_date=dt.date(2025, 5, 19), years=ex_years("2025-05-19"), amount=0.6, projected=False),
        Payout(ex_date=dt.date(2025, 8, 19), years=ex_years("2025-08-19"), amount=0.6, projected=True),
        Payout(
            ex_date=dt.date(2025, 11, 19),
            years=ex_years("2025-11-19") + 3600 / YEAR,
            amount=0.6,
            projected=True,
        ),
    )
    for found, known in zip(columns.contracts.payouts[0], expected, strict=True):
        assert found == msgspec.structs.replace(known, years=found.years)
        assert found.years == pytest.approx(known.years)
    assert flags(columns) == {"discrete_dividends", "projected_dividend"}
    dividends = Dividends(
        *(np.array(column) for column in zip(*((one.years, one.amount) for one in expected), strict=True))
    )
    solved = solve(True, True, 193.1, 180.0, columns.contracts.years[0], 25.0, 0.04, 0.0, dividends=dividends)
    assert columns.contracts.dividend_yield[0] == 0.0
    assert columns.delta[0] == pytest.approx(float(solved.delta))
    assert columns.contracts.volatility[0] == pytest.approx(float(solved.volatility))
    ignored = solve(True, True, 193.1, 180.0, columns.contracts.years[0], 25.0, 0.04, 0.0)
    assert abs(float(solved.volatility) - float(ignored.volatility)) > 0.002


def test_known_dividends_are_no_projection() -> None:
    assert flags(valued([option(LONG_CALL)], paying((event("2025-05-19"),)))) == {"discrete_dividends"}


def used(columns: Columns) -> tuple[float, set[str]]:
    return columns.contracts.dividend_yield[0], flags(columns)


def test_a_yield_stands_for_what_is_not_known() -> None:
    assert used(valued([option(LONG_CALL)], paying(()))) == (0.01, set())
    past = paying((event("2025-02-10"),))
    assert used(valued([option(LONG_CALL)], past)) == (0.01, set())
    abroad = paying((event("2025-05-19", currency="EUR"),))
    assert used(valued([option(LONG_CALL)], abroad)) == (0.01, set())
    after = paying((event("2026-01-17"),))
    assert used(valued([option(LONG_CALL)], after)) == (0.01, set())


def test_the_users_own_yield_comes_first() -> None:
    basis = Basis(dividend_yields={"AMZN": 0.03})
    columns = valued([option(LONG_CALL)], paying(QUARTERLY), basis)
    assert used(columns) == (0.03, {"override_dividend"})
    assert columns.contracts.payouts[0] == ()


def test_the_users_own_dividends_come_before_all_yields() -> None:
    basis = Basis(dividend_yields={"AMZN": 0.03}, dividends={"AMZN": (event("2025-06-02", 0.7, None),)})
    columns = valued([option(LONG_CALL)], paying(QUARTERLY), basis)
    assert used(columns) == (0.0, {"override_dividend", "discrete_dividends"})
    assert [one.amount for one in columns.contracts.payouts[0]] == [0.7]


def test_an_index_does_not_take_the_dividends_of_its_proxy() -> None:
    symbol = "SPXW251219C05700000"
    source = FakeSource({"^GSPC": 5700.0, symbol: 250.0}, now=AT, rates={"^IRX": 0.04})
    source._keep("dividend", Dividend(symbol="SPY", dividend_yield=0.012))
    source._keep("payouts", Payouts(symbol="SPY", events=QUARTERLY))
    assert used(valued([option(symbol)], source)) == (0.012, {"proxy_dividend"})


def test_an_adjusted_option_is_paid_for_what_it_delivers() -> None:
    symbol = "AMZN1260116C00180000"
    source = FakeSource({"AMZN": 193.1, symbol: 45.0}, now=AT, rates={"^IRX": 0.04})
    source._keep("payouts", Payouts(symbol="AMZN", events=(event("2025-05-19", 0.6),)))
    basis = Basis(deliverables={"AMZN1": Deliverable(shares=110.0, cash=50.0)})
    columns = valued([option(symbol)], source, basis)
    assert columns.contracts.payouts[0][0].amount == pytest.approx(0.66)


def test_a_dividend_between_the_pair_and_the_valuation_counts_for_the_pair_alone() -> None:
    entries = [stock(price=194.0), option(LONG_CALL, price=25.0)]
    later = AT + 4 * DAY + 18 * HOUR
    service = FakeSource({"AMZN": quote("AMZN", 193.1, later)}, now=later, rates={"^IRX": 0.04})
    events = (event("2025-05-09", 0.9), event("2025-08-07", 0.9))
    service._keep("payouts", Payouts(symbol="AMZN", events=events))
    columns = valued(entries, overlay(service, entries, AT))
    years, payouts = columns.contracts.years[1], columns.contracts.payouts[1]
    assert [one.years > 0.0 for one in payouts] == [False, True, True]  # the third is projected
    assert "model" in flags(columns, 1)
    gap = (later - AT) / YEAR
    when, amount = (np.array([getattr(one, name) for one in payouts]) for name in ("years", "amount"))
    terms = (True, True, 194.0, 180.0, years + gap, 25.0, 0.04, 0.0)
    pair = solve(*terms, dividends=Dividends(when + gap, amount))
    now = value(
        *(True, True, 193.1, 180.0, years, float(pair.volatility), 0.04, 0.0),
        dividends=Dividends(when, amount),
    )
    assert columns.contracts.volatility[1] == pytest.approx(float(pair.volatility), rel=1e-4)
    assert columns.price[1] == pytest.approx(float(now), rel=1e-6)
    assert [one.ex_date.isoformat() for one in row_of(columns, 1).dividends] == ["2025-08-07", "2025-11-07"]


def test_positions_and_columns_give_the_same_numbers() -> None:
    strikes = range(120_000, 260_000, 20_000)
    symbols = [f"AMZN260116{right}{strike:08d}" for right in "CP" for strike in strikes]
    prices = {
        symbol: 15.0 + max(0.0, (193.1 - int(symbol[-8:]) / 1000) * (1 if symbol[10] == "C" else -1))
        for symbol in symbols
    }
    source = FakeSource({"AMZN": 193.1, **prices}, {"AMZN": 1.2}, now=AT, rates={"^IRX": 0.04})
    source._keep("payouts", Payouts(symbol="AMZN", events=(*QUARTERLY, event("2025-05-19", 0.6))))
    positions = [option(symbol) for symbol in symbols]
    columns = valued(positions, source)
    assert not np.isnan(columns.delta).any()
    for row, position in enumerate(positions):
        position.bind(source)
        assert position.delta == pytest.approx(columns.delta[row], rel=1e-9)
        assert position.market_exposure == pytest.approx(columns.exposure[row], rel=1e-9)


def test_columns_of_payouts() -> None:
    payouts = np.empty(3, dtype=np.object_)
    one = Payout(ex_date=TODAY, years=0.1, amount=2.0, projected=False)
    payouts[:] = [(), (one,), (one, one)]
    dividends = dividends_of(payouts)
    assert dividends is not None
    assert dividends.amount.tolist() == [[0.0, 2.0, 2.0], [0.0, 0.0, 2.0]]
    assert dividends_of(payouts[:1]) is None


@pytest.mark.parametrize(("amount", "flagged"), [(1.0, True), (0.05, False)])
def test_a_projected_dividend_above_the_time_value_may_lead_to_assignment(
    amount: float, flagged: bool
) -> None:
    symbol = "AMZN250620C00180000"
    events = tuple(event(day, amount) for day in ("2024-08-12", "2024-11-11", "2025-02-10"))
    source = FakeSource({"AMZN": 193.1, symbol: 13.6}, now=AT, rates={"^IRX": 0.04})
    source._keep("dividend", Dividend(symbol="AMZN", dividend_yield=0.02))
    source._keep("payouts", Payouts(symbol="AMZN", events=events))
    for basis in (Basis(), Basis(dividend_yields={"AMZN": 0.02})):
        columns = valued([option(symbol, -1.0)], source, basis)
        assert ("assignment" in flags(columns)) is flagged
