"""What `docs/simulator.md` says is what the simulator does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from quotewell.testing.simulator.faults import REPLY_FAULTS, ROW_FAULTS

DOCUMENT = (Path(__file__).parents[1] / "docs" / "simulator.md").read_text(encoding="utf-8")


def test_every_fault_has_a_line_in_order() -> None:
    assert re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.MULTILINE) == [*REPLY_FAULTS, *ROW_FAULTS]


def test_the_ten_lines_run(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    exec(compile(example, "docs/simulator.md", "exec"), {})
    prices, requests = capsys.readouterr().out.splitlines()
    assert "held back" in prices
    assert "('quote', ('MSFT',))" in requests
