"""Charts as data: what is drawn, in which colour and order, and what is said to those who do not see it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from quotewell.views.charts import CURVE_MOVES, Chart, exposure_bars, exposure_stack, javascript_in, pnl_curve
from quotewell.views.theme import DARK, LIGHT, Palette, css_variables
from summaries import bucket, moves, summary, underlying


def bars_of(chart: Chart) -> dict[str, dict[str, Any]]:
    return {bar["name"]: bar for bar in chart.options["series"][0]["data"]}


def series_of(chart: Chart) -> dict[str, dict[str, Any]]:
    return {series["name"]: series for series in chart.options["series"]}


def test_bars_go_right_where_long_and_left_where_short() -> None:
    chart = exposure_bars([underlying("AMZN", 700_000.0), underlying("SPY", -900_000.0)], "raw", "USD", LIGHT)
    bars = bars_of(chart)
    assert list(bars) == ["SPY", "AMZN"] == chart.options["yAxis"]["data"]
    assert [bars[name]["value"] for name in bars] == [-900_000.0, 700_000.0]
    assert (bars["SPY"]["itemStyle"]["color"], bars["SPY"]["label"]["position"]) == (LIGHT.short, "left")
    assert (bars["AMZN"]["itemStyle"]["color"], bars["AMZN"]["label"]["position"]) == (LIGHT.long, "right")
    assert bars["SPY"]["label"]["formatter"] == "−900,000"


def test_amounts_have_room_beside_the_longest_bars() -> None:
    axis = exposure_bars(
        [underlying("AMZN", 700_000.0), underlying("SPY", -900_000.0)], "raw", "USD", LIGHT
    ).options["xAxis"]
    assert axis["max"] > 700_000
    assert axis["min"] < -900_000


def test_beta_adjusted_bars_have_their_own_order() -> None:
    rows = [underlying("A", 100.0, beta_adjusted=100.0), underlying("B", 90.0, beta_adjusted=-180.0)]
    assert list(bars_of(exposure_bars(rows, "raw", "USD", LIGHT))) == ["A", "B"]
    chart = exposure_bars(rows, "beta", "USD", LIGHT)
    assert {name: bar["value"] for name, bar in bars_of(chart).items()} == {"B": -180.0, "A": 100.0}


def test_what_is_unknown_has_no_bar_and_is_named() -> None:
    chart = exposure_bars([underlying("AMZN"), underlying("021ESC017", None)], "raw", "USD", LIGHT)
    assert list(bars_of(chart)) == ["AMZN"]
    assert chart.sentence.endswith("Not known: 021ESC017.")
    assert chart.rows[-1] == ("021ESC017", "n/a", "n/a")


def test_the_others_are_one_bar_and_each_in_the_table() -> None:
    rows = [underlying(f"S{place}", 1000.0 - place) for place in range(20)]
    chart = exposure_bars(rows, "raw", "USD", LIGHT)
    bars = bars_of(chart)
    assert len(bars) == 13
    assert bars["8 others"]["value"] == sum(1000.0 - place for place in range(12, 20))
    assert len(chart.rows) == 20


def test_a_selected_bar_stands_out() -> None:
    rows = [underlying("AMZN"), underlying("SPY")]
    bars = bars_of(exposure_bars(rows, "raw", "USD", LIGHT, selected="SPY"))
    assert bars["SPY"]["itemStyle"]["opacity"] == 1.0
    assert bars["AMZN"]["itemStyle"]["opacity"] < 0.5


def test_a_book_without_underlyings_draws_nothing() -> None:
    chart = exposure_bars([], "raw", "USD", LIGHT)
    assert chart.options["series"][0]["data"] == []
    assert chart.sentence == "Net exposure: n/a."


def test_stocks_and_options_are_stacked_and_the_net_is_whole() -> None:
    chart = exposure_stack(summary().exposure, "raw", "USD", LIGHT)
    series = series_of(chart)
    assert [bar["value"] for bar in series["Stocks"]["data"]] == [1_200_000.0, -100_000.0, None]
    assert [bar["value"] for bar in series["Options"]["data"]] == [300_000.0, -400_000.0, None]
    assert series["Stocks"]["stack"] == series["Options"]["stack"]
    whole = series["Total"]["data"]
    assert [bar["value"] for bar in whole] == [1_500_000.0, -500_000.0, 1_000_000.0]
    assert [bar["itemStyle"]["color"] for bar in whole] == ["transparent", "transparent", LIGHT.net]
    assert [bar["label"]["formatter"] for bar in whole] == ["1,500,000", "−500,000", "1,000,000"]
    assert chart.rows[-1] == ("Gross", "1,300,000", "700,000", "2,000,000", "100.0")


def test_beta_adjusted_exposure_has_no_parts() -> None:
    chart = exposure_stack(summary().exposure, "beta", "USD", LIGHT)
    series = series_of(chart)
    assert set(series) == {"Total"}
    assert [bar["value"] for bar in series["Total"]["data"]] == pytest.approx([1.65e6, -0.55e6, 1.1e6])
    assert [bar["itemStyle"]["color"] for bar in series["Total"]["data"]] == [
        LIGHT.long, LIGHT.short, LIGHT.net,
    ]  # fmt: skip


def test_an_unknown_total_has_no_bar() -> None:
    exposure = summary().exposure
    unknown = bucket(None, None, None)
    table = type(exposure)(long=unknown, short=unknown, net=unknown, gross=unknown)
    chart = exposure_stack(table, "raw", "USD", LIGHT)
    assert [(bar["value"], bar["label"]["show"]) for bar in series_of(chart)["Total"]["data"]] == [
        (None, False)
    ] * 3
    assert "long n/a" in chart.sentence


def test_the_line_of_deltas_is_straight_and_dashed() -> None:
    points = moves(pnl=5.0)
    series = series_of(pnl_curve(points, "USD", LIGHT))
    assert series["Delta only"]["lineStyle"]["type"] == "dashed"
    assert series["Delta only"]["data"] == [[point.market * 100, point.delta_pnl] for point in points]
    assert series["Model"]["data"] == [[point.market * 100, 5.0] for point in points]
    assert "type" not in series["Model"]["lineStyle"]


def test_without_a_known_exposure_there_is_no_line_of_deltas() -> None:
    chart = pnl_curve(moves(delta_pnl=None), "USD", LIGHT)
    assert "Delta only" not in series_of(chart)
    assert {row[-1] for row in chart.rows} == {"n/a"}


def test_the_mark_stands_on_the_line_between_two_points() -> None:
    chart = pnl_curve(moves(), "USD", LIGHT, market=-0.035)
    mark = series_of(chart)["Chosen"]["data"][0]
    assert mark["value"] == pytest.approx([-3.5, -35_000.0])
    assert mark["label"]["formatter"] == "−35,000"


@pytest.mark.parametrize("market", [None, 0.5])
def test_no_mark_where_there_is_no_line(market: float | None) -> None:
    assert "Chosen" not in series_of(pnl_curve(moves(), "USD", LIGHT, market=market))


def test_no_mark_where_profit_is_unknown() -> None:
    assert "Chosen" not in series_of(pnl_curve(moves(pnl=None), "USD", LIGHT, market=0.0))


def test_the_curve_is_told() -> None:
    chart = pnl_curve(moves(missing=("PDD",)), "USD", LIGHT)
    assert chart.sentence == ("Profit and loss in USD: −200,000 at −20 %, +200,000 at +20 %. Not in it: PDD.")
    assert chart.rows[0] == ("−20 %", "−200,000", "−10.0", "−180,000")


def test_moves_of_the_curve_include_none_at_all() -> None:
    assert 0.0 in CURVE_MOVES
    assert tuple(sorted(CURVE_MOVES)) == CURVE_MOVES


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_charts_are_json_and_their_functions_are_ours(palette: Palette) -> None:
    report = summary()
    charts = [
        exposure_bars(report.by_underlying, "raw", "USD", palette),
        exposure_stack(report.exposure, "raw", "USD", palette),
        pnl_curve(report.what_if, "USD", palette, market=0.02),
    ]
    for chart in charts:
        assert json.loads(json.dumps(chart.options, allow_nan=False)) == chart.options
        assert len({len(row) for row in chart.rows} | {len(chart.headings)}) == 1
        assert all(function.startswith(("v =>", "p =>")) for function in javascript_in(chart.options))


def test_names_of_a_file_reach_no_function() -> None:
    chart = exposure_bars([underlying("<img src=x>")], "raw", "USD", LIGHT)
    assert not any("img" in function for function in javascript_in(chart.options))


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("palette", [LIGHT, DARK])
@pytest.mark.parametrize("colour", ["text", "muted", "accent", "long", "short", "net", "warning"])
def test_text_can_be_read_on_every_background(palette: Palette, colour: str) -> None:
    for ground in (palette.background, palette.surface, palette.raised):
        light, dark = sorted((_luminance(getattr(palette, colour)), _luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (colour, ground)


def test_colours_are_custom_properties() -> None:
    declared = css_variables(DARK)
    assert declared.startswith("color-scheme: dark; --background: #")
    assert "--warning-soft: " in declared
