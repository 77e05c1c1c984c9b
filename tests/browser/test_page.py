"""The page, as a reader sees and uses it."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from playwright.sync_api import Page, expect

from page_under_test import SCREENSHOTS, Served, colours_of, drawn, figures, open_file, open_sample, table


def bars(page: Page) -> list[float | None]:
    return drawn(page.locator(".exposures .report-chart").first)[0]


def first_cells(page: Page) -> list[str]:
    return page.locator(".positions tbody th").all_inner_texts()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_file_becomes_figures_and_charts(page: Page, served: Served, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(served.url)
    page.screenshot(path=SCREENSHOTS / f"empty-{scheme}.png")
    open_sample(page, served)
    shown = figures(page)
    assert list(shown) == ["Value, USD", "Net exposure", "Gross exposure", "Beta-adjusted", "Day's change"]
    assert all(re.fullmatch(r"[+−]?[\d,]+", figure) for figure in shown.values()), shown
    charts = page.locator(".report-chart")
    assert charts.count() == 3
    for place in range(3):
        expect(charts.nth(place).locator(".chart-canvas")).to_have_attribute("data-drawn", re.compile(r"\d"))
        assert colours_of(charts.nth(place)) > 20  # letters and bars have soft edges
    assert page.locator("body").evaluate("body => body.classList.contains('body--dark')") == (
        scheme == "dark"
    )
    page.screenshot(path=SCREENSHOTS / f"page-{scheme}.png", full_page=True)


def test_the_sample_needs_no_file(page: Page, served: Served) -> None:
    requests = len(served.market.requests)
    page.goto(served.url)
    page.get_by_role("button", name="Try the sample").click()
    expect(page.locator(".key .figure").first).to_have_text("1,887,821")
    assert len(served.market.requests) == requests


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_is_wider_than_the_window(page: Page, served: Served, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    open_sample(page, served)
    page.get_by_role("button", name="Open all").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=SCREENSHOTS / f"page-{width}.png", full_page=True)


def test_bars_are_raw_or_beta_adjusted(page: Page, served: Served) -> None:
    open_sample(page, served)
    raw = bars(page)
    page.get_by_role("button", name="Beta-adjusted", exact=True).first.click()
    expect(page.locator(".segments button").nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".exposures figure").first.get_by_role("img")).to_have_accessible_name(
        re.compile("^Beta-adjusted exposure")
    )
    assert bars(page) != pytest.approx(raw, rel=1e-3)
    page.locator(".segments button").first.click()
    expect(page.locator(".exposures figure").first.get_by_role("img")).to_have_accessible_name(
        re.compile("^Net exposure")
    )
    assert bars(page) == pytest.approx(raw, rel=1e-3)


def test_a_click_on_a_bar_is_a_filter_of_everything(page: Page, served: Served) -> None:
    open_sample(page, served)
    whole = figures(page)
    canvas = page.locator(".exposures .chart-canvas").first
    box = canvas.bounding_box()
    assert box is not None
    canvas.click(position={"x": 40, "y": 4 + 13})  # the name of the first bar, on the axis
    chosen = page.get_by_label("Underlying", exact=True)
    expect(chosen).not_to_have_value("")
    expect(page.locator(".positions tbody th[scope=row] .opener")).to_have_count(1)
    assert figures(page)["Net exposure"] != whole["Net exposure"]
    chosen.select_option("")
    expect(page.locator(".key .figure").first).to_have_text(whole["Value, USD"])


def test_an_account_is_chosen(page: Page, served: Served) -> None:
    open_sample(page, served)
    whole = figures(page)["Value, USD"]
    account = page.locator("nav").get_by_label("Account")
    values: list[str] = []
    for name in account.locator("option").all_inner_texts()[1:]:
        account.select_option(name)
        expect(page.locator(".key .figure").first).not_to_have_text(values[-1] if values else whole)
        values.append(page.locator(".key .figure").first.inner_text())
    total = sum(float(value.replace(",", "")) for value in values)
    assert total == pytest.approx(float(whole.replace(",", "")), abs=2)


def test_sliders_move_the_curve(page: Page, served: Served) -> None:
    open_sample(page, served)
    chart = page.locator(".curve .report-chart")
    said = page.locator(".outcome")
    expect(said).to_contain_text("−10 % market")
    before, line = said.inner_text(), drawn(chart)[0]
    page.get_by_role("slider", name="Market").fill("15")
    expect(said).to_contain_text("+15 % market")
    assert said.inner_text() != before
    page.get_by_role("slider", name="Volatility").fill("20")
    expect(page.locator(".range output").nth(2)).to_have_text("+20 points")
    page.wait_for_function(
        "([line]) => document.querySelector('.curve .chart-canvas').dataset.drawn !== line",
        arg=[chart.locator(".chart-canvas").get_attribute("data-drawn")],
    )
    raised = drawn(chart)[0]
    assert raised != line
    page.get_by_role("slider", name="Days").fill("30")
    page.wait_for_function(
        "([line]) => document.querySelector('.curve .chart-canvas').dataset.drawn !== line",
        arg=[chart.locator(".chart-canvas").get_attribute("data-drawn")],
    )
    assert drawn(chart)[0] not in (line, raised)


def test_the_table_sorts_filters_opens_and_hides(page: Page, served: Served) -> None:
    open_sample(page, served)
    value = page.locator(".positions thead th", has_text="Value").first
    value.get_by_role("button").click()
    expect(value).to_have_attribute("aria-sort", "descending")
    column = page.locator(".positions thead th").all_inner_texts().index("Value↓")
    cells = page.locator(f".positions tbody > tr > :nth-child({column + 1})").all_inner_texts()
    amounts = [float(cell.replace(",", "").replace("−", "-")) for cell in cells if cell[0] in "−0123456789"]
    assert amounts == sorted(amounts, reverse=True)
    assert cells[-1].startswith("n/a")
    value.get_by_role("button").click()
    expect(value).to_have_attribute("aria-sort", "ascending")

    page.get_by_placeholder("Filter").first.fill("MSFT")
    assert len(page.locator(".positions tbody").all()) == 1
    opener = page.get_by_role("button", name="MSFT", exact=True)
    expect(opener).to_have_attribute("aria-expanded", "false")
    opener.press("Enter")
    expect(opener).to_have_attribute("aria-expanded", "true")
    assert len(first_cells(page)) == 6

    expect(page.get_by_role("columnheader", name="Account")).to_have_count(0)
    page.locator(".positions .menu summary").click()
    page.get_by_role("checkbox", name="Account").check()
    expect(page.get_by_role("columnheader", name="Account")).to_have_count(1)


def test_figures_are_live_while_the_market_is_open(page: Page, served: Served) -> None:
    served.market.market.set_price("ZZLIVE", 100.0)
    open_file(page, served, table("symbol,quantity\nZZLIVE,10\n"))
    expect(page.locator(".about")).to_contain_text("live")
    assert figures(page)["Value, USD"] == "1,000.00"
    served.market.market.set_price("ZZLIVE", 101.5)
    answer = page.request.post(f"{served.url}/api/v1/cache/refresh", data={"symbols": ["ZZLIVE"]})
    assert answer.ok, answer.text()
    expect(page.locator(".key .figure").first).to_have_text("1,015.00")


def test_how_far_the_prefetch_is(page: Page, served: Served) -> None:
    held = served.market.fault("hang", symbols=["ZZHELD"], endpoint="quote", times=1)
    try:
        page.goto(served.url)
        zone = page.locator(".empty input[type=file]")
        zone.set_input_files(table("symbol,quantity\nZZHELD,10\n"))  # type: ignore[arg-type]
        expect(page.get_by_role("progressbar")).to_have_accessible_name("Prefetch")
        expect(page.locator(".progress")).to_contain_text("of 1 ticker")
        expect(page.get_by_role("heading", level=1, name="mine.csv")).to_be_visible()
        expect(page.locator(".waiting")).to_be_visible()
    finally:
        held.release()
        served.market.clear_faults()
    expect(page.locator(".key .figure").first).to_have_text(re.compile(r"\d"))
    expect(page.get_by_role("progressbar")).to_have_count(0)
    expect(page.locator(".waiting")).to_be_hidden()


def test_a_source_that_failed_is_tried_again(page: Page, served: Served) -> None:
    served.market.fault("omit", symbols=["ZZPG"], endpoint="quote")
    try:
        open_file(page, served, table("symbol,quantity\nZZPG,10\nKO,5\n"))
        page.get_by_role("button", name=re.compile("^Sources")).click()
        row = page.locator("dialog tr", has_text="price").filter(has_text="ZZPG")
        expect(row).to_contain_text("n/a")
        page.screenshot(path=SCREENSHOTS / "sources.png")
    finally:
        served.market.clear_faults()
    row.get_by_role("button", name="Retry ZZPG").click()
    expect(row).to_contain_text("USD")
    expect(row).to_contain_text("fresh")
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.locator(".key .marker").first).to_be_hidden()


def test_a_price_of_ones_own(page: Page, served: Served) -> None:
    open_file(page, served, table("symbol,quantity\nKO,100\n"))
    market = figures(page)["Value, USD"]
    page.get_by_role("button", name=re.compile("^Sources")).click()
    page.get_by_role("button", name="Override KO").first.click()
    form = page.get_by_role("dialog", name="Your own value")
    form.get_by_role("spinbutton").fill("12.5")
    form.get_by_role("button", name="Use mine").click()
    expect(page.locator(".key .figure").first).to_have_text("1,250.00")
    expect(page.locator("dialog tr", has_text="your own")).to_have_count(1)
    page.get_by_role("button", name="Override KO").first.click()
    form.get_by_role("button", name="Use the market's").click()
    expect(page.locator(".key .figure").first).to_have_text(market)


def test_what_a_file_says_is_text(page: Page, served: Served) -> None:
    script = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>{{ 7 * 7 }}"
    rows = f'symbol,quantity,description,account\nKO,10,"{script}","{script}"\n"{script}",3,,\n'
    open_file(page, served, table(rows, name="<img src=x onerror='window.hacked = 1'>.csv"))
    page.locator(".positions .menu summary").click()
    page.get_by_role("checkbox", name="Description").check()
    page.keyboard.press("Escape")
    expect(page.locator(".positions")).to_contain_text("<script>window.hacked = 1</script>")
    expect(page.locator(".positions")).to_contain_text("{{ 7 * 7 }}")
    page.get_by_role("button", name=re.compile("Problems|No problems")).click()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0


def test_a_file_that_cannot_be_read_is_told(page: Page, served: Served, expected_errors: list[str]) -> None:
    expected_errors.append("status of 4")  # the answer that the page tells of
    page.goto(served.url)
    page.locator(".empty input[type=file]").set_input_files(table("this is,no table\n"))  # type: ignore[arg-type]
    expect(page.get_by_role("alert")).to_contain_text("mine.csv")
    expect(page.locator(".empty h1")).to_be_visible()


def test_a_book_that_is_gone_is_told(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/?book=nothing")
    expect(page.get_by_role("status").first).to_contain_text("not kept any more")


def test_a_book_is_there_again_after_a_reload(page: Page, served: Served) -> None:
    open_sample(page, served)
    before = figures(page)["Gross exposure"]
    page.reload()
    expect(page.locator(".key .figure").nth(2)).to_have_text(before)


def test_a_day_in_the_past(page: Page, served: Served) -> None:
    open_file(page, served, table("symbol,quantity\nKO,100\n"))
    now = figures(page)["Value, USD"]
    page.get_by_label("Valued").fill("2022-06-15")
    expect(page.locator(".about")).to_contain_text("15 Jun 2022 16:00 New York")
    assert figures(page)["Value, USD"] != now
    page.get_by_label("Valued").fill("2031-01-01")
    expect(page.locator(".q-notification")).to_contain_text("still to come")


def test_what_is_shown_can_be_kept(page: Page, served: Served) -> None:
    open_sample(page, served)

    def exported(name: str) -> bytes:
        page.locator(".top .menu summary").click()
        with page.expect_download() as waited:
            page.get_by_role("button", name=name).click()
        page.locator(".top .menu summary").click()
        return waited.value.path().read_bytes()

    assert json.loads(exported("Report (JSON)"))["schema"] == 1
    rows = list(csv.DictReader(io.StringIO(exported("Positions (CSV)").decode())))
    assert len(rows) == 38
    assert rows[0]["symbol"]
    report = exported("Report (HTML)").decode()
    assert report.startswith("<!DOCTYPE html>")
    assert "Portfolio_Positions_Dec-28-2022.csv" in report


def test_every_control_has_a_name_and_can_be_reached_by_key(page: Page, served: Served) -> None:
    open_sample(page, served)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, summary, [role=img]')]
            .filter(element => element.checkVisibility())
            .filter(element => !(element.getAttribute('aria-label') || element.innerText?.trim()
                || element.labels?.length || element.closest('label')))
            .map(element => element.outerHTML)"""
    )
    assert nameless == []
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the figures")).to_be_focused()
    reached = set()
    for _ in range(14):
        page.keyboard.press("Tab")
        name = "(at => at.getAttribute('aria-label') || at.innerText)(document.activeElement)"
        reached.add(page.evaluate(name))
    assert {"Account", "Underlying", "Exposure"} <= reached


def test_the_policy_of_the_page(page: Page, served: Served, expected_errors: list[str]) -> None:
    expected_errors.append("violates the following Content Security Policy directive")
    answer = page.goto(served.url)
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self' 'nonce-" in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    refused = page.evaluate(
        """() => new Promise(resolve => {
            document.addEventListener('securitypolicyviolation', event => resolve(event.effectiveDirective));
            const script = document.createElement('script');
            script.textContent = 'window.hacked = 1';
            document.body.append(script);
        })"""
    )
    assert refused == "script-src-elem"
    assert page.evaluate("window.hacked") is None
