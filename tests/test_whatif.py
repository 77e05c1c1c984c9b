from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quotewell.analytics import repricing
from quotewell.analytics.arrays import Floats
from quotewell.analytics.options import Status, solve, value
from quotewell.analytics.pricing.dividends import Dividends
from quotewell.analytics.whatif import Legs, OptionLegs, pnl

NAN = float("nan")
MOVES = [-0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2]

OPTION: dict[str, float] = {
    "is_option": True,
    "is_call": False,
    "american": True,
    "strike": 100.0,
    "years": 0.5,
    "volatility": 0.3,
    "rate": 0.04,
    "dividend_yield": 0.01,
    "multiplier": 100.0,
    "shares": 100.0,
    "cash": 0.0,
    "exercise": False,
}
STOCK = dict.fromkeys(OPTION, NAN) | {
    "is_option": False,
    "is_call": False,
    "american": False,
    "exercise": False,
}
FLAGS = {"is_option", "is_call", "american", "exercise"}


def book(*rows: dict[str, float]) -> Legs:
    """Legs of one unit at 100 with beta 1 and no options, unless a row says otherwise."""
    leg = {"quantity": 1.0, "spot": 100.0, "beta": 1.0, "fx": 1.0, "exposure": 100.0}
    columns = {name: np.array([row.get(name, default) for row in rows]) for name, default in leg.items()}
    legs = Legs._make([*columns.values(), None])
    if not any(row.get("is_option") for row in rows):
        return legs
    terms = {
        name: np.array([row.get(name, STOCK[name]) for row in rows], dtype=bool if name in FLAGS else float)
        for name in OPTION
    }
    events = ((row.get("ex_date", 1.0), row.get("dividend", 0.0)) for row in rows)
    ex_dates, amounts = np.array(list(events)).T[:, np.newaxis]
    return legs._replace(options=OptionLegs._make([*terms.values(), ex_dates, amounts]))


def model(spot: float, volatility: float = 0.3, *, is_call: bool = False) -> float:
    return float(value(is_call, True, spot, 100.0, 0.5, volatility, 0.04, 0.01))


def test_a_stock_moves_by_its_beta_in_base_currency() -> None:
    found = pnl([-0.1, 0.2], book({"quantity": -20.0, "spot": 50.0, "beta": 1.5, "fx": 1.25}))
    assert [point.pnl for point in found.points] == pytest.approx([187.5, -375.0])
    assert found.scenario == found.points
    assert all(point.complete for point in found.points)


def test_no_price_falls_below_zero() -> None:
    found = pnl([-0.5, -0.9], book({"quantity": 10.0, "beta": 2.5}, OPTION | {"beta": 2.5}))
    assert found.by_leg[:, 0] == pytest.approx([-1000.0, -1000.0])
    assert found.by_leg[:, 1] == pytest.approx([100 * (100.0 - model(100.0))] * 2)


def test_an_option_moves_by_its_model_at_constant_volatility() -> None:
    found = pnl([-0.1, 0.05], book(OPTION | {"quantity": -3.0, "beta": 1.2, "fx": 0.8}))
    today = model(100.0)
    expected = [-3 * 100 * 0.8 * (model(100 * (1 + 1.2 * x)) - today) for x in (-0.1, 0.05)]
    assert [point.pnl for point in found.points] == pytest.approx(expected)


def test_the_scenario_raises_volatility_where_the_market_falls_and_only_there() -> None:
    found = pnl([-0.2, 0.2], book(OPTION, {"quantity": 5.0}))
    fall, rise = found.scenario
    today = model(100.0)
    assert fall.pnl == pytest.approx(100 * (model(80.0, 0.3 * 1.3) - today) - 100.0)
    assert found.points[0].pnl == pytest.approx(100 * (model(80.0) - today) - 100.0)
    assert rise == found.points[1]


@settings(max_examples=20, deadline=None)
@given(st.floats(20, 300), st.floats(-2, 3), st.floats(0.05, 2), st.booleans(), st.floats(-50, 50))
def test_without_a_move_nothing_is_gained(
    spot: float, beta: float, volatility: float, is_call: bool, quantity: float
) -> None:
    row = {"spot": spot, "beta": beta, "quantity": quantity}
    option = OPTION | row | {"volatility": volatility, "is_call": is_call, "shares": 37.0, "cash": 11.0}
    found = pnl([-0.1, 0.0, 0.1], book(row, option))
    for still in (found.points[1].pnl, found.scenario[1].pnl):
        assert repr(still) == "0.0"  # nor is it -0.0


def test_a_small_move_gains_what_delta_says() -> None:
    found = pnl([-1e-4, 1e-4], book(OPTION))
    delta = (model(100.5) - model(99.5)) / 1.0
    low, high = (point.pnl for point in found.points)
    assert low is not None
    assert high is not None
    assert (high - low) / 0.02 / 100 == pytest.approx(delta, rel=1e-3)


