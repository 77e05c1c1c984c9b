"""The Python of `docs/cached.md`, run as it stands: every `# →` is what its expression gives."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from quotewell import TickerService

TEXT = (Path(__file__).parent.parent / "docs" / "cached.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
GIVES = "# → "


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """What the blocks define, over a cache of their own."""
    monkeypatch.setenv("QUOTEWELL_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("QUOTEWELL_PROVIDERS", "snapshot")
    defined: dict[str, object] = {"__name__": "docs.cached"}
    yield defined
    tickers = defined.get("tickers")
    if isinstance(tickers, TickerService):
        tickers.close()


def run(block: str, names: dict[str, object]) -> int:
    """Run a block; return how many expressions gave what it says.

    Raises:
        AssertionError: One gave something else.
    """
    lines, checked = block.splitlines(), 0
    for statement in ast.parse(block).body:
        _, promised, said = lines[(statement.end_lineno or 0) - 1].partition(GIVES)
        code = ast.unparse(statement)
        if isinstance(statement, ast.Expr) and promised:
            given = repr(eval(compile(code, "docs/cached.md", "eval", dont_inherit=True), names))
            assert given == said, f"{code} gives {given}, the page says {said}"
            checked += 1
        else:
            exec(compile(code, "docs/cached.md", "exec", dont_inherit=True), names)
    return checked


def test_every_example_gives_what_the_page_says(names: dict[str, object]) -> None:
    checked = [run(block, names) for block in BLOCKS]
    assert sum(checked) == TEXT.count(GIVES) == 18


def test_a_promise_that_is_not_kept_is_noticed(names: dict[str, object]) -> None:
    with pytest.raises(AssertionError, match="1 \\+ 1 gives 2, the page says 3"):
        run(f"1 + 1  {GIVES}3", names)
