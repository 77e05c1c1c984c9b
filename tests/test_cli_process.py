"""What only a process of its own shows: imports, pipes, signals, encodings, exit codes."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from quotewell import __version__

FIRST_DAY, DAY = dt.date(2024, 1, 1), dt.timedelta(days=1)
HEAVY = (
    "rich",
    "numpy",
    "pandas",
    "yfinance",
    "curl_cffi",
    "httpx",
    "exchange_calendars",
    "asyncio",
    "scipy",
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUOTEWELL_")}
    return {
        **kept,
        "QUOTEWELL_CACHE_DIR": str(tmp_path / "cache"),
        "XDG_CONFIG_HOME": str(tmp_path),
        "COLUMNS": "100",
    }


def run(
    environment: dict[str, str], *arguments: str, code: str | None = None, **more: str
) -> subprocess.CompletedProcess[bytes]:
    command = ["-c", code] if code is not None else ["-m", "quotewell"]
    return subprocess.run(
        [sys.executable, *command, *arguments], env={**environment, **more}, capture_output=True, check=False
    )


LOADED = (
    "import sys; from quotewell.views.cli.main import main; code = main(sys.argv[1:]); "
    "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr); sys.exit(code)"
)


def files(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "files"
    (folder / "closes").mkdir(parents=True)
    (folder / "quotes.csv").write_text(
        "symbol,price,previous_close,currency,as_of,name\nAAPL,190,189,USD,,Apple\n"
    )
    for symbol, factor in (("AAPL", 1.02), ("^GSPC", 1.01)):
        rows = [f"{FIRST_DAY + day * DAY},{100 * factor ** (day % 2)}" for day in range(500)]
        (folder / "closes" / f"{symbol}.csv").write_text("date,close\n" + "\n".join(rows) + "\n")
    return {"QUOTEWELL_PROVIDERS": "files", "QUOTEWELL_FILES_DIR": str(folder)}


def test_a_quote_from_a_warm_cache_loads_nothing_heavy(environment: dict[str, str], tmp_path: Path) -> None:
    cold = run(environment, "quote", "AAPL", "--json", **files(tmp_path))
    assert json.loads(cold.stdout)[0]["beta"] == pytest.approx(2.0, abs=0.05)
    # Warm, and configured as a user's machine is: with the providers that are expensive to import.
    warm = run(environment, "quote", "AAPL", "--json", code=LOADED, QUOTEWELL_PROVIDERS="yahoo,fmp")
    row = json.loads(warm.stdout)[0]
    assert (row["price"], row["level"]) == (190.0, "sqlite")
    assert row["beta"] == pytest.approx(2.0, abs=0.05)
    assert warm.returncode == 0
    loaded = set(warm.stderr.decode().split())
    assert "msgspec" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_report_loads_nothing_that_it_does_not_need(environment: dict[str, str]) -> None:
    ran = run(environment, "demo", code=LOADED)
    assert ran.returncode == 0
    unneeded = {*HEAVY, "markdown_it", "pygments", "shutil", "tempfile", "zipfile"}
    assert set(ran.stderr.decode().split()).isdisjoint(unneeded - {"numpy"})


def test_the_report_loads_only_the_core_of_numpy(environment: dict[str, str]) -> None:
    code = LOADED.replace(".partition('.')[0]", "")
    loaded = set(run(environment, "demo", code=code).stderr.decode().split())
    assert "numpy.linalg" in loaded
    # `np.unique` imports the first, `np.polynomial` the second: each costs more than the whole valuation.
    assert loaded.isdisjoint(("numpy.ma", "numpy.polynomial"))


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_a_terminal_without_our_characters_shows_the_screen_all_the_same(
    environment: dict[str, str], encoding: str
) -> None:
    ran = run(environment, "demo", PYTHONIOENCODING=encoding)
    assert ran.returncode == 0
    assert ran.stderr == b""
    lines = ran.stdout.decode(encoding).splitlines()
    assert any("-267,569" in line for line in lines)
    assert any("|###" in line for line in lines)
    utf8 = run(environment, "demo", PYTHONIOENCODING="utf-8").stdout.decode().splitlines()
    assert [len(line) for line in lines] == [len(line) for line in utf8]


def test_a_reader_that_has_seen_enough_is_no_failure(environment: dict[str, str]) -> None:
    for command in (["demo"], ["demo", "--json"]):
        with subprocess.Popen(
            [sys.executable, "-m", "quotewell", *command],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_one_line_and_code_1(environment: dict[str, str]) -> None:
    for command in (["demo"], ["demo", "--json"], ["quote", "AAPL", "--offline"]):
        with Path("/dev/full").open("wb") as full:
            ran = subprocess.run(
                [sys.executable, "-m", "quotewell", *command],
                env=environment, stdout=full, stderr=subprocess.PIPE, check=False,
            )  # fmt: skip
        assert ran.returncode == 1
        assert ran.stderr == b"quotewell: cannot write: No space left on device\n"


SLOW = """
import sys, threading
from quotewell.views.cli import quote
from quotewell.views.cli.main import main

def wait(options):
    print("ready", file=sys.stderr, flush=True)
    threading.Event().wait(60)

quote.run = wait
sys.exit(main(sys.argv[1:]))
"""


def test_an_interrupted_command_says_so_with_code_130(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, "quote", "AAPL", "--json"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stderr.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    assert err == b"quotewell: interrupted (what has arrived is kept)\n"
    assert json.loads(out)["error"]["kind"] == "interrupted"


def test_arguments_that_are_no_unicode(environment: dict[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable.encode(), b"-m", b"quotewell", b"summary", b"caf\xe9.csv", b"--json"],
        env=environment, capture_output=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["error"]["kind"] == "import"
    assert ran.stderr.count(b"\n") == 1


def test_the_installed_command_and_its_version(environment: dict[str, str]) -> None:
    script = Path(sys.executable).with_name("quotewell")
    for command in ([str(script)], [sys.executable, "-m", "quotewell"]):
        ran = subprocess.run([*command, "--version"], env=environment, capture_output=True, check=True)
        assert ran.stdout.decode().strip() == f"quotewell {__version__}"
