"""The picture of a what-if: which lines it has, what it says, and that it loads nothing it should not."""

from __future__ import annotations

import datetime as dt
import io
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quotewell.portfolio.what_if import WhatIfReport
from quotewell.views.plot import draw, save
from summaries import AT, moves


def report(**fields: Any) -> WhatIfReport:
    known: dict[str, Any] = {
        "broker": "Fidelity",
        "file": "/home/me/positions.csv",
        "accounts": ("Z1",),
        "as_of": AT,
        "valuation_at": AT,
        "base_currency": "EUR",
        "benchmark": "^GSPC",
        "value": 2_000_000.0,
        "shocks": {},
        "days": 0.0,
        "volatility": 0.0,
        "points": moves(),
        "by_underlying": (),
        "requests": 0,
    }
    return WhatIfReport(**{**known, **fields})


def texts(found: WhatIfReport) -> list[str]:
    figure = draw(found)
    figure.canvas.draw()
    axes = figure.axes[0]
    return [
        *(text.get_text() for text in (*figure.texts, *axes.texts)),
        axes.get_xlabel(),
        axes.get_ylabel(),
        *(label.get_text() for label in axes.get_yticklabels()),
        *(label.get_text() for label in axes.get_xticklabels()),
        *(child.get_ylabel() for child in axes.child_axes),
    ]


def lines(found: WhatIfReport) -> dict[str, Any]:
    return {str(line.get_label()): line for line in draw(found).axes[0].get_lines()}


def test_it_says_what_it_is_of_and_in_which_units() -> None:
    said = texts(report(shocks={"AAPL": -0.2}, days=30.0, volatility=5.0))
    assert "If the market moves" in said
    assert any(text.startswith("positions.csv · Fidelity · positions of 8 May 2025") for text in said)
    assert "AAPL −20 % by itself · after 30 days · volatility +5 points" in said
    assert "profit or loss, EUR" in said
    assert "% of 2,000,000 EUR" in said
    assert "move of ^GSPC, each position by its beta" in said
    assert "+100,000" in said
    assert {"−20 %", "0", "+20 %"} <= set(said)
    assert "−200,000\n−10 %" in said


def test_it_has_the_curve_and_a_dashed_straight_line_and_the_scenario_only_where_it_differs() -> None:
    same = lines(report())
    curve, straight = same["every option by its model"], same["delta only: today's exposure"]
    assert list(curve.get_ydata()) == pytest.approx([point.pnl for point in moves()])
    assert list(straight.get_ydata()) == pytest.approx([point.delta_pnl for point in moves()])
    assert (curve.get_linestyle(), straight.get_linestyle()) == ("-", "--")
    assert not [label for label in same if "scenario" in label]
    other = report(points=moves(scenario_pnl=-1e5))
    (label,) = (label for label in lines(other) if "scenario" in label)
    falls = [y for y in lines(other)[label].get_ydata() if not math.isnan(y)]
    assert len(falls) == 5  # where the market does not rise


def test_what_is_missing_stands_below() -> None:
    said = texts(report(points=moves(missing=("A", "B$"), complete=False)))
    assert "2 positions without price, beta or volatility left out: A, B\\$" in said
    many = texts(report(points=moves(missing=tuple("ABCDEFGH"), complete=False)))
    assert any(text.endswith(": A, B, C, D, E, F, …") for text in many)


def test_a_book_without_value_or_known_figures_is_drawn_all_the_same() -> None:
    said = texts(report(value=None, as_of=None, valuation_at=None))
    assert "−200,000" in said
    assert any("positions of an unknown day · valued n/a" in text for text in said)
    assert texts(report(points=moves(pnl=None, delta_pnl=None, scenario_pnl=None)))
    assert texts(report(points=moves()[:1]))
    assert texts(report(points=moves(pnl=0.0, delta_pnl=0.0, scenario_pnl=0.0)))


def test_names_are_text_not_formulas() -> None:
    said = texts(report(file="$a$ _{b} \x1b[1m.csv"))
    assert any("\\$a\\$ _{b} �[1m.csv" in text for text in said)
    buffer = io.BytesIO()
    draw(report(file="$\\frac$.csv")).savefig(buffer)
    assert buffer.getvalue()


def test_the_same_curve_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        save(report(), tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.svg", "b.svg"))
    assert first == second
    assert b"If the market moves" in first  # as text


def test_no_window_system_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(msgspec.json.encode(report()))
    code = (
        "import sys, msgspec, pathlib; from quotewell.portfolio.what_if import WhatIfReport; "
        "from quotewell.views import plot; assert 'matplotlib' not in sys.modules; "
        f"folder = pathlib.Path({str(tmp_path)!r}); "
        "found = msgspec.json.decode((folder / 'report.json').read_bytes(), type=WhatIfReport); "
        "plot.save(found, folder / 'a.png'); sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_times_are_those_of_new_york() -> None:
    said = texts(report(as_of=dt.datetime(2025, 5, 9, 1, 0, tzinfo=dt.UTC)))
    assert any("positions of 8 May 2025 · valued" in text for text in said)
