"""Lines → the terminal: its width, its colours, its characters."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

__all__ = ["NARROWEST", "WIDEST", "screen_width", "show"]

NARROWEST, WIDEST = 60, 120
_UNKNOWN = 80


def screen_width() -> int:
    """Columns to lay a screen out for: those of the terminal, within reason; 80 where there is none."""
    return min(max(_columns(), NARROWEST), WIDEST)


def show(lines: Iterable[Text]) -> None:
    """Print lines, coloured on a terminal unless `NO_COLOR` is set; cut at its edge rather than wrapped."""
    width = min(max(_columns(), 1), WIDEST)
    console = _Console(width=width, highlight=False, markup=False, emoji=False)
    console.print(Text("\n").join(lines), no_wrap=True, overflow="ellipsis")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let the caller decide; rich would end the process with code 1."""
        raise BrokenPipeError


def _columns() -> int:
    return shutil.get_terminal_size((_UNKNOWN, 24)).columns