def test_what_lacks_beta_spot_or_volatility_is_missing_in_every_point() -> None:
    found = pnl(
        MOVES,
        book({}, {"beta": NAN}, {"spot": NAN}, {"quantity": NAN}, {"fx": NAN}, OPTION | {"volatility": NAN}),
    )
    for point in (*found.points, *found.scenario):
        assert point.missing == (1, 2, 3, 4, 5)
        assert not point.complete
        assert point.pnl == pytest.approx(100.0 * point.move)


def test_a_book_of_which_nothing_is_known_has_no_pnl() -> None:
    found = pnl([0.0, 0.1], book({"beta": NAN}, OPTION | {"volatility": NAN}))
    assert [point.pnl for point in (*found.points, *found.scenario)] == [None] * 4


def test_an_empty_book_gains_nothing() -> None:
    found = pnl(MOVES, book())
    assert [(point.pnl, point.complete) for point in found.points] == [(0.0, True)] * len(MOVES)


def test_an_adjusted_option_moves_with_its_deliverable() -> None:
    # 50 shares and 2,000 in cash for a premium of 100: the deliverable is worth (50·160 + 2000)/100 = 100
    found = pnl([0.1], book(OPTION | {"spot": 160.0, "shares": 50.0, "cash": 2000.0}))
    assert found.points[0].pnl == pytest.approx(100 * (model((50 * 176 + 2000) / 100) - model(100.0)))


def test_an_unknown_deliverable_is_missing() -> None:
    assert pnl([0.1], book({}, OPTION | {"shares": NAN})).points[0].missing == (1,)


@pytest.mark.parametrize(("is_call", "expected"), [(True, [0.0, 0.0, 1000.0]), (False, [1000.0, 0.0, 0.0])])
def test_what_expires_today_moves_along_its_payoff_without_a_volatility(
    is_call: bool, expected: list[float]
) -> None:
    today = OPTION | {"years": -0.0001, "volatility": NAN, "is_call": is_call}
    found = pnl([-0.1, 0.0, 0.1], book(today))
    assert [point.pnl for point in found.points] == pytest.approx(expected)
    assert [point.pnl for point in found.scenario] == pytest.approx(expected)


def test_what_has_expired_is_missing() -> None:
    assert pnl([0.1], book({}, OPTION | {"years": -0.1})).points[0].missing == (1,)


EXERCISE = OPTION | {"exercise": True, "volatility": NAN, "quantity": -2.0}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"spot": 70.0, "is_call": False}, [-1400.0, 0.0, None]),
        ({"spot": 150.0, "is_call": True}, [None, 0.0, -3000.0]),
        ({"spot": 70.0, "is_call": False, "beta": -1.0}, [None, 0.0, -1400.0]),
    ],
)
def test_what_is_to_be_exercised_stays_at_intrinsic_deeper_in_the_money_and_is_missing_elsewhere(
    changed: dict[str, float], expected: list[float | None]
) -> None:
    found = pnl([-0.1, 0.0, 0.1], book(EXERCISE | changed))
    for point, gain in zip(found.points, expected, strict=True):
        assert point.pnl == (None if gain is None else pytest.approx(gain))


def test_no_intrinsic_is_taken_for_granted_where_volatility_rises_or_the_region_may_end() -> None:
    put = EXERCISE | {"spot": 70.0}
    assert pnl([-0.1], book(put)).scenario[0].pnl is None
    assert pnl([-0.1], book(put | {"rate": -0.01, "dividend_yield": -0.03})).points[0].pnl is None


def test_a_shock_replaces_beta_times_the_move() -> None:
    shocked = pnl(
        [-0.1, 0.0, 0.1], book({}, {"beta": NAN}, OPTION | {"beta": 5.0}), shocks=np.array([NAN, -0.2, -0.05])
    )
    option = 100 * (model(95.0) - model(100.0))
    for point, own in zip(shocked.points, (-10.0, 0.0, 10.0), strict=True):
        assert point.pnl == pytest.approx(own - 20.0 + option)
        assert point.complete
    assert shocked.scenario[1] == shocked.points[1]
    assert pnl([0.1], book({"quantity": 3.0}), shocks=np.array([-7.0])).points[0].pnl == -300.0


