"""What the pages say of the code's numbers is what the code has."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from quotewell.analytics import beta
from quotewell.freshness import LIFETIMES, Lifetime
from quotewell.records import Facet

ROOT = Path(__file__).parents[1]
SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "y": 365 * 86400.0}
FACETS_BY_RULE = {"quote": ("fresh",), "history": ("fresh",)}
"""Cells that are no number but a rule in words."""


def seconds(text: str) -> float:
    """`10 min, same session` are 600; what follows the number and its unit is a remark."""
    if text == "for ever":
        return math.inf
    number, unit = text.replace(",", "").split()[:2]
    return float(number) * SECONDS[unit]


def lifetime_rows() -> Mapping[str, list[str]]:
    page = (ROOT / "docs/lifetimes.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if "|" in line]
    return {row[0]: row[1:] for row in rows if row[0] in LIFETIMES}


def stated(row: list[str]) -> dict[str, float | None]:
    fresh, grace, on_error, unknown, throttle = row
    first, _, longest = throttle.partition(", doubling to ")
    cells = {"grace": grace, "on_error": on_error, "unknown": unknown, "throttle": first}
    figures: dict[str, float | None] = {name: seconds(cell) for name, cell in cells.items()}
    figures["throttle_max"] = seconds(longest or first)
    figures["fresh"] = seconds(fresh) if fresh[0].isdigit() else None
    return figures


@pytest.mark.parametrize("facet", LIFETIMES)
def test_the_table_of_lifetimes_is_the_one_in_force(facet: Facet) -> None:
    lifetime: Lifetime = LIFETIMES[facet]
    for name, figure in stated(lifetime_rows()[facet]).items():
        if name in FACETS_BY_RULE.get(facet, ()):
            assert figure is None
        else:
            assert figure == getattr(lifetime, name), name


@pytest.mark.parametrize("page", ["formulas.md", "lifetimes.md"])
def test_the_windows_of_beta_are_those_in_force(page: str) -> None:
    text = " ".join((ROOT / "docs" / page).read_text("utf-8").split())
    daily = re.search(r"(\d+) (?:daily )?returns[^;]*?at least (\d+)", text)
    assert daily is not None
    assert (int(daily[1]), int(daily[2])) == (beta.WINDOW, beta.MINIMUM)


def test_the_windows_of_weekly_betas_are_those_in_force() -> None:
    text = " ".join((ROOT / "docs/lifetimes.md").read_text("utf-8").split())
    weekly = re.search(r"(\d+) weekly returns, at least (\d+)", text)
    assert weekly is not None
    assert (int(weekly[1]), int(weekly[2])) == (beta.WEEKLY_WINDOW, beta.WEEKLY_MINIMUM)


def test_the_requests_that_the_readme_counts_are_the_measured_ones() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    measured = (ROOT / "docs/performance.md").read_text("utf-8")
    requests = r"^\| 60 \| {}[^|]*\| 60, 60, 60 \| (\d+) \|"
    counts = [
        re.search(requests.format(peer), measured, re.MULTILINE)
        for peer in ("quotewell, `prefetch`", "yfinance, `Ticker")
    ]
    table = re.search(r"^\| requests, first run \| (\d+) \| (\d+) ", readme, re.MULTILINE)
    assert table is not None
    assert list(table.groups()) == [count[1] for count in counts if count is not None]
