"""What pages say of windows and counts is what the code has and the benches saw."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from quotewell.analytics import beta

ROOT = Path(__file__).parents[1]


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
