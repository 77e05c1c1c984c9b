"""The screen of `quotewell summary`, from structs: no market, no terminal."""

from __future__ import annotations

import datetime as dt
import itertools
import types
import typing
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotewell.portfolio.problems import ProblemKind
from quotewell.portfolio.summary import (
    Assumptions,
    BetaState,
    Counts,
    CoverageShares,
    DifferenceParts,
    DisputedRow,
    ExposureTable,
    OldestPrice,
    PriceFreshness,
    Summary,
)
from quotewell.views.render.layout import cell
from quotewell.views.render.summary import summary_screen
from summaries import AT, bucket, expiring, moves, problem, summary, underlying, values


def screen(report: Summary, width: int = 100) -> list[str]:
    return [line.plain for line in summary_screen(report, width)]


def line_with(lines: list[str], *words: str) -> str:
    found = [line for line in lines if all(word in line for word in words)]
    assert len(found) == 1, (words, found)
    return found[0]


def test_what_do_i_have_and_does_it_reconcile() -> None:
    lines = screen(summary())
    assert lines[0].startswith(" positions.csv · Fidelity · 5 rows")
    assert lines[0].endswith("positions of 8 May 2025 · valued 8 May 2025 16:00 New York")
    assert line_with(lines, "Stocks").split()[1:3] == ["1,100,000", "55.0"]
    assert line_with(lines, "Total").split()[1:3] == ["2,000,000", "100.0"]
    assert line_with(lines, "Broker says").split()[2] == "2,000,000"
    assert line_with(lines, "Difference").split()[1:3] == ["0", "✓"]
    assert not [line for line in lines if "missing" in line]
    assert lines[-1] == " No problems"


def test_exposures_by_leg_and_by_underlying_first() -> None:
    lines = screen(summary())
    first = next(n for n, line in enumerate(lines) if "Net, by underlying first" in line)
    assert lines[first - 4].split()[-6:] == ["Long", "1,200,000", "300,000", "1,500,000", "75.0", "1,650,000"]
    assert lines[first - 3].split()[-6:] == ["Short", "−100,000", "−400,000", "−500,000", "−25.0", "−550,000"]
    assert lines[first - 1].split()[-6:] == [
        "Gross",
        "1,300,000",
        "700,000",
        "2,000,000",
        "100.0",
        "2,200,000",
    ]
    assert lines[first + 1].split()[-4:] == ["Long", "1,100,000", "55.0", "1,210,000"]
    assert lines[first + 4].split()[-4:] == ["Gross", "1,200,000", "60.0", "1,320,000"]


def test_kinds_that_the_book_does_not_hold_are_not_shown_and_no_share_is_without_a_total() -> None:
    value = values(total=-1.0, broker_total=None, difference=None)
    lines = screen(
        summary(
            value=value, counts=Counts(rows=1, stocks=1, options=0, cash=0, pending=0, unknown=0, rejected=0)
        )
    )
    assert not [line for line in lines if "Pending" in line or "Cash" in line or "Options:" in line]
    assert line_with(lines, "Stocks").split()[2] == "n/a"
    assert line_with(lines, "Broker says").split()[2] == "n/a"
    assert not [line for line in lines if "Difference" in line]


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_partial_sum_says_how_many_are_missing(width: int) -> None:
    gaps = {"complete": False, "missing": ("A", "B"), "beta_adjusted_complete": False}
    partial = bucket(5e5, 3e5, 2e5, **gaps, beta_adjusted_missing=("A", "B", "C"))
    table = ExposureTable(long=partial, short=partial, net=partial, gross=partial)
    report = summary(
        value=values(complete=False, missing=("X",)),
        exposure=table,
        what_if=moves(complete=False, missing=("A", "B", "C", "D")),
    )
    lines = screen(report, width)
    assert [line for line in lines if "≥ 1 missing" in line]
    footer = line_with(lines, "≥ 2 missing")
    assert footer.index("≥ 2 missing") < footer.index("≥ 3 missing")
    heading = next(line for line in lines if "beta-adj" in line)
    assert footer.index("≥ 2 missing") + 11 == heading.index("total") + 5
    assert len(footer) == len(heading)
    assert line_with(lines, "P&L").startswith(" P&L  ≥ 4 missing ")


