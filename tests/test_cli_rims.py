"""How the commands behave at the rims: files and words that are none, streams, folders, signals."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from child_process import as_nobody
from command_line import CommandLine

OF_A_BOOK = (["summary"], ["positions"], ["what-if"], ["reconcile"], ["import"])
BOOK = "symbol,quantity,price\nAAPL,10,190\nMSFT,5,400\n"


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CommandLine:
    return CommandLine(capsys, monkeypatch, tmp_path)


# ------------------------------------------------------------------------------------------ wrong arguments

FILES = {
    "missing.csv": (None, "no such file or directory (check the name, "),
    "folder": (None, "is a directory (name the files in it)"),
    "empty.csv": (b" \n", "the file is empty (export the positions again)"),
    "letter.csv": (
        b"Dear customer,\n",
        "no header of a known kind in its first 100 rows (export positions as ",
    ),
    "picture.csv": (bytes(range(256)) * 9, "is not a text file (export the positions as CSV)"),
    "header.csv": (b"symbol,quantity\n", "there are no rows below the header (export the positions again)"),
}
"""What is in a file, and what is said of it."""


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("command", OF_A_BOOK, ids=" ".join)
def test_a_file_that_is_no_book_is_one_line_and_code_1(
    cli: CommandLine, command: list[str], name: str
) -> None:
    content, words = FILES[name]
    (cli.folder / "folder").mkdir()
    path = str(cli.folder / name) if content is None else cli.file(name, content)
    if name == "header.csv" and command == ["import"]:
        words = ""  # there it is not the error, but what is shown
    ran = cli(*command, path)
    assert ran.code == 1
    if words:
        assert ran.out == ""
        assert ran.err.startswith(f"quotewell: {path}: {words}")
        assert ran.err.count("\n") == 1
        error = cli(*command, path, "--json").json["error"]
        assert error["kind"] == "import"
        assert error["hint"]
    else:
        assert cli(*command, path, "--json").code == 1


WRONG = {
    "sumary x.csv": "no command 'sumary' (did you mean summary? quotewell --help lists all)",
    "x.csv": "no command 'x.csv' (did you mean quotewell summary FILE? ",
    "AAPL": "no command 'AAPL' (did you mean quotewell quote SYMBOL? ",
    "--offline summary x.csv": "unknown option --offline in front of the command (options stand behind it)",
    "summary x.csv --strickt": "summary: unknown option --strickt (did you mean --strict? ",
    "cache stats AAPL": "cache stats: unknown argument AAPL (quotewell cache stats --help)",
    "cache stat": "ACTION: 'stat' is none of stats, clear, refresh, migrate, path (did you mean stats? ",
    "summary x.csv --beta weakly": "--beta: 'weakly' is none of computed, weekly, provider (did you mean wee",
    "summary x.csv --as-of": "--as-of: a value is missing behind it (quotewell summary --help)",
    "summary x.csv --offline=3": "--offline: takes no value, but '3' was given (quotewell summary --help)",
    "position x.csv": "missing: SYMBOL (quotewell position --help)",
    "positions x.csv --csv --html": "--html: cannot be combined with --csv (quotewell positions --help)",
    "positions x.csv --csv --json": "--json: cannot be combined with --csv (quotewell positions --help)",
    "positions x.csv --flag stael": "--flag stael: no such flag (did you mean stale? one of ",
    "positions x.csv --sort expsure": "--sort expsure: no such field (did you mean exposure? one of ",
    "position x.csv APPL": "no position moves with APPL (did you mean AAPL? ",
    "what-if x.csv --shock APPL=-20%": "no position moves with APPL (did you mean AAPL? ",
    "demo --fault 42": "--fault 42: no such fault (did you mean 429? one of 400, 401, ",
}
"""Arguments, and what is said of them."""


@pytest.mark.parametrize(("arguments", "words"), WRONG.items(), ids=WRONG)
def test_a_wrong_word_is_told_with_the_nearest_right_one(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, arguments: str, words: str
) -> None:
    cli.file("x.csv", BOOK)
    monkeypatch.chdir(cli.folder)
    ran = cli(*arguments.split())
    assert ran.code == 2
    assert not ran.out or "--json" in arguments
    assert ran.err.startswith(f"quotewell: {words}")
    assert ran.err.count("\n") == 1
    error = cli(*arguments.split(), "--json").json["error"]
    assert error["kind"] == "usage"


def test_a_word_that_is_near_nothing_gets_no_suggestion(cli: CommandLine) -> None:
    assert "did you mean" not in cli("xyzzy").err


# --------------------------------------------------------------------------- no network, nothing in the cache

UNKNOWN = (
    (["quote", "AAPL"], 1),
    (["explain", "AAPL"], 1),
    (["prefetch", "AAPL"], 1),
    (["watch", "--once", "AAPL"], 1),
    (["cache", "refresh", "AAPL"], 1),
    (["cache", "clear", "AAPL"], 0),
    (["cache", "stats"], 0),
    (["cache", "path"], 0),
    (["doctor"], 0),
)


@pytest.mark.parametrize(("command", "code"), UNKNOWN, ids=str)
def test_nothing_known_is_a_failure_only_of_what_asked_for_it(
    cli: CommandLine, command: list[str], code: int
) -> None:
    ran = cli(*command, "--offline")
    assert (ran.code, ran.err) == (code, "")
    as_json = cli(*command, "--offline", "--json")
    assert as_json.code == code
    assert as_json.json is not None


# ------------------------------------------------------------------------------------- processes and streams


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """As little as a process can have, and a book beside its home."""
    (tmp_path / "x.csv").write_text(BOOK, "utf-8")
    return {"HOME": str(tmp_path / "home"), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def run(
    environment: dict[str, str], *arguments: str, shell: str = "", **more: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a command beside the book, with redirections of a shell if there are any."""
    command = [sys.executable, "-m", "quotewell", *arguments]
    redirected = ["/bin/sh", "-c", f'exec "$@" {shell}', "sh", *command]
    return subprocess.run(
        redirected,
        env={**environment, **more},
        cwd=Path(environment["HOME"]).parent,
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_lead_nowhere(environment: dict[str, str], closed: str) -> None:
    ran = run(environment, "summary", "x.csv", "--offline", "--as-of", "2025-05-08", shell=closed)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert (b"AAPL" in ran.stdout) == (">&- " not in f"{closed} ".replace("2>&- ", ""))
    wrong = run(environment, "summary", "gone.csv", shell=closed)
    assert wrong.returncode == 1


PLAIN = ({"TERM": "dumb"}, {"NO_COLOR": "1"}, {"LANG": "C", "LC_ALL": "C"}, {"COLUMNS": "40"})
VALUED = ("x.csv", "--offline", "--as-of", "2025-05-08", "--assume-beta", "1")


@pytest.mark.parametrize("command", ["summary", "positions", "what-if", "reconcile"])
@pytest.mark.parametrize("more", PLAIN, ids=str)
def test_a_pipe_gets_plain_lines_that_fit(
    environment: dict[str, str], more: dict[str, str], command: str
) -> None:
    ran = run(environment, command, *VALUED, **more)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"\x1b" not in ran.stdout
    width = int(more.get("COLUMNS", "120"))
    assert max(len(line) for line in ran.stdout.decode().splitlines()) <= width


def test_no_color_drops_the_colours_where_a_terminal_is_forced(environment: dict[str, str]) -> None:
    coloured = re.compile(rb"\x1b\[(?:\d+;)*[39]\d")
    negative = ("--shock", "AAPL=-20%")
    forced = run(environment, "what-if", *VALUED, *negative, FORCE_COLOR="1")
    assert coloured.search(forced.stdout)
    without = run(environment, "what-if", *VALUED, *negative, FORCE_COLOR="1", NO_COLOR="1")
    assert not coloured.search(without.stdout)


@pytest.mark.parametrize("home", ["", "/proc/none/home"], ids=["unset", "impossible"])
def test_a_home_that_is_none_costs_the_cache_alone(environment: dict[str, str], home: str) -> None:
    """Without HOME the system's own answer counts; the cache stands elsewhere here, for that may be real."""
    folder = Path(environment["HOME"]).parent
    with_home = {**environment, "HOME": str(folder / "home")}
    changed = {"HOME": home} if home else {"QUOTEWELL_CACHE_DIR": str(folder / "cache"), "HOME": ""}
    ran = run(with_home, "summary", "x.csv", "--offline", "--as-of", "2025-05-08", "--json", **changed)
    assert ran.returncode == 0
    assert json.loads(ran.stdout)["value"]["total"] == 3900.0
    assert (b"keeps its values in memory alone" in ran.stderr) == bool(home)
    assert ran.stderr.count(b"\n") <= 1


def test_a_cache_that_cannot_be_opened_is_not_said_to_be_cleared(environment: dict[str, str]) -> None:
    ran = run(environment, "cache", "clear", "--json", QUOTEWELL_CACHE_DIR="x.csv/cache")
    assert ran.returncode == 1
    error = json.loads(ran.stdout)["error"]
    assert error["kind"] == "cache"
    assert error["message"].endswith("the cache cannot be opened; nothing was cleared")
    assert run(environment, "cache", "clear", QUOTEWELL_CACHE_URL="memory://").returncode == 0


def test_a_cache_of_somebody_else_leaves_memory(cli: CommandLine) -> None:
    folder = cli.folder / "theirs"
    folder.mkdir(mode=0o700)
    path = cli.file("x.csv", BOOK)
    # What is imported on the way is imported now: nobody may not be able to read it.
    assert cli("summary", path, "--offline", "--as-of", "2025-05-08").code == 0
    os.chmod(folder, 0o000)  # noqa: PTH101  for whoever it belongs to as well
    cli.set("QUOTEWELL_CACHE_DIR", str(folder))
    for parent in cli.folder.parents[:3]:
        parent.chmod(0o755)
    cli.folder.chmod(0o755)

    def value() -> tuple[int, bool, bool]:
        ran = cli("summary", path, "--offline", "--as-of", "2025-05-08")
        return ran.code, "3,900" in ran.out, "keeps its values in memory alone" in ran.err

    try:
        assert as_nobody(value) == "returned (0, True, True)"
    finally:
        folder.chmod(0o700)


INTERRUPTED = (
    ["summary", "x.csv"],
    ["what-if", "x.csv"],
    ["quote", "AAPL"],
    ["explain", "AAPL"],
    ["prefetch", "x.csv"],
    ["watch", "AAPL"],
    ["cache", "refresh", "AAPL"],
)


@pytest.mark.parametrize("command", INTERRUPTED, ids=" ".join)
def test_ctrl_c_in_the_middle_of_a_request_is_one_line_and_code_130(
    environment: dict[str, str], command: list[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with subprocess.Popen(
            [sys.executable, "-m", "quotewell", *command, "--json"],
            env={**environment, "QUOTEWELL_PROVIDERS": "yahoo", "QUOTEWELL_YAHOO_BASE_URL": url},
            cwd=Path(environment["HOME"]).parent,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        ) as process:  # fmt: skip
            asking, _ = silent.accept()
            with asking:
                os.killpg(process.pid, signal.SIGINT)
                out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.startswith(b"quotewell: interrupted (")
    assert err.count(b"\n") == 1
    assert json.loads(out)["error"]["kind"] == "interrupted"
