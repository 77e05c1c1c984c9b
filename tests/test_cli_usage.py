"""What holds for every command: help, wrong usage, errors in one line, interruption, warnings, characters."""

from __future__ import annotations

import io
import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import CommandLine
from quotewell import wiring
from quotewell.errors import QuotewellError, StaleDataWarning
from quotewell.views.cli import main as entry
from quotewell.views.cli import options, output
from quotewell.views.render import terminal

COMMANDS = [
    [],
    ["summary"],
    ["positions"],
    ["quote"],
    ["explain"],
    ["prefetch"],
    ["cache"],
    ["cache", "stats"],
    ["cache", "clear"],
    ["cache", "refresh"],
    ["cache", "path"],
    ["doctor"],
    ["demo"],
]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CommandLine:
    return CommandLine(capsys, monkeypatch, tmp_path)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_help_fits_80_columns_on_every_terminal(
    cli: CommandLine, capsys: pytest.CaptureFixture[str], command: list[str], columns: str
) -> None:
    cli.set("COLUMNS", columns)
    with pytest.raises(SystemExit) as stopped:
        entry.main([*command, "--help"])
    assert stopped.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(" ".join(["usage: quotewell", *command]))
    assert max(map(len, lines)) <= 80


def test_help_names_every_command(cli: CommandLine, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        entry.main(["--help"])
    out = capsys.readouterr().out
    assert all(f"    {command[0]} " in out for command in COMMANDS if command)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["sumary"],
        ["summary"],
        ["quote"],
        ["quote", "AAPL", "--nope"],
        ["quote", "AAPL", "--off"],  # no abbreviations: they would change their meaning with the next option
        ["cache"],
        ["cache", "wipe"],
        ["positions", "x.csv", "--type", "bond"],
        ["demo", "x.csv"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_json_where_that_is_asked_for(
    cli: CommandLine, arguments: list[str]
) -> None:
    ran = cli(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("quotewell: ")
    assert ran.err.count("\n") == 1
    assert "--help" in ran.err
    error = cli(*arguments, "--json").json["error"]
    assert set(error) == {"kind", "message", "hint"}
    assert error["kind"] == "usage"


def test_a_wrong_setting_is_wrong_usage(cli: CommandLine) -> None:
    cli.set("QUOTEWELL_PROVIDERS", "oracle")
    ran = cli("quote", "AAPL", "--json")
    assert ran.code == 2
    assert ran.json["error"]["kind"] == "usage"
    assert "oracle" in ran.err


def raising(error: BaseException) -> Callable[..., None]:
    def connect(*_arguments: object, **_more: object) -> None:
        raise error

    return connect


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (QuotewellError("all is lost\nand more\x1b[2J", hint="do\nthis"), 1, "error"),
        (QuotewellError("x" * 10_000), 1, "error"),
    ],
    ids=["interrupted", "lines", "long"],
)
def test_every_error_is_one_line_on_stderr_and_json_on_stdout(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, kind: str
) -> None:
    monkeypatch.setattr(wiring, "connect", raising(error))
    ran = cli("quote", "AAPL", "--json")
    assert ran.code == code
    assert ran.json["error"]["kind"] == kind
    assert ran.err.count("\n") == 1
    assert len(ran.err) < 700
    assert ran.err.rstrip("\n").isprintable()
    assert cli("quote", "AAPL").out == ""


def test_a_warning_is_one_line(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    real = wiring.connect

    def warning(*arguments: object, **more: object) -> object:
        for _ in range(2):
            warnings.warn("AAPL: stale\nindeed", StaleDataWarning, stacklevel=1)
        return real(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(wiring, "connect", warning)
    ran = cli("quote", "AAPL", "--offline", "--json")
    assert ran.err == "quotewell: AAPL: stale indeed\n" * 2
    assert ran.json[0]["symbol"] == "AAPL"


def test_the_command_line_waits_longer_for_stale_values_than_a_program(cli: CommandLine) -> None:
    with options.open_service(options.Namespace(offline=False)) as tickers:
        assert tickers.settings.soft_timeout == tickers.settings.command_timeout == 15.0
        assert not tickers.settings.offline


def test_the_entry_point_exits_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["quotewell", "nonsense"])
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit) as stopped:
        entry.run()
    assert stopped.value.code == 2


# --------------------------------------------------------------------------------- characters and progress


class Terminal(io.TextIOWrapper):
    """Standard output or error as a terminal."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="\n")

    def isatty(self) -> bool:
        return True

    @property
    def text(self) -> str:
        self.flush()
        content = self.buffer
        assert isinstance(content, io.BytesIO)
        return content.getvalue().decode(self.encoding)


@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", "-1 | b #x ?"), ("cp1252", "-1 · b #× ?"), ("utf-8", "−1 · β █× 漢")]
)
def test_a_character_that_the_terminal_lacks_becomes_its_nearest_neighbour(
    monkeypatch: pytest.MonkeyPatch, encoding: str, shown: str
) -> None:
    out = Terminal(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    output.prepare_streams()
    sys.stdout.write("−1 · β █× 漢\n")
    assert out.text == shown + "\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_json_says_the_same_in_every_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    out = Terminal(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    value = {"name": "Nestlé − 漢 𝄞", "none": float("nan"), "more": [{"a": ("x",)}]}
    output.print_json(value)
    assert json.loads(out.text) == {**value, "none": None, "more": [{"a": ["x"]}]}


def test_json_replaces_what_is_no_unicode(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"path": "caf\udce9.csv", "rows": [1.5, None]})
    assert json.loads(capsys.readouterr().out) == {"path": "caf?.csv", "rows": [1.5, None]}


def test_only_a_decoder_error_is_not_for_us() -> None:
    output.prepare_streams()
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", "quotewell.replace")


def test_lines_are_cut_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    output.print_lines("short\n" + "x" * 20)
    assert capsys.readouterr().out == "short\n" + "x" * 20 + "\n"
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    output.print_lines("short\n" + "x" * 20)
    assert out.text == "short\n" + "x" * 9 + "…\n"


def no_terminal(descriptor: int = 1) -> os.terminal_size:
    raise OSError(descriptor)


@pytest.mark.parametrize(
    ("columns", "width"), [("0", 80), ("40", 60), ("60", 60), ("100", 100), ("500", 120)]
)
def test_screens_are_laid_out_for_60_to_120_columns(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    if columns == "0":  # not set and no terminal
        monkeypatch.setattr(os, "get_terminal_size", no_terminal)
    assert terminal.screen_width() == width


@pytest.mark.parametrize("variable", [None, "NO_COLOR"])
def test_colours_are_for_terminals_that_want_them(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    if variable:
        monkeypatch.setenv(variable, "1")
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    assert entry.main(["demo"]) == 0
    assert ("\x1b[31m" in out.text) == (variable is None)
