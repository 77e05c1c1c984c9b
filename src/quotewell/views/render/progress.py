"""A progress bar on a terminal for what takes more than a second; nothing where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from quotewell.views.words import count, number

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from quotewell.outcomes import Progress

__all__ = ["Watcher", "watched"]

_PATIENCE = 1.0
"""Seconds before a bar is worth its lines."""


class Watcher:
    """Called with the `Progress` of a prefetch; remembers the last one, and shows it.

    Args:
        shown: Whether there is a terminal to show it on.
    """

    def __init__(self, *, shown: bool) -> None:
        self.last: Progress | None = None
        self._shown = shown
        self._bar: Bar | None = None

    def __call__(self, progress: Progress) -> None:
        """Remember it; show it, once it takes long."""
        self.last = progress
        if not self._shown or (self._bar is None and progress.seconds < _PATIENCE):
            return
        if self._bar is None:
            self._bar = _bar()
            self._bar.start()
            self._bar.add_task("prefetch", total=progress.symbols)
        task = self._bar.task_ids[0]
        self._bar.update(task, completed=progress.done, description=describe(progress))

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


@contextmanager
def watched() -> Iterator[Watcher]:
    """A watcher for as long as something is fetched; an interrupt tells how far it was.

    Raises:
        KeyboardInterrupt: Again, with what has arrived until then.
    """
    watcher = Watcher(shown=sys.stderr.isatty())
    try:
        yield watcher
    except KeyboardInterrupt:
        if watcher.last is None:
            raise
        done = f"{number(watcher.last.values_done)} of {count(watcher.last.values, 'value')} done"
        raise KeyboardInterrupt(f"{done}; what has arrived is kept") from None
    finally:
        watcher.close()


def describe(progress: Progress) -> str:
    """What stands beside the bar."""
    parts = [
        f"{number(progress.done)}/{count(progress.symbols, 'symbol')}",
        count(progress.requests, "request"),
    ]
    if progress.waited >= _PATIENCE:
        parts.append(f"waited {progress.waited:.0f} s")
    if progress.seconds_left is not None:
        parts.append(f"~{progress.seconds_left:.0f} s left")
    return " · ".join(parts)


def _bar() -> Bar:
    from rich.console import Console  # noqa: PLC0415  most fetches are faster than its import
    from rich.progress import BarColumn, TextColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (BarColumn(bar_width=16), TextColumn("{task.description}"))
    return Bar(*columns, console=Console(stderr=True), transient=True)