def test_a_difference_is_explained_and_both_totals_are_shown() -> None:
    parts = DifferenceParts(
        price=-900.0, disputed=-300.0, fx=0.0, unpriced=-55.0, unreported=0.0, rounding=0.001
    )
    report = summary(
        value=values(broker_total=2_001_255.0, difference=-1_255.0, difference_parts=parts),
        disputed=(DisputedRow(symbol="MSFT", line=9, computed=800.0, reported=1100.0),),
        problems=(problem("disputed", "MSFT", line=9),),
    )
    lines = screen(report)
    assert "✓" not in line_with(lines, "Difference ", "−1,255")
    assert line_with(lines, "price moves") == (
        " Difference: price moves −900 · 1 disputed row −300 · not valued −55"
    )
    assert line_with(lines, "disputed values") == (
        "   disputed values  MSFT (line 9) 800.00 by price, 1,100.00 in the file"
    )


def test_assumed_rates_and_yields_are_marked_with_their_weight() -> None:
    report = summary(
        assumptions=Assumptions(rate=3, dividend=4, net_exposure_change=-504.0),
        coverage=CoverageShares(price=1.0, delta=0.5, beta=1.0, delta_assumed=0.04),
    )
    text = " ".join(screen(report, 120))
    assert "! 4 % of option exposure assumes an interest rate of 0 (3 rows; --rate) and a dividend" in text
    assert "a yield of 2 % would change net exposure by −504" in text
    assert "deltas known for 50 % of them by notional" in text
    only_rate = summary(
        assumptions=Assumptions(rate=1, dividend=0, net_exposure_change=None),
        coverage=CoverageShares(price=1.0, delta=None, beta=1.0, delta_assumed=None),
    )
    text = " ".join(screen(only_rate, 120))
    assert "! part of option exposure assumes an interest rate of 0 (1 row; --rate)" in text
    assert "deltas n/a" in text


def test_sensitivities_and_currencies() -> None:
    lines = screen(summary(by_currency={"EUR": 400_000.0, "USD": 1_600_000.0}))
    assert line_with(lines, "Options:") == (
        " Options: gamma −1,500 per +1 % · vega +900 per vol. point · theta −80 per day · rho +12 per bp"
    )
    assert line_with(lines, "By currency") == " By currency: EUR 400,000 · USD 1,600,000"


def test_prices_and_betas_say_how_old_and_whose_they_are() -> None:
    oldest = OldestPrice(symbol="MSFT", as_of=AT, age=2 * 86400.0)
    betas = BetaState(
        known=5, needed=9, by_method={"ols_daily": 2, "stated": 2, "given": 1},
        share_by_method={"ols_daily": 0.5, "stated": 0.3, "given": 0.2}, returns=None,
        window_start=None, window_end=None,
    )  # fmt: skip
    report = summary(freshness=PriceFreshness(fresh=62, stale=3, missing=1, oldest=oldest), betas=betas)
    line = line_with(screen(report, 120), "prices")
    assert " prices 62 fresh · 3 ~stale · 1 n/a · oldest 2 d, MSFT  " in line
    assert line.endswith("betas 5 of 9 · vs ^GSPC · 2 ~the provider's · 1 !assumed")
    words = "! 30 % of beta-adjusted exposure rests on the provider's betas, 20 % on assumed ones"
    assert words in "\n".join(line.strip() for line in screen(report, 120))


def test_an_unknown_valuation_instant_says_what_to_do() -> None:
    oldest = OldestPrice(symbol="MSFT", as_of=AT, age=None)
    report = summary(
        as_of=None,
        valuation_at=None,
        freshness=PriceFreshness(fresh=0, stale=1, missing=0, oldest=oldest),
        betas=BetaState(
            known=0,
            needed=0,
            by_method={},
            share_by_method={},
            returns=None,
            window_start=None,
            window_end=None,
        ),
        accounts=("Z1", "Z2"),
        problems=(
            problem(
                "as_of_unknown", "/home/me/positions.csv", "/home/me/positions.csv: neither; give --as-of"
            ),
        ),
    )
    lines = screen(report)
    assert " positions.csv · Fidelity · 2 accounts · 5 rows" in lines[0]
    assert "positions on an unknown day · valued n/a: give --as-of DATE" in lines[0] + lines[1]
    assert "oldest 8 May 2025, MSFT" in line_with(lines, "prices")
    assert "no betas needed" in line_with(lines, "prices")
    assert line_with(lines, "no date") == "   no date  neither: --as-of DATE"


def test_the_largest_underlyings_have_bars_on_their_side() -> None:
    lines = screen(summary())
    heading = line_with(lines, "Underlying")
    zero = heading.index("0")
    amzn, spy = line_with(lines, "AMZN"), line_with(lines, "SPY")
    assert amzn[zero] == spy[zero] == "│"
    assert amzn[zero + 1 : zero + 3] == "██"
    assert spy[zero - 2 : zero] == "██"
    assert amzn.count("█") > spy.count("█") > 5
    assert heading.endswith("% value")
    assert amzn.endswith("35.0")


