"""What mypy knows of a `@cached` function: the signature and the result of the function itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROGRAM = """
from collections.abc import Collection
from quotewell import TickerService, cached

def source() -> TickerService:
    raise NotImplementedError

tickers = source()

@cached(tickers, fresh=60)
def one(symbol: str, scale: int = 5) -> float:
    return 1.0

@cached(tickers, fresh=60, bulk=True)
def many(symbols: Collection[str]) -> dict[str, int]:
    return {}

@cached(tickers, fresh=60)
async def later(symbol: str) -> bytes:
    return b""

class Desk:
    source = tickers

    @cached("source", fresh=60)
    def method(self, symbol: str) -> bool:
        return True

    @cached("source", fresh=60, bulk=True)
    async def methods(self, symbols: Collection[str]) -> dict[str, bool]:
        return {}

async def awaiting() -> None:
    reveal_type(await later("AAPL"))                       # bytes
    reveal_type(await Desk().methods(["AAPL"]))            # dict[str, bool]
    await later(5)                                         # error: arg-type
    later("AAPL") + b""                                    # error: operator

reveal_type(one("AAPL", scale=2))                          # float
reveal_type(many(["AAPL"]))                                # dict[str, int]
reveal_type(Desk().method("AAPL"))                         # bool
reveal_type(one.invalidate("AAPL"))                        # int
reveal_type(many.clear())                                  # int
reveal_type(one.stats().hit_rate)                          # float | None
one(5)                                                     # error: arg-type
one()                                                      # error: call-arg
one("AAPL", scales=2)                                      # error: call-arg
one.invalidate(5)                                          # error: arg-type
many(5)                                                    # error: arg-type
Desk().method(5)                                           # error: arg-type
Desk().method("AAPL", 5)                                   # error: call-arg
Desk().method.invalidate()                                 # error: call-arg
cached(5, fresh=60)                                        # error: arg-type
cached(tickers)                                            # error: call-arg
"""


def said_by_mypy(program: str, folder: Path) -> dict[int, str]:
    """What mypy says, strictly, of each line of `program`: `error: CODE` or the type that it reveals."""
    path = folder / "program.py"
    path.write_text(program, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--show-error-codes",
               "--follow-imports=silent", f"--cache-dir={folder / 'cache'}",
               f"--config-file={ROOT / 'pyproject.toml'}", str(path)]  # fmt: skip
    # In a process of its own: mypy would leave its garbage collection settings, and much memory, behind.
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    said: dict[int, str] = {}
    for number, kind, text in re.findall(r"program\.py:(\d+): (error|note): (.*)", done.stdout):
        if kind == "error":
            code = re.search(r"\[([a-z-]+)\]$", text)
            assert code is not None, text
            said[int(number)] = f"error: {code[1]}"
        elif revealed := re.search(r'Revealed type is "(.*)"', text):
            said[int(number)] = revealed[1].replace("builtins.", "")
    return said


def expected(program: str) -> dict[int, str]:
    """What the comments of `program` promise."""
    lines = enumerate(program.splitlines(), 1)
    return {number: line.partition("  # ")[2] for number, line in lines if "  # " in line}


@pytest.mark.timeout(300)
def test_mypy_knows_signatures_and_results(tmp_path: Path) -> None:
    promised = expected(PROGRAM)
    assert len(promised) == 20
    assert said_by_mypy(PROGRAM, tmp_path) == promised
