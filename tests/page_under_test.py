"""The page under test, and what tests do with it again and again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Locator, Page, expect

from quotewell.testing import MarketSimulator

__all__ = [
    "LISTED",
    "SCREENSHOTS",
    "Served",
    "colours_of",
    "drawn",
    "figures",
    "open_file",
    "open_sample",
    "table",
]

LISTED = ("ZZHELD", "ZZLIVE", "ZZPG")
"""Stocks of the market that are not in the sample: asked for by nobody but the test that names them."""
SCREENSHOTS = Path(__file__).parent / "browser" / "screenshots"
"""Where tests leave what they have seen; not under version control."""


class Served(NamedTuple):
    """A page and its market."""

    url: str
    market: MarketSimulator
    sample: Path
    """A file to upload."""


def open_file(page: Page, served: Served, file: Path | dict[str, Any]) -> None:
    """Upload a file as a reader does, and wait for its figures."""
    page.goto(served.url)
    page.locator(".empty input[type=file]").set_input_files(file)  # type: ignore[arg-type]  # a path or a payload
    expect(page.locator(".key .figure").first).not_to_be_empty()


def open_sample(page: Page, served: Served) -> None:
    """Upload the bundled portfolio."""
    open_file(page, served, served.sample)


def table(text: str, name: str = "mine.csv") -> dict[str, Any]:
    """A file to upload that is nowhere on a disk."""
    return {"name": name, "mimeType": "text/csv", "buffer": text.encode()}


def figures(page: Page) -> dict[str, str]:
    """The key figures by name."""
    keys = page.locator(".key")
    return {
        keys.nth(place).locator(".name").inner_text(): keys.nth(place).locator(".figure").inner_text()
        for place in range(keys.count())
    }


def drawn(chart: Locator) -> list[list[float | None]]:
    """The values of a chart's series, as they were given to ECharts."""
    series: list[list[float | None]] = json.loads(
        chart.locator(".chart-canvas").get_attribute("data-drawn") or "[]"
    )
    return series


def colours_of(chart: Locator) -> int:
    """How many distinct colours a chart's canvas has: a blank one has one."""
    count: int = chart.locator("canvas").first.evaluate(
        """canvas => {
            const pixels = new Uint32Array(
                canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
            return new Set(pixels).size;
        }"""
    )
    return count