def test_at_eighty_columns_the_last_column_goes_and_at_120_there_are_names() -> None:
    narrow = screen(summary(), 80)
    assert "% value" not in line_with(narrow, "Underlying")
    assert "│█" in line_with(narrow, "AMZN")
    wide = screen(summary(), 120)
    assert "AMZN Incorporated" in line_with(wide, "AMZN")
    assert "% value" in line_with(wide, "Underlying")


def test_betas_carry_their_doubts() -> None:
    rows = (
        underlying("GIVEN", beta_method="given"),
        underlying("STATED", beta_method="stated"),
        underlying("OLD", beta_stale=True),
        underlying("WEAK", beta_r_squared=0.05, beta_standard_error=0.21),
        underlying("NONE", beta=None, beta_method=None, beta_r_squared=None, beta_adjusted=None),
    )
    lines = screen(summary(by_underlying=rows))
    assert " 1.25! " in line_with(lines, "GIVEN")
    assert " 1.25~ " in line_with(lines, "STATED")
    assert " 1.25~ " in line_with(lines, "OLD")
    assert " 1.25 ±0.21 " in line_with(lines, "WEAK")
    assert " n/a " in line_with(lines, "NONE")


def test_a_known_part_of_an_underlying_says_that_it_is_a_part() -> None:
    rows = (underlying("PART", complete=False), underlying("GONE", None))
    lines = screen(summary(by_underlying=rows))
    assert "100,000 + n/a" in line_with(lines, "PART")
    assert "+ n/a" not in line_with(lines, "GONE")


def test_what_is_not_among_the_ten_largest_is_summed() -> None:
    rows = [*(underlying(f"A{n}", 100_000.0 - n) for n in range(12)), underlying("GONE", None)]
    lines = screen(summary(by_underlying=tuple(rows)))
    assert len([line for line in lines if "│" in line]) == 10
    assert line_with(lines, "3 more, 1 n/a").split()[4:7] == ["270,000", "199,979", "249,974"]
    unknown = screen(summary(by_underlying=tuple(underlying(f"A{n}", None) for n in range(12))))
    assert "2 more, 2 n/a" in line_with(unknown, "more")


def test_profit_and_loss_by_market_move() -> None:
    lines = screen(summary(), 120)
    heading = line_with(lines, "If the market moves")
    assert " ".join(heading.split()[4:]) == "−20 % −10 % −5 % −2 % 0 +2 % +5 % +10 % +20 %"
    assert line_with(lines, "P&L").split()[1:] == [
        "−200,000", "−100,000", "−50,000", "−20,000", "0", "+20,000", "+50,000", "+100,000", "+200,000",
    ]  # fmt: skip
    assert line_with(lines, "% of value").split()[3:5] == ["−10.0", "−5.0"]
    assert not [line for line in lines if "scenario" in line]


def test_the_scenario_has_its_own_line_where_it_differs() -> None:
    lines = screen(summary(what_if=moves(scenario_pnl=-1_234.0)))
    assert "−1,234" in line_with(lines, "P&L, scenario")
    assert line_with(lines, "implied volatility rises by 1.5 % of itself for each 1 %")


def test_small_moves_go_first_where_there_is_no_room() -> None:
    heading = line_with(screen(summary(), 80), "If the market moves")
    assert "−20 %" in heading
    assert "−10 %" in heading
    assert "−2 %" not in heading
    odd = msgspec.structs.replace(moves()[0], market=-0.125)
    assert "−12.5 %" in line_with(screen(summary(what_if=(odd,))), "If the market moves")


def test_a_what_if_of_which_nothing_is_known_is_one_line() -> None:
    lines = screen(summary(what_if=moves(pnl=None, scenario_pnl=None, missing=("A", "B"))))
    assert line_with(lines, "If the market moves") == (
        " If the market moves  n/a: no position has both a price and a beta · ≥ 2 missing"
    )
    assert not [line for line in screen(summary(what_if=())) if "market moves" in line]


def test_options_that_expire_soon_stand_under_their_day() -> None:
    report = summary(
        expiring=(
            expiring(days=0, expiry=dt.date(2025, 5, 8), in_the_money=True, assignment=True),
            expiring("SPY", strike=552.5, right="P", quantity=2.5),
            expiring("VIX", underlying=None, quantity=None, in_the_money=None),
        )
    )
    lines = screen(report, 120)
    first = lines.index(" Expiring within 14 days")
    assert lines[first + 1] == "   8 May (today)  AMZN 190 C ×−7 (in the money, assignment likely)"
    assert lines[first + 2] == "   16 May (8 days)  SPY 552.5 P ×2.50 · VIX250516C00190000 190 C n/a"


