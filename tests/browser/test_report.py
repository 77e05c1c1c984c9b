"""The HTML report, opened as a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from page_under_test import SCREENSHOTS


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_opens_as_a_file(page: Page, report: Path, scheme: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(report.as_uri())
    charts = page.locator("[data-chart]")
    assert charts.count() == 4
    for place in range(4):
        assert charts.nth(place).locator("svg path").count() > 0
    assert page.locator("[data-chart=bars-raw] svg text", has_text="19,000").count() == 1
    assert asked == [report.as_uri()]
    assert page.evaluate("window.hacked") is None
    assert page.get_by_text("<script>window.hacked = 1</script>").count() == 1
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(244, 245, 247)", "dark": "rgb(14, 18, 23)"}[scheme]
    page.screenshot(path=SCREENSHOTS / f"report-{scheme}.png", full_page=True)


def test_the_report_fits_a_phone_and_prints_in_light_colours(
    page: Page, report: Path, tmp_path: Path
) -> None:
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(report.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--text')") == "#161b22"
    fills = page.locator("[data-chart=bars-raw] svg text").evaluate_all(
        "texts => texts.map(t => t.getAttribute('fill'))"
    )
    assert "#161b22" in fills
    pdf = page.pdf(path=SCREENSHOTS / "report.pdf", prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
