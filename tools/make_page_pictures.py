"""Take pictures of the page and of the HTML report, both of the sample: `python tools/make_page_pictures.py`.

Needs Chromium, and the extras `web` and `dev`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from quotewell.views.content.overview import overview
from quotewell.views.report.document import html_report
from quotewell.views.web.book_view import BookView
from quotewell.views.web.sample import Sample

_DOCS = Path(__file__).parent.parent / "docs"
_WIDTH, _HEIGHT = 1380, 1340


def take() -> None:
    """Take both."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        _page(browser)
        _report(browser)
        browser.close()


def _page(browser: Browser) -> None:
    command = [sys.executable, "-m", "quotewell", "serve", "--port", "0", "--offline"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603  this very program
        try:
            line = server.stderr.readline() if server.stderr is not None else ""
            tab = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
            tab.goto(next(word for word in line.split() if word.startswith("http")))
            tab.get_by_role("button", name="Try the sample").click()
            expect(tab.locator(".curve .chart-canvas")).to_have_attribute("data-drawn", re.compile("[0-9]"))
            tab.wait_for_timeout(1000)  # the charts' own motion
            tab.screenshot(path=_DOCS / "page.png")
        finally:
            server.terminate()


def _report(browser: Browser) -> None:
    sample = Sample()
    file, tickers = sample.open()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        path.write_text(html_report(overview(BookView(file, tickers).book())), encoding="utf-8")
        tab = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
        tab.goto(path.as_uri())
        tab.screenshot(path=_DOCS / "report.png")
    sample.close()


if __name__ == "__main__":
    take()
