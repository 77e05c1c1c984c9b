"""`docs/api.md` and `docs/mcp.md`: what they show runs, and they name everything that there is."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_parts import BOOK, TOKEN, Api, serving
from loopback_api import listening
from quotewell.refresh import Refresher
from quotewell.views.api.documents import Book
from quotewell.views.api.jobs import Job
from quotewell.views.api.problems import _KIND_OF_STATUS, _STATUS_OF_KIND
from quotewell.views.imported import File
from quotewell.views.mcp.server import create_server

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "api.md").read_text("utf-8")
TOOLS = (DOCS / "mcp.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8321"


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "positions.csv").write_bytes(BOOK)
    with serving() as one:
        yield one


def section(heading: str) -> str:
    return PAGE.partition(f"\n{heading}\n")[2].partition("\n## ")[0].partition("\n### ")[0]


def test_the_python_of_the_page_runs(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    with listening(api.app) as address:
        exec(compile(example.replace(ADDRESS, address), "docs/api.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("200.0 USD fresh fake 2025-01-15T15:00:00Z")
    assert lines[1] == "4 rows, 1 rejected"
    assert "event: job" in lines
    assert lines[-2].startswith("500.0 ")


def test_its_curl_commands_run(api: Api) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    api.provider.prices["BRK-B"] = 400.0
    commands = re.findall(r"^\$ (curl .*)$", PAGE, re.MULTILINE)
    assert len(commands) == 5
    with listening(api.app) as address:
        for command in commands:
            words = ["curl", "-sSf", *shlex.split(command.replace(ADDRESS, address))[1:]]
            done = subprocess.run(words, capture_output=True, check=False, timeout=60)
            assert done.returncode == 0, (command, done.stderr)
            assert done.stdout.startswith((b"{", b"["))


def test_every_route_is_in_the_table_and_no_other(api: Api) -> None:
    documented = {
        (method, path.partition("?")[0])
        for method, path in re.findall(r"^\| `(GET|POST|DELETE) (\S+)`", section("## Routes"), re.MULTILINE)
    }
    paths = api.get("/openapi.json").json()["paths"]
    assert documented == {(method.upper(), path) for path in paths for method in paths[path]}


def test_the_routes_with_a_star_are_those_that_several_workers_lack(api: Api) -> None:
    starred = set(re.findall(r"^\| `((?:GET|POST|DELETE) \S+)` \*", section("## Routes"), re.MULTILINE))
    with serving(keeps=False) as several:
        alone, together = (one.get("/openapi.json").json()["paths"] for one in (api, several))
    there = {f"{method.upper()} {path}" for path in alone for method in alone[path]}
    left = {f"{method.upper()} {path}" for path in together for method in together[path]}
    assert starred == there - left


@pytest.mark.parametrize(("heading", "struct"), [("### Job", Job), ("### Book", Book)])
def test_every_key_is_documented(heading: str, struct: type[Job | Book]) -> None:
    keys = re.findall(r"^\| `(\w+)` \| \S", section(heading), re.MULTILINE)
    assert keys == [field for field in struct.__struct_fields__ if struct is Job or not hasattr(File, field)]


def test_every_kind_of_problem_is_documented() -> None:
    own = set(_KIND_OF_STATUS.values()) | set(_STATUS_OF_KIND)
    errors = (DOCS / "json.md").read_text("utf-8").partition("## Errors")[2].partition("\n## ")[0]
    documented = set(re.findall(r"`(\w+)`", section("## Problems") + errors))
    assert own <= documented


def test_every_metric_is_documented(api: Api) -> None:
    with serving(refresher=Refresher(api.tickers)) as observed:
        observed.get("/tickers/AAPL")
        text = observed.client.get("/metrics").text
    shown = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE)) - {"quotewell_build_info"}
    words = re.findall(r"`(quotewell_\w+|…\w+)`", section("## Metrics"))
    documented: set[str] = set()
    for word in words:
        if word.startswith("…"):
            documented |= {f"quotewell_{family}{word[1:]}" for family in ("cache", "refresher")}
        else:
            documented.add(word)
    assert shown <= documented
    named = {word for word in words if word.startswith("quotewell")}
    # Memory has no bytes of a level, and one process does not count those that answer.
    assert named <= shown | {"quotewell_level_bytes", "quotewell_workers"}


def test_every_tool_and_argument_is_documented(api: Api) -> None:
    book = api.uploads.add([("positions.csv", BOOK)]).book
    tools = asyncio.run(create_server(api.tickers, book).list_tools())
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", TOOLS, re.MULTILINE)
    assert [name for name, _ in rows] == [tool.name for tool in tools]
    for (_, arguments), tool in zip(rows, tools, strict=True):
        assert re.findall(r"`(\w+)`", arguments) == list(tool.parameters.get("properties", {}))


def test_no_page_holds_a_token() -> None:
    assert TOKEN not in PAGE + TOOLS