def test_days_shorten_the_life_of_options() -> None:
    found = pnl([0.0, 0.1], book(OPTION, {"quantity": 2.0}), days=73.0)
    later = [float(value(False, True, spot, 100.0, 0.3, 0.3, 0.04, 0.01)) for spot in (100.0, 110.0)]
    assert [point.pnl for point in found.points] == pytest.approx(
        [100 * (later[0] - model(100.0)), 100 * (later[1] - model(100.0)) + 20.0]
    )


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("american", [True, False])
def test_what_expires_within_the_days_is_worth_its_intrinsic_value_at_the_moved_spot(
    is_call: bool, american: bool
) -> None:
    option = OPTION | {"is_call": is_call, "american": american}
    today = float(value(is_call, american, 100.0, 100.0, 0.5, 0.3, 0.04, 0.01))
    expected = {True: [0.0, 0.0, 10.0], False: [10.0, 0.0, 0.0]}[is_call]
    for days in (182.5, 182.6, 3650.0):
        found = pnl([-0.1, 0.0, 0.1], book(option), days=days)
        for points in (found.points, found.scenario):
            assert [point.pnl for point in points] == pytest.approx(
                [100 * (late - today) for late in expected]
            )


def test_days_do_not_bring_back_what_had_expired_or_give_a_volatility() -> None:
    gone, unknown = OPTION | {"years": -0.1}, OPTION | {"volatility": NAN}
    assert pnl([0.1], book(gone, unknown), days=1000.0).points[0].missing == (0, 1)
    today = pnl([0.1], book(OPTION | {"years": -0.0001, "volatility": NAN, "is_call": True}), days=3.0)
    assert today.points[0].pnl == pytest.approx(1000.0)


DIVIDEND = OPTION | {"is_call": True, "ex_date": 0.1, "dividend": 3.0, "dividend_yield": 0.0}


def with_dividend(spot: float, years: float = 0.5, ex_date: float = 0.1) -> float:
    paid = Dividends(np.array([ex_date]), np.array([3.0]))
    return float(value(True, True, spot, 100.0, years, 0.3, 0.04, 0.0, dividends=paid))


def test_options_on_known_dividends_move_by_the_model_of_dividends() -> None:
    found = pnl([-0.1, 0.0, 0.1], book(DIVIDEND))
    gains = [100 * (with_dividend(spot) - with_dividend(100.0)) for spot in (90.0, 100.0, 110.0)]
    assert [point.pnl for point in found.points] == pytest.approx(gains)
    assert found.points[1].pnl == 0.0
    assert found.points[2].pnl != pytest.approx(
        100 * (model(110.0, is_call=True) - model(100.0, is_call=True))
    )


def test_days_bring_dividends_nearer_and_then_take_them_off_the_price() -> None:
    before, after = (pnl([0.0], book(DIVIDEND, {}), days=days).points[0].pnl for days in (18.25, 73.0))
    assert before == pytest.approx(100 * (with_dividend(100.0, 0.45, 0.05) - with_dividend(100.0)))
    late = float(value(True, True, 97.0, 100.0, 0.3, 0.3, 0.04, 0.0))
    assert after == pytest.approx(100 * (late - with_dividend(100.0)))  # the share's holder has lost nothing
    (expired,) = pnl([0.1], book(DIVIDEND, {}), days=200.0).points
    assert expired.pnl == pytest.approx(100 * (110.0 - 3.0 - 100.0 - with_dividend(100.0)) + 10.0)


def test_contracts_that_differ_in_a_dividend_are_no_duplicates() -> None:
    found = pnl([0.0], book(DIVIDEND, DIVIDEND | {"dividend": 5.0}), days=73.0)
    assert found.by_leg[0, 1] != pytest.approx(found.by_leg[0, 0], rel=1e-3)


def test_a_shift_adds_points_to_every_volatility_also_under_the_scenario() -> None:
    found = pnl([-0.2, 0.0], book(OPTION), volatility=5.0)
    today = model(100.0)
    assert found.points[0].pnl == pytest.approx(100 * (model(80.0, 0.35) - today))
    assert found.points[1].pnl == pytest.approx(100 * (model(100.0, 0.35) - today))
    assert found.scenario[0].pnl == pytest.approx(100 * (model(80.0, 0.35 * 1.3) - today))


def test_no_volatility_falls_below_zero() -> None:
    found = pnl([0.0, -0.1], book(OPTION), volatility=-99.0)
    assert found.points[0].pnl == pytest.approx(100 * (0.0 - model(100.0)))
    assert found.points[1].pnl == pytest.approx(100 * (10.0 - model(100.0)))


def test_what_is_to_be_exercised_stays_so_with_less_time_and_volatility_and_not_with_more() -> None:
    put = EXERCISE | {"spot": 70.0}
    assert pnl([-0.1, 0.1], book(put), days=30.0).points[0].pnl == pytest.approx(-1400.0)
    assert pnl([-0.1], book(put), volatility=-1.0).points[0].pnl == pytest.approx(-1400.0)
    assert pnl([-0.1], book(put), volatility=1.0).points[0].pnl is None
    found = pnl([-0.1, 0.1], book(put), days=365.0, volatility=1.0)  # expired by then: intrinsic in any case
    assert [point.pnl for point in (*found.points, *found.scenario)] == pytest.approx([-1400.0, 1400.0] * 2)


