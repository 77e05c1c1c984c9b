"""`quotewell serve` in a process of its own: how it starts, whom it answers, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from command_line import CommandLine
from quotewell.views.api.server import Serving

TOKEN = "one-word-that-only-the-client-knows"
BOOK = "symbol,quantity,price\nAAPL,1,190\nMSFT,2,390\n"


class Server:
    """A running server."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process = process
        self.address = address

    def get(self, path: str, **more: Any) -> httpx.Response:
        """A fresh connection each time, so that any of several processes may answer."""
        return httpx.get(self.address + path, timeout=30, **more)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Ask it to end; returns exit code and the rest of standard error."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors


@contextmanager
def served(folder: Path, *arguments: str) -> Iterator[Server]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QUOTEWELL_")}
    environment |= {
        "QUOTEWELL_CACHE_DIR": str(folder / "cache"),
        "QUOTEWELL_PROVIDERS": "snapshot",
        "QUOTEWELL_CALENDARS": "plain",
        "XDG_CONFIG_HOME": str(folder),
    }
    page = () if "--page" in arguments else ("--no-page",)
    command = [sys.executable, "-m", "quotewell", "serve", "--port", "0", *page, *arguments]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://\S+:\d+", line)
        try:
            assert found, line + process.stderr.read()
            yield Server(process, found[0])
        finally:
            if process.poll() is None:
                process.kill()


@pytest.fixture
def book(tmp_path: Path) -> str:
    path = tmp_path / "positions.csv"
    path.write_text(BOOK, encoding="utf-8")
    return str(path)


@pytest.fixture
def token_file(tmp_path: Path) -> str:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n", encoding="ascii")
    return str(path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_until_it_is_told_to_end(tmp_path: Path, book: str, number: int) -> None:
    with served(tmp_path, book) as server:
        row = server.get("/api/v1/tickers/AAPL").json()
        assert row["price"] > 0
        (listed,) = server.get("/api/v1/portfolios").json()["portfolios"]
        assert listed["name"] == "positions.csv"  # where it lies is no client's affair
        summary = server.get(f"/api/v1/portfolios/{listed['key']}/summary").json()
        assert summary["counts"]["stocks"] == 2
        assert server.get("/health", headers={"host": "evil.example"}).status_code == 421
        assert server.end(number) == (0, "")


def test_the_token_is_wanted_and_told_nowhere(tmp_path: Path, token_file: str) -> None:
    with served(tmp_path, "--host", "0.0.0.0", "--token-file", token_file, "--log", "json") as server:
        address = server.address.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{address}/api/v1/tickers/AAPL").status_code == 401
        headers = {"authorization": f"Bearer {TOKEN}", "host": "quotes.example"}
        assert httpx.get(f"{address}/api/v1/tickers/AAPL", headers=headers, timeout=30).status_code == 200
        assert TOKEN not in httpx.get(f"{address}/metrics", headers=headers).text
        code, errors = server.end()
    assert code == 0
    lines = [json.loads(line) for line in errors.splitlines()]
    requests = [line for line in lines if "route" in line]
    assert [line["status"] for line in requests] == [401, 200, 200]
    assert TOKEN not in errors


def test_the_page_wants_the_token_too(tmp_path: Path, token_file: str) -> None:
    with served(tmp_path, "--page", "--token-file", token_file) as server:
        for path in ("/", "/_nicegui_ws/socket.io/?EIO=4&transport=polling", "/_nicegui/x/y.js"):
            assert server.get(path).status_code == 401
            assert server.get(path, headers={"host": "evil.example"}).status_code == 421
        assert server.get("/", auth=("anybody", TOKEN)).status_code == 200
        code, errors = server.end()
    assert (code, TOKEN in errors) == (0, False)


def test_several_workers_answer_the_api_alone_with_the_same_book(tmp_path: Path, book: str) -> None:
    with served(tmp_path, book, "--workers", "2") as server:
        keys = set()
        for _ in range(12):
            (listed,) = server.get("/api/v1/portfolios").json()["portfolios"]
            keys.add(listed["key"])
        assert len(keys) == 1
        refused = server.get("/api/v1/jobs")
        assert (refused.status_code, refused.headers["content-type"]) == (501, "application/problem+json")
        for _ in range(6):  # whoever answers
            told = server.get("/metrics").text
            assert len(set(re.findall(r'worker="(\d+)"', told))) == 2
            assert "quotewell_workers 2.0" in told
        code, errors = server.end()
        assert (code, errors) == (0, "")


def test_requests_under_way_are_answered_before_it_ends(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        host, _, port = server.address.removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            body = b'{"symbols":["AAPL"]}'
            head = (
                b"POST /api/v1/cache/invalidate HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n"
            )
            connection.sendall(head % len(body))
            assert connection.recv(100).startswith(b"HTTP/1.1 100")  # it has begun to read
            server.process.send_signal(signal.SIGTERM)
            connection.sendall(body)
            assert b" 200 OK" in connection.recv(1000)
        _, errors = server.process.communicate(timeout=60)
        assert (server.process.returncode, errors) == (0, "")


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CommandLine:
    return CommandLine(capsys, monkeypatch, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "--token-file"),
        (["--host", "::"], "--token-file"),
        (["--host", "quotes.example"], "--token-file"),
        (["--workers", "2", "--page"], "one worker"),
        (["--workers", "0"], "1 to 64"),
        (["--port", "70000"], "0 to 65535"),
        (["--port", "-1"], "--port"),
        (["--token-file", "/nowhere/token"], "cannot be read"),
        (["--log", "xml"], "json"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_opened(
    cli: CommandLine, arguments: list[str], said: str
) -> None:
    ran = cli("serve", *arguments)
    assert ran.code == 2
    assert said in ran.err
    assert not (cli.folder / "cache").exists()


@pytest.mark.parametrize("content", ["short", "two words that are long enough", "", "ümlaut-and-long-enough"])
def test_a_weak_token_is_refused_and_not_repeated(cli: CommandLine, content: str) -> None:
    ran = cli("serve", "--token-file", cli.file("token", content))
    assert ran.code == 2
    assert not content or content not in ran.err


def test_a_port_in_use_is_one_line(cli: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = cli("serve", "--port", str(taken.getsockname()[1]))
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert "in use" in ran.err


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_file_that_cannot_be_read_ends_it_at_once(cli: CommandLine, workers: str) -> None:
    ran = cli("serve", cli.file("a.csv", "nothing"), "--port", "0", "--workers", workers)
    assert ran.code == 1
    assert "no header" in ran.err


def test_without_the_extra_it_says_what_to_install(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("quotewell.views.api")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    ran = cli("serve")
    assert ran.code == 2
    assert "quotewell[web]" in ran.err


def test_what_is_served_does_not_show_the_token() -> None:
    assert TOKEN not in repr(Serving(token=TOKEN))
