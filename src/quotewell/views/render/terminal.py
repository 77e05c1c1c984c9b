"""Lines → the terminal: its width, its colours, its characters. Where none is, rich is not needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from quotewell.views.render.text import Text

if TYPE_CHECKING:
    from rich.text import Text as RichText

__all__ = ["NARROWEST", "WIDEST", "as_rich", "screen_width", "show"]

NARROWEST, WIDEST = 60, 120
_UNKNOWN = 80
_COLOUR_ASKED_FOR = ("FORCE_COLOR", "TTY_COMPATIBLE")
"""Environment variables by which rich takes a pipe for a terminal."""


def screen_width() -> int:
    """Columns to lay a screen out for: those of the terminal, within reason; 80 where there is none."""
    return min(max(_columns(), NARROWEST), WIDEST)


def show(lines: Iterable[Text]) -> None:
    """Print lines, coloured on a terminal unless `NO_COLOR` is set; cut at its edge rather than wrapped."""
    width = min(max(_columns(), 1), WIDEST)
    cut = [line.copy() for line in lines]
    for line in cut:
        line.truncate(width)
    if sys.stdout.isatty() or any(os.environ.get(name) for name in _COLOUR_ASKED_FOR):
        _print_coloured(cut, width)
    else:
        sys.stdout.write("".join([f"{line.plain}\n" for line in cut]))


def as_rich(lines: Iterable[Text]) -> RichText:
    """The same for rich."""
    from rich.text import Text as RichText  # noqa: PLC0415  only for terminals

    return RichText("\n").join(RichText.assemble(*line.pieces) for line in lines)


def _print_coloured(lines: Iterable[Text], width: int) -> None:
    from rich.console import Console  # noqa: PLC0415  only for terminals

    class Quiet(Console):
        def on_broken_pipe(self) -> None:
            """Let the caller decide; rich would end the process with code 1."""
            raise BrokenPipeError

    console = Quiet(width=width, highlight=False, markup=False, emoji=False)
    console.print(as_rich(lines), no_wrap=True, overflow="ellipsis")


def _columns() -> int:
    """What `shutil.get_terminal_size` says, without the import of the compression modules."""
    try:
        columns = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        columns = 0
    if columns > 0:
        return columns
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or _UNKNOWN  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):  # there is no stream, it is closed, or no terminal
        return _UNKNOWN
