from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotewell.analytics.options import value
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
    return legs._replace(options=OptionLegs(**terms))


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
