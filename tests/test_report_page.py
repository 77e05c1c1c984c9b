"""The HTML report: all of it in one file, texts as texts, and the command that writes it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from command_line import CommandLine
from overviews import file_of, shown
from quotewell.errors import UsageError
from quotewell.views.report import echarts
from quotewell.views.report.document import html_report
from quotewell.views.report.echarts import echarts_script
from quotewell.views.report.html import Table, element, json_script, text
from valued_books import stock

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CommandLine:
    return CommandLine(capsys, monkeypatch, tmp_path)


class Elements(HTMLParser):
    """The elements of a page, and the text of those whose text is no script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._in = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes
        self._in = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "script":
            self.scripts[-1] += data
        else:
            self.text += data


def charts_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    charts: dict[str, Any] = json.loads(found[1])
    return charts


def test_nothing_of_it_is_elsewhere() -> None:
    page = Elements(html_report(shown()))
    assert not {"img", "link", "iframe", "object"} & set(page.tags)
    assert not [value for name, value in page.attributes if name in ("src", "href")]
    policy = dict(page.attributes)["content"]
    assert "default-src 'none'" in str([value for name, value in page.attributes if name == "content"]), (
        policy
    )


def test_charts_come_in_both_colour_schemes_and_their_functions_are_there() -> None:
    page = html_report(shown())
    charts = charts_of(page)
    assert set(charts) == {"bars-raw", "bars-beta", "stack", "curve"}
    assert all(set(schemes) == {"light", "dark"} for schemes in charts.values())
    placed = {value for name, value in Elements(page).attributes if name == "data-chart"}
    assert placed == set(charts)
    functions = next(script for script in Elements(page).scripts if script.startswith("const FUNCTIONS"))
    for name in re.findall(r'":\w+":"((?:[^"\\]|\\.)*)"', json.dumps(charts, separators=(",", ":"))):
        assert f'"{json.loads(chr(34) + name + chr(34))}": ' in functions


def test_tables_hold_every_position_problem_and_source() -> None:
    view = shown()
    page = Elements(html_report(view)).text
    for said in (
        "AMZN 20 Jun 2025 200 C",
        "021ESC017",
        "Cash and pending",
        "no symbol",
        "fake",
        "≥ 1 missing",
    ):
        assert said in page
    for title in ("Value", "By underlying", "If the market moves", "Positions, USD", "Problems"):
        assert title in page


def test_texts_of_a_file_are_no_markup() -> None:
    file = file_of(stock("AMZN", 1.0, description=EVIL, account=EVIL), path=f"{EVIL}.csv")
    page = html_report(shown(file))
    parsed = Elements(page)
    assert "img" not in parsed.tags
    assert parsed.tags.count("script") == 3
    assert EVIL in parsed.text


def test_data_in_a_page_cannot_end_their_script() -> None:
    made = json_script("charts", {"name": EVIL, "line": "\u2028"})
    assert made.count("<") == 2
    assert charts_of(made)["name"] == EVIL


def test_texts_and_attributes_are_escaped() -> None:
    assert text("<b>&\x1b") == "&lt;b&gt;&amp;\N{REPLACEMENT CHARACTER}"
    assert element("p", "<", class_="a", data_x='"') == '<p class="a" data-x="&quot;">&lt;</p>'
    table = Table("", ("Name", "Amount"), [("<i>", "−1")])
    assert '<th scope="row">&lt;i&gt;</th><td class="n loss">−1</td>' in table.html()


def test_the_script_cannot_end_its_element() -> None:
    script = echarts_script()
    assert "globalThis.echarts=" in script
    assert "</script" not in script
    assert "\nexport" not in script


def test_a_bundle_of_an_unknown_form_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "elements" / "echart" / "dist"
    folder.mkdir(parents=True)
    monkeypatch.setattr(echarts, "files", lambda name: tmp_path)
    with pytest.raises(UsageError, match="cannot be had"):
        echarts_script()
    (folder / "index.js").write_text("export const nothing = 1;")
    with pytest.raises(UsageError, match="unknown form"):
        echarts_script()


def test_without_nicegui_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(echarts, "files", missing)
    with pytest.raises(UsageError) as caught:
        echarts_script()
    assert caught.value.hint == "pip install 'quotewell[web]'"


def test_the_command_writes_the_page_and_prints_no_screen(cli: CommandLine) -> None:
    book = cli.file("book.csv", "symbol,quantity,price\nAMZN,10,190\n")
    path = cli.folder / "report.html"
    ran = cli("summary", book, "--offline", "--html", str(path))
    assert (ran.code, ran.out) == (0, "")
    assert re.fullmatch(rf"quotewell: {re.escape(str(path))}: 1\.\d MiB\n", ran.err)
    assert "book.csv" in path.read_text("utf-8")


def test_page_and_json_go_together(cli: CommandLine) -> None:
    book = cli.file("book.csv", "symbol,quantity,price\nAMZN,10,190\n")
    path = cli.folder / "report.html"
    ran = cli("summary", book, "--offline", "--json", "--html", str(path))
    assert ran.json["value"]["total"] == 1900.0
    assert path.exists()


def test_a_page_that_cannot_be_written_is_a_failure(cli: CommandLine) -> None:
    book = cli.file("book.csv", "symbol,quantity,price\nAMZN,10,190\n")
    ran = cli("summary", book, "--offline", "--html", str(cli.folder / "no" / "report.html"))
    assert ran.code == 1
    assert "cannot be written: No such file or directory" in ran.err
