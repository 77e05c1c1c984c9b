"""What `docs/columns.md` says of tables is what they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from quotewell.portfolio.arrow.exposures import RESULTS, exposures
from quotewell.portfolio.portfolio import Portfolio
from quotewell.testing.source import FakeSource
from valued_books import AT, CALL

PAGE = (Path(__file__).parent.parent / "docs" / "columns.md").read_text(encoding="utf-8")
_TYPES = {
    "text": pa.types.is_string,
    "float": pa.types.is_float64,
    "integer": pa.types.is_int64,
    "boolean": pa.types.is_boolean,
    "time (UTC)": lambda own: pa.types.is_timestamp(own) and own.tz == "UTC",
    "list": pa.types.is_list,
}


def documented(heading: str) -> dict[str, str]:
    """Column and type of each line of a section's table."""
    _, _, after = PAGE.partition(f"## {heading}\n")
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", after.partition("\n## ")[0], re.MULTILINE))


def tables() -> dict[str, Any]:
    tickers = FakeSource({"AMZN": 193.1, CALL: 6.4}, {"AMZN": 1.3}, dividend_yields={"AMZN": 0.0}, now=AT)
    book = Portfolio.from_arrow(pa.table({"symbol": ["AMZN", CALL], "quantity": [1.0, 2.0]}), tickers, at=AT)
    positions, market = book.to_arrow(), book.market_to_arrow()
    return {
        "Positions": positions,
        "Market data": market,
        "Exposures": exposures(positions, market).select(RESULTS),
    }


@pytest.mark.parametrize("heading", ["Positions", "Market data", "Exposures"])
def test_the_tables_have_the_columns_that_the_page_lists_in_its_order(heading: str) -> None:
    table, told = tables()[heading], documented(heading)
    assert list(told) == table.column_names
    for name, kind in told.items():
        assert _TYPES[kind](table.schema.field(name).type), (name, kind, table.schema.field(name).type)


def test_the_example_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    example = PAGE.partition("```python\n")[2].partition("```")[0]
    prices = {"AMZN": 193.1, "AMZN260116C00200000": 20.0}
    tickers = FakeSource(prices, {"AMZN": 1.3}, dividend_yields={"AMZN": 0.0}, now=AT)
    exec(compile(example, "docs/columns.md", "exec"), {"tickers": tickers})
    shares, calls = eval(capsys.readouterr().out)
    assert (shares["exposure"], shares["status"], calls["status"]) == (19310.0, "ok", "ok")
    assert -19310.0 < calls["exposure"] < 0.0
