"""Whole processes of the command line, against an empty Python process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Row, children_seconds, quotients, times
from bench.sample import store_tickers

__all__ = ["commands"]

_ROUNDS = 15
_COMMAND = Path(sys.executable).with_name("quotewell")


def commands(folder: Path) -> Iterator[Row]:
    """The rows about commands; with the default providers, none of which a warm cache needs."""
    place = folder / "commands"
    store_tickers(place, ["AAPL"])
    environment = {name: text for name, text in os.environ.items() if not name.startswith("QUOTEWELL_")}
    environment["QUOTEWELL_CACHE_DIR"] = str(place)
    # Modules are compiled in the warm-up round, as on any machine where the program has run before.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(place / "compiled")

    def run(*command: str) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)

    quoted, shown, empty = times(
        _ROUNDS,
        lambda: run(str(_COMMAND), "quote", "AAPL"),
        lambda: run(str(_COMMAND), "demo"),
        lambda: run(sys.executable, "-c", "pass"),
        clock=children_seconds,
    )
    note = f"{min(quoted) * 1e3:.0f} ms against {min(empty) * 1e3:.0f} ms at best"
    nothing = "`python -c pass`"
    yield Row(
        measure="`quotewell quote AAPL`, warm, whole process",
        against=nothing,
        values=quotients(quoted, empty),
        at_most=8.0,
        note=note,
    )
    yield Row(
        measure="`quotewell demo`, warm, whole process",
        against=nothing,
        values=quotients(shown, empty),
        at_most=24.0,
    )