def test_many_expiries_are_counted() -> None:
    days = [dt.date(2025, 5, 8) + dt.timedelta(days=n) for n in range(9)]
    lines = screen(summary(expiring=tuple(expiring(expiry=day, days=n) for n, day in enumerate(days))))
    assert "   … 9 options in all: --json shows them" in lines


def test_problems_are_grouped_by_kind_the_gravest_first() -> None:
    report = summary(
        problems=(
            problem("no_beta", "AMZN"),
            problem("no_beta", "MSFT"),
            problem("no_underlying_price", "CRM250620P00290000"),
            problem("no_underlying_price", "CRM250919C00290000"),
            problem("no_price", "021ESC017"),
            problem(
                "rejected",
                "NVDA,abc",
                "/home/me/positions.csv:41: quantity: 'abc' is no number; the row is in no sum",
                41,
            ),
            problem("assumed_dividend", "AAPL, AMD"),
        )
    )
    lines = screen(report)
    first = lines.index(" Problems (7)")
    assert lines[first + 1 :] == [
        "   rejected rows        line 41: quantity: 'abc' is no number",
        "   no price             021ESC017",
        "   no underlying price  CRM (2 options)",
        "   no beta              AMZN, MSFT: --assume-beta 1",
        "   dividend unknown     AAPL, AMD: --dividend-yield 0.01",
    ]


def test_many_problems_are_counted_never_silent() -> None:
    kinds = typing.get_args(ProblemKind)
    lines = screen(summary(problems=tuple(problem(kind, f"S{n}") for n, kind in enumerate(kinds))), 80)
    first = lines.index(f" Problems ({len(kinds)})")
    assert len(lines) - first == 10
    assert lines[-1] == f"   … {len(kinds) - 8} of {len(kinds) - 8} other kinds: --json shows all"
    many = tuple(problem("no_beta", f"SYM{n}") for n in range(200))
    assert ", 19" in line_with(screen(summary(problems=many), 80), "no beta")
    long = screen(summary(problems=(problem("stale", "X" * 500), problem("stale", "Y"))), 80)
    assert line_with(long, "stale prices").endswith("…, 1 more")


def test_hints_stand_at_the_end() -> None:
    lines = summary_screen(summary(), 80, [cell("quotewell explain SPY"), cell("--json")])
    assert lines[-1].plain == " quotewell explain SPY · --json"


def test_huge_amounts_are_shown_in_a_unit_that_fits() -> None:
    rows = (underlying("AMZN", 4.2e12),)
    lines = screen(summary(by_underlying=rows), 80)
    assert "million USD" in line_with(lines, "Value", "%", "USD")
    assert "4,200,000" in line_with(lines, "AMZN")


def test_a_book_without_positions_has_no_empty_tables() -> None:
    lines = screen(summary(by_underlying=(), what_if=(), greeks=summary().greeks))
    assert not [line for line in lines if "Underlying" in line]
    assert "" not in (lines[0], lines[-1])
    assert all(first or second for first, second in itertools.pairwise(lines))


# ------------------------------------------------------------------------------------ any summary at all

TEXTS = st.text(alphabet=st.characters(), max_size=45)
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.floats(-1e7, 1e7), st.just(0.0)
)  # fmt: skip


def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Values of an annotation, as the structs of the report use them."""
    simple: Mapping[Any, st.SearchStrategy[Any]] = {
        float: NUMBERS,
        int: st.integers(0, 10**7),
        bool: st.booleans(),
        str: TEXTS,
        dt.datetime: st.integers(6 * 10**8, 3 * 10**9).map(lambda at: dt.datetime.fromtimestamp(at, dt.UTC)),
        dt.date: st.dates(dt.date(1990, 1, 1), dt.date(2060, 1, 1)),
        type(None): st.none(),
    }
    if kind in simple:
        return simple[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin in (types.UnionType, typing.Union):
        return st.one_of(*map(anything, arguments))
    if origin is tuple:
        return st.lists(anything(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(*map(anything, arguments), max_size=3)
    fields = typing.get_type_hints(kind)
    return st.builds(kind, **{name: anything(fields[name]) for name in kind.__struct_fields__})


@settings(max_examples=40, deadline=None)
@given(anything(Summary), st.sampled_from([60, 80, 100, 120]))
def test_no_line_is_wider_than_the_screen_whatever_there_is_to_show(report: Summary, width: int) -> None:
    for line in summary_screen(report, width, [cell("x" * 200)]):
        assert line.cell_len < width
        assert line.plain.isprintable()
        assert "nan" not in line.plain or "nan" in repr(report)
        assert "None" not in line.plain or "None" in repr(report)
