"""The pages: their Python runs, their commands run, and every command and option is on one of them.

`WRITE_DOCS=1 pytest tests/test_docs.py` writes `docs/commands.md` from the commands' own help.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import warnings
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

import quotewell
from command_line import CommandLine
from quotewell.testing import MarketSimulator
from quotewell.views.cli import main as cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
WRITE = "WRITE_DOCS" in os.environ
COMMANDS_PAGE = DOCS / "commands.md"
HAVE_TESTS_OF_THEIR_OWN = {"api.md", "cached.md", "simulator.md"}
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
UNENDING = {"watch", "serve", "mcp"}
PLACEHOLDER = "positions.csv"
POSITIONS = "symbol,quantity,cost_basis\nAAPL,100,15000\nMSFT,40,12000\n"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def console_lines(page: Path) -> list[str]:
    """The commands of `console` blocks that call quotewell, without comments."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    commands = [line.removeprefix("$ ").partition(" #")[0].strip() for line in lines if line.startswith("$ ")]
    return [command for command in commands if command.removeprefix(".venv/bin/").startswith("quotewell ")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the files that pages name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / PLACEHOLDER).write_text(POSITIONS, "utf-8")
    sample = files("quotewell.demo").joinpath("Portfolio_Positions_Dec-28-2022.csv")
    shutil.copy(str(sample), tmp_path / "Portfolio_Positions_May-08-2025.csv")
    return tmp_path


@pytest.fixture(scope="module")
def simulator() -> Iterator[MarketSimulator]:
    with MarketSimulator(symbols=["AAPL", "MSFT", "SPY", "BRK-B", "GE", "AMZN"]) as running:
        yield running


WITH_PYTHON = [page for page in PAGES if blocks(page, "python") and page.name not in HAVE_TESTS_OF_THEIR_OWN]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(
    page: Path, folder: Path, simulator: MarketSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUOTEWELL_CACHE_DIR", str(folder / "cache"))
    monkeypatch.setenv("QUOTEWELL_PROVIDERS", "yahoo")
    monkeypatch.setenv("QUOTEWELL_YAHOO_BASE_URL", simulator.yahoo_url)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    with quotewell.open() as tickers:  # what a page's earlier lines have opened
        names: dict[str, object] = {"__name__": page.stem, "quotewell": quotewell, "tickers": tickers}
        for block in blocks(page, "python"):
            exec(compile(block, str(page), "exec", dont_inherit=True), names)


WITH_COMMANDS = [page for page in PAGES if console_lines(page)]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.name)
def test_the_commands_of_a_page_run(
    page: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command_line = CommandLine(capsys, monkeypatch, folder)
    command_line.set("QUOTEWELL_PROVIDERS", "snapshot")
    sample = "Portfolio_Positions_May-08-2025.csv"
    for line in console_lines(page):
        arguments = [sample if word == "FILE" else word for word in shlex.split(line)[1:]]
        assert arguments[0] in cli._COMMANDS, line
        if arguments[0] in UNENDING:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a fault that a page shows
            ran = command_line(*arguments)
        assert ran.code == 0, (line, ran.err)
        assert ran.out or ran.err, line


# ----------------------------------------------------------------------------------------------- commands

HEADER = """# Commands

From the commands' own `--help`; a test compares. All print JSON with `--json` ([shapes](json.md)); what
goes to a pipe has no colours and no progress bar. Exit codes: 0 fine; 1 could not do its job; 2 wrong usage;
3 with `--strict`, done but something is missing, stale, disputed or rejected; 130 interrupted; 143 ended by
SIGTERM.
"""


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parsers of all commands, and of their actions."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield child
                yield from parsers(child)


def test_every_command_and_option_is_on_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    sections = [HEADER]
    sections += (
        f"## `{parser.prog}`\n\n```text\n{parser.format_help().rstrip()}\n```\n"
        for parser in parsers(cli._parser([]))
    )
    text = "\n".join(sections)
    assert max(len(line) for section in sections[1:] for line in section.splitlines()) <= 80
    if WRITE:
        COMMANDS_PAGE.write_text(text, "utf-8")
    assert COMMANDS_PAGE.read_text("utf-8") == text


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    pages = [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")]
    assert [page for page in pages if f": {page}\n" not in navigation] == []
