"""What axe-core says of page and report: names, roles, headings, tables, contrast in both colour schemes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from page_under_test import Served, open_sample


def found_in(page: Page) -> list[str]:
    """Each breach of a rule, with the element that it is in."""
    try:
        from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415  not on every machine
    except ModuleNotFoundError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
    violations: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {node['html'][:200]}" for rule in violations for node in rule["nodes"]]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_the_page(page: Page, served: Served, scheme: Any, width: int) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 1000})
    page.goto(served.url)
    expect(page.get_by_role("button", name="Try the sample")).to_be_visible()
    assert found_in(page) == []
    open_sample(page, served)
    for table in page.locator(".as-table > summary").all():
        table.click()
    page.locator(".positions .opener").first.click()
    page.locator(".positions .menu > summary").click()
    expect(page.get_by_role("img", name="Today's shares at the closes")).to_be_visible()
    assert found_in(page) == []
    page.get_by_role("button", name="Problems").click()
    expect(page.get_by_role("dialog", name="Problems")).to_be_visible()
    assert found_in(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Sources").click()
    page.get_by_role("button", name="Override").first.click()
    expect(page.get_by_role("dialog", name="Your own value")).to_be_visible()
    assert found_in(page) == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1440)])
def test_the_report(page: Page, report: Path, scheme: Any, width: int) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 1000})
    page.goto(report.as_uri())
    expect(page.locator("[data-chart] svg").first).to_be_visible()
    for table in page.locator("details > summary").all():
        table.click()
    assert found_in(page) == []


def test_a_breach_is_found(page: Page, served: Served) -> None:
    """What says that nothing is wrong has to be able to say that something is."""
    open_sample(page, served)
    page.locator(".about").evaluate("element => { element.style.color = '#d8d8d8'; }")
    page.locator(".search input").first.evaluate("element => element.parentElement.replaceWith(element)")
    rules = {breach.partition(":")[0] for breach in found_in(page)}
    assert rules >= {"color-contrast"}
