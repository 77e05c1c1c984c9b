"""`quotewell mcp`: what a real client of the Model Context Protocol sees over standard input and output."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from fastmcp.exceptions import ToolError

from command_line import CommandLine

T = TypeVar("T")
BOOK = "symbol,quantity,price\nAAPL,10,190\nMSFT,-5,390\nNOPE,1,\n"


def talk(folder: Path, *files: str, about: Callable[[Client[Any]], Awaitable[T]]) -> T:
    """Start the server, talk with it, end it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QUOTEWELL_")}
    environment |= {
        "QUOTEWELL_CACHE_DIR": str(folder / "cache"),
        "QUOTEWELL_PROVIDERS": "snapshot",
        "QUOTEWELL_CALENDARS": "plain",
        "XDG_CONFIG_HOME": str(folder),
    }
    transport = StdioTransport(
        sys.executable,
        ["-m", "quotewell", "mcp", *files],
        env=environment,
        keep_alive=False,
        log_file=folder / "errors",
    )

    async def scenario() -> T:
        async with Client(transport) as client:
            return await about(client)

    return asyncio.run(scenario())


@pytest.fixture
def book(tmp_path: Path) -> str:
    path = tmp_path / "positions.csv"
    path.write_text(BOOK, encoding="utf-8")
    return str(path)


def test_a_client_asks_every_tool(tmp_path: Path, book: str) -> None:
    async def about(client: Client[Any]) -> dict[str, Any]:
        tools = {tool.name: tool for tool in await client.list_tools()}
        assert list(tools) == ["quotes", "explain", "summary", "exposures", "what_if"]
        for tool in tools.values():
            assert tool.description
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint is True
            names = set(tool.input_schema.get("properties", {}))
            assert names <= {
                "symbols",
                "symbol",
                "market",
                "most",
                "shocks",
                "days",
                "volatility",
            }  # no paths, no addresses
        asked: dict[str, dict[str, Any]] = {
            "quotes": {"symbols": ["AAPL", "NOPE"]},
            "explain": {"symbol": "aapl"},
            "summary": {},
            "exposures": {"most": 1},
            "what_if": {"market": [-0.1, 0.0]},
        }
        return {name: (await client.call_tool(name, given)).data for name, given in asked.items()}

    said = talk(tmp_path, book, about=about)
    aapl, nope = said["quotes"]["quotes"]
    assert (aapl["source"], aapl["freshness"]) == ("snapshot", "fresh")
    assert aapl["as_of"]
    assert aapl["fetched_at"]
    assert nope["price"] is None
    assert nope["error"]
    quote = said["explain"]["facets"]["quote"]
    assert (quote["source"], quote["values"]["last"]) == ("snapshot", aapl["price"])
    summary = said["summary"]["summary"]
    assert summary["value"]["total"] == pytest.approx(10 * aapl["price"] - 5 * _price(said, "MSFT"))
    assert summary["value"]["missing"] == ["NOPE"]
    assert len(said["exposures"]["underlyings"]) == 1
    assert said["exposures"]["more_underlyings"] == len(summary["by_underlying"]) - 1
    points = said["what_if"]["what_if"]["points"]
    assert [point["market"] for point in points] == [-0.1, 0.0]
    assert points[1]["pnl"] == 0.0
    for name in ("summary", "exposures", "what_if"):
        provenance = said[name]["provenance"]
        assert provenance["file"] == "positions.csv"  # where it lies is no client's affair
        assert provenance["valuation_at"]
        by_source = {one["source"]: one for one in provenance["prices"]}
        assert {"AAPL", "MSFT"} <= set(by_source["snapshot"]["symbols"])
        assert by_source["snapshot"]["oldest_as_of"]
        assert "NOPE" in by_source[None]["symbols"]
    assert str(tmp_path) not in repr(said)


def _price(said: dict[str, Any], symbol: str) -> float:
    rows = said["summary"]["summary"]["by_underlying"]
    return float(next(row["price"] for row in rows if row["underlying"] == symbol))


def test_without_a_file_there_are_no_tools_about_one(tmp_path: Path) -> None:
    async def about(client: Client[Any]) -> list[str]:
        return [tool.name for tool in await client.list_tools()]

    assert talk(tmp_path, about=about) == ["quotes", "explain"]


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("explain", {"symbol": "!!!"}),
    ("explain", {"symbol": "../../etc/passwd"}),
    ("quotes", {"symbols": []}),
    ("quotes", {"symbols": ["A"] * 101}),
    ("what_if", {"market": [-2.0]}),
    ("summary", {"file": "/etc/passwd"}),
    ("read_file", {"path": "/etc/passwd"}),
]


def test_a_wrong_wish_is_an_error_of_the_tool_and_the_next_is_answered(tmp_path: Path, book: str) -> None:
    async def about(client: Client[Any]) -> list[str]:
        said = []
        for tool, given in WRONG:
            with pytest.raises(ToolError) as told:
                await client.call_tool(tool, given)
            said.append(str(told.value))
        assert (await client.call_tool("explain", {"symbol": "AAPL"})).data["symbol"] == "AAPL"
        return said

    said = talk(tmp_path, book, about=about)
    assert len(said) == len(WRONG)
    assert not [text for text in said if "Traceback" in text or "root:" in text]


def test_a_file_that_cannot_be_read_ends_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cli = CommandLine(capsys, monkeypatch, tmp_path)
    ran = cli("mcp", "/nowhere.csv")
    assert ran.code == 1
    assert ran.out == ""
    assert "/nowhere.csv" in ran.err


def test_without_the_extra_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cli = CommandLine(capsys, monkeypatch, tmp_path)
    monkeypatch.delitem(sys.modules, "quotewell.views.mcp.server", raising=False)
    monkeypatch.setitem(sys.modules, "fastmcp", None)
    ran = cli("mcp")
    assert ran.code == 2
    assert "quotewell[mcp]" in ran.err
