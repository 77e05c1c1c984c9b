"""`docs/json.md` names every key of every shape, in order, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from command_line import CommandLine
from quotewell.cache.stats import DayStats, FacetStats, MemoryStats, PersistentStats
from quotewell.outcomes import Outcome
from quotewell.portfolio import summary
from quotewell.portfolio.importers import RejectedRow
from quotewell.portfolio.importers.stated import StatedTotal
from quotewell.portfolio.problems import Problem, ProblemKind
from quotewell.portfolio.reconciliation import AccountTotals, Reconciliation, RowDifference
from quotewell.portfolio.row import ValuedRow
from quotewell.portfolio.selection import Group
from quotewell.portfolio.what_if import UnderlyingGain, WhatIfReport
from quotewell.prefetch import PlannedRequests
from quotewell.records import Payout
from quotewell.refresh import RefreshStatus
from quotewell.views.cli.doctor import Check
from quotewell.views.cli.watch import WatchRow
from quotewell.views.documents import Cleared, Prefetch, Statistics
from quotewell.views.explanation import Block, Explanation, LastFailure
from quotewell.views.imported import File, Imported
from quotewell.views.quotes import Row
from quotewell.views.valued import Positions

DOC = (Path(__file__).parent.parent / "docs" / "json.md").read_text(encoding="utf-8")
STRUCTS: dict[str, type[msgspec.Struct]] = {
    **{name: getattr(summary, name) for name in summary.__all__ if name != "SCHEMA"},
    "Problem": Problem,
    "ValuedRow": ValuedRow,
    "Payout": Payout,
    "RejectedRow": RejectedRow,
    "Group": Group,
    "WhatIfReport": WhatIfReport,
    "UnderlyingGain": UnderlyingGain,
    "Reconciliation": Reconciliation,
    "AccountTotals": AccountTotals,
    "StatedTotal": StatedTotal,
    "RowDifference": RowDifference,
    "Row": Row,
    "Explanation": Explanation,
    "Block": Block,
    "Failure": LastFailure,
    "Positions": Positions,
    "Prefetch": Prefetch,
    "CacheStats": Statistics,
    "Cleared": Cleared,
    "Imported": Imported,
    "File": File,
    "Outcome": Outcome,
    "PlannedRequests": PlannedRequests,
    "WatchRow": WatchRow,
    "RefreshStatus": RefreshStatus,
    "FacetStats": FacetStats,
    "MemoryStats": MemoryStats,
    "PersistentStats": PersistentStats,
    "DayStats": DayStats,
    "Check": Check,
}


def documented(name: str) -> list[str]:
    """The keys in the table under a heading."""
    _, found, rest = DOC.partition(f"\n### {name}\n")
    assert found, f"docs/json.md has no section {name}"
    section = re.split(r"\n##+ ", rest)[0]
    return re.findall(r"^\| `(\w+)` \| \S", section, flags=re.MULTILINE)


@pytest.mark.parametrize("name", STRUCTS)
def test_every_key_of_every_struct_is_documented(name: str) -> None:
    assert documented(name) == list(STRUCTS[name].__struct_fields__)


def test_every_kind_of_problem_is_documented() -> None:
    _, _, rest = DOC.partition("\nKinds: ")
    kinds = re.findall(r"`(\w+)`", rest.partition(". ")[0])
    assert kinds == sorted(get_args(ProblemKind))


def test_every_link_leads_to_a_section() -> None:
    headings = {line[4:].lower() for line in DOC.splitlines() if line.startswith("### ")}
    assert set(re.findall(r"\]\(#(\w+)\)", DOC)) <= headings


@pytest.mark.parametrize(
    ("section", "arguments"),
    [
        ("Summary", ["demo"]),
        ("Positions", ["positions", "BOOK"]),
        ("WhatIfReport", ["what-if", "BOOK"]),
        ("Reconciliation", ["reconcile", "BOOK"]),
        ("Imported", ["import", "BOOK"]),
        ("Row", ["quote", "AAPL"]),
        ("Explanation", ["explain", "AAPL"]),
        ("Prefetch", ["prefetch", "AAPL"]),
        ("Watch", ["watch", "AAPL", "--once"]),
        ("PrefetchPlan", ["prefetch", "AAPL", "MSFT", "--plan"]),
        ("CacheStats", ["cache", "stats"]),
        ("Cleared", ["cache", "clear"]),
        ("Path", ["cache", "path"]),
        ("Doctor", ["doctor"]),
    ],
)
def test_what_a_command_prints_has_the_documented_keys(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    section: str,
    arguments: list[str],
) -> None:
    cli = CommandLine(capsys, monkeypatch, tmp_path)
    book = cli.file("book.csv", "symbol,quantity,price\nAAPL,1,190\nAAPL,x,\n")
    printed: Any = cli(*(book if word == "BOOK" else word for word in arguments), "--json").json
    report: dict[str, Any] = printed[0] if isinstance(printed, list) else printed
    assert list(report) == documented(section)
    if section != "Row":
        assert report["schema"] == 1
    if section == "Positions":
        assert list(report["positions"][0]) == documented("ValuedRow")
        assert list(report["rejected"][0]) == documented("RejectedRow")
    if section == "Imported":
        assert list(report["files"][0]) == documented("File")
    if section == "Explanation":
        assert list(report["facets"]["quote"]) == documented("Block")
        failed = cli("explain", "NOPE", "--json").json["facets"]["quote"]
        assert list(failed["failure"]) == documented("Failure")
    if section == "CacheStats":
        cli("quote", "AAPL", "--json")
        (day,) = cli("cache", "stats", "--json").json["days"]
        assert list(day) == documented("DayStats")
        assert list(day["facets"]["quote"]) == list(day["total"]) == documented("FacetStats")
    if section == "Prefetch":
        assert list(report["outcomes"]["AAPL"]["quote"]) == documented("Outcome")


def test_an_error_has_the_documented_keys(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cli = CommandLine(capsys, monkeypatch, tmp_path)
    section = DOC.partition("## Errors")[2].partition("\n## ")[0]
    keys = re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)
    assert list(cli("summary", "/nowhere", "--json").json["error"]) == keys