def test_the_delta_only_line_is_straight_and_leaves_out_what_the_curve_does() -> None:
    delta = (model(100.5) - model(99.5)) / 1.0
    option = OPTION | {"exposure": 100 * 100 * delta}
    unknown = OPTION | {"volatility": NAN, "exposure": 1e6}
    found = pnl([-0.2, 0.0, 0.2], book({"beta": 0.5}, option, unknown))
    assert [point.delta_pnl for point in found.points] == pytest.approx(
        [x * (50.0 + option["exposure"]) for x in (-0.2, 0.0, 0.2)]
    )
    assert repr(found.points[1].delta_pnl) == "0.0"
    for point in found.points[::2]:  # a long option lies above its tangent
        assert point.pnl is not None
        assert point.delta_pnl is not None
        assert point.pnl > point.delta_pnl
    assert pnl([0.1], book({"exposure": NAN})).points[0].delta_pnl is None


@settings(max_examples=60, deadline=None)
@given(
    spot=st.floats(60, 160),
    volatility=st.floats(0.1, 1.0),
    years=st.floats(0.05, 2.0),
    rate=st.floats(0.0, 0.08),
    dividend_yield=st.floats(0.0, 0.06),
    is_call=st.booleans(),
)
def test_small_moves_agree_with_delta_and_gamma(
    spot: float, volatility: float, years: float, rate: float, dividend_yield: float, is_call: bool
) -> None:
    terms = {"years": years, "rate": rate, "dividend_yield": dividend_yield, "volatility": volatility}
    price = value(is_call, True, spot, 100.0, years, volatility, rate, dividend_yield)
    greeks = solve(is_call, True, spot, 100.0, years, price, rate, dividend_yield)
    assume(greeks.status == Status.OK)
    step = 0.02 * volatility * np.sqrt(years)
    row = OPTION | terms | {"is_call": is_call, "spot": spot, "multiplier": 1.0, "shares": 1.0}
    low, high = (point.pnl for point in pnl([-step, step], book(row)).points)
    assert low is not None
    assert high is not None
    move = step * spot
    assert (high - low) / (2 * move) == pytest.approx(float(greeks.delta), abs=2e-3)
    curvature, expected = (high + low) / move**2, float(greeks.gamma)
    near_boundary = abs(abs(float(greeks.delta)) - 1.0) < 0.02  # gamma jumps there
    assert near_boundary or curvature == pytest.approx(expected, rel=0.02, abs=2e-4)


def test_a_day_costs_theta() -> None:
    greeks = solve(False, True, 100.0, 100.0, 0.5, model(100.0), 0.04, 0.01)
    (point,) = pnl([0.0], book(OPTION, {}), days=1.0).points
    assert point.pnl == pytest.approx(100 * float(greeks.theta) / 365, rel=0.02)


def test_duplicates_of_a_contract_are_solved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    priced: list[int] = []
    original = repricing.reprice

    def counted(terms: repricing.Terms, *rest: Floats) -> Floats:
        priced.append(terms.strike.size)
        return original(terms, *rest)

    monkeypatch.setattr(repricing, "reprice", counted)
    other = OPTION | {"strike": 90.0}
    found = pnl([-0.1, 0.1], book(OPTION, OPTION | {"quantity": -3.0}, {}, other, OPTION | {"fx": 0.5}))
    assert priced == [2]
    assert found.by_leg[:, 1] == pytest.approx(-3.0 * found.by_leg[:, 0])
    assert found.by_leg[:, 4] == pytest.approx(0.5 * found.by_leg[:, 0])
    assert found.by_leg[:, 3] == pytest.approx(pnl([-0.1, 0.1], book(other)).by_leg[:, 0], rel=1e-6)


def test_a_shocked_leg_is_no_duplicate_of_one_that_is_not() -> None:
    found = pnl([0.1], book(OPTION, OPTION), shocks=np.array([NAN, -0.1]))
    assert found.by_leg[0, 0] < 0.0 < found.by_leg[0, 1]


def test_the_order_of_moves_and_legs_is_kept() -> None:
    found = pnl([0.1, -0.1], book({"quantity": 1.0}, OPTION, {"quantity": 2.0}))
    assert [point.move for point in found.points] == [0.1, -0.1]
    assert found.by_leg.shape == found.scenario_by_leg.shape == (2, 3)
    assert found.by_leg[:, 2] == pytest.approx([20.0, -20.0])
    assert found.points[0].pnl == pytest.approx(found.by_leg[0].sum())


def test_a_book_of_stocks_loads_no_option_engine() -> None:
    code = (
        "import sys, numpy as np; from quotewell.analytics.whatif import Legs, pnl; "
        "one = np.ones(1); assert pnl([0.1], Legs(one, one, one, one, one)).points[0].pnl; "
        "sys.exit('quotewell.analytics.options' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
